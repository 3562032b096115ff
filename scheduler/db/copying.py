"""Copies of the database, made while everything runs.

A copy is one SQLite file that holds everything but the secret key, whatever kind of database it was made of; so it is
also the way from one kind to the other. It is of one moment, and appears under its name only when it is whole and on
the disk. SQLite copies its pages by its own online backup; of PostgreSQL the rows are read in one snapshot.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select

from scheduler.db import tables as t
from scheduler.db.engine import Store

# Ends with a restore. The rest of the moment (signs of life, counters, delays) is left as it is.
ENDED = (t.web_sessions, t.sign_in_links, t.half_sign_ins, t.enrolments, t.passwords, t.recovery_codes)
KEPT = (t.heartbeats, t.counters, t.delays)
OF_THE_MOMENT = (*ENDED, *KEPT)
CHUNK = 500


class Unusable(Exception):
    """The file cannot be restored, or the database cannot give or take it; one line for the operator."""


def copy(store: Store, file: Path) -> None:
    """Writes a copy to `file`, readable by its owner only; never over a file that exists."""
    if file.exists():
        raise FileExistsError(f"{file} exists already and is not overwritten")
    part = file.with_name(f".{file.name}.{secrets.token_hex(4)}.part")
    try:
        part.touch(mode=0o600, exist_ok=False)
        _copy_content(store, part)
        must_be_whole(part)
        _sync(part)
        _name(part, file)
        _sync(file.parent)
    finally:
        for leftover in (part, part.with_name(f"{part.name}-journal")):
            leftover.unlink(missing_ok=True)


def _copy_content(store: Store, part: Path) -> None:
    if store.file:
        _copy_pages(store, part)
    else:
        _copy_rows(store, part)
    with closing(sqlite3.connect(part)) as target:
        target.execute("PRAGMA journal_mode=DELETE")  # a single file, without others beside it


def _copy_rows(store: Store, part: Path) -> None:
    if not store.is_current():
        raise Unusable("the database is of another version; `scheduler init` brings it to this one")
    target = Store(f"sqlite:///{part}")
    try:
        target.upgrade()
        with store.read() as old, target.write() as new:
            replace(new, old)
    finally:
        target.close()


def _copy_pages(store: Store, part: Path) -> None:
    source = store.engine.raw_connection()
    try:
        with closing(sqlite3.connect(part)) as target:
            driver: Any = source.driver_connection
            driver.backup(target)  # all pages in one step: one snapshot, and writers go on meanwhile
    finally:
        source.close()


def must_be_whole(file: Path) -> None:
    try:
        with closing(sqlite3.connect(file)) as database:
            found = [row[0] for row in database.execute("PRAGMA integrity_check(1)")]
            broken = database.execute("PRAGMA foreign_key_check").fetchone()
    except sqlite3.DatabaseError as error:
        raise Unusable(f"{file.name}: {error}") from None
    if found != ["ok"] or broken:
        raise Unusable(f"{file.name} is damaged: {found[0] if found != ['ok'] else f'references of {broken[0]}'}")


def _name(part: Path, file: Path) -> None:
    """Gives the finished file its name in one step, unless somebody took it meanwhile."""
    try:
        os.link(part, file)
    except FileExistsError:
        raise FileExistsError(f"{file} exists already and is not overwritten") from None
    except OSError:  # a file system without hard links
        os.rename(part, file)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def replace(live: Connection, old: Connection) -> None:
    """Puts the rows of `old` in the place of those in `live`, but for what is of the moment."""
    for table in reversed(t.metadata.sorted_tables):
        if table not in KEPT:
            live.execute(delete(table))
    for table in t.metadata.sorted_tables:
        if table not in OF_THE_MOMENT:
            for rows in old.execute(select(table)).mappings().partitions(CHUNK):
                live.execute(insert(table), [dict(row) for row in rows])
    if live.dialect.name == "postgresql":
        _count_on(live)


def _count_on(live: Connection) -> None:
    """The next row's number is above those that came with their numbers; SQLite sees to that itself."""
    for table in t.metadata.sorted_tables:
        column = table.autoincrement_column
        if column is not None:
            sequence = func.pg_get_serial_sequence(table.name, column.name)
            live.execute(select(func.setval(sequence, func.coalesce(func.max(column), 0) + 1, False)))
