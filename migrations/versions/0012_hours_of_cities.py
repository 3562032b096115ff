"""What cities say of their hours beyond the usual week, closures of several days, and who entered each of them."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("cities", sa.Column("planning", sa.JSON(), nullable=False, server_default="{}"))
    op.add_column("closures", sa.Column("until", sa.Date()))
    op.add_column("closures", sa.Column("set_by", sa.Text(), nullable=False, server_default=""))
    op.add_column("closures", sa.Column("set_at", sa.DateTime(timezone=True)))
