"""How a person signs in beside the link by mail: a password together with a second factor, or nothing.

A new password waits, hashed, in the session in which it was chosen until a code of the second factor confirms both.
Whatever changes a way in asks for a recent proof of who sits there, ends all other sessions of the person, and tells
them by mail. Such a change is one of CHANGES.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from scheduler import limits, password_sign_in, passwords, second_factor, sessions, tokens
from scheduler.core.cities import Person
from scheduler.core.errors import Fault, Forbidden, Invalid, NotFound
from scheduler.core.words import email_key
from scheduler.db import access, outbox
from scheduler.db import directory as cities
from scheduler.db import passwords as rows
from scheduler.db.engine import Connection
from scheduler.db.passwords import Enrolment, Password
from scheduler.desk import Desk
from scheduler.mail import compose

CHANGES = ("on", "password", "second-factor", "recovery-codes", "off", "reset")
ENROLMENT = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class WaysIn:
    """`changed_at`: when the password was set; None without one."""

    changed_at: datetime | None
    codes_left: int


def of_person(desk: Desk, person: Person) -> WaysIn:
    with desk.store.read() as db:
        stored = rows.of_person(db, person.id)
        return WaysIn(stored.changed_at if stored else None, rows.codes_left(db, person.id))


def prove(desk: Desk, person: Person, session: str, password: str, code: str, client: str) -> None:
    """Proves by password and code who sits at this session. Raises Invalid (`wrong-proof`), TooMany, Busy."""
    try_ = limits.begin_try(desk, email_key(person.email), client)
    with desk.store.read() as db:
        stored = rows.of_person(db, person.id)
    right = passwords.is_right(password, stored.password_hash if stored else "")
    with desk.store.write() as db:
        limits.must_be_open(db, desk, limits.wrong_codes(desk), str(person.id))
        if right and password_sign_in.is_code(db, desk, person.id, code):
            limits.end_try(db, desk, try_)
            access.prove_session(db, tokens.hashed(session), desk.now())
            return
        limits.spend_in(db, desk, limits.wrong_codes(desk), str(person.id), int(right))
    raise Invalid(Fault("/password", "wrong-proof"))


def choose_password(desk: Desk, person: Person, session: str, password: str) -> bool:
    """A new password. False when it waits for a second factor to be confirmed. Raises Invalid, Forbidden, Busy."""
    fault = passwords.fault(password, _known_words(desk, person))
    if fault:
        values = {"least": passwords.LEAST, "most": passwords.MOST}
        raise Invalid(Fault("/password", fault, values))
    _must_be_proved(desk, person, session)
    password_hash = passwords.hashed(password)
    with desk.store.write() as db:
        if rows.of_person(db, person.id) is None:
            _begin_enrolment(db, desk, person, session, password_hash)
            return False
        rows.change(db, person.id, password_hash, desk.now())
        _settle(db, desk, person, session, "password")
    return True


def _known_words(desk: Desk, person: Person) -> set[str]:
    """What everybody knows of the person: their name and address, their city, this product."""
    city, mail = desk.directory().cities.get(person.city), desk.settings.mail
    places = [city.slug, *dict(city.name.texts).values()] if city else []
    return passwords.words([person.name, person.email, mail.from_name, mail.from_address, "scheduler", *places])


def begin_second_factor(desk: Desk, person: Person, session: str) -> None:
    """A new second factor beside the password that is there. Raises NotFound without one, Forbidden."""
    _must_be_proved(desk, person, session)
    with desk.store.write() as db:
        if rows.of_person(db, person.id) is None:
            raise NotFound
        _begin_enrolment(db, desk, person, session, "")


def _begin_enrolment(db: Connection, desk: Desk, person: Person, session: str, password_hash: str) -> None:
    enrolment = Enrolment(person.id, password_hash, second_factor.new_seed(), desk.now() + ENROLMENT)
    rows.begin_enrolment(db, tokens.hashed(session), enrolment, desk.now())


def offered_secret(desk: Desk, person: Person, session: str) -> str:
    """The secret of the second factor that this session is about to confirm. Raises NotFound when there is none."""
    with desk.store.read() as db:
        return second_factor.secret(desk.key, _enrolment(db, desk, person, session).seed)


def confirm(desk: Desk, person: Person, session: str, code: str) -> list[str]:
    """Makes the offered second factor (and the password that waits for it) the way in; gives the recovery codes.

    Raises Invalid (`wrong-new-code`), NotFound as `offered_secret`.
    """
    with desk.store.write() as db:
        enrolment, stored = _enrolment(db, desk, person, session), rows.of_person(db, person.id)
        secret = second_factor.secret(desk.key, enrolment.seed)
        step = second_factor.step_of(secret, code, desk.now())
        if step is None:
            raise Invalid(Fault("/code", "wrong-new-code"))
        password_hash = enrolment.password_hash or (stored.password_hash if stored else "")
        if not password_hash:
            raise NotFound
        changed_at = stored.changed_at if stored and not enrolment.password_hash else desk.now()
        new = Password(person.id, password_hash, enrolment.seed, tokens.hashed(secret), step, changed_at)
        rows.put(db, new)
        rows.end_enrolment(db, tokens.hashed(session))
        codes = _put_codes(db, person)
        _settle(db, desk, person, session, "second-factor" if stored else "on")
    return codes


def _enrolment(db: Connection, desk: Desk, person: Person, session: str) -> Enrolment:
    found = rows.enrolment(db, tokens.hashed(session), desk.now())
    if found is None or found.person_id != person.id:
        raise NotFound
    return found


def new_recovery_codes(desk: Desk, person: Person, session: str) -> list[str]:
    """Ten new codes; the older ones are dead. Raises NotFound without a password, Forbidden."""
    _must_be_proved(desk, person, session)
    with desk.store.write() as db:
        if rows.of_person(db, person.id) is None:
            raise NotFound
        codes = _put_codes(db, person)
        _settle(db, desk, person, session, "recovery-codes")
    return codes


def _put_codes(db: Connection, person: Person) -> list[str]:
    codes = second_factor.new_recovery_codes()
    rows.put_codes(db, person.id, [second_factor.hashed_code(code) for code in codes])
    return codes


def remove(desk: Desk, person: Person, session: str) -> None:
    """From now on the person signs in by a link only. Raises Forbidden."""
    _must_be_proved(desk, person, session)
    with desk.store.write() as db:
        if rows.of_person(db, person.id) is None:
            return
        rows.remove(db, person.id)
        _settle(db, desk, person, session, "off")


def reset(desk: Desk, email: str) -> Person:
    """By the operator, for somebody who lost their second factor. Raises Invalid for an unknown person."""
    with desk.store.write() as db:
        person = cities.person_by_email(db, email)
        if person is None:
            raise Invalid(Fault("/email", "unknown-person", {"email": email}))
        rows.remove(db, person.id)
        _settle(db, desk, person, "", "reset")
    return person


def _must_be_proved(desk: Desk, person: Person, session: str) -> None:
    if not sessions.is_proved(desk, person, session):
        raise Forbidden("proof-needed")


def _settle(db: Connection, desk: Desk, person: Person, session: str, change: str) -> None:
    """What every change brings with it: other sessions end, and the person hears of it."""
    access.end_sessions(db, person.id, but=tokens.hashed(session))
    if person.disabled:
        return
    now, city = desk.now(), cities.load(db).cities[person.city]
    mail = compose.security_mail(change, person, city, desk.sender, desk.new_message_id(), now)
    outbox.add(db, [outbox.Entry("security", mail.recipient, mail.envelope_from, mail.message_id, mail.content)], now)
