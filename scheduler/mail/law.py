"""A change of law in the words of its reader, line by line: for the mail to the coordinator, the page, and scripts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from scheduler import i18n
from scheduler.core import laws
from scheduler.core.cities import Directory
from scheduler.core.laws import Finding
from scheduler.core.meeting import Meeting


def lines(found: Finding, directory: Directory, language: str) -> tuple[str, ...]:
    return tuple(_lines(found, directory, language))


def _lines(found: Finding, directory: Directory, language: str) -> Iterator[str]:
    meeting = found.meeting
    if found.meaning != laws.SAME:
        city, wall = record_city(meeting, directory, language), moment(meeting.wall, language)
        yield i18n.text(language, f"law.meaning.{found.meaning}", city=city, wall=wall)
    for shift in found.shifts:
        yield i18n.text(
            language,
            "law.shift",
            city=directory.city_name(shift.city, language),
            before=moment(shift.before, language),
            after=moment(shift.after, language),
        )
    for slug, closure in found.closures:
        names = {"city": directory.city_name(slug, language), "name": closure.name.read_in(language)}
        reason = i18n.text(language, f"words.reason.{closure.kind}", **names)
        yield i18n.text(language, "law.closed", date=i18n.full_date(language, closure.day), reason=reason)


def agreed(meeting: Meeting, directory: Directory, language: str) -> str:
    """The hour that was agreed, on the clock that defines the meeting."""
    date, time = i18n.full_date(language, meeting.wall.date()), i18n.clock(meeting.wall)
    return i18n.text(language, "mail.when", date=date, time=time, city=record_city(meeting, directory, language))


def record_city(meeting: Meeting, directory: Directory, language: str) -> str:
    """The city whose wall clock defines the meeting; its zone, should no city have that any more."""
    there = (directory.cities[slug] for slug in meeting.cities if slug in directory.cities)
    return next((city.name.read_in(language) for city in there if city.zone == meeting.zone), meeting.zone)


def moment(wall: datetime, language: str) -> str:
    return f"{i18n.short_date(language, wall.date())} {i18n.clock(wall)}"
