"""Events and their repetitions: when each of them takes time.

Of one UID there is an event that may repeat (RRULE, RDATE, less EXDATE) and there are changes of single occurrences
(RECURRENCE-ID), or of one and all that follow (RANGE=THISANDFUTURE). EXRULE, which RFC 5545 gave up, is not read:
somebody is then busy rather than free. An event that takes no time is never expanded, whatever its rule says.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import chain

from scheduler.ics import rules
from scheduler.ics.components import Refused
from scheduler.ics.lines import Line, unescape
from scheduler.ics.values import UTC_ZONE, AnyZone, Length, Moment, Zones, duration, moment, period

Occupied = tuple[str, datetime, datetime]  # kind, start, end
Window = tuple[datetime, datetime]

_OF_OUTLOOK = {"FREE": "", "WORKINGELSEWHERE": "", "TENTATIVE": "tentative", "BUSY": "busy", "OOF": "busy"}
_FIRST, _LAST = datetime(1, 1, 1), datetime(9999, 12, 31)  # noqa: DTZ001 wall times
_MARGIN = timedelta(days=2)  # more than any two clocks are apart


@dataclass(frozen=True, slots=True)
class Event:
    """`kind`: busy, tentative, or empty when it takes no time. `at`: the occurrence that it changes."""

    uid: str
    sequence: int
    start: Moment
    length: Length
    kind: str
    at: Moment | None
    and_later: bool
    lines: Sequence[Line]
    known: Zones


def event_of(lines: Sequence[Line], known: Zones) -> Event | None:
    """None for one that has no place in time. Raises Refused for one that takes time, but nobody can tell when."""
    first: dict[str, Line] = {}
    for line in lines:
        first.setdefault(line.name, line)
    start, end, changed = (_moment(first.get(name), known) for name in ("DTSTART", "DTEND", "RECURRENCE-ID"))
    length, kind = _told_length(first), _kind(first, start)
    read = {"DTSTART": start, "DTEND": end, "DURATION": length, "RECURRENCE-ID": changed}
    if kind and any(name in first and value is None for name, value in read.items()):
        raise Refused("unreadable")
    at = first.get("RECURRENCE-ID")
    if start is None or (at is not None and changed is None):
        return None
    return Event(
        uid=unescape(first["UID"].value) if "UID" in first else "",
        sequence=_sequence(first.get("SEQUENCE")),
        start=start,
        length=_length(start, end, length),
        kind=kind,
        at=changed,
        and_later=at is not None and at.param("RANGE").upper() == "THISANDFUTURE",
        lines=[line for line in lines if line.name in ("RRULE", "RDATE", "EXDATE")],
        known=known,
    )


def _moment(line: Line | None, known: Zones) -> Moment | None:
    return moment(line.value, line, known) if line else None


def _sequence(line: Line | None) -> int:
    return int(line.value) if line and re.fullmatch(r"[0-9]{1,10}", line.value, re.ASCII) else 0


def _told_length(first: dict[str, Line]) -> Length | None:
    return duration(first["DURATION"].value) if "DURATION" in first else None


def _kind(first: dict[str, Line], start: Moment | None) -> str:
    said = {name: line.value.upper() for name, line in first.items() if name in ("STATUS", "TRANSP")}
    outlook = first.get("X-MICROSOFT-CDO-BUSYSTATUS")
    known = _OF_OUTLOOK.get(outlook.value.upper()) if outlook else None
    if said.get("STATUS") == "CANCELLED" or said.get("TRANSP") == "TRANSPARENT" or known == "":
        return ""
    is_day = start.is_day if start else "DTSTART" in first and first["DTSTART"].param("VALUE").upper() == "DATE"
    if is_day and not known and said.get("TRANSP") != "OPAQUE":
        return ""
    return "tentative" if said.get("STATUS") == "TENTATIVE" else known or "busy"


def _length(start: Moment, end: Moment | None, told: Length | None) -> Length:
    """RFC 5545 3.6.1: DTEND, else DURATION, else a whole day or no time at all."""
    if end is None:
        return told if told and told != Length() else Length(days=int(start.is_day))
    if start.is_day and end.is_day:
        return Length(days=max(1, (end.wall - start.wall).days))
    begins, ends = start.instant(), end.instant()
    return Length(exact=max(timedelta(), ends - begins)) if begins and ends else Length()


# -- occurrences -------------------------------------------------------------------------------------------------------


def occurrences(events: Sequence[Event], window: Window) -> Iterator[Occupied]:
    """When the events of one UID take time, near the window. Raises Refused for a rule that is not expanded."""
    masters = [event for event in events if event.at is None]
    newest = max((event.sequence for event in masters), default=0)
    masters = [event for event in masters if event.sequence == newest]  # some programs give one UID to several events
    changes = _newest([event for event in events if event.at is not None])
    for event in changes:
        if not (event.and_later and masters):
            yield from _taken(event, event.start.wall, event.start.zone, event.length)
    for master in masters:
        yield from _of_master(master, changes, window)


def _newest(changes: Sequence[Event]) -> list[Event]:
    """Of several changes of one occurrence the one with the highest SEQUENCE, the last of equal ones."""
    found: dict[object, Event] = {}
    for event in sorted(changes, key=lambda event: event.sequence):
        assert event.at is not None
        found[event.at.is_day, event.at.instant(), event.and_later] = event
    return list(found.values())


def _taken(event: Event, wall: datetime, zone: AnyZone, length: Length) -> Iterator[Occupied]:
    start, end = zone.instant(wall), length.end(wall, zone)
    if event.kind and start and end:
        yield event.kind, start, end


def _of_master(master: Event, changes: Sequence[Event], window: Window) -> Iterator[Occupied]:
    zone = master.start.zone
    single = _Places.of(master, (event.at for event in changes if event.at and not event.and_later))
    gone = _Places.of(
        master, (moment for line in master.lines if line.name == "EXDATE" for moment in _moments(line, master))
    )
    later = sorted((change for event in changes if (change := _later(event, zone))), key=lambda change: change.since)
    if not master.kind and not any(change.event.kind for change in later):
        return
    regular = ((wall, None) for wall in _walls(master, window, later))
    for wall, length in chain(regular, _periods(master)):
        if wall in gone or wall in single:
            continue
        change = next((c for c in reversed(later) if c.since <= wall), None)
        event, moved = (change.event, _moved(wall, change.by)) if change else (master, wall)
        if moved:
            yield from _taken(event, moved, zone, length or event.length)


@dataclass(frozen=True, slots=True)
class _Later:
    """A change of the occurrence at `since` and all that follow: they are moved `by` so much."""

    since: datetime
    by: timedelta
    event: Event


def _later(event: Event, zone: AnyZone) -> _Later | None:
    since = event.at.wall_in(zone) if event.at and event.and_later else None
    start = event.start.wall_in(zone)
    return _Later(since, start - since, event) if since and start else None


@dataclass(frozen=True, slots=True)
class _Places:
    """Occurrences that are named, by wall time or by day."""

    walls: frozenset[datetime]
    days: frozenset[date]

    @classmethod
    def of(cls, master: Event, moments: Iterable[Moment]) -> _Places:
        """On the clock of `master`; of an event of whole days only the day counts."""
        walls, days = set[datetime](), set[date]()
        for named in moments:
            wall = named.wall_in(master.start.zone)
            if named.is_day or (master.start.is_day and named.zone != UTC_ZONE):
                days.add(named.wall.date())  # as it is written, on whatever clock
            elif wall and master.start.is_day:
                days.add(wall.date())
            elif wall:
                walls.add(wall)
        return cls(frozenset(walls), frozenset(days))

    def __contains__(self, wall: datetime) -> bool:
        return wall in self.walls or wall.date() in self.days


def _moments(line: Line, master: Event) -> Iterator[Moment]:
    """Of EXDATE. One that cannot be read is left out: somebody is then busy rather than free."""
    for value in line.value.split(","):
        if found := moment(value, line, master.known):
            yield found


def _more(master: Event) -> Iterator[tuple[str, Line]]:
    """The values of RDATE."""
    for line in master.lines:
        if line.name == "RDATE":
            yield from ((value, line) for value in line.value.split(",") if value.strip())


def _periods(master: Event) -> Iterator[tuple[datetime, Length]]:
    """Where occurrences with a length of their own begin (RDATE;VALUE=PERIOD), on the master's clock."""
    for value, line in _more(master):
        if "/" not in value:
            continue
        span = period(value, line, master.known)
        begin = moment(value.partition("/")[0], line, master.known)
        wall = begin.wall_in(master.start.zone) if begin else None
        if not span or not wall:
            raise Refused("unreadable")
        yield wall, Length(exact=max(timedelta(), span[1] - span[0]))


