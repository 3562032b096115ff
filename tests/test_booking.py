"""Booking, line by line of the table of changes: who gets mail, what becomes of SEQUENCE and of the answers."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from email.message import EmailMessage

import pytest

from scheduler import admin, booking, exports, meetings
from scheduler.core.cities import Directory
from scheduler.core.errors import Conflict, Forbidden, Invalid, MeetingCancelled, NotFound, Outdated, RoomTaken
from scheduler.core.meeting import Draft, Meeting
from scheduler.core.words import Wording
from scheduler.meetings import Filter
from tests.house import AYLIN, BAT, JOHN, KIM, START, House, calendar_of, parsed


def _facts(mail: object) -> tuple[str, int]:
    """METHOD and SEQUENCE of a mail's calendar."""
    lines = calendar_of(mail).decode().split("\r\n")  # type: ignore[arg-type]
    value = {line.split(":")[0]: line.split(":", 1)[1] for line in lines if ":" in line}
    return value["METHOD"], int(value["SEQUENCE"])


def _accept(house: House, meeting: object, *people: object) -> None:
    for who in people:
        assert house.receive(house.reply(meeting, who, "ACCEPTED")).outcome == "accepted"  # type: ignore[arg-type]


def test_everybody_gets_one_invitation_in_their_language_and_the_coordinator_a_copy(house: House) -> None:
    meeting = house.book()
    for who, language in ((BAT, "mn"), (AYLIN, "tr"), (KIM, "ko")):
        (mail,) = house.mails(who)
        assert mail["Content-Language"] == language
        assert _facts(mail) == ("REQUEST", 0)
        assert house.invitation(meeting, who).status == "waiting"
    (copy,) = house.mails(house.person().email)
    assert b"ROLE=CHAIR" in calendar_of(copy)
    assert b"RSVP" not in calendar_of(copy)
    assert len(house.outbox()) == 4


def test_a_coordinator_who_is_invited_gets_the_invitation_and_no_copy_beside_it(house: House) -> None:
    me = house.person()
    house.book(people=(BAT, replace(KIM, email=me.email.upper())))
    assert len(house.outbox()) == 2


def test_a_new_time_raises_sequence_resets_answers_and_tells_everybody(house: House) -> None:
    meeting = house.book()
    house.send_all()
    _accept(house, meeting, BAT, AYLIN)
    house.clock.forward(minutes=1)
    later = START + timedelta(minutes=30)
    moved = booking.edit(
        house.desk, house.person(), meeting.id, lambda d: replace(d, start=later, wall=None), meeting.version
    )
    assert (moved.sequence, moved.version, moved.start) == (1, 2, later)
    assert {i.status for i in moved.people} == {"waiting"}
    for who in (BAT, AYLIN, KIM):
        assert _facts(house.mails(who)[-1]) == ("REQUEST", 1)
        assert house.mails(who)[-1]["In-Reply-To"] == house.mails(who)[0]["Message-ID"]


def test_a_new_length_is_a_new_time(house: House) -> None:
    meeting = house.book()
    moved = booking.edit(house.desk, house.person(), meeting.id, lambda d: replace(d, duration_minutes=90))
    assert moved.sequence == 1
    assert moved.end - moved.start == timedelta(minutes=90)


def test_a_new_link_raises_sequence_and_keeps_answers_also_those_to_the_older_one(house: House) -> None:
    meeting = house.book()
    house.send_all()
    _accept(house, meeting, BAT)
    to_the_old_link = house.reply(meeting, AYLIN, "DECLINED")
    house.clock.forward(minutes=1)
    url = "https://video.example.org/room/2"
    changed = booking.edit(house.desk, house.person(), meeting.id, lambda d: replace(d, video_url=url))
    assert changed.sequence == 1
    assert house.invitation(meeting, BAT).status == "accepted"
    assert b"PARTSTAT=ACCEPTED" in calendar_of(house.mails(BAT)[-1])
    assert house.receive(to_the_old_link).outcome == "declined"
    assert house.invitation(meeting, AYLIN).status == "declined"


