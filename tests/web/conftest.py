"""The web on a real database: the example cities, a coordinator of Gwangjin-gu, one of Ulaanbaatar, and a stranger."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from flask import Flask
from flask.testing import FlaskClient

from scheduler import access
from scheduler.config import Settings
from scheduler.desk import Desk
from scheduler.web import create_app
from tests.house import desk_of

NOW = datetime(2026, 11, 23, 0, 0, tzinfo=UTC)
HOST = "international@gwangjin.example"
PARTNER = "international@ulaanbaatar.example"
STRANGER = "international@gwangju.example"
BASE = "http://127.0.0.1:8000"


class Browser:
    """A person's browser: keeps cookies, sends the CSRF token of the page it last saw, and names its own site."""

    def __init__(self, app: Flask, base: str = BASE) -> None:
        self.client: FlaskClient = app.test_client()
        self.base = base
        self.page = ""

    def get(self, path: str, **headers: str):
        response = self.client.get(path, base_url=self.base, headers=headers, buffered=True)
        self.page = response.text
        return response

    def post(self, path: str, data: dict | None = None):
        fields = {**(data or {}), "csrf_token": self.token()}
        response = self.client.post(path, base_url=self.base, data=fields, headers={"Sec-Fetch-Site": "same-origin"})
        self.page = response.text
        return response

    def token(self) -> str:
        if "csrf_token" not in self.page:
            self.get("/sign-in")
        found = re.search(r'name="csrf_token" value="([^"]+)"', self.page)
        assert found, self.page[:500]
        return found[1]


@pytest.fixture
def desk(settings: Settings) -> Iterator[Desk]:
    desk = desk_of(settings, lambda: NOW)
    yield desk
    desk.store.close()


@pytest.fixture
def app(desk: Desk) -> Flask:
    return create_app(desk=desk)


@pytest.fixture
def anybody(app: Flask) -> Browser:
    return Browser(app)


def signed_in(app: Flask, desk: Desk, email: str) -> Browser:
    browser = Browser(app)
    path = access.new_sign_in_link(desk, email).removeprefix(BASE)
    browser.get(path)
    assert browser.post(path).status_code == 303
    return browser


@pytest.fixture
def host(app: Flask, desk: Desk) -> Browser:
    return signed_in(app, desk, HOST)


@pytest.fixture
def partner(app: Flask, desk: Desk) -> Browser:
    return signed_in(app, desk, PARTNER)


@pytest.fixture
def stranger(app: Flask, desk: Desk) -> Browser:
    return signed_in(app, desk, STRANGER)


PROPOSAL = {
    "key": "first-key",
    "field": "environment/urban-regeneration",
    "title": "Urban regeneration",
    "title-tr": "Kentsel dönüşüm",
    "agenda": "1. Streets\n2. Markets",
    "city": ["ulaanbaatar", "eregli"],
    "new-0-name": "Ulaanbaatar Planning Desk",
    "new-0-email": "planning.desk@ulaanbaatar.example",
    "new-0-city": "ulaanbaatar",
    "new-0-language": "mn",
    "new-0-role": "required",
    "new-1-name": "Eregli Works Desk",
    "new-1-email": "works.desk@eregli.example",
    "new-1-city": "eregli",
    "new-1-language": "tr",
    "new-1-role": "optional",
    "duration": "60",
    "from": "2026-11-24",
    "to": "2026-11-30",
    "zone": "Asia/Seoul",
    "start": "2026-11-25T06:00Z",
}


@pytest.fixture
def proposal() -> dict:
    return dict(PROPOSAL)


@pytest.fixture
def meeting_path(host: Browser, proposal: dict) -> str:
    """The address of a meeting that Gwangjin-gu hosts."""
    response = host.post("/meetings", proposal)
    assert response.status_code == 303, response.text
    return response.headers["Location"].partition("?")[0]
