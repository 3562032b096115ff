"""Instants as people read them: on the clock of a city, with its name, and with the date where it differs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from flask import Flask

from scheduler import i18n
from scheduler.core import office, zones
from scheduler.core.meeting import Meeting
from scheduler.mail import facts
from scheduler.web import reader


@dataclass(frozen=True, slots=True)
class LocalTime:
    """The interval [start, end) on one city's clock. `times` is what its reader sees, such as `14:30–15:30`;
    `overnight`: it ends on another date; `other_day`: its date is not that of the first city shown."""

    slug: str
    city: str
    start: datetime
    times: str
    offset: str
    overnight: bool
    other_day: bool


def local_times(start: datetime, minutes: int, cities: Iterable[str], first: str = "") -> list[LocalTime]:
    """The interval from the instant `start` on the clock of every city, `first` (when it takes part) leading."""
    slugs = sorted(cities, key=lambda slug: slug != first)
    found, language, end = reader.directory(), reader.language(), start + timedelta(minutes=minutes)
    leading = zones.to_local(start, zone_of(slugs[0])).date()

    def on_clock(slug: str) -> LocalTime:
        zone = zone_of(slug)
        local, until = zones.to_local(start, zone), zones.to_local(end, zone)
        return LocalTime(
            slug,
            found.city_name(slug, language),
            local,
            facts.interval(local, until, language),
            i18n.utc_offset(zones.offset_at(start, zone)),
            local.date() != until.date(),
            local.date() != leading,
        )

    return [on_clock(slug) for slug in slugs]


def meeting_times(meeting: Meeting, first: str = "") -> list[LocalTime]:
    return local_times(meeting.start, meeting.duration_minutes, meeting.cities, first)


def zone_of(slug: str) -> str:
    city = reader.directory().cities.get(slug)
    return city.zone if city else "UTC"


def day_in(instant: datetime, slug: str) -> date:
    """The local day of a city on which the instant falls."""
    return zones.to_local(instant, zone_of(slug)).date()


def moment(instant: datetime, slug: str) -> str:
    """An instant as date and time on a city's clock; the city is to be named beside it."""
    local = zones.to_local(instant, zone_of(slug))
    return f"{i18n.short_date(reader.language(), local.date())} {i18n.clock(local)}"


def introduce(app: Flask) -> None:
    app.template_filter("clock")(i18n.clock)
    app.template_filter("moment")(moment)
    app.template_filter("day_in")(day_in)
    app.template_filter("duration")(lambda minutes: facts.duration(minutes, reader.language()))
    app.template_filter("full_date")(lambda day: i18n.full_date(reader.language(), day))
    app.template_filter("short_date")(lambda day: i18n.short_date(reader.language(), day))
    app.template_global("at")(office.clock)
    app.template_global("meeting_times")(meeting_times)
    app.template_global("local_times")(local_times)
