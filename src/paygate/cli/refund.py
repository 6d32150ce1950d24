"""``paygate refund``: preview, question, money back through the provider or by hand (§6.22)."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from ..domain.charge import Refund, RefundState
from ..errors import NotFound
from ..money import Money
from .failures import exit_for
from .output import cell, facts, note
from .params import YEN, AmountCommand, metadata_option
from .refunds import print_refund
from .repeats import again_option, key_of, once_more, typed_texts
from .session import Session, json_option, yes_option

if TYPE_CHECKING:
    from ..billing.refunds import RefundPreview
    from ..gateway import Gateway

__all__ = ["explain", "refund"]


@click.command(cls=AmountCommand)
@click.argument("target")
@click.argument("amount", type=YEN, required=False)
@click.option("--remove-license", is_flag=True, help="Remove the licence of that row too; afterwards it is too late.")
@click.option("--reason", default="", help="Why, for the records.")
@click.option("--idempotency-key", help="Your own key: it is refunded at most once.")
@metadata_option("A text of your own to find it by; may be given repeatedly.")
@again_option
@click.option("--wait/--no-wait", "wait", default=True, help="Wait for the result; by default yes.")
@click.option("--timeout", type=click.FloatRange(min=0), default=60.0, show_default=True, help="Seconds to wait.")
@yes_option
@json_option
@click.pass_context
def refund(
    ctx: click.Context,
    target: str,
    amount: Money | None,
    reason: str,
    idempotency_key: str | None,
    metadata: dict[str, str] | None,
    timeout: float,
    *,
    remove_license: bool,
    again: bool,
    wait: bool,
    yes: bool,
) -> None:
    """Return AMOUNT yen, by default all that is left, of TARGET: a charge or a ledger row.

    The same command given again within 20 hours returns nothing more and shows what became of the first one, so that it
    can be repeated after a crash; --again returns the same once more.
    """
    session = ctx.ensure_object(Session)
    session.require_yes(yes=yes)
    with session.gateway() as gateway:
        preview = None
        before = _of_contract(gateway, target)
        typed = (target, amount, remove_license, *typed_texts(metadata))
        key, made = key_of("refund", typed, before, gateway.clock.now(), given=idempotency_key, again=again)
        if made is not None:
            note(_repeated(made, idempotency_key))
            if idempotency_key is None and once_more(yes=yes):
                key, made = key_of("refund", typed, before, gateway.clock.now(), given=None, again=True)
        if made is None:
            preview = gateway.refunds.preview(target, amount, remove_license=remove_license)
            if not session.json:
                _print_preview(preview)
            how = "by hand" if preview.by_hand else f"through {preview.entry.account}"
            session.confirm(f"Refund {preview.amount} to customer {preview.entry.customer_id} {how}?", yes=yes)
        if made is None or idempotency_key is not None:  # a key of the caller's own may come with other contents
            made = gateway.refunds.create(
                target,
                amount,
                idempotency_key=key,
                remove_license=remove_license,
                reason=reason,
                metadata=metadata,
                actor=session.actor,
            )
        if wait and made.state.open and not made.by_hand:
            with session.waiting(f"waiting for the result of refund {made.id}"):
                made = gateway.refunds.wait(made.id, timeout=timeout)
    session.show({"refund": made, "preview": preview}, lambda: print_refund(made))
    explain(made)
    ctx.exit(exit_for(made))


def _of_contract(gateway: Gateway, target: str) -> Iterable[Refund]:
    """The refunds of the contract that *target* belongs to."""
    try:
        contract_id = gateway.charges.get(target).contract_id
    except NotFound:
        contract_id = gateway.ledger.get(target).contract_id
    return gateway.refunds.list(contract_id=contract_id).all()


def _repeated(made: Refund, key: str | None) -> str:
    """Why nothing more is returned: a repeat must not be refused for what the first one did."""
    if key is not None:
        return f"the key {key!r} has been used before: nothing more is refunded"
    return (
        f"the same command made refund {made.id} at {cell(made.created_at)}: nothing more is refunded; "
        "add --again to refund the same once more"
    )


def _print_preview(preview: RefundPreview) -> None:
    entry = preview.entry
    pairs: list[tuple[str, object]] = [
        ("Customer", entry.customer_id),
        ("Contract", entry.contract_id),
        ("Row", f"{entry.id}, {entry.kind.value} of {entry.purchased_on}, {entry.amount}"),
        ("Refund", preview.amount),
        ("Left afterwards", preview.left_after),
        ("How", "by hand: a person returns the money" if preview.by_hand else f"through account {entry.account}"),
        ("Licences removed", ", ".join(preview.licenses) or "none"),
    ]
    facts("About to refund", pairs, stream=sys.stderr)


def explain(made: Refund) -> None:
    """Say what is left to do about a refund that has not been made yet."""
    if made.by_hand and made.state is RefundState.PENDING:
        note(f"return the money, then: paygate refunds done {made.refund_entry_id} --note '…'")
    elif made.state.open:
        note("the result is still to come: run paygate reconcile")
