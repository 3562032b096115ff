"""The random word that the database has for the present state of the directory.

A process keeps what it has read under that word; whoever changes the directory gives it a new one, in the same
transaction. Random, not counted: a transaction that is rolled back must not leave its number to another one.
"""

from __future__ import annotations

import secrets

from sqlalchemy import Connection, select, update

from scheduler.db import tables as t

_EDITION = select(t.editions.c.edition).where(t.editions.c.of == "directory")


def present(db: Connection) -> str:
    return str(db.scalar(_EDITION))


def renew(db: Connection) -> None:
    db.execute(update(t.editions).where(t.editions.c.of == "directory").values(edition=secrets.token_hex(16)))
