"""Suggestions of slots: loads the cities, their closures and the busy time, and lets the core find."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from functools import lru_cache

from scheduler import public_holidays
from scheduler.core import closures, zones
from scheduler.core.calendars import Calendar
from scheduler.core.cities import City, Closure, Directory
from scheduler.core.errors import Fault, Invalid
from scheduler.core.search import Attendee
from scheduler.core.slots import Suggestions, Unknown, busy_spans, closure_years, find_slots
from scheduler.core.words import email_key
from scheduler.db import calendars, fairness, meetings
from scheduler.db import directory as cities
from scheduler.db.engine import Connection
from scheduler.desk import Desk

# Busy time is loaded from so many days before the dates asked for until so many after: buffers, meetings that run into
# the next day, and the week later that may be offered.
_BEFORE, _AFTER = 2, 10


@dataclass(frozen=True, slots=True)
class Wanted:
    """`since` and `until` are inclusive local dates of the first city. `limit` None: every slot.

    `people` are addresses whose other meetings, and `room` a room whose other bookings, are busy time. Those of the
    `optional` people keep no slot away.
    """

    cities: tuple[str, ...]
    since: date
    until: date
    duration_minutes: int
    limit: int | None = 20
    step_minutes: int = 15
    people: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    room: str = ""
    without: int = 0  # a meeting to leave out of the busy time: the one that is to be moved


def suggest(desk: Desk, wanted: Wanted) -> Suggestions:
    """Raises Invalid for unknown cities or rooms, a reversed or too long range, and senseless lengths."""
    with desk.store.read() as db:
        directory = cities.load(db)
        chosen = chosen_cities(wanted, directory)
        attending, unknown = attendees(db, wanted, desk.now())
        borne = fairness.borne(db, [city.slug for city in chosen])
    years = closure_years(wanted.since, wanted.until)
    found = find_slots(
        [calendar(city, years) for city in chosen],
        wanted.since,
        wanted.until,
        wanted.duration_minutes,
        now=desk.now(),
        step_minutes=wanted.step_minutes,
        limit=wanted.limit,
        attendees=attending,
        borne=borne,
    )
    return replace(found, unknown=unknown)


def attendees(db: Connection, wanted: Wanted, now: datetime) -> tuple[list[Attendee], tuple[Unknown, ...]]:
    """Who is busy when, of the people, the room and the cities that are wanted; and of whom nobody knows well."""
    people = [email_key(person) for person in (*wanted.people, *wanted.optional)]
    since, until = _days_from(wanted.since, -_BEFORE), _days_from(wanted.until, _AFTER)
    taken = meetings.busy(db, emails=people, room=wanted.room, since=since, until=until, without=wanted.without)
    others = calendars.busy(db, people, list(dict.fromkeys(wanted.cities)), since, until, now)
    unknown = (Unknown(owner.city, owner.email_key, owner.fetched_at) for owner in others if owner.is_stale)
    return _attendees(wanted, cities.cities_of(db, people), taken, others), tuple(unknown)


def closed_days(city: City, years: range) -> dict[date, Closure]:
    """The local days on which the city is closed."""
    return closures.closed_days(city, public_holidays.closures(city.country, years))


def calendar(city: City, years: range) -> Calendar:
    """The city's clock, closures and hours of whole years."""
    return _calendar(city, tuple(closed_days(city, years).values()), years)


@lru_cache(maxsize=256)
def _calendar(city: City, closed: tuple[Closure, ...], years: range) -> Calendar:
    """Kept, because every search in the same years asks for the same; a city or closure that changes is another."""
    return Calendar.of(city, {closure.day: closure for closure in closed}, years)


def _attendees(
    wanted: Wanted,
    own: Mapping[str, str],
    taken: Iterable[tuple[str, str, datetime, datetime]],
    others: Iterable[calendars.Occupied],
) -> list[Attendee]:
    """Each of those who are busy once, also where their meetings name several cities. They count for their `own` city,
    by the directory, else for one that they were invited for, else for the first one."""
    read = [(o.email_key or o.city, o.city, start, end) for o in others for start, end, _ in o.spans]
    busy: dict[str, list[tuple[datetime, datetime]]] = {}
    named: dict[str, set[str]] = {}
    for key, slug, start, end in (*taken, *read):
        busy.setdefault(key, []).append((start, end))
        named.setdefault(key, set()).add(slug)
    not_people = {wanted.room, *wanted.cities}  # what a city as a whole does keeps everybody away
    required = not_people | {email_key(person) for person in wanted.people}
    return [
        Attendee(
            key,
            _city_among(wanted.cities, own.get(key, ""), named[key]),
            required=key in required,
            busy=busy_spans(intervals),
            room=key in not_people,
        )
        for key, intervals in busy.items()
    ]


def _city_among(wanted: Sequence[str], own: str, named: Collection[str]) -> str:
    theirs = [own] if own in wanted else named
    return next((slug for slug in wanted if slug in theirs), wanted[0])


def data_versions() -> dict[str, str]:
    return {"tz": zones.tz_version(), "holidays": public_holidays.data_version()}


def chosen_cities(wanted: Wanted, directory: Directory) -> Sequence[City]:
    """Each once. Raises Invalid."""
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


def _days_from(day: date, days: int) -> datetime:
    """Midnight UTC so many days after `day`, as far as there are days."""
    ordinal = min(max(day.toordinal() + days, date.min.toordinal()), date.max.toordinal())
    return datetime.combine(date.fromordinal(ordinal), time(), UTC)
