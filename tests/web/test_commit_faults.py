"""I15: a page that says "done" comes after the fact. Each route of the map that writes, with a fault at its COMMIT."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.exc import OperationalError

from scheduler.desk import Desk
from scheduler.web import create_app
from tests import databases
from tests.house import House
from tests.passwords import PASSWORD, Owner, owner

from .conftest import Browser
from .test_meetings import edited
from .test_roles import ROLES, WALK, Stage, ask, routes, said, stage, untouched

__all__ = ["stage", "untouched"]  # fixtures

# They look something up, and write nothing; an edit is tried below, because it needs the form of its meeting.
READING = {
    ("POST", "/api/v1/slots"),
    ("POST", "/api/v1/series-plans"),
    ("POST", "/meetings/slots"),
    ("POST", "/meetings/<meeting_id>"),
    ("POST", "/meetings/<meeting_id>/slots"),
}
# They write for somebody who has, or is about to have, a password: tried below too.
OF_A_PASSWORD = {
    ("POST", "/sign-in/password"),
    ("POST", "/sign-in/code"),
    ("POST", "/settings/sign-in/proof"),
    ("POST", "/settings/sign-in/second-factor"),
    ("POST", "/settings/sign-in/second-factor/confirmation"),
    ("POST", "/settings/sign-in/recovery-codes"),
}
UNSAFE = sorted(key for key in WALK if key[0] != "GET")


@contextmanager
def commits_fail() -> Iterator[list[Any]]:
    tried: list[Any] = []

    def fail(connection: Any) -> None:
        tried.append(connection)
        raise OperationalError("COMMIT", None, Exception("the connection is lost"))

    event.listen(Engine, "commit", fail)
    try:
        yield tried
    finally:
        event.remove(Engine, "commit", fail)


def test_the_walk_knows_every_route_that_may_write(stage: Stage) -> None:
    """I15."""
    assert [key for key in routes(stage.app) if key[0] != "GET"] == UNSAFE


@pytest.mark.parametrize(("method", "rule"), [key for key in UNSAFE if key not in READING | OF_A_PASSWORD])
def test_no_page_says_done_before_it_is(stage: Stage, untouched: Callable[[], None], method: str, rule: str) -> None:
    """I15."""
    expected = WALK[method, rule]
    role = next(role for role in reversed(ROLES) if expected[role][0] in "23s")
    before = databases.contents(stage.desk.store, without=databases.OF_THE_MOMENT)
    with commits_fail() as tried:
        answer = ask(stage, method, rule, role)
    assert tried
    _is_a_fault(answer)
    assert databases.contents(stage.desk.store, without=databases.OF_THE_MOMENT) == before
    assert said(ask(stage, method, rule, role)) == expected[role]


@pytest.mark.parametrize(("method", "rule"), sorted(READING))
def test_what_only_reads_needs_no_commit(stage: Stage, method: str, rule: str) -> None:
    with commits_fail() as tried:
        assert said(ask(stage, method, rule, "operator")) == WALK[method, rule]["operator"]
    assert not tried


def test_an_edit_says_done_after_it_is(host: Browser, meeting_path: str, desk: Desk) -> None:
    """I15."""
    form = edited(host.get(f"{meeting_path}/edit").text) | {"title": "Water"}
    before = databases.contents(desk.store, without=databases.OF_THE_MOMENT)
    with commits_fail():
        _is_a_fault(host.post(meeting_path, form))
    assert databases.contents(desk.store, without=databases.OF_THE_MOMENT) == before
    assert host.post(meeting_path, form).status_code == 303
    assert databases.contents(desk.store, without=databases.OF_THE_MOMENT) != before


# --- passwords


def enter_password(browser: Browser, mine: Owner) -> Any:
    return browser.post("/sign-in/password", {"email": mine.person.email, "password": PASSWORD})


def enter_code(browser: Browser, mine: Owner) -> Any:
    return browser.post("/sign-in/code", {"code": mine.next_code()})


def prove(browser: Browser, mine: Owner) -> Any:
    return browser.post("/settings/sign-in/proof", {"password": PASSWORD, "code": mine.next_code()})


def begin_second_factor(browser: Browser, mine: Owner) -> Any:
    return browser.post("/settings/sign-in/second-factor")


def confirm_second_factor(browser: Browser, mine: Owner) -> Any:
    secret = re.search(r'<code translate="no">([A-Z2-7 ]+)</code>', browser.get("/settings/sign-in/second-factor").text)
    assert secret
    code = replace(mine, secret=secret[1].replace(" ", "")).code()
    return browser.post("/settings/sign-in/second-factor/confirmation", {"code": code})


def make_recovery_codes(browser: Browser, mine: Owner) -> Any:
    return browser.post("/settings/sign-in/recovery-codes")


def nothing(browser: Browser, mine: Owner) -> None:
    """There is nothing to do before."""


@pytest.mark.parametrize(
    ("before", "act", "cookie"),
    [
        (nothing, enter_password, False),
        (enter_password, enter_code, False),
        (nothing, prove, True),
        (nothing, begin_second_factor, True),
        (begin_second_factor, confirm_second_factor, True),
        (nothing, make_recovery_codes, True),
    ],
)
def test_no_way_in_is_said_to_be_there_before_it_is(
    house: House, before: Callable[..., Any], act: Callable[..., Any], cookie: bool
) -> None:
    """I15."""
    mine = owner(house)
    browser = Browser(create_app(desk=house.desk))
    if cookie:
        browser.client.set_cookie("sid", mine.session, domain="127.0.0.1")
    before(browser, mine)
    browser.get("/settings/sign-in" if cookie else "/sign-in/password")
    rows = databases.contents(house.desk.store, without=databases.OF_THE_MOMENT)
    with commits_fail() as tried:
        _is_a_fault(act(browser, mine))
    assert tried
    assert databases.contents(house.desk.store, without=databases.OF_THE_MOMENT) == rows
    house.clock.forward(minutes=1)
    assert act(browser, mine).status_code in (200, 303)


def _is_a_fault(answer: Any) -> None:
    assert answer.status_code in (500, 503)
    assert "Location" not in answer.headers
