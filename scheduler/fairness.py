"""The ledger of early and late hours: written by the worker once a meeting is over, read city by city.

What is written is what the cities' hours and closures say when it is written, minutes after the meeting; a city that
changes its hours later changes nothing that was borne. The booking of meetings has no part in it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from scheduler import rights, suggestions
from scheduler.core.cities import Directory, Person
from scheduler.core.errors import Fault, Invalid
from scheduler.core.fairness import Account, burdens
from scheduler.db import directory as cities
from scheduler.db import fairness as ledger
from scheduler.db.fairness import Held, Sum
from scheduler.desk import Desk
from scheduler.meetings import start_of

_MARGIN = timedelta(days=2)  # a city's local day is never further from the day in UTC


@dataclass(frozen=True, slots=True)
class Report:
    """The accounts of `city` with each of its partners, about meetings that began on its local days from `since` to
    `until`, both included; None: without that bound."""

    city: str
    since: date | None
    until: date | None
    accounts: tuple[Account, ...]


def record(desk: Desk, *, limit: int) -> int:
    """Writes up to `limit` meetings that are over into the ledger; says how many it found."""
    with desk.store.read() as db:
        held = ledger.unrecorded(db, desk.now(), limit)
        known = cities.load(db) if held else Directory()
    if held:
        minutes = {meeting.meeting_id: _minutes(meeting, known) for meeting in held}
        with desk.store.write() as db:
            for meeting_id, borne in minutes.items():
                ledger.record(db, meeting_id, borne)
    return len(held)


def _minutes(held: Held, known: Directory) -> dict[str, int]:
    years = range((held.start - _MARGIN).year, (held.end + _MARGIN).year + 1)
    calendars = [suggestions.calendar(known.cities[slug], years) for slug in held.cities]
    return burdens(calendars, held.start, held.end)


def report(desk: Desk, actor: Person | None, city: str, since: date | None = None, until: date | None = None) -> Report:
    """Every partner of the city, and every city that it met with. Raises NotFound for a city of others, Invalid."""
    if since and until and until < since:
        raise Invalid(Fault("/to", "slots-reversed", {"from": since.isoformat(), "to": until.isoformat()}))
    with desk.store.read() as db:
        known = cities.load(db)
        rights.must_answer_for(actor, city, known)
        zone = known.cities[city].zone
        sums = ledger.by_partner(db, city, start_of(since, zone), start_of(until, zone, after=1))
    return Report(city, since, until, tuple(_accounts(city, sums, known)))


def _accounts(city: str, sums: Iterable[Sum], known: Directory) -> Iterable[Account]:
    """In the order of the directory."""
    met = {found.partner: found for found in sums}
    bonds = {slug for bond in known.partnerships if city in bond.cities for slug in bond.cities}
    for partner in known.cities:
        if partner != city and (partner in met or partner in bonds):
            found = met.get(partner, Sum(partner, 0, 0, 0))
            yield Account((city, partner), found.meetings, {city: found.own, partner: found.theirs})
