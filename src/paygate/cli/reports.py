"""``paygate reports``: contracts and money by date, and what has to be looked after in time (X-13, X-15, X-26)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..domain.stored_card import card_name
from .params import DAY
from .records import ENTRY_COLUMNS, entry_row
from .session import Session, json_option, limit_option, pass_session

if TYPE_CHECKING:
    from ..billing.expiring_cards import ExpiringCard
    from ..billing.overdue_renewals import OverdueRenewal
    from ..billing.reports import ClosingWindow, ContractOn
    from ..domain.charge import Charge, Refund
    from ..domain.ledger import LedgerEntry

__all__ = ["closing", "reports"]

F = TypeVar("F", bound=Callable[..., Any])

_CONTRACT_COLUMNS = ("Day", "Contract", "Customer", "Plan", ">Price", "Paid by", "Status")
_CHARGED_COLUMNS = ("Charged", "Contract", "Customer", "Account", "Kind", ">Amount", "State", "Provider's id", "Row")
_FAILED_COLUMNS = ("Failed", "Contract", "Customer", "Account", "Kind", ">Amount", "Why", "Charge")
_AWAITED_COLUMNS = ("Until", "Contract", "Customer", "Account", "Kind", ">Amount", "Link", "Charge")
_DISPUTED_COLUMNS = (
    "Known since",
    "Contract",
    "Account",
    ">Amount",
    "State",
    "Evidence by",
    "Dispute",
    "Disputed row",
    "Why",
)
_EXPIRING_COLUMNS = ("Last day", "Contract", "Customer", "Account", "Card", "Renews on")
_REFUNDED_COLUMNS = ("Refunded", "Contract", "Account", ">Amount", "By hand", "By", "Refunded row", "Refund")


@click.group()
def reports() -> None:
    """List contracts and money by date.

    Days are days in Japan, and both ends are included.
    """


def _between(command: F) -> F:
    """The options of a list by date."""
    for option in (
        click.option("--account", help="Only through this account."),
        click.option("--until", type=DAY, help="The last day; by default without end."),
        click.option("--since", type=DAY, help="The first day; by default from the beginning."),
    ):
        command = option(command)
    return command


def _contract_row(it: ContractOn) -> tuple[object, ...]:
    contract = it.contract
    paid_by = contract.account or contract.method
    return it.on, contract.id, contract.customer_id, contract.plan.name, contract.plan.price, paid_by, contract.status


def _show_contracts(session: Session, found: Iterable[ContractOn], limit: int | None, title: str) -> None:
    session.show_rows(session.page(found, limit), title, _CONTRACT_COLUMNS, _contract_row)


@reports.command()
@_between
@limit_option
@json_option
@pass_session
def due(session: Session, since: dt.date | None, until: dt.date | None, account: str | None, limit: int | None) -> None:
    """Contracts by the day on which a billing run next has something to do."""
    with session.gateway() as gateway:
        found = gateway.reports.due(since=since, until=until, account=account)
        _show_contracts(session, found, limit, "Due")


@reports.command()
@_between
@limit_option
@json_option
@pass_session
def starting(
    session: Session, since: dt.date | None, until: dt.date | None, account: str | None, limit: int | None
) -> None:
    """Contracts that have not started, by their start date."""
    with session.gateway() as gateway:
        found = gateway.reports.starting(since=since, until=until, account=account)
        _show_contracts(session, found, limit, "Starting")


@reports.command()
@_between
@limit_option
@json_option
@pass_session
def ending(
    session: Session, since: dt.date | None, until: dt.date | None, account: str | None, limit: int | None
) -> None:
    """Contracts whose end is scheduled, by the day of the end."""
    with session.gateway() as gateway:
        found = gateway.reports.ending(since=since, until=until, account=account)
        _show_contracts(session, found, limit, "Ending")


@reports.command("expiring-cards")
@_between
@limit_option
@json_option
@pass_session
def expiring_cards(
    session: Session, since: dt.date | None, until: dt.date | None, account: str | None, limit: int | None
) -> None:
    """Contracts whose card ends before their next renewal, by the card's last day."""

    def row(it: ExpiringCard) -> tuple[object, ...]:
        return it.expires_on, it.contract_id, it.customer_id, it.account, card_name(it.brand, it.last4), it.renews_on

    with session.gateway() as gateway:
        found = gateway.reports.expiring_cards(since=since, until=until, account=account)
        session.show_rows(session.page(found, limit), "Cards that end", _EXPIRING_COLUMNS, row)


@reports.command("past-due")
@_between
@limit_option
@json_option
@pass_session
def past_due(
    session: Session, since: dt.date | None, until: dt.date | None, account: str | None, limit: int | None
) -> None:
    """Contracts whose payment is missing, by the day since when."""
    with session.gateway() as gateway:
        found = gateway.reports.past_due(since=since, until=until, account=account)
        _show_contracts(session, found, limit, "Past due")


@reports.command()
@_between
@limit_option
@json_option
@pass_session
def charged(
    session: Session, since: dt.date | None, until: dt.date | None, account: str | None, limit: int | None
) -> None:
    """What providers charged, by the day of the payment; what was refunded since is listed as well."""

    def row(it: LedgerEntry) -> tuple[object, ...]:
        return (
            it.received_at, it.contract_id, it.customer_id, it.account, it.kind, it.amount, it.state, it.reference, it.id,
        )  # fmt: skip

    with session.gateway() as gateway:
        found = gateway.reports.charged(since=since, until=until, account=account)
        session.show_rows(session.page(found, limit), "Charged", _CHARGED_COLUMNS, row)


