"""The databases that the tests run on: SQLite files, and a real PostgreSQL server."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary, finalize

import psycopg
from alembic import command
from alembic.config import Config
from sqlalchemy import event, insert, make_url
from sqlalchemy.engine import Engine

from scheduler import admin, paths
from scheduler.config import Settings
from scheduler.db import tables as t
from scheduler.db.engine import Store
from scheduler.desk import Desk
from tests import postgres, sparing
from tests.house import Clock

KINDS = ("sqlite", "postgresql")
LARGEST = 30_000_000  # bytes of a database that is used again
CLEANER = "cleaner"
REVISIONS = sorted(path.name.partition("_")[0] for path in (paths.MIGRATIONS / "versions").glob("[0-9]*_*.py"))
Contents = dict[str, list[dict[str, Any]]]


class Databases(ABC):
    """Makes databases."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number = count(1)
        self._versions: dict[str, str] = {}  # the address of one of each version, which stays

    @abstractmethod
    def empty(self, folder: Path) -> str:
        """The address of a new database, without a schema."""

    @abstractmethod
    def copy(self, url: str, folder: Path) -> str:
        """The address of a copy of a database that nobody has open."""

    def of_version(self, revision: str, folder: Path) -> str:
        """The address of a new database of that version, without rows."""
        return self.copy(self._version(revision), folder)

    def _version(self, revision: str) -> str:
        """Made of the version before it, and once: from nothing each takes as many steps as there are before it."""
        if revision not in self._versions:
            earlier = REVISIONS[: REVISIONS.index(revision)]
            url = self.of_version(earlier[-1], self._folder) if earlier else self.empty(self._folder)
            store = Store(url)
            upgrade_to(store, revision)
            store.close()
            self._versions[revision] = url
        return self._versions[revision]

    @abstractmethod
    def example(self, folder: Path) -> str:
        """The address of a new database that holds the example data."""

    @abstractmethod
    def there(self) -> set[str]:
        """Those that somebody has to remove."""

    @abstractmethod
    def forget(self, names: set[str]) -> None: ...


class Sqlite(Databases):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._example = folder / "example.db"
        _fill(f"sqlite:///{self._example}")

    def empty(self, folder: Path) -> str:
        return f"sqlite:///{folder / f'empty-{next(self._number)}.db'}"

    def copy(self, url: str, folder: Path) -> str:
        copy = self.empty(folder)
        shutil.copy(url.removeprefix("sqlite:///"), copy.removeprefix("sqlite:///"))
        return copy

    def example(self, folder: Path) -> str:
        folder.mkdir(parents=True, exist_ok=True)
        return f"sqlite:///{shutil.copy(self._example, folder / 'scheduler.db')}"

    def there(self) -> set[str]:
        return set()  # files go with their folders

    def forget(self, names: set[str]) -> None: ...


