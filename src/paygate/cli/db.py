"""``paygate db``: the schema of the database, and what can be thrown away."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

import attrs
import click

from .output import facts
from .session import Session, json_option, pass_session

__all__ = ["db"]


@click.group()
def db() -> None:
    """Look after the database."""


def _days(_ctx: click.Context, _param: click.Parameter, value: str) -> int:
    match = re.fullmatch(r"([1-9][0-9]{0,4})d?", value.strip())
    if match is None:
        raise click.BadParameter(f"{value!r}: write a number of days, 1 at least, such as 90d")
    return int(match[1])


@db.command()
@click.option(
    "--older-than", "days", default="90d", show_default=True, metavar="DAYS", callback=_days,
    help="Only what was delivered so long ago.",
)  # fmt: skip
@json_option
@pass_session
def purge(session: Session, days: int) -> None:
    """Remove notices that observers have been told long ago. Contracts, ledger and audit trail are not touched."""
    with session.gateway() as gateway, session.waiting("removing delivered notices"):
        removed = gateway.billing.purge(older_than=dt.timedelta(days=days))
    session.show({"removed": removed}, lambda: facts("Delivered notices", [("Removed", removed)]))


_DATABASE = click.option("--database", envvar="PAYGATE_DATABASE", help="Its URL; by default the configuration's.")


def _url(session: Session, given: str | None) -> str:
    from ..config import load

    return given or load(session.config).database


@db.command()
@_DATABASE
@json_option
@pass_session
def create(session: Session, database: str | None) -> None:
    """Make the database. One that exists already is left as it is.

    The first contract, import or checkout makes it as well; every other command wants one that exists.
    """
    from ..store import Store

    with session.waiting("making the database"):
        place, created = Store.make(_url(session, database))
    pairs = [("Database", place), ("Made", "yes" if created else "no, it exists already")]
    session.show({"database": place, "created": created}, lambda: facts("Database", pairs))


@db.command()
@click.argument("file", type=click.Path(path_type=Path))
@_DATABASE
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
@json_option
@pass_session
def backup(session: Session, file: Path, database: str | None, *, force: bool) -> None:
    """Write a backup of the database to FILE while others go on working, and check it.

    SQLite: FILE is a database that can be opened at once. PostgreSQL: an archive for pg_restore, made by pg_dump. It holds
    what the database holds, customers and the tokens of stored cards among it; only its owner can read it.
    """
    from ..store.backup import backup as write

    with session.waiting("writing the backup"):
        made = write(_url(session, database), file, force=force)
    pairs = [
        ("Database", made.database),
        ("Written to", made.path),
        ("Bytes", f"{made.size:,}"),
        ("Schema", made.schema),
        ("Checked", made.checked),
    ]
    fields = {**attrs.asdict(made), "path": str(made.path)}
    session.show(fields, lambda: facts("Backup", pairs))


@db.command()
@_DATABASE
@json_option
@pass_session
def upgrade(session: Session, database: str | None) -> None:
    """Bring the database to the schema of this version of paygate; an empty one is set up."""
    from ..store import Store

    with session.waiting("upgrading the database"):
        before, after = Store.upgrade(_url(session, database))
    pairs = [("Before", before or "empty"), ("Now", after), ("Changed", before != after)]
    session.show({"before": before, "after": after}, lambda: facts("Database", pairs))


@db.command()
@json_option
@pass_session
def restored(session: Session) -> None:
    """Say that the database was restored from a backup, before anything else is run on it.

    The next runs ask the providers for the charges that the backup does not know, instead of making them again.
    """
    with session.gateway() as gateway, session.waiting("noting that a backup was restored"):
        restore = gateway.billing.restored(actor=session.actor)
    pairs = [("Restored", restore.at), ("Newest in the backup", restore.since or "nothing")]
    since = restore.since and restore.since.isoformat()
    session.show({"at": restore.at.isoformat(), "since": since}, lambda: facts("Backup", pairs))
