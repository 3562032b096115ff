"""How often a standing meeting comes, and so on which dates.

The first date gives the weekday or the day of the month:

- weekly, fortnightly: the same weekday, every week or every other;
- monthly-date, quarterly: the same day of the month, every month or every third; in a month that has no such day its
  last one (31 January, 28 February, 31 March);
- monthly-weekday: such as the second Wednesday of each month; a fifth one is the last, of which every month has one.
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from scheduler.core import zones
from scheduler.core.drafts import LONGEST, SHORTEST
from scheduler.core.errors import Fault, Invalid
from scheduler.core.zones import HORIZON

FREQUENCIES = ("weekly", "fortnightly", "monthly-date", "monthly-weekday", "quarterly")
COUNTS = 2, 60

_DAYS = {"weekly": 7, "fortnightly": 14}
_MONTHS = {"monthly-date": 1, "monthly-weekday": 1, "quarterly": 3}
_LAST = 5  # of a weekday in a month


@dataclass(frozen=True, slots=True)
class Rhythm:
    """`wall` is the first start on the clock of `zone`, the city of record's."""

    wall: datetime
    zone: str
    frequency: str
    count: int
    duration_minutes: int

    def dates(self) -> list[date]:
        return [self.date_of(number) for number in range(self.count)]

    def date_of(self, number: int) -> date:
        """The date of that number, 0 for the first; there are dates before it and after the last."""
        first = self.wall.date()
        if self.frequency in _DAYS:
            return first + timedelta(days=number * _DAYS[self.frequency])
        month = first.year * 12 + first.month - 1 + number * _MONTHS[self.frequency]
        year, month = month // 12, month % 12 + 1
        if self.frequency == "monthly-weekday":
            return _weekday_of(year, month, first.weekday(), _which(first))
        return date(year, month, min(first.day, calendar.monthrange(year, month)[1]))

    def neighbours(self, number: int) -> tuple[date, date]:
        """The dates before and after that one."""
        return self.date_of(number - 1), self.date_of(number + 1)

    def reach(self) -> tuple[date, date]:
        """The first and the last day that can be one of the dates or replace it."""
        first, last = self.date_of(0), self.date_of(self.count - 1)
        return first - (first - self.date_of(-1)) // 2, last + (self.date_of(self.count) - last) // 2


def _which(day: date) -> int:
    """The how manieth of its weekday in its month, 1 to 5."""
    return (day.day - 1) // 7 + 1


def _weekday_of(year: int, month: int, weekday: int, which: int) -> date:
    first, days = calendar.monthrange(year, month)
    day = 1 + (weekday - first) % 7 + (which - 1) * 7
    return date(year, month, day if day <= days else day - 7)


def check(rhythm: Rhythm, now: datetime) -> None:
    """Raises Invalid for what cannot be planned; what it lets pass has dates, all within the time that is known."""
    faults = []
    if rhythm.frequency not in FREQUENCIES:
        faults.append(Fault("/frequency", "unknown-frequency", {"frequency": rhythm.frequency}))
    if not COUNTS[0] <= rhythm.count <= COUNTS[1]:
        faults.append(Fault("/count", "series-count", {"least": COUNTS[0], "most": COUNTS[1]}))
    if not SHORTEST <= rhythm.duration_minutes <= LONGEST:
        faults.append(Fault("/duration_minutes", "duration-range", {"least": SHORTEST, "most": LONGEST}))
    if rhythm.wall.date() < zones.to_local(now, rhythm.zone).date():
        faults.append(Fault("/wall", "in-the-past"))
    elif rhythm.wall.date() > (now + HORIZON).date():
        faults.append(Fault("/wall", "too-far-ahead"))
    elif not faults and rhythm.date_of(rhythm.count - 1) > (now + HORIZON).date():
        faults.append(Fault("/count", "series-too-long"))
    if faults:
        raise Invalid(*faults)