def test_a_new_title_keeps_sequence_and_answers_and_tells_everybody(house: House) -> None:
    meeting = house.book()
    house.send_all()
    _accept(house, meeting, BAT)
    house.clock.forward(minutes=1)
    title = Wording.of("Water resources")
    changed = booking.edit(house.desk, house.person(), meeting.id, lambda d: replace(d, title=title))
    assert (changed.sequence, changed.version) == (0, 2)
    assert house.invitation(meeting, BAT).status == "accepted"
    for who in (BAT, AYLIN, KIM):
        assert [_facts(m) for m in house.mails(who)] == [("REQUEST", 0), ("REQUEST", 0)]
        assert b"SUMMARY:Water resources" in calendar_of(house.mails(who)[-1])


def test_an_edit_that_changes_nothing_tells_nobody(house: House) -> None:
    meeting = house.book()
    same = booking.edit(house.desk, house.person(), meeting.id, lambda d: d)
    assert same == meeting
    assert len(house.outbox()) == 4


def test_only_the_added_person_is_told(house: House) -> None:
    meeting = house.book()
    changed = booking.edit(house.desk, house.person(), meeting.id, lambda d: replace(d, people=(*d.people, JOHN)))
    assert changed.sequence == 0
    assert len(house.outbox()) == 5
    assert _facts(house.mails(JOHN)[0]) == ("REQUEST", 0)


def test_only_the_removed_person_is_told_and_their_sequence_alone_rises(house: House) -> None:
    meeting = house.book()
    house.send_all()
    changed = booking.edit(
        house.desk, house.person(), meeting.id, lambda d: replace(d, people=tuple(p for p in d.people if p != BAT))
    )
    assert changed.sequence == 0
    assert [_facts(m) for m in house.mails(BAT)] == [("REQUEST", 0), ("CANCEL", 1)]
    assert len(house.mails(AYLIN)) == 1
    assert b"mailto:" + AYLIN.email.encode() not in calendar_of(house.mails(BAT)[-1])


def test_a_person_who_is_invited_again_sees_sequence_rise(house: House) -> None:
    meeting = house.book()
    house.send_all()
    _accept(house, meeting, BAT)
    old_answer = house.reply(meeting, BAT, "DECLINED", message_id="<old@mail.example.org>")
    person = house.person()
    booking.edit(house.desk, person, meeting.id, lambda d: replace(d, people=tuple(p for p in d.people if p != BAT)))
    house.send_all()
    booking.edit(house.desk, person, meeting.id, lambda d: replace(d, people=(*d.people, BAT)))
    assert [_facts(m) for m in house.mails(BAT)] == [("REQUEST", 0), ("CANCEL", 1), ("REQUEST", 2)]
    assert house.invitation(meeting, BAT).status == "waiting"
    assert house.receive(old_answer).outcome == "ignored-stale"
    assert house.receive(house.reply(meeting, BAT, "ACCEPTED")).outcome == "accepted"


def test_cancelling_raises_sequence_tells_everybody_and_may_be_repeated(house: House) -> None:
    meeting = house.book()
    house.send_all()
    _accept(house, meeting, BAT)
    notices = len(house.outbox())
    for _ in range(2):
        cancelled = booking.cancel(house.desk, house.person(), meeting.id, "The hall is closed")
    assert (cancelled.status, cancelled.sequence) == ("cancelled", 1)
    assert len(house.outbox()) == notices + 4
    for who in (BAT, AYLIN, KIM):
        assert _facts(house.mails(who)[-1]) == ("CANCEL", 1)
        assert b"STATUS:CANCELLED" in calendar_of(house.mails(who)[-1])
    assert house.invitation(meeting, BAT).status == "accepted"  # history
    with pytest.raises(MeetingCancelled):
        booking.edit(house.desk, house.person(), meeting.id, lambda d: replace(d, duration_minutes=30))


def test_dtstamp_rises_with_each_mail_to_a_person_even_within_a_second(house: House) -> None:
    meeting = house.book()
    for minutes in (70, 80, 90):
        booking.edit(house.desk, house.person(), meeting.id, lambda d, m=minutes: replace(d, duration_minutes=m))
    stamps = [row.dtstamp for row in house.outbox(recipient=BAT.email)]
    assert stamps == sorted(set(stamps))
    assert len(stamps) == 4


def test_a_mail_that_was_not_sent_yet_is_superseded_and_the_newer_one_is_the_invitation(house: House) -> None:
    meeting = house.book()
    booking.edit(house.desk, house.person(), meeting.id, lambda d: replace(d, duration_minutes=90))
    states = [(row.kind, row.state) for row in house.outbox(recipient=BAT.email)]
    assert states == [("invitation", "superseded"), ("invitation", "queued")]
    house.send_all()
    assert [row.state for row in house.outbox(recipient=BAT.email)] == ["superseded", "handed-over"]


