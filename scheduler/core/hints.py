"""What to know about a slot before choosing it: the end of a week, a holiday beside it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from scheduler.core.calendars import Calendar
from scheduler.core.words import NOTHING, Wording

LAST_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
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
        self._city, self._closures = calendar.city, calendar.closures
        self._days: dict[date, tuple[list[Hint], timedelta | None]] = {}

    def of(self, start: datetime, length: timedelta) -> list[Hint]:
        day = start.date()
        if day not in self._days:
            self._days[day] = self._beside(day), self._last_closing(day)
        hints, closing = self._days[day]
        begins = timedelta(hours=start.hour, minutes=start.minute)
        if closing and begins < closing < begins + length + LAST_HOUR:
            return [Hint("last-hour-before-weekend", self._city.slug), *hints]
        return hints

    def _beside(self, day: date) -> list[Hint]:
        """The whole days off after and before, and the half day itself."""
        after, before, own = (self._closures.get(near) for near in (day + _DAY, day - _DAY, day))
        found = []
        if after and not after.start:
            found.append(Hint("day-before-holiday", self._city.slug, after.name))
        if before and not before.start:
            found.append(Hint("day-after-holiday", self._city.slug, before.name))
        if own and own.start:
            found.append(Hint("half-day", self._city.slug, own.name))
        return found

    def _last_closing(self, day: date) -> timedelta | None:
        """When, after midnight, the office closes, if the next day is without hours."""
        weekday, next_weekday = day.weekday(), (day.weekday() + 1) % 7
        own = self._city.hours_of(day)[weekday]
        if not own or self._city.hours_of(day + _DAY)[next_weekday] or self._city.stretch[next_weekday]:
            return None
        closure = self._closures.get(day)
        worked = [(start, min(end, closure.start)) for start, end in own] if closure else own
        ends = [end for start, end in worked if start < end]
        return timedelta(minutes=max(ends)) if ends else None
