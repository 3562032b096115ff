"""An installation as commands find it: its desk, opened, or made ready first."""

from __future__ import annotations

import argparse

from scheduler import config, entries, tokens
from scheduler.config import Settings
from scheduler.db.engine import Store
from scheduler.desk import Desk


def open_desk(given: argparse.Namespace) -> Desk:
    return Desk.open(config.load(given.config))


def prepare(settings: Settings) -> Desk:
    """The desk of an installation that may not exist yet: key and database are made or upgraded first."""
    tokens.make_key(settings.server.secret_key_file)
    if settings.database.file:
        settings.database.file.parent.mkdir(parents=True, exist_ok=True)
    store = Store(settings.database.url)
    try:
        store.upgrade()
    finally:
        store.close()
    desk = Desk.open(settings)
    while entries.complete(desk, limit=500):
        pass
    return desk
