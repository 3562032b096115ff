"""Mail in: the worker's look into the mailbox, and the judging of what was stored but not judged.

Each message is fetched raw, stored together with its number in the mailbox, then judged, then marked as seen, in this
order; a crash in between means that the next round goes on from there. Nothing depends on the marks of the mailbox,
so other programs may read in it, and the last numbers are looked through again each time, should a server show one
late. A message that the server fails to give is put behind the others, and after some tries a person has to look
for it. Several workers may poll by mistake: one of them has the lease.
"""

from __future__ import annotations

import logging
import random
import secrets
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

from scheduler import replies
from scheduler.config import Account
from scheduler.db import inbox, mailboxes, operation
from scheduler.db.mailboxes import Held, Trouble
from scheduler.desk import Desk
from scheduler.mail import imap
from scheduler.mail.imap import Envelope, Mailbox, MailboxError

log = logging.getLogger(__name__)

NAME = "mailbox"
OVERLAP = 500  # numbers below the highest known that are looked through again
TRIES = 3  # to fetch one message, while the server gives others
GIVE_UP = timedelta(days=1)  # a message that is never given, though there may be no others to compare with
LONGEST_PAUSE = timedelta(minutes=15)  # between two polls that fail
IDLE_SECONDS = 1.0
FAULT_PAUSE_SECONDS = 30.0


def state(desk: Desk) -> mailboxes.State | None:
    """How polling goes; None without a mailbox, or before the first poll."""
    account = desk.settings.inbox.account
    if account is None:
        return None
    with desk.store.read() as db:
        return mailboxes.state(db, account.name)


@dataclass
class Poller:
    """Takes mail in for one desk. `stop` ends it between two messages."""

    desk: Desk
    stop: threading.Event

    def run(self) -> None:
        """Works until `stop` is set."""
        while not self.stop.is_set():
            pause = IDLE_SECONDS
            try:
                self.once(early=False)
            except Exception:  # a fault of the database must not end the polling
                log.exception("mailbox: trying again in %s seconds", FAULT_PAUSE_SECONDS)
                pause = FAULT_PAUSE_SECONDS
            self.stop.wait(pause)

    def once(self, *, early: bool = True) -> bool:
        """Judges what was left behind and polls, also when it is `early`; False when the mailbox is not to be had."""
        try:
            replies.judge_stored(self.desk)
        except Exception:  # it stays stored and is tried again
            log.exception("mailbox: stored mail could not be judged")
        account = self.desk.settings.inbox.account
        return account is None or self._poll(account, early)

    def _poll(self, account: Account, early: bool) -> bool:
        held = self._claim(account, early)
        if held is None:
            return True
        round_ = _Round(self.desk, self.stop, held)
        try:
            with imap.open_mailbox(account, self.desk.settings.limits.mail_bytes) as box:
                round_.take_all(box)
        except mailboxes.LeaseLost:
            log.warning("mailbox: another worker polls it by now")
            return True
        except MailboxError as error:
            self._failed(held, round_.taken, error)
            return False
        except Exception:
            with suppress(Exception):
                self._failed(held, round_.taken, MailboxError("a fault of this machine"))
            raise
        with self.desk.store.write() as db:
            mailboxes.finish(db, held, self.desk.now(), self._seconds())
            operation.beat(db, NAME, self.desk.now(), well=True)
        return True

    def _claim(self, account: Account, early: bool) -> Held | None:
        now = self.desk.now()
        with self.desk.store.read() as db:
            if not early and not mailboxes.is_due(db, account.name, now):
                return None
        with self.desk.store.write() as db:
            return mailboxes.claim(db, account.name, now, secrets.token_hex(8), early=early)

    def _failed(self, held: Held, taken: int, error: MailboxError) -> None:
        pause = self._seconds()
        if not taken:
            pause = max(pause, min(pause * int(2 ** min(held.failures, 12)), LONGEST_PAUSE))
        log.warning("mailbox: %s; next try in %d seconds", error.word, pause.total_seconds())
        with self.desk.store.write() as db:
            jitter = random.uniform(0.9, 1.1)  # or several installations would march in step
            mailboxes.finish(db, held, self.desk.now(), pause * jitter, error.text)
            operation.beat(db, NAME, self.desk.now(), well=False)

    def _seconds(self) -> timedelta:
        return timedelta(seconds=self.desk.settings.inbox.poll_seconds)


