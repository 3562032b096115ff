"""What a meeting costs a city beyond its office hours, and whose turn it is."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta

import pytest

from scheduler.core.calendars import Calendar
from scheduler.core.cities import Closure, Season
from scheduler.core.fairness import Account, burdens, minutes_outside, unevenness
from scheduler.core.words import Wording
from tests.core.asking import EREGLI, GWANGJIN, MINUTE, ULAANBAATAR, city, utc, weekdays
from tests.core.oracle import Oracle

YEARS = range(2026, 2029)


def calendar(town, *closures):
    return Calendar.of(town, {closure.day: closure for closure in closures}, YEARS)


def closure(day, start=0):
    return Closure(day, "holiday", Wording.of("Feast"), start=start)


@pytest.mark.parametrize(
    ("start", "minutes", "outside"),
    [
        (utc(2027, 2, 10, 0), 60, 0),  # 09:00, when it opens
        (utc(2027, 2, 9, 23, 30), 60, 30),  # 08:30
        (utc(2027, 2, 10, 2, 30), 120, 60),  # lunch
        (utc(2027, 2, 10, 8, 45), 60, 45),  # 17:45, an hour that begins in time
        (utc(2027, 2, 10, 12), 60, 60),  # 21:00
        (utc(2027, 2, 13, 1), 60, 60),  # Saturday
        (utc(2027, 2, 9, 15, 0), 24 * 60, 24 * 60 - 8 * 60),  # all of Wednesday
    ],
)
def test_a_city_bears_the_minutes_outside_its_office_hours(start, minutes, outside):
    assert minutes_outside(calendar(GWANGJIN), start, start + minutes * MINUTE) == outside


def test_on_a_closed_day_a_city_bears_all_minutes_and_on_a_half_day_those_after_it_closes():
    start, end = utc(2027, 2, 9, 23), utc(2027, 2, 10, 5)  # 08:00 to 14:00 in Seoul, on the day after that in UTC
    wednesday = date(2027, 2, 10)
    assert minutes_outside(calendar(GWANGJIN), start, end) == 60 + 60
    assert minutes_outside(calendar(GWANGJIN, closure(wednesday)), start, end) == 6 * 60
    assert minutes_outside(calendar(GWANGJIN, closure(wednesday, 11 * 60)), start, end) == 60 + 3 * 60


def test_stretch_hours_and_weights_make_a_burden_no_smaller():
    everyday = (((360, 1320),),) * 7
    start, end = utc(2027, 2, 10, 11), utc(2027, 2, 10, 12)
    late = city("late", "Asia/Seoul", weekdays((540, 1080)), stretch=everyday, weight=9)
    assert minutes_outside(calendar(late), start, end) == 60


def test_the_season_of_the_day_counts():
    summer = Season("06-01", "08-31", weekdays((420, 840)))
    town = city("summery", "Asia/Seoul", weekdays((540, 1080)), seasons=(summer,))
    for day, outside in ((date(2027, 6, 2), 60), (date(2027, 5, 26), 0)):
        start = datetime(day.year, day.month, day.day, 5, tzinfo=UTC)  # 14:00
        assert minutes_outside(calendar(town), start, start + 60 * MINUTE) == outside


def test_begun_minutes_count_whole():
    start = utc(2027, 2, 9, 23, 59) + timedelta(seconds=30)
    assert minutes_outside(calendar(GWANGJIN), start, start + 60 * MINUTE) == 1


def test_burdens_are_those_that_an_oracle_counts_minute_by_minute():
    chance, since, until = random.Random(3), date(2027, 3, 24), date(2027, 4, 1)
    towns = [GWANGJIN, ULAANBAATAR, EREGLI, city("berlin", "Europe/Berlin", weekdays((480, 720), (750, 1500)))]
    days = {
        town.slug: {d: closure(d, chance.choice([0, 0, 780])) for d in chance.sample(_days(since, until), 3)}
        for town in towns
    }
    oracle, calendars = Oracle(towns, days, since, until), [Calendar.of(t, days[t.slug], YEARS) for t in towns]
    for _ in range(300):
        place, length = chance.randrange(4000, oracle.count - 6000), chance.randrange(5, 1440)
        start = oracle.base + place * MINUTE
        assert burdens(calendars, start, start + length * MINUTE) == oracle.burdens(place, length)


def _days(since, until):
    return [since + timedelta(days=n) for n in range((until - since).days)]


def test_the_next_hour_is_the_turn_of_whoever_bore_less():
    assert Account(("a", "b"), 3, {"a": 90, "b": 30}).turn == "b"
    assert Account(("a", "b"), 3, {"a": 30, "b": 90}).turn == "a"
    assert Account(("a", "b"), 3, {"a": 30, "b": 30}).turn is None


def test_it_is_more_even_if_those_bear_who_bore_less():
    borne = {"a": 120, "b": 0}
    assert unevenness(borne, {"b": 60}) < unevenness(borne, {"a": 60})
    assert unevenness({}, {"a": 30, "b": 30}) < unevenness({}, {"a": 60, "b": 0})
