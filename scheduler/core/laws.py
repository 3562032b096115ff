"""Changes of law: what new rules of time, or a day newly closed, mean to a meeting that was agreed before them.

Governments change the rules of their clocks and declare holidays at short notice. A meeting keeps its instant until its
coordinator decides, so nothing moves by itself; but the clocks of its cities may show another hour than people were
told, and a city may be closed by then. What was true when the time was last decided is therefore kept with the meeting
(`Meeting.known`): for each city the wall time of the start, and whether it was known to be closed. A change is found by
asking the same anew. Versions of the data are never compared: a new one leaves most zones as they were.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import NamedTuple

from scheduler.core import zones
from scheduler.core.cities import City, Closure, Directory
from scheduler.core.closures import closure_on
from scheduler.core.errors import Invalid
from scheduler.core.meeting import Meeting

PublicOf = Callable[[str, int], Mapping[date, Closure]]  # country and year -> its public holidays by local day

# What became of the wall time that defines a meeting, on the clock of its zone: it means the same instant; another one;
# none, because clocks go forward over it; or two others, because they go back.
SAME, MOVED, NONEXISTENT, AMBIGUOUS = "same", "moved", "nonexistent", "ambiguous"
_FAULTS = {"wall-nonexistent": NONEXISTENT, "wall-ambiguous": AMBIGUOUS}


class Fact(NamedTuple):
    """What was known of one city: the naive wall time of the start there, and whether it was closed then."""

    wall: datetime
    closed: bool


@dataclass(frozen=True, slots=True)
class Shift:
    """A city's clock shows `after` at the start of the meeting, where people were told `before`. Both are naive."""

    city: str
    before: datetime
    after: datetime


@dataclass(frozen=True, slots=True)
class Finding:
    """What changed about a meeting to come. `instants`: of its wall time by the rules of today (see `meaning`)."""

    meeting: Meeting
    meaning: str
    instants: tuple[datetime, ...]
    shifts: tuple[Shift, ...]
    closures: tuple[tuple[str, Closure], ...]  # by city

    @property
    def is_of_time(self) -> bool:
        return self.meaning != SAME or bool(self.shifts)

    @property
    def mark(self) -> str:
        """Two marks in one, of the clocks and of the closed days: they are decided one by one. Each is the same for the
        same change, so that nobody is told twice."""
        clocks = (self.meeting.wall, self.meeting.zone, self.meaning, self.instants, self.shifts)
        days = [(slug, closure.day, closure.start) for slug, closure in self.closures]
        return (_mark(clocks) if self.is_of_time else _NO_MARK) + (_mark(days) if days else _NO_MARK)

    def is_news(self, told: str) -> bool:
        """Whether there is more to it than the mark `told` says was told."""
        return any(now not in (_NO_MARK, then) for now, then in zip(_halves(self.mark), _halves(told), strict=True))

    def still_told(self, told: str) -> str:
        """What is left of the mark `told`; empty: nothing."""
        left = [then if now == then else _NO_MARK for now, then in zip(_halves(self.mark), _halves(told), strict=True)]
        return "".join(left) if left != [_NO_MARK, _NO_MARK] else ""


_NO_MARK = "-" * 8


def _mark(change: object) -> str:
    return hashlib.sha256(repr(change).encode()).hexdigest()[: len(_NO_MARK)]


def _halves(mark: str) -> tuple[str, str]:
    return mark[: len(_NO_MARK)], mark[len(_NO_MARK) :]


def find(meeting: Meeting, directory: Directory, public: PublicOf) -> Finding | None:
    """What changed since its time was decided; None: nothing."""
    cities = [directory.cities[slug] for slug in meeting.cities]
    meaning, instants = _meaning(meeting)
    before = _read(meeting.known)
    closures = [
        (city.slug, closure)
        for city in cities
        if city.slug in before and not before[city.slug].closed
        if (closure := closed(city, meeting.start, meeting.end, public))
    ]
    found = Finding(meeting, meaning, instants, _shifts(meeting, cities, before), tuple(closures))
    return found if found.is_of_time or found.closures else None


def still_told(told: str, meeting: Meeting, directory: Directory, public: PublicOf) -> str:
    """What is left of the mark `told` after a decision or an edit; empty: nothing."""
    left = find(meeting, directory, public)
    return left.still_told(told) if left else ""


def may_wait(meeting: Meeting, now: datetime) -> bool:
    """Whether it is to come: about any other one nobody decides."""
    return meeting.status == "confirmed" and meeting.start > now


