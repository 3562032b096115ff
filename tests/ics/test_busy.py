"""When somebody is busy by a calendar that they publish: as calendar programs mean it, and never by the file's word.

Each case is a calendar's lines and the intervals in UTC that it means to an owner in Seoul, or wherever it says.
"""

from __future__ import annotations

import gzip
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from scheduler.ics import busy, child
from scheduler.ics.busy import Refused, parse
from scheduler.ics.windows_zones import IANA_NAMES

NEW_YEAR = datetime(2027, 1, 1)  # noqa: DTZ001 a wall time
SINCE, UNTIL = datetime(2027, 1, 1, tzinfo=UTC), datetime(2028, 6, 1, tzinfo=UTC)


def calendar(*lines: str) -> bytes:
    return "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", *lines, "END:VCALENDAR", ""]).encode()


def event(*lines: str, start: str = ":20270301T010000Z", end: str = "") -> str:
    """At 10:00 in Seoul, for an hour, unless told otherwise."""
    given = {"DTEND": end or ":20270301T020000Z"} if end != "none" else {}
    body = [f"DTSTART{start}", *(f"{name}{value}" for name, value in given.items()), *lines]
    return "\r\n".join(["BEGIN:VEVENT", "DTSTAMP:20270101T000000Z", *body, "END:VEVENT"])


def shown(data: bytes, zone: str = "Asia/Seoul", until: datetime = UNTIL) -> list[str]:
    """Each interval as `MM-DD HH:MM-HH:MM`; a tentative one ends with a question mark, one over days tells both."""
    found = parse(data, zone, SINCE, until)
    spans = [(span, "" if kind == "busy" else "?") for kind in found for span in found[kind]]
    return [_shown(*span, mark) for span, mark in sorted(spans)]


def _shown(start: int, end: int, mark: str) -> str:
    a, b = (datetime.fromtimestamp(instant, UTC) for instant in (start, end))
    return f"{a:%m-%d %H:%M}-{b:%H:%M}{mark}" if b - a < timedelta(days=1) else f"{a:%m-%d %H:%M}-{b:%m-%d %H:%M}{mark}"


NEXT = ":20270302T010000Z"
DAY = ";VALUE=DATE:20270301"
OPAQUE = "TRANSP:OPAQUE"
WEEKLY = "RRULE:FREQ=WEEKLY;COUNT=3"
ONE = ["03-01 01:00-02:00"]
THREE = ["03-01 01:00-02:00", "03-08 01:00-02:00", "03-15 01:00-02:00"]
SEOUL = {"start": ";TZID=Asia/Seoul:20270301T100000", "end": ";TZID=Asia/Seoul:20270301T110000"}


def changed(*lines: str, at: str = ":20270308T010000Z", start: str = ":20270308T050000Z", end: str = "none") -> str:
    """A change of the second of three."""
    return event("UID:1", f"RECURRENCE-ID{at}", "DURATION:PT30M", *lines, start=start, end=end)


