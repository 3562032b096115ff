"""A meeting, its invitations, and what a decision about them returns: the values that all other parts share.

Each person has their own copy of the meeting: `copy_sequence = meeting.sequence + invitation.lead`. Removing a person
raises the lead of that copy alone, so a person who is invited again still sees SEQUENCE rise.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from scheduler.core.cities import Person
from scheduler.core.words import NOTHING, Wording, email_key

ROLES = ("required", "optional", "interpreter", "observer")
CHAIR = "chair"  # the host's coordinator, who gets a copy for their own calendar and answers nothing
STATUSES = ("waiting", "accepted", "tentative", "declined", "delegated")


@dataclass(frozen=True, slots=True)
class Invitee:
    """A person to be invited. `email` keeps its case; people are matched by `email_key`."""

    name: str
    email: str
    city: str
    language: str
    role: str = "required"

    @property
    def email_key(self) -> str:
        return email_key(self.email)


def as_invitee(person: Person) -> Invitee:
    return Invitee(person.name, person.email, person.city, person.language)


@dataclass(frozen=True, slots=True)
class Invitation:
    """One person's invitation to one meeting. Sequences are in terms of this person's copy."""

    id: str
    invitee: Invitee
    seed: bytes = b""  # random; the address token and the link token are derived from it
    lead: int = 0
    reset_sequence: int = 0  # answers to an older SEQUENCE are history
    last_dtstamp: datetime | None = None
    removed_at: datetime | None = None
    status: str = "waiting"
    comment: str = ""
    answered_at: datetime | None = None
    channel: str = ""  # mail, link, telephone; empty while waiting
    answered_by: str = ""
    aliases: frozenset[str] = frozenset()  # email keys confirmed as the same person
    link_hash: str = field(default="", compare=False)  # as stored: tells which key its tokens come from; empty: new

    @property
    def is_chair(self) -> bool:
        return self.invitee.role == CHAIR

    @property
    def is_active(self) -> bool:
        return self.removed_at is None

    def is_called(self, email: str) -> bool:
        key = email_key(email)
        return key == self.invitee.email_key or key in self.aliases


@dataclass(frozen=True, slots=True)
class Meeting:
    """One cooperation meeting by video. Half-open interval [start, end) in UTC, defined by `wall` in `zone`."""

    id: int
    uid: str
    status: str  # confirmed, cancelled (proposed: not yet)
    title: Wording
    field: str
    host: str
    cities: tuple[str, ...]  # host first
    zone: str  # of the city of record
    wall: datetime  # naive, on the clock of `zone`
    start: datetime
    duration_minutes: int
    tz_version: str
    owner_id: int  # the coordinator who gets the notices
    created_at: datetime
    changed_at: datetime
    topic: str = ""
    objective: str = ""
    agenda: Wording = NOTHING
    video_url: str = ""
    room: str = ""
    confidential: bool = False
    sequence: int = 0
    version: int = 1  # counts edits, for lost-update checks
    cancelled_at: datetime | None = None
    cancel_reason: str = ""
    known: str = ""  # clocks and closed days as they were when its time was last decided; `laws` reads it
    invitations: tuple[Invitation, ...] = ()

    def invitation_called(self, email: str) -> Invitation | None:
        """The active invitation of the person with this address; an alias counts where nobody has it as their own."""
        key = email_key(email)
        active = [i for i in self.invitations if i.is_active]
        own = (i for i in active if i.invitee.email_key == key)
        return next(own, None) or next((i for i in active if key in i.aliases), None)

    @property
    def end(self) -> datetime:
        return self.start + timedelta(minutes=self.duration_minutes)

    @property
    def people(self) -> tuple[Invitation, ...]:
        """Invitations that count: neither removed nor the chair's own copy."""
        return tuple(i for i in self.invitations if i.is_active and not i.is_chair)

    def copy_sequence(self, invitation: Invitation) -> int:
        return self.sequence + invitation.lead

    def status_at(self, now: datetime) -> str:
        """confirmed, cancelled, or held once a confirmed meeting has ended."""
        return "held" if self.status == "confirmed" and self.end <= now else self.status


@dataclass(frozen=True, slots=True)
class Draft:
    """A meeting as somebody wants it, before it was checked; also the form of every edit: change the draft of what is.

    The time is `start` (an instant), or `wall` (naive) on the clock of `zone`; `zone` is that of a participating city
    and names the city of record, by default the host.
    """

    title: Wording
    field: str
    host: str
    cities: tuple[str, ...]
    duration_minutes: int
    people: tuple[Invitee, ...] = ()
    start: datetime | None = None
    wall: datetime | None = None
    zone: str = ""
    topic: str = ""
    objective: str = ""
    agenda: Wording = NOTHING
    video_url: str = ""
    room: str = ""
    confidential: bool = False


def draft_of(meeting: Meeting) -> Draft:
    return Draft(
        title=meeting.title,
        field=meeting.field,
        host=meeting.host,
        cities=meeting.cities,
        duration_minutes=meeting.duration_minutes,
        people=tuple(i.invitee for i in meeting.people),
        wall=meeting.wall,
        zone=meeting.zone,
        topic=meeting.topic,
        objective=meeting.objective,
        agenda=meeting.agenda,
        video_url=meeting.video_url,
        room=meeting.room,
        confidential=meeting.confidential,
    )


class Occasion(StrEnum):
    """Why a mail goes to an invitee; also the name of its folder in templates/mail."""

    INVITATION = "invitation"  # first mail: REQUEST
    MOVED = "moved"  # time or length changed: REQUEST, answer again
    CHANGED = "changed"  # link, room, text: REQUEST, answers kept
    RESENT = "resent"  # on demand: REQUEST, same version
    CANCELLED = "cancelled"  # the meeting: CANCEL
    REMOVED = "removed"  # this person: CANCEL


@dataclass(frozen=True, slots=True)
class Message:
    """An iTIP message for one invitee, about `meeting` as it is after the decision.

    `dtstamp` rises strictly per invitation. `previous` is the meeting before the change (for "was ..., is now ...").
    """

    occasion: Occasion
    meeting: Meeting
    invitation: Invitation
    dtstamp: datetime
    previous: Meeting | None = None

    @property
    def method(self) -> str:
        return "CANCEL" if self.occasion in (Occasion.CANCELLED, Occasion.REMOVED) else "REQUEST"

    @property
    def sequence(self) -> int:
        return self.meeting.copy_sequence(self.invitation)


@dataclass(frozen=True, slots=True)
class Notice:
    """Word to the meeting's coordinator. `kind`: answered, review, refused, bounced, stale. `invitation` names who."""

    kind: str
    meeting: Meeting
    invitation: Invitation | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    meeting: Meeting
    messages: tuple[Message, ...] = ()
    notices: tuple[Notice, ...] = ()
