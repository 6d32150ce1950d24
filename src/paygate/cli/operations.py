"""``paygate contracts OPERATION``: what may be done with a contract between its application and its end (domain §3.2).

What returns money or ends a contract is shown and asked first; what can be taken back is done at once.
"""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..domain.ledger import EntryKind, refundable
from ..domain.operations import Operation
from ..errors import OperationNotAllowed
from ..money import Money
from .failures import Exit, exit_for
from .output import facts, note, table
from .params import DAY, INSTANT, MONTH
from .refund import explain
from .session import Session, json_option, yes_option
from .wording import named

if TYPE_CHECKING:
    from ..billing.contracts import ContractDetails
    from ..billing.operations import OperationResult
    from ..billing.refunds import RefundPreview
    from ..gateway import Gateway

__all__ = ["OPERATIONS"]

F = TypeVar("F", bound=Callable[..., Any])

_RETURNED = frozenset({EntryKind.INITIAL_FEE})


def _reason(command: F) -> F:
    return click.option("--reason", default="", help="Why, for the audit.")(command)


# --- undoing: money goes back ----------------------------------------------------------------------------------------


@click.command()
@click.argument("contract")
@_reason
@yes_option
@json_option
@click.pass_context
def cancel(ctx: click.Context, contract: str, reason: str, *, yes: bool) -> None:
    """Undo CONTRACT before it is paid, or a recurring one before it starts; an initial fee goes back."""
    session = ctx.ensure_object(Session)
    session.require_yes(yes=yes)
    with session.gateway() as gateway:
        _ask_to_return(session, gateway, contract, Operation.CANCEL, _RETURNED | {EntryKind.PERIOD}, yes=yes)
        result = gateway.contracts.cancel(contract, reason=reason, actor=session.actor)
    _show(ctx, session, result)


@click.command("cancel-with-manual-refund")
@click.argument("contract")
@_reason
@yes_option
@json_option
@click.pass_context
def cancel_with_manual_refund(ctx: click.Context, contract: str, reason: str, *, yes: bool) -> None:
    """Undo the purchase CONTRACT that was paid without a card; a person returns the money."""
    session = ctx.ensure_object(Session)
    session.require_yes(yes=yes)
    with session.gateway() as gateway:
        _ask_to_return(session, gateway, contract, Operation.CANCEL_WITH_MANUAL_REFUND, _RETURNED, yes=yes)
        result = gateway.contracts.cancel_with_manual_refund(contract, reason=reason, actor=session.actor)
    _show(ctx, session, result)


@click.command("cancel-and-refund")
@click.argument("contract")
@click.option("--include-addons", is_flag=True, help="Return additional charges too.")
@_reason
@yes_option
@json_option
@click.pass_context
def cancel_and_refund(ctx: click.Context, contract: str, reason: str, *, include_addons: bool, yes: bool) -> None:
    """Undo the purchase CONTRACT that was paid by card, and return the money to the card.

    If the provider refuses, the contract stays as it is and the command ends with 5.
    """
    session = ctx.ensure_object(Session)
    session.require_yes(yes=yes)
    kinds = _RETURNED | {EntryKind.ADDON} if include_addons else _RETURNED
    with session.gateway() as gateway:
        _ask_to_return(session, gateway, contract, Operation.CANCEL_AND_REFUND, kinds, yes=yes)
        result = gateway.contracts.cancel_and_refund(
            contract, include_addons=include_addons, reason=reason, actor=session.actor
        )
    _show(ctx, session, result)


def _ask_to_return(
    session: Session,
    gateway: Gateway,
    contract_id: str,
    operation: Operation,
    kinds: frozenset[EntryKind],
    *,
    yes: bool,
) -> None:
    """Show what comes back to whom, row by row, and ask; what is not offered now is refused before the question."""
    _require_offered(gateway, contract_id, operation)
    details = gateway.contracts.details(contract_id)
    returned = [
        gateway.refunds.preview(entry.id)
        for entry in details.entries
        if entry.kind in kinds and refundable(entry, details.entries) > 0
    ]
    total = Money(sum(one.amount.minor for one in returned), details.contract.plan.price.currency)
    if not session.json:
        kept = [row for row in details.entries if row.kind is EntryKind.ADDON and row.kind not in kinds]
        left = sum(refundable(row, details.entries) for row in kept)
        _print_return(details, returned, total, Money(left, total.currency))
    what = f"return {total}" if returned else "return nothing"
    session.confirm(f"Undo contract {contract_id} and {what}?", yes=yes)


