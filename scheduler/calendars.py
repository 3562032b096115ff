"""Calendars that tell when people and cities are busy: added as an address or as a file, listed, removed.

Only intervals are kept of them, never what stands in them. An address is read by the worker (see `refreshing`), never
while somebody waits for a page, so that nothing can be learnt from how long that takes; a file at once, in a limited
child process. Everybody keeps their own, a coordinator those of their city and its people, an operator all.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from scheduler import limits, rights, sealing, web_addresses
from scheduler.core.cities import Person
from scheduler.core.errors import Fault, Forbidden, Invalid, NotFound
from scheduler.core.words import clean_line
from scheduler.db import calendars
from scheduler.db import directory as cities
from scheduler.db.calendars import Calendar
from scheduler.db.engine import Connection
from scheduler.desk import Desk
from scheduler.ics import busy

__all__ = ["Calendar"]

NAME_LENGTH = 100
FILE_BYTES = busy.MAX_BYTES
# What is read, seen from now: a search spans 400 days at most. Yesterday, because it is still today somewhere.
AHEAD, BEHIND = timedelta(days=550), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class New:
    """A calendar to add, `of` a person (their address), else of a city as a whole. It is an `address` or a `file`."""

    name: str
    person: str = ""
    city: str = ""
    address: str | None = None
    file: bytes | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """A calendar as those see it who keep it. `owner`: the person, or None."""

    calendar: Calendar
    owner: Person | None
    is_stale: bool


def listing(desk: Desk, actor: Person, city: str | None = None) -> list[Listed]:
    """One's own, or those of a city and its people. Raises Forbidden, and NotFound for an unknown city."""
    with desk.store.read() as db:
        if city is not None:
            _must_be_ours(db, actor, city)
        found = calendars.listed(db, person_id=actor.id) if city is None else calendars.listed(db, city)
        people = {person.id: person for person in cities.people(db, disabled=True)}
    return [Listed(c, people.get(c.person_id or 0), c.is_stale(desk.now())) for c in found]


def all_listed(desk: Desk, actor: Person) -> list[Listed]:
    """All that the person keeps: their own, those of their city as far as they may, an operator's of all cities."""
    with desk.store.read() as db:
        slugs = [slug for slug in cities.load(db).cities if rights.may_host(actor, slug)]
    own = [] if actor.city in slugs else listing(desk, actor)
    return [entry for slug in slugs for entry in listing(desk, actor, slug)] + own


def people_of(desk: Desk, actor: Person, city: str) -> list[Person]:
    """Whose calendars can be kept beside the city's own. Raises Forbidden, NotFound."""
    with desk.store.read() as db:
        _must_be_ours(db, actor, city)
        return cities.people(db, city)


def _must_be_ours(db: Connection, actor: Person, city: str) -> None:
    if city not in cities.load(db).cities:
        raise NotFound
    if not rights.may_host(actor, city):
        raise Forbidden("calendars-not-yours")


# --- adding


def add(desk: Desk, actor: Person, new: New) -> Listed:
    """Adds the calendar; without a person or a city it is the actor's own. Raises Invalid, Forbidden, TooMany."""
    with desk.store.read() as db:
        city, person = _owner(db, actor, new)
        zone = cities.load(db).cities[city].zone
        _must_have_room(desk, db, city, person)
    limits.spend(desk, limits.calendars(desk), str(actor.id))  # before anything is looked at: that is work too
    name = clean_line(new.name)
    faults = [Fault("/name", "too-long", {"limit": NAME_LENGTH})] if len(name) > NAME_LENGTH else []
    if (new.address is None) == (new.file is None):
        faults.append(Fault("", "one-calendar-source"))
    address = _checked(new.address, faults) if new.address is not None else ""
    if faults:
        raise Invalid(*faults)
    now = desk.now()
    row = {"city": city, "person_id": person.id if person else None, "name": name}
    if new.file is None:
        link = {
            "address": sealing.sealed(desk.keys, address),
            "host": web_addresses.host_of(address),
            "next_fetch_at": now,
        }
        return _added(desk, {**row, "kind": "url", **link}, person, None)
    until = now + AHEAD
    times = _read(desk, new.file, zone, now, until)
    known = {"address": "", "host": "", "checked_at": now, "fetched_at": now, "known_until": until}
    return _added(desk, {**row, "kind": "file", **known}, person, times)


def _owner(db: Connection, actor: Person, new: New) -> tuple[str, Person | None]:
    """The city, and the person unless the calendar is of the city as a whole."""
    if new.person and new.city:
        raise Invalid(Fault("", "one-calendar-owner"))
    if new.city:
        if new.city not in cities.load(db).cities:
            raise Invalid(Fault("/city", "unknown-city", {"city": new.city[:100]}))
        if not rights.may_keep_calendars(actor, new.city, None):
            raise Forbidden("calendars-not-yours")
        return new.city, None
    person = cities.person_by_email(db, new.person) if new.person else actor
    if person is None or person.disabled or not rights.may_keep_calendars(actor, person.city, person.id):
        raise Invalid(Fault("/person", "unknown-person", {"email": new.person[:200]}))
    return person.city, person


def _must_have_room(desk: Desk, db: Connection, city: str, person: Person | None) -> None:
    most = desk.settings.limits.calendars_per_owner
    if calendars.count(db, city, person.id if person else None) >= most:
        raise Invalid(Fault("", "too-many-calendars", {"limit": most}))


def _checked(address: str, faults: list[Fault]) -> str:
    try:
        return web_addresses.checked(address)
    except web_addresses.BadAddress:
        faults.append(Fault("/url", "bad-calendar-address"))
        return ""


def _read(desk: Desk, file: bytes, zone: str, now: datetime, until: datetime) -> busy.Busy:
    try:
        return busy.read(file, zone, now - BEHIND, until, desk.settings.mail.domain)
    except busy.Refused as error:
        raise Invalid(Fault("/ics", f"calendar-{error.code}")) from None


def _added(desk: Desk, row: dict[str, object], person: Person | None, times: busy.Busy | None) -> Listed:
    with desk.store.write() as db:
        _must_have_room(desk, db, str(row["city"]), person)
        if person and cities.person(db, person.id) is None:  # disabled meanwhile
            raise NotFound
        ident = calendars.add(db, row, desk.now())
        if times is not None:
            calendars.put_times(db, ident, times)
        calendar = calendars.find(db, ident)
    assert calendar is not None
    return Listed(calendar, person, calendar.is_stale(desk.now()))


# --- keeping


def ask_soon(desk: Desk, actor: Person, calendar_id: int) -> Calendar:
    """Has the worker read it in the next minutes. Raises NotFound, also for one of others; TooMany."""
    with desk.store.read() as db:
        _theirs(db, actor, calendar_id)
    limits.spend(desk, limits.calendars(desk), str(actor.id))
    with desk.store.write() as db:
        calendar = _theirs(db, actor, calendar_id)
        if not calendars.ask_soon(db, calendar_id, desk.now()):
            raise NotFound
    return calendar


def remove(desk: Desk, actor: Person, calendar_id: int) -> Calendar:
    """Forgets the calendar and its times. Raises NotFound, also for one of others."""
    with desk.store.write() as db:
        calendar = _theirs(db, actor, calendar_id)
        calendars.remove(db, calendar_id)
    return calendar


def _theirs(db: Connection, actor: Person, calendar_id: int) -> Calendar:
    calendar = calendars.find(db, calendar_id)
    if calendar is None or not rights.may_keep_calendars(actor, calendar.city, calendar.person_id):
        raise NotFound
    return calendar
