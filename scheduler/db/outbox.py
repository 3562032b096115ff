"""Mail to send, as durable rows with the finished bytes.

A row is written in the transaction of the fact that it tells. A worker claims it by a conditional UPDATE, hands its
bytes over, and marks it only then; a crash in between means that the same bytes go out again, never other ones. Rows
of one invitation leave in order: a newer row supersedes the older ones that are not being sent at the moment.

States: queued (waiting, or being sent under a lease), handed-over, refused (for good, or given up), bounced (came
back later), superseded, held (perhaps sent before the database was restored: the operator
decides, see `backup`), dropped (by that decision).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Select, and_, bindparam, exists, func, or_, select, update

from scheduler.db import direct
from scheduler.db import tables as t

LEASE = timedelta(minutes=5)  # longer than the slowest hand-over: its network time-outs end before
# A clock that was wrong and is set back must not keep a mail for years. What ends later than this was never meant so,
# even if the clock went back by an hour since.
LATEST_LEASE, LATEST_TRY = timedelta(hours=2), timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Entry:
    """A mail to be sent."""

    kind: str
    recipient: str
    envelope_from: str
    message_id: str
    content: bytes
    meeting_id: int | None = None
    invitation_id: str | None = None
    sequence: int | None = None
    dtstamp: datetime | None = None
    told: dict[str, Any] | None = None
    recipient_key: str = ""  # their address as compared, if the mail counts towards what they get in a day


@dataclass(frozen=True, slots=True)
class Left:
    """What a person has perhaps received of an invitation: its first mail, its newest, and what that one told."""

    first_message_id: str
    message_id: str
    kind: str
    told: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Claimed:
    """A mail that this worker may hand over until its lease ends."""

    id: int
    kind: str
    recipient: str
    envelope_from: str
    content: bytes
    attempts: int
    created_at: datetime
    meeting_id: int | None
    invitation_id: str | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """How far the newest mail to a person has come, since when, and the mail server's last word."""

    state: str
    at: datetime
    answer: str = ""
    attempts: int = 0


def add(db: Connection, entries: Sequence[Entry], now: datetime) -> None:
    """Adds mail, which supersedes what waits of the same invitations."""
    with direct.adding(db) as rows:
        add_first(rows, entries, now)
    if invited := [e.invitation_id for e in entries if e.invitation_id]:
        _supersede(db, now, invited)


def add_first(rows: direct.Rows, entries: Sequence[Entry], now: datetime) -> None:
    """The rows of mail of invitations that had none before."""
    mails = [
        {
            "kind": e.kind,
            "recipient": e.recipient,
            "recipient_key": e.recipient_key,
            "envelope_from": e.envelope_from,
            "message_id": e.message_id,
            "content": e.content,
            "sha256": hashlib.sha256(e.content).hexdigest(),
            "meeting_id": e.meeting_id,
            "invitation_id": e.invitation_id,
            "sequence": e.sequence,
            "dtstamp": e.dtstamp,
            "state": "queued",
            "told": e.told,
            "attempts": 0,
            "perhaps_left": False,
            "next_attempt_at": now,
            "lease": "",
            "answer": "",
            "created_at": now,
        }
        for e in entries
    ]
    rows.add(t.outbox, mails)


def _supersede(db: Connection, now: datetime, invitation_ids: Sequence[str | None] | None = None) -> None:
    """Older unsent rows of an invitation are overtaken by its newest; one that is being sent is left to its worker."""
    statement = _OVERTAKEN
    if invitation_ids is not None:
        statement = statement.where(t.outbox.c.invitation_id.in_(invitation_ids))
    db.execute(statement, _at(now))


def free(now: datetime) -> Any:
    """Nobody is sending it."""
    return _free(now, now + LATEST_LEASE)


def due(now: datetime) -> Any:
    """It waits, and its time has come: at once for one that was never tried, whatever clock its writer had."""
    return _due(now, now + LATEST_LEASE, now + LATEST_TRY)


def _free(now: Any, latest: Any) -> Any:
    o = t.outbox.c
    return or_(o.lease == "", o.lease_until <= now, o.lease_until > latest)


def _due(now: Any, latest_lease: Any, latest_try: Any) -> Any:
    o = t.outbox.c
    in_time = or_(o.attempts == 0, o.next_attempt_at <= now, o.next_attempt_at > latest_try)
    return and_(o.state == "queued", in_time, _free(now, latest_lease))


