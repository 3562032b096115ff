"""Calendar feeds from stored pieces: one VEVENT per meeting and language, written once and joined at each reading.

A piece says the same as the VEVENT of `write.publish`, byte for byte (a test compares the two), but it is written
without icalendar's objects, since every change of a meeting writes one in each language. It depends on its meeting
alone, so it names its zone (TZID) whenever the zone has a VTIMEZONE that is right for that one meeting. Whether there
is one VTIMEZONE that is right for all meetings of a feed shows when they are joined; where there is none, the times of
that zone are rewritten in UTC.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from scheduler.core import zones
from scheduler.core.meeting import Meeting
from scheduler.ics import content
from scheduler.ics.content import escaped
from scheduler.ics.texts import one_line
from scheduler.ics.timezones import vtimezone_bytes
from scheduler.ics.write import PRODID, CalendarText, own_timezone, person_line, published_lines

Span = tuple[datetime, datetime]  # from the first start to the last end of a zone's meetings, UTC

_LOCAL_TIME = re.compile(rb"^(DTSTART|DTEND);TZID=([^:\r\n]+):(\d{8}T\d{6})\r$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Entry:
    """A meeting's VEVENT by language. `zone` is the TZID that it needs a VTIMEZONE for; empty: it is in UTC."""

    zone: str
    contents: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Head:
    """What a calendar program shows of a feed, and the IANA zone of its viewer."""

    name: str
    description: str
    zone: str


def entry(meeting: Meeting, texts: Mapping[str, CalendarText], organizer_address: str, organizer_name: str) -> Entry:
    """The meeting as it is, without ATTENDEE and VALARM; DTSTAMP is its last change. `texts` by language."""
    timezone = own_timezone(meeting)
    organizer = person_line("ORGANIZER", organizer_address, organizer_name)
    contents = {
        language: content.written(["BEGIN:VEVENT", *published_lines(meeting, text, timezone), organizer, "END:VEVENT"])
        for language, text in texts.items()
    }
    return Entry(meeting.zone if timezone else "", contents)


def calendar(head: Head, spans: Mapping[str, Span], entries: Iterable[bytes]) -> bytes:
    """The whole feed: `entries` in their order, and the VTIMEZONEs of the zones in `spans` in the order of names."""
    timezones = {zone: vtimezone_bytes(zone, *spans[zone]) for zone in sorted(spans)}
    without = {zone for zone, timezone in timezones.items() if timezone is None}
    if without:
        entries = (_in_utc(entry, without) for entry in entries)
    parts = [content.written(_head_lines(head)), *filter(None, timezones.values())]
    return b"".join([*parts, *entries, b"END:VCALENDAR\r\n"])


def _head_lines(head: Head) -> list[str]:
    name, description = escaped(one_line(head.name)), escaped(one_line(head.description))
    return [
        "BEGIN:VCALENDAR",
        f"PRODID:{PRODID}",
        "VERSION:2.0",
        "CALSCALE:GREGORIAN",
        "METHOD:PUBLISH",
        f"NAME:{name}",
        f"X-WR-CALNAME:{name}",
        f"X-WR-CALDESC:{description}",
        f"X-WR-TIMEZONE:{head.zone}",
        "REFRESH-INTERVAL;VALUE=DURATION:PT1H",  # RFC 7986 5.7
        "X-PUBLISHED-TTL:PT1H",  # the same for Outlook
    ]


def _in_utc(entry: bytes, zones_without: set[str]) -> bytes:
    def rewritten(found: re.Match[bytes]) -> bytes:
        name, zone, wall = (part.decode() for part in found.groups())
        if zone not in zones_without:
            return found[0]
        instant = zones.to_instant(datetime.strptime(wall, "%Y%m%dT%H%M%S"), zone)  # noqa: DTZ007 a wall time
        return f"{name}:{content.in_utc(instant)}\r".encode()

    return _LOCAL_TIME.sub(rewritten, entry)
