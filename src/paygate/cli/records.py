"""``paygate ledger`` and ``paygate audit``: what has been written down about a contract."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from ..domain.ledger import LedgerEntry
from .output import facts, table
from .session import Session, json_option, limit_option, pass_session
from .wording import action_text, people, word

__all__ = ["ENTRY_COLUMNS", "audit", "entry_row", "ledger"]

ENTRY_COLUMNS = ("Row", "Bought", "For", "Kind", ">Amount", "State", "Account", "Received", "Refunds", "Remarks")


def entry_row(entry: LedgerEntry) -> tuple[object, ...]:
    """The cells of a ledger row under :data:`ENTRY_COLUMNS`."""
    return (
        entry.id,
        entry.purchased_on,
        entry.target_on,
        entry.kind,
        entry.amount,
        entry.state,
        entry.account,
        entry.received_at,
        entry.refunds,
        entry.remarks,
    )


@click.command()
@click.argument("contract")
@limit_option
@json_option
@pass_session
def ledger(session: Session, contract: str, limit: int | None) -> None:
    """Show the sales ledger of CONTRACT, oldest row first, and its net sales."""
    with session.gateway() as gateway:
        gateway.contracts.get(contract)  # an unknown contract is an error, not an empty ledger
        rows = session.page(gateway.ledger.list(contract_id=contract), limit)
        net = gateway.ledger.net(contract)

    def human() -> None:
        table(f"Ledger of {contract}", ENTRY_COLUMNS, (entry_row(row) for row in rows))
        facts("", [("Net sales", net)])

    document = {"entries": rows, "net": net}
    session.show_rows(rows, f"Ledger of {contract}", ENTRY_COLUMNS, entry_row, document=document, human=human)


@click.command()
@click.argument("contract")
@limit_option
@json_option
@pass_session
def audit(session: Session, contract: str, limit: int | None) -> None:
    """Show who did what to CONTRACT, when and why."""
    with session.gateway() as gateway:
        rows = session.page(gateway.audit.list(contract_id=contract), limit)
        if not rows:  # what was deleted has left a record; what has none was never there
            gateway.contracts.get(contract)
    session.show_rows(
        rows,
        f"Audit of {contract}",
        ("When", "Who", "What", "Before", "After", "Why"),
        lambda it: (it.at, it.actor, action_text(it.action), _said(it.before), _said(it.after), it.reason),
    )


def _said(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{people(name)}={word(str(value))}" for name, value in values.items() if value is not None)
