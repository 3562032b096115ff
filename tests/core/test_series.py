"""Dates of standing meetings: golden ones of 2027, and thousands against an oracle that looks at every minute."""

from __future__ import annotations

import calendar as months
import random
from dataclasses import replace
from datetime import date, datetime, time, timedelta

import pytest

from scheduler import public_holidays
from scheduler.core import series
from scheduler.core.calendars import Calendar
from scheduler.core.cities import Closure
from scheduler.core.closures import closed_days
from scheduler.core.errors import Invalid
from scheduler.core.fairness import unevenness
from scheduler.core.rhythm import Rhythm
from scheduler.core.words import Wording
from tests.core.asking import EREGLI, GWANGJIN, MINUTE, ULAANBAATAR, busy, city, utc, weekdays
from tests.core.oracle import Oracle, all_of, days, shown, wall_minutes
from tests.core.test_slots_oracle import generated_hours

NOW = utc(2026, 12, 1)
DAY = timedelta(days=1)
COUNTRIES = {"gwangjin": "KR", "ulaanbaatar": "MN", "eregli": "TR"}


def rhythm(*wall, frequency="monthly-date", count=6, minutes=60, zone="Asia/Seoul"):
    return Rhythm(datetime(*wall), zone, frequency, count, minutes)  # noqa: DTZ001


def plan(towns, wanted, closures=None, now=NOW, **more):
    """With the holidays of 2027 if no closures are given."""
    years = series.years(wanted, now)
    if closures is None:
        closures = {
            t.slug: closed_days(t, public_holidays.closures(COUNTRIES[t.slug], years))
            for t in towns
            if t.slug in COUNTRIES
        }
    calendars = [Calendar.of(town, closures.get(town.slug, {}), years) for town in towns]
    return series.plan(calendars, wanted, now=now, **more)


def held(found):
    """Date and time on the clock of the city of record."""
    return [f"{next(iter(d.occasion.local.values())):%m-%d %H:%M}" if d.occasion else "none" for d in found.dates]


def why(planned, language="en"):
    return [(o.city, o.reason, o.name.read_in(language)) for o in planned.obstacles]


# --- golden dates


def test_monthly_six_times_with_ulaanbaatar_from_the_eighth_of_january_2027():
    found = plan([GWANGJIN, ULAANBAATAR], rhythm(2027, 1, 8, 15))
    assert [planned.day for planned in found.dates] == [date(2027, month, 8) for month in range(1, 7)]
    assert [planned.kind for planned in found.dates] == [
        *("regular", "other-day", "other-day", "regular", "other-day", "regular")
    ]
    assert held(found) == ["01-08 15:00", "02-10 15:00", "03-09 15:00", "04-08 15:00", "05-07 15:00", "06-08 15:00"]
    assert why(found.dates[1]) == [
        ("gwangjin", "holiday", "Day after Korean New Year (Seollal)"),
        ("ulaanbaatar", "holiday", "Tsagaan Sar (Lunar New Year)"),
    ]
    assert [city for city, *_ in why(found.dates[2])] == ["ulaanbaatar"]  # International Women's Day
    assert [reason for _, reason, _ in why(found.dates[4])] == ["weekend", "weekend"]
    assert found.minutes == {"gwangjin": 0, "ulaanbaatar": 0}
    assert (found.better, found.rotation) == (None, None)


def test_the_second_tuesday_of_each_month_with_all_three():
    found = plan([GWANGJIN, ULAANBAATAR, EREGLI], rhythm(2027, 1, 12, 16, frequency="monthly-weekday"))
    assert held(found) == ["01-12 16:00", "02-10 16:00", "03-12 16:00", "04-13 16:00", "05-11 16:00", "06-08 16:00"]
    assert why(found.dates[1]) == [
        ("gwangjin", "holiday", "Substitute holiday for Korean New Year (Seollal)"),
        ("ulaanbaatar", "holiday", "Tsagaan Sar (Lunar New Year)"),
    ]
    assert [who for who, *_ in why(found.dates[2])] == ["eregli"]  # the feast after Ramadan, until the 11th


