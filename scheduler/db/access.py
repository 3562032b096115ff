"""Sign-in links, sessions, API tokens and idempotent requests. Tokens come in as hashes; nothing here can make one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from scheduler.db import tables as t
from scheduler.db.engine import added

# What was begun later than now was begun while the clock was wrong, and would last until that time comes.
TOLERANCE = timedelta(hours=1)


def add_sign_in_link(
    db: Connection, token_hash: str, person_id: int, email_key: str, now: datetime, expires_at: datetime
) -> None:
    """A link for the person at this address. Those asked for earlier sign nobody in any more."""
    links = t.sign_in_links.c
    earlier = (links.person_id == person_id) & links.used_at.is_(None)
    db.execute(update(t.sign_in_links).where(earlier).values(used_at=now))
    values = {"token_hash": token_hash, "person_id": person_id, "created_at": now, "expires_at": expires_at}
    db.execute(insert(t.sign_in_links).values(**values, email_key=email_key))


def sign_in_links_since(db: Connection, person_id: int, since: datetime) -> int:
    links = t.sign_in_links.c
    query = select(func.count()).select_from(t.sign_in_links)
    return int(db.scalar(query.where(links.person_id == person_id, links.created_at > since)) or 0)


def person_of_link(db: Connection, token_hash: str, now: datetime) -> int | None:
    """The person whom an unused link that has not expired would sign in, if it was sent to where they are now."""
    links, p = t.sign_in_links.c, t.people.c
    usable = (links.token_hash == token_hash) & links.used_at.is_(None) & (links.expires_at > now)
    usable &= links.created_at <= now + TOLERANCE
    query = select(links.person_id).join_from(t.sign_in_links, t.people, p.id == links.person_id)
    return db.scalar(query.where(usable, p.email_key == links.email_key))


def use_link(db: Connection, token_hash: str, now: datetime) -> bool:
    """Consumes the link; False when it was used before."""
    links = t.sign_in_links.c
    unused = (links.token_hash == token_hash) & links.used_at.is_(None)
    return bool(db.execute(update(t.sign_in_links).where(unused).values(used_at=now)).rowcount)


@dataclass(frozen=True, slots=True)
class Session:
    """A sign-in that lasts. `label`: browser and system; `proved_at`: when its owner last proved who they are."""

    token_hash: str
    label: str
    created_at: datetime
    seen_at: datetime
    proved_at: datetime

    @property
    def id(self) -> str:
        """Names it to its owner. Nobody comes from a piece of a hash to the cookie."""
        return self.token_hash[:16]


def add_session(
    db: Connection, token_hash: str, person_id: int, now: datetime, expires_at: datetime, label: str = ""
) -> None:
    values = {"token_hash": token_hash, "person_id": person_id, "created_at": now, "seen_at": now}
    db.execute(insert(t.web_sessions).values(**values, expires_at=expires_at, label=label[:64]))
    db.execute(delete(t.web_sessions).where(t.web_sessions.c.expires_at <= now))


def person_of_session(db: Connection, token_hash: str, now: datetime, idle: timedelta) -> tuple[int, datetime] | None:
    """The person of a live session, and when it was last seen."""
    asked = {"token_hash": token_hash, "now": now, "seen_after": now - idle, "created_by": now + TOLERANCE}
    row = db.execute(_LIVE, asked).one_or_none()
    return (row.person_id, row.seen_at) if row else None


def _live() -> Any:
    s = t.web_sessions.c
    now, seen_after, created_by = (bindparam(name, type_=t.Instant()) for name in ("now", "seen_after", "created_by"))
    live = (s.token_hash == bindparam("token_hash")) & (s.expires_at > now) & (s.seen_at > seen_after)
    return select(s.person_id, s.seen_at).where(live & (s.created_at <= created_by))


_LIVE = _live()  # built once: every page asks, and building it takes longer than the database's answer


def touch_session(db: Connection, token_hash: str, now: datetime) -> None:
    db.execute(update(t.web_sessions).where(t.web_sessions.c.token_hash == token_hash).values(seen_at=now))


def sessions_of(db: Connection, person_id: int, now: datetime, idle: timedelta) -> list[Session]:
    """The person's live sessions, the one last used first."""
    s = t.web_sessions.c
    live = (s.person_id == person_id) & (s.expires_at > now) & (s.seen_at > now - idle)
    rows = db.execute(select(t.web_sessions).where(live).order_by(s.seen_at.desc(), s.token_hash))
    return [Session(r.token_hash, r.label, r.created_at, r.seen_at, r.proved_at or r.created_at) for r in rows]


def prove_session(db: Connection, token_hash: str, now: datetime) -> None:
    db.execute(update(t.web_sessions).where(t.web_sessions.c.token_hash == token_hash).values(proved_at=now))


def end_session(db: Connection, token_hash: str) -> None:
    db.execute(delete(t.web_sessions).where(t.web_sessions.c.token_hash == token_hash))
    db.execute(delete(t.enrolments).where(t.enrolments.c.session_hash == token_hash))


def end_sessions(db: Connection, person_id: int, but: str = "") -> None:
    """Ends what is signed in, half signed in, or begun in a session, but for the session `but` (a token's hash)."""
    s, e, h = t.web_sessions.c, t.enrolments.c, t.half_sign_ins.c
    db.execute(delete(t.web_sessions).where(s.person_id == person_id, s.token_hash != but))
    db.execute(delete(t.enrolments).where(e.person_id == person_id, e.session_hash != but))
    db.execute(delete(t.half_sign_ins).where(h.person_id == person_id))


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
