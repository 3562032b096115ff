"""A running installation under fire: web, workers and poller as real processes, killed at random and started again.

Around it stands what is not killed: bookers that speak HTTP, a mail server that sometimes puts off and sometimes takes
a mail and hangs up, guests who answer what arrives, by mail or by their link, and the mailbox of their answers.
A killed worker's leases run five minutes; between two rounds, when all are dead, the clock of the next ones is put
forward by more than that.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from multiprocessing.process import BaseProcess
from typing import Any

from sqlalchemy import func, select

from scheduler import access, worker
from scheduler.config import Limits, Settings
from scheduler.db import tables as t
from scheduler.db.outbox import LEASE
from scheduler.desk import Desk
from scheduler.polling import Poller
from scheduler.worker import Worker
from tests import letter_box, post_office, processes, shaky_imap
from tests.callers import Caller, GivenUp
from tests.guests import Guests
from tests.house import AYLIN, BAT, KIM, NOW, START
from tests.post_office import LOST, PostOffice
from tests.shaky_imap import Shaky

PLACES = ("web 0", "worker 0", "worker 1", "poller 0")
KILLS_PER_ROUND = 4 + len(PLACES)
ROOMS = ("gwangjin-video", "ulaanbaatar-video")  # one for each booker
LATER = LEASE + timedelta(minutes=60)  # also longer than the first pauses after a failure


# --- the processes


def work_on_and_on(settings: Settings, now: datetime) -> None:
    worker.IDLE_SECONDS, worker.SERVER_PAUSE_SECONDS = 0.04, 0.05
    Worker(processes.opened(settings, now), threading.Event()).run()


def poll_on_and_on(settings: Settings, now: datetime) -> None:
    poller = Poller(processes.opened(settings, now), threading.Event())
    while True:
        poller.once()
        time.sleep(0.05)


# --- those who are not killed


@dataclass
class Booker:
    """Books, changes and cancels until the end; notes what it was told, after it was told."""

    caller: Caller
    number: int
    chance: random.Random
    said: list[tuple[str, str, int, int]] = field(default_factory=list)  # key, verb, meeting, version

    def run(self) -> None:
        with suppress(GivenUp):
            for turn in range(100_000):
                self._meeting(turn)

    def _meeting(self, turn: int) -> None:
        key = f"{self.number}-{turn}"
        body = _meeting(START + timedelta(hours=turn), ROOMS[self.number])
        made = self._told(key, "booked", "POST", "/api/v1/meetings", body, Idempotency_Key=key)
        address = f"/api/v1/meetings/{made['id']}"
        for _ in range(self.chance.randrange(4)):
            made = self._told(key, "changed", "PATCH", address, self._change(made))
        if self.chance.random() < 0.3:
            self._told(key, "cancelled", "POST", f"{address}/cancellation", {"reason": "The hall is closed"})

    def _told(self, key: str, verb: str, method: str, path: str, body: Any, **headers: str) -> Any:
        heard = self.caller.until_answered(method, path, body, **headers)
        assert heard.status in (200, 201), heard
        self.said.append((key, verb, heard.json["id"], heard.json["version"]))
        time.sleep(self.chance.random() * 0.04)  # or the workers would hardly ever get at the database
        return heard.json

    def _change(self, meeting: dict[str, Any]) -> dict[str, Any]:
        """Each tells everybody, so that a meeting has as many mails for each person as it has versions."""
        start = datetime.fromisoformat(meeting["start"])
        minutes = (datetime.fromisoformat(meeting["end"]) - start).total_seconds() // 60
        number = self.chance.randrange(10**9)
        changes = [
            {"start": f"{start + timedelta(minutes=5 if start.minute < 30 else -5):%Y-%m-%dT%H:%M:00Z}"},
            {"duration_minutes": 20 if minutes == 30 else 30},
            {"video_url": f"https://video.example.org/room/{number}"},
            {"title": {"ko": f"도시재생 {number}", "en": f"Urban regeneration {number}"}},
        ]
        return self.chance.choice(changes)


def _meeting(start: datetime, room: str) -> dict[str, Any]:
    people = [{"name": p.name, "email": p.email, "city": p.city, "language": p.language} for p in (BAT, AYLIN, KIM)]
    return {
        "title": {"ko": "도시재생 화상회의", "en": "Urban regeneration"}, "field": "environment", "host": "gwangjin",
        "cities": ["ulaanbaatar", "eregli"], "start": f"{start:%Y-%m-%dT%H:%M:00Z}", "duration_minutes": 30,
        "people": people, "room": room, "video_url": "https://video.example.org/room/1",
    }  # fmt: skip


# --- the reaper


@dataclass
class Town:
    """`alive` holds for each place how to start it and who is there."""

    settings: Settings
    office: PostOffice
    box: Shaky
    port: int
    chance: random.Random
    now: datetime = NOW
    kills: int = 0
    alive: dict[str, BaseProcess] = field(default_factory=dict)
    ended: threading.Event = field(default_factory=threading.Event)
    bookers: list[Booker] = field(default_factory=list)
    guests: Guests = field(init=False)

    def __post_init__(self) -> None:
        desk = processes.opened(self.settings, NOW)
        coordinators = ["international@gwangjin.example"] * len(ROOMS)
        for number, email in enumerate(coordinators):
            _, token = access.new_api_token(desk, email)
            caller = Caller(self.port, token, self.ended.is_set)
            self.bookers.append(Booker(caller, number, random.Random(number)))
        desk.store.close()
        caller = Caller(self.port, given_up=self.ended.is_set)
        self.guests = Guests(self.office, self.box, caller, random.Random(7), lambda: self.now)

    def suffer(self, kills: int) -> None:
        """Lives until so many processes were killed; whoever is not a process goes home then."""
        runs = [*(b.run for b in self.bookers), self.guests.run]
        faults: list[BaseException] = []
        people = [threading.Thread(target=_noting, args=(run, faults)) for run in runs]
        for person in people:
            person.start()
        try:
            while self.kills < kills and not faults:
                self.round()
            if not faults:
                self.live_until(self._an_answer_counts)
        finally:
            self.ended.set()
            for person in people:
                person.join(processes.PATIENCE)
        assert not faults, faults

    def round(self) -> None:
        answered = self._answered()
        for place in PLACES:
            self.start(place)
        until(lambda: self._answered() > answered, at_most=20)  # a slow machine kills nobody before the first word
        for _ in range(KILLS_PER_ROUND - len(PLACES)):
            self._let_work()
            place = self.chance.choice(PLACES)
            self.kill(place)
            self.start(place)
        self._let_work()
        self._all_die()

    def live_until(self, condition: Callable[[], bool]) -> None:
        """A round in which nobody dies before the condition holds: of few kills on a slow machine, all may come before
        anything worth asking for."""
        for place in PLACES:
            self.start(place)
        until(condition)
        self._all_die()

    def _all_die(self) -> None:
        for place in PLACES:
            self.kill(place)
        until(lambda: self.office.connections == 0)  # what was on its way has arrived or is lost
        self.now += LATER

    def _an_answer_counts(self) -> bool:
        """Whether somebody's answer by mail was the state of an invitation, and one by their link too."""
        desk = processes.opened(self.settings, self.now)
        with desk.store.read() as db:
            found = {row.channel for row in db.execute(select(t.answers)) if row.outcome == row.status}
        desk.store.close()
        return found >= {"mail", "link"}

    def _answered(self) -> int:
        return sum(len(booker.said) for booker in self.bookers)

    def start(self, place: str) -> None:
        kind = place.split()[0]
        if kind == "web":
            self.alive[place] = processes.start(processes.serve, self.settings, self.now, self.port)
        elif kind == "worker":
            self.alive[place] = processes.start(work_on_and_on, without_mailbox(self.settings), self.now)
        else:
            self.alive[place] = processes.start(poll_on_and_on, self.settings, self.now)

    def kill(self, place: str) -> None:
        process = self.alive.pop(place)
        process.kill()
        process.join(processes.PATIENCE)
        assert process.exitcode == -9, (place, process.exitcode)
        self.kills += 1

    def _let_work(self) -> None:
        """Until some more mails have arrived, then a moment that hits no place in particular."""
        enough = len(self.office.arrived) + self.chance.randrange(12)
        until(lambda: len(self.office.arrived) >= enough, at_most=3.0)
        time.sleep(self.chance.random() * 0.05)

    def come_to_rest(self, desk: Desk, forward: Callable[[], None]) -> None:
        """All that is left to do is done, without faults and without kills."""
        self.office.answer = lambda recipient: "250 OK"
        self.box.fault = lambda verb, uid: ""
        for _ in range(20):
            forward()
            worker_well = Worker(replace_inbox(desk), threading.Event()).once()
            if Poller(desk, threading.Event()).once() and worker_well and _is_quiet(desk, self.box):
                return
        raise AssertionError("some mail does not leave, or does not come in")


