"""C09, C12 to C15: what every answer has and lacks, whatever happens, and what a doubled word means.

The walks take the application's own routes, so a new one is walked too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import has_request_context, request
from sqlalchemy import event

from scheduler import tokens
from tests import databases

from . import test_roles as roles
from .test_mass_assignment import FORMS, masked, valid, who
from .test_roles import API, SENT, WALK, Stage

stage, untouched = roles.stage, roles.untouched
EVERYTHING = sorted(WALK)


# --- C09, C12, C13

# A table for a spreadsheet would have to take care of cells that begin with = + - @ (row C13): none is served yet.
KINDS = {
    "text/html", "text/css", "text/plain", "text/calendar", "message/rfc822", "application/json",
    "application/problem+json",
}  # fmt: skip


@pytest.mark.parametrize("role", ["anonymous", "host", "stranger"])
def test_every_answer_is_framed_by_nobody_kept_by_no_cache_and_no_table(
    stage: Stage, untouched: Callable[[], None], role: str
) -> None:
    """C09, C12, C13: errors, redirects and the API too."""
    for method, rule in EVERYTHING:
        answer = roles.ask(stage, method, rule, role)
        name = f"{method} {rule}"
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"], name
        assert answer.headers["X-Frame-Options"] == "DENY", name
        assert answer.headers["X-Content-Type-Options"] == "nosniff", name
        if answer.data:
            assert answer.mimetype in KINDS, name
        kept = answer.headers["Cache-Control"]
        assert ("private" in kept) == rule.startswith("/feeds") or "no-store" in kept or "static" in rule, name
        if "static" not in rule and not rule.startswith("/feeds"):
            assert "no-store" in kept, name
            assert {"Cookie", "Authorization"} & {
                v.strip() for v in ",".join(answer.headers.getlist("Vary")).split(",")
            }, name
        if role == "host":
            untouched()


# --- C14

UNREADABLE = "these-words-are-for-nobody"


@contextmanager
def failing(stage: Stage, method: str, rule: str, number: int) -> Iterator[list[str]]:
    """The statement with this number of such a request fails, with words that nobody may read."""
    heard: list[str] = []

    def fail(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if not has_request_context() or (request.method, request.path) != (method, roles.path_of(stage, rule)):
            return
        heard.append(statement)
        if len(heard) == number:
            raise RuntimeError(f"{UNREADABLE} {statement} {tokens.new_token()}")

    event.listen(stage.desk.store.engine, "before_cursor_execute", fail)
    try:
        yield heard
    finally:
        event.remove(stage.desk.store.engine, "before_cursor_execute", fail)


@pytest.mark.parametrize(("method", "rule"), [key for key in EVERYTHING if key[1] != "/health/ready"])
def test_a_failure_anywhere_tells_an_id_and_nothing_else(
    stage: Stage, untouched: Callable[[], None], caplog: pytest.LogCaptureFixture, method: str, rule: str
) -> None:
    """C14: at the first statements of every route, and at some later ones. Which requests fail is told in the log."""
    for number in (1, 2, 3, 5, 9, 14):
        caplog.clear()
        with failing(stage, method, rule, number) as heard:
            answer = roles.ask(stage, method, rule, who(rule))
        if len(heard) < number:
            return
        assert answer.status_code == 500, (number, answer.text)
        (logged,) = [r for r in caplog.records if r.name in ("scheduler.web.failures", "scheduler.web.problems")]
        assert str(logged.args[0]) in answer.text  # type: ignore[index]
        said = f"{answer.headers}\n{answer.text}"
        # A file's name ends after `.py`; the signature in a cookie may begin with it.
        inside = rf"{UNREADABLE}|SELECT|INSERT|UPDATE |Traceback|RuntimeError|sqlite|\.py(?![\w-])"
        assert not re.search(inside, said), said
        assert not re.search(r"\b[a-z2-7]{26,53}\b", said), said


# --- C15

SEVERAL = {"city", "person"}  # inputs that may be given more than once


@pytest.mark.parametrize("rule", FORMS)
def test_of_a_doubled_input_the_first_counts(stage: Stage, untouched: Callable[[], None], rule: str) -> None:
    """C15: in the form; and what stands in the query is no input."""
    form = {name: value if isinstance(value, list) else [value] for name, value in valid(stage, rule).items()}
    if rule == "/meetings":
        form.pop("key", None)  # tells apart all that was sent
    first = roles.ask(stage, "POST", rule, who(rule), {"data": form})
    expected = masked(databases.contents(stage.desk.store))
    untouched()
    doubled = {name: values if name in SEVERAL else [*values, f"other-{name}"] for name, values in form.items()}
    query = {name: f"other-{name}" for name in form}
    again = roles.ask(stage, "POST", rule, who(rule), {"data": doubled, "query_string": query})
    assert again.status_code == first.status_code
    found = masked(databases.contents(stage.desk.store))
    assert {name: rows for name, rows in found.items() if rows != expected[name]} == {}


@pytest.mark.parametrize(
    ("query", "like"),
    [
        ("/calendar.ics?city=gwangjin&city=gwangju", "/calendar.ics?city=gwangjin"),
        ("/?show=past&show=cancelled", "/?show=past"),
        (f"{API}/people?city=gwangjin&city=eregli", f"{API}/people?city=gwangjin"),
        (f"{API}/meetings?status=cancelled&status=", f"{API}/meetings?status=cancelled"),
    ],
)
def test_of_a_doubled_parameter_the_first_counts(stage: Stage, query: str, like: str) -> None:
    """C15."""
    got, expected = (roles.ask(stage, "GET", path, "host") for path in (query, like))
    assert got.status_code == expected.status_code == 200
    assert steady(got.text) == steady(expected.text)


def steady(page: str) -> str:
    return re.sub(r'name="csrf_token" value="[^"]+"', "", page)


@pytest.mark.parametrize(
    ("kind", "data", "status"),
    [
        ("application/json", b'{"city": "gwangjin", "city": "gwangju"}', 400),
        ("application/json", b'{"city": "gwangjin", "language": "ko", "language": "ko"}', 400),
        ("application/x-www-form-urlencoded", b"city=gwangjin", 415),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="city"\r\n\r\na\r\n--x--',
            415,
        ),
        ("application/json, application/x-www-form-urlencoded", b'{"city": "gwangjin"}', 415),
    ],
)
def test_a_body_is_one_thing_and_says_each_thing_once(stage: Stage, kind: str, data: bytes, status: int) -> None:
    """C15."""
    before = stage.contents()
    answer = roles.ask(stage, "POST", f"{API}/feeds", "host", {"data": data, "content_type": kind})
    assert answer.status_code == status, answer.text
    assert stage.contents() == before


def test_a_form_is_no_json(stage: Stage) -> None:
    """C15: and a JSON body gives a form no inputs."""
    before = stage.contents()
    client = stage.app.test_client()
    client.set_cookie("sid", stage.cookies["host"], domain="127.0.0.1")
    for rule in FORMS:
        body = SENT.get(f"POST {rule}", dict)().get("data", {"x": "y"})
        assert client.post(roles.path_of(stage, rule), json=body, base_url=roles.BASE).status_code in (400, 422), rule
    assert stage.contents() == before
