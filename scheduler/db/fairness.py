"""The ledger of minutes that cities bore outside their office hours: one row per meeting held and city, written once.

A meeting that has begun cannot be changed any more, so what is written stays true.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, exists, func, select, text

from scheduler.db import tables as t

_RECORD = text(
    "INSERT INTO burdens (meeting_id, city, minutes) VALUES (:meeting_id, :city, :minutes) "
    "ON CONFLICT (meeting_id, city) DO NOTHING"
)


@dataclass(frozen=True, slots=True)
class Held:
    """A meeting that is over: [start, end) and the cities that took part."""

    meeting_id: int
    start: datetime
    end: datetime
    cities: tuple[str, ...]


def unrecorded(db: Connection, now: datetime, limit: int) -> list[Held]:
    """Meetings that are over and not in the ledger yet, the oldest first."""
    m, p = t.meetings.c, t.participations.c
    recorded = exists().where(t.burdens.c.meeting_id == m.id)
    over = select(m.id, m.starts, m.ends).where(m.status == "confirmed", m.ends <= now, ~recorded)
    found = db.execute(over.order_by(m.ends, m.id).limit(limit)).all()
    cities: dict[int, list[str]] = {}
    for row in db.execute(select(p.meeting_id, p.city).where(p.meeting_id.in_([row.id for row in found]))):
        cities.setdefault(row.meeting_id, []).append(row.city)
    return [Held(row.id, row.starts, row.ends, tuple(cities.get(row.id, ()))) for row in found]


def record(db: Connection, meeting_id: int, minutes: Mapping[str, int]) -> None:
    """What the meeting cost each city; what is there already stays, whoever wrote it."""
    rows = [{"meeting_id": meeting_id, "city": city, "minutes": n} for city, n in sorted(minutes.items())]
    if rows:
        db.execute(_RECORD, rows)


def borne(db: Connection, cities: Sequence[str]) -> dict[str, int]:
    """What each of the cities bore in the meetings in which at least two of them took part."""
    own, other = t.burdens.c, t.burdens.alias("other").c
    together = exists().where(other.meeting_id == own.meeting_id, other.city.in_(cities), other.city != own.city)
    query = select(own.city, func.sum(own.minutes).label("minutes")).group_by(own.city)
    return {
        row.city: int(row.minutes) for row in db.execute(query.where(own.city.in_(cities), own.minutes > 0, together))
    }


@dataclass(frozen=True, slots=True)
class Sum:
    """Of the meetings held in which both took part: their number, and what each bore."""

    partner: str
    meetings: int
    own: int
    theirs: int


def by_partner(db: Connection, city: str, since: datetime | None, until: datetime | None) -> list[Sum]:
    """Of each city that met with `city` in meetings that began in [since, until); None: without that bound."""
    own, theirs = t.burdens.alias("own"), t.burdens.alias("theirs")
    both = own.join(theirs, own.c.meeting_id == theirs.c.meeting_id)
    query = select(
        theirs.c.city, func.count().label("n"), func.sum(own.c.minutes).label("own"),
        func.sum(theirs.c.minutes).label("theirs"),
    ).select_from(both.join(t.meetings, t.meetings.c.id == own.c.meeting_id))  # fmt: skip
    query = query.where(own.c.city == city, theirs.c.city != city, *_began(since, until)).group_by(theirs.c.city)
    return [Sum(row.city, row.n, int(row.own), int(row.theirs)) for row in db.execute(query)]


def _began(since: datetime | None, until: datetime | None) -> Iterable[Any]:
    starts = t.meetings.c.starts
    return ([starts >= since] if since else []) + ([starts < until] if until else [])
