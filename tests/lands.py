"""Governments for tests: a folder of zones with other rules than the real ones, and the processes that believe it."""

from __future__ import annotations

import struct
from calendar import monthrange
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytz

from scheduler.core import zones
from scheduler.ics import timezones, write
from scheduler.mail import facts

YEARS = range(2026, 2037)


def last_sunday(year: int, month: int, hour: int) -> datetime:
    day = datetime(year, month, monthrange(year, month)[1], hour, tzinfo=UTC)
    return day - timedelta(days=(day.weekday() + 1) % 7)


def summer_time(standard: int, names: tuple[str, str] = ("EET", "EEST")) -> bytes:
    """A zone file (RFC 8536, version 1) of `standard` hours in winter and one more in summer, as in the EU."""
    changes = sorted(
        (int(last_sunday(year, month, 1).timestamp()), kind) for year in YEARS for month, kind in ((3, 1), (10, 0))
    )
    letters = b"".join(name.encode() + b"\0" for name in names)
    kinds = struct.pack(">lBB", standard * 3600, 0, 0)
    kinds += struct.pack(">lBB", (standard + 1) * 3600, 1, len(names[0]) + 1)
    head = struct.pack(">4sc15x6l", b"TZif", b"\0", 0, 0, 0, len(changes), 2, len(letters))
    times = struct.pack(f">{len(changes)}l", *(at for at, _ in changes))
    return head + times + bytes(kind for _, kind in changes) + kinds + letters


def fixed(hours: int, name: str) -> bytes:
    """A zone file of one offset."""
    letters = name.encode() + b"\0"
    head = struct.pack(">4sc15x6l", b"TZif", b"\0", 0, 0, 0, 0, 1, len(letters))
    return head + struct.pack(">lBB", hours * 3600, 0, 0) + letters


WINTER = {"Europe/Istanbul": summer_time(2)}  # Turkey back on summer time, which it has left by the meetings
SUMMER = WINTER | {"Asia/Seoul": fixed(10, "KST")}  # and Korea an hour further


def folder(path: Path, rules: Mapping[str, bytes]) -> Path:
    """All zones there are, with these rules for some. Zones are links to the real ones."""
    real = Path(pytz.__file__).parent / "zoneinfo"
    for file in real.rglob("*"):
        name = file.relative_to(real)
        if file.is_dir():
            (path / name).mkdir(parents=True, exist_ok=True)
        elif str(name) not in rules:
            path.mkdir(parents=True, exist_ok=True)
            (path / name).symlink_to(file)
    for zone, content in rules.items():
        (path / zone).write_bytes(content)
    return path


@contextmanager
def believing(path: Path) -> Iterator[None]:
    """This process as one that was started with PYTZ_TZDATADIR: what it has read and worked out is forgotten."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTZ_TZDATADIR", str(path))
        _forget()
        try:
            yield
        finally:
            patch.undo()
            _forget()


def _forget() -> None:
    pytz._tzinfo_cache.clear()  # type: ignore[attr-defined]
    of_zones = (zones.tz_version, zones._zone, zones.to_instant, zones.to_local)
    for kept in (*of_zones, timezones._written, write._exist_once, write._time, facts._clock):
        kept.cache_clear()
