"""C07, C08, C10, C11: what a request says of where it goes to and where it comes from decides nothing.

The walks take the application's own routes, so a new one is walked too.
"""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import pytest
from flask import Flask, request
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from waitress import create_server, wasyncore

from scheduler.running import SERVER
from scheduler.web import create_app
from tests import databases

from . import test_roles as roles
from .test_roles import API, BASE, EMAILS, SENT, WALK, Stage

stage, untouched = roles.stage, roles.untouched
EVERYTHING = sorted(WALK)


# --- C07


@pytest.mark.parametrize("role", ["anonymous", "host", "operator"])
def test_asking_what_is_possible_changes_nothing(stage: Stage, role: str) -> None:
    """C07: OPTIONS, and HEAD on what only takes a POST. (GET and HEAD of each page: see the table of roles.)"""
    before = stage.contents()
    for _, rule in EVERYTHING:
        for method in ("OPTIONS", "HEAD", "GET"):
            if (method, rule) not in WALK or method == "OPTIONS":
                answer = _plainly(stage, method, rule, role)
                assert answer.status_code < 500, rule
    assert stage.contents() == before


def _plainly(stage: Stage, method: str, rule: str, role: str, **more: Any) -> Any:
    client = stage.app.test_client()
    if role in stage.cookies:
        client.set_cookie("sid", stage.cookies[role], domain="127.0.0.1")
    headers = {"Authorization": f"Bearer {stage.bearers[role]}"} if role in stage.bearers else {}
    return client.open(roles.path_of(stage, rule), method=method, base_url=BASE, headers=headers, buffered=True, **more)


# --- C08

ELSEWHERE = [
    prefix + host
    for host in ("evil.example", "evil.example%2f@127.0.0.1", "[::1]@evil.example/")
    for prefix in (
        "http://", "https://", "//", "///", "////", "/\t/", "/\n/", "/\r/", "\\\\", "/\\", "\\/", "https:", "http:/",
        "%2f%2f", "/%2f", "/%5c", "%5c%5c", "/%09/", "/..//", "/.//", "javascript://", "data:text/html,", " //", "@",
    )
]  # fmt: skip


def assert_own(answer: Any) -> None:
    location = answer.headers.get("Location")
    if location is not None:
        target = urlsplit(urljoin(BASE + "/", location.replace("\\", "/")))  # browsers read \ as /
        assert (target.scheme, target.netloc) == ("http", "127.0.0.1:8000"), location
        assert not re.search(r"[\t\r\n]", location), location


@pytest.fixture(scope="module")
def host(stage: Stage) -> Any:
    client = stage.app.test_client()
    client.set_cookie("sid", stage.cookies["host"], domain="127.0.0.1")
    return client


@pytest.mark.parametrize("name", ["next", "url", "return_to", "redirect", "Referer", "said", "lang", "done"])
def test_no_parameter_leads_elsewhere(stage: Stage, host: Any, name: str) -> None:
    """C08: in the query, in the form and in the Referer of everything that redirects."""
    token = re.search(r'name="csrf_token" value="([^"]+)"', host.get("/settings", base_url=BASE).text)
    assert token
    anybody = stage.app.test_client()
    for target in ELSEWHERE:
        query, headers = {name: target}, {"Referer": target} if target.isprintable() else {}
        assert_own(anybody.get("/", query_string=query, headers=headers, base_url=BASE))
        form = {"csrf_token": token[1], "language": "ko", name: target}
        assert_own(host.post("/settings/language", data=form, query_string=query, headers=headers, base_url=BASE))


def test_no_path_leads_elsewhere(stage: Stage, host: Any) -> None:
    """C08: neither do doubled slashes that are put right, nor a missing or superfluous one at the end."""
    for target in ELSEWHERE:
        for path in (f"/{target}", target if target.startswith("/") else f"/x/{target}", f"/meetings/{target}"):
            assert_own(host.open(environ_overrides={"PATH_INFO": path}, base_url=BASE, buffered=True))
    for _, rule in EVERYTHING:
        for path in (roles.path_of(stage, rule) + "/", "/" + roles.path_of(stage, rule), "//evil.example/.." + rule):
            assert_own(host.open(environ_overrides={"PATH_INFO": path}, base_url=BASE, buffered=True))


@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.sampled_from("/\\@:.%?#&=ht\tps evilx;\r\n\0é"), max_size=24), st.booleans())
def test_no_text_at_all_leads_elsewhere(host: Any, text: str, in_path: bool) -> None:
    """C08."""
    where = {"environ_overrides": {"PATH_INFO": "/" + text}} if in_path else {"query_string": {"next": text}}
    assert_own(host.get(base_url=BASE, buffered=True, **where))


# --- C10

POISON = {
    "HTTP_X_FORWARDED_HOST": "evil.example", "HTTP_X_FORWARDED_SERVER": "evil.example", "HTTP_X_HOST": "evil.example",
    "HTTP_FORWARDED": "host=evil.example;proto=https", "HTTP_X_ORIGINAL_URL": "http://evil.example/",
    "HTTP_X_FORWARDED_PROTO": "https", "HTTP_X_FORWARDED_PORT": "666", "HTTP_X_FORWARDED_PREFIX": "/evil.example",
}  # fmt: skip
UNSAFE = [(method, rule) for method, rule in EVERYTHING if method != "GET"]