SERIES = event("UID:1", WEEKLY)
MEANT: dict[str, tuple[list[str], list[str]]] = {
    # what takes time
    "plain": ([event()], ONE),
    "opaque": ([event(OPAQUE)], ONE),
    "transparent": ([event("TRANSP:TRANSPARENT")], []),
    "cancelled": ([event("STATUS:CANCELLED")], []),
    "confirmed": ([event("STATUS:CONFIRMED")], ONE),
    "tentative": ([event("STATUS:TENTATIVE")], ["03-01 01:00-02:00?"]),
    "tentative under busy": ([event("STATUS:TENTATIVE", end=":20270301T030000Z"), event()],
                             ["03-01 01:00-02:00", "03-01 02:00-03:00?"]),
    "Outlook free": ([event("X-MICROSOFT-CDO-BUSYSTATUS:FREE")], []),
    "Outlook tentative": ([event("X-MICROSOFT-CDO-BUSYSTATUS:TENTATIVE")], ["03-01 01:00-02:00?"]),
    "Outlook out of office": ([event("X-MICROSOFT-CDO-BUSYSTATUS:OOF")], ONE),
    "Outlook elsewhere": ([event("X-MICROSOFT-CDO-BUSYSTATUS:WORKINGELSEWHERE")], []),
    "no length": ([event(end="none")], []),
    "ends before it starts": ([event(end=":20270301T000000Z")], []),
    "touching": ([event(), event(start=":20270301T020000Z", end=":20270301T030000Z")], ["03-01 01:00-03:00"]),
    "a task": (["BEGIN:VTODO", "DTSTART:20270301T010000Z", "DUE:20270301T020000Z", "END:VTODO"], []),
    "an alarm": ([event("BEGIN:VALARM", "DTSTART:20270501T010000Z", "DURATION:P9D", "REPEAT:9", "END:VALARM")], ONE),
    # whole days, on the owner's clock
    "a day": ([event(start=DAY, end="none")], []),
    "an opaque day": ([event(OPAQUE, start=DAY, end="none")], ["02-28 15:00-03-01 15:00"]),
    "a busy day of Outlook": ([event("X-MICROSOFT-CDO-BUSYSTATUS:OOF", start=DAY, end="none")],
                              ["02-28 15:00-03-01 15:00"]),
    "three days": ([event(OPAQUE, start=DAY, end=";VALUE=DATE:20270304")], ["02-28 15:00-03-03 15:00"]),
    "a day that ends as it begins": ([event(OPAQUE, start=DAY, end=DAY)], ["02-28 15:00-03-01 15:00"]),
    "days by duration": ([event(OPAQUE, "DURATION:P2D", start=DAY, end="none")], ["02-28 15:00-03-02 15:00"]),
    "days but one": ([event(OPAQUE, "RRULE:FREQ=DAILY;COUNT=3", "EXDATE:20270301T150000Z", start=DAY, end="none")],
                     ["02-28 15:00-03-01 15:00", "03-02 15:00-03-03 15:00"]),
    "days but one, on a clock": ([event(OPAQUE, "RRULE:FREQ=DAILY;COUNT=3", "EXDATE;TZID=Asia/Tokyo:20270302T000000",
                                        start=DAY, end="none")],
                                 ["02-28 15:00-03-01 15:00", "03-02 15:00-03-03 15:00"]),
    "days but one called off": ([event("UID:1", OPAQUE, "RRULE:FREQ=DAILY;COUNT=3", start=DAY, end="none"),
                                 changed("STATUS:CANCELLED", at=":20270301T150000Z")],
                                ["02-28 15:00-03-01 15:00", "03-02 15:00-03-03 15:00"]),
    "days again": ([event(OPAQUE, "RRULE:FREQ=MONTHLY;COUNT=2", f"EXDATE{DAY}", start=DAY, end="none")],
                   ["03-31 15:00-04-01 15:00"]),
    # clocks
    "floating": ([event(start=":20270301T100000", end=":20270301T110000")], ONE),
    "Seoul": ([event(**SEOUL)], ONE),
    "path": ([event(start=";TZID=/example.org/2026/Asia/Seoul:20270301T100000", end=":20270301T020000Z")], ONE),
    "quoted": ([event(start=';TZID="Asia/Seoul":20270301T100000', end=":20270301T020000Z")], ONE),
    "Windows": ([event(start=";TZID=Korea Standard Time:20270301T100000", end=":20270301T020000Z")], ONE),
    "Mongolia of Windows": ([event(start=";TZID=Ulaanbaatar Standard Time:20270701T090000", end=":20270701T020000Z")],
                               ["07-01 01:00-02:00"]),
    "Turkey of Windows": ([event(start=";TZID=Turkey Standard Time:20270701T040000", end=":20270701T020000Z")],
                          ["07-01 01:00-02:00"]),
    "unknown": ([event(start=";TZID=Nowhere:20270301T100000", end=":20270301T020000Z")], ONE),
    "two zones": ([event(start=";TZID=Asia/Seoul:20270301T100000", end=";TZID=Europe/Istanbul:20270301T050000")], ONE),
    "gap": ([event("DURATION:PT1H", start=";TZID=Europe/Berlin:20270328T023000", end="none")], ["03-28 01:30-02:30"]),
    "fold": ([event("DURATION:PT1H", start=";TZID=Europe/Berlin:20271031T023000", end="none")], ["10-31 00:30-01:30"]),
    "a day of 23 hours": ([event("DURATION:P1D", start=";TZID=Europe/Berlin:20270327T120000", end="none")],
                          ["03-27 11:00-10:00"]),
    "exactly 24 hours": ([event("DURATION:PT24H", start=";TZID=Europe/Berlin:20270327T120000", end="none")],
                         ["03-27 11:00-03-28 11:00"]),
    "summer time in a series": ([event("RRULE:FREQ=WEEKLY;COUNT=2", start=";TZID=Europe/Berlin:20270322T100000",
                                       end=";TZID=Europe/Berlin:20270322T110000")],
                                ["03-22 09:00-10:00", "03-29 08:00-09:00"]),
    "the end of a day": ([event(start=":20270301T230000Z", end=":20270301T240000Z")], ["03-01 23:00-00:00"]),
    "small letters": ([event(start=";TZID=europe/istanbul:20270301T040000", end=":20270301T020000Z")], ONE),
    "leap second": ([event(end=":20270301T015960Z")], ["03-01 01:00-01:59"]),
    # repetitions
    "three": ([SERIES], THREE),
    "until, included": ([event("RRULE:FREQ=WEEKLY;UNTIL=20270315T010000Z")], THREE),
    "until a day": ([event("RRULE:FREQ=WEEKLY;UNTIL=20270315")], THREE),
    "until on the clock": ([event("RRULE:FREQ=WEEKLY;UNTIL=20270315T010000Z", **SEOUL)], THREE),
    "by day": ([event("RRULE:FREQ=MONTHLY;BYDAY=-1FR;COUNT=2", start=":20270326T010000Z", end=":20270326T020000Z")],
               ["03-26 01:00-02:00", "04-30 01:00-02:00"]),
    "long ago": ([event("RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO;WKST=SU;UNTIL=20270120T000000Z",
                        start=":20000103T010000Z", end=":20000103T020000Z")],
                 ["01-11 01:00-02:00"]),
    "began outside": ([event("DURATION:P3D", start=":20261230T120000Z", end="none")], ["01-01 00:00-01-02 12:00"]),
    "without some": ([event(WEEKLY, "EXDATE:20270301T010000Z,20270315T010000Z")], ["03-08 01:00-02:00"]),
    "without one, elsewhere": ([event(WEEKLY, "EXDATE;TZID=Asia/Seoul:20270308T100000")], [THREE[0], THREE[2]]),
    "without a day": ([event(WEEKLY, "EXDATE;VALUE=DATE:20270308")], [THREE[0], THREE[2]]),
    "without the old way": ([event(WEEKLY, "EXRULE:FREQ=WEEKLY")], THREE),
    "and others": ([event("RDATE:20270308T010000Z,20270308T010000Z", "RDATE;TZID=Asia/Seoul:20270315T100000")], THREE),
    "a period more": ([event("RDATE;VALUE=PERIOD:20270308T010000Z/PT2H")], [ONE[0], "03-08 01:00-03:00"]),
    "periods but one": ([event("RDATE;VALUE=PERIOD:20270308T010000Z/PT2H,20270315T010000Z/PT2H",
                               "EXDATE:20270308T010000Z")],
                        [ONE[0], "03-15 01:00-03:00"]),
    # changes
    "periods that change": ([event("UID:1", "RDATE;VALUE=PERIOD:20270308T010000Z/PT2H,20270315T010000Z/PT2H"),
                             changed(at=";RANGE=THISANDFUTURE:20270312T010000Z", start=":20270312T020000Z"),
                             changed("STATUS:CANCELLED")],
                            [ONE[0], "03-15 02:00-04:00"]),
    "moved": ([SERIES, changed()], [THREE[0], "03-08 05:00-05:30", THREE[2]]),
    "moved, told first": ([changed(), SERIES], [THREE[0], "03-08 05:00-05:30", THREE[2]]),
    "moved, on another clock": ([SERIES, changed(at=";TZID=Asia/Seoul:20270308T100000")],
                                [THREE[0], "03-08 05:00-05:30", THREE[2]]),
    "called off": ([SERIES, changed("STATUS:CANCELLED")], [THREE[0], THREE[2]]),
    "the newer change": ([SERIES, changed("SEQUENCE:2", "STATUS:CANCELLED"), changed("SEQUENCE:1")],
                         [THREE[0], THREE[2]]),
    "this and later": ([SERIES, changed(at=";RANGE=THISANDFUTURE:20270308T010000Z")],
                       [THREE[0], "03-08 05:00-05:30", "03-15 05:00-05:30"]),
    "no more": ([SERIES, changed("STATUS:CANCELLED", at=";RANGE=THISANDFUTURE:20270308T010000Z")], [THREE[0]]),
    "a change alone": ([changed()], ["03-08 05:00-05:30"]),
    "a newer one": ([event("UID:1", "SEQUENCE:1", start=NEXT, end=":20270302T013000Z"), SERIES], ["03-02 01:00-01:30"]),
    "two of one name": ([event("UID:1"), event("UID:1", start=NEXT, end=":20270302T020000Z")],
                        [ONE[0], "03-02 01:00-02:00"]),
    # free-busy
    "free-busy": (["BEGIN:VFREEBUSY", "FREEBUSY:20270301T010000Z/20270301T020000Z,20270308T010000Z/PT1H",
                   "FREEBUSY;FBTYPE=FREE:20270302T010000Z/PT1H", "FREEBUSY;FBTYPE=BUSY-TENTATIVE:20270303T010000Z/PT1H",
                   "FREEBUSY;FBTYPE=BUSY-UNAVAILABLE:20270315T010000Z/PT1H", "END:VFREEBUSY"],
                  [*THREE[:1], "03-03 01:00-02:00?", *THREE[1:]]),
    # what is broken stands for itself alone
    "no start": (["BEGIN:VEVENT", "DTEND:20270301T020000Z", "END:VEVENT", event()], ONE),
    "no such day": ([event("STATUS:CANCELLED", start=":20270230T010000Z"), event()], ONE),
    "no such whole day": ([event(start=";VALUE=DATE:20270230", end="none"), event()], ONE),
    "a change of nothing": ([changed("TRANSP:TRANSPARENT", at=":broken"), event()], ONE),
    "no such exception": ([event(WEEKLY, "EXDATE:20270308T01,20270315T010000Z")], THREE[:2]),
    "a negative length": ([event("DURATION:-PT1H", end="none", start=NEXT), event()], ONE),
    "a day of no length": ([event(OPAQUE, "DURATION:PT0S", start=DAY, end="none")], ["02-28 15:00-03-01 15:00"]),
    "a free event with a hostile rule": ([event("TRANSP:TRANSPARENT", "RRULE:FREQ=SECONDLY;INTERVAL=0"), event()], ONE),
    "the first day of all": ([event("DURATION:P999999D", start=":00010101T000000", end="none"), event()], ONE),
    "the last day of all": ([event(WEEKLY, start=":99991231T230000", end=":99991231T235959"), event()], ONE),
    "two calendars": ([event(), "END:VCALENDAR", "BEGIN:VCALENDAR", event(start=NEXT, end=":20270302T020000Z")],
                      [ONE[0], "03-02 01:00-02:00"]),
}  # fmt: skip


