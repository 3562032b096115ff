"""What a machine must not decide alone: held answers, strangers, mail that it cannot read. A person decides, once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from scheduler import limits, rights
from scheduler.core import decisions, drafts
from scheduler.core.cities import Person
from scheduler.core.errors import Conflict, Fault, Invalid, MeetingCancelled, NotFound
from scheduler.core.judging import Claim
from scheduler.core.meeting import Invitation, Invitee, Meeting, as_invitee
from scheduler.db import inbox, meetings
from scheduler.db.engine import Connection
from scheduler.desk import Desk
from scheduler.outgoing import Loaded, loaded, retrying, save


def _of_stranger(claim: Claim | None) -> tuple[str, ...]:
    if claim is None:
        return ("no",)
    return ("same-person", "invite", "no") if claim.invitation_id else ("invite", "no")


_DECISIONS: dict[str, Callable[[inbox.Waiting], tuple[str, ...]]] = {
    "pending-approval-uninvited": lambda w: _of_stranger(w.claim),
    "held-sender-mismatch": lambda w: ("apply", "no") if w.claim and w.claim.invitation_id else ("no",),
    "human-review": lambda w: ("done",),
    "quarantined-malformed": lambda w: ("done",),
}


@dataclass(frozen=True, slots=True)
class Review:
    """A message that waits for a person. `status` is the answer it would record, if any, from `email`."""

    id: int
    outcome: str
    reason: str
    received_at: datetime
    sender: str
    subject: str
    text: str
    meeting: Meeting | None
    invitation: Invitation | None
    decisions: tuple[str, ...]
    status: str = ""
    email: str = ""


def reviews(desk: Desk, actor: Person | None) -> list[Review]:
    """What waits for this person: of meetings that their city hosts; an operator sees everything."""
    with desk.store.read() as db:
        mine = None if rights.is_operator(actor) else (actor.city,) if actor else ()
        return [_review(db, waiting) for waiting in inbox.waiting(db, mine)]


def decide(desk: Desk, actor: Person | None, review_id: int, decision: str) -> None:
    """Carries out a person's decision, once. Raises NotFound, Forbidden, Invalid, Conflict."""

    def step() -> None:
        with desk.store.read() as db:
            waiting = inbox.one(db, review_id)
            meeting = meetings.load(db, waiting.meeting_id) if waiting and waiting.meeting_id else None
            before = loaded(db, meeting) if meeting else None
        if waiting is None or not waiting.waits or not (meeting or rights.is_operator(actor)):
            raise NotFound
        if meeting:
            rights.must_edit(actor, rights.must_read(actor, meeting))
        if decision not in _DECISIONS[waiting.outcome](waiting):
            raise Invalid(Fault("/decision", "unknown-decision", {"decision": decision[:50]}))
        _carry_out(desk, actor, waiting, before, decision)

    retrying(step)


def _review(db: Connection, waiting: inbox.Waiting) -> Review:
    meeting = meetings.load(db, waiting.meeting_id) if waiting.meeting_id else None
    invitation = next((i for i in meeting.invitations if i.id == waiting.invitation_id), None) if meeting else None
    return Review(
        waiting.id,
        waiting.outcome,
        waiting.reason,
        waiting.letter.received or waiting.recorded_at,
        waiting.letter.sender,
        waiting.letter.subject,
        waiting.letter.text,
        meeting,
        invitation,
        _DECISIONS[waiting.outcome](waiting),
        waiting.claim.answer.status if waiting.claim else "",
        waiting.claim.email if waiting.claim else "",
    )


def _carry_out(desk: Desk, actor: Person | None, waiting: inbox.Waiting, before: Loaded | None, decision: str) -> None:
    def close(db: Connection) -> None:
        if not inbox.decide(db, waiting.id, decision, actor.id if actor else None, desk.now()):
            raise Conflict("already-decided")

    claim = waiting.claim
    if before is None or claim is None or decision in ("no", "done"):
        with desk.store.write() as db:
            close(db)
    elif decision == "invite":
        _invite(desk, before, claim, close)
    else:
        _allow(desk, before, claim, decision == "same-person", close)


def _invite(desk: Desk, before: Loaded, claim: Claim, close: Callable[[Connection], None]) -> None:
    """Invites the person who answered unasked; their city and language are those of whom they answered for."""
    meeting = before.meeting
    like = next((i for i in meeting.invitations if i.id == claim.invitation_id), None)
    host = before.directory.cities[meeting.host]
    city, language = (like.invitee.city, like.invitee.language) if like else (host.slug, host.language)
    person = Invitee(claim.name or claim.email.partition("@")[0], claim.email, city, language, "optional")
    faults = [*drafts.name_faults(person.name), *drafts.email_faults(person.email, desk.settings.mail.from_address)]
    if faults:
        raise Invalid(*(Fault(f"/{key}", fault, values) for key, fault, values in faults))
    if meeting.invitation_called(person.email):
        raise Conflict("already-invited", email=person.email)
    if len(meeting.people) >= desk.settings.limits.people_per_meeting:
        raise Invalid(Fault("/people", "too-many-people", {"limit": desk.settings.limits.people_per_meeting}))
    decision = decisions.invite_too(
        meeting, person, now=desk.now(), chair=as_invitee(before.owner), invite=desk.new_invitation
    )

    def also(db: Connection) -> None:
        close(db)
        limits.check_recipients(db, desk, decision.messages)

    save(desk, before, decision, also)


def _allow(desk: Desk, before: Loaded, claim: Claim, remember: bool, close: Callable[[Connection], None]) -> None:
    """Records the held answer for the invited person; `remember`: the address is theirs from now on."""
    invitation = decisions.invitation_of(before.meeting, claim.invitation_id or "")
    if before.meeting.status == "cancelled":
        raise MeetingCancelled
    if not invitation.is_active:
        raise Conflict("not-invited", email=invitation.invitee.email)
    with desk.store.read() as db:
        answers = meetings.answers(db, invitation.id)
    known = claim.answer.digest in {a.digest for a in answers}
    decision = decisions.answered(before.meeting, invitation.id, [*answers, claim.answer])
    counts = decision.meeting != before.meeting

    def note(db: Connection) -> None:
        close(db)
        if remember:
            meetings.add_alias(db, invitation.id, claim.email)
        if not known:
            outcome = claim.answer.status if counts else "ignored-stale"
            meetings.add_answer(db, invitation.id, claim.answer, outcome, desk.now())

    save(desk, before, decision, note)
