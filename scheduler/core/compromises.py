"""What to give up if nothing fits: each single relaxation that would give slots, and how many.

- hours: one city begins 30 minutes earlier, or ends 30 minutes later, than all it allows so far, if those are not at
  night; lunch stays;
- optional: one required person is made optional;
- later: the same number of days, one week later;
- shorter: the longest meeting, in quarters of an hour, that fits.

Nothing else changes in any of them. What a city's extended hours or one person's calendar would open is counted from
the same numbers as the search, less that city's or that person's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np

from scheduler.core.calendars import Calendar
from scheduler.core.cities import BY_DAYLIGHT, City, Minutes, WeeklyHours
from scheduler.core.hours import DAY_MINUTES, MARGIN, Days
from scheduler.core.search import Grid, Search
from scheduler.core.spans import Array, Spans

MORE_MINUTES = 30
QUARTER = 15
WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Compromise:
    """`kind`: hours, optional, later, shorter. It would give so many `slots`, the soonest at `first`.

    `minutes` for hours: by how much later the city ends (or earlier, then negative, it begins); for shorter: the
    length. `person` is an attendee's key. `days` for later.
    """

    kind: str
    slots: int
    first: datetime
    city: str | None = None
    person: str | None = None
    minutes: int = 0
    days: int = 0


def compromises(search: Search, latest: date) -> list[Compromise]:
    """Those that give any slot; nothing is searched after `latest`."""
    taken = search.taken()
    return [*_hours(search, taken), *_optional(search, taken), *_later(search, latest), *_shorter(search)]


def _compromise(kind: str, starts: Array, **more: Any) -> Iterator[Compromise]:
    if len(starts):
        first = datetime.fromtimestamp(int(starts[0]), UTC)
        yield Compromise(kind, len(starts), first, **more)


def _hours(search: Search, taken: Array) -> Iterator[Compromise]:
    for calendar in search.calendars:
        others = taken - search.taken_by_city(calendar)
        for minutes in (-MORE_MINUTES, MORE_MINUTES):
            longer = _closed(search, calendar, _longer(calendar.city, minutes))
            starts = search.grid.starts[others + search.taken_by_closings(longer) == 0]
            yield from _compromise("hours", starts, city=calendar.city.slug, minutes=minutes)


def _closed(search: Search, calendar: Calendar, city: City) -> Spans:
    """When the calendar's city would be closed near the days searched if it were `city`."""
    days = Days(calendar.closures, search.grid.since - MARGIN, search.grid.until + MARGIN, calendar.clock)
    return days.spans([*days.office_weeks(city), (city.stretch, days.everyday())]).gaps()


def _longer(city: City, minutes: int) -> City:
    """`city` open so much longer at the end, or the beginning (negative), of its days."""

    def week(weekly: WeeklyHours) -> WeeklyHours:
        return tuple(own + _more(own + stretch, minutes) for own, stretch in zip(weekly, city.stretch, strict=True))

    seasons = tuple(replace(season, hours=week(season.hours)) for season in city.seasons)
    return replace(city, hours=week(city.hours), seasons=seasons)


def _more(day: tuple[Minutes, ...], minutes: int) -> tuple[Minutes, ...]:
    if not day:
        return ()
    start = min(start for start, _ in day) + minutes if minutes < 0 else max(end for _, end in day)
    by_daylight = BY_DAYLIGHT[0] <= start % DAY_MINUTES <= BY_DAYLIGHT[1] - MORE_MINUTES
    return ((start, start + MORE_MINUTES),) if by_daylight else ()


def _optional(search: Search, taken: Array) -> Iterator[Compromise]:
    for place, who in enumerate(search.attendees):
        if who.required and not who.room:
            starts = search.grid.starts[taken - search.taken_by(place) == 0]
            yield from _compromise("optional", starts, person=who.key)


def _later(search: Search, latest: date) -> Iterator[Compromise]:
    since, until = search.grid.since + WEEK, search.grid.until + WEEK
    if until <= latest:
        grid = Grid.of(search.calendars[0].clock, since, until, search.grid.step)
        yield from _compromise("later", replace(search, grid=grid).free_starts(), days=WEEK.days)


def _shorter(search: Search) -> Iterator[Compromise]:
    starts = search.grid.starts[search.grid.starts >= search.notice]
    room = _free(search).room(starts)
    minutes = min(int(room.max(initial=0)) // 60 // QUARTER * QUARTER, DAY_MINUTES)
    if minutes:
        yield from _compromise("shorter", starts[room >= minutes * 60], minutes=minutes)


def _free(search: Search) -> Spans:
    """The time that everybody has in common."""
    starts, ends = (np.concatenate(bounds) for bounds in zip(*search.closed_or_busy(), strict=True))
    return Spans.merged(starts, ends).gaps()
