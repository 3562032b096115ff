"""Answers that people give here: on the page of their personal link, or to the coordinator at the telephone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from scheduler import rights, tokens
from scheduler.core import decisions
from scheduler.core.cities import Directory, Person
from scheduler.core.errors import Conflict, Fault, Forbidden, Invalid, MeetingCancelled, NotFound
from scheduler.core.itip import Answer
from scheduler.core.judging import COMMENT_LIMIT
from scheduler.core.meeting import Invitation, Meeting
from scheduler.core.words import clean_text
from scheduler.db import directory as cities
from scheduler.db import meetings
from scheduler.db.engine import Connection
from scheduler.desk import Desk
from scheduler.outgoing import Loaded, loaded, retrying, save

ANSWERS = ("accepted", "tentative", "declined")


@dataclass(frozen=True, slots=True)
class Opened:
    """An invitation as its link shows it. `state`: open, cancelled, past; answers are taken while it is open."""

    meeting: Meeting
    invitation: Invitation
    directory: Directory
    answerable: bool
    state: str


def open_invitation(desk: Desk, token: str) -> Opened:
    """Raises NotFound for an unknown token and for a person who was removed."""
    with desk.store.read() as db:
        return _opened(db, token, desk.now())


def answer_by_link(desk: Desk, token: str, status: str, comment: str, sequence: int | None = None) -> Opened:
    """Records the holder's answer. `sequence`: of the meeting as the page showed it.

    Raises NotFound, Invalid, MeetingCancelled, and Conflict when the meeting was moved since, or has begun.
    """
    comment = _checked(status, comment)

    def step() -> Opened:
        now = desk.now()
        with desk.store.read() as db:
            opened = _opened(db, token, now)
            before = loaded(db, opened.meeting)
            answers = meetings.answers(db, opened.invitation.id)
        _must_be_answerable(opened, sequence)
        answer = Answer(opened.meeting.copy_sequence(opened.invitation), now, now, status, comment, "link")
        meeting = _record(desk, before, opened.invitation, answer, answers)
        return replace(opened, meeting=meeting, invitation=decisions.invitation_of(meeting, opened.invitation.id))

    return retrying(step)


def _opened(db: Connection, token: str, now: datetime) -> Opened:
    found = meetings.load_by_token(db, link_hash=tokens.hashed(token))
    if found is None or not found[1].is_active:
        raise NotFound
    meeting, invitation = found
    state = "cancelled" if meeting.status == "cancelled" else "past" if meeting.start <= now else "open"
    answerable = state == "open" and not invitation.is_chair
    return Opened(meeting, invitation, cities.load(db), answerable, state)


def _must_be_answerable(opened: Opened, sequence: int | None) -> None:
    if opened.state == "cancelled":
        raise MeetingCancelled
    if opened.state == "past":
        raise Conflict("meeting-past")
    if not opened.answerable:
        raise Forbidden
    if sequence is not None and sequence < opened.invitation.reset_sequence:
        raise Conflict("meeting-moved")


def _checked(status: str, comment: str) -> str:
    """The comment, cleaned; raises Invalid for an unknown answer or a comment that is too long."""
    comment = clean_text(comment)
    faults = []
    if status not in ANSWERS:
        faults.append(Fault("/answer", "unknown-answer", {"answer": status[:50]}))
    if len(comment) > COMMENT_LIMIT:
        faults.append(Fault("/comment", "too-long", {"limit": COMMENT_LIMIT}))
    if faults:
        raise Invalid(*faults)
    return comment


def answer_by_telephone(
    desk: Desk, actor: Person | None, meeting_id: int, email: str, status: str, comment: str = ""
) -> Meeting:
    """Records what a person told the coordinator. Raises NotFound, Forbidden, Invalid, MeetingCancelled."""
    comment = _checked(status, comment)

    def step() -> Meeting:
        now = desk.now()
        with desk.store.read() as db:
            meeting = rights.must_read(actor, meetings.load(db, meeting_id))
            invitation = meeting.invitation_called(email)
            if invitation is None or invitation.is_chair:
                raise Invalid(Fault("/email", "not-invited", {"email": email[:100]}))
            before = loaded(db, meeting)
            answers = meetings.answers(db, invitation.id)
        if not rights.may_answer_for(actor, meeting, invitation):
            raise Forbidden("answer-not-yours")
        if meeting.status == "cancelled":
            raise MeetingCancelled
        by = actor.name if actor else ""
        answer = Answer(meeting.copy_sequence(invitation), now, now, status, comment, "telephone", by)
        return _record(desk, before, invitation, answer, answers, silent=bool(actor and actor.id == before.owner.id))

    return retrying(step)


def _record(
    desk: Desk, before: Loaded, invitation: Invitation, answer: Answer, answers: list[Answer], silent: bool = False
) -> Meeting:
    """Saves an answer given now. `silent`: who recorded it is the one who would get word of it."""
    standing = max([answer, *(a for a in answers if a.sequence >= invitation.reset_sequence)], key=lambda a: a.key)
    if standing != answer:
        # A mail with a clock that runs ahead must not outrank what a person says now.
        answer = replace(answer, dtstamp=standing.key[1] + timedelta(microseconds=1))
        if answer.received <= standing.received:
            answer = replace(answer, received=standing.received + timedelta(microseconds=1))
    if answer.digest in {a.digest for a in answers}:
        return before.meeting  # pressed twice at the same moment
    decision = decisions.answered(before.meeting, invitation.id, [*answers, answer])
    if silent:
        decision = replace(decision, notices=())

    def note(db: Connection) -> None:
        meetings.add_answer(db, invitation.id, answer, answer.status, desk.now())

    return save(desk, before, decision, note)
