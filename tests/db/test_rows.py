"""Rows that are inserted by the driver: the same values as by SQLAlchemy, as many as there are, in their order."""

from __future__ import annotations

from sqlalchemy import insert

from scheduler.core.meeting import Invitee
from scheduler.db import rows
from scheduler.db import tables as t
from tests import databases
from tests.house import House


def test_what_is_inserted_is_what_sqlalchemy_would_insert(house: House) -> None:
    """Instants, texts by language, NULL, numbers and bytes."""
    house.book()
    before = databases.contents(house.desk.store)
    tables = [t.meetings, t.participations, t.invitations, t.outbox, t.calendar_entries]
    raw = databases.fingerprint(house.desk.store)
    for add in (rows.add, lambda db, table, found: db.execute(insert(table), found)):
        with house.desk.store.write() as db:
            for table in reversed(tables):
                db.execute(table.delete())
            for table in tables:
                add(db, table, before[table.name])
        assert databases.fingerprint(house.desk.store) == raw


def test_more_rows_than_go_at_once_come_in_their_order(house: House) -> None:
    people = tuple(
        Invitee(f"Desk {n}", f"desk{n}@eregli.example", "eregli", "tr") for n in range(2 * rows._AT_ONCE - 5)
    )
    meeting = house.book(people=people)
    emails = [person.email for person in people]
    assert [i.invitee.email for i in house.meeting(meeting.id).people] == emails
    assert [row.recipient for row in house.outbox() if row.recipient_key] == emails


def test_no_rows_are_no_statement(house: House) -> None:
    with house.desk.store.write() as db:
        rows.add(db, t.outbox, [])
    assert house.outbox() == []
