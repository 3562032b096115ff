"""Slots, their costs and their order, against a slow, obvious oracle that looks at every minute with zoneinfo; and
compromises against searching anew."""

from __future__ import annotations

import random
import zoneinfo
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import pytest

from scheduler.core.cities import NO_HOURS, Closure, Season
from scheduler.core.search import Attendee, Search
from scheduler.core.slots import closure_years
from scheduler.core.words import Wording
from tests.core.asking import MINUTE, calendar, city, find, utc, weekdays
from tests.core.oracle import Oracle, days

# First days of stretches with a change in at least one of the zones beside them, and ordinary ones.
STRETCHES = [
    (date(2027, 3, 26), ["Europe/Berlin", "Europe/London", "Asia/Beirut", "America/New_York", "Africa/Cairo"]),
    (date(2027, 10, 29), ["Europe/Berlin", "Atlantic/Azores", "Asia/Seoul", "Africa/Cairo", "America/St_Johns"]),
    (date(2027, 3, 12), ["America/Havana", "America/Los_Angeles", "America/St_Johns", "Asia/Tokyo"]),
    (date(2027, 11, 5), ["America/Havana", "America/New_York", "Asia/Kathmandu", "Pacific/Kiritimati"]),
    (date(2027, 4, 2), ["Australia/Lord_Howe", "Pacific/Chatham", "Australia/Adelaide", "Asia/Kolkata"]),
    (date(2027, 10, 1), ["Australia/Lord_Howe", "Pacific/Chatham", "Pacific/Pago_Pago", "Pacific/Auckland"]),
    (date(2027, 4, 28), ["Africa/Cairo", "Asia/Ulaanbaatar", "Asia/Yangon", "America/Caracas"]),
    (date(2027, 2, 5), ["Africa/Casablanca", "Africa/El_Aaiun", "Europe/Istanbul", "Asia/Seoul"]),
    (date(2027, 9, 3), ["America/Santiago", "Pacific/Easter", "Antarctica/Troll", "Asia/Gaza"]),
    (date(2026, 6, 30), ["Asia/Seoul", "Asia/Ulaanbaatar", "Europe/Istanbul", "Pacific/Apia", "Asia/Tehran"]),
    (date(2026, 12, 30), ["Asia/Seoul", "Asia/Ulaanbaatar", "Europe/Istanbul", "Pacific/Kiritimati"]),
]


def generated_hours(chance):
    shape = chance.randrange(5)
    if shape == 0:
        return weekdays((540, 720), (780, 1080))
    if shape == 1:
        return (((0, 1440),),) * 7
    if shape == 2:  # across midnight
        return (((chance.randrange(1080, 1380), chance.randrange(1441, 2000)),),) * 7
    return (*(tuple(generated_day(chance)) for _ in range(6)), ((60, 200), (200, 900)))


def generated_day(chance):
    for _ in range(chance.randrange(3)):
        start = chance.randrange(0, 1300)
        yield start, start + chance.randrange(1, 400)


def generated_town(chance, slug, zone, since):
    more = {"weight": chance.randrange(1, 10)}
    if chance.random() < 0.6:
        early, late = chance.randrange(300, 540), chance.randrange(1080, 1500)
        more["stretch"] = chance.choice([(((early, late),),) * 7, weekdays((early, 540), (1080, late))])
    if chance.random() < 0.3:
        more["preferred"] = generated_hours(chance)
    if chance.random() < 0.3:
        more["buffer_minutes"] = chance.choice([5, 15, 120])
    if chance.random() < 0.2:
        more["notice_hours"] = chance.randrange(72)
    if chance.random() < 0.3:
        more["seasons"] = tuple(generated_season(chance, since) for _ in range(chance.randrange(1, 3)))
    return city(slug, zone, generated_hours(chance), **more)


def generated_season(chance, since):
    first = since + timedelta(days=chance.randrange(-3, 4))
    last = first + timedelta(days=chance.choice([0, 1, 40]))
    form = chance.choice(["%m-%d", "%Y-%m-%d"])
    if chance.random() < 0.3 and form == "%m-%d":
        first, last = last, first  # nearly all of the year, over the new year
    return Season(first.strftime(form), last.strftime(form), generated_hours(chance))


