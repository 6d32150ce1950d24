"""``paygate charges``: the attempts to charge, and settling those that are open."""

from __future__ import annotations

import datetime as dt

import click

from ..domain.charge import Charge, ChargeState
from ..money import Money
from .failures import exit_for
from .output import facts, metadata_facts, note
from .params import INSTANT, YEN, metadata_option
from .session import Session, json_option, limit_option, pass_session

__all__ = ["charges", "print_charge"]


@click.group()
def charges() -> None:
    """List, show, wait for and resolve charges."""


def print_charge(charge: Charge) -> None:
    """Print an attempt with what its success did to the expiry (R-210)."""
    failure = charge.failure
    facts(
        f"Charge {charge.id}",
        [
            ("State", charge.state),
            ("Contract", charge.contract_id),
            ("Customer", charge.customer_id),
            ("Account", charge.account),
            ("Amount", charge.amount),
            ("Kind", charge.kind),
            ("Expiry before", charge.previous_expires_on),
            ("Expiry after", charge.expires_on),
            ("Renew expiry", charge.renew_expiry),
            ("Step mail", charge.send_step_mail),
            ("Consent", charge.consent and charge.consent.how),
            ("Made by", charge.actor),
            ("Made at", charge.created_at),
            ("Charged at", charge.charged_at),
            ("Provider's id", charge.reference),
            ("Key", charge.idempotency_key),
            ("Why", failure and f"{failure.code or 'no code'} {failure.message}".rstrip()),
            *metadata_facts(charge.metadata),
        ],
    )


@charges.command("list")
@click.option("--contract", "contract_id", help="Only of this contract.")
@click.option("--account", help="Only through this account.")
@click.option("--state", type=click.Choice(ChargeState, case_sensitive=False), help="Only in this state.")
@click.option("--reference", help="Only the payment that the provider knows by this id.")
@metadata_option("Only what has this text; may be given repeatedly, then all of them.")
@limit_option
@json_option
@pass_session
def list_charges(
    session: Session,
    contract_id: str | None,
    account: str | None,
    state: ChargeState | None,
    reference: str | None,
    metadata: dict[str, str] | None,
    limit: int | None,
) -> None:
    """List attempts, oldest first."""
    with session.gateway() as gateway:
        found = gateway.charges.list(
            contract_id=contract_id, account=account, state=state, reference=reference, metadata=metadata
        )
        session.show_rows(
            session.page(found, limit),
            "Charges",
            (
                "Charge",
                "Made",
                "Contract",
                "Account",
                "Kind",
                ">Amount",
                "State",
                "Expiry before",
                "Expiry after",
                "Why",
            ),
            lambda it: (
                it.id,
                it.created_at,
                it.contract_id,
                it.account,
                it.kind,
                it.amount,
                it.state,
                it.previous_expires_on,
                it.expires_on,
                it.failure and it.failure.code,
            ),
        )


@charges.command()
@click.argument("account")
@click.argument("reference")
@json_option
@pass_session
def find(session: Session, account: str, reference: str) -> None:
    """Show the charge that the provider of ACCOUNT knows as REFERENCE."""
    with session.gateway() as gateway:
        found = gateway.charges.find(account, reference)
    session.show(found, lambda: print_charge(found))


@charges.command()
@click.argument("charge")
@json_option
@pass_session
def show(session: Session, charge: str) -> None:
    """Show CHARGE, and what its provider reports against the record."""
    with session.gateway() as gateway:
        found = gateway.charges.get(charge)
        against = list(gateway.charges.discrepancies(charge_id=found.id))
    session.show(found, lambda: print_charge(found))
    for one in against:
        note(f"Discrepancy: {one.describe()}. Close it with `paygate charges resolve`.")


@charges.command()
@click.option("--contract", "contract_id", help="Only of this contract.")
@click.option("--account", help="Only through this account.")
@click.option("--charge", "charge_id", help="Only of this charge.")
@click.option("--all", "everything", is_flag=True, help="Those that are resolved, too.")
@limit_option
@json_option
@pass_session
def discrepancies(
    session: Session,
    contract_id: str | None,
    account: str | None,
    charge_id: str | None,
    limit: int | None,
    *,
    everything: bool,
) -> None:
    """List what providers report against the record, oldest first: second payments, other sums, late declines."""
    with session.gateway() as gateway:
        found = gateway.charges.discrepancies(
            contract_id=contract_id, account=account, charge_id=charge_id, only_open=not everything
        )
        session.show_rows(
            session.page(found, limit),
            "Discrepancies",
            (
                "Seen", "Charge or refund", "Account", "Kind", ">On record", "Under", ">Reported", "As", "Reference",
                "Resolved", "Note",
            ),
            lambda it: (
                it.seen_at, it.attempt_id, it.account, it.kind, it.our_amount, it.our_reference, it.their_amount,
                it.their_state, it.their_reference, it.resolved_at, it.note,
            ),
        )  # fmt: skip


@charges.command()
@click.argument("charge")
@click.option("--timeout", type=click.FloatRange(min=0), default=60.0, show_default=True, help="Seconds to wait.")
@json_option
@click.pass_context
def wait(ctx: click.Context, charge: str, timeout: float) -> None:
    """Look the result of CHARGE up until it is there."""
    session = ctx.ensure_object(Session)
    with session.gateway() as gateway, session.waiting(f"waiting for the result of charge {charge}"):
        found = gateway.charges.wait(charge, timeout=timeout)
    session.show(found, lambda: print_charge(found))
    ctx.exit(exit_for(found))


@charges.command()
@click.argument("charge")
@click.option("--succeeded/--failed", "succeeded", required=True, help="What became of it.")
@click.option("--note", required=True, help="Where you saw it, for the audit.")
@click.option("--reference", help="The provider's id of the charge.")
@click.option("--charged-at", type=INSTANT, help="When the provider charged.")
@click.option("--amount", type=YEN, help="What was really taken, where that is not what was asked for; it is booked.")
@json_option
@pass_session
def resolve(
    session: Session,
    charge: str,
    note: str,
    reference: str | None,
    charged_at: dt.datetime | None,
    amount: Money | None,
    *,
    succeeded: bool,
) -> None:
    """Say what became of CHARGE, where only a person can find out; closes its discrepancies.

    With --reference or --amount only those about that payment or sum are closed. Where the provider reports money that
    goes against what you say, you have to name it.
    """
    with session.gateway() as gateway:
        settled = gateway.charges.resolve(
            charge,
            succeeded=succeeded,
            note=note,
            reference=reference,
            charged_at=charged_at,
            amount=amount,
            actor=session.actor,
        )
    session.show(settled, lambda: print_charge(settled))