def test_a_calendar_means_what_calendar_programs_mean() -> None:
    got = {name: shown(calendar(*lines)) for name, (lines, _) in MEANT.items()}
    assert got == {name: meant for name, (_, meant) in MEANT.items()}


def test_whole_days_and_floating_times_are_on_the_owners_clock() -> None:
    data = calendar(event(OPAQUE, start=DAY, end="none"), event(start=":20270310T100000", end=":20270310T110000"))
    assert shown(data, "Europe/Istanbul") == ["02-28 21:00-03-01 21:00", "03-10 07:00-08:00"]
    assert shown(data, "America/Lima") == ["03-01 05:00-03-02 05:00", "03-10 15:00-16:00"]


def test_windows_names_are_zones_of_the_tz_database() -> None:
    told = {"Korea Standard Time": "Asia/Seoul", "Ulaanbaatar Standard Time": "Asia/Ulaanbaatar",
            "Turkey Standard Time": "Europe/Istanbul", "UTC": "Etc/UTC", "UTC-11": "Etc/GMT+11"}  # fmt: skip
    assert told.items() <= IANA_NAMES.items()
    assert [name for name in IANA_NAMES.values() if not ZoneInfo(name)] == []
    assert len(IANA_NAMES) > 130


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Ulaanbaatar",
                                  "Europe/Istanbul", "Pacific/Apia", "Asia/Kathmandu"])  # fmt: skip