# Built once: workers ask for these all day long, and building them takes longer than the database's answer.
_NOW, _LATEST_LEASE, _LATEST_TRY = (bindparam(name, type_=t.Instant()) for name in ("now", "lease_by", "try_by"))


def _at(now: datetime) -> dict[str, datetime]:
    return {"now": now, "lease_by": now + LATEST_LEASE, "try_by": now + LATEST_TRY}


def _overtaken() -> Any:
    o, newer = t.outbox.c, t.outbox.alias("newer")
    by_newer = exists().where(newer.c.invitation_id == o.invitation_id, newer.c.id > o.id)
    unsent = and_(o.state.in_(("queued", "held")), o.invitation_id.is_not(None), _free(_NOW, _LATEST_LEASE))
    return update(t.outbox).where(unsent, by_newer).values(state="superseded", finished_at=_NOW)


def _next() -> Any:
    o, older = t.outbox.c, t.outbox.alias("older")
    first = ~exists().where(older.c.invitation_id == o.invitation_id, older.c.id < o.id, older.c.state == "queued")
    wanted = select(t.outbox).where(_due(_NOW, _LATEST_LEASE, _LATEST_TRY), first)
    return wanted.order_by(o.next_attempt_at, o.id).limit(1)


_OVERTAKEN, _NEXT = _overtaken(), _next()


def claim(db: Connection, now: datetime, lease: str) -> Claimed | None:
    """The next mail that is due, claimed under `lease`; None when there is none. Whoever writes is alone."""
    _supersede(db, now)
    row = db.execute(_NEXT, _at(now)).one_or_none()
    if row is None:
        return None
    values = {"lease": lease, "lease_until": now + LEASE, "attempts": row.attempts + 1}
    values["perhaps_left"] = row.perhaps_left or row.lease != ""  # whoever had it died at an unknown step
    db.execute(update(t.outbox).where(t.outbox.c.id == row.id).values(**values))
    return Claimed(
        row.id, row.kind, row.recipient, row.envelope_from, row.content, row.attempts + 1, row.created_at,
        row.meeting_id, row.invitation_id,
    )  # fmt: skip


def finish(db: Connection, claimed: Claimed, lease: str, state: str, answer: str, now: datetime) -> bool:
    """Marks the mail handed-over or refused; False when the lease was lost and another worker has it."""
    return _settle(db, claimed, lease, state=state, answer=answer[:500], lease_until=None, finished_at=now, next_=now)


def retry(
    db: Connection, claimed: Claimed, lease: str, answer: str, at: datetime, *, perhaps_left: bool = False
) -> bool:
    """Gives the mail back to be tried again at `at`."""
    known = {"perhaps_left": True} if perhaps_left else {}
    return _settle(db, claimed, lease, state="queued", answer=answer[:500], lease_until=None, next_=at, **known)


def give_back(db: Connection, claimed: Claimed, lease: str, now: datetime) -> bool:
    """Lets the mail wait as if it had not been tried: it was not its fault."""
    return _settle(db, claimed, lease, attempts=claimed.attempts - 1, lease_until=None, next_=now)


def _settle(db: Connection, claimed: Claimed, lease: str, *, next_: datetime, **values: Any) -> bool:
    mine = and_(t.outbox.c.id == claimed.id, t.outbox.c.lease == lease)
    return bool(db.execute(update(t.outbox).where(mine).values(lease="", next_attempt_at=next_, **values)).rowcount)


@dataclass(frozen=True, slots=True)
class Flooded:
    """A person who gets more than the limit. `since`: when the oldest mail that counts was written."""

    recipient_key: str
    since: datetime


def _many(keys: Any) -> Select[Any]:
    """Those of the people with these keys who get more than `most` mails, overtaken ones counted too."""
    o = t.outbox.c
    recent = and_(o.recipient_key.in_(keys), o.recipient_key != "", o.created_at > bindparam("since"))
    query = select(o.recipient_key).where(recent).group_by(o.recipient_key)
    return query.having(func.count() > bindparam("most")).order_by(o.recipient_key)


@lru_cache(maxsize=128)
def _many_of(number: int) -> Select[Any]:
    """Of so many people: key0, key1, …"""
    return _many([bindparam(f"key{place}") for place in range(number)])


