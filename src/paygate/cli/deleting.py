"""``paygate contracts delete``: a contract made by mistake goes for good, and its money goes back (§6.23)."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from ..domain.charge import RefundState
from .failures import Exit
from .output import facts, note, table
from .session import Session, json_option
from .wording import people

if TYPE_CHECKING:
    from ..billing.deleting import DeletionReport
    from ..domain.deleting import Deletion

__all__ = ["delete"]


@click.command()
@click.argument("contract")
@click.option("--confirm", "typed", help="The contract's id once more; without it you are asked to type it.")
@click.option("--reason", required=True, help="Why, for the record that stays; leave names out of it.")
@json_option
@click.pass_context
def delete(ctx: click.Context, contract: str, typed: str | None, reason: str) -> None:
    """Remove CONTRACT with everything of it, and return what can be returned.

    For mistaken applications only: to return money, cancel the contract or refund single payments. What would go back is
    shown first. Ends with 5 if a refund failed: the contract is gone all the same, and that money goes back by hand.
    """
    session = ctx.ensure_object(Session)
    if session.json and typed is None:
        raise click.UsageError("with --json nobody can be asked; give the contract's id with --confirm")
    with session.gateway() as gateway:
        plan = gateway.contracts.preview_delete(contract, actor=session.actor)
        if not session.json:
            _print_plan(plan)
        if typed is None:
            typed = click.prompt(
                people("Type the contract's id to delete it for good"), default="", show_default=False, err=True
            )
        with session.waiting(f"deleting contract {contract}"):
            report = gateway.contracts.delete(contract, confirm=typed, reason=reason, actor=session.actor)
    session.show(report, lambda: _print_report(report))
    if report.by_hand:
        note(f"return {report.by_hand} by hand, as far as that has not been done")
    if any(refund.state is RefundState.FAILED for refund in report.refunds):
        ctx.exit(Exit.DECLINED)


def _print_plan(plan: Deletion) -> None:
    """The warning comes before the confirmation (R-261, R-272)."""
    from ..domain.deleting import deletion_warning

    note(deletion_warning(plan.contract))
    pairs: list[tuple[str, object]] = [
        *(
            (
                f"Goes back {number}",
                f"{one.refund.amount} of row {one.refund.entry_id} through account {one.refund.account}",
            )
            for number, one in enumerate(plan.refunds, 1)
        ),
        *(("Not returned", f"{one.left} of row {one.entry_id}: {one.why.value}") for one in plan.skipped if one.left),
        ("By hand", plan.by_hand or "nothing"),
    ]
    facts("About to delete", pairs, stream=sys.stderr)


def _print_report(report: DeletionReport) -> None:
    facts("Deleted", [("Contract", report.contract_id), ("To return by hand", report.by_hand or "nothing")])
    if report.refunds:
        table(
            "Refunds",
            ("Refund", ">Amount", "State", "Account", "Refunded row", "Why"),
            (
                (it.id, it.amount, it.state, it.account, it.entry_id, it.failure and it.failure.code)
                for it in report.refunds
            ),
        )
