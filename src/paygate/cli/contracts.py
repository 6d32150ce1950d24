"""``paygate contracts``: create, list, show, what may be done, and the group of all operations on contracts."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import click

from ..domain.contract import PaymentMethod, Status
from .creating import create
from .deleting import delete
from .new_card import change_card
from .operations import OPERATIONS
from .output import facts, metadata_facts, table
from .params import DAY, INSTANT, YEN, metadata_option
from .records import ENTRY_COLUMNS, entry_row
from .reports import closing
from .session import Session, csv_option, json_option, limit_option, pass_session
from .wording import named, people

if TYPE_CHECKING:
    from ..billing.contracts import ContractDetails
    from ..domain.contract import Contract
    from ..money import Money

__all__ = ["contracts"]


@click.group()
def contracts() -> None:
    """Make, list, show and change contracts."""


for operation in (create, *OPERATIONS, change_card, delete, closing):
    contracts.add_command(operation)


@contracts.command("list")
@click.option("--status", type=click.Choice(Status, case_sensitive=False), help="Only in this status.")
@click.option("--account", help="Only paid through this account.")
@click.option("--customer", "customer_id", help="Only of this customer.")
@click.option("--method", type=click.Choice(PaymentMethod, case_sensitive=False), help="Only paid this way.")
@metadata_option("Only what has this text; may be given repeatedly, then all of them.")
@limit_option
@json_option
@pass_session
def list_contracts(
    session: Session,
    status: Status | None,
    account: str | None,
    customer_id: str | None,
    method: PaymentMethod | None,
    metadata: dict[str, str] | None,
    limit: int | None,
) -> None:
    """List contracts, by id."""
    with session.gateway() as gateway:
        found = gateway.contracts.list(
            status=status, account=account, customer_id=customer_id, method=method, metadata=metadata
        )
        session.show_rows(
            session.page(found, limit),
            "Contracts",
            ("Contract", "Customer", "Plan", ">Price", "Paid by", "Status", "Expires"),
            lambda it: (
                it.id,
                it.customer_id,
                it.plan.name,
                it.plan.price,
                it.account or it.method,
                it.status,
                it.expires_on,
            ),
        )


@contracts.command()
@click.argument("contract")
@json_option
@pass_session
def show(session: Session, contract: str) -> None:
    """Show CONTRACT with its customer, next renewal, open charge and ledger."""
    with session.gateway() as gateway:
        details = gateway.contracts.details(contract)
    session.show(details, lambda: _print_details(details))


def _print_details(details: ContractDetails) -> None:
    contract = details.contract
    notice, missing, waiting = contract.cancellation, contract.past_due, details.open_charge
    facts(
        f"Contract {contract.id}",
        [
            ("Customer", f"{details.customer.name} ({details.customer.id})"),
            ("E-mail", details.customer.email),
            (
                "Plan",
                f"{contract.plan.name}, {contract.plan.price} {named(contract.plan.cycle) if contract.plan.cycle else people('once')}",
            ),
            ("Paid by", f"{contract.method.value} through {contract.account}" if contract.account else contract.method),
            ("Status", contract.status),
            ("Start", contract.start_on),
            ("Expires", contract.expires_on),
            ("Next renewal", details.next_renewal_on),
            ("Last paid", details.last_paid_at),
            ("Can be charged until", details.addon_window_closes_at),
            ("Cancellation", notice and f"by {notice.origin.value}, effective {notice.effective_on}"),
            ("Unpaid period", missing and f"of {missing.period_start}, {missing.failures} failure(s)"),
            ("Ended", contract.ended_on),
            ("Open charge", waiting and f"{waiting.id} {waiting.amount} {named(waiting.state)}"),
            *metadata_facts(contract.metadata),
        ],
    )
    table("Ledger", ENTRY_COLUMNS, (entry_row(entry) for entry in details.entries))


@contracts.command()
@click.argument("contract")
@csv_option
@json_option
@pass_session
def operations(session: Session, contract: str) -> None:
    """Show what can be done with CONTRACT now, and why the rest cannot."""
    with session.gateway() as gateway:
        offers = gateway.contracts.operations(contract)
    session.show_rows(
        offers,
        f"Operations on {contract}",
        ("Operation", "Offered", "Why"),
        lambda it: (it.operation, it.offered, it.text),
    )


@contracts.command("confirm-payment")
@click.argument("contract")
@click.option("--received-at", type=INSTANT, help="When the money came in; by default now.")
@click.option("--amount", type=YEN, help="What came in; by default all that was asked for.")
@json_option
@pass_session
def confirm_payment(session: Session, contract: str, received_at: dt.datetime | None, amount: Money | None) -> None:
    """Record that the payment which CONTRACT waits for has been found."""
    with session.gateway() as gateway:
        changed = gateway.contracts.confirm_payment(
            contract, received_at=received_at, amount=amount, actor=session.actor
        )
    session.show(changed, lambda: _print_change(changed))


@contracts.command("set-expiry")
@click.argument("contract")
@click.argument("date", type=DAY)
@click.option("--reason", required=True, help="Why, for the audit.")
@json_option
@pass_session
def set_expiry(session: Session, contract: str, date: dt.date, reason: str) -> None:
    """Set the expiry of CONTRACT to DATE by hand: no mail, no sale."""
    with session.gateway() as gateway:
        changed = gateway.contracts.set_expiry(contract, date, reason=reason, actor=session.actor)
    session.show(changed, lambda: _print_change(changed))


def _print_change(contract: Contract) -> None:
    facts(f"Contract {contract.id}", [("Status", contract.status), ("Expires", contract.expires_on)])