def generated_case(chance):
    since, zones = chance.choice(STRETCHES)
    towns = [generated_town(chance, f"c{n}", chance.choice(zones), since) for n in range(chance.randrange(1, 4))]
    closures = {}
    for town in towns:
        for day in days(since - timedelta(days=1), since + timedelta(days=3)):
            if chance.random() < 0.15:
                start = chance.choice([0, 0, 780, chance.randrange(1440)])
                closures.setdefault(town.slug, {})[day] = Closure(day, "holiday", Wording.of("X"), start=start)
    base = datetime.combine(since, time(), UTC)
    attendees = [
        Attendee(
            f"p{n}",
            chance.choice([*(town.slug for town in towns), "elsewhere"]),
            required=chance.random() < 0.6,
            busy=tuple(generated_busy(chance, int(base.timestamp()))),
        )
        for n in range(chance.randrange(4))
    ]
    now = base + chance.randrange(-6000, 1500) * MINUTE
    minutes = chance.choice([1, 15, 30, 45, 60, 90, 240, 1440])
    return towns, closures, since, minutes, {"step": chance.randrange(5, 61), "now": now, "attendees": attendees}


def generated_busy(chance, base):
    for _ in range(chance.randrange(4)):
        begin = base + chance.randrange(-1000, 4000) * 60
        yield begin, begin + chance.randrange(0, 400) * 60


def asked(case, days_on=2, **more):
    towns, closures, since, minutes, rest = case
    rest = {"step_minutes" if key == "step" else key: value for key, value in rest.items()}
    return find(towns, closures, since, since + timedelta(days=days_on), minutes, **rest | more)


@pytest.mark.parametrize("seed", range(8))
def test_slots_costs_and_order_equal_those_of_the_oracle(seed):
    chance = random.Random(seed)
    met = priced = 0
    for _ in range(250):
        case = towns, closures, since, minutes, rest = generated_case(chance)
        borne = {town.slug: chance.randrange(600) for town in towns}
        limit = chance.choice([None, 1, 5, 20])
        found = asked(case, borne=borne, limit=limit)
        oracle = Oracle(towns, closures, since, since + timedelta(days=2))
        expected = oracle.starts(minutes, **rest)
        best = oracle.best(expected, minutes, rest["attendees"], borne, limit)
        assert [(int((s.start - oracle.base) / MINUTE), s.costs, s.absent) for s in found.slots] == best, case
        assert found.total == sum(map(len, expected.values())), case
        assert {entry.day for entry in found.excluded} == {day for day, list_ in expected.items() if not list_}, case
        for slot in found.slots[:3]:
            assert slot.cost == sum(slot.costs.values())
            for town in towns:
                local = slot.start.astimezone(zoneinfo.ZoneInfo(town.zone))
                assert slot.local[town.slug].isoformat() == local.isoformat()
        met += bool(found.slots)
        priced += any(slot.cost for slot in found.slots)
    assert met > 100
    assert priced > 20


@pytest.mark.parametrize("seed", range(3))
def test_reasons_equal_those_of_the_oracle(seed):
    """Busy time and notice are the reason exactly when the open hours alone would give slots."""
    chance = random.Random(100 + seed)
    for _ in range(150):
        case = towns, closures, since, minutes, rest = generated_case(chance)
        found = asked(case, 0)
        oracle = Oracle(towns, closures, since, since)
        if found.slots:
            continue
        told = {entry.reason for entry in found.excluded}
        anyone = rest | {"now": utc(2000, 1, 1), "attendees": []}
        possible = oracle.starts(minutes, **anyone)[since]
        assert bool(possible) == bool(told & {"busy", "notice"}), (told, possible, case)
        for entry in found.excluded:
            if entry.reason in ("weekend", "holiday"):
                room = list(oracle.fitting(oracle.allowed[entry.city], since, minutes, rest["step"]))
                # A closed city has no room of its own, or a partial closure of it took the hours in common.
                assert not room or any(c.start for c in closures[entry.city].values()), entry
        ahead = rest["now"] + timedelta(hours=max(town.notice_hours for town in towns))
        if told == {"notice"}:
            assert oracle.base + max(possible) * MINUTE < ahead
        if told == {"busy"}:
            assert not oracle.starts(minutes, **rest)[since]


