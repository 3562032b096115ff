"""The operator's actions: cities, rooms, people, and the example data."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from scheduler import example, rights
from scheduler.core import decisions
from scheduler.core.cities import City, Person, Room
from scheduler.core.drafts import ascii_address, email_faults, name_faults
from scheduler.core.errors import Fault, Forbidden, Invalid
from scheduler.core.meeting import as_invitee
from scheduler.core.words import LANGUAGES, Wording, clean_line
from scheduler.db import directory as cities
from scheduler.db import meetings
from scheduler.desk import Desk
from scheduler.example import PERSON_ROLES, ExampleData
from scheduler.outgoing import load, retrying, save


def add_person(
    desk: Desk, name: str, email: str, city: str, language: str, role: str, actor: Person | None = None
) -> Person:
    """Adds a person; a coordinator may add people of their own city, but no operator. Raises Invalid, Forbidden."""
    name, email = clean_line(name), ascii_address(email.strip())
    if not rights.is_operator(actor) and not (rights.may_host(actor, city) and role != "operator"):
        raise Forbidden("city-not-yours")
    faults = [*name_faults(name), *email_faults(email, desk.settings.mail.from_address)]
    if language not in LANGUAGES:
        faults.append(("language", "unknown-language", {"language": language}))
    if role not in PERSON_ROLES:
        faults.append(("role", "unknown-role", {"role": role}))
    with desk.store.write() as db:
        if city not in cities.load(db).cities:
            faults.append(("city", "unknown-city", {"city": city}))
        if cities.person_by_email(db, email):
            faults.append(("email", "duplicate-email", {"email": email}))
        if faults:
            raise Invalid(*(Fault(f"/{key}", fault, values) for key, fault, values in faults))
        person_id = cities.add_person(db, name, email, city, language, role, desk.now())
    return Person(person_id, name, email, city, language, role)


def list_people(desk: Desk) -> list[Person]:
    with desk.store.read() as db:
        return cities.people(db, disabled=True)


def disable_person(desk: Desk, email: str, hand_over_to: str) -> Person:
    """Disables the person at once, everywhere; their meetings go to `hand_over_to`, who must be able to edit them.

    Whoever leaves gets a CANCEL for their copies, the other one a copy. Stopped in between, it can be repeated.
    """
    with desk.store.read() as db:
        person, heir = cities.person_by_email(db, email), cities.person_by_email(db, hand_over_to)
        faults = [
            Fault(pointer, "unknown-person", {"email": address})
            for pointer, address, found in (("/email", email, person), ("/hand-over-to", hand_over_to, heir))
            if found is None
        ]
        if faults or person is None or heir is None:
            raise Invalid(*faults)
        if not heir.signs_in or heir.id == person.id:
            raise Invalid(Fault("/hand-over-to", "person-cannot-sign-in", {"email": hand_over_to}))
        if heir.role != "operator" and heir.city != person.city:
            raise Invalid(Fault("/hand-over-to", "heir-of-other-city", {"email": hand_over_to}))
        owned = meetings.owned_by(db, person.id)
    for meeting_id in owned:
        _hand_over(desk, meeting_id, person, heir)
    with desk.store.write() as db:
        cities.disable_person(db, person.id, heir.id, desk.now())
    return person


def _hand_over(desk: Desk, meeting_id: int, person: Person, heir: Person) -> None:
    def step() -> None:
        with desk.store.read() as db:
            before = load(db, meeting_id)
        decision = decisions.hand_over(
            before.meeting,
            heir.id,
            now=desk.now(),
            chair=as_invitee(heir),
            left=person.email,
            invite=desk.new_invitation,
        )
        save(desk, before, decision)

    retrying(step)


def add_city(desk: Desk, city: City) -> bool:
    """False when its slug is there already; nothing is changed then."""
    with desk.store.write() as db:
        return cities.add_city(db, city)


def add_room(desk: Desk, city: str, code: str, name: str) -> bool:
    """False when its code is there already. Raises Invalid for an unknown city."""
    with desk.store.write() as db:
        if city not in cities.load(db).cities:
            raise Invalid(Fault("/city", "unknown-city", {"city": city}))
        return cities.add_room(db, Room(clean_line(code), city, Wording.of(name)))


def import_cities(desk: Desk, data: ExampleData) -> int:
    """Adds what is not there yet, in one transaction; says how many cities were new."""
    with desk.store.write() as db:
        added = sum(cities.add_city(db, _whole(c, data, desk.now())) for c in data.cities)
        for room in data.rooms:
            cities.add_room(db, room)
        cities.add_fields(db, data.fields)
        cities.add_objectives(db, data.objectives)
        cities.add_partnerships(db, data.partnerships)
        for p in data.people:
            if cities.person_by_email(db, p.email) is None:
                cities.add_person(db, p.name, p.email, p.city, p.language, p.role, desk.now())
    return added


def _whole(city: City, data: ExampleData, now: datetime) -> City:
    """The city with its facts and figures; its own closures are entered now."""
    own = tuple(replace(closure, set_at=now) for closure in city.municipal)
    return replace(city, municipal=own, profile=data.profiles.get(city.slug, {}))


def load_example(desk: Desk) -> None:
    """The example cities and people; a second time changes nothing."""
    import_cities(desk, example.load())
