"""Signing in by password and second factor.

Whoever gives the right password is half signed in: a row of its own, for five minutes and five codes, that opens
nothing but the page for the code. Only the code begins a session.

An address that is unknown, or has no password, is answered like a wrong password, after the same work. Every try is
counted before it is looked at, so that many at once gain nothing:

- for an address from one client, the time until the next try grows with each failure;
- for one client, and for one address from everywhere, there are most tries in an hour;
- for one address there are most wrong codes in an hour, which only somebody with the password can give.

None of this touches the link by mail or a session that has begun: nobody can lock an owner out.
"""

from __future__ import annotations

from datetime import timedelta

from scheduler import limits, passwords, second_factor, sessions, tokens
from scheduler.core.cities import Person
from scheduler.core.errors import Fault, Invalid, NotFound
from scheduler.core.words import email_key
from scheduler.db import directory as cities
from scheduler.db import passwords as rows
from scheduler.db.engine import Connection
from scheduler.db.passwords import Password
from scheduler.desk import Desk

HALF_MINUTES = 5
MOST_CODES = 5  # tries of a code per right password


def begin(desk: Desk, email: str, password: str, client: str) -> str:
    """The value for the cookie of a half sign-in. Raises Invalid (`wrong-password`), TooMany, Busy."""
    account = email_key(email)
    try_ = limits.begin_try(desk, account, client)
    with desk.store.read() as db:
        person = cities.person_by_email(db, email)
        stored = rows.of_person(db, person.id) if person and person.signs_in else None
    if not passwords.is_right(password, stored.password_hash if stored else "") or stored is None:
        raise Invalid(Fault("/password", "wrong-password"))
    renewed = passwords.hashed(password) if passwords.is_outdated(stored.password_hash) else ""
    value, now = tokens.new_token(), desk.now()
    with desk.store.write() as db:
        limits.end_try(db, desk, try_)
        if renewed:
            rows.rehash(db, stored.person_id, stored.password_hash, renewed)
        rows.add_half(db, tokens.hashed(value), stored.person_id, now, now + timedelta(minutes=HALF_MINUTES))
    return value


def person_of_half(desk: Desk, value: str) -> Person:
    """Whom the code would sign in. Raises NotFound when it is too late, or was tried too often."""
    with desk.store.read() as db:
        return _half_person(db, desk, value)


def finish(desk: Desk, value: str, code: str, label: str = "", replaced: str = "") -> str:
    """Begins a session and ends the one of the cookie `replaced`; gives the value for the new cookie.

    Raises Invalid (`wrong-code`), NotFound as `person_of_half`, TooMany.
    """
    with desk.store.write() as db:
        person = _half_person(db, desk, value)
        limits.must_be_open(db, desk, limits.wrong_codes(desk), str(person.id))
        if not rows.take_try(db, tokens.hashed(value), MOST_CODES):
            raise NotFound("half-sign-in-ended")
        if is_code(db, desk, person.id, code) and rows.end_half(db, tokens.hashed(value)):
            return sessions.begin(db, desk, person, label, replaced)
        limits.spend_in(db, desk, limits.wrong_codes(desk), str(person.id), 1)
    raise Invalid(Fault("/code", "wrong-code"))


def _half_person(db: Connection, desk: Desk, value: str) -> Person:
    person_id = rows.person_of_half(db, tokens.hashed(value), desk.now(), MOST_CODES)
    person = cities.person(db, person_id) if person_id else None
    if person is None or not person.signs_in or rows.of_person(db, person.id) is None:
        raise NotFound("half-sign-in-ended")
    return person


def is_code(db: Connection, desk: Desk, person_id: int, code: str) -> bool:
    """Whether this is a code of theirs that was not accepted before; consumes it, in a transaction that writes."""
    stored = rows.of_person(db, person_id)
    if stored is None:
        return False
    step = _step(desk, stored, code)
    if step is not None:
        return rows.use_step(db, person_id, step)
    return rows.use_code(db, person_id, second_factor.hashed_code(code), desk.now())


def _step(desk: Desk, stored: Password, code: str) -> int | None:
    found = second_factor.secret_of(desk.keys, stored.seed, stored.secret_hash)
    return second_factor.step_of(found, code, desk.now()) if found else None
