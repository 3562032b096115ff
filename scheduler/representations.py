"""What the API gives: every answer as a model, and the functions that make it from the core's values.

Instants are RFC 3339 in UTC ending in `Z`; `local` holds the start with each city's offset, by the city's slug. The
command line prints the same bodies with `--json`. The models are also what the OpenAPI description is made from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from scheduler import i18n
from scheduler.calendars import Listed as ListedCalendar
from scheduler.core import zones
from scheduler.core.cities import Directory, Person, Room
from scheduler.core.cities import Field as CooperationField
from scheduler.core.compromises import Compromise
from scheduler.core.errors import Invalid, SchedulerError, TooMany
from scheduler.core.hints import CODES
from scheduler.core.meeting import Invitation, Meeting
from scheduler.core.reasons import Excluded
from scheduler.core.slots import Slot, Suggestions, Unknown
from scheduler.feeds import Listed
from scheduler.meetings import Delivery
from scheduler.operation import Trouble
from scheduler.reviews import Review

Utc = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2027-03-09T06:00:00Z"]})]
LocalTime = Annotated[
    str, WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2027-03-09T15:00:00+09:00"]})
]
GivenText = Annotated[
    str | dict[str, str], Field(description="As it was given: a text, or texts by language (ko, mn, tr, en)")
]


class Answered(BaseModel):
    """Base of all answers. Clients must expect further members."""

    model_config = ConfigDict(frozen=True)


class InvitationAnswer(Answered):
    name: str
    email: str
    city: str
    language: str
    role: str
    status: Annotated[str, Field(description="waiting, accepted, tentative, declined, delegated")]
    comment: str
    answered_at: Utc | None
    delivery: Annotated[
        str | None,
        Field(
            description="queued, handed-over, refused, bounced, superseded, held, dropped; null: it was not looked up"
        ),
    ]


class MeetingAnswer(Answered):
    id: int
    uid: str
    status: Annotated[str, Field(description="proposed, confirmed, cancelled; held once a confirmed meeting is over")]
    sequence: int
    version: Annotated[int, Field(description="Counts edits, not answers; the ETag is this number")]
    title: GivenText
    field: str
    topic: str
    objective: str
    host: str
    cities: list[str]
    zone: Annotated[str, Field(description="Zone of the city of record, whose clock defines the meeting")]
    wall: Annotated[str, Field(description="Start on the clock of `zone`, YYYY-MM-DDTHH:MM")]
    start: Utc
    end: Utc
    local: Annotated[dict[str, LocalTime], Field(description="Start on every city's clock")]
    duration_minutes: int
    agenda: GivenText
    video_url: str
    room: str
    confidential: bool
    invitations: list[InvitationAnswer]
    proposals: list[dict[str, Any]]


class MeetingsAnswer(Answered):
    meetings: list[MeetingAnswer]
    next: Annotated[str | None, Field(description="The cursor of the next page; null on the last one")]


class SlotAnswer(Answered):
    start: Utc
    end: Utc
    local: dict[str, LocalTime]
    cost: Annotated[int, Field(description="0: everybody within office hours; else weighted minutes")]
    costs: dict[str, int]
    hints: Annotated[list[str], Field(description=f"CODE:CITY; CODE is {', '.join(CODES)}")]
    absent: Annotated[list[str], Field(description="Addresses of optional people who are busy")]


class ExcludedAnswer(Answered):
    date: Annotated[str, WithJsonSchema({"type": "string", "format": "date"})]
    city: str | None
    reason: Annotated[str, Field(description="weekend, holiday, half-day, municipal, busy, notice, no-common-hours")]
    name: str


class CompromiseAnswer(Answered):
    """One relaxation alone, and what it would give."""

    kind: Annotated[str, Field(description="hours, optional, later, shorter")]
    slots: Annotated[int, Field(description="How many slots it would give")]
    first: Annotated[Utc, Field(description="The soonest of them")]
    city: Annotated[str | None, Field(description="hours: whose")]
    person: Annotated[str | None, Field(description="optional: the address")]
    minutes: Annotated[
        int | None, Field(description="hours: longer at the end, or negative: at the beginning; shorter: the length")
    ]
    days: Annotated[int | None, Field(description="later: by how many")]


class DataAnswer(Answered):
    tz: str
    holidays: str


class UnknownAnswer(Answered):
    city: str
    person: Annotated[str | None, Field(description="E-mail address; null: the city as a whole")]
    known_at: Annotated[Utc | None, Field(description="When their calendar was last read; null: never")]


Unknowns = Annotated[
    list[UnknownAnswer], Field(description="Whose calendar tells nothing that still counts: they may be busy")
]


class SlotsAnswer(Answered):
    slots: list[SlotAnswer]
    total: Annotated[int, Field(description="How many slots there are, of which the best are listed")]
    excluded: list[ExcludedAnswer]
    compromises: Annotated[list[CompromiseAnswer], Field(description="Only if there is no slot at all")]
    unknown: Unknowns
    data: DataAnswer


class TopicAnswer(Answered):
    code: str
    name: str


class FieldAnswer(Answered):
    code: str
    name: str
    names: GivenText
    topics: list[TopicAnswer]


class PersonAnswer(Answered):
    name: str
    email: str
    city: str
    language: str
    role: str


class RoomAnswer(Answered):
    code: str
    city: str
    name: str


class FieldsAnswer(Answered):
    fields: list[FieldAnswer]


class PeopleAnswer(Answered):
    people: list[PersonAnswer]


class RoomsAnswer(Answered):
    rooms: list[RoomAnswer]


class ReviewAnswer(Answered):
    id: int | str
    outcome: str
    reason: str | None
    received_at: Utc
    sender: str
    meeting: int | None
    person: str | None
    text: str
    decisions: list[str]


class ReviewsAnswer(Answered):
    reviews: list[ReviewAnswer]


class NewFeedAnswer(Answered):
    id: int
    url: Annotated[str, Field(description="The secret address; shown once, only a hash of it is stored")]


class FeedAnswer(Answered):
    id: int
    city: str | None = None
    field: str | None = None
    partnership: list[str] | None = None
    person: Annotated[str | None, Field(description="E-mail address, as it is compared")] = None
    name: Annotated[str, Field(description="In the caller's language")]
    owner: str
    language: str
    created_at: Utc


class FeedsAnswer(Answered):
    feeds: list[FeedAnswer]


class CalendarAnswer(Answered):
    id: int
    city: str
    person: Annotated[str | None, Field(description="E-mail address; null: of the city as a whole")]
    kind: Annotated[str, Field(description="url, file")]
    name: str
    host: Annotated[str | None, Field(description="Of the address, of which no more is ever shown")]
    created_at: Utc
    fetched_at: Annotated[Utc | None, Field(description="When its times were last right; null: not read yet")]
    stale: Annotated[bool, Field(description="Nothing is known of it that still counts: hours are unknown, not free")]
    error: Annotated[
        str | None, Field(description="unreachable, unreadable, too-large, rule, too-hard, key; null: none")
    ]


class CalendarsAnswer(Answered):
    calendars: list[CalendarAnswer]


class DecidedAnswer(Answered):
    id: int
    decision: str


class FaultAnswer(Answered):
    pointer: Annotated[str, Field(description="JSON pointer (RFC 6901) into the body; for a query, /NAME")]
    detail: str
    code: str


class Problem(Answered):
    """A problem document (RFC 9457). `title` and `detail` are in the caller's language; `code` stays the same."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    errors: list[FaultAnswer]
    choices: Annotated[list[Utc] | None, Field(description="For a wall time that does not exist or exists twice")] = (
        None
    )
    id: Annotated[str | None, Field(description="Of a failure: what to tell the operator")] = None


