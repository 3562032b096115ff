"""What hundreds of installations in one process of tests can share: it is made anew for each, and always the same."""

from __future__ import annotations

import select
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any
from weakref import WeakSet

import psycopg
from psycopg.pq import TransactionStatus
from sqlalchemy import Engine, event, make_url
from werkzeug.routing import Rule

from scheduler.db import engine
from scheduler.mail import compose


@contextmanager
def once() -> Iterator[None]:
    """Routes and SQL are compiled once, the mail library is proved once, and connections to PostgreSQL rest."""
    with _routes(), _statements(), _proofs():
        yield


@contextmanager
def _routes() -> Iterator[None]:
    """What writes the address of a route is compiled for each application."""
    given, made = Rule._compile_builder, dict[Any, Any]()

    def compiled(rule: Rule, append_unknown: bool = True) -> Any:
        key = (rule.rule, repr(rule.defaults), tuple(rule._trace), append_unknown)
        if key not in made:
            made[key] = given(rule, append_unknown)
        return made[key]

    Rule._compile_builder = compiled  # type: ignore[method-assign]
    yield
    Rule._compile_builder = given  # type: ignore[method-assign]


@contextmanager
def _statements() -> Iterator[None]:
    """SQL is compiled for each database. The dialect is part of what it is known by."""
    given, first = engine.create_engine, dict[str, Engine]()

    def sharing(*args: Any, **named: Any) -> Engine:
        made = given(*args, **named)
        if made.dialect.name == "postgresql" and engine.BUSY_SECONDS == _PATIENCE:
            _lends_connections(made)
        other = first.setdefault(made.dialect.name, made)
        if getattr(other.dialect, "server_version_info", None) is None:  # it never found its database
            first[made.dialect.name] = made
        else:
            made.dialect.initialize = lambda connection: None  # type: ignore[method-assign]
            made.dialect, made._compiled_cache = other.dialect, other._compiled_cache
        return made

    engine.create_engine = sharing
    yield
    engine.create_engine = given


@contextmanager
def _proofs() -> Iterator[None]:
    """Each application and each worker proves its mail library before it begins."""
    given = compose.self_test
    compose.self_test = cache(given)
    yield
    compose.self_test = given


# --- connections to PostgreSQL

# A server's process that begins knows nothing of the tables, and takes longer to learn it than most tests take: those
# that are closed in order are kept for the next one who comes to the same database, if it is one that is used again.
_KEPT = 4
_PATIENCE = engine.BUSY_SECONDS  # a setting of each session: whoever has another one neither lends nor takes
_resting: dict[tuple[str, str], list[psycopg.Connection]] = {}  # by the places of those databases
_lenders = WeakSet[Engine]()
_lock = threading.RLock()  # a forgotten store is closed whenever the garbage is collected, here too


def keep_connections(url: str) -> None:
    """Connections to this database may rest between those who use it."""
    address = make_url(url)
    with _lock:
        _resting.setdefault(_place({**address.query, "dbname": address.database}), [])


def _lends_connections(made: Engine) -> None:
    event.listen(made, "do_connect", lambda _dialect, _record, _places, named: _taken(_place(named)))
    made.pool._dialect.do_close = _put_back  # type: ignore[method-assign]
    _lenders.add(made)


def _place(named: Mapping[str, Any]) -> tuple[str, str]:
    return str(named.get("host")), str(named.get("dbname"))


def _taken(place: tuple[str, str]) -> psycopg.Connection | None:
    with _lock:
        waiting = _resting.get(place, [])
        while waiting:
            connection = waiting.pop()
            if _is_well(connection):
                return connection
            connection.close()
    return None  # then a new one is made


def _put_back(connection: Any) -> None:
    with _lock:
        waiting = None if connection.closed else _resting.get((connection.info.host, connection.info.dbname))
        if waiting is not None and len(waiting) < _KEPT and _is_well(connection):
            connection.autocommit, connection.isolation_level = False, None  # also of one that was thrown away
            waiting.append(connection)
            return
    connection.close()


def _is_well(connection: psycopg.Connection) -> bool:
    """It is open, between two transactions, and the server has said nothing, as it does before it ends."""
    if connection.closed or connection.info.transaction_status != TransactionStatus.IDLE:
        return False
    heard = select.poll()
    heard.register(connection.fileno(), select.POLLIN)
    return not heard.poll(0)


def rested(database: str) -> list[int]:
    """Puts back what nobody uses of this database, also where a test forgot to close it; gives the server's processes
    behind all connections that wait for the next one who comes."""
    for lender in [lender for lender in _lenders if lender.url.database == database]:
        lender.dispose()
    with _lock:
        return [c.info.backend_pid for (_, name), found in _resting.items() if name == database for c in found]


def end_resting(database: str = "") -> None:
    """Of all databases, unless one is named."""
    with _lock:
        for place in [place for place in _resting if database in ("", place[1])]:
            while _resting[place]:
                _resting[place].pop().close()
