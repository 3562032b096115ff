"""The slots of a search as the form shows them: by date of the host city, and the dates without any with the reason."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import groupby

from scheduler import suggestions
from scheduler.core.errors import Invalid
from scheduler.core.slots import Excluded, Slot, Unknown
from scheduler.web import clocks
from scheduler.web.clocks import LocalTime
from scheduler.web.meeting_form import MeetingForm
from scheduler.web.reader import desk, directory, language, person, sentence


@dataclass(frozen=True, slots=True)
class Offer:
    """One slot: its instant as the radio button's value, and every city's clock."""

    value: str
    times: list[LocalTime]


@dataclass(frozen=True, slots=True)
class Found:
    days: list[tuple[date, list[Offer]]]
    closed: list[tuple[date, list[str]]]
    versions: dict[str, str]
    unknown: list[str]  # whose hours may be taken, because nobody knows

    @property
    def values(self) -> list[str]:
        return [offer.value for _, offers in self.days for offer in offers]


def find(form: MeetingForm) -> Found | None:
    """The slots of the form's search; what is wrong with it is shown at the form, and then there are none."""
    try:
        wanted = form.search()
        suggested = suggestions.suggest(
            desk(),
            suggestions.Wanted(
                cities=wanted.cities,
                since=wanted.since,
                until=wanted.until,
                duration_minutes=wanted.minutes,
                limit=None,
                people=wanted.emails,
                room=wanted.room,
            ),
        )
    except Invalid as error:
        form.accuse(error)
        return None
    return Found(
        _by_day(suggested.slots, wanted.cities, wanted.minutes),
        _closed(suggested.excluded),
        suggestions.data_versions(),
        [_unknown(entry, form) for entry in suggested.unknown],
    )


def find_again(form: MeetingForm) -> Found | None:
    """The slots for a form that comes back with a fault; a search that was never made stays silent."""
    return find(form) if form.value("searched") else None


def instant_text(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%MZ")


def offers(instants: Iterable[datetime], cities: tuple[str, ...], minutes: int) -> list[Offer]:
    """Instants to choose from, the first city's clock leading."""
    return [Offer(instant_text(i), clocks.local_times(i, minutes, cities, cities[0])) for i in instants]


def _unknown(entry: Unknown, form: MeetingForm) -> str:
    names = {known.email.casefold(): known.name for known in form.known}
    who, own = names.get(entry.email) or directory().city_name(entry.city, language()), person().city
    if entry.known_at is None:
        return sentence("web.slots.unknown", who=who)
    when, city = clocks.moment(entry.known_at, own), directory().city_name(own, language())
    return sentence("web.slots.unknown_since", who=who, when=when, city=city)


def _by_day(found: Iterable[Slot], cities: tuple[str, ...], minutes: int) -> list[tuple[date, list[Offer]]]:
    starts = sorted(slot.start for slot in found)
    days = groupby(starts, key=lambda start: clocks.day_in(start, cities[0]))
    return [(day, offers(group, cities, minutes)) for day, group in days]


def _closed(excluded: Iterable[Excluded]) -> list[tuple[date, list[str]]]:
    days = groupby(sorted(excluded, key=lambda e: e.day), key=lambda e: e.day)
    return [(day, [_reason(entry) for entry in group]) for day, group in days]


def _reason(entry: Excluded) -> str:
    """Why a date has no slot, naming the city and the holiday."""
    city = directory().city_name(entry.city, language()) if entry.city else ""
    return sentence(f"words.reason.{entry.reason}", city=city, name=entry.name.read_in(language()))
