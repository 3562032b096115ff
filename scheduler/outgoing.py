"""From a decision to stored bytes: loads a meeting, renders what the decision tells, saves both in one transaction.

Mail is rendered before the writing transaction opens, so that the lock is held for milliseconds; inside it the meeting
is read again, and if anybody changed it in between nothing is written and the whole step is done anew.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from scheduler.core.cities import Directory, Person
from scheduler.core.errors import Conflict, NotFound
from scheduler.core.meeting import Decision, Meeting, Message, Notice, Occasion
from scheduler.db import directory as cities
from scheduler.db import meetings, outbox
from scheduler.db.engine import Connection
from scheduler.db.outbox import Entry
from scheduler.desk import Desk
from scheduler.mail import compose

Result = TypeVar("Result")
Also = Callable[[Connection], None]
ATTEMPTS = 20


@dataclass(frozen=True, slots=True)
class Loaded:
    """A meeting with what is needed to decide and to write mail about it. `tried`: invitations that got some mail."""

    meeting: Meeting
    directory: Directory
    owner: Person
    tried: set[str] = field(default_factory=set)


def load(db: Connection, meeting_id: int) -> Loaded:
    meeting = meetings.load(db, meeting_id)
    if meeting is None:
        raise NotFound
    return loaded(db, meeting)


def loaded(db: Connection, meeting: Meeting) -> Loaded:
    owner = cities.person(db, meeting.owner_id)
    assert owner is not None, "a meeting's owner is a foreign key"
    return Loaded(meeting, cities.load(db), owner, outbox.ever_tried(db, meeting.id))


def retrying(step: Callable[[], Result]) -> Result:
    """`step`, done anew as long as somebody else changes the meeting under it."""
    for _ in range(ATTEMPTS):
        try:
            return step()
        except meetings.Overtaken:
            continue
    raise Conflict("too-busy")


def save(desk: Desk, before: Loaded, decision: Decision, also: Also | None = None) -> Meeting:
    """Saves the changed meeting and its mail, and whatever `also` writes, or nothing. Raises Overtaken."""
    meeting, entries = _render(desk, before, decision)
    now = desk.now()
    with desk.store.write() as db:
        meetings.save(db, meeting, before.meeting, before.directory, desk.token_hashes)
        outbox.add(db, entries, now)
        if also:
            also(db)
    return meeting


def save_new(desk: Desk, before: Loaded, decision: Decision, also: Callable[[Connection, Meeting], None]) -> Meeting:
    """Saves a new meeting and its mail, and whatever `also` writes, or nothing."""
    meeting, entries = _render(desk, before, decision)
    now = desk.now()
    with desk.store.write() as db:
        meetings.add(db, meeting, before.directory, desk.token_hashes)
        outbox.add(db, entries, now)
        also(db, meeting)
    return meeting


def _render(desk: Desk, before: Loaded, decision: Decision) -> tuple[Meeting, list[Entry]]:
    meeting = decision.meeting
    entries = []
    for message in decision.messages:
        entry = _invitation_entry(desk, before, message)
        entries.append(entry)
        meeting = _remember(meeting, message, entry.message_id)
    entries += [_notice_entry(desk, before, notice) for notice in decision.notices]
    return meeting, entries


def _invitation_entry(desk: Desk, before: Loaded, message: Message) -> Entry:
    invitation = message.invitation
    if message.method == "REQUEST" and invitation.id not in before.tried:
        # Their first mail has not left yet and is superseded by this one: for them it is the invitation.
        message = replace(message, occasion=Occasion.INVITATION, previous=None)
    message_id = desk.new_message_id()
    addressed = desk.addressed(invitation)
    mail = compose.invitation_mail(message, before.directory, desk.sender, addressed, message_id, secrets.token_hex(12))
    return Entry(
        kind=str(message.occasion),
        recipient=mail.recipient,
        envelope_from=mail.envelope_from,
        message_id=mail.message_id,
        content=mail.content,
        meeting_id=message.meeting.id,
        invitation_id=invitation.id,
        sequence=message.sequence,
        dtstamp=message.dtstamp,
    )


def _remember(meeting: Meeting, message: Message, message_id: str) -> Meeting:
    """The meeting, whose invitation knows the mail just written, for the threads of later ones."""
    changed = tuple(
        replace(i, last_message_id=message_id, first_message_id=i.first_message_id or message_id)
        if i.id == message.invitation.id
        else i
        for i in meeting.invitations
    )
    return replace(meeting, invitations=changed)


def _notice_entry(desk: Desk, before: Loaded, notice: Notice) -> Entry:
    owner = before.owner
    city = before.directory.cities[owner.city]
    mail = compose.notice_mail(notice, before.directory, desk.sender, owner, city, desk.new_message_id(), desk.now())
    return Entry(
        kind=f"notice-{notice.kind}",
        recipient=mail.recipient,
        envelope_from=mail.envelope_from,
        message_id=mail.message_id,
        content=mail.content,
        meeting_id=notice.meeting.id,
    )
