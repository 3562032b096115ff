"""Every decision about a meeting: what it becomes, who is told, and what happens to SEQUENCE and to the answers.

A decision function takes the meeting as it is, what is wanted and the time, and returns a `Decision`; it reads no
clock, makes no id and sends nothing. Two states are compared, so an edit that changes nothing tells nobody anything.

    change                        SEQUENCE            answers                 who gets mail
    created                       0                   waiting                 everybody: REQUEST
    time, length, law of time     +1                  waiting again           everybody: REQUEST
    video link, room, zone        +1                  kept                    everybody: REQUEST
    title, agenda, field, cities  same                kept                    everybody: REQUEST
    person added                  same                theirs: waiting         that person: REQUEST
    person added again            +1 for their copy   theirs: waiting         that person: REQUEST
    person's own data             same                kept                    that person: REQUEST
    person removed                +1 for their copy   -                       that person: CANCEL
    resend                        same                kept                    that person: REQUEST or CANCEL
    cancelled                     +1                  kept as history         everybody: CANCEL

(RFC 5546 2.1.4 and 3.2; that a new link raises SEQUENCE but keeps the answers is ours, because a link is part of the
place of a video meeting and some calendar programs ignore an update with an equal SEQUENCE.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from scheduler.core import laws, zones
from scheduler.core.drafts import Checked
from scheduler.core.errors import Conflict, MeetingCancelled, NotFound
from scheduler.core.itip import Answer, standing
from scheduler.core.meeting import (
    CHAIR,
    Decision,
    Draft,
    Invitation,
    Invitee,
    Meeting,
    Message,
    Notice,
    Occasion,
    draft_of,
)

NewInvitation = Callable[[Invitee], Invitation]  # gives a new invitation its id and its seed


def create(
    checked: Checked, *, now: datetime, id: int, uid: str, owner_id: int, chair: Invitee, invite: NewInvitation
) -> Decision:
    """A confirmed meeting; everybody is invited, and the coordinator `chair` gets a copy unless they are invited."""
    draft = checked.draft
    meeting = Meeting(
        id=id,
        uid=uid,
        status="confirmed",
        host=draft.host,
        created_at=now,
        owner_id=owner_id,
        known=checked.known,
        **_drafted(checked, now),
    )
    wanted = _with_chair(draft.people, chair)
    meeting = replace(meeting, invitations=tuple(_fresh(invite(person)) for person in wanted))
    return _tell(meeting, ((Occasion.INVITATION, i) for i in meeting.invitations), now)


def revise(meeting: Meeting, checked: Checked, *, now: datetime, chair: Invitee, invite: NewInvitation) -> Decision:
    """The meeting as `checked` wants it. `chair` is its coordinator, who keeps a copy whether invited or not.

    Raises MeetingCancelled, or Conflict when it is over or changes its host.
    """
    _must_be_open(meeting, now)
    if checked.draft.host != meeting.host:
        raise Conflict("host-not-yours")
    moved = (checked.start, checked.draft.duration_minutes) != (meeting.start, meeting.duration_minutes)
    placed = _place(checked.draft) != _place(draft_of(meeting))
    worded = _words(checked.draft) != _words(draft_of(meeting))
    after = replace(meeting, **_drafted(checked, now), known=checked.known)
    if not moved:
        after = replace(after, tz_version=meeting.tz_version, known=_still_known(meeting, checked))
    if moved or placed:
        after = replace(after, sequence=meeting.sequence + 1)
    occasion = Occasion.MOVED if moved else Occasion.CHANGED if placed or worded else None
    wanted = _with_chair(checked.draft.people, chair)
    invitations, told = _people(after, wanted, occasion, now, invite)
    after = replace(after, invitations=invitations)
    if not told and after == replace(meeting, changed_at=now):
        return Decision(meeting)
    return _tell(replace(after, version=meeting.version + 1), told, now, previous=meeting)


def _still_known(meeting: Meeting, checked: Checked) -> str:
    """What is known of a meeting whose time stays; a change of law that nobody decided about is not forgotten."""
    if checked.draft.cities == meeting.cities or not checked.known:
        return meeting.known
    return laws.with_cities(meeting.known, checked.known)


def under_new_law(meeting: Meeting, start: datetime, wall: datetime, known: str, *, now: datetime) -> Decision:
    """The meeting by the rules of time that `known` tells, at its wall time or at its instant.

    It is a change of time even if the instant stays, because people's clocks show another hour than they were told.
    Raises MeetingCancelled, or Conflict when it is over.
    """
    _must_be_open(meeting, now)
    after = replace(
        meeting,
        start=start,
        wall=wall,
        tz_version=zones.tz_version(),
        known=known,
        sequence=meeting.sequence + 1,
        version=meeting.version + 1,
        changed_at=now,
    )
    staying = tuple(i.invitee for i in meeting.invitations if i.is_active)
    invitations, told = _people(after, staying, Occasion.MOVED, now, _nobody_new)
    return _tell(replace(after, invitations=invitations), told, now, previous=meeting)


def acknowledge(meeting: Meeting, known: str, *, now: datetime) -> Decision:
    """The meeting as it is, on a day that is now known to be closed; nobody is told. Raises as `under_new_law`."""
    _must_be_open(meeting, now)
    return Decision(replace(meeting, known=known))


def _nobody_new(person: Invitee) -> Invitation:
    raise AssertionError("everybody was there before")


def invite_too(meeting: Meeting, person: Invitee, *, now: datetime, chair: Invitee, invite: NewInvitation) -> Decision:
    """The meeting with one person more. Raises as `revise` does."""
    draft = draft_of(meeting)
    wanted = replace(draft, people=(*draft.people, person))
    return revise(meeting, Checked(wanted, meeting.start), now=now, chair=chair, invite=invite)


def hand_over(
    meeting: Meeting, owner_id: int, *, now: datetime, chair: Invitee, left: str, invite: NewInvitation
) -> Decision:
    """The meeting under another coordinator, who gets the copy; whoever left (their address) gets a CANCEL.

    A meeting that is over or cancelled changes its owner only.
    """
    after = replace(meeting, owner_id=owner_id)
    if meeting.status == "cancelled" or meeting.end <= now:
        return Decision(after)
    staying = tuple(i.invitee for i in meeting.people if not i.is_called(left))
    invitations, told = _people(after, _with_chair(staying, chair), None, now, invite)
    return _tell(replace(after, invitations=invitations, changed_at=now), told, now, previous=meeting)


def cancel(meeting: Meeting, reason: str, *, now: datetime) -> Decision:
    """The meeting cancelled; repeated, nothing happens. Raises Conflict when it is over."""
    if meeting.status == "cancelled":
        return Decision(meeting)
    _must_be_open(meeting, now)
    after = replace(
        meeting,
        status="cancelled",
        sequence=meeting.sequence + 1,
        version=meeting.version + 1,
        cancelled_at=now,
        changed_at=now,
        cancel_reason=reason,
    )
    active = (i for i in after.invitations if i.is_active)
    return _tell(after, ((Occasion.CANCELLED, i) for i in active), now, previous=meeting)


def resend(meeting: Meeting, invitation_id: str, *, now: datetime) -> Decision:
    """One person's mail again, as things stand: REQUEST, or CANCEL for the removed and for a cancelled meeting."""
    invitation = invitation_of(meeting, invitation_id)
    occasion = Occasion.RESENT
    if not invitation.is_active:
        occasion = Occasion.REMOVED
    elif meeting.status == "cancelled":
        occasion = Occasion.CANCELLED
    return _tell(meeting, [(occasion, invitation)], now)


