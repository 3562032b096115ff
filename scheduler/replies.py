"""Answers that come by mail.

A received mail is stored raw before anything is made of it, then judged, and what follows from the judgement (the
answer, the word to the coordinator, the present state sent again) is saved in one transaction with the judgement. A
mail that was stored but not judged, because the machine stopped in between, is judged by `judge_stored` later.
"""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from scheduler import tokens
from scheduler.core import decisions, laws
from scheduler.core.errors import SchedulerError
from scheduler.core.itip import CLOCK_TOLERANCE, Answer, InboundCalendar, InboundEvent
from scheduler.core.judging import Judgement, Origin, judge, respondent, single_event, waiting_for_the_law
from scheduler.core.meeting import Decision, Invitation, Meeting, Notice
from scheduler.db import inbox, meetings, outbox
from scheduler.db.engine import Connection
from scheduler.desk import Desk
from scheduler.ics import read as calendar_reader
from scheduler.mail import inbound
from scheduler.outgoing import Loaded, loaded, retrying, save

log = logging.getLogger(__name__)

# One person's program may ask or answer wrongly without end; the present state goes out again once a minute at most.
RESEND_PAUSE = timedelta(minutes=1)
RESENDS = 3  # to one person about one version of the meeting
KEPT_OF_TOO_LARGE = 65_536
LEFT_BEHIND = timedelta(minutes=2)  # whoever stored a mail and still lives has judged it by then
SECONDS_FOR_STORED = 10.0  # then it is time to look for new mail
FLOOD = 100  # mails of one sender in an hour; those beyond are judged when others have been served
TRIES = 3  # of judging it again, after which a mail is set aside: it may be what kills us


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a received mail: `meeting` its id, `person` the address of the invited person it is from."""

    outcome: str
    meeting: int | None = None
    person: str | None = None
    status: str | None = None
    reason: str | None = None


# --- by mail


def receive(desk: Desk, raw: bytes) -> Receipt:
    """Stores and judges one raw mail (RFC 5322)."""
    with desk.store.write() as db:
        inbox_id = keep(desk, db, raw, len(raw))
    return judge_kept(desk, inbox_id)


def keep(desk: Desk, db: Connection, raw: bytes, size: int, arrived: datetime | None = None) -> int:
    """Stores a mail of `size` bytes; one that is too large is judged by that, and `raw` may be its beginning."""
    limit = desk.settings.limits.mail_bytes
    inbox_id = inbox.store(db, kept_of(desk, raw, size), desk.now(), arrived, inbound.claimed_sender(raw))
    if size > limit:
        _note(db, inbox_id, None, Judgement("rejected-too-large", f"more than {limit} bytes"))
    return inbox_id


def kept_of(desk: Desk, raw: bytes, size: int) -> bytes:
    """What is stored of a mail of `size` bytes."""
    return raw[:KEPT_OF_TOO_LARGE] if size > desk.settings.limits.mail_bytes else raw


def keep_missing(desk: Desk, db: Connection, reason: str) -> int:
    """A row for a mail that cannot be had, so that a person looks for it."""
    inbox_id = inbox.store(db, b"", desk.now())
    _note(db, inbox_id, None, Judgement("quarantined-malformed", reason))
    return inbox_id


def can_wait(desk: Desk, inbox_id: int) -> bool:
    """Whether the sender of this mail has sent so many that the others come first; `judge_stored` takes it later."""
    with desk.store.read() as db:
        return inbox.sent_more_than(db, inbox_id, FLOOD, desk.now() - timedelta(hours=1))


def judge_stored(desk: Desk) -> int:
    """Judges what was stored a while ago and not judged, for a while; says how many. What fails is tried again."""
    with desk.store.read() as db:
        left = inbox.unjudged(db, desk.now(), LEFT_BEHIND)
    end = time.monotonic() + SECONDS_FOR_STORED
    for count, (inbox_id, tries) in enumerate(left):
        if time.monotonic() > end:
            return count
        with desk.store.write() as db:
            inbox.count_try(db, inbox_id)  # before it can do harm
        try:
            if tries < TRIES:
                judge_kept(desk, inbox_id)
            else:
                _set_aside(desk, inbox_id, f"could not be judged in {TRIES + 1} tries")
        except SchedulerError:
            raise
        except Exception:
            log.exception("inbox %s: could not be judged", inbox_id)
    return len(left)


def judge_kept(desk: Desk, inbox_id: int) -> Receipt:
    """Judges a stored mail unless that is done. One that breaks the judging is set aside, not tried for ever."""
    with desk.store.read() as db:
        kept = inbox.kept(db, inbox_id)
    try:
        if kept.outcome:
            raise inbox.AlreadyJudged
        return retrying(lambda: _judge_mail(desk, kept))
    except inbox.AlreadyJudged:
        with desk.store.read() as db:
            return Receipt(*inbox.judgement(db, inbox_id))
    except SchedulerError:
        raise  # of the moment (busy), not of the mail
    except (ArithmeticError, LookupError, TypeError, ValueError, RecursionError) as error:
        log.exception("inbox %s: set aside", inbox_id)
        return _set_aside(desk, inbox_id, f"unreadable ({type(error).__name__})")


def _set_aside(desk: Desk, inbox_id: int, reason: str) -> Receipt:
    judgement = Judgement("quarantined-malformed", reason)
    with suppress(inbox.AlreadyJudged), desk.store.write() as db:
        _note(db, inbox_id, None, judgement)
    return _receipt(None, judgement)


def _judge_mail(desk: Desk, kept: inbox.Kept) -> Receipt:
    inbox_id, raw = kept.id, kept.raw
    limits, own = desk.settings.limits, desk.settings.mail
    try:
        mail = inbound.read_mail(
            raw, max_bytes=limits.mail_bytes, loop_value=own.domain, max_calendar_bytes=limits.calendar_bytes
        )
    except (inbound.Malformed, inbound.TooLarge) as error:
        return _close(desk, inbox_id, None, Judgement("quarantined-malformed", str(error)[:200]))
    address, token = inbound.token_of(mail.recipients, own.from_address) or ("", "")
    mail = replace(mail, received=_received(mail.received, kept.arrived))
    received = min(mail.received, desk.now()) if mail.received else None
    letter = inbox.Letter(mail.message_id, address, mail.sender, mail.subject, mail.text, received)
    with desk.store.write() as db:
        inbox.describe(db, inbox_id, letter)
        known = inbox.is_repeat(db, inbox_id, mail.message_id, address)
        found = meetings.load_by_token(db, reply_hash=tokens.hashed(token)) if token else None
    sorted_out = Judgement("ignored-duplicate", "this Message-ID is known") if known else _by_envelope(mail)
    if sorted_out and sorted_out.outcome == "bounce-recorded" and found is None:
        # Anybody can write a delivery report; only the address that we alone knew makes it one of ours.
        sorted_out = Judgement("human-review", "a delivery report that names no mail of ours")
    if sorted_out:
        return _close(desk, inbox_id, found, sorted_out)
    return _judge_calendars(desk, inbox_id, mail, found)


def _received(stamped: datetime | None, arrived: datetime | None) -> datetime | None:
    """When our mail server got a mail: as it stamped it, unless that is after the mailbox had it.

    A stamp from later cannot be our server's: then the topmost Received came with the mail.
    """
    if stamped and arrived and stamped > arrived + CLOCK_TOLERANCE:
        return arrived
    return stamped or arrived


Found = tuple[Meeting, Invitation] | None


def _by_envelope(mail: inbound.InboundMail) -> Judgement | None:
    """What a mail is without a look into its calendars; None when those decide."""
    if mail.loop:
        return Judgement("ignored-loop", "our own mail came back")
    if mail.report:
        return _by_report(mail.report)
    if mail.oversize:
        return Judgement("rejected-too-large", "the calendar is too large")
    if mail.calendars:
        return None
    if mail.encrypted:
        return Judgement("human-review", "encrypted")
    if mail.tnef:
        return Judgement("human-review", "an answer in Microsoft's own format (TNEF)")
    if mail.auto_submitted or mail.null_return_path:
        return Judgement("ignored-auto-reply", "an automatic answer without a calendar")
    return Judgement("human-review", "a forwarded mail" if mail.forwarded else "free text")


def _by_report(report: inbound.DeliveryReport) -> Judgement:
    if report.kind == "delivery-status" and report.action == "failed":
        return Judgement("bounce-recorded", f"{report.status} {report.final_recipient}".strip())
    return Judgement("ignored-auto-reply", f"{report.kind} {report.action}".strip())


def _judge_calendars(desk: Desk, inbox_id: int, mail: inbound.InboundMail, found: Found) -> Receipt:
    if len(mail.calendars) > 1:
        return _close(desk, inbox_id, found, Judgement("human-review", "several calendars in one mail"))
    part = mail.calendars[0]
    try:
        calendar = calendar_reader.read(part.content, desk.settings.limits.calendar_bytes)
    except calendar_reader.Unreadable as error:
        return _close(desk, inbox_id, found, Judgement("quarantined-malformed", str(error.reason)[:200]))
    if part.method and calendar.method and part.method != calendar.method:
        reason = f"METHOD:{calendar.method} in the calendar, {part.method} in the mail"
        return _close(desk, inbox_id, found, Judgement("quarantined-malformed", reason))
    return _judge_event(desk, inbox_id, mail, found, calendar, calendar.method or part.method)


def _judge_event(
    desk: Desk, inbox_id: int, mail: inbound.InboundMail, found: Found, calendar: InboundCalendar, method: str
) -> Receipt:
    event = single_event(calendar)
    if isinstance(event, Judgement):
        return _close(desk, inbox_id, found, event)
    with desk.store.read() as db:
        meeting = meetings.load_by_uid(db, event.uid)
        origin = _origin(desk, mail, event, found[1] if found and meeting and found[0].id == meeting.id else None)
        sequence_then, answers = _known_of(db, event, meeting, origin)
        before = loaded(db, meeting) if meeting else None
    judgement = judge(method, event, meeting, origin, sequence_then, answers)
    if mail.auto_submitted or mail.null_return_path:
        judgement = replace(judgement, send_again=False)  # nothing automatic is ever answered (RFC 3834 2)
    if before is None:
        return _close(desk, inbox_id, None, judgement)
    if judgement.send_again and laws.clocks_wait(before.meeting, before.directory, desk.now()):
        judgement = waiting_for_the_law(judgement)
    return _apply(desk, inbox_id, before, judgement, answers)


def _origin(desk: Desk, mail: inbound.InboundMail, event: InboundEvent, holder: Invitation | None) -> Origin:
    now = desk.now()
    # A Date header is the sender's claim, and so is DTSTAMP: none of them makes an answer younger than today.
    received = min(mail.received or mail.date or event.dtstamp or now, now)
    return Origin(mail.sender, mail.dmarc_pass(desk.settings.inbox.authserv_id), received, holder)


def _known_of(
    db: Connection, event: InboundEvent, meeting: Meeting | None, origin: Origin
) -> tuple[int | None, list[Answer]]:
    """Of the person who answers: the SEQUENCE they had at the DTSTAMP of their answer, and their earlier answers."""
    who = respondent(event, meeting, origin) if meeting else None
    if not isinstance(who, tuple):
        return None, []
    invitation = who[0]
    moment = min(event.dtstamp or origin.received, origin.received) + CLOCK_TOLERANCE  # clocks differ
    sequence = outbox.sequence_as_of(db, invitation.id, moment)
    return sequence, meetings.answers(db, invitation.id)


def _apply(desk: Desk, inbox_id: int, before: Loaded, judgement: Judgement, answers: list[Answer]) -> Receipt:
    """Saves the judgement and all that follows from it, in one transaction."""
    meeting, invitation, answer = before.meeting, judgement.invitation, judgement.answer
    decision = Decision(meeting)
    if invitation and answer and judgement.outcome != "ignored-stale":
        decision = decisions.answered(meeting, invitation.id, [*answers, answer])
    again = bool(invitation and judgement.send_again and _may_send_again(desk, meeting, invitation))
    if invitation and again:
        decision = decisions.resend(meeting, invitation.id, now=desk.now())
    if judgement.waits:
        decision = replace(decision, notices=(Notice("review", meeting, invitation, judgement.outcome),))
    if judgement.stale and again:
        decision = replace(decision, notices=(Notice("stale", meeting, invitation),))

    def note(db: Connection) -> None:
        if invitation and answer and answer.digest not in {a.digest for a in meetings.answers(db, invitation.id)}:
            meetings.add_answer(db, invitation.id, answer, judgement.outcome, desk.now())
        _note(db, inbox_id, meeting, judgement)

    save(desk, before, decision, note)
    return _receipt(meeting, judgement)


def _may_send_again(desk: Desk, meeting: Meeting, invitation: Invitation) -> bool:
    """Whether the present state may go out once more: a program that always answers wrongly gets it thrice, slowly."""
    with desk.store.read() as db:
        made = outbox.made(db, invitation.id, meeting.copy_sequence(invitation))
    return made.count <= RESENDS and (made.last is None or made.last <= desk.now() - RESEND_PAUSE)


def _close(desk: Desk, inbox_id: int, found: Found, judgement: Judgement) -> Receipt:
    """Saves a judgement that changes no answer; the coordinator hears of it when it concerns a meeting."""
    if found is None:
        with desk.store.write() as db:
            _note(db, inbox_id, None, judgement)
        return _receipt(None, judgement)
    meeting, invitation = found
    with desk.store.read() as db:
        before = loaded(db, meetings.load(db, meeting.id) or meeting)
    judgement = replace(judgement, invitation=invitation)
    notices: tuple[Notice, ...] = ()
    if judgement.waits:
        notices = (Notice("review", before.meeting, invitation, judgement.outcome),)
    if judgement.outcome == "bounce-recorded":
        notices = (Notice("bounced", before.meeting, invitation, judgement.reason),)

    def note(db: Connection) -> None:
        _note(db, inbox_id, before.meeting, judgement)
        if judgement.outcome == "bounce-recorded":
            outbox.mark_bounced(db, invitation.id, judgement.reason, desk.now())

    save(desk, before, Decision(before.meeting, notices=notices), note)
    return _receipt(before.meeting, judgement)


def _note(db: Connection, inbox_id: int, meeting: Meeting | None, judgement: Judgement) -> None:
    inbox.judge(
        db,
        inbox_id,
        judgement.outcome,
        judgement.reason,
        meeting_id=meeting.id if meeting else None,
        invitation_id=judgement.invitation.id if judgement.invitation else None,
        claim=judgement.claim,
        waits=judgement.waits,
    )


def _receipt(meeting: Meeting | None, judgement: Judgement) -> Receipt:
    invitation, answer = judgement.invitation, judgement.answer
    return Receipt(
        judgement.outcome,
        meeting.id if meeting else None,
        invitation.invitee.email if invitation else None,
        answer.status if answer else None,
        judgement.reason or None,
    )