def _body(method: str, rule: str) -> dict[str, Any]:
    return SENT.get(f"{method} {rule}", dict)()


def _operator_or_host(rule: str) -> str:
    return "operator" if rule.startswith("/operation") else "host"


@pytest.mark.parametrize(("method", "rule"), UNSAFE)
def test_mailed_addresses_are_ours_whatever_the_request_says(
    stage: Stage, untouched: Callable[[], None], method: str, rule: str
) -> None:
    """C10: not the rows of the outbox alone, nothing that is kept knows of another host."""
    role, queued = _operator_or_host(rule), len(databases.contents(stage.desk.store)["outbox"])
    answer = roles.ask(stage, method, rule, role, _body(method, rule) | {"environ_overrides": POISON})
    assert roles.said(answer) == WALK[method, rule][role]
    assert_own(answer)
    assert not databases.holds(stage.desk.store, "evil.example")
    new = [row["content"] for row in databases.contents(stage.desk.store)["outbox"][queued:]]
    assert all(b"127.0.0.1:8000" in content for content in new if b"http" in content)
    mailing = {"/meetings", f"{API}/meetings", "/meetings/<meeting_id>/cancellation", "/sign-in", "/i/<token>/answer"}
    assert new or rule not in mailing


@pytest.mark.parametrize(
    "host_header", ["evil.example", "127.0.0.1.evil.example", "evil.example:8000", "evil@127.0.0.1"]
)
def test_under_another_name_nothing_is_done(stage: Stage, host_header: str) -> None:
    """C10."""
    before = stage.contents()
    for method, rule in UNSAFE:
        sent = _body(method, rule) | {"environ_overrides": {"HTTP_HOST": host_header}}
        answer = roles.ask(stage, method, rule, _operator_or_host(rule), sent)
        assert answer.status_code == 400, rule
        assert "evil" not in answer.text
    assert stage.contents() == before


@contextmanager
def served(app: Flask) -> Iterator[int]:
    """The application behind the server that it comes with; its port."""
    server = create_server(app, host="127.0.0.1", port=0, **SERVER)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield server.effective_port
    finally:
        server.trigger.pull_trigger(lambda: wasyncore.close_all(server._map, ignore_all=True))
        thread.join(10)
        server.task_dispatcher.shutdown()


def _spoken(port: int, head: str, body: str) -> str:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as wire:
        wire.sendall(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body.encode())
        return b"".join(iter(lambda: wire.recv(65536), b"")).decode()


def test_a_whole_address_in_the_request_line_is_no_host_either(stage: Stage, untouched: Callable[[], None]) -> None:
    """C10: RFC 9112 3.2.2 lets a proxy send it; by the server that we come with, on the wire."""
    client = stage.app.test_client()
    page = client.get("/sign-in", base_url=BASE)
    token = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
    assert token
    body = urlencode({"email": EMAILS["host"], "csrf_token": token[1]})
    cookie = page.headers["Set-Cookie"].partition(";")[0]
    rest = f"Cookie: {cookie}\nContent-Type: application/x-www-form-urlencoded\nContent-Length: {len(body)}\n"
    with served(stage.app) as port:
        for line, named, status in (
            ("http://evil.example/sign-in", "127.0.0.1", "200"),
            ("http://evil.example/sign-in", "evil.example", "400"),
            ("http://127.0.0.1/sign-in", "evil.example", "400"),
        ):
            head = f"POST {line} HTTP/1.1\nHost: {named}\nConnection: close\n{rest}".rstrip("\n")
            answer = _spoken(port, head, body)
            assert answer.split()[1] == status, answer
            assert "evil" not in answer
    mails = [row for row in databases.contents(stage.desk.store)["outbox"] if row["kind"] == "sign-in"]
    assert len(mails) == 1
    assert not databases.holds(stage.desk.store, "evil.example")


# --- C11


@pytest.mark.parametrize(
    ("hops", "client", "scheme"),
    [(0, "192.0.2.1", "http"), (1, "203.0.113.3", "https"), (2, "203.0.113.2", "http"), (3, "203.0.113.1", "https")],
)
def test_of_what_proxies_report_as_much_counts_as_there_are_proxies(
    stage: Stage, hops: int, client: str, scheme: str
) -> None:
    """C11: the entries on the right are those of our own; what stands left of them, the client may have written."""
    server = stage.desk.settings.server.model_copy(update={"proxies": hops})
    app = create_app(desk=replace(stage.desk, settings=stage.desk.settings.model_copy(update={"server": server})))
    seen = []
    app.before_request(lambda: seen.append((request.remote_addr, request.scheme, request.host)))
    headers = {
        "X-Forwarded-For": "203.0.113.1, 203.0.113.2, 203.0.113.3", "X-Forwarded-Proto": "https, http, https",
        "X-Forwarded-Host": "evil.example", "X-Forwarded-Prefix": "/evil",
    }  # fmt: skip
    remote = {"REMOTE_ADDR": "192.0.2.1"}
    app.test_client().get("/health/live", base_url=BASE, headers=headers, environ_base=remote)
    assert seen == [(client, scheme, "127.0.0.1:8000")]
