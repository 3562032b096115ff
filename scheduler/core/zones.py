"""Wall time and instants. The only module that imports pytz.

An instant is an aware datetime in UTC. A wall time is a naive datetime that means something only together with the
name of an IANA zone. Local times that leave this module are aware with a plain fixed offset, so that no pytz object
(whose first offset is local mean time: Seoul +8:28) ever travels.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from functools import cache, lru_cache
from pathlib import PurePath

import pytz
from pytz.tzinfo import BaseTzInfo, DstTzInfo

from scheduler.core.errors import Fault, Invalid, NotReady

# pytz knows no rules after 2037 and nobody plans further; the bound keeps both facts out of the rest.
HORIZON = timedelta(days=5 * 366)
_OWN = PurePath(pytz.__file__).parent / "zoneinfo"
_VERSION = re.compile(r"\b\d{4}[a-z]{1,2}\b")
_VERSION_LENGTH = 16  # as much as is stored with a meeting


@cache
def tz_version() -> str:
    """Version of the tz database in use, such as `2026a`; of another folder than pytz's own, what stands in it, and
    if that is nothing, the folder's name."""
    folder = _folder()
    if folder == _OWN:
        return str(pytz.OLSON_VERSION)  # type: ignore[attr-defined]
    told = (_VERSION.search(_first_line(name)) for name in ("+VERSION", "version", "tzdata.zi"))
    return next((found[0] for found in told if found), folder.name[:_VERSION_LENGTH])


def must_be_there() -> None:
    """Raises NotReady when there are no zones, because PYTZ_TZDATADIR names a folder that holds none."""
    try:
        _folder()
    except OSError as error:
        raise NotReady("no-zones", folder=str(PurePath(error.filename).parent)) from None


def _folder() -> PurePath:
    """The folder of compiled zones that is believed."""
    with pytz.open_resource("UTC") as file:  # type: ignore[attr-defined]
        return PurePath(file.name).parent


def _first_line(name: str) -> str:
    """Of a file in that folder; empty when there is none."""
    try:
        with pytz.open_resource(name) as file:  # type: ignore[attr-defined]
            return str(file.readline(200), "ascii", "replace")
    except OSError:
        return ""


def is_zone(name: str) -> bool:
    """Whether `name` is an IANA zone that this tz database knows (exact spelling)."""
    return name in pytz.all_timezones_set


def spelled(name: str) -> str | None:
    """The IANA zone that `name` is in whatever letters (`asia/seoul`), as the tz database spells it."""
    return name if is_zone(name) else _spellings().get(name.casefold())


@lru_cache(maxsize=1)
def _spellings() -> dict[str, str]:
    return {name.casefold(): name for name in pytz.all_timezones}


@lru_cache(maxsize=1024)
def _zone(name: str) -> BaseTzInfo:
    if not is_zone(name):
        raise Invalid(Fault("/zone", "unknown-zone", {"zone": name}))
    return pytz.timezone(name)


@lru_cache(maxsize=4096)
def to_instant(wall: datetime, zone: str) -> datetime:
    """The UTC instant of the naive `wall` in `zone`.

    Raises Invalid for an unknown zone, and for a wall time that does not exist or exists twice; the error then names
    the instants to choose from: the two readings, or the last before and the first after the gap.
    """
    tz = _zone(zone)
    values = {"wall": wall.isoformat(" ", "minutes"), "zone": zone}
    try:
        return tz.localize(wall, is_dst=None).astimezone(UTC)
    except pytz.NonExistentTimeError:
        # Read with the offsets before and after the gap: the wall clock shifted by the gap's length either way.
        choices = _readings(tz, wall)
        raise Invalid(Fault("/wall", "wall-nonexistent", values), choices=choices) from None
    except pytz.AmbiguousTimeError:
        raise Invalid(Fault("/wall", "wall-ambiguous", values), choices=_readings(tz, wall)) from None


def _readings(tz: BaseTzInfo, wall: datetime) -> tuple[datetime, ...]:
    return tuple(sorted({tz.localize(wall, is_dst=dst).astimezone(UTC) for dst in (True, False)}))


@lru_cache(maxsize=4096)  # of one meeting, every invitee's mail and every calendar asks the same
def to_local(instant: datetime, zone: str) -> datetime:
    """`instant` on the clock of `zone`, aware with the offset then in force (a fixed offset, no pytz object)."""
    local = instant.astimezone(_zone(zone))
    offset = local.utcoffset()
    assert offset is not None
    return local.replace(tzinfo=timezone(offset))


def offset_at(instant: datetime, zone: str) -> timedelta:
    offset = to_local(instant, zone).utcoffset()
    assert offset is not None
    return offset


def abbreviation_at(instant: datetime, zone: str) -> str:
    """The tz database's abbreviation in force, such as `KST` or `+08`."""
    return instant.astimezone(_zone(zone)).strftime("%Z")


def transitions(zone: str, since: datetime, until: datetime) -> Iterator[tuple[datetime, timedelta, timedelta, str]]:
    """Changes of offset in [since, until): instant (UTC), offset before, offset after, abbreviation after.

    Entries of the tz database that change no offset (only a name) are left out.
    """
    tz = _zone(zone)
    if not isinstance(tz, DstTzInfo):
        return
    times, infos = tz._utc_transition_times, tz._transition_info  # type: ignore[attr-defined]
    first, beyond = (bisect_left(times, moment.astimezone(UTC).replace(tzinfo=None)) for moment in (since, until))
    for index in range(max(first, 1), beyond):
        before, after = infos[index - 1][0], infos[index][0]
        if before != after:
            yield times[index].replace(tzinfo=UTC), before, after, infos[index][2]
