"""kill -9 at every step of a booking, a move and a delivery: before each write, each commit, each word of SMTP."""

from __future__ import annotations

import os
import signal
import smtplib
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select

from scheduler import booking
from scheduler.booking import RequestKey
from scheduler.config import Settings
from scheduler.core.cities import Directory
from scheduler.core.meeting import Meeting
from scheduler.db import engine
from scheduler.db import tables as t
from scheduler.db.outbox import LEASE
from scheduler.desk import Desk
from scheduler.worker import Worker
from tests import post_office, processes
from tests.databases import Databases
from tests.house import BAT, NOW, Clock, House
from tests.post_office import PostOffice

ROOM = "gwangjin-video"
MANY = 200  # more steps than any of these has
KEY = RequestKey("k", "digest")


def _number(meeting: Meeting, _: Directory) -> bytes:
    return str(meeting.id).encode()


# --- the process that dies


class _Steps:
    """Counts what the process does from its first write on, and kills it before the `last` step."""

    def __init__(self, last: int) -> None:
        self.last, self.taken, self.writes = last, 0, False

    def statement(self, _db: Any, _cursor: Any, statement: str, *_: Any) -> None:
        self.writes = self.writes or statement in engine._WRITING.values()
        if not statement.startswith(("SELECT", "PRAGMA")):
            self.take()

    def take(self, *_: Any) -> None:
        self.taken += self.writes
        if self.taken == self.last:
            os.kill(os.getpid(), signal.SIGKILL)


def dies_at(step: int, act: Callable[[Desk], None], settings: Settings, now: datetime) -> None:
    desk, steps = processes.opened(settings, now), _Steps(step)
    event.listen(desk.store.engine, "before_cursor_execute", steps.statement)
    event.listen(desk.store.engine, "commit", steps.take)
    for name in ("send", "getreply"):
        setattr(smtplib.SMTP, name, _after_a_step(getattr(smtplib.SMTP, name), steps))
    act(desk)
    steps.take()


def _after_a_step(done: Callable[..., Any], steps: _Steps) -> Callable[..., Any]:
    def watched(*args: Any) -> Any:
        steps.take()
        return done(*args)

    return watched


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
    """One meeting with two mails to send; the database can be copied."""
    house.book(room=ROOM, people=(BAT,))
    house.desk.store.close()
    return house


def _lives(settings: Settings, databases: Databases, tmp_path: Path) -> Iterator[tuple[int, House]]:
    """One life after the other, each one step longer, each on a copy of the database; ends when one is not killed."""
    for step in range(1, MANY):
        clock = Clock()
        database = settings.database.model_copy(update={"url": databases.copy(settings.database.url, tmp_path)})
        desk = processes.opened(settings.model_copy(update={"database": database}), NOW)
        yield step, House(replace(desk, clock=clock), clock)


def _killed(step: int, act: Callable[[Desk], None], house: House) -> bool:
    process = processes.start(dies_at, step, act, house.desk.settings, NOW)
    process.join(processes.PATIENCE)
    assert process.exitcode in (0, -signal.SIGKILL), process.exitcode
    return process.exitcode != 0


def test_a_booking_killed_at_any_step_is_whole_or_not_there_and_can_be_repeated(
    settings: Settings, databases: Databases, tmp_path: Path
) -> None:
    there = []
    for step, house in _lives(settings, databases, tmp_path):
        killed = _killed(step, book, house)
        there.append(_counts(house))
        assert there[-1] in ((0, 0, 0, 0, 0), (1, 1, 2, 2, 1)), step
        booked = booking.create(house.desk, house.person(), house.draft(room=ROOM, people=(BAT,)), KEY, _number)
        assert _counts(house) == (1, 1, 2, 2, 1), step
        assert booked.answer == str(booked.meeting.id).encode()
        house.desk.store.close()
        if not killed:
            break
    assert len(there) > 10
    assert there == sorted(there)  # nothing is there before the commit, and all of it after
    assert there[-2] == there[-1]  # killed after the commit


def _counts(house: House) -> tuple[int, ...]:
    """Of the meetings, bookings of the room, invitations, mails and remembered requests."""
    names = ("meetings", "bookings", "invitations", "outbox", "requests")
    with house.desk.store.read() as db:
        return tuple(db.exec_driver_sql(f"SELECT count(*) FROM {name}").scalar() for name in names)


def test_a_move_killed_at_any_step_is_whole_or_did_not_happen(
    booked: House, databases: Databases, tmp_path: Path
) -> None:
    before, lives = booked.meeting(booked.outbox()[0].meeting_id), 0
    booked.desk.store.close()
    for step, house in _lives(booked.desk.settings, databases, tmp_path):
        killed = _killed(step, move, house)
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


def test_a_worker_killed_at_any_step_loses_nothing_and_repeats_the_same_bytes(
    booked: House, databases: Databases, tmp_path: Path
) -> None:
    repeated = lives = 0
    with post_office.opened(PostOffice()) as office:
        sending = post_office.sending_to(booked.desk.settings, office.port)
        for step, house in _lives(sending, databases, tmp_path):
            office.arrived.clear()
            killed = _killed(step, deliver, house)
            house.clock.forward(seconds=(LEASE + timedelta(seconds=1)).total_seconds())
            deliver(house.desk)
            rows = house.outbox()
            assert [row.state for row in rows] == ["handed-over"] * 2, step
            stored = {row.message_id: row.sha256 for row in rows}
            assert {a.message_id: a.sha256 for a in office.arrived} == stored, step
            assert {(a.message_id, a.sha256) for a in office.arrived} == set(stored.items()), step
            assert len(office.arrived) <= 3
            repeated += len(office.arrived) == 3
            lives += 1
            house.desk.store.close()
            if not killed:
                break
    assert lives > 30
    assert repeated >= 2  # killed between the server's yes and our mark, for each of the two mails
