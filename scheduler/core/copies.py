"""Each person's copy of a meeting after a decision: which invitations there are, and who is told what of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from scheduler.core.meeting import CHAIR, Decision, Invitation, Invitee, Meeting, Message, Occasion

NewInvitation = Callable[[Invitee], Invitation]  # gives a new invitation its id and its seed
Told = list[tuple[Occasion, Invitation]]


def people_after(
    meeting: Meeting, wanted: tuple[Invitee, ...], occasion: Occasion | None, now: datetime, invite: NewInvitation
) -> tuple[tuple[Invitation, ...], Told]:
    """The invitations after an edit and who is told what. `occasion`: what everybody who stays is told, if anything."""
    left = {person.email_key: person for person in wanted}
    invitations: list[Invitation] = []
    told: Told = []
    for before in meeting.invitations:
        person = left.pop(before.invitee.email_key, None)
        after, news = _same_person(meeting, before, person, occasion, now)
        invitations.append(after)
        if news:
            told.append((news, after))
    for person in left.values():
        new = replace(fresh(invite(person)), reset_sequence=meeting.sequence)
        invitations.append(new)
        told.append((Occasion.INVITATION, new))
    return tuple(invitations), told


def _same_person(
    meeting: Meeting, before: Invitation, person: Invitee | None, occasion: Occasion | None, now: datetime
) -> tuple[Invitation, Occasion | None]:
    """One invitation after an edit, and what its owner is told."""
    if person is None and before.is_active:
        # The lead rises, so that this CANCEL outranks every REQUEST they had (RFC 5546 3.2.5).
        return replace(before, removed_at=now, lead=before.lead + 1), Occasion.REMOVED
    if person is not None and (not before.is_active or (before.is_chair and person.role != CHAIR)):
        # The lead rises here too: some programs ignore a REQUEST whose SEQUENCE is only that of the CANCEL before it.
        again = replace(before, invitee=person, lead=before.lead + (not before.is_active))
        return replace(fresh(again), reset_sequence=meeting.sequence + again.lead), Occasion.INVITATION
    if not before.is_active:
        return before, None
    after = replace(before, invitee=person) if person is not None else before
    if after.is_chair and not before.is_chair:
        after = fresh(after)
    if occasion is Occasion.MOVED and not after.is_chair:
        after = replace(fresh(after), reset_sequence=meeting.sequence + after.lead)
    return after, occasion or (Occasion.CHANGED if after.invitee != before.invitee else None)


def fresh(invitation: Invitation) -> Invitation:
    """The invitation as one that waits for an answer (the chair's does not)."""
    status = "accepted" if invitation.is_chair else "waiting"
    return replace(invitation, status=status, comment="", answered_at=None, channel="", answered_by="", removed_at=None)


def tell(
    meeting: Meeting, told: Iterable[tuple[Occasion, Invitation]], now: datetime, previous: Meeting | None = None
) -> Decision:
    """The decision that sends these messages, with a DTSTAMP that rises strictly per person (RFC 5545 3.8.7.2)."""
    chosen = [(occasion, replace(i, last_dtstamp=_next_dtstamp(i, now))) for occasion, i in told]
    invitations = meeting.invitations
    for _, invitation in chosen:
        invitations = with_changed(invitations, invitation)
    after = replace(meeting, invitations=invitations)
    messages = tuple(
        Message(occasion, after, invitation, invitation.last_dtstamp or now, previous)
        for occasion, invitation in chosen
    )
    return Decision(after, messages)


def _next_dtstamp(invitation: Invitation, now: datetime) -> datetime:
    second = now.replace(microsecond=0)
    return max(second, invitation.last_dtstamp + timedelta(seconds=1)) if invitation.last_dtstamp else second


def with_changed(invitations: tuple[Invitation, ...], changed: Invitation) -> tuple[Invitation, ...]:
    return tuple(changed if i.id == changed.id else i for i in invitations)
