"""Feeds are joined from stored VEVENTs, each the same, byte for byte, as the one that an export would write."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
import recurring_ical_events
import vobject
from hypothesis import given
from hypothesis import strategies as st
from ical.calendar_stream import IcsCalendarStream
from icalendar import Calendar

from scheduler.ics import entries
from scheduler.ics.entries import Head
from scheduler.ics.write import CalendarText, publish
from tests.ics import samples

ORGANIZER = ("meetings@meet.example", 'Gwangjin-gu, "Seoul"')
HEAD = Head("Gwangjin-gu: every meeting", "Meetings; kept up to date, hourly", "Asia/Seoul")
BERLIN = samples.at("Europe/Berlin", datetime(2026, 7, 1, 7, 0, tzinfo=UTC), uid="5a7d-0008@meet.example", id=8)
ULAANBAATAR = samples.at("Asia/Ulaanbaatar", datetime(2026, 7, 2, 1, 0, tzinfo=UTC), uid="9c-0009@meet.example", id=9)
# 25 October 2026, 02:30 in Berlin comes twice.
TWICE = samples.at("Europe/Berlin", datetime(2026, 10, 25, 0, 30, tzinfo=UTC), uid="7d-0010@meet.example", id=10)
GONE = samples.meeting(status="cancelled", sequence=3, uid="8e-0011@meet.example", id=11, confidential=True)
# Cairo moved its clocks by no rule that all readers take the same way.
CAIRO = samples.at("Africa/Cairo", datetime(2026, 7, 3, 7, 0, tzinfo=UTC), uid="6f-0012@meet.example", id=12)
MEETINGS = (samples.meeting(), BERLIN, ULAANBAATAR, TWICE, GONE, CAIRO)


def of_export(meeting, text) -> bytes:
    """The VEVENT that an export of the one meeting holds."""
    name, address = ORGANIZER[1], ORGANIZER[0]
    whole = publish([(meeting, text)], name="x", organizer_address=address, organizer_name=name)
    return whole[whole.index(b"BEGIN:VEVENT") : whole.index(b"END:VCALENDAR")]


@pytest.mark.parametrize("meeting", MEETINGS, ids=lambda m: str(m.id))
def test_an_entry_is_what_an_export_says(meeting) -> None:
    made = entries.entry(meeting, samples.TEXTS, *ORGANIZER)
    assert set(made.contents) == set(samples.TEXTS)
    for language, content in made.contents.items():
        assert content == of_export(meeting, samples.TEXTS[language])
    assert made.zone == ("" if meeting in (TWICE, CAIRO) else meeting.zone)


TEXT = st.text(max_size=200) | st.sampled_from(
    ['a;b,c\\d"e^', "긴 제목 " * 30, "x\r\nBEGIN:VALARM", "\\n\\N", ":", "a" * 75]
)


@given(summary=TEXT, description=TEXT, location=TEXT, url=TEXT, category=TEXT, join=TEXT, label=TEXT)
def test_any_text_comes_out_as_in_an_export(summary, description, location, url, category, join, label) -> None:
    text = CalendarText(summary, description, location, url, (category, "b,c"), join, label)
    assert entries.entry(BERLIN, {"en": text}, *ORGANIZER).contents["en"] == of_export(BERLIN, text)


def joined(*meetings) -> bytes:
    made = [entries.entry(meeting, samples.TEXTS, *ORGANIZER) for meeting in meetings]
    spans = {}
    for meeting, one in zip(meetings, made, strict=True):
        if one.zone:
            since, until = spans.get(one.zone, (meeting.start, meeting.end))
            spans[one.zone] = (min(since, meeting.start), max(until, meeting.end))
    return entries.calendar(HEAD, dict(reversed(spans.items())), [one.contents["ko"] for one in made])


def test_the_head_tells_the_name_the_zone_and_how_often_to_look() -> None:
    lines = joined(BERLIN).decode().split("\r\n")
    assert lines[:11] == [
        "BEGIN:VCALENDAR",
        "PRODID:-//Sister City Meetings//Scheduler//EN",
        "VERSION:2.0",
        "CALSCALE:GREGORIAN",
        "METHOD:PUBLISH",
        "NAME:Gwangjin-gu: every meeting",
        "X-WR-CALNAME:Gwangjin-gu: every meeting",
        "X-WR-CALDESC:Meetings\\; kept up to date\\, hourly",
        "X-WR-TIMEZONE:Asia/Seoul",
        "REFRESH-INTERVAL;VALUE=DURATION:PT1H",
        "X-PUBLISHED-TTL:PT1H",
    ]


def test_zones_come_once_sorted_and_before_the_meetings() -> None:
    content = joined(*MEETINGS).decode()
    zones = [line for line in content.split("\r\n") if line.startswith("TZID:")]
    assert zones == ["TZID:Asia/Seoul", "TZID:Asia/Ulaanbaatar", "TZID:Europe/Berlin"]
    assert content.rindex("END:VTIMEZONE") < content.index("BEGIN:VEVENT")
    assert content.endswith("END:VEVENT\r\nEND:VCALENDAR\r\n")


def test_three_independent_readers_find_the_same_times() -> None:
    content = joined(*MEETINGS)
    starts = sorted(meeting.start for meeting in MEETINGS)
    by_ical = IcsCalendarStream.calendar_from_ics(content.decode()).events
    assert sorted(event.dtstart.astimezone(UTC) for event in by_ical) == starts
    by_vobject = vobject.readOne(content.decode()).vevent_list
    assert sorted(event.dtstart.value.astimezone(UTC) for event in by_vobject) == starts
    found = recurring_ical_events.of(Calendar.from_ical(content)).between((2026, 1, 1), (2027, 1, 1))
    assert sorted(event.start.astimezone(UTC) for event in found) == starts


def test_nobody_is_named_and_nothing_rings() -> None:
    content = joined(*MEETINGS)
    assert b"ATTENDEE" not in content
    assert b"VALARM" not in content
    assert content.replace(b"\r\n ", b"").count(b":mailto:meetings@meet.example\r\n") == len(MEETINGS)


def test_a_zone_without_a_form_for_all_its_meetings_is_rewritten_in_utc() -> None:
    """Alone each has a VTIMEZONE, but Mongolia gave up summer time in 2017: no single one is right for both."""
    early = replace(ULAANBAATAR, start=datetime(2008, 7, 1, 1, 0, tzinfo=UTC), uid="0@meet.example")
    assert entries.entry(early, samples.TEXTS, *ORGANIZER).zone == "Asia/Ulaanbaatar"
    content = joined(early, ULAANBAATAR, samples.meeting())
    assert b"TZID:Asia/Ulaanbaatar" not in content
    assert b"DTSTART:20080701T010000Z\r\nDTEND:20080701T020000Z\r\n" in content
    assert b"DTSTART:20260702T010000Z\r\n" in content
    assert b"DTSTART;TZID=Asia/Seoul:20260901T150000\r\n" in content
