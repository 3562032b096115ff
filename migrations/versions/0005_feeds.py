"""Calendar feeds: their secret addresses, meetings as calendar entries, and the state of each city's calendar."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("cities", sa.Column("calendar_stamp", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_table(
        "calendar_entries",
        sa.Column("meeting_id", sa.BigInteger(), nullable=False),
        sa.Column("language", sa.String(2), nullable=False),
        sa.Column("zone", sa.String(64), nullable=False),
        sa.Column("made_by", sa.String(16), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("meeting_id", "language", name="pk_calendar_entries"),
        sa.ForeignKeyConstraint(["meeting_id"], ["meetings.id"], name="fk_calendar_entries_meeting_id"),
    )
    op.create_table(
        "feeds",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("city", sa.String(64), nullable=False),
        sa.Column("language", sa.String(2), nullable=False),
        sa.Column("owner_id", NUMBER, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_feeds"),
        sa.ForeignKeyConstraint(["city"], ["cities.slug"], name="fk_feeds_city"),
        sa.ForeignKeyConstraint(["owner_id"], ["people.id"], name="fk_feeds_owner_id"),
        sa.UniqueConstraint("token_hash", name="uq_feeds_token_hash"),
    )
    op.create_index("ix_feeds_city", "feeds", ["city"])
