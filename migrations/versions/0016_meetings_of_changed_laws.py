"""An index of the meetings about which there was word of a change of law: hardly any, and each agenda counts them."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    noticed = sa.text("law_notice <> ''")
    op.create_index(
        "ix_meetings_law_notice",
        "meetings",
        ["law_notice"],
        sqlite_where=noticed,
        postgresql_where=noticed,
        if_not_exists=True,  # for a while 0014 made it
    )
