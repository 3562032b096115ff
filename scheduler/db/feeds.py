"""Feeds, the calendar entries that they are joined of, and the stamps that tell whether anything changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Select, Update, and_, bindparam, case, delete, exists, func, or_, select, update

from scheduler.db import direct
from scheduler.db import tables as t
from scheduler.db.engine import added

Span = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Feed:
    """A calendar of the meetings in which `city` takes part, narrowed by `kind` and `key`.

    `key` is a city's slug, a field's code, the slugs of a partnership with "+" between, or a person's address as
    addresses are compared (`email_key`): whoever is only invited is no row of people.
    """

    id: int
    kind: str
    key: str
    city: str
    language: str
    owner_id: int
    created_at: datetime


def add(db: Connection, feed: Mapping[str, Any], token_hash: str) -> int:
    return added(db, t.feeds, {**feed, "token_hash": token_hash})


def by_token(db: Connection, token_hash: str) -> tuple[Feed, int] | None:
    """The feed, unless it was revoked, and the stamp of its city's calendar: all that a conditional request needs."""
    query = select(t.feeds, t.cities.c.calendar_stamp).join(t.cities, t.feeds.c.city == t.cities.c.slug)
    row = db.execute(query.where(t.feeds.c.token_hash == token_hash, t.feeds.c.revoked_at.is_(None))).one_or_none()
    return (_feed(row), row.calendar_stamp) if row else None


def listed(db: Connection, city: str = "") -> list[Feed]:
    """The feeds of a city's meetings, or all, that were not revoked, oldest first."""
    query = select(t.feeds).where(t.feeds.c.revoked_at.is_(None)).order_by(t.feeds.c.id)
    if city:
        query = query.where(t.feeds.c.city == city)
    return [_feed(row) for row in db.execute(query)]


def revoke(db: Connection, feed_id: int, city: str, now: datetime) -> bool:
    """False when there is no such feed of the city's meetings (of any city: empty), or it was revoked before."""
    f = t.feeds.c
    open_ = and_(f.id == feed_id, f.revoked_at.is_(None), *([f.city == city] if city else []))
    return bool(db.execute(update(t.feeds).where(open_).values(revoked_at=now)).rowcount)


def revoke_of_person(db: Connection, person_id: int, now: datetime) -> None:
    """Ends the feeds that the person made, and those of the person's own meetings."""
    f, p = t.feeds.c, t.people.c
    email_key = select(p.email_key).where(p.id == person_id).scalar_subquery()
    theirs = or_(f.owner_id == person_id, and_(f.kind == "person", f.key == email_key))
    db.execute(update(t.feeds).where(theirs, f.revoked_at.is_(None)).values(revoked_at=now))


@dataclass(frozen=True, slots=True)
class Reader:
    """Whose meetings a feed shows: somebody of ours, or somebody who is only invited."""

    name: str
    city: str
    language: str


def reader(db: Connection, email_key: str, city: str = "") -> Reader | None:
    """The person with this address: of the directory unless disabled, else as last invited by, or with, `city`."""
    p, i, m = t.people.c, t.invitations.c, t.meetings.c
    row = db.execute(select(p.name, p.city, p.language, p.disabled_at).where(p.email_key == email_key)).one_or_none()
    if row is not None:
        return None if row.disabled_at else Reader(row.name, row.city, row.language)
    query = select(i.name, i.city, i.language).join(t.meetings, i.meeting_id == m.id).where(i.email_key == email_key)
    query = query.where(i.removed_at.is_(None), *([_takes_part(city)] if city else []))
    invited = db.execute(query.order_by(m.starts.desc(), m.id.desc()).limit(1)).one_or_none()
    return Reader(invited.name, invited.city, invited.language) if invited else None


def _feed(row: Any) -> Feed:
    return Feed(row.id, row.kind, row.key, row.city, row.language, row.owner_id, row.created_at)


# --- the entries of meetings


