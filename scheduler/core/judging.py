"""What an organizer does with a calendar that came by mail (RFC 5546 3.2, RFC 6047 2.2).

`judge` takes the calendar as read, the meeting its UID names, and what is known of the sender, and returns a
`Judgement`: one of the outcomes that people and scripts see, with the answer to record if there is one. It changes
nothing. The token in the receiving address says who answers; a From header is believed only when our own mail server
vouches for it. What cannot be decided goes to a person, and a mail never moves a meeting.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from scheduler.core.itip import (
    CLOCK_TOLERANCE,
    PARTSTATS,
    Answer,
    AttendeeLine,
    InboundCalendar,
    InboundEvent,
    standing,
)
from scheduler.core.meeting import Invitation, Meeting
from scheduler.core.words import clean_line, clean_text, email_key

COMMENT_LIMIT = 2000
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
ORGANIZERS_OWN = frozenset({"REQUEST", "CANCEL", "ADD", "PUBLISH", "DECLINECOUNTER"})


@dataclass(frozen=True, slots=True)
class Origin:
    """What is known of where a mail came from. `holder` is the invitation whose token address received it.

    `sender` is the one address of the one From header, or empty; `vouched` that our own server's DMARC check passed.
    `received` is when our mail server got it.
    """

    sender: str
    vouched: bool
    received: datetime
    holder: Invitation | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """An answer that a person must allow first: for whom (an invitation, if known), from which address."""

    email: str
    name: str
    answer: Answer
    invitation_id: str | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """`outcome` is one of the words that people and scripts see; `reason` is one line for the curious.

    `answer` is recorded in the history, standing or not. `send_again`: that person gets the present state once more.
    """

    outcome: str
    reason: str = ""
    invitation: Invitation | None = None
    answer: Answer | None = None
    claim: Claim | None = None
    send_again: bool = False
    stale: bool = False  # the answer was to an earlier time of the meeting

    @property
    def waits(self) -> bool:
        return self.outcome in WAITING


WAITING = frozenset({"pending-approval-uninvited", "held-sender-mismatch", "human-review", "quarantined-malformed"})


def single_event(calendar: InboundCalendar) -> InboundEvent | Judgement:
    """The one VEVENT that a calendar is about, or why there is none.

    Clients add the moved instances of a series, with everybody's line as NEEDS-ACTION and an old DTSTAMP; beside a
    main VEVENT those say nothing about a single meeting.
    """
    uids = {event.uid for event in calendar.events}
    if not uids or "" in uids:
        return Judgement("quarantined-malformed", "no UID")
    if len(uids) > 1:
        return Judgement("quarantined-malformed", "several UIDs")
    main = [event for event in calendar.events if event.recurrence_id is None]
    if len(main) > 1:
        return Judgement("human-review", "several events in one calendar")
    return main[0] if main else calendar.events[0]


def judge(
    method: str,
    event: InboundEvent,
    meeting: Meeting | None,
    origin: Origin,
    sequence_then: int | None,
    answers: Sequence[Answer],
) -> Judgement:
    """The outcome for one event of `method`.

    `sequence_then`: SEQUENCE of the newest mail that the answering person had at the event's DTSTAMP, for answers
    without one. `answers`: all earlier answers of that person. See `respondent` for who that is.
    """
    if meeting is None:
        return Judgement("rejected-unknown-uid", "no meeting has this UID")
    if method in ORGANIZERS_OWN:
        return Judgement("rejected-not-organizer", f"METHOD:{method} is the organizer's")
    if method == "REFRESH":
        return _refresh(meeting, origin)
    if method != "REPLY":
        return Judgement("human-review", f"METHOD:{method or 'missing'}", origin.holder)
    if event.recurrence_id is not None:
        return Judgement("rejected-unknown-instance", "the meeting has no such instance", origin.holder)
    found = respondent(event, meeting, origin)
    if isinstance(found, Judgement):
        return _with_claim(found, event, meeting, origin)
    invitation, line = found
    return _reply(event, meeting, invitation, line, origin, sequence_then, answers)


def respondent(event: InboundEvent, meeting: Meeting, origin: Origin) -> tuple[Invitation, AttendeeLine] | Judgement:
    """Who answers: the token's holder if among the ATTENDEEs, else a vouched-for sender who is; else why nobody."""
    if not event.attendees:
        return Judgement("human-review", "no ATTENDEE", origin.holder)
    holder = origin.holder
    if holder is not None:
        lines = [line for line in event.attendees if holder.is_called(line.email)]
        if not lines:
            return _somebody_else(event, meeting, holder)
    else:
        lines = [
            line for line in event.attendees if origin.sender and email_key(line.email) == email_key(origin.sender)
        ]
        if not lines or not origin.vouched:
            return Judgement("held-sender-mismatch", "the sender is not proved to be the one who answers")
        holder = meeting.invitation_called(lines[0].email) or _removed(meeting, lines[0].email)
        if holder is None:
            return Judgement("pending-approval-uninvited", "not invited")
    if len({line.partstat for line in lines}) > 1:
        return Judgement("human-review", "two different answers in one mail", holder)
    return holder, lines[0]


def _removed(meeting: Meeting, email: str) -> Invitation | None:
    return next((i for i in meeting.invitations if not i.is_active and i.is_called(email)), None)


