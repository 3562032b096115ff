"""A10: a city's meetings stay with the cities that take part.

A word of our own stands in every free text of every row about meetings of two cities. A coordinator of a third one
calls every address, with the ids of these rows and with every filter, and is shown none of the words. And no statement
on behalf of that coordinator reads a table about meetings without saying whose, or which.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import JSON, LargeBinary, Table, Text, event

from scheduler import admin, booking, feeds, tokens
from scheduler.core.words import LANGUAGES
from scheduler.db import tables as t
from scheduler.desk import Desk
from scheduler.web import create_app
from tests.house import BAT, NOW, Clock, House

from . import test_roles as roles
from .test_roles import API, BASE, EMAILS, WALK, Stage

OF_MEETINGS = (
    "meetings", "participations", "bookings", "invitations", "aliases", "answers", "outbox", "inbox", "requests",
    "calendar_entries", "feeds",
)  # fmt: skip
# Free text by its type, but read by machines.
CODES = {"meetings.uid", "outbox.told", "inbox.proposal", "feeds.key", "invitations.seed", "invitations.email_key"}
FILTERS = (
    "/?city=gwangjin", "/?city=ulaanbaatar&field=environment", "/?show=past", "/?show=cancelled",
    "/?cursor=1-1", "/?show=cancelled&cursor=9999999999-1", "/calendar.ics?city=gwangjin",
    "/calendar.ics?city=ulaanbaatar&field=environment", f"{API}/meetings?city=gwangjin",
    f"{API}/meetings?status=cancelled", f"{API}/meetings?status=held", f"{API}/meetings?from=2020-01-01&to=2031-01-01",
    f"{API}/meetings?cursor=1-1", f"{API}/calendar.ics?city=gwangjin", f"{API}/calendar.ics?field=environment",
    f"{API}/people?city=gwangjin", f"{API}/rooms?city=gwangjin", "/cities/gwangjin", "/cities/ulaanbaatar",
    "/meetings/<cancelled_id>", f"{API}/meetings/<cancelled_id>", f"{API}/meetings/<cancelled_id>.ics",
)  # fmt: skip
UNDRAWN = {"POST /sign-out", "POST /sign-in/<token>"}  # would end the stranger's own session
stage = roles.stage


@pytest.fixture
def words(stage: Stage) -> set[str]:
    """The words that only the two cities may read. Without the mailbox's pages, which show all mail to anybody."""
    mail = stage.desk.settings.mail.model_copy(update={"smtp_url": "smtp://127.0.0.1:9"})
    desk = replace(stage.desk, settings=stage.desk.settings.model_copy(update={"mail": mail}))
    host = next(p for p in admin.list_people(desk) if p.email == EMAILS["host"])
    draft = House(desk, Clock(NOW)).draft(cities=("gwangjin", "ulaanbaatar"), people=(BAT,), room="gwangjin-video")
    key = booking.RequestKey("a-key", "digest")
    cancelled = booking.create(desk, host, draft, key, lambda *_: b"answer").meeting
    booking.cancel(desk, host, cancelled.id, "reason")
    stage.app, stage.values["cancelled_id"] = create_app(desk=desk), str(cancelled.id)
    return {word for table in t.metadata.sorted_tables if table.name in OF_MEETINGS for word in _fill(desk, table)}


def _fill(desk: Desk, table: Table) -> Iterator[str]:
    for column in table.columns:
        kind, name = column.type, f"{table.name}.{column.name}"
        if not isinstance(kind, Text | JSON | LargeBinary) or name in CODES or column.unique or column.primary_key:
            continue
        word = f"word-{column.name}-of-{table.name}"
        value: Any = word
        if isinstance(kind, JSON):
            value = dict.fromkeys(LANGUAGES, word)
        elif isinstance(kind, LargeBinary):
            value = word.encode()
        with desk.store.write() as db:
            db.execute(table.update().values({column: value}))
        yield word


def found_in(answer: Any, words: set[str]) -> set[str]:
    text = f"{answer.headers}\n{answer.get_data(as_text=True)}"
    return {word for word in words if word in text}


def answers_to(stage: Stage, role: str) -> Iterator[tuple[str, Any]]:
    """Every address, method and filter, with the ids of the two cities' rows; a secret address is not one's own."""
    guessed = replace(stage, values=stage.values | {name: tokens.new_token() for name in ("invitation", "feed")})
    for method, rule in sorted(WALK):
        if f"{method} {rule}" not in UNDRAWN and not rule.startswith(("/static", "/sign-in")):
            yield f"{method} {rule}", roles.ask(guessed, method, rule, role)
    for path in FILTERS:
        yield path, roles.ask(guessed, "GET", path, role)
    desk, person = stage.desk, next(p for p in admin.list_people(stage.desk) if p.email == EMAILS[role])
    for kind, key in (
        ("city", "gwangju"),
        ("city", "gwangjin"),
        ("field", "environment"),
        ("person", "urban@ulaanbaatar.example"),
    ):
        url = feeds.create(desk, person, kind, key, "en").url
        yield f"feed of {kind} {key}", stage.app.test_client().get(url.removeprefix(BASE), base_url=BASE, buffered=True)


def test_a_stranger_is_shown_no_word_of_others(stage: Stage, words: set[str]) -> None:
    shown = {name: found for name, answer in answers_to(stage, "stranger") if (found := found_in(answer, words))}
    assert shown == {}


def test_those_who_take_part_do_see_them(stage: Stage, words: set[str]) -> None:
    """Else the test above would prove nothing."""
    seen = set().union(*(found_in(answer, words) for _, answer in answers_to(stage, "host")))
    assert {f"word-{name}-of-meetings" for name in ("title", "agenda", "cancel_reason", "video_url")} <= seen
    assert {"word-name-of-invitations", "word-comment-of-invitations", "word-subject-of-inbox"} <= seen


# --- what is asked of the database

# What says whose or which: the city that takes part or hosts, an id whose right was looked at, a secret's hash.
SAYS_WHOSE = re.compile(
    r"participations\.city (=|IN)|meetings\.host (=|IN)|feeds\.city (=|IN)|\b(uid|id|meeting_id|invitation_id|inbox_id|"
    r"token_hash|link_hash|reply_hash|person_id|owner_id) (=|IN)"
)
ABOUT = re.compile(rf"\b(?:FROM|JOIN|UPDATE|INTO)\s+({'|'.join(OF_MEETINGS)})\b")
# For supervisors: how many mails wait, and since when.
SUMS = re.compile(r"SELECT (count\(\*\) AS \w+|min\([\w.]+\) AS \w+|, )+ FROM")


@contextmanager
def statements(desk: Desk) -> Iterator[list[str]]:
    heard: list[str] = []

    def hear(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        heard.append(" ".join(statement.split()))

    event.listen(desk.store.engine, "before_cursor_execute", hear)
    yield heard
    event.remove(desk.store.engine, "before_cursor_execute", hear)


@pytest.mark.usefixtures("words")
def test_no_statement_reads_meetings_without_saying_whose(stage: Stage) -> None:
    with statements(stage.desk) as heard:
        list(answers_to(stage, "stranger"))
    about = {s for s in heard if ABOUT.search(s) and s.startswith("SELECT")}
    assert len(about) > 5
    assert [s for s in about if not SAYS_WHOSE.search(s) and not SUMS.match(s)] == []
