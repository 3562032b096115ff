"""What the operator sees and mends: mail that does not get on, how mail in was judged, signs of life."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, case, exists, func, insert, literal, or_, select, update

from scheduler.db import outbox
from scheduler.db import tables as t

LISTED = 200  # at most


@dataclass(frozen=True, slots=True)
class Trouble:
    """A mail that failed, is tried again, or is held. `answer`: the mail server's last word."""

    id: int
    state: str
    kind: str
    message_id: str
    recipient: str
    meeting_id: int | None
    attempts: int
    answer: str
    created_at: datetime
    next_attempt_at: datetime


@dataclass(frozen=True, slots=True)
class Waiting:
    """The queue: how many mails, the oldest since when, and since when one is due that nobody takes."""

    count: int
    oldest: datetime | None
    due_since: datetime | None


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """`error`: what keeps it from its work until the operator mends it; empty: nothing of that kind."""

    seen_at: datetime
    well_at: datetime | None
    error: str = ""


# --- mail out


def waiting(db: Connection, now: datetime) -> Waiting:
    o = t.outbox.c
    queued = select(func.count(), func.min(o.created_at)).where(o.state == "queued")
    count, oldest = db.execute(queued).one()
    due = select(func.min(o.next_attempt_at)).where(outbox.due(now))
    return Waiting(count, oldest, db.scalar(due))


def outbox_counts(db: Connection) -> dict[str, int]:
    return {row[0]: row[1] for row in db.execute(select(t.outbox.c.state, func.count()).group_by(t.outbox.c.state))}


def troubles(db: Connection, now: datetime) -> list[Trouble]:
    """What needs a look, newest first: the newest mail to each person, of meetings that are not over."""
    o, m, newer = t.outbox.c, t.meetings.c, t.outbox.alias("newer")
    newest = or_(
        o.invitation_id.is_(None), ~exists().where(newer.c.invitation_id == o.invitation_id, newer.c.id > o.id)
    )
    stuck = or_(o.state.in_(("held", "refused", "bounced")), and_(o.state == "queued", o.attempts > 0))
    current = or_(o.meeting_id.is_(None), m.ends > now)
    columns = [o[name] for name in Trouble.__dataclass_fields__]
    query = select(*columns).select_from(t.outbox.outerjoin(t.meetings, o.meeting_id == m.id))
    rows = db.execute(query.where(stuck, newest, current).order_by(o.id.desc()).limit(LISTED))
    return [Trouble(**row) for row in rows.mappings()]


def try_again(db: Connection, ids: Sequence[int], now: datetime) -> int:
    """Lets these mails be sent at once; those that are overtaken by a newer one will not be (see `outbox.claim`)."""
    return _change(db, ids, ("queued", "refused", "held"), now, state="queued", next_attempt_at=now, finished_at=None)


def drop(db: Connection, ids: Sequence[int], now: datetime) -> int:
    return _change(db, ids, ("queued", "held"), now, state="dropped", finished_at=now)


def mark_sent(db: Connection, ids: Sequence[int], now: datetime) -> int:
    """What is held was handed over before the restore, as the operator knows."""
    return _change(db, ids, ("held",), now, state="handed-over", finished_at=now)


def _change(db: Connection, ids: Sequence[int], states: Sequence[str], now: datetime, **values: Any) -> int:
    """How many were in one of `states` and not just being sent."""
    o = t.outbox.c
    mine = and_(o.id.in_(ids), o.state.in_(states), outbox.free(now))
    return db.execute(update(t.outbox).where(mine).values(**values)).rowcount


# --- mail in


def inbox_counts(db: Connection) -> dict[str, int]:
    """By outcome; the empty word counts what is not judged yet."""
    return {row[0]: row[1] for row in db.execute(select(t.inbox.c.outcome, func.count()).group_by(t.inbox.c.outcome))}


def waiting_for_review(db: Connection) -> int:
    return db.scalar(select(func.count()).select_from(t.inbox).where(t.inbox.c.waits)) or 0


# --- signs of life


def beat(db: Connection, name: str, now: datetime, *, well: bool | None, error: str = "") -> None:
    """Notes that the process `name` lives, and whether it could do its work; None: there was nothing to do, so it is as
    well as it was."""
    h = t.heartbeats.c
    well_at = {
        True: now,
        False: h.well_at,
        None: case((h.well_at == h.seen_at, literal(now, t.Instant())), else_=h.well_at),
    }[well]
    mine = update(t.heartbeats).where(h.name == name)
    if not db.execute(mine.values(seen_at=now, well_at=well_at, error=error)).rowcount:
        first = {"seen_at": now, "well_at": None if well is False else now}
        db.execute(insert(t.heartbeats).values(name=name, **first, error=error))


def heartbeats(db: Connection) -> Mapping[str, Heartbeat]:
    return {row.name: Heartbeat(row.seen_at, row.well_at, row.error) for row in db.execute(select(t.heartbeats))}
