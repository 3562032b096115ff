"""Sign-in links, sessions, API tokens and idempotent requests. Tokens come in as hashes; nothing here can make one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, insert, select, update

from scheduler.db import tables as t
from scheduler.db.engine import added

# What was begun later than now was begun while the clock was wrong, and would last until that time comes.
TOLERANCE = timedelta(hours=1)


def add_sign_in_link(db: Connection, token_hash: str, person_id: int, now: datetime, expires_at: datetime) -> None:
    values = {"token_hash": token_hash, "person_id": person_id, "created_at": now, "expires_at": expires_at}
    db.execute(insert(t.sign_in_links).values(**values))


def sign_in_links_since(db: Connection, person_id: int, since: datetime) -> int:
    links = t.sign_in_links.c
    query = select(func.count()).select_from(t.sign_in_links)
    return int(db.scalar(query.where(links.person_id == person_id, links.created_at > since)) or 0)


def person_of_link(db: Connection, token_hash: str, now: datetime) -> int | None:
    """The person whom an unused link that has not expired would sign in."""
    links = t.sign_in_links.c
    usable = (links.token_hash == token_hash) & links.used_at.is_(None) & (links.expires_at > now)
    usable &= links.created_at <= now + TOLERANCE
    return db.scalar(select(links.person_id).where(usable))


def use_link(db: Connection, token_hash: str, now: datetime) -> bool:
    """Consumes the link; False when it was used before."""
    links = t.sign_in_links.c
    unused = (links.token_hash == token_hash) & links.used_at.is_(None)
    return bool(db.execute(update(t.sign_in_links).where(unused).values(used_at=now)).rowcount)


def add_session(db: Connection, token_hash: str, person_id: int, now: datetime, expires_at: datetime) -> None:
    values = {"token_hash": token_hash, "person_id": person_id, "created_at": now, "seen_at": now}
    db.execute(insert(t.web_sessions).values(**values, expires_at=expires_at))
    db.execute(delete(t.web_sessions).where(t.web_sessions.c.expires_at <= now))


def person_of_session(db: Connection, token_hash: str, now: datetime, idle: timedelta) -> tuple[int, datetime] | None:
    """The person of a live session, and when it was last seen."""
    s = t.web_sessions.c
    live = (s.token_hash == token_hash) & (s.expires_at > now) & (s.seen_at > now - idle)
    live &= s.created_at <= now + TOLERANCE
    row = db.execute(select(s.person_id, s.seen_at).where(live)).one_or_none()
    return (row.person_id, row.seen_at) if row else None


def touch_session(db: Connection, token_hash: str, now: datetime) -> None:
    db.execute(update(t.web_sessions).where(t.web_sessions.c.token_hash == token_hash).values(seen_at=now))


def end_session(db: Connection, token_hash: str) -> None:
    db.execute(delete(t.web_sessions).where(t.web_sessions.c.token_hash == token_hash))


@dataclass(frozen=True, slots=True)
class ApiToken:
    id: int
    person_id: int
    created_at: datetime
    revoked_at: datetime | None


def add_api_token(db: Connection, token_hash: str, person_id: int, now: datetime) -> int:
    values = {"token_hash": token_hash, "person_id": person_id, "created_at": now}
    return added(db, t.api_tokens, values)


def api_tokens(db: Connection) -> list[ApiToken]:
    rows = db.execute(select(t.api_tokens).order_by(t.api_tokens.c.id))
    return [ApiToken(row.id, row.person_id, row.created_at, row.revoked_at) for row in rows]


def revoke_api_token(db: Connection, token_id: int, now: datetime) -> bool:
    tokens = t.api_tokens.c
    open_ = (tokens.id == token_id) & tokens.revoked_at.is_(None)
    return bool(db.execute(update(t.api_tokens).where(open_).values(revoked_at=now)).rowcount)


@dataclass(frozen=True, slots=True)
class Request:
    """What an earlier request with the same idempotency key made."""

    digest: str
    meeting_id: int
    answer: bytes


def find_request(db: Connection, person_id: int, key: str) -> Request | None:
    r = t.requests.c
    row = db.execute(select(t.requests).where(r.person_id == person_id, r.key == key)).one_or_none()
    return Request(row.digest, row.meeting_id, row.answer) if row else None


def add_request(db: Connection, person_id: int, key: str, request: Request, now: datetime) -> None:
    values = {"digest": request.digest, "meeting_id": request.meeting_id, "answer": request.answer}
    db.execute(insert(t.requests), {"person_id": person_id, "key": key, "created_at": now, **values})
