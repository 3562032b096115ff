"""Mail received: every message raw and for ever countable, what was made of it, and what waits for a person."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, exists, func, or_, select, update

from scheduler.core.itip import Answer
from scheduler.core.judging import Claim
from scheduler.db import tables as t
from scheduler.db.engine import added

FUTURE = timedelta(hours=1)  # what was stored later than this from now was stored while the clock was wrong
_WITHOUT_RAW = [column for column in t.inbox.c if column.name != "raw"]


class AlreadyJudged(Exception):
    """Somebody else judged the message in between."""


@dataclass(frozen=True, slots=True)
class Letter:
    """What an envelope tells about a message. `recipient` is the address of ours that received it."""

    message_id: str = ""
    recipient: str = ""
    sender: str = ""
    subject: str = ""
    text: str = ""
    received: datetime | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message that waits for a person's decision. `claim` is the answer that the decision may record."""

    id: int
    outcome: str
    reason: str
    recorded_at: datetime
    letter: Letter
    meeting_id: int | None
    invitation_id: str | None
    claim: Claim | None
    waits: bool


@dataclass(frozen=True, slots=True)
class Kept:
    """A stored message as it came. `arrived`: when the mailbox got it, or what was made of that already."""

    id: int
    raw: bytes
    arrived: datetime | None
    outcome: str


def store(db: Connection, raw: bytes, now: datetime, arrived: datetime | None = None, sender: str = "") -> int:
    """Keeps the message before anything is made of it. `arrived`: when the mailbox got it, where there is one."""
    unknown = ("message_id", "recipient", "subject", "text", "outcome", "reason", "decision")
    values = {"recorded_at": now, "received": arrived, "raw": raw, "sha256": sha256(raw), "waits": False}
    return added(db, t.inbox, values | {"sender": sender} | dict.fromkeys(unknown, ""))


def sent_more_than(db: Connection, inbox_id: int, limit: int, since: datetime) -> bool:
    """Whether more than `limit` messages with the sender of this one were stored since then."""
    i = t.inbox.c
    sender = select(i.sender).where(i.id == inbox_id, i.sender != "").scalar_subquery()
    some = select(i.id).where(i.sender == sender, i.recorded_at >= since).limit(limit + 1).subquery()
    return (db.scalar(select(func.count()).select_from(some)) or 0) > limit


