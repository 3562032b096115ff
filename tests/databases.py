"""The databases that the tests run on: SQLite files, and a real PostgreSQL server."""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import insert, make_url

from scheduler import admin
from scheduler.config import Settings
from scheduler.db import tables as t
from scheduler.db.engine import Store
from scheduler.desk import Desk
from tests import postgres
from tests.house import Clock

KINDS = ("sqlite", "postgresql")
Contents = dict[str, list[dict[str, Any]]]


class Databases(ABC):
    """Makes databases."""

    def __init__(self) -> None:
        self._number = count(1)
        self.made: list[str] = []

    @abstractmethod
    def empty(self, folder: Path) -> str:
        """The address of a new database, without a schema."""

    @abstractmethod
    def example(self, folder: Path) -> str:
        """The address of a new database that holds the example data."""

    @abstractmethod
    def copy(self, url: str, folder: Path) -> str:
        """The address of a new database with the same content. Nobody may have the first one open."""

    @abstractmethod
    def forget(self, first: int) -> None:
        """Removes what was made, from the database number `first` on."""


class Sqlite(Databases):
    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._example = folder / "example.db"
        _fill(f"sqlite:///{self._example}")

    def empty(self, folder: Path) -> str:
        return f"sqlite:///{folder / f'empty-{next(self._number)}.db'}"

    def example(self, folder: Path) -> str:
        folder.mkdir(parents=True, exist_ok=True)
        return f"sqlite:///{shutil.copy(self._example, folder / 'scheduler.db')}"

    def copy(self, url: str, folder: Path) -> str:
        return f"sqlite:///{shutil.copy(file_of(url), folder / f'copy-{next(self._number)}.db')}"

    def forget(self, first: int) -> None:
        """Files go with their folders."""


class Postgresql(Databases):
    def __init__(self, server: postgres.Server) -> None:
        super().__init__()
        self.server = server
        self._example = self._new()
        _fill(self.server.url(self._example))

    def empty(self, folder: Path) -> str:
        return self.server.url(self._new())

    def example(self, folder: Path) -> str:
        return self.server.url(self._new(self._example))

    def copy(self, url: str, folder: Path) -> str:
        return self.server.url(self._new(make_url(url).database or ""))

    def forget(self, first: int) -> None:
        self.server.execute(*[f"DROP DATABASE {name} WITH (FORCE)" for name in self.made[first:]])
        del self.made[first:]

    def _new(self, template: str = "template0") -> str:
        name = f"city_hall_{next(self._number)}"
        self.server.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        self.made.append(name)
        return name


@contextmanager
def of_kind(kind: str, folder: Path) -> Iterator[Databases]:
    if kind == "sqlite":
        yield Sqlite(folder)
        return
    with postgres.started() as server:
        yield Postgresql(server)


def _fill(url: str) -> None:
    store = Store(url)
    store.upgrade()
    admin.load_example(Desk(Settings(), store, b"", Clock()))
    store.close()


def file_of(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


# --- what a database holds


def contents(store: Store, *, without: tuple[str, ...] = ()) -> Contents:
    """All rows by table, in an order that depends on nothing but them."""
    with store.read() as db:
        tables = [table for table in t.metadata.sorted_tables if table.name not in without]
        rows = {table.name: [dict(row) for row in db.execute(table.select()).mappings()] for table in tables}
    return {name: sorted(found, key=repr) for name, found in rows.items()}


def bring_back(store: Store, before: Contents) -> None:
    """Makes the database hold exactly these rows."""
    with store.write() as db:
        for table in reversed(t.metadata.sorted_tables):
            db.execute(table.delete())
        for table in t.metadata.sorted_tables:
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
