"""Many meetings at once, written by SQL: what an installation holds after years, without booking each.

Half of them are over and half lie ahead, of different cities and fields, each with four invitations whose mail has
left. What they hold is a function of their number.
"""

from __future__ import annotations

from datetime import UTC, datetime

from scheduler.db.engine import Connection
from scheduler.desk import Desk

FIRST = 1_000_000_000  # the number of the first meeting

_NUMBERS = "WITH RECURSIVE n(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < :last)"
_STATEMENTS = (
    # A meeting every 200 minutes, so that 100,000 of them last for 38 years.
    """
    INSERT INTO meetings (id, uid, status, title, agenda, field, topic, objective, host, zone, wall, starts, ends,
        duration_minutes, tz_version, video_url, room, confidential, owner_id, sequence, version, created_at,
        changed_at, cancelled_at, cancel_reason)
    {numbers}, m AS (SELECT n, datetime(:now, ((n - :last / 2) * 200 + 100) || ' minutes') AS starts FROM n)
    SELECT :first + n, n || '@gwangjin.example', iif(n % 20 = 7, 'cancelled', 'confirmed'),
        json_object('en', 'Urban regeneration ' || n, 'ko', '도시재생 화상회의 ' || n), '{{"und": "1. Figures"}}',
        iif(n % 3, 'environment', 'economy'), '', '', iif(n % 4, 'gwangjin', 'eregli'), 'Asia/Seoul',
        datetime(starts, '9 hours') || '.000000', starts || '.000000', datetime(starts, '1 hour') || '.000000',
        60, '2026a', 'https://video.example/' || n, '', 0, :owner, 0, 1, :now || '.000000', :now || '.000000',
        iif(n % 20 = 7, :now || '.000000', NULL), '' FROM m
    """,
    """
    INSERT INTO participations (meeting_id, city, position)
    {numbers} SELECT :first + n, slug, place FROM n, (
        SELECT 'gwangjin' AS slug, 0 AS place UNION ALL SELECT 'eregli', 1 UNION ALL SELECT 'ulaanbaatar', 2)
    WHERE slug <> 'ulaanbaatar' OR n % 2
    """,
    """
    INSERT INTO invitations (id, meeting_id, position, name, email, email_key, city, language, role, seed, reply_hash,
        link_hash, lead, reset_sequence, last_dtstamp, removed_at, status, comment, answered_at, channel, answered_by)
    {numbers} SELECT n || '-' || place, :first + n, place, 'Desk ' || place, 'desk' || place || '@city.example',
        'desk' || place || '@city.example', iif(place % 2, 'gwangjin', 'eregli'), iif(place % 2, 'ko', 'tr'),
        iif(place, 'required', 'chair'), x'00', n || 'r' || place, n || 'l' || place, 0, 0, :now || '.000000', NULL,
        iif(n % 5, 'accepted', 'waiting'), '', NULL, '', ''
    FROM n, (SELECT 0 AS place UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3)
    """,
    """
    INSERT INTO outbox (kind, meeting_id, invitation_id, recipient, envelope_from, message_id, sequence, dtstamp,
        content, sha256, state, told, attempts, perhaps_left, next_attempt_at, lease, lease_until, answer, created_at,
        finished_at)
    SELECT 'invitation', meeting_id, id, email, 'meetings@gwangjin.example', '<' || id || '@gwangjin.example>', 0,
        last_dtstamp, zeroblob(100), 'x', iif(meeting_id % 50, 'handed-over', 'refused'), NULL, 1, 0, last_dtstamp, '',
        NULL, '250', last_dtstamp, last_dtstamp FROM invitations
    """,
)


def fill(desk: Desk, count: int) -> None:
    """Raises the number of meetings in an empty database to `count`."""
    values = {"last": count - 1, "first": FIRST, "now": f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}"}
    with desk.store.write() as db:
        values["owner"] = _first(db, "SELECT id FROM people WHERE city = 'gwangjin' AND role = 'coordinator'")
        raw = db.connection.driver_connection
        assert raw is not None
        for statement in _STATEMENTS:
            raw.execute(statement.format(numbers=_NUMBERS), values)
    with desk.store.write() as db:
        db.exec_driver_sql("ANALYZE")


def middle(desk: Desk) -> int:
    """A meeting in the middle of them."""
    with desk.store.read() as db:
        return _first(db, "SELECT id FROM meetings ORDER BY id LIMIT 1 OFFSET (SELECT count(*) / 2 FROM meetings)")


def _first(db: Connection, query: str) -> int:
    return int(db.exec_driver_sql(query).scalar_one())
