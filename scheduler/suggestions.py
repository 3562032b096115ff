"""Suggestions of slots: loads the cities, their closures and the busy time, and lets the core find."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

from scheduler import public_holidays
from scheduler.core import hours, zones
from scheduler.core.cities import City, Closure, Directory
from scheduler.core.errors import Fault, Invalid
from scheduler.core.meeting import email_key
from scheduler.core.slots import Suggestions, Unknown, closure_years, find_slots
from scheduler.db import calendars, meetings
from scheduler.db import directory as cities
from scheduler.desk import Desk


@dataclass(frozen=True, slots=True)
class Wanted:
    """`since` and `until` are inclusive local dates of the first city. `limit` None: every slot.

    `people` are addresses whose other meetings, and `room` a room whose other bookings, are busy time.
    """

    cities: tuple[str, ...]
    since: date
    until: date
    duration_minutes: int
    limit: int | None = 20
    step_minutes: int = 15
    people: tuple[str, ...] = ()
    room: str = ""
    without: int = 0  # a meeting to leave out of the busy time: the one that is to be moved


def suggest(desk: Desk, wanted: Wanted) -> Suggestions:
    """Raises Invalid for unknown cities or rooms, a reversed or too long range, and senseless lengths."""
    with desk.store.read() as db:
        directory = cities.load(db)
        chosen = _chosen(wanted, directory)
        taken = meetings.busy(
            db,
            emails=[email_key(p) for p in wanted.people],
            room=wanted.room,
            since=_range(wanted)[0],
            until=_range(wanted)[1],
            without=wanted.without,
        )
        others = calendars.busy(db, [email_key(p) for p in wanted.people], wanted.cities, *_range(wanted), desk.now())
        taken += [(owner.city, start, end) for owner in others for start, end, _ in owner.spans]
    busy: dict[str, list[tuple[datetime, datetime]]] = {}
    for slug, start, end in taken:
        # Whoever is busy counts for their own city; somebody of a city that is not asked for, for the first one.
        busy.setdefault(slug if slug in wanted.cities else wanted.cities[0], []).append((start, end))
    found = find_slots(
        chosen,
        {city.slug: closed_days(city, wanted.since, wanted.until) for city in chosen},
        wanted.since,
        wanted.until,
        wanted.duration_minutes,
        now=desk.now(),
        step_minutes=wanted.step_minutes,
        limit=wanted.limit,
        busy=busy,
    )
    unknown = tuple(Unknown(owner.city, owner.email_key, owner.fetched_at) for owner in others if owner.is_stale)
    return replace(found, unknown=unknown)


def _range(wanted: Wanted) -> tuple[datetime, datetime]:
    """The dates as time, on whatever clock."""
    since = datetime.combine(wanted.since, time(), UTC) - timedelta(days=min(2, _days_since_start(wanted.since)))
    until = datetime.combine(wanted.until, time(), UTC) + timedelta(days=min(2, _days_to_end(wanted.until)))
    return since, until


def closed_days(city: City, since: date, until: date) -> dict[date, Closure]:
    """The local days on which the city is closed, in the years of the range and a day around it."""
    return hours.closed_days(city, public_holidays.closures(city.country, closure_years(since, until)))


def data_versions() -> dict[str, str]:
    return {"tz": zones.tz_version(), "holidays": public_holidays.data_version()}


def _chosen(wanted: Wanted, directory: Directory) -> Sequence[City]:
    faults = [
        Fault(f"/cities/{index}", "unknown-city", {"city": slug})
        for index, slug in enumerate(wanted.cities)
        if slug not in directory.cities
    ]
    if wanted.room and wanted.room not in directory.rooms:
        faults.append(Fault("/room", "unknown-room", {"room": wanted.room}))
    if not wanted.cities:
        faults.append(Fault("/cities", "no-cities"))
    if faults:
        raise Invalid(*faults)
    return [directory.cities[slug] for slug in dict.fromkeys(wanted.cities)]


def _days_since_start(day: date) -> int:
    return (day - date.min).days


def _days_to_end(day: date) -> int:
    return (date.max - day).days
