"""The dates of a series one by one: whether the meeting fits on each, why not, and when it is held instead.

A date on which the meeting does not fit gets a replacement:

1. the nearest day with the same wall time, before or after (of two equally near ones the later), else
2. the nearest day, that date included, with another time; of its times the one that costs least, of these the one
   nearest to the wall time.

A replacement is nearer to its own date than to any other date of the series, so that dates never meet or change places.
A wall time that does not exist on a date, or exists twice, is told and replaced like a closed day.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import partial

import numpy as np

from scheduler.core import hours, obstacles, zones
from scheduler.core.calendars import Calendar
from scheduler.core.errors import Invalid
from scheduler.core.fairness import burdens
from scheduler.core.hours import Clock
from scheduler.core.obstacles import Obstacle
from scheduler.core.rhythm import Rhythm
from scheduler.core.search import Attendee, Grid, Search
from scheduler.core.spans import Array

STEP = 15  # minutes between the other times that are tried
KINDS = ("regular", "other-day", "other-time", "none")
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Occasion:
    """[start, end) in UTC. `local`: its start on each city's clock, the city of record's first; `burdens`: minutes
    outside office hours; `costs`: these times the city's weight."""

    start: datetime
    end: datetime
    local: Mapping[str, datetime]
    burdens: Mapping[str, int]
    costs: Mapping[str, int]

    @property
    def cost(self) -> int:
        return sum(self.costs.values())


@dataclass(frozen=True, slots=True)
class Planned:
    """One date of a series, on the clock of the city of record, with its wall time `at`.

    `kind`, one of KINDS, says what `occasion` is: the regular one, a replacement, or None. `regular` is None where the
    clock does not show the wall time exactly once.
    """

    day: date
    at: time
    kind: str
    occasion: Occasion | None
    regular: Occasion | None
    obstacles: tuple[Obstacle, ...] = ()


class Planner:
    """Plans dates of one rhythm. `calendars`: the city of record first, each city once, of the years around
    `rhythm.reach`."""

    def __init__(
        self, calendars: Sequence[Calendar], rhythm: Rhythm, now: datetime, attendees: Sequence[Attendee] = ()
    ) -> None:
        self.calendars, self.rhythm = tuple(calendars), rhythm
        since, until = rhythm.reach()
        moment = math.ceil(now.timestamp())
        self._search = Search.of(calendars, attendees, since, until, rhythm.duration_minutes, STEP, moment)
        self._walls: dict[time, _Walls] = {}

    def planned(self, number: int, at: time) -> Planned:
        """The date of that number with the wall time `at`."""
        day, walls = self.rhythm.date_of(number), self._at(at)
        start = walls.start(day)
        regular = None if start is None else self.occasion(start)
        if walls.is_free(day):
            return Planned(day, at, "regular", regular, regular)
        return Planned(day, at, *self._replacement(number, walls), regular, self._obstacles(walls, day, regular))

    def occasion(self, instant: int) -> Occasion:
        start = datetime.fromtimestamp(instant, UTC)
        end = start + timedelta(minutes=self.rhythm.duration_minutes)
        borne = burdens(self.calendars, start, end)
        local = {calendar.city.slug: calendar.clock.local(instant) for calendar in self.calendars}
        costs = {calendar.city.slug: borne[calendar.city.slug] * calendar.city.weight for calendar in self.calendars}
        return Occasion(start, end, local, borne, costs)

    def _at(self, at: time) -> _Walls:
        if at not in self._walls:
            self._walls[at] = _Walls(self._search, at)
        return self._walls[at]

    def _obstacles(self, walls: _Walls, day: date, regular: Occasion | None) -> tuple[Obstacle, ...]:
        if regular is None:
            return (Obstacle(self.calendars[0].city.slug, walls.faults[day]),)
        return tuple(obstacles.of(self._search, regular.start, regular.end))

    def _replacement(self, number: int, walls: _Walls) -> tuple[str, Occasion | None]:
        near = list(self._near(number))
        for day in near:
            start = walls.start(day)
            if start is not None and walls.is_free(day):
                return "other-day", self.occasion(start)
        start = self._other_time(near, walls.at)
        return ("none", None) if start is None else ("other-time", self.occasion(start))

    def _near(self, number: int) -> Iterator[date]:
        """The days that are nearer to this date than to another one of the series, nearest first."""
        day = self.rhythm.date_of(number)
        before, after = self.rhythm.neighbours(number)
        yield day
        for distance in range(1, max((day - before).days, (after - day).days) // 2 + 1):
            if 2 * distance < (after - day).days:
                yield day + distance * _DAY
            if 2 * distance < (day - before).days:
                yield day - distance * _DAY

    def _other_time(self, near: Sequence[date], at: time) -> int | None:
        """The best other time on the nearest day that has any."""
        grid = Grid.of(self.calendars[0].clock, min(near), max(near), STEP * 60)
        starts = replace(self._search, grid=grid).free_starts()
        days = grid.days(starts)
        for day in near:
            there: list[int] = starts[days == (day - grid.since).days].tolist()
            if there:
                return min(there, key=partial(self._rank, day, at))
        return None

    def _rank(self, day: date, at: time, start: int) -> tuple[int, timedelta, int]:
        occasion = self.occasion(start)
        local = next(iter(occasion.local.values())).replace(tzinfo=None)
        return occasion.cost, abs(local - datetime.combine(day, at)), start


class _Walls:
    """The instants of one wall time on the clock of the city of record, on all days of the search, and whether the
    meeting fits there. `faults`: the days on which the clock does not show it exactly once, with the error's key."""

    def __init__(self, search: Search, at: time) -> None:
        self.at, self._since = at, search.grid.since
        clock, grid = search.calendars[0].clock, search.grid
        instants = clock.instants(hours.wall_midnights(grid.since, grid.until) + (at.hour * 60 + at.minute) * 60)
        self.faults = dict(self._doubtful(clock, search.calendars[0].city.zone, instants))
        self._starts: list[int] = instants.tolist()
        self._free = self._fitting(search, instants)

    def start(self, day: date) -> int | None:
        return None if day in self.faults else self._starts[(day - self._since).days]

    def is_free(self, day: date) -> bool:
        return day not in self.faults and self._free[(day - self._since).days]

    def _doubtful(self, clock: Clock, zone: str, instants: Array) -> Iterator[tuple[date, str]]:
        """Only near a change of the clock a wall time can be missing or double."""
        around = int(instants[0]) - hours.DAY_SECONDS, int(instants[-1]) + hours.DAY_SECONDS
        for change, _, _ in clock.stretches(around)[1:]:
            for number in np.flatnonzero(np.abs(instants - change) <= hours.DAY_SECONDS).tolist():
                day = self._since + number * _DAY
                try:
                    zones.to_instant(datetime.combine(day, self.at), zone)
                except Invalid as error:
                    yield day, error.faults[0].key

    @staticmethod
    def _fitting(search: Search, instants: Array) -> list[bool]:
        grid = replace(search.grid, starts=instants)  # sorted: a clock never shows the same time of two days disorderly
        free: list[bool] = (replace(search, grid=grid).taken() == 0).tolist()
        return free
