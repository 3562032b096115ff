"""How often something was done in a window of time, and who failed and must wait; for all processes together."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, select, text

from scheduler.db import direct
from scheduler.db import tables as t

_COUNT = text(
    "INSERT INTO counters (key, since, until, hits) VALUES (:key, :since, :until, :hits) "
    "ON CONFLICT (key, since) DO UPDATE SET hits = counters.hits + excluded.hits RETURNING hits"
).bindparams(bindparam("since", type_=t.Instant()), bindparam("until", type_=t.Instant()))

_DELAY = text(
    "INSERT INTO delays (key, failures, open_at, until) VALUES (:key, :failures, :open_at, :until) ON CONFLICT (key) "
    "DO UPDATE SET failures = excluded.failures, open_at = excluded.open_at, until = excluded.until"
).bindparams(bindparam("open_at", type_=t.Instant()), bindparam("until", type_=t.Instant()))


def hits(db: Connection, key: str, since: datetime) -> int:
    return db.scalar(select(t.counters.c.hits).where(t.counters.c.key == key, t.counters.c.since == since)) or 0


def count(db: Connection, key: str, since: datetime, until: datetime, hits: int) -> int:
    """Adds to the window [since, until) of `key` and gives what it holds now; forgets windows that are over."""
    found = int(direct.run(db, _COUNT, {"key": key, "since": since, "until": until, "hits": hits}).scalar_one())
    if found == hits:  # a new window
        db.execute(delete(t.counters).where(t.counters.c.until <= since))
    return found


def open_at(db: Connection, key: str, now: datetime) -> tuple[int, datetime]:
    """How often `key` failed, and when it may be tried again."""
    d = t.delays.c
    row = db.execute(select(d.failures, d.open_at).where(d.key == key, d.until > now)).one_or_none()
    return (row.failures, row.open_at) if row else (0, now)


def delay(db: Connection, key: str, failures: int, open_at: datetime, until: datetime, now: datetime) -> None:
    """Lets `key` wait; forgets those that are over."""
    db.execute(delete(t.delays).where(t.delays.c.until <= now))
    db.execute(_DELAY, {"key": key, "failures": failures, "open_at": open_at, "until": until})


def forget(db: Connection, key: str) -> None:
    db.execute(delete(t.delays).where(t.delays.c.key == key))
