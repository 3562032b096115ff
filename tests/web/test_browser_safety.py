"""C01, D03: a real browser, with scripts allowed, runs nothing that a text holds and sends nothing by itself.

Every page is opened once with forty payloads in every text. A dialog, a violation of the page's policy, a request to
another host or any request but GET would be the proof of a hole.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from scheduler import mailbox
from tests import databases
from tests.databases import Databases
from tests.house import House

from . import test_roles as roles
from .payloads import ALL
from .test_markup import PAGES, dressed
from .test_requests import served
from .test_roles import Stage

BROWSER = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)
PLAIN = ("/health/live", "/health/ready", "/robots.txt")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not BROWSER and not os.environ.get("CI"), reason="no Chromium is installed (Debian: chromium)"),
]


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory, module_databases: Databases) -> Iterator[tuple[House, Stage, int]]:
    house, stage = dressed(tmp_path_factory.mktemp("hall"), module_databases, ALL)
    with served(stage.app) as port:
        yield house, stage, port
    house.desk.store.close()


@contextmanager
def browser(stage: Stage, port: int) -> Iterator[tuple[Any, list[str]]]:
    """The browser of the host's coordinator, and what it did that no page of ours does."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=BROWSER, args=ARGUMENTS)
        context = chromium.new_context()
        context.add_cookies([{"name": "sid", "value": stage.cookies["host"], "url": f"http://127.0.0.1:{port}"}])
        wrong: list[str] = []

        def watch(page: Any) -> None:
            page.on("dialog", lambda dialog: (wrong.append(f"dialog {dialog.message}"), dialog.dismiss()))
            page.on("console", lambda line: wrong.append(line.text) if line.type == "error" else None)
            page.on("pageerror", lambda error: wrong.append(str(error)))
            page.on("popup", lambda popup: wrong.append(f"popup {popup.url}"))
            page.on("request", lambda request: wrong.extend(_strange(request, port)))

        context.on("page", watch)
        yield context, wrong
        chromium.close()


def _strange(request: Any, port: int) -> list[str]:
    own = request.url.startswith((f"http://127.0.0.1:{port}/", "data:image/"))
    return [] if own and request.method == "GET" else [f"{request.method} {request.url}"]


def test_no_text_runs_loads_or_sends_anything(hall: tuple[House, Stage, int]) -> None:
    """C01: and the policy finds nothing to stop."""
    house, stage, port = hall
    shown = [*PAGES, "/meetings/<cancelled_id>"]
    paths = [roles.path_of(stage, rule) for rule in shown if not rule.endswith((".ics", ".eml")) and rule not in PLAIN]
    paths += [f"/mailbox/{letter.id}" for letter in mailbox.messages(house.desk)]
    with browser(stage, port) as (context, wrong):
        page = context.new_page()
        for path in dict.fromkeys(paths):
            wrong.clear()
            page.goto(f"http://127.0.0.1:{port}{path}")
            missing = ("/operation", "/settings/sign-in/second-factor")  # not the host's, and not begun
            expected = ["404"] if path in missing else []
            assert [w for w in wrong if not any(e in w for e in expected)] == [], path
        assert page.url.startswith(f"http://127.0.0.1:{port}/")


def test_the_browser_would_have_told(hall: tuple[House, Stage, int]) -> None:
    """C01: else the test above would prove nothing."""
    _, stage, port = hall
    with browser(stage, port) as (context, wrong):
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{port}/sign-in")
        page.evaluate("document.body.innerHTML = '<img src=x onerror=alert(1)><iframe src=//evil.example></iframe>'")
        page.wait_for_timeout(50)
        assert any("Content Security Policy" in line for line in wrong)


def _waits(hall: tuple[House, Stage, int], milliseconds: int) -> None:
    _, stage, port = hall
    before = databases.contents(stage.desk.store, without=("web_sessions", "heartbeats"))
    secrets = [f"/i/{stage.values['invitation']}", f"/sign-in/{stage.values['sign_in']}"]
    paths = [*secrets, roles.path_of(stage, "/meetings/<meeting_id>/cancellation"), "/review", "/mailbox"]
    with browser(stage, port) as (context, wrong):
        context.clock.install()
        for path in paths:
            context.new_page().goto(f"http://127.0.0.1:{port}{path}")
        context.clock.run_for(120_000)
        context.pages[0].wait_for_timeout(milliseconds)
        assert wrong == []
        assert [page.url.removeprefix(f"http://127.0.0.1:{port}") for page in context.pages] == paths
    assert databases.contents(stage.desk.store, without=("web_sessions", "heartbeats")) == before


def test_a_page_that_is_left_open_does_nothing(hall: tuple[House, Stage, int]) -> None:
    """D03: two minutes pass for its scripts."""
    _waits(hall, 100)


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_a_page_that_is_left_open_for_two_minutes_does_nothing(hall: tuple[House, Stage, int]) -> None:
    """D03: two minutes by everybody's clock."""
    _waits(hall, 120_000)
