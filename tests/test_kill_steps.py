"""kill -9 at every step of a booking, a move, a delivery and an answer, the steps counted and by their names."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from scheduler import booking
from scheduler.booking import RequestKey
from scheduler.config import Settings
from scheduler.core.cities import Directory
from scheduler.core.meeting import Meeting
from scheduler.db import tables as t
from scheduler.db.outbox import LEASE
from scheduler.desk import Desk
from scheduler.worker import Worker
from tests import databases, failpoints, post_office, processes
from tests.house import BAT, NOW, Clock, House
from tests.post_office import PostOffice

ROOM = "gwangjin-video"
MANY = 200  # more steps than any of these has
KEY = RequestKey("k", "digest")
Act = Callable[[Desk], None]


def _number(meeting: Meeting, _: Directory) -> bytes:
    return str(meeting.id).encode()


# --- what the process that dies does


def does(act: Act, settings: Settings, now: datetime) -> None:
    act(processes.opened(settings, now))


def book(desk: Desk) -> None:
    house = House(desk, Clock())
    booking.create(desk, house.person(), house.draft(room=ROOM, people=(BAT,)), KEY, _number)


def move(desk: Desk) -> None:
    house = House(desk, Clock())
    meeting_id = house.outbox()[0].meeting_id
    booking.edit(desk, house.person(), meeting_id, lambda d: replace(d, duration_minutes=90))


def deliver(desk: Desk) -> None:
    assert Worker(desk, threading.Event()).once()


# --- the tests


@pytest.fixture
def booked(house: House) -> House:
    """One meeting with two mails to send; the file of the database can be copied."""
    house.book(room=ROOM, people=(BAT,))
    house.desk.store.close()
    return house


def _lives(settings: Settings, tmp_path: Path) -> Iterator[tuple[int, House]]:
    """One life after the other, each one step longer, each on a copy of the database; ends when one is not killed."""
    for step in range(1, MANY):
        yield step, _life(settings, tmp_path)


def _life(settings: Settings, folder: Path) -> House:
    clock = Clock()
    return House(replace(processes.opened(databases.copied(settings, folder), NOW), clock=clock), clock)


def _killed(failpoint: str, act: Act, house: House) -> bool:
    return processes.was_killed(processes.start(does, act, house.desk.settings, NOW, failpoint=failpoint))


def test_a_booking_killed_at_any_step_is_whole_or_not_there_and_can_be_repeated(
    settings: Settings, tmp_path: Path
) -> None:
    """I01, I02."""
    there = []
    for step, house in _lives(settings, tmp_path):
        killed = _killed(f"any:{step}", book, house)
        there.append(_counts(house))
        assert there[-1] in ((0, 0, 0, 0, 0), (1, 1, 2, 2, 1)), step
        booked = booking.create(house.desk, house.person(), house.draft(room=ROOM, people=(BAT,)), KEY, _number)
        assert _counts(house) == (1, 1, 2, 2, 1), step
        assert booked.answer == str(booked.meeting.id).encode()
        house.desk.store.close()
        if not killed:
            break
    assert len(there) > 8  # PostgreSQL gets all rows in one statement
    assert there == sorted(there)  # nothing is there before the commit, and all of it after
    assert there[-2] == there[-1]  # killed after the commit


def _counts(house: House) -> tuple[int, ...]:
    """Of the meetings, bookings of the room, invitations, mails and remembered requests."""
    with house.desk.store.read() as db:
        tables = (t.meetings, t.bookings, t.invitations, t.outbox, t.requests)
        return tuple(db.scalar(select(func.count()).select_from(table)) or 0 for table in tables)


def test_a_move_killed_at_any_step_is_whole_or_did_not_happen(booked: House, tmp_path: Path) -> None:
    """I01."""
    before, lives = booked.meeting(booked.outbox()[0].meeting_id), 0
    booked.desk.store.close()
    for step, house in _lives(booked.desk.settings, tmp_path):
        killed = _killed(f"any:{step}", move, house)
        lives += 1
        after = house.meeting(before.id)
        with house.desk.store.read() as db:
            ends = db.scalar(select(t.bookings.c.ends))
        if after == before:
            assert [row.state for row in house.outbox()] == ["queued"] * 2
        else:
            assert (after.sequence, after.version, after.duration_minutes) == (1, 2, 90)
            assert [row.state for row in house.outbox()] == ["superseded"] * 2 + ["queued"] * 2
        assert ends == after.end
        house.desk.store.close()
        if not killed:
            assert after != before
            break
    assert lives > 10


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_a_worker_killed_at_any_step_loses_nothing_and_repeats_the_same_bytes(booked: House, tmp_path: Path) -> None:
    """I06, I07."""
    repeated = lives = 0
    with post_office.opened(PostOffice()) as office:
        for step, house in _lives(post_office.sending_to(booked.desk.settings, office.port), tmp_path):
            killed = _killed(f"any:{step}", deliver, house)
            repeated += _delivers_the_rest(house, office)
            lives += 1
            if not killed:
                break
    assert lives > 30
    assert repeated >= 2  # killed between the server's yes and our mark, for each of the two mails


@pytest.mark.parametrize("step", failpoints.WORKER)
def test_a_worker_killed_at_a_named_step_loses_nothing(booked: House, tmp_path: Path, step: str) -> None:
    """I06: a mail that the server has is repeated exactly if its yes was not noted; another worker takes it up."""
    with post_office.opened(PostOffice()) as office:
        house = _life(post_office.sending_to(booked.desk.settings, office.port), tmp_path)
        assert _killed(f"{step}:1", deliver, house)
        had = {"dot": (0, 1), "accepted": (1,), "marked": (1,)}.get(step, (0,))
        assert len(office.arrived) in had
        assert [row.state for row in house.outbox()].count("handed-over") == (step == "marked")
        came = len(office.arrived)
        assert _delivers_the_rest(house, office) == (came and step != "marked")


def _delivers_the_rest(house: House, office: PostOffice) -> int:
    """How many mails arrived twice, with the same bytes, when another worker had done its work."""
    house.clock.forward(seconds=(LEASE + timedelta(seconds=1)).total_seconds())
    deliver(house.desk)
    rows = house.outbox()
    assert [row.state for row in rows] == ["handed-over"] * 2
    stored = {row.message_id: row.sha256 for row in rows}
    assert {(a.message_id, a.sha256) for a in office.arrived} == set(stored.items())
    repeated = len(office.arrived) - len(rows)
    assert repeated <= 1
    office.arrived.clear()
    house.desk.store.close()
    return repeated


def test_two_workers_killed_at_once_lose_nothing(booked: House, tmp_path: Path) -> None:
    """I06: both die with a mail in their hands."""
    with post_office.opened(PostOffice()) as office:
        house = _life(post_office.sending_to(booked.desk.settings, office.port), tmp_path)
        dying = [
            processes.start(does, deliver, house.desk.settings, NOW, failpoint=f"{step}:1") for step in ("rcpt", "dot")
        ]
        assert [processes.was_killed(process) for process in dying] == [True, True]
        assert len(house.outbox(state="queued")) == 2
        house.clock.forward(seconds=(LEASE + timedelta(seconds=1)).total_seconds())
        deliver(house.desk)
        assert [row.state for row in house.outbox()] == ["handed-over"] * 2
        assert {a.message_id for a in office.arrived} == {row.message_id for row in house.outbox()}
        house.desk.store.close()


def test_the_hook_is_the_tests_alone() -> None:
    found = [file for file in Path(booking.__file__).parent.rglob("*.py") if "FAILPOINT" in file.read_text("utf-8")]
    assert found == []