def test_a_half_day_in_konya_moves_an_afternoon_and_no_morning():
    found = plan([EREGLI], rhythm(2027, 10, 28, 14, zone="Europe/Istanbul", count=2))
    assert held(found) == ["10-27 14:00", "11-29 14:00"]  # the 29th is Republic Day; 28 November is a Sunday
    assert [reason for _, reason, _ in why(found.dates[0])] == ["half-day"]
    morning = plan([EREGLI], rhythm(2027, 10, 28, 9, zone="Europe/Istanbul", count=2))
    assert held(morning)[0] == "10-28 09:00"
    noon = plan([EREGLI], rhythm(2027, 10, 28, 12, zone="Europe/Istanbul", count=2))
    assert [reason for _, reason, _ in why(noon.dates[0])] == ["outside-hours"]  # lunch; it ends as the half day begins
    assert held(noon)[0] == "10-28 11:30"


@pytest.mark.parametrize(
    ("first", "frequency", "expected"),
    [
        ((2027, 1, 6), "weekly", ["01-06", "01-13", "01-20", "01-27"]),
        ((2027, 12, 22), "fortnightly", ["12-22", "01-05", "01-19", "02-02"]),
        ((2028, 1, 31), "monthly-date", ["01-31", "02-29", "03-31", "04-30"]),
        ((2027, 11, 30), "quarterly", ["11-30", "02-29", "05-30", "08-30"]),
        ((2027, 1, 13), "monthly-weekday", ["01-13", "02-10", "03-10", "04-14"]),
        ((2027, 1, 29), "monthly-weekday", ["01-29", "02-26", "03-26", "04-30"]),  # the fifth Friday is the last
    ],
)
def test_the_dates_of_each_rhythm(first, frequency, expected):
    found = rhythm(*first, 15, frequency=frequency, count=4)
    assert [day.strftime("%m-%d") for day in found.dates()] == expected


def test_a_wall_time_that_summer_time_skips_or_doubles_is_told_and_replaced():
    night = city("night", "Europe/Berlin", (((0, 1440),),) * 7)
    skipped = plan([night], rhythm(2027, 3, 21, 2, 30, frequency="weekly", count=2, zone="Europe/Berlin"))
    assert [o.reason for o in skipped.dates[1].obstacles] == ["wall-nonexistent"]
    assert skipped.dates[1].regular is None
    assert held(skipped) == ["03-21 02:30", "03-29 02:30"]
    doubled = plan([night], rhythm(2027, 10, 24, 2, 30, frequency="weekly", count=2, zone="Europe/Berlin"))
    assert [o.reason for o in doubled.dates[1].obstacles] == ["wall-ambiguous"]
    assert held(doubled) == ["10-24 02:30", "11-01 02:30"]


def test_summer_time_elsewhere_can_push_a_wall_time_out_of_the_hours():
    berlin = city("berlin", "Europe/Berlin", weekdays((480, 720)))
    found = plan([GWANGJIN, berlin], rhythm(2027, 3, 24, 16, 30, frequency="weekly", count=3), closures={})
    assert held(found) == ["03-24 16:30", "03-31 16:30", "04-07 16:30"]
    found = plan([GWANGJIN, berlin], rhythm(2027, 10, 20, 15, frequency="weekly", count=3), closures={})
    assert held(found) == ["10-20 15:00", "10-27 15:00", "11-03 16:00"]
    assert [(o.city, o.reason) for o in found.dates[2].obstacles] == [("berlin", "outside-hours")]
    assert found.dates[2].kind == "other-time"
    assert found.better == time(16, 0)


def test_whoever_is_busy_and_what_is_past_is_told():
    start = utc(2027, 1, 8, 6)
    found = plan([GWANGJIN], rhythm(2027, 1, 8, 15), attendees=[busy("gwangjin", (start, start + 30 * MINUTE))])
    assert [(o.city, o.reason) for o in found.dates[0].obstacles] == [("gwangjin", "busy")]
    assert held(found)[0] == "01-07 15:00"
    late = plan([GWANGJIN], rhythm(2027, 1, 8, 15), now=utc(2027, 1, 8, 6, 1))
    assert [(o.city, o.reason) for o in late.dates[0].obstacles] == [(None, "notice")]
    assert held(late)[0] == "01-11 15:00"


