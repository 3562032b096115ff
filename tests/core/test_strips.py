"""The picture of a day: what each city's strip holds, where it begins and ends, and the times beside it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

from scheduler.core import strips
from scheduler.core.strips import picture
from tests.core.asking import EREGLI, GWANGJIN, THREE, WEDNESDAY, busy, city, closed, find, utc, weekdays

FRIDAY = date(2027, 2, 12)
EVE = date(2027, 10, 28)  # of Republic Day: Konya closes at 13:00


def drawn(cities, day=WEDNESDAY, closures=None, **more):
    return picture(find(cities, closures, since=day, **more).search, day)


def pieces(strip, *kinds):
    """Kind, begin and end on the clock of UTC, and what closes."""
    return [(p.kind, *map(clock, p.span), *_told(p)) for p in strip.pieces if not kinds or p.kind in kinds]


def _told(piece):
    return (piece.reason, piece.name.read_in("en")) if piece.reason else ()


def clock(instant):
    return datetime.fromtimestamp(instant, UTC).strftime("%d %H:%M")


def hours_of(found):
    return tuple(map(clock, found.span))


def marks(strip):
    return [local.strftime("%H:%M") for _, local in strip.marks]


def test_the_picture_reaches_from_the_first_opening_to_the_last_closing_in_full_hours_of_the_first_city():
    """From 09:00 in Seoul to half past five in the afternoon of Konya, half past eleven at night in Seoul."""
    found = drawn(THREE)
    assert hours_of(found) == ("10 00:00", "10 15:00")
    assert [strip.city for strip in found.strips] == ["gwangjin", "ulaanbaatar", "eregli"]
    assert hours_of(drawn([GWANGJIN])) == ("10 00:00", "10 09:00")
    kathmandu = city("kathmandu", "Asia/Kathmandu", weekdays((570, 1000)))  # 09:30 to 16:40, at UTC+5:45
    assert hours_of(drawn([kathmandu])) == ("10 03:15", "10 11:15")


def test_lunch_is_a_gap_between_two_pieces():
    assert pieces(drawn([GWANGJIN]).strips[0]) == [
        ("office", "10 00:00", "10 03:00"),
        ("office", "10 04:00", "10 09:00"),
    ]


def test_stretch_hours_lie_under_the_office_hours():
    long = replace(GWANGJIN, stretch=weekdays((420, 1140)))
    assert pieces(drawn([long]).strips[0]) == [
        ("stretch", "09 22:00", "10 10:00"),
        ("office", "10 00:00", "10 03:00"),
        ("office", "10 04:00", "10 09:00"),
    ]


def test_a_half_day_is_closed_from_its_hour_on_with_its_name_and_does_not_shorten_the_picture():
    half = closed("eregli", EVE, "half-day", 780, "Eve of Republic Day")
    found = drawn([EREGLI], EVE, half)
    assert hours_of(found) == ("28 05:00", "28 15:00")
    assert pieces(found.strips[0]) == [
        ("office", "28 05:30", "28 09:30"),
        ("closed", "28 10:00", "28 15:00", "half-day", "Eve of Republic Day"),
    ]


def test_a_day_off_is_closed_all_through_the_hours_that_the_city_would_have():
    found = drawn([GWANGJIN, EREGLI], closures=closed("gwangjin", WEDNESDAY, "municipal", name="Move"))
    assert hours_of(found) == ("10 00:00", "10 15:00")
    assert pieces(found.strips[0]) == [("closed", "10 00:00", "10 15:00", "municipal", "Move")]
    assert pieces(found.strips[1], "closed") == []


def test_a_weekend_is_closed_from_midnight_of_its_own_city():
    """Friday in Lima reaches into the Saturday of Seoul."""
    lima = city("lima", "America/Lima", weekdays((540, 1080)))
    found = drawn([lima, GWANGJIN], FRIDAY)
    assert hours_of(found) == ("12 05:00", "12 23:00")
    assert pieces(found.strips[1], "closed") == [("closed", "12 15:00", "12 23:00", "weekend", "")]
    weekend = drawn([GWANGJIN], date(2027, 2, 13))
    assert hours_of(weekend) == ("12 15:00", "13 15:00")  # nobody is open: the whole day
    assert pieces(weekend.strips[0]) == [("closed", "12 15:00", "13 15:00", "weekend", "")]


def test_busy_time_of_the_required_has_the_buffer_of_their_city():
    six = utc(2027, 2, 10, 6), utc(2027, 2, 10, 7)
    careful = replace(EREGLI, buffer_minutes=20)
    attendees = [
        busy("eregli", six),
        busy("gwangjin", (utc(2027, 2, 10, 1), utc(2027, 2, 10, 1, 30)), required=False),
        busy("elsewhere", (utc(2027, 2, 10, 8), utc(2027, 2, 10, 8, 30))),
    ]
    found = drawn([GWANGJIN, careful], attendees=attendees)
    assert pieces(found.strips[1], "busy") == [("busy", "10 05:40", "10 07:20")]
    assert pieces(found.strips[0], "busy") == [("busy", "10 08:00", "10 08:30")]  # of no city asked for


def test_what_is_painted_later_lies_above():
    long = replace(GWANGJIN, stretch=weekdays((420, 1140)))
    half = closed("gwangjin", WEDNESDAY, "half-day", 900)
    found = drawn([long], closures=half, attendees=[busy("gwangjin", (utc(2027, 2, 10, 1), utc(2027, 2, 10, 2)))])
    kinds = [piece.kind for piece in found.strips[0].pieces]
    assert kinds == sorted(kinds, key=strips.KINDS.index)
    assert set(kinds) == set(strips.KINDS)


def test_marks_are_at_every_third_hour_of_the_citys_own_clock():
    kathmandu = city("kathmandu", "Asia/Kathmandu", weekdays((540, 1080)))
    found = drawn([GWANGJIN, kathmandu])
    assert hours_of(found) == ("10 00:00", "10 13:00")
    assert marks(found.strips[0]) == ["09:00", "12:00", "15:00", "18:00", "21:00"]
    assert marks(found.strips[1]) == ["06:00", "09:00", "12:00", "15:00", "18:00"]
    assert clock(found.strips[1].marks[0][0]) == "10 00:15"


def test_marks_follow_a_change_of_the_clock():
    """On 28 March 2027 Berlin goes from 02:00 to 03:00, on 31 October back from 03:00 to 02:00."""
    night = city("night", "Europe/Berlin", (((0, 1440),),) * 7)
    for day, hours in ((date(2027, 3, 28), 23), (date(2027, 10, 31), 25)):
        found = drawn([night], day)
        assert found.span[1] - found.span[0] == (hours + 1) * 3600  # what begins late ends on the next day
        assert marks(found.strips[0]) == [*(f"{hour:02d}:00" for hour in range(0, 24, 3)), "00:00"]
        instants = [instant for instant, _ in found.strips[0].marks]
        assert instants[1] - instants[0] == (hours - 21) * 3600
    beirut = city("beirut", "Asia/Beirut", (((0, 1440),),) * 7)  # at midnight of this day its clock shows 01:00
    assert marks(drawn([beirut], date(2027, 3, 28)).strips[0])[:2] == ["03:00", "06:00"]


def test_a_late_meeting_reaches_into_the_next_day():
    late = city("late", "Asia/Seoul", (((1200, 1560),),) * 7)  # from 20:00 to 02:00
    assert hours_of(drawn([late], minutes=120)) == ("09 15:00", "10 17:00")


def test_a_day_that_the_first_citys_clock_skips_has_an_empty_picture():
    apia = city("apia", "Pacific/Apia", (((540, 1020),),) * 7)
    found = drawn([apia, GWANGJIN], date(2011, 12, 30), now=utc(2011, 1, 1))
    assert found.span[0] == found.span[1]
    assert all(strip.pieces == () for strip in found.strips)