def sha256(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


def kept(db: Connection, inbox_id: int) -> Kept:
    i = t.inbox.c
    return Kept(*db.execute(select(i.id, i.raw, i.received, i.outcome).where(i.id == inbox_id)).one())


def with_subject(db: Connection, subject: str) -> bytes | None:
    """The newest message with exactly this subject, raw."""
    i = t.inbox.c
    return db.scalar(select(i.raw).where(i.subject == subject).order_by(i.id.desc()).limit(1))


def describe(db: Connection, inbox_id: int, letter: Letter) -> None:
    values = {"message_id": letter.message_id, "recipient": letter.recipient, "sender": letter.sender}
    values |= {"subject": letter.subject, "text": letter.text}
    db.execute(update(t.inbox).where(t.inbox.c.id == inbox_id).values(received=letter.received, **values))


def is_repeat(db: Connection, inbox_id: int, message_id: str, recipient: str) -> bool:
    """Whether a message with this Message-ID, or without one the same bytes, was judged before for the same address."""
    i = t.inbox.c
    same = i.message_id == message_id
    if not message_id:
        same = i.sha256 == select(i.sha256).where(i.id == inbox_id).scalar_subquery()
    judged = (i.recipient == recipient) & (i.id != inbox_id) & (i.outcome != "")
    return bool(db.scalar(select(exists().where(same, judged))))


def judge(
    db: Connection,
    inbox_id: int,
    outcome: str,
    reason: str = "",
    *,
    meeting_id: int | None = None,
    invitation_id: str | None = None,
    claim: Claim | None = None,
    waits: bool = False,
) -> None:
    values = {"outcome": outcome, "reason": reason, "meeting_id": meeting_id, "invitation_id": invitation_id}
    proposal = _claim_to_json(claim) if claim else None
    unjudged_ = (t.inbox.c.id == inbox_id) & (t.inbox.c.outcome == "")
    if not db.execute(update(t.inbox).where(unjudged_).values(**values, proposal=proposal, waits=waits)).rowcount:
        raise AlreadyJudged


def unjudged(db: Connection, now: datetime, pause: timedelta) -> list[tuple[int, int]]:
    """What is stored but not judged, and how often it was tried again: the oldest of each sender, then the next ones.

    `pause` is how long whoever stored it may take to judge it, and doubles with every try.
    """
    i = t.inbox.c
    turn = func.row_number().over(partition_by=i.sender, order_by=i.id)
    in_time = or_(i.recorded_at <= now - pause, i.recorded_at > now + FUTURE)
    query = select(i.id, i.tries, i.recorded_at).where(i.outcome == "", in_time)
    query = query.order_by(turn, i.id)
    waited = (row for row in db.execute(query) if not now - pause * 2**row.tries < row.recorded_at <= now + FUTURE)
    return [(row.id, row.tries) for row in waited]


def count_try(db: Connection, inbox_id: int) -> None:
    db.execute(update(t.inbox).where(t.inbox.c.id == inbox_id).values(tries=t.inbox.c.tries + 1))


def judgement(db: Connection, inbox_id: int) -> tuple[str, int | None, str | None, None, str | None]:
    """Outcome, meeting, the invited person's address, nothing, and the reason, as they were noted."""
    i, p = t.inbox.c, t.invitations.c
    query = select(i.outcome, i.meeting_id, p.email, i.reason)
    query = query.select_from(t.inbox.outerjoin(t.invitations, i.invitation_id == p.id))
    row = db.execute(query.where(i.id == inbox_id)).one()
    return row.outcome, row.meeting_id, row.email, None, row.reason or None


def waiting(db: Connection, cities: Sequence[str] | None) -> list[Waiting]:
    """What waits for a person, oldest first. `cities`: of meetings hosted there; None: everything."""
    query = select(*_WITHOUT_RAW).where(t.inbox.c.waits).order_by(t.inbox.c.id)
    if cities is not None:
        mine = exists().where(t.meetings.c.id == t.inbox.c.meeting_id, t.meetings.c.host.in_(cities))
        query = query.where(mine)
    return [_waiting(row) for row in db.execute(query)]


def one(db: Connection, inbox_id: int) -> Waiting | None:
    row = db.execute(select(*_WITHOUT_RAW).where(t.inbox.c.id == inbox_id)).one_or_none()
    return _waiting(row) if row else None


def decide(db: Connection, inbox_id: int, decision: str, person_id: int | None, now: datetime) -> bool:
    """Notes the decision; False when somebody else was quicker."""
    open_ = (t.inbox.c.id == inbox_id) & t.inbox.c.waits
    values = {"decision": decision, "decided_by": person_id, "decided_at": now, "waits": False}
    return bool(db.execute(update(t.inbox).where(open_).values(**values)).rowcount)


def _waiting(row: Any) -> Waiting:
    letter = Letter(row.message_id, row.recipient, row.sender, row.subject, row.text, row.received)
    return Waiting(
        row.id,
        row.outcome,
        row.reason,
        row.recorded_at,
        letter,
        row.meeting_id,
        row.invitation_id,
        _claim_from_json(row.proposal) if row.proposal else None,
        row.waits,
    )


def _claim_to_json(claim: Claim) -> dict[str, Any]:
    answer = asdict(claim.answer)
    answer |= {"dtstamp": claim.answer.dtstamp.isoformat(), "received": claim.answer.received.isoformat()}
    return {"email": claim.email, "name": claim.name, "invitation_id": claim.invitation_id, "answer": answer}


def _claim_from_json(data: dict[str, Any]) -> Claim:
    answer = dict(data["answer"])
    answer |= {key: datetime.fromisoformat(answer[key]) for key in ("dtstamp", "received")}
    return Claim(data["email"], data["name"], Answer(**answer), data["invitation_id"])
