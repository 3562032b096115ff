"""The slots of a search as the form shows them: the best of them by date of the host city, each date with its picture,
and the dates without any with the reason. If there are none, what would help.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from itertools import groupby

from scheduler import suggestions
from scheduler.core import strips as core_strips
from scheduler.core.compromises import Compromise
from scheduler.core.errors import Invalid
from scheduler.core.reasons import Excluded
from scheduler.core.slots import Slot, Suggestions, Unknown
from scheduler.web import clocks, strips
from scheduler.web.clocks import LocalTime
from scheduler.web.meeting_form import MeetingForm
from scheduler.web.reader import desk, directory, language, person, sentence

MOST_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Offer:
    """One slot: its instant as the radio button's value, and every city's clock. `notes` are sentences about it."""

    value: str
    times: list[LocalTime]
    notes: tuple[str, ...] = ()
    band: strips.Band | None = None
    is_best: bool = False


@dataclass(frozen=True, slots=True)
class Day:
    """A date with slots. `notes` are true of all of them."""

    date: date
    drawing: strips.Drawing
    notes: list[str]
    offers: list[Offer]


@dataclass(frozen=True, slots=True)
class ClosedDay:
    """A date without any slot; a mere weekend has no picture, nor a day that the first city's clock skips."""

    date: date
    reasons: list[str]
    drawing: strips.Drawing | None


@dataclass(frozen=True, slots=True)
class Found:
    """`total` slots there are, of which `days` have the best; `compromises` are sentences."""

    days: list[Day]
    total: int
    closed: list[ClosedDay]
    compromises: list[str]
    versions: dict[str, str]
    unknown: list[str]  # whose hours may be taken, because nobody knows

    @property
    def values(self) -> list[str]:
        return [offer.value for day in self.days for offer in day.offers]

    @property
    def kinds(self) -> set[str]:
        """What the pictures show, for their legend."""
        drawings = [*(day.drawing for day in self.days), *(day.drawing for day in self.closed)]
        return {kind for drawing in drawings if drawing for kind in drawing.kinds}


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
                limit=MOST_SHOWN,
                people=wanted.emails,
                optional=wanted.optional,
                room=wanted.room,
            ),
        )
    except Invalid as error:
        form.accuse(error)
        return None
    return Found(
        _by_day(suggested, wanted.cities, wanted.minutes, wanted.names),
        suggested.total,
        _closed(suggested),
        [_compromise(compromise, wanted.names) for compromise in suggested.compromises],
        suggestions.data_versions(),
        [unknown(entry, wanted.names) for entry in suggested.unknown],
    )


def find_again(form: MeetingForm) -> Found | None:
    """The slots for a form that comes back with a fault; a search that was never made stays silent."""
    return find(form) if form.value("searched") else None


def instant_text(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%MZ")


def offers(instants: Iterable[datetime], cities: tuple[str, ...], minutes: int) -> list[Offer]:
    """Instants to choose from, the first city's clock leading."""
    return [Offer(instant_text(i), clocks.local_times(i, minutes, cities, cities[0])) for i in instants]


def unknown(entry: Unknown, names: Mapping[str, str]) -> str:
    """Whose hours nobody knows, and since when; `names` by address as compared."""
    who, own = names.get(entry.email) or directory().city_name(entry.city, language()), person().city
    if entry.known_at is None:
        return sentence("web.slots.unknown", who=who)
    when, city = clocks.moment(entry.known_at, own), directory().city_name(own, language())
    return sentence("web.slots.unknown_since", who=who, when=when, city=city)


def _by_day(suggested: Suggestions, cities: tuple[str, ...], minutes: int, names: Mapping[str, str]) -> list[Day]:
    """The slots as time goes on; the very best stays marked."""
    best = suggested.slots[0].start if suggested.slots else None
    days = []
    for day, group in groupby(sorted(suggested.slots, key=_start), lambda slot: clocks.day_in(slot.start, cities[0])):
        picture = core_strips.picture(suggested.search, day)
        offered = [_offer(slot, picture, cities, minutes, names, slot.start == best) for slot in group]
        shared = [note for note in offered[0].notes if all(note in offer.notes for offer in offered)]
        offered = [replace(o, notes=tuple(note for note in o.notes if note not in shared)) for o in offered]
        days.append(Day(day, strips.drawing(picture), shared, offered))
    return days


def _start(slot: Slot) -> datetime:
    return slot.start


def _offer(
    slot: Slot,
    picture: core_strips.Picture,
    cities: tuple[str, ...],
    minutes: int,
    names: Mapping[str, str],
    is_best: bool,
) -> Offer:
    times = clocks.local_times(slot.start, minutes, cities, cities[0])
    band = strips.band(slot, picture, times)
    return Offer(instant_text(slot.start), times, tuple(_notes(slot, names)), band, is_best)


def _notes(slot: Slot, names: Mapping[str, str]) -> Iterator[str]:
    """What it costs and whom, who is missed, and what the day is beside."""
    for slug, cost in slot.costs.items():
        if cost:
            weight = directory().cities[slug].weight
            yield sentence("web.slots.outside", city=_city(slug), n=cost // weight)
    for key in slot.absent:
        yield sentence("web.slots.absent", name=names.get(key, key))
    for hint in slot.hints:
        yield sentence(f"words.hint.{hint.code}", city=_city(hint.city), name=hint.name.read_in(language()))


def _compromise(found: Compromise, names: Mapping[str, str]) -> str:
    """What a single change would give."""
    kind = {True: "hours-earlier", False: "hours-later"}[found.minutes < 0] if found.kind == "hours" else found.kind
    what = sentence(
        f"words.compromise.{kind}",
        city=_city(found.city) if found.city else "",
        person=names.get(found.person, found.person) if found.person else "",
        minutes=abs(found.minutes),
        days=found.days,
    )
    return sentence("web.slots.would_give", what=what, n=found.slots)


def _city(slug: str) -> str:
    return directory().city_name(slug, language())


def _closed(suggested: Suggestions) -> list[ClosedDay]:
    days = groupby(suggested.excluded, key=lambda entry: entry.day)
    return [_closed_day(suggested, day, list(group)) for day, group in days]


def _closed_day(suggested: Suggestions, day: date, entries: list[Excluded]) -> ClosedDay:
    picture = core_strips.picture(suggested.search, day)
    telling = picture.span[0] < picture.span[1] and any(entry.reason != "weekend" for entry in entries)
    return ClosedDay(day, [_reason(entry) for entry in entries], strips.drawing(picture) if telling else None)


def _reason(entry: Excluded) -> str:
    """Why a date has no slot, naming the city and the holiday."""
    city = _city(entry.city) if entry.city else ""
    return sentence(f"words.reason.{entry.reason}", city=city, name=entry.name.read_in(language()))
