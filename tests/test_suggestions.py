"""Suggestions from what is stored: whose meetings keep slots away, and that changes are seen at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from scheduler import suggestions
from scheduler.core.cities import Closure
from scheduler.core.meeting import Invitee
from scheduler.core.slots import closure_years
from scheduler.core.words import Wording
from tests.house import BAT, START, House

HOUR = timedelta(hours=1)
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
def test_somebody_invited_for_two_cities_is_one_person_of_their_own(house: House) -> None:
    """A stranger counts for the first city asked for of those that they were invited for, else for the first one."""
    stranger, coordinator = Invitee("Adviser", "adviser@example.org", "eregli", "en"), house.person("ulaanbaatar")
    known = Invitee(coordinator.name, coordinator.email, "eregli", "en")
    house.book(people=(stranger, known))
    two = replace(stranger, city="gwangju"), replace(known, city="gwangjin")
    house.book(people=two, cities=("gwangjin", "gwangju"), start=START + HOUR)
    day = START.date()
    asked = suggestions.Wanted(cities=THREE, since=day, until=day, duration_minutes=60)
    for cities, theirs, own in ((THREE, "eregli", "ulaanbaatar"), (("gwangjin", "gwangju"), "gwangju", "gwangjin")):
        wanted = replace(asked, cities=cities, optional=(stranger.email, known.email))
        search = suggestions.suggest(house.desk, wanted).search
        assert {(who.key, who.city) for who in search.attendees} == {(stranger.email, theirs), (known.email, own)}
        assert [len(who.busy) for who in search.attendees] == [2, 2]
    found = suggestions.suggest(house.desk, replace(asked, cities=("ulaanbaatar",), people=(stranger.email,)))
    assert [who.city for who in found.search.attendees] == ["ulaanbaatar"]
    missed = suggestions.suggest(house.desk, replace(asked, optional=(stranger.email,))).slots
    assert {slot.absent for slot in missed} == {(), (stranger.email,)}


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
