"""J09: a clock that is wrong, jumps, or differs between processes does no lasting harm."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from scheduler import access, booking, replies
from scheduler.core.errors import NotFound
from scheduler.core.meeting import Meeting
from scheduler.db import inbox, mailboxes, outbox
from scheduler.db.outbox import LEASE, Claimed
from scheduler.worker import Worker
from tests import post_office
from tests.house import BAT, NOW, Clock, House, answer_mail, calendar_of
from tests.post_office import PostOffice

JUMPS = [timedelta(hours=-1), timedelta(days=1), timedelta(days=-3650), timedelta(days=3650)]
TEN_MINUTES = timedelta(minutes=10)


def at(house: House, time: datetime) -> House:
    """The same installation as a process with another clock sees it."""
    clock = Clock(time)
    return House(replace(house.desk, clock=clock), clock)


def claim(house: House, lease: str) -> Claimed | None:
    with house.desk.store.write() as db:
        return outbox.claim(db, house.clock.time, lease)


def move(house: House, meeting: Meeting, minutes: int) -> Meeting:
    return booking.edit(house.desk, house.person(), meeting.id, lambda d: replace(d, duration_minutes=minutes))


@pytest.mark.parametrize("jump", JUMPS)
def test_a_mail_of_a_dead_worker_is_not_kept_for_years(house: House, jump: timedelta) -> None:
    house.book(people=(BAT,))
    assert claim(house, "dead")
    assert claim(house, "dead")
    house.clock.time += jump
    house.clock.forward(seconds=(timedelta(hours=1) + LEASE).total_seconds())
    assert claim(house, "alive")


@pytest.mark.parametrize("jump", [timedelta(hours=-1), timedelta(minutes=-10), timedelta(minutes=4)])
def test_a_mail_is_not_taken_from_a_living_worker_when_the_clock_goes_back(house: House, jump: timedelta) -> None:
    house.book(people=(BAT,))
    assert claim(house, "one")
    assert claim(house, "one")
    house.clock.time += jump
    assert claim(house, "two") is None


@pytest.mark.parametrize("jump", JUMPS)
def test_mail_that_was_written_or_put_off_under_another_clock_leaves_soon(house: House, jump: timedelta) -> None:
    with post_office.opened(PostOffice(lambda recipient: "451 4.7.1 Try later")) as office:
        settings = post_office.sending_to(house.desk.settings, office.port)
        house.desk = replace(house.desk, settings=settings)
        house.book(people=(BAT,), start=NOW + timedelta(days=30))
        house.send_all()
        house.clock.time += jump
        office.answer = lambda recipient: "250 OK"
        house.clock.forward(hours=1, minutes=2)  # the pause, and the hour that the clock went back
        house.send_all()
    assert {row.state for row in house.outbox()} == {"handed-over"}


def test_a_worker_whose_clock_is_behind_sends_at_once_what_the_web_wrote(house: House) -> None:
    at(house, NOW + TEN_MINUTES).book(people=(BAT,))
    house.send_all()
    assert {row.state for row in house.outbox()} == {"handed-over"}


def test_a_web_whose_clock_is_ahead_cancels_while_a_mail_is_being_sent(house: House) -> None:
    """What was being sent counts as sent, and the CANCEL goes out."""
    meeting = house.book(people=(BAT,))
    sending = [c for c in (claim(house, "one"), claim(house, "one")) if c]
    ahead = at(house, NOW + TEN_MINUTES)
    booking.cancel(ahead.desk, ahead.person(), meeting.id)
    with house.desk.store.write() as db:
        assert all(outbox.finish(db, c, "one", "handed-over", "250", NOW) for c in sending)
    house.send_all()
    rows = house.outbox(recipient=BAT.email)
    assert [(row.kind, row.state) for row in rows] == [("invitation", "handed-over"), ("cancelled", "handed-over")]
    assert rows[0].dtstamp < rows[1].dtstamp


@pytest.mark.parametrize("jump", JUMPS[:3])
def test_the_next_mail_is_never_older_and_sequence_does_not_come_from_the_clock(house: House, jump: timedelta) -> None:
    meeting = house.book(people=(BAT,), start=NOW + timedelta(days=30))
    house.send_all()
    house.clock.time += jump
    for number, minutes in enumerate((30, 45, 90), 1):
        assert move(house, meeting, minutes).sequence == number
    booking.cancel(house.desk, house.person(), meeting.id)
    rows = house.outbox(recipient=BAT.email)
    stamps = [row.dtstamp for row in rows]
    assert stamps == sorted(set(stamps))
    assert [row.sequence for row in rows] == [0, 1, 2, 3, 4]


def test_an_answer_counts_although_our_clock_went_back_since_the_mail(house: House) -> None:
    meeting = house.book(people=(BAT,))
    house.send_all()
    house.clock.forward(hours=-1)
    raw = answer_mail(house.mails(BAT)[-1], "ACCEPTED", now=house.clock.time)
    assert house.receive(raw).outcome == "accepted"
    assert house.invitation(meeting, BAT).status == "accepted"


@pytest.mark.parametrize("jump", [timedelta(days=1), timedelta(days=3650)])
def test_sessions_and_links_begun_in_the_future_end_when_the_clock_is_right_again(
    house: House, jump: timedelta
) -> None:
    email = house.person().email
    house.clock.time += jump
    link = access.new_sign_in_link(house.desk, email).rpartition("/")[2]
    cookie = access.sign_in(house.desk, access.new_sign_in_link(house.desk, email).rpartition("/")[2])
    assert access.person_of_cookie(house.desk, cookie)
    house.clock.time -= jump
    assert access.person_of_cookie(house.desk, cookie) is None
    with pytest.raises(NotFound):
        access.sign_in(house.desk, link)


def test_a_session_survives_ten_minutes_between_two_machines(house: House) -> None:
    ahead = at(house, NOW + TEN_MINUTES)
    cookie = access.sign_in(ahead.desk, access.new_sign_in_link(ahead.desk, house.person().email).rpartition("/")[2])
    assert access.person_of_cookie(house.desk, cookie)


@pytest.mark.parametrize("jump", JUMPS)
def test_received_mail_is_judged_although_the_clock_was_wrong_when_it_came(house: House, jump: timedelta) -> None:
    meeting = house.book(people=(BAT,))
    raw = house.reply(meeting, BAT, "ACCEPTED")
    then = at(house, NOW + jump)
    with then.desk.store.write() as db:
        inbox_id = replies.keep(then.desk, db, raw, len(raw))
    house.clock.forward(hours=1)
    assert replies.judge_stored(house.desk) == 1
    with house.desk.store.read() as db:
        assert inbox.judgement(db, inbox_id)[0] == "accepted"


@pytest.mark.parametrize("jump", JUMPS)
def test_a_mailbox_is_polled_again_whatever_the_clock_was(house: House, jump: timedelta) -> None:
    then = NOW + jump
    with house.desk.store.write() as db:
        assert mailboxes.claim(db, "box", then, "dead")
    later = NOW + timedelta(hours=1, minutes=6)
    with house.desk.store.write() as db:
        assert mailboxes.claim(db, "box", later, "alive")


def test_the_bytes_that_wait_do_not_change_with_the_clock(house: House) -> None:
    meeting = house.book(people=(BAT,))
    before = [calendar_of(mail) for mail in house.mails(BAT)]
    house.clock.forward(days=-3650)
    assert Worker(house.desk, threading.Event()).once()
    assert [calendar_of(mail) for mail in house.mails(BAT)] == before
    assert house.meeting(meeting.id) == meeting
