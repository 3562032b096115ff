"""When a city is open, as spans; the wall clock's bounds; the small algebra of spans."""

from __future__ import annotations

import random
import zoneinfo
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
import pytz

from scheduler.core import hours, zones
from scheduler.core.cities import City, Closure, Season
from scheduler.core.closures import closed_days
from scheduler.core.errors import Invalid
from scheduler.core.spans import Spans, flat, overlaps
from scheduler.core.words import Wording

zoneinfo.reset_tzpath(to=())

OFFICE = ((540, 720), (780, 1080))
WEEK = (OFFICE,) * 5 + ((), ())


def city(zone="Asia/Seoul", weekly=WEEK, **more):
    return City("town", Wording.of("Town"), zone, "KR", "ko", weekly, **more)


def opened(town, since, until=None, closures=None):
    """Spans as pairs of UTC times `dd HH:MM`, of local days."""
    until = until or since
    days = hours.Days(closures or {}, since, until, hours.Clock(town.zone, since, until))
    spans = days.spans(days.office_weeks(town))
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
    assert closed_days(town, public) == {two: public[two], three: own}


def test_of_two_closures_of_a_day_the_earlier_one_stands_and_the_public_one_when_equal():
    day = date(2026, 10, 28)
    half = Closure(day, "half-day", Wording.of("Eve"), start=780)
    for start, stands in ((0, "municipal"), (600, "municipal"), (780, "half-day"), (900, "half-day")):
        town = city(municipal=(Closure(day, "municipal", Wording.of("Own"), start=start),))
        assert closed_days(town, {day: half})[day].kind == stands


def test_seasons_have_their_own_hours_and_the_first_that_covers_a_day_wins():
    summer, winter = (((480, 960),),) * 7, (((600, 1020),),) * 7
    exam = Season("2026-07-02", "2026-07-02", (((700, 720),),) * 7)
    town = city(seasons=(exam, Season("06-01", "08-31", summer), Season("12-24", "01-02", winter)))
    assert opened(town, date(2026, 6, 30), date(2026, 7, 3)) == [
        ("29 23:00", "30 07:00"),
        ("30 23:00", "01 07:00"),
        ("02 02:40", "02 03:00"),
        ("02 23:00", "03 07:00"),
    ]
    assert opened(town, date(2027, 1, 2), date(2027, 1, 4)) == [
        ("02 01:00", "02 08:00"),
        ("04 00:00", "04 03:00"),
        ("04 04:00", "04 09:00"),
    ]
    late = city(seasons=(Season("07-06", "07-06", (((1380, 1500),),) * 7),))  # a Monday, till one on Tuesday
    assert opened(late, date(2026, 7, 7))[0] == ("06 15:00", "06 16:00")


@pytest.mark.parametrize(
    ("since", "until", "inside", "outside"),
    [
        ("05-15", "09-15", ["2026-05-15", "2027-07-01", "2028-09-15"], ["2026-05-14", "2026-09-16", "2026-12-01"]),
        ("11-01", "02-29", ["2026-11-01", "2026-12-31", "2028-02-29", "2027-02-28"], ["2027-03-01", "2026-10-31"]),
        ("03-01", "03-01", ["2026-03-01"], ["2026-02-28", "2026-03-02"]),
        ("2026-11-01", "2027-02-10", ["2026-11-01", "2027-01-01", "2027-02-10"], ["2026-10-31", "2027-11-01"]),
        ("2027-02-10", "2026-11-01", [], ["2026-12-01", "2027-05-01"]),
    ],
)
def test_a_season_covers_its_days_over_the_new_year_too(since, until, inside, outside):
    season = Season(since, until, WEEK)
    assert [day for day in inside + outside if season.covers(date.fromisoformat(day))] == inside


def test_all_bounds_at_once_are_those_one_by_one():
    chance = random.Random(3)
    for zone in chance.sample(pytz.common_timezones, 25):
        first = date(2025, 1, 1) + timedelta(days=chance.randrange(2000))
        clock = hours.Clock(zone, first, first + timedelta(days=400))
        walls = [hours.wall_midnight(first) + chance.randrange(400 * 86400) for _ in range(50)]
        assert clock.instants(np.array(walls)).tolist() == [first_shown(zone, wall) for wall in walls], zone


def first_shown(zone, wall):
    """The first second at which the clock shows `wall` seconds or more; its changes are less than a day."""
    shown = zoneinfo.ZoneInfo(zone)
    low, high = wall - 86400 * 2, wall + 86400 * 2
    offsets = [(t, int(datetime.fromtimestamp(t, shown).utcoffset().total_seconds())) for t in range(low, high, 900)]
    at, offset = next((t, offset) for t, offset in offsets if t + offset + 900 > wall)
    return max(at, wall - offset)


def test_spans_behave_as_sets_of_seconds():
    chance = random.Random(5)

    def some():
        return [(a, a + chance.randrange(0, 9)) for a in (chance.randrange(60) for _ in range(chance.randrange(8)))]

    def seconds(given):
        return {s for a, b in given for s in range(a, b)}

    everything = set(range(-9, 90))
    instants = np.arange(-5, 80)
    for _ in range(600):
        raw, length = some(), chance.randrange(1, 12)
        merged = Spans.of(raw)
        held = seconds(merged)
        assert held == seconds(raw)
        assert all(a[1] < b[0] for a, b in pairwise(merged))
        assert seconds(merged.gaps().clipped(-9, 90)) == everything - held
        assert seconds(merged.clipped(20, 40)) == held & set(range(20, 40))
        assert merged.covered(instants, length).tolist() == [len(held & set(range(i, i + length))) for i in instants]
        rooms = [next(n for n in range(99) if i + n not in held) for i in instants.tolist()]
        assert merged.room(instants).tolist() == rooms
        filled = [(a, b) for a, b in raw if a < b]
        overlapping = [sum(a < i + length and b > i for a, b in filled) for i in instants.tolist()]
        assert overlaps(instants, length, [flat(filled[:2]), flat(filled[2:])]).tolist() == overlapping