def _walls(master: Event, window: Window, later: Sequence[_Later]) -> Iterator[datetime]:
    """Where occurrences begin that can reach into the window, on the master's clock, each once."""
    moved = max((abs(change.by) for change in later), default=timedelta())
    length = max([master.length.about, *(change.event.length.about for change in later)])
    begin, zone = master.start.wall, master.start.zone
    since = _moved(window[0].replace(tzinfo=None), -(length + moved + _MARGIN)) or _FIRST
    until = _moved(window[1].replace(tzinfo=None), moved + _MARGIN) or _LAST
    seen = set[datetime]()
    for wall in chain([begin], _repeated(master, zone, since, until)):
        if since <= wall <= until and wall not in seen:
            seen.add(wall)
            yield wall


def _repeated(master: Event, zone: AnyZone, since: datetime, until: datetime) -> Iterator[datetime]:
    for line in master.lines:
        if line.name == "RRULE":
            rule = rules.read(line.value)
            end = rules.end_of(rule, lambda utc: zone.wall(utc.replace(tzinfo=UTC)))
            yield from rules.walls(rule, master.start.wall, end, since, until)
    for value, line in _more(master):
        if "/" in value:
            continue
        found = moment(value, line, master.known)
        if not found:
            raise Refused("unreadable")
        if wall := found.wall_in(zone):
            yield wall


def _moved(wall: datetime, by: timedelta) -> datetime | None:
    try:
        return wall + by
    except OverflowError:
        return None
