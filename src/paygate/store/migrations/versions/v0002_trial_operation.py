"""What trial operation showed to be missing: columns and tables added to those of 0001.

Revision 0002, after 0001. Types are written out here once more on purpose: a migration stays what it was.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
INSTANT = sa.Text().with_variant(sa.DateTime(timezone=True), "postgresql")


def upgrade() -> None:
    """Add columns, tables and indexes; every new column has a default or may be NULL, so that old rows stay valid."""
    op.create_table(
        "paygate_checkouts",
        sa.Column("id", ID, primary_key=True),
        sa.Column("account", ID, nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
    )