class Postgresql(Databases):
    """A new database costs more than most tests, so one that held the example gets its rows back and is used again.

    The schema `example` of each keeps the rows that the others shall have.
    """

    def __init__(self, server: postgres.Server, folder: Path) -> None:
        super().__init__(folder)
        self.server = server
        self._admin: psycopg.Connection | None = None
        self._example = self._new()
        _fill(self.server.url(self._example))
        self._bring_back = self._kept()
        self._clean: list[str] = []
        self._used: set[str] = set()
        self._cleaners: dict[str, psycopg.Connection] = {}
        self._cleanings = 0  # asking how large a database is takes longer than cleaning it

    def empty(self, folder: Path) -> str:
        return self.server.url(self._new())

    def copy(self, url: str, folder: Path) -> str:
        return self.server.url(self._new(str(make_url(url).database)))

    def example(self, folder: Path) -> str:
        name = self._clean.pop() if self._clean else self._new(self._example)
        self._used.add(name)
        sparing.keep_connections(self.server.url(name))
        return self.server.url(name)

    def there(self) -> set[str]:
        kept = {make_url(url).database for url in self._versions.values()}.union(self._clean)
        return {row[0] for row in self._ask("SELECT datname FROM pg_database")} - kept

    def forget(self, names: set[str]) -> None:
        for name in names:
            if name in self._used and self._cleaned(name):
                self._clean.append(name)
            else:
                sparing.end_resting(name)
                self._ask(f"DROP DATABASE {name} WITH (FORCE)")
                if cleaner := self._cleaners.pop(name, None):
                    cleaner.close()
        self._used -= names

    def close(self) -> None:
        for connection in filter(None, (self._admin, *self._cleaners.values())):
            connection.close()
        sparing.end_resting()

    def _kept(self) -> str:
        """Keeps the rows of the example; gives the statements that bring them back, whatever was done to them."""
        with psycopg.connect(self.server.url(self._example), autocommit=True) as connection:
            connection.execute("CREATE SCHEMA example")
            back = ["SET session_replication_role = replica"]  # neither triggers nor references
            for table in t.metadata.sorted_tables:
                connection.execute(f"CREATE TABLE example.{table.name} AS TABLE public.{table.name}")  # type: ignore[call-overload]
                back.append(f"DELETE FROM public.{table.name}")
                if connection.execute(f"SELECT 1 FROM example.{table.name} LIMIT 1").fetchone():  # type: ignore[call-overload]
                    back.append(f"INSERT INTO public.{table.name} SELECT * FROM example.{table.name}")
            rows = connection.execute("SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = 'public'")
            back += [f"SELECT setval('public.{name}', {last or 1}, {bool(last)})" for name, last in rows]
        return "; ".join(back)

    def _cleaned(self, name: str) -> bool:
        """Whether the database is as new again."""
        try:
            connection = self._cleaner(name)
            self._end_others(connection, name)
            connection.execute(self._bring_back)  # type: ignore[call-overload]
            self._cleanings += 1
            if self._cleanings % 16:
                return True
            found = connection.execute("SELECT pg_database_size(current_database())").fetchone()
        except psycopg.Error:  # a test took the tables away
            return False
        return found is not None and found[0] < LARGEST  # deleted rows still take their place, and copies of it too

    def _cleaner(self, name: str) -> psycopg.Connection:
        """A connection that stays, unless a test ended it: one that begins knows nothing of the tables yet."""
        if name not in self._cleaners or self._cleaners[name].closed:
            self._cleaners[name] = psycopg.connect(self.server.url(name), autocommit=True, application_name=CLEANER)
        connection = self._cleaners[name]
        try:
            connection.execute("RESET session_replication_role")
        except psycopg.OperationalError:
            if not connection.closed:
                raise
            return self._cleaner(name)
        return connection

    def _end_others(self, connection: psycopg.Connection, name: str) -> None:
        """Ends what a test left open. PostgreSQL's own waiting for that takes a tenth of a second at least."""
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> ALL(%s)"
        ours = [connection.info.backend_pid, *sparing.rested(name)]
        end = time.monotonic() + 5
        while connection.execute(others, (name, ours)).fetchall():
            assert time.monotonic() < end, "a connection does not end"
            time.sleep(0.001)

    def _new(self, template: str = "template0") -> str:
        name = f"city_hall_{next(self._number)}"
        self._ask(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        return name

    def _ask(self, statement: str) -> list[tuple[Any, ...]]:
        """Asks on one connection as long as it lasts: a test may have restarted the server."""
        if self._admin is None or self._admin.closed:
            self._admin = psycopg.connect(self.server.url("postgres"), autocommit=True)
        try:
            found = self._admin.execute(statement)  # type: ignore[call-overload]
        except psycopg.OperationalError:
            if not self._admin.closed:
                raise
            return self._ask(statement)
        return found.fetchall() if found.description else []


@contextmanager
def of_kind(kind: str, folder: Path) -> Iterator[Databases]:
    if kind == "sqlite":
        yield Sqlite(folder)
        return
    with postgres.started() as server, closing(Postgresql(server, folder)) as databases:
        yield databases


def upgrade_to(store: Store, revision: str) -> None:
    if store.file:
        store.file.touch(mode=0o600)
    configuration = Config()
    configuration.set_main_option("script_location", str(paths.MIGRATIONS))
    with store._writer.connect() as connection:
        configuration.attributes["connection"] = connection
        command.upgrade(configuration, revision)


def _fill(url: str) -> None:
    store = Store(url)
    store.upgrade()
    admin.load_example(Desk(Settings(), store, b"", Clock()))
    store.close()


# --- a whole database


_copies = count(1)


def copied(settings: Settings, folder: Path) -> Settings:
    """Settings with a copy of the database, which nobody may have open."""
    url, name = settings.database.url, f"copy_{os.getpid()}_{next(_copies)}"
    if settings.database.file:
        copy = f"sqlite:///{shutil.copy(settings.database.file, folder / f'{name}.db')}"
    else:
        copy = make_url(url).set(database=name).render_as_string(hide_password=False)
        with psycopg.connect(_beside(url), autocommit=True) as connection:
            cleaners = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = %s"
            connection.execute(cleaners, (CLEANER,))
            sparing.end_resting(str(make_url(url).database))
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {make_url(url).database} STRATEGY FILE_COPY")  # type: ignore[call-overload]
    return settings.model_copy(update={"database": settings.database.model_copy(update={"url": copy})})


def discard(settings: Settings) -> None:
    """Ends a copy that nobody has open. They lie in memory, and some tests make hundreds."""
    if file := settings.database.file:
        for left in file.parent.glob(f"{file.name}*"):
            left.unlink()
        return
    url = settings.database.url
    with psycopg.connect(_beside(url), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {make_url(url).database} WITH (FORCE)")  # type: ignore[call-overload]


def _beside(url: str) -> str:
    """The address of another database of the same server."""
    return make_url(url).set(database="postgres").render_as_string(hide_password=False)


def must_be_whole(store: Store) -> None:
    if store.file:
        with store.read() as db:
            assert db.exec_driver_sql("PRAGMA integrity_check").scalars().all() == ["ok"]
            assert db.exec_driver_sql("PRAGMA foreign_key_check").all() == []


@contextmanager
def full_disk() -> Iterator[None]:
    """No page more fits, in any connection of this process to SQLite, as on a full disk."""

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


def empty_the_journal(store: Store) -> None:
    """Moves what was committed from the write-ahead log into the database itself."""
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
        db.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)" if store.file else "CHECKPOINT")


# --- what a database holds

_TABLES = t.metadata.sorted_tables  # found anew at each asking
OF_THE_MOMENT = ("heartbeats", "counters", "mailboxes")


def contents(store: Store, *, without: tuple[str, ...] = ()) -> Contents:
    """All rows by table, in an order that depends on nothing but them; whoever changes them changes a copy."""
    mark = _mark(store)
    known = _contents.get(store)
    if known is None or known[0] != mark:
        known = _contents[store] = mark, _rows(store)
    return {name: rows for name, rows in known[1].items() if name not in without}


def _rows(store: Store) -> Contents:
    with store.read() as db:
        rows = {table.name: [dict(row) for row in db.execute(table.select()).mappings()] for table in _TABLES}
    return {name: sorted(found, key=repr) for name, found in rows.items()}


def fingerprint(store: Store, *, without: tuple[str, ...] = ()) -> dict[str, str]:
    """A digest of the rows of each table, much sooner than the rows themselves."""
    mark = _mark(store)
    known = _digests.get(store)
    if known is None or known[0] != mark:
        known = _digests[store] = mark, _digested(store)
    return {name: digest for name, digest in known[1].items() if name not in without}


# By the mark under which they were read.
_contents = WeakKeyDictionary[Store, tuple[object, Contents]]()
_digests = WeakKeyDictionary[Store, tuple[object, dict[str, str]]]()
_observers = WeakKeyDictionary[Store, tuple[int, sqlite3.Connection]]()


def _mark(store: Store) -> object:
    """The same for as long as nobody has committed a change: then all rows are the same too."""
    if not store.file:
        with store.glance() as db:
            return db.exec_driver_sql("SELECT pg_current_wal_insert_lsn()").scalar_one()
    inode = store.file.stat().st_ino
    if store not in _observers or _observers[store][0] != inode:
        observer = sqlite3.connect(store.file, check_same_thread=False)
        finalize(store, observer.close)
        _observers[store] = inode, observer
    return inode, *_observers[store][1].execute("PRAGMA data_version").fetchone()  # of what others wrote


def _digested(store: Store) -> dict[str, str]:
    with store.read() as db:
        rows = {
            table.name: sorted(map(repr, map(tuple, db.exec_driver_sql(f"SELECT * FROM {table.name}"))))
            for table in _TABLES
        }
    return {name: hashlib.sha256("\n".join(found).encode()).hexdigest() for name, found in rows.items()}


def bring_back(store: Store, before: Contents) -> None:
    """Makes the tables in `before` hold exactly these rows; the other ones refer to the same rows as they did."""
    tables = [table for table in _TABLES if table.name in before]
    with store.write() as db:
        db.exec_driver_sql(
            "PRAGMA defer_foreign_keys = ON" if store.file else "SET LOCAL session_replication_role = replica"
        )
        for table in reversed(tables):
            db.execute(table.delete())
        for table in tables:
            if before[table.name]:
                db.execute(insert(table), before[table.name])


def holds(store: Store, text: str) -> bool:
    """Whether the text stands anywhere in the database."""
    cells = (cell for rows in contents(store).values() for row in rows for cell in row.values())
    return any(text.encode() in (cell if isinstance(cell, bytes) else str(cell).encode()) for cell in cells)


def lose(store: Store) -> None:
    """The machine burns down: what comes after it finds an empty place."""
    store.close()
    if store.file:
        for left in store.file.parent.glob(f"{store.file.name}*"):
            left.unlink()
        return
    with store.write() as db:
        db.exec_driver_sql("DROP SCHEMA public CASCADE")
        db.exec_driver_sql("CREATE SCHEMA public")
    store.close()