def put_entries(db: Connection, meeting_id: int, zone: str, made_by: str, contents: Mapping[str, bytes]) -> None:
    """The meeting's entries by language, in the place of those that were there."""
    db.execute(delete(t.calendar_entries).where(t.calendar_entries.c.meeting_id == meeting_id))
    with direct.adding(db) as rows:
        add_entries(rows, meeting_id, zone, made_by, contents)


def add_entries(rows: direct.Rows, meeting_id: int, zone: str, made_by: str, contents: Mapping[str, bytes]) -> None:
    """The rows of a meeting that has none yet."""
    same = {"meeting_id": meeting_id, "zone": zone, "made_by": made_by}
    found = [{**same, "language": language, "content": content} for language, content in contents.items()]
    rows.add(t.calendar_entries, found)


def stamp(db: Connection, cities: Iterable[str], now: datetime) -> None:
    """Marks the calendars of the cities as changed.

    A stamp is the second of the change, or the one after the last stamp, so that two changes within a second are two
    stamps: it is what Last-Modified says, and no reader may take the older state for the newer.
    """
    found = {f"city{place}": city for place, city in enumerate(sorted(cities))}
    if not found:
        return
    direct.run(db, _stamp_of(len(found)), {**found, "second": int(now.timestamp())})


@lru_cache(maxsize=128)
def _stamp_of(number: int) -> Update:
    """The statement for so many cities, named in order."""
    stamp = t.cities.c.calendar_stamp
    second: Any = bindparam("second")
    wanted = t.cities.c.slug.in_([bindparam(f"city{place}") for place in range(number)])
    return update(t.cities).where(wanted).values(calendar_stamp=case((stamp >= second, stamp + 1), else_=second))


def without_entries(db: Connection, made_by: str, limit: int) -> list[int]:
    """Meetings that have no entries, or only such as were made by another version or configuration."""
    e = t.calendar_entries.c
    current = exists().where(e.meeting_id == t.meetings.c.id, e.made_by == made_by)
    return list(db.scalars(select(t.meetings.c.id).where(~current).order_by(t.meetings.c.id).limit(limit)))


# --- what a feed holds


@dataclass(frozen=True, slots=True)
class Held:
    """The entries of a feed in their order, None where a meeting has none; `spans` by zone, of those there are."""

    meeting_ids: Sequence[int]
    contents: Sequence[bytes | None]
    spans: Mapping[str, Span]


def held(db: Connection, feed: Feed, made_by: str, cancelled_since: datetime) -> Held:
    """The meetings of the feed by start; cancelled ones only if they were cancelled at `cancelled_since` or later."""
    m, e = t.meetings.c, t.calendar_entries.c
    current = and_(e.meeting_id == m.id, e.language == feed.language, e.made_by == made_by)
    joined = t.meetings.outerjoin(t.calendar_entries, current)
    wanted = and_(or_(m.status != "cancelled", m.cancelled_at >= cancelled_since), *_belongs(feed))
    rows = db.execute(select(m.id, e.content).select_from(joined).where(wanted).order_by(m.starts, m.id)).all()
    zones: Select[Any] = select(e.zone, func.min(m.starts), func.max(m.ends)).select_from(joined)
    spans = db.execute(zones.where(wanted, e.zone != "").group_by(e.zone))
    return Held(
        [row[0] for row in rows],
        [row[1] for row in rows],
        {zone: (since, until) for zone, since, until in spans},
    )


def _belongs(feed: Feed) -> list[Any]:
    """The conditions under which a meeting belongs to the feed."""
    m, i = t.meetings.c, t.invitations.c
    conditions = [_takes_part(feed.city)]
    match feed.kind:
        case "field":
            conditions.append(m.field == feed.key)
        case "person":
            invited = exists().where(i.meeting_id == m.id, i.email_key == feed.key, i.removed_at.is_(None))
            conditions.append(invited)
        case _:  # a city, or the two of a partnership
            conditions += [_takes_part(slug) for slug in feed.key.split("+") if slug != feed.city]
    return conditions


def _takes_part(city: str) -> Any:
    p = t.participations.c
    return exists().where(p.meeting_id == t.meetings.c.id, p.city == city)
