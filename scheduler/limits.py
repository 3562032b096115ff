"""How often somebody may do something, for all processes together.

Counters stand in the database, in fixed windows of time, under a keyed hash: who reads the database learns nobody's
address or token from them. What is beyond the limit is refused with the time at which it is allowed again, and is not
counted itself, so nobody is kept out by trying.

A right token always works, even for somebody in whose network others guess: a guess has no chance, and the limit on
wrong ones only keeps the guessing from being work for us.
"""

from __future__ import annotations

import hmac
import math
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from scheduler.core.errors import Busy, TooMany
from scheduler.core.meeting import Message
from scheduler.db import counters, outbox
from scheduler.db.engine import Connection
from scheduler.desk import Desk

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
FLUSHES = 50  # how often in a window a process brings what it counted for itself to the database


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `most` in each window. `name` keeps the counters of different things apart."""

    name: str
    most: int
    window: timedelta
    error: str = "too-many"


def sign_in_requests(desk: Desk) -> Limit:
    return Limit("sign-in", desk.settings.limits.sign_in_requests_per_hour, HOUR)


def wrong_tokens(desk: Desk) -> Limit:
    return Limit("wrong-token", desk.settings.limits.wrong_tokens_per_hour, HOUR)


def wrong_passwords(desk: Desk) -> Limit:
    """Per client."""
    return Limit("password", desk.settings.limits.wrong_passwords_per_hour, HOUR, "too-many-passwords")


def wrong_passwords_of_all(desk: Desk) -> Limit:
    """Per address, from everywhere."""
    return Limit("password-of", desk.settings.limits.wrong_passwords_per_address, HOUR, "too-many-passwords")


def wrong_codes(desk: Desk) -> Limit:
    """Per person."""
    return Limit("code", desk.settings.limits.wrong_codes_per_hour, HOUR, "too-many-passwords")


def api_requests(desk: Desk) -> Limit:
    return Limit("api", desk.settings.limits.api_requests_per_minute, MINUTE)


def invitations(desk: Desk) -> Limit:
    return Limit("invitations", desk.settings.limits.invitations_per_hour, HOUR, "too-many-invitations")


def calendars(desk: Desk) -> Limit:
    """Per person: each costs a look at somebody's server, or work of ours."""
    return Limit("calendars", desk.settings.limits.calendar_changes_per_hour, HOUR)


def spend(desk: Desk, limit: Limit, who: str) -> None:
    """Counts one for `who` (a client's address, say). Raises TooMany beyond the limit."""
    window = _window(desk, limit)
    with desk.store.read() as db:
        if counters.hits(db, _key(desk, limit, who), window[0]) >= limit.most:
            raise _too_many(desk, limit, window)
    with desk.store.write() as db:
        spend_in(db, desk, limit, who, 1)


def spend_in(db: Connection, desk: Desk, limit: Limit, who: str, hits: int) -> None:
    """Counts in a transaction that writes, and that TooMany rolls back."""
    window = _window(desk, limit)
    if hits and counters.count(db, _key(desk, limit, who), *window, hits) > limit.most:
        raise _too_many(desk, limit, window)


def check_recipients(db: Connection, desk: Desk, messages: Sequence[Message]) -> None:
    """Raises TooMany when somebody would get more mail in a day than anybody should, whoever writes it.

    Called when the mail is added; TooMany rolls back. Cancellations are always possible, and what a coordinator gets
    for their own calendar does not count.
    """
    people = {m.invitation.invitee.email_key: m.invitation.invitee for m in messages if m.method != "CANCEL"}
    most = desk.settings.limits.mails_per_recipient_per_day
    found = outbox.flooded(db, list(people), desk.now() - DAY, most)
    if found:
        left = max(1, math.ceil((found.since + DAY - desk.now()).total_seconds()))
        values = {"email": people[found.recipient_key].email, "limit": most, "hours": math.ceil(left / 3600)}
        raise TooMany(left, "too-many-mails-to-person", **values)


def must_be_open(db: Connection, desk: Desk, limit: Limit, who: str) -> None:
    """Raises TooMany when the limit is reached; counts nothing."""
    window = _window(desk, limit)
    if counters.hits(db, _key(desk, limit, who), window[0]) >= limit.most:
        raise _too_many(desk, limit, window)


