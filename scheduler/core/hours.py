"""When a city is open: its weekly hours on its own clock, less its closures, as spans of time.

Everything is decided by the city's local day; only then does it become UTC. Integers and one table of offsets per
clock keep years of days cheap: their bounds become instants all at once.

A bound of office hours means the first moment at which the wall clock shows that time or a later one. So every bound
has an instant: a time that summer time skips becomes the moment of the change, one that comes twice its first reading.
That is right for opening hours, never for a meeting, whose wall time goes through `zones.to_instant` alone.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone
from functools import lru_cache

import numpy as np

from scheduler.core import zones
from scheduler.core.cities import City, Closure, Minutes, WeeklyHours
from scheduler.core.spans import Array, Bounds, Mask, Span, Spans

DAY_MINUTES = 24 * 60
DAY_SECONDS = DAY_MINUTES * 60
_EPOCH = date(1970, 1, 1).toordinal()
MARGIN = timedelta(days=3)  # more than other cities' days are off, and than a meeting that starts on the last one


class Clock:
    """The wall clock of a zone around the days `since` to `until`, its offsets computed once.

    Wall times are seconds since 1970-01-01 00:00 on that wall. Raises Invalid for an unknown zone.
    """

    def __init__(self, zone: str, since: date, until: date) -> None:
        begin = datetime.combine(since, time(), UTC) - MARGIN
        end = datetime.combine(min(until, date.max - MARGIN), time(), UTC) + MARGIN
        self._offsets = [_seconds(zones.offset_at(begin, zone))]
        self._changes: list[int] = []
        for at, _, after, _ in zones.transitions(zone, begin + timedelta(seconds=1), end):
            self._changes.append(int(at.timestamp()))
            self._offsets.append(_seconds(after))
        self._zones = [timezone(timedelta(seconds=offset)) for offset in self._offsets]

    def instants(self, walls: Array) -> Array:
        """The first moments at which this clock shows each wall time or later."""
        found = walls - self._offsets[-1]
        if self._changes:
            found = np.maximum(found, self._changes[-1])
        for index in reversed(range(len(self._changes))):
            there = walls - self._offsets[index]
            since_change = np.maximum(there, self._changes[index - 1]) if index else there
            found = np.where(there < self._changes[index], since_change, found)
        return found

    def instant(self, wall: int) -> int:
        """The same of one."""
        since = None
        for change, offset in zip([*self._changes, None], self._offsets, strict=True):
            there = wall - offset
            if change is None or there < change:
                return there if since is None else max(there, since)
            since = change
        raise AssertionError("the last offset has no end")

    def midnight(self, day: date) -> int:
        """The moment at which `day` begins (not always at 00:00: summer time may skip midnight)."""
        return self.instant(wall_midnight(day))

    def stretches(self, span: Span) -> list[tuple[int, int, int]]:
        """`span` cut at the changes of offset: (start, end, offset in seconds)."""
        cuts = [span[0], *(change for change in self._changes if span[0] < change < span[1]), span[1]]
        offsets = [self._offsets[bisect_right(self._changes, cut)] for cut in cuts]
        return list(zip(cuts, cuts[1:], offsets, strict=False))

    def local(self, instant: int) -> datetime:
        """`instant` on this clock, aware with the fixed offset then in force."""
        return datetime.fromtimestamp(instant, self._zones[bisect_right(self._changes, instant)])

    def days(self, span: Span) -> list[date]:
        """The local dates that `span` touches."""
        first, last = self.local(span[0]).date().toordinal(), self.local(span[1] - 1).date().toordinal()
        return [date.fromordinal(n) for n in range(min(first, last), max(first, last) + 1)]


def _seconds(offset: timedelta) -> int:
    return int(offset.total_seconds())


def wall_midnight(day: date) -> int:
    """00:00 of `day` in wall seconds."""
    return (day.toordinal() - _EPOCH) * DAY_SECONDS


def wall_midnights(since: date, until: date) -> Array:
    """00:00 of each day from `since` to `until`, both included."""
    return np.arange(wall_midnight(since), wall_midnight(until) + 1, DAY_SECONDS)


class Days:
    """Local days `since` to `until` of one clock, both included, with the minute at which each closes."""

    def __init__(self, closures: Mapping[date, Closure], since: date, until: date, clock: Clock) -> None:
        self._before = since - timedelta(days=1)  # its late hours fall on the first day
        self._midnights = wall_midnights(self._before, until)
        self._weekdays = (np.arange(len(self._midnights)) + self._before.weekday()) % 7
        self._closes = np.full(len(self._midnights), DAY_MINUTES)
        for day, closure in closures.items():
            if since <= day <= until:
                self._closes[(day - self._before).days] = closure.start
        self._closes[0] = 0
        self._clock = clock

    def spans(self, weeks: Iterable[tuple[WeeklyHours, Mask]]) -> Spans:
        """When hours say open: those of each week on the days that its mask (as `everyday`) has, less the closures."""
        found = [self._week(weekly, applies) for weekly, applies in weeks]
        starts, ends = (self._clock.instants(np.concatenate(bounds)) for bounds in zip(*found, strict=True))
        return Spans.merged(starts, ends)

    def _week(self, weekly: WeeklyHours, applies: Mask) -> Bounds:
        """The wall seconds of a week's intervals on each day that `applies`."""
        parts = np.array([*_parts(weekly)], np.int64).reshape(-1, 4)
        days, which = np.nonzero(applies[:, None] & (self._weekdays[:, None] == parts[:, 0]))
        _, over_night, begin, finish = parts[which].T
        fallen = days + over_night
        there = fallen < len(self._midnights)
        fallen, begin, finish = fallen[there], begin[there], finish[there]
        cut = np.minimum(finish, self._closes[fallen])
        return self._midnights[fallen] + np.minimum(begin, cut) * 60, self._midnights[fallen] + cut * 60

    def everyday(self) -> Mask:
        return np.ones(len(self._midnights), bool)

    def office_weeks(self, city: City) -> list[tuple[WeeklyHours, Mask]]:
        """The city's office hours by season, each with its days; the first season that covers a day has it."""
        weeks, rest = [], self.everyday()
        dates = [self._before + timedelta(days=n) for n in range(len(rest) if city.seasons else 0)]
        for season in city.seasons:
            here = rest & np.array([season.covers(day) for day in dates])
            weeks.append((season.hours, here))
            rest &= ~here
        return [*weeks, (city.hours, rest)]