def _print_return(details: ContractDetails, returned: list[RefundPreview], total: Money, kept: Money) -> None:
    pairs = [
        *_whose(details),
        *(
            (f"Goes back {number}", f"{one.amount} of row {one.entry.id}, {_way(one)}")
            for number, one in enumerate(returned, 1)
        ),
        ("Sum", total),
        *([("Not returned", f"{kept} of additional charges; --include-addons returns them")] if kept else []),
    ]
    facts("About to undo", pairs, stream=sys.stderr)


def _way(preview: RefundPreview) -> str:
    return "by hand: a person returns it" if preview.by_hand else f"through account {preview.entry.account}"


def _whose(details: ContractDetails) -> list[tuple[str, object]]:
    contract, customer = details.contract, details.customer
    return [
        ("Customer", f"{customer.name} ({customer.id})" if customer.name else customer.id),
        ("Contract", f"{contract.id}, {contract.plan.name}, {named(contract.status)}"),
    ]


def _require_offered(gateway: Gateway, contract_id: str, operation: Operation) -> None:
    """Nobody is asked for what cannot be done anyway (R-023, R-024)."""
    offer = next(one for one in gateway.contracts.operations(contract_id) if one.operation is operation)
    if not offer.offered:
        status = gateway.contracts.get(contract_id).status.value
        text = f"contract {contract_id} is {status}: {operation.value} is not possible ({offer.text})"
        raise OperationNotAllowed(text, rule="R-024")


# --- suspending and resuming -----------------------------------------------------------------------------------------


@click.command()
@click.argument("contract")
@_reason
@json_option
@click.pass_context
def suspend(ctx: click.Context, contract: str, reason: str) -> None:
    """Suspend CONTRACT, whose payment without a card is missing."""
    session = ctx.ensure_object(Session)
    with session.gateway() as gateway:
        result = gateway.contracts.suspend(contract, reason=reason, actor=session.actor)
    _show(ctx, session, result)


@click.command()
@click.argument("contract")
@click.option("--received-at", type=INSTANT, help="When the money came in; by default now.")
@_reason
@json_option
@click.pass_context
def resume(ctx: click.Context, contract: str, received_at: dt.datetime | None, reason: str) -> None:
    """Set the suspended CONTRACT running again: the missing payment has come."""
    session = ctx.ensure_object(Session)
    with session.gateway() as gateway:
        result = gateway.contracts.resume(contract, received_at=received_at, reason=reason, actor=session.actor)
    _show(ctx, session, result)


@click.command("retries-stopped")
@click.argument("contract")
@click.option("--note", required=True, help="Where they were stopped: 'provider console, 2026-11-20 10:15'.")
@json_option
@click.pass_context
def retries_stopped(ctx: click.Context, contract: str, note: str) -> None:
    """Record that the provider's retries of the unpaid period of CONTRACT were stopped on its own screen.

    Stop them there first: the customer could pay twice. Then the period can be collected: paygate charge CONTRACT --arrears.
    """
    session = ctx.ensure_object(Session)
    with session.gateway() as gateway:
        result = gateway.contracts.mark_retries_stopped(contract, note=note, actor=session.actor)
    _show(ctx, session, result)


@click.command("mark-paid")
@click.argument("contract")
@click.argument("period", type=DAY)
@click.option("--received-at", type=INSTANT, help="When the money came in; by default now.")
@_reason
@json_option
@click.pass_context
def mark_paid(ctx: click.Context, contract: str, period: dt.date, received_at: dt.datetime | None, reason: str) -> None:
    """Record that the payment for the PERIOD of CONTRACT, named by its first day, has been found.

    It confirms a payment that was only assumed and mails nobody; a contract that stands still for it goes on.
    """
    session = ctx.ensure_object(Session)
    with session.gateway() as gateway:
        result = gateway.contracts.mark_paid(
            contract, period, received_at=received_at, reason=reason, actor=session.actor
        )
    _show(ctx, session, result)


@click.command("mark-unpaid")
@click.argument("contract")
@click.argument("period", type=DAY)
@_reason
@json_option
@click.pass_context
def mark_unpaid(ctx: click.Context, contract: str, period: dt.date, reason: str) -> None:
    """Record that no payment came for the PERIOD of CONTRACT, named by its first day: its content is locked."""
    session = ctx.ensure_object(Session)
    with session.gateway() as gateway:
        result = gateway.contracts.mark_unpaid(contract, period, reason=reason, actor=session.actor)
    _show(ctx, session, result)


