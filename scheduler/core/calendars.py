"""A city over whole years, as searches need it: its clock, its closures, when it is open, and when it likes to be.

Nothing of it depends on what is searched, so whoever searches often keeps it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from scheduler.core.cities import City, Closure
from scheduler.core.hours import Clock, Days, wall_midnight
from scheduler.core.spans import Span, Spans

_NO_DAYS = date(1971, 1, 2), date(1971, 1, 1)


@dataclass(frozen=True, slots=True, eq=False)
class Calendar:
    """`allowed` are office and stretch hours together; `preferred` is None for a city that likes all hours alike."""

    city: City
    closures: Mapping[date, Closure]
    years: range
    clock: Clock
    office: Spans
    allowed: Spans
    closed: Spans  # the gaps of `allowed`
    preferred: Spans | None

    @classmethod
    def of(cls, city: City, closures: Mapping[date, Closure], years: range) -> Calendar:
        """`closures` as `closures.closed_days` gives them. Without years there are no hours. Raises Invalid."""
        since, until = (date(years[0], 1, 1), date(years[-1], 12, 31)) if years else _NO_DAYS
        clock = Clock(city.zone, since, until)
        days = Days(closures, since, until, clock)
        weeks = days.office_weeks(city)
        office = days.spans(weeks)
        allowed = days.spans([*weeks, (city.stretch, days.everyday())]) if any(city.stretch) else office
        likes = days.spans([(city.preferred, days.everyday())]) if any(city.preferred) else None
        return cls(city, closures, years, clock, office, allowed, allowed.gaps(), likes)

    def rest_of(self, day: date, minute: int) -> Span:
        """The local day from that minute to its end: what a closure closes that begins then."""
        return self.clock.instant(wall_midnight(day) + minute * 60), self.clock.midnight(day + timedelta(days=1))

    @property
    def has_stretch(self) -> bool:
        return self.allowed is not self.office
