"""What the API gives about standing meetings and about how cities share early and late hours."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import time
from typing import Annotated, Any

from pydantic import Field, WithJsonSchema

from scheduler import i18n
from scheduler.core.cities import Directory
from scheduler.core.obstacles import REASONS, Obstacle
from scheduler.core.planning import KINDS, Occasion, Planned
from scheduler.core.rotation import Rotation
from scheduler.core.series import Plan
from scheduler.fairness import Report
from scheduler.representations import Answered, DataAnswer, LocalTime, Unknowns, Utc, unknown_answers, utc

DateText = Annotated[str, WithJsonSchema({"type": "string", "format": "date"})]
Wall = Annotated[str, WithJsonSchema({"type": "string", "pattern": r"^\d\d:\d\d$", "examples": ["15:00"]})]
MinutesByCity = Annotated[dict[str, int], Field(description="Minutes outside office hours, by city")]

OWN_REASONS = ("outside-hours", "wall-nonexistent", "wall-ambiguous")  # the others are reasons of days too


class ObstacleAnswer(Answered):
    city: str | None
    reason: Annotated[str, Field(description=", ".join(REASONS))]
    name: Annotated[str, Field(description="The closure's name, or a sentence")]


class OccasionAnswer(Answered):
    start: Utc
    end: Utc
    local: dict[str, LocalTime]
    minutes: MinutesByCity
    cost: Annotated[int, Field(description="The minutes times the cities' weights, together")]


class PlannedAnswer(Answered):
    date: Annotated[DateText, Field(description="The regular date, on the clock of the zone")]
    wall: Wall
    kind: Annotated[str, Field(description=f"What `occasion` is: {', '.join(KINDS)}")]
    occasion: Annotated[OccasionAnswer | None, Field(description="When to meet: the regular time or its replacement")]
    regular: Annotated[OccasionAnswer | None, Field(description="null: the clock does not show this time once")]
    obstacles: list[ObstacleAnswer]
    turn: Annotated[str | None, Field(description="In a rotation: the city whose turn it is")] = None


class TurnAnswer(Answered):
    city: str
    wall: Wall


class RotationAnswer(Answered):
    turns: list[TurnAnswer]
    dates: list[PlannedAnswer]
    minutes: MinutesByCity


class SeriesPlanAnswer(Answered):
    zone: str
    dates: list[PlannedAnswer]
    minutes: MinutesByCity
    better: Annotated[Wall | None, Field(description="A wall time within the office hours of all, if this is none")]
    rotation: Annotated[RotationAnswer | None, Field(description="Only if no wall time is within those of all")]
    unknown: Unknowns
    data: DataAnswer


class AccountAnswer(Answered):
    """Of the meetings held in which both cities took part."""

    partner: str
    meetings: int
    minutes: MinutesByCity
    turn: Annotated[str | None, Field(description="Whose turn the next early or late hour is; null: of both alike")]


class FairnessAnswer(Answered):
    city: str
    since: Annotated[DateText | None, Field(alias="from")]
    until: Annotated[DateText | None, Field(alias="to")]
    accounts: list[AccountAnswer]


def represent_plan(plan: Plan, directory: Directory, language: str, versions: Mapping[str, str]) -> dict[str, Any]:
    """The body of `POST /series-plans`."""
    return SeriesPlanAnswer(
        zone=plan.rhythm.zone,
        dates=[_planned(planned, directory, language) for planned in plan.dates],
        minutes=dict(plan.minutes),
        better=_wall(plan.better) if plan.better else None,
        rotation=_rotation(plan.rotation, directory, language) if plan.rotation else None,
        unknown=unknown_answers(plan.unknown),
        data=DataAnswer(tz=versions["tz"], holidays=versions["holidays"]),
    ).model_dump()


def _rotation(rotation: Rotation, directory: Directory, language: str) -> RotationAnswer:
    return RotationAnswer(
        turns=[TurnAnswer(city=turn.city, wall=_wall(turn.at)) for turn in rotation.turns],
        dates=[_planned(planned, directory, language, turn.city) for turn, planned in rotation.dates],
        minutes=dict(rotation.minutes),
    )


def _planned(planned: Planned, directory: Directory, language: str, turn: str | None = None) -> PlannedAnswer:
    return PlannedAnswer(
        date=planned.day.isoformat(),
        wall=_wall(planned.at),
        kind=planned.kind,
        occasion=_occasion(planned.occasion) if planned.occasion else None,
        regular=_occasion(planned.regular) if planned.regular else None,
        obstacles=[_obstacle(obstacle, directory, language) for obstacle in planned.obstacles],
        turn=turn,
    )


def _occasion(occasion: Occasion) -> OccasionAnswer:
    return OccasionAnswer(
        start=utc(occasion.start),
        end=utc(occasion.end),
        local={slug: moment.isoformat() for slug, moment in occasion.local.items()},
        minutes=dict(occasion.burdens),
        cost=occasion.cost,
    )


def _obstacle(obstacle: Obstacle, directory: Directory, language: str) -> ObstacleAnswer:
    name = obstacle.name.read_in(language) or obstacle_sentence(obstacle, directory, language)
    return ObstacleAnswer(city=obstacle.city, reason=obstacle.reason, name=name)


def obstacle_sentence(obstacle: Obstacle, directory: Directory, language: str) -> str:
    """What keeps a meeting away, naming the city and the closure."""
    city = directory.city_name(obstacle.city, language) if obstacle.city else ""
    table = "series.obstacle" if obstacle.reason in OWN_REASONS else "words.reason"
    return i18n.text(language, f"{table}.{obstacle.reason}", city=city, name=obstacle.name.read_in(language))


def _wall(at: time) -> str:
    return f"{at:%H:%M}"


def represent_report(report: Report) -> dict[str, Any]:
    """The body of `GET /fairness`."""
    accounts = [
        AccountAnswer(partner=a.cities[1], meetings=a.meetings, minutes=dict(a.minutes), turn=a.turn)
        for a in report.accounts
    ]
    dates = {"from": report.since, "to": report.until}
    texts = {name: day.isoformat() if day else None for name, day in dates.items()}
    return FairnessAnswer.model_validate({"city": report.city, **texts, "accounts": accounts}).model_dump(by_alias=True)
