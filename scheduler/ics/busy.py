"""Calendars that people and cities publish: bytes -> when they are busy, and nothing else of what stands there.

An event takes time unless it says that it does not: TRANSP:TRANSPARENT, STATUS:CANCELLED and Outlook's "free" and
"working elsewhere" take none. A whole day (DATE) takes time only if it says so (TRANSP:OPAQUE, or Outlook's "busy"),
as calendar programs do: birthdays and holidays stand in calendars as whole days. What is not certain is `tentative`.

Where something could be missed, nothing is read: a file whose components do not close, or with an event that takes time
but whose time cannot be read, is `unreadable`. Otherwise somebody would be taken for free who is not.

Times are read by our own rules: those of IANA and Windows names by the tz database, floating ones and whole days on the
clock of the calendar's owner, and only a name that nobody knows by the VTIMEZONE of its file.

`parse` does the reading, `read` does it in a child process (see `child`).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from scheduler.ics import child
from scheduler.ics.components import Refused, Unreadable, well_placed
from scheduler.ics.lines import BrokenLine, Line, read_lines
from scheduler.ics.recurrence import Event, event_of, occurrences
from scheduler.ics.values import Zones, period

__all__ = ["Refused"]

MAX_BYTES = 5_000_000
MAX_EVENTS = 5_000
MAX_OCCURRENCES = 10_000
KINDS = ("busy", "tentative")
REFUSALS = ("unreadable", "too-large", "rule", "too-hard")

Span = tuple[int, int]  # [start, end) in seconds since 1970-01-01T00:00Z
Busy = Mapping[str, list[Span]]  # by kind; disjoint in each, and what is busy is not tentative too

_OF_EVENTS = frozenset(
    {"UID", "SEQUENCE", "DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "EXDATE", "RECURRENCE-ID", "STATUS", "TRANSP"}
    | {"X-MICROSOFT-CDO-BUSYSTATUS"}
)
_NEEDED = frozenset({"DTSTART", "DTEND", "DURATION", "RECURRENCE-ID", "RRULE", "RDATE", "FREEBUSY"})
_READ = ("VEVENT", "VFREEBUSY", "VTIMEZONE")
_EVENT, _FREE_BUSY, _ZONE = (("VCALENDAR", name) for name in _READ)
_FREE_BUSY_KINDS = {"FREE": "", "BUSY-TENTATIVE": "tentative"}


# -- in a child process ------------------------------------------------------------------------------------------------


def read(data: bytes, zone: str, since: datetime, until: datetime, ours: str = "") -> Busy:
    """`parse` in a limited child process. Raises Refused; OSError only when no process can be started."""
    _check(data)
    window = int(since.timestamp()), int(until.timestamp())
    try:
        told = child.ask(__name__, data, zone, str(window[0]), str(window[1]), ours)
    except Unreadable:
        raise Refused("too-hard") from None
    if told.get("refused") in REFUSALS:
        raise Refused(told["refused"])
    return {kind: _checked(told.get(kind), window) for kind in KINDS}


def answer(zone: str, since: str, until: str, ours: str) -> None:
    """The child's whole life: limits, one calendar from standard input, one JSON object to standard output."""
    child.limit_resources()
    begin, end = (datetime.fromtimestamp(int(instant), UTC) for instant in (since, until))
    try:
        told: Any = parse(sys.stdin.buffer.read(), zone, begin, end, ours)
    except Refused as error:
        told = {"refused": error.code}
    json.dump(told, sys.stdout)


def _checked(told: object, window: Span) -> list[Span]:
    """What the child said, believed only as far as it can be meant."""
    if not isinstance(told, list) or len(told) > MAX_OCCURRENCES:
        raise Refused("too-hard")
    spans: list[Span] = []
    for entry in told:
        if not isinstance(entry, list) or len(entry) != 2 or not all(type(number) is int for number in entry):
            raise Refused("too-hard")
        if not (spans[-1][1] if spans else window[0]) <= entry[0] < entry[1] <= window[1]:
            raise Refused("too-hard")
        spans.append((entry[0], entry[1]))
    return spans


def _check(data: bytes) -> None:
    if not isinstance(data, bytes):
        raise TypeError("calendars are bytes; a str could be taken for the name of a file")
    if len(data) > MAX_BYTES:
        raise Refused("too-large")
    if not data.rstrip().upper().endswith(b"END:VCALENDAR"):  # half a calendar would tell of half the meetings
        raise Refused("unreadable")


