"""From every state that the database ever had, with rows in each table, to the present one: nothing is lost."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Column, MetaData, Table, insert, select
from sqlalchemy import types as sa

from scheduler import paths
from scheduler.db import engine
from scheduler.db import tables as t
from scheduler.db.engine import Store
from tests.databases import REVISIONS, Databases

MOMENT = datetime(2027, 2, 10, 6, 0, 0, 123456, tzinfo=UTC)
ROWS = 3


def test_the_revisions_are_one_line_and_numbered() -> None:
    one_after_the_other = [script.revision for script in ScriptDirectory(str(paths.MIGRATIONS)).walk_revisions()]
    assert one_after_the_other[::-1] == [f"{n:04d}" for n in range(1, len(REVISIONS) + 1)] == REVISIONS
    assert engine._newest() == REVISIONS[-1]


@pytest.mark.parametrize("revision", REVISIONS)
def test_all_rows_of_an_older_state_are_there_after_the_upgrade(
    tmp_path: Path, databases: Databases, revision: str
) -> None:
    store = Store(databases.of_version(revision, tmp_path))
    older = _reflected(store)
    _fill(store, older)
    before = _rows(store, older)
    store.upgrade()
    assert store.is_current()
    with store.read() as db:
        assert compare_metadata(MigrationContext.configure(db), t.metadata) == []
    after = _rows(store, _reflected(store))
    for name, rows in before.items():
        assert len(rows) >= ROWS
        kept = [{column: row[column] for column in rows[0]} for row in after[name]]
        assert kept == rows, name
    _reads_through_the_models(store)
    store.close()


def test_an_index_that_an_earlier_0014_made_is_no_obstacle(tmp_path: Path, databases: Databases) -> None:
    store = Store(databases.of_version("0015", tmp_path))
    with store.write() as db:
        db.exec_driver_sql("CREATE INDEX ix_meetings_law_notice ON meetings (law_notice) WHERE law_notice <> ''")
    store.upgrade()
    assert store.is_current()
    with store.read() as db:
        assert compare_metadata(MigrationContext.configure(db), t.metadata) == []
    store.close()


def _reflected(store: Store) -> MetaData:
    found = MetaData()
    found.reflect(store.engine)
    return found


def _rows(store: Store, metadata: MetaData) -> dict[str, list[dict[str, Any]]]:
    with store.read() as db:
        return {
            table.name: sorted((dict(row) for row in db.execute(select(table)).mappings()), key=repr)
            for table in metadata.sorted_tables
            if table.name != "alembic_version"
        }


def _fill(store: Store, there: MetaData) -> None:
    """Rows in every table that is there, whose references hold."""
    with store.write() as db:
        for table in there.sorted_tables:
            if table.name != "alembic_version":
                db.execute(insert(table), [_row(table, number) for number in range(1, ROWS + 1)])


def _row(table: Table, number: int) -> dict[str, Any]:
    row = {column.name: _value(column, number) for column in table.columns}
    if "ends" in row:
        row["ends"] = row["starts"].replace(hour=7)
    return row


def _value(column: Column[Any], number: int) -> Any:
    """The same for a column and for whatever refers to it."""
    for key in column.foreign_keys:
        return _value(key.column, number)
    match column.type:
        case sa.Boolean():
            return number % 2 == 0
        case sa.Integer():
            return number
        case sa.DateTime():
            moment = MOMENT.replace(day=number, month=(column.table.name == "bookings" and 3) or 2)
            return moment if getattr(column.type, "timezone", False) else moment.replace(tzinfo=None)
        case sa.Date():
            return date(2027, 2, number)
        case sa.LargeBinary():
            return bytes([number, 0, 255])
        case sa.JSON():
            return {"en": f"Number {number}", "mn": "Нэр"}
    return f"{column.name}-{number}"[-(getattr(column.type, "length", None) or 99) :]


def _reads_through_the_models(store: Store) -> None:
    with store.read() as db:
        for table in t.metadata.sorted_tables:
            db.execute(select(table)).all()
