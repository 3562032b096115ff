"""When a city is open, as spans; the wall clock's bounds; the small algebra of spans."""

from __future__ import annotations

import random
import zoneinfo
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
import pytz

from scheduler.core import hours, zones
from scheduler.core.cities import City, Closure
from scheduler.core.errors import Invalid
from scheduler.core.words import Wording

zoneinfo.reset_tzpath(to=())

OFFICE = ((540, 720), (780, 1080))
WEEK = (OFFICE,) * 5 + ((), ())


def city(zone="Asia/Seoul", weekly=WEEK, **more):
    return City("town", Wording.of("Town"), zone, "KR", "ko", weekly, **more)


def opened(town, since, until=None, closures=None):
    """Spans as pairs of UTC times `dd HH:MM`, of local days."""
    until = until or since
    clock = hours.Clock(town.zone, since, until)
    spans = hours.open_spans(town, closures or {}, since, until, clock)
    return [tuple(datetime.fromtimestamp(s, UTC).strftime("%d %H:%M") for s in span) for span in spans]


def test_lunch_is_a_gap_and_the_local_day_begins_before_the_utc_day():
    assert opened(city(), date(2026, 7, 1)) == [("01 00:00", "01 03:00"), ("01 04:00", "01 09:00")]
    early = city(weekly=(((480, 600),),) * 7)
    assert opened(early, date(2026, 7, 1)) == [("30 23:00", "01 01:00")]


def test_touching_intervals_are_one():
    town = city(weekly=(((540, 720), (720, 780), (600, 660)),) * 7)
    assert opened(town, date(2026, 7, 1)) == [("01 00:00", "01 04:00")]


def test_a_closure_takes_the_day_or_the_rest_of_it():
    day = date(2026, 7, 1)
    assert opened(city(), day, closures={day: Closure(day, "holiday", Wording.of("X"))}) == []
    half = {day: Closure(day, "half-day", Wording.of("X"), start=14 * 60)}
    assert opened(city(), day, closures=half) == [("01 00:00", "01 03:00"), ("01 04:00", "01 05:00")]


def test_hours_past_midnight_belong_to_the_local_day_they_fall_on():
    town = city(weekly=(((22 * 60, 26 * 60),),) + ((),) * 6)  # Monday 22:00 to Tuesday 02:00
    monday, tuesday = date(2026, 7, 6), date(2026, 7, 7)
    assert opened(town, monday, tuesday) == [("06 13:00", "06 17:00")]
    closed = {tuesday: Closure(tuesday, "holiday", Wording.of("X"))}
    assert opened(town, monday, tuesday, closed) == [("06 13:00", "06 15:00")]


def test_a_bound_that_summer_time_skips_is_the_moment_of_the_change():
    town = city("Europe/Berlin", (((90, 150), (160, 240)),) * 7)  # 02:00 to 03:00 does not exist
    assert opened(town, date(2027, 3, 28)) == [("28 00:30", "28 02:00")]


def test_a_bound_that_comes_twice_has_its_first_reading():
    town = city("Europe/Berlin", (((150, 240),),) * 7)
    assert opened(town, date(2027, 10, 31)) == [("31 00:30", "31 03:00")]
    assert opened(city("Europe/Berlin", (((60, 150),),) * 7), date(2027, 10, 31)) == [("30 23:00", "31 00:30")]


def test_a_day_that_begins_after_midnight_and_one_that_never_was():
    clock = hours.Clock("Africa/Cairo", date(2027, 4, 29), date(2027, 5, 1))
    skipped = [at for at, *_ in zones.transitions("Africa/Cairo", at(2027, 4, 1), at(2027, 5, 15))]
    assert [clock.midnight(date(2027, 4, 30))] == [int(moment.timestamp()) for moment in skipped]
    samoa = hours.Clock("Pacific/Apia", date(2011, 12, 30), date(2011, 12, 30))
    assert samoa.midnight(date(2011, 12, 30)) == samoa.midnight(date(2011, 12, 31))


def test_bounds_are_right_on_both_sides_of_several_changes():
    clock = hours.Clock("Europe/Berlin", date(2027, 1, 1), date(2028, 12, 31))
    for change in (at(2027, 3, 28), at(2028, 3, 26)):
        skipped = clock.instant(int(change.timestamp()) + 150 * 60)
        assert datetime.fromtimestamp(skipped, UTC) == change + timedelta(hours=1)


def at(year, month, day):
    return datetime(year, month, day, tzinfo=UTC)


def test_bounds_equal_the_one_instant_of_a_wall_time_wherever_there_is_one():
    chance = random.Random(11)
    for zone in chance.sample(pytz.common_timezones, 120):
        first = date(2025, 1, 1) + timedelta(days=chance.randrange(2000))
        clock = hours.Clock(zone, first, first + timedelta(days=200))
        for _ in range(40):
            wall = datetime.combine(first, datetime.min.time()) + timedelta(minutes=chance.randrange(200 * 1440))
            instant = clock.instant(int(wall.replace(tzinfo=UTC).timestamp()))
            try:
                assert instant == zones.to_instant(wall, zone).timestamp()
            except Invalid:
                continue
            assert (
                clock.local(instant).isoformat()
                == zones.to_local(datetime.fromtimestamp(instant, UTC), zone).isoformat()
            )


def test_an_unknown_zone_is_a_fault():
    with pytest.raises(Invalid):
        hours.Clock("Mars/Base", date(2026, 1, 1), date(2026, 1, 2))


def test_a_city_adds_and_reopens_days():
    one, two, three = date(2026, 5, 1), date(2026, 5, 5), date(2026, 5, 8)
    public = {day: Closure(day, "holiday", Wording.of(f"public {day}")) for day in (one, two)}
    own = Closure(three, "municipal", Wording.of("Festival"))
    town = city(municipal=(own,), reopened=frozenset({one, three}))
    assert hours.closed_days(town, public) == {two: public[two], three: own}


def test_of_two_closures_of_a_day_the_earlier_one_stands_and_the_public_one_when_equal():
    day = date(2026, 10, 28)
    half = Closure(day, "half-day", Wording.of("Eve"), start=780)
    for start, stands in ((0, "municipal"), (600, "municipal"), (780, "half-day"), (900, "half-day")):
        town = city(municipal=(Closure(day, "municipal", Wording.of("Own"), start=start),))
        assert hours.closed_days(town, {day: half})[day].kind == stands


def test_spans_behave_as_sets_of_seconds():
    chance = random.Random(5)

    def some():
        return [(a, a + chance.randrange(0, 9)) for a in (chance.randrange(60) for _ in range(chance.randrange(8)))]

    def seconds(spans):
        return {s for a, b in spans for s in range(a, b)}

    for _ in range(2000):
        raw, other = some(), some()
        left, right = hours.merge(raw), hours.merge(other)
        assert seconds(left) == seconds(raw)
        for result, expected in (
            (left, seconds(left)),
            (hours.intersect(left, right), seconds(left) & seconds(right)),
            (hours.subtract(left, right), seconds(left) - seconds(right)),
            (hours.clip(left, (20, 40)), seconds(left) & set(range(20, 40))),
        ):
            assert seconds(result) == expected
            assert all(a[1] < b[0] for a, b in pairwise(result))