@reports.command()
@_between
@limit_option
@json_option
@pass_session
def failed(
    session: Session, since: dt.date | None, until: dt.date | None, account: str | None, limit: int | None
) -> None:
    """Charges that failed, by the day of the result."""

    def row(it: Charge) -> tuple[object, ...]:
        why = it.failure and f"{it.failure.code or 'no code'} {it.failure.message}".rstrip()
        return it.settled_at, it.contract_id, it.customer_id, it.account, it.kind, it.amount, why, it.id

    with session.gateway() as gateway:
        found = gateway.reports.failed(since=since, until=until, account=account)
        session.show_rows(session.page(found, limit), "Failed charges", _FAILED_COLUMNS, row)


@reports.command(name="requires-action")
@click.option("--account", help="Only through this account.")
@limit_option
@json_option
@pass_session
def requires_action(session: Session, account: str | None, limit: int | None) -> None:
    """Charges that wait for their customer, with the link and the time until which it can be used."""

    def row(it: Charge) -> tuple[object, ...]:
        link = it.action_url if it.action_method == "GET" else f"{it.action_method} {it.action_url}"
        return it.action_until, it.contract_id, it.customer_id, it.account, it.kind, it.amount, link, it.id

    with session.gateway() as gateway:
        found = gateway.reports.requires_action(account=account)
        session.show_rows(session.page(found, limit), "Waiting for the customer", _AWAITED_COLUMNS, row)


@reports.command()
@_between
@limit_option
@json_option
@pass_session
def refunded(
    session: Session, since: dt.date | None, until: dt.date | None, account: str | None, limit: int | None
) -> None:
    """Money that went back, by hand or through a provider, by the day of the result."""

    def row(it: Refund) -> tuple[object, ...]:
        return it.settled_at, it.contract_id, it.account, it.amount, it.by_hand, it.actor, it.entry_id, it.id

    with session.gateway() as gateway:
        found = gateway.reports.refunded(since=since, until=until, account=account)
        session.show_rows(session.page(found, limit), "Refunded", _REFUNDED_COLUMNS, row)


@reports.command()
@_between
@limit_option
@json_option
@pass_session
def disputed(
    session: Session, since: dt.date | None, until: dt.date | None, account: str | None, limit: int | None
) -> None:
    """Payments that customers' banks took back or asked about, by the day on which that became known."""

    def row(it: LedgerEntry) -> tuple[object, ...]:
        return (
            it.received_at, it.contract_id, it.account, it.amount, it.state, it.due_by, it.reference, it.refunds, it.remarks,
        )  # fmt: skip

    with session.gateway() as gateway:
        found = gateway.reports.disputed(since=since, until=until, account=account)
        session.show_rows(session.page(found, limit), "Disputed", _DISPUTED_COLUMNS, row)


@reports.command()
@click.option(
    "--days", type=click.IntRange(0, 3660), default=30, show_default=True, help="At least so long ago; 0 shows all."
)
@limit_option
@json_option
@pass_session
def assumed(session: Session, days: int, limit: int | None) -> None:
    """Renewals without a card that were taken as paid long ago and that nobody has confirmed or suspended."""
    with session.gateway() as gateway:
        rows = session.page(gateway.reports.assumed(days=days), limit)
    session.show_rows(rows, "Taken as paid", ENTRY_COLUMNS, entry_row)


@reports.command("overdue-renewals")
@limit_option
@json_option
@pass_session
def overdue_renewals(session: Session, limit: int | None) -> None:
    """Renewals that the provider charges and of which it has told nothing for days."""

    def row(it: OverdueRenewal) -> tuple[object, ...]:
        contract = it.contract
        return it.period, contract.id, contract.customer_id, contract.plan.name, contract.plan.price, contract.account

    with session.gateway() as gateway:
        found = session.page(gateway.reports.overdue_renewals(), limit)
        columns = ("Period", "Contract", "Customer", "Plan", ">Price", "Account")
        session.show_rows(found, "Renewals without a notice", columns, row)


@click.command()
@click.option(
    "--within", type=click.IntRange(0, 3660), default=30, show_default=True, help="Days until the window closes."
)
@click.option("--account", help="Only through this account.")
@limit_option
@json_option
@pass_session
def closing(session: Session, within: int, account: str | None, limit: int | None) -> None:
    """List customers who soon can no longer be charged additionally: they last paid nearly a year ago."""

    def row(it: ClosingWindow) -> tuple[object, ...]:
        name = f"{it.customer.name} ({it.customer.id})" if it.customer.name else it.customer.id
        return it.closes_at, name, it.customer.email, it.account, it.last_paid_at, ", ".join(it.contract_ids)

    with session.gateway() as gateway:
        found = gateway.reports.closing_windows(within_days=within, account=account)
        session.show_rows(
            session.page(found, limit),
            f"Charge windows that close within {within} days",
            ("Closes", "Customer", "E-mail", "Account", "Last paid", "Contracts"),
            row,
        )