def test_wall_times_are_those_of_an_independent_reader(zone: str) -> None:
    """G11: with `fold=0` zoneinfo takes the first of two, and a time that is skipped by the offset before."""
    drawn, other = random.Random(zone), ZoneInfo(zone)
    walls = [NEW_YEAR + timedelta(minutes=15 * drawn.randrange(4 * 24 * 500)) for _ in range(60)]
    walls += [NEW_YEAR.replace(month=month, day=28, hour=hour, minute=30) for month in (3, 10) for hour in range(4)]
    walls += [NEW_YEAR.replace(month=month, day=day, hour=hour, minute=30) 
              for month, day in ((3, 14), (11, 7), (4, 4), (10, 3), (10, 31)) for hour in range(4)]  # fmt: skip
    for wall in walls:
        (start, _), = parse(
            calendar(event("DURATION:PT1M", start=f";TZID={zone}:{wall:%Y%m%dT%H%M%S}", end="none")),
            "UTC", datetime(2026, 12, 1, tzinfo=UTC), datetime(2029, 1, 1, tzinfo=UTC),
        )["busy"]  # fmt: skip
        assert datetime.fromtimestamp(start, UTC) == wall.replace(tzinfo=other).astimezone(UTC), wall


GOOGLE = """PRODID:-//Google Inc//Google Calendar 70.9054//EN
CALSCALE:GREGORIAN
METHOD:PUBLISH
X-WR-CALNAME:desk@calendar.example
X-WR-TIMEZONE:Asia/Seoul
BEGIN:VTIMEZONE
TZID:Asia/Seoul
X-LIC-LOCATION:Asia/Seoul
BEGIN:STANDARD
TZOFFSETFROM:+0900
TZOFFSETTO:+0900
TZNAME:GMT+9
DTSTART:19700101T000000
END:STANDARD
END:VTIMEZONE
BEGIN:VEVENT
DTSTART;TZID=Asia/Seoul:20270301T100000
DTEND;TZID=Asia/Seoul:20270301T110000
RRULE:FREQ=WEEKLY;WKST=SU;COUNT=3;BYDAY=MO
EXDATE;TZID=Asia/Seoul:20270308T100000
DTSTAMP:20270101T000000Z
UID:1@calendar.example
CREATED:20270101T000000Z
DESCRIPTION:Duration: one hour\\nBEGIN: at ten
SEQUENCE:0
STATUS:CONFIRMED
SUMMARY:Weekly
TRANSP:OPAQUE
BEGIN:VALARM
ACTION:DISPLAY
DESCRIPTION:This is an event reminder
TRIGGER:-P0DT0H30M0S
END:VALARM
END:VEVENT
BEGIN:VEVENT
DTSTART;VALUE=DATE:20270305
DTEND;VALUE=DATE:20270306
UID:2@calendar.example
TRANSP:TRANSPARENT
END:VEVENT"""
OUTLOOK = """PRODID:-//Microsoft Corporation//Outlook 16.0 MIMEDIR//EN
METHOD:PUBLISH
X-CALSTART:20270301T010000Z
X-WR-RELCALID:{0000002E-0000-0000-0000-000000000000}
X-PRIMARY-CALENDAR:TRUE
BEGIN:VTIMEZONE
TZID:Korea Standard Time
BEGIN:STANDARD
DTSTART:16010101T000000
TZOFFSETFROM:+0900
TZOFFSETTO:+0900
END:STANDARD
END:VTIMEZONE
BEGIN:VEVENT
CLASS:PUBLIC
DESCRIPTION:\\n
DTEND;TZID="Korea Standard Time":20270301T110000
DTSTAMP:20270101T000000Z
DTSTART;TZID="Korea Standard Time":20270301T100000
RRULE:FREQ=WEEKLY;COUNT=3;BYDAY=MO
EXDATE;TZID="Korea Standard Time":20270308T100000
SUMMARY;LANGUAGE=ko:x
TRANSP:OPAQUE
UID:040000008200E00074C5B7101A82E00800000000
X-ALT-DESC;FMTTYPE=text/html:<html><body>
\t<p>x: y</p></body></html>
X-MICROSOFT-CDO-BUSYSTATUS:BUSY
X-MICROSOFT-CDO-IMPORTANCE:1
BEGIN:VALARM
TRIGGER:-PT15M
ACTION:DISPLAY
DESCRIPTION:Reminder
END:VALARM
END:VEVENT"""
APPLE = """CALSCALE:GREGORIAN
PRODID:-//Apple Inc.//macOS 15.0//EN
X-APPLE-CALENDAR-COLOR:#FF2968
BEGIN:VTIMEZONE
TZID:Asia/Seoul
BEGIN:DAYLIGHT
DTSTART:19870510T020000
RDATE:19880508T020000
TZNAME:GMT+9
TZOFFSETFROM:+0900
TZOFFSETTO:+1000
END:DAYLIGHT
BEGIN:STANDARD
DTSTART:19881009T030000
TZNAME:GMT+9
TZOFFSETFROM:+1000
TZOFFSETTO:+0900
END:STANDARD
END:VTIMEZONE
BEGIN:VEVENT
CREATED:20270101T000000Z
DTEND;TZID=Asia/Seoul:20270301T110000
DTSTAMP:20270101T000000Z
DTSTART;TZID=Asia/Seoul:20270301T100000
EXDATE;TZID=Asia/Seoul:20270308T100000
LAST-MODIFIED:20270101T000000Z
RRULE:FREQ=WEEKLY;COUNT=3
SEQUENCE:1
SUMMARY:x
TRANSP:OPAQUE
UID:8C3A0B6E-0000-4000-8000-000000000001
X-APPLE-STRUCTURED-LOCATION;VALUE=URI;X-ADDRESS="1, x";X-APPLE-RADIUS=70;
 X-TITLE=x:geo:37.5,127.0
BEGIN:VALARM
ACTION:NONE
TRIGGER;VALUE=DATE-TIME:19760401T005545Z
X-WR-ALARMUID:00000000-0000-4000-8000-000000000002
END:VALARM
END:VEVENT"""


