"""How often something was done in a window of time, counted for all processes together."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, select, text

from scheduler.db import tables as t

_COUNT = text(
    "INSERT INTO counters (key, since, until, hits) VALUES (:key, :since, :until, :hits) "
    "ON CONFLICT (key, since) DO UPDATE SET hits = counters.hits + excluded.hits RETURNING hits"
).bindparams(bindparam("since", type_=t.Instant()), bindparam("until", type_=t.Instant()))


def hits(db: Connection, key: str, since: datetime) -> int:
    return db.scalar(select(t.counters.c.hits).where(t.counters.c.key == key, t.counters.c.since == since)) or 0


def count(db: Connection, key: str, since: datetime, until: datetime, hits: int) -> int:
    """Adds to the window [since, until) of `key` and gives what it holds now; forgets windows that are over."""
    found = int(db.execute(_COUNT, {"key": key, "since": since, "until": until, "hits": hits}).scalar_one())
    if found == hits:  # a new window
        db.execute(delete(t.counters).where(t.counters.c.until <= since))
    return found
