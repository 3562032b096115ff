"""Mail to send and mail received."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("meeting_id", sa.BigInteger()),
        sa.Column("invitation_id", sa.String(32)),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("envelope_from", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("sequence", sa.Integer()),
        sa.Column("dtstamp", sa.DateTime(timezone=True)),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("told", sa.JSON()),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("perhaps_left", sa.Boolean(), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lease", sa.String(32), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True)),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
        sa.ForeignKeyConstraint(["meeting_id"], ["meetings.id"], name="fk_outbox_meeting_id"),
        sa.ForeignKeyConstraint(["invitation_id"], ["invitations.id"], name="fk_outbox_invitation_id"),
        sa.UniqueConstraint("message_id", name="uq_outbox_message_id"),
    )
    op.create_index("ix_outbox_invitation_id", "outbox", ["invitation_id"])
    op.create_index("ix_outbox_meeting_id", "outbox", ["meeting_id"])
    op.create_index("ix_outbox_state_next_attempt_at", "outbox", ["state", "next_attempt_at"])
    op.create_table(
        "inbox",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received", sa.DateTime(timezone=True)),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("outcome", sa.String(32), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("meeting_id", sa.BigInteger()),
        sa.Column("invitation_id", sa.String(32)),
        sa.Column("proposal", sa.JSON()),
        sa.Column("waits", sa.Boolean(), nullable=False),
        sa.Column("decision", sa.String(32), nullable=False),
        sa.Column("decided_by", NUMBER),
        sa.Column("decided_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_inbox"),
        sa.ForeignKeyConstraint(["meeting_id"], ["meetings.id"], name="fk_inbox_meeting_id"),
        sa.ForeignKeyConstraint(["invitation_id"], ["invitations.id"], name="fk_inbox_invitation_id"),
        sa.ForeignKeyConstraint(["decided_by"], ["people.id"], name="fk_inbox_decided_by"),
    )
    op.create_index("ix_inbox_meeting_id", "inbox", ["meeting_id"])
    op.create_index("ix_inbox_message_id", "inbox", ["message_id"])
    op.create_index("ix_inbox_waits", "inbox", ["waits"])
