"""Cities and what belongs to them: rows <-> core values.

The directory is read for every booking and every page, and changes a few times a year. A process keeps what it has
read, under the word that the database has for this state of it (see `editions`); every function here that changes the
directory gives it a new word, in the same transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, update

from scheduler.core.cities import (
    City,
    Directory,
    Field,
    Objective,
    Partnership,
    Person,
    Room,
    Season,
    Topic,
    WeeklyHours,
)
from scheduler.core.words import Wording, email_key
from scheduler.db import access, calendars, closures, direct, editions, feeds, passwords
from scheduler.db import tables as t
from scheduler.db.engine import added

_KEPT = 4  # a process has one database, tests have several
_known: dict[str, Directory] = {}

_CITIES = select(t.cities).order_by(t.cities.c.position, t.cities.c.slug)
_TOPICS = select(t.topics).order_by(t.topics.c.position)
_FIELDS = select(t.fields).order_by(t.fields.c.position)
_ROOMS = select(t.rooms).order_by(t.rooms.c.id)
_OBJECTIVES = select(t.objectives).order_by(t.objectives.c.position)
_PARTNERSHIPS = select(t.partnerships).order_by(t.partnerships.c.id)
# Members of a City that the column `planning` holds, by their names.
_NUMBERS = ("weight", "notice_hours", "buffer_minutes")
_WEEKS = ("stretch", "preferred")


def known(db: Connection) -> Directory | None:
    """As `load`, if it is as this process has read it before; one statement."""
    return _known.get(editions.present(db))


def load(db: Connection) -> Directory:
    """Everything but the people; small, and read as a whole."""
    edition = editions.present(db)
    found = _known.get(edition) or _read(db)
    if len(_known) >= _KEPT:
        _known.clear()
    _known[edition] = found
    return found


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
    closed, reopened = closures.load(db)
    return {
        row.slug: City(
            slug=row.slug,
            name=Wording.of(row.name),
            zone=row.zone,
            country=row.country,
            language=row.language,
            hours=_week(row.hours),
            municipal=tuple(closed.get(row.slug, ())),
            reopened=frozenset(closure.day for closure in reopened.get(row.slug, ())),
            profile=row.profile,
            **_planning(row.planning),
        )
        for row in db.execute(_CITIES)
    }


def _planning(stored: dict[str, Any]) -> dict[str, Any]:
    """The members of a City that one column holds together."""
    found = {name: stored[name] for name in _NUMBERS if name in stored}
    found |= {name: _week(stored[name]) for name in _WEEKS if name in stored}
    if "seasons" in stored:
        found["seasons"] = tuple(Season(s["since"], s["until"], _week(s["hours"])) for s in stored["seasons"])
    return found


def _week(stored: list[list[list[int]]]) -> WeeklyHours:
    return tuple(tuple((start, end) for start, end in day) for day in stored)


def add_city(db: Connection, city: City) -> bool:
    """Adds the city with its closures; False, and nothing changed, when its slug is there already."""
    if db.scalar(select(t.cities.c.slug).where(t.cities.c.slug == city.slug)):
        return False
    position = db.scalar(select(func.coalesce(func.max(t.cities.c.position), 0))) or 0
    values = {"slug": city.slug, "profile": dict(city.profile), "position": position + 1}
    db.execute(insert(t.cities).values(values | _columns(city)))
    closures.add_of_city(db, city)
    editions.renew(db)
    return True


def change_city(db: Connection, city: City) -> None:
    """Stores all of the city but its closures and its profile."""
    db.execute(update(t.cities).where(t.cities.c.slug == city.slug).values(_columns(city)))
    editions.renew(db)


def _columns(city: City) -> dict[str, Any]:
    planning = {name: getattr(city, name) for name in (*_NUMBERS, *_WEEKS)}
    planning["seasons"] = [{"since": s.since, "until": s.until, "hours": s.hours} for s in city.seasons]
    return {
        "name": dict(city.name.texts),
        "zone": city.zone,
        "country": city.country,
        "language": city.language,
        "hours": city.hours,
        "planning": planning,
    }


def add_room(db: Connection, room: Room) -> bool:
    if db.scalar(select(t.rooms.c.id).where(t.rooms.c.code == room.code)):
        return False
    db.execute(insert(t.rooms).values(city=room.city, code=room.code, name=dict(room.name.texts)))
    editions.renew(db)
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
    editions.renew(db)


def add_objectives(db: Connection, objectives: Iterable[Objective]) -> None:
    known = set(db.scalars(select(t.objectives.c.code)))
    for position, goal in enumerate(objectives):
        if goal.code not in known:
            values = {"code": goal.code, "city": goal.city, "name": dict(goal.name.texts), "position": position}
            db.execute(insert(t.objectives).values(values))
    editions.renew(db)


def add_partnerships(db: Connection, partnerships: Iterable[Partnership]) -> None:
    known = {tuple(row) for row in db.execute(select(t.partnerships.c.city_a, t.partnerships.c.city_b))}
    for bond in partnerships:
        if bond.cities not in known:
            values = {"city_a": bond.cities[0], "city_b": bond.cities[1], "kind": bond.kind}
            values |= {"since": bond.since, "until": bond.until}
            db.execute(insert(t.partnerships).values(**values, fields=list(bond.fields)))
    editions.renew(db)


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
    select(t.people, editions.PRESENT.label("edition"))
    .join_from(t.people, t.api_tokens, _tokens.person_id == t.people.c.id)
    .where(_tokens.token_hash == bindparam("token"), _tokens.revoked_at.is_(None))
)


def person_of_api_token(db: Connection, token_hash: str) -> tuple[Person, Directory | None] | None:
    """Whose API token it is, and the directory as `known` has it; None when it is revoked or none at all."""
    row = direct.run(db, _PERSON_OF_TOKEN, {"token": token_hash}).one_or_none()
    return (_person(row), _known.get(row.edition)) if row else None


def person_by_email(db: Connection, email: str) -> Person | None:
    row = db.execute(select(t.people).where(t.people.c.email_key == email_key(email))).one_or_none()
    return _person(row) if row else None


def cities_of(db: Connection, email_keys: Collection[str]) -> dict[str, str]:
    """By their addresses as compared, the cities of those people whom the directory knows."""
    known = select(t.people.c.email_key, t.people.c.city).where(t.people.c.email_key.in_(email_keys))
    return {row.email_key: row.city for row in db.execute(known)} if email_keys else {}


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
