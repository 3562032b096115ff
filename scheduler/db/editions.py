"""The random word that the database has for the present state of the directory.

A process keeps what it has read under that word; whoever changes the directory gives it a new one, in the same
transaction. Random, not counted: a transaction that is rolled back must not leave its number to another one.

Beside it stand words of other things of which all processes need to know whether they have changed.
"""

from __future__ import annotations

import secrets

from sqlalchemy import Connection, bindparam, select, text

from scheduler.db import direct
from scheduler.db import tables as t

_DIRECTORY = "directory"
_PUT = text(
    'INSERT INTO editions ("of", edition) VALUES (:of, :edition) '
    'ON CONFLICT ("of") DO UPDATE SET edition = excluded.edition'
)
PRESENT = select(t.editions.c.edition).where(t.editions.c.of == _DIRECTORY).scalar_subquery()  # of the directory
_EDITION = select(t.editions.c.edition).where(t.editions.c.of == bindparam("name"))


def present(db: Connection) -> str:
    return str(of(db, _DIRECTORY))


def of(db: Connection, name: str) -> str | None:
    found: str | None = direct.run(db, _EDITION, {"name": name}).scalar()
    return found


def put(db: Connection, name: str, edition: str) -> None:
    db.execute(_PUT, {"of": name, "edition": edition})


def renew(db: Connection) -> None:
    put(db, _DIRECTORY, secrets.token_hex(16))
