"""What each meeting that was held cost the cities outside their office hours."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "burdens",
        sa.Column("meeting_id", sa.BigInteger(), nullable=False),
        sa.Column("city", sa.String(64), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["meeting_id"], ["meetings.id"], name="fk_burdens_meeting_id_meetings"),
        sa.ForeignKeyConstraint(["city"], ["cities.slug"], name="fk_burdens_city_cities"),
        sa.PrimaryKeyConstraint("meeting_id", "city", name="pk_burdens"),
    )
    op.create_index("ix_burdens_city_minutes_meeting_id", "burdens", ["city", "minutes", "meeting_id"])
