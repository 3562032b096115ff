"""How the cities share the hours that suit them badly: minutes outside office hours, by city, in meetings held.

A city's burden of a meeting is the minutes of it outside the office hours of the city's own local day: by the season
that covers the day, less lunch, less whatever closes the day or a part of it. On a day on which the city is closed it
bears all minutes of the meeting. A begun minute counts whole. Burdens are not weighted: the weight is what a city asks
for an hour to come, the burden is what it gave.

Every two cities that meet have an account of their own. Nobody owes anything; but the next early or late hour is the
turn of the one that bore less.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from scheduler.core.calendars import Calendar
from scheduler.core.spans import Array

Amount = TypeVar("Amount", int, Array)


@dataclass(frozen=True, slots=True)
class Account:
    """Of two cities, the first of which is the one that asks: what each bore in so many meetings held with both."""

    cities: tuple[str, str]
    meetings: int
    minutes: Mapping[str, int]

    @property
    def turn(self) -> str | None:
        """The city whose turn the next early or late hour is; None if both bore the same."""
        ours, theirs = (self.minutes[city] for city in self.cities)
        return None if ours == theirs else self.cities[ours > theirs]


def minutes_outside(calendar: Calendar, start: datetime, end: datetime) -> int:
    """Minutes of [start, end) outside the office hours of the city, whose `calendar` has their years."""
    since, until = math.floor(start.timestamp()), math.ceil(end.timestamp())
    inside = sum(finish - begin for begin, finish in calendar.office.clipped(since, until))
    return -((inside - (until - since)) // 60)


def burdens(calendars: Iterable[Calendar], start: datetime, end: datetime) -> dict[str, int]:
    """The same of each city."""
    return {calendar.city.slug: minutes_outside(calendar, start, end) for calendar in calendars}


def growth(before: int, more: Amount) -> Amount:
    """By how much the square grows; of many possible minutes at once, if `more` is an array."""
    return more * (2 * before + more)


def unevenness(borne: Mapping[str, int], more: Mapping[str, int]) -> int:
    """By how much `more` lets the sum of the squares grow: least where those bear who have borne least."""
    return sum(growth(borne.get(city, 0), minutes) for city, minutes in more.items())
