"""``paygate access``: which content a contract opens, and why (domain §2.5)."""

from __future__ import annotations

import datetime as dt

import click

from .output import cell
from .params import INSTANT
from .session import Session, csv_option, json_option, pass_session

__all__ = ["access"]


@click.command()
@click.argument("contract")
@click.option("--on", type=INSTANT, help="At which time; by default now.")
@csv_option
@json_option
@pass_session
def access(session: Session, contract: str, on: dt.datetime | None) -> None:
    """Show which content CONTRACT opens, and why the rest is closed."""
    with session.gateway() as gateway:
        openings = gateway.contracts.access(contract, on=on)
    found = [
        {"product": it.product, "scope": it.scope, "open": it.open, "reason": it.why.name, "text": it.text}
        for it in openings
    ]
    session.show_rows(
        found,
        f"Access by {contract} at {cell(on)}" if on else f"Access by {contract}",
        ("Product", "Content", "Open", "Why"),
        lambda it: (it["product"] or "(the running period)", it["scope"], it["open"], it["text"]),
    )