# -- reading -----------------------------------------------------------------------------------------------------------


def parse(data: bytes, zone: str, since: datetime, until: datetime, ours: str = "") -> Busy:
    """When the owner, whose clock is that of the IANA `zone`, is busy within [since, until).

    Our own meetings, whose UIDs end in `@` and the domain `ours`, are left out: we know better where they are by now.
    Raises Refused; never anything else for any bytes.
    """
    _check(data)
    contents = _contents(data)
    known = Zones(zone, contents.zones, until)
    window = since, until
    spans: dict[str, list[Span]] = {kind: [] for kind in KINDS}
    count = 0
    for kind, start, end in (*_from_events(contents, known, window, ours), *_from_free_busy(contents, known)):
        start, end = max(start, since), min(end, until)
        if start >= end:
            continue
        count += 1
        if count > MAX_OCCURRENCES:
            raise Refused("too-large")
        spans[kind].append((int(start.timestamp()), int(end.timestamp())))
    busy, tentative = (_merged(spans[kind]) for kind in KINDS)
    return {"busy": busy, "tentative": list(_without(tentative, busy))}


def _merged(spans: Iterable[Span]) -> list[Span]:
    """Sorted, without empty ones; overlapping and touching ones are one."""
    merged: list[Span] = []
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged


def _without(spans: Iterable[Span], taken: list[Span]) -> Iterator[Span]:
    """What of `spans` is not `taken`; both as `_merged` gives them."""
    past = 0
    for start, end in spans:
        while past < len(taken) and taken[past][1] <= start:
            past += 1
        for begin, finish in islice(taken, past, None):
            if begin >= end:
                break
            if start < begin:
                yield start, begin
            start = finish
        if start < end:
            yield start, end


@dataclass(slots=True)
class _Contents:
    """The lines that matter, by component. A zone's lines stand with the observance they are of."""

    events: list[list[Line]] = field(default_factory=list)
    free_busy: list[Line] = field(default_factory=list)
    zones: list[list[list[Line]]] = field(default_factory=list)


def _contents(data: bytes) -> _Contents:
    found, is_calendar = _Contents(), False
    try:
        for path, line in well_placed(read_lines(data, _NEEDED)):
            if line.name == "BEGIN" and path[-1] in _READ and path[:-1] != ("VCALENDAR",):
                raise Refused("unreadable")
            is_calendar = is_calendar or path[:1] == ("VCALENDAR",)
            if path == _EVENT:
                _add_event_line(found, line)
            elif path == _FREE_BUSY and line.name == "FREEBUSY":
                found.free_busy.append(line)
            elif path[:2] == _ZONE:
                _add_zone_line(found, line)
    except (Unreadable, BrokenLine):
        raise Refused("unreadable") from None
    if not is_calendar:
        raise Refused("unreadable")
    return found


def _add_event_line(found: _Contents, line: Line) -> None:
    if line.name == "BEGIN":
        found.events.append([])
        if len(found.events) > MAX_EVENTS:
            raise Refused("too-large")
    elif line.name in _OF_EVENTS:
        found.events[-1].append(line)


def _add_zone_line(found: _Contents, line: Line) -> None:
    """The first list is of the VTIMEZONE itself, each further one of an observance."""
    if line.name != "BEGIN":
        found.zones[-1][-1].append(line)
    elif line.value.upper() == "VTIMEZONE":
        found.zones.append([[]])
    else:
        found.zones[-1].append([])


def _from_events(
    contents: _Contents, known: Zones, window: tuple[datetime, datetime], ours: str
) -> Iterator[tuple[str, datetime, datetime]]:
    by_uid: dict[str, list[Event]] = {}
    for number, lines in enumerate(contents.events):
        if event := event_of(lines, known):
            by_uid.setdefault(event.uid or f"\0{number}", []).append(event)
    for uid, events in by_uid.items():
        if ours and uid.lower().endswith(f"@{ours.lower()}"):
            continue
        yield from occurrences(events, window)


def _from_free_busy(contents: _Contents, known: Zones) -> Iterable[tuple[str, datetime, datetime]]:
    for line in contents.free_busy:
        kind = _FREE_BUSY_KINDS.get(line.param("FBTYPE").upper(), "busy")
        for value in line.value.split(",") if kind else ():
            if span := period(value, line, known):
                yield kind, *span
            elif value.strip():
                raise Refused("unreadable")
