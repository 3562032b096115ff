"""Calendars that others send: bytes -> what an organizer may look at (RFC 5546 3.2.3), and nothing more.

Whatever is not needed is not read: no rule is expanded, no address fetched, no alarm kept, and the VTIMEZONE of a file
is never believed, since a name that the tz database knows means what the tz database says.

`parse` does the reading. `read` does it in a child process that lives for one calendar, without secrets in its
environment and with limits on time and memory, so that a hostile file can hurt nothing but itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from scheduler.core import zones
from scheduler.core.errors import Invalid
from scheduler.core.itip import AttendeeLine, InboundCalendar, InboundEvent
from scheduler.core.meeting import email_key
from scheduler.core.words import clean_line, clean_text
from scheduler.ics.lines import Line, read_lines, unescape

MAX_BYTES = 512_000
MAX_DEPTH = 10  # VCALENDAR > VEVENT > VALARM is 3
MAX_EVENTS = 1_000
COMMENT_LENGTH = 2_000
NAME_LENGTH = 200
HIGHEST_SEQUENCE = 2**31 - 1

CPU_SECONDS = 3
MEMORY_BYTES = 512 * 1024 * 1024
WALL_SECONDS = 20  # the child shares its processors with others; the CPU limit is the sharp one

_ROOT = str(Path(__file__).resolve().parents[2])
# Isolated mode ignores the working directory and PYTHONPATH, so the place of this package is told, installed or not.
_PROGRAM = """
import sys
root, limit = sys.argv[1], int(sys.argv[2])
if root not in sys.path:
    sys.path.insert(0, root)
from scheduler.ics.read import answer
answer(limit)
"""


class Unreadable(Exception):
    """The calendar cannot be read; `reason` says why in one line, for the person who looks at it."""

    def __init__(self, reason: str) -> None:
        self.reason = clean_line(reason)[:200]
        super().__init__(self.reason)


# -- in a child process ------------------------------------------------------------------------------------------------


def read(data: bytes, max_bytes: int = MAX_BYTES) -> InboundCalendar:
    """`parse(data)` in a limited child process. Raises Unreadable; OSError only when no process can be started."""
    _check(data, max_bytes)
    try:
        child = subprocess.run(
            [sys.executable, "-I", "-c", _PROGRAM, _ROOT, str(max_bytes)],
            input=data,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # a traceback could quote the mail
            env={name: os.environ[name] for name in ("PYTZ_TZDATADIR",) if name in os.environ},
            timeout=WALL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Unreadable(f"reading took longer than {WALL_SECONDS} seconds") from None
    if child.returncode:
        raise Unreadable(f"the reader was stopped (status {child.returncode})")
    told = json.loads(child.stdout)
    if "reason" in told:
        raise Unreadable(told["reason"])
    return _calendar_of(told["calendar"])


def answer(max_bytes: int) -> None:
    """The child's whole life: limits, one calendar from standard input, one JSON object to standard output."""
    limit_resources()
    told: dict[str, Any]
    try:
        told = {"calendar": asdict(parse(sys.stdin.buffer.read(), max_bytes))}
    except Unreadable as error:
        told = {"reason": error.reason}
    json.dump(told, sys.stdout, default=datetime.isoformat)


def limit_resources(cpu_seconds: int = CPU_SECONDS, memory_bytes: int = MEMORY_BYTES) -> None:
    """Limits this process; beyond them it is killed (CPU) or gets MemoryError. No file can be written."""
    limits = {
        resource.RLIMIT_CPU: cpu_seconds,
        resource.RLIMIT_AS: memory_bytes,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
    }
    for which, value in limits.items():
        with contextlib.suppress(ValueError, OSError):  # a system without this limit, or with a lower one already
            resource.setrlimit(which, (value, value))


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
    for path, line in _placed(read_lines(data)):
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


def _placed(lines: Iterable[Line]) -> Iterator[tuple[tuple[str, ...], Line]]:
    """Each line with the components it stands in. BEGIN stands in what it opens; END is not given.

    An END closes the innermost component of its name and what was left open inside; one without BEGIN is left out.
    """
    path: tuple[str, ...] = ()
    for line in lines:
        kind = line.value.upper()
        if line.name == "END":
            if kind in path:
                path = path[: len(path) - 1 - path[::-1].index(kind)]
            continue
        if line.name == "BEGIN":
            path = (*path, kind)
            if len(path) > MAX_DEPTH:
                raise Unreadable("nested too deep")
        yield path, line
    if "VEVENT" in path:
        raise Unreadable("the calendar ends in the middle of an event")


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

_DATE_TIME = re.compile(r"(\d{8}T\d{6})(Z?)", re.ASCII | re.IGNORECASE)


def _instant(line: Line | None, *, floating_is_utc: bool = False) -> datetime | None:
    """The UTC instant of a DATE-TIME; None for a missing, floating or broken one, a DATE, or an unknown zone."""
    if line is None or not (match := _DATE_TIME.fullmatch(line.value)):
        return None
    try:
        wall = datetime.strptime(match[1].upper(), "%Y%m%dT%H%M%S")  # noqa: DTZ007 its zone stands beside it
    except ValueError:
        return None
    if match[2]:
        return wall.replace(tzinfo=UTC)
    zone = _iana_name(line.param("TZID"))
    if zone:
        return _on_the_clock(wall, zone)
    return wall.replace(tzinfo=UTC) if floating_is_utc and not line.param("TZID") else None


def _on_the_clock(wall: datetime, zone: str) -> datetime | None:
    """RFC 5545 3.3.5: a time that exists twice is the first; one that does not exist is read by the offset before."""
    try:
        return zones.to_instant(wall, zone)
    except Invalid as error:
        if not error.choices:
            return None
        return error.choices[0 if error.faults[0].key == "wall-ambiguous" else -1]
    except OverflowError:  # the first and the last day of the calendar
        return None


def _iana_name(tzid: str) -> str | None:
    """The IANA zone that a TZID names: itself, at the end of a path (`/example.org/20260101/Asia/Seoul`), or Windows'.

    The file's own VTIMEZONE is not asked.
    """
    name = tzid.strip(" '\"")
    if not name:
        return None
    parts = name.strip("/").split("/")
    tails = ("/".join(parts[-length:]) for length in (len(parts), 3, 2, 1) if length <= len(parts))
    return next(filter(zones.is_zone, tails), None) or _windows_zones().get(name)


def _windows_zones() -> dict[str, str]:
    # Imported when needed: the child starts three times as fast without it, and most answers name IANA zones.
    from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

    return WINDOWS_TO_OLSON
