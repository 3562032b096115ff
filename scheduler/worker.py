"""The worker: hands over what is in the outbox; beside that, in threads of their own, mail is taken in (`polling`) and
calendars of others are read (`refreshing`). Now and then it writes down what the meetings that are over cost the cities
(`fairness`), and looks whether laws changed under those to come (`laws`).

Each mail is claimed, handed over, and marked, in this order; a crash in between means that the same bytes are handed
over again. What the mail server refuses for the moment is tried again with growing pauses for five days; what it
refuses for good is shown, and the meeting's coordinator gets word. When the server does not let us in at all, no mail
is tried in vain or given up: they wait, and the operator is told loudly.
"""

from __future__ import annotations

import logging
import random
import secrets
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from scheduler import entries, fairness, laws
from scheduler.core.decisions import invitation_of
from scheduler.core.meeting import Decision, Notice
from scheduler.db import operation, outbox
from scheduler.db.engine import Connection
from scheduler.db.outbox import Claimed
from scheduler.desk import Desk
from scheduler.mail import compose, smtp
from scheduler.outgoing import load, retrying, save
from scheduler.polling import Poller

if TYPE_CHECKING:
    from scheduler.refreshing import Refresher

log = logging.getLogger(__name__)

GIVE_UP = timedelta(days=5)
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=4)
IDLE_SECONDS = 1.0
SERVER_PAUSE_SECONDS = 30.0
ACCOUNT_PAUSE_SECONDS = 300.0  # a server that refuses our sign-in locks us out if we keep asking
_CALENDAR_ENTRIES = 200  # at a time, so that mail does not wait
LAWS_PAUSE = timedelta(hours=1)  # from asking whether today's look is done to asking again
_LEDGER_ENTRIES = 200
_LEDGER_PAUSE = timedelta(minutes=5)  # nobody waits for it
BEAT = timedelta(seconds=30)  # how often it tells that it lives
NAME = "worker"
POLLER_END_SECONDS = 5.0  # for a round to notice that it should end; it may be cut off anywhere


class _LeaseLost(Exception):
    """The mail is another worker's by now; what became of it is theirs to say."""


@dataclass
class Worker:
    """Sends and polls for one desk. `stop` ends it between two mails."""

    desk: Desk
    stop: threading.Event
    _calendars_complete: bool = False
    _ledger_at: datetime | None = field(default=None, init=False)  # when it is due again; None: now
    _well: bool | None = field(default=None, init=False)  # None: there was nothing to do
    _told: tuple[datetime, bool | None, str] | None = field(default=None, init=False)  # its last sign of life
    _laws_checked: datetime | None = field(default=None, init=False)
    _refused_us: str = field(default="", init=False)  # why the mail server does not let us in

    def run(self) -> None:
        """Works until `stop` is set."""
        compose.self_test()
        mail_in = threading.Thread(target=Poller(self.desk, self.stop).run, name="mailbox", daemon=True)
        mail_in.start()
        busy = threading.Thread(target=self._refresher().run, name="calendars", daemon=True)
        busy.start()
        self._send_on_and_on()
        mail_in.join(POLLER_END_SECONDS)

    def once(self) -> bool:
        """Takes mail in, does all that is due, and reads calendars; False when a mail server is not to be had."""
        came_in = Poller(self.desk, self.stop).once()
        self._check_laws()
        went_out = self._send_due()
        self._refresher().once()
        return went_out and came_in

    def _refresher(self) -> Refresher:
        # Imported when needed: the web knows this module too, and what fetches takes a while to load.
        from scheduler.refreshing import Refresher

        return Refresher(self.desk, self.stop)

    def _send_on_and_on(self) -> None:
        while not self.stop.is_set():
            self._check_laws()
            try:
                pause = IDLE_SECONDS if self._send_due() else self._longer_pause()
            except Exception:  # a fault of the database or of one mail must not end the worker
                log.exception("worker: trying again in %s seconds", SERVER_PAUSE_SECONDS)
                pause = SERVER_PAUSE_SECONDS
            self.stop.wait(pause)

    def _longer_pause(self) -> float:
        return ACCOUNT_PAUSE_SECONDS if self._refused_us else SERVER_PAUSE_SECONDS

    def _send_due(self) -> bool:
        """Hands over all that is due; False when the mail server is not to be had at the moment."""
        self._well, self._refused_us = None, ""
        try:
            return self._hand_over()
        except Exception:
            self._well = False
            raise
        finally:
            self._beat()

    def _beat(self) -> None:
        """Tells that it lives, and whether it could work; not more often than needed, because it costs a write."""
        now, before = self.desk.now(), self._told[1] if self._told else None
        well = before if self._well is None else self._well
        if self._told and (well, self._refused_us) == self._told[1:] and abs(now - self._told[0]) < BEAT:
            return
        with suppress(Exception), self.desk.store.write() as db:  # that the database fails shows by itself
            operation.beat(db, NAME, now, well=self._well, error=self._refused_us)
            self._told = now, well, self._refused_us

    def _hand_over(self) -> bool:
        self._complete_calendars()
        self._write_ledger()
        with smtp.open_transport(self.desk.settings.mail) as transport:
            while not self.stop.is_set():
                claimed, lease = self._claim()
                if claimed is None:
                    return True
                self._well = self._send(transport, claimed, lease)
                if not self._well:
                    return False
        return True

    def _complete_calendars(self) -> None:
        """After an update, a few meetings at a time; once there is nothing left to do, whoever changes one does it."""
        try:
            if not self._calendars_complete:
                self._calendars_complete = entries.complete(self.desk, limit=_CALENDAR_ENTRIES) == 0
        except Exception:  # feeds are right without it, only slower; mail must not wait for them
            log.exception("worker: calendar entries could not be completed")
            self._calendars_complete = True

    def _check_laws(self) -> None:
        """Once a day, and when a start brought new data: holidays are declared at any time."""
        now = self.desk.now()
        if self._laws_checked and abs(now - self._laws_checked) < LAWS_PAUSE:
            return
        self._laws_checked = now
        try:
            laws.watch_today(self.desk)
        except Exception:  # mail must not wait for it
            log.exception("worker: changes of law could not be looked for")

    def _write_ledger(self) -> None:
        """What the meetings that are over cost the cities, a few at a time."""
        now = self.desk.now()
        if self._ledger_at and self._ledger_at - _LEDGER_PAUSE <= now < self._ledger_at:
            return
        self._ledger_at = now + _LEDGER_PAUSE
        try:
            if fairness.record(self.desk, limit=_LEDGER_ENTRIES) == _LEDGER_ENTRIES:
                self._ledger_at = None
        except Exception:  # it will be written later; mail must not wait for it
            log.exception("worker: the ledger of early and late hours could not be written")

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
            return error.scope == "recipient"
        with self.desk.store.write() as db:
            outbox.finish(db, claimed, lease, "handed-over", answer, self.desk.now())
        log.info("outbox %s: handed over (%s)", claimed.id, claimed.kind)
        return True

    def _failed(self, claimed: Claimed, lease: str, error: smtp.TransportError) -> None:
        now = self.desk.now()
        if error.scope == "account":
            log.error("worker: the mail server refuses our sign-in (%s); all mail waits", error.code or "password")
            self._refused_us = error.text
            with self.desk.store.write() as db:
                outbox.give_back(db, claimed, lease, now)
            return
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
