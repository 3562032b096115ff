"""What cities enter into their own calendars: days on which they are closed, and public holidays on which they work.

A row holds one entry of one or more days; a Closure is one day of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select

from scheduler.core.cities import City, Closure
from scheduler.core.office import Closing
from scheduler.core.words import Wording
from scheduler.db import editions
from scheduler.db import tables as t
from scheduler.db.engine import added

REOPENED = "reopened"
_CLOSURES = select(t.closures).order_by(t.closures.c.day)


def load(db: Connection) -> tuple[dict[str, list[Closure]], dict[str, list[Closure]]]:
    """By city the days that it closed, and the days that it reopened."""
    closed: dict[str, list[Closure]] = {}
    reopened: dict[str, list[Closure]] = {}
    for row in db.execute(_CLOSURES):
        found = reopened if row.kind == REOPENED else closed
        found.setdefault(row.city, []).extend(_days(row))
    return closed, reopened


def reopened(db: Connection, city: str) -> list[Closure]:
    """The public holidays on which the city works, as entries of the kind `reopened`."""
    rows = db.execute(_CLOSURES.where(t.closures.c.city == city, t.closures.c.kind == REOPENED))
    return [day for row in rows for day in _days(row)]


def _days(row: Row[Any]) -> Iterator[Closure]:
    closing = Closing(row.day, row.until or row.day, Wording.of(row.name), row.kind, row.start)
    for day in closing.days():
        yield replace(day, source=row.city, id=row.id, set_by=row.set_by, set_at=row.set_at)


def is_entered(db: Connection, city: str, day: date) -> bool:
    """Whether an entry of the city begins on that day; there can be one."""
    return bool(db.scalar(select(t.closures.c.id).where(t.closures.c.city == city, t.closures.c.day == day)))


def add(db: Connection, city: str, closing: Closing, set_by: str, set_at: datetime) -> int:
    values = {"city": city, "day": closing.since, "kind": closing.kind, "start": closing.start, "set_by": set_by}
    values |= {"name": dict(closing.name.texts), "set_at": set_at}
    if closing.until != closing.since:
        values["until"] = closing.until
    editions.renew(db)
    return added(db, t.closures, values)


def add_of_city(db: Connection, city: City) -> None:
    """The entries that a new city comes with."""
    rows = [_row(city.slug, closure) for closure in city.municipal]
    rows += [_row(city.slug, Closure(day, REOPENED, Wording())) for day in sorted(city.reopened)]
    if rows:
        db.execute(insert(t.closures), rows)


def _row(city: str, closure: Closure) -> dict[str, Any]:
    return {
        "city": city,
        "day": closure.day,
        "kind": "holiday" if closure.kind == "half-day" else closure.kind,
        "name": dict(closure.name.texts),
        "start": closure.start,
        "set_by": closure.set_by,
        "set_at": closure.set_at,
    }


def remove(db: Connection, city: str, closure_id: int) -> bool:
    """False if the city has no such entry."""
    there = (t.closures.c.city == city) & (t.closures.c.id == closure_id)
    editions.renew(db)
    return db.execute(delete(t.closures).where(there)).rowcount > 0
