"""Meetings, invitations, answers, and the guard of rooms."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "meetings",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("title", sa.JSON(), nullable=False),
        sa.Column("agenda", sa.JSON(), nullable=False),
        sa.Column("field", sa.String(64), nullable=False),
        sa.Column("topic", sa.String(64), nullable=False),
        sa.Column("objective", sa.String(64), nullable=False),
        sa.Column("host", sa.String(64), nullable=False),
        sa.Column("zone", sa.String(64), nullable=False),
        sa.Column("wall", sa.DateTime(), nullable=False),
        sa.Column("starts", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends", sa.DateTime(timezone=True), nullable=False),
        sa.Column("duration_minutes", sa.Integer(), nullable=False),
        sa.Column("tz_version", sa.String(16), nullable=False),
        sa.Column("video_url", sa.Text(), nullable=False),
        sa.Column("room", sa.String(64), nullable=False),
        sa.Column("confidential", sa.Boolean(), nullable=False),
        sa.Column("owner_id", NUMBER, nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cancelled_at", sa.DateTime(timezone=True)),
        sa.Column("cancel_reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_meetings"),
        sa.ForeignKeyConstraint(["field"], ["fields.code"], name="fk_meetings_field"),
        sa.ForeignKeyConstraint(["host"], ["cities.slug"], name="fk_meetings_host"),
        sa.ForeignKeyConstraint(["owner_id"], ["people.id"], name="fk_meetings_owner_id"),
        sa.UniqueConstraint("uid", name="uq_meetings_uid"),
        sa.CheckConstraint("starts < ends", name="ck_meetings_interval"),
    )
    op.create_index("ix_meetings_ends", "meetings", ["ends"])
    op.create_index("ix_meetings_starts_id", "meetings", ["starts", "id"])
    op.create_table(
        "participations",
        sa.Column("meeting_id", sa.BigInteger(), nullable=False),
        sa.Column("city", sa.String(64), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("meeting_id", "city", name="pk_participations"),
        sa.ForeignKeyConstraint(["meeting_id"], ["meetings.id"], name="fk_participations_meeting_id"),
        sa.ForeignKeyConstraint(["city"], ["cities.slug"], name="fk_participations_city"),
    )
    op.create_index("ix_participations_city_meeting_id", "participations", ["city", "meeting_id"])
    op.create_table(
        "bookings",
        sa.Column("meeting_id", sa.BigInteger(), nullable=False),
        sa.Column("room_id", NUMBER, nullable=False),
        sa.Column("starts", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("meeting_id", name="pk_bookings"),
        sa.ForeignKeyConstraint(["meeting_id"], ["meetings.id"], name="fk_bookings_meeting_id"),
        sa.ForeignKeyConstraint(["room_id"], ["rooms.id"], name="fk_bookings_room_id"),
        sa.CheckConstraint("starts < ends", name="ck_bookings_interval"),
    )
    op.create_index("ix_bookings_room_id_starts", "bookings", ["room_id", "starts"])
    op.create_table(
        "invitations",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("meeting_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("email_key", sa.Text(), nullable=False),
        sa.Column("city", sa.String(64), nullable=False),
        sa.Column("language", sa.String(2), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("seed", sa.LargeBinary(), nullable=False),
        sa.Column("reply_hash", sa.String(64), nullable=False),
        sa.Column("link_hash", sa.String(64), nullable=False),
        sa.Column("lead", sa.Integer(), nullable=False),
        sa.Column("reset_sequence", sa.Integer(), nullable=False),
        sa.Column("last_dtstamp", sa.DateTime(timezone=True)),
        sa.Column("removed_at", sa.DateTime(timezone=True)),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True)),
        sa.Column("channel", sa.String(16), nullable=False),
        sa.Column("answered_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_invitations"),
        sa.ForeignKeyConstraint(["meeting_id"], ["meetings.id"], name="fk_invitations_meeting_id"),
        sa.ForeignKeyConstraint(["city"], ["cities.slug"], name="fk_invitations_city"),
        sa.UniqueConstraint("link_hash", name="uq_invitations_link_hash"),
        sa.UniqueConstraint("meeting_id", "email_key", name="uq_invitations_meeting_id_email_key"),
        sa.UniqueConstraint("reply_hash", name="uq_invitations_reply_hash"),
    )
    op.create_table(
        "aliases",
        sa.Column("invitation_id", sa.String(32), nullable=False),
        sa.Column("email_key", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("invitation_id", "email_key", name="pk_aliases"),
        sa.ForeignKeyConstraint(["invitation_id"], ["invitations.id"], name="fk_aliases_invitation_id"),
    )
    op.create_table(
        "answers",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("invitation_id", sa.String(32), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("dtstamp", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("channel", sa.String(16), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("outcome", sa.String(32), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_answers"),
        sa.ForeignKeyConstraint(["invitation_id"], ["invitations.id"], name="fk_answers_invitation_id"),
        sa.UniqueConstraint("invitation_id", "digest", name="uq_answers_invitation_id_digest"),
    )
    _guard_rooms()


# Half-open intervals: [a, b) and [b, c) are neighbours, not rivals. Both databases name the breach `room-taken`.
_SQLITE_GUARD = """
CREATE TRIGGER bookings_{verb} BEFORE {verb} ON bookings
WHEN EXISTS (
    SELECT 1 FROM bookings
    WHERE room_id = NEW.room_id AND meeting_id <> NEW.meeting_id AND starts < NEW.ends AND ends > NEW.starts
)
BEGIN SELECT RAISE(ABORT, 'room-taken'); END
"""
# The range of one number stands for equality, which GiST indexes only with an extension (btree_gist).
_POSTGRESQL_GUARD = """
ALTER TABLE bookings ADD CONSTRAINT "room-taken"
EXCLUDE USING gist (int8range(room_id, room_id, '[]') WITH &&, tstzrange(starts, ends, '[)') WITH &&)
"""


def _guard_rooms() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(_POSTGRESQL_GUARD)
        return
    for verb in ("INSERT", "UPDATE"):
        op.execute(_SQLITE_GUARD.format(verb=verb))