def _noting(run: Callable[[], None], faults: list[BaseException]) -> None:
    try:
        run()
    except BaseException as fault:
        faults.append(fault)


def without_mailbox(settings: Settings) -> Settings:
    return settings.model_copy(update={"inbox": settings.inbox.model_copy(update={"imap_url": ""})})


def replace_inbox(desk: Desk) -> Desk:
    return Desk(without_mailbox(desk.settings), desk.store, desk.key, desk.clock)


def _is_quiet(desk: Desk, box: Shaky) -> bool:
    with desk.store.read() as db:
        waiting = select(func.count()).select_from(t.outbox).where(t.outbox.c.state == "queued")
        unjudged = select(func.count()).select_from(t.inbox).where(t.inbox.c.outcome == "")
        return not db.scalar(waiting) and not db.scalar(unjudged) and box.seen() == box.shown()


def until(condition: Callable[[], bool], at_most: float = 0.0) -> None:
    """Waits for the condition; with `at_most` seconds it may stay away."""
    end = time.monotonic() + (at_most or processes.PATIENCE)
    while not condition():
        if time.monotonic() > end:
            assert at_most, "what was waited for did not come"
            return
        time.sleep(0.002)


@contextmanager
def opened(settings: Settings, chance: random.Random) -> Iterator[Town]:
    """3 % of the mails are put off, 10 % are taken without a word; the mailbox drops 3 % of its connections."""
    answers = ["451 4.7.1 Try later"] * 3 + [LOST] * 10 + ["250 OK"] * 87

    def fault(verb: str, uid: int) -> str:
        return "drop" if chance.random() < 0.03 else ""

    limits = Limits(invitations_per_hour=10**9, mails_per_recipient_per_day=10**9)
    office = PostOffice(lambda recipient: chance.choice(answers))
    with post_office.opened(office), shaky_imap.opened(Shaky(fault)) as box:
        sending = post_office.sending_to(settings.model_copy(update={"limits": limits}), office.port)
        yield Town(letter_box.polling(sending, box.port), office, box, processes.free_port(), chance)
