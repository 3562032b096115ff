"""The database: one `Store` with reading and writing transactions, opened and closed at the edge.

Either database gives the same promise. A writing transaction is alone: it holds a lock before it reads, so what it read
cannot have changed when it writes. A reading one sees one snapshot and waits for nobody. What was committed is on the
disk.

SQLite runs with WAL and synchronous=FULL, and a writing transaction begins with BEGIN IMMEDIATE. PostgreSQL gives
writers an advisory lock that ends with the transaction, and readers REPEATABLE READ.
"""

from __future__ import annotations

import select
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sqlalchemy import Connection as Connection  # named here for the actions, which know no SQL
from sqlalchemy import Engine, Table, create_engine, event, insert, make_url
from sqlalchemy.exc import DatabaseError, DBAPIError, InvalidatePoolError, OperationalError

from scheduler import paths
from scheduler.config import ConfigurationError
from scheduler.core.errors import Busy
from scheduler.db.direct import Rows

BUSY_SECONDS = 15.0
CONNECT_SECONDS = 10
_TRY_SECONDS = 0.004  # SQLite's first pauses are short: 1 and 2 milliseconds
_SQLITE = "sqlite:///"
_WRITERS = 7_251_903_648  # the advisory lock of all writers of one database


class Store:
    """The database at `url`: sqlite:///FILE, or postgresql://…"""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = _sqlite(url) if url.startswith(_SQLITE) else _postgresql(url)
        weakref.finalize(self, self.engine.dispose)  # whoever forgets a store leaves no connection open
        self._turn = threading.Lock()
        self._reader = self.engine.execution_options(**_READING[self.engine.dialect.name])
        self._writer = self.engine.execution_options(begin=_WRITING[self.engine.dialect.name])
        self._glancer = self.engine.execution_options(**_GLANCING[self.engine.dialect.name])

    @property
    def file(self) -> Path | None:
        """Where it lies, if it is one file."""
        return Path(self.url.removeprefix(_SQLITE)) if self.url.startswith(_SQLITE) else None

    @property
    def place(self) -> str:
        """The file, or the address without the password."""
        return str(self.file or make_url(self.url).render_as_string(hide_password=True))

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One snapshot; whatever is written in it is rolled back. Raises Busy when the database is not to be had."""
        with _telling(), self._reader.connect() as connection, connection.begin() as transaction:
            yield connection
            transaction.rollback()

    @contextmanager
    def glance(self) -> Iterator[Connection]:
        """For one statement that reads: it sees one snapshot without a transaction around it. Raises Busy as `read`."""
        with _telling(), self._glancer.connect() as connection:
            yield connection

    def rows(self) -> Rows:
        """To be filled, and written in a transaction."""
        return Rows(self.engine.dialect)

    @contextmanager
    def write(self, first: Callable[[Connection], None] | None = None) -> Iterator[Connection]:
        """One transaction that is durable when the block ends, and leaves nothing when it raises. `first` writes in it
        before the block and reads nothing, so that it goes `together` with the request for the lock.

        Raises Busy when the database cannot be written at the moment. If the connection breaks while it commits, nobody
        knows whether it did: Busy then means that the caller must look, or repeat what may be repeated.
        """
        with self._in_turn(), _telling(), self._writer.connect() as connection:
            with together(connection):
                transaction = connection.begin()
                if first:
                    first(connection)
            with transaction:
                yield connection

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        """Writers of one process wait here, one after the other. SQLite lets each try again after ever longer pauses,
        in which others overtake it, and threads that try disturb the one that writes."""
        if not self._turn.acquire(timeout=BUSY_SECONDS):
            raise Busy("database-busy")
        try:
            yield
        finally:
            self._turn.release()

    def is_current(self) -> bool:
        """Whether the schema is there and of this version; a file that is no database is not.

        Each start asks, so it is asked without Alembic, which takes longer to load than everything else it does.
        """
        try:
            with self._reader.connect() as connection:
                present = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalars().all()
        except DatabaseError as error:
            if busy := _of_the_moment(error):
                raise busy from error
            return False
        return present == [_newest()]

    def upgrade(self) -> None:
        """Create the schema or bring it to this version, each step in a transaction of its own."""
        from alembic import command
        from alembic.config import Config

        configuration = Config()
        configuration.set_main_option("script_location", str(paths.MIGRATIONS))
        if self.file:
            # Personal data lies in it: readable by its owner only, and so are the files that SQLite puts beside it.
            self.file.touch(mode=0o600)
        with _telling(), self._writer.connect() as connection:
            configuration.attributes["connection"] = connection
            command.upgrade(configuration, "head")

    def must_be_private(self) -> None:
        """Raises PermissionError when others can read the file. Who may log in to a server is the server's matter."""
        if self.file and self.file.stat().st_mode & 0o077:
            raise PermissionError(f"{self.file}: others can read the database; run `chmod 600 {self.file}`")

    def close(self) -> None:
        self.engine.dispose()


