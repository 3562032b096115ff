"""Where a meeting can start: the grid of possible starts, less all that any city's closing or anybody's time takes.

The days asked for are local days of the first city. Each is a window of time, from that city's midnight to its next; a
start belongs to the window it lies in, and to the grid if that city's wall clock then shows a multiple of the step
since midnight. What keeps a meeting away is counted for all starts in one pass (`spans.overlaps`), so that time grows
with the days and with the number of intervals, not with their product.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from scheduler.core import hours, spans
from scheduler.core.calendars import Calendar
from scheduler.core.cities import City
from scheduler.core.errors import Fault
from scheduler.core.hours import Clock
from scheduler.core.spans import Array, Bounds, Mask, Span, Spans


@dataclass(frozen=True, slots=True)
class Attendee:
    """A person whose busy time counts, or (`room`) a room or a city as a whole. `city` may be one that does not take
    part; then it has no buffer.

    Only a required one keeps a meeting away.
    """

    key: str
    city: str
    required: bool = True
    busy: Sequence[Span] = ()
    room: bool = False


def city_faults(cities: Sequence[City]) -> list[Fault]:
    """Why nothing can be searched for these cities: there are none, or one is never open."""
    faults = [] if cities else [Fault("/cities", "no-cities")]
    for index, city in enumerate(cities):
        if not any(any(weekly) for weekly in (city.hours, *(season.hours for season in city.seasons))):
            faults.append(Fault(f"/cities/{index}", "no-office-hours", {"city": city.slug}))
    return faults


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """All starts that the step allows, sorted, by day. `bounds` are the midnights around the days, one more than these.

    A day that the clock skips is empty.
    """

    since: date
    until: date
    step: int  # in seconds
    bounds: Array
    starts: Array

    @classmethod
    def of(cls, clock: Clock, since: date, until: date, step: int) -> Grid:
        midnights = hours.wall_midnights(since, until + timedelta(days=1))
        bounds = clock.instants(midnights)
        parts = [np.empty(0, np.int64)]
        for begin, finish, offset in clock.stretches((int(bounds[0]), int(bounds[-1]))):
            low, high = np.maximum(bounds[:-1], begin), np.minimum(bounds[1:], finish)
            first = low + (midnights[:-1] - offset - low) % step
            parts.append(_ranges(first, np.maximum(high - first + step - 1, 0) // step, step))
        return cls(since, until, step, bounds, np.concatenate(parts))

    def days(self, starts: Array) -> Array:
        """The number of the day that each start belongs to, 0 for the first."""
        found: Array = np.searchsorted(self.bounds, starts, "right") - 1
        return found

    def day(self, number: int) -> date:
        return self.since + timedelta(days=number)

    def __len__(self) -> int:
        return len(self.bounds) - 1


def _ranges(first: Array, counts: Array, step: int) -> Array:
    """`counts` numbers from each `first` on, `step` apart, one after the other."""
    before = np.cumsum(counts) - counts
    found: Array = np.repeat(first - before * step, counts) + np.arange(counts.sum()) * step
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Search:
    """A search laid out. `busy` is each attendee's time with buffers; `length` in seconds.

    `notice` is the first second at which anything may start.
    """

    calendars: tuple[Calendar, ...]
    attendees: tuple[Attendee, ...]
    busy: tuple[Bounds, ...]
    grid: Grid
    length: int
    notice: int

    @classmethod
    def of(
        cls,
        calendars: Sequence[Calendar],
        attendees: Iterable[Attendee],
        since: date,
        until: date,
        minutes: int,
        step: int,
        now: int,
    ) -> Search:
        """`step` in minutes; `now` is the first second that has not begun."""
        unique = tuple({calendar.city.slug: calendar for calendar in calendars}.values())
        cities = {calendar.city.slug: calendar.city for calendar in unique}
        attending = tuple(attendees)
        busy = tuple(_widened(attendee, cities.get(attendee.city)) for attendee in attending)
        grid = Grid.of(unique[0].clock, since, until, step * 60)
        notice = now + max(city.notice_hours for city in cities.values()) * 3600
        return cls(unique, attending, busy, grid, minutes * 60, notice)

    def open_starts(self) -> Array:
        """The starts at which every city has room for the meeting, whoever is busy and whatever the time is now."""
        open_: Array = self.grid.starts[self._overlaps(map(self._closed, self.calendars)) == 0]
        return open_

    def free_starts(self) -> Array:
        """The starts at which the meeting can be held."""
        free: Array = self.grid.starts[self.taken() == 0]
        return free

    def taken(self) -> Array:
        """How much keeps the meeting away from each start of the grid: closings, busy time of the required, notice."""
        return self._overlaps(self.closed_or_busy()) + (self.grid.starts < self.notice)

    def closed_or_busy(self) -> list[Bounds]:
        required = [busy for who, busy in zip(self.attendees, self.busy, strict=True) if who.required]
        return [*map(self._closed, self.calendars), *required]

    def taken_by_city(self, calendar: Calendar) -> Array:
        return self.taken_by_closings(calendar.closed)

    def taken_by_closings(self, closed: Spans) -> Array:
        return self._overlaps([self._near(closed)])

    def taken_by(self, place: int) -> Array:
        """The same for the attendee at that place."""
        return self._overlaps([self.busy[place]])

    def absent(self, starts: Array) -> list[tuple[str, Mask]]:
        """Who of those not required is busy, and at which of the starts."""
        return [
            (who.key, spans.overlaps(starts, self.length, [busy]) > 0)
            for who, busy in zip(self.attendees, self.busy, strict=True)
            if not who.required
        ]

    def _overlaps(self, taken: Iterable[Bounds]) -> Array:
        return spans.overlaps(self.grid.starts, self.length, list(taken))

    def _closed(self, calendar: Calendar) -> Bounds:
        return self._near(calendar.closed)

    def _near(self, closed: Spans) -> Bounds:
        return closed.between(int(self.grid.bounds[0]), int(self.grid.bounds[-1]) + self.length).bounds


def _widened(attendee: Attendee, city: City | None) -> Bounds:
    starts, ends = spans.flat(attendee.busy)
    there = starts < ends
    buffer = city.buffer_minutes * 60 if city else 0
    return starts[there] - buffer, ends[there] + buffer
