"""DATE and DATE-TIME values (RFC 5545 3.3.4, 3.3.5), and the IANA zone that a TZID names.

A VTIMEZONE of the file is not asked here: a name that the tz database or Windows knows means what these say.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

from scheduler.core import zones
from scheduler.core.errors import Invalid
from scheduler.ics.windows_zones import IANA_NAMES

_DATE_TIME = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(Z?)", re.ASCII | re.IGNORECASE)
_DATE = re.compile(r"(\d{4})(\d\d)(\d\d)", re.ASCII)


def date_time(value: str) -> tuple[datetime, bool] | None:
    """The wall time, and whether it is UTC; None for anything else.

    A leap second is the one before it, and 24:00 the next midnight, as ISO 8601 has it.
    """
    match = _DATE_TIME.fullmatch(value)
    if not match:
        return None
    year, month, day_, hour, minute, second = map(int, match.groups()[:-1])
    later = timedelta(days=int((hour, minute, second) == (24, 0, 0)))
    try:
        wall = datetime(year, month, day_, 0 if later else hour, minute, min(second, 59))  # noqa: DTZ001
        return wall + later, bool(match[7])
    except (ValueError, OverflowError):
        return None


def day(value: str) -> date | None:
    match = _DATE.fullmatch(value)
    try:
        return date(*map(int, match.groups())) if match else None
    except ValueError:
        return None


def on_the_clock(wall: datetime, zone: str) -> datetime | None:
    """RFC 5545 3.3.5: a time that exists twice is the first; one that does not exist is read by the offset before."""
    try:
        return zones.to_instant(wall, zone)
    except Invalid as error:
        if not error.choices:
            return None
        return error.choices[0 if error.faults[0].key == "wall-ambiguous" else -1]
    except OverflowError:  # the first and the last day of the calendar
        return None


def in_utc(wall: datetime) -> datetime:
    return wall.replace(tzinfo=UTC)


def iana_name(tzid: str) -> str | None:
    """The IANA zone that a TZID names: itself, at the end of a path (`/example.org/2026/Asia/Seoul`), or Windows'."""
    name = tzid.strip(" '\"")
    if not name:
        return None
    parts = name.strip("/").split("/")
    tails = ("/".join(parts[-length:]) for length in (len(parts), 3, 2, 1) if length <= len(parts))
    return next(filter(None, map(zones.spelled, tails)), None) or IANA_NAMES.get(name)
