"""City files: cities with their rooms, objectives and profile, fields, partnerships and people, as one readable TOML.

The shipped example data is such a file, and so is what `scheduler cities import` takes. A file is read whole: every
fault is told at once, each with a JSON pointer to its place, and nothing is taken from a file that has one. What a file
refers to may stand in the file itself or be known already (the `Known` cities and fields).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from scheduler import countries, paths
from scheduler.core import office
from scheduler.core.cities import NO_HOURS, City, Closure, Field, Objective, Partnership, Room, Topic
from scheduler.core.drafts import email_faults, name_faults
from scheduler.core.errors import Fault, Invalid
from scheduler.core.office import Closing, Written, WrittenSeason, WrittenWeek
from scheduler.core.words import LANGUAGES, Wording, clean_line, email_key
from scheduler.core.zones import is_zone
from scheduler.toml_table import Table

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
PERSON_ROLES = ("operator", "coordinator", "contact", "interpreter", "observer")
PARTNERSHIP_KINDS = ("sisterhood", "friendship", "agreement", "first-contact")

_YEAR_MONTH = re.compile(r"\d{4}(-(0[1-9]|1[0-2]))?")
_WEEKDAY_NUMBER = re.compile(r"(hours|stretch|preferred)/(\d)")

ProfileValue = int | float | str | tuple[str, ...]
_Entry = TypeVar("_Entry", Room, Objective)


@dataclass(frozen=True, slots=True)
class PersonEntry:
    """Somebody of a city, as a file names them: without an id."""

    name: str
    email: str
    city: str
    language: str
    role: str


@dataclass(frozen=True, slots=True)
class ExampleData:
    """The content of one city file. `profiles` holds a city's facts and figures by slug, in the file's order."""

    cities: tuple[City, ...] = ()
    rooms: tuple[Room, ...] = ()
    objectives: tuple[Objective, ...] = ()
    fields: tuple[Field, ...] = ()
    partnerships: tuple[Partnership, ...] = ()
    people: tuple[PersonEntry, ...] = ()
    profiles: Mapping[str, Mapping[str, ProfileValue]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Known:
    """Slugs and codes that a file may refer to although it does not define them."""

    cities: frozenset[str] = frozenset()
    fields: frozenset[str] = frozenset()


def load(path: Path = paths.EXAMPLE_DATA) -> ExampleData:
    return parse_city_file(path.read_text("utf-8"))


def parse_city_file(text: str, known: Known | None = None) -> ExampleData:
    """The content of a city file; raises Invalid with every fault."""
    known = known or Known()
    try:
        root = Table(tomllib.loads(text), "", [])
    except tomllib.TOMLDecodeError as error:
        raise Invalid(Fault("", "bad-toml", {"detail": str(error)})) from None
    root.only("cities", "fields", "partnerships", "people")
    tables = list(root.named("cities"))
    fields = tuple(_field(code, table) for code, table in root.named("fields"))
    slugs = known.cities | {slug for slug, _ in tables}
    codes = known.fields | {f.code for f in fields}
    data = ExampleData(
        cities=tuple(_city(slug, table) for slug, table in tables),
        rooms=tuple(_unique(tables, "rooms", lambda code, slug, name: Room(code, slug, name))),
        objectives=tuple(_unique(tables, "objectives", lambda code, slug, name: Objective(code, slug, name))),
        fields=fields,
        partnerships=tuple(_partnership(table, slugs, codes) for table in root.listed("partnerships")),
        people=tuple(_people(root, slugs)),
        profiles={slug: profile for slug, table in tables if (profile := _profile(table.table("profile")))},
    )
    if root.faults:
        raise Invalid(*root.faults)
    return data


def _city(slug: str, table: Table) -> City:
    table.only(
        "name", "zone", "country", "language", "rooms", "objectives", "profile", "closures", "reopened",
        "hours", "seasons", "stretch", "preferred", "weight", "notice_hours", "buffer_minutes",
    )  # fmt: skip
    city = City(
        slug=slug,
        name=table.wording("name"),
        zone=table.checked("zone", is_zone, "unknown-zone"),
        country=table.checked("country", countries.CODES.__contains__, "unknown-country"),
        language=table.checked("language", LANGUAGES.__contains__, "unknown-language"),
        hours=NO_HOURS,
        municipal=tuple(_closures(table)),
        reopened=frozenset(table.days("reopened")),
    )
    return _planned(city, table)


def _planned(city: City, table: Table) -> City:
    """The city with its hours; their faults are told by the names of the weekdays."""
    said = Written(
        hours=_week(table.table("hours")),
        seasons=tuple(_season(season) for season in table.listed("seasons")),
        stretch=_week(table.table("stretch")),
        preferred=_week(table.table("preferred")),
        weight=table.number("weight", 1),
        notice_hours=table.number("notice_hours", 0),
        buffer_minutes=table.number("buffer_minutes", 0),
    )
    try:
        return office.planned(city, said)
    except Invalid as error:
        for fault in error.faults:
            named = _WEEKDAY_NUMBER.sub(lambda found: f"{found[1]}/{WEEKDAYS[int(found[2])]}", fault.pointer)
            table.fault(named[1:], fault.key, **fault.values)
        return city


def _week(table: Table) -> WrittenWeek:
    table.only(*WEEKDAYS)
    return tuple(tuple(table.strings(day)) for day in WEEKDAYS)


def _season(table: Table) -> WrittenSeason:
    table.only("from", "to", "hours")
    return WrittenSeason(table.text("from"), table.text("to"), _week(table.table("hours")))


def _closures(table: Table) -> Iterator[Closure]:
    """Days, or their part from `from` on, on which the city is closed by its own decision or by law."""
    for entry in table.listed("closures"):
        entry.only("day", "until", "from", "name", "kind")
        first = entry.day("day")
        last = entry.day("until") if "until" in entry.values else first
        since = entry.checked("from", _is_time, "bad-time", optional=True)
        kind = entry.checked("kind", office.CLOSURE_KINDS.__contains__, "unknown-kind", optional=True)
        closing = Closing(first, last, entry.wording("name"), kind or "municipal", office.minutes_of(since) or 0)
        faults = list(office.length_faults(first, last))
        for fault in faults:
            entry.fault(fault.pointer[1:], fault.key, **fault.values)
        if not faults:
            yield from closing.days()


def _is_time(text: str) -> bool:
    return office.minutes_of(text) is not None


def _unique(
    cities: list[tuple[str, Table]], kind: str, make: Callable[[str, str, Wording], _Entry]
) -> Iterator[_Entry]:
    """The rooms or the objectives of all cities: their codes are looked up without the city, so each is given once."""
    seen: set[str] = set()
    for slug, table in cities:
        within = table.table(kind)
        for code in within.codes():
            if code in seen:
                within.fault(code, "duplicate-code", code=code)
            seen.add(code)
            yield make(code, slug, within.wording(code))


def _profile(table: Table) -> dict[str, ProfileValue]:
    """Facts and figures about a city: numbers, texts and lists of texts, by names of the file's choice."""
    profile: dict[str, ProfileValue] = {}
    for name, value in table.values.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            profile[name] = value
        elif isinstance(value, str):
            profile[name] = clean_line(value)
        else:
            profile[name] = tuple(table.strings(name))
    return profile


