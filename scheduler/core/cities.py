"""Cities and what belongs to them, as values: office hours, rooms, people, fields, partnerships.

Office hours are local intervals of a weekday in minutes after local midnight, half-open [start, end); the gap between
two intervals is lunch. Whatever is "a day" here is a local day of one city.

Stretch hours are early and late hours that a city allows at a price: the minutes outside its office hours, times its
weight. What is in neither office nor stretch hours is never allowed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from types import MappingProxyType

from scheduler.core.words import Wording

Minutes = tuple[int, int]  # [start, end) in minutes after local midnight
WeeklyHours = tuple[tuple[Minutes, ...], ...]  # seven entries, Monday first
NO_HOURS: WeeklyHours = ((),) * 7
BY_DAYLIGHT: Minutes = (6 * 60, 22 * 60)  # all other hours are night, in which nobody is called to a meeting


@dataclass(frozen=True, slots=True)
class Closure:
    """A local day, or the part of it from `start` (minutes) to midnight, on which a city is closed.

    `kind` is holiday (public holiday), half-day, or municipal (set by the city). `source` says where it comes from: the
    data of holidays with its version, or the city, whose own entry has an `id` and says who set it, and when.
    """

    day: date
    kind: str
    name: Wording
    start: int = 0
    source: str = ""
    id: int = 0
    set_by: str = ""
    set_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Season:
    """Office hours from the local day `since` to `until`, both included.

    Either both are "MM-DD", every year and perhaps over the new year, or both are "YYYY-MM-DD".
    """

    since: str
    until: str
    hours: WeeklyHours

    def covers(self, day: date) -> bool:
        there = day.isoformat()[-len(self.since) :]
        if self.since <= self.until:
            return self.since <= there <= self.until
        return len(self.since) == len("MM-DD") and not self.until < there < self.since


@dataclass(frozen=True, slots=True)
class City:
    slug: str
    name: Wording
    zone: str
    country: str  # ISO 3166-1 alpha-2
    language: str
    hours: WeeklyHours
    municipal: tuple[Closure, ...] = ()  # the city's own closures
    reopened: frozenset[date] = frozenset()  # public holidays on which the city works all the same
    # Facts to show, by key; they take no part in the hash, which a mapping has none of.
    profile: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}), hash=False)
    seasons: tuple[Season, ...] = ()  # the first that covers a day has its office hours
    stretch: WeeklyHours = NO_HOURS
    weight: int = 1  # price of a minute outside office hours, 1 to 9
    notice_hours: int = 0  # nothing starts sooner
    buffer_minutes: int = 0  # kept free before and after busy time of its people and rooms, 0 to 120
    preferred: WeeklyHours = NO_HOURS  # parts of the week it likes best; none: all alike

    def hours_of(self, day: date) -> WeeklyHours:
        """The office hours of the week as the season of the local `day` has them."""
        if not self.seasons:
            return self.hours
        return next((season.hours for season in self.seasons if season.covers(day)), self.hours)


@dataclass(frozen=True, slots=True)
class Room:
    code: str
    city: str
    name: Wording
    id: int = 0


@dataclass(frozen=True, slots=True)
class Topic:
    code: str
    name: Wording


@dataclass(frozen=True, slots=True)
class Field:
    """A cooperation field with its topics."""

    code: str
    name: Wording
    topics: tuple[Topic, ...] = ()


@dataclass(frozen=True, slots=True)
class Objective:
    """A planning goal of a city that meetings can serve."""

    code: str
    city: str
    name: Wording


@dataclass(frozen=True, slots=True)
class Partnership:
    cities: tuple[str, str]
    kind: str  # sisterhood, friendship, agreement, first-contact
    since: str = ""  # YYYY or YYYY-MM, as known
    until: str = ""
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody of a city. `role`: operator, coordinator (both sign in), contact, interpreter, observer."""

    id: int
    name: str
    email: str
    city: str
    language: str
    role: str
    disabled: bool = False

    @property
    def signs_in(self) -> bool:
        return self.role in ("coordinator", "operator") and not self.disabled


@dataclass(frozen=True, slots=True)
class Directory:
    """What a meeting refers to, loaded once for an action: cities by slug, fields, rooms and objectives by code."""

    cities: Mapping[str, City] = field(default_factory=lambda: MappingProxyType({}))
    fields: Mapping[str, Field] = field(default_factory=lambda: MappingProxyType({}))
    rooms: Mapping[str, Room] = field(default_factory=lambda: MappingProxyType({}))
    objectives: Mapping[str, Objective] = field(default_factory=lambda: MappingProxyType({}))
    partnerships: tuple[Partnership, ...] = ()

    def city_name(self, slug: str, language: str) -> str:
        city = self.cities.get(slug)
        return city.name.read_in(language) if city else slug

    def field_name(self, code: str, language: str) -> str:
        entry = self.fields.get(code)
        return entry.name.read_in(language) if entry else code

    def topic_name(self, field_code: str, topic: str, language: str) -> str:
        entry = self.fields.get(field_code)
        found = [t for t in entry.topics if t.code == topic] if entry else []
        return found[0].name.read_in(language) if found else topic
