"""What a change of law means to a meeting, without a database: clocks of every city, hours that vanish, closed days."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from scheduler import public_holidays
from scheduler.core import decisions, laws, zones
from scheduler.core.cities import City, Closure, Directory
from scheduler.core.drafts import Checked
from scheduler.core.meeting import Meeting, Occasion, draft_of
from scheduler.core.words import Wording
from tests import lands
from tests.core.test_decisions import NOW, created

CITIES = {
    slug: City(slug, Wording.of(slug), zone, country, "en", ((),) * 7)
    for slug, zone, country in (
        ("gwangjin", "Asia/Seoul", "KR"),
        ("ulaanbaatar", "Asia/Ulaanbaatar", "MN"),
        ("eregli", "Europe/Istanbul", "TR"),
    )
}
DIRECTORY = Directory(cities=CITIES)
NEW_YEAR = Closure(date(2027, 2, 10), "holiday", Wording.of("New Day"))


def public(country: str, year: int) -> Mapping[date, Closure]:
    return {}


def declared(closure: Closure, country: str = "TR"):
    return lambda of, year: {closure.day: closure} if (of, year) == (country, closure.day.year) else {}


@pytest.fixture(scope="module")
def summer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Istanbul back on summer time."""
    return lands.folder(tmp_path_factory.mktemp("summer"), {"Europe/Istanbul": lands.summer_time(2)})


def booked(wall: str, zone: str = "Europe/Istanbul", minutes: int = 60, start: datetime | None = None) -> Meeting:
    """A meeting as it was booked by the rules in force now."""
    local = datetime.fromisoformat(wall)
    start = start or zones.to_instant(local, zone)
    about = replace(created().meeting, wall=local, zone=zone, start=start, duration_minutes=minutes)
    return replace(about, known=laws.known(start, minutes, list(CITIES.values()), public))


def found(meeting: Meeting, of=public) -> laws.Finding:
    finding = laws.find(meeting, DIRECTORY, of)
    assert finding is not None
    return finding


def test_the_zone_files_of_these_tests_say_what_they_should(summer: Path) -> None:
    with lands.believing(summer):
        for month, hours in ((1, 2), (7, 3)):
            assert zones.offset_at(datetime(2027, month, 1, tzinfo=UTC), "Europe/Istanbul") == timedelta(hours=hours)
        assert zones.offset_at(NOW, "Asia/Seoul") == timedelta(hours=9)
    assert zones.offset_at(datetime(2027, 1, 1, tzinfo=UTC), "Europe/Istanbul") == timedelta(hours=3)


def test_a_wall_time_of_winter_is_another_instant_and_one_of_summer_is_not(summer: Path) -> None:
    winter, july = booked("2027-02-10 15:00"), booked("2027-07-07 15:00")
    assert laws.find(winter, DIRECTORY, public) is None
    with lands.believing(summer):
        finding = found(winter)
        assert (finding.meaning, finding.instants) == ("moved", (winter.start + timedelta(hours=1),))
        assert finding.shifts == (laws.Shift("eregli", winter.wall, winter.wall - timedelta(hours=1)),)
        assert laws.find(july, DIRECTORY, public) is None


def test_a_partner_whose_clock_changed_is_told_although_the_instant_stays(summer: Path) -> None:
    meeting = booked("2027-02-10 15:00", "Asia/Seoul")
    with lands.believing(summer):
        finding = found(meeting)
        assert (finding.meaning, finding.instants, finding.is_of_time) == ("same", (meeting.start,), True)
        assert [s.city for s in finding.shifts] == ["eregli"]
        without = replace(meeting, known="")
        assert laws.find(without, DIRECTORY, public) is None
        assert laws.find(replace(meeting, cities=("gwangjin", "ulaanbaatar")), DIRECTORY, public) is None


