"""kill -9 at any moment: what was said to be booked is booked, what is booked is sent, and never two contents as one.

Two bookers and two workers, real processes, are killed at random moments and started again, while the mail server
sometimes puts off and sometimes takes a mail and hangs up. A killed worker's leases run five minutes; between two
rounds, when all are dead, the clock of the next ones is put forward by more than that.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from scheduler import booking, worker
from scheduler.booking import RequestKey
from scheduler.config import Settings
from scheduler.core.errors import SchedulerError
from scheduler.core.meeting import Draft, Meeting
from scheduler.core.words import Wording
from scheduler.db.outbox import LEASE
from scheduler.worker import Worker
from tests import post_office, processes
from tests.house import NOW, START, Clock, House
from tests.post_office import LOST, PostOffice

ROUNDS = 6
ROOMS = ("gwangjin-video", "ulaanbaatar-video")  # one for each booker
BOOKINGS = 4000  # of one booker at most
LATER = LEASE + timedelta(minutes=60)  # also longer than the first pauses after a failure


# --- the processes


def book_on_and_on(settings: Settings, now: datetime, number: int, said: Path) -> None:
    """Books, changes and cancels without end; says what it was told, after it was told."""
    house = House(processes.opened(settings, now), Clock(now))
    for turn in range(_first_unsaid(said, number), BOOKINGS):
        draft = house.draft(start=START + timedelta(hours=turn), duration_minutes=30, room=ROOMS[number])
        key = RequestKey(f"{number}-{turn}", "digest")
        booked = booking.create(house.desk, house.person(), draft, key, lambda made, _: str(made.id).encode())
        processes.say(said, f"{number} {turn} booked {booked.answer.decode()} 1")
        _change(house, booked.meeting, random.Random(f"{number} {turn}"), said, f"{number} {turn}")


def _first_unsaid(said: Path, number: int) -> int:
    """The turn to take up again, with the same key: the newest one, of which not everything may have been said."""
    lines = said.read_text("utf-8").splitlines() if said.exists() else []
    return max((int(line.split()[1]) for line in lines if line.startswith(f"{number} ")), default=0)


def _change(house: House, meeting: Meeting, chance: random.Random, said: Path, who: str) -> None:
    for _ in range(chance.randrange(4)):
        changed = _one_change(house, meeting, chance.choice(CHANGES))
        processes.say(said, f"{who} changed {meeting.id} {changed.version}")
    if chance.random() < 0.3:
        cancelled = booking.cancel(house.desk, house.person(), meeting.id, "The hall is closed")
        processes.say(said, f"{who} cancelled {meeting.id} {cancelled.version}")


def _one_change(house: House, meeting: Meeting, change: Callable[[Draft], Draft]) -> Meeting:
    try:
        return booking.edit(house.desk, house.person(), meeting.id, change)
    except SchedulerError:  # cancelled before the last kill
        return house.meeting(meeting.id)


# Each tells everybody, so that a meeting has as many mails for each person as it has versions.
CHANGES: list[Callable[[Draft], Draft]] = [
    lambda d: replace(d, wall=d.wall and d.wall + timedelta(minutes=5 if d.wall.minute < 30 else -5)),
    lambda d: replace(d, duration_minutes=20 if d.duration_minutes == 30 else 30),
    lambda d: replace(d, video_url=f"{d.video_url}0"),
    lambda d: replace(d, title=Wording.of(f"{d.title.read_in('en')}!")),
]


def work_on_and_on(settings: Settings, now: datetime) -> None:
    worker.IDLE_SECONDS, worker.SERVER_PAUSE_SECONDS = 0.01, 0.05
    Worker(processes.opened(settings, now), threading.Event()).run()


# --- the reaper


@dataclass
class Town:
    """The running installation and whoever kills it. `alive` holds for each place how to start it and who is there."""

    settings: Settings
    office: PostOffice
    said: Path
    chance: random.Random
    now: datetime = NOW
    kills: int = 0
    alive: dict[str, BaseProcess] = field(default_factory=dict)

    def round(self) -> None:
        for place in ("booker 0", "booker 1", "worker 0", "worker 1"):
            self.start(place)
        for _ in range(4):
            self._let_work()
            place = self.chance.choice(list(self.alive))
            self.kill(place)
            self.start(place)
        self._let_work()
        for place in list(self.alive):
            self.kill(place)
        until(lambda: self.office.connections == 0)  # what was on its way has arrived or is lost
        self.now += LATER

    def start(self, place: str) -> None:
        kind, number = place.split()
        if kind == "booker":
            process = processes.start(book_on_and_on, self.settings, self.now, int(number), self.said)
        else:
            process = processes.start(work_on_and_on, self.settings, self.now)
        self.alive[place] = process

    def kill(self, place: str) -> None:
        process = self.alive.pop(place)
        process.kill()
        process.join(processes.PATIENCE)
        assert process.exitcode in (-9, 0), (place, process.exitcode)  # a booker may have finished
        self.kills += process.exitcode == -9

    def _let_work(self) -> None:
        """Until some more mails have arrived, then a moment that hits no place in particular."""
        enough = len(self.office.arrived) + self.chance.randrange(12)
        until(lambda: len(self.office.arrived) >= enough, at_most=0.25)
        time.sleep(self.chance.random() * 0.05)


def until(condition: Callable[[], bool], at_most: float = 0.0) -> None:
    """Waits for the condition; with `at_most` seconds it may stay away."""
    end = time.monotonic() + (at_most or processes.PATIENCE)
    while not condition():
        if time.monotonic() > end:
            assert at_most, "what was waited for did not come"
            return
        time.sleep(0.002)


@contextmanager
def faulty_post_office(chance: random.Random) -> Iterator[PostOffice]:
    answers = ["451 4.7.1 Try later", LOST] + ["250 OK"] * 10
    with post_office.opened(PostOffice(lambda recipient: chance.choice(answers))) as office:
        yield office


def deliver_the_rest(house: House, office: PostOffice) -> None:
    office.answer = lambda recipient: "250 OK"
    for _ in range(20):
        house.clock.forward(seconds=LATER.total_seconds())
        assert Worker(house.desk, threading.Event()).once()
        if not house.outbox(state="queued"):
            return
    raise AssertionError("some mail does not leave")


def test_nothing_is_lost_and_nothing_is_sent_with_two_contents(settings: Settings, tmp_path: Path) -> None:
    chance = random.Random(20270111)
    with faulty_post_office(chance) as office:
        town = Town(post_office.sending_to(settings, office.port), office, tmp_path / "said", chance)
        for _ in range(ROUNDS):
            town.round()
        clock = Clock(town.now)
        house = House(replace(processes.opened(town.settings, town.now), clock=clock), clock)
        deliver_the_rest(house, office)
    assert town.kills >= ROUNDS * 6
    _the_database_is_whole(house)
    _what_was_said_is_so(house, town.said.read_text("utf-8").splitlines())
    rows = house.outbox()
    reached = _reached(rows, office)
    _each_change_wrote_one_mail_for_each_person(house, rows, reached)
    _each_mail_arrived_or_was_overtaken(rows, reached, office)
    _each_mail_has_one_content(rows, office)
    _each_person_got_their_mails_in_order(rows, office)
    house.desk.store.close()


def _the_database_is_whole(house: House) -> None:
    if house.desk.store.file:
        with house.desk.store.read() as db:
            assert db.exec_driver_sql("PRAGMA integrity_check").scalars().all() == ["ok"]
            assert db.exec_driver_sql("PRAGMA foreign_key_check").all() == []


def _what_was_said_is_so(house: House, said: list[str]) -> None:
    """I01, I02: an answer was given only after the fact, and a request that was repeated acted once."""
    with house.desk.store.read() as db:
        made = {row[0]: row[1] for row in db.exec_driver_sql('SELECT "key", meeting_id FROM requests')}
        count = db.exec_driver_sql("SELECT count(*) FROM meetings").scalar()
    assert len(set(made.values())) == len(made) == count
    assert len(said) > ROUNDS
    for line in said:
        number, turn, verb, ident, version = line.split()
        meeting = house.meeting(int(ident))
        assert made[f"{number}-{turn}"] == meeting.id, line
        assert meeting.version >= int(version), line
        assert verb != "cancelled" or meeting.status == "cancelled", line


def _reached(rows: list[Any], office: PostOffice) -> set[str]:
    """Invitations of which some mail arrived."""
    invitation_of = {row.message_id: row.invitation_id for row in rows}
    return {invitation_of[arrival.message_id] for arrival in office.arrived}


def _each_change_wrote_one_mail_for_each_person(house: House, rows: list[Any], reached: set[str]) -> None:
    """I01: all or nothing, also for what nobody was told any more. Who never heard of a meeting gets no CANCEL."""
    mails = Counter(row.invitation_id for row in rows)
    for ident in {row.meeting_id for row in rows}:
        meeting = house.meeting(ident)
        assert len(meeting.invitations) == 4
        for invitation in meeting.invitations:
            unheard = meeting.status == "cancelled" and invitation.id not in reached
            assert mails[invitation.id] in {meeting.version, meeting.version - unheard}, meeting


def _each_mail_arrived_or_was_overtaken(rows: list[Any], reached: set[str], office: PostOffice) -> None:
    """I06: and whom any mail reached, the newest one reached."""
    arrived = {arrival.message_id for arrival in office.arrived}
    newest = {row.invitation_id: row.id for row in rows}
    for row in rows:
        if row.state == "handed-over":
            assert row.message_id in arrived
        else:
            assert row.state == "superseded"
            assert row.id < newest[row.invitation_id] or row.invitation_id not in reached


def _each_mail_has_one_content(rows: list[Any], office: PostOffice) -> None:
    """I07."""
    stored = {row.message_id: row.sha256 for row in rows}
    tried = [*office.arrived, *office.turned_away]
    assert len(tried) > len({arrival.message_id for arrival in tried})  # some were tried more than once
    for arrival in tried:
        assert arrival.sha256 == stored[arrival.message_id]


def _each_person_got_their_mails_in_order(rows: list[Any], office: PostOffice) -> None:
    """I08, and more: not even a repetition arrives after a later mail."""
    row_of = {row.message_id: row for row in rows}
    by_person: dict[str, list[Any]] = {}
    for arrival in office.arrived:
        row = row_of[arrival.message_id]
        by_person.setdefault(row.invitation_id, []).append(row)
    for mails in by_person.values():
        for one, next_ in pairwise(mails):
            assert one.id <= next_.id
            assert one.sequence <= next_.sequence
            assert one.id == next_.id or one.dtstamp < next_.dtstamp
        assert "cancelled" not in [row.kind for row in mails if row.id != mails[-1].id]
