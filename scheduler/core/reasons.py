"""Why a date has no slot.

In this order: the cities that are closed all through the day's window, each by its own local day; else the cities
whose busy time takes the hours in common; else that these hours are past or too close (notice); else the cities whose
half day takes them; else that the cities, though open, have no hours in common. Stretch hours count as open.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np

from scheduler.core import hours, spans
from scheduler.core.calendars import Calendar
from scheduler.core.cities import Closure, Minutes
from scheduler.core.search import Search
from scheduler.core.spans import Array, Bounds, Mask, Span, Spans
from scheduler.core.words import NOTHING, Wording


@dataclass(frozen=True, slots=True)
class Excluded:
    """Why `day` (of the first city) has no slot.

    `reason`: weekend, holiday, half-day, municipal, busy, notice, no-common-hours. `name` is the closure's, if any.
    """

    day: date
    city: str | None
    reason: str
    name: Wording = NOTHING


def excluded(search: Search, found: Array) -> Iterator[Excluded]:
    """The reasons of each day on which none of the starts `found` lies."""
    with_slots = set(search.grid.days(found).tolist())
    without = [number for number in range(len(search.grid)) if number not in with_slots]
    if without:
        reasons = _Reasons(search)
        for number in without:
            yield from reasons.of(number)


class _Reasons:
    """The reasons of a search, by the number of a day."""

    def __init__(self, search: Search) -> None:
        self._search = search
        self._open = search.open_starts()
        self._days = search.grid.days(self._open)
        self._closings = [_Closings(calendar) for calendar in search.calendars]
        self._room = [_days_with_room(search, calendar) for calendar in search.calendars]
        self._blocked = dict(_blocked(search, self._open))
        self._longer: dict[str, Spans] = {}

    def of(self, number: int) -> list[Excluded]:
        day, window = self._search.grid.day(number), self._window(number)
        if window[0] == window[1]:  # a day that the first city's clock skips
            return [Excluded(day, None, "no-common-hours")]
        if closed := list(self._closed(number, window)):
            return [Excluded(day, *reason) for reason in closed]
        low, high = np.searchsorted(self._days, [number, number + 1])
        if low == high:
            taken = [Excluded(day, *reason) for reason in self._half_days(window)]
            return taken or [Excluded(day, None, "no-common-hours")]
        return [Excluded(day, city, reason) for city, reason in self._taken(slice(low, high))]

    def _window(self, number: int) -> Span:
        return int(self._search.grid.bounds[number]), int(self._search.grid.bounds[number + 1])

    def _closed(self, number: int, window: Span) -> Iterator[tuple[str, str, Wording]]:
        """The closings of the cities that have no room for the meeting in the window, whatever the others do."""
        for calendar, room, closings in zip(self._search.calendars, self._room, self._closings, strict=True):
            if not room[number] and (closing := closings.of(window)):
                yield calendar.city.slug, *closing

    def _taken(self, there: slice) -> list[tuple[str | None, str]]:
        """Who or what takes the open starts of a day."""
        ahead = self._open[there] >= self._search.notice
        blocked = {city: mask[there] for city, mask in self._blocked.items()}
        if not ahead.any() and not np.logical_or.reduce(list(blocked.values()) or [ahead]).all():
            return [(None, "notice")]
        wanted = ahead if ahead.any() else ~ahead
        alone = [city for city, mask in blocked.items() if mask[wanted].all()]
        return [(city, "busy") for city in alone or [c for c, mask in blocked.items() if mask[wanted].any()]]

    def _half_days(self, window: Span) -> list[tuple[str, str, Wording]]:
        """The cities whose partial closure takes the hours that the cities would have in common."""
        near = window[0], window[1] + self._search.length
        found = {calendar.city.slug: _partial_closure(calendar, near) for calendar in self._search.calendars}
        partial = {slug: closure for slug, closure in found.items() if closure}
        starts = self._search.grid.starts
        starts = starts[slice(*np.searchsorted(starts, window))]

        def opened(*slugs: str) -> bool:
            allowed = [
                self._without_partial_closures(calendar) if calendar.city.slug in slugs else calendar.closed
                for calendar in self._search.calendars
            ]
            closed = [gaps.between(*near).bounds for gaps in allowed]
            return not spans.overlaps(starts, self._search.length, closed).all()

        alone = [slug for slug in partial if opened(slug)]
        to_blame = alone or (list(partial) if partial and opened(*partial) else [])
        return [(slug, partial[slug].kind, partial[slug].name) for slug in to_blame]

    def _without_partial_closures(self, calendar: Calendar) -> Spans:
        """When the city would be closed all the same."""
        slug = calendar.city.slug
        if slug not in self._longer:
            whole = {day: closure for day, closure in calendar.closures.items() if not closure.start}
            self._longer[slug] = Calendar.of(calendar.city, whole, calendar.years).closed
        return self._longer[slug]


def _days_with_room(search: Search, calendar: Calendar) -> Mask:
    """On which days of the grid the city alone could hold the meeting."""
    starts = search.grid.starts[search.taken_by_city(calendar) == 0]
    return np.bincount(search.grid.days(starts), minlength=len(search.grid)) > 0


def _blocked(search: Search, starts: Array) -> Iterator[tuple[str | None, Mask]]:
    """By city, which starts the busy time of its required people and rooms takes; None: of cities that take no part."""
    slugs = [calendar.city.slug for calendar in search.calendars]
    taken: dict[str | None, list[Bounds]] = {}
    for who, busy in zip(search.attendees, search.busy, strict=True):
        if who.required:
            taken.setdefault(who.city if who.city in slugs else None, []).append(busy)
    for city, bounds in taken.items():
        yield city, spans.overlaps(starts, search.length, bounds) > 0


class _Closings:
    """Why a city is closed, by its local day; each found out once."""

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar
        self._usual: dict[object, Minutes] = {}
        self._found: dict[date, tuple[str, Wording] | None] = {}

    def of(self, window: Span) -> tuple[str, Wording] | None:
        """The closing of the local day most of whose usual hours lie in the window, else of another one."""
        return next((found for day in self._local_days(window) if (found := self._of_day(day))), None)

    def _local_days(self, window: Span) -> list[date]:
        """The city's local days whose usual hours reach into `window`, the one with most of them first."""
        clock, shares = self._calendar.clock, []
        for day in clock.days(window):
            opens, closes = self._usual_minutes(day)
            midnight = hours.wall_midnight(day)
            start, end = clock.instant(midnight + opens * 60), clock.instant(midnight + closes * 60)
            shares.append((min(end, window[1]) - max(start, window[0]), day))
        return [day for share, day in sorted(shares, key=lambda entry: -entry[0]) if share > 0]

    def _usual_minutes(self, day: date) -> Minutes:
        season = day if self._calendar.city.seasons else None  # without any, all weeks are alike
        if season not in self._usual:
            self._usual[season] = hours.usual_minutes(self._calendar.city, day)
        return self._usual[season]

    def _of_day(self, day: date) -> tuple[str, Wording] | None:
        """Reason and name, if the city's hours of its local `day` are missing or cut."""
        if day not in self._found:
            self._found[day] = self._closing(day)
        return self._found[day]

    def _closing(self, day: date) -> tuple[str, Wording] | None:
        intervals = hours.open_minutes(self._calendar.city, day)
        if not intervals:
            return "weekend", NOTHING
        closure = self._calendar.closures.get(day)
        return (closure.kind, closure.name) if closure and closure.start < intervals[-1][1] else None


def _partial_closure(calendar: Calendar, within: Span) -> Closure | None:
    found = (calendar.closures.get(day) for day in calendar.clock.days(within))
    return next((closure for closure in found if closure and closure.start), None)
