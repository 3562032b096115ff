"""Who is there: sign-in by a one-time link, sessions in the database, API tokens. By password: `password_sign_in`.

Nothing tells whether an address is known. Links and tokens exist as hashes only; a link signs in once,
and not after a newer one was asked for, or after the person's address became another.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from scheduler import sessions, tokens
from scheduler.core.cities import Directory, Person
from scheduler.core.errors import Fault, Invalid, NotFound
from scheduler.core.words import LANGUAGES, email_key
from scheduler.db import access, outbox
from scheduler.db import directory as cities
from scheduler.db.access import ApiToken
from scheduler.db.engine import Connection
from scheduler.desk import Desk
from scheduler.mail import compose

__all__ = ["ApiToken"]

_SEEN_STEP = timedelta(minutes=1)  # how exactly a session's last use is kept


def ask_for_link(desk: Desk, email: str) -> None:
    """Sends a sign-in link if the address is that of somebody who signs in; says nothing either way.

    Beyond the hourly limit per person nothing is sent.
    """
    now = desk.now()
    with desk.store.write() as db:
        person = cities.person_by_email(db, email)
        if person is None or not person.signs_in:
            return
        since = now - timedelta(hours=1)
        if access.sign_in_links_since(db, person.id, since) >= desk.settings.limits.sign_in_mails_per_hour:
            return
        url = _add_link(desk, db, person)
        minutes = desk.settings.retention.sign_in_link_minutes
        mail = compose.sign_in_mail(person, desk.sender, url, minutes, desk.new_message_id(), now)
        entry = outbox.Entry("sign-in", mail.recipient, mail.envelope_from, mail.message_id, mail.content)
        outbox.add(db, [entry], now)


def new_sign_in_link(desk: Desk, email: str) -> str:
    """A one-time link for the operator to hand over. Raises Invalid for somebody who does not sign in."""
    with desk.store.write() as db:
        return _add_link(desk, db, _who_signs_in(db, email))


def _add_link(desk: Desk, db: Connection, person: Person) -> str:
    token, now = tokens.new_token(), desk.now()
    expires = now + timedelta(minutes=desk.settings.retention.sign_in_link_minutes)
    access.add_sign_in_link(db, tokens.hashed(token), person.id, email_key(person.email), now, expires)
    return f"{desk.settings.server.base_url}/sign-in/{token}"


def _who_signs_in(db: Connection, email: str) -> Person:
    person = cities.person_by_email(db, email)
    if person is None:
        raise Invalid(Fault("/person", "unknown-person", {"email": email}))
    if not person.signs_in:
        raise Invalid(Fault("/person", "person-cannot-sign-in", {"email": email}))
    return person


def person_of_link(desk: Desk, token: str) -> Person:
    """Whom the link would sign in. Raises NotFound when it is unknown, used or expired."""
    with desk.store.read() as db:
        return _link_person(db, desk, token)


def sign_in(desk: Desk, token: str, label: str = "", replaced: str = "") -> str:
    """Consumes the link and begins a session; returns the value for its cookie. Raises NotFound.

    The session of the cookie `replaced`, which the browser had before, ends. `label`: see `sessions`.
    """
    with desk.store.write() as db:
        person = _link_person(db, desk, token)
        if not access.use_link(db, tokens.hashed(token), desk.now()):
            raise NotFound("link-expired")
        return sessions.begin(db, desk, person, label, replaced)


def _link_person(db: Connection, desk: Desk, token: str) -> Person:
    person_id = access.person_of_link(db, tokens.hashed(token), desk.now())
    person = cities.person(db, person_id) if person_id else None
    if person is None or not person.signs_in:
        raise NotFound("link-expired")
    return person


def person_of_cookie(desk: Desk, value: str) -> Person | None:
    """The person of a live session; None when there is none any more."""
    now, token_hash = desk.now(), tokens.hashed(value)
    idle = timedelta(minutes=desk.settings.retention.sessions_idle_minutes)
    with desk.store.read() as db:
        found = access.person_of_session(db, token_hash, now, idle)
        person = cities.person(db, found[0]) if found else None
    if found is None or person is None or not person.signs_in:
        return None
    if now - found[1] > _SEEN_STEP:
        with desk.store.write() as db:
            access.touch_session(db, token_hash, now)
    return person


def sign_out(desk: Desk, value: str) -> None:
    with desk.store.write() as db:
        access.end_session(db, tokens.hashed(value))


def change_language(desk: Desk, person: Person, language: str) -> None:
    if language not in LANGUAGES:
        raise Invalid(Fault("/language", "unknown-language", {"language": language[:20]}))
    with desk.store.write() as db:
        cities.change_language(db, person.id, language)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls the API. `directory`: as it is now, if this process has read it before; asked for in the same look."""

    person: Person
    directory: Directory | None


def caller_of_bearer(desk: Desk, token: str) -> Caller | None:
    with desk.store.glance() as db:
        found = cities.person_of_api_token(db, tokens.hashed(token))
    return Caller(*found) if found and found[0].signs_in else None


def new_api_token(desk: Desk, email: str) -> tuple[int, str]:
    """Number and text of a new token for somebody who signs in. The text is never to be had again."""
    token = tokens.new_token()
    with desk.store.write() as db:
        person = _who_signs_in(db, email)
        return access.add_api_token(db, tokens.hashed(token), person.id, desk.now()), token


def api_tokens(desk: Desk) -> list[tuple[ApiToken, Person]]:
    with desk.store.read() as db:
        people = {p.id: p for p in cities.people(db, disabled=True)}
        return [(token, people[token.person_id]) for token in access.api_tokens(db)]


def revoke_api_token(desk: Desk, token_id: int) -> None:
    """Raises NotFound when there is no such token, or it was revoked before."""
    with desk.store.write() as db:
        if not access.revoke_api_token(db, token_id, desk.now()):
            raise NotFound
