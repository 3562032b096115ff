"""Rows into a table, and statements that never change, at little more than the driver's own cost.

A booking writes some twenty rows and asks a few questions, most of them while others wait for its lock. SQLAlchemy
finds each statement anew in its cache and takes each row apart by name; here that is done once, for a table and its
columns, or for a statement.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple

from sqlalchemy import Connection, CursorResult, Dialect, Table
from sqlalchemy.sql.expression import ClauseElement
from sqlalchemy.types import TypeEngine

from scheduler.db.tables import Instant

Bound = Callable[[Any], Any]  # a value as the driver takes it

_AT_ONCE = 50  # values: of a longer statement psycopg finds the places anew each time


class Rows:
    """Rows as the driver takes them, made ready before the transaction that inserts them, for whose end others wait."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._inserts: list[tuple[str, Any]] = []

    def add(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Rows that all have the same columns."""
        if not rows:
            return
        names = tuple(rows[0])
        bound = _bound(table, names, self._dialect)
        values = [
            tuple([bind(row[name]) if bind else row[name] for name, bind in zip(names, bound, strict=True)])
            for row in rows
        ]
        if self._dialect.name == "sqlite":
            self._inserts.append((_insert(table, names, "?", 1), values))
            return
        size = max(1, _AT_ONCE // len(names))  # to PostgreSQL each row by itself would be a statement of its own
        for first in range(0, len(values), size):
            together = values[first : first + size]
            self._inserts.append((_insert(table, names, "%s", len(together)), tuple(chain.from_iterable(together))))

    def write(self, db: Connection) -> None:
        """Inserts them, in their order. Nothing is to be had from it: no numbers, no counts."""
        for text, values in self._inserts:
            db.exec_driver_sql(text, values)


@contextmanager
def adding(db: Connection) -> Iterator[Rows]:
    """Rows that are inserted when the block ends."""
    rows = Rows(db.dialect)
    yield rows
    rows.write(db)


def run(db: Connection, statement: ClauseElement, values: Mapping[str, Any]) -> CursorResult[Any]:
    """Runs a statement that is built once (with the module, say), with `values` for its parameters by name.

    What it gives comes as the driver has it: ask for texts and numbers, or whether something is NULL.
    """
    text, places, bound, constants = _compiled(statement, db.dialect)
    taken = {name: bind(values[name]) if bind else values[name] for name, bind in bound} | constants
    return db.exec_driver_sql(text, tuple([taken[name] for name in places]) if places else taken)


@lru_cache(maxsize=256)
def _bound(table: Table, names: tuple[str, ...], dialect: Dialect) -> tuple[Bound | None, ...]:
    return tuple(_bind(table.c[name].type, dialect) for name in names)


@lru_cache(maxsize=256)
def _insert(table: Table, names: tuple[str, ...], mark: str, count: int) -> str:
    columns = ", ".join(f'"{name}"' for name in names)
    row = f"({', '.join([mark] * len(names))})"
    return f"INSERT INTO {table.name} ({columns}) VALUES {', '.join([row] * count)}"


class _Compiled(NamedTuple):
    text: str
    places: tuple[str, ...]  # which parameter stands in each, if the driver knows them by their order alone
    bound: tuple[tuple[str, Bound | None], ...]
    constants: dict[str, Any]  # parameters whose values stand in the statement


@lru_cache(maxsize=256)
def _compiled(statement: ClauseElement, dialect: Dialect) -> _Compiled:
    compiled: Any = statement.compile(dialect=dialect)
    given = {name: parameter for name, parameter in compiled.binds.items() if parameter.required}
    constants = {name: parameter.value for name, parameter in compiled.binds.items() if name not in given}
    bound = tuple((name, _bind(parameter.type, dialect)) for name, parameter in given.items())
    return _Compiled(compiled.string, tuple(compiled.positiontup or ()), bound, constants)


def _bind(kind: TypeEngine[Any], dialect: Dialect) -> Bound | None:
    bind = kind.dialect_impl(dialect).bind_processor(dialect)
    if bind and isinstance(kind, Instant):
        return lru_cache(maxsize=256)(bind)  # the rows of a booking name the same few moments
    return bind
