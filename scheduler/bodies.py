"""What the API takes: JSON bodies and query strings, as strict models, and what they mean to the core.

A body is checked in two steps. Here its form: unknown members, wrong types, times that are no times. Then, by the
core, its meaning. Either step tells every fault it finds at once, each with the JSON pointer (RFC 6901) of its place
and a key of the translations. The models are also what the OpenAPI description is made from.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema
from pydantic_core import ErrorDetails, PydanticCustomError

from scheduler.calendars import New as NewCalendar
from scheduler.core import zones
from scheduler.core.drafts import LONGEST, SHORTEST
from scheduler.core.errors import Fault, Invalid
from scheduler.core.meeting import Draft, Invitee
from scheduler.core.slots import STEPS
from scheduler.core.words import Wording
from scheduler.feeds import KINDS as FEED_KINDS
from scheduler.suggestions import Wanted

Model = TypeVar("Model", bound=BaseModel)

NOT_YET = ("candidates", "repeat")  # members that the interface names and this version does not take
MOST_SLOTS = 1000

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)", re.ASCII)
_WALL = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:00)?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def _fault(key: str, **values: str) -> PydanticCustomError:
    return PydanticCustomError(key, key, values)


def _instant(value: object) -> datetime:
    """RFC 3339 with an offset or Z, to UTC; seconds may be left out."""
    if not isinstance(value, str) or not _INSTANT.fullmatch(value.upper()):
        raise _fault("not-an-instant")
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _fault("not-an-instant") from None


def _wall(value: object) -> datetime:
    if not isinstance(value, str) or not _WALL.fullmatch(value):
        raise _fault("not-a-wall-time")
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        raise _fault("not-a-wall-time") from None


def _date(value: object) -> date:
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        raise _fault("not-a-date")
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise _fault("not-a-date") from None


def _wording(value: object) -> object:
    if isinstance(value, dict):
        for language, text in value.items():
            if not isinstance(text, str):
                raise _fault("wrong-type", at=language)
    elif not isinstance(value, str):
        raise _fault("wrong-type")
    return value


Instant = Annotated[datetime, BeforeValidator(_instant), WithJsonSchema({"type": "string", "format": "date-time"})]
WallTime = Annotated[
    datetime,
    BeforeValidator(_wall),
    WithJsonSchema({"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d$", "examples": ["2027-03-09T15:00"]}),
]
Day = Annotated[date, BeforeValidator(_date), WithJsonSchema({"type": "string", "format": "date"})]
Text = Annotated[
    Any,
    BeforeValidator(_wording),
    WithJsonSchema(
        {
            "description": "A text, or texts by language (ko, mn, tr, en)",
            "oneOf": [{"type": "string"}, {"type": "object", "additionalProperties": {"type": "string"}}],
        }
    ),
]
# The bounds of these numbers are the core's to check, with its own sentences.
Minutes = Annotated[int, WithJsonSchema({"type": "integer", "minimum": SHORTEST, "maximum": LONGEST})]
Code = Annotated[str, Field(max_length=100)]
Language = Literal["ko", "mn", "tr", "en"]
InvitationRole = Literal["required", "optional", "interpreter", "observer"]
PersonRole = Literal["operator", "coordinator", "contact", "interpreter", "observer"]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class InviteeBody(Body):
    name: str
    email: str
    city: Code
    language: Language
    role: InvitationRole = "required"


class MeetingBody(Body):
    """A meeting as wanted. Its time is `start`, or `wall` with `zone`; the zone names the city of record."""

    title: Text
    field: Code
    topic: Code | None = None
    objective: Code | None = None
    host: Code
    cities: Annotated[list[Code], Field(description="Participating cities; the host is implied")]
    start: Instant | None = None
    wall: WallTime | None = None
    zone: Annotated[Code | None, Field(description="IANA zone of a participating city; without it the host's")] = None
    duration_minutes: Minutes
    people: list[InviteeBody]
    agenda: Text | None = None
    video_url: str | None = None
    room: Code | None = None
    confidential: bool | None = None


class SlotsBody(Body):
    cities: list[Code]
    since: Annotated[Day, Field(alias="from", description="First local date of the first city, inclusive")]
    until: Annotated[Day, Field(alias="to", description="Last local date of the first city, inclusive")]
    duration_minutes: Minutes
    limit: Annotated[int, Field(ge=1, le=MOST_SLOTS)] = 20
    people: Annotated[list[str], Field(description="E-mail addresses whose other meetings are busy time")] = []
    optional: Annotated[list[str], Field(description="The same, but a slot may miss them: they are `absent`")] = []
    room: Code | None = None
    step_minutes: Annotated[int, WithJsonSchema({"type": "integer", "minimum": STEPS[0], "maximum": STEPS[1]})] = 15


class PersonBody(Body):
    name: str
    email: str
    city: Code
    language: Language
    role: PersonRole


class CancellationBody(Body):
    reason: str | None = None


class AnswerBody(Body):
    """An answer given by telephone."""

    email: str
    answer: Literal["accepted", "tentative", "declined"]
    comment: str | None = None


class DecisionBody(Body):
    decision: Literal["same-person", "invite", "apply", "no", "done"]


class FeedBody(Body):
    """Exactly one of the four; each is narrowed to meetings in which the caller's city takes part."""

    city: Code | None = None
    field: Code | None = None
    partnership: Annotated[
        Code | list[Code] | None, Field(description="The partner city of the caller's city, or the two cities")
    ] = None
    person: Annotated[str | None, Field(description="E-mail address")] = None
    language: Language | None = None

    def wanted(self) -> tuple[str, str | list[str]]:
        """Kind and key; raises Invalid unless there is exactly one."""
        given = {kind: key for kind in FEED_KINDS if (key := getattr(self, kind)) is not None}
        if len(given) != 1:
            raise Invalid(Fault("", "one-feed"))
        return next(iter(given.items()))


