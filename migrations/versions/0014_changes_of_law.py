"""What was known of clocks and closed days when a meeting's time was decided, and of which change there was word."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("meetings", sa.Column("known", sa.Text(), nullable=False, server_default=""))
    op.add_column("meetings", sa.Column("law_notice", sa.String(16), nullable=False, server_default=""))
