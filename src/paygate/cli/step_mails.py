"""``paygate step-mails``: the queue of mails to be sent (§6.21)."""

from __future__ import annotations

import click

from ..domain.mails import StepMail, StepMailState
from .output import facts, note, table
from .session import Session, json_option, limit_option, pass_session, yes_option

__all__ = ["step_mails"]

_COLUMNS = ("Mail", "Due", "State", "Set", "Name", "Contract", "Customer", "Subject", "Charge")


def _row(mail: StepMail) -> tuple[object, ...]:
    return (
        mail.id,
        mail.due_at,
        mail.state,
        mail.set,
        mail.name,
        mail.contract_id,
        mail.customer_id,
        mail.subject,
        mail.charge_id,
    )


@click.group("step-mails")
def step_mails() -> None:
    """List, hold back and release step mails."""


@step_mails.command("list")
@click.option("--contract", "contract_id", help="Only of this contract.")
@click.option("--state", type=click.Choice(StepMailState, case_sensitive=False), help="Only in this state.")
@limit_option
@json_option
@pass_session
def list_mails(session: Session, contract_id: str | None, state: StepMailState | None, limit: int | None) -> None:
    """List mails, oldest first."""
    with session.gateway() as gateway:
        found = gateway.step_mails.list(contract_id=contract_id, state=state)
        session.show_rows(session.page(found, limit), "Step mails", _COLUMNS, _row)


@step_mails.command()
@click.argument("mail")
@json_option
@pass_session
def pause(session: Session, mail: str) -> None:
    """Hold MAIL back, before it is due."""
    with session.gateway() as gateway:
        changed = gateway.step_mails.pause(mail, actor=session.actor)
    session.show(changed, lambda: table("Paused", _COLUMNS, [_row(changed)]))


@step_mails.command()
@click.argument("mail")
@json_option
@pass_session
def resume(session: Session, mail: str) -> None:
    """Set the paused MAIL running again."""
    with session.gateway() as gateway:
        changed = gateway.step_mails.resume(mail, actor=session.actor)
    session.show(changed, lambda: table("Resumed", _COLUMNS, [_row(changed)]))


@step_mails.command()
@click.argument("mail")
@yes_option
@json_option
@pass_session
def delete(session: Session, mail: str, *, yes: bool) -> None:
    """Delete MAIL for good, before it is due."""
    session.require_yes(yes=yes)
    with session.gateway() as gateway:
        session.confirm(f"Delete step mail {mail} for good?", yes=yes)
        changed = gateway.step_mails.delete(mail, actor=session.actor)
    session.show(changed, lambda: table("Deleted", _COLUMNS, [_row(changed)]))


@step_mails.command()
@json_option
@pass_session
def release(session: Session) -> None:
    """Hand all mails that are due to the plugins that deliver them."""
    with session.gateway() as gateway, session.waiting("releasing the mails that are due"):
        report = gateway.step_mails.release()
    session.show(report, lambda: facts("Step mails", [("Released", len(report.released))]))
    if report.undeliverable:
        note(f"{report.undeliverable} or more are due, but no plugin delivers mail: add one to 'plugins'")