class CalendarBody(Body):
    """Of a person or of a city as a whole, without either of the caller; an address or the calendar itself."""

    person: Annotated[str | None, Field(description="E-mail address")] = None
    city: Code | None = None
    url: Annotated[str | None, Field(description="https:// or webcal://, on the public internet")] = None
    ics: Annotated[str | None, Field(description="The calendar (RFC 5545); at most 5 MB")] = None
    name: str | None = None


class CityQuery(Body):
    city: Code = ""


class CalendarQuery(Body):
    city: Code = ""
    field: Code = ""


class MeetingsQuery(Body):
    since: Annotated[Day | None, Field(alias="from", description="First date, inclusive")] = None
    until: Annotated[Day | None, Field(alias="to", description="Last date, inclusive")] = None
    city: Code = ""
    field: Code = ""
    status: Literal["", "proposed", "confirmed", "cancelled", "held"] = ""
    cursor: Code = ""


def read(model: type[Model], value: object) -> Model:
    """The model of a parsed JSON value; raises Invalid with every fault of its form."""
    if not isinstance(value, dict):
        raise Invalid(Fault("", "wrong-type"))
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise Invalid(*(_fault_of(e) for e in error.errors(include_url=False))) from None


def read_draft(value: object) -> Draft:
    """The draft that a JSON value means; raises Invalid."""
    return as_draft(read(MeetingBody, value))


def as_draft(body: MeetingBody) -> Draft:
    if body.wall and not body.zone:
        raise Invalid(Fault("/zone", "required"))
    return Draft(
        title=Wording.of(body.title),
        field=body.field,
        host=body.host,
        cities=tuple(body.cities),
        duration_minutes=body.duration_minutes,
        people=tuple(Invitee(p.name, p.email, p.city, p.language, p.role) for p in body.people),
        start=body.start,
        wall=body.wall,
        zone=body.zone or "",
        topic=body.topic or "",
        objective=body.objective or "",
        agenda=Wording.of(body.agenda, lines=True),
        video_url=body.video_url or "",
        room=body.room or "",
        confidential=bool(body.confidential),
    )


