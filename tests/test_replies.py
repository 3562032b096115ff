"""Answers by mail: exactly the right answer changes, order never matters, and nothing is dropped."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from scheduler import answers, booking, replies, reviews
from scheduler.core.errors import MeetingCancelled
from scheduler.core.meeting import Invitee, Meeting
from tests.databases import contents
from tests.house import AYLIN, BAT, KIM, START, House, calendar_of

CAPTURED = Path(__file__).parent / "data" / "replies"


def _captured(house: House, name: str, meeting: Meeting, who: Invitee) -> bytes:
    """A real mail program's answer, made to be about `meeting` by its UID, its token address and its ATTENDEE."""
    raw = (CAPTURED / f"{name}.eml").read_bytes()
    token_address = house.mails(who)[-1]["From"].addresses[0].addr_spec.encode()
    raw = re.sub(rb"meet\+k7q(2x9)?@cities\.example", token_address, raw)
    raw = re.sub(rb"4f6c0f1e-0b1d-4c8e-9a55-7a2b6d1c000\d@cities\.example", meeting.uid.encode(), raw)
    raw = raw.replace(b"bat@ub.example", who.email.encode())
    return raw.replace(b"20261122T", b"20270111T")


@pytest.mark.parametrize("shape", ["single", "series"])
@pytest.mark.parametrize("answer", ["accepted", "declined", "tentative"])
def test_the_answer_of_a_real_mail_program_changes_that_person_only(house: House, shape: str, answer: str) -> None:
    meeting = house.book()
    house.send_all()
    receipt = house.receive(_captured(house, f"{shape}-{answer}", meeting, BAT))
    assert (receipt.outcome, receipt.meeting, receipt.person, receipt.status) == (
        answer, meeting.id, BAT.email, answer
    )  # fmt: skip
    assert house.invitation(meeting, BAT).status == answer
    assert {house.invitation(meeting, who).status for who in (AYLIN, KIM)} == {"waiting"}
    assert house.meeting(meeting.id).start == meeting.start  # a mail never moves a meeting


def test_the_coordinator_gets_word_of_an_answer(house: House) -> None:
    meeting = house.book()
    house.receive(house.reply(meeting, BAT, "DECLINED", "Наадам"))
    notice = house.mails(house.person().email)[-1]
    text = notice.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert BAT.name in text
    assert "Наадам" in text
    assert notice["Auto-Submitted"] == "auto-generated"


def test_the_same_mail_again_and_the_same_answer_in_another_mail_have_one_effect(house: House) -> None:
    meeting = house.book()
    raw = house.reply(meeting, BAT, "ACCEPTED", message_id="<one@mail.example.org>")
    assert house.receive(raw).outcome == "accepted"
    mails = len(house.outbox())
    assert house.receive(raw).outcome == "ignored-duplicate"
    assert house.receive(raw.replace(b"<one@", b"<two@")).outcome == "ignored-duplicate"
    assert len(house.outbox()) == mails


def test_the_order_of_arrival_never_matters(house: House) -> None:
    meeting = house.book()
    house.send_all()
    letters = []
    for partstat in ("ACCEPTED", "DECLINED", "TENTATIVE"):
        house.clock.forward(minutes=10)
        letters.append(house.reply(meeting, BAT, partstat))
    for index, order in enumerate(itertools.permutations(letters)):
        other = house.book(start=START + timedelta(days=index + 1), room="")
        token = house.mails(BAT)[-1]["From"].addresses[0].addr_spec.encode()
        old = house.mails(BAT)[0]["From"].addresses[0].addr_spec.encode()
        for number, raw in enumerate(order):
            raw = raw.replace(meeting.uid.encode(), other.uid.encode()).replace(old, token)
            house.receive(re.sub(rb"Message-ID: <", b"Message-ID: <%d-%d-" % (index, number), raw))
        assert house.invitation(other, BAT).status == "tentative", order