def answered(meeting: Meeting, invitation_id: str, answers: Iterable[Answer]) -> Decision:
    """The meeting with that person's standing answer out of all of theirs; a notice if it became another one."""
    before = invitation_of(meeting, invitation_id)
    answer = standing(answers, before.reset_sequence)
    if answer is None:
        return Decision(meeting)
    after = replace(
        before,
        status=answer.status,
        comment=answer.comment,
        answered_at=answer.dtstamp,
        channel=answer.channel,
        answered_by=answer.by,
    )
    changed = replace(meeting, invitations=_with(meeting.invitations, after))
    is_news = (before.status, before.comment) != (after.status, after.comment)
    return Decision(changed, notices=(Notice("answered", changed, after),) if is_news else ())


def invitation_of(meeting: Meeting, invitation_id: str) -> Invitation:
    for invitation in meeting.invitations:
        if invitation.id == invitation_id:
            return invitation
    raise NotFound


def _with_chair(people: tuple[Invitee, ...], chair: Invitee) -> tuple[Invitee, ...]:
    """Everybody who gets mail: the people, and the coordinator unless they are among them."""
    if chair.email_key in {p.email_key for p in people}:
        return people
    return (*people, replace(chair, role=CHAIR))


def _must_be_open(meeting: Meeting, now: datetime) -> None:
    if meeting.status == "cancelled":
        raise MeetingCancelled
    if meeting.end <= now:
        raise Conflict("meeting-past")


