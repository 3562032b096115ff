"""L06, L07: a log line is one line, is JSON, and names nobody."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler import access, booking, logs, tokens
from scheduler.core.words import Wording
from scheduler.web import create_app
from tests.house import BAT, START, House
from tests.passwords import PASSWORD, owner

TITLE = "Canary of the water works"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Where the log goes, as in a process that stays."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.JsonLines())
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield stream
    root.handlers[:] = before
    root.setLevel(level)


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def formatted(event: str, *args: object, **extra: object) -> str:
    record = logging.getLogger("scheduler.test").makeRecord(
        "scheduler.test", logging.WARNING, "file", 1, event, args, None, extra=extra
    )
    return logs.JsonLines().format(record)


@given(st.text(), st.text())
def test_whatever_is_in_it_a_record_is_one_line_of_printable_ascii(text: str, more: str) -> None:
    """L07."""
    line = formatted("met %s", text, more=more)
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line)["level"] == "warning"


@pytest.mark.parametrize("text", ["a\r\nb", "a\x1b[31mred", "a\u2028b", 'a","level":"info'])
def test_a_forged_line_stays_inside_its_own(text: str) -> None:
    """L07."""
    found = json.loads(formatted(text))
    assert found["event"] == text
    assert set(found) == {"time", "level", "logger", "event"}


def test_what_looks_like_an_address_or_a_token_is_masked_even_in_a_trace() -> None:
    token = tokens.new_token()
    try:
        raise ValueError(f"<{BAT.email}> has {token}")
    except ValueError:
        record = logging.getLogger("x").makeRecord("x", 40, "f", 1, "%s", (f"of {BAT.email}",), sys.exc_info())
    line = logs.JsonLines().format(record)
    assert BAT.email not in line
    assert token not in line
    assert "ValueError" in line


def test_times_are_utc_and_in_order() -> None:
    assert json.loads(formatted("x"))["time"].endswith("Z")


def test_each_request_has_a_line_and_its_id_in_the_answer(house: House, stream: io.StringIO) -> None:
    client = create_app(desk=house.desk).test_client()
    base = house.desk.settings.server.base_url
    first, second = client.get("/cities", base_url=base), client.get("/api/v1/cities", base_url=base)
    assert first.headers["X-Request-ID"] != second.headers["X-Request-ID"]
    told = [line for line in lines(stream) if line["logger"] == "scheduler.requests"]
    assert [(line["request"], line["path"], line["status"]) for line in told] == [
        (first.headers["X-Request-ID"], "/cities", 303),
        (second.headers["X-Request-ID"], "/api/v1/cities", 401),
    ]
    assert logs.request_id.get() == ""


def test_a_failure_is_found_by_the_id_of_its_answer(
    house: House, stream: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError(BAT.email)

    monkeypatch.setattr(access, "person_of_link", fail)
    client = create_app(desk=house.desk).test_client()
    answer = client.get("/sign-in/abc", base_url=house.desk.settings.server.base_url)
    assert answer.status_code == 500
    (fault,) = [line for line in lines(stream) if line["level"] == "error"]
    assert fault["request"] == answer.headers["X-Request-ID"]
    assert "RuntimeError" in str(fault["trace"])
    assert BAT.email not in stream.getvalue()


def test_a_refused_request_has_an_id_too(house: House, stream: io.StringIO) -> None:
    client = create_app(desk=house.desk).test_client()
    answer = client.get("/", base_url="http://evil.example")
    assert (answer.status_code, len(answer.headers["X-Request-ID"])) == (400, 16)
    assert "evil" not in stream.getvalue()


def test_paths_in_the_log_hold_no_secret_and_nothing_that_was_typed(house: House, stream: io.StringIO) -> None:
    """L06."""
    meeting = house.book(title=Wording.of(TITLE), start=START)
    link = tokens.derived(house.desk.key, tokens.LINK, house.invitation(meeting, BAT))
    sign_in = access.new_sign_in_link(house.desk, house.person().email).rpartition("/")[2]
    _, bearer = access.new_api_token(house.desk, house.person().email)
    client, base = create_app(desk=house.desk).test_client(), house.desk.settings.server.base_url
    agent = {"User-Agent": "canary-agent\x1b[31m", "Referer": f"{base}/i/{link}", "Authorization": f"Bearer {bearer}"}
    for path in (
        f"/i/{link}",
        f"/i/{link}?comment={BAT.email}",
        f"/i/{link}/nothing",
        f"/I/{link}",
        f"//i/{link}",
        f"/sign-in/{sign_in}",
        f"/{BAT.email}",
        f"/meetings/{meeting.id}?q={TITLE}",
        f"/cities/{BAT.email}",
        f"/mailbox/{link}.eml",
        f"/api/v1/people?city={BAT.email}",
        f"/api/v1/meetings/{meeting.id}",
    ):
        for method in ("GET", "HEAD", "POST", "CANARY"):
            client.open(path, method=method, base_url=base, headers=agent, data={"email": BAT.email, "comment": TITLE})
    text = stream.getvalue()
    for secret in (link, sign_in, bearer, BAT.email, BAT.name, TITLE, "canary", "Canary", "CANARY", "gwangjin.example"):
        assert secret not in text, secret
    paths = {str(line["path"]) for line in lines(stream) if "path" in line}
    assert {"/i/…", "/sign-in/…", f"/api/v1/meetings/{meeting.id}", "-"} <= paths


def test_signing_in_by_password_leaves_no_word_of_it(house: House, stream: io.StringIO) -> None:
    """L06: neither password, code, secret, recovery code nor cookie; not when it goes wrong either."""
    client, base = create_app(desk=house.desk).test_client(), house.desk.settings.server.base_url
    mine = owner(house)
    client.set_cookie("sid", mine.session, domain="127.0.0.1")

    def post(path: str, **data: str) -> int:
        page = client.get("/sign-in", base_url=base).text
        token = re.search(r'name="csrf_token" value="([^"]+)"', page)
        assert token
        return client.post(path, base_url=base, data={**data, "csrf_token": token[1]}).status_code

    assert post("/settings/sign-in/password", password="canary") == 422
    assert post("/settings/sign-in/proof", password=PASSWORD, code="canary") == 422
    assert post("/sign-in/password", email=mine.person.email, password="canary") == 422
    assert post("/sign-in/password", email=mine.person.email, password=PASSWORD) == 303
    half = client.get_cookie("half", domain="127.0.0.1")
    assert half
    assert post("/sign-in/code", code="canary") == 422
    code = mine.next_code()
    assert post("/sign-in/code", code=code) == 303
    cookie = client.get_cookie("sid", domain="127.0.0.1")
    assert cookie
    assert post("/settings/sessions/canary/ending") == 404
    text = stream.getvalue()
    secrets = [PASSWORD, "canary", mine.secret, *mine.codes, half.value, cookie.value, mine.person.email, f'"{code}"']
    assert [secret for secret in secrets if secret in text] == []
    paths = {str(line["path"]) for line in lines(stream) if "path" in line}
    assert {"/sign-in/password", "/sign-in/code", "/settings/sessions/…/ending"} <= paths


def test_any_server_that_calls_the_application_gets_its_lines(house: House) -> None:
    folder = house.desk.settings.server.secret_key_file.parent
    (folder / "config.toml").write_text(f'[database]\nurl = "{house.desk.settings.database.url}"\n')
    program = (
        "from scheduler.web import create_app; "
        "create_app().test_client().get('/sign-in', base_url='http://127.0.0.1:8000')"
    )
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder, env={**os.environ, "PYTHONPATH": here}, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    (line,) = [json.loads(line) for line in done.stderr.splitlines()]
    assert (line["event"], line["path"], line["status"]) == ("request", "/sign-in", 200)
    assert line["request"]


def test_the_worker_writes_json_lines(house: House) -> None:
    """L06: as a real process, with all that it says."""
    house.clock.time = datetime(2026, 1, 5, tzinfo=UTC)  # before the real clock, by which the process goes
    meeting = house.book(title=Wording.of(TITLE))
    booking.cancel(house.desk, house.person(), meeting.id)
    house.book(title=Wording.of(TITLE))
    folder = house.desk.settings.server.secret_key_file.parent
    (folder / "config.toml").write_text(
        f'[database]\nurl = "{house.desk.settings.database.url}"\n'
        '[mail]\nsmtp_url = "mailbox:mail"\nfrom_address = "meet@cities.example"\n'
    )
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    done = subprocess.run(
        [sys.executable, "-m", "scheduler", "worker", "--once"],
        cwd=folder, env={**os.environ, "PYTHONPATH": here}, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    found = [json.loads(line) for line in done.stderr.splitlines()]
    assert len([line for line in found if "handed over" in line["event"]]) == len(house.outbox(state="handed-over")) > 0
    for row in house.outbox():
        assert row.recipient not in done.stderr
    assert TITLE not in done.stderr