def test_an_answer_to_an_earlier_time_is_kept_but_does_not_count(house: House) -> None:
    meeting = house.book()
    house.send_all()
    late = house.reply(meeting, BAT, "ACCEPTED")
    house.clock.forward(minutes=5)
    moved = booking.edit(
        house.desk, house.person(), meeting.id, lambda d: replace(d, start=START + timedelta(hours=1), wall=None)
    )
    house.send_all()
    house.clock.forward(minutes=5)
    receipt = house.receive(late)
    assert receipt.outcome == "ignored-stale"
    assert house.invitation(meeting, BAT).status == "waiting"
    assert house.meeting(meeting.id).version == moved.version
    kinds = [row.kind for row in house.outbox()]
    assert kinds[-2:] == ["resent", "notice-stale"]  # they get the present time again, the coordinator gets word
    with house.desk.store.read() as db:
        assert [row.outcome for row in db.exec_driver_sql("SELECT outcome FROM answers")] == ["ignored-stale"]


def test_an_answer_without_organizer_counts(house: House) -> None:
    meeting = house.book()
    raw = house.reply(meeting, BAT, "ACCEPTED")
    raw = re.sub(rb"ORGANIZER[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*", b"", raw)
    assert b"ORGANIZER" not in raw
    assert house.receive(raw).outcome == "accepted"


def test_an_answer_without_sequence_belongs_to_the_mail_they_had(house: House) -> None:
    meeting = house.book()
    house.send_all()
    raw = re.sub(rb"SEQUENCE:\d+\r\n", b"", house.reply(meeting, BAT, "ACCEPTED"))
    house.clock.forward(hours=1)
    booking.edit(
        house.desk, house.person(), meeting.id, lambda d: replace(d, start=START + timedelta(hours=1), wall=None)
    )
    house.clock.forward(hours=1)
    later = re.sub(rb"DTSTAMP:\d{8}T\d{6}Z", b"DTSTAMP:20270111T030000Z", raw).replace(b"<answer", b"<later")
    assert house.receive(raw).outcome == "ignored-stale"
    assert house.receive(later).outcome == "ignored-stale"  # the new time was written, but it had not left


def test_a_sequence_above_ours_counts_as_ours(house: House) -> None:
    meeting = house.book()
    raw = house.reply(meeting, BAT, "ACCEPTED", edit=((b"SEQUENCE:0", b"SEQUENCE:7"),))
    assert house.receive(raw).outcome == "accepted"
    house.clock.forward(minutes=1)
    assert house.receive(house.reply(meeting, BAT, "DECLINED")).outcome == "declined"


def test_an_answer_from_the_future_does_not_win_for_ever(house: House) -> None:
    meeting = house.book()
    raw = house.reply(meeting, BAT, "DECLINED")
    raw = re.sub(rb"DTSTAMP:\d{8}T\d{6}Z", b"DTSTAMP:99991231T235959Z", raw)
    assert house.receive(raw).outcome == "declined"
    house.clock.forward(minutes=6)
    assert house.receive(house.reply(meeting, BAT, "ACCEPTED")).outcome == "accepted"


def test_another_address_at_the_token_waits_for_a_person(house: House) -> None:
    meeting = house.book()
    raw = house.reply(meeting, BAT, "ACCEPTED", edit=((BAT.email.encode(), b"secretary@ulaanbaatar.example"),))
    receipt = house.receive(raw)
    assert (receipt.outcome, receipt.person) == ("pending-approval-uninvited", BAT.email)
    assert house.invitation(meeting, BAT).status == "waiting"
    assert house.outbox()[-1].kind == "notice-review"


def test_an_answer_for_another_invitee_does_not_count(house: House) -> None:
    meeting = house.book()
    raw = house.reply(meeting, BAT, "DECLINED", edit=((BAT.email.encode(), AYLIN.email.encode()),))
    assert house.receive(raw).outcome == "human-review"
    assert {i.status for i in house.meeting(meeting.id).people} == {"waiting"}


