"""PostgreSQL keeps mail as it is: it is base64, which hardly shrinks, and trying takes longer than the rest of it."""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE outbox ALTER COLUMN content SET STORAGE EXTERNAL")
