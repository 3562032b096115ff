"""D08, L06: a token is found nowhere but in the mail of its owner, and nothing about people is found in the log.

A whole day is lived through: mail out and in, answers, pages, programs, feeds, mistakes and failures, by everybody and
on every route. What came out of it is looked through for each token, and the log for each name, address and subject.
"""

from __future__ import annotations

import io
import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest

from scheduler import access, answers, booking, tokens
from scheduler.core.words import Wording
from scheduler.db import tables as t
from scheduler.web import create_app
from scheduler.worker import Worker
from tests import databases
from tests.databases import Databases
from tests.house import AYLIN, BAT, KIM, START, House, parsed

from . import test_roles as roles
from .test_markup import city_hall
from .test_responses import failing
from .test_roles import BASE, ROLES, WALK, Stage

TITLE, AGENDA, COMMENT = "Canary of the water works", "Another canary sings", "A third canary flew away"
ENDING = {"POST /sign-out"}  # would end the session of whoever walks on


@dataclass
class Day:
    """What was said on it, by the name of where, and who knew what."""

    house: House
    stage: Stage
    said: dict[str, str] = field(default_factory=dict)
    own: dict[str, set[str]] = field(default_factory=dict)  # token -> prefixes of the places where it may stand
    log: str = ""


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory, module_databases: Databases) -> Iterator[Day]:
    with _logged() as stream:
        house, stage = city_hall(tmp_path_factory.mktemp("day"), module_databases)
        found = Day(house, stage)
        _mail(found)
        _walk(found)
        _mistakes(found)
    found.log = stream.getvalue()
    yield found
    house.desk.store.close()


@contextmanager
def _logged() -> Iterator[io.StringIO]:
    """All that is logged, at the level of a process that stays, but without what that masks."""
    root, stream = logging.getLogger(), io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        logging.Formatter("%(name)s %(message)s %(path)s %(status)s", defaults={"path": "", "status": ""})
    )
    level, own = root.level, logging.getLogger("scheduler")
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    own.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)
    own.setLevel(logging.NOTSET)


def _mail(day: Day) -> None:
    """A meeting that is announced, answered by mail and by a link, moved and cancelled; a link to sign in."""
    house, desk, owner = day.house, day.house.desk, day.house.person()
    meeting = house.book(title=Wording.of(TITLE), agenda=Wording.of(AGENDA), start=START + timedelta(days=3))
    access.ask_for_link(desk, owner.email)
    house.send_all()
    _know(day, meeting.id)
    house.receive(house.reply(meeting, AYLIN, "DECLINED", COMMENT))
    held = house.reply(meeting, KIM, "ACCEPTED", COMMENT, edit=((KIM.email.encode(), b"someone@evil.example"),))
    house.receive(held)
    house.receive(b"From: <someone@evil.example>\r\nTo: <meet@cities.example>\r\nSubject: canary\r\n\r\ncanary")
    link = desk.addressed(house.invitation(meeting, BAT)).link.rpartition("/")[2]
    answers.answer_by_link(desk, link, "tentative", COMMENT)
    booking.edit(desk, owner, meeting.id, lambda d: replace(d, start=START + timedelta(days=4), wall=None, zone=""))
    house.send_all()
    booking.cancel(desk, owner, meeting.id, COMMENT)
    Worker(desk, threading.Event()).once()
    for row in house.outbox():
        day.said[f"mail to {row.recipient} about {row.kind} {row.id}"] = _whole(row.content)
    for row in house.outbox(kind="sign-in"):
        (token,) = set(re.findall(r"/sign-in/([a-z2-7]+)", _whole(row.content)))
        day.own[token] = {f"mail to {owner.email} about sign-in"}


def _whole(content: bytes) -> str:
    """Headers and decoded parts of a mail."""
    mail = parsed(content)
    parts = [p.get_payload(decode=True) for p in mail.walk() if not p.is_multipart()]
    return str(mail.items()) + "".join(p.decode().replace("\r\n ", "") for p in parts if isinstance(p, bytes))


def _know(day: Day, meeting_id: int) -> None:
    for invitation in day.house.meeting(meeting_id).invitations:
        for purpose in (tokens.LINK, tokens.REPLY):
            token = tokens.derived(day.house.desk.key, purpose, invitation)
            day.own[token] = {f"mail to {invitation.invitee.email} "}


def _walk(day: Day) -> None:
    """Every route as everybody; without the pages that show all mail on the machine of a demonstration."""
    stage, desk = day.stage, day.house.desk
    mail = desk.settings.mail.model_copy(update={"smtp_url": "smtp://127.0.0.1:9"})
    stage.app = create_app(desk=replace(desk, settings=desk.settings.model_copy(update={"mail": mail})))
    day.own[stage.values["invitation"]] = {f"mail to {BAT.email} "}
    _know(day, stage.meeting.id)
    day.own |= {secret: set() for secret in (*stage.cookies.values(), *stage.bearers.values())}
    for method, rule in sorted(WALK):
        if f"{method} {rule}" in ENDING:
            continue
        for role in ROLES:
            answer = roles.ask(stage, method, rule, role)
            day.said[f"{method} {rule} {role}"] = f"{answer.headers}\n{answer.text}"
    sign_in, feed = stage.values["sign_in"], stage.values["feed"]
    # A page with a form to press carries the token that it was opened with, and only that.
    day.own[stage.values["invitation"]] |= {"GET /i/<token>", "POST /i/<token>"}
    day.own[sign_in] = {"GET /sign-in/<token>"}
    day.own[feed] = set()


