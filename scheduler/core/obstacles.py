"""What keeps a meeting away from one given time, city by city: where `reasons` look at days, this looks at an instant.

A city whose closure takes some of the time says so, by its own local day; else that the day is none of its working
days; else that the time is outside the hours it allows. Then whoever is busy, and last that the time is past or too
close.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from scheduler.core import hours
from scheduler.core.calendars import Calendar
from scheduler.core.search import Search
from scheduler.core.spans import Span
from scheduler.core.words import NOTHING, Wording

REASONS = (
    *("holiday", "half-day", "municipal", "weekend", "outside-hours", "busy", "notice"),
    *("wall-nonexistent", "wall-ambiguous"),  # of the wall time itself
)


@dataclass(frozen=True, slots=True)
class Obstacle:
    """`reason` is one of REASONS; `city` None: of nobody in particular. `name` is the closure's, if any."""

    city: str | None
    reason: str
    name: Wording = NOTHING


def of(search: Search, start: datetime, end: datetime) -> Iterator[Obstacle]:
    """None if the meeting fits."""
    span = math.floor(start.timestamp()), math.ceil(end.timestamp())
    for calendar in search.calendars:
        if calendar.allowed.clipped(*span) != [span]:
            yield Obstacle(calendar.city.slug, *_closing(calendar, span))
    for city in dict.fromkeys(_busy(search, span)):
        yield Obstacle(city, "busy")
    if span[0] < search.notice:
        yield Obstacle(None, "notice")


def _closing(calendar: Calendar, span: Span) -> tuple[str, Wording]:
    days = calendar.clock.days(span)
    for day in days:
        closure = calendar.closures.get(day)
        if closure:
            start, end = calendar.rest_of(day, closure.start)
            if max(start, span[0]) < min(end, span[1]):
                return closure.kind, closure.name
    if not all(hours.open_minutes(calendar.city, day) for day in days):
        return "weekend", NOTHING
    return "outside-hours", NOTHING


def _busy(search: Search, span: Span) -> Iterator[str | None]:
    """The cities of the required people and rooms that are taken; None: of a city that takes no part."""
    slugs = [calendar.city.slug for calendar in search.calendars]
    for who, (starts, ends) in zip(search.attendees, search.busy, strict=True):
        if who.required and ((starts < span[1]) & (ends > span[0])).any():
            yield who.city if who.city in slugs else None
