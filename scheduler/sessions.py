"""Sessions: who signed in, from which browser, and for how long.

A session is a row of ours; its cookie holds a random value, of which the row holds the hash. So it ends at once and
everywhere when its row goes: by signing out, by its owner's word from another browser, when they change how they sign
in, or when they are disabled. Of the browser only a label in plain words is kept, such as "Firefox, Linux".
"""

from __future__ import annotations

from datetime import timedelta

from scheduler import tokens
from scheduler.core.cities import Person
from scheduler.core.errors import NotFound
from scheduler.db import access
from scheduler.db.access import Session
from scheduler.db.engine import Connection
from scheduler.desk import Desk

__all__ = ["Session"]

RECENT = timedelta(minutes=10)  # how long a sign-in counts as proof of who sits there


def begin(db: Connection, desk: Desk, person: Person, label: str = "", replaced: str = "") -> str:
    """A new session; gives the value for its cookie. The one that the browser had before ends."""
    now, value = desk.now(), tokens.new_token()
    access.end_session(db, tokens.hashed(replaced))
    expires = now + timedelta(hours=desk.settings.retention.sessions_hours)
    access.add_session(db, tokens.hashed(value), person.id, now, expires, label)
    return value


def of_person(desk: Desk, person: Person) -> list[Session]:
    """Those that live, the one last used first."""
    with desk.store.read() as db:
        return _live(db, desk, person)


def is_this(session: Session, value: str) -> bool:
    """Whether the session is that of the cookie."""
    return session.token_hash == tokens.hashed(value)


def is_proved(desk: Desk, person: Person, value: str) -> bool:
    """Whether the person proved lately, in the session of this cookie, who they are."""
    return any(is_this(s, value) and desk.now() - s.proved_at <= RECENT for s in of_person(desk, person))


def end(desk: Desk, person: Person, session_id: str) -> None:
    """Ends one of the person's sessions. Raises NotFound for one that has ended, or of others."""
    with desk.store.write() as db:
        found = next((s for s in _live(db, desk, person) if s.id == session_id), None)
        if found is None:
            raise NotFound
        access.end_session(db, found.token_hash)


def end_others(desk: Desk, person: Person, value: str) -> None:
    """Ends all of the person's sessions but that of the cookie."""
    with desk.store.write() as db:
        access.end_sessions(db, person.id, but=tokens.hashed(value))


def _live(db: Connection, desk: Desk, person: Person) -> list[Session]:
    idle = timedelta(minutes=desk.settings.retention.sessions_idle_minutes)
    return access.sessions_of(db, person.id, desk.now(), idle)
