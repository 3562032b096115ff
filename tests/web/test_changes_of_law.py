"""The page of changes of law: what it tells in each language, the decisions it offers, and the way to it."""

from __future__ import annotations

import secrets
from datetime import date
from pathlib import Path

import pytest

from scheduler import admin, i18n, laws
from scheduler.core.words import LANGUAGES
from scheduler.db import directory
from scheduler.db import tables as t
from tests import lands

from .conftest import HOST, Browser

PAGE = "/meetings/changes-of-law"


@pytest.fixture(scope="module")
def summer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rules = {"Europe/Istanbul": lands.summer_time(2), "Asia/Seoul": lands.fixed(10, "KST")}
    return lands.folder(tmp_path_factory.mktemp("laws"), rules)


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


@pytest.mark.only_on("sqlite")
@pytest.mark.parametrize("language", LANGUAGES)
def test_it_reads_in_every_language(host: Browser, desk, meeting_path, summer, language):
    (me,) = [p for p in admin.list_people(desk) if p.email == HOST]
    with desk.store.write() as db:
        directory.change_language(db, me.id, language)
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
