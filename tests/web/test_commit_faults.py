"""I15: a page that says "done" comes after the fact. Each route of the map that writes, with a fault at its COMMIT."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.exc import OperationalError

from scheduler.desk import Desk
from tests import databases

from .conftest import Browser
from .test_meetings import edited
from .test_roles import ROLES, WALK, Stage, ask, routes, said, stage, untouched

__all__ = ["stage", "untouched"]  # fixtures

# They look something up, and write nothing; an edit is tried below, because it needs the form of its meeting.
READING = {
    ("POST", "/api/v1/slots"),
    ("POST", "/meetings/slots"),
    ("POST", "/meetings/<meeting_id>"),
    ("POST", "/meetings/<meeting_id>/slots"),
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


@pytest.mark.parametrize(("method", "rule"), [key for key in UNSAFE if key not in READING])
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


def _is_a_fault(answer: Any) -> None:
    assert answer.status_code in (500, 503)
    assert "Location" not in answer.headers
