"""When a meeting of several cities fits, which times are best, and why not on the other days.

A slot starts on a grid of the first city's wall clock (`search`), lies whole within one span of every city's office or
stretch hours (so lunch is a gap), overlaps no busy time of required people and rooms, widened by their city's buffer,
and does not start before now and the longest notice. The best are listed by rank (`ranking`), each with hints
(`hints`); each day without any has its reasons (`reasons`), and if nothing fits, compromises are offered.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from scheduler.core.calendars import Calendar
from scheduler.core.cities import City
from scheduler.core.compromises import WEEK, Compromise, compromises
from scheduler.core.errors import Fault, Invalid
from scheduler.core.hints import Hint, Hints
from scheduler.core.hours import MARGIN
from scheduler.core.ranking import Ranked, rank
from scheduler.core.reasons import Excluded, excluded
from scheduler.core.search import Attendee, Search, city_faults
from scheduler.core.spans import Span
from scheduler.core.zones import HORIZON

MAX_DAYS = 400
MAX_MINUTES = 24 * 60
STEPS = (5, 60)  # minutes, both included
EARLIEST = date(1970, 1, 1)  # zone data are rough before


@dataclass(frozen=True, slots=True)
class Slot:
    """A candidate [start, end) in UTC. `local`: its start on each city's clock.

    `costs`: each city's minutes outside its office hours, times its weight; `cost` is their sum. `absent`: the keys of
    attendees who are not required and are busy.
    """

    start: datetime
    end: datetime
    local: dict[str, datetime]
    cost: int = 0
    costs: dict[str, int] = field(default_factory=dict)
    hints: tuple[Hint, ...] = ()
    absent: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unknown:
    """Whose calendar tells nothing that still counts: a person (`email`), or a city as a whole. `known_at`: until when
    it did, if ever."""

    city: str
    email: str
    known_at: datetime | None


@dataclass(frozen=True, slots=True)
class Suggestions:
    """The best `slots` of `total`, by rank. `unknown`: of whom perhaps more is busy than we know.

    `search` is what they were found by, for whoever wants a picture of a day (`strips`).
    """

    slots: tuple[Slot, ...]
    excluded: tuple[Excluded, ...]
    search: Search
    total: int = 0
    compromises: tuple[Compromise, ...] = ()
    unknown: tuple[Unknown, ...] = ()


def closure_years(since: date, until: date) -> range:
    """The years of which `find_slots` can need calendars: other cities' local days and a later week reach further.

    None for a range that `find_slots` will refuse, so that nobody computes the holidays of nine thousand years.
    """
    if since < EARLIEST or not 0 <= (until - since).days < MAX_DAYS:
        return range(0)
    reach = WEEK + MARGIN
    return range((since - MARGIN).year, (min(until, date.max - reach) + reach).year + 1)


def find_slots(
    calendars: Sequence[Calendar],
    since: date,
    until: date,
    duration_minutes: int,
    *,
    now: datetime,
    step_minutes: int = 15,
    limit: int | None = None,
    attendees: Sequence[Attendee] = (),
    borne: Mapping[str, int] | None = None,
) -> Suggestions:
    """Slots of the local days `since` to `until` (both included) of the first city.

    `calendars` of `closure_years`. `borne`: the minutes outside office hours that each city bore in meetings held.
    `limit` cuts the slots, which are then spread over the days, not the reasons. Raises Invalid.
    """
    _check([calendar.city for calendar in calendars], since, until, duration_minutes, step_minutes, now)
    moment = math.ceil(now.timestamp())
    search = Search.of(calendars, attendees, since, until, duration_minutes, step_minutes, moment)
    ranked = rank(search, search.free_starts(), borne or {}, limit)
    return Suggestions(
        tuple(listed(search, ranked)),
        tuple(excluded(search, ranked.starts)),
        search,
        len(ranked.starts),
        () if len(ranked.starts) else tuple(compromises(search, (now + HORIZON).date())),
    )


def busy_spans(intervals: Iterable[tuple[datetime, datetime]]) -> tuple[Span, ...]:
    """Busy intervals widened to whole seconds."""
    return tuple((math.floor(start.timestamp()), math.ceil(end.timestamp())) for start, end in intervals)


def _check(
    cities: Sequence[City], since: date, until: date, duration_minutes: int, step_minutes: int, now: datetime
) -> None:
    faults = city_faults(cities)
    if since < EARLIEST:
        faults.append(Fault("/from", "slots-too-early", {"earliest": EARLIEST.isoformat()}))
    if until < since:
        faults.append(Fault("/to", "slots-reversed", {"from": since.isoformat(), "to": until.isoformat()}))
    elif (until - since).days >= MAX_DAYS:
        faults.append(Fault("/to", "slots-too-long", {"days": (until - since).days + 1, "max": MAX_DAYS}))
    elif until > (now + HORIZON).date():
        faults.append(Fault("/to", "slots-too-far", {"latest": (now + HORIZON).date().isoformat()}))
    if not 1 <= duration_minutes <= MAX_MINUTES:
        faults.append(Fault("/duration_minutes", "duration-range", {"least": 1, "most": MAX_MINUTES}))
    if not STEPS[0] <= step_minutes <= STEPS[1]:
        faults.append(Fault("/step_minutes", "step-range", {"least": STEPS[0], "most": STEPS[1]}))
    if faults:
        raise Invalid(*faults)


def listed(search: Search, ranked: Ranked) -> Iterator[Slot]:
    """The chosen slots, best first."""
    length, chosen = timedelta(seconds=search.length), ranked.chosen
    parts = [(c.city.slug, c.clock.local, _prices(c.city, ranked), Hints(c)) for c in search.calendars]
    absent = [(key, mask[chosen].tolist()) for key, mask in ranked.absent]
    for place, instant in enumerate(ranked.starts[chosen].tolist()):
        local: dict[str, datetime] = {}
        costs: dict[str, int] = {}
        told: list[Hint] = []
        for slug, clock, prices, hints in parts:
            local[slug] = clock(instant)
            costs[slug] = prices[place]
            told += hints.of(local[slug], length)
        start, missed = datetime.fromtimestamp(instant, UTC), tuple([key for key, busy in absent if busy[place]])
        yield Slot(start, start + length, local, sum(costs.values()), costs, tuple(told), missed)


def _prices(city: City, ranked: Ranked) -> list[int]:
    """What each of the chosen slots costs the city."""
    if city.slug not in ranked.burdens:
        return [0] * len(ranked.chosen)
    prices: list[int] = (ranked.burdens[city.slug][ranked.chosen] * city.weight).tolist()
    return prices