def test_compromises_are_what_a_search_with_that_one_change_finds():
    chance = random.Random(7)
    seen = set()
    for number in range(60):
        towns, closures, since, _, rest = generated_case(chance)
        minutes = chance.choice([40, 60, 240])
        if number % 3 == 0:  # one person is never free
            whole = int(datetime.combine(since, time(), UTC).timestamp())
            all_day = Attendee("all day", "elsewhere", busy=((whole - 86400, whole + 4 * 86400),))
            rest["attendees"].append(all_day)
        if number % 3 == 1:  # ten minutes are missing
            worked = chance.choice([[(540, 720), (780, 1080)], [(360, 540), (600, 900)], [(780, 960), (1020, 1320)]])
            towns, minutes = [replace(towns[0], hours=weekdays(*worked), stretch=NO_HOURS)], 310
        case = towns, closures, since, minutes, rest
        found = asked(case, 1)
        if found.total:
            assert found.compromises == ()
            continue
        offered = {(c.kind, c.city, c.person, c.minutes, c.days): (c.slots, c.first) for c in found.compromises}
        expected = dict(anew(towns, closures, since, minutes, rest))
        assert offered == expected, case
        seen |= {kind for kind, *_ in offered}
    assert seen == {"hours", "optional", "later", "shorter"}


def anew(towns, closures, since, minutes, rest):
    """Every compromise by searching with it."""

    def told(kind, case, city=None, person=None, minutes=0, days=0):
        if len(found := free_starts(case)):
            yield (kind, city, person, minutes, days), (len(found), datetime.fromtimestamp(found[0], UTC))

    for n, town in enumerate(towns):
        for more in (-30, 30):
            longer = [*towns[:n], open_longer(town, more), *towns[n + 1 :]]
            yield from told("hours", (longer, closures, since, minutes, rest), town.slug, minutes=more)
    for n, who in enumerate(rest["attendees"]):
        if who.required:
            others = [*rest["attendees"][:n], replace(who, required=False), *rest["attendees"][n + 1 :]]
            case = towns, closures, since, minutes, rest | {"attendees": others}
            yield from told("optional", case, person=who.key)
    week_on = towns, closures, since + timedelta(days=7), minutes, rest
    yield from told("later", week_on, days=7)
    for less in range((minutes - 1) // 15 * 15, 0, -15):
        shorter = list(told("shorter", (towns, closures, since, less, rest), minutes=less))
        if shorter:
            yield from shorter
            break


def free_starts(case):
    """The starts of two days that a search finds; what it would offer otherwise is not looked for."""
    towns, closures, since, minutes, rest = case
    until = since + timedelta(days=1)
    calendars = [
        calendar(town, tuple(closures.get(town.slug, {}).values()), closure_years(since, until)) for town in towns
    ]
    now = int(rest["now"].timestamp())
    return Search.of(calendars, rest["attendees"], since, until, minutes, rest["step"], now).free_starts().tolist()


def open_longer(town, more):
    def longer(week):
        return tuple((*own, *extra(own + stretch)) for own, stretch in zip(week, town.stretch, strict=True))

    def extra(day):
        opens, closes = min((start for start, _ in day), default=0), max((end for _, end in day), default=0)
        start, end = (opens + more, opens) if more < 0 else (closes, closes + more)
        if day and any(midnight + 360 <= start and end <= midnight + 1320 for midnight in (0, 1440)):
            yield start, end

    seasons = tuple(replace(season, hours=longer(season.hours)) for season in town.seasons)
    return replace(town, hours=longer(town.hours), seasons=seasons)


def test_the_oracle_itself_knows_a_plain_day():
    """Gwangjin-gu with stretch hours from 8 to 19, on a Wednesday with one lunch."""
    town = city("gwangjin", "Asia/Seoul", weekdays((540, 720), (780, 1080)), stretch=weekdays((480, 540), (1080, 1140)))
    day = date(2027, 2, 10)
    oracle = Oracle([town], {}, day, day)
    found = oracle.starts(60, 60, utc(2026, 1, 1), [])
    assert [oracle.base + m * MINUTE for m in found[day]] == [utc(2027, 2, 9, 23)] + [
        utc(2027, 2, 10, hour) for hour in (0, 1, 2, 4, 5, 6, 7, 8, 9)
    ]
    best = oracle.best(found, 60, [], {}, None)
    assert [costs["gwangjin"] for _, costs, _ in best] == [0] * 8 + [60] * 2
