"""When a meeting of several cities fits, and why not on the other days.

The days asked for are local days of the first city. Each is a window of time, from that city's midnight to its next;
a slot belongs to the window in which it starts. A slot starts on a grid of the first city's wall clock, lies whole
within one open span of every city (so lunch is a gap), overlaps nobody's busy time, and does not start before `now`.

A day without slots gets its reasons in this order: the cities that are closed all through the window, each by its own
local day; else the cities whose busy time takes the hours in common; else that these hours are past (notice); else the
cities whose half day takes them; else that the cities, though open, have no hours in common.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import reduce

from scheduler.core import hours
from scheduler.core.cities import City, Closure
from scheduler.core.errors import Fault, Invalid
from scheduler.core.hours import Clock, Span
from scheduler.core.words import NOTHING, Wording
from scheduler.core.zones import HORIZON

MAX_DAYS = 400
MAX_MINUTES = 24 * 60
STEPS = (5, 60)  # minutes, both included
EARLIEST = date(1970, 1, 1)  # zone data are rough before

# Another city's local day can be one off, a meeting of 24 hours runs into the next, and one to be sure.
_MARGIN = timedelta(days=3)

Busy = Mapping[str, Sequence[tuple[datetime, datetime]]]


@dataclass(frozen=True, slots=True)
class Slot:
    """A candidate [start, end) in UTC. `local`: its start on each city's clock. `cost` 0: all within office hours."""

    start: datetime
    end: datetime
    local: dict[str, datetime]
    cost: int = 0
    costs: dict[str, int] = field(default_factory=dict)
    hints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Excluded:
    """Why `day` (of the first city) has no slot.

    `reason`: weekend, holiday, half-day, municipal, busy, notice, no-common-hours. `name` is the closure's, if any.
    """

    day: date
    city: str | None
    reason: str
    name: Wording = NOTHING


@dataclass(frozen=True, slots=True)
class Unknown:
    """Whose calendar tells nothing that still counts: a person (`email`), or a city as a whole. `known_at`: until when
    it did, if ever."""

    city: str
    email: str
    known_at: datetime | None


@dataclass(frozen=True, slots=True)
class Suggestions:
    slots: tuple[Slot, ...]
    excluded: tuple[Excluded, ...]
    unknown: tuple[Unknown, ...] = ()


def closure_years(since: date, until: date) -> range:
    """The years whose closures `find_slots` can need: other cities' local days reach past the range.

    None for a range that `find_slots` will refuse, so that nobody computes the holidays of nine thousand years.
    """
    if since < EARLIEST or not 0 <= (until - since).days < MAX_DAYS:
        return range(0)
    return range((since - _MARGIN).year, (min(until, date.max - _MARGIN) + _MARGIN).year + 1)


def find_slots(
    cities: Sequence[City],
    closures: Mapping[str, Mapping[date, Closure]],
    since: date,
    until: date,
    duration_minutes: int,
    *,
    now: datetime,
    step_minutes: int = 15,
    limit: int | None = None,
    busy: Busy | None = None,
) -> Suggestions:
    """Slots of the local days `since` to `until` (both included) of the first city, soonest first.

    `closures`: by city and local day, as `hours.closed_days` gives them. `busy`: aware intervals by city; those under
    another name than a city's (a room's) count too. `limit` cuts the slots, not the reasons. Raises Invalid.
    """
    _check(cities, since, until, duration_minutes, step_minutes, now)
    plan = _Plan.of(cities, closures, since, until, duration_minutes * 60, step_minutes * 60)
    taken = {slug: _spans(intervals) for slug, intervals in (busy or {}).items()}
    notice = math.ceil(now.timestamp())
    free = hours.subtract(plan.common, hours.merge(span for spans in taken.values() for span in spans))
    starts: list[int] = []
    excluded: list[Excluded] = []
    for window in plan.windows:
        found = [start for start in plan.starts(free, window) if start >= notice]
        starts += found
        if not found:
            excluded += _reasons(plan, window, taken, notice)
    return Suggestions(tuple(_slots(plan, starts[:limit])), tuple(excluded))


