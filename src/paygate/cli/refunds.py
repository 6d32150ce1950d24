"""``paygate refunds``: the attempts to return money, and those that a person has to make or to find out about."""

from __future__ import annotations

import datetime as dt

import click

from ..domain.charge import Refund
from .failures import exit_for
from .output import facts, metadata_facts, table
from .params import DAY, metadata_option
from .records import ENTRY_COLUMNS, entry_row
from .session import Session, csv_option, json_option, limit_option, pass_session

__all__ = ["print_refund", "refunds"]


@click.group()
def refunds() -> None:
    """List, show, wait for and resolve refunds; make those by hand."""


def print_refund(made: Refund) -> None:
    """Print an attempt to return money."""
    facts(
        f"Refund {made.id}",
        [
            ("State", made.state),
            ("Contract", made.contract_id),
            ("Refunded row", made.entry_id),
            ("Refund row", made.refund_entry_id),
            ("Amount", made.amount),
            ("Account", made.account),
            ("By hand", made.by_hand),
            ("Provider's id", made.reference),
            ("Key", made.idempotency_key),
            ("Why", made.failure and f"{made.failure.code or 'no code'} {made.failure.message}".rstrip()),
            *metadata_facts(made.metadata),
        ],
    )


@refunds.command("list")
@click.option("--contract", "contract_id", help="Only of this contract.")
@metadata_option("Only what has this text; may be given repeatedly, then all of them.")
@limit_option
@json_option
@pass_session
def list_refunds(session: Session, contract_id: str | None, metadata: dict[str, str] | None, limit: int | None) -> None:
    """List refunds, oldest first."""
    with session.gateway() as gateway:
        session.show_rows(
            session.page(gateway.refunds.list(contract_id=contract_id, metadata=metadata), limit),
            "Refunds",
            ("Refund", "Made", "Contract", "Account", ">Amount", "State", "By hand", "Refunded row", "Why"),
            lambda it: (
                it.id,
                it.created_at,
                it.contract_id,
                it.account,
                it.amount,
                it.state,
                it.by_hand,
                it.entry_id,
                it.failure and it.failure.code,
            ),
        )


@refunds.command()
@click.argument("refund")
@json_option
@pass_session
def show(session: Session, refund: str) -> None:
    """Show REFUND."""
    with session.gateway() as gateway:
        found = gateway.refunds.get(refund)
    session.show(found, lambda: print_refund(found))


@refunds.command()
@click.argument("refund")
@click.option("--timeout", type=click.FloatRange(min=0), default=60.0, show_default=True, help="Seconds to wait.")
@json_option
@click.pass_context
def wait(ctx: click.Context, refund: str, timeout: float) -> None:
    """Look the result of REFUND up until it is there."""
    session = ctx.ensure_object(Session)
    with session.gateway() as gateway, session.waiting(f"waiting for the result of refund {refund}"):
        found = gateway.refunds.wait(refund, timeout=timeout)
    session.show(found, lambda: print_refund(found))
    ctx.exit(exit_for(found))


@refunds.command()
@click.argument("refund")
@click.option("--succeeded/--failed", "succeeded", required=True, help="What became of it.")
@click.option("--note", required=True, help="Where you saw it, for the audit.")
@click.option("--reference", help="The provider's id of the refund.")
@json_option
@pass_session
def resolve(session: Session, refund: str, note: str, reference: str | None, *, succeeded: bool) -> None:
    """Say what became of REFUND, where only a person can find out."""
    with session.gateway() as gateway:
        settled = gateway.refunds.resolve(
            refund, succeeded=succeeded, note=note, reference=reference, actor=session.actor
        )
    session.show(settled, lambda: print_refund(settled))


@refunds.command()
@csv_option
@json_option
@pass_session
def dues(session: Session) -> None:
    """List refunds that are still to be made by hand, those of deleted contracts too."""
    with session.gateway() as gateway:
        rows = gateway.refunds.dues()
    session.show_rows(
        rows,
        "Refunds due",
        ("Row", "Since", "Contract", "Customer", "Account", "Provider's id", ">Amount", "Remarks"),
        lambda it: (
            it.id,
            it.purchased_on,
            it.contract_id,
            it.customer_id,
            it.account,
            it.reference,
            it.amount,
            it.remarks,
        ),
    )


@refunds.command()
@click.argument("row")
@click.option("--on", type=DAY, help="The day (in Japan) on which the money went back; by default today.")
@click.option("--note", "remark", required=True, help="How it was returned, for the records.")
@json_option
@pass_session
def done(session: Session, row: str, on: dt.date | None, remark: str) -> None:
    """Record that the refund of ROW, a line of 'refunds dues', has been made."""
    with session.gateway() as gateway:
        entry = gateway.refunds.mark_done(row, on=on, note=remark, actor=session.actor)
    session.show(entry, lambda: table("Refund made", ENTRY_COLUMNS, [entry_row(entry)]))
