"""The page of changes of law: what it tells in each language, the decisions it offers, and the way to it."""

from __future__ import annotations

import re
import secrets
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import pytest

from scheduler import admin, booking, i18n, laws
from scheduler.core.words import LANGUAGES
from scheduler.db import directory
from scheduler.db import tables as t
from tests import lands

from .conftest import HOST, Browser
from .test_meetings import edited

PAGE = "/meetings/changes-of-law"


@pytest.fixture(scope="module")
def summer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lands.folder(tmp_path_factory.mktemp("laws"), lands.SUMMER)


@pytest.fixture(scope="module")
def winter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lands.folder(tmp_path_factory.mktemp("winter"), lands.WINTER)


def the_host(desk):
    return next(person for person in admin.list_people(desk) if person.email == HOST)


def number(path: str) -> int:
    return int(path.rpartition("/")[2])


def close(desk, city: str = "ulaanbaatar", day: str = "2026-11-25") -> None:
    with desk.store.write() as db:
        values = {"city": city, "day": date.fromisoformat(day), "kind": "municipal", "name": {"en": "<b>Dzud</b>"}}
        db.execute(t.closures.insert().values(**values, start=0))
        db.execute(t.editions.update().values(edition=secrets.token_hex(16)))


def test_the_agenda_leads_to_it_once_something_was_found(host: Browser, partner: Browser, desk, meeting_path, summer):
    assert PAGE not in host.get("/").text
    with lands.believing(summer):
        laws.watch(desk)
        assert f'href="{PAGE}"' in host.get("/").text
        assert PAGE not in partner.get("/").text
        page = host.get(PAGE)
        assert meeting_path in page.text
        assert meeting_path not in partner.get(PAGE).text
        answer = host.post(f"{meeting_path}/changes-of-law/decision", {"keep": "wall"})
        assert (answer.status_code, answer.headers["Location"]) == (303, f"{PAGE}?said=wall")
        told = host.get(answer.headers["Location"]).text
        assert i18n.text("ko", "law.said.wall") in told
        assert meeting_path not in told
        assert PAGE not in host.get("/").text


def test_it_offers_what_can_be_decided_and_nothing_else(host: Browser, desk, meeting_path, summer):
    close(desk)
    page = host.get(PAGE).text
    assert 'value="closed"' in page
    assert 'value="wall"' not in page
    assert f'href="{meeting_path}/edit"' in page
    assert "&lt;b&gt;Dzud" in page
    with lands.believing(summer):
        page = host.get(PAGE).text
        assert all(f'value="{keep}"' in page for keep in ("wall", "instant", "closed"))
        assert host.post(f"{meeting_path}/changes-of-law/decision", {"keep": "maybe"}).status_code == 422
        assert host.post(f"{PAGE}/decision", {"keep": "instant"}).headers["Location"] == f"{PAGE}?said=instant"
        page = host.get(PAGE).text
        assert 'value="closed"' in page
        assert 'value="instant"' not in page
        assert host.post(f"{PAGE}/decision", {"keep": "closed"}).status_code == 303
        assert i18n.html("ko", "law.page.none") in host.get(PAGE).text
        assert [len(laws.findings(desk, None)), _sequence(desk, meeting_path)] == [0, 1]


def test_it_says_so_when_there_was_nothing_to_do(host: Browser, desk, meeting_path, winter):
    for path in (f"{PAGE}/decision", f"{meeting_path}/changes-of-law/decision"):
        answer = host.post(path, {"keep": "closed"})
        assert answer.headers["Location"] == f"{PAGE}?said=nothing"
        assert i18n.text("ko", "law.said.nothing") in host.get(answer.headers["Location"]).text
    vanishes = {"wall": datetime(2027, 3, 28, 3, 30), "zone": "Europe/Istanbul"}  # noqa: DTZ001
    booking.edit(desk, the_host(desk), number(meeting_path), lambda draft: replace(draft, **vanishes))
    with lands.believing(winter):
        answer = host.post(f"{meeting_path}/changes-of-law/decision", {"keep": "wall"})
        assert answer.status_code == 422
        assert i18n.html("ko", "errors.wall-not-kept", wall="2027-03-28 03:30", zone="Europe/Istanbul") in answer.text
        assert f'href="{PAGE}"' in answer.text


def test_what_waits_for_a_decision_is_said_where_it_is_in_the_way(
    host: Browser, partner: Browser, desk, meeting_path, summer
):
    text, mail = i18n.html("ko", "law.pending.text"), i18n.html("ko", "law.pending.mail")
    fields = edited(host.get(f"{meeting_path}/edit").text)
    assert text not in host.get(meeting_path).text
    close(desk)
    page = host.get(meeting_path).text
    assert (text in page, mail in page) == (True, False)
    with lands.believing(summer):
        for page in (host.get(meeting_path).text, host.get(f"{meeting_path}/edit").text):
            assert mail in page
            assert f'href="{PAGE}#meeting-{number(meeting_path)}"' in page
        theirs = partner.get(meeting_path).text
        assert i18n.html("mn", "law.pending.text") in theirs
        assert PAGE not in theirs
        (resend, *_) = re.findall(f'action="({meeting_path}/invitations/[^"]+)"', host.get(meeting_path).text)
        for answer in (host.post(meeting_path, fields | {"title": "Water"}), host.post(resend)):
            assert answer.status_code == 409
            assert i18n.html("ko", "errors.law-undecided") in answer.text
            assert f'href="{PAGE}' in answer.text


@pytest.mark.only_on("sqlite")
@pytest.mark.parametrize("language", LANGUAGES)
def test_it_reads_in_every_language(host: Browser, desk, meeting_path, summer, language):
    with desk.store.write() as db:
        directory.change_language(db, the_host(desk).id, language)
    close(desk)
    with lands.believing(summer):
        page = host.get(PAGE).text
    for key in ("title", "lead", "if_wall", "if_instant", "informs", "day"):
        assert i18n.html(language, f"law.page.{key}") in page


def _sequence(desk, meeting_path: str) -> int:
    with desk.store.read() as db:
        return db.scalar(
            t.meetings.select().with_only_columns(t.meetings.c.sequence).where(t.meetings.c.id == number(meeting_path))
        )
