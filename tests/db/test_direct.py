"""What goes straight to the driver is what SQLAlchemy would say: rows, in their number and order, and statements."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import Connection, Table, bindparam, insert, select

from scheduler.core.meeting import Invitee
from scheduler.db import direct
from scheduler.db import tables as t
from tests import databases
from tests.house import House


def _add(db: Connection, table: Table, found: list[dict[str, Any]]) -> None:
    with direct.adding(db) as rows:
        rows.add(table, found)


def test_what_is_inserted_is_what_sqlalchemy_would_insert(house: House) -> None:
    """Instants, texts by language, NULL, numbers and bytes."""
    house.book()
    before = databases.contents(house.desk.store)
    tables = [t.meetings, t.participations, t.invitations, t.outbox, t.calendar_entries]
    raw = databases.fingerprint(house.desk.store)
    for add in (_add, lambda db, table, found: db.execute(insert(table), found)):
        with house.desk.store.write() as db:
            for table in reversed(tables):
                db.execute(table.delete())
            for table in tables:
                add(db, table, before[table.name])
        assert databases.fingerprint(house.desk.store) == raw


def test_more_rows_than_go_at_once_come_in_their_order(house: House) -> None:
    people = tuple(Invitee(f"Desk {n}", f"desk{n}@eregli.example", "eregli", "tr") for n in range(direct._AT_ONCE // 4))
    meeting = house.book(people=people)
    emails = [person.email for person in people]
    assert [i.invitee.email for i in house.meeting(meeting.id).people] == emails
    assert [row.recipient for row in house.outbox() if row.recipient_key] == emails


def test_no_rows_are_no_statement(house: House) -> None:
    with house.desk.store.write() as db:
        _add(db, t.outbox, [])
    assert house.outbox() == []


def test_a_statement_gives_what_sqlalchemy_gives(house: House) -> None:
    """Parameters that come twice, an instant of another zone, values that stand in the statement, and NULL."""
    house.book()
    m = t.meetings.c
    early: Any = bindparam("early", type_=t.Instant())
    statement = select(m.id, m.uid, m.cancelled_at).where(
        m.created_at > early, m.starts > early, m.status != "cancelled"
    )
    statement = statement.where(m.host == bindparam("host"), m.field != bindparam("field"))
    statement = statement.where(m.ends > datetime(2027, 1, 1, tzinfo=timezone(timedelta(hours=9))))
    for hours, host in ((-1, "gwangjin"), (1, "gwangjin"), (-1, "eregli")):
        moment = (house.desk.now() + timedelta(hours=hours)).astimezone(timezone(timedelta(hours=9)))
        values = {"early": moment, "host": host, "field": "economy"}
        with house.desk.store.read() as db:
            found = [tuple(row) for row in direct.run(db, statement, values)]
            assert found == [tuple(row) for row in db.execute(statement, values)]
            assert bool(found) == (hours < 0 and host == "gwangjin")


def test_a_moment_without_its_zone_is_refused(house: House) -> None:
    statement = select(t.meetings.c.id).where(t.meetings.c.starts > bindparam("since"))
    with house.desk.store.read() as db, pytest.raises(ValueError, match="needs its zone"):
        direct.run(db, statement, {"since": datetime(2027, 1, 1)})  # noqa: DTZ001 that is what is tried
