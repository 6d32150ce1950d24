"""Run by Alembic: migrations use the connection, and the transaction, of whoever called for them."""

from alembic import context

from paygate.store.schema import VERSION_TABLE
from paygate.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, version_table=VERSION_TABLE
)
context.run_migrations()
