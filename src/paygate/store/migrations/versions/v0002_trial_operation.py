"""What trial operation showed to be missing: columns and tables added to those of 0001.

Revision 0002, after 0001. Types are written out here once more on purpose: a migration stays what it was.
"""

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add columns, tables and indexes; every new column has a default or may be NULL, so that old rows stay valid."""
