"""What makes a slot better than another, each by example; the hints beside it; and what is offered if nothing fits."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from scheduler.core.cities import NO_HOURS, Closure, Season
from scheduler.core.words import Wording
from tests.core.asking import (
    EREGLI,
    GWANGJIN,
    MINUTE,
    THREE,
    WEDNESDAY,
    busy,
    city,
    closed,
    find,
    starts,
    utc,
    weekdays,
)

NEW_YORK = city("new-york", "America/New_York", weekdays((540, 1020)), stretch=weekdays((360, 540), (1020, 1320)))
SEOUL = city("seoul", "Asia/Seoul", weekdays((540, 1080)), stretch=weekdays((420, 540), (1080, 1320)))
FRIDAY = date(2027, 2, 12)
MORNING = utc(2027, 2, 10, 0), utc(2027, 2, 10, 3)


def hints(found):
    return [[(hint.code, hint.city, hint.name.read_in("en")) for hint in slot.hints] for slot in found.slots]


def test_stretch_hours_find_slots_between_seoul_and_new_york_at_a_price():
    assert find([SEOUL, replace(NEW_YORK, stretch=NO_HOURS)]).slots == ()
    found = find([SEOUL, NEW_YORK], step_minutes=60)
    told = [(slot.local["seoul"].hour, slot.costs["seoul"], slot.costs["new-york"], slot.cost) for slot in found.slots]
    evening_there = [(9, 0, 60, 60), (10, 0, 60, 60), (11, 0, 60, 60)]
    assert told == [*evening_there, (7, 60, 60, 120), (8, 60, 60, 120), (20, 60, 60, 120), (21, 60, 60, 120)]


def test_a_fourth_and_a_fifth_city_meet_the_three_by_day_at_prices_that_can_be_counted():
    """Early and late hours from 06:00 to 22:00 in all; in winter, between the changes of clocks, and in summer."""
    new_york = city("new-york", "America/New_York", weekdays((540, 720), (780, 1020)), weight=2)
    berlin = city("berlin", "Europe/Berlin", weekdays((480, 720), (780, 1020)), weight=3)
    assert not find([*THREE, new_york]).slots
    open_long = [replace(town, stretch=weekdays((360, 1320))) for town in (*THREE, new_york, berlin)]
    for towns in ([*open_long[:3], open_long[3]], [*open_long[:3], open_long[4]], open_long):
        for day in (WEDNESDAY, date(2027, 3, 17), date(2027, 7, 7)):
            found = find(towns, since=day, step_minutes=30).slots
            assert found
            for slot in found:
                assert slot.costs == {town.slug: price(town, slot) for town in towns}
                assert slot.cost == sum(slot.costs.values())


def price(town, slot):
    """Each minute by itself; none of them at night."""
    outside = 0
    for n in range((slot.end - slot.start) // MINUTE):
        local = slot.local[town.slug] + n * MINUTE
        minute = local.hour * 60 + local.minute
        assert 6 <= local.hour < 22
        outside += not any(start <= minute < end for start, end in town.hours[local.weekday()])
    return outside * town.weight


def test_a_price_is_the_minutes_outside_office_hours_times_the_citys_weight():
    dear = replace(SEOUL, weight=3)
    found = find([dear], minutes=90, step_minutes=30)
    prices = {slot.local["seoul"].strftime("%H:%M"): slot.cost for slot in found.slots}
    assert (prices["09:00"], prices["08:30"], prices["08:00"], prices["17:30"]) == (0, 3 * 30, 3 * 60, 3 * 60)
    assert found.slots[-1].cost == 3 * 90


def test_stretch_hours_are_closed_with_the_day_and_cut_with_a_half_day():
    assert find([SEOUL], closed("seoul", WEDNESDAY)).slots == ()
    half = find([SEOUL], closed("seoul", WEDNESDAY, "half-day", 780), step_minutes=60)
    assert sorted(slot.local["seoul"].hour for slot in half.slots) == [7, 8, 9, 10, 11, 12]


def test_lunch_stays_a_gap_unless_stretch_hours_name_it():
    evening = replace(GWANGJIN, stretch=weekdays((1080, 1140)))
    assert "03:00" not in starts(find([evening], step_minutes=60))
    lunch = replace(GWANGJIN, stretch=weekdays((720, 780)))
    assert find([lunch], step_minutes=60).slots[-1].start == utc(2027, 2, 10, 3)


def test_everybody_in_office_hours_comes_before_an_earlier_slot_that_costs():
    found = find([SEOUL], step_minutes=60, minutes=60)
    assert [slot.cost for slot in found.slots[:9]] == [0] * 9
    assert found.slots[0].start == utc(2027, 2, 10, 0)
    assert found.slots[9].start == utc(2027, 2, 9, 22)


def test_of_equal_prices_the_smaller_worst_burden_comes_first():
    """At 08:00 one city bears an hour; at 09:30, which is later, two bear half an hour each."""
    early = city("early", "UTC", weekdays((540, 600)), stretch=weekdays((480, 540), (600, 630)))
    late = city("late", "UTC", weekdays((480, 600)), stretch=weekdays((600, 720)))
    found = find([early, late], step_minutes=30)
    told = [(slot.start.strftime("%H:%M"), slot.cost) for slot in found.slots]
    assert told == [("09:00", 0), ("08:30", 30), ("09:30", 60), ("08:00", 60)]


def test_a_worst_burden_counts_minutes_not_prices():
    """At 08:30 a dear city bears half an hour, at 08:00 a cheap one a whole: the same price."""
    dear = city("dear", "UTC", weekdays((540, 600)), stretch=weekdays((510, 540)), weight=2)
    cheap = city("cheap", "UTC", weekdays((480, 540)), stretch=weekdays((540, 600)))
    found = find([dear, cheap], step_minutes=30)
    assert [(slot.start.strftime("%H:%M"), slot.costs) for slot in found.slots] == [
        ("09:00", {"dear": 0, "cheap": 60}),
        ("08:30", {"dear": 60, "cheap": 30}),
    ]


def test_optional_people_keep_no_slot_away_but_fewer_absent_come_first():
    found = find([GWANGJIN], step_minutes=60, attendees=[busy("gwangjin", MORNING, key="mayor", required=False)])
    assert [slot.absent for slot in found.slots] == [()] * 5 + [("mayor",)] * 3
    assert starts(found)[:1] == ["04:00"]
    assert "00:00" not in starts(find([GWANGJIN], attendees=[busy("gwangjin", MORNING)]))


def test_the_part_of_the_week_that_a_city_likes_best_comes_first():
    likes = replace(GWANGJIN, preferred=((), (), ((840, 960),), (), (), (), ()))
    assert starts(find([likes], step_minutes=60))[:3] == ["05:00", "06:00", "00:00"]


def test_of_equal_slots_the_one_comes_first_that_burdens_who_bore_least():
    one = city("one", "UTC", weekdays((540, 600)), stretch=weekdays((480, 540)))
    two = city("two", "UTC", weekdays((480, 540)), stretch=weekdays((540, 600)))
    soonest, later = {"one": 60, "two": 0}, {"one": 0, "two": 60}
    for borne, first, second in (({}, soonest, later), ({"one": 120, "two": 60}, later, soonest)):
        assert [slot.costs for slot in find([one, two], step_minutes=60, borne=borne).slots] == [first, second]


def test_who_bore_the_same_so_far_shares_evenly():
    """At 10:00 two cities bear an hour, at 11:00 one an hour and two half an hour each."""
    allowed = weekdays((600, 720))
    afar = city("afar", "UTC", weekdays((0, 60)), stretch=allowed)
    noon = city("noon", "UTC", weekdays((690, 720)), stretch=allowed)
    forenoon = city("forenoon", "UTC", weekdays((600, 690)), stretch=allowed)
    found = find([afar, noon, forenoon], step_minutes=60)
    assert [(slot.start.hour, slot.cost) for slot in found.slots] == [(11, 120), (10, 120)]


def test_the_best_are_spread_over_the_days_in_rounds():
    days = find(since=date(2027, 2, 10), until=date(2027, 2, 19), limit=10)
    by_day = [slot.start.day for slot in days.slots]
    assert {day: by_day.count(day) for day in by_day} == {10: 2, 11: 2, 12: 1, 15: 1, 16: 1, 17: 1, 18: 1, 19: 1}
    assert days.slots == tuple(sorted(days.slots, key=lambda slot: slot.start))
    assert days.total == 88
    assert len(find(limit=11).slots) == len(find(limit=999).slots) == 11


def test_buffers_keep_the_time_around_busy_time_free_for_the_citys_own_people():
    at_six = utc(2027, 2, 10, 6), utc(2027, 2, 10, 7)
    careful = [replace(GWANGJIN, buffer_minutes=20), EREGLI]
    assert starts(find(careful, attendees=[busy("gwangjin", at_six)])) == ["07:30", "07:45", "08:00"]
    assert starts(find(careful, attendees=[busy("eregli", at_six)])) == ["07:00", "07:15", "07:30", "07:45", "08:00"]
    assert len(find(careful, attendees=[busy("gwangjin", (at_six[0], at_six[0]))]).slots) == 11


def test_busy_time_counts_to_the_second():
    until = utc(2027, 2, 10, 7, 45)
    for more, first in ((0, "07:45"), (1, "08:00")):
        late = busy("eregli", (utc(2027, 2, 10, 5), until + timedelta(seconds=more)))
        assert starts(find(attendees=[late]))[0] == first


def test_the_longest_notice_of_the_cities_holds_for_all():
    slow = [replace(GWANGJIN, notice_hours=24), replace(EREGLI, notice_hours=48)]
    found = find(slow, now=utc(2027, 2, 8, 7, 20))
    assert starts(found)[0] == "07:30"
    assert [e.reason for e in find(slow, now=utc(2027, 2, 9)).excluded] == ["notice"]


# ---- hints


def test_the_last_hour_before_the_weekend_is_hinted_at_by_the_city_that_has_it():
    """Seoul closes at 18:00, which is 09:00 UTC; Ereğli works till 14:30 UTC."""
    found = find([GWANGJIN, EREGLI], since=FRIDAY)
    last = ("last-hour-before-weekend", "gwangjin", "")
    assert [start for start, told in zip(starts(found), hints(found), strict=True) if last in told] == [
        "07:15",
        "07:30",
        "07:45",
        "08:00",
    ]
    assert hints(find([GWANGJIN, EREGLI], since=WEDNESDAY)) == [[]] * 11
    closing_early = closed("gwangjin", FRIDAY, "half-day", 660)
    assert hints(find([GWANGJIN], closing_early, since=FRIDAY, step_minutes=60))[-1][0] == last


def test_a_half_day_that_begins_in_the_lunch_leaves_the_hour_before_lunch_as_the_last():
    """Konya closes at 13:00, but works only until 12:30."""
    half = closed("eregli", FRIDAY, "half-day", 780)
    found = find([EREGLI], half, since=FRIDAY, minutes=30, step_minutes=30)
    last = [slot.local["eregli"].strftime("%H:%M") for slot in found.slots if slot.hints[0].code.startswith("last")]
    assert last == ["11:30", "12:00"]


def test_what_begins_after_the_office_closed_is_in_no_last_hour():
    evening = replace(GWANGJIN, stretch=weekdays((1080, 1200)))
    found = find([evening], since=FRIDAY, step_minutes=60)
    assert {slot.local["gwangjin"].hour for slot in found.slots if slot.hints} == {17}


def test_the_days_beside_a_day_off_and_a_half_day_are_hinted_at_with_its_name():
    feast = closed("eregli", date(2027, 2, 11), name="Tsagaan Sar")
    feast["eregli"] |= closed("eregli", date(2027, 2, 9), "half-day", 1020, "Eve")["eregli"]
    first, *_ = hints(find(THREE, feast, since=WEDNESDAY))
    assert first == [("day-before-holiday", "eregli", "Tsagaan Sar")]
    assert hints(find(THREE, feast, since=FRIDAY))[0] == [("day-after-holiday", "eregli", "Tsagaan Sar")]
    assert hints(find(THREE, feast, since=date(2027, 2, 9)))[0] == [("half-day", "eregli", "Eve")]


# ---- seasons


def test_the_hours_of_the_season_are_those_of_the_slots():
    summer = Season("06-01", "08-31", weekdays((480, 840)))
    town = replace(GWANGJIN, seasons=(summer,))
    assert starts(find([town], since=date(2027, 6, 1), step_minutes=60))[::5] == ["23:00", "04:00"]
    assert starts(find([town], since=date(2027, 9, 1), step_minutes=60))[0] == "00:00"
    only_summer = city("summer", "Asia/Seoul", ((),) * 7, seasons=(summer,))
    assert len(find([only_summer], since=date(2027, 6, 1)).slots) == 21
    assert [e.reason for e in find([only_summer], since=date(2027, 9, 1)).excluded] == ["weekend"]


# ---- compromises


def test_if_nothing_fits_each_single_relaxation_tells_what_it_would_give():
    """All have three and a half hours in common, fifteen minutes less than is wanted: from the opening in Ereğli and
    the end of lunch in Ulaanbaatar to the end of the day in Gwangjin-gu."""
    found = find(minutes=225)
    assert [(c.kind, c.city, c.minutes, c.days, c.slots, c.first) for c in found.compromises] == [
        ("hours", "gwangjin", 30, 0, 2, utc(2027, 2, 10, 5, 30)),
        ("shorter", None, 210, 0, 1, utc(2027, 2, 10, 5, 30)),
    ]
    assert find(minutes=60).compromises == ()


def test_one_person_may_become_optional_but_no_room():
    all_day = utc(2027, 2, 10), utc(2027, 2, 11)
    found = find(attendees=[busy("eregli", all_day, key="aylin"), busy("gwangjin", MORNING, key="kim")])
    optional = [(c.person, c.slots) for c in found.compromises if c.kind == "optional"]
    assert optional == [("aylin", 11)]
    taken = find(attendees=[busy("eregli", all_day, key="hall", room=True)])
    assert [(c.kind, c.days, c.slots) for c in taken.compromises] == [("later", 7, 11)]


def test_nobody_is_asked_to_begin_or_to_end_at_night():
    """Half an hour is missing; a city that begins at 06:25 or ends at 21:35 would have to give it at night."""
    for opens, closes, offered in (
        (390, 510, [-30, 30]),
        (385, 505, [30]),
        (1175, 1295, [-30]),
        (0, 120, []),
        (1325, 1445, []),
    ):
        night = city("night", "Asia/Seoul", weekdays((opens, closes)))
        found = find([night], minutes=150, step_minutes=5)
        assert [c.minutes for c in found.compromises if c.kind == "hours"] == offered, opens
    early = city("early", "Asia/Seoul", weekdays((600, 660)), stretch=weekdays((360, 480)))
    assert [c.kind for c in find([early], minutes=150, step_minutes=5).compromises] == ["shorter"]


def test_a_week_later_reaches_over_the_new_year_and_not_beyond_what_is_searched():
    last_week = date(2027, 12, 27), date(2027, 12, 31)
    days = [last_week[0] + timedelta(n) for n in range(5)]
    off = {day: Closure(day, "municipal", Wording.of("Move")) for day in days}
    found = find(closures={"gwangjin": off}, since=last_week[0], until=last_week[1])
    assert [(c.kind, c.first) for c in found.compromises] == [("later", utc(2028, 1, 3, 5, 30))]
    horizon = utc(2027, 12, 31) - timedelta(days=5 * 366)
    near = find(closures={"gwangjin": off}, since=last_week[0], until=last_week[1], now=horizon + MINUTE)
    assert near.compromises == ()
