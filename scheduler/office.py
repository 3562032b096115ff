"""The actions on a city's own hours and days off. Everybody may read them; the city's coordinators keep them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from scheduler import countries, public_holidays, rights
from scheduler.core import office, zones
from scheduler.core.cities import City, Closure, Person
from scheduler.core.closures import closed_days
from scheduler.core.errors import Fault, Invalid, NotFound
from scheduler.core.office import Closing
from scheduler.core.words import NOTHING
from scheduler.db import closures
from scheduler.db import directory as cities
from scheduler.desk import Desk

YEAR = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class DayOff:
    """A closed day; or a public holiday that the city `reopened` by an entry of its own, whose id it has then."""

    closure: Closure
    reopened: Closure | None = None

    @property
    def id(self) -> int:
        """Of the city's own entry; 0 where there is none."""
        return self.reopened.id if self.reopened else self.closure.id


def change(desk: Desk, actor: Person | None, slug: str, edit: Callable[[City], City]) -> City:
    """The city as `edit` makes it, stored. Raises NotFound, Forbidden, Invalid."""
    with desk.store.write() as db:
        before = _kept_by(actor, slug, cities.load(db).cities)
        after = edit(before)
        faults = list(office.identity_faults(after, countries.CODES))
        if faults:
            raise Invalid(*faults)
        if after != before:
            cities.change_city(db, after)
    return after


def add(desk: Desk, actor: Person | None, city: City) -> City:
    """Adds a city. Raises Invalid also for a slug that is there already, and Forbidden for all but operators."""
    rights.must_operate(actor)
    faults = list(office.identity_faults(city, countries.CODES))
    with desk.store.write() as db:
        if not faults and not cities.add_city(db, city):
            faults.append(Fault("/slug", "duplicate-code", {"code": city.slug}))
        if faults:
            raise Invalid(*faults)
    return city


def days_off(desk: Desk, city: City, since: date, until: date) -> list[DayOff]:
    """The closed and the reopened days from `since` to `until`, both included, by day. Raises Invalid for a range that
    is reversed or too long."""
    faults = list(office.range_faults(since, until, today(desk, city)))
    if faults:
        raise Invalid(*faults)
    public = public_holidays.closures(city.country, range(since.year, until.year + 1))
    with desk.store.read() as db:
        reopened = {entry.day: entry for entry in closures.reopened(db, city.slug)}
    closed = closed_days(city, public)
    found = {day: DayOff(closure) for day, closure in closed.items()}
    found |= {day: DayOff(public.get(day, entry), entry) for day, entry in reopened.items() if day not in closed}
    return [found[day] for day in sorted(found) if since <= day <= until]


def close(desk: Desk, actor: Person | None, slug: str, closing: Closing) -> int:
    """Closes days; the entry's id. Raises NotFound, Forbidden, Invalid."""
    with desk.store.write() as db:
        city = _kept_by(actor, slug, cities.load(db).cities)
        faults = list(office.closing_faults(closing, today(desk, city)))
        if closures.is_entered(db, slug, closing.since):
            faults.append(Fault("/day", "day-entered"))
        if faults:
            raise Invalid(*faults)
        return closures.add(db, slug, closing, _name_of(actor), desk.now())


def reopen(desk: Desk, actor: Person | None, slug: str, day: date) -> int:
    """Lets the city work on a public holiday; the entry's id. Raises NotFound, Forbidden, Invalid."""
    with desk.store.write() as db:
        city = _kept_by(actor, slug, cities.load(db).cities)
        faults = list(office.day_faults(day, today(desk, city)))
        if day not in public_holidays.closures(city.country, [day.year]):
            faults.append(Fault("/day", "no-holiday"))
        elif closures.is_entered(db, slug, day):
            faults.append(Fault("/day", "day-entered"))
        if faults:
            raise Invalid(*faults)
        return closures.add(db, slug, Closing(day, day, NOTHING, closures.REOPENED), _name_of(actor), desk.now())


def remove(desk: Desk, actor: Person | None, slug: str, closure_id: int) -> None:
    """Removes an entry of the city: opens what it closed, closes what it reopened. Raises NotFound, Forbidden."""
    with desk.store.write() as db:
        _kept_by(actor, slug, cities.load(db).cities)
        if not closures.remove(db, slug, closure_id):
            raise NotFound


def _kept_by(actor: Person | None, slug: str, known: Mapping[str, City]) -> City:
    """The city, if there is one and it is for `actor` to change."""
    if slug not in known:
        raise NotFound
    rights.must_keep(actor, slug)
    return known[slug]


def today(desk: Desk, city: City) -> date:
    return zones.to_local(desk.now(), city.zone).date()


def year_on(day: date) -> date:
    return day + min(YEAR, date.max - day)


def _name_of(actor: Person | None) -> str:
    return actor.name if actor else ""
