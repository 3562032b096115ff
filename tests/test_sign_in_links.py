"""B07: a sign-in link works once, for ten minutes, at the address it was sent to, and only the newest one.

There is no way yet to change a person's address but in the database; a link is bound to the address all the same.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scheduler import access, tokens
from scheduler.core.errors import NotFound
from scheduler.db import tables as t
from scheduler.desk import Desk
from tests import processes
from tests.house import House, parsed


def link(house: House) -> str:
    return access.new_sign_in_link(house.desk, house.person().email).rpartition("/")[2]


def mailed(house: House) -> str:
    access.ask_for_link(house.desk, house.person().email)
    text = parsed(house.outbox(kind="sign-in")[-1].content).get_body(("plain",))
    return re.search(r"/sign-in/([a-z2-7]+)", text.get_content())[1]  # type: ignore[index,union-attr]


def is_dead(house: House, token: str) -> bool:
    for use in (access.person_of_link, access.sign_in):
        try:
            use(house.desk, token)
        except NotFound:
            continue
        return False
    return True


def use_link(desk: Desk, number: int) -> str:
    token = (desk.settings.server.secret_key_file.parent / "link").read_text()
    try:
        return access.sign_in(desk, token) and "signed in"
    except NotFound:
        return "refused"


def test_used_at_once_in_several_processes_it_begins_one_session(house: House, tmp_path: Path) -> None:
    """B07."""
    (tmp_path / "link").write_text(link(house))
    said = processes.all_at_once(use_link, house.desk.settings, house.clock.time, 6, tmp_path / "said")
    assert sorted(said) == ["refused"] * 5 + ["signed in"]
    with house.desk.store.read() as db:
        assert len(db.execute(t.web_sessions.select()).all()) == 1


def test_a_newer_one_takes_the_place_of_older_ones(house: House) -> None:
    """B07."""
    first = link(house)
    second = mailed(house)
    assert is_dead(house, first)
    third = mailed(house)
    assert is_dead(house, second)
    access.ask_for_link(house.desk, house.person("eregli").email)  # somebody else's touches nobody
    access.ask_for_link(house.desk, "nobody@gwangjin.example")
    assert access.sign_in(house.desk, third)


def test_beyond_the_hourly_mails_the_last_one_still_works(house: House) -> None:
    for _ in range(house.desk.settings.limits.sign_in_mails_per_hour):
        last = mailed(house)
    access.ask_for_link(house.desk, house.person().email)
    assert access.sign_in(house.desk, last)


def test_it_dies_with_the_address_it_was_sent_to(house: House) -> None:
    """B07."""
    token, person = mailed(house), house.person()
    changed = t.people.update().where(t.people.c.id == person.id)
    with house.desk.store.write() as db:
        db.execute(changed.values(email="new@gwangjin.example", email_key="new@gwangjin.example"))
    assert is_dead(house, token)


@pytest.mark.parametrize(("minutes", "dead"), [(9.9, False), (10, True)])
def test_it_works_for_ten_minutes(house: House, minutes: float, dead: bool) -> None:
    """B07."""
    token = mailed(house)
    house.clock.forward(minutes=minutes)
    assert is_dead(house, token) == dead


def test_only_its_hash_is_kept(house: House) -> None:
    """B07."""
    token = link(house)
    with house.desk.store.read() as db:
        (row,) = db.execute(t.sign_in_links.select()).all()
    assert row.token_hash == tokens.hashed(token)
    assert token not in repr(row)