# --- tries, which count only when they fail


@dataclass(frozen=True, slots=True)
class Try:
    """A try of a password that was counted as a failure before it was looked at."""

    account: str
    client: str


FREE_TRIES = 4  # failures that nobody waits for: a mistyped password
FIRST_DELAY, LONGEST_DELAY = timedelta(seconds=15), timedelta(hours=1)
FORGOTTEN = timedelta(hours=24)


def delay_after(failures: int) -> timedelta:
    """The wait after so many failures: nothing, then 15 seconds, then twice as long each time, at most an hour."""
    if failures <= FREE_TRIES:
        return timedelta(0)
    doublings: int = min(failures - FREE_TRIES - 1, 20)
    return min(FIRST_DELAY * (1 << doublings), LONGEST_DELAY)


def begin_try(desk: Desk, account: str, client: str) -> Try:
    """Counts a failure for this client, for this address, and for both. Raises TooMany when one must wait."""
    key, now = _delay_key(desk, account, client), desk.now()
    with desk.store.write() as db:
        failures, open_at = counters.open_at(db, key, now)
        if open_at > now:
            raise _wait((open_at - now).total_seconds())
        spend_in(db, desk, wrong_passwords(desk), client, 1)
        spend_in(db, desk, wrong_passwords_of_all(desk), account, 1)
        counters.delay(db, key, failures + 1, now + delay_after(failures + 1), now + FORGOTTEN, now)
    return Try(account, client)


def end_try(db: Connection, desk: Desk, try_: Try) -> None:
    """It was no failure."""
    counters.forget(db, _delay_key(desk, try_.account, try_.client))
    for limit, who in ((wrong_passwords(desk), try_.client), (wrong_passwords_of_all(desk), try_.account)):
        counters.count(db, _key(desk, limit, who), *_window(desk, limit), -1)


def _delay_key(desk: Desk, account: str, client: str) -> str:
    return _key(desk, wrong_passwords(desk), f"{account}\0{client}")


def _wait(seconds: float) -> TooMany:
    return TooMany(max(1, math.ceil(seconds)), "too-many-passwords", minutes=max(1, math.ceil(seconds / 60)))


@dataclass
class Tally:
    """A limit on what is done so often that a write each time would cost too much: a process counts for itself and
    tells the others a few times per window, so the limit may be exceeded by a fiftieth per process."""

    desk: Desk
    limit: Limit
    _window: tuple[datetime, datetime] | None = None
    _counted: dict[str, _Counted] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def spend(self, who: str) -> None:
        """Counts one for `who`. Raises TooMany beyond the limit."""
        window, key = _window(self.desk, self.limit), _key(self.desk, self.limit, who)
        with self._lock:
            if window != self._window:
                self._window, self._counted = window, {}
            counted = self._counted.setdefault(key, _Counted())
            if counted.of_all + counted.untold >= self.limit.most:
                raise _too_many(self.desk, self.limit, window)
            counted.untold += 1
            untold = counted.untold
            if untold < max(1, self.limit.most // FLUSHES):
                return
            counted.of_all, counted.untold = counted.of_all + untold, 0
        with suppress(Busy), self.desk.store.write() as db:  # that nobody hears of them is no reason to refuse
            counted.of_all = counters.count(db, key, *window, untold)
        if counted.of_all > self.limit.most:
            raise _too_many(self.desk, self.limit, window)


@dataclass
class _Counted:
    untold: int = 0  # by this process, since it last told the others
    of_all: int = 0  # of all processes, as far as known


def _key(desk: Desk, limit: Limit, who: str) -> str:
    return hmac.digest(desk.key, f"limit\0{limit.name}\0{who}".encode(), "sha256").hex()


def _window(desk: Desk, limit: Limit) -> tuple[datetime, datetime]:
    seconds = int(limit.window.total_seconds())
    since = datetime.fromtimestamp(int(desk.now().timestamp()) // seconds * seconds, UTC)
    return since, since + limit.window


def _too_many(desk: Desk, limit: Limit, window: tuple[datetime, datetime]) -> TooMany:
    left = (window[1] - desk.now()).total_seconds()
    return TooMany(max(1, math.ceil(left)), limit.error, limit=limit.most, minutes=max(1, math.ceil(left / 60)))