def test_without_a_token_only_a_sender_that_our_server_vouches_for_counts(house: House) -> None:
    meeting = house.book()
    plain = "meet@cities.example"
    settings = house.desk.settings
    trusting = settings.model_copy(
        update={"inbox": settings.inbox.model_copy(update={"authserv_id": "mx.cities.example"})}
    )
    house.desk = replace(house.desk, settings=trusting)
    passed = "Authentication-Results: mx.cities.example; dmarc=pass header.from=ulaanbaatar.example\r\n"
    forged = "Authentication-Results: mx.cities.example; dmarc=fail header.from=ulaanbaatar.example\r\n" + passed
    for headers, outcome in (("", "held-sender-mismatch"), (forged, "held-sender-mismatch"), (passed, "accepted")):
        assert house.receive(house.reply(meeting, BAT, "ACCEPTED", to=plain, headers=headers)).outcome == outcome
    other = house.reply(meeting, BAT, "DECLINED", to=plain, headers=passed, sender="boss@ulaanbaatar.example")
    assert house.receive(other).outcome == "held-sender-mismatch"


def test_the_token_of_one_meeting_opens_no_other(house: House) -> None:
    """D06."""
    first = house.book()
    second = house.book(start=START + timedelta(days=1))
    raw = house.reply(second, BAT, "DECLINED", to=house.mails(BAT)[0]["From"].addresses[0].addr_spec)
    assert house.receive(raw).outcome == "held-sender-mismatch"
    for meeting in (first, second):
        assert house.invitation(meeting, BAT).status == "waiting"


def test_who_was_removed_and_who_answers_a_cancelled_meeting_get_the_cancel_again(house: House) -> None:
    meeting = house.book()
    house.send_all()
    removed, late = house.reply(meeting, BAT, "ACCEPTED"), house.reply(meeting, AYLIN, "ACCEPTED")
    booking.edit(
        house.desk, house.person(), meeting.id, lambda d: replace(d, people=tuple(p for p in d.people if p != BAT))
    )
    booking.cancel(house.desk, house.person(), meeting.id)
    house.send_all()
    house.clock.forward(minutes=5)
    for raw, outcome, who in ((removed, "rejected-not-invited", BAT), (late, "ignored-cancelled", AYLIN)):
        assert house.receive(raw).outcome == outcome
        assert b"METHOD:CANCEL" in calendar_of(house.mails(who)[-1])
        assert house.outbox(recipient=who.email)[-1].state == "queued"


@pytest.mark.parametrize("method", ["REQUEST", "CANCEL", "ADD", "PUBLISH", "DECLINECOUNTER"])
def test_nobody_but_us_organizes(house: House, method: str) -> None:
    meeting = house.book()
    raw = house.reply(meeting, BAT, "ACCEPTED", edit=((b"METHOD:REPLY", b"METHOD:" + method.encode()),))
    raw = raw.replace(b"method=REPLY", b"method=" + method.encode())
    assert house.receive(raw).outcome == "rejected-not-organizer"
    assert house.meeting(meeting.id) == meeting or house.invitation(meeting, BAT).status == "waiting"


def test_a_refresh_is_answered_once_a_minute(house: House) -> None:
    meeting = house.book()
    house.send_all()
    house.clock.forward(minutes=2)
    raw = house.reply(meeting, BAT, "ACCEPTED", edit=((b"METHOD:REPLY", b"METHOD:REFRESH"),))
    raw = raw.replace(b"method=REPLY", b"method=REFRESH")
    assert house.receive(raw).outcome == "refresh-sent"
    assert len(house.mails(BAT)) == 2
    assert house.receive(raw.replace(b"<answer", b"<again")).outcome == "refresh-sent"
    assert len(house.mails(BAT)) == 2


