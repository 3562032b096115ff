"""What the API takes about standing meetings and about how cities share early and late hours."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, WithJsonSchema

from scheduler.bodies import Body, Code, Day, Minutes, WallTime
from scheduler.core.rhythm import COUNTS
from scheduler.series import Wanted

Frequency = Literal["weekly", "fortnightly", "monthly-date", "monthly-weekday", "quarterly"]
Count = Annotated[int, WithJsonSchema({"type": "integer", "minimum": COUNTS[0], "maximum": COUNTS[1]})]


class SeriesPlanBody(Body):
    """A standing meeting. The first date gives the weekday or the day of the month."""

    cities: list[Code]
    wall: Annotated[WallTime, Field(description="The first start, on the clock of `zone`")]
    zone: Annotated[Code, Field(description="IANA zone of a participating city; without it the first city's")] = ""
    frequency: Frequency
    count: Count
    duration_minutes: Minutes
    people: Annotated[list[str], Field(description="E-mail addresses whose other meetings are busy time")] = []
    room: Code | None = None


class FairnessQuery(Body):
    city: Annotated[Code, Field(description="Slug; without it the caller's city. Others are for operators")] = ""
    since: Annotated[Day | None, Field(alias="from", description="First local date of the city, inclusive")] = None
    until: Annotated[Day | None, Field(alias="to", description="Last local date of the city, inclusive")] = None


def as_wanted(body: SeriesPlanBody) -> Wanted:
    return Wanted(
        cities=tuple(body.cities),
        wall=body.wall,
        frequency=body.frequency,
        count=body.count,
        duration_minutes=body.duration_minutes,
        zone=body.zone,
        people=tuple(body.people),
        room=body.room or "",
    )
