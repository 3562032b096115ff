"""On which local days a city is closed: public holidays less those it reopened, and its own days off."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from scheduler.core.cities import City, Closure


def closed_days(city: City, public: Mapping[date, Closure]) -> dict[date, Closure]:
    """The closures a city really has: public ones but those it reopened, and its own; on one day the earliest wins."""
    closed = {day: closure for day, closure in public.items() if day not in city.reopened}
    for closure in city.municipal:
        there = closed.get(closure.day)
        if there is None or closure.start < there.start:
            closed[closure.day] = closure
    return closed


def closure_on(city: City, day: date, public: Mapping[date, Closure]) -> Closure | None:
    """The closure of one day, as `closed_days` has it."""
    closures = [public[day]] if day in public and day not in city.reopened else []
    closures += [closure for closure in city.municipal if closure.day == day]
    return min(closures, key=lambda closure: closure.start, default=None)
