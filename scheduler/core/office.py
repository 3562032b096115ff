"""What a city says of its own hours and days off, as somebody wrote it: read, checked, every fault told at its place.

A page, a program and a city file write alike: for each weekday, Monday first, a list of intervals such as
`09:00-12:00`, within one day and in order; what goes on past midnight is written on both days. Office hours are a
city's own affair. Stretch hours are not: they may be early or late, and may overlap office hours, where they cost
nothing, but nobody is to be called to a meeting at night.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from scheduler.core.cities import BY_DAYLIGHT, City, Closure, Minutes, Season, WeeklyHours
from scheduler.core.drafts import NAME_LIMIT, wording_faults
from scheduler.core.errors import Fault, Invalid
from scheduler.core.words import Wording
from scheduler.core.zones import HORIZON, is_zone

WEEK = range(7)
DAY: Minutes = (0, 24 * 60)
MOST_INTERVALS = 8  # a day
MOST_SEASONS = 12
EARLIEST, MOST_DAYS = date(1970, 1, 1), 400  # of days off that are asked for
LONGEST_CLOSURE = timedelta(days=366)
BOUNDS = {"weight": (1, 9), "notice_hours": (0, 720), "buffer_minutes": (0, 120)}
CLOSURE_KINDS = ("municipal", "holiday")  # by the city's own decision; by law, too late for the data of holidays

_INTERVAL = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-(?:([01]\d|2[0-3]):([0-5]\d)|(24):(00))")
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
_SEASON_DAY = re.compile(r"(\d{4}-)?\d\d-\d\d")

WrittenWeek = tuple[tuple[str, ...], ...]
NO_WEEK: WrittenWeek = ((),) * 7


@dataclass(frozen=True, slots=True)
class WrittenSeason:
    """See `cities.Season`."""

    since: str
    until: str
    hours: WrittenWeek


@dataclass(frozen=True, slots=True)
class Written:
    """All that a city says of its hours; see `cities.City`."""

    hours: WrittenWeek = NO_WEEK
    seasons: tuple[WrittenSeason, ...] = ()
    stretch: WrittenWeek = NO_WEEK
    preferred: WrittenWeek = NO_WEEK
    weight: int = 1
    notice_hours: int = 0
    buffer_minutes: int = 0


@dataclass(frozen=True, slots=True)
class Closing:
    """One or more local days, both ends included, that a city closes; from `start` minutes on, each of them."""

    since: date
    until: date
    name: Wording
    kind: str = "municipal"
    start: int = 0

    def days(self) -> Iterator[Closure]:
        """Each day of it. Closed by law from an hour on, it is a half day, as in the data of holidays."""
        kind = "half-day" if self.kind == "holiday" and self.start else self.kind
        for number in range((self.until - self.since).days + 1):
            yield Closure(self.since + timedelta(days=number), kind, self.name, self.start)


def written(city: City) -> Written:
    return Written(
        hours=written_week(city.hours),
        seasons=tuple(WrittenSeason(s.since, s.until, written_week(s.hours)) for s in city.seasons),
        stretch=written_week(city.stretch),
        preferred=written_week(city.preferred),
        weight=city.weight,
        notice_hours=city.notice_hours,
        buffer_minutes=city.buffer_minutes,
    )


def written_week(week: WeeklyHours) -> WrittenWeek:
    return tuple(tuple(f"{clock(start)}-{clock(end)}" for start, end in day) for day in week)


def clock(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def minutes_of(time: str) -> int | None:
    """Minutes after midnight of `13:00`; None of what is no time."""
    match = _CLOCK.fullmatch(time)
    return int(match[1]) * 60 + int(match[2]) if match else None


def planned(city: City, said: Written) -> City:
    """`city` with these hours; raises Invalid with every fault, each at `/hours/WEEKDAY/INTERVAL` and the like."""
    faults: list[Fault] = []
    found = replace(
        city,
        hours=_week(said.hours, "/hours", faults),
        seasons=_seasons(said.seasons, faults),
        stretch=_week(said.stretch, "/stretch", faults, BY_DAYLIGHT),
        preferred=_week(said.preferred, "/preferred", faults),
        weight=said.weight,
        notice_hours=said.notice_hours,
        buffer_minutes=said.buffer_minutes,
    )
    for name, (least, most) in BOUNDS.items():
        if not least <= getattr(said, name) <= most:
            faults.append(Fault(f"/{name}", "number-range", {"least": least, "most": most}))
    if faults:
        raise Invalid(*faults)
    return found


def _week(week: Sequence[Sequence[str]], at: str, faults: list[Fault], within: Minutes = DAY) -> WeeklyHours:
    if len(week) != len(WEEK):
        faults.append(Fault(at, "seven-days"))
        return ((),) * 7
    return tuple(tuple(_day(day, f"{at}/{weekday}", faults, within)) for weekday, day in enumerate(week))


def _day(day: Sequence[str], at: str, faults: list[Fault], within: Minutes) -> Iterator[Minutes]:
    """The intervals of one weekday that can be meant: each with a length, in order, none running into the next."""
    if len(day) > MOST_INTERVALS:
        faults.append(Fault(at, "too-many-intervals", {"limit": MOST_INTERVALS}))
        return
    before = 0
    for index, text in enumerate(day):
        interval = _interval(text)
        key = _wrong(interval, before, within)
        if key:
            faults.append(Fault(f"{at}/{index}", key, {"hours": text[:60]}))
        elif interval:
            yield interval
            before = interval[1]


def _interval(text: str) -> Minutes | None:
    match = _INTERVAL.fullmatch(text)
    if not match:
        return None
    numbers = [int(group) for group in match.groups() if group is not None]
    start, end = numbers[0] * 60 + numbers[1], numbers[2] * 60 + numbers[3]
    return (start, end) if start < end else None


def _wrong(interval: Minutes | None, before: int, within: Minutes) -> str:
    """Key of what is wrong with an interval after one that ends at `before`, or nothing."""
    if interval is None:
        return "bad-hours"
    if interval[0] < before:
        return "hours-overlap"
    return "" if within[0] <= interval[0] and interval[1] <= within[1] else "hours-at-night"


def _seasons(seasons: Sequence[WrittenSeason], faults: list[Fault]) -> tuple[Season, ...]:
    if len(seasons) > MOST_SEASONS:
        faults.append(Fault("/seasons", "too-many-seasons", {"limit": MOST_SEASONS}))
        return ()
    return tuple(_season(season, f"/seasons/{number}", faults) for number, season in enumerate(seasons))


def _season(season: WrittenSeason, at: str, faults: list[Fault]) -> Season:
    for name, day in (("from", season.since), ("to", season.until)):
        if not _is_season_day(day):
            faults.append(Fault(f"{at}/{name}", "bad-season-day" if day else "required", {"day": day[:60]}))
            break
    else:
        if len(season.since) != len(season.until):
            faults.append(Fault(f"{at}/to", "season-of-two-kinds"))
        elif len(season.since) == len("2027-07-01") and season.until < season.since:
            faults.append(Fault(f"{at}/to", "season-reversed"))
    if not any(season.hours):
        faults.append(Fault(f"{at}/hours", "season-without-hours"))
    return Season(season.since, season.until, _week(season.hours, f"{at}/hours", faults))


def _is_season_day(text: str) -> bool:
    match = _SEASON_DAY.fullmatch(text)
    try:
        return bool(match) and bool(date.fromisoformat(text if match and match[1] else f"2024-{text}"))
    except ValueError:
        return False


def identity_faults(city: City, countries: frozenset[str]) -> Iterator[Fault]:
    """What is wrong with a city's name, zone and country."""
    yield from _name_faults(city.name)
    if not is_zone(city.zone):
        yield Fault("/zone", "unknown-zone", {"zone": city.zone[:60]})
    if city.country not in countries:
        yield Fault("/country", "unknown-country", {"country": city.country[:60]})