@dataclass
class _Round:
    """One look into the mailbox."""

    desk: Desk
    stop: threading.Event
    held: Held
    taken: int = 0
    unmarkable: bool = field(default=False)  # the mailbox takes no marks

    def take_all(self, box: Mailbox) -> None:
        with self.desk.store.write() as db:
            self.held = mailboxes.begin(db, self.held, box.uidvalidity, self.desk.now())
        for uids in box.batches_above(max(self.held.last_uid - OVERLAP, 0)):
            self._take_batch(box, uids)
            self._mark_seen(box)
            if self.stop.is_set():
                return
        self._take_troubled(box)
        self._mark_seen(box)
        if self.taken:
            log.info("mailbox: messages taken: %d", self.taken)

    def _take_batch(self, box: Mailbox, uids: list[int]) -> None:
        with self.desk.store.read() as db:
            fresh = mailboxes.unknown(db, self.held, uids)
        try:
            envelopes = box.envelopes(fresh) if fresh else {}
        except MailboxError:  # one of them is to blame; each is tried alone, by this round or a later one
            for uid in fresh:
                self._not_given(uid)
            raise
        for uid in fresh:
            if self.stop.is_set():
                return
            self._take(box, uid, envelopes.get(uid))

    def _take_troubled(self, box: Mailbox) -> None:
        with self.desk.store.read() as db:
            troubles = sorted(mailboxes.troubles(db, self.held), key=lambda t: t.tries)
        for trouble in troubles:
            if self.stop.is_set():
                return
            try:
                self._take(box, trouble.uid, None)
            except MailboxError:
                self._give_up(trouble.uid)
                raise
            self._give_up(trouble.uid)

    def _give_up(self, uid: int) -> None:
        """Sets the message aside if it was not given again, and the message is to blame, not the server."""
        with self.desk.store.read() as db:
            trouble = next((t for t in mailboxes.troubles(db, self.held) if t.uid == uid), None)
            if trouble is None or trouble.tries < TRIES:
                return
            others_came = mailboxes.has_stored_since(db, self.held, trouble.since)
        if others_came or self.desk.now() - trouble.since > GIVE_UP:
            self._set_aside(trouble)

    def _set_aside(self, trouble: Trouble) -> None:
        reason = f"the mail server does not give it: UID {trouble.uid} of UIDVALIDITY {self.held.uidvalidity}"
        with self.desk.store.write() as db:
            inbox_id = replies.keep_missing(self.desk, db, reason)
            mailboxes.note(db, self.held, trouble.uid, inbox_id, self.desk.now(), seen=True)  # it is not, by anybody
        log.warning("inbox %s: set aside, the mail server does not give it", inbox_id)

    def _take(self, box: Mailbox, uid: int, envelope: Envelope | None) -> None:
        try:
            known = envelope or box.envelopes([uid]).get(uid, Envelope())
            too_large = known.size > self.desk.settings.limits.mail_bytes
            raw = box.raw(uid, replies.KEPT_OF_TOO_LARGE if too_large else None)
            is_gone = raw is None and not box.has(uid)
        except MailboxError as error:
            self._not_given(uid)
            if error.broken:
                raise
            log.warning("mailbox: %s", error.word)
            return
        if raw is not None:
            self._store(uid, known, raw)
        elif is_gone:  # another program deleted it
            with self.desk.store.write() as db:
                mailboxes.vanished(db, self.held, uid, self.desk.now())
        else:
            self._not_given(uid)

    def _not_given(self, uid: int) -> None:
        with self.desk.store.write() as db:
            mailboxes.failed(db, self.held, uid, self.desk.now())

    def _store(self, uid: int, envelope: Envelope, raw: bytes) -> None:
        """Stores the message raw, then judges it. One that was stored under another number is that row."""
        size = max(envelope.size, len(raw))
        with self.desk.store.write() as db:
            known = mailboxes.same_elsewhere(db, self.held, inbox.sha256(replies.kept_of(self.desk, raw, size)))
            inbox_id = known or replies.keep(self.desk, db, raw, size, envelope.arrived)
            mailboxes.note(db, self.held, uid, inbox_id, self.desk.now())
        self.taken += 1
        try:
            if not replies.can_wait(self.desk, inbox_id):
                replies.judge_kept(self.desk, inbox_id)
        except Exception:  # it is stored, and will be judged later; the next one is served
            log.exception("inbox %s: not judged yet", inbox_id)

    def _mark_seen(self, box: Mailbox) -> None:
        while not self.unmarkable:
            with self.desk.store.read() as db:
                uids = mailboxes.judged_unseen(db, self.held, imap.BATCH)
            if not uids:
                return
            try:
                box.mark_seen(uids)
            except MailboxError as error:
                if error.broken:
                    raise
                log.warning("mailbox: %s", error.word)
                self.unmarkable = True
                return
            with self.desk.store.write() as db:
                mailboxes.mark_seen(db, self.held, uids)
