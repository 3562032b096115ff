"""What a line says of time, with the zone it is meant in: start, length, period (RFC 5545 3.3.4 to 3.3.9)."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta

from scheduler.core import zones
from scheduler.ics import rules
from scheduler.ics.lines import Line, unescape
from scheduler.ics.times import date_time, day, iana_name, on_the_clock

LAST = datetime.max.replace(tzinfo=UTC)
_DURATION = re.compile(
    r"([+-]?)P(?:(\d{1,5})W)?(?:(\d{1,6})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,8})M)?(?:(\d{1,9})S)?)?", re.ASCII
)
_OFFSET = re.compile(r"([+-])(\d\d)(\d\d)(\d\d)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Zone:
    """An IANA zone."""

    name: str

    def instant(self, wall: datetime) -> datetime | None:
        return on_the_clock(wall, self.name)

    def wall(self, instant: datetime) -> datetime:
        return zones.to_local(instant, self.name).replace(tzinfo=None)


UTC_ZONE = Zone("UTC")


@dataclass(frozen=True, slots=True)
class ForeignZone:
    """A zone as its file defines it: from each wall time in `onsets` (by the clock of before) on, another offset."""

    onsets: tuple[datetime, ...]
    before: tuple[timedelta, ...]
    after: tuple[timedelta, ...]

    def instant(self, wall: datetime) -> datetime | None:
        at = bisect_right(self.onsets, wall) - 1
        if at < 0:
            offset = self.before[0]
        else:
            skipped = wall < self.onsets[at] + (self.after[at] - self.before[at])
            offset = self.before[at] if skipped else self.after[at]
        return _in_utc(wall, -offset)

    def wall(self, instant: datetime) -> datetime:
        utc = instant.replace(tzinfo=None)
        begun = [onset - before <= utc for onset, before in zip(self.onsets, self.before, strict=True)]
        offset = self.after[sum(begun) - 1] if any(begun) else self.before[0]
        return utc + offset


AnyZone = Zone | ForeignZone


def _in_utc(wall: datetime, by: timedelta) -> datetime | None:
    try:
        return (wall + by).replace(tzinfo=UTC)
    except OverflowError:
        return None


@dataclass(slots=True)
class Zones:
    """The zones of one file, whose owner's clock is that of `owner`; kept for no other file."""

    owner: str
    defined: Sequence[list[list[Line]]]
    until: datetime
    _known: dict[str, AnyZone] = field(default_factory=dict)

    def named(self, tzid: str) -> AnyZone:
        """Of a name that neither the tz database nor Windows nor the file knows, the owner's."""
        if tzid not in self._known:
            name = iana_name(tzid)
            self._known[tzid] = Zone(name) if name else self._foreign(tzid) or Zone(self.owner)
        return self._known[tzid]

    def _foreign(self, tzid: str) -> ForeignZone | None:
        if not tzid:
            return None
        for own, *observances in self.defined:
            if any(line.name == "TZID" and tzid in (line.value, unescape(line.value)) for line in own):
                return _foreign_zone(observances, self.until)
        return None


def _foreign_zone(observances: Sequence[list[Line]], until: datetime) -> ForeignZone | None:
    changes = {change[0]: change for lines in observances for change in _changes(lines, until)}
    if not changes:
        return None
    onsets, before, after = zip(*(changes[onset] for onset in sorted(changes)), strict=True)
    return ForeignZone(onsets, before, after)


def _changes(lines: list[Line], until: datetime) -> list[tuple[datetime, timedelta, timedelta]]:
    """Onset, offset before, offset after, of one STANDARD or DAYLIGHT; nothing of a broken one."""
    first = {line.name: line for line in reversed(lines)}
    begin = date_time(first["DTSTART"].value) if "DTSTART" in first else None
    before, after = (_offset(first[name].value) if name in first else None for name in ("TZOFFSETFROM", "TZOFFSETTO"))
    if begin is None or before is None or after is None:
        return []
    last = until.replace(tzinfo=None) + timedelta(days=2)
    onsets = [begin[0]]
    for line in lines:
        if line.name == "RDATE":
            onsets += [found[0] for value in line.value.split(",") if (found := date_time(value))]
        elif line.name == "RRULE":
            rule = rules.read(line.value)
            onsets += rules.walls(rule, begin[0], rules.end_of(rule, lambda utc: utc + before), begin[0], last)
    return [(onset, before, after) for onset in onsets]


def _offset(value: str) -> timedelta | None:
    match = _OFFSET.fullmatch(value)
    if not match:
        return None
    hours, minutes, seconds = (int(digits or 0) for digits in match.groups()[1:])
    found = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    return (-found if match[1] == "-" else found) if found < timedelta(days=1) else None


@dataclass(frozen=True, slots=True)
class Moment:
    """A wall time in its zone; a whole day is its midnight."""

    wall: datetime
    zone: AnyZone
    is_day: bool = False

    def instant(self) -> datetime | None:
        return self.zone.instant(self.wall)

    def wall_in(self, zone: AnyZone) -> datetime | None:
        """The same instant on another clock; a whole day is that day everywhere."""
        if self.is_day or zone == self.zone:
            return self.wall
        instant = self.instant()
        try:
            return zone.wall(instant) if instant else None
        except OverflowError:
            return None


@dataclass(frozen=True, slots=True)
class Length:
    """Days as the calendar counts them, whatever the clock does, and exact time."""

    days: int = 0
    exact: timedelta = timedelta()

    def end(self, wall: datetime, zone: AnyZone) -> datetime | None:
        try:
            end = zone.instant(wall + timedelta(days=self.days))
            return end + self.exact if end else None
        except OverflowError:
            return LAST

    @property
    def about(self) -> timedelta:
        return min(timedelta(days=self.days), timedelta(days=400_000)) + self.exact


def moment(value: str, line: Line, known: Zones) -> Moment | None:
    """A DATE or DATE-TIME; `line` gives the parameters."""
    if found := date_time(value):
        wall, is_utc = found
        return Moment(wall, UTC_ZONE if is_utc else known.named(line.param("TZID")))
    if local_day := day(value):
        return Moment(datetime.combine(local_day, time()), Zone(known.owner), is_day=True)
    return None


def duration(value: str) -> Length | None:
    """None for a broken one; a negative one is none at all."""
    match = _DURATION.fullmatch(value.upper())
    if not match or not any(match.groups()[1:]):
        return None
    weeks, days, hours, minutes, seconds = (int(digits or 0) for digits in match.groups()[1:])
    if match[1] == "-":
        return Length()
    return Length(7 * weeks + days, timedelta(hours=hours, minutes=minutes, seconds=seconds))


def period(value: str, line: Line, known: Zones) -> tuple[datetime, datetime] | None:
    """A PERIOD: a start with an end, or with a length."""
    first, _, second = value.partition("/")
    begin = moment(first, line, known)
    start = begin.instant() if begin else None
    if begin is None or start is None:
        return None
    length = duration(second)
    until = moment(second, line, known)
    end = length.end(begin.wall, begin.zone) if length else until.instant() if until else None
    return (start, end) if end else None
