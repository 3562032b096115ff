"""From a decision to stored bytes: loads a meeting, renders what the decision tells, saves both in one transaction.

Mail is rendered before the writing transaction opens, so that the lock is held for milliseconds; inside it the meeting
is read again, and if anybody changed it in between nothing is written and the whole step is done anew.

A mail tells a person what is new to them, which is not always what is new. A newer mail supersedes older ones that
have not left yet, so each message is told against the last mail that perhaps reached its receiver: whoever never got
one is invited, whoever missed a move hears of it with the next change, and the removed hear nothing that is new.

After a change of law a mail would tell the clocks of now, which nobody has approved. Until somebody has, only
cancellations go out, with the clocks that people know, and the copy of the coordinator, who is to decide.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from scheduler import entries as calendar
from scheduler.core import laws
from scheduler.core.cities import Directory, Person
from scheduler.core.errors import Conflict, NotFound
from scheduler.core.meeting import Decision, Meeting, Message, Notice, Occasion
from scheduler.db import directory as cities
from scheduler.db import feeds, meetings, outbox, told
from scheduler.db.engine import Connection
from scheduler.db.outbox import Entry, Left
from scheduler.desk import Desk
from scheduler.mail import compose

Result = TypeVar("Result")
Also = Callable[[Connection], None]
ATTEMPTS = 20


@dataclass(frozen=True, slots=True)
class Loaded:
    """A meeting with what is needed to decide and to write mail about it. `left`: what its people have received."""

    meeting: Meeting
    directory: Directory
    owner: Person
    left: Mapping[str, Left] = field(default_factory=dict)


def load(db: Connection, meeting_id: int) -> Loaded:
    meeting = meetings.load(db, meeting_id)
    if meeting is None:
        raise NotFound
    return loaded(db, meeting)


def loaded(db: Connection, meeting: Meeting) -> Loaded:
    owner = cities.person(db, meeting.owner_id)
    assert owner is not None, "a meeting's owner is a foreign key"
    return Loaded(meeting, cities.load(db), owner, outbox.left(db, meeting.id))


def retrying(step: Callable[[], Result]) -> Result:
    """`step`, done anew as long as somebody else changes the meeting under it."""
    for _ in range(ATTEMPTS):
        try:
            return step()
        except meetings.Overtaken:
            continue
    raise Conflict("too-busy")


def save(desk: Desk, before: Loaded, decision: Decision, also: Also | None = None) -> Meeting:
    """Saves the changed meeting and its mail, and whatever `also` writes, or nothing.

    Raises Overtaken, and Conflict when the mail would tell of a change of law that nobody has decided about.
    """
    now = desk.now()
    if _tells_clocks(decision) and laws.clocks_wait(decision.meeting, before.directory, now):
        raise Conflict("law-undecided")
    entries = _render(desk, before, decision)
    shown = calendar.change(desk, before.directory, decision.meeting, before.meeting)
    with desk.store.write() as db, meetings.taking(decision.meeting.room):
        if decision.messages and outbox.left(db, before.meeting.id) != before.left:
            raise meetings.Overtaken  # a mail left in between: they know more than was thought
        meetings.save(db, decision.meeting, before.meeting, before.directory, desk.token_hashes)
        outbox.add(db, entries, now)
        if also:
            also(db)
        calendar.save(db, shown, now)
    return decision.meeting


def _tells_clocks(decision: Decision) -> bool:
    return any(m.method == "REQUEST" and not m.invitation.is_chair for m in decision.messages)


def save_new(desk: Desk, before: Loaded, decision: Decision, also: Callable[[Connection, Meeting], None]) -> Meeting:
    """Saves a new meeting and its mail, and whatever `also` writes, or nothing."""
    meeting, directory, rows = decision.meeting, before.directory, desk.store.rows()
    meetings.add(rows, meeting, directory, desk.token_hashes)
    calendar.add(rows, desk, directory, meeting)
    entries = _render(desk, before, decision)
    now = desk.now()
    outbox.add_first(rows, entries, now)

    def first(db: Connection) -> None:
        rows.write(db)
        feeds.stamp(db, meeting.cities, now)

    with meetings.taking(meeting.room), desk.store.write(first) as db:
        also(db, meeting)
    return meeting


def _render(desk: Desk, before: Loaded, decision: Decision) -> list[Entry]:
    entries = []
    for message in decision.messages:
        left = before.left.get(message.invitation.id)
        entries.append(_invitation_entry(desk, before, _as_news(message, left), left))
    return entries + [_notice_entry(desk, before, notice) for notice in decision.notices]


def _as_news(message: Message, left: Left | None) -> Message:
    """The message as news to a person who last received `left`."""
    known = _known(message, left) if left else None
    if message.method == "CANCEL":
        # What they know is what they lose. A mail may be on its way at this moment, so a CANCEL goes out in any case.
        was = known or (message.previous if message.occasion is Occasion.REMOVED else None) or message.meeting
        return replace(message, meeting=_versioned(was, message.meeting), previous=None)
    if known is None:
        return replace(message, occasion=Occasion.INVITATION, previous=None)
    if message.occasion is Occasion.INVITATION:
        return replace(message, previous=None)
    if _told_time(known) != _told_time(message.meeting) or not laws.show_the_same(known, message.meeting):
        return replace(message, occasion=Occasion.MOVED, previous=known)
    if replace(known, known=message.meeting.known) != message.meeting or message.occasion is Occasion.MOVED:
        return replace(message, occasion=Occasion.CHANGED, previous=known)
    return replace(message, previous=known)


def _known(message: Message, left: Left) -> Meeting:
    """The meeting as the receiver of `left` knows it."""
    known = told.as_told(left.told, message.meeting, message.invitation)
    previous = message.previous
    if previous and not known.known and known.start == previous.start:
        return replace(known, known=previous.known)
    return known


def _told_time(meeting: Meeting) -> tuple[object, ...]:
    return meeting.start, meeting.duration_minutes


def _versioned(was: Meeting, now: Meeting) -> Meeting:
    """The meeting as it was, under the version and the status that it has now."""
    return replace(
        was, sequence=now.sequence, status=now.status, changed_at=now.changed_at, cancel_reason=now.cancel_reason
    )


def _invitation_entry(desk: Desk, before: Loaded, message: Message, left: Left | None) -> Entry:
    invitation = message.invitation
    thread = (left.first_message_id, left.message_id) if left else ("", "")
    addressed = replace(desk.addressed(invitation), thread=thread)
    mail = compose.invitation_mail(
        message, before.directory, desk.sender, addressed, desk.new_message_id(), secrets.token_hex(12)
    )
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
        told=told.to_json(message.meeting, invitation),
        recipient_key="" if invitation.is_chair else invitation.invitee.email_key,
    )


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
