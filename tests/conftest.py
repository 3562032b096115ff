"""Fixtures: a `house` with a database of its own that holds the example data, once on SQLite and once on PostgreSQL."""

from __future__ import annotations

import gc
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from flask import Flask
from jinja2 import FileSystemBytecodeCache

from scheduler import passwords, tokens
from scheduler.config import Database, Mail, Server, Settings
from tests import databases as made_for_tests
from tests import letter_box, postgres, sparing
from tests.databases import Databases
from tests.house import Clock, House, desk_of

# Each test has files of its own, and most of them a database that waits for the disk at every commit.
os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", postgres.memory() or tempfile.gettempdir())


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Whatever touches a database is tested on each, unless it is marked `only_on` one of them."""
    if "database_kind" in metafunc.fixturenames:
        mark = metafunc.definition.get_closest_marker("only_on")
        metafunc.parametrize("database_kind", mark.args if mark else made_for_tests.KINDS, scope="session")


def pytest_collection_finish() -> None:
    """Thousands of tests are there to stay; looking through them for garbage again and again takes its time. What they
    leave is looked through seldom too: most of it goes by itself."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(scope="session")
def all_databases(database_kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    with made_for_tests.of_kind(database_kind, tmp_path_factory.mktemp(database_kind)) as found:
        yield found


@pytest.fixture(scope="module")
def module_databases(all_databases: Databases) -> Iterator[Databases]:
    """Databases that stay for all tests of a file."""
    before = all_databases.there()
    yield all_databases
    all_databases.forget(all_databases.there() - before)


@pytest.fixture
def databases(all_databases: Databases) -> Iterator[Databases]:
    """Databases for one test."""
    before = all_databases.there()
    yield all_databases
    all_databases.forget(all_databases.there() - before)


@pytest.fixture
def settings(tmp_path: Path, databases: Databases) -> Settings:
    key = tmp_path / "secret.key"
    tokens.make_key(key)
    return Settings(
        server=Server(secret_key_file=key),
        database=Database(url=databases.example(tmp_path)),
        mail=Mail(smtp_url=f"mailbox:{tmp_path / 'mail'}", from_address="meet@cities.example", from_name="Cities"),
    )


@pytest.fixture
def house(settings: Settings) -> Iterator[House]:
    clock = Clock()
    desk = desk_of(settings, clock)
    yield House(desk, clock)
    desk.store.close()


@pytest.fixture(scope="session", autouse=True)
def compiled_templates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Hundreds of tests make an application of their own; its templates are compiled once for all of them."""
    given, folder = Flask.jinja_options, str(tmp_path_factory.mktemp("templates"))
    Flask.jinja_options = {**given, "bytecode_cache": FileSystemBytecodeCache(folder)}
    yield
    Flask.jinja_options = given


@pytest.fixture(scope="session", autouse=True)
def made_once() -> Iterator[None]:
    with sparing.once():
        yield


@pytest.fixture(scope="session", autouse=True)
def quick_passwords() -> Iterator[None]:
    """What keeps a guesser busy would keep the tests busy too."""
    quick = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1)
    with hashed_by(quick, quick.hash(b"of nobody")):
        yield


@pytest.fixture
def costly_passwords() -> Iterator[None]:
    """As they are kept in truth."""
    with hashed_by(*PRODUCTS_OWN):
        yield


PRODUCTS_OWN = passwords._hasher, passwords._NOBODYS


@contextmanager
def hashed_by(hasher: PasswordHasher, nobodys: str) -> Iterator[None]:
    given = passwords._hasher, passwords._NOBODYS
    passwords._hasher, passwords._NOBODYS = hasher, nobodys
    yield
    passwords._hasher, passwords._NOBODYS = given


@pytest.fixture(scope="session")
def imap_server() -> Iterator[letter_box.Server]:
    """A real IMAP server, one for all tests."""
    with letter_box.started() as server:
        yield server
