"""What goes out, byte for byte, and what three independent programs make of it.

After a change that is meant: UPDATE_GOLDEN=1 pytest tests/ics/test_golden.py, and look at the difference.
"""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import recurring_ical_events
import vobject
from ical.calendar_stream import IcsCalendarStream
from icalendar import Calendar

from tests.ics import samples

GOLDEN = Path(__file__).parent / "golden"
CALENDARS = samples.golden()
SEPTEMBER = datetime(2026, 9, 1, 6, 0, tzinfo=UTC)
STARTS = {
    "moved.ics": [datetime(2026, 9, 2, 7, 30, tzinfo=UTC)],
    "cancelled.ics": [datetime(2026, 9, 2, 7, 30, tzinfo=UTC)],
    "published.ics": [datetime(2026, 7, 1, 7, tzinfo=UTC), SEPTEMBER, datetime(2026, 9, 2, 7, 30, tzinfo=UTC)],
}
by_name = pytest.mark.parametrize("name", CALENDARS)


@by_name
def test_the_bytes_are_the_ones_that_were_agreed(name: str) -> None:
    if os.environ.get("UPDATE_GOLDEN"):
        (GOLDEN / name).write_bytes(CALENDARS[name])
    assert CALENDARS[name] == (GOLDEN / name).read_bytes()


def test_no_agreed_calendar_is_left_over() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == set(CALENDARS)


@by_name
def test_ical_reads_the_times_and_titles(name: str) -> None:
    calendar = IcsCalendarStream.calendar_from_ics(CALENDARS[name].decode())
    assert sorted(event.dtstart.astimezone(UTC) for event in calendar.events) == STARTS.get(name, [SEPTEMBER])
    assert {event.dtend - event.dtstart for event in calendar.events} == {timedelta(hours=1)}
    assert {event.summary for event in calendar.events} <= {text.summary for text in samples.TEXTS.values()}


@by_name
def test_vobject_reads_the_times_and_texts(name: str) -> None:
    calendar = vobject.readOne(CALENDARS[name].decode())
    events = calendar.vevent_list
    assert sorted(event.dtstart.value.astimezone(UTC) for event in events) == STARTS.get(name, [SEPTEMBER])
    assert {event.description.value for event in events} <= {text.description for text in samples.TEXTS.values()}


@by_name
def test_recurring_ical_events_finds_each_meeting_once(name: str) -> None:
    calendar = Calendar.from_ical(CALENDARS[name])
    found = recurring_ical_events.of(calendar).between((2026, 1, 1), (2027, 1, 1))
    assert sorted(event.start.astimezone(UTC) for event in found) == STARTS.get(name, [SEPTEMBER])


@by_name
def test_every_line_is_short_and_ends_as_it_should(name: str) -> None:
    assert CALENDARS[name].endswith(b"END:VCALENDAR\r\n")
    for line in CALENDARS[name].removesuffix(b"\r\n").split(b"\r\n"):
        assert len(line) <= 75
        assert b"\n" not in line
        assert b"\r" not in line
        line.decode()  # a fold inside a character would not
