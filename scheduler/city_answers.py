"""What the API gives about cities: their hours as they wrote them, and their days off with where each comes from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import Field, WithJsonSchema

from scheduler.city_bodies import as_week
from scheduler.core import office
from scheduler.core.cities import City
from scheduler.office import DayOff
from scheduler.representations import Answered, GivenText, Utc, utc

Week = Annotated[list[list[list[str]]], Field(description="Monday first; intervals [HH:MM, HH:MM)")]


class SeasonAnswer(Answered):
    since: Annotated[str, Field(alias="from", description="MM-DD for every year, or YYYY-MM-DD, inclusive")]
    until: Annotated[str, Field(alias="to")]
    hours: Week


class CityAnswer(Answered):
    slug: str
    name: Annotated[str, Field(description="In the caller's language")]
    names: GivenText
    zone: str
    country: str
    language: str
    hours: Week
    seasons: list[SeasonAnswer]
    stretch: Annotated[Week, Field(description="Early and late hours, allowed at a price")]
    preferred: Annotated[Week, Field(description="Parts of the week that the city likes best")]
    weight: Annotated[int, Field(description="Price of a minute outside office hours")]
    notice_hours: Annotated[int, Field(description="Nothing starts sooner than this")]
    buffer_minutes: Annotated[int, Field(description="Kept free before and after other meetings")]


class CitiesAnswer(Answered):
    cities: list[CityAnswer]


class ClosureAnswer(Answered):
    id: Annotated[int | None, Field(description="Of the city's own entry, by which it is removed")]
    date: Annotated[str, WithJsonSchema({"type": "string", "format": "date"})]
    kind: Annotated[str, Field(description="holiday, half-day, municipal, reopened (a holiday on which it works)")]
    name: Annotated[str, Field(description="In the caller's language")]
    names: GivenText
    since: Annotated[str | None, Field(alias="from", description="Closed from this hour on; null: the whole day")]
    source: Annotated[str, Field(description="The data of holidays with its version, or the city")]
    set_by: str | None
    set_at: Utc | None


class ClosuresAnswer(Answered):
    closures: list[ClosureAnswer]


class EnteredAnswer(Answered):
    id: int


def represent_city(city: City, language: str) -> dict[str, Any]:
    said = office.written(city)
    return CityAnswer(
        slug=city.slug,
        name=city.name.read_in(language),
        names=city.name.as_given(),
        zone=city.zone,
        country=city.country,
        language=city.language,
        hours=as_week(said.hours),
        seasons=[
            SeasonAnswer.model_validate({"from": s.since, "to": s.until, "hours": as_week(s.hours)})
            for s in said.seasons
        ],
        stretch=as_week(said.stretch),
        preferred=as_week(said.preferred),
        weight=city.weight,
        notice_hours=city.notice_hours,
        buffer_minutes=city.buffer_minutes,
    ).model_dump(by_alias=True)


def represent_closures(days: Iterable[DayOff], language: str) -> dict[str, Any]:
    found = ClosuresAnswer(closures=[ClosureAnswer.model_validate(_closure(day, language)) for day in days])
    return found.model_dump(by_alias=True)


def _closure(off: DayOff, language: str) -> dict[str, Any]:
    closure, entry = off.closure, off.reopened or off.closure
    return {
        "id": off.id or None,
        "date": closure.day.isoformat(),
        "kind": "reopened" if off.reopened else closure.kind,
        "name": closure.name.read_in(language),
        "names": closure.name.as_given(),
        "from": office.clock(closure.start) if closure.start else None,
        "source": entry.source,
        "set_by": entry.set_by or None,
        "set_at": utc(entry.set_at) if entry.set_at else None,
    }
