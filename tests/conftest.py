"""Fixtures: a `house` with a fresh copy of a database that holds the example data."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from scheduler import admin, tokens
from scheduler.config import Database, Mail, Server, Settings
from scheduler.db.engine import Store
from scheduler.desk import Desk
from tests import letter_box
from tests.house import Clock, House


@pytest.fixture(scope="session")
def example_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with the example data, made once, to be copied."""
    folder = tmp_path_factory.mktemp("example")
    file = folder / "example.db"
    store = Store(f"sqlite:///{file}")
    store.upgrade()
    admin.load_example(Desk(Settings(), store, b"", Clock()))
    store.close()
    return file


@pytest.fixture
def settings(tmp_path: Path, example_database: Path) -> Settings:
    file = tmp_path / "scheduler.db"
    shutil.copy(example_database, file)
    key = tmp_path / "secret.key"
    tokens.make_key(key)
    return Settings(
        server=Server(secret_key_file=key),
        database=Database(url=f"sqlite:///{file}"),
        mail=Mail(smtp_url=f"mailbox:{tmp_path / 'mail'}", from_address="meet@cities.example", from_name="Cities"),
    )


@pytest.fixture
def house(settings: Settings) -> Iterator[House]:
    clock = Clock()
    store = Store(settings.database.url)
    yield House(Desk(settings, store, tokens.read_key(settings.server.secret_key_file), clock), clock)
    store.close()


@pytest.fixture(scope="session")
def imap_server() -> Iterator[letter_box.Server]:
    """A real IMAP server, one for all tests."""
    with letter_box.started() as server:
        yield server