def _parts(weekly: WeeklyHours) -> Iterator[tuple[int, int, int, int]]:
    """Weekday, whether on the next day (hours past midnight belong to the day they fall on), begin, and end."""
    for weekday, intervals in enumerate(weekly):
        for start, end in intervals:
            for over_night in (0, 1):
                begin, finish = start - over_night * DAY_MINUTES, end - over_night * DAY_MINUTES
                if max(begin, 0) < min(finish, DAY_MINUTES):
                    yield weekday, over_night, max(begin, 0), min(finish, DAY_MINUTES)


def open_minutes(city: City, day: date) -> tuple[Minutes, ...]:
    """When hours say open on a local day, stretch hours too, whatever closes; hours past midnight on their own day."""
    before = day - timedelta(days=1)
    return _merged(
        city.hours_of(day)[day.weekday()] + city.stretch[day.weekday()],
        city.hours_of(before)[before.weekday()] + city.stretch[before.weekday()],
    )


@lru_cache(maxsize=1024)
def _merged(own: tuple[Minutes, ...], before: tuple[Minutes, ...]) -> tuple[Minutes, ...]:
    late = [(max(start - DAY_MINUTES, 0), end - DAY_MINUTES) for start, end in before]
    merged: list[Minutes] = []
    for start, end in sorted([(start, min(end, DAY_MINUTES)) for start, end in own] + late):
        if start >= end:
            continue
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return tuple(merged)


def usual_minutes(city: City, day: date) -> Minutes:
    """From the earliest opening to the latest closing of the days around `day`, in minutes."""
    week = [interval for n in range(-3, 4) for interval in open_minutes(city, day + timedelta(days=n))]
    return min((start for start, _ in week), default=0), max((end for _, end in week), default=DAY_MINUTES)
