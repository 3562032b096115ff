"""Which edition of the directory (cities, fields, rooms and the like) the database holds, so that it is read once."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    editions = op.create_table(
        "editions",
        sa.Column("of", sa.String(16), nullable=False),
        sa.Column("edition", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("of", name="pk_editions"),
    )
    op.bulk_insert(editions, [{"of": "directory", "edition": secrets.token_hex(16)}])
