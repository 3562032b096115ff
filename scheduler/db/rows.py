"""Rows into a table at little more than the driver's own cost.

A booking writes some twenty rows while others wait for its lock. SQLAlchemy finds the statement for each of them anew
in its cache and takes each row apart by name; here that is done once for a table and its columns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

from sqlalchemy import Connection, Dialect, Table

Bound = Callable[[Any], Any]  # a value as the driver takes it

_AT_ONCE = 50  # values: of a longer statement psycopg finds the places anew each time


def add(db: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Inserts `rows`, which all have the same columns. Nothing is to be had from it: no numbers, no counts."""
    if not rows:
        return
    names = tuple(rows[0])
    bound = _bound(table, names, db.dialect)
    values = [
        tuple([bind(row[name]) if bind else row[name] for name, bind in zip(names, bound, strict=True)]) for row in rows
    ]
    if db.dialect.name == "sqlite":
        db.exec_driver_sql(_insert(table, names, "?", 1), values)
        return
    size = max(1, _AT_ONCE // len(names))  # to PostgreSQL each row by itself would be a statement of its own
    for first in range(0, len(values), size):
        together = values[first : first + size]
        db.exec_driver_sql(_insert(table, names, "%s", len(together)), tuple(chain.from_iterable(together)))


@lru_cache(maxsize=256)
def _bound(table: Table, names: tuple[str, ...], dialect: Dialect) -> tuple[Bound | None, ...]:
    return tuple(table.c[name].type.dialect_impl(dialect).bind_processor(dialect) for name in names)


@lru_cache(maxsize=256)
def _insert(table: Table, names: tuple[str, ...], mark: str, count: int) -> str:
    columns = ", ".join(f'"{name}"' for name in names)
    row = f"({', '.join([mark] * len(names))})"
    return f"INSERT INTO {table.name} ({columns}) VALUES {', '.join([row] * count)}"
