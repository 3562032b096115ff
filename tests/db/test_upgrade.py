"""An upgrade with mail in the outbox, from every version that had one, and one that is killed: the same bytes leave."""

from __future__ import annotations

import hashlib
import random
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import MetaData, func, insert, inspect, select

from scheduler.config import Database, Settings
from scheduler.db import tables as t
from scheduler.db.engine import Store
from scheduler.desk import Desk
from scheduler.worker import Worker
from tests import post_office, processes
from tests.databases import REVISIONS, Databases, copied, empty_the_journal, must_be_whole
from tests.house import BAT, NOW, Clock, House
from tests.post_office import PostOffice

WITH_MAIL = REVISIONS[REVISIONS.index("0003") :]


def as_it_was_then(old: Store, now: Store) -> None:
    """Copies what `now` holds into the tables and columns that there were."""
    there = MetaData()
    there.reflect(old.engine)
    with now.read() as source, old.write() as target:
        for name, table in ((name, t.metadata.tables[name]) for name in _in_order(there)):
            columns = there.tables[name].c.keys()
            rows = [{k: v for k, v in row._mapping.items() if k in columns} for row in source.execute(select(table))]
            if rows and not target.scalar(select(func.count()).select_from(there.tables[name])):
                target.execute(insert(there.tables[name]), [_plain(row) for row in rows])


def _in_order(there: MetaData) -> list[str]:
    """Tables of then that still are, each after those that it refers to."""
    return [table.name for table in t.metadata.sorted_tables if table.name in there.tables]


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """Instants as the old tables have them: in UTC, without saying so."""
    return {k: v.replace(tzinfo=None) if getattr(v, "tzinfo", None) else v for k, v in row.items()}


@pytest.mark.parametrize("revision", WITH_MAIL)
def test_mail_that_waits_during_an_upgrade_leaves_with_the_same_bytes(
    house: House, databases: Databases, tmp_path: Path, revision: str
) -> None:
    """J14."""
    house.book()
    house.book(people=(BAT,))
    waiting = {row.message_id: row.sha256 for row in house.outbox()}
    old = Store(databases.of_version(revision, tmp_path))
    as_it_was_then(old, house.desk.store)
    assert not old.is_current() or revision == REVISIONS[-1]
    old.upgrade()
    assert old.is_current()
    with post_office.opened(PostOffice()) as office:
        settings = post_office.sending_to(house.desk.settings, office.port)
        upgraded = House(Desk(settings, old, house.desk.key, Clock()), Clock())
        assert Worker(upgraded.desk, threading.Event()).once()
    assert {a.message_id: a.sha256 for a in office.arrived} == waiting
    assert {hashlib.sha256(row.content).hexdigest() for row in upgraded.outbox()} == set(waiting.values())
    must_be_whole(old)
    old.close()


def test_the_copy_of_the_old_version_still_sends_after_a_way_back(
    house: House, databases: Databases, tmp_path: Path
) -> None:
    """J14: the way back is the copy that was made before; it is as it was, and so are its mails."""
    house.book()
    old = Store(databases.of_version(WITH_MAIL[-2], tmp_path))
    as_it_was_then(old, house.desk.store)
    old.close()
    settings = house.desk.settings.model_copy(update={"database": Database(url=old.url)})
    copy = copied(settings, tmp_path)
    old.upgrade()
    old.close()
    back = Store(copy.database.url)
    there = MetaData()
    there.reflect(back.engine)
    with back.read() as db:
        rows = db.execute(select(there.tables["outbox"])).all()
    assert {row.message_id: row.content for row in rows} == {r.message_id: r.content for r in house.outbox()}
    assert not back.is_current()
    back.close()


# --- killed


def upgrade(url: str) -> None:
    Store(url).upgrade()


@pytest.mark.parametrize("revision", ["base", "0003"])
def test_an_upgrade_that_is_killed_is_taken_up_again(
    house: House, databases: Databases, tmp_path: Path, revision: str
) -> None:
    """I03: at every so manieth statement."""
    whole = Store(databases.of_version(REVISIONS[-1], tmp_path))
    for step in range(1, 200, 13):
        url = databases.empty(tmp_path) if revision == "base" else databases.of_version(revision, tmp_path)
        if revision != "base":
            old = Store(url)
            as_it_was_then(old, house.desk.store)
            old.close()
        killed = processes.was_killed(processes.start(upgrade, url, failpoint=f"written:{step}"))
        store = Store(url)
        store.upgrade()
        assert store.is_current()
        must_be_whole(store)
        assert set(inspect(store.engine).get_table_names()) == set(inspect(whole.engine).get_table_names())
        store.close()
        if not killed:
            break
    assert step > 1
    whole.close()


def write_and_empty_the_journal(settings: Settings, said: Path) -> None:
    store = Store(settings.database.url)
    for number in range(100_000):
        with store.write() as db:
            db.execute(insert(t.counters).values(key=f"{number}", since=NOW, until=NOW, hits=len("x" * number)))
        processes.say(said, str(number))
        if number % 3 == 0:
            empty_the_journal(store)


def test_a_process_killed_while_it_moves_the_journal_into_the_database_loses_nothing(
    settings: Settings, tmp_path: Path
) -> None:
    """I03: a checkpoint, cut short anywhere."""
    chance = random.Random(3)
    for number in range(8):
        said = tmp_path / f"said-{number}"
        copy = copied(settings, tmp_path)
        process = processes.start(write_and_empty_the_journal, copy, said)
        while not said.exists():
            time.sleep(0.001)
        time.sleep(chance.random() * 0.05)
        process.kill()
        process.join(processes.PATIENCE)
        store = Store(copy.database.url)
        must_be_whole(store)
        with store.read() as db:
            there = set(db.scalars(select(t.counters.c.key)))
        assert set(said.read_text().split()) <= there
        store.close()
