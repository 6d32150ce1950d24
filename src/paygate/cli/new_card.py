"""``paygate contracts change-card``: another card for a contract, and what is unpaid collected with it (R-400 to R-404)."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from ..domain.contract import Card
from .charges import print_charge
from .failures import exit_for
from .output import facts, note
from .session import Session, json_option, yes_option
from .wording import people

if TYPE_CHECKING:
    from ..billing.new_card import PaymentChange

__all__ = ["change_card", "token_of"]


@click.command("change-card")
@click.argument("contract")
@click.argument("account")
@click.argument("token", required=False)
@click.option("--collect", is_flag=True, help="Charge what is unpaid to the new card at once.")
@click.option("--consent", help="How and when the customer agreed to that; needed with --collect.")
@click.option("--changed-elsewhere", is_flag=True, help="It was changed on the provider's own screen; record it.")
@click.option("--revoke-old", is_flag=True, help="Have the provider forget the old card afterwards.")
@click.option("--idempotency-key", help="Of the charge: your own key, for example a ticket's.")
@click.option("--reason", default="", help="Why, for the audit.")
@yes_option
@json_option
@click.pass_context
def change_card(
    ctx: click.Context,
    contract: str,
    account: str,
    token: str | None,
    consent: str | None,
    idempotency_key: str | None,
    reason: str,
    *,
    collect: bool,
    changed_elsewhere: bool,
    revoke_old: bool,
    yes: bool,
) -> None:
    """Pay CONTRACT from another card of ACCOUNT; TOKEN is the provider's reference of the stored card.

    Leave TOKEN out to be asked for it unseen, or give - to have it read from standard input: then it is not in the history
    of your shell. The customer and you are told by mail.
    """
    session = ctx.ensure_object(Session)
    if collect:
        session.require_yes(yes=yes)
    card = Card(account, token_of(token))
    with session.gateway() as gateway:
        if collect:
            missing = gateway.contracts.get(contract).past_due
            what = f"collect its unpaid period of {missing.period_start}" if missing else "collect nothing, all is paid"
            session.confirm(f"Pay contract {contract} from another card of {account}, and {what}?", yes=yes)
        done = gateway.contracts.change_payment(
            contract,
            card,
            collect=collect,
            consent=consent,
            changed_elsewhere=changed_elsewhere,
            idempotency_key=idempotency_key,
            revoke_old=revoke_old,
            reason=reason,
            actor=session.actor,
        )
    session.show(done, lambda: _print(done))
    if not done.changed:
        note("it was paid from this card already: nothing was changed")
    if done.not_revoked:
        note(f"the old card is not revoked: {done.not_revoked}")
    if done.collecting:
        note("the provider collects what is unpaid; its notice brings the result")
    if done.charge is not None:
        ctx.exit(exit_for(done.charge))


def token_of(given: str | None) -> str:
    """The reference of a stored card: *given*, from standard input for ``-``, or asked for unseen."""
    if given == "-":
        return sys.stdin.readline().strip()
    if given is None:
        asked: str = click.prompt(people("Token of the stored card"), hide_input=True, err=True)
        return asked.strip()
    return given


def _print(done: PaymentChange) -> None:
    contract = done.contract
    facts(
        f"Contract {contract.id}",
        [("Status", contract.status), ("Paid through", contract.account), ("Expires", contract.expires_on)],
    )
    if done.charge is not None:
        print_charge(done.charge)
