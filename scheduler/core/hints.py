"""What to know about a slot before choosing it: the end of a week, a holiday beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from scheduler.core import hours
from scheduler.core.calendars import Calendar
from scheduler.core.words import NOTHING, Wording

LAST_HOUR = timedelta(hours=1)
CODES = ("last-hour-before-weekend", "day-before-holiday", "day-after-holiday", "half-day")


@dataclass(frozen=True, slots=True)
class Hint:
    """`code` is one of CODES, of a city's local day; `name` is that of the closure, if any."""

    code: str
    city: str
    name: Wording = NOTHING


class Hints:
    """The hints of a city, by the local time of a slot; what is true of a day is found out once."""

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar
        self._days: dict[date, tuple[tuple[Hint, ...], int | None]] = {}

    def of(self, start: datetime, length: timedelta) -> Iterator[Hint]:
        day = start.date()
        if day not in self._days:
            self._days[day] = tuple(self._beside(day)), self._last_closing(day)
        hints, closing = self._days[day]
        if closing is not None:
            end = start + length - datetime.combine(day, datetime.min.time(), start.tzinfo)
            if end > timedelta(minutes=closing) - LAST_HOUR:
                yield Hint("last-hour-before-weekend", self._calendar.city.slug)
        yield from hints

    def _beside(self, day: date) -> Iterator[Hint]:
        """The whole days off before and after, and the half day itself."""
        slug, closures = self._calendar.city.slug, self._calendar.closures
        for code, beside in (("day-before-holiday", 1), ("day-after-holiday", -1)):
            closure = closures.get(day + timedelta(days=beside))
            if closure and not closure.start:
                yield Hint(code, slug, closure.name)
        if (closure := closures.get(day)) and closure.start:
            yield Hint("half-day", slug, closure.name)

    def _last_closing(self, day: date) -> int | None:
        """The minute at which the office closes, if the next day is without hours."""
        city = self._calendar.city
        own = city.hours_of(day)[day.weekday()]
        if not own or hours.open_minutes(city, day + timedelta(days=1)):
            return None
        closure = self._calendar.closures.get(day)
        return min(max(end for _, end in own), closure.start if closure else hours.DAY_MINUTES)
