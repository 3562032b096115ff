"""Passwords with their second factor, and what a session is known by to its owner."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("sign_in_links", sa.Column("email_key", sa.Text(), nullable=False, server_default=""))
    op.add_column("web_sessions", sa.Column("label", sa.String(64), nullable=False, server_default=""))
    op.add_column("web_sessions", sa.Column("proved_at", sa.DateTime(timezone=True)))
    op.create_index("ix_web_sessions_person_id", "web_sessions", ["person_id"])
    op.create_table(
        "passwords",
        sa.Column("person_id", NUMBER, nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("seed", sa.LargeBinary(), nullable=False),
        sa.Column("secret_hash", sa.String(64), nullable=False),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("person_id", name="pk_passwords"),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_passwords_person_id"),
    )
    op.create_table(
        "recovery_codes",
        sa.Column("person_id", NUMBER, nullable=False),
        sa.Column("code_hash", sa.String(64), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("person_id", "code_hash", name="pk_recovery_codes"),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_recovery_codes_person_id"),
    )
    op.create_table(
        "enrolments",
        sa.Column("session_hash", sa.String(64), nullable=False),
        sa.Column("person_id", NUMBER, nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("seed", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("session_hash", name="pk_enrolments"),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_enrolments_person_id"),
    )
    op.create_table(
        "half_sign_ins",
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("person_id", NUMBER, nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name="pk_half_sign_ins"),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_half_sign_ins_person_id"),
    )
    op.create_table(
        "delays",
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("open_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_delays"),
    )
    op.create_index("ix_delays_until", "delays", ["until"])
