"""Of which change of law the coordinators have had word, and what was known of meetings from before it was kept."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, select, update

from scheduler.db import tables as t

_m = t.meetings.c


def fill_known(db: Connection, known: Mapping[int, str]) -> None:
    for meeting_id, facts in known.items():
        db.execute(update(t.meetings).where(_m.id == meeting_id, _m.known == "").values(known=facts))


def marks(db: Connection) -> dict[int, str]:
    """The mark of what was told, by meeting."""
    found = db.execute(select(_m.id, _m.law_notice).where(t.NOTICED))
    return {row.id: row.law_notice for row in found}


def mark(db: Connection, meeting_id: int) -> str:
    return db.scalar(select(_m.law_notice).where(_m.id == meeting_id)) or ""


def count(db: Connection, host: str | None, now: datetime) -> int:
    """Meetings to come, of this host or of all, about which there was word and no decision yet."""
    # There was word of hardly any; asked for those to come too, SQLite would rather go through all of these.
    noticed = select(_m.starts, _m.status).where(t.NOTICED)
    found = db.execute(noticed if host is None else noticed.where(_m.host == host))
    return sum(m.starts > now and m.status == "confirmed" for m in found)


def note(db: Connection, new: Mapping[int, str], told: Mapping[int, str]) -> bool:
    """Notes the marks of what is told by now; False, and nothing noted, when one is no longer as `told` has it."""
    query = select(_m.id, _m.law_notice).where(_m.id.in_(new))
    if {row.id: row.law_notice for row in db.execute(query)} != dict(told):
        return False
    for meeting_id, mark in new.items():
        db.execute(update(t.meetings).where(_m.id == meeting_id).values(law_notice=mark))
    return True
