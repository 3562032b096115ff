"""The schema: what the migrations make is what the tables say, and the database is as durable as SQLite can be."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import CheckConstraint, inspect
from sqlalchemy.exc import IntegrityError, StatementError

from scheduler import paths
from scheduler.config import Settings
from scheduler.core.errors import NotReady
from scheduler.db import tables as t
from scheduler.db.engine import Store
from scheduler.desk import Desk
from tests.databases import REVISIONS, Databases
from tests.house import House


@pytest.fixture
def empty(tmp_path: Path, databases: Databases) -> Iterator[Store]:
    """A database made by the migrations from nothing."""
    store = Store(databases.empty(tmp_path))
    store.upgrade()
    yield store
    store.close()


_SCHEMA = {
    "sqlite": "SELECT type, name, sql FROM sqlite_master",
    "postgresql": """
        SELECT table_name, column_name, data_type || coalesce(character_maximum_length::text, '') || is_nullable
            || coalesce(column_default, '') FROM information_schema.columns WHERE table_schema = 'public'
        UNION SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
        UNION SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
    """,
}


def _schema(store: Store) -> list[tuple[str, ...]]:
    with store.read() as db:
        return sorted(map(tuple, db.exec_driver_sql(_SCHEMA[db.dialect.name])))


def _setting(store: Store, name: str) -> object:
    verb = "PRAGMA" if store.file else "SHOW"
    for opened in (store.read, store.write):
        with opened() as db:
            found = db.exec_driver_sql(f"{verb} {name}").scalar()
    return found


def test_the_migrations_make_exactly_the_tables(empty: Store) -> None:
    with empty.read() as db:
        assert compare_metadata(MigrationContext.configure(db), t.metadata) == []


def test_the_checks_are_the_same_on_both_sides(empty: Store) -> None:
    for table in t.metadata.sorted_tables:
        wanted = {str(c.name): str(c.sqltext) for c in table.constraints if isinstance(c, CheckConstraint)}
        found = inspect(empty.engine).get_check_constraints(table.name)
        there = {c["name"]: c["sqltext"].replace("(", "").replace(")", "") for c in found}
        assert there == wanted, table.name


def test_every_primary_key_is_the_same_on_both_sides(empty: Store) -> None:
    for table in t.metadata.sorted_tables:
        there = inspect(empty.engine).get_pk_constraint(table.name)["constrained_columns"]
        assert there == [c.name for c in table.primary_key.columns], table.name


def test_rooms_are_guarded_by_the_database(empty: Store) -> None:
    guards = {"bookings_INSERT", "bookings_UPDATE"} if empty.file else {"room-taken"}
    assert guards <= {row[1] for row in _schema(empty)}


def test_upgrading_twice_changes_nothing(house: House) -> None:
    meeting = house.book()
    before = _schema(house.desk.store)
    house.desk.store.upgrade()
    assert _schema(house.desk.store) == before
    assert house.meeting(meeting.id) == meeting


@pytest.mark.parametrize("at", [2, 3, 9, 14, 17, 22, 25])
def test_a_migration_that_was_cut_short_is_taken_up_again(
    tmp_path: Path, databases: Databases, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """I03."""
    store, whole = Store(databases.empty(tmp_path)), Store(databases.of_version(REVISIONS[-1], tmp_path))
    with monkeypatch.context() as patch:
        _cut_short(patch, at)
        with pytest.raises(KeyboardInterrupt):
            store.upgrade()
    assert not store.is_current()
    store.upgrade()
    assert store.is_current()
    assert _schema(store) == _schema(whole)
    store.close()
    whole.close()


def _cut_short(patch: pytest.MonkeyPatch, at: int) -> None:
    """Stops the process, as far as a test can, before the statement number `at`."""
    from alembic.ddl.impl import DefaultImpl

    execute, count = DefaultImpl._exec, itertools.count(1)

    def counted(*args: object, **kwargs: object) -> object:
        if next(count) == at:
            raise KeyboardInterrupt
        return execute(*args, **kwargs)  # type: ignore[arg-type]

    patch.setattr(DefaultImpl, "_exec", counted)


def test_the_database_is_durable_and_keeps_its_references(empty: Store) -> None:
    """I04."""
    wanted = (
        {"synchronous": 2, "journal_mode": "wal", "foreign_keys": 1} if empty.file else {"synchronous_commit": "on"}
    )
    assert {name: _setting(empty, name) for name in wanted} == wanted
    with pytest.raises(IntegrityError), empty.write() as db:
        db.execute(t.participations.insert().values(meeting_id=1, city="nowhere", position=0))


def test_a_database_of_no_or_another_version_is_not_opened(
    settings: Settings, databases: Databases, tmp_path: Path
) -> None:
    Desk.open(settings).store.close()
    other = settings.model_copy(
        update={"database": settings.database.model_copy(update={"url": databases.empty(tmp_path)})}
    )
    with pytest.raises(NotReady):
        Desk.open(other)


def test_an_instant_without_its_zone_is_refused_and_others_come_back_in_utc(house: House) -> None:
    link = t.sign_in_links
    values = {"token_hash": "x", "person_id": house.person().id, "created_at": datetime(2027, 1, 1, tzinfo=UTC)}
    with pytest.raises(StatementError, match="needs its zone"), house.desk.store.write() as db:
        db.execute(link.insert().values(**values, expires_at=datetime(2027, 1, 1)))  # noqa: DTZ001
    seoul = datetime.fromisoformat("2027-01-01T09:00:00+09:00")
    with house.desk.store.write() as db:
        db.execute(link.insert().values(**values, expires_at=seoul))
    with house.desk.store.read() as db:
        (row,) = db.execute(link.select()).all()
    assert row.expires_at == seoul
    assert row.expires_at.tzinfo is UTC


def test_nothing_of_a_transaction_that_failed_remains(house: House) -> None:
    def fail() -> None:
        with house.desk.store.write() as db:
            db.execute(t.people.update().values(name="x"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert house.person().name != "x"


def test_what_a_reading_transaction_writes_is_rolled_back(house: House) -> None:
    with house.desk.store.read() as db:
        db.execute(t.people.update().values(name="x"))
    assert house.person().name != "x"


def test_migrations_import_nothing_of_ours() -> None:
    files = list(paths.MIGRATIONS.rglob("*.py"))
    assert files
    for file in files:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or "."] if isinstance(node, ast.ImportFrom) else []
            assert not [n for n in names if n.split(".")[0] in ("scheduler", "tests", "", ".")], file