def test_what_is_no_calendar_is_sorted_by_what_it_is(house: House) -> None:
    house.book()
    address = house.mails(BAT)[0]["From"].addresses[0].addr_spec
    head = f"From: <{BAT.email}>\r\nTo: <{address}>\r\nMessage-ID: <%s@x.example>\r\n"
    text = "Content-Type: text/plain; charset=utf-8\r\n\r\nБи очно.\r\n"
    cases = {
        "free": (text, "human-review"),
        "vacation": ("Auto-Submitted: auto-replied\r\n" + text, "ignored-auto-reply"),
        "ours": ("X-Scheduler: cities.example\r\n" + text, "ignored-loop"),
    }
    for name, (rest, outcome) in cases.items():
        assert house.receive((head % name + rest).encode()).outcome == outcome, name


def test_a_bounce_is_noted_and_told(house: House) -> None:
    meeting = house.book()
    house.send_all()
    address = house.mails(BAT)[0]["From"].addresses[0].addr_spec
    raw = (
        f"Return-Path: <>\r\nFrom: <mailer-daemon@mx.example>\r\nTo: <{address}>\r\nMessage-ID: <dsn@mx.example>\r\n"
        "MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"
        "--b\r\nContent-Type: text/plain\r\n\r\nNo such person.\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\n"
        f"Final-Recipient: rfc822; {BAT.email}\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n--b--\r\n"
    ).encode()
    assert house.receive(raw).outcome == "bounce-recorded"
    assert house.outbox(recipient=BAT.email)[-1].state == "bounced"
    assert house.outbox()[-1].kind == "notice-bounced"
    assert house.invitation(meeting, BAT).status == "waiting"


def test_malformed_mail_is_set_aside_and_the_next_one_is_served(house: House) -> None:
    meeting = house.book()
    nested = b"MIME-Version: 1.0\r\n" + b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(5000)
    )
    two_uids = house.reply(meeting, BAT, "ACCEPTED")
    event = re.search(rb"BEGIN:VEVENT.*END:VEVENT\r\n", two_uids, re.DOTALL)
    assert event is not None
    two_uids = two_uids.replace(event[0], event[0] + event[0].replace(meeting.uid.encode(), b"other@x.example"))
    mismatch = house.reply(meeting, BAT, "ACCEPTED").replace(b"method=REPLY", b"method=REQUEST")
    for raw in (nested, two_uids, mismatch, house.reply(meeting, BAT, "ACCEPTED", edit=((b"UID:", b"X-UID:"),))):
        assert house.receive(raw).outcome == "quarantined-malformed"
    assert house.receive(house.reply(meeting, BAT, "ACCEPTED")).outcome == "accepted"


