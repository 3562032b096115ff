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

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from scheduler.core import laws, zones
from scheduler.core.copies import NewInvitation, fresh, people_after, tell, with_changed
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
    Notice,
    Occasion,
    draft_of,
)


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
    meeting = replace(meeting, invitations=tuple(fresh(invite(person)) for person in wanted))
    return tell(meeting, ((Occasion.INVITATION, i) for i in meeting.invitations), now)


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
    if checked.start == meeting.start:
        after = replace(after, tz_version=meeting.tz_version, known=_still_known(meeting, checked))
    if moved or placed:
        after = replace(after, sequence=meeting.sequence + 1)
    occasion = Occasion.MOVED if moved else Occasion.CHANGED if placed or worded else None
    wanted = _with_chair(checked.draft.people, chair)
    invitations, told = people_after(after, wanted, occasion, now, invite)
    after = replace(after, invitations=invitations)
    if not told and after == replace(meeting, changed_at=now):
        return Decision(meeting)
    return tell(replace(after, version=meeting.version + 1), told, now, previous=meeting)


def _still_known(meeting: Meeting, checked: Checked) -> str:
    """What is known of a meeting whose start stays; a change of law that nobody decided about is not forgotten."""
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
    invitations, told = people_after(after, staying, Occasion.MOVED, now, _nobody_new)
    return tell(replace(after, invitations=invitations), told, now, previous=meeting)


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
    invitations, told = people_after(after, _with_chair(staying, chair), None, now, invite)
    return tell(replace(after, invitations=invitations, changed_at=now), told, now, previous=meeting)


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
    return tell(after, ((Occasion.CANCELLED, i) for i in active), now, previous=meeting)


def resend(meeting: Meeting, invitation_id: str, *, now: datetime) -> Decision:
    """One person's mail again, as things stand: REQUEST, or CANCEL for the removed and for a cancelled meeting."""
    invitation = invitation_of(meeting, invitation_id)
    occasion = Occasion.RESENT
    if not invitation.is_active:
        occasion = Occasion.REMOVED
    elif meeting.status == "cancelled":
        occasion = Occasion.CANCELLED
    return tell(meeting, [(occasion, invitation)], now)


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
    changed = replace(meeting, invitations=with_changed(meeting.invitations, after))
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
