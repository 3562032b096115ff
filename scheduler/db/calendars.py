"""Calendars that people and cities publish or hand over, and the times at which these say they are busy.

One worker reads a calendar at a time, under a lease; whoever lost it writes nothing. Of one host only one calendar is
asked for at a time, with a pause before the next, so that nobody's server hears from us more than it would like,
however many people name it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, delete, exists, func, or_, select, update

from scheduler.db import tables as t
from scheduler.db.direct import adding
from scheduler.db.engine import added

LEASE = timedelta(minutes=5)
HOST_PAUSE = timedelta(minutes=1)
APART = timedelta(minutes=1)  # that the clocks of two machines may be
FARTHEST = timedelta(hours=8)  # that reading is ever put off
# How long what was read counts; after it nobody knows. A file is read once, and says what was true then.
FRESH = {"url": timedelta(hours=24), "file": timedelta(days=14)}


@dataclass(frozen=True, slots=True)
class Calendar:
    """`person_id` None: of the city as a whole. `fetched_at`: when its times were last right."""

    id: int
    city: str
    person_id: int | None
    kind: str
    name: str
    host: str
    created_at: datetime
    checked_at: datetime | None
    fetched_at: datetime | None
    known_until: datetime | None
    failures: int
    error: str

    def is_stale(self, now: datetime) -> bool:
        """Whether nothing is known of it that still counts."""
        return self.fetched_at is None or now - self.fetched_at > FRESH[self.kind]


_COLUMNS = [t.calendars.c[name] for name in Calendar.__dataclass_fields__]


def listed(db: Connection, city: str = "", person_id: int | None = None) -> list[Calendar]:
    """Those of a city and all its people, or of one person, oldest first."""
    c = t.calendars.c
    wanted = c.person_id == person_id if person_id is not None else c.city == city
    query = select(*_COLUMNS).where(wanted).order_by(c.id)
    return [Calendar(**row) for row in db.execute(query).mappings()]


def find(db: Connection, calendar_id: int) -> Calendar | None:
    row = db.execute(select(*_COLUMNS).where(t.calendars.c.id == calendar_id)).mappings().one_or_none()
    return Calendar(**row) if row else None


def count(db: Connection, city: str, person_id: int | None) -> int:
    """How many this very owner has."""
    c = t.calendars.c
    theirs = c.person_id == person_id if person_id is not None else and_(c.city == city, c.person_id.is_(None))
    return db.scalar(select(func.count()).select_from(t.calendars).where(theirs)) or 0


def add(db: Connection, calendar: Mapping[str, Any], now: datetime) -> int:
    """A new one that nobody has read yet."""
    fresh = {"etag": "", "last_modified": "", "failures": 0, "error": "", "lease": "", "created_at": now}
    return added(db, t.calendars, {**fresh, **calendar})


def remove(db: Connection, calendar_id: int) -> None:
    db.execute(delete(t.busy_times).where(t.busy_times.c.calendar_id == calendar_id))
    db.execute(delete(t.calendars).where(t.calendars.c.id == calendar_id))


def remove_of_person(db: Connection, person_id: int) -> None:
    for calendar in listed(db, person_id=person_id):
        remove(db, calendar.id)


def marks(db: Connection) -> set[tuple[int, datetime]]:
    """What tells the calendars there are from others that a restored copy may bring back."""
    c = t.calendars.c
    return {(row.id, row.created_at) for row in db.execute(select(c.id, c.created_at))}


def remove_but(db: Connection, kept: set[tuple[int, datetime]]) -> None:
    """Removes what is not in `kept`, and those of people who are disabled."""
    c, p = t.calendars.c, t.people.c
    left = select(c.id).join(t.people, c.person_id == p.id).where(p.disabled_at.is_not(None))
    for calendar_id in {ident for ident, _ in marks(db) - kept} | set(db.scalars(left)):
        remove(db, calendar_id)


# --- reading them


@dataclass(frozen=True, slots=True)
class Claimed:
    """A calendar that this worker may read. `zone`: of its owner's clock."""

    id: int
    lease: str
    address: str
    host: str
    etag: str
    last_modified: str
    known_until: datetime | None
    failures: int
    zone: str


def ask_soon(db: Connection, calendar_id: int, now: datetime) -> bool:
    """Lets a worker read it as soon as its host may be asked; False for a file."""
    c = t.calendars.c
    mine = update(t.calendars).where(c.id == calendar_id, c.kind == "url")
    return bool(db.execute(mine.values(next_fetch_at=now)).rowcount)


def is_any_due(db: Connection, now: datetime) -> bool:
    return bool(db.scalar(select(exists().where(_may_be_read(now)))))


def claim(db: Connection, now: datetime, lease: str) -> Claimed | None:
    """The calendar that waits the longest, of a host that may be asked."""
    c = t.calendars.c
    query = select(t.calendars, t.cities.c.zone).join(t.cities, c.city == t.cities.c.slug).where(_may_be_read(now))
    row = db.execute(query.order_by(c.next_fetch_at, c.id).limit(1)).one_or_none()
    if row is None:
        return None
    mine = update(t.calendars).where(c.id == row.id)
    db.execute(mine.values(lease=lease, lease_until=now + LEASE, checked_at=now))
    return Claimed(
        row.id, lease, row.address, row.host, row.etag, row.last_modified, row.known_until, row.failures, row.zone
    )


# A clock that was wrong and is set back must not leave a calendar waiting for years.


