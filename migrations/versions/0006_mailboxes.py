"""Polled mailboxes, and how often a stored mail was tried to be judged."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("inbox", sa.Column("tries", sa.Integer(), nullable=False, server_default="0"))
    op.create_index("ix_inbox_sha256", "inbox", ["sha256"])
    op.create_index("ix_inbox_sender_recorded_at", "inbox", ["sender", "recorded_at"])
    op.create_table(
        "mailboxes",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("uidvalidity", sa.BigInteger(), nullable=False),
        sa.Column("last_uid", sa.BigInteger(), nullable=False),
        sa.Column("lease", sa.String(32), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True)),
        sa.Column("next_poll_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("polled_at", sa.DateTime(timezone=True)),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_mailboxes"),
        sa.UniqueConstraint("name", name="uq_mailboxes_name"),
    )
    op.create_table(
        "mailbox_messages",
        sa.Column("mailbox_id", NUMBER, nullable=False),
        sa.Column("uidvalidity", sa.BigInteger(), nullable=False),
        sa.Column("uid", sa.BigInteger(), nullable=False),
        sa.Column("inbox_id", NUMBER),
        sa.Column("seen", sa.Boolean(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("first_try_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("mailbox_id", "uidvalidity", "uid", name="pk_mailbox_messages"),
        sa.ForeignKeyConstraint(["mailbox_id"], ["mailboxes.id"], name="fk_mailbox_messages_mailbox_id"),
        sa.ForeignKeyConstraint(["inbox_id"], ["inbox.id"], name="fk_mailbox_messages_inbox_id"),
    )
    op.create_index("ix_mailbox_messages_inbox_id", "mailbox_messages", ["inbox_id"])
