"""Our VTIMEZONEs against zoneinfo, for every zone, under both readings of an observance that occur in the world."""

import zoneinfo
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
import pytz
from dateutil.rrule import rrulestr
from icalendar import Timezone

from scheduler.ics.timezones import vtimezone

SINCE, UNTIL = datetime(2026, 1, 1, tzinfo=UTC), datetime(2028, 12, 31, 23, 59, tzinfo=UTC)

# No rule that all readers understand: Ramadan, "the day before", or a change of the rules within the years.
WITHOUT_A_RULE = {
    *("Africa/Cairo", "Africa/Casablanca", "Africa/El_Aaiun", "America/Nuuk", "America/Santiago"),
    *("America/Scoresbysund", "Asia/Gaza", "Asia/Hebron", "Asia/Jerusalem"),
}
# Where a government changes the rules, more zones stand there for the years around the change.
AT_MOST_WITHOUT_A_RULE = 20

Change = tuple[datetime, timedelta]  # instant (UTC), offset from then on


@pytest.fixture(scope="module", autouse=True)
def _same_tz_database() -> Iterator[None]:
    """zoneinfo reads the tzdata package, as new as pytz, and not the older files of the system."""
    before = zoneinfo.TZPATH
    zoneinfo.reset_tzpath(to=[])
    yield
    zoneinfo.reset_tzpath(to=before)


@pytest.fixture(scope="module")
def components() -> dict[str, Timezone | None]:
    return {zone: vtimezone(zone, SINCE, UNTIL) for zone in pytz.common_timezones}


def test_every_zone_is_exact_under_both_readings_or_left_to_utc(components: dict[str, Timezone | None]) -> None:
    wrong = {}
    for zone, component in components.items():
        if component is None:
            continue
        expected = by_zoneinfo(zone)
        if not by_rule(component) == by_year(component) == expected:
            wrong[zone] = (expected, by_rule(component), by_year(component))
    assert not wrong


def test_few_zones_are_left_to_utc(components: dict[str, Timezone | None]) -> None:
    without = {zone for zone, component in components.items() if component is None}
    assert without >= WITHOUT_A_RULE
    assert len(without) <= AT_MOST_WITHOUT_A_RULE


def test_no_component_has_what_readers_stumble_on(components: dict[str, Timezone | None]) -> None:
    for zone, component in components.items():
        for observance in component.subcomponents if component else []:
            assert set(observance) - {"RRULE"} == {"DTSTART", "TZOFFSETFROM", "TZOFFSETTO", "TZNAME"}, zone
            assert ("RRULE" in observance) == (len(component.subcomponents) == 2), zone
            if "RRULE" in observance:
                assert set(observance["RRULE"]) == {"FREQ", "BYMONTH", "BYDAY"}, zone


def test_a_rule_starts_with_an_onset_of_its_own_before_the_event() -> None:
    component = vtimezone("Europe/Berlin", datetime(2026, 1, 15, tzinfo=UTC), datetime(2026, 1, 15, 1, tzinfo=UTC))
    assert component is not None
    assert component.to_ical(sorted=False).decode().splitlines() == [
        "BEGIN:VTIMEZONE",
        "TZID:Europe/Berlin",
        "BEGIN:DAYLIGHT",
        "DTSTART:20250330T020000",
        "TZOFFSETFROM:+0100",
        "TZOFFSETTO:+0200",
        "TZNAME:CEST",
        "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3",
        "END:DAYLIGHT",
        "BEGIN:STANDARD",
        "DTSTART:20251026T030000",
        "TZOFFSETFROM:+0200",
        "TZOFFSETTO:+0100",
        "TZNAME:CET",
        "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10",
        "END:STANDARD",
        "END:VTIMEZONE",
    ]


@pytest.mark.parametrize(
    ("zone", "name"), [("Asia/Seoul", "KST"), ("Asia/Ulaanbaatar", "+08"), ("Europe/Istanbul", "+03")]
)
def test_the_first_cities_have_one_standard_time(zone: str, name: str) -> None:
    component = vtimezone(zone, SINCE, UNTIL)
    assert component is not None
    (standard,) = component.subcomponents
    assert (standard.name, standard["TZNAME"], "RRULE" in standard) == ("STANDARD", name, False)


def test_a_change_of_the_rules_near_the_event_means_utc() -> None:
    # Turkey gave up winter time in 2016; by 2020 nothing of it is near any more.
    assert vtimezone("Europe/Istanbul", datetime(2016, 5, 1, tzinfo=UTC), datetime(2016, 5, 2, tzinfo=UTC)) is None
    assert vtimezone("Europe/Istanbul", datetime(2020, 5, 1, tzinfo=UTC), datetime(2020, 5, 2, tzinfo=UTC)) is not None


# -- readers -----------------------------------------------------------------------------------------------------------


def by_zoneinfo(zone: str) -> list[Change]:
    """The offset at SINCE and every change until UNTIL, found by looking at each day and then closer."""
    tz = zoneinfo.ZoneInfo.no_cache(zone)
    changes, at = [(SINCE, offset(SINCE, tz))], SINCE
    while at < UNTIL:
        after = at + timedelta(days=1)
        if offset(after, tz) != offset(at, tz):
            low, high = at, after
            while high - low > timedelta(seconds=1):
                middle = low + (high - low) // 2
                low, high = (middle, high) if offset(middle, tz) == offset(at, tz) else (low, middle)
            instant = high.replace(microsecond=0)
            changes.append((instant, offset(instant, tz)))
        at = after
    return changes


def offset(instant: datetime, tz: zoneinfo.ZoneInfo) -> timedelta:
    found = instant.astimezone(tz).utcoffset()
    assert found is not None
    return found


def by_rule(component: Timezone) -> list[Change]:
    """As RFC 5545 3.6.5 says: the onsets by RRULE, or DTSTART alone."""
    return reduced((onset, observance) for observance in component.subcomponents for onset in onsets(observance))


def onsets(observance: Timezone) -> list[datetime]:
    start = observance["DTSTART"].dt
    if "RRULE" not in observance:
        return [start]
    return rrulestr(observance["RRULE"].to_ical().decode(), dtstart=start).between(
        start, start.replace(year=2030), inc=True
    )


def by_year(component: Timezone) -> list[Change]:
    """As MS-OXCICAL 2.1.3.1.1.19.2.1 says: without RRULE, the date of DTSTART in every year."""
    if any("RRULE" in observance for observance in component.subcomponents):
        return by_rule(component)
    return reduced(
        (datetime.combine(date(year, start.month, start.day), start.time()), observance)
        for observance in component.subcomponents
        for start in [observance["DTSTART"].dt]
        for year in range(1970, 2030)
    )


def reduced(onsets: Iterator[tuple[datetime, Timezone]]) -> list[Change]:
    """Onsets on the clock before them -> the offset at SINCE and the changes until UNTIL."""
    changes = sorted(((wall - o["TZOFFSETFROM"].td).replace(tzinfo=UTC), o["TZOFFSETTO"].td) for wall, o in onsets)
    found = [(SINCE, [after for at, after in changes if at <= SINCE][-1])]
    for at, after in changes:
        if SINCE < at < UNTIL and after != found[-1][1]:
            found.append((at, after))
    return found
