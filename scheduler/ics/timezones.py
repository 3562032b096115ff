"""VTIMEZONE components that every reader takes the same way (RFC 5545 3.6.5).

Readers disagree about observances: some expand RRULE, some see only the first value of an RDATE, and Exchange takes an
observance without RRULE as a yearly rule (MS-OXCICAL 2.1.3.1.1.19.2.1). Two forms mean the same to all of them:

- a zone that keeps one offset: one STANDARD, without a rule;
- a zone that changes twice a year by the same rule: DAYLIGHT and STANDARD with FREQ=YEARLY;BYMONTH;BYDAY=nXX.

A zone that is neither around the event gets no VTIMEZONE at all, and the event is written in UTC.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from icalendar import Timezone, TimezoneDaylight, TimezoneStandard, vRecur

from scheduler.core import zones

# Some programs keep the first VTIMEZONE they see of a zone and use it for later files, so a rule must last: as long as
# meetings can be planned ahead. (A rule can fit a few years by chance: "the day after the last Thursday of October".)
_YEARS_AHEAD = 5

_Observance = TimezoneStandard | TimezoneDaylight
_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")

# Where an observance without RRULE is read as yearly, its day and hour matter only if the offset changes; it does not.
_FIXED_SINCE = datetime(1970, 1, 1)  # noqa: DTZ001 a wall time, as DTSTART of an observance must be


@dataclass(frozen=True, slots=True)
class _Change:
    """One change of offset: `wall` is the naive time on the clock as it was before, as RFC 5545 wants the onset."""

    wall: datetime
    before: timedelta
    after: timedelta
    abbreviation: str


def vtimezone(zone: str, since: datetime, until: datetime) -> Timezone | None:
    """The VTIMEZONE of the IANA `zone`, right for events between the instants `since` and `until` (inclusive).

    It holds from the year before `since` to some years after `until`. None: the zone has no form that all readers
    understand there; write UTC instead.
    """
    return _vtimezone(zone, *_years(since, until))


def vtimezone_bytes(zone: str, since: datetime, until: datetime) -> bytes | None:
    """The same as it stands in a calendar."""
    return _written(zone, *_years(since, until))


def _years(since: datetime, until: datetime) -> tuple[int, int]:
    return since.astimezone(UTC).year - 1, until.astimezone(UTC).year + _YEARS_AHEAD


@lru_cache(maxsize=1024)
def _written(zone: str, first: int, last: int) -> bytes | None:
    component = _vtimezone(zone, first, last)
    return None if component is None else bytes(component.to_ical(sorted=False))


def _vtimezone(zone: str, first: int, last: int) -> Timezone | None:
    window = datetime(first, 1, 1, tzinfo=UTC), datetime(last + 1, 1, 1, tzinfo=UTC)
    changes = [
        _Change(at.replace(tzinfo=None) + before, before, after, abbreviation)
        for at, before, after, abbreviation in zones.transitions(zone, *window)
    ]
    changes = changes or [_unchanging(zone, window[0])]
    if any(offset.seconds % 60 for c in changes for offset in (c.before, c.after)):
        return None  # local mean times: legal since RFC 5545, but cut to minutes by older readers
    observances = _observances(changes, range(first, last + 1))
    if not observances:
        return None
    component = Timezone()
    component.add("tzid", zone)
    for observance in observances:
        component.add_component(observance)
    return component


def _unchanging(zone: str, instant: datetime) -> _Change:
    offset = zones.offset_at(instant, zone)
    return _Change(_FIXED_SINCE, offset, offset, zones.abbreviation_at(instant, zone))


def _observances(changes: Sequence[_Change], years: range) -> list[_Observance]:
    """One STANDARD, or DAYLIGHT and STANDARD; nothing when the changes do not follow one yearly rule each.

    Daylight is whatever has the larger offset: the tz database calls Ireland's winter the exception.
    """
    if changes[0].wall == _FIXED_SINCE:
        return [_observance(TimezoneStandard(), changes[0])]
    forward = [c for c in changes if c.after > c.before]
    backward = [c for c in changes if c.after < c.before]
    rules = _rule(forward, years), _rule(backward, years)
    if rules[0] is None or rules[1] is None:
        return []
    daylight = _observance(TimezoneDaylight(), forward[0], rules[0])
    return [daylight, _observance(TimezoneStandard(), backward[0], rules[1])]


def _rule(changes: Sequence[_Change], years: range) -> vRecur | None:
    """The yearly rule that gives exactly `changes`, one in each of `years`; None when there is none."""
    if [c.wall.year for c in changes] != list(years):
        return None
    if len({(c.wall.month, c.wall.weekday(), c.wall.time(), c.before, c.after, c.abbreviation) for c in changes}) > 1:
        return None
    places = set.intersection(*(_places(c.wall) for c in changes))
    if not places:
        return None
    wall = changes[0].wall
    return vRecur(FREQ="YEARLY", BYMONTH=wall.month, BYDAY=f"{min(places)}{_WEEKDAYS[wall.weekday()]}")


def _places(wall: datetime) -> set[int]:
    """Which of its weekday in the month the day is: 1 to 4 from the start, -1 the last. A fifth is always the last."""
    nth = (wall.day - 1) // 7 + 1
    is_last = wall.day + 7 > monthrange(wall.year, wall.month)[1]
    return ({nth} if nth < 5 else set()) | ({-1} if is_last else set())


def _observance(component: _Observance, change: _Change, rule: vRecur | None = None) -> _Observance:
    # A reader expands the rule from DTSTART, so DTSTART is itself an onset by the rule: a real one, before the event.
    component.add("dtstart", change.wall)
    component.add("tzoffsetfrom", change.before)
    component.add("tzoffsetto", change.after)
    component.add("tzname", change.abbreviation)
    if rule is not None:
        component.add("rrule", rule)
    return component
