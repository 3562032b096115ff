"""What the API takes about cities: their hours and days off, and what these bodies mean to the core."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema

from scheduler.bodies import Body, Code, Day, Language, Text, merge, must_be_known, read
from scheduler.core import office
from scheduler.core.cities import NO_HOURS, City
from scheduler.core.errors import Fault, Invalid
from scheduler.core.office import BOUNDS, Closing, Written, WrittenSeason, WrittenWeek
from scheduler.core.words import Wording
from scheduler.toml_table import CODE_LIMIT, is_code

Clock = Annotated[str, WithJsonSchema({"type": "string", "pattern": r"^([01]\d|2[0-3]):[0-5]\d$"})]
Week = Annotated[
    list[list[list[str]]],
    Field(description="Seven lists, Monday first, of intervals [HH:MM, HH:MM) in order"),
]


def _number(name: str) -> WithJsonSchema:
    """The bounds are the core's to check, with its own sentences."""
    least, most = BOUNDS[name]
    return WithJsonSchema({"type": "integer", "minimum": least, "maximum": most})


SeasonDay = Annotated[str, Field(description="MM-DD for every year, or YYYY-MM-DD, inclusive")]


class SeasonBody(Body):
    since: SeasonDay = Field(alias="from")
    until: SeasonDay = Field(alias="to")
    hours: Week


class CityBody(Body):
    """A city and its hours. Where seasons overlap, the first one holds."""

    name: Text
    zone: Annotated[Code, Field(description="IANA zone")]
    country: Annotated[Code, Field(description="ISO 3166-1 alpha-2")]
    language: Language
    hours: Week
    seasons: list[SeasonBody] = []
    stretch: Annotated[Week | None, Field(description="Early and late hours, at a price; none from 22:00 to 06:00")] = (
        None
    )
    preferred: Week | None = None
    weight: Annotated[int, _number("weight")] = 1
    notice_hours: Annotated[int, _number("notice_hours")] = 0
    buffer_minutes: Annotated[int, _number("buffer_minutes")] = 0


class NewCityBody(CityBody):
    slug: Annotated[Code, WithJsonSchema({"type": "string", "maxLength": CODE_LIMIT, "pattern": "^[a-z0-9-]+$"})]


class ClosureBody(Body):
    """Days off. Reopened days are public holidays on which the city works: they take neither hour nor name."""

    day: Day
    until: Annotated[Day | None, Field(description="The last of several days, inclusive")] = None
    since: Annotated[Clock | None, Field(alias="from", description="Closed from this hour on")] = None
    kind: Literal["municipal", "holiday", "reopened"] = "municipal"
    name: Text | None = None


class ClosuresQuery(Body):
    since: Annotated[Day | None, Field(alias="from", description="First date, inclusive; without it today")] = None
    until: Annotated[Day | None, Field(alias="to", description="Last date, inclusive; without it a year on")] = None


def as_city(body: NewCityBody) -> City:
    """Raises Invalid."""
    if not is_code(body.slug):
        raise Invalid(Fault("/slug", "bad-code", {"code": body.slug}))
    return _with(City(body.slug, Wording(), "", "", "", NO_HOURS), body)


def patched(city: City, patch: object) -> City:
    """`city` after a JSON Merge Patch (RFC 7396): null is the default, lists are replaced whole; raises Invalid."""
    must_be_known(patch, CityBody)
    return _with(city, read(CityBody, merge(_body_of(city), patch)))


def _with(city: City, body: CityBody) -> City:
    named = replace(city, name=Wording.of(body.name), zone=body.zone, country=body.country, language=body.language)
    said = Written(
        hours=_written(body.hours),
        seasons=tuple(WrittenSeason(s.since, s.until, _written(s.hours)) for s in body.seasons),
        stretch=_written(body.stretch) if body.stretch is not None else office.NO_WEEK,
        preferred=_written(body.preferred) if body.preferred is not None else office.NO_WEEK,
        weight=body.weight,
        notice_hours=body.notice_hours,
        buffer_minutes=body.buffer_minutes,
    )
    return office.planned(named, said)


def _written(week: list[list[list[str]]]) -> WrittenWeek:
    return tuple(tuple("-".join(interval) for interval in day) for day in week)


def _body_of(city: City) -> dict[str, Any]:
    """The body that `read` reads as `city`."""
    said = office.written(city)
    return {
        "name": city.name.as_given(),
        "zone": city.zone,
        "country": city.country,
        "language": city.language,
        "hours": as_week(said.hours),
        "seasons": [{"from": s.since, "to": s.until, "hours": as_week(s.hours)} for s in said.seasons],
        "stretch": as_week(said.stretch),
        "preferred": as_week(said.preferred),
        "weight": city.weight,
        "notice_hours": city.notice_hours,
        "buffer_minutes": city.buffer_minutes,
    }


def as_week(week: WrittenWeek) -> list[list[list[str]]]:
    return [[interval.split("-") for interval in day] for day in week]


def as_closing(body: ClosureBody) -> Closing:
    """Raises Invalid for an hour that is none."""
    start = office.minutes_of(body.since) if body.since is not None else 0
    if start is None:
        raise Invalid(Fault("/from", "bad-time", {"time": (body.since or "")[:60]}))
    return Closing(body.day, body.until or body.day, Wording.of(body.name), body.kind, start)


def as_reopened(body: ClosureBody) -> date:
    """The day alone; raises Invalid for what else was said of it."""
    said = [name for name, value in (("until", body.until), ("from", body.since), ("name", body.name)) if value]
    if said:
        raise Invalid(*(Fault(f"/{name}", "unknown-key", {"key": name}) for name in said))
    return body.day