def _check(
    cities: Sequence[City], since: date, until: date, duration_minutes: int, step_minutes: int, now: datetime
) -> None:
    faults = [] if cities else [Fault("/cities", "no-cities")]
    for index, city in enumerate(cities):
        if not any(city.hours):
            faults.append(Fault(f"/cities/{index}", "no-office-hours", {"city": city.slug}))
    if since < EARLIEST:
        faults.append(Fault("/from", "slots-too-early", {"earliest": EARLIEST.isoformat()}))
    if until < since:
        faults.append(Fault("/to", "slots-reversed", {"from": since.isoformat(), "to": until.isoformat()}))
    elif (until - since).days >= MAX_DAYS:
        faults.append(Fault("/to", "slots-too-long", {"days": (until - since).days + 1, "max": MAX_DAYS}))
    elif until > (now + HORIZON).date():
        faults.append(Fault("/to", "slots-too-far", {"latest": (now + HORIZON).date().isoformat()}))
    if not 1 <= duration_minutes <= MAX_MINUTES:
        faults.append(Fault("/duration_minutes", "duration-range", {"least": 1, "most": MAX_MINUTES}))
    if not STEPS[0] <= step_minutes <= STEPS[1]:
        faults.append(Fault("/step_minutes", "step-range", {"least": STEPS[0], "most": STEPS[1]}))
    if faults:
        raise Invalid(*faults)


@dataclass(frozen=True, slots=True)
class _Calendar:
    """A city over the range: its clock, its closures, when it is open."""

    city: City
    closures: Mapping[date, Closure]
    clock: Clock
    spans: list[Span]

    @classmethod
    def of(cls, city: City, closures: Mapping[date, Closure], since: date, until: date) -> _Calendar:
        clock = Clock(city.zone, since, until)
        return cls(city, closures, clock, hours.open_spans(city, closures, since, until, clock))

    def partial_closure(self, within: Span) -> Closure | None:
        found = (self.closures.get(day) for day in self.clock.days(within))
        return next((closure for closure in found if closure and closure.start), None)

    def without_partial_closures(self, within: Span) -> list[Span]:
        whole = {day: closure for day, closure in self.closures.items() if not closure.start}
        days = self.clock.days(within)
        return hours.open_spans(self.city, whole, days[0], days[-1], self.clock)


@dataclass(frozen=True, slots=True)
class _Window:
    """A local day of the first city as time, and the stretches of it on which the grid keeps one phase."""

    day: date
    span: Span
    stretches: tuple[tuple[int, int, int], ...]  # start, end, an instant on the grid


@dataclass(frozen=True, slots=True)
class _Plan:
    calendars: tuple[_Calendar, ...]
    windows: tuple[_Window, ...]
    common: list[Span]  # when all cities are open
    length: int  # of the meeting, in seconds
    step: int  # of the grid, in seconds

    @classmethod
    def of(
        cls,
        cities: Sequence[City],
        closures: Mapping[str, Mapping[date, Closure]],
        since: date,
        until: date,
        length: int,
        step: int,
    ) -> _Plan:
        first, last = since - _MARGIN, until + _MARGIN
        unique = {city.slug: city for city in cities}.values()
        calendars = tuple(_Calendar.of(city, closures.get(city.slug, {}), first, last) for city in unique)
        common = reduce(hours.intersect, (calendar.spans for calendar in calendars))
        return cls(calendars, tuple(_windows(calendars[0].clock, since, until)), common, length, step)

    def starts(self, spans: list[Span], window: _Window) -> list[int]:
        """Where on the grid of `window` a meeting can start so that one of `spans` holds it whole."""
        found: list[int] = []
        opening, closing = window.span
        index = max(0, bisect_right(spans, opening, key=lambda span: span[0]) - 1)
        for start, end in spans[index:]:
            if start >= closing:
                break
            latest = end - self.length + 1
            for begin, finish, phase in window.stretches:
                low = max(start, begin)
                found.extend(range(low + (phase - low) % self.step, min(latest, finish), self.step))
        return found


def _windows(clock: Clock, since: date, until: date) -> Iterator[_Window]:
    for ordinal in range(since.toordinal(), until.toordinal() + 1):
        day = date.fromordinal(ordinal)
        midnight = hours.wall_midnight(day)
        span = clock.instant(midnight), clock.instant(midnight + hours.DAY_SECONDS)
        stretches = clock.stretches(span) if span[0] < span[1] else ()
        yield _Window(day, span, tuple((start, end, midnight - offset) for start, end, offset in stretches))


def _spans(intervals: Iterable[tuple[datetime, datetime]]) -> list[Span]:
    """Busy intervals widened to whole seconds."""
    return hours.merge((math.floor(start.timestamp()), math.ceil(end.timestamp())) for start, end in intervals)


