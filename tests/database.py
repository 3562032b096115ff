"""What tests do with a whole database: copy it, compare it, look whether it is sound, fill the disk under it.

All that is SQLite's own stands here, so that another database needs another of these few functions.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import event, select
from sqlalchemy.engine import Engine

from scheduler.config import Settings
from scheduler.db import tables as t
from scheduler.db.engine import Store

OF_THE_MOMENT = frozenset({"heartbeats", "counters", "mailboxes"})


def file_of(settings: Settings) -> Path:
    return Path(settings.database.url.removeprefix("sqlite:///"))


def copied(settings: Settings, to: Path) -> Settings:
    """Settings with a copy of the database, which nobody may have open."""
    shutil.copy(file_of(settings), to)
    return elsewhere(settings, to)


def elsewhere(settings: Settings, to: Path) -> Settings:
    """Settings with the database at `to`."""
    database = settings.database.model_copy(update={"url": f"sqlite:///{to}"})
    return settings.model_copy(update={"database": database})


def must_be_whole(store: Store) -> None:
    with store.read() as db:
        assert db.exec_driver_sql("PRAGMA integrity_check").scalars().all() == ["ok"]
        assert db.exec_driver_sql("PRAGMA foreign_key_check").all() == []


@contextmanager
def full_disk() -> Iterator[None]:
    """No page more fits, in any connection of this process, as on a full disk."""

    def limit(connection: sqlite3.Connection, *_: object) -> None:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count={pages}").close()

    def lift(connection: sqlite3.Connection, *_: object) -> None:
        connection.execute("PRAGMA max_page_count=1073741823").close()

    event.listen(Engine, "checkout", limit)
    event.listen(Engine, "checkin", lift)
    try:
        yield
    finally:
        event.remove(Engine, "checkout", limit)
        event.remove(Engine, "checkin", lift)


def contents(store: Store, without: frozenset[str] = OF_THE_MOMENT) -> dict[str, list[str]]:
    """All rows of all tables but those of the moment, each table sorted."""
    with store.read() as db:
        return {
            name: sorted(repr(tuple(row)) for row in db.execute(select(table)))
            for name, table in t.metadata.tables.items()
            if name not in without
        }


def new_file(url: str) -> None:
    """An empty database, readable by its owner only."""
    Path(url.removeprefix("sqlite:///")).touch(mode=0o600)


def empty_the_journal(store: Store) -> None:
    """Moves what was committed from the write-ahead log into the database itself."""
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
        db.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