def test_resending_keeps_sequence_and_renews_dtstamp(house: House) -> None:
    meeting = house.book()
    house.send_all()
    booking.resend(house.desk, house.person(), meeting.id, house.invitation(meeting, BAT).id)
    first, again = house.outbox(recipient=BAT.email)
    assert again.sequence == first.sequence
    assert again.dtstamp > first.dtstamp
    assert len(house.outbox()) == 5


def test_a_room_is_not_booked_twice_and_neighbours_are_welcome(house: House) -> None:
    """K02."""
    house.book(room="gwangjin-video")
    with pytest.raises(RoomTaken):
        house.book(room="gwangjin-video", start=START + timedelta(minutes=59))
    house.book(room="gwangjin-video", start=START + timedelta(minutes=60))
    with house.desk.store.read() as db:
        assert len(db.exec_driver_sql("SELECT * FROM meetings").all()) == 2


def test_moving_into_a_taken_room_changes_nothing_and_sends_nothing(house: House) -> None:
    house.book(room="gwangjin-video")
    other = house.book(room="gwangjin-video", start=START + timedelta(hours=1))
    mails = len(house.outbox())
    with pytest.raises(RoomTaken):
        booking.edit(house.desk, house.person(), other.id, lambda d: replace(d, start=START, wall=None))
    assert house.meeting(other.id) == other
    assert len(house.outbox()) == mails


def test_a_cancelled_meeting_frees_its_room(house: House) -> None:
    meeting = house.book(room="gwangjin-video")
    booking.cancel(house.desk, house.person(), meeting.id)
    house.book(room="gwangjin-video")


def test_one_request_key_makes_one_meeting(house: House) -> None:
    def represent(meeting: Meeting, _: Directory) -> bytes:
        return str(meeting.id).encode()

    key = booking.RequestKey("k1", "digest")
    first = booking.create(house.desk, house.person(), house.draft(), key, represent)
    again = booking.create(house.desk, house.person(), house.draft(), key, represent)
    assert (first.replayed, again.replayed) == (False, True)
    assert first.meeting.id == again.meeting.id
    assert first.answer == again.answer == str(first.meeting.id).encode()
    assert len(house.outbox()) == 4
    with pytest.raises(Invalid):
        booking.create(house.desk, house.person(), house.draft(), booking.RequestKey("k1", "other"))


def test_a_stale_version_is_refused(house: House) -> None:
    """K05."""
    meeting = house.book()
    booking.edit(house.desk, house.person(), meeting.id, lambda d: replace(d, duration_minutes=90), 1)
    with pytest.raises(Outdated):
        booking.edit(house.desk, house.person(), meeting.id, lambda d: replace(d, duration_minutes=80), 1)


def test_only_the_host_edits_and_strangers_see_nothing(house: House) -> None:
    """A03."""
    meeting = house.book(cities=("gwangjin", "ulaanbaatar"), people=(BAT, KIM))
    with pytest.raises(Forbidden):
        booking.cancel(house.desk, house.person("ulaanbaatar"), meeting.id)
    with pytest.raises(NotFound):
        booking.cancel(house.desk, house.person("eregli"), meeting.id)
    with pytest.raises(Forbidden):
        booking.create(house.desk, house.person("ulaanbaatar"), house.draft())


def test_a_meeting_that_is_over_stays_as_it_was(house: House) -> None:
    meeting = house.book()
    house.clock.time = meeting.end
    with pytest.raises(Conflict, match="meeting-past"):
        booking.cancel(house.desk, house.person(), meeting.id)


def test_the_newest_mail_carries_what_is_stored(house: House) -> None:
    house.book()
    house.send_all()
    folder = house.desk.settings.mail.mailbox
    assert folder is not None
    stored = {row.content for row in house.outbox()}
    assert {file.read_bytes() for file in folder.glob("*.eml")} == stored
    assert all(parsed(content)["Message-ID"] for content in stored)