def _may_be_read(now: datetime) -> Any:
    c, other = t.calendars.c, t.calendars.alias("other")
    due = or_(c.next_fetch_at <= now, c.next_fetch_at > now + FARTHEST)
    held = and_(other.c.lease != "", other.c.lease_until > now, other.c.lease_until <= now + LEASE + APART)
    just_asked = and_(other.c.checked_at > now - HOST_PAUSE, other.c.checked_at <= now + APART)
    return and_(c.kind == "url", due, ~exists().where(other.c.host == c.host, or_(held, just_asked)))


def unchanged(db: Connection, claimed: Claimed, now: datetime, next_fetch_at: datetime) -> bool:
    """Its times are still right. False when somebody else reads it by now, or it is gone."""
    return _finish(db, claimed, fetched_at=now, failures=0, error="", next_fetch_at=next_fetch_at)


def failed(db: Connection, claimed: Claimed, error: str, next_fetch_at: datetime) -> bool:
    """The times that are there stay."""
    return _finish(db, claimed, failures=claimed.failures + 1, error=error, next_fetch_at=next_fetch_at)


def was_read(
    db: Connection,
    claimed: Claimed,
    busy: Mapping[str, Iterable[tuple[int, int]]],
    *,
    now: datetime,
    known_until: datetime,
    next_fetch_at: datetime,
    validators: tuple[str, str],
) -> bool:
    """Puts the times in the place of those that were there. `validators`: ETag and Last-Modified."""
    etag, last_modified = validators
    known = {"fetched_at": now, "known_until": known_until, "etag": etag, "last_modified": last_modified}
    if not _finish(db, claimed, failures=0, error="", next_fetch_at=next_fetch_at, **known):
        return False
    put_times(db, claimed.id, busy)
    return True


def seal_anew(db: Connection, claimed: Claimed, address: str) -> None:
    """`address` under the newest key, so that the older ones are needed no more."""
    c = t.calendars.c
    db.execute(update(t.calendars).where(c.id == claimed.id, c.lease == claimed.lease).values(address=address))


def _finish(db: Connection, claimed: Claimed, **values: Any) -> bool:
    c = t.calendars.c
    mine = update(t.calendars).where(c.id == claimed.id, c.lease == claimed.lease)
    return bool(db.execute(mine.values(lease="", lease_until=None, **values)).rowcount)


def put_times(db: Connection, calendar_id: int, busy: Mapping[str, Iterable[tuple[int, int]]]) -> None:
    """`busy`: spans in seconds since 1970 by kind; no two begin at the same moment."""
    db.execute(delete(t.busy_times).where(t.busy_times.c.calendar_id == calendar_id))
    found = [
        {"calendar_id": calendar_id, "starts": _instant(start), "ends": _instant(end), "kind": kind}
        for kind, spans in busy.items()
        for start, end in spans
    ]
    with adding(db) as rows:
        rows.add(t.busy_times, found)


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


# --- for suggestions


@dataclass(frozen=True, slots=True)
class Occupied:
    """What the calendars of one person, or of a city as a whole (`email_key` empty), say of a range of time.

    `spans`: start, end, kind (busy, tentative), by start. `is_stale`: of one of them nothing is known that still counts
    for the whole range, so hours without a span are not free but unknown. `fetched_at`: how old the oldest is; None:
    one was never read.
    """

    city: str
    email_key: str
    spans: tuple[tuple[datetime, datetime, str], ...]
    is_stale: bool
    fetched_at: datetime | None


def busy(
    db: Connection, emails: Sequence[str], cities: Sequence[str], since: datetime, until: datetime, now: datetime
) -> list[Occupied]:
    """By owner, for those who have a calendar: people by their addresses as compared, and the cities themselves."""
    c, p, b = t.calendars.c, t.people.c, t.busy_times.c
    joined = t.calendars.outerjoin(t.people, c.person_id == p.id)
    asked = or_(and_(c.person_id.is_(None), c.city.in_(cities)), and_(p.email_key.in_(emails), p.disabled_at.is_(None)))
    query = select(*_COLUMNS, func.coalesce(p.email_key, "").label("email_key")).select_from(joined).where(asked)
    owners: dict[tuple[str, str], list[Calendar]] = {}
    for row in db.execute(query.order_by(c.id)).mappings():
        calendar = Calendar(**{name: row[name] for name in Calendar.__dataclass_fields__})
        owners.setdefault((calendar.city, row["email_key"]), []).append(calendar)
    ids = [calendar.id for found in owners.values() for calendar in found]
    spans: dict[int, list[tuple[datetime, datetime, str]]] = {}
    times = select(t.busy_times).where(b.calendar_id.in_(ids), b.starts < until, b.ends > since).order_by(b.starts)
    for time in db.execute(times) if ids else ():
        spans.setdefault(time.calendar_id, []).append((time.starts, time.ends, time.kind))
    return [_occupied(owner, found, spans, until, now) for owner, found in owners.items()]


def _occupied(
    owner: tuple[str, str],
    found: Sequence[Calendar],
    spans: Mapping[int, list[tuple[datetime, datetime, str]]],
    until: datetime,
    now: datetime,
) -> Occupied:
    read = [calendar.fetched_at for calendar in found if calendar.fetched_at]
    return Occupied(
        *owner,
        spans=tuple(sorted(span for calendar in found for span in spans.get(calendar.id, ()))),
        is_stale=any(c.is_stale(now) or c.known_until is None or c.known_until < until for c in found),
        fetched_at=min(read) if len(read) == len(found) else None,
    )