def as_wanted(body: SlotsBody) -> Wanted:
    return Wanted(
        cities=tuple(body.cities),
        since=body.since,
        until=body.until,
        duration_minutes=body.duration_minutes,
        limit=body.limit,
        step_minutes=body.step_minutes,
        people=tuple(body.people),
        optional=tuple(body.optional),
        room=body.room or "",
    )


def as_calendar(body: CalendarBody) -> NewCalendar:
    file = body.ics.encode() if body.ics is not None else None
    return NewCalendar(body.name or "", body.person or "", body.city or "", body.url, file)


def patched(draft: Draft, patch: object) -> Draft:
    """`draft` after a JSON Merge Patch (RFC 7396): null removes, lists are replaced whole; raises Invalid.

    A new `start` replaces the wall time, read on the clock of the city of record.
    """
    patch = must_be_known(patch, MeetingBody)
    target = as_body(draft)
    if patch.get("start") is not None:
        del target["wall"]
    elif "zone" in patch and patch.get("wall") is None and draft.wall:
        # Another city of record alone moves nothing: the same instant, on another clock.
        target["start"] = zones.to_instant(draft.wall, draft.zone).isoformat()
        del target["wall"]
    return read_draft(merge(target, patch))


def must_be_known(patch: object, model: type[BaseModel]) -> dict[str, Any]:
    """The patch, if it names members of the model alone: a null for another would vanish in the merge."""
    if not isinstance(patch, dict):
        raise Invalid(Fault("", "wrong-type"))
    known = {field.alias or name for name, field in model.model_fields.items()}
    unknown = [_unknown((key,)) for key in patch if key not in known]
    if unknown:
        raise Invalid(*unknown)
    return patch


def as_body(draft: Draft) -> dict[str, Any]:
    """The body that `read_draft` reads as `draft`, of a draft with a wall time."""
    assert draft.wall is not None
    return {
        "title": draft.title.as_given(),
        "field": draft.field,
        "topic": draft.topic,
        "objective": draft.objective,
        "host": draft.host,
        "cities": list(draft.cities),
        "wall": draft.wall.strftime("%Y-%m-%dT%H:%M"),
        "zone": draft.zone,
        "duration_minutes": draft.duration_minutes,
        "people": [
            {"name": p.name, "email": p.email, "city": p.city, "language": p.language, "role": p.role}
            for p in draft.people
        ],
        "agenda": draft.agenda.as_given(),
        "video_url": draft.video_url,
        "room": draft.room,
        "confidential": draft.confidential,
    }


def merge(target: Any, patch: Any) -> Any:
    """RFC 7396, section 2."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge(merged.get(key), value)
    return merged


def _fault_of(error: ErrorDetails) -> Fault:
    place, kind = error["loc"], error["type"]
    values = dict(error.get("ctx", {}))
    at = pointer(place)
    match kind:
        case "missing" | "too_short":
            return Fault(at, "required")
        case "extra_forbidden":
            return _unknown(place)
        case "int_type" | "int_from_float":
            return Fault(at, "not-a-number")
        case "string_too_long" | "too_long":
            return Fault(at, "too-long", {"limit": values["max_length"]})
        case "greater_than_equal" | "less_than_equal":
            return Fault(at, "number-range", {"least": 1, "most": MOST_SLOTS})
        case "literal_error" if isinstance(error["input"], str):
            name = str(place[-1])
            return Fault(at, f"unknown-{name}", {name: error["input"][:100]})
        case "not-an-instant" | "not-a-wall-time" | "not-a-date" | "wrong-type":  # ours
            inside = values.get("at")
            return Fault(at + pointer((inside,)) if inside is not None else at, kind)
    return Fault(at, "wrong-type")


def _unknown(place: tuple[int | str, ...]) -> Fault:
    name = str(place[-1])[:100]
    if len(place) == 1 and name in NOT_YET:
        return Fault(pointer(place), "not-yet-supported", {"what": name})
    return Fault(pointer(place), "unknown-key", {"key": name})


def pointer(place: tuple[int | str, ...]) -> str:
    """The JSON pointer (RFC 6901) of a place."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1")[:200] for part in place)