def _slots(plan: _Plan, starts: Iterable[int]) -> Iterator[Slot]:
    length = timedelta(seconds=plan.length)
    clocks = [(calendar.city.slug, calendar.clock.local) for calendar in plan.calendars]
    costs = dict.fromkeys((slug for slug, _ in clocks), 0)
    for instant in starts:
        start = datetime.fromtimestamp(instant, UTC)
        yield Slot(start, start + length, {slug: local(instant) for slug, local in clocks}, 0, costs.copy())


def _reasons(plan: _Plan, window: _Window, taken: Mapping[str, list[Span]], notice: int) -> list[Excluded]:
    """Why `window` has no slot; see the module's order."""
    if not window.stretches:  # a day that the first city's clock skips
        return [Excluded(window.day, None, "no-common-hours")]
    if closed := [found for calendar in plan.calendars if (found := _closed(plan, calendar, window))]:
        return closed
    possible = plan.starts(plan.common, window)
    if not possible:
        return _half_days(plan, window) or [Excluded(window.day, None, "no-common-hours")]
    ahead = [start for start in possible if start >= notice]
    wanted = ahead or possible
    blocked = {slug: _blocked(wanted, plan.length, spans) for slug, spans in taken.items()}
    if not ahead and len(set().union(*blocked.values())) < len(possible):
        return [Excluded(window.day, None, "notice")]
    alone = [slug for slug, starts in blocked.items() if len(starts) == len(wanted)]
    to_blame = alone or [slug for slug, starts in blocked.items() if starts]
    slugs = {calendar.city.slug for calendar in plan.calendars}
    return [Excluded(window.day, slug if slug in slugs else None, "busy") for slug in to_blame]


def _blocked(starts: Iterable[int], length: int, taken: list[Span]) -> set[int]:
    return {start for start in starts if hours.clip(taken, (start, start + length))}


def _closed(plan: _Plan, calendar: _Calendar, window: _Window) -> Excluded | None:
    """The closing of a city that has no room for the meeting in the window, whatever the others do."""
    if plan.starts(calendar.spans, window):
        return None
    for day in _local_days(calendar, window.span):
        if found := _closing(calendar, day):
            return Excluded(window.day, calendar.city.slug, *found)
    return None


def _local_days(calendar: _Calendar, span: Span) -> list[date]:
    """The city's local days whose usual hours reach into `span`, the one with most of them first."""
    opens, closes = (minutes * 60 for minutes in hours.usual_hours(calendar.city.hours))
    shares = []
    for day in calendar.clock.days(span):
        midnight = hours.wall_midnight(day)
        start, end = calendar.clock.instant(midnight + opens), calendar.clock.instant(midnight + closes)
        shares.append((min(end, span[1]) - max(start, span[0]), day))
    return [day for share, day in sorted(shares, key=lambda entry: -entry[0]) if share > 0]


def _closing(calendar: _Calendar, day: date) -> tuple[str, Wording] | None:
    """Reason and name, if the city's hours of its local `day` are missing or cut."""
    intervals = hours.hours_by_weekday(calendar.city.hours)[day.weekday()]
    if not intervals:
        return "weekend", NOTHING
    closure = calendar.closures.get(day)
    return (closure.kind, closure.name) if closure and closure.start < intervals[-1][1] else None


def _half_days(plan: _Plan, window: _Window) -> list[Excluded]:
    """The cities whose partial closure takes the hours that the cities would have in common."""
    near = window.span[0], window.span[1] + plan.length
    spans = {calendar.city.slug: hours.clip(calendar.spans, near) for calendar in plan.calendars}
    partial: dict[str, Closure] = {}
    longer: dict[str, list[Span]] = {}
    for calendar in plan.calendars:
        if closure := calendar.partial_closure(near):
            partial[calendar.city.slug] = closure
            longer[calendar.city.slug] = hours.clip(calendar.without_partial_closures(near), near)

    def opened(*slugs: str) -> bool:
        changed = spans | {slug: longer[slug] for slug in slugs}
        return bool(plan.starts(reduce(hours.intersect, changed.values()), window))

    alone = [slug for slug in partial if opened(slug)]
    to_blame = alone or (list(partial) if opened(*partial) else [])
    return [Excluded(window.day, slug, partial[slug].kind, partial[slug].name) for slug in to_blame]