def represent_meeting(
    meeting: Meeting,
    directory: Directory,
    deliveries: Mapping[str, Delivery] | None,
    *,
    now: datetime,
) -> dict[str, Any]:
    """The body of `GET /meetings/ID`. `deliveries` holds the state of the newest mail by invitation id."""
    return MeetingAnswer(
        id=meeting.id,
        uid=meeting.uid,
        status=meeting.status_at(now),
        sequence=meeting.sequence,
        version=meeting.version,
        title=meeting.title.as_given(),
        field=meeting.field,
        topic=meeting.topic,
        objective=meeting.objective,
        host=meeting.host,
        cities=list(meeting.cities),
        zone=meeting.zone,
        wall=meeting.wall.strftime("%Y-%m-%dT%H:%M"),
        start=utc(meeting.start),
        end=utc(meeting.end),
        local=_local_times(meeting, directory),
        duration_minutes=meeting.duration_minutes,
        agenda=meeting.agenda.as_given(),
        video_url=meeting.video_url,
        room=meeting.room,
        confidential=meeting.confidential,
        invitations=[_invitation(i, deliveries or {}) for i in meeting.people],
        proposals=[],
    ).model_dump()


def _local_times(meeting: Meeting, directory: Directory) -> dict[str, str]:
    known = [directory.cities[slug] for slug in meeting.cities if slug in directory.cities]
    return {city.slug: zones.to_local(meeting.start, city.zone).isoformat() for city in known}


