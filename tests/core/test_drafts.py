"""What cannot be meant is told all at once, each fault at its place of the input; a wall time is never guessed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scheduler.core import decisions, drafts
from scheduler.core.cities import City, Directory, Field, Objective, Room, Topic
from scheduler.core.drafts import AGENDA_LIMIT, TITLE_LIMIT, Bounds, Checked, check
from scheduler.core.errors import Invalid
from scheduler.core.meeting import Draft, Invitation, Invitee, Meeting, draft_of
from scheduler.core.words import Wording

NOW = datetime(2027, 1, 11, 1, 0, tzinfo=UTC)
START = datetime(2027, 2, 10, 6, 0, tzinfo=UTC)
BOUNDS = Bounds(NOW, "meet@cities.example", people_limit=5)

HOURS = tuple(((540, 1080),) if day < 5 else () for day in range(7))
ZONES = {
    "gwangjin": "Asia/Seoul",
    "ulaanbaatar": "Asia/Ulaanbaatar",
    "eregli": "Europe/Istanbul",
    "essen": "Europe/Berlin",
}
DIRECTORY = Directory(
    cities={slug: City(slug, Wording.of(slug), zone, "KR", "ko", HOURS) for slug, zone in ZONES.items()},
    fields={"environment": Field("environment", Wording.of("Environment"), (Topic("water", Wording.of("Water")),))},
    rooms={f"{c}-video": Room(f"{c}-video", c, Wording.of(c)) for c in ("gwangjin", "ulaanbaatar")},
    objectives={"green": Objective("green", "gwangjin", Wording.of("Green"))},
)
AYLIN = Invitee("Ereğli Dış İlişkiler Birimi", "relations@eregli.example", "eregli", "tr")
KIM = Invitee("광진구 도시계획과", "planning@gwangjin.example", "gwangjin", "ko")


def draft(**changes: Any) -> Draft:
    wanted: dict[str, Any] = {
        "title": Wording.of("Water"),
        "field": "environment",
        "host": "gwangjin",
        "cities": ("gwangjin", "eregli"),
        "duration_minutes": 60,
        "people": (AYLIN, KIM),
        "start": START,
    }
    return Draft(**(wanted | changes))


def at(wall: str, zone: str, **changes: Any) -> Draft:
    cities = ("gwangjin", "eregli", "essen")
    return draft(start=None, wall=datetime.fromisoformat(wall), zone=zone, cities=cities, **changes)


def refused(wanted: Draft, bounds: Bounds = BOUNDS) -> Invalid:
    with pytest.raises(Invalid) as error:
        check(wanted, DIRECTORY, bounds)
    return error.value


def faults(wanted: Draft, bounds: Bounds = BOUNDS) -> list[tuple[str, str]]:
    return [(fault.pointer, fault.key) for fault in refused(wanted, bounds).faults]


def invited(**changes: Any) -> tuple[Invitee, ...]:
    return (KIM, replace(AYLIN, **changes))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"title": Wording()}, ("/title", "required")),
        ({"title": Wording.of("\x00\u200b\r\n")}, ("/title", "required")),
        ({"title": Wording.of("x" * (TITLE_LIMIT + 1))}, ("/title", "too-long")),
        ({"title": Wording.of({"ko": "물", "tr": "x" * (TITLE_LIMIT + 1)})}, ("/title/tr", "too-long")),
        ({"title": Wording.of({"xx": "water"})}, ("/title/xx", "unknown-language")),
        ({"agenda": Wording.of("x" * (AGENDA_LIMIT + 1))}, ("/agenda", "too-long")),
        ({"duration_minutes": 4}, ("/duration_minutes", "duration-range")),
        ({"duration_minutes": 24 * 60 + 1}, ("/duration_minutes", "duration-range")),
        ({"duration_minutes": -60}, ("/duration_minutes", "duration-range")),
        ({"field": ""}, ("/field", "required")),
        ({"field": "astronomy"}, ("/field", "unknown-field")),
        ({"topic": "stars"}, ("/topic", "unknown-topic")),
        ({"objective": "stars"}, ("/objective", "unknown-objective")),
        ({"room": "stars"}, ("/room", "unknown-room")),
        ({"room": "ulaanbaatar-video"}, ("/room", "room-of-other-city")),
        ({"video_url": "javascript:alert(1)"}, ("/video_url", "bad-url")),
        ({"video_url": "https://"}, ("/video_url", "bad-url")),
        ({"video_url": "https://video.example.org/a b"}, ("/video_url", "bad-url")),
        ({"video_url": "https://video.example.org/\u202eb"}, ("/video_url", "bad-url")),
        ({"video_url": "https://[video.example.org"}, ("/video_url", "bad-url")),
        ({"video_url": "https://video.example.org/" + "x" * 1000}, ("/video_url", "bad-url")),
        ({"people": invited(name="")}, ("/people/1/name", "required")),
        ({"people": invited(name="\r\n\x00")}, ("/people/1/name", "required")),
        ({"people": invited(name="x" * 101)}, ("/people/1/name", "too-long")),
        ({"people": invited(name="see https://spam.example")}, ("/people/1/name", "url-in-name")),
        ({"people": invited(name="WWW.spam.example")}, ("/people/1/name", "url-in-name")),
        ({"people": invited(email="")}, ("/people/1/email", "required")),
        ({"people": invited(email="nobody")}, ("/people/1/email", "bad-email")),
        ({"people": invited(email="a@b@eregli.example")}, ("/people/1/email", "bad-email")),
        ({"people": invited(email="a@eregli.example, b@eregli.example")}, ("/people/1/email", "bad-email")),
        ({"people": invited(email="a@eregli.example\r\nBcc: b@eregli.example")}, ("/people/1/email", "bad-email")),
        ({"people": invited(email="=?utf-8?q?x?=@eregli.example")}, ("/people/1/email", "bad-email")),
        ({"people": invited(email="정보@eregli.example")}, ("/people/1/email", "email-not-ascii")),
        ({"people": invited(email="meet@cities.example")}, ("/people/1/email", "cannot-invite-organizer")),
        ({"people": invited(email="Meet+abc@Cities.Example")}, ("/people/1/email", "cannot-invite-organizer")),
        ({"people": invited(email="PLANNING@gwangjin.example")}, ("/people/1/email", "duplicate-email")),
        ({"people": invited(city="essen")}, ("/people/1/city", "person-of-other-city")),
        ({"people": invited(language="xx")}, ("/people/1/language", "unknown-language")),
        ({"people": invited(role="chair")}, ("/people/1/role", "unknown-role")),
        ({"people": (KIM,) * 6}, ("/people", "too-many-people")),
        ({"start": None}, ("/start", "start-missing")),
        ({"wall": datetime(2027, 2, 10, 15, 0)}, ("/start", "start-and-wall")),  # noqa: DTZ001
        ({"start": NOW}, ("/start", "in-the-past")),
        ({"start": NOW - timedelta(days=400)}, ("/start", "in-the-past")),
        ({"start": NOW + timedelta(days=5 * 366 + 1)}, ("/start", "too-far-ahead")),
        ({"start": START + timedelta(seconds=1)}, ("/start", "whole-minutes")),
        ({"zone": "Asia/Atlantis"}, ("/zone", "unknown-zone")),
        ({"zone": "asia/seoul"}, ("/zone", "unknown-zone")),
        ({"zone": "Europe/Berlin"}, ("/zone", "zone-not-participating")),
    ],
)
def test_each_fault_has_its_place(changes: dict[str, Any], expected: tuple[str, str]) -> None:
    assert faults(draft(**changes)) == [expected]


def test_a_city_that_nobody_knows_is_told_at_its_place() -> None:
    assert faults(draft(cities=("gwangjin", "eregli", "atlantis"))) == [("/cities/1", "unknown-city")]
    assert ("/host", "unknown-city") in faults(draft(host="atlantis"))


def test_all_faults_are_told_at_once() -> None:
    wanted = draft(title=Wording(), field="", room="stars", people=invited(email="x", role="king"), start=None)
    assert sorted(faults(wanted)) == [
        ("/field", "required"),
        ("/people/1/email", "bad-email"),
        ("/people/1/role", "unknown-role"),
        ("/room", "unknown-room"),
        ("/start", "start-missing"),
        ("/title", "required"),
    ]


def test_a_good_draft_comes_back_with_its_instant_and_its_wall_time() -> None:
    checked = check(draft(), DIRECTORY, BOUNDS)
    assert checked.start == START
    assert (checked.draft.wall, checked.draft.zone) == (datetime(2027, 2, 10, 15, 0), "Asia/Seoul")  # noqa: DTZ001
    assert checked.draft.start is None


def test_the_host_comes_first_and_no_city_twice() -> None:
    checked = check(draft(cities=("eregli", "gwangjin", "eregli")), DIRECTORY, BOUNDS)
    assert checked.draft.cities == ("gwangjin", "eregli")


def test_control_characters_do_not_get_in() -> None:
    name = "Ereğli\x00\u202e Dış\u2028\tİlişkiler\x7f"
    wanted = draft(title=Wording.of("a\r\nb\x0bc\u200b"), people=(replace(AYLIN, name=name),))
    checked = check(wanted, DIRECTORY, BOUNDS)
    assert checked.draft.title.read_in("en") == "a bc"
    assert checked.draft.people[0].name == "Ereğli Dış İlişkiler"


def test_an_international_domain_becomes_an_a_label_and_the_case_before_the_at_stays() -> None:
    people = (replace(AYLIN, email=" Irtibat@ereğli.example"), KIM)
    checked = check(draft(people=people), DIRECTORY, BOUNDS)
    assert checked.draft.people[0].email == "Irtibat@xn--ereli-m1a.example"
    twice = (*people, replace(AYLIN, email="irtibat@xn--ereli-m1a.example"))
    assert faults(draft(people=twice)) == [("/people/2/email", "duplicate-email")]


# --- time


def test_a_wall_time_is_read_on_the_clock_of_the_host_unless_another_city_is_named() -> None:
    wall = datetime(2027, 2, 10, 15, 0)  # noqa: DTZ001
    of_host = check(draft(start=None, wall=wall), DIRECTORY, BOUNDS)
    of_partner = check(draft(start=None, wall=wall, zone="Europe/Istanbul"), DIRECTORY, BOUNDS)
    assert (of_host.start, of_host.draft.zone) == (START, "Asia/Seoul")
    assert (of_partner.start, of_partner.draft.zone) == (START + timedelta(hours=6), "Europe/Istanbul")


@pytest.mark.parametrize(
    ("wall", "key", "choices"),
    [
        ("2027-03-28T02:30", "wall-nonexistent", ["2027-03-28T00:30", "2027-03-28T01:30"]),
        ("2027-10-31T02:30", "wall-ambiguous", ["2027-10-31T00:30", "2027-10-31T01:30"]),
    ],
)
def test_a_wall_time_that_is_not_one_instant_is_refused_with_the_choices(
    wall: str, key: str, choices: list[str]
) -> None:
    error = refused(at(wall, "Europe/Berlin"))
    assert [(fault.pointer, fault.key) for fault in error.faults] == [("/wall", key)]
    assert error.faults[0].values == {"wall": wall.replace("T", " "), "zone": "Europe/Berlin"}
    assert [f"{choice:%Y-%m-%dT%H:%M}" for choice in error.choices] == choices
    for choice in error.choices:
        chosen = replace(at(wall, "Europe/Berlin"), start=choice, wall=None)
        assert check(chosen, DIRECTORY, BOUNDS).start == choice


def test_the_same_wall_time_is_no_question_in_a_city_without_daylight_saving() -> None:
    assert check(at("2027-03-28T02:30", "Europe/Istanbul"), DIRECTORY, BOUNDS).start.hour == 23


def test_faults_of_a_wall_time_stand_at_the_wall_time() -> None:
    assert faults(at("2026-12-01T09:00", "Europe/Berlin")) == [("/wall", "in-the-past")]
    assert faults(at("2033-12-01T09:00", "Europe/Berlin")) == [("/wall", "too-far-ahead")]
    assert faults(at("2027-02-01T09:00:30", "Europe/Berlin")) == [("/wall", "whole-minutes")]


# --- edits


def meeting_at(checked: Checked) -> Meeting:
    return decisions.create(
        checked, now=NOW, id=1, uid="u@cities.example", owner_id=1, chair=KIM, invite=lambda p: Invitation(p.email, p)
    ).meeting


def test_an_edit_that_leaves_the_wall_time_alone_keeps_the_instant_whatever_zones_say_now() -> None:
    booked = meeting_at(check(draft(), DIRECTORY, BOUNDS))
    by_older_rules = replace(booked, start=booked.start - timedelta(hours=1))
    edit = replace(draft_of(by_older_rules), title=Wording.of("Other"))
    assert check(edit, DIRECTORY, replace(BOUNDS, current=by_older_rules)).start == by_older_rules.start


def test_the_second_of_two_equal_wall_times_stays_the_second() -> None:
    second = datetime(2027, 10, 31, 1, 30, tzinfo=UTC)
    wanted = draft(start=second, zone="Europe/Berlin", cities=("gwangjin", "eregli", "essen"))
    booked = meeting_at(check(wanted, DIRECTORY, BOUNDS))
    again = check(draft_of(booked), DIRECTORY, replace(BOUNDS, current=booked))
    assert (again.start, again.draft.wall) == (second, booked.wall)


def test_text_may_be_edited_while_the_meeting_runs() -> None:
    booked = meeting_at(check(draft(), DIRECTORY, BOUNDS))
    running = replace(BOUNDS, now=booked.start + timedelta(minutes=5), current=booked)
    assert check(replace(draft_of(booked), title=Wording.of("Other")), DIRECTORY, running).start == booked.start
    moved = replace(draft_of(booked), wall=booked.wall - timedelta(hours=1))
    assert faults(moved, running) == [("/wall", "in-the-past")]


def test_no_address_that_is_too_long_is_kept() -> None:
    """Some are asked about again and again; what somebody types may have a million letters."""
    drafts._is_web_address.cache_clear()
    assert drafts.is_web_address("https://video.example/" + "x" * 978)
    assert not drafts.is_web_address("https://video.example/" + "x" * 979)
    assert drafts._is_web_address.cache_info().currsize == 1
