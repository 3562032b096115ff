"""Calendars of others as pages and the API show them: with their age and what is wrong, never with their address."""

from __future__ import annotations

import re
import threading
from io import BytesIO

import pytest
from flask import Flask
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from scheduler import access, calendars, fetching, i18n, limits
from scheduler.calendars import New
from scheduler.core.words import LANGUAGES
from scheduler.desk import Desk
from scheduler.fetching import Unreachable
from scheduler.refreshing import Refresher
from scheduler.web import create_app
from tests.house import House
from tests.test_calendars import ADDRESS, DAY, ONE
from tests.web.api_client import OPERATOR, PARTNER, api_of, faults

from .conftest import HOST, Browser, signed_in

SECRET = "5eb1d0c4"


def upload(browser: Browser, path: str, content: bytes, **fields: str):
    browser.get(path)
    file = FileStorage(BytesIO(content), "../../private.ics")
    boundary, body = encode_multipart({**fields, "csrf_token": browser.token(), "file": file})
    kind, headers = f'multipart/form-data; boundary="{boundary}"', {"Sec-Fetch-Site": "same-origin"}
    answer = browser.client.post(path, base_url=browser.base, data=body, content_type=kind, headers=headers)
    browser.page = answer.text
    return answer


def test_somebody_adds_their_own_address_and_never_sees_it_again(app: Flask, desk: Desk, host: Browser) -> None:
    host.get("/settings")
    assert "/settings/calendars" in host.page
    host.get("/settings/calendars")
    answer = host.post("/settings/calendars", {"url": ADDRESS.replace("https", "webcal"), "name": "Outlook"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/settings/calendars?done=added")
    host.get("/settings/calendars?done=added")
    for text in ("Outlook", "calendar.example/…", "캘린더를 추가하였습니다", "아직 읽지 않았습니다"):
        assert text in host.page
    assert SECRET not in host.page
    number = re.search(r"/calendars/(\d+)/reading", host.page)
    assert number
    assert host.post(f"/calendars/{number[1]}/reading").headers["Location"] == "/settings/calendars?done=asked"
    host.get("/settings/calendars")
    assert host.post(f"/calendars/{number[1]}/removal").headers["Location"] == "/settings/calendars?done=removed"
    host.get("/settings/calendars?done=removed")
    assert "아직 등록된 캘린더가 없습니다" in host.page


def test_a_file_is_read_at_once_and_its_name_is_nowhere(desk: Desk, host: Browser) -> None:
    """G16: nobody asks what it is called."""
    assert (
        upload(host, "/cities/gwangjin/calendars", ONE).headers["Location"] == "/cities/gwangjin/calendars?done=added"
    )
    host.get("/cities/gwangjin/calendars")
    assert "올린 파일" in host.page
    assert "private.ics" not in host.page
    with desk.store.read() as db:
        (found,) = calendars.calendars.busy(db, [], ["gwangjin"], DAY, DAY, desk.now())
    assert found.fetched_at == desk.now()


def test_what_is_wrong_is_said_beside_its_place_and_what_was_typed_stays(host: Browser) -> None:
    host.get("/settings/calendars")
    answer = host.post("/settings/calendars", {"url": "http://10.0.0.1/x.ics", "name": "Outlook"})
    assert answer.status_code == 422
    assert 'value="http://10.0.0.1/x.ics"' in host.page
    assert 'value="Outlook"' in host.page
    assert 'id="url-error"' in host.page
    assert host.post("/settings/calendars", {"name": "Outlook"}).status_code == 422
    assert 'id="url-error"' in host.page
    for content in (b"\x89PNG", b"x" * 5_000_001, b"x" * 5_900_000):
        assert upload(host, "/settings/calendars", content).status_code == 422
        assert 'id="file-error"' in host.page
    assert upload(host, "/settings/calendars", b"x" * 6_000_000).status_code == 413
    host.get("/settings/calendars")
    assert host.post("/cities/gwangjin/calendars", {"url": ADDRESS, "person": PARTNER}).status_code == 422
    assert 'id="person-error"' in host.page


def test_whoever_must_wait_keeps_what_was_typed(house: House) -> None:
    with house.desk.store.write() as db:
        limit = limits.calendars(house.desk)
        limits.spend_in(db, house.desk, limit, str(house.person().id), limit.most)
    host = signed_in(create_app(desk=house.desk), house.desk, HOST)
    host.get("/settings/calendars")
    answer = host.post("/settings/calendars", {"url": ADDRESS, "name": "Outlook"})
    assert (answer.status_code, f'value="{ADDRESS}"' in host.page, 'id="url-error"' in host.page) == (429, True, True)
    assert int(answer.headers["Retry-After"]) > 0


def test_age_and_failure_are_told_in_words(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """H09: "last read …", and that it counts no more; and beside the hours, whose calendar is too old."""

    def fail(*_: object, **__: object) -> fetching.Fetched:
        raise Unreachable("gaierror")

    me, partner = house.person(), house.person("ulaanbaatar")
    calendars.add(house.desk, me, New("", address=ADDRESS))
    calendars.add(house.desk, me, New("", city="gwangjin", address="https://city.example/x.ics"))
    calendars.add(house.desk, partner, New("", address="https://partner.example/x.ics"))
    monkeypatch.setattr(fetching, "fetch", lambda *_, **__: fetching.Fetched(ONE))
    Refresher(house.desk, threading.Event()).once()
    monkeypatch.setattr(fetching, "fetch", fail)
    house.clock.forward(hours=25)
    Refresher(house.desk, threading.Event()).once()
    browser = signed_in(create_app(desk=house.desk), house.desk, HOST)
    for language in LANGUAGES:
        access.change_language(house.desk, me, language)
        browser.get("/settings/calendars")
        for key in ("calendars.page.stale", "errors.calendar-unreachable"):
            assert str(i18n.html(language, key)) in browser.page
        assert "10:00" in browser.page  # of the day before, in Seoul
        assert SECRET not in browser.page
        form = {"field": "environment/urban-regeneration", "title": "x", "city": ["ulaanbaatar"], "duration": "60"}
        form |= {"from": "2027-02-10", "to": "2027-02-10", "zone": "Asia/Seoul", "person": [str(partner.id)]}
        browser.post("/meetings/slots", form)
        told = (
            browser.page.partition('id="when"')[2]
            .partition('class="notice warn" role="status"')[2]
            .partition("</ul>")[0]
        )
        city = house.desk.directory().city_name("gwangjin", language)
        assert city in told
        assert partner.name in told
        assert told.count("10:00") == told.count("<li>") == 2


# --- API


def test_the_api_keeps_calendars(desk: Desk) -> None:
    host, partner, operator = (api_of(desk, email) for email in (HOST, PARTNER, OPERATOR))
    made = host.post("/calendars", {"city": "gwangjin", "url": ADDRESS, "name": "Works"})
    assert made.status_code == 201
    expected = {
        "city": "gwangjin", "person": None, "kind": "url", "name": "Works", "host": "calendar.example",
        "fetched_at": None, "stale": True, "error": None,
    }  # fmt: skip
    assert expected.items() <= made.json.items()
    file = host.post("/calendars", {"person": HOST, "ics": ONE.decode()})
    assert (file.status_code, file.json["person"], file.json["stale"]) == (201, HOST, False)
    assert [c["id"] for c in host.get("/calendars").json["calendars"]] == [made.json["id"], file.json["id"]]
    assert partner.get("/calendars").json == {"calendars": []}
    assert len(operator.get("/calendars").json["calendars"]) == 2
    assert SECRET not in host.get("/calendars").text + made.text
    wanted = {"cities": ["gwangjin", "eregli"], "from": "2027-02-10", "to": "2027-02-10", "duration_minutes": 60}
    found = host.post("/slots", {**wanted, "people": [HOST]}).json
    assert found["unknown"] == [{"city": "gwangjin", "person": None, "known_at": None}]
    starts = {slot["start"] for slot in found["slots"]}
    assert "2027-02-10T07:00:00Z" in starts
    assert not {"2027-02-10T05:30:00Z", "2027-02-10T06:00:00Z"} & starts
    assert partner.send("DELETE", f"/calendars/{made.json['id']}").status_code == 404
    assert host.send("DELETE", f"/calendars/{made.json['id']}").status_code == 204
    assert host.send("DELETE", f"/calendars/{made.json['id']}").status_code == 404


def test_the_api_tells_what_cannot_be_meant(desk: Desk) -> None:
    api = api_of(desk, HOST)
    for body, pointer in (
        ({"url": "https://localhost/x"}, "/url"), ({"ics": "no calendar"}, "/ics"), ({}, ""),
        ({"city": "x", "url": ADDRESS}, "/city"),
        ({"url": ADDRESS, "ics": "x"}, ""), ({"city": "gwangjin", "person": HOST, "url": ADDRESS}, ""),
        ({"person": PARTNER, "url": ADDRESS}, "/person"), ({"url": ADDRESS, "name": "x" * 101}, "/name"),
    ):  # fmt: skip
        answer = api.post("/calendars", body)
        assert answer.status_code == 422, body
        assert list(faults(answer)) == [pointer]
    assert api.post("/calendars", {"city": "ulaanbaatar", "url": ADDRESS}).status_code == 403
    assert api.post("/calendars", {"ics": "x" * 5_000_001}).status_code == 422  # 5 MB are taken, and no more
    assert api.post("/calendars", {"ics": "x" * 11_000_000}).status_code == 413
    assert api.post("/people", {"name": "x" * 1_100_000}).status_code == 413