def _invitation(invitation: Invitation, deliveries: Mapping[str, Delivery]) -> InvitationAnswer:
    invitee, delivery = invitation.invitee, deliveries.get(invitation.id)
    return InvitationAnswer(
        name=invitee.name,
        email=invitee.email,
        city=invitee.city,
        language=invitee.language,
        role=invitee.role,
        status=invitation.status,
        comment=invitation.comment,
        answered_at=utc(invitation.answered_at) if invitation.answered_at else None,
        delivery=delivery.state if delivery else None,
    )


def represent_suggestions(
    found: Suggestions, directory: Directory, language: str, versions: Mapping[str, str]
) -> dict[str, Any]:
    """The body of `POST /slots`."""
    return SlotsAnswer(
        slots=[_slot(s) for s in found.slots],
        total=found.total,
        excluded=[_excluded(e, directory, language) for e in found.excluded],
        compromises=[_compromise(c) for c in found.compromises],
        unknown=unknown_answers(found.unknown),
        data=DataAnswer(tz=versions["tz"], holidays=versions["holidays"]),
    ).model_dump()


def unknown_answers(unknown: Iterable[Unknown]) -> list[UnknownAnswer]:
    return [
        UnknownAnswer(city=u.city, person=u.email or None, known_at=utc(u.known_at) if u.known_at else None)
        for u in unknown
    ]


def _slot(slot: Slot) -> SlotAnswer:
    return SlotAnswer(
        start=utc(slot.start),
        end=utc(slot.end),
        local={slug: moment.isoformat() for slug, moment in slot.local.items()},
        cost=slot.cost,
        costs=dict(slot.costs),
        hints=[f"{hint.code}:{hint.city}" for hint in slot.hints],
        absent=list(slot.absent),
    )


def _excluded(excluded: Excluded, directory: Directory, language: str) -> ExcludedAnswer:
    city = directory.city_name(excluded.city, language) if excluded.city else ""
    name = excluded.name.read_in(language) or i18n.text(language, f"words.reason.{excluded.reason}", city=city, name="")
    return ExcludedAnswer(date=excluded.day.isoformat(), city=excluded.city or None, reason=excluded.reason, name=name)


def _compromise(compromise: Compromise) -> CompromiseAnswer:
    return CompromiseAnswer(
        kind=compromise.kind,
        slots=compromise.slots,
        first=utc(compromise.first),
        city=compromise.city,
        person=compromise.person,
        minutes=compromise.minutes or None,
        days=compromise.days or None,
    )


