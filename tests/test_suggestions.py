"""Suggestions from what is stored: whose meetings keep slots away, and that changes are seen at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from scheduler import suggestions
from scheduler.core.cities import Closure
from scheduler.core.slots import closure_years
from scheduler.core.words import Wording
from tests.house import BAT, START, House

THREE = ("gwangjin", "ulaanbaatar", "eregli")


def test_optional_people_keep_no_slot_away_but_are_told_as_absent(house: House) -> None:
    house.book()
    day = START.date()
    asked = suggestions.Wanted(cities=THREE, since=day, until=day, duration_minutes=60, limit=None)
    alone = suggestions.suggest(house.desk, asked)
    found = suggestions.suggest(house.desk, replace(asked, optional=(BAT.email.upper(),)))
    assert {slot.start for slot in found.slots} == {slot.start for slot in alone.slots}
    missed = {slot.start for slot in found.slots if slot.absent == (BAT.email,)}
    assert missed == {slot.start for slot in alone.slots if abs(slot.start - START) < timedelta(hours=1)}
    assert not [slot for slot in found.slots[: -len(missed)] if slot.absent]  # whoever misses nobody comes first
    both = suggestions.suggest(house.desk, replace(asked, people=(BAT.email,), optional=(BAT.email,)))
    assert {slot.start for slot in both.slots} == {slot.start for slot in alone.slots} - missed


@pytest.mark.only_on("sqlite")
def test_calendars_are_kept_only_as_long_as_city_and_closures_are_the_same(house: House) -> None:
    day = date(2027, 3, 16)
    years = closure_years(day, day)
    city = house.desk.directory().cities["gwangjin"]
    closures = tuple(suggestions.closed_days(city, years).values())
    calendar = suggestions._calendar(city, closures, years)
    assert suggestions._calendar(replace(city), (*closures,), range(years.start, years.stop)) is calendar
    assert suggestions._calendar(replace(city, weight=2), closures, years) is not calendar
    more = (*closures, Closure(day, "municipal", Wording.of("Move")))
    assert suggestions._calendar(city, more, years).closures[day].kind == "municipal"
