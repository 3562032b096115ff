"""Rows into a table at little more than the driver's own cost.

A booking writes some twenty rows while others wait for its lock. SQLAlchemy finds the statement for each of them anew
in its cache and takes each row apart by name; here that is done once for a table and its columns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Dialect, Table

Bound = Callable[[Any], Any]  # a value as the driver takes it

_MARKS = {"qmark": "?", "pyformat": "%s"}


def add(db: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Inserts `rows`, which all have the same columns. Nothing is to be had from it: no numbers, no counts."""
    if not rows:
        return
    names = tuple(rows[0])
    statement, bound = _insert(table, names, db.dialect)
    values = [
        tuple([bind(row[name]) if bind else row[name] for name, bind in zip(names, bound, strict=True)]) for row in rows
    ]
    db.exec_driver_sql(statement, values if len(values) > 1 else values[0])


@lru_cache(maxsize=256)
def _insert(table: Table, names: tuple[str, ...], dialect: Dialect) -> tuple[str, tuple[Bound | None, ...]]:
    bound = tuple(table.c[name].type.dialect_impl(dialect).bind_processor(dialect) for name in names)
    quoted = ", ".join(map(dialect.identifier_preparer.quote, names))
    marks = ", ".join([_MARKS[dialect.paramstyle]] * len(names))
    return f"INSERT INTO {table.name} ({quoted}) VALUES ({marks})", bound