def _drafted(checked: Checked, now: datetime) -> dict[str, Any]:
    """The attributes of a meeting that come from its draft."""
    draft = checked.draft
    return {
        "title": draft.title,
        "field": draft.field,
        "topic": draft.topic,
        "objective": draft.objective,
        "agenda": draft.agenda,
        "cities": draft.cities,
        "zone": draft.zone,
        "wall": draft.wall,
        "start": checked.start,
        "duration_minutes": draft.duration_minutes,
        "tz_version": zones.tz_version(),
        "video_url": draft.video_url,
        "room": draft.room,
        "confidential": draft.confidential,
        "changed_at": now,
    }


def _place(draft: Draft) -> tuple[str, str, str]:
    return draft.video_url, draft.room, draft.zone


def _words(draft: Draft) -> tuple[object, ...]:
    return draft.title, draft.agenda, draft.field, draft.topic, draft.cities, draft.confidential


Told = list[tuple[Occasion, Invitation]]


def _people(
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
        new = replace(_fresh(invite(person)), reset_sequence=meeting.sequence)
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
        return replace(_fresh(again), reset_sequence=meeting.sequence + again.lead), Occasion.INVITATION
    if not before.is_active:
        return before, None
    after = replace(before, invitee=person) if person is not None else before
    if after.is_chair and not before.is_chair:
        after = _fresh(after)
    if occasion is Occasion.MOVED and not after.is_chair:
        after = replace(_fresh(after), reset_sequence=meeting.sequence + after.lead)
    return after, occasion or (Occasion.CHANGED if after.invitee != before.invitee else None)


def _fresh(invitation: Invitation) -> Invitation:
    """The invitation as one that waits for an answer (the chair's does not)."""
    status = "accepted" if invitation.is_chair else "waiting"
    return replace(invitation, status=status, comment="", answered_at=None, channel="", answered_by="", removed_at=None)


def _tell(
    meeting: Meeting, told: Iterable[tuple[Occasion, Invitation]], now: datetime, previous: Meeting | None = None
) -> Decision:
    """The decision that sends these messages, with a DTSTAMP that rises strictly per person (RFC 5545 3.8.7.2)."""
    chosen = [(occasion, replace(i, last_dtstamp=_next_dtstamp(i, now))) for occasion, i in told]
    invitations = meeting.invitations
    for _, invitation in chosen:
        invitations = _with(invitations, invitation)
    after = replace(meeting, invitations=invitations)
    messages = tuple(
        Message(occasion, after, invitation, invitation.last_dtstamp or now, previous)
        for occasion, invitation in chosen
    )
    return Decision(after, messages)


def _next_dtstamp(invitation: Invitation, now: datetime) -> datetime:
    second = now.replace(microsecond=0)
    return max(second, invitation.last_dtstamp + timedelta(seconds=1)) if invitation.last_dtstamp else second


def _with(invitations: tuple[Invitation, ...], changed: Invitation) -> tuple[Invitation, ...]:
    return tuple(changed if i.id == changed.id else i for i in invitations)
