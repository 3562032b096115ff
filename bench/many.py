"""Many meetings at once, written by SQL: what an installation holds after years, without booking each.

Half of them are over and half lie ahead, of different cities and fields, each with four invitations whose mail has
left. What they hold is a function of their number.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import func, select, text

from scheduler.db import tables as t
from scheduler.desk import Desk

FIRST = 1_000_000_000  # the number of the first meeting

_NUMBERS = "WITH RECURSIVE n(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < :last)"
# A meeting every 200 minutes, so that 100,000 of them last for 38 years.
_MINUTES = "(n - :last / 2) * 200 + 100"
_TITLE = """'{"en": "Urban regeneration ' || n || '", "ko": "도시재생 화상회의 ' || n || '"}'"""
_AGENDA = """'{"und": "1. Figures"}'"""

# How each database writes an instant, a wall time and JSON. `starts` is the column of the meeting's start.
_FORMS = {
    "sqlite": {
        "starts": f"datetime(:now, ({_MINUTES}) || ' minutes') || '.000000'",
        "ends": "datetime(starts, '1 hour') || '.000000'",
        "wall": "datetime(starts, '9 hours') || '.000000'",
        "now": ":now || '.000000'",
        "title": _TITLE,
        "agenda": _AGENDA,
    },
    "postgresql": {
        "starts": f"CAST(:now AS timestamptz) + ({_MINUTES}) * interval '1 minute'",
        "ends": "starts + interval '1 hour'",
        "wall": "starts AT TIME ZONE 'Asia/Seoul'",
        "now": "CAST(:now AS timestamptz)",
        "title": f"CAST({_TITLE} AS json)",
        "agenda": f"CAST({_AGENDA} AS json)",
    },
}
_STATEMENTS = (
    """
    INSERT INTO meetings (id, uid, status, title, agenda, field, topic, objective, host, zone, wall, starts, ends,
        duration_minutes, tz_version, video_url, room, confidential, owner_id, sequence, version, created_at,
        changed_at, cancelled_at, cancel_reason)
    {numbers}, m AS (SELECT n, {starts} AS starts FROM n)
    SELECT :first + n, n || '@gwangjin.example', CASE WHEN n % 20 = 7 THEN 'cancelled' ELSE 'confirmed' END,
        {title}, {agenda}, CASE WHEN n % 3 = 0 THEN 'economy' ELSE 'environment' END, '', '',
        CASE WHEN n % 4 = 0 THEN 'eregli' ELSE 'gwangjin' END, 'Asia/Seoul', {wall}, starts, {ends},
        60, '2026a', 'https://video.example/' || n, '', FALSE, :owner, 0, 1, {now}, {now},
        CASE WHEN n % 20 = 7 THEN {now} END, '' FROM m
    """,
    """
    INSERT INTO participations (meeting_id, city, position)
    {numbers} SELECT :first + n, slug, place FROM n, (
        SELECT 'gwangjin' AS slug, 0 AS place UNION ALL SELECT 'eregli', 1 UNION ALL SELECT 'ulaanbaatar', 2) AS cities
    WHERE slug <> 'ulaanbaatar' OR n % 2 = 1
    """,
    """
    INSERT INTO invitations (id, meeting_id, position, name, email, email_key, city, language, role, seed, reply_hash,
        link_hash, lead, reset_sequence, last_dtstamp, removed_at, status, comment, answered_at, channel, answered_by)
    {numbers} SELECT n || '-' || place, :first + n, place, 'Desk ' || place, 'desk' || place || '@city.example',
        'desk' || place || '@city.example', CASE WHEN place % 2 = 1 THEN 'gwangjin' ELSE 'eregli' END,
        CASE WHEN place % 2 = 1 THEN 'ko' ELSE 'tr' END, CASE WHEN place = 0 THEN 'chair' ELSE 'required' END,
        :seed, n || 'r' || place, n || 'l' || place, 0, 0, {now}, NULL,
        CASE WHEN n % 5 = 0 THEN 'waiting' ELSE 'accepted' END, '', NULL, '', ''
    FROM n, (SELECT 0 AS place UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3) AS places
    """,
    """
    INSERT INTO outbox (kind, meeting_id, invitation_id, recipient, envelope_from, message_id, sequence, dtstamp,
        content, sha256, state, told, attempts, perhaps_left, next_attempt_at, lease, lease_until, answer, created_at,
        finished_at)
    SELECT 'invitation', meeting_id, id, email, 'meetings@gwangjin.example', '<' || id || '@gwangjin.example>', 0,
        last_dtstamp, :content, 'x', CASE WHEN meeting_id % 50 = 0 THEN 'refused' ELSE 'handed-over' END, NULL, 1,
        FALSE, last_dtstamp, '', NULL, '250', last_dtstamp, last_dtstamp FROM invitations
    """,
)


def fill(desk: Desk, count: int) -> None:
    """Raises the number of meetings in an empty database to `count`."""
    given = {"last": count - 1, "first": FIRST, "now": f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}"}
    given |= {"seed": b"\0", "content": bytes(100)}
    with desk.store.write() as db:
        coordinators = select(t.people.c.id).where(t.people.c.city == "gwangjin", t.people.c.role == "coordinator")
        given["owner"] = db.scalars(coordinators).first()
        forms = _FORMS[db.dialect.name]
        for statement in _STATEMENTS:
            written = text(statement.format(numbers=_NUMBERS, **forms))
            db.execute(written, {name: given[name] for name in written.compile().params})
    with desk.store.write() as db:
        db.exec_driver_sql("ANALYZE")


def middle(desk: Desk) -> int:
    """A meeting in the middle of them."""
    m = t.meetings.c.id
    with desk.store.read() as db:
        half = (db.scalar(select(func.count()).select_from(t.meetings)) or 0) // 2
        return db.scalars(select(m).order_by(m).offset(half).limit(1)).one()
