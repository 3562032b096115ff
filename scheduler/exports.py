"""Calendars to take away: one meeting, those of a city or a field, everything (METHOD:PUBLISH, no attendees)."""

from __future__ import annotations

from scheduler import i18n, meetings
from scheduler.core.cities import Directory, Person
from scheduler.core.errors import Fault, Invalid
from scheduler.core.meeting import Meeting
from scheduler.desk import Desk
from scheduler.ics import write
from scheduler.mail.entry import calendar_text
from scheduler.meetings import Filter

_ALL = 1_000_000


def meeting_ics(desk: Desk, actor: Person | None, meeting_id: int, language: str = "") -> bytes:
    """One meeting. Raises NotFound, also for one of others."""
    sheet = meetings.show(desk, actor, meeting_id)
    language = language or (actor.language if actor else i18n.DEFAULT_LANGUAGE)
    name = calendar_text(sheet.meeting, sheet.directory, language, "", busy=sheet.meeting.confidential).summary
    return _published(desk, (sheet.meeting,), sheet.directory, name, language)


def calendar_ics(desk: Desk, actor: Person | None, city: str = "", field: str = "", language: str = "") -> bytes:
    """The meetings of a city, of a field, or all that the person may read. Raises Invalid for unknown ones."""
    directory = desk.directory()
    if city and city not in directory.cities:
        raise Invalid(Fault("/city", "unknown-city", {"city": city}))
    if field and field not in directory.fields:
        raise Invalid(Fault("/field", "unknown-field", {"field": field}))
    language = language or (actor.language if actor else i18n.DEFAULT_LANGUAGE)
    found = meetings.listing(desk, actor, Filter(city=city, field=field, limit=_ALL)).meetings
    names = [directory.city_name(city, language)] if city else []
    names += [directory.field_name(field, language)] if field else []
    name = " – ".join([desk.settings.mail.from_name, *names])
    return _published(desk, found, directory, name, language)


def _published(desk: Desk, found: tuple[Meeting, ...], directory: Directory, name: str, language: str) -> bytes:
    base = desk.settings.server.base_url
    entries = [
        (
            meeting,
            calendar_text(meeting, directory, language, f"{base}/meetings/{meeting.id}", busy=meeting.confidential),
        )
        for meeting in found
    ]
    mail = desk.settings.mail
    return write.publish(entries, name=name, organizer_address=mail.from_address, organizer_name=mail.from_name)