def test_what_the_common_programs_write_is_read() -> None:
    for file in (GOOGLE, OUTLOOK, APPLE):
        assert shown(calendar(*file.split("\n"))) == [THREE[0], THREE[2]], file[:40]


# -- zones that a file defines


def zone(tzid: str, offset: str, *more: str) -> str:
    body = ["BEGIN:STANDARD", "DTSTART:19700101T000000", f"TZOFFSETFROM:{offset}", f"TZOFFSETTO:{offset}", *more]
    return "\r\n".join(["BEGIN:VTIMEZONE", f"TZID:{tzid}", *body, "END:STANDARD", "END:VTIMEZONE"])


BERLIN = """BEGIN:VTIMEZONE
TZID:{name}
BEGIN:STANDARD
DTSTART:16011028T030000
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010325T020000
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
END:DAYLIGHT
END:VTIMEZONE"""


@pytest.mark.parametrize("name", ["Asia/Seoul", "Korea Standard Time", "/example.org/2026/Asia/Seoul"])
def test_a_file_changes_no_zone_that_is_known(name: str) -> None:
    """P3, G06: the lie first, then what is true, and the other way round, in one process."""
    start = f";TZID={name}:20270301T100000"
    lie = calendar(zone(name, "+0100"), event("DURATION:PT1H", start=start, end="none"))
    honest = calendar(event("DURATION:PT1H", start=start, end="none"))
    assert [shown(data) for data in (lie, honest, lie)] == [ONE, ONE, ONE]


