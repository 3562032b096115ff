"""Taking turns: for cities so far apart that no wall time lies in everybody's office hours.

For each city there is a wall time at which the others bear the least: its turn. A rotation gives every date the turn
after which what the cities bore, in meetings held before and on the dates so far, is shared most evenly.

Whether there is a wall time for all is asked on ordinary days, without closures, on those dates of the series that are
working days of every city.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time

import numpy as np

from scheduler.core import hours
from scheduler.core.calendars import Calendar
from scheduler.core.fairness import unevenness
from scheduler.core.planning import STEP, Planned, Planner
from scheduler.core.spans import Array, Mask

_WALLS = [time(*divmod(minutes, 60)) for minutes in range(0, hours.DAY_MINUTES, STEP)]


@dataclass(frozen=True, slots=True)
class Turn:
    """On the turn of `city` the meeting is `at` that wall time."""

    city: str
    at: time


@dataclass(frozen=True, slots=True)
class Rotation:
    """`dates` each with whose turn it is; `minutes`: what each city bears on all of them."""

    dates: tuple[tuple[Turn, Planned], ...]
    minutes: Mapping[str, int]

    @property
    def turns(self) -> tuple[Turn, ...]:
        return tuple(dict.fromkeys(turn for turn, _ in self.dates))


class Ordinary:
    """What each wall time would cost the cities on the dates of a series if none of them were closed."""

    def __init__(self, planner: Planner) -> None:
        rhythm, at = planner.rhythm, planner.rhythm.wall.time()
        self.walls = sorted({*_WALLS, at})
        self._wanted = at
        self._length = rhythm.duration_minutes * 60
        instants = self._instants(planner.calendars[0], rhythm.dates())
        calendars = [Calendar.of(calendar.city, {}, calendar.years) for calendar in planner.calendars]
        allowed = np.logical_and.reduce([_holds(calendar, instants, self._length) for calendar in calendars])
        office = {calendar.city.slug: calendar.office.covered(instants, self._length) for calendar in calendars}
        at_work = [seconds.any(axis=1) for seconds in office.values()]  # a date in somebody's weekend tells nothing
        common = np.logical_and.reduce([allowed.any(axis=1), *at_work])
        self._allowed: Mask = allowed[common]
        self._burdens = {slug: -((seconds[common] - self._length) // 60) for slug, seconds in office.items()}

    def comfortable(self) -> list[time]:
        """The wall times within everybody's office hours on every date; the nearest to the wanted one first."""
        cost = np.add.reduce(list(self._burdens.values()))
        easy: list[bool] = (cost == 0).all(axis=0).tolist()
        found = [wall for wall, yes in zip(self.walls, easy, strict=True) if yes and len(self._allowed)]
        return sorted(found, key=lambda wall: (_apart(wall, self._wanted), wall))

    def turns(self) -> list[Turn]:
        """The turn of each city; of two with the same wall time only the first."""
        if not len(self._allowed):
            return []
        found: dict[time, str] = {}
        for city in self._burdens:
            found.setdefault(self._turn_of(city), city)
        return [Turn(city, at) for at, city in found.items()]

    def _turn_of(self, city: str) -> time:
        own = self._burdens[city].sum(axis=0)
        others = np.add.reduce(list(self._burdens.values())).sum(axis=0) - own
        held = self._allowed.sum(axis=0)
        best = np.lexsort([[_apart(wall, self._wanted) for wall in self.walls], own, others, -held])[0]
        return self.walls[int(best)]

    def _instants(self, home: Calendar, dates: Sequence[date]) -> Array:
        """By date and wall time."""
        midnights = np.array([hours.wall_midnight(day) for day in dates])
        seconds = np.array([(wall.hour * 60 + wall.minute) * 60 for wall in self.walls])
        return home.clock.instants(midnights[:, None] + seconds[None, :])


def _holds(calendar: Calendar, instants: Array, length: int) -> Mask:
    found: Mask = calendar.allowed.room(instants) >= length
    return found


def _apart(wall: time, other: time) -> int:
    """Minutes between two times of a day, around midnight too."""
    minutes = abs((wall.hour - other.hour) * 60 + wall.minute - other.minute)
    return min(minutes, hours.DAY_MINUTES - minutes)


def rotation(planner: Planner, turns: Sequence[Turn], borne: Mapping[str, int]) -> Rotation | None:
    """`borne`: the minutes that each city bore in meetings held. None unless there are turns to take."""
    if len(turns) < 2:
        return None
    dates = tuple(_taken(planner, turns, Counter(borne)))
    return Rotation(dates, total(planner, [planned for _, planned in dates]))


def total(planner: Planner, dates: Sequence[Planned]) -> dict[str, int]:
    """Minutes that each city bears on all the dates."""
    held = [planned.occasion for planned in dates if planned.occasion]
    slugs = [calendar.city.slug for calendar in planner.calendars]
    return {slug: sum(occasion.burdens[slug] for occasion in held) for slug in slugs}


def _taken(planner: Planner, turns: Sequence[Turn], borne: Counter[str]) -> Iterator[tuple[Turn, Planned]]:
    for number in range(planner.rhythm.count):
        options = [(turn, planner.planned(number, turn.at)) for turn in turns]
        turn, planned = min(options, key=lambda option: _unfair(option[1], borne))
        if planned.occasion:
            borne.update(planned.occasion.burdens)
        yield turn, planned


def _unfair(planned: Planned, borne: Mapping[str, int]) -> tuple[bool, int]:
    return planned.occasion is None, unevenness(borne, planned.occasion.burdens) if planned.occasion else 0
