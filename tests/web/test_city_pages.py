"""The pages on which a city's coordinators keep its hours and days off."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

import pytest

from scheduler.core.cities import NO_HOURS, City, Season
from scheduler.core.words import LANGUAGES
from scheduler.web.hours_form import intervals
from tests.databases import Databases
from tests.web.stage import OWNER, Browser, Page, Stage, set_up

PARTNER = "international@ulaanbaatar.example"
OPERATOR = "operator@gwangjin.example"
HOURS, CLOSURES = "/cities/gwangjin/hours", "/cities/gwangjin/closures"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, module_databases: Databases) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("pages")
    found = set_up(folder, module_databases.example(folder))
    yield found
    found.desk.store.close()


@pytest.fixture
def host(stage: Stage) -> Browser:
    return stage.signed_in()


def city_of(stage: Stage) -> City:
    return stage.desk.directory().cities["gwangjin"]


def words(html: str) -> str:
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)))


def typed(html: str) -> dict[str, str]:
    """What stands in the inputs of a page."""
    found = re.findall(r'<input id="([^"]+)"[^>]* value="([^"]*)"', html)
    return {name: unescape(value) for name, value in found}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", ()),
        (" , ", ()),
        ("9-12", ("09:00-12:00",)),
        ("09:00–12:00 ,13.30 ~ 18", ("09:00-12:00", "13:30-18:00")),
        ("9:00-12:00;13:00-18:00", ("09:00-12:00", "13:00-18:00")),
        ("09:00 — 24:00", ("09:00-24:00",)),
        ("nine, ten", ("nine, ten",)),
        ("09:00-12:00, x", ("09:00-12:00, x",)),
        ("9:0-12:00", ("9:0-12:00",)),
        ("٩-١٢", ("٩-١٢",)),
        ("123-456", ("123-456",)),
    ],
)
def test_a_line_is_read_as_people_write_it(line: str, expected: tuple[str, ...]) -> None:
    assert intervals(line) == expected


def test_hours_are_changed_and_shown(stage: Stage, host: Browser) -> None:
    said = {"hours-5": "9-13", "stretch-0": "7-20", "preferred-2": "14~17", "weight": "3", "notice_hours": "48"}
    season = {"season-0-from": "07-01", "season-0-to": "08-31", "season-0-0": "8-14", "buffer_minutes": ""}
    saved = host.submit(HOURS, HOURS, said | season)
    assert (saved.status_code, saved.headers["Location"]) == (303, "/cities/gwangjin?done=hours")
    city = city_of(stage)
    assert city.hours[5] == ((540, 780),)
    assert city.hours[0] == ((540, 720), (780, 1080))  # what was not touched stays
    assert (city.stretch[0], city.preferred[2]) == (((420, 1200),), ((840, 1020),))
    assert city.seasons == (Season("07-01", "08-31", (((480, 840),), *NO_HOURS[1:])),)
    assert (city.weight, city.notice_hours, city.buffer_minutes) == (3, 48, 0)
    for email in (OWNER, PARTNER):
        page = words(stage.signed_in(email).get("/cities/gwangjin?lang=ko").text)
        for text in ("07:00", "20:00", "48"):
            assert text in page
    assert "매년 7월 1일 ~ 8월 31일 월 08:00~14:00" in words(host.get("/cities/gwangjin").text)
    removed = host.submit(HOURS, HOURS, {"season-0-remove": "1", "stretch-0": "", "preferred-2": "", "hours-5": ""})
    assert removed.status_code == 303
    assert (city_of(stage).seasons, city_of(stage).stretch) == ((), NO_HOURS)


def test_what_is_wrong_is_told_at_its_place_and_nothing_that_was_typed_is_lost(stage: Stage, host: Browser) -> None:
    before = city_of(stage)
    wrong = {
        "hours-0": "9-12, 11-13", "hours-1": "<morning>, 5", "stretch-2": "05:00-07:00", "season-1-from": "13-01",
        "season-1-to": "08-31", "season-1-4": "x", "weight": "much", "notice_hours": "721",
    }  # fmt: skip
    page = host.submit(HOURS, HOURS, wrong)
    assert page.status_code == 422
    assert {name: typed(page.text)[name] for name in wrong} == wrong
    told = re.findall(r'href="#([a-z_0-9-]+)"', page.text.partition('id="faults"')[2].partition("</div>")[0])
    assert told == [
        "hours-0", "hours-1", "stretch-2", "season-1-from", "season-1-4", "weight", "notice_hours",
    ]  # fmt: skip
    assert all(f'id="{name}"' in page.text and f'id="{name}-error"' in page.text for name in told)
    assert city_of(stage) == before


def test_whoever_was_slower_is_told_and_loses_nothing(stage: Stage, host: Browser) -> None:
    other = stage.signed_in(OPERATOR)
    form = next(f for f in Page.of(host.get(HOURS)).forms if f.action == HOURS).inputs
    assert other.submit(HOURS, HOURS, {"notice_hours": "24"}).status_code == 303
    late = host.post(HOURS, form | {"hours-6": "10-11"})
    assert late.status_code == 412
    assert typed(late.text)["hours-6"] == "10-11"
    assert city_of(stage).notice_hours == 24
    again = next(f for f in Page.of(late).forms if f.action == HOURS).inputs
    assert host.post(HOURS, again).status_code == 303
    assert (city_of(stage).hours[6], city_of(stage).notice_hours) == (((600, 660),), int(form["notice_hours"]))
    assert host.submit(HOURS, HOURS, {"hours-6": ""}).status_code == 303


def test_days_are_closed_reopened_and_opened_again(stage: Stage, host: Browser) -> None:
    names = {"name": "구민의 날", "name-tr": "İlçe günü"}
    form = {"day": "2027-06-02", "until": "2027-06-04", "from": "13.00", "kind": "municipal", **names}
    assert host.submit(CLOSURES, CLOSURES, form).headers["Location"] == f"{CLOSURES}?done=closed"
    assert host.submit(CLOSURES, "/cities/gwangjin/reopenings", {"day": "2027-03-01"}).status_code == 303
    page = words(host.get(CLOSURES).text)
    assert re.search(r"2027년 6월 2일\(수\) – 2027년 6월 4일\(금\) 구민의 날 도시 자체 휴무 13:00부터", page)
    assert re.search(r"2027년 3월 1일\(월\) 3·1절 근무일 광진구 국제협력팀, 2027년 1월 4일\(월\) 등록", page)
    assert re.search(r"설날 공휴일 공휴일 자료 [\d.]+ KR", page)
    assert {c.day.day: c.name.read_in("tr") for c in city_of(stage).municipal} == dict.fromkeys((2, 3, 4), "İlçe günü")
    assert {d.isoformat() for d in city_of(stage).reopened} == {"2027-03-01"}
    foreign = stage.signed_in(PARTNER).get("/cities/gwangjin").text
    assert "구민의 날" in foreign
    assert "/removal" not in foreign
    for action in {f.action for f in Page.of(host.get(CLOSURES)).forms if f.action.endswith("/removal")}:
        assert host.submit(CLOSURES, action, {}).status_code == 303
    assert (city_of(stage).municipal, city_of(stage).reopened) == ((), frozenset())


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ({"day": ""}, {"day"}),
        ({"day": "2 June", "until": "x", "from": "1 pm", "name": " "}, {"day", "until", "from", "name"}),
        ({"day": "2020-06-02"}, {"day"}),
        ({"until": "2027-06-01"}, {"until"}),
        ({"from": "24:00"}, {"from"}),
        ({"kind": "storm"}, {"kind"}),
        ({"name": "x" * 101}, {"name"}),
        ({"name-mn": "x" * 101}, {"name-mn"}),
    ],
)
def test_days_off_that_cannot_be_meant_are_told_with_all_that_was_typed(
    stage: Stage, host: Browser, form: dict[str, str], told: set[str]
) -> None:
    given = {"day": "2027-06-02", "until": "", "from": "", "name": "Fair"} | form
    page = host.submit(CLOSURES, CLOSURES, given)
    assert page.status_code == 422
    assert {name: typed(page.text)[name] for name in given if name != "kind"} == {
        k: v for k, v in given.items() if k != "kind"
    }
    assert set(re.findall(r'id="([a-z-]+)-error"', page.text)) == told
    assert city_of(stage).municipal == ()


def test_a_day_that_is_no_holiday_is_not_reopened(stage: Stage, host: Browser) -> None:
    for day in ("2027-03-02", "soon", ""):
        page = host.submit(CLOSURES, "/cities/gwangjin/reopenings", {"day": day})
        assert (page.status_code, 'id="faults"' in page.text) == (422, True)


def test_only_those_who_may_keep_a_city_are_shown_the_way_to_it(stage: Stage) -> None:
    for email, sees in ((OWNER, True), (OPERATOR, True), (PARTNER, False)):
        links = Page.of(stage.signed_in(email).get("/cities/gwangjin")).links
        assert (HOURS in links, CLOSURES in links) == (sees, sees)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_pages_are_whole_in_every_language_and_without_scripts(stage: Stage, language: str) -> None:
    operator = stage.signed_in(OPERATOR)
    operator.submit("/settings", "/settings/language", {"language": language})
    for path in (HOURS, CLOSURES, "/cities/gwangjin"):
        page = operator.get(path)
        assert (page.status_code, Page.of(page).scripts) == (200, 0)
        assert f'<html lang="{language}">' in page.text


def test_an_entry_of_another_city_is_none_of_ours(stage: Stage, host: Browser) -> None:
    assert host.submit(CLOSURES, CLOSURES, {"day": "2027-06-02", "name": "Fair"}).status_code == 303
    (closure,) = city_of(stage).municipal
    partner = stage.signed_in(PARTNER)
    action = f"/cities/ulaanbaatar/closures/{closure.id}/removal"
    assert partner.post(action, next(f for f in Page.of(partner.get("/settings")).forms).inputs).status_code == 404
    assert len(city_of(stage).municipal) == 1
