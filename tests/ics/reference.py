"""The calendars that we send, composed with icalendar's objects: what our own writer must equal, byte for byte."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from icalendar import Calendar, Event, Timezone, vText
from icalendar.parser import Parameters

from scheduler.core import zones
from scheduler.core.errors import Invalid
from scheduler.core.itip import PARTSTAT_OF
from scheduler.core.meeting import CHAIR, Invitation, Meeting, Message, Occasion
from scheduler.core.words import clean_line
from scheduler.ics.texts import mail_address, one_line, parameter, plain_text, uri
from scheduler.ics.timezones import vtimezone
from scheduler.ics.write import CalendarText

PRODID = "-//Sister City Meetings//Scheduler//EN"

# An observer may answer like everybody else; NON-PARTICIPANT would take the buttons away.
_ROLES = {
    "required": "REQ-PARTICIPANT",
    "interpreter": "REQ-PARTICIPANT",
    "optional": "OPT-PARTICIPANT",
    "observer": "OPT-PARTICIPANT",
    CHAIR: "CHAIR",
}


# -- iTIP messages -----------------------------------------------------------------------------------------------------


def itip_object(message: Message, organizer_address: str, organizer_name: str, text: CalendarText) -> bytes:
    """The calendar object of one mail: METHOD:REQUEST or CANCEL, with the receiver as its only ATTENDEE."""
    meeting = message.meeting
    zone = zone_of([meeting])
    event = _event(meeting, text, message.sequence, message.dtstamp, on_the_clock(meeting, zone))
    # RFC 5546 3.2.5: STATUS:CANCELLED says that nobody meets, so who is only taken off the list must not be told that.
    if message.occasion is not Occasion.REMOVED:
        event.add("status", "CANCELLED" if message.method == "CANCEL" else "CONFIRMED")
    _add_person(event, "organizer", organizer_address, organizer_name)
    _add_attendee(event, message.invitation, may_answer=message.method == "REQUEST")
    if message.method == "REQUEST":
        event.add("x-microsoft-disallow-counter", "TRUE")
    return _bytes(_calendar(message.method), [zone] if zone else [], [event])


def publish(
    entries: Iterable[tuple[Meeting, CalendarText]], *, name: str, organizer_address: str, organizer_name: str
) -> bytes:
    """An export of many meetings: METHOD:PUBLISH, no ATTENDEE, cancelled meetings with STATUS:CANCELLED.

    The texts say what is shown; hiding what is confidential is the caller's business. Meetings come out by start.
    """
    ordered = sorted(entries, key=lambda entry: (entry[0].start, entry[0].uid))
    meetings = [meeting for meeting, _ in ordered]
    timezones = {
        zone: zone_of([meeting for meeting in meetings if meeting.zone == zone])
        for zone in sorted({meeting.zone for meeting in meetings})
    }
    events = [_published(meeting, text, timezones[meeting.zone]) for meeting, text in ordered]
    for event in events:
        _add_person(event, "organizer", organizer_address, organizer_name)
    calendar = _calendar("PUBLISH")
    if title := one_line(name):
        # TEXT (RFC 7986 5.1), which icalendar does not know of these two.
        calendar.add("name", vText(title))
        calendar.add("x-wr-calname", vText(title))
    return _bytes(calendar, filter(None, timezones.values()), events)


def _published(meeting: Meeting, text: CalendarText, zone: Timezone | None) -> Event:
    event = _event(meeting, text, meeting.sequence, meeting.changed_at, on_the_clock(meeting, zone))
    event.add("status", "CANCELLED" if meeting.status == "cancelled" else "CONFIRMED")
    return event


# -- components --------------------------------------------------------------------------------------------------------


def _calendar(method: str) -> Calendar:
    calendar = Calendar()
    calendar.add("prodid", PRODID)
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("method", method)
    return calendar


def _event(meeting: Meeting, text: CalendarText, sequence: int, dtstamp: datetime, zone: str | None) -> Event:
    event = Event()
    event.add("uid", clean_line(meeting.uid))
    event.add("dtstamp", dtstamp.astimezone(UTC))
    event.add("sequence", sequence)
    event.add("created", meeting.created_at.astimezone(UTC))
    event.add("last-modified", meeting.changed_at.astimezone(UTC))
    _add_time(event, "dtstart", meeting.start, zone)
    _add_time(event, "dtend", meeting.end, zone)
    _add_text(event, text)
    event.add("class", "CONFIDENTIAL" if meeting.confidential else "PUBLIC")
    event.add("transp", "OPAQUE")
    return event


def _add_text(event: Event, text: CalendarText) -> None:
    texts = {
        "summary": one_line(text.summary),
        "description": plain_text(text.description),
        "location": one_line(text.location),
        "url": uri(text.url),
        "categories": [category for given in text.categories if (category := one_line(given))],
    }
    for name, value in texts.items():
        if value:
            event.add(name, value)
    if join_url := uri(text.join_url):
        params = Parameters({"VALUE": "URI", "FEATURE": ["AUDIO", "VIDEO"]})
        if label := parameter(text.join_label):
            params["LABEL"] = label
        event.add("conference", join_url, parameters=params)


def _add_attendee(event: Event, invitation: Invitation, *, may_answer: bool) -> None:
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
    _add_person(event, "attendee", invitee.email, invitee.name, params)


def _add_person(event: Event, role: str, address: str, name: str, params: Mapping[str, str] | None = None) -> None:
    cn = {"CN": shown} if (shown := parameter(name)) else {}
    event.add(role, f"mailto:{mail_address(address)}", parameters={**cn, **(params or {})})


def _bytes(calendar: Calendar, timezones: Iterable[Timezone], events: Iterable[Event]) -> bytes:
    for component in (*timezones, *events):
        calendar.add_component(component)
    return bytes(calendar.to_ical(sorted=False))


# -- time --------------------------------------------------------------------------------------------------------------


def zone_of(meetings: Sequence[Meeting]) -> Timezone | None:
    """The VTIMEZONE for meetings of one zone; None when they are all to be written in UTC."""
    plain = [meeting for meeting in meetings if _is_plain(meeting)]
    if not plain:
        return None
    since, until = min(m.start for m in plain), max(m.end for m in plain)
    return vtimezone(meetings[0].zone, since, until)


def on_the_clock(meeting: Meeting, zone: Timezone | None) -> str | None:
    """The TZID to write the meeting's times with; None for UTC."""
    return meeting.zone if zone is not None and _is_plain(meeting) else None


def _is_plain(meeting: Meeting) -> bool:
    """Whether both times exist exactly once on the clock: readers differ about an hour that comes twice."""
    try:
        for instant in (meeting.start, meeting.end):
            zones.to_instant(wall_of(instant, meeting.zone), meeting.zone)
    except Invalid:
        return False
    return True


def wall_of(instant: datetime, zone: str) -> datetime:
    return zones.to_local(instant, zone).replace(tzinfo=None)


def _add_time(event: Event, name: str, instant: datetime, zone: str | None) -> None:
    if zone:
        event.add(name, wall_of(instant, zone), parameters={"TZID": zone})
    else:
        event.add(name, instant.astimezone(UTC))
