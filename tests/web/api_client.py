"""A desk with the example data on a real database, and a client that speaks to its API as one person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from scheduler import access
from scheduler.config import Database, Mail, Server, Settings
from scheduler.desk import Desk
from scheduler.web import create_app
from tests.house import desk_of

NOW = datetime(2027, 1, 4, 0, 0, tzinfo=UTC)
BASE_URL = "http://127.0.0.1:8000"
OWNER = "international@gwangjin.example"
PARTNER = "international@ulaanbaatar.example"
STRANGER = "international@gwangju.example"
OPERATOR = "operator@gwangjin.example"


def make_desk(folder: Path, url: str, smtp_url: str = "", now: datetime | None = NOW) -> Desk:
    """The database at `url` holds the example data. `now` None: the desk lives in the present."""
    settings = Settings(
        server=Server(secret_key_file=folder / "secret.key"),
        database=Database(url=url),
        mail=Mail(smtp_url=smtp_url or f"mailbox:{folder}/mail", from_address="meetings@gwangjin.example"),
    )
    return desk_of(settings, lambda: now) if now else desk_of(settings)


@dataclass
class Api:
    """The API as one person sees it."""

    client: FlaskClient
    token: str

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> TestResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named.setdefault("Authorization", f"Bearer {self.token}")
        given = {} if body is None else {"json": body}
        return self.client.open(base_url=BASE_URL, path=f"/api/v1{path}", method=method, headers=named, **given)

    def get(self, path: str, **headers: str) -> TestResponse:
        return self.send("GET", path, **headers)

    def post(self, path: str, body: Any, **headers: str) -> TestResponse:
        return self.send("POST", path, body, **headers)

    def patch(self, path: str, body: Any, **headers: str) -> TestResponse:
        return self.send("PATCH", path, body, **headers)


def api_of(desk: Desk, email: str = OWNER) -> Api:
    _, token = access.new_api_token(desk, email)
    return Api(create_app(desk=desk).test_client(), token)


def person(email: str, city: str, language: str, **more: str) -> dict[str, str]:
    return {"name": email.partition("@")[0], "email": email, "city": city, "language": language, **more}


def meeting_body(**changes: Any) -> dict[str, Any]:
    body = {
        "title": {"ko": "도시재생 화상회의", "en": "Urban regeneration"},
        "field": "environment",
        "host": "gwangjin",
        "cities": ["ulaanbaatar", "eregli"],
        "start": "2027-03-09T06:00:00Z",
        "duration_minutes": 60,
        "people": [
            person("urban@gwangjin.example", "gwangjin", "ko"),
            person("urban@ulaanbaatar.example", "ulaanbaatar", "mn"),
            person("urban@eregli.example", "eregli", "tr", role="optional"),
        ],
        "agenda": "1. Figures\n2. Plans",
        "video_url": "https://video.example/room",
    } | changes
    return {name: value for name, value in body.items() if value is not None}


def faults(answer: TestResponse) -> dict[str, str]:
    """Code of each fault of a problem document by its pointer."""
    assert answer.mimetype == "application/problem+json"
    return {e["pointer"]: e["code"] for e in answer.json["errors"]}
