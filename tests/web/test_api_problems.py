"""Every error under /api is a problem document (RFC 9457) in the caller's language, and says what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from scheduler import access, admin
from scheduler.core.errors import TooMany
from scheduler.desk import Desk
from scheduler.example import parse_city_file
from scheduler.web import api as module
from tests.databases import Databases
from tests.web.api_client import BASE_URL, OWNER, Api, api_of, faults, make_desk, meeting_body, person


@pytest.fixture
def desk(tmp_path: Path, databases: Databases) -> Desk:
    return make_desk(tmp_path, databases.example(tmp_path))


@pytest.fixture
def api(desk: Desk) -> Api:
    return api_of(desk)


def is_problem(answer: TestResponse, status: int, code: str) -> bool:
    assert answer.mimetype == "application/problem+json", answer.data
    assert answer.json["status"] == answer.status_code == status, answer.json
    assert answer.json["code"] == code
    assert answer.json["title"]
    assert answer.json["detail"]
    assert isinstance(answer.json["errors"], list)
    return True


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Bearer nonsense", "Basic dTpw", "Bearer é"])
def test_without_a_valid_token_nothing_is_told(api: Api, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    for path in ("/meetings", "/cities", "/meetings/1", "/review"):
        answer = api.client.get(f"/api/v1{path}", base_url=BASE_URL, headers=headers)
        assert is_problem(answer, 401, "unauthorized")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_revoked_token_is_worth_nothing(desk: Desk) -> None:
    number, token = access.new_api_token(desk, OWNER)
    api = api_of(desk)
    api.token = token
    assert api.get("/cities").status_code == 200
    access.revoke_api_token(desk, number)
    assert is_problem(api.get("/cities"), 401, "unauthorized")


@pytest.mark.parametrize("query", ["city=%00", "field=a%00b", "city=gwangjin%ff", "cursor=%00"])
def test_a_query_with_characters_that_mean_nothing_is_answered(api: Api, query: str) -> None:
    assert api.get(f"/meetings?{query}").status_code in (200, 422)


def test_a_cookie_gives_no_right(desk: Desk, api: Api) -> None:
    """C05."""
    link = access.new_sign_in_link(desk, OWNER)
    cookie = access.sign_in(desk, link.rpartition("/")[2].rpartition("=")[2])
    api.client.set_cookie("sid", cookie)
    assert is_problem(api.client.get("/api/v1/meetings", base_url=BASE_URL), 401, "unauthorized")
    assert is_problem(api.client.post("/api/v1/meetings", base_url=BASE_URL, json=meeting_body()), 401, "unauthorized")


def test_errors_of_routing_are_problems_too(api: Api) -> None:
    assert is_problem(api.get("/nothing"), 404, "not-found")
    assert is_problem(api.client.get("/api/nothing", base_url=BASE_URL), 404, "not-found")
    assert is_problem(api.get("/meetings/x"), 404, "not-found")
    assert is_problem(api.get(f"/meetings/{10**30}"), 404, "not-found")
    wrong = api.send("DELETE", "/meetings/1")
    assert is_problem(wrong, 405, "method-not-allowed")
    assert set(wrong.headers["Allow"].split(", ")) >= {"GET", "PATCH"}
    assert is_problem(api.client.get("/api/v1/cities", base_url="http://evil.example"), 400, "bad-request")


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[1,]", b"\xff\xfe{}", b'{"a": NaN}', b'{"a": 1, "a": 2}', b'{"title": "\\ud800"}', b"[" * 100_000],
)
def test_what_is_no_json_is_refused(api: Api, data: bytes) -> None:
    """C15."""
    assert is_problem(_raw(api, data, "application/json"), 400, "bad-json")


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "application/merge-patch+json", ""]
)
def test_another_media_type_is_refused(api: Api, kind: str) -> None:
    assert is_problem(_raw(api, b"{}", kind), 415, "unsupported-media-type")


def test_a_body_that_is_too_large_is_refused(api: Api) -> None:
    assert is_problem(_raw(api, b" " * 1_000_001, "application/json"), 413, "payload-too-large")


def _raw(api: Api, data: bytes, kind: str) -> TestResponse:
    headers = {"Authorization": f"Bearer {api.token}"}
    return api.client.post("/api/v1/meetings", base_url=BASE_URL, data=data, content_type=kind, headers=headers)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"title": ""}, {"/title": "required"}),
        ({"title": "x" * 201}, {"/title": "too-long"}),
        ({"title": {"de": "Treffen"}}, {"/title/de": "unknown-language"}),
        ({"field": "sport"}, {"/field": "unknown-field"}),
        ({"topic": "sport"}, {"/topic": "unknown-topic"}),
        ({"host": "atlantis", "people": []}, {"/host": "unknown-city"}),
        ({"cities": ["atlantis"], "people": []}, {"/cities/0": "unknown-city"}),
        ({"people": []}, {"/people": "no-people"}),
        ({"people": [person("nowhere", "gwangjin", "ko")]}, {"/people/0/email": "bad-email"}),
        ({"people": [person("a@gwangju.example", "gwangju", "ko")]}, {"/people/0/city": "person-of-other-city"}),
        (
            {"people": [person("meetings@gwangjin.example", "gwangjin", "ko")]},
            {"/people/0/email": "cannot-invite-organizer"},
        ),
        (
            {"people": [person("a@eregli.example", "eregli", "tr"), person("A@Eregli.Example", "eregli", "tr")]},
            {"/people/1/email": "duplicate-email"},
        ),
        ({"start": "2027-01-03T23:59:00Z"}, {"/start": "in-the-past"}),
        ({"start": "2032-06-01T06:00:00Z"}, {"/start": "too-far-ahead"}),
        ({"start": None}, {"/start": "start-missing"}),
        ({"wall": "2027-03-09T15:00", "zone": "Asia/Seoul"}, {"/start": "start-and-wall"}),
        ({"zone": "Mars/Base"}, {"/zone": "unknown-zone"}),
        ({"zone": "Europe/Paris"}, {"/zone": "zone-not-participating"}),
        ({"duration_minutes": 1}, {"/duration_minutes": "duration-range"}),
        ({"room": "attic"}, {"/room": "unknown-room"}),
        ({"room": "gwangju-video"}, {"/room": "room-of-other-city"}),
        ({"video_url": "javascript:alert(1)"}, {"/video_url": "bad-url"}),
        ({"candidates": ["2027-03-09T06:00:00Z"]}, {"/candidates": "not-yet-supported"}),
        ({"repeat": "FREQ=WEEKLY"}, {"/repeat": "not-yet-supported"}),
        (
            {"title": "", "field": "", "duration_minutes": 1},
            {"/title": "required", "/field": "required", "/duration_minutes": "duration-range"},
        ),
    ],
)
def test_a_meeting_that_cannot_be_meant_is_refused_with_every_fault_at_its_place(
    api: Api, change: dict[str, Any], expected: dict[str, str]
) -> None:
    answer = api.post(
        "/meetings", {**meeting_body(), **change} if change != {"start": None} else meeting_body(**change)
    )
    assert faults(answer) == expected
    assert is_problem(answer, 422, "invalid")
    assert api.get("/meetings").json["meetings"] == []


@pytest.mark.parametrize(
    ("wall", "code", "choices"),
    [
        ("2027-03-28T02:30", "wall-nonexistent", ["2027-03-28T00:30:00Z", "2027-03-28T01:30:00Z"]),
        ("2027-10-31T02:30", "wall-ambiguous", ["2027-10-31T00:30:00Z", "2027-10-31T01:30:00Z"]),
    ],
)
def test_a_wall_time_that_cannot_be_resolved_brings_its_choices(
    desk: Desk, api: Api, wall: str, code: str, choices: list[str]
) -> None:
    city = '[cities.halle]\nname = "Halle"\nzone = "Europe/Berlin"\ncountry = "DE"\nlanguage = "en"\n'
    admin.import_cities(desk, parse_city_file(f'{city}[cities.halle.hours]\nmon = ["09:00-17:00"]\n'))
    body = meeting_body(start=None, wall=wall, zone="Europe/Berlin", cities=["halle", "ulaanbaatar", "eregli"])
    answer = api.post("/meetings", body)
    assert faults(answer) == {"/wall": code}
    assert answer.json["choices"] == choices
    assert api.post("/meetings", {**meeting_body(), "start": choices[0]}).status_code == 201


def test_every_column_that_is_not_offered_is_refused(api: Api) -> None:
    """A06."""
    for name in ("id", "uid", "sequence", "version", "status", "owner_id", "created_at", "invitations", "local", "end"):
        assert faults(api.post("/meetings", meeting_body(**{name: 1}))) == {f"/{name}": "unknown-key"}


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("", "찾을 수 없습니다"),
        ("tr", "Bulunamadı"),
        ("mn-MN,mn;q=0.9", "Олдсонгүй"),
        ("en-GB", "Not found"),
        ("de", "찾을 수 없습니다"),
    ],
)
def test_problems_speak_the_callers_language_or_the_one_asked_for(api: Api, asked: str, expected: str) -> None:
    assert api.get("/meetings/1", Accept_Language=asked).json["title"] == expected


def test_a_taken_room_is_a_conflict(api: Api) -> None:
    assert api.post("/meetings", meeting_body(room="gwangjin-video")).status_code == 201
    again = api.post("/meetings", meeting_body(room="gwangjin-video", start="2027-03-09T06:30:00Z"))
    assert is_problem(again, 409, "room-taken")


def test_too_many_says_when_to_come_back(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise TooMany(30)

    monkeypatch.setattr(module.booking, "create", refuse)
    answer = api.post("/meetings", meeting_body())
    assert is_problem(answer, 429, "too-many")
    assert answer.headers["Retry-After"] == "30"


def test_a_failure_tells_an_id_and_nothing_else(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """C14."""

    def fail(*_: object) -> None:
        raise RuntimeError("secret words")

    monkeypatch.setattr(module.booking, "create", fail)
    answer = api.post("/meetings", meeting_body())
    assert is_problem(answer, 500, "internal")
    assert b"secret words" not in answer.data
    assert answer.json["id"] in caplog.text
    assert api.token not in caplog.text