def _field(code: str, table: Table) -> Field:
    table.only("name", "topics")
    topics = table.table("topics")
    return Field(code, table.wording("name"), tuple(Topic(c, topics.wording(c)) for c in topics.codes()))


def _partnership(table: Table, slugs: frozenset[str], codes: frozenset[str]) -> Partnership:
    table.only("cities", "kind", "since", "until", "fields")
    cities = table.strings("cities")
    if len(set(cities)) != 2 or len(cities) != 2:
        table.fault("cities", "partnership-of-two")
    for index, slug in enumerate(cities):
        if slug not in slugs:
            table.fault(f"cities/{index}", "unknown-city", city=slug)
    fields = table.strings("fields")
    for index, code in enumerate(fields):
        if code not in codes:
            table.fault(f"fields/{index}", "unknown-field", field=code)
    return Partnership(
        cities=(cities[0], cities[1]) if len(cities) == 2 else ("", ""),
        kind=table.checked("kind", PARTNERSHIP_KINDS.__contains__, "unknown-partnership"),
        since=table.checked("since", _YEAR_MONTH.fullmatch, "bad-month", optional=True),
        until=table.checked("until", _YEAR_MONTH.fullmatch, "bad-month", optional=True),
        fields=tuple(fields),
    )


def _people(root: Table, slugs: frozenset[str]) -> Iterator[PersonEntry]:
    seen: set[str] = set()
    for table in root.listed("people"):
        person = _person(table, slugs)
        if email_key(person.email) in seen:
            table.fault("email", "duplicate-email", email=person.email)
        seen.add(email_key(person.email))
        yield person


def _person(table: Table, slugs: frozenset[str]) -> PersonEntry:
    table.only("name", "email", "city", "language", "role")
    person = PersonEntry(
        name=table.text("name"),
        email=table.text("email"),
        city=table.checked("city", slugs.__contains__, "unknown-city"),
        language=table.checked("language", LANGUAGES.__contains__, "unknown-language"),
        role=table.checked("role", PERSON_ROLES.__contains__, "unknown-role"),
    )
    given = [*name_faults(person.name)] if person.name else []  # a missing one has been told already
    given += [*email_faults(person.email)] if person.email else []
    for key, error, values in given:
        table.fault(key, error, **values)
    return person