_FLOODED = (
    _many(bindparam("keys", expanding=True))
    .add_columns(func.min(t.outbox.c.created_at))
    .where(or_(t.outbox.c.state != "superseded", t.outbox.c.perhaps_left))
    .limit(1)
)


def flooded(db: Connection, recipient_keys: Sequence[str], since: datetime, most: int) -> Flooded | None:
    """Whoever of these people gets more than `most` mails written after `since`; overtaken ones do not count."""
    if not recipient_keys:
        return None
    # First by the index alone, which holds all that hardly anybody exceeds: the state of a mail lies behind its bytes.
    people = {f"key{place}": key for place, key in enumerate(recipient_keys)}
    many = list(direct.run(db, _many_of(len(people)), {**people, "since": since, "most": most}).scalars())
    row = db.execute(_FLOODED, {"keys": many, "since": since, "most": most}).one_or_none() if many else None
    return Flooded(row[0], row[1]) if row else None


def mark_bounced(db: Connection, invitation_id: str, answer: str, now: datetime) -> bool:
    """The newest mail that left for the invitation came back; False when that is known, or none has left."""
    o = t.outbox.c
    gone = select(func.max(o.id)).where(o.invitation_id == invitation_id, o.state.in_(("handed-over", "bounced")))
    statement = update(t.outbox).where(o.id == gone.scalar_subquery(), o.state == "handed-over")
    return bool(db.execute(statement.values(state="bounced", answer=answer[:500], finished_at=now)).rowcount)


def deliveries(db: Connection, meeting_id: int) -> Mapping[str, Delivery]:
    """By invitation, how far its newest mail has come."""
    o = t.outbox.c
    query = select(o.invitation_id, o.state, o.answer, o.attempts, o.created_at, o.finished_at)
    found: dict[str, Delivery] = {}
    for row in db.execute(query.where(o.meeting_id == meeting_id, o.invitation_id.is_not(None)).order_by(o.id)):
        found[row.invitation_id] = Delivery(row.state, row.finished_at or row.created_at, row.answer, row.attempts)
    return found


def left(db: Connection, meeting_id: int) -> Mapping[str, Left]:
    """By invitation, what its person has perhaps received."""
    o = t.outbox.c
    gone = or_(o.state.in_(("handed-over", "bounced")), o.perhaps_left, o.lease != "")
    query = select(o.invitation_id, o.message_id, o.kind, o.told)
    query = query.where(o.meeting_id == meeting_id, o.invitation_id.is_not(None), gone).order_by(o.id)
    found: dict[str, Left] = {}
    for row in db.execute(query):
        first = found[row.invitation_id].first_message_id if row.invitation_id in found else row.message_id
        found[row.invitation_id] = Left(first, row.message_id, row.kind, row.told or {})
    return found


def sequence_as_of(db: Connection, invitation_id: str, moment: datetime) -> int | None:
    """The SEQUENCE of the newest mail that had left for the invitation by `moment`; None when there was none."""
    o = t.outbox.c
    gone = and_(o.state.in_(("handed-over", "bounced")), o.finished_at <= moment)
    query = select(o.sequence).where(o.invitation_id == invitation_id, gone)
    return db.scalar(query.order_by(o.id.desc()).limit(1))


@dataclass(frozen=True, slots=True)
class Made:
    """How many mails of one SEQUENCE were written for an invitation, and when the newest was."""

    count: int
    last: datetime | None


def made(db: Connection, invitation_id: str, sequence: int) -> Made:
    o = t.outbox.c
    query = select(func.count(), func.max(o.created_at))
    row = db.execute(query.where(o.invitation_id == invitation_id, o.sequence == sequence)).one()
    return Made(row[0], row[1])


def failures(db: Connection, meeting_ids: Sequence[int]) -> dict[int, int]:
    """By meeting, how many people cannot be reached: their newest mail was refused or came back."""
    o, newer = t.outbox.c, t.outbox.alias("newer")
    newest = ~exists().where(newer.c.invitation_id == o.invitation_id, newer.c.id > o.id)
    bad = and_(o.meeting_id.in_(meeting_ids), o.invitation_id.is_not(None), o.state.in_(("refused", "bounced")))
    query = select(o.meeting_id, func.count()).where(bad, newest).group_by(o.meeting_id)
    return {row[0]: row[1] for row in db.execute(query)}
