"""Calendars that others send: bytes -> what an organizer may look at (RFC 5546 3.2.3), and nothing more.

Whatever is not needed is not read: no rule is expanded, no address fetched, no alarm kept, and the VTIMEZONE of a file
is never believed, since a name that the tz database knows means what the tz database says.

`parse` does the reading. `read` does it in a child process that lives for one calendar, without secrets in its
environment and with limits on time and memory, so that a hostile file can hurt nothing but itself.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import asdict
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from scheduler.core.itip import AttendeeLine, InboundCalendar, InboundEvent
from scheduler.core.words import clean_line, clean_text, email_key
from scheduler.ics import child
from scheduler.ics.components import Unreadable, placed
from scheduler.ics.lines import Line, read_lines, unescape
from scheduler.ics.times import date_time, iana_name, in_utc, on_the_clock

__all__ = ["Unreadable"]

MAX_BYTES = 512_000
MAX_EVENTS = 1_000
COMMENT_LENGTH = 2_000
NAME_LENGTH = 200
HIGHEST_SEQUENCE = 2**31 - 1


# -- in a child process ------------------------------------------------------------------------------------------------


def read(data: bytes, max_bytes: int = MAX_BYTES) -> InboundCalendar:
    """`parse(data)` in a limited child process. Raises Unreadable; OSError only when no process can be started."""
    _check(data, max_bytes)
    told = child.ask(__name__, data, str(max_bytes))
    if "reason" in told:
        raise Unreadable(told["reason"])
    return _calendar_of(told["calendar"])


def answer(max_bytes: str) -> None:
    """The child's whole life: limits, one calendar from standard input, one JSON object to standard output."""
    child.limit_resources()
    told: dict[str, Any]
    try:
        told = {"calendar": asdict(parse(sys.stdin.buffer.read(), int(max_bytes)))}
    except Unreadable as error:
        told = {"reason": error.reason}
    json.dump(told, sys.stdout, default=datetime.isoformat)


def _calendar_of(told: dict[str, Any]) -> InboundCalendar:
    return InboundCalendar(told["method"], tuple(map(_event_of, told["events"])))


def _event_of(told: dict[str, Any]) -> InboundEvent:
    instants = ("dtstamp", "recurrence_id", "start", "end")
    moments = {name: datetime.fromisoformat(told[name]) for name in instants if told[name]}
    return InboundEvent(**{**told, **moments, "attendees": tuple(map(_attendee_of, told["attendees"]))})


def _attendee_of(told: dict[str, Any]) -> AttendeeLine:
    lists = {name: tuple(told[name]) for name in ("delegated_to", "delegated_from")}
    return AttendeeLine(**{**told, **lists})


# -- reading -----------------------------------------------------------------------------------------------------------


def parse(data: bytes, max_bytes: int = MAX_BYTES) -> InboundCalendar:
    """The one calendar object in `data`, with all its VEVENTs. Raises Unreadable; never anything else for any bytes."""
    _check(data, max_bytes)
    calendars: list[list[Line]] = []
    events: list[list[Line]] = []
    for path, line in placed(read_lines(data)):
        if line.name == "BEGIN" and path == ("VCALENDAR",):
            calendars.append([])
        elif line.name == "BEGIN" and path == ("VCALENDAR", "VEVENT"):
            events.append([])
        elif path == ("VCALENDAR",):
            calendars[-1].append(line)
        elif path == ("VCALENDAR", "VEVENT"):
            events[-1].append(line)
    if len(calendars) != 1:
        raise Unreadable("more than one calendar in one part" if calendars else "no calendar in it")
    if len(events) > MAX_EVENTS:
        raise Unreadable(f"more than {MAX_EVENTS} events")
    method = next((line.value for line in calendars[0] if line.name == "METHOD"), "")
    return InboundCalendar(clean_line(method).upper()[:40], tuple(map(_event, events)))


def _check(data: bytes, max_bytes: int) -> None:
    if not isinstance(data, bytes):
        raise TypeError("calendars are bytes; a str could be taken for the name of a file")
    if len(data) > max_bytes:
        raise Unreadable(f"larger than {max_bytes} bytes")


def _event(lines: list[Line]) -> InboundEvent:
    first: dict[str, Line] = {}
    for line in lines:
        first.setdefault(line.name, line)
    comments = [unescape(line.value) for line in lines if line.name == "COMMENT"]
    return InboundEvent(
        uid=clean_line(unescape(first["UID"].value))[:1000] if "UID" in first else "",
        sequence=_sequence(first.get("SEQUENCE")),
        dtstamp=_instant(first.get("DTSTAMP"), floating_is_utc=True),
        recurrence_id=_recurrence_id(first.get("RECURRENCE-ID")),
        organizer=_address(first["ORGANIZER"]) if "ORGANIZER" in first else "",
        attendees=tuple(_attendee(line) for line in lines if line.name == "ATTENDEE"),
        comment=clean_text("\n".join(comments))[:COMMENT_LENGTH],
        start=_instant(first.get("DTSTART")),
        end=_instant(first.get("DTEND")),
    )


def _sequence(line: Line | None) -> int | None:
    if line is None or not re.fullmatch(r"[0-9]{1,10}", line.value, re.ASCII):
        return None
    return min(int(line.value), HIGHEST_SEQUENCE)


def _recurrence_id(line: Line | None) -> datetime | None:
    instant = _instant(line)
    if line is not None and instant is None:
        # Without it the answer to one date would count for the whole meeting.
        raise Unreadable(f"RECURRENCE-ID is not understood: {line.raw}")
    return instant


# -- people ------------------------------------------------------------------------------------------------------------


def _attendee(line: Line) -> AttendeeLine:
    return AttendeeLine(
        email=_address(line),
        partstat=clean_line(line.param("PARTSTAT")).upper()[:40],
        name=clean_line(line.param("CN"))[:NAME_LENGTH],
        comment=clean_text(line.param("X-RESPONSE-COMMENT"))[:COMMENT_LENGTH],
        delegated_to=tuple(map(_compared, line.params.get("DELEGATED-TO", ()))),
        delegated_from=tuple(map(_compared, line.params.get("DELEGATED-FROM", ()))),
    )


def _address(line: Line) -> str:
    """The calendar address; where the value is some other URI (a principal of a CalDAV server), the EMAIL parameter."""
    is_mail = line.value[:7].lower() == "mailto:" or not line.param("EMAIL")
    return _compared(line.value if is_mail else line.param("EMAIL"))


def _compared(value: str) -> str:
    address = clean_line(value)
    if address[:7].lower() == "mailto:":
        address = clean_line(unquote(address[7:].partition("?")[0]))
    address = address.strip("<> ")
    return email_key(address) if "@" in address and len(address) <= 320 else address.casefold()[:320]


# -- time --------------------------------------------------------------------------------------------------------------


def _instant(line: Line | None, *, floating_is_utc: bool = False) -> datetime | None:
    """The UTC instant of a DATE-TIME; None for a missing, floating or broken one, a DATE, or an unknown zone."""
    found = date_time(line.value) if line else None
    if line is None or found is None:
        return None
    wall, is_utc = found
    if is_utc:
        return in_utc(wall)
    if zone := iana_name(line.param("TZID")):
        return on_the_clock(wall, zone)
    return in_utc(wall) if floating_is_utc and not line.param("TZID") else None
