"""When a city is open: its weekly office hours on its own clock, less its closures, as spans of time.

Everything is decided by the city's local day; only then does it become UTC. A span is half-open, in whole seconds
since 1970-01-01T00:00Z, and a list of spans is sorted, disjoint and without touching neighbours, so that a meeting
fits exactly where one span holds it. Integers and one table of offsets per city keep a year of days cheap.

A bound of office hours means the first moment at which the wall clock shows that time or a later one. So every bound
has an instant: a time that summer time skips becomes the moment of the change, one that comes twice its first reading.
That is right for opening hours, never for a meeting, whose wall time goes through `zones.to_instant` alone.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone
from functools import lru_cache
from itertools import pairwise

from scheduler.core import zones
from scheduler.core.cities import City, Closure, Minutes, WeeklyHours

Span = tuple[int, int]  # [start, end) in seconds since 1970-01-01T00:00Z
DAY_MINUTES = 24 * 60
DAY_SECONDS = DAY_MINUTES * 60
_EPOCH = date(1970, 1, 1).toordinal()
_MARGIN = timedelta(days=3)  # more than any offset, and than a meeting that starts on the last day


def closed_days(city: City, public: Mapping[date, Closure]) -> dict[date, Closure]:
    """The closures a city really has: public ones but those it reopened, and its own; on one day the earliest wins."""
    closed = {day: closure for day, closure in public.items() if day not in city.reopened}
    for closure in city.municipal:
        there = closed.get(closure.day)
        if there is None or closure.start < there.start:
            closed[closure.day] = closure
    return closed


class Clock:
    """The wall clock of a zone around the days `since` to `until`, its offsets computed once.

    Wall times are seconds since 1970-01-01 00:00 on that wall. Raises Invalid for an unknown zone.
    """

    def __init__(self, zone: str, since: date, until: date) -> None:
        begin = datetime.combine(since, time(), UTC) - _MARGIN
        end = datetime.combine(until, time(), UTC) + _MARGIN
        self._offsets = [_seconds(zones.offset_at(begin, zone))]
        self._changes: list[int] = []
        for at, _, after, _ in zones.transitions(zone, begin + timedelta(seconds=1), end):
            self._changes.append(int(at.timestamp()))
            self._offsets.append(_seconds(after))
        self._zones = [timezone(timedelta(seconds=offset)) for offset in self._offsets]

    def instant(self, wall: int) -> int:
        """The first moment at which this clock shows `wall` or later."""
        begin = None
        for change, offset in zip(self._changes, self._offsets, strict=False):
            if wall - offset < change:
                return wall - offset if begin is None else max(wall - offset, begin)
            begin = change
        last = wall - self._offsets[-1]
        return last if begin is None else max(last, begin)

    def midnight(self, day: date) -> int:
        """The moment at which `day` begins (not always at 00:00: summer time may skip midnight)."""
        return self.instant(wall_midnight(day))

    def stretches(self, span: Span) -> list[tuple[int, int, int]]:
        """`span` cut at the changes of offset: (start, end, offset in seconds)."""
        start, end = span
        cuts = [start, *(change for change in self._changes if start < change < end), end]
        return [(a, b, self._offset(a)) for a, b in pairwise(cuts)]

    def local(self, instant: int) -> datetime:
        """`instant` on this clock, aware with the fixed offset then in force."""
        return datetime.fromtimestamp(instant, self._zones[bisect_right(self._changes, instant)])

    def days(self, span: Span) -> list[date]:
        """The local dates that `span` touches."""
        first, last = self.local(span[0]).date().toordinal(), self.local(span[1] - 1).date().toordinal()
        return [date.fromordinal(n) for n in range(min(first, last), max(first, last) + 1)]

    def _offset(self, instant: int) -> int:
        return self._offsets[bisect_right(self._changes, instant)]


def _seconds(offset: timedelta) -> int:
    return int(offset.total_seconds())


def wall_midnight(day: date) -> int:
    """00:00 of `day` in wall seconds."""
    return (day.toordinal() - _EPOCH) * DAY_SECONDS


@lru_cache(maxsize=256)
def hours_by_weekday(weekly: WeeklyHours) -> WeeklyHours:
    """Office hours as each local day sees them: sorted, merged, hours past midnight moved to the day they fall on."""
    days = []
    for weekday in range(7):
        own = [(start, min(end, DAY_MINUTES)) for start, end in weekly[weekday]]
        late = [(max(start, DAY_MINUTES) - DAY_MINUTES, end - DAY_MINUTES) for start, end in weekly[weekday - 1]]
        days.append(tuple(merge(own + late)))
    return tuple(days)


def usual_hours(weekly: WeeklyHours) -> Minutes:
    """From the earliest opening to the latest closing of the week's days, in minutes."""
    hours = [interval for day in hours_by_weekday(weekly) for interval in day]
    return min(start for start, _ in hours), max(end for _, end in hours)


def open_spans(city: City, closures: Mapping[date, Closure], since: date, until: date, clock: Clock) -> list[Span]:
    """When `city` is open on its local days `since` to `until` (both included); `closures` as of `closed_days`."""
    weekly = hours_by_weekday(city.hours)
    spans: list[Span] = []
    for ordinal in range(since.toordinal(), until.toordinal() + 1):
        hours = weekly[(ordinal + 6) % 7]
        if not hours:
            continue
        closure = closures.get(date.fromordinal(ordinal))
        closes = closure.start if closure else DAY_MINUTES
        midnight = (ordinal - _EPOCH) * DAY_SECONDS
        for start, end in hours:
            if start < closes:
                spans.append((clock.instant(midnight + start * 60), clock.instant(midnight + min(end, closes) * 60)))
    return merge(spans)


def merge(spans: Iterable[Span]) -> list[Span]:
    """Sorted, without empty spans; overlapping and touching ones are one."""
    merged: list[Span] = []
    for start, end in sorted(spans):
        if start >= end:
            continue
        if merged and start <= merged[-1][1]:
            if end > merged[-1][1]:
                merged[-1] = (merged[-1][0], end)
        else:
            merged.append((start, end))
    return merged


def intersect(left: list[Span], right: list[Span]) -> list[Span]:
    common: list[Span] = []
    i = j = 0
    while i < len(left) and j < len(right):
        start, end = max(left[i][0], right[j][0]), min(left[i][1], right[j][1])
        if start < end:
            common.append((start, end))
        if left[i][1] < right[j][1]:
            i += 1
        else:
            j += 1
    return common


def subtract(spans: list[Span], taken: list[Span]) -> list[Span]:
    rest: list[Span] = []
    j = 0
    for start, end in spans:
        while j < len(taken) and taken[j][1] <= start:
            j += 1
        k = j
        while k < len(taken) and taken[k][0] < end:
            if start < taken[k][0]:
                rest.append((start, taken[k][0]))
            start = taken[k][1]
            k += 1
        if start < end:
            rest.append((start, end))
    return rest


def clip(spans: list[Span], within: Span) -> list[Span]:
    """What of `spans` lies within one span; looks only at its neighbourhood."""
    start, end = within
    index = max(0, bisect_right(spans, start, key=lambda span: span[0]) - 1)
    found = []
    for a, b in spans[index:]:
        if a >= end:
            break
        if b > start:
            found.append((max(a, start), min(b, end)))
    return found
