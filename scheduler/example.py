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
from datetime import date, datetime
from pathlib import Path
from typing import Any, TypeVar

from babel import Locale

from scheduler import paths
from scheduler.core.cities import City, Closure, Field, Minutes, Objective, Partnership, Room, Topic, WeeklyHours
from scheduler.core.drafts import NAME_LIMIT, email_faults, name_faults
from scheduler.core.errors import Fault, Invalid
from scheduler.core.meeting import email_key
from scheduler.core.words import LANGUAGES, UNDETERMINED, Wording, clean_line
from scheduler.core.zones import is_zone

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
PERSON_ROLES = ("operator", "coordinator", "contact", "interpreter", "observer")
PARTNERSHIP_KINDS = ("sisterhood", "friendship", "agreement", "first-contact")
CODE_LIMIT = 64

_CODE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_INTERVAL = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-(?:([01]\d|2[0-3]):([0-5]\d)|(24):(00))")
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
_YEAR_MONTH = re.compile(r"\d{4}(-(0[1-9]|1[0-2]))?")
# CLDR names more than ISO 3166-1 does: unions, islands without a code of their own, pseudo-locales, "unknown".
_NO_COUNTRY = {"AC", "CP", "CQ", "DG", "EA", "EU", "EZ", "IC", "QO", "TA", "UN", "XA", "XB", "ZZ"}
_COUNTRIES = {c for c in Locale.parse("en").territories if re.fullmatch("[A-Z]{2}", str(c))} - _NO_COUNTRY

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
        root = _Table(tomllib.loads(text), "", [])
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


def _city(slug: str, table: _Table) -> City:
    table.only("name", "zone", "country", "language", "hours", "rooms", "objectives", "profile", "closures", "reopened")
    return City(
        slug=slug,
        name=table.wording("name"),
        zone=table.checked("zone", is_zone, "unknown-zone"),
        country=table.checked("country", _COUNTRIES.__contains__, "unknown-country"),
        language=table.checked("language", LANGUAGES.__contains__, "unknown-language"),
        hours=_weekly_hours(table.table("hours")),
        municipal=tuple(_closure(entry) for entry in table.listed("closures")),
        reopened=frozenset(table.days("reopened")),
    )


def _weekly_hours(table: _Table) -> WeeklyHours:
    table.only(*WEEKDAYS)
    return tuple(_day_hours(table, day) for day in WEEKDAYS)


def _day_hours(table: _Table, day: str) -> tuple[Minutes, ...]:
    """The local intervals of one weekday in minutes: each with a length, in order, none running into the next."""
    intervals: list[Minutes] = []
    for index, written in enumerate(table.strings(day)):
        at = f"{day}/{index}"
        match = _INTERVAL.fullmatch(written)
        numbers = [int(g) for g in match.groups() if g is not None] if match else [0, 0, 0, 0]
        start, end = numbers[0] * 60 + numbers[1], numbers[2] * 60 + numbers[3]
        if start >= end:
            table.fault(at, "bad-hours", hours=written)
        elif intervals and start < intervals[-1][1]:
            table.fault(at, "hours-overlap", hours=written)
        else:
            intervals.append((start, end))
    return tuple(intervals)


def _closure(table: _Table) -> Closure:
    """A day, or its part from `from` on, on which the city is closed by its own decision."""
    table.only("day", "from", "name")
    since = table.checked("from", _CLOCK.fullmatch, "bad-time", optional=True)
    start = int(since[:2]) * 60 + int(since[3:]) if since else 0
    return Closure(table.day("day"), "municipal", table.wording("name"), start)


