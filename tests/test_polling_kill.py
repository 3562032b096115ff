"""kill -9 at every step of a poll: each commit, each word to the mailbox and each of its answers."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select

from scheduler.config import Settings
from scheduler.core.meeting import Meeting
from scheduler.db import tables as t
from scheduler.db.mailboxes import LEASE
from scheduler.polling import Poller
from tests import databases, failpoints, letter_box, processes, shaky_imap
from tests.house import BAT, NOW, Clock, House
from tests.shaky_imap import Letter, Shaky
from tests.test_polling import note, outcomes, placed, rows

MANY = 400  # more steps than a poll has


def polls(settings: Settings, now: datetime) -> None:
    assert Poller(processes.opened(settings, now), threading.Event()).once()


@pytest.fixture
def shaky() -> Iterator[Shaky]:
    with shaky_imap.opened(Shaky()) as shaky:
        yield shaky


@pytest.fixture
def meeting(house: House, shaky: Shaky) -> Meeting:
    """A meeting, and in the mailbox an answer to it and a mail of plain words; the database can be copied."""
    meeting = house.book(people=(BAT,))
    shaky.put(house.reply(meeting, BAT, "ACCEPTED", "We come"), note("words"))
    house.desk.store.close()
    return meeting


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_a_poller_killed_at_any_step_loses_nothing_and_does_nothing_twice(
    house: House, shaky: Shaky, meeting: Meeting, tmp_path: Path
) -> None:
    """I13, I14."""
    stages = []
    for step in range(1, MANY):
        killed, town = _life(house, shaky, tmp_path, f"any:{step}")
        stages.append(_ends_well(town, shaky, meeting))
        if not killed:
            break
    assert len(stages) > 25
    assert stages == sorted(stages)
    assert {(0, 0, 0), (1, 0, 0), (1, 1, 0), (2, 1, 0), (2, 2, 0), (2, 2, 2)} <= set(stages)


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("step", failpoints.POLLER)
def test_a_poller_killed_at_a_named_step_loses_nothing_and_does_nothing_twice(
    house: House, shaky: Shaky, meeting: Meeting, tmp_path: Path, step: str, number: int
) -> None:
    """I13, I14: at the first and at the second message; marking them as seen is one step for both."""
    done = {"fetched": (number - 1, number - 1, 0), "stored": (number, number - 1, 0), "applied": (number, number, 0),
            "marking": (2, 2, 0), "seen": (2, 2, 2)}  # fmt: skip
    killed, town = _life(house, shaky, tmp_path, f"{step}:{number}")
    assert killed == (step not in ("marking", "seen") or number == 1)
    stage = _ends_well(town, shaky, meeting)
    assert stage == (done[step] if killed else (2, 2, 2))


def _life(house: House, shaky: Shaky, folder: Path, failpoint: str) -> tuple[bool, House]:
    """A poll by a process that dies there, on a copy of the database; afterwards its lease is over."""
    shaky.letters = {uid: Letter(letter.raw) for uid, letter in shaky.letters.items()}
    settings = databases.copied(letter_box.polling(house.desk.settings, shaky.port), folder)
    killed = processes.was_killed(processes.start(polls, settings, NOW, failpoint=failpoint))
    clock = Clock(NOW + LEASE)
    return killed, House(replace(processes.opened(settings, NOW), clock=clock), clock)


def _ends_well(town: House, shaky: Shaky, meeting: Meeting) -> tuple[int, int, int]:
    """How many messages were stored, judged and marked when it died; the next poll does the rest."""
    stage = (len(rows(town)), len(list(filter(None, outcomes(town)))), len(shaky.seen()))
    assert Poller(town.desk, threading.Event()).once()
    _is_done_once(town, shaky, meeting.id)
    town.desk.store.close()
    return stage


def _is_done_once(town: House, shaky: Shaky, meeting_id: int) -> None:
    assert outcomes(town) == ["accepted", "human-review"]
    assert [uid for uid, _ in placed(town)] == shaky.seen() == [1, 2]
    (invitation,) = [i for i in town.meeting(meeting_id).people if i.is_called(BAT.email)]
    assert (invitation.status, invitation.comment) == ("accepted", "We come")
    kinds = Counter(row.kind for row in town.outbox())
    assert kinds["notice-answered"] == 1
    with town.desk.store.read() as db:
        assert db.scalar(select(func.count()).select_from(t.answers)) == 1
