"""Slots and the reasons of days without any, by example."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from scheduler import i18n
from scheduler.core.errors import Invalid
from scheduler.core.slots import closure_years
from tests.core.asking import (
    EREGLI,
    FREE,
    GWANGJIN,
    MINUTE,
    WEDNESDAY,
    busy,
    city,
    closed,
    find,
    starts,
    utc,
    weekdays,
)


def reasons(found):
    return [(entry.day.isoformat(), entry.city, entry.reason) for entry in found.excluded]


# ---- slots


def test_three_cities_have_eleven_starts_on_an_open_day_each_on_every_clock():
    found = find()
    quarter_hours = [(utc(2027, 2, 10, 5, 30) + 15 * n * MINUTE).strftime("%H:%M") for n in range(11)]
    assert starts(found) == quarter_hours
    assert found.excluded == ()
    first = found.slots[0]
    assert {slug: local.isoformat() for slug, local in first.local.items()} == {
        "gwangjin": "2027-02-10T14:30:00+09:00",
        "ulaanbaatar": "2027-02-10T13:30:00+08:00",
        "eregli": "2027-02-10T08:30:00+03:00",
    }
    assert (first.end - first.start, first.cost, first.costs) == (
        60 * MINUTE,
        0,
        {"gwangjin": 0, "ulaanbaatar": 0, "eregli": 0},
    )


def test_one_city_is_allowed_and_keeps_its_lunch():
    assert starts(find([GWANGJIN], minutes=180, step_minutes=60)) == ["00:00", "04:00", "05:00", "06:00"]


def test_the_limit_takes_the_soonest_of_each_day_and_cuts_no_reason():
    found = find(since=date(2027, 2, 10), until=date(2027, 2, 14), limit=4)
    assert [slot.start.strftime("%d %H:%M") for slot in found.slots] == ["10 05:30", "10 05:45", "11 05:30", "12 05:30"]
    assert found.total == 33
    assert len(found.excluded) == 6  # three cities, Saturday and Sunday


def test_a_city_named_twice_is_one_city():
    assert starts(find([GWANGJIN, EREGLI, GWANGJIN])) == starts(find([GWANGJIN, EREGLI]))


def test_the_grid_is_that_of_the_first_citys_wall_clock():
    kathmandu = city("kathmandu", "Asia/Kathmandu", weekdays((600, 780)))
    assert starts(find([kathmandu], step_minutes=60)) == ["04:15", "05:15", "06:15"]
    lord_howe = city("lord-howe", "Australia/Lord_Howe", (((540, 720),),) * 7)  # summer time is half an hour
    first_day_back, day_after = date(2027, 4, 4), date(2027, 4, 5)
    assert starts(find([lord_howe], since=first_day_back, step_minutes=60)) == ["22:30", "23:30", "00:30"]
    assert starts(find([lord_howe], since=day_after, step_minutes=60)) == ["22:30", "23:30", "00:30"]


def test_a_slot_belongs_to_the_day_it_starts_on_and_may_end_on_the_next():
    night = city("night", "Asia/Seoul", (((22 * 60, 26 * 60),),) * 7)
    found = find([night], minutes=120, step_minutes=60)
    assert [slot.local["night"].strftime("%d %H") for slot in found.slots] == ["10 00", "10 22", "10 23"]


def test_eight_in_seoul_on_a_holiday_is_closed_although_it_is_the_day_before_in_utc():
    early = city("early", "Asia/Seoul", weekdays((480, 600)))
    seollal = date(2026, 2, 17)
    open_day = find([early], since=seollal)
    assert open_day.slots[0].start == utc(2026, 2, 16, 23, 0)
    found = find([early], closed("early", seollal, name="Seollal"), since=seollal)
    assert found.slots == ()
    assert [(e.city, e.reason, e.name.read_in("ko")) for e in found.excluded] == [("early", "holiday", "Seollal")]


# ---- busy time and notice


def test_a_slot_may_touch_busy_time_but_not_overlap_it():
    found = find(attendees=[busy("eregli", (utc(2027, 2, 10, 6, 30), utc(2027, 2, 10, 8, 0)))])
    assert starts(found) == ["05:30", "08:00"]


def test_the_cities_whose_busy_time_takes_the_day_are_told():
    all_day = utc(2027, 2, 10), utc(2027, 2, 11)
    morning, rest = (utc(2027, 2, 10, 5), utc(2027, 2, 10, 7)), (utc(2027, 2, 10, 7), utc(2027, 2, 10, 9))
    assert reasons(find(attendees=[busy("eregli", all_day), busy("gwangjin", morning)])) == [
        ("2027-02-10", "eregli", "busy")
    ]
    assert reasons(find(attendees=[busy("eregli", rest), busy("gwangjin", morning)])) == [
        ("2027-02-10", "eregli", "busy"),
        ("2027-02-10", "gwangjin", "busy"),
    ]
    assert reasons(find(attendees=[busy("elsewhere", all_day)])) == [("2027-02-10", None, "busy")]
    halves = [busy("eregli", morning, key="one"), busy("eregli", rest, key="two")]
    assert reasons(find(attendees=halves)) == [("2027-02-10", "eregli", "busy")]


def test_nothing_starts_before_now_and_a_past_day_says_so():
    assert starts(find(now=utc(2027, 2, 10, 7, 45))) == ["07:45", "08:00"]
    assert starts(find(now=utc(2027, 2, 10, 7, 45, 0, 1))) == ["08:00"]
    assert reasons(find(now=utc(2027, 2, 10, 8, 1))) == [("2027-02-10", None, "notice")]


def test_the_hours_still_ahead_decide_between_busy_and_notice():
    last_hour = [busy("eregli", (utc(2027, 2, 10, 8), utc(2027, 2, 10, 9)))]
    assert reasons(find(now=utc(2027, 2, 10, 8), attendees=last_hour)) == [("2027-02-10", "eregli", "busy")]
    assert reasons(find(now=utc(2027, 2, 10, 8, 1), attendees=last_hour)) == [("2027-02-10", None, "notice")]


# ---- reasons


def test_every_city_that_closes_a_day_is_told():
    found = find(closures=closed("eregli", WEDNESDAY, "municipal") | closed("gwangjin", WEDNESDAY))
    assert reasons(found) == [("2027-02-10", "gwangjin", "holiday"), ("2027-02-10", "eregli", "municipal")]


def test_a_weekend_is_a_weekday_without_office_hours_even_on_a_holiday():
    sunday = date(2026, 3, 1)
    assert reasons(find([GWANGJIN], closed("gwangjin", sunday), since=sunday)) == [
        ("2026-03-01", "gwangjin", "weekend")
    ]
    works = city("works", "Asia/Seoul", ((),) + (((540, 1080),),) * 6)
    assert reasons(find([works], since=date(2026, 3, 2))) == [("2026-03-02", "works", "weekend")]
    assert starts(find([works], since=sunday, minutes=540)) == ["00:00"]


def test_turkey_closing_at_one_leaves_the_morning():
    eve = date(2026, 10, 28)
    half = closed("eregli", eve, "half-day", 780)
    assert starts(find([EREGLI], half, since=eve, step_minutes=60))[-1] == "08:00"  # 11:00 there; lunch at 12:30
    assert len(find(closures=half, since=eve).slots) == 11


def test_a_half_day_that_leaves_no_room_is_the_reason():
    late = city("late", "Europe/Istanbul", weekdays((600, 1080)))
    half = closed("late", WEDNESDAY, "half-day", 630)
    assert reasons(find([late], half)) == [("2027-02-10", "late", "half-day")]
    assert reasons(find([GWANGJIN, late], half)) == [("2027-02-10", "late", "half-day")]


def test_a_half_day_that_takes_the_hours_in_common_is_the_reason_before_no_common_hours():
    berlin = city("berlin", "Europe/Berlin", weekdays((540, 1020)))
    new_york = city("new-york", "America/New_York", weekdays((540, 1020)))
    assert len(find([berlin, new_york]).slots) == 5
    half = closed("berlin", WEDNESDAY, "half-day", 720)
    assert reasons(find([berlin, new_york], half)) == [("2027-02-10", "berlin", "half-day")]
    assert reasons(find([GWANGJIN, new_york])) == [("2027-02-10", None, "no-common-hours")]
    assert reasons(find([GWANGJIN, new_york], closed("gwangjin", WEDNESDAY, "half-day", 720))) == [
        ("2027-02-10", None, "no-common-hours")
    ]


def test_two_half_days_that_only_together_take_the_hours_in_common_are_both_told():
    berlin = city("berlin", "Europe/Berlin", weekdays((480, 600), (840, 1320)))  # 07-09 and 13-21 UTC
    new_york = city("new-york", "America/New_York", weekdays((300, 1020)))  # 10-22 UTC
    both = closed("berlin", WEDNESDAY, "half-day", 720) | closed("new-york", WEDNESDAY, "half-day", 480)
    assert reasons(find([berlin, new_york], both)) == [
        ("2027-02-10", "berlin", "half-day"),
        ("2027-02-10", "new-york", "half-day"),
    ]


def test_a_half_day_that_begins_after_the_office_closed_anyway_is_no_reason():
    morning = city("morning", "Europe/Istanbul", weekdays((480, 720)))
    half = closed("morning", WEDNESDAY, "half-day", 780)
    assert reasons(find([morning], half, minutes=300)) == [("2027-02-10", None, "no-common-hours")]


def test_of_two_closed_local_days_in_a_window_the_one_with_more_office_hours_in_it_is_told():
    auckland = city("auckland", "Pacific/Auckland", (((0, 1440),),) * 7)
    london = city("london", "Europe/London", weekdays((540, 1020)))
    closures = closed("london", date(2027, 2, 9), name="Long")  # 11:00 to 17:00 in the window of the 10th
    closures["london"] |= closed("london", date(2027, 2, 10), "municipal", name="Short")["london"]  # 09:00 to 11:00
    found = find([auckland, london], closures)
    assert [(e.reason, e.name.read_in("en")) for e in found.excluded] == [("holiday", "Long")]


def test_a_meeting_longer_than_any_open_span_finds_no_common_hours():
    assert reasons(find([GWANGJIN], minutes=600)) == [("2027-02-10", None, "no-common-hours")]


def test_the_local_day_that_counts_is_the_one_whose_hours_lie_in_the_window():
    """Seen from Seoul, a day holds the office hours of the day before in Los Angeles."""
    los_angeles = city("los-angeles", "America/Los_Angeles", weekdays((540, 1020)))
    monday = date(2027, 2, 8)
    assert reasons(find([GWANGJIN, los_angeles], since=monday)) == [("2027-02-08", "los-angeles", "weekend")]
    eve = closed("los-angeles", monday, name="Presidents")
    assert reasons(find([GWANGJIN, los_angeles], eve, since=date(2027, 2, 9))) == [
        ("2027-02-09", "los-angeles", "holiday")
    ]


def test_a_day_that_the_first_citys_clock_skips_has_no_slots_and_no_fault():
    apia = city("apia", "Pacific/Apia", (((540, 1020),),) * 7)
    found = find([apia], since=date(2011, 12, 29), until=date(2011, 12, 31), now=utc(2011, 1, 1), step_minutes=60)
    assert reasons(found) == [("2011-12-30", None, "no-common-hours")]
    assert len({slot.start for slot in found.slots}) == len(found.slots) == 16


# ---- input that cannot be meant


@pytest.mark.parametrize(
    ("asked", "faults"),
    [
        ({"cities": []}, [("/cities", "no-cities")]),
        ({"cities": [city("never", "Asia/Seoul", (FREE,) * 7)]}, [("/cities/0", "no-office-hours")]),
        ({"until": date(2027, 2, 9)}, [("/to", "slots-reversed")]),
        ({"until": WEDNESDAY + timedelta(days=400)}, [("/to", "slots-too-long")]),
        ({"since": date(1, 1, 1), "until": date(1, 1, 1)}, [("/from", "slots-too-early")]),
        ({"since": date.max, "until": date.max}, [("/to", "slots-too-far")]),
        ({"minutes": 0}, [("/duration_minutes", "duration-range")]),
        ({"minutes": 1441}, [("/duration_minutes", "duration-range")]),
        ({"step_minutes": 4}, [("/step_minutes", "step-range")]),
        ({"step_minutes": 61}, [("/step_minutes", "step-range")]),
        (
            {"minutes": -1, "step_minutes": 0},
            [("/duration_minutes", "duration-range"), ("/step_minutes", "step-range")],
        ),
        ({"cities": [city("mars", "Mars/Base", weekdays((540, 720)))]}, [("/zone", "unknown-zone")]),
    ],
)
def test_a_question_that_cannot_be_meant_names_all_its_faults(asked, faults):
    with pytest.raises(Invalid) as caught:
        find(**asked)
    assert [(fault.pointer, fault.key) for fault in caught.value.faults] == faults
    for fault in caught.value.faults:
        assert i18n.text("en", f"errors.{fault.key}", **fault.values)


def test_four_hundred_days_are_answered():
    found = find(until=WEDNESDAY + timedelta(days=399))
    assert len({slot.local["gwangjin"].date() for slot in found.slots} | {e.day for e in found.excluded}) == 400


def test_the_years_to_load_reach_over_new_year_and_are_none_for_a_refused_range():
    assert list(closure_years(date(2026, 12, 30), date(2026, 12, 31))) == [2026, 2027]
    assert list(closure_years(date(2027, 1, 1), date(2027, 1, 1))) == [2026, 2027]
    assert list(closure_years(date(2027, 5, 1), date(2026, 5, 1))) == []
    assert list(closure_years(date.min, date.max)) == []
    assert list(closure_years(date.max, date.max)) == [9999]
