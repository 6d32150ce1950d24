"""The version of the tables in a database, and bringing it up to this release's."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

import sqlalchemy as sa

from ..errors import DatabaseMissing, SchemaOutdated
from .database import begin_words, file_of, where

if TYPE_CHECKING:
    from alembic.config import Config

__all__ = ["HEAD", "VERSION_TABLE", "is_missing", "make_sure", "migrations", "must_exist", "revision", "upgrade"]

VERSION_TABLE = "paygate_schema_version"

#: The newest migration; a test holds it equal to what the migrations say.
HEAD = "0002"

#: PostgreSQL advisory lock under which migrations run, an arbitrary number of our own.
_LOCK = 7_094_836_211


def migrations() -> Config:
    """Alembic's configuration for the migrations in this package."""
    from alembic.config import Config  # noqa: PLC0415 - takes longer to import than an up-to-date store to open

    config = Config()
    config.set_main_option("script_location", "paygate.store:migrations")
    config.set_main_option("path_separator", "os")
    return config


def revision(connection: sa.Connection) -> str | None:
    """The version of the tables, or None where there are none."""
    if not sa.inspect(connection).has_table(VERSION_TABLE):
        return None
    found: str | None = connection.execute(
        sa.select(sa.column("version_num")).select_from(sa.table(VERSION_TABLE))
    ).scalar()
    return found


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Keep Alembic from reporting each of its steps at INFO: what paygate did is in the result."""
    logger = logging.getLogger("alembic")
    before = logger.level
    logger.setLevel(max(before, logging.WARNING))
    try:
        yield
    finally:
        logger.setLevel(before)


@_quietly()
def upgrade(engine: sa.Engine) -> tuple[str | None, str]:
    """Run the migrations that are missing, in one transaction that only one process can be in.

    :returns: the versions before and after.
    :raises SchemaOutdated: the database was made by a newer paygate.
    """
    from alembic import command  # noqa: PLC0415 - as above

    config = migrations()
    with engine.connect() as connection:
        connection.exec_driver_sql(begin_words(engine).write)
        if engine.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        before = revision(connection)
        if before is not None and before not in _known(config):
            raise _newer(engine, before)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()
    return before, HEAD


def is_missing(engine: sa.Engine) -> bool:
    """Whether there is no database of paygate yet: no file, or one without our tables. Nothing is made by asking."""
    file = file_of(engine.url)
    if file is not None and not file.exists():
        return True
    with engine.connect() as connection:
        return revision(connection) is None


def must_exist(engine: sa.Engine) -> None:
    """:raises DatabaseMissing: there is no database of paygate."""
    if not is_missing(engine):
        return
    file = file_of(engine.url)
    no_file = file is not None and not file.exists()
    what = f"{file}: no such file" if no_file else f"{where(engine.url)}: no tables of paygate there"
    raise DatabaseMissing(
        f"there is no database yet ({what}). If the place is wrong, correct it; if it is right, make the database with "
        "`paygate db create`. The first contract, import or checkout makes it as well"
    )


@_quietly()
def make_sure(engine: sa.Engine) -> None:
    """Create the tables in an empty database; refuse one of another version.

    :raises SchemaOutdated: the database was made by an older or newer paygate; the message says what to do.
    """
    with engine.connect() as connection:
        current = revision(connection)
    if current == HEAD:
        return
    if current is None:
        upgrade(engine)
    elif current in _known(migrations()):
        raise SchemaOutdated(
            f"the database {where(engine.url)} has schema {current}, this paygate needs {HEAD}: "
            "make a backup (`paygate db backup FILE`), then run `paygate db upgrade`"
        )
    else:
        raise _newer(engine, current)


def _known(config: Config) -> set[str]:
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - as above

    return {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}


def _newer(engine: sa.Engine, current: str) -> SchemaOutdated:
    return SchemaOutdated(
        f"the database {where(engine.url)} has schema {current}, which this paygate does not know (it knows up to "
        f"{HEAD}): it was made by a newer release, upgrade paygate"
    )
