"""Polled mailboxes: whose turn it is, how far they came, and which of their messages is which row of the inbox.

One worker polls a mailbox at a time, under a lease that it renews with every message it stores; whoever lost it writes
nothing more. A message is known by (UIDVALIDITY, UID). When the server numbers its messages anew, or they come back in
another mailbox, a message with the same bytes is the same row of the inbox, so that it has one effect.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, case, delete, exists, insert, or_, select, update

from scheduler.db import tables as t
from scheduler.db.engine import added

LEASE = timedelta(minutes=5)
FARTHEST = timedelta(hours=2)  # that a poll is ever put off


class LeaseLost(Exception):
    """Another worker polls the mailbox by now."""


@dataclass(frozen=True, slots=True)
class Held:
    """A mailbox that this worker may poll, as it was left. `last_uid`: every message up to it is known."""

    id: int
    lease: str
    uidvalidity: int
    last_uid: int
    failures: int = 0


@dataclass(frozen=True, slots=True)
class Trouble:
    """A message that the server could not give, so often, since then."""

    uid: int
    tries: int
    since: datetime


@dataclass(frozen=True, slots=True)
class State:
    """How polling goes. `polled_at`: when the server last did what we asked; `failures`: polls in a row that failed."""

    polled_at: datetime | None
    failures: int
    error: str
    next_poll_at: datetime


def state(db: Connection, name: str) -> State | None:
    m = t.mailboxes.c
    row = db.execute(select(m.polled_at, m.failures, m.error, m.next_poll_at).where(m.name == name)).one_or_none()
    return State(*row) if row else None


def is_due(db: Connection, name: str, now: datetime) -> bool:
    known = exists().where(t.mailboxes.c.name == name)
    return bool(db.scalar(select(~known | known.where(_due(now), _free(now)))))


def claim(db: Connection, name: str, now: datetime, lease: str, *, early: bool = False) -> Held | None:
    """The mailbox under `lease`, if its time has come (or `early`) and nobody else polls it."""
    m = t.mailboxes.c
    if not db.scalar(select(exists().where(m.name == name))):
        fresh = {"uidvalidity": 0, "last_uid": 0, "lease": "", "next_poll_at": now, "failures": 0, "error": ""}
        added(db, t.mailboxes, {"name": name, **fresh})
    mine = update(t.mailboxes).where(m.name == name, _free(now), *([] if early else [_due(now)]))
    if not db.execute(mine.values(lease=lease, lease_until=now + LEASE)).rowcount:
        return None
    row = db.execute(select(t.mailboxes).where(m.name == name)).one()
    return Held(row.id, lease, row.uidvalidity, row.last_uid, row.failures)


# A clock that was wrong and is set back must not leave a mailbox waiting for years.


def _due(now: datetime) -> Any:
    return or_(t.mailboxes.c.next_poll_at <= now, t.mailboxes.c.next_poll_at > now + FARTHEST)


def _free(now: datetime) -> Any:
    m = t.mailboxes.c
    return or_(m.lease == "", m.lease_until <= now, m.lease_until > now + 2 * LEASE)


def begin(db: Connection, held: Held, uidvalidity: int, now: datetime) -> Held:
    """The mailbox as it is to be read: from the start, if its messages have new numbers."""
    if held.uidvalidity == uidvalidity:
        _write(db, held, now)
        return held
    _write(db, held, now, uidvalidity=uidvalidity, last_uid=0)
    return replace(held, uidvalidity=uidvalidity, last_uid=0)


def finish(db: Connection, held: Held, now: datetime, pause: timedelta, error: str = "") -> None:
    """Gives the mailbox back after a poll, good or failed."""
    failures = t.mailboxes.c.failures + 1 if error else 0
    reached = {} if error else {"polled_at": now}
    values = {"lease": "", "lease_until": None, "next_poll_at": now + pause, "failures": failures, "error": error}
    mine = update(t.mailboxes).where(t.mailboxes.c.id == held.id, t.mailboxes.c.lease == held.lease)
    db.execute(mine.values(**values, **reached))


def _write(db: Connection, held: Held, now: datetime, **values: object) -> None:
    """Changes the mailbox and renews the lease. Raises LeaseLost."""
    mine = update(t.mailboxes).where(t.mailboxes.c.id == held.id, t.mailboxes.c.lease == held.lease)
    if not db.execute(mine.values(lease_until=now + LEASE, polled_at=now, **values)).rowcount:
        raise LeaseLost


# --- messages


def unknown(db: Connection, held: Held, uids: Iterable[int]) -> list[int]:
    """Those of `uids` that were neither stored nor tried yet."""
    wanted = sorted(uids)
    m = t.mailbox_messages.c
    known = set(db.scalars(select(m.uid).where(*_of(held), m.uid.between(wanted[0], wanted[-1])))) if wanted else set()
    return [uid for uid in wanted if uid not in known]


def same_elsewhere(db: Connection, held: Held, sha256: str) -> int | None:
    """The oldest row of the inbox with this content that is no message of the mailbox as it is numbered now."""
    i, m = t.inbox.c, t.mailbox_messages.c
    here = exists().where(*_of(held), m.inbox_id == i.id)
    return db.scalar(select(i.id).where(i.sha256 == sha256, ~here).order_by(i.id).limit(1))


def note(db: Connection, held: Held, uid: int, inbox_id: int, now: datetime, *, seen: bool = False) -> None:
    """The message `uid` is this row of the inbox. Raises LeaseLost."""
    _came_to(db, held, uid, now)
    _forget(db, held, uid)
    row = {"mailbox_id": held.id, "uidvalidity": held.uidvalidity, "uid": uid, "inbox_id": inbox_id}
    db.execute(insert(t.mailbox_messages).values(**row, seen=seen, tries=0, first_try_at=now))


def failed(db: Connection, held: Held, uid: int, now: datetime) -> None:
    """The message `uid` could not be had. Raises LeaseLost."""
    _came_to(db, held, uid, now)
    m = t.mailbox_messages.c
    again = update(t.mailbox_messages).where(*_of(held), m.uid == uid, m.inbox_id.is_(None))
    if not db.execute(again.values(tries=m.tries + 1)).rowcount:
        row = {"mailbox_id": held.id, "uidvalidity": held.uidvalidity, "uid": uid, "seen": False}
        db.execute(insert(t.mailbox_messages).values(**row, tries=1, first_try_at=now))


def vanished(db: Connection, held: Held, uid: int, now: datetime) -> None:
    """The message `uid` was deleted before it could be had. Raises LeaseLost."""
    _came_to(db, held, uid, now)
    _forget(db, held, uid)


def troubles(db: Connection, held: Held) -> list[Trouble]:
    m = t.mailbox_messages.c
    query = select(m.uid, m.tries, m.first_try_at).where(*_of(held), m.inbox_id.is_(None)).order_by(m.uid)
    return [Trouble(*row) for row in db.execute(query)]


def has_stored_since(db: Connection, held: Held, since: datetime) -> bool:
    """Whether the server gave another message since then."""
    m = t.mailbox_messages.c
    return bool(db.scalar(select(exists().where(*_of(held), m.inbox_id.is_not(None), m.first_try_at >= since))))


def judged_unseen(db: Connection, held: Held, at_most: int) -> list[int]:
    """Messages that are done with but not marked as seen in the mailbox."""
    m, i = t.mailbox_messages.c, t.inbox.c
    query = select(m.uid).join(t.inbox, m.inbox_id == i.id).where(*_of(held), m.seen.is_(False), i.outcome != "")
    return list(db.scalars(query.order_by(m.uid).limit(at_most)))


def mark_seen(db: Connection, held: Held, uids: Iterable[int]) -> None:
    m = t.mailbox_messages.c
    db.execute(update(t.mailbox_messages).where(*_of(held), m.uid.in_(list(uids))).values(seen=True))


def _forget(db: Connection, held: Held, uid: int) -> None:
    m = t.mailbox_messages.c
    db.execute(delete(t.mailbox_messages).where(*_of(held), m.uid == uid, m.inbox_id.is_(None)))


def _came_to(db: Connection, held: Held, uid: int, now: datetime) -> None:
    last = t.mailboxes.c.last_uid
    _write(db, held, now, last_uid=case((last < uid, uid), else_=last))


def _of(held: Held) -> tuple[Any, ...]:
    m = t.mailbox_messages.c
    return (m.mailbox_id == held.id, m.uidvalidity == held.uidvalidity)
