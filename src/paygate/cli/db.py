"""``paygate db``: the schema of the database, and what can be thrown away."""

from __future__ import annotations

import datetime as dt
import re

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