@cache
def _newest() -> str:
    """The version of the schema that this program works with: the number of the last migration."""
    return max(path.name.partition("_")[0] for path in (paths.MIGRATIONS / "versions").glob("[0-9]*_*.py"))


# --- what goes wrong


@contextmanager
def _telling() -> Iterator[None]:
    """What an operator can mend, or passes by itself, is Busy (503) instead of a failure of ours."""
    try:
        yield
    except DBAPIError as error:
        raise _of_the_moment(error) or error from error


_SQLITE_SAYS = {
    "database is locked": "database-busy",
    "disk is full": "database-full",
    "disk I/O error": "database-full",
    "readonly database": "database-full",
    "unable to open": "database-full",
}
# By SQLSTATE (PostgreSQL, appendix A), or by its class: the first two characters.
_POSTGRESQL_SAYS = {
    "55P03": "database-busy",  # the lock was not to be had in time
    "40": "database-busy",  # a deadlock, or somebody else wrote the same
    "53100": "database-full",
    "58": "database-full",  # an error of the file system
    "25006": "database-full",  # read-only: a standby, or by the operator's word
    "53": "database-away",  # out of connections or memory
    "57": "database-away",  # it is being stopped or started
    "08": "database-away",
    "": "database-away",  # the connection could not be made, or broke
}


def _of_the_moment(error: DBAPIError) -> Busy | None:
    if not isinstance(error, DatabaseError):
        return None
    state: str | None = getattr(error.orig, "sqlstate", "no SQLSTATE at all")
    if state == "no SQLSTATE at all":
        keys = [key for words, key in _SQLITE_SAYS.items() if words in str(error.orig)]
    elif state is None and not isinstance(error, OperationalError):
        keys = []  # a value that the driver did not take
    else:
        keys = [_POSTGRESQL_SAYS[s] for s in (state or "", (state or "")[:2]) if s in _POSTGRESQL_SAYS]
    return Busy(keys[0]) if keys else None


def added(db: Connection, table: Table, values: dict[str, Any]) -> int:
    """Inserts a row and gives the number it got."""
    key = db.execute(insert(table).values(values)).inserted_primary_key
    assert key is not None
    return int(key[0])


@contextmanager
def together(db: Connection) -> Iterator[None]:
    """For statements from which nothing is read. PostgreSQL gets them in one piece, so that each does not cost a way
    there and back, and says when the block ends what went wrong; SQLite, in this process, gets one after the other."""
    if db.dialect.name != "postgresql":
        yield
        return
    import psycopg

    connection: Any = db.connection.driver_connection
    try:
        with connection.pipeline():
            yield
    except psycopg.Error as error:
        _quote_no_rows(error)
        raise DBAPIError.instance(None, None, error, psycopg.Error, hide_parameters=True, dialect=db.dialect) from error


# --- the two databases

