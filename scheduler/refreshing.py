"""The worker's look at the calendars of others: those whose time has come are fetched, read, and their times replaced.

A calendar that fails keeps the times it had, is tried again with growing pauses, and becomes `stale` when nothing
recent enough is known of it: then its owner's hours are not free but unknown.
"""

from __future__ import annotations

import logging
import random
import secrets
import threading
from dataclasses import dataclass
from datetime import timedelta

from scheduler import fetching, sealing
from scheduler.calendars import AHEAD, BEHIND
from scheduler.db import calendars
from scheduler.db.calendars import Claimed
from scheduler.desk import Desk
from scheduler.fetching import Network
from scheduler.ics import busy

log = logging.getLogger(__name__)

EVERY = timedelta(minutes=30)
LONGEST_PAUSE = timedelta(hours=6)
# A calendar that does not change is read anew all the same, since the days ahead of today become others.
AT_LATEST = timedelta(days=7)
IDLE_SECONDS = 5.0
FAULT_PAUSE_SECONDS = 30.0


@dataclass
class Refresher:
    """Reads calendars for one desk. `stop` ends it between two of them."""

    desk: Desk
    stop: threading.Event
    network: Network = fetching.INTERNET

    def run(self) -> None:
        """Works until `stop` is set."""
        while not self.stop.is_set():
            pause = IDLE_SECONDS
            try:
                self.once()
            except Exception:  # a fault of the database must not end the reading
                log.exception("calendars: trying again in %s seconds", FAULT_PAUSE_SECONDS)
                pause = FAULT_PAUSE_SECONDS
            self.stop.wait(pause)

    def once(self) -> None:
        """Reads all that are due and whose hosts may be asked."""
        while not self.stop.is_set() and (claimed := self._claim()):
            self._refresh(claimed)

    def _claim(self) -> Claimed | None:
        now = self.desk.now()
        with self.desk.store.read() as db:
            if not calendars.is_any_due(db, now):
                return None
        with self.desk.store.write() as db:
            return calendars.claim(db, now, secrets.token_hex(8))

    def _refresh(self, claimed: Claimed) -> None:
        try:
            self._read(claimed)
        except fetching.Unreachable as error:
            self._failed(claimed, "unreachable", error.word)
        except fetching.TooLarge:
            self._failed(claimed, "too-large")
        except busy.Refused as error:
            self._failed(claimed, error.code)
        except Exception:  # of ours; the others are read
            log.exception("calendar %s: a fault of this machine", claimed.id)
            self._failed(claimed, "unreachable")

    def _read(self, claimed: Claimed) -> None:
        now = self.desk.now()
        address = sealing.opened(self.desk.keys, claimed.address)
        if address is None:
            self._failed(claimed, "key")
            return
        if self.desk.older_keys and sealing.opened((self.desk.key,), claimed.address) is None:
            with self.desk.store.write() as db:
                calendars.seal_anew(db, claimed, sealing.sealed(self.desk.keys, address))
        goes_far = claimed.known_until is not None and claimed.known_until > now + AHEAD - AT_LATEST
        validators = (claimed.etag, claimed.last_modified) if goes_far else ("", "")
        fetched = fetching.fetch(address, *validators, network=self.network)
        following = now + EVERY * random.uniform(0.9, 1.1)  # or all would march in step
        if fetched.content is None:
            with self.desk.store.write() as db:
                calendars.unchanged(db, claimed, now, following)
            return
        times = busy.read(fetched.content, claimed.zone, now - BEHIND, now + AHEAD, self.desk.settings.mail.domain)
        with self.desk.store.write() as db:
            calendars.was_read(
                db,
                claimed,
                times,
                now=now,
                known_until=now + AHEAD,
                next_fetch_at=following,
                validators=(fetched.etag, fetched.last_modified),
            )
        log.info("calendar %s: read", claimed.id)

    def _failed(self, claimed: Claimed, error: str, word: str = "") -> None:
        pause = min(EVERY * int(2 ** min(claimed.failures, 10)), LONGEST_PAUSE) * random.uniform(0.9, 1.1)
        log.warning("calendar %s: %s; next try in %d seconds", claimed.id, word or error, pause.total_seconds())
        with self.desk.store.write() as db:
            calendars.failed(db, claimed, error, self.desk.now() + pause)
