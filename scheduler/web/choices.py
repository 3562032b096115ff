"""What the inputs of the meeting form offer: fields with topics, cities, people, rooms, objectives, zones."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from scheduler.core.cities import Person
from scheduler.core.meeting import ROLES
from scheduler.web import slots
from scheduler.web.meeting_form import MeetingForm
from scheduler.web.reader import directory, language, sentence

Option = tuple[str, str]
Group = tuple[str, list[Option]]


def field_options() -> list[Option]:
    """The fields, without their topics."""
    return [(code, field.name.read_in(language())) for code, field in directory().fields.items()]


def city_options() -> list[Option]:
    return [(slug, directory().city_name(slug, language())) for slug in directory().cities]


class Choices:
    """`keep`: the meeting has a time already, which may stay."""

    def __init__(self, form: MeetingForm, keep: bool = False) -> None:
        self._form = form
        self.keep = keep
        self.roles = [(role, str(sentence(f"words.role.{role}"))) for role in ROLES]
        self.partners = [(slug, name) for slug, name in city_options() if slug != form.host]
        self.cities = [(slug, directory().city_name(slug, language())) for slug in self._slugs()]

    @cached_property
    def fields(self) -> list[Group]:
        """Each field as a group: the field as a whole, then its topics, as `field` and `field/topic`."""
        groups = []
        for code, name in field_options():
            topics = directory().fields[code].topics
            options = [(f"{code}/{topic.code}", topic.name.read_in(language())) for topic in topics]
            groups.append((name, [(code, str(sentence("web.form.whole_field", field=name))), *options]))
        return groups

    @cached_property
    def objectives(self) -> list[Group]:
        named = [(o.city, o.code, o.name.read_in(language())) for o in directory().objectives.values()]
        return self._by_city(named)

    @cached_property
    def rooms(self) -> list[Group]:
        return self._by_city((r.city, r.code, r.name.read_in(language())) for r in directory().rooms.values())

    def _by_city(self, named: Iterable[tuple[str, str, str]]) -> list[Group]:
        """(city, value, label) grouped by city, the host first."""
        entries = list(named)
        groups = [(slug, [(value, label) for city, value, label in entries if city == slug]) for slug in self._slugs()]
        return [(directory().city_name(slug, language()), options) for slug, options in groups if options]

    def _slugs(self) -> list[str]:
        return [self._form.host, *(slug for slug, _ in self.partners)]

    @cached_property
    def people(self) -> list[tuple[str, list[Person]]]:
        """The people to tick, by city, the host first."""
        groups = [(slug, [p for p in self._form.known if p.city == slug]) for slug in self._slugs()]
        return [(slug, people) for slug, people in groups if people]

    @cached_property
    def zones(self) -> list[Option]:
        """One zone per entry, with the cities that live by it."""
        by_zone: dict[str, list[str]] = {}
        for slug in self._slugs():
            by_zone.setdefault(directory().cities[slug].zone, []).append(directory().city_name(slug, language()))
        return [(zone, f"{', '.join(names)} ({zone})") for zone, names in by_zone.items()]

    @staticmethod
    def usual_role(person: Person) -> str:
        return person.role if person.role in ROLES else "required"

    @staticmethod
    def offers(form: MeetingForm) -> list[slots.Offer]:
        """The instants to choose from where a typed time does not exist or exists twice."""
        return slots.offers(form.choices, form.cities, form.minutes)
