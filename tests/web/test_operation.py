"""The operator's page: what is stuck, why, and what can be done; in every language, and for nobody else."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from scheduler import access, operation
from scheduler.core.words import LANGUAGES
from scheduler.db import tables as t
from scheduler.db.operation import beat
from scheduler.web import create_app
from scheduler.worker import Worker
from tests import post_office
from tests.post_office import PostOffice

from .conftest import HOST, NOW, Browser, signed_in

OPERATOR = "operator@gwangjin.example"
REFUSED = "planning.desk@ulaanbaatar.example"


@pytest.fixture
def operator(app, desk) -> Browser:
    return signed_in(app, desk, OPERATOR)


@pytest.fixture
def stuck(desk, meeting_path) -> int:
    """Number of a mail that was refused with words that look like a page."""
    answers = lambda r: "550 5.1.1 <b>no such person</b>" if r == REFUSED else "250 OK"  # noqa: E731
    with post_office.opened(PostOffice(answers)) as office:
        Worker(replace(desk, settings=post_office.sending_to(desk.settings, office.port)), threading.Event()).once()
    (trouble,) = operation.troubles(desk, None)
    return trouble.id


def test_only_operators_find_it(operator, host, anybody, desk, stuck):
    assert operator.get("/operation").status_code == 200
    assert 'href="/operation"' in operator.get("/").text
    assert host.get("/operation").status_code == 404
    assert 'href="/operation"' not in host.get("/").text
    assert host.post(f"/operation/mails/{stuck}/remedy", {"remedy": "retry"}).status_code == 404
    assert anybody.get("/operation").headers["Location"] == "/sign-in"
    assert [x.state for x in operation.troubles(desk, None)] == ["refused"]


def test_it_tells_what_is_stuck_and_why(operator, stuck, meeting_path):
    page = operator.get("/operation").text
    assert REFUSED in page
    assert "550 5.1.1" in page
    assert "<b>no such person" not in page
    assert f'href="{meeting_path}"' in page


def test_a_remedy_is_a_button(operator, desk, stuck):
    operator.get("/operation")
    answer = operator.post(f"/operation/mails/{stuck}/remedy", {"remedy": "retry"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/operation?said=retry")
    assert operation.overview(desk, None).outbox["queued"] == 1
    again = operator.post(f"/operation/mails/{stuck}/remedy", {"remedy": "sent"})
    assert again.headers["Location"] == "/operation?said=too-late"
    assert "warn" in operator.get("/operation?said=too-late").text
    assert operator.post(f"/operation/mails/{stuck}/remedy", {"remedy": "erase"}).status_code == 422


@pytest.mark.parametrize("language", LANGUAGES)
def test_everything_it_can_say_it_says_in_every_language(app, desk, operator, meeting_path, language):
    person = access.person_of_cookie(desk, operator.client.get_cookie("sid", domain="127.0.0.1").value)
    access.change_language(desk, person, language)
    kinds = ("invitation", "moved", "changed", "resent", "cancelled", "removed", "notice-answered", "sign-in")
    states = ("held", "refused", "bounced", "queued")
    with desk.store.write() as db:
        row = dict(db.execute(t.outbox.select().limit(1)).mappings().one())
        for number, kind in enumerate(kinds):
            changes = {"id": 100 + number, "kind": kind, "message_id": f"<{number}@x>", "invitation_id": None}
            changes |= {"state": states[number % 4], "attempts": 1 + number // 4, "answer": "451 later"}
            db.execute(t.outbox.insert().values(**(row | changes)))
        beat(db, "worker", NOW, well=True)
        beat(db, "worker", NOW, well=False)
        beat(db, "mailbox", NOW, well=False)
    for said in ("", "retry", "drop", "sent", "too-late"):
        page = operator.get(f"/operation?said={said}")
        assert page.status_code == 200
        assert f'<html lang="{language}">' in page.text
        assert "{" not in page.text
    late = replace(desk, clock=lambda: NOW.replace(hour=5))
    assert signed_in(create_app(desk=late), late, OPERATOR).get("/operation").text.count('role="alert"') == 2


def test_an_empty_installation_has_a_page_too(operator):
    assert operator.get("/operation").status_code == 200
    assert HOST not in operator.page
