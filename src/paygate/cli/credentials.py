"""``paygate credentials``: stored cards without their tokens."""

from __future__ import annotations

import datetime as dt

import click

from ..domain.stored_card import card_name
from .output import facts, note
from .session import Session, csv_option, json_option, pass_session, yes_option

__all__ = ["credentials"]


@click.group()
def credentials() -> None:
    """List, refresh and revoke stored cards."""


@credentials.command("list")
@click.argument("customer")
@click.option("--refresh", is_flag=True, help="Ask the providers first.")
@csv_option
@json_option
@pass_session
def list_credentials(session: Session, customer: str, *, refresh: bool) -> None:
    """List the stored cards of CUSTOMER."""
    with session.gateway() as gateway:
        found = gateway.credentials.list(customer, refresh=refresh)
    session.show_rows(
        found,
        "Stored cards",
        ("Card", "Account", "Brand", "Last day", "In use", "Revoked", "Contracts"),
        lambda it: (
            it.id, it.account, card_name(it.brand, it.last4), it.expires_on, it.in_use, it.revoked, ", ".join(it.contract_ids),
        ),
    )  # fmt: skip


@credentials.command()
@click.option(
    "--days", type=click.IntRange(0, 3650), default=30, show_default=True, help="Asked about longer ago than this."
)
@click.option("--limit", type=click.IntRange(1, 10_000), default=1000, show_default=True, help="How many at most.")
@json_option
@pass_session
def refresh(session: Session, days: int, limit: int) -> None:
    """Ask the providers about the stored cards of living contracts, so that people are told in time that they end."""
    with session.gateway() as gateway:
        done = gateway.credentials.refresh(older_than=dt.timedelta(days=days), limit=limit)
    session.show(done, lambda: facts("Stored cards", [("Asked about", done.asked), ("Failed", len(done.failed))]))
    for contract_id, why in done.failed[:20]:
        note(f"contract {contract_id}: {why}")


@credentials.command()
@click.argument("customer")
@click.argument("card")
@click.option("--reason", default="", help="Why, for the audit.")
@yes_option
@json_option
@pass_session
def revoke(session: Session, customer: str, card: str, reason: str, *, yes: bool) -> None:
    """Have the provider forget CARD, an id of the list, of CUSTOMER for good. No living contract may be paid from it."""
    session.require_yes(yes=yes)
    with session.gateway() as gateway:
        known = gateway.credentials.get(customer, card)
        name = card_name(known.brand, known.last4) or card
        session.confirm(f"Have {known.account} forget the stored card {name} of {customer} for good?", yes=yes)
        done = gateway.credentials.revoke(customer, card, reason=reason, actor=session.actor)
    session.show(done, lambda: facts(f"Card {done.id}", [("Account", done.account), ("Revoked", done.revoked)]))
