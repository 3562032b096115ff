"""Plans of standing meetings: loads the cities, their closures, the busy time and the ledger, and lets the core plan.

A plan is computed anew whenever it is looked at, and stored nowhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from scheduler import suggestions
from scheduler.core import series, zones
from scheduler.core.cities import City
from scheduler.core.errors import Fault, Invalid
from scheduler.core.rhythm import Rhythm
from scheduler.core.series import Plan
from scheduler.db import directory as cities
from scheduler.db import fairness
from scheduler.desk import Desk


@dataclass(frozen=True, slots=True)
class Wanted:
    """`wall` is the first start on the clock of `zone`, that of one of the cities; empty: of the first.

    `people` are addresses whose other meetings, and `room` a room whose other bookings, are busy time.
    """

    cities: tuple[str, ...]
    wall: datetime
    frequency: str
    count: int
    duration_minutes: int
    zone: str = ""
    people: tuple[str, ...] = ()
    room: str = ""


def plan(desk: Desk, wanted: Wanted) -> Plan:
    """Raises Invalid for unknown cities, rooms or zones, and for dates that cannot be planned."""
    now = desk.now()
    with desk.store.read() as db:
        chosen = _home_first(
            suggestions.chosen_cities(_search(wanted, date.min, date.min), cities.load(db)), wanted.zone
        )
        rhythm = Rhythm(wanted.wall, chosen[0].zone, wanted.frequency, wanted.count, wanted.duration_minutes)
        years = series.years(rhythm, now)
        attendees, unknown = suggestions.attendees(db, _search(wanted, *rhythm.reach()), desk.now())
        borne = fairness.borne(db, [city.slug for city in chosen])
    calendars = [suggestions.calendar(city, years) for city in chosen]
    planned = series.plan(calendars, rhythm, now=now, attendees=attendees, borne=borne)
    return replace(planned, unknown=unknown)


def _search(wanted: Wanted, since: date, until: date) -> suggestions.Wanted:
    """What of a plan is the same as of a search: who and which room, between two dates."""
    return suggestions.Wanted(
        wanted.cities, since, until, wanted.duration_minutes, people=wanted.people, room=wanted.room
    )


def _home_first(chosen: Sequence[City], zone: str) -> list[City]:
    """The city of record leads: the first of the zone."""
    if zone and not zones.is_zone(zone):
        raise Invalid(Fault("/zone", "unknown-zone", {"zone": zone}))
    if zone and zone not in {city.zone for city in chosen}:
        raise Invalid(Fault("/zone", "zone-not-participating", {"zone": zone}))
    return sorted(chosen, key=lambda city: city.zone != (zone or chosen[0].zone))
