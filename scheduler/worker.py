"""The worker: hands over what is in the outbox, and judges mail that was stored but not judged.

Each mail is claimed, handed over, and marked, in this order; a crash in between means that the same bytes are handed
over again. What the mail server refuses for the moment is tried again with growing pauses for five days; what it
refuses for good is shown, and the meeting's coordinator gets word.
"""

from __future__ import annotations

import logging
import random
import secrets
import threading
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from scheduler import entries, replies
from scheduler.core.decisions import invitation_of
from scheduler.core.meeting import Decision, Notice
from scheduler.db import outbox
from scheduler.db.engine import Connection
from scheduler.db.outbox import Claimed
from scheduler.desk import Desk
from scheduler.mail import compose, smtp
from scheduler.outgoing import load, retrying, save

log = logging.getLogger(__name__)

GIVE_UP = timedelta(days=5)
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=4)
IDLE_SECONDS = 1.0
SERVER_PAUSE_SECONDS = 30.0
_CALENDAR_ENTRIES = 200  # at a time, so that mail does not wait


class _LeaseLost(Exception):
    """The mail is another worker's by now; what became of it is theirs to say."""


@dataclass
class Worker:
    """Sends for one desk. `stop` ends it between two mails."""

    desk: Desk
    stop: threading.Event
    _calendars_complete: bool = False

    def run(self) -> None:
        """Works until `stop` is set."""
        compose.self_test()
        while not self.stop.is_set():
            try:
                pause = IDLE_SECONDS if self.once() else SERVER_PAUSE_SECONDS
            except Exception:  # a fault of the database or of one mail must not end the worker
                log.exception("worker: trying again in %s seconds", SERVER_PAUSE_SECONDS)
                pause = SERVER_PAUSE_SECONDS
            self.stop.wait(pause)

    def once(self) -> bool:
        """Does all that is due; False when the mail server is not to be had at the moment."""
        self._judge_left_behind()
        self._complete_calendars()
        with smtp.open_transport(self.desk.settings.mail) as transport:
            while not self.stop.is_set():
                claimed, lease = self._claim()
                if claimed is None:
                    return True
                if not self._send(transport, claimed, lease):
                    return False
        return True

    def _judge_left_behind(self) -> None:
        try:
            replies.judge_stored(self.desk)
        except Exception:  # mail in must not stop mail out; it stays stored and is tried again
            log.exception("worker: stored mail could not be judged")

    def _complete_calendars(self) -> None:
        """After an update, a few meetings at a time; once there is nothing left to do, whoever changes one does it."""
        try:
            if not self._calendars_complete:
                self._calendars_complete = entries.complete(self.desk, limit=_CALENDAR_ENTRIES) == 0
        except Exception:  # feeds are right without it, only slower; mail must not wait for them
            log.exception("worker: calendar entries could not be completed")
            self._calendars_complete = True

    def _claim(self) -> tuple[Claimed | None, str]:
        lease = secrets.token_hex(8)
        with self.desk.store.write() as db:
            return outbox.claim(db, self.desk.now(), lease), lease

    def _send(self, transport: smtp.Transport, claimed: Claimed, lease: str) -> bool:
        """Hands one mail over and marks it; False when the next one would fare no better now."""
        try:
            answer = transport.send(claimed.envelope_from, claimed.recipient, claimed.content)
        except smtp.TransportError as error:
            self._failed(claimed, lease, error)
            return error.scope != "server"
        with self.desk.store.write() as db:
            outbox.finish(db, claimed, lease, "handed-over", answer, self.desk.now())
        log.info("outbox %s: handed over (%s)", claimed.id, claimed.kind)
        return True

    def _failed(self, claimed: Claimed, lease: str, error: smtp.TransportError) -> None:
        now = self.desk.now()
        if error.permanent or now - claimed.created_at > GIVE_UP:
            log.warning("outbox %s: refused (%s)", claimed.id, error.code)
            self._refused(claimed, lease, error.text)
            return
        # A server's reply often repeats an address, even one of ours with its token; our own words never do.
        log.warning("outbox %s: not handed over, will be tried again (%s)", claimed.id, error.code or error.text)
        with self.desk.store.write() as db:
            pause = pause_after(claimed.attempts)
            outbox.retry(db, claimed, lease, error.text, now + pause, perhaps_left=error.perhaps_left)

    def _refused(self, claimed: Claimed, lease: str, text: str) -> None:
        """Marks the mail refused and tells the coordinator, in one transaction."""
        desk = self.desk
        if claimed.meeting_id is None or claimed.invitation_id is None:
            with desk.store.write() as db:
                outbox.finish(db, claimed, lease, "refused", text, desk.now())
            return
        meeting_id, invitation_id = claimed.meeting_id, claimed.invitation_id

        def step() -> None:
            with desk.store.read() as db:
                before = load(db, meeting_id)
            notice = Notice("refused", before.meeting, invitation_of(before.meeting, invitation_id), text)
            save(desk, before, Decision(before.meeting, notices=(notice,)), mark)

        def mark(db: Connection) -> None:
            if not outbox.finish(db, claimed, lease, "refused", text, desk.now()):
                raise _LeaseLost

        with suppress(_LeaseLost):
            retrying(step)


def pause_after(attempts: int) -> timedelta:
    """How long to wait after so many attempts: doubling, with a fifth of jitter so that rows do not march in step."""
    pause = min(FIRST_PAUSE * int(2 ** min(attempts - 1, 16)), LONGEST_PAUSE)
    return pause * random.uniform(0.9, 1.1)
