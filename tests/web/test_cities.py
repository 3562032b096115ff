"""The cities' pages, one's own settings, and the answers for supervisors."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from scheduler import meetings
from scheduler.web import cities
from tests.databases import Databases, lose
from tests.web.stage import Page, Stage, set_up

PARTNER = "international@ulaanbaatar.example"
OPERATOR = "operator@gwangjin.example"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, module_databases: Databases) -> Stage:
    folder = tmp_path_factory.mktemp("cities")
    return set_up(folder, module_databases.example(folder))


def words(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def test_strangers_are_asked_to_sign_in(stage: Stage) -> None:
    for path in ("/cities", "/cities/gwangjin", "/settings"):
        assert stage.browser().get(path).status_code == 303


def test_every_city_is_listed_with_its_clock_hours_and_partners(stage: Stage) -> None:
    page = words(stage.signed_in(PARTNER).get("/cities").text)
    for text in ("Улаанбаатар", "Asia/Seoul", "UTC+9", "Europe/Istanbul", "09:00–12:00, 13:00–18:00", "Ах дүү хотын"):
        assert text in page


def test_a_city_shows_its_days_off_in_the_readers_language(stage: Stage) -> None:
    for slug, holiday in (("ulaanbaatar", "차강사르"), ("eregli", "공화국"), ("gwangjin", "설날")):
        page = words(stage.signed_in().get(f"/cities/{slug}").text)
        assert holiday in page, slug


def test_a_half_day_says_from_when(stage: Stage) -> None:
    assert re.search(r"2027년 10월 28일\(목\) .{1,40}13:00부터", words(stage.signed_in().get("/cities/eregli").text))


def test_a_city_shows_hours_rooms_partnerships_and_its_calendar(stage: Stage) -> None:
    page = stage.signed_in().get("/cities/gwangjin")
    for text in ("월요일", "토요일", "광진구 영상회의실", "자매결연, 2001년 11월부터", "울란바토르"):
        assert text in words(page.text)
    calendar = next(link for link in Page.of(page).links if ".ics" in link)
    exported = stage.signed_in().get(calendar)
    assert exported.mimetype == "text/calendar"
    assert stage.meeting.uid in exported.text


def test_addresses_are_shown_to_their_own_city_and_the_operator_only(stage: Stage) -> None:
    people = [p.email for p in meetings.people(stage.desk, None, "ulaanbaatar")]
    shown = {email: stage.signed_in(email).get("/cities/ulaanbaatar").text for email in (PARTNER, OPERATOR)}
    assert all(person in page for page in shown.values() for person in people)
    foreign = stage.signed_in().get("/cities/ulaanbaatar").text
    assert not [person for person in people if person in foreign]
    assert all(p.name in foreign for p in meetings.people(stage.desk, None, "ulaanbaatar"))


def test_facts_are_written_as_the_reader_writes_them(stage: Stage) -> None:
    facts = {
        "population": 351699,
        "budget_year": 2021,
        "area_km2": 17.08,
        "foreign_residents_from": ["CN", "MN"],
        "unknown": 1,
    }
    city = replace(stage.desk.directory().cities["gwangjin"], profile=facts)
    expected = {
        "tr": [
            ("Nüfus", "351.699"),
            ("Bütçe yılı", "2021"),
            ("Yüz ölçümü (km²)", "17,08"),
            ("En çok geldikleri ülkeler", "Çin, Moğolistan"),
        ],
        "ko": [("인구", "351,699"), ("예산 연도", "2021"), ("면적(km²)", "17.08"), ("주요 출신국", "중국, 몽골")],
    }
    for language, shown in expected.items():
        with stage.app.test_request_context(f"/?lang={language}", base_url="http://127.0.0.1:8000"):
            assert list(cities._profile(city)) == shown


def test_an_unknown_city_is_not_found(stage: Stage) -> None:
    for slug in ("atlantis", "Gwangjin", "gwangjin.ics"):
        assert stage.signed_in().get(f"/cities/{slug}").status_code == 404


@pytest.mark.parametrize(
    "path", ["/cities", "/cities/gwangju", "/settings", "/review", "/health/live", "/health/ready"]
)
def test_looking_changes_nothing(stage: Stage, path: str) -> None:
    browser = stage.signed_in()
    before = stage.fingerprint()
    for method in ("GET", "HEAD", "OPTIONS"):
        assert browser.get(path, method=method).status_code == 200
    assert stage.fingerprint() == before


def test_the_language_can_be_changed(stage: Stage) -> None:
    browser = stage.signed_in(PARTNER)
    assert browser.submit("/settings", "/settings/language", {"language": "tr"}).status_code == 303
    assert '<html lang="tr">' in browser.get("/settings").text
    assert browser.submit("/settings", "/settings/language", {"language": "xx"}).status_code == 422
    assert browser.submit("/settings", "/settings/language", {"language": "mn"}).status_code == 303


def test_supervisors_get_an_answer_without_signing_in(stage: Stage) -> None:
    for path in ("/health/live", "/health/ready"):
        answer = stage.browser().get(path)
        assert answer.status_code == 200
        assert "Set-Cookie" not in answer.headers


def test_a_database_that_does_not_answer_is_told(tmp_path: Path, databases: Databases) -> None:
    stage = set_up(tmp_path, databases.example(tmp_path))
    lose(stage.desk.store)
    assert stage.browser().get("/health/live").status_code == 200
    assert stage.browser().get("/health/ready").status_code == 503
