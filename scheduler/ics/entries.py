"""Calendar feeds from stored pieces: one VEVENT per meeting and language, written once and joined at each reading.

A piece says the same as the VEVENT of `write.publish`, byte for byte (a test compares the two), but it is written
without icalendar's objects, since every change of a meeting writes one in each language. It depends on its meeting
alone, so it names its zone (TZID) whenever the zone has a VTIMEZONE that is right for that one meeting. Whether there
is one VTIMEZONE that is right for all meetings of a feed shows when they are joined; where there is none, the times of
that zone are rewritten in UTC.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from icalendar import vText
from icalendar.parser import Contentline, Parameters

from scheduler.core import zones
from scheduler.core.meeting import Meeting
from scheduler.core.words import clean_line
from scheduler.ics.texts import mail_address, one_line, parameter, plain_text, uri
from scheduler.ics.timezones import vtimezone
from scheduler.ics.write import PRODID, CalendarText, on_the_clock, wall_of, zone_of

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


def entry(
    meeting: Meeting, texts: Mapping[str, CalendarText], organizer_address: str, organizer_name: str
) -> Entry:
    """The meeting as it is, without ATTENDEE and VALARM; DTSTAMP is its last change. `texts` by language."""
    zone = on_the_clock(meeting, zone_of([meeting])) or ""
    named = {"CN": shown} if (shown := parameter(organizer_name)) else {}
    first = [
        "BEGIN:VEVENT",
        f"UID:{_escaped(clean_line(meeting.uid))}",
        f"DTSTAMP:{_utc(meeting.changed_at)}",
        f"SEQUENCE:{meeting.sequence}",
        f"CREATED:{_utc(meeting.created_at)}",
        f"LAST-MODIFIED:{_utc(meeting.changed_at)}",
        f"DTSTART{_time(meeting.start, zone)}",
        f"DTEND{_time(meeting.end, zone)}",
    ]
    last = [
        f"CLASS:{'CONFIDENTIAL' if meeting.confidential else 'PUBLIC'}",
        "TRANSP:OPAQUE",
        f"STATUS:{'CANCELLED' if meeting.status == 'cancelled' else 'CONFIRMED'}",
        f"ORGANIZER{_parameters(named)}:mailto:{mail_address(organizer_address)}",
        "END:VEVENT",
    ]
    return Entry(zone, {k: _bytes([*first, *_text_lines(text), *last]) for k, text in texts.items()})


def calendar(head: Head, spans: Mapping[str, Span], entries: Iterable[bytes]) -> bytes:
    """The whole feed: `entries` in their order, and the VTIMEZONEs of the zones in `spans` in the order of names."""
    components = {zone: vtimezone(zone, *spans[zone]) for zone in sorted(spans)}
    without = {zone for zone, component in components.items() if component is None}
    if without:
        entries = (_in_utc(content, without) for content in entries)
    parts = [_bytes(_head_lines(head)), *(c.to_ical(sorted=False) for c in components.values() if c is not None)]
    return b"".join([*parts, *entries, b"END:VCALENDAR\r\n"])


def _head_lines(head: Head) -> list[str]:
    name, description = _escaped(one_line(head.name)), _escaped(one_line(head.description))
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


def _text_lines(text: CalendarText) -> Iterator[str]:
    if summary := one_line(text.summary):
        yield f"SUMMARY:{_escaped(summary)}"
    if description := plain_text(text.description):
        yield f"DESCRIPTION:{_escaped(description)}"
    if location := one_line(text.location):
        yield f"LOCATION:{_escaped(location)}"
    if url := uri(text.url):
        yield f"URL:{url}"
    if categories := [c for given in text.categories if (c := one_line(given))]:
        yield f"CATEGORIES:{','.join(map(_escaped, categories))}"
    if join_url := uri(text.join_url):
        label = {"LABEL": shown} if (shown := parameter(text.join_label)) else {}
        yield f"CONFERENCE;VALUE=URI;FEATURE=AUDIO,VIDEO{_parameters(label)}:{join_url}"


def _escaped(text: str) -> str:
    return bytes(vText(text).to_ical()).decode()


def _parameters(given: Mapping[str, str]) -> str:
    return f";{Parameters(given).to_ical().decode()}" if given else ""


def _time(instant: datetime, zone: str) -> str:
    return f";TZID={zone}:{wall_of(instant, zone):%Y%m%dT%H%M%S}" if zone else f":{_utc(instant)}"


def _utc(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _in_utc(content: bytes, zones_without: set[str]) -> bytes:
    def rewritten(found: re.Match[bytes]) -> bytes:
        name, zone, wall = (part.decode() for part in found.groups())
        if zone not in zones_without:
            return found[0]
        instant = zones.to_instant(datetime.strptime(wall, "%Y%m%dT%H%M%S"), zone)  # noqa: DTZ007 a wall time
        return f"{name}:{_utc(instant)}\r".encode()

    return _LOCAL_TIME.sub(rewritten, content)


def _bytes(lines: Iterable[str]) -> bytes:
    return b"".join(_folded(line) for line in lines)


def _folded(line: str) -> bytes:
    """The line as RFC 5545 3.1 wants it: at most 75 octets, no fold inside a character."""
    content = line.encode()
    return (content if len(content) <= 75 else bytes(Contentline(line).to_ical())) + b"\r\n"  # type: ignore[no-untyped-call]