def _mistakes(day: Day) -> None:
    """Wrong addresses, wrong answers, and failures in the middle of what has a secret in its address."""
    stage, client = day.stage, day.stage.app.test_client()
    token = stage.values["invitation"]
    for path in (f"/i/{token}/x", f"/I/{token}", f"/i/{token}?lang=<b>", f"/sign-in/{token}", f"/feeds/{token}.ics",
                 f"/{BAT.email}", f"/cities/{BAT.email}", f"/api/v1/people?city={BAT.email}"):  # fmt: skip
        for method in ("GET", "POST", "PUT"):
            answer = client.open(path, method=method, base_url=BASE, buffered=True, data={"comment": COMMENT})
            day.said[f"mistake {method} {path.replace(token, '')}"] = f"{answer.headers}\n{answer.text}"
    for rule in ("/i/<token>", "/sign-in/<token>", "/feeds/<token>.ics", "/meetings/<meeting_id>"):
        with failing(stage, "GET", rule, 2):
            answer = roles.ask(stage, "GET", rule, "host")
            assert answer.status_code == 500
            day.said[f"failure {rule}"] = f"{answer.headers}\n{answer.text}"


def test_a_token_stands_nowhere_but_with_its_owner(day: Day) -> None:
    """D08: not in others' mail and calendars, not on pages, in headers, errors or exports."""
    assert len(day.said) > 350
    owners = 0
    for token, places in day.own.items():
        found = [where for where, text in day.said.items() if token in text]
        assert [where for where in found if not where.startswith(tuple(places))] == [], places
        owners += bool(found)
    assert owners > 10


def test_no_page_sends_its_address_along(day: Day) -> None:
    """D08: and no link out of it carries it."""
    for where, text in day.said.items():
        if not where.startswith("mail "):
            assert "Referrer-Policy: no-referrer" in text, where
    for token in day.own:
        for where, text in day.said.items():
            outside = re.findall(r"(?:href|src|action)=\"(https?://(?!127\.0\.0\.1)[^\"]*)\"", text)
            assert not [url for url in outside if token in url], where


def test_no_token_stands_in_the_database_or_the_log(day: Day) -> None:
    """D08: the database holds hashes; a mail that waits or left is the one place that must have it."""
    rows = databases.contents(day.house.desk.store)
    assert {row["content"][:5] for row in rows["outbox"]} != set()
    rows["outbox"] = [row | {"content": b"", "envelope_from": "", "told": None} for row in rows["outbox"]]
    rows["inbox"] = [row | {"raw": b"", "recipient": ""} for row in rows["inbox"]]  # what they wrote back to
    kept = repr(rows)
    assert [places for token, places in day.own.items() if token in kept] == []
    assert [places for token, places in day.own.items() if token in day.log] == []


def test_the_log_of_a_whole_day_names_nobody(day: Day) -> None:
    """L06: and that although nothing is masked here that a process would mask."""
    rows = databases.contents(day.house.desk.store)
    words = {row[name] for table in ("people", "invitations") for row in rows[table] for name in ("name", "email")}
    words |= {str(parsed(row["content"])["Subject"]) for row in rows["outbox"]}
    words |= {row["subject"] for row in rows["inbox"]} | {TITLE, AGENDA, COMMENT, "canary", "evil.example", "someone"}
    lines = day.log.splitlines()
    assert len([line for line in lines if "scheduler.requests" in line]) > 350
    assert [word for word in ("handed over", " 500", " 404", "Traceback") if word not in day.log] == []
    words -= {"", "A", "answer"}  # too short, and too common, to be anybody's
    assert [word for word in words if word.casefold() in day.log.casefold()] == []


# --- D05


def test_tokens_are_drawn_from_the_systems_randomness_and_kept_as_hashes(house: House) -> None:
    """D05: 128 bits and more, none of them a UUID, none twice, and none to be had from the database."""
    drawn = {tokens.new_token() for _ in range(2000)}
    assert len(drawn) == 2000
    for place in range(52):  # the last of 53 letters holds fewer bits
        assert len({token[place] for token in drawn}) == 32
    seeds = {tokens.new_seed() for _ in range(2000)}
    assert (len(seeds), {len(seed) * 8 for seed in seeds}) == (2000, {128})
    source = Path(tokens.__file__).read_text("utf-8")
    assert "secrets.token_bytes" in source
    for wrong in ("import random", "uuid", "time"):
        assert wrong not in source
    meeting = house.book()
    derived = [
        tokens.derived(house.desk.key, purpose, invitation)
        for purpose in (tokens.LINK, tokens.REPLY)
        for invitation in meeting.invitations
    ]
    assert len(set(derived)) == len(derived) == 8
    rows = databases.contents(house.desk.store)["invitations"]
    assert {row["link_hash"] for row in rows} <= {tokens.hashed(token) for token in derived}
    for table in t.metadata.sorted_tables:
        named = [c.name for c in table.columns if "token" in c.name or "secret" in c.name]
        assert [name for name in named if not name.endswith("_hash")] == [], table.name
