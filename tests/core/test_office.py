"""What a city may and may not say of its hours and days off; every fault is told at its place, all at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from scheduler.core import office
from scheduler.core.cities import NO_HOURS, City, Closure, Season
from scheduler.core.errors import Invalid
from scheduler.core.office import NO_WEEK, Closing, Written, WrittenSeason
from scheduler.core.words import Wording

CITY = City("gwangjin", Wording.of("광진구"), "Asia/Seoul", "KR", "ko", NO_HOURS)
TODAY = date(2027, 1, 4)
WORKDAYS = (("09:00-12:00", "13:00-18:00"),) * 5 + ((), ())
SUMMER = WrittenSeason("07-01", "08-31", (("08:00-14:00",),) * 5 + ((), ()))


def monday(*intervals: str) -> office.WrittenWeek:
    return (intervals, *NO_WEEK[1:])


def faults(**said: Any) -> dict[str, str]:
    try:
        office.planned(CITY, Written(**said))
    except Invalid as error:
        return {fault.pointer: fault.key for fault in error.faults}
    return {}


def test_what_is_written_is_read_and_written_again() -> None:
    said = Written(WORKDAYS, (SUMMER,), monday("07:00-20:00"), monday("14:00-17:00"), 3, 48, 15)
    city = office.planned(CITY, said)
    assert city.hours[0] == ((540, 720), (780, 1080))
    assert city.seasons == (Season("07-01", "08-31", (((480, 840),),) * 5 + ((), ())),)
    assert (city.stretch[0], city.preferred[0]) == (((420, 1200),), ((840, 1020),))
    assert (city.weight, city.notice_hours, city.buffer_minutes) == (3, 48, 15)
    assert office.written(city) == said
    assert office.written(CITY) == Written()


@pytest.mark.parametrize(
    ("intervals", "expected"),
    [
        (["00:00-24:00"], {}),
        (["09:00-12:00", "12:00-13:00"], {}),
        (["9:00-12:00"], {0: "bad-hours"}),
        (["12:00-09:00"], {0: "bad-hours"}),
        (["09:00-09:00"], {0: "bad-hours"}),
        (["09:00-24:30"], {0: "bad-hours"}),
        (["24:00-25:00"], {0: "bad-hours"}),
        (["٠٩:٠٠-١٢:٠٠"], {0: "bad-hours"}),
        (["09:00-12:00\n"], {0: "bad-hours"}),
        ([""], {0: "bad-hours"}),
        (["09:00-12:00", "11:59-13:00"], {1: "hours-overlap"}),
        (["13:00-18:00", "09:00-12:00"], {1: "hours-overlap"}),
        (["13:00-18:00", "x", "09:00-12:00"], {1: "bad-hours", 2: "hours-overlap"}),
    ],
)
def test_intervals_of_a_day(intervals: list[str], expected: dict[int, str]) -> None:
    for name in ("hours", "preferred"):
        found = faults(**{name: monday(*intervals)})
        assert found == {f"/{name}/0/{place}": key for place, key in expected.items()}
    season = replace(SUMMER, hours=monday(*intervals))
    assert faults(seasons=(season,)) == {f"/seasons/0/hours/0/{place}": key for place, key in expected.items()}


def test_stretch_hours_are_never_at_night_and_office_hours_are_the_citys_affair() -> None:
    for night in ("05:59-09:00", "18:00-22:01", "00:00-24:00", "23:00-24:00", "00:00-06:00"):
        assert faults(stretch=monday(night)) == {"/stretch/0/0": "hours-at-night"}
        assert faults(hours=monday(night)) == {}
    assert faults(stretch=monday("06:00-09:00", "18:00-22:00")) == {}
    assert faults(hours=monday("09:00-18:00"), stretch=monday("07:00-20:00")) == {}  # may overlap


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        ("11-01", "03-31", {}),  # over the new year
        ("02-29", "02-29", {}),
        ("2027-07-01", "2027-07-01", {}),
        ("2027-07-01", "2027-06-30", {"to": "season-reversed"}),
        ("2027-07-01", "08-31", {"to": "season-of-two-kinds"}),
        ("02-30", "08-31", {"from": "bad-season-day"}),
        ("07-01", "2027-02-29", {"to": "bad-season-day"}),
        ("7-1", "08-31", {"from": "bad-season-day"}),
        ("20270701", "08-31", {"from": "bad-season-day"}),
        ("2027-W26-4", "08-31", {"from": "bad-season-day"}),
        ("", "08-31", {"from": "required"}),
        ("07-01", "", {"to": "required"}),
    ],
)
def test_days_of_a_season(since: str, until: str, expected: dict[str, str]) -> None:
    season = replace(SUMMER, since=since, until=until)
    assert faults(seasons=(SUMMER, season)) == {f"/seasons/1/{name}": key for name, key in expected.items()}


def test_a_season_has_hours() -> None:
    assert faults(seasons=(replace(SUMMER, hours=NO_WEEK),)) == {"/seasons/0/hours": "season-without-hours"}


@pytest.mark.parametrize(("name", "least", "most"), [(name, *bounds) for name, bounds in office.BOUNDS.items()])
def test_numbers_keep_their_bounds(name: str, least: int, most: int) -> None:
    assert [faults(**{name: number}) for number in (least, most)] == [{}, {}]
    assert [faults(**{name: number}) for number in (least - 1, most + 1)] == [{f"/{name}": "number-range"}] * 2


def test_there_are_seven_days_few_intervals_and_few_seasons() -> None:
    assert faults(hours=WORKDAYS[:6], stretch=()) == {"/hours": "seven-days", "/stretch": "seven-days"}
    many = [f"{hour:02d}:00-{hour:02d}:30" for hour in range(9)]
    assert faults(hours=monday(*many)) == {"/hours/0": "too-many-intervals"}
    assert faults(hours=monday(*many[:8]), seasons=(SUMMER,) * 12) == {}
    assert faults(seasons=(SUMMER,) * 13) == {"/seasons": "too-many-seasons"}


def test_all_faults_are_told_at_once() -> None:
    said = {
        "hours": monday("x"),
        "stretch": monday("05:00-06:00"),
        "weight": 0,
        "seasons": (replace(SUMMER, since=""),),
    }
    assert faults(**said) == {
        "/hours/0/0": "bad-hours",
        "/seasons/0/from": "required",
        "/stretch/0/0": "hours-at-night",
        "/weight": "number-range",
    }


def test_a_city_has_a_name_a_zone_and_a_country() -> None:
    assert list(office.identity_faults(CITY, frozenset({"KR"}))) == []
    wrong = replace(CITY, name=Wording(), zone="Asia/Atlantis", country="EU")
    found = {f.pointer: f.key for f in office.identity_faults(wrong, frozenset({"KR"}))}
    assert found == {"/name": "required", "/zone": "unknown-zone", "/country": "unknown-country"}
    long = replace(CITY, name=Wording.of("x" * 101))
    assert [f.key for f in office.identity_faults(long, frozenset({"KR"}))] == ["too-long"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {}),
        ({"since": TODAY, "until": TODAY + timedelta(days=365)}, {}),
        ({"kind": "holiday", "start": 780}, {}),
        ({"since": TODAY - timedelta(days=1), "until": TODAY}, {"/day": "in-the-past"}),
        ({"since": date(2033, 1, 1), "until": date(2033, 1, 1)}, {"/day": "too-far-ahead"}),
        ({"until": TODAY}, {"/until": "slots-reversed"}),
        ({"until": TODAY + timedelta(days=500)}, {"/until": "slots-too-long"}),
        ({"name": Wording()}, {"/name": "required"}),
        ({"kind": "reopened"}, {"/kind": "unknown-kind"}),
        ({"start": 1440}, {"/from": "bad-time"}),
        ({"start": -1}, {"/from": "bad-time"}),
    ],
)
def test_days_off_that_can_and_cannot_be_meant(changes: dict[str, Any], expected: dict[str, str]) -> None:
    day = TODAY + timedelta(days=30)
    closing = replace(Closing(day, day, Wording.of("Founding day")), **changes)
    assert {f.pointer: f.key for f in office.closing_faults(closing, TODAY)} == expected


def test_a_closing_of_several_days_is_each_of_them_and_one_by_law_from_an_hour_on_a_half_day() -> None:
    name = Wording.of("Election")
    closing = Closing(date(2027, 2, 27), date(2027, 3, 1), name, "holiday", 780)
    assert list(closing.days()) == [
        Closure(day, "half-day", name, 780) for day in (date(2027, 2, 27), date(2027, 2, 28), date(2027, 3, 1))
    ]
    assert [c.kind for c in replace(closing, start=0).days()] == ["holiday"] * 3
    assert [c.kind for c in replace(closing, kind="municipal").days()] == ["municipal"] * 3
