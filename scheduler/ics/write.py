"""Calendars that we send: meetings -> bytes (RFC 5545, iTIP methods of RFC 5546).

Every function here is pure: the same arguments give the same bytes, on any machine and in any process, because a mail
that is sent twice must be the same mail and an unchanged calendar must keep its ETag. What people read (title, agenda,
link) comes in as a `CalendarText` in the reader's language.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from scheduler.core import zones
from scheduler.core.errors import Invalid
from scheduler.core.itip import PARTSTAT_OF
from scheduler.core.meeting import CHAIR, Invitation, Meeting, Message, Occasion
from scheduler.core.words import clean_line, clean_text
from scheduler.ics import content
from scheduler.ics.content import escaped
from scheduler.ics.lines import Line, read_lines
from scheduler.ics.texts import mail_address, one_line, parameter, plain_text, uri
from scheduler.ics.timezones import vtimezone_bytes

PRODID = "-//Sister City Meetings//Scheduler//EN"

# An observer may answer like everybody else; NON-PARTICIPANT would take the buttons away.
_ROLES = {
    "required": "REQ-PARTICIPANT",
    "interpreter": "REQ-PARTICIPANT",
    "optional": "OPT-PARTICIPANT",
    "observer": "OPT-PARTICIPANT",
    CHAIR: "CHAIR",
}


@dataclass(frozen=True, slots=True)
class CalendarText:
    """What a reader of the calendar sees of a meeting, in their language. Empty texts are left out.

    `url` is the meeting's page, `join_url` the video link, which programs that know CONFERENCE show with `join_label`.
    """

    summary: str
    description: str
    location: str
    url: str
    categories: tuple[str, ...]
    join_url: str = ""
    join_label: str = ""


# -- iTIP messages -----------------------------------------------------------------------------------------------------


def itip_object(message: Message, organizer_address: str, organizer_name: str, text: CalendarText) -> bytes:
    """The calendar object of one mail: METHOD:REQUEST or CANCEL, with the receiver as its only ATTENDEE."""
    meeting, method = message.meeting, message.method
    timezone = own_timezone(meeting)
    event = event_lines(meeting, text, message.sequence, message.dtstamp, meeting.zone if timezone else "")
    # RFC 5546 3.2.5: STATUS:CANCELLED says that nobody meets, so who is only taken off the list must not be told that.
    if message.occasion is not Occasion.REMOVED:
        event.append(f"STATUS:{'CANCELLED' if method == 'CANCEL' else 'CONFIRMED'}")
    event.append(person_line("ORGANIZER", organizer_address, organizer_name))
    event.append(_attendee(message.invitation, may_answer=method == "REQUEST"))
    if method == "REQUEST":
        event.append("X-MICROSOFT-DISALLOW-COUNTER:TRUE")
    return _calendar(_head(method), filter(None, [timezone]), [event])


def publish(
    entries: Iterable[tuple[Meeting, CalendarText]], *, name: str, organizer_address: str, organizer_name: str
) -> bytes:
    """An export of many meetings: METHOD:PUBLISH, no ATTENDEE, cancelled meetings with STATUS:CANCELLED.

    The texts say what is shown; hiding what is confidential is the caller's business. Meetings come out by start.
    """
    ordered = sorted(entries, key=lambda entry: (entry[0].start, entry[0].uid))
    meetings = [meeting for meeting, _ in ordered]
    timezones = {
        zone: timezone_of([meeting for meeting in meetings if meeting.zone == zone])
        for zone in sorted({meeting.zone for meeting in meetings})
    }
    organizer = person_line("ORGANIZER", organizer_address, organizer_name)
    events = [[*published_lines(meeting, text, timezones[meeting.zone]), organizer] for meeting, text in ordered]
    title = escaped(one_line(name))
    head = [*_head("PUBLISH"), *([f"NAME:{title}", f"X-WR-CALNAME:{title}"] if title else [])]
    return _calendar(head, filter(None, timezones.values()), events)


def published_lines(meeting: Meeting, text: CalendarText, timezone: bytes | None) -> list[str]:
    """What an export and a feed say of a meeting, but ORGANIZER. `timezone` is the VTIMEZONE beside it."""
    zone = meeting.zone if timezone and is_plain(meeting) else ""
    event = event_lines(meeting, text, meeting.sequence, meeting.changed_at, zone)
    return [*event, f"STATUS:{'CANCELLED' if meeting.status == 'cancelled' else 'CONFIRMED'}"]


def reply(invite: bytes, partstat: str, comment: str, now: datetime) -> bytes:
    """What a receiver's calendar program answers to `invite`, a REQUEST of ours: its lines again, as METHOD:REPLY.

    `now` becomes DTSTAMP. This is how the mailbox of the demonstration, and tests, play the other side.
    """
    stamp = f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    lines = (text for line in read_lines(invite) for text in _answered(line, partstat.upper(), comment, stamp))
    return content.written(lines)


def _answered(line: Line, partstat: str, comment: str, stamp: str) -> list[str]:
    match line.name:
        case "METHOD":
            return ["METHOD:REPLY"]
        case "PRODID":
            return ["PRODID:-//Sister City Meetings//Demonstration Mailbox//EN"]
        case "DTSTAMP" | "LAST-MODIFIED":
            return [f"{line.name}:{stamp}"]
        case "CALSCALE" | "X-MICROSOFT-DISALLOW-COUNTER":
            return []
        case "ATTENDEE":
            kept = {k: v for k, v in line.params.items() if k != "RSVP"} | {"PARTSTAT": (partstat,)}
            params = "".join(f";{k}={','.join(map(_quoted, v))}" for k, v in kept.items())
            said = [f"COMMENT:{escaped(text)}"] if (text := clean_text(comment)) else []
            return [f"ATTENDEE{params}:{line.value}", *said]
    return [line.raw]


def _quoted(value: str) -> str:
    value = value.replace("^", "^^")  # RFC 6868
    return f'"{value}"' if any(c in value for c in ",;:") else value


# -- lines -------------------------------------------------------------------------------------------------------------


def _head(method: str) -> list[str]:
    return [f"PRODID:{PRODID}", "VERSION:2.0", "CALSCALE:GREGORIAN", f"METHOD:{method}"]


def _calendar(head: Iterable[str], timezones: Iterable[bytes], events: Iterable[Iterable[str]]) -> bytes:
    entries = (line for event in events for line in ("BEGIN:VEVENT", *event, "END:VEVENT"))
    begin = content.written(["BEGIN:VCALENDAR", *head])
    return b"".join([begin, *timezones, content.written(entries), b"END:VCALENDAR\r\n"])


def event_lines(meeting: Meeting, text: CalendarText, sequence: int, dtstamp: datetime, zone: str) -> list[str]:
    """What every VEVENT says of a meeting, on the clock of `zone`, else in UTC."""
    return [
        f"UID:{escaped(clean_line(meeting.uid))}",
        f"DTSTAMP:{content.in_utc(dtstamp)}",
        f"SEQUENCE:{sequence}",
        f"CREATED:{content.in_utc(meeting.created_at)}",
        f"LAST-MODIFIED:{content.in_utc(meeting.changed_at)}",
        f"DTSTART{_time(meeting.start, zone)}",
        f"DTEND{_time(meeting.end, zone)}",
        *_text_lines(text),
        f"CLASS:{'CONFIDENTIAL' if meeting.confidential else 'PUBLIC'}",
        "TRANSP:OPAQUE",
    ]


def _text_lines(text: CalendarText) -> Iterator[str]:
    if summary := one_line(text.summary):
        yield f"SUMMARY:{escaped(summary)}"
    if description := plain_text(text.description):
        yield f"DESCRIPTION:{escaped(description)}"
    if location := one_line(text.location):
        yield f"LOCATION:{escaped(location)}"
    if url := uri(text.url):
        yield f"URL:{url}"
    if categories := [category for given in text.categories if (category := one_line(given))]:
        yield f"CATEGORIES:{','.join(map(escaped, categories))}"
    if join_url := uri(text.join_url):
        label = {"LABEL": shown} if (shown := parameter(text.join_label)) else {}
        yield f"CONFERENCE;VALUE=URI;FEATURE=AUDIO,VIDEO{content.parameters(label)}:{join_url}"


def _attendee(invitation: Invitation, *, may_answer: bool) -> str:
    invitee = invitation.invitee
    partstat = "ACCEPTED" if invitation.is_chair else PARTSTAT_OF[invitation.status]
    params = {
        "CUTYPE": "INDIVIDUAL",
        "ROLE": _ROLES[invitee.role],
        "PARTSTAT": partstat,
        "LANGUAGE": parameter(invitee.language),
    }
    if may_answer and partstat == "NEEDS-ACTION":
        params["RSVP"] = "TRUE"
    return person_line("ATTENDEE", invitee.email, invitee.name, params)


def person_line(role: str, address: str, name: str, params: Mapping[str, str] | None = None) -> str:
    cn = {"CN": shown} if (shown := parameter(name)) else {}
    return f"{role}{content.parameters({**cn, **(params or {})})}:mailto:{mail_address(address)}"


# -- time --------------------------------------------------------------------------------------------------------------


def timezone_of(meetings: Sequence[Meeting]) -> bytes | None:
    """The VTIMEZONE for meetings of one zone; None when they are all to be written in UTC."""
    plain = [meeting for meeting in meetings if is_plain(meeting)]
    if not plain:
        return None
    since, until = min(m.start for m in plain), max(m.end for m in plain)
    return vtimezone_bytes(meetings[0].zone, since, until)


def own_timezone(meeting: Meeting) -> bytes | None:
    """The same for the one meeting."""
    return vtimezone_bytes(meeting.zone, meeting.start, meeting.end) if is_plain(meeting) else None


def is_plain(meeting: Meeting) -> bool:
    """Whether both times exist exactly once on the clock: readers differ about an hour that comes twice."""
    return _exist_once(meeting.start, meeting.end, meeting.zone)


@lru_cache(maxsize=1024)  # every mail and every calendar of one meeting asks the same
def _exist_once(start: datetime, end: datetime, zone: str) -> bool:
    try:
        for instant in (start, end):
            zones.to_instant(_wall(instant, zone), zone)
    except Invalid:
        return False
    return True


def _wall(instant: datetime, zone: str) -> datetime:
    return zones.to_local(instant, zone).replace(tzinfo=None)


@lru_cache(maxsize=4096)
def _time(instant: datetime, zone: str) -> str:
    return content.on_the_clock(_wall(instant, zone), zone) if zone else f":{content.in_utc(instant)}"
