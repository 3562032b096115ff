"""The database: one `Store` with reading and writing transactions, opened and closed at the edge.

SQLite runs with WAL and synchronous=FULL. A writing transaction begins with BEGIN IMMEDIATE: it holds the write lock
before it reads, so what it read cannot have changed when it writes. A reading one sees one snapshot.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection as Connection  # named here for the actions, which know no SQL
from sqlalchemy import Engine, Table, create_engine, event, insert
from sqlalchemy.exc import DatabaseError, OperationalError

from scheduler import paths
from scheduler.core.errors import Busy

BUSY_SECONDS = 15.0


class Store:
    """The database at `url`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = _engine(url)
        self._writer = self.engine.execution_options(begin="BEGIN IMMEDIATE")

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One snapshot; whatever is written in it is rolled back."""
        with self.engine.connect() as connection, connection.begin() as transaction:
            yield connection
            transaction.rollback()

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction that is durable when the block ends, and leaves nothing when it raises."""
        try:
            with self._writer.connect() as connection, connection.begin():
                yield connection
        except OperationalError as error:
            raise _of_the_moment(error) or error from error

    def is_current(self) -> bool:
        """Whether the schema is there and of this version; a file that is no database is not."""
        from alembic.runtime.migration import MigrationContext
        from alembic.script import ScriptDirectory

        try:
            with self.read() as connection:
                present = MigrationContext.configure(connection).get_current_heads()
        except DatabaseError:
            return False
        return set(present) == set(ScriptDirectory(str(paths.MIGRATIONS)).get_heads())

    def upgrade(self) -> None:
        """Create the schema or bring it to this version, each step in a transaction of its own."""
        configuration = Config()
        configuration.set_main_option("script_location", str(paths.MIGRATIONS))
        # Personal data lies in it: readable by its owner only, and so are the files that SQLite puts beside it.
        Path(self.url.removeprefix("sqlite:///")).touch(mode=0o600)
        with self._writer.connect() as connection:
            configuration.attributes["connection"] = connection
            command.upgrade(configuration, "head")

    def must_be_private(self) -> None:
        """Raises PermissionError when others can read the file."""
        file = Path(self.url.removeprefix("sqlite:///"))
        if file.stat().st_mode & 0o077:
            raise PermissionError(f"{file}: others can read the database; run `chmod 600 {file}`")

    def close(self) -> None:
        self.engine.dispose()


def _of_the_moment(error: OperationalError) -> Busy | None:
    """What an operator can mend, and nothing was written: 503 instead of a failure of ours."""
    said = str(error.orig)
    if "database is locked" in said:
        return Busy()
    if any(words in said for words in ("disk is full", "disk I/O error", "readonly database", "unable to open")):
        return Busy("database-full")
    return None


def added(db: Connection, table: Table, values: dict[str, Any]) -> int:
    """Inserts a row and gives the number it got."""
    key = db.execute(insert(table).values(values)).inserted_primary_key
    assert key is not None
    return int(key[0])


def _engine(url: str) -> Engine:
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS}, hide_parameters=True)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver must not begin transactions of its own
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))