def clocks_wait(meeting: Meeting, directory: Directory, now: datetime) -> bool:
    """Whether it is to come and its clocks are no longer those that people were told, and nobody has decided yet."""
    if not may_wait(meeting, now):
        return False
    cities = [directory.cities[slug] for slug in meeting.cities]
    return _meaning(meeting)[0] != SAME or bool(_shifts(meeting, cities, _read(meeting.known)))


def _shifts(meeting: Meeting, cities: Iterable[City], before: Mapping[str, Fact]) -> tuple[Shift, ...]:
    return tuple(
        Shift(city.slug, before[city.slug].wall, now)
        for city in cities
        if city.slug in before and before[city.slug].wall != (now := _wall(meeting.start, city.zone))
    )


def _meaning(meeting: Meeting) -> tuple[str, tuple[datetime, ...]]:
    try:
        instants = (zones.to_instant(meeting.wall, meeting.zone),)
    except Invalid as error:
        meaning = _FAULTS[error.faults[0].key]
        # An hour that comes twice was chosen as one of the two.
        return (SAME if meaning == AMBIGUOUS and meeting.start in error.choices else meaning), error.choices
    return (SAME if instants == (meeting.start,) else MOVED), instants


def closed(city: City, start: datetime, end: datetime, public: PublicOf) -> Closure | None:
    """The first closure of the city that takes a part of [start, end)."""
    since, until = _wall(start, city.zone), _wall(end, city.zone)
    day = since.date()
    while datetime.combine(day, time()) < until or day == since.date():
        closure = closure_on(city, day, public(city.country, day.year))
        if closure and datetime.combine(day, time()) + timedelta(minutes=closure.start) < until:
            return closure
        day += timedelta(days=1)
    return None


def _wall(instant: datetime, zone: str) -> datetime:
    return zones.to_local(instant, zone).replace(tzinfo=None)


# --- what is known


def known(start: datetime, minutes: int, cities: Iterable[City], public: PublicOf) -> str:
    """What is true of each city now, as it is kept with a meeting."""
    end = start + timedelta(minutes=minutes)
    return _written({c.slug: Fact(_wall(start, c.zone), closed(c, start, end, public) is not None) for c in cities})


def known_before(meeting: Meeting, cities: Sequence[City], public: PublicOf) -> str:
    """The same of a meeting that was made when nothing was kept: its own wall time counts where it is of that zone."""
    facts = _read(known(meeting.start, meeting.duration_minutes, cities, public))
    own = {city.slug for city in cities if city.zone == meeting.zone}
    return _written({slug: fact._replace(wall=meeting.wall) if slug in own else fact for slug, fact in facts.items()})


def with_cities(before: str, now: str) -> str:
    """After cities came or went, and the time stayed: what was known of those that stay, and what is now of others."""
    if not before:
        return before
    kept = _read(before)
    return _written({slug: kept.get(slug, fact) for slug, fact in _read(now).items()})


def knowing_clocks(before: str, now: str) -> str:
    """The clocks of now. A day that was not known to be closed is not known to be so by a decision about clocks."""
    kept = _read(before)
    return _written(
        {
            slug: fact._replace(closed=kept[slug].closed)
            if slug in kept and kept[slug].wall.date() == fact.wall.date()
            else fact
            for slug, fact in _read(now).items()
        }
    )


def knowing_closures(before: str, now: str) -> str:
    """The closed days of now, and the clocks as they were known: those are for another decision."""
    kept = _read(before)
    return _written(
        {slug: fact._replace(wall=kept[slug].wall) if slug in kept else fact for slug, fact in _read(now).items()}
    )


def wall_known(meeting: Meeting, city: str) -> datetime | None:
    """The start on the city's clock as people were told; None where nothing is kept."""
    fact = _read(meeting.known).get(city) if meeting.known else None
    return fact.wall if fact else None


def show_the_same(one: Meeting, other: Meeting) -> bool:
    """Whether both were told with the same clocks, as far as both have the same cities."""
    if one.known == other.known:
        return True
    first, second = _read(one.known), _read(other.known)
    return all(first[slug].wall == second[slug].wall for slug in first.keys() & second.keys())


def decided_alike(one: Meeting, other: Meeting) -> bool:
    """Whether both are of the same time, and know the same of the cities that both have."""
    if (one.start, one.wall, one.zone) != (other.start, other.wall, other.zone):
        return False
    first, second = _read(one.known), _read(other.known)
    return all(first[slug] == second[slug] for slug in first.keys() & second.keys())


def _written(facts: Mapping[str, Fact]) -> str:
    return json.dumps({slug: [fact.wall.isoformat(), int(fact.closed)] for slug, fact in facts.items()})


def _read(known: str) -> dict[str, Fact]:
    if not known:
        return {}
    return {slug: Fact(datetime.fromisoformat(wall), bool(shut)) for slug, (wall, shut) in json.loads(known).items()}