def _plain(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def test_a_move_that_did_not_leave_is_told_by_the_next_mail(house: House) -> None:
    meeting = house.book()
    house.send_all()
    person = house.person()
    booking.edit(house.desk, person, meeting.id, lambda d: replace(d, start=START + timedelta(hours=1), wall=None))
    booking.edit(house.desk, person, meeting.id, lambda d: replace(d, title=Wording.of("Water")))
    rows = house.outbox(recipient=AYLIN.email)
    states = [(row.kind, row.state) for row in rows]
    assert states == [("invitation", "handed-over"), ("moved", "superseded"), ("moved", "queued")]
    text = _plain(parsed(rows[-1].content))
    assert "09:00" in text  # what they knew
    assert "10:00" in text
    assert parsed(rows[-1].content)["In-Reply-To"] == parsed(rows[0].content)["Message-ID"]


def test_a_cancellation_goes_out_also_where_the_invitation_has_not_left(house: House) -> None:
    meeting = house.book()
    person = house.person()
    retitled = Wording.of("Secret plan")
    booking.edit(house.desk, person, meeting.id, lambda d: replace(d, people=(AYLIN, KIM), title=retitled))
    booking.cancel(house.desk, person, meeting.id)
    house.send_all()
    for who in (BAT, AYLIN, KIM):
        (sent,) = [row for row in house.outbox(recipient=who.email) if row.state == "handed-over"]
        assert _facts(parsed(sent.content)) == ("CANCEL", 1)
    assert b"Secret" not in calendar_of(house.mails(BAT)[-1])


def test_the_removed_hear_no_more_than_they_knew(house: House) -> None:
    meeting = house.book()
    house.send_all()
    person = house.person()
    secret = Wording.of("Secret plan")

    def without_bat(draft: Draft) -> Draft:
        people = tuple(p for p in draft.people if p != BAT)
        return replace(draft, people=people, title=secret, start=START + timedelta(days=1), wall=None)

    booking.edit(house.desk, person, meeting.id, without_bat)
    house.send_all()
    booking.resend(house.desk, person, meeting.id, house.invitation(meeting, BAT).id)
    for mail in house.mails(BAT)[1:]:
        assert b"20270210T150000" in calendar_of(mail)  # the time they knew, in Seoul
        assert b"Secret" not in calendar_of(mail)
        assert "Secret" not in mail["Subject"] + _plain(mail)


def test_a_coordinator_who_is_taken_off_the_list_keeps_a_copy(house: House) -> None:
    me = house.person()
    meeting = house.book(people=(BAT, replace(KIM, email=me.email)))
    house.send_all()
    booking.edit(house.desk, me, meeting.id, lambda d: replace(d, people=(BAT,)))
    assert _facts(house.mails(me.email)[-1]) == ("REQUEST", 0)
    assert b"ROLE=CHAIR" in calendar_of(house.mails(me.email)[-1])


def test_who_leaves_hands_meetings_and_copies_over(house: House) -> None:
    meeting = house.book()
    house.send_all()
    me = house.person()
    heir = admin.add_person(house.desk, "Deputy desk", "deputy@gwangjin.example", "gwangjin", "en", "coordinator")
    with pytest.raises(Invalid):
        admin.disable_person(house.desk, me.email, house.person("ulaanbaatar").email)
    admin.disable_person(house.desk, me.email, heir.email)
    assert house.meeting(meeting.id).owner_id == heir.id
    assert _facts(house.mails(me.email)[-1]) == ("CANCEL", 1)
    assert _facts(house.mails(heir.email)[-1]) == ("REQUEST", 0)
    assert len(house.mails(BAT)) == 1


def test_lists_can_be_paged_both_ways(house: House) -> None:
    booked = {house.book(start=START + timedelta(hours=n)).id for n in range(5)}
    house.clock.time = START + timedelta(days=2)
    for latest_first in (False, True):
        seen: list[int] = []
        cursor = ""
        while True:
            wanted = Filter(status="held", cursor=cursor, limit=2, latest_first=latest_first)
            page = meetings.listing(house.desk, house.person(), wanted)
            seen += [m.id for m in page.meetings]
            cursor = page.next
            if not cursor:
                break
        assert len(seen) == 5
        assert set(seen) == booked
    with pytest.raises(Invalid):
        meetings.listing(house.desk, house.person(), Filter(cursor="1-99999999999999999999999"))


def test_the_export_of_a_confidential_meeting_tells_nothing(house: House) -> None:
    meeting = house.book(confidential=True, title=Wording.of("Canary"), agenda=Wording.of("Canary"))
    for content in (
        exports.meeting_ics(house.desk, house.person(), meeting.id),
        exports.calendar_ics(house.desk, house.person()),
    ):
        assert b"Canary" not in content
        assert meeting.uid.encode() in content
