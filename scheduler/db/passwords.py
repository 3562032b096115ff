"""Passwords with their second factor, recovery codes, and what is only half done: an enrolment, half a sign-in.

A password is stored together with a second factor that was confirmed, or not at all. Everything comes in as a hash
or as a random seed: who reads these rows can neither sign in nor compute a code.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, func, insert, select, update

from scheduler.db import tables as t


@dataclass(frozen=True, slots=True)
class Password:
    person_id: int
    password_hash: str
    seed: bytes
    secret_hash: str
    last_step: int
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A second factor that waits to be confirmed. Empty `password_hash`: the password stays as it is."""

    person_id: int
    password_hash: str
    seed: bytes
    expires_at: datetime


def of_person(db: Connection, person_id: int) -> Password | None:
    row = db.execute(select(t.passwords).where(t.passwords.c.person_id == person_id)).one_or_none()
    return Password(**row._mapping) if row else None


def put(db: Connection, password: Password) -> None:
    remove_password(db, password.person_id)
    values = {name: getattr(password, name) for name in t.passwords.c.keys()}  # noqa: SIM118 - columns, not a dict
    db.execute(insert(t.passwords).values(values))


def change(db: Connection, person_id: int, password_hash: str, now: datetime) -> None:
    row = t.passwords.c.person_id == person_id
    db.execute(update(t.passwords).where(row).values(password_hash=password_hash, changed_at=now))


def rehash(db: Connection, person_id: int, old: str, new: str) -> None:
    """The same password under another hash, unless it was changed meanwhile."""
    p = t.passwords.c
    db.execute(update(t.passwords).where(p.person_id == person_id, p.password_hash == old).values(password_hash=new))


def use_step(db: Connection, person_id: int, step: int) -> bool:
    """Consumes the code of a time step; False when it, or a later one, was accepted before."""
    p = t.passwords.c
    unused = (p.person_id == person_id) & (p.last_step < step)
    return bool(db.execute(update(t.passwords).where(unused).values(last_step=step)).rowcount)


def remove_password(db: Connection, person_id: int) -> None:
    db.execute(delete(t.passwords).where(t.passwords.c.person_id == person_id))


def remove(db: Connection, person_id: int) -> None:
    """Password, second factor and recovery codes."""
    remove_password(db, person_id)
    db.execute(delete(t.recovery_codes).where(t.recovery_codes.c.person_id == person_id))


# --- recovery codes


def put_codes(db: Connection, person_id: int, hashes: Iterable[str]) -> None:
    """New codes in the place of all that there were."""
    db.execute(delete(t.recovery_codes).where(t.recovery_codes.c.person_id == person_id))
    db.execute(insert(t.recovery_codes), [{"person_id": person_id, "code_hash": code} for code in hashes])


def use_code(db: Connection, person_id: int, code_hash: str, now: datetime) -> bool:
    c = t.recovery_codes.c
    unused = (c.person_id == person_id) & (c.code_hash == code_hash) & c.used_at.is_(None)
    return bool(db.execute(update(t.recovery_codes).where(unused).values(used_at=now)).rowcount)


def codes_left(db: Connection, person_id: int) -> int:
    c = t.recovery_codes.c
    query = select(func.count()).select_from(t.recovery_codes)
    return int(db.scalar(query.where(c.person_id == person_id, c.used_at.is_(None))) or 0)


# --- what is half done


def begin_enrolment(db: Connection, session_hash: str, enrolment: Enrolment, now: datetime) -> None:
    e = t.enrolments.c
    db.execute(delete(t.enrolments).where((e.session_hash == session_hash) | (e.expires_at <= now)))
    values = {"person_id": enrolment.person_id, "password_hash": enrolment.password_hash, "seed": enrolment.seed}
    db.execute(insert(t.enrolments).values(session_hash=session_hash, expires_at=enrolment.expires_at, **values))


def enrolment(db: Connection, session_hash: str, now: datetime) -> Enrolment | None:
    e = t.enrolments.c
    row = db.execute(select(t.enrolments).where(e.session_hash == session_hash, e.expires_at > now)).one_or_none()
    return Enrolment(row.person_id, row.password_hash, row.seed, row.expires_at) if row else None


def end_enrolment(db: Connection, session_hash: str) -> None:
    db.execute(delete(t.enrolments).where(t.enrolments.c.session_hash == session_hash))


def add_half(db: Connection, token_hash: str, person_id: int, now: datetime, expires_at: datetime) -> None:
    db.execute(delete(t.half_sign_ins).where(t.half_sign_ins.c.expires_at <= now))
    values = {"token_hash": token_hash, "person_id": person_id, "expires_at": expires_at, "tries": 0}
    db.execute(insert(t.half_sign_ins).values(values))


def person_of_half(db: Connection, token_hash: str, now: datetime, most: int) -> int | None:
    """Who gave the right password, as long as they may still try a code (`most` times)."""
    h = t.half_sign_ins.c
    usable = (h.token_hash == token_hash) & (h.expires_at > now) & (h.tries < most)
    return db.scalar(select(h.person_id).where(usable))


def take_try(db: Connection, token_hash: str, most: int) -> bool:
    """Counts a try of a code; False when there is none left."""
    h = t.half_sign_ins.c
    left = (h.token_hash == token_hash) & (h.tries < most)
    return bool(db.execute(update(t.half_sign_ins).where(left).values(tries=h.tries + 1)).rowcount)


def end_half(db: Connection, token_hash: str) -> bool:
    """False when it had ended before."""
    return bool(db.execute(delete(t.half_sign_ins).where(t.half_sign_ins.c.token_hash == token_hash)).rowcount)