def _unique(
    cities: list[tuple[str, _Table]], kind: str, make: Callable[[str, str, Wording], _Entry]
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


def _profile(table: _Table) -> dict[str, ProfileValue]:
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


def _field(code: str, table: _Table) -> Field:
    table.only("name", "topics")
    topics = table.table("topics")
    return Field(code, table.wording("name"), tuple(Topic(c, topics.wording(c)) for c in topics.codes()))


def _partnership(table: _Table, slugs: frozenset[str], codes: frozenset[str]) -> Partnership:
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


def _people(root: _Table, slugs: frozenset[str]) -> Iterator[PersonEntry]:
    seen: set[str] = set()
    for table in root.listed("people"):
        person = _person(table, slugs)
        if email_key(person.email) in seen:
            table.fault("email", "duplicate-email", email=person.email)
        seen.add(email_key(person.email))
        yield person


def _person(table: _Table, slugs: frozenset[str]) -> PersonEntry:
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


@dataclass(frozen=True, slots=True)
class _Table:
    """A table of the file that tells what is wrong with it, at its place, instead of failing; the list is shared."""

    values: dict[str, Any]
    pointer: str
    faults: list[Fault]

    def fault(self, at: str, error: str, /, **values: str | int) -> None:
        self.faults.append(Fault(f"{self.pointer}/{at}", error, values))

    def only(self, *keys: str) -> None:
        for key in self.values.keys() - set(keys):
            self.fault(key.replace("~", "~0").replace("/", "~1"), "unknown-key", key=key[:100])

    def text(self, key: str, *, optional: bool = False) -> str:
        value = self.values.get(key, "")
        if not isinstance(value, str):
            self.fault(key, "wrong-type")
            return ""
        if not (text := clean_line(value)) and not optional:
            self.fault(key, "required")
        return text

    def checked(self, key: str, good: Callable[[str], object], error: str, *, optional: bool = False) -> str:
        """A text that `good` accepts; the error names it by its last word (`unknown-zone` has a value `zone`)."""
        text = self.text(key, optional=optional)
        if text and not good(text):
            self.fault(key, error, **{error.rpartition("-")[2]: text[:100]})
        return text

    def wording(self, key: str) -> Wording:
        """A text, or a text by language."""
        value = self.values.get(key, "")
        texts = value if isinstance(value, dict) else {UNDETERMINED: value}
        if not all(isinstance(text, str) for text in texts.values()):
            self.fault(key, "wrong-type")
            return Wording()
        for language in texts.keys() - {*LANGUAGES, UNDETERMINED}:
            self.fault(key, "unknown-language", language=str(language)[:100])
        wording = Wording.of(texts)
        if not wording:
            self.fault(key, "required")
        if any(len(text) > NAME_LIMIT for _, text in wording.texts):
            self.fault(key, "too-long", limit=NAME_LIMIT)
        return wording

    def strings(self, key: str) -> list[str]:
        value = self.values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
            self.fault(key, "wrong-type")
            return []
        return [clean_line(entry) for entry in value]

    def day(self, key: str) -> date:
        value = self.values.get(key)
        if isinstance(value, date) and not isinstance(value, datetime):
            return value
        self.fault(key, "required" if value is None else "not-a-date")
        return date.min

    def days(self, key: str) -> list[date]:
        values = self.values.get(key, [])
        if not isinstance(values, list):
            self.fault(key, "wrong-type")
            return []
        entries = _Table(
            {str(index): value for index, value in enumerate(values)}, f"{self.pointer}/{key}", self.faults
        )
        return [entries.day(index) for index in entries.values]

    def table(self, key: str) -> _Table:
        value = self.values.get(key, {})
        if not isinstance(value, dict):
            self.fault(key, "wrong-type")
            value = {}
        return _Table(value, f"{self.pointer}/{key}", self.faults)

    def listed(self, key: str) -> Iterator[_Table]:
        """The entries of an array of tables."""
        value = self.values.get(key, [])
        if not isinstance(value, list):
            self.fault(key, "wrong-type")
            value = []
        entries = _Table({str(index): entry for index, entry in enumerate(value)}, f"{self.pointer}/{key}", self.faults)
        return (entries.table(index) for index in entries.values)

    def codes(self) -> Iterator[str]:
        """The keys of a table of codes or slugs: lower case, digits and single hyphens."""
        for code in self.values:
            if not _CODE.fullmatch(code) or len(code) > CODE_LIMIT:
                self.fault(code.replace("~", "~0").replace("/", "~1"), "bad-code", code=code[:100])
            yield code

    def named(self, key: str) -> Iterator[tuple[str, _Table]]:
        within = self.table(key)
        return ((code, within.table(code)) for code in within.codes())