def represent_field(field: CooperationField, language: str) -> dict[str, Any]:
    topics = [TopicAnswer(code=t.code, name=t.name.read_in(language)) for t in field.topics]
    return FieldAnswer(
        code=field.code, name=field.name.read_in(language), names=field.name.as_given(), topics=topics
    ).model_dump()


def represent_person(person: Person) -> dict[str, Any]:
    return PersonAnswer(
        name=person.name, email=person.email, city=person.city, language=person.language, role=person.role
    ).model_dump()


def represent_room(room: Room, language: str) -> dict[str, Any]:
    return RoomAnswer(code=room.code, city=room.city, name=room.name.read_in(language)).model_dump()


def represent_feeds(listed: Iterable[Listed]) -> dict[str, Any]:
    """The body of `GET /feeds`; never with an address."""
    return FeedsAnswer(feeds=[_feed(entry) for entry in listed]).model_dump()


def _feed(entry: Listed) -> FeedAnswer:
    feed = entry.feed
    key: Any = feed.key.split("+") if feed.kind == "partnership" else feed.key
    return FeedAnswer(
        id=feed.id,
        name=entry.name,
        owner=entry.owner,
        language=feed.language,
        created_at=utc(feed.created_at),
        **{feed.kind: key},
    )


def represent_calendars(listed: Iterable[ListedCalendar]) -> dict[str, Any]:
    """The body of `GET /calendars`; never with an address."""
    return CalendarsAnswer(calendars=[_calendar(entry) for entry in listed]).model_dump()


def represent_calendar(listed: ListedCalendar) -> dict[str, Any]:
    return _calendar(listed).model_dump()


def _calendar(entry: ListedCalendar) -> CalendarAnswer:
    calendar = entry.calendar
    return CalendarAnswer(
        id=calendar.id,
        city=calendar.city,
        person=entry.owner.email if entry.owner else None,
        kind=calendar.kind,
        name=calendar.name,
        host=calendar.host or None,
        created_at=utc(calendar.created_at),
        fetched_at=utc(calendar.fetched_at) if calendar.fetched_at else None,
        stale=entry.is_stale,
        error=calendar.error or None,
    )


def represent_reviews(reviews: Iterable[Review]) -> dict[str, Any]:
    """The body of `GET /review`."""
    return ReviewsAnswer(
        reviews=[
            ReviewAnswer(
                id=r.id,
                outcome=r.outcome,
                reason=r.reason,
                received_at=utc(r.received_at),
                sender=r.sender,
                meeting=r.meeting.id if r.meeting else None,
                person=r.invitation.invitee.email if r.invitation else None,
                text=r.text,
                decisions=list(r.decisions),
            )
            for r in reviews
        ]
    ).model_dump()


def sentence(key: str, values: Mapping[str, Any], language: str) -> str:
    """What an error or a fault tells a person; faults that only a program can make are told under `api.fault`."""
    area = "errors" if i18n.has(language, f"errors.{key}") else "api.fault"
    return i18n.text(language, f"{area}.{key}", **values)


def told(error: SchedulerError, language: str) -> str:
    """An error's sentence; of an Invalid the faults have their own."""
    waiting = {"seconds": error.retry_after} if isinstance(error, TooMany) else {}
    return sentence(error.key, {**waiting, **error.values}, language)


def one_line(error: SchedulerError, language: str) -> str:
    """An error with all its faults, each at its place, on one line."""
    if not isinstance(error, Invalid):
        return told(error, language)
    return "; ".join(f"{f.pointer or '/'}: {sentence(f.key, f.values, language)}" for f in error.faults)


def utc(instant: datetime) -> str:
    """RFC 3339 in UTC, ending in Z."""
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")


def represent_trouble(trouble: Trouble) -> dict[str, object]:
    """A mail that does not get on, for the operator's scripts."""
    found = asdict(trouble)
    return found | {name: utc(found[name]) for name in ("created_at", "next_attempt_at")}
