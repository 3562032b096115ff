"""Rows into a table, and statements that never change, at little more than the driver's own cost.

A booking writes some twenty rows and asks a few questions, most of them while others wait for its lock. SQLAlchemy
finds each statement anew in its cache and takes each row apart by name; here that is done once, for a table and its
columns, or for a statement.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from itertools import chain, count
from typing import Any, NamedTuple

from sqlalchemy import Connection, CursorResult, Dialect, Table
from sqlalchemy.sql.expression import ClauseElement
from sqlalchemy.types import TypeEngine

from scheduler.db.tables import Instant

Bound = Callable[[Any], Any]  # a value as the driver takes it

Part = tuple[Table, tuple[str, ...], int]  # so many rows with these columns into a table

_AT_ONCE = 300  # values in a statement of PostgreSQL: enough for a meeting of a few people


class Rows:
    """Rows as the driver takes them, made ready before the transaction that inserts them, for whose end others wait."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._parts: list[tuple[Part, list[tuple[Any, ...]]]] = []

    def add(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Rows that all have the same columns. What they refer to was added before, or is there."""
        if not rows:
            return
        names = tuple(rows[0])
        bound = _bound(table, names, self._dialect)
        values = [
            tuple([bind(row[name]) if bind else row[name] for name, bind in zip(names, bound, strict=True)])
            for row in rows
        ]
        size = len(values) if self._dialect.name == "sqlite" else max(1, _AT_ONCE // len(names))
        for first in range(0, len(values), size):
            some = values[first : first + size]
            self._parts.append(((table, names, len(some)), some))

    def write(self, db: Connection) -> None:
        """Inserts them, in their order. Nothing is to be had from it: no numbers, no counts."""
        if self._dialect.name == "sqlite":
            for (table, names, _), values in self._parts:
                db.exec_driver_sql(_insert(table, names), values)
            return
        with _numbered_parameters(db):
            for pieces in self._statements():
                parts, values = zip(*pieces, strict=True)
                db.exec_driver_sql(_inserts(parts), tuple(chain.from_iterable(chain.from_iterable(values))))

    def _statements(self) -> Iterator[list[tuple[Part, list[tuple[Any, ...]]]]]:
        """To PostgreSQL each statement costs what several rows do, so one writes into many tables; into each once, for
        which of its parts it carries out first is not said."""
        found: list[tuple[Part, list[tuple[Any, ...]]]] = []
        size, tables = 0, set[Table]()
        for part in self._parts:
            (table, names, rows), _ = part
            if found and (size + len(names) * rows > _AT_ONCE or table in tables):
                yield found
                found, size, tables = [], 0, set()
            found.append(part)
            size += len(names) * rows
            tables.add(table)
        if found:
            yield found


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
def _insert(table: Table, names: tuple[str, ...]) -> str:
    return f"{_into(table, names)} VALUES ({', '.join('?' * len(names))})"


@lru_cache(maxsize=64)
def _inserts(parts: tuple[Part, ...]) -> str:
    """One statement of PostgreSQL for all of them. Foreign keys are looked at when it has written everything."""
    numbers = count(1)
    written = []
    for table, names, rows in parts:
        values = ", ".join(f"({', '.join([f'${next(numbers)}' for _ in names])})" for _ in range(rows))
        written.append(f"{_into(table, names)} VALUES {values}")
    before = ", ".join(f"part{place} AS ({text})" for place, text in enumerate(written[:-1]))
    return f"WITH {before} {written[-1]}" if before else written[-1]


def _into(table: Table, names: tuple[str, ...]) -> str:
    columns = ", ".join(f'"{name}"' for name in names)
    return f"INSERT INTO {table.name} ({columns})"


@contextmanager
def _numbered_parameters(db: Connection) -> Iterator[None]:
    """For statements with PostgreSQL's own $1: in others psycopg looks for the places of so many values each time."""
    import psycopg

    connection: Any = db.connection.driver_connection
    usual, connection.cursor_factory = connection.cursor_factory, psycopg.RawCursor
    try:
        yield
    finally:
        connection.cursor_factory = usual


class _Compiled(NamedTuple):
    text: str
    places: tuple[str, ...]  # which parameter stands in each, if the driver knows them by their order alone
    bound: tuple[tuple[str, Bound | None], ...]
    constants: dict[str, Any]  # parameters whose values stand in the statement


@lru_cache(maxsize=256)
def _compiled(statement: ClauseElement, dialect: Dialect) -> _Compiled:
    compiled: Any = statement.compile(dialect=dialect)
    bound, constants = [], {}
    for name, parameter in compiled.binds.items():
        bind = _bind(parameter.type, dialect)
        if parameter.required:
            bound.append((name, bind))
        else:
            constants[name] = bind(parameter.value) if bind else parameter.value
    return _Compiled(compiled.string, tuple(compiled.positiontup or ()), tuple(bound), constants)


def _bind(kind: TypeEngine[Any], dialect: Dialect) -> Bound | None:
    bind = kind.dialect_impl(dialect).bind_processor(dialect)
    if bind is None or not isinstance(kind, Instant):
        return bind
    kept = lru_cache(maxsize=256)(bind)  # the rows of a booking name the same few moments

    def bound(moment: datetime | None) -> Any:
        # In UTC: elsewhere the two readings of an hour that comes twice are equal.
        return kept(moment) if moment is None or moment.tzinfo is UTC else bind(moment)

    return bound
