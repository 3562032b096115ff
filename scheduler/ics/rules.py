"""Recurrence rules (RFC 5545 3.3.10), looked at before they are expanded.

The expansion is dateutil's, on wall times without a zone, so that nothing of a file's own zones gets into it. It never
sees a rule that it could not end: nothing more often than daily, no interval of nothing, no absurd count.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from itertools import takewhile
from typing import Any

from dateutil.rrule import DAILY, MONTHLY, WEEKLY, YEARLY, rrule, weekday

from scheduler.ics.components import Refused
from scheduler.ics.times import date_time, day

MAX_COUNT = 10_000
_FREQUENCIES = {"DAILY": DAILY, "WEEKLY": WEEKLY, "MONTHLY": MONTHLY, "YEARLY": YEARLY}
_PERIODS = {DAILY: timedelta(days=1), WEEKLY: timedelta(weeks=1)}
_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_BY_DAY = re.compile(rf"([+-]?\d{{1,2}})?({'|'.join(_WEEKDAYS)})", re.ASCII)
# dateutil's name, the least and the most; negative ones count from the end.
_NUMBERS = {
    "BYMONTH": ("bymonth", 1, 12),
    "BYMONTHDAY": ("bymonthday", -31, 31),
    "BYYEARDAY": ("byyearday", -366, 366),
    "BYWEEKNO": ("byweekno", -53, 53),
    "BYSETPOS": ("bysetpos", -366, 366),
    "BYHOUR": ("byhour", 0, 23),
    "BYMINUTE": ("byminute", 0, 59),
    "BYSECOND": ("bysecond", 0, 59),
}
_MAY_BE_ZERO = ("BYHOUR", "BYMINUTE", "BYSECOND")
_LONGEST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


@dataclass(frozen=True, slots=True)
class Rule:
    """`until` as written. `by`: dateutil's arguments."""

    freq: int
    interval: int
    count: int | None
    until: str
    by: Mapping[str, Any]


def read(text: str) -> Rule:
    """Raises Refused for a rule that is broken, hostile, or of a kind that no calendar of an office has."""
    try:
        parts = dict(part.split("=", 1) for part in text.upper().strip("; ").split(";"))
        freq, interval = _FREQUENCIES[parts.pop("FREQ")], int(parts.pop("INTERVAL", "1"))
        count = int(parts.pop("COUNT")) if "COUNT" in parts else None
        until = parts.pop("UNTIL", "")
        by = dict(_argument(name, value) for name, value in parts.items())
    except (ValueError, KeyError):
        raise Refused("rule") from None
    if interval < 1 or not (count is None or 1 <= count <= MAX_COUNT):
        raise Refused("rule")
    return Rule(freq, interval, count, until, by)


def _argument(name: str, value: str) -> tuple[str, Any]:
    """Raises ValueError or KeyError."""
    if name == "WKST":
        return "wkst", _WEEKDAYS.index(value)
    if name == "BYDAY":
        return "byweekday", [_weekday(part) for part in value.split(",")]
    argument, least, most = _NUMBERS[name]
    numbers = sorted({int(part) for part in value.split(",")})
    if not all(least <= number <= most and (number or name in _MAY_BE_ZERO) for number in numbers):
        raise ValueError(value)
    return argument, numbers


def _weekday(text: str) -> weekday:
    match = _BY_DAY.fullmatch(text)
    if not match or (match[1] and not 1 <= abs(int(match[1])) <= 53):
        raise ValueError(text)
    return weekday(_WEEKDAYS.index(match[2]), int(match[1]) if match[1] else None)


def end_of(rule: Rule, wall_of: Callable[[datetime], datetime]) -> datetime | None:
    """The last wall time that UNTIL allows; `wall_of` puts one in UTC (naive) on the event's clock."""
    if not rule.until:
        return None
    if last_day := day(rule.until):
        return datetime.combine(last_day, time(23, 59, 59))
    found = date_time(rule.until)
    if found is None:
        raise Refused("rule")
    try:
        return wall_of(found[0]) if found[1] else found[0]
    except OverflowError:
        return None


def walls(rule: Rule, begin: datetime, end: datetime | None, since: datetime, until: datetime) -> Iterator[datetime]:
    """The wall times of the rule from `begin` on, up to `end` and `until`; those before `since` may be left out."""
    last = min(end, until) if end else until
    if _matches_no_day(rule.by):
        return
    end_in = {"count": rule.count} if rule.count else {"until": last}  # dateutil takes only one of them
    try:
        found = rrule(rule.freq, dtstart=_nearer(rule, begin, since), interval=rule.interval, **end_in, **rule.by)
        yield from takewhile(lambda wall: wall <= last, found)
    except ValueError:  # parts that do not go together
        raise Refused("rule") from None


def _nearer(rule: Rule, begin: datetime, since: datetime) -> datetime:
    """Where an expansion can begin instead: whole intervals later, of rules whose intervals all have one length."""
    if rule.count is not None or rule.freq not in _PERIODS or since <= begin:
        return begin
    step = _PERIODS[rule.freq] * rule.interval if rule.interval < MAX_COUNT else None
    return begin + max(0, (since - begin) // step - 1) * step if step else begin


def _matches_no_day(by: Mapping[str, Any]) -> bool:
    """30 February: whoever looks for it looks on to the end of time."""
    months, days = by.get("bymonth", ()), by.get("bymonthday", ())
    return bool(months and days) and all(abs(d) > _LONGEST[m - 1] for m in months for d in days)