def _somebody_else(event: InboundEvent, meeting: Meeting, holder: Invitation) -> Judgement:
    invited = [i for line in event.attendees for i in meeting.invitations if i.is_called(line.email)]
    if invited or len(event.attendees) > 1:
        return Judgement("human-review", "answered for another person than the one invited at this address", holder)
    return Judgement("pending-approval-uninvited", "another address answers this invitation", holder)


def _with_claim(judgement: Judgement, event: InboundEvent, meeting: Meeting, origin: Origin) -> Judgement:
    """The judgement with the answer that a person may allow, where there is exactly one."""
    if judgement.outcome not in ("pending-approval-uninvited", "held-sender-mismatch") or len(event.attendees) != 1:
        return judgement
    line = event.attendees[0]
    status = PARTSTATS.get(line.partstat)
    if status is None:
        return Judgement("human-review", f"PARTSTAT={line.partstat or 'missing'}", judgement.invitation)
    named = meeting.invitation_called(line.email)
    invitation = judgement.invitation or named
    sequence = meeting.copy_sequence(invitation) if invitation else meeting.sequence
    given = event.sequence if event.sequence is not None else sequence
    answer = _answer(event, line, status, min(given, sequence), origin, by=line.email)
    claim = Claim(line.email, clean_line(line.name)[:100], answer, invitation.id if invitation else None)
    return Judgement(judgement.outcome, judgement.reason, judgement.invitation, claim=claim)


def _refresh(meeting: Meeting, origin: Origin) -> Judgement:
    holder = origin.holder
    if holder is None and origin.vouched:
        holder = meeting.invitation_called(origin.sender)
    if holder is None:
        return Judgement("rejected-not-invited", "a stranger asked for the present state")
    if not holder.is_active:
        return Judgement("rejected-not-invited", "no longer invited", holder, send_again=True)
    return Judgement("refresh-sent", "", holder, send_again=True)


def waiting_for_the_law(judgement: Judgement) -> Judgement:
    """The judgement while a change of law about the meeting is undecided: its present state must not be told yet, and
    whoever asked for it is for a person. The removed are told as ever that they are."""
    if judgement.invitation and not judgement.invitation.is_active:
        return judgement
    if judgement.outcome == "refresh-sent":
        return Judgement("human-review", "a change of law is undecided", judgement.invitation)
    return replace(judgement, send_again=False)


def _reply(
    event: InboundEvent,
    meeting: Meeting,
    invitation: Invitation,
    line: AttendeeLine,
    origin: Origin,
    sequence_then: int | None,
    answers: Sequence[Answer],
) -> Judgement:
    if not invitation.is_active:
        return Judgement("rejected-not-invited", "no longer invited", invitation, send_again=True)
    if meeting.status == "cancelled":
        return Judgement("ignored-cancelled", "the meeting is cancelled", invitation, send_again=True)
    if invitation.is_chair:
        return Judgement("human-review", "the copy of the host's coordinator was answered", invitation)
    status = PARTSTATS.get(line.partstat)
    if line.partstat == "NEEDS-ACTION":
        return Judgement("ignored-duplicate", "NEEDS-ACTION is no answer", invitation)
    if status is None:
        return Judgement("human-review", f"PARTSTAT={line.partstat or 'missing'}", invitation)
    ours = meeting.copy_sequence(invitation)
    # Without SEQUENCE the answer belongs to the mail they had; if none had left, to none that counts.
    given = event.sequence if event.sequence is not None else sequence_then
    if given is None:
        given = invitation.reset_sequence - 1
    by = origin.sender if origin.sender and not invitation.is_called(origin.sender) else ""
    answer = _answer(event, line, status, min(given, ours), origin, by)
    return _weigh(invitation, answer, answers)


def _weigh(invitation: Invitation, answer: Answer, answers: Sequence[Answer]) -> Judgement:
    """Whether the answer stands, against all earlier ones of the person."""
    if answer.digest in {earlier.digest for earlier in answers}:
        return Judgement("ignored-duplicate", "this answer is known", invitation)
    if answer.sequence < invitation.reset_sequence:
        reason = "the answer is to an earlier time of the meeting"
        return Judgement("ignored-stale", reason, invitation, answer, send_again=True, stale=True)
    if standing([*answers, answer], invitation.reset_sequence) != answer:
        return Judgement("ignored-stale", "a newer answer of this person is known", invitation, answer)
    outcome = "delegated-recorded" if answer.status == "delegated" else answer.status
    return Judgement(outcome, "", invitation, answer)


def _answer(event: InboundEvent, line: AttendeeLine, status: str, sequence: int, origin: Origin, by: str) -> Answer:
    comment = clean_text(event.comment or line.comment)
    if line.delegated_to:
        comment = "\n".join(filter(None, [comment, "-> " + ", ".join(clean_line(a) for a in line.delegated_to)]))
    # DTSTAMP is the sender's claim: none from the far future or past may travel on, it would break every calendar.
    claimed = max(event.dtstamp or origin.received, LONG_AGO)
    return Answer(
        sequence=sequence,
        dtstamp=min(claimed, origin.received + CLOCK_TOLERANCE),
        received=origin.received,
        status=status,
        comment=comment[:COMMENT_LIMIT],
        channel="mail",
        by=by,
    )
