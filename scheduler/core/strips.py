"""What a day holds for each city, as a picture of it can show: office and stretch hours, closings, busy time.

The picture of a day spans the first city's local day from the first full hour at which any city is open to the last;
hours that are closed on this day alone count as open, so that the picture shows what is missing. Each city has a strip
of pieces in the order in which they are to be painted, and marks at every third hour of its own clock. Everything is in
seconds since 1970-01-01T00:00Z, spans are half-open.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

from scheduler.core import hours
from scheduler.core.calendars import Calendar
from scheduler.core.search import Search
from scheduler.core.spans import Span, Spans
from scheduler.core.words import NOTHING, Wording

KINDS = ("stretch", "office", "closed", "busy")
_HOUR = 3600
MARKED = 3  # hours from one mark to the next


@dataclass(frozen=True, slots=True)
class Piece:
    """`kind` is one of KINDS. `reason` and `name` of what is closed: weekend, holiday, half-day or municipal."""

    kind: str
    span: Span
    reason: str = ""
    name: Wording = NOTHING


@dataclass(frozen=True, slots=True)
class Strip:
    """`marks` are instants with the local time there."""

    city: str
    pieces: tuple[Piece, ...]
    marks: tuple[tuple[int, datetime], ...]


@dataclass(frozen=True, slots=True)
class Picture:
    day: date  # of the first city
    span: Span
    strips: tuple[Strip, ...]


def picture(search: Search, day: date) -> Picture:
    """The picture of one of the days searched. A meeting that begins on it late reaches into the next one."""
    number = (day - search.grid.since).days
    begin, end = int(search.grid.bounds[number]), int(search.grid.bounds[number + 1])
    span = _shown(search, (begin, end + search.length), end)
    return Picture(day, span, tuple(_strip(search, calendar, span) for calendar in search.calendars))


def _shown(search: Search, window: Span, midnight: int) -> Span:
    """The full hours around the time at which any city is open or would be, but for a closure."""
    open_ = [span for calendar in search.calendars for span in _usual(calendar, window) if span[0] < midnight]
    if not open_:
        return window[0], midnight
    since, until = min(start for start, _ in open_), max(end for _, end in open_)
    first = search.calendars[0].clock.local(since)
    past = first.minute * 60 + first.second
    return since - past, since - past - (since - past - until) // _HOUR * _HOUR


def _usual(calendar: Calendar, window: Span) -> list[Span]:
    """When the city's hours say open, whatever closes; over midnight in one."""
    instant = calendar.clock.instant
    return Spans.of(
        (instant(hours.wall_midnight(day) + opens * 60), instant(hours.wall_midnight(day) + closes * 60))
        for day in calendar.clock.days(window)
        for opens, closes in hours.open_minutes(calendar.city, day)
    ).clipped(*window)


def _strip(search: Search, calendar: Calendar, span: Span) -> Strip:
    pieces = [
        *(Piece("stretch", part) for part in calendar.allowed.clipped(*span) if calendar.has_stretch),
        *(Piece("office", part) for part in calendar.office.clipped(*span)),
        *_closings(calendar, span),
        *(Piece("busy", part) for part in _busy(search, calendar.city.slug).clipped(*span)),
    ]
    return Strip(calendar.city.slug, tuple(pieces), tuple(_marks(calendar, span)))


def _busy(search: Search, slug: str) -> Spans:
    """When required people or rooms of the city cannot, buffers included; those of no city asked for count for the
    first one."""
    slugs = [calendar.city.slug for calendar in search.calendars]
    return Spans.of(
        (start, end)
        for who, (starts, ends) in zip(search.attendees, search.busy, strict=True)
        if who.required and (who.city if who.city in slugs else slugs[0]) == slug
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
    )


def _closings(calendar: Calendar, span: Span) -> Iterator[Piece]:
    for day in calendar.clock.days(span):
        closure = calendar.closures.get(day)
        if closure is None and hours.open_minutes(calendar.city, day):
            continue
        start, end = calendar.rest_of(day, closure.start if closure else 0)
        part = max(start, span[0]), min(end, span[1])
        if part[0] < part[1]:
            yield Piece("closed", part, *((closure.kind, closure.name) if closure else ("weekend",)))


def _marks(calendar: Calendar, span: Span) -> Iterator[tuple[int, datetime]]:
    """Where the city's clock shows 00:00, 03:00 and so on, both ends included."""
    clock = calendar.clock
    for day in clock.days((span[0], span[1] + 1)):
        for hour in range(0, 24, MARKED):
            instant = clock.instant(hours.wall_midnight(day) + hour * _HOUR)
            local = clock.local(instant)
            if span[0] <= instant <= span[1] and (local.hour, local.minute) == (hour, 0):
                yield instant, local