@pytest.mark.parametrize(
    ("wall", "meaning"),
    [("2027-03-28 03:30", "nonexistent"), ("2027-10-31 03:30", "ambiguous"), ("2027-10-31 02:30", "same")],
)
def test_an_hour_that_no_longer_exists_or_comes_twice_is_never_guessed(summer: Path, wall: str, meaning: str) -> None:
    """On 31 October 03:30 of before is the first of two by the new rules: the same instant, so nothing changed."""
    meeting = booked(wall)
    with lands.believing(summer):
        finding = laws.find(meeting, DIRECTORY, public)
        if meaning == "nonexistent":
            assert finding is not None
            assert (finding.meaning, len(finding.instants)) == (meaning, 2)
            return
        assert finding is None
        if meaning == "ambiguous":
            earlier = booked(wall, start=meeting.start - timedelta(hours=3))
            assert found(earlier).meaning == "ambiguous"
            assert found(earlier).instants == (meeting.start, meeting.start + timedelta(hours=1))


def test_what_was_made_before_anything_was_kept_is_found_by_its_own_wall_time_alone(summer: Path) -> None:
    at_home, abroad = (
        replace(booked("2027-02-10 15:00", zone), known="") for zone in ("Europe/Istanbul", "Asia/Seoul")
    )
    with lands.believing(summer):
        finding = found(at_home)
        assert (finding.meaning, finding.shifts) == ("moved", ())
        for meeting in (at_home, abroad):
            kept = laws.known_before(meeting, list(CITIES.values()), public)
            then = laws.find(replace(meeting, known=kept), DIRECTORY, public)
            assert (then.shifts[0].before if then else None) == (meeting.wall if meeting is at_home else None)


@pytest.mark.parametrize(
    ("closure", "minutes", "hits"),
    [
        (NEW_YEAR, 60, True),
        (replace(NEW_YEAR, start=13 * 60), 60, False),  # in Eregli it is 09:00 to 10:00
        (replace(NEW_YEAR, start=10 * 60), 60, False),  # half-open
        (replace(NEW_YEAR, start=10 * 60), 61, True),
        (replace(NEW_YEAR, start=9 * 60), 60, True),
        (replace(NEW_YEAR, day=date(2027, 2, 11)), 60, False),
        (replace(NEW_YEAR, day=date(2027, 2, 11)), 15 * 60, False),  # ends at midnight
        (replace(NEW_YEAR, day=date(2027, 2, 11)), 15 * 60 + 1, True),
        (replace(NEW_YEAR, day=date(2027, 2, 9)), 60, False),
    ],
)
def test_a_day_newly_closed_counts_by_the_part_of_it_that_the_meeting_takes(
    closure: Closure, minutes: int, hits: bool
) -> None:
    meeting = booked("2027-02-10 15:00", "Asia/Seoul", minutes)
    finding = laws.find(meeting, DIRECTORY, declared(closure))
    assert (finding.closures if finding else ()) == ((("eregli", closure),) if hits else ())


def test_a_closure_of_the_city_counts_like_a_holiday_and_a_reopened_day_does_not() -> None:
    meeting = booked("2027-02-10 15:00", "Asia/Seoul")

    def with_city(**changes: object) -> Directory:
        return Directory(cities=CITIES | {"eregli": replace(CITIES["eregli"], **changes)})

    own = replace(NEW_YEAR, kind="municipal")
    assert [c for _, c in laws.find(meeting, with_city(municipal=(own,)), public).closures] == [own]  # type: ignore[union-attr]
    assert laws.find(meeting, with_city(reopened=frozenset({NEW_YEAR.day})), declared(NEW_YEAR)) is None


def test_a_meeting_knowingly_on_a_closed_day_is_no_finding_nor_is_an_early_hour_of_another_date() -> None:
    seollal = public_holidays.of_year
    knowing = booked("2027-02-08 15:00", "Asia/Seoul")
    assert [c.kind for _, c in found(knowing, seollal).closures] == ["holiday", "holiday"]  # Seollal and Tsagaan Sar
    known = laws.known(knowing.start, 60, list(CITIES.values()), seollal)
    assert laws.find(replace(knowing, known=known), DIRECTORY, seollal) is None
    # 08:00 in Seoul is on its holiday, although it is the day before in UTC and in Eregli.
    assert [slug for slug, _ in found(booked("2027-02-09 08:00", "Asia/Seoul"), declared(
        replace(NEW_YEAR, day=date(2027, 2, 9)), "KR")).closures] == ["gwangjin"]  # fmt: skip