def closing_faults(closing: Closing, today: date) -> Iterator[Fault]:
    yield from _name_faults(closing.name)
    if closing.kind not in CLOSURE_KINDS:
        yield Fault("/kind", "unknown-kind", {"kind": closing.kind[:60]})
    if not 0 <= closing.start < DAY[1]:
        yield Fault("/from", "bad-time", {"time": str(closing.start)})
    yield from day_faults(closing.since, today)
    yield from length_faults(closing.since, closing.until)


def range_faults(since: date, until: date, today: date) -> Iterator[Fault]:
    """What is wrong with a request for the days off `since` to `until`."""
    if since < EARLIEST:
        yield Fault("/from", "slots-too-early", {"earliest": EARLIEST.isoformat()})
    if until < since:
        yield Fault("/to", "slots-reversed")
    elif (until - since).days >= MOST_DAYS:
        yield Fault("/to", "slots-too-long", {"max": MOST_DAYS})
    elif until > today + HORIZON:
        yield Fault("/to", "slots-too-far", {"latest": (today + HORIZON).isoformat()})


def length_faults(since: date, until: date) -> Iterator[Fault]:
    if until < since:
        yield Fault("/until", "slots-reversed")
    elif until - since >= LONGEST_CLOSURE:
        yield Fault("/until", "slots-too-long", {"max": LONGEST_CLOSURE.days})


def day_faults(day: date, today: date) -> Iterator[Fault]:
    """Days off are entered for days to come, as far as meetings are planned."""
    if day < today:
        yield Fault("/day", "in-the-past")
    if day > today + HORIZON:
        yield Fault("/day", "too-far-ahead")


def _name_faults(name: Wording) -> Iterator[Fault]:
    if not name:
        yield Fault("/name", "required")
    yield from wording_faults("/name", name, NAME_LIMIT)
