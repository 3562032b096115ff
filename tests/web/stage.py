"""A meeting of three cities on a real database, its mail in a folder, and somebody who opens pages."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from flask import Flask
from werkzeug.test import TestResponse

from scheduler import access, booking, meetings
from scheduler.config import Database, Mail, Server, Settings
from scheduler.core.cities import Person
from scheduler.core.meeting import Draft, Invitation, Invitee, Meeting
from scheduler.core.words import Wording
from scheduler.desk import Desk
from scheduler.web import create_app
from scheduler.worker import Worker
from tests import databases
from tests.house import desk_of

NOW = datetime(2027, 1, 4, 0, 0, tzinfo=UTC)
START = datetime(2027, 3, 9, 6, 0, tzinfo=UTC)
OWNER = "international@gwangjin.example"
PEOPLE = (
    Invitee("Urban desk of Gwangjin", "urban@gwangjin.example", "gwangjin", "ko"),
    Invitee("Хот байгуулалтын хэлтэс", "urban@ulaanbaatar.example", "ulaanbaatar", "mn"),
    Invitee("İmar Müdürlüğü", "urban@eregli.example", "eregli", "tr"),
)


@dataclass
class Clock:
    """A clock that goes on by a second whenever it is read, and can be set."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


@dataclass
class Stage:
    desk: Desk
    clock: Clock
    app: Flask
    meeting: Meeting

    @property
    def owner(self) -> Person:
        return next(p for p in meetings.people(self.desk, None, "gwangjin") if p.email == OWNER)

    def browser(self) -> Browser:
        return Browser(self)

    def signed_in(self, email: str = OWNER) -> Browser:
        browser = self.browser()
        token = access.new_sign_in_link(self.desk, email).rpartition("/")[2]
        browser.client.set_cookie("sid", access.sign_in(self.desk, token), domain="127.0.0.1")
        return browser

    def invitation(self, email: str) -> Invitation:
        sheet = meetings.show(self.desk, None, self.meeting.id)
        return next(i for i in sheet.meeting.invitations if i.invitee.email == email)

    def link(self, email: str) -> str:
        """Path of that person's personal page."""
        return urlsplit(self.desk.addressed(self.invitation(email)).link).path

    def statuses(self) -> dict[str, str]:
        sheet = meetings.show(self.desk, None, self.meeting.id)
        return {i.invitee.email: i.status for i in sheet.meeting.people}

    def send(self) -> None:
        """Hands over what is in the outbox."""
        Worker(self.desk, threading.Event()).once()

    def edit(self, **changes: object) -> Meeting:
        return booking.edit(self.desk, self.owner, self.meeting.id, lambda draft: replace(draft, **changes))

    def fingerprint(self) -> dict[str, str]:
        """A digest of each table, but for counters and signs of life."""
        return databases.fingerprint(self.desk.store, without=("counters", "delays", "heartbeats"))


@dataclass
class Browser:
    """Somebody with a browser; follows no redirect by itself."""

    stage: Stage
    referrer: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.client = self.stage.app.test_client()
        self.base = self.stage.desk.settings.server.base_url

    def get(self, path: str, method: str = "GET", **headers: str) -> TestResponse:
        return self.client.open(path, method=method, base_url=self.base, headers=_named(headers))

    def post(self, path: str, data: dict[str, str], **headers: str) -> TestResponse:
        return self.client.post(path, data=data, base_url=self.base, headers=_named(headers))

    def submit(self, path: str, action: str, data: dict[str, str]) -> TestResponse:
        """Opens a page and sends its form to `action`, hidden inputs included, as pressing its button does."""
        form = next(f for f in Page.of(self.get(path)).forms if f.action == action)
        return self.post(action, form.inputs | data)


@dataclass
class Form:
    action: str
    method: str
    inputs: dict[str, str] = field(default_factory=dict)


class Page(HTMLParser):
    """What of a page a crawler follows: links and forms."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.forms: list[Form] = []
        self.scripts = 0

    @classmethod
    def of(cls, answer: TestResponse) -> Page:
        page = cls()
        page.feed(answer.text)
        return page

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif tag == "form":
            self.forms.append(Form(given.get("action", ""), given.get("method", "get").lower()))
        elif tag == "script":
            self.scripts += 1
        elif tag in ("input", "textarea") and self.forms and given.get("name"):
            self.forms[-1].inputs[given["name"]] = given.get("value", "")


def crawl(browser: Browser, first: str, limit: int = 60) -> Iterator[str]:
    """Opens every page of ours that can be reached by links and GET forms, by HEAD and by GET, as mail scanners do."""
    waiting, seen = [first], set()
    while waiting and len(seen) < limit:
        path = waiting.pop(0)
        if path in seen:
            continue
        seen.add(path)
        yield path
        browser.get(path, method="HEAD")
        answer = browser.get(path, User_Agent="Mozilla/5.0 (SafeLinks)")
        if answer.mimetype != "text/html":
            continue
        page = Page.of(answer)
        targets = page.links + [form.action for form in page.forms if form.method == "get"]
        for target in (urljoin(browser.base + path, link) for link in targets):
            if target.startswith(browser.base):
                parts = urlsplit(target)
                waiting.append(parts.path + (f"?{parts.query}" if parts.query else ""))


def set_up(folder: Path, url: str) -> Stage:
    """The stage in a new folder and a database at `url` that holds the example data."""
    clock = Clock()
    settings = Settings(
        server=Server(secret_key_file=folder / "secret.key"),
        database=Database(url=url),
        mail=Mail(smtp_url=f"mailbox:{folder}/mail", from_address="meetings@gwangjin.example"),
    )
    desk = desk_of(settings, clock)
    stage = Stage(desk, clock, create_app(desk=desk), None)  # type: ignore[arg-type]
    stage.meeting = booking.create(desk, stage.owner, _draft()).meeting
    stage.send()
    return stage


def _draft() -> Draft:
    return Draft(
        title=Wording.of({"ko": "도시재생 화상회의", "en": "Urban regeneration"}),
        field="environment",
        topic="urban-regeneration",
        host="gwangjin",
        cities=("ulaanbaatar", "eregli"),
        duration_minutes=60,
        people=PEOPLE,
        start=START,
        agenda=Wording.of("1. Figures\n2. <b>Plans</b>", lines=True),
        video_url="https://video.example/room",
    )


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}