def test_a_decision_about_clocks_is_none_about_days_and_the_other_way_round(summer: Path) -> None:
    meeting = booked("2027-02-10 15:00", "Asia/Seoul")
    with lands.believing(summer):
        both = found(meeting, declared(NEW_YEAR))
        assert both.is_of_time
        assert both.closures
        now = laws.known(meeting.start, 60, list(CITIES.values()), declared(NEW_YEAR))
        clocks = replace(meeting, known=laws.knowing_clocks(meeting.known, now))
        days = replace(meeting, known=laws.knowing_closures(meeting.known, now))
        assert not (left := found(clocks, declared(NEW_YEAR))).is_of_time
        assert left.closures == both.closures
        assert found(days, declared(NEW_YEAR)).closures == ()
        assert found(days, declared(NEW_YEAR)).shifts == both.shifts
        rest = found(days, declared(NEW_YEAR))
        assert len({both.mark, left.mark, rest.mark}) == 3
        assert [f.is_news(both.mark) for f in (both, left, rest)] == [False] * 3  # each is told as a part of both
        assert [left.is_news(rest.mark), rest.is_news(left.mark), both.is_news(left.mark), left.is_news("")] == [
            True
        ] * 4
        assert [f.still_told(both.mark) for f in (both, left, rest)] == [both.mark, left.mark, rest.mark]
        assert [left.still_told(rest.mark), left.still_told("")] == ["", ""]
    assert laws.show_the_same(meeting, days)
    assert not laws.show_the_same(meeting, clocks)
    assert laws.show_the_same(meeting, replace(clocks, known=""))


@pytest.mark.parametrize("keeps_wall", [True, False])
def test_a_decision_about_the_law_is_a_change_of_time_for_everybody(keeps_wall: bool) -> None:
    before = created().meeting
    yes = tuple(replace(i, status="accepted", comment="gladly") if not i.is_chair else i for i in before.invitations)
    before = replace(before, invitations=yes)
    start, wall = before.start, before.wall
    start, wall = (start + timedelta(hours=1), wall) if keeps_wall else (start, wall - timedelta(hours=1))
    decision = decisions.under_new_law(before, start, wall, "{}", now=NOW)
    after = decision.meeting
    assert (after.sequence, after.version, after.start, after.wall) == (1, 2, start, wall)
    assert {m.occasion for m in decision.messages} == {Occasion.MOVED}
    assert [m.invitation.id for m in decision.messages] == [i.id for i in before.invitations]
    assert [i.status for i in after.invitations] == ["waiting"] * 3 + ["accepted"]
    assert {i.reset_sequence for i in after.people} == {1}


def test_an_edit_of_something_else_forgets_no_change_of_law() -> None:
    meeting = booked("2027-02-10 15:00", "Asia/Seoul")
    chair = meeting.invitations[-1].invitee

    def revised(start: datetime, **changes: object) -> Meeting:
        checked = Checked(
            replace(draft_of(meeting), **changes), start, known='{"gwangjin": ["2027-01-01T00:00:00", 1]}'
        )
        return decisions.revise(meeting, checked, now=NOW, chair=chair, invite=lambda _: meeting.invitations[0]).meeting

    assert revised(meeting.start, title=Wording.of("Air")).known == meeting.known
    assert revised(meeting.start + timedelta(hours=1)).known != meeting.known
    fewer = revised(meeting.start, cities=("gwangjin",), people=())
    assert laws.wall_known(fewer, "gwangjin") == datetime(2027, 2, 10, 15)  # noqa: DTZ001
    assert laws.wall_known(fewer, "eregli") is None