def test_a_zone_of_ones_own_holds_for_its_file_alone() -> None:
    """G06: Outlook calls every zone that somebody made the same."""
    start = ";TZID=Customized Time Zone:20270301T100000"
    files = [
        calendar(
            *(zone("Customized Time Zone", offset) for offset in offsets), event(start=start, end=":20270302T000000Z")
        )
        for offsets in (["+0530"], ["-0800"], [], ["+0100", "+0200"])
    ]
    expected = ["03-01 04:30-00:00", "03-01 18:00-00:00", "03-01 01:00-00:00", "03-01 09:00-00:00"]
    assert [shown(file)[0] for file in (*files, *reversed(files))] == [*expected, *reversed(expected)]


def test_a_zone_of_ones_own_has_its_summer_time() -> None:
    """As Outlook writes it, from the year 1601 on: the same as the zone itself, gap and fold included."""
    walls = ["20270328T013000", "20270328T023000", "20270328T033000", "20270701T120000", "20271031T013000",
             "20271031T023000", "20271031T033000", "20271224T120000"]  # fmt: skip
    for name in ("(UTC+01:00) Amsterdam, Berlin", "Berlin of ours"):
        for wall in walls:
            one, other = (
                shown(calendar(*BERLIN.format(name=name).split("\n"),
                               event("DURATION:PT1H", start=f';TZID="{tzid}":{wall}', end="none")))
                for tzid in (name, "Europe/Berlin")
            )  # fmt: skip
            assert one == other, wall
    weekly = event(
        "RRULE:FREQ=WEEKLY;UNTIL=20270405T080000Z", start=';TZID="Ours":20270322T100000', end=":20270322T093000Z"
    )
    assert shown(calendar(*BERLIN.format(name="Ours").split("\n"), weekly)) == [
        "03-22 09:00-09:30", "03-29 08:00-08:30", "04-05 08:00-08:30"
    ]  # fmt: skip


def test_a_zone_has_the_name_that_its_text_stands_for() -> None:
    start = {"start": ';TZID="Seoul, ours":20270301T100000', "end": ":20270301T020000Z"}
    for name in ("Seoul, ours", "Seoul\\, ours"):
        assert shown(calendar(zone(name, "+0900"), event(**start)), "Europe/Istanbul") == ONE


def test_a_broken_zone_is_the_owners() -> None:
    for broken in (zone("X", "later"), zone("X", "+9900"), "BEGIN:VTIMEZONE\r\nTZID:X\r\nEND:VTIMEZONE"):
        assert shown(calendar(broken, event(start=";TZID=X:20270301T100000", end=":20270301T020000Z"))) == ONE


# -- what is refused


def refusal(data: bytes, read: Callable[..., busy.Busy] = parse) -> str:
    began = time.process_time()
    with pytest.raises(Refused) as refused:
        read(data, "Asia/Seoul", SINCE, UNTIL)
    assert time.process_time() - began < 2
    return refused.value.code


RULES = [
    "FREQ=DAILY;INTERVAL=0", "FREQ=DAILY;INTERVAL=-1", "FREQ=DAILY;INTERVAL=x", "FREQ=SECONDLY", "FREQ=MINUTELY",
    "FREQ=HOURLY", "FREQ=DAILY;COUNT=0", "FREQ=DAILY;COUNT=-1", "FREQ=DAILY;COUNT=99999999", "FREQ=NEVER", "COUNT=3",
    "", "FREQ=DAILY;UNTIL=x", "FREQ=DAILY;BYDAY=XX", "FREQ=MONTHLY;BYDAY=99MO", "FREQ=YEARLY;BYMONTH=13",
    "FREQ=YEARLY;BYMONTH=0", "FREQ=DAILY;BYHOUR=24", "FREQ=DAILY;WKST=X", "FREQ=DAILY;X=1", "FREQ=DAILY;BYSETPOS=0",
    "FREQ=DAILY;BYMONTHDAY=" + "9" * 5000, "FREQ=DAILY;INTERVAL=" + "9" * 5000,
]  # fmt: skip


def test_rules_that_would_never_end_are_refused_before_they_begin() -> None:
    """G01, P5."""
    began = time.process_time()
    assert {rule[:60]: refusal(calendar(event(f"RRULE:{rule}"))) for rule in RULES} == {
        rule[:60]: "rule" for rule in RULES
    }
    assert (time.process_time() - began) / len(RULES) < 0.1