@click.command("set-product-end")
@click.argument("contract")
@click.argument("month", type=MONTH, required=False, metavar="MONTH")
@click.option("--clear", is_flag=True, help="The product does not end.")
@click.option("--product", help="The code of one product; by default all of the plan.")
@_reason
@json_option
@click.pass_context
def set_product_end(
    ctx: click.Context, contract: str, month: str | None, product: str | None, reason: str, *, clear: bool
) -> None:
    """Set the final MONTH (2026-12) of the products of CONTRACT, in which its last period begins; or --clear it."""
    session = ctx.ensure_object(Session)
    if clear == (month is not None):
        raise click.UsageError("give the final MONTH, or --clear")
    with session.gateway() as gateway:
        result = gateway.contracts.set_product_end(contract, month, product=product, reason=reason, actor=session.actor)
    _show(ctx, session, result)


@click.command("send-dunning-mail")
@click.argument("contract")
@click.option("--due-on", type=DAY, help="By which day (in Japan) the customer is asked to pay.")
@json_option
@click.pass_context
def send_dunning_mail(ctx: click.Context, contract: str, due_on: dt.date | None) -> None:
    """Remind the customer of CONTRACT of a payment that is late."""
    session = ctx.ensure_object(Session)
    with session.gateway() as gateway:
        result = gateway.contracts.send_dunning_mail(contract, due_on=due_on, actor=session.actor)
    _show(ctx, session, result)


# --- ending ----------------------------------------------------------------------------------------------------------


@click.command("schedule-cancellation")
@click.argument("contract")
@_reason
@json_option
@click.pass_context
def schedule_cancellation(ctx: click.Context, contract: str, reason: str) -> None:
    """End CONTRACT on its next renewal day; until then this can be revoked."""
    session = ctx.ensure_object(Session)
    with session.gateway() as gateway:
        result = gateway.contracts.schedule_cancellation(contract, reason=reason, actor=session.actor)
    _show(ctx, session, result)


@click.command("revoke-cancellation")
@click.argument("contract")
@_reason
@json_option
@click.pass_context
def revoke_cancellation(ctx: click.Context, contract: str, reason: str) -> None:
    """Keep CONTRACT, whose cancellation has not taken effect yet."""
    session = ctx.ensure_object(Session)
    with session.gateway() as gateway:
        result = gateway.contracts.revoke_cancellation(contract, reason=reason, actor=session.actor)
    _show(ctx, session, result)


@click.command()
@click.argument("contract")
@_reason
@yes_option
@json_option
@click.pass_context
def terminate(ctx: click.Context, contract: str, reason: str, *, yes: bool) -> None:
    """End CONTRACT, whose payment is missing, at once and for good."""
    session = ctx.ensure_object(Session)
    session.require_yes(yes=yes)
    with session.gateway() as gateway:
        _require_offered(gateway, contract, Operation.TERMINATE)
        details = gateway.contracts.details(contract)
        missing = details.contract.past_due
        if not session.json:
            unpaid = ("Unpaid since", missing and missing.period_start)
            facts("About to end", [*_whose(details), unpaid], stream=sys.stderr)
        session.confirm(f"End contract {contract} at once and for good?", yes=yes)
        result = gateway.contracts.terminate(contract, reason=reason, actor=session.actor)
    _show(ctx, session, result)


# --- what became of it -----------------------------------------------------------------------------------------------


def _show(ctx: click.Context, session: Session, result: OperationResult) -> None:
    """Print what the operation did; a refund that is still on its way ends the command with 6."""
    session.show(result, lambda: _print_result(result))
    for refund in result.refunds:
        explain(refund)
    if any(exit_for(refund) is Exit.OPEN for refund in result.refunds):
        ctx.exit(Exit.OPEN)


def _print_result(result: OperationResult) -> None:
    contract = result.contract
    facts(
        f"Contract {contract.id}",
        [
            ("Status", contract.status),
            ("Expires", contract.expires_on),
            ("Ends on", result.effective_on),
            ("Last day of use", result.last_day_of_use),
            ("Ended", contract.ended_on),
        ],
    )
    if result.refunds:
        table(
            "Refunds",
            ("Refund", ">Amount", "State", "By hand", "Account", "Refunded row"),
            ((it.id, it.amount, it.state, it.by_hand, it.account, it.entry_id) for it in result.refunds),
        )
    if result.queued_mails:
        note(f"{result.queued_mails} step mail(s) are still queued: paygate step-mails list --contract {contract.id}")


#: Every operation of this module, for the group ``paygate contracts``.
OPERATIONS: tuple[click.Command, ...] = (
    cancel,
    cancel_with_manual_refund,
    cancel_and_refund,
    suspend,
    resume,
    schedule_cancellation,
    revoke_cancellation,
    terminate,
    retries_stopped,
    mark_paid,
    mark_unpaid,
    set_product_end,
    send_dunning_mail,
)
