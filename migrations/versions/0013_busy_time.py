"""Calendars that people and cities publish or hand over, and the times at which these say they are busy."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "calendars",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("city", sa.String(64), nullable=False),
        sa.Column("person_id", NUMBER),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("etag", sa.Text(), nullable=False),
        sa.Column("last_modified", sa.Text(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("checked_at", INSTANT),
        sa.Column("fetched_at", INSTANT),
        sa.Column("known_until", INSTANT),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("error", sa.String(32), nullable=False),
        sa.Column("next_fetch_at", INSTANT),
        sa.Column("lease", sa.String(32), nullable=False),
        sa.Column("lease_until", INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_calendars"),
        sa.ForeignKeyConstraint(["city"], ["cities.slug"], name="fk_calendars_city"),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_calendars_person_id"),
    )
    for columns in (["city"], ["person_id"], ["next_fetch_at"], ["host", "checked_at"]):
        op.create_index(f"ix_calendars_{'_'.join(columns)}", "calendars", columns)
    op.create_table(
        "busy_times",
        sa.Column("calendar_id", NUMBER, nullable=False),
        sa.Column("starts", INSTANT, nullable=False),
        sa.Column("ends", INSTANT, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.PrimaryKeyConstraint("calendar_id", "starts", name="pk_busy_times"),
        sa.ForeignKeyConstraint(["calendar_id"], ["calendars.id"], name="fk_busy_times_calendar_id"),
        sa.CheckConstraint("starts < ends", name="ck_busy_times_interval"),
    )