def test_rules_that_match_nothing_end() -> None:
    """G02: only the first occurrence is there, because DTSTART says so itself."""
    for rule in ("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "FREQ=YEARLY;BYMONTH=4,6;BYMONTHDAY=31,-31",
                 "FREQ=YEARLY;INTERVAL=9999", f"FREQ=DAILY;INTERVAL={10**30}"):  # fmt: skip
        assert shown(calendar(event(f"RRULE:{rule}"))) == ONE, rule


NO_TIME = {
    "no such day": event(start=":20270230T010000Z"),
    "a date as people write it": event(start=":2027-03-01T01:00:00Z"),
    "no end": event(end=":20270301T25"),
    "an end that goes on": event(end=";TZID=(UTC+09:00) Seoul:20270301T110000"),
    "no length": event("DURATION:P1H", end="none"),
    "no length at all": event("DURATION:PT", end="none"),
    "no such opaque day": event(OPAQUE, start=";VALUE=DATE:20270230", end="none"),
    "a change of nothing": changed(at=":broken"),
    "a day more that is none": event("RDATE:20270308T01"),
    "a period more that is none": event("RDATE;VALUE=PERIOD:20270308T010000Z/x"),
    "quotes that do not close": event(start=';TZID="Asia/Seoul:20270301T100000'),
    "free-busy": "BEGIN:VFREEBUSY\r\nFREEBUSY:20270301T010000Z\r\nEND:VFREEBUSY",
}  # fmt: skip
END = "\r\nEND:VEVENT"
MISPLACED = {
    "an event without end": [event().removesuffix(END), event()],
    "an event in another": [event().removesuffix(END), event() + END],
    "an event in a task": ["BEGIN:VTODO", event(), "END:VTODO"],
    "an event outside": ["END:VCALENDAR", event(), "BEGIN:VCALENDAR"],
    "an alarm without end": [event("BEGIN:VALARM")],
    "an end without event": [event() + END],
    "a task without end": ["BEGIN:VTODO", event()],
    "a zone without end": [zone("X", "+0100").removesuffix("\r\nEND:VTIMEZONE"), event()],
    "a calendar without end": [event(), "BEGIN:VCALENDAR", event()],
}


def test_nobody_is_free_because_a_calendar_is_broken() -> None:
    """Whoever writes such an event is busy, and nobody can tell when."""
    cases = {**{name: [event(start=NEXT), lines] for name, lines in NO_TIME.items()}, **MISPLACED}
    got = {name: refusal(calendar(*lines)) for name, lines in cases.items()}
    assert got == dict.fromkeys(cases, "unreadable")