def test_two_that_judge_one_mail_have_one_effect(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    meeting = house.book()
    raw = house.reply(meeting, BAT, "ACCEPTED")
    judge_mail = replies._judge_mail

    def judged_by_another(*given: Any) -> replies.Receipt:
        judge_mail(*given)
        return judge_mail(*given)

    monkeypatch.setattr(replies, "_judge_mail", judged_by_another)
    assert house.receive(raw).outcome == "accepted"
    with house.desk.store.read() as db:
        assert [row.outcome for row in db.exec_driver_sql("SELECT outcome FROM inbox")] == ["accepted"]


def test_what_is_automatic_is_never_answered_and_nobody_more_than_thrice(house: House) -> None:
    meeting = house.book()
    house.send_all()
    late = house.reply(meeting, BAT, "ACCEPTED")
    booking.edit(
        house.desk, house.person(), meeting.id, lambda d: replace(d, start=START + timedelta(hours=1), wall=None)
    )
    house.send_all()
    house.clock.forward(minutes=5)
    assert house.receive(b"Auto-Submitted: auto-replied\r\n" + late).outcome == "ignored-stale"
    assert [row.kind for row in house.outbox(recipient=BAT.email)] == ["invitation", "moved"]
    for number in range(10):
        house.clock.forward(minutes=5)
        stamp = b"DTSTAMP:20270111T0101%02dZ" % number
        again = re.sub(rb"DTSTAMP:\d{8}T\d{6}Z", stamp, late).replace(b"<answer", b"<a%d" % number)
        assert house.receive(again).outcome == "ignored-stale"
    assert [row.kind for row in house.outbox(recipient=BAT.email)].count("resent") == 3
    assert [row.kind for row in house.outbox()].count("notice-stale") == 3


def test_a_secretary_who_is_invited_herself_answers_for_herself(house: House) -> None:
    meeting = house.book()
    own = replace(BAT, email="secretary@ulaanbaatar.example", name="Secretary")
    raw = house.reply(meeting, BAT, "ACCEPTED", edit=((BAT.email.encode(), own.email.encode()),))
    assert house.receive(raw).outcome == "pending-approval-uninvited"
    (waiting,) = reviews.reviews(house.desk, house.person())
    reviews.decide(house.desk, house.person(), waiting.id, "same-person")
    assert house.invitation(meeting, BAT).status == "accepted"
    booking.edit(house.desk, house.person(), meeting.id, lambda d: replace(d, people=(*d.people, own)))
    answers.answer_by_telephone(house.desk, house.person(), meeting.id, own.email, "declined")
    statuses = {i.invitee.email: i.status for i in house.meeting(meeting.id).people}
    assert (statuses[BAT.email], statuses[own.email]) == ("accepted", "declined")


def test_a_held_answer_is_not_applied_to_a_cancelled_meeting(house: House) -> None:
    meeting = house.book()
    raw = house.reply(meeting, BAT, "ACCEPTED", edit=((BAT.email.encode(), b"secretary@ulaanbaatar.example"),))
    house.receive(raw)
    (waiting,) = reviews.reviews(house.desk, house.person())
    booking.cancel(house.desk, house.person(), meeting.id)
    with pytest.raises(MeetingCancelled):
        reviews.decide(house.desk, house.person(), waiting.id, "same-person")
    assert house.invitation(meeting, BAT).status == "waiting"


def test_too_large_unknown_and_instance(house: House) -> None:
    meeting = house.book()
    assert house.receive(b"Subject: x\r\n\r\n" + b"x" * 10_000_001).outcome == "rejected-too-large"
    unknown = house.reply(meeting, BAT, "ACCEPTED", edit=((meeting.uid.encode(), b"unknown@x.example"),))
    assert house.receive(unknown).outcome == "rejected-unknown-uid"
    instance = house.reply(meeting, BAT, "ACCEPTED", edit=((b"UID:", b"RECURRENCE-ID:20270210T060000Z\r\nUID:"),))
    assert house.receive(instance).outcome == "rejected-unknown-instance"


def test_what_was_stored_and_not_judged_is_judged_later(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    meeting = house.book()
    raw = house.reply(meeting, BAT, "ACCEPTED")

    def die(*args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(replies, "_judge_mail", die)
        with pytest.raises(KeyboardInterrupt):
            house.receive(raw)
    assert house.invitation(meeting, BAT).status == "waiting"
    assert replies.judge_stored(house.desk) == 0  # whoever stored it may still be at it
    house.clock.forward(minutes=3)
    assert replies.judge_stored(house.desk) == 1
    assert house.invitation(meeting, BAT).status == "accepted"
    assert replies.judge_stored(house.desk) == 0


def test_a_mail_with_a_nul_in_its_words_is_kept(house: House) -> None:
    raw = b"From: <a@city.example>\r\nTo: <meet@cities.example>\r\nSubject: a=00b =?utf-8?q?c=00d?=\r\n\r\nWe\0come\r\n"
    assert house.receive(raw).outcome == "human-review"
    (row,) = contents(house.desk.store)["inbox"]
    assert row["raw"] == raw
