"""Whose mail counts how often, and what keeps a process from working until the operator mends it."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("outbox", sa.Column("recipient_key", sa.Text(), nullable=False, server_default=""))
    op.create_index("ix_outbox_recipient_key_created_at", "outbox", ["recipient_key", "created_at"])
    op.add_column("heartbeats", sa.Column("error", sa.Text(), nullable=False, server_default=""))
