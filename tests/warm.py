"""Imported once, by the server that processes are forked from: loads what they load, and leaves nothing."""

from __future__ import annotations

import gc
import tempfile
from pathlib import Path

import psycopg  # noqa: F401
from alembic import command  # noqa: F401

from scheduler import admin, fetching, refreshing  # noqa: F401
from scheduler.config import Settings
from scheduler.db.engine import Store
from scheduler.desk import Desk
from scheduler.web import create_app
from tests import databases, sparing, town  # noqa: F401
from tests.house import Clock, House

shared = sparing.once()  # held, or it would end here
shared.__enter__()
with tempfile.TemporaryDirectory() as folder:
    store = Store(f"sqlite:///{Path(folder) / 'warm.db'}")
    store.upgrade()
    house = House(Desk(Settings(), store, b"warm", Clock()), Clock())
    admin.load_example(house.desk)
    house.book()
    create_app(desk=house.desk).test_client().get("/sign-in", base_url=Settings().server.base_url)
    assert store.is_current()
    store.close()
gc.collect()
gc.freeze()  # or each process would copy what it only looks through for garbage
