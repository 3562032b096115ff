"""kill -9 at every step of a poll: before each commit, before each word to the mailbox and each of its answers."""

from __future__ import annotations

import imaplib
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import event

from scheduler.config import Settings
from scheduler.db.mailboxes import LEASE
from scheduler.polling import Poller
from tests import letter_box, processes, shaky_imap
from tests.databases import Databases
from tests.house import BAT, NOW, Clock, House
from tests.shaky_imap import Letter, Shaky
from tests.test_polling import note, outcomes, placed, rows

MANY = 200  # more steps than a poll has


def dies_at(step: int, settings: Settings, now: datetime) -> None:
    desk, taken = processes.opened(settings, now), [0]

    def take(*_: Any) -> None:
        taken[0] += 1
        if taken[0] == step:
            os.kill(os.getpid(), signal.SIGKILL)

    def watched(done: Callable[..., Any]) -> Callable[..., Any]:
        def after_a_step(*args: Any, **named: Any) -> Any:
            take()
            return done(*args, **named)

        return after_a_step

    event.listen(desk.store.engine, "commit", take)
    for name in ("send", "_get_tagged_response"):
        setattr(imaplib.IMAP4, name, watched(getattr(imaplib.IMAP4, name)))
    assert Poller(desk, threading.Event()).once()
    take()


def test_a_poller_killed_at_any_step_loses_nothing_and_does_nothing_twice(
    house: House, databases: Databases, tmp_path: Path
) -> None:
    """I13, I14."""
    meeting = house.book(people=(BAT,))
    letters = [house.reply(meeting, BAT, "ACCEPTED", "We come"), note("words")]
    house.desk.store.close()
    with shaky_imap.opened(Shaky(next_uid=3)) as shaky:
        settings = letter_box.polling(house.desk.settings, shaky.port)
        stages = []
        for step in range(1, MANY):
            shaky.letters = {uid: Letter(raw) for uid, raw in enumerate(letters, 1)}
            database = settings.database.model_copy(update={"url": databases.copy(settings.database.url, tmp_path)})
            here = settings.model_copy(update={"database": database})
            process = processes.start(dies_at, step, here, NOW)
            process.join(processes.PATIENCE)
            assert process.exitcode in (0, -signal.SIGKILL), process.exitcode
            desk = processes.opened(here, NOW)
            town = House(replace(desk, clock=Clock(NOW + LEASE)), Clock(NOW + LEASE))
            stages.append((len(rows(town)), len(list(filter(None, outcomes(town)))), len(shaky.seen())))
            assert Poller(town.desk, threading.Event()).once()
            _is_done_once(town, shaky, meeting.id)
            town.desk.store.close()
            if process.exitcode == 0:
                break
    assert len(stages) > 25
    assert stages == sorted(stages)
    assert {(0, 0, 0), (1, 0, 0), (1, 1, 0), (2, 1, 0), (2, 2, 0), (2, 2, 2)} <= set(stages)


def _is_done_once(town: House, shaky: Shaky, meeting_id: int) -> None:
    assert outcomes(town) == ["accepted", "human-review"]
    assert [uid for uid, _ in placed(town)] == shaky.seen() == [1, 2]
    (invitation,) = [i for i in town.meeting(meeting_id).people if i.is_called(BAT.email)]
    assert (invitation.status, invitation.comment) == ("accepted", "We come")
    kinds = Counter(row.kind for row in town.outbox())
    assert kinds["notice-answered"] == 1
    with town.desk.store.read() as db:
        assert db.exec_driver_sql("SELECT count(*) FROM answers").scalar() == 1