def test_where_no_day_near_is_open_there_is_no_replacement():
    week = {
        date(2027, 1, 11) + n * DAY: Closure(date(2027, 1, 11) + n * DAY, "municipal", Wording.of("x"))
        for n in range(5)
    }
    found = plan([GWANGJIN], rhythm(2027, 1, 6, 15, frequency="weekly", count=3), closures={"gwangjin": week})
    assert held(found) == ["01-06 15:00", "none", "01-20 15:00"]
    assert (found.dates[1].kind, found.dates[1].occasion) == ("none", None)


# --- the oracle


class SlowPlan:
    """Every date as the rules say it, minute by minute."""

    def __init__(self, towns, closures, wanted, now, attendees):
        dates = [self.date(wanted, n) for n in range(-1, wanted.count + 1)]
        self.oracle = Oracle(towns, closures, dates[0], dates[-1])
        self.wanted, self.towns = wanted, towns
        self.free = all_of(self.oracle.allowed.values())
        for who in attendees:
            for m in self.oracle.busy_minutes(who):
                self.free[m] = 0
        self.notice = now + timedelta(hours=max(town.notice_hours for town in towns))
        walls = shown(wanted.zone, self.oracle.base, self.oracle.count)[0]
        self.places = {}
        wanted_wall = wall_minutes(wanted.wall)
        minute = wanted_wall % 1440
        for place in [place for place, wall in enumerate(walls) if wall % 1440 == minute]:
            day = wanted.wall.date() + (walls[place] - wanted_wall) // 1440 * DAY
            self.places.setdefault(day, []).append(place)
        self.dates = [self.kind_and_start(*dates[n - 1 : n + 2]) for n in range(1, wanted.count + 1)]

    def date(self, wanted, number):
        first, step = wanted.wall.date(), {"weekly": 7, "fortnightly": 14}
        if wanted.frequency in step:
            return first + number * step[wanted.frequency] * DAY
        year, month = first.year, first.month
        for _ in range(abs(number) * (3 if wanted.frequency == "quarterly" else 1)):
            month += 1 if number > 0 else -1
            year, month = year + (month == 13) - (month == 0), {13: 1, 0: 12}.get(month, month)
        there = [date(year, month, n) for n in range(1, months.monthrange(year, month)[1] + 1)]
        if wanted.frequency == "monthly-weekday":
            own = [day for day in there if day.weekday() == first.weekday()]
            return own[min((first.day - 1) // 7, len(own) - 1)]
        return there[min(first.day, len(there)) - 1]

    def kind_and_start(self, before, day, after):
        if self.fits(day):
            return "regular", self.places[day][0]
        near = sorted(days(before, after), key=lambda d: (abs(d - day), d < day))
        near = [d for d in near if abs(d - day) < min(abs(d - before), abs(d - after))]
        for other in near:
            if self.fits(other):
                return "other-day", self.places[other][0]
        for other in near:
            starts = [m for m in self.oracle.fitting(self.free, other, self.minutes, 15) if self.is_ahead(m)]
            if starts:
                return "other-time", min(starts, key=lambda m: (self.cost(m), self.apart(m, other), m))
        return "none", None

    @property
    def minutes(self):
        return self.wanted.duration_minutes

    def fits(self, day):
        places = self.places.get(day, [])
        return len(places) == 1 and self.is_ahead(places[0]) and all(self.free[places[0] : places[0] + self.minutes])

    def is_ahead(self, place):
        return self.oracle.base + place * MINUTE >= self.notice

    def cost(self, place):
        burdens = self.oracle.burdens(place, self.minutes)
        return sum(burdens[town.slug] * town.weight for town in self.towns)

    def apart(self, place, day):
        wall = shown(self.wanted.zone, self.oracle.base, self.oracle.count)[0][place]
        return abs(wall - wall_minutes(datetime.combine(day, self.wanted.wall.time())))


# First dates of stretches in which clocks change, and zones to which it happens. Other rhythms differ in dates alone.
FIRSTS = [
    (date(2027, 3, 10), "weekly", 3, ["Europe/Berlin", "America/New_York", "Asia/Beirut", "Asia/Seoul"], 14),
    (date(2027, 10, 20), "weekly", 4, ["Europe/Berlin", "America/St_Johns", "Asia/Seoul", "Asia/Kathmandu"], 14),
    (date(2027, 3, 28), "fortnightly", 2, ["Australia/Lord_Howe", "Pacific/Chatham", "Asia/Ulaanbaatar"], 14),
    (date(2027, 1, 29), "monthly-date", 3, ["Asia/Seoul", "Europe/Istanbul"], 8),
]


def generated(chance, first, frequency, count, zones):
    towns = []
    for n in range(chance.randrange(1, 4)):
        more = {"weight": chance.randrange(1, 4), "notice_hours": chance.choice([0, 0, 200])}
        if chance.random() < 0.5:
            more["stretch"] = (((chance.randrange(300, 540), chance.randrange(1080, 1500)),),) * 7
        towns.append(city(f"c{n}", chance.choice(zones), generated_hours(chance), **more))
    span = days(first - 40 * DAY, first + 130 * DAY)
    closures = {
        t.slug: {
            day: Closure(day, "holiday", Wording.of("X"), start=chance.choice([0, 0, 780]))
            for day in span
            if chance.random() < chance.choice([0.1, 0.5])
        }
        for t in towns
    }
    wall = datetime.combine(first, time(*divmod(chance.choice([150, 540, 600, 900, chance.randrange(1440)]), 60)))
    wanted = Rhythm(wall, towns[0].zone, frequency, count, chance.choice([30, 60, 90]))
    begin = utc(first.year, first.month, first.day) + chance.randrange(-2880, 20000) * MINUTE
    return towns, closures, wanted, [busy("c0", (begin, begin + chance.randrange(1, 9000) * MINUTE))]


@pytest.mark.parametrize(("first", "frequency", "count", "zones", "cases"), FIRSTS)
def test_plans_are_those_of_the_oracle(first, frequency, count, zones, cases):
    chance, kinds = random.Random(f"{first}{frequency}"), set()
    for _ in range(cases):
        towns, closures, wanted, attendees = generated(chance, first, frequency, count, zones)
        now = utc(first.year, first.month, first.day)
        found = plan(towns, wanted, closures, now, attendees=attendees)
        slow = SlowPlan(towns, closures, wanted, now, attendees)
        starts = [d.occasion and int((d.occasion.start - slow.oracle.base) / MINUTE) for d in found.dates]
        assert list(zip((d.kind for d in found.dates), starts, strict=True)) == slow.dates
        for planned, place in zip(found.dates, starts, strict=True):
            assert bool(planned.obstacles) == (planned.kind != "regular")
            assert place is None or planned.occasion.burdens == slow.oracle.burdens(place, wanted.duration_minutes)
        kinds |= {planned.kind for planned in found.dates}
    assert {"regular", "other-day"} <= kinds


# --- taking turns

LONG = (((420, 1350),),) * 5 + ((), ())
SEOUL = replace(GWANGJIN, stretch=LONG)
NEW_YORK = city("new-york", "America/New_York", weekdays((540, 720), (780, 1020)), stretch=LONG)
LIMA = city("lima", "America/Lima", weekdays((540, 1080)), stretch=LONG)  # fourteen hours behind Seoul, all the year


def test_cities_far_apart_take_turns_so_that_each_bears_its_share():
    found = plan([SEOUL, LIMA], rhythm(2027, 1, 13, 21, frequency="fortnightly"), closures={})
    assert found.minutes == {"gwangjin": 360, "lima": 360}  # late for one and early for the other, each time
    assert found.better is None
    assert taken(found) == [("gwangjin", "07:00"), ("lima", "11:00")] * 3
    assert found.rotation.minutes == {"gwangjin": 180, "lima": 180}
    assert [turn.city for turn in found.rotation.turns] == ["gwangjin", "lima"]


def test_turns_begin_with_whoever_bore_less_so_far():
    wanted = rhythm(2027, 1, 13, 21, frequency="fortnightly")
    found = plan([SEOUL, LIMA], wanted, closures={}, borne={"gwangjin": 130, "lima": 0})
    assert [who for who, _ in taken(found)] == ["lima", "lima", "lima", "gwangjin", "lima", "gwangjin"]


def test_each_date_of_a_rotation_has_the_turn_that_is_most_even():
    towns = [replace(town, stretch=(((300, 1440),),) * 5 + ((), ())) for town in (GWANGJIN, NEW_YORK, EREGLI)]
    borne, more = dict.fromkeys((town.slug for town in towns), 0), {"frequency": "fortnightly"}
    found = plan(towns, rhythm(2027, 1, 13, 18, count=12, **more), closures={})
    starts = {turn.at for turn in found.rotation.turns}
    assert len(starts) > 1
    for number, (turn, planned) in enumerate(found.rotation.dates):
        day = planned.day
        wanted = [rhythm(day.year, day.month, day.day, at.hour, at.minute, count=2, **more) for at in starts]
        single = [plan(towns, one, closures={}) for one in wanted]
        options = [p.dates[0].occasion.burdens for p in single if p.dates[0].occasion]
        assert unevenness(borne, planned.occasion.burdens) == min(unevenness(borne, o) for o in options), number
        assert planned.at == turn.at
        borne = {slug: minutes + planned.occasion.burdens[slug] for slug, minutes in borne.items()}
    assert found.rotation.minutes == borne


def test_a_rotation_avoids_closures_too():
    first = {date(2027, 1, 13): Closure(date(2027, 1, 13), "municipal", Wording.of("x"))}
    found = plan([SEOUL, LIMA], rhythm(2027, 1, 13, 21, frequency="fortnightly"), closures={"gwangjin": first})
    _, planned = found.rotation.dates[0]
    assert planned.kind == "other-day"
    assert planned.occasion.local["gwangjin"].isoformat() == "2027-01-14T07:00:00+09:00"


@pytest.mark.parametrize(
    "towns",
    [
        [GWANGJIN, ULAANBAATAR, EREGLI],  # an hour of everybody there is
        [GWANGJIN, LIMA],  # only one of them has early and late hours: there is but one turn
        [GWANGJIN, replace(LIMA, stretch=((),) * 7)],  # no hour at all
    ],
)
def test_no_rotation_is_proposed_where_there_are_no_turns_to_take(towns):
    assert plan(towns, rhythm(2027, 1, 13, 21), closures={}).rotation is None


def test_a_wall_time_within_everybodys_hours_is_named_where_the_wanted_one_is_not():
    assert plan([GWANGJIN, ULAANBAATAR, EREGLI], rhythm(2027, 1, 13, 10), closures={}).better == time(14, 30)
    everyday = [replace(town, stretch=LONG[:1] * 7) for town in (GWANGJIN, ULAANBAATAR)]
    assert plan(everyday, rhythm(2027, 1, 13, 20), closures={}).better == time(17)  # February's 13th is a Saturday


def taken(found):
    return [(turn.city, f"{turn.at:%H:%M}") for turn, _ in found.rotation.dates]


# --- what cannot be planned


@pytest.mark.parametrize(
    ("changes", "faults"),
    [
        ({"count": 1}, [("/count", "series-count")]),
        ({"count": 61}, [("/count", "series-count")]),
        ({"minutes": 4}, [("/duration_minutes", "duration-range")]),
        ({"frequency": "daily", "count": 0}, [("/frequency", "unknown-frequency"), ("/count", "series-count")]),
        ({"frequency": "quarterly", "count": 22}, [("/count", "series-too-long")]),
    ],
)
def test_what_cannot_be_meant_is_refused_with_every_fault(changes, faults):
    with pytest.raises(Invalid) as refused:
        plan([GWANGJIN], rhythm(2027, 1, 13, 15, **changes))
    assert [(fault.pointer, fault.key) for fault in refused.value.faults] == faults


def test_dates_that_are_over_or_too_far_ahead_and_cities_without_hours_are_refused():
    for year, key in ((2026, "in-the-past"), (2034, "too-far-ahead"), (9999, "too-far-ahead"), (1, "in-the-past")):
        with pytest.raises(Invalid, match=key):
            plan([GWANGJIN], rhythm(year, 11, 30, 15))
    with pytest.raises(Invalid, match="no-office-hours"):
        plan([city("closed", "Asia/Seoul", ((),) * 7)], rhythm(2027, 1, 13, 15))
    with pytest.raises(Invalid, match="no-cities"):
        plan([], rhythm(2027, 1, 13, 15))
