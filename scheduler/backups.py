"""Copies of the database for the operator: `backup` makes one (`db.copying`), `restore` brings it back (`db.backup`).

The secret key is no part of a copy. Personal links and reply addresses are derived from it, so a copy is restored only
beside the key with which it was made, be it the first one of the file or an older one: else the links in mails that
people have would be dead.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from scheduler import tokens
from scheduler.config import Settings
from scheduler.db import backup as copies
from scheduler.db import copying, meetings
from scheduler.db.backup import Restored
from scheduler.db.copying import Unusable
from scheduler.db.engine import Connection, Store
from scheduler.desk import utc_now

__all__ = ["Unusable"]


@dataclass(frozen=True, slots=True)
class Report:
    """What was restored, and the copy (if any) of what was there before. The rest as in `Restored`."""

    meetings: int
    held: int
    changed: tuple[int, ...]
    unknown: tuple[int, ...]
    kept: Path | None


def backup(settings: Settings, file: Path) -> None:
    """Writes a copy of the database in use to `file`. Raises OSError, Unusable."""
    database = settings.database.file
    if database and not database.is_file():
        raise FileNotFoundError(f"{database} does not exist; `scheduler init` makes it")
    store = Store(settings.database.url)
    try:
        copying.copy(store, file)
    finally:
        store.close()


def restore(settings: Settings, file: Path, now: datetime | None = None) -> Report:
    """Brings back what the copy in `file` holds. Raises OSError, WeakKey, Unusable."""
    now = now or utc_now()
    if not file.is_file():
        raise FileNotFoundError(f"{file} does not exist")
    database = settings.database.file
    if database and database.exists() and database.samefile(file):
        raise Unusable(f"{file} is the database in use, not a copy of it")
    keys = tokens.read_keys(settings.server.secret_key_file)
    keep = file.with_name(f"{file.name}.before-{now:%Y%m%dT%H%M%SZ}")
    store = Store(settings.database.url)
    try:
        _make_ready(store)
        restored = copies.restore(store, file, keep, lambda db: _must_fit(db, keys, file), now)
    finally:
        store.close()
    return _report(restored, keep)


def _report(restored: Restored, keep: Path) -> Report:
    kept = keep if keep.exists() else None
    return Report(restored.meetings, restored.held, restored.changed, restored.unknown, kept)


def _make_ready(store: Store) -> None:
    """The database that shall take the content, made or upgraded."""
    if store.file:
        store.file.parent.mkdir(parents=True, exist_ok=True)
    if not copies.can_take(store):
        raise Unusable(
            f"{store.place} is damaged or of a newer version; stop web and worker, move it away, restore again"
        )


def _must_fit(db: Connection, keys: tuple[bytes, ...], file: Path) -> None:
    """Refuses a copy whose personal links another key made."""
    found = meetings.newest_invitation(db)
    if found is None:
        return
    invitation, link_hash = found
    if tokens.key_of_link(keys, invitation, link_hash) is None:
        raise Unusable(f"{file} was made with another secret key; put that key back first")