_READING: dict[str, dict[str, Any]] = {"sqlite": {}, "postgresql": {"isolation_level": "REPEATABLE READ"}}
_GLANCING: dict[str, dict[str, Any]] = {"sqlite": {"begin": ""}, "postgresql": {"isolation_level": "AUTOCOMMIT"}}
_WRITING = {"sqlite": "BEGIN IMMEDIATE", "postgresql": f"SELECT pg_advisory_xact_lock({_WRITERS})"}


def _sqlite(url: str) -> Engine:
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS}, hide_parameters=True)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", lambda connection: _begin(connection, "BEGIN"))
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver must not begin transactions of its own
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _postgresql(url: str) -> Engine:
    """Connections that the server closed meanwhile (a restart, say) are replaced when they are taken from the pool."""
    if find_spec("psycopg") is None:
        raise ConfigurationError(["database.url: PostgreSQL needs its driver; install the package with [postgres]"])
    settings = {"timezone": "UTC", "synchronous_commit": "on", "lock_timeout": f"{BUSY_SECONDS * 1000:.0f}ms"}
    options = " ".join(f"-c {name}={value}" for name, value in settings.items())
    arguments = {"options": options, "connect_timeout": CONNECT_SECONDS, "application_name": "scheduler"}
    address = make_url(url).set(drivername="postgresql+psycopg")
    engine = create_engine(address, connect_args=arguments, hide_parameters=True, use_native_hstore=False)
    event.listen(engine, "begin", lambda connection: _begin(connection, ""))
    event.listen(engine, "connect", _prepare_postgresql)
    event.listen(engine, "checkout", lambda connection, *_: _must_be_there(engine, connection))
    event.listen(engine, "handle_error", _without_values)
    return engine


def _prepare_postgresql(connection: Any, _record: Any) -> None:
    """PostgreSQL holds every character but NUL, which stands as U+FFFD in it, whoever sent it: mail, or an address."""
    from psycopg.types.string import StrDumper

    class Words(StrDumper):
        def dump(self, text: str) -> Any:
            return super().dump(text.replace("\0", "\ufffd"))

    connection.adapters.register_dumper(str, Words)


def _must_be_there(engine: Engine, connection: Any) -> None:
    """A server that ended said so, or closed the line; to a client that rests it says hardly anything else. Asking it
    each time, as `pool_pre_ping` does, costs as much as many a statement."""
    import psycopg

    heard = select.poll()
    try:
        heard.register(connection.fileno(), select.POLLIN)
        if heard.poll(0):
            engine.dialect.do_ping(connection)
    except psycopg.Error as error:
        raise InvalidatePoolError from error


def _without_values(context: Any) -> None:
    for error in (context.original_exception, context.sqlalchemy_exception):
        if error is not None:
            _quote_no_rows(error)


def _quote_no_rows(error: BaseException) -> None:
    """Of what the server says only the first line: its DETAIL quotes whole rows, and errors are logged."""
    if error.args:
        error.args = (str(error.args[0]).partition("\n")[0], *error.args[1:])


def _begin(connection: Connection, otherwise: str) -> None:
    statement = connection.get_execution_options().get("begin", otherwise)
    if statement == _WRITING["sqlite"]:
        _begin_writing(connection, statement)
    elif statement:
        connection.exec_driver_sql(statement)


def _begin_writing(connection: Connection, statement: str) -> None:
    """SQLite asks for a lock after ever longer pauses, up to a tenth of a second, in which other processes go first, so
    that some wait fifty times as long as the lock is ever held. Here each asks every other millisecond."""
    end = time.monotonic() + BUSY_SECONDS
    _be_patient(connection, _TRY_SECONDS)
    try:
        while True:
            try:
                connection.exec_driver_sql(statement)
                return
            except OperationalError as error:
                if "database is locked" not in str(error.orig) or time.monotonic() > end:
                    raise
    finally:
        _be_patient(connection, BUSY_SECONDS)


def _be_patient(connection: Connection, seconds: float) -> None:
    connection.connection.cursor().execute(f"PRAGMA busy_timeout = {seconds * 1000:.0f}").close()