OTHERS = {
    "nothing": (b"", "unreadable"),
    "a path": (b"/etc/passwd", "unreadable"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(1000), "unreadable"),
    "a page": (b"<html>BEGIN:VCALENDAR END:VCALENDAR", "unreadable"),
    "packed": (gzip.compress(calendar(event())), "unreadable"),
    "UTF-16": (calendar(event()).decode().encode("utf-16"), "unreadable"),
    "half": (calendar(event(), event())[:-60], "unreadable"),
    "too deep": (calendar(*["BEGIN:X"] * 50), "unreadable"),
    "too many bytes": (b"X" * (busy.MAX_BYTES + 1), "too-large"),
    "too many events": (calendar("BEGIN:VEVENT\r\nEND:VEVENT\r\n" * 5_001), "too-large"),
    "too many occurrences": (calendar(*[event("RRULE:FREQ=DAILY", OPAQUE)] * 25), "too-large"),
    "too many in one": (calendar(event("RRULE:FREQ=DAILY;BYHOUR=1,2,3,4;BYMINUTE=0,9,18,27,36,45")), "too-large"),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_calendar_or_too_much_is_refused(name: str) -> None:
    """G04, G10, G14, G15."""
    data, code = OTHERS[name]
    assert refusal(data) == code


def test_a_byte_order_mark_and_other_alphabets_are_read() -> None:
    """G15."""
    plain = calendar("X-WR-CALNAME:달력 Хуанли Takvim ığş", event())
    for data in (b"\xef\xbb\xbf" + plain, plain.replace(b"\r\n", b"\n"), plain.decode().encode("euc-kr", "replace"),
                 calendar("SUMMARY:Görüşme", event()).decode().encode("latin-1", "replace")):  # fmt: skip
        assert shown(data) == ONE


def test_only_bytes_are_calendars() -> None:
    """P2, G10: a text could be taken for the name of a file."""
    for read in (parse, busy.read):
        with pytest.raises(TypeError):
            read("/etc/passwd", "Asia/Seoul", SINCE, UNTIL)  # type: ignore[operator]


# -- in the child process


def test_the_child_tells_the_same() -> None:
    """And refuses the same: a lie about a zone, a rule without end, a calendar that is none."""
    lie = calendar(
        zone("Asia/Seoul", "+0100"), event("STATUS:TENTATIVE", **SEOUL), event(start=NEXT, end=":20270302T020000Z")
    )
    assert busy.read(lie, "Asia/Seoul", SINCE, UNTIL) == parse(lie, "Asia/Seoul", SINCE, UNTIL)
    assert refusal(calendar(event("RRULE:FREQ=DAILY;INTERVAL=0")), busy.read) == "rule"
    assert refusal(b"BEGIN:VCALENDAR\nEND:VCALENDAR\n" * 200_000, busy.read) == "too-large"


def test_a_meeting_of_ours_is_not_busy_time_of_others() -> None:
    """It would be in the way of its own move. Nor are its changes."""
    ours = [event("UID:4F6C@Meet.Example", WEEKLY), changed().replace("UID:1", "UID:4f6c@meet.example")]
    others = event("UID:4f6c@other-meet.example", start=NEXT, end=":20270302T020000Z")
    data = calendar(*ours, others)
    for read in (parse, busy.read):
        (span,) = read(data, "Asia/Seoul", SINCE, UNTIL, "meet.example")["busy"]
        assert _shown(*span, "") == "03-02 01:00-02:00"
    assert len(parse(data, "Asia/Seoul", SINCE, UNTIL)["busy"]) == 5


# What no check foresees costs the child its life and nobody else anything.
HARD = {
    "1 January in December": [event(f"RRULE:FREQ=DAILY;BYYEARDAY=1;BYMONTH=12;INTERVAL={n}") for n in (1, 2)],
    "exceptions": [event("RRULE:FREQ=DAILY;BYHOUR=" + ",".join(map(str, range(24))) + ";BYMINUTE=" +
                         ",".join(map(str, range(60))) + ";BYSECOND=" + ",".join(map(str, range(60))),
                         "EXDATE;VALUE=DATE:" + ",".join(f"{(SINCE + timedelta(n)):%Y%m%d}" for n in range(-9, 9999)))],
}  # fmt: skip


@pytest.mark.parametrize("name", HARD)
def test_a_child_that_works_too_hard_is_ended(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """G02, G03, P6: here after a second, in truth after three."""
    monkeypatch.setattr(
        child, "PROGRAM", "import resource; resource.setrlimit(resource.RLIMIT_CPU, (1, 1))" + child.PROGRAM
    )
    began = time.monotonic()
    assert refusal(calendar(*HARD[name]), busy.read) == "too-hard"
    assert time.monotonic() - began < 10


HUGE: dict[str, Callable[[], bytes]] = {
    "alarms": lambda: calendar(event("BEGIN:VALARM\r\nREPEAT:999999999\r\nDURATION:PT1S\r\nEND:VALARM\r\n" * 60_000)),
    "parameters": lambda: calendar(event("ATTENDEE" + ";X=1" * 200_000 + ":mailto:x@x.example")),
    "a line": lambda: calendar(event("DESCRIPTION:" + "x" * 4_900_000)),
    "folds": lambda: calendar(event("DESCRIPTION:" + "x\r\n " * 1_200_000)),
    "exceptions": lambda: calendar(
        event(
            "RRULE:FREQ=DAILY;COUNT=1",
            "EXDATE:" + ",".join(f"{NEW_YEAR + timedelta(minutes=n):%Y%m%dT%H%M01Z}" for n in range(100_000)),
        )
    ),
    "zones": lambda: calendar(
        *[BERLIN.format(name=f"Z{n}") for n in range(5_000)], event(start=";TZID=Z4999:20270301T020000")
    ),
}


@pytest.mark.parametrize("name", HUGE)
def test_nothing_within_the_limits_takes_long(name: str) -> None:
    """G05: of 5 MB at most."""
    huge = HUGE[name]()
    began = time.process_time()
    assert shown(huge) == ONE
    assert time.process_time() - began < 3


@pytest.mark.parametrize(
    "told",
    ["nonsense", "[]", "{}", '{"busy": 1, "tentative": []}', '{"busy": [[1, 2, 3]], "tentative": []}',
     '{"busy": [[1800000000, 1800000060], [1800000000, 1800000060]], "tentative": []}',
     '{"busy": [["1800000000", 1800000060]], "tentative": []}', '{"busy": [[1, 2]], "tentative": []}',
     '{"busy": [], "tentative": [[1800000060, 1800000000]]}', '{"refused": "<b>"}', "[" * 100_000],
)  # fmt: skip
def test_the_child_is_not_believed_what_makes_no_sense(told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "PROGRAM", f"print({told!r})")
    assert refusal(calendar(event()), busy.read) == "too-hard"


def test_the_child_is_not_listened_to_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "ANSWER_BYTES", 100_000)
    monkeypatch.setattr(child, "PROGRAM", "while True: print('x' * 10_000)")
    assert refusal(calendar(event()), busy.read) == "too-hard"
    monkeypatch.setattr(child, "WALL_SECONDS", 0.3)
    monkeypatch.setattr(child, "PROGRAM", "import time; time.sleep(60)")
    assert refusal(calendar(event()), busy.read) == "too-hard"
