"""``paygate db``: the schema of the database."""

from __future__ import annotations

import click

from .output import facts
from .session import Session, json_option, pass_session

__all__ = ["db"]


@click.group()
def db() -> None:
    """Look after the database."""


@db.command()
@click.option("--database", envvar="PAYGATE_DATABASE", help="Its URL; by default the configuration's.")
@json_option
@pass_session
def upgrade(session: Session, database: str | None) -> None:
    """Bring the database to the schema of this version of paygate; an empty one is set up."""
    from ..config import load
    from ..store import Store

    url = database or load(session.config).database
    with session.waiting("upgrading the database"):
        before, after = Store.upgrade(url)
    pairs = [("Before", before or "empty"), ("Now", after), ("Changed", before != after)]
    session.show({"before": before, "after": after}, lambda: facts("Database", pairs))
