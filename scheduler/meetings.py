"""Reading meetings: one with all that belongs to it, and lists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from scheduler import rights
from scheduler.core import zones
from scheduler.core.cities import Directory, Person
from scheduler.core.errors import Fault, Invalid
from scheduler.core.itip import Answer
from scheduler.core.meeting import Meeting
from scheduler.db import directory as cities
from scheduler.db import inbox, law_notices, meetings, outbox
from scheduler.db.outbox import Delivery
from scheduler.desk import Desk

__all__ = [
    "Delivery",
    "Filter",
    "Listing",
    "Recorded",
    "Sheet",
    "attention",
    "listing",
    "people",
    "show",
    "start_of",
]


@dataclass(frozen=True, slots=True)
class Recorded:
    """An answer as it was recorded; `outcome` tells whether it counted when it came."""

    invitation_id: str
    answer: Answer
    outcome: str


@dataclass(frozen=True, slots=True)
class Sheet:
    meeting: Meeting
    directory: Directory
    owner: Person
    deliveries: Mapping[str, Delivery]
    history: tuple[Recorded, ...]
    may_edit: bool


@dataclass(frozen=True, slots=True)
class Filter:
    """Which meetings: local dates (inclusive, of the reader's city), one city, one field, a status, a page.

    `status`: confirmed (to come), held, cancelled; empty: all. `cursor` is the `next` of the page before.
    """

    since: date | None = None
    until: date | None = None
    city: str = ""
    field: str = ""
    status: str = ""
    cursor: str = ""
    limit: int = 50
    latest_first: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    meetings: tuple[Meeting, ...]
    next: str = ""


def show(desk: Desk, actor: Person | None, meeting_id: int) -> Sheet:
    """Raises NotFound, also for a meeting of others."""
    with desk.store.read() as db:
        meeting = rights.must_read(actor, meetings.load(db, meeting_id))
        owner = cities.person(db, meeting.owner_id)
        assert owner is not None
        history = tuple(Recorded(*entry) for entry in meetings.history(db, meeting_id))
        return Sheet(
            meeting,
            cities.load(db),
            owner,
            outbox.deliveries(db, meeting_id),
            history,
            rights.may_edit(actor, meeting),
        )


def listing(desk: Desk, actor: Person | None, wanted: Filter) -> Listing:
    """The meetings that the person may read, by start."""
    now = desk.now()
    zone = "UTC"
    with desk.store.read() as db:
        if actor:
            zone = cities.load(db).cities[actor.city].zone
        since, until = start_of(wanted.since, zone), start_of(wanted.until, zone, after=1)
        if wanted.status == "confirmed":
            since = max(since or now, now)
        query = meetings.find(
            cities=rights.cities_to_read(actor),
            city=wanted.city,
            field=wanted.field,
            statuses={"": (), "held": ("confirmed",)}.get(wanted.status, (wanted.status,)),
            ends_after=since,
            ends_by=now if wanted.status == "held" else None,
            starts_before=until,
            after=_read_cursor(wanted.cursor),
            latest_first=wanted.latest_first,
            limit=wanted.limit + 1,
        )
        found = meetings.load_many(db, query)
    page = tuple(found[: wanted.limit])
    return Listing(page, _cursor(page[-1]) if len(found) > wanted.limit else "")


def people(desk: Desk, actor: Person | None, city: str = "") -> list[Person]:
    """Active people of a city, or of all cities: partner cities must know whom to invite."""
    with desk.store.read() as db:
        return cities.people(db, city)


@dataclass(frozen=True, slots=True)
class Attention:
    """What a coordinator should look at: messages that wait for a decision, meetings with people out of reach, and
    how many meetings a change of law touches, as far as the worker has found."""

    reviews: int
    unreachable: Mapping[int, int]
    laws: int


def attention(desk: Desk, actor: Person, shown: tuple[Meeting, ...]) -> Attention:
    with desk.store.read() as db:
        mine = None if rights.is_operator(actor) else (actor.city,)
        return Attention(
            len(inbox.waiting(db, mine)),
            outbox.failures(db, [m.id for m in shown]),
            law_notices.count(db, mine and actor.city, desk.now()),
        )


def start_of(day: date | None, zone: str, after: int = 0) -> datetime | None:
    """The instant at which the local `day` begins (a gap at midnight: the first instant after it)."""
    if day is None:
        return None
    try:
        wall = datetime.combine(day, time()) + timedelta(days=after)
        return zones.to_instant(wall, zone)
    except Invalid as error:
        return error.choices[0] if error.faults[0].key == "wall-ambiguous" else error.choices[-1]
    except OverflowError:
        raise Invalid(Fault("/to", "not-a-date")) from None


def _cursor(meeting: Meeting) -> str:
    return f"{int(meeting.start.timestamp())}-{meeting.id}"


def _read_cursor(cursor: str) -> tuple[datetime, int] | None:
    if not cursor:
        return None
    try:
        seconds, ident = cursor.split("-")
        if not 0 <= int(ident) < 2**63:
            raise ValueError
        return datetime.fromtimestamp(int(seconds), UTC), int(ident)
    except (ValueError, OverflowError, OSError):
        raise Invalid(Fault("/cursor", "bad-cursor")) from None
