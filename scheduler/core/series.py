"""A plan of a standing meeting, to look at before anything is sent.

The same wall time again and again (`rhythm`); another date wherever a city is closed (`planning`); and, if no wall time
lies in the office hours of all cities, a rotation that shares the early and late hours (`rotation`). The wall time is
on the clock of the city of record, and so are the dates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time

from scheduler.core.calendars import Calendar
from scheduler.core.errors import Invalid
from scheduler.core.fairness import unevenness
from scheduler.core.hours import MARGIN
from scheduler.core.planning import Planned, Planner
from scheduler.core.rhythm import Rhythm, check
from scheduler.core.rotation import Ordinary, Rotation, rotation, total
from scheduler.core.search import Attendee, city_faults
from scheduler.core.slots import Unknown


@dataclass(frozen=True, slots=True)
class Plan:
    """`minutes`: what each city bears outside its office hours on all `dates`. `better`: the nearest wall time within
    the office hours of all, if the wanted one is none. `rotation` only if there is no such wall time. `unknown`: of
    whom perhaps more is busy than we know."""

    rhythm: Rhythm
    dates: tuple[Planned, ...]
    minutes: Mapping[str, int]
    better: time | None = None
    rotation: Rotation | None = None
    unknown: tuple[Unknown, ...] = ()


def years(rhythm: Rhythm, now: datetime) -> range:
    """The years of which `plan` needs calendars. Raises Invalid for a rhythm that cannot be planned."""
    check(rhythm, now)
    since, until = rhythm.reach()
    return range((since - MARGIN).year, (until + MARGIN).year + 1)


def plan(
    calendars: Sequence[Calendar],
    rhythm: Rhythm,
    *,
    now: datetime,
    attendees: Sequence[Attendee] = (),
    borne: Mapping[str, int] | None = None,
) -> Plan:
    """`calendars` of `years`, the city of record first. `borne`: the minutes that each city bore in meetings held.

    Raises Invalid.
    """
    check(rhythm, now)
    if faults := city_faults([calendar.city for calendar in calendars]):
        raise Invalid(*faults)
    unique = tuple({calendar.city.slug: calendar for calendar in calendars}.values())
    planner, at = Planner(unique, rhythm, now, attendees), rhythm.wall.time()
    dates = tuple(planner.planned(number, at) for number in range(rhythm.count))
    minutes, ordinary = total(planner, dates), Ordinary(planner)
    comfortable = ordinary.comfortable()
    if comfortable:
        return Plan(rhythm, dates, minutes, None if at in comfortable else comfortable[0])
    turns = rotation(planner, ordinary.turns(), borne or {})
    return Plan(
        rhythm, dates, minutes, rotation=turns if turns and _helps(turns, dates, minutes, borne or {}) else None
    )


def _helps(turns: Rotation, dates: Sequence[Planned], minutes: Mapping[str, int], borne: Mapping[str, int]) -> bool:
    """Whether more dates can be held, or what the cities bear is shared more evenly."""
    missing = sum(planned.occasion is None for planned in dates)
    missing_still = sum(planned.occasion is None for _, planned in turns.dates)
    return (missing_still, unevenness(borne, turns.minutes)) < (missing, unevenness(borne, minutes))
