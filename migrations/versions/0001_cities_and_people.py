"""Cities, fields, partnerships and people."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "cities",
        sa.Column("slug", sa.String(64), nullable=False),
        sa.Column("name", sa.JSON(), nullable=False),
        sa.Column("zone", sa.String(64), nullable=False),
        sa.Column("country", sa.String(2), nullable=False),
        sa.Column("language", sa.String(2), nullable=False),
        sa.Column("hours", sa.JSON(), nullable=False),
        sa.Column("profile", sa.JSON(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("slug", name="pk_cities"),
    )
    op.create_table(
        "closures",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("city", sa.String(64), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("name", sa.JSON(), nullable=False),
        sa.Column("start", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_closures"),
        sa.ForeignKeyConstraint(["city"], ["cities.slug"], name="fk_closures_city"),
        sa.UniqueConstraint("city", "day", name="uq_closures_city_day"),
    )
    op.create_table(
        "rooms",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("city", sa.String(64), nullable=False),
        sa.Column("code", sa.String(64), nullable=False),
        sa.Column("name", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_rooms"),
        sa.ForeignKeyConstraint(["city"], ["cities.slug"], name="fk_rooms_city"),
        sa.UniqueConstraint("code", name="uq_rooms_code"),
    )
    op.create_table(
        "fields",
        sa.Column("code", sa.String(64), nullable=False),
        sa.Column("name", sa.JSON(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("code", name="pk_fields"),
    )
    op.create_table(
        "topics",
        sa.Column("field", sa.String(64), nullable=False),
        sa.Column("code", sa.String(64), nullable=False),
        sa.Column("name", sa.JSON(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("field", "code", name="pk_topics"),
        sa.ForeignKeyConstraint(["field"], ["fields.code"], name="fk_topics_field"),
    )
    op.create_table(
        "objectives",
        sa.Column("code", sa.String(64), nullable=False),
        sa.Column("city", sa.String(64), nullable=False),
        sa.Column("name", sa.JSON(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("code", name="pk_objectives"),
        sa.ForeignKeyConstraint(["city"], ["cities.slug"], name="fk_objectives_city"),
    )
    op.create_table(
        "partnerships",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("city_a", sa.String(64), nullable=False),
        sa.Column("city_b", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("since", sa.String(10), nullable=False),
        sa.Column("until", sa.String(10), nullable=False),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_partnerships"),
        sa.ForeignKeyConstraint(["city_a"], ["cities.slug"], name="fk_partnerships_city_a"),
        sa.ForeignKeyConstraint(["city_b"], ["cities.slug"], name="fk_partnerships_city_b"),
        sa.UniqueConstraint("city_a", "city_b", "kind", name="uq_partnerships_city_a_city_b_kind"),
    )
    op.create_table(
        "people",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("email_key", sa.Text(), nullable=False),
        sa.Column("city", sa.String(64), nullable=False),
        sa.Column("language", sa.String(2), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_people"),
        sa.ForeignKeyConstraint(["city"], ["cities.slug"], name="fk_people_city"),
        sa.UniqueConstraint("email_key", name="uq_people_email_key"),
    )
