"""Wall time and instants, against zoneinfo with the tzdata package as the other reading of the same database."""

from __future__ import annotations

import random
import zoneinfo
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
import pytz

from scheduler.core import zones
from scheduler.core.errors import Invalid, NotReady
from tests import lands

zoneinfo.reset_tzpath(to=())  # the system's rules can be older

NINETIES, THIRTIES = datetime(1995, 1, 1, tzinfo=UTC), datetime(2037, 1, 1, tzinfo=UTC)


def wall(text: str) -> datetime:
    return datetime.fromisoformat(text)


def hours(n: float) -> timedelta:
    return timedelta(hours=n)


def test_seoul_is_nine_hours_ahead_and_never_on_local_mean_time():
    assert zones.to_instant(wall("2026-07-01 14:30"), "Asia/Seoul") == datetime(2026, 7, 1, 5, 30, tzinfo=UTC)
    local = zones.to_local(datetime(2026, 7, 1, 5, 30, tzinfo=UTC), "Asia/Seoul")
    assert local.isoformat() == "2026-07-01T14:30:00+09:00"


def test_no_zone_ever_shows_a_local_mean_time_today():
    now = datetime(2026, 7, 1, tzinfo=UTC)
    for zone in pytz.common_timezones:
        assert zones.offset_at(now, zone) % timedelta(minutes=15) == timedelta(0), zone
        assert zones.abbreviation_at(now, zone) != "LMT", zone


def test_a_wall_time_that_does_not_exist_names_the_instants_before_and_after_the_gap():
    with pytest.raises(Invalid) as caught:
        zones.to_instant(wall("2027-03-28 02:30"), "Europe/Berlin")
    assert caught.value.faults[0].key == "wall-nonexistent"
    assert caught.value.choices == (
        datetime(2027, 3, 28, 0, 30, tzinfo=UTC),
        datetime(2027, 3, 28, 1, 30, tzinfo=UTC),
    )


def test_a_wall_time_that_exists_twice_names_both_instants():
    with pytest.raises(Invalid) as caught:
        zones.to_instant(wall("2027-10-31 02:30"), "Europe/Berlin")
    assert caught.value.faults[0].key == "wall-ambiguous"
    assert caught.value.choices == (
        datetime(2027, 10, 31, 0, 30, tzinfo=UTC),
        datetime(2027, 10, 31, 1, 30, tzinfo=UTC),
    )


@pytest.mark.parametrize("zone", ["Asia/Soul", "", "asia/seoul", "../../etc/passwd", "UTC+9"])
def test_an_unknown_zone_is_a_fault(zone):
    assert not zones.is_zone(zone)
    with pytest.raises(Invalid) as caught:
        zones.to_local(datetime(2026, 1, 1, tzinfo=UTC), zone)
    assert caught.value.faults[0].key == "unknown-zone"


def test_local_times_equal_zoneinfo_in_every_zone():
    chance = random.Random(20260701)
    span = int((THIRTIES - NINETIES).total_seconds())
    for zone in pytz.common_timezones:
        oracle = zoneinfo.ZoneInfo(zone)
        for _ in range(30):
            instant = NINETIES + timedelta(seconds=chance.randrange(span))
            local, expected = zones.to_local(instant, zone), instant.astimezone(oracle)
            assert (local.isoformat(), local.utcoffset()) == (expected.isoformat(), expected.utcoffset()), zone


def test_wall_times_equal_zoneinfo_and_have_choices_exactly_in_gaps_and_folds():
    chance = random.Random(7)
    for zone in pytz.common_timezones:
        oracle = zoneinfo.ZoneInfo(zone)
        changes = list(zones.transitions(zone, datetime(2024, 1, 1, tzinfo=UTC), datetime(2032, 1, 1, tzinfo=UTC)))
        near = [at + before for at, before, _, _ in changes[:4]] or [datetime(2026, 6, 1, tzinfo=UTC)]
        for moment in near:
            shown = moment.replace(tzinfo=None) + timedelta(minutes=chance.randrange(-180, 180))
            readings = {shown.replace(tzinfo=oracle, fold=fold).astimezone(UTC) for fold in (0, 1)}
            if len(readings) == 1:
                assert zones.to_instant(shown, zone) == readings.pop(), (zone, shown)
            else:
                with pytest.raises(Invalid) as caught:
                    zones.to_instant(shown, zone)
                assert set(caught.value.choices) == readings, (zone, shown)


def test_transitions_are_where_zoneinfo_changes_its_offset():
    since, until = datetime(2025, 1, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC)
    for zone in ("Europe/Istanbul", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca"):
        oracle = zoneinfo.ZoneInfo(zone)
        listed = list(zones.transitions(zone, since, until))
        for at, before, after, _ in listed:
            assert (at - timedelta(seconds=1)).astimezone(oracle).utcoffset() == before
            assert at.astimezone(oracle).utcoffset() == after
        offsets = [(since + hours(n)).astimezone(oracle).utcoffset() for n in range(6 * 366 * 24)]
        assert sum(a != b for a, b in pairwise(offsets)) >= len(listed)


def test_seoul_ulaanbaatar_and_istanbul_change_nothing_in_the_years_ahead():
    for zone in ("Asia/Seoul", "Asia/Ulaanbaatar", "Europe/Istanbul"):
        assert not list(zones.transitions(zone, datetime(2025, 1, 1, tzinfo=UTC), THIRTIES))


def test_the_version_of_the_rules_is_told():
    assert zones.tz_version()[:4].isdigit()


@pytest.mark.parametrize(
    ("file", "line", "version"),
    [
        ("+VERSION", "2027b\n", "2027b"),
        ("version", "tzdata 2027c", "2027c"),
        ("tzdata.zi", "# version 2027d-dirty\nR d 1916 o\n", "2027d"),
        ("tzdata.zi", "# version unknown\n2027e", "a-folder-with-a-"),
        ("zone.tab", "2027f\n", "a-folder-with-a-"),
    ],
)
def test_another_folder_is_named_by_what_stands_in_it(tmp_path: Path, file: str, line: str, version: str) -> None:
    folder = tmp_path / "a-folder-with-a-long-name"
    folder.mkdir()
    with lands.believing(folder), pytest.raises(NotReady) as error:
        zones.must_be_there()
    assert error.value.values == {"folder": str(folder)}
    (folder / "UTC").write_bytes(lands.fixed(0, "UTC"))
    (folder / file).write_text(line)
    with lands.believing(folder):
        zones.must_be_there()
        assert zones.tz_version() == version
    assert zones.tz_version() != version
