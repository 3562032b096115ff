"""Cities and what belongs to them: rows <-> core values.

The directory is read for every booking and every page, and changes a few times a year. A process keeps what it has
read, under the random word that the database has for this state of it; every function here that changes the directory
gives it a new word, in the same transaction. (Random, not counted: a transaction that is rolled back must not leave
its number to another one.)
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, update

from scheduler.core.cities import City, Closure, Directory, Field, Objective, Partnership, Person, Room, Topic
from scheduler.core.meeting import email_key
from scheduler.core.words import Wording
from scheduler.db import access, calendars, feeds, passwords
from scheduler.db import tables as t
from scheduler.db.engine import added

_EDITION = select(t.editions.c.edition).where(t.editions.c.of == "directory")
_KEPT = 4  # a process has one database, tests have several
_known: dict[str, Directory] = {}

_CITIES = select(t.cities).order_by(t.cities.c.position, t.cities.c.slug)
_TOPICS = select(t.topics).order_by(t.topics.c.position)
_FIELDS = select(t.fields).order_by(t.fields.c.position)
_ROOMS = select(t.rooms).order_by(t.rooms.c.id)
_OBJECTIVES = select(t.objectives).order_by(t.objectives.c.position)
_PARTNERSHIPS = select(t.partnerships).order_by(t.partnerships.c.id)
_CLOSURES = select(t.closures).order_by(t.closures.c.day)


def known(db: Connection) -> Directory | None:
    """As `load`, if it is as this process has read it before; one statement."""
    return _known.get(str(db.scalar(_EDITION)))


def load(db: Connection) -> Directory:
    """Everything but the people; small, and read as a whole."""
    edition = str(db.scalar(_EDITION))
    found = _known.get(edition) or _read(db)
    if len(_known) >= _KEPT:
        _known.clear()
    _known[edition] = found
    return found


def _changed(db: Connection) -> None:
    db.execute(update(t.editions).where(t.editions.c.of == "directory").values(edition=secrets.token_hex(16)))


def _read(db: Connection) -> Directory:
    topics: dict[str, list[Topic]] = {}
    for row in db.execute(_TOPICS):
        topics.setdefault(row.field, []).append(Topic(row.code, Wording.of(row.name)))
    return Directory(
        cities=_cities(db),
        fields={
            row.code: Field(row.code, Wording.of(row.name), tuple(topics.get(row.code, ())))
            for row in db.execute(_FIELDS)
        },
        rooms={row.code: Room(row.code, row.city, Wording.of(row.name), row.id) for row in db.execute(_ROOMS)},
        objectives={row.code: Objective(row.code, row.city, Wording.of(row.name)) for row in db.execute(_OBJECTIVES)},
        partnerships=tuple(
            Partnership((row.city_a, row.city_b), row.kind, row.since, row.until, tuple(row.fields))
            for row in db.execute(_PARTNERSHIPS)
        ),
    )


def _cities(db: Connection) -> dict[str, City]:
    closed: dict[str, list[Closure]] = {}
    reopened: dict[str, set[Any]] = {}
    for row in db.execute(_CLOSURES):
        if row.kind == "reopened":
            reopened.setdefault(row.city, set()).add(row.day)
        else:
            closed.setdefault(row.city, []).append(
                Closure(row.day, row.kind, Wording.of(row.name), row.start, source=row.city)
            )
    return {
        row.slug: City(
            slug=row.slug,
            name=Wording.of(row.name),
            zone=row.zone,
            country=row.country,
            language=row.language,
            hours=tuple(tuple((start, end) for start, end in day) for day in row.hours),
            municipal=tuple(closed.get(row.slug, ())),
            reopened=frozenset(reopened.get(row.slug, ())),
            profile=row.profile,
        )
        for row in db.execute(_CITIES)
    }


def add_city(db: Connection, city: City) -> bool:
    """Adds the city with its closures; False, and nothing changed, when its slug is there already."""
    if db.scalar(select(t.cities.c.slug).where(t.cities.c.slug == city.slug)):
        return False
    position = db.scalar(select(func.coalesce(func.max(t.cities.c.position), 0))) or 0
    db.execute(
        insert(t.cities).values(
            slug=city.slug,
            name=dict(city.name.texts),
            zone=city.zone,
            country=city.country,
            language=city.language,
            hours=[[list(interval) for interval in day] for day in city.hours],
            profile=dict(city.profile),
            position=position + 1,
        )
    )
    rows = [
        {"city": city.slug, "day": c.day, "kind": "municipal", "name": dict(c.name.texts), "start": c.start}
        for c in city.municipal
    ]
    rows += [
        {"city": city.slug, "day": day, "kind": "reopened", "name": {}, "start": 0} for day in sorted(city.reopened)
    ]
    if rows:
        db.execute(insert(t.closures), rows)
    _changed(db)
    return True


def add_room(db: Connection, room: Room) -> bool:
    if db.scalar(select(t.rooms.c.id).where(t.rooms.c.code == room.code)):
        return False
    db.execute(insert(t.rooms).values(city=room.city, code=room.code, name=dict(room.name.texts)))
    _changed(db)
    return True


def add_fields(db: Connection, fields: Iterable[Field]) -> None:
    """Adds the fields that are not there yet, with their topics."""
    known = set(db.scalars(select(t.fields.c.code)))
    for position, field in enumerate(fields):
        if field.code in known:
            continue
        db.execute(insert(t.fields).values(code=field.code, name=dict(field.name.texts), position=position))
        for place, topic in enumerate(field.topics):
            values = {"field": field.code, "code": topic.code, "name": dict(topic.name.texts), "position": place}
            db.execute(insert(t.topics).values(values))
    _changed(db)


def add_objectives(db: Connection, objectives: Iterable[Objective]) -> None:
    known = set(db.scalars(select(t.objectives.c.code)))
    for position, goal in enumerate(objectives):
        if goal.code not in known:
            values = {"code": goal.code, "city": goal.city, "name": dict(goal.name.texts), "position": position}
            db.execute(insert(t.objectives).values(values))
    _changed(db)


def add_partnerships(db: Connection, partnerships: Iterable[Partnership]) -> None:
    known = {tuple(row) for row in db.execute(select(t.partnerships.c.city_a, t.partnerships.c.city_b))}
    for bond in partnerships:
        if bond.cities not in known:
            values = {"city_a": bond.cities[0], "city_b": bond.cities[1], "kind": bond.kind}
            values |= {"since": bond.since, "until": bond.until}
            db.execute(insert(t.partnerships).values(**values, fields=list(bond.fields)))
    _changed(db)


# --- people


def _person(row: Any) -> Person:
    return Person(row.id, row.name, row.email, row.city, row.language, row.role, row.disabled_at is not None)


def people(db: Connection, city: str = "", *, disabled: bool = False) -> list[Person]:
    query = select(t.people).order_by(t.people.c.city, t.people.c.id)
    if city:
        query = query.where(t.people.c.city == city)
    if not disabled:
        query = query.where(t.people.c.disabled_at.is_(None))
    return [_person(row) for row in db.execute(query)]


_PERSON = select(t.people).where(t.people.c.id == bindparam("person"))


def person(db: Connection, person_id: int) -> Person | None:
    row = db.execute(_PERSON, {"person": person_id}).one_or_none()
    return _person(row) if row else None


_tokens = t.api_tokens.c
_PERSON_OF_TOKEN = (
    select(t.people)
    .join_from(t.people, t.api_tokens, _tokens.person_id == t.people.c.id)
    .where(_tokens.token_hash == bindparam("token"), _tokens.revoked_at.is_(None))
)


def person_of_api_token(db: Connection, token_hash: str) -> Person | None:
    """Whose API token it is; None when it is revoked or none at all."""
    row = db.execute(_PERSON_OF_TOKEN, {"token": token_hash}).one_or_none()
    return _person(row) if row else None


def person_by_email(db: Connection, email: str) -> Person | None:
    row = db.execute(select(t.people).where(t.people.c.email_key == email_key(email))).one_or_none()
    return _person(row) if row else None


def add_person(db: Connection, name: str, email: str, city: str, language: str, role: str, now: datetime) -> int:
    values = {"name": name, "email": email, "email_key": email_key(email), "city": city, "language": language}
    return added(db, t.people, {**values, "role": role, "created_at": now})


def change_language(db: Connection, person_id: int, language: str) -> None:
    db.execute(update(t.people).where(t.people.c.id == person_id).values(language=language))


def disable_person(db: Connection, person_id: int, hand_over_to: int, now: datetime) -> None:
    """Disables the person, hands their meetings over, ends all their ways in, tokens and feeds, and
    forgets when they are busy."""
    db.execute(update(t.people).where(t.people.c.id == person_id).values(disabled_at=now))
    db.execute(update(t.meetings).where(t.meetings.c.owner_id == person_id).values(owner_id=hand_over_to))
    access.end_sessions(db, person_id)
    passwords.remove(db, person_id)
    db.execute(t.sign_in_links.delete().where(t.sign_in_links.c.person_id == person_id))
    tokens = t.api_tokens
    open_tokens = (tokens.c.person_id == person_id) & tokens.c.revoked_at.is_(None)
    db.execute(update(tokens).where(open_tokens).values(revoked_at=now))
    feeds.revoke_of_person(db, person_id, now)
    calendars.remove_of_person(db, person_id)
