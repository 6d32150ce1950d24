"""``paygate charge``: preview, question, charge, wait, result (§6.16)."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from ..domain.charge import Charge, ChargeState, Purpose
from ..money import Money
from ..provider import Capabilities, ExpiryPolicy, Lookup, OptionPolicy
from .charges import print_charge
from .failures import exit_for
from .output import cell, facts, note
from .params import YEN, AmountCommand, metadata_option
from .repeats import again_option, key_of, once_more, typed_texts
from .session import Session, json_option, yes_option
from .wording import named, people

if TYPE_CHECKING:
    from ..billing.charges import ChargePreview

__all__ = ["charge"]


@click.command(cls=AmountCommand)
@click.argument("contract")
@click.argument("amount", type=YEN, required=False, metavar="AMOUNT")
@click.option("--renew-expiry/--no-renew-expiry", default=None, help="Extend the expiry by one cycle on success.")
@click.option("--step-mail/--no-step-mail", default=None, help="Send the mails prepared for renewal on success.")
@click.option("--consent", help="How and when the customer agreed to this charge; required.")
@click.option("--arrears", "purpose", flag_value="ARREARS", help="Collect the unpaid period; AMOUNT may be left out.")
@click.option("--one-off", "purpose", flag_value="ONE_OFF", help="A sale beside a period that is unpaid.")
@click.option("--other-amount", is_flag=True, help="With --arrears: AMOUNT is meant although another is owed.")
@click.option("--idempotency-key", help="Your own key, for example an order's: it is charged at most once.")
@metadata_option("A text of your own to find it by; may be given repeatedly.")
@again_option
@click.option("--wait/--no-wait", "wait", default=True, help="Wait for the result; by default yes.")
@click.option("--timeout", type=click.FloatRange(min=0), default=60.0, show_default=True, help="Seconds to wait.")
@yes_option
@json_option
@click.pass_context
def charge(
    ctx: click.Context,
    contract: str,
    amount: Money | None,
    purpose: str | None,
    consent: str | None,
    idempotency_key: str | None,
    metadata: dict[str, str] | None,
    timeout: float,
    *,
    renew_expiry: bool | None,
    step_mail: bool | None,
    other_amount: bool,
    again: bool,
    wait: bool,
    yes: bool,
) -> None:
    """Charge AMOUNT yen additionally to the stored card of CONTRACT.

    What the charge will do is shown first, and nothing is sent before you agree. Options that are left out follow what
    the provider always does, or are off. Where a period of the contract is unpaid, say --arrears to collect it or
    --one-off for a sale beside it.

    The same command given again within 20 hours charges nothing more and shows what became of the first one, so that it
    can be repeated after a crash; --again charges once more.
    """
    session = ctx.ensure_object(Session)
    session.require_yes(yes=yes)
    meant = Purpose(purpose) if purpose else None
    if amount is None and meant is not Purpose.ARREARS:
        raise click.MissingParameter(param_hint="'AMOUNT'", param_type="argument", ctx=ctx)
    with session.gateway() as gateway:
        preview = None
        typed = (contract, amount, purpose, consent, renew_expiry, step_mail, other_amount, *typed_texts(metadata))
        before = gateway.charges.list(contract_id=contract).all()
        key, made = key_of("charge", typed, before, gateway.clock.now(), given=idempotency_key, again=again)
        if made is not None:
            note(_repeated(made, idempotency_key))
            if idempotency_key is None and once_more(yes=yes):
                key, made = key_of("charge", typed, before, gateway.clock.now(), given=None, again=True)
        if made is None:
            preview = gateway.charges.preview(
                contract,
                amount,
                renew_expiry=renew_expiry,
                send_step_mail=step_mail,
                consent=consent,
                purpose=meant,
                other_amount=other_amount,
                actor=session.actor,
            )
            if not session.json:
                _print_preview(preview, gateway.providers.get(preview.account).capabilities)
            if preview.purpose_needed and not yes:
                meant = _ask_purpose(preview)
                if meant is Purpose.ARREARS:
                    amount, other_amount = preview.owed, False
                    preview = gateway.charges.preview(
                        contract, amount, renew_expiry=renew_expiry, send_step_mail=step_mail, consent=consent,
                        purpose=meant, actor=session.actor,
                    )  # fmt: skip
                    _print_preview(preview, gateway.providers.get(preview.account).capabilities)
            session.confirm(f"Charge {preview.amount} to {_person(preview)} through {preview.provider}?", yes=yes)
        if made is None or idempotency_key is not None:  # a key of the caller's own may come with other contents
            made = gateway.charges.create(
                contract,
                amount,
                idempotency_key=key,
                renew_expiry=renew_expiry,
                send_step_mail=step_mail,
                consent=consent,
                purpose=meant,
                other_amount=other_amount,
                metadata=metadata,
                actor=session.actor,
            )
        if wait and made.open:
            with session.waiting(f"waiting for the result of charge {made.id}"):
                made = gateway.charges.wait(made.id, timeout=timeout)
        capabilities = gateway.providers.get(made.account).capabilities
    session.show({"charge": made, "preview": preview}, lambda: print_charge(made))
    _explain(made, capabilities)
    ctx.exit(exit_for(made))


def _repeated(made: Charge, key: str | None) -> str:
    """Why nothing more is charged: a repeat must not be refused for what the first one did."""
    if key is not None:
        return f"the key {key!r} has been used before: nothing more is charged"
    return (
        f"the same command made charge {made.id} at {cell(made.created_at)}: nothing more is charged; "
        "add --again to charge once more"
    )


def _ask_purpose(preview: ChargePreview) -> Purpose:
    """Which of the two is meant, where a period is unpaid: nothing is charged on a guess (R-382)."""
    question = f"Collect the unpaid period ({preview.owed}), or charge {preview.amount} beside it?"
    choice = click.Choice(["arrears", "one-off", "nothing"])
    answer = click.prompt(people(question), type=choice, default="nothing", err=True)
    if answer == "nothing":
        raise click.Abort
    return Purpose.ARREARS if answer == "arrears" else Purpose.ONE_OFF


def _person(preview: ChargePreview) -> str:
    customer = preview.customer
    return f"{customer.name} ({customer.id})" if customer.name else customer.id


def _print_preview(preview: ChargePreview, capabilities: Capabilities) -> None:
    """The confirmation says what is about to happen (R-173), on standard error because it is not the result."""
    pairs: list[tuple[str, object]] = [
        ("Customer", _person(preview)),
        ("Contract", f"{preview.contract.id}, {preview.contract.plan.name}, {named(preview.contract.status)}"),
        ("Provider", f"{preview.provider} (account {preview.account})"),
        ("Amount", preview.amount),
        *((("Pays", "the unpaid period"),) if preview.purpose is Purpose.ARREARS else ()),
        ("Expiry", _expiry(preview)),
        ("Mails", _mails(preview)),
        *(("Forced", text) for text in forced(capabilities)),
        *(("Warning", text) for text in preview.warnings),
    ]
    facts("About to charge", pairs, stream=sys.stderr)


def _expiry(preview: ChargePreview) -> str:
    before, after = preview.expires_on, preview.expires_on_after
    return f"{before} → {after}" if before != after else f"{before}, not changed"


def _mails(preview: ChargePreview) -> str:
    if not preview.send_step_mail:
        return "none"
    return "; ".join(f"{name} at {cell(due)}" for name, due in preview.mails) or "none is prepared"


def forced(capabilities: Capabilities) -> list[str]:
    """What an additional charge does through this provider whatever is asked for, in words."""
    name = capabilities.name
    said = []
    if capabilities.expiry is ExpiryPolicy.SYSTEM_MAX:
        said.append(f"{name} always sets the expiry to the system's largest date")
    elif capabilities.renew_expiry is OptionPolicy.FORCED_ON:
        said.append(f"{name} always renews the expiry")
    elif capabilities.renew_expiry is OptionPolicy.UNAVAILABLE:
        said.append(f"{name} never renews the expiry")
    if capabilities.send_step_mail is OptionPolicy.FORCED_ON:
        said.append(f"{name} always sends the step mails prepared for renewal")
    elif capabilities.send_step_mail is OptionPolicy.UNAVAILABLE:
        said.append(f"{name} never sends step mails")
    return said


def _explain(made: Charge, capabilities: Capabilities) -> None:
    blind = capabilities.lookup is Lookup.NONE
    if made.action_url and made.action_method == "GET":
        note(f"the customer has to act first, at {made.action_url}")
    elif made.action_url:
        note("the customer has to act first, on a page of yours that posts what charges.action gives")
    if made.state is ChargeState.PENDING and blind:
        note(f"the provider's notice brings the result; if none comes: paygate charges resolve {made.id}")
    elif made.state is ChargeState.PENDING:
        note(f"the result is still to come: paygate charges wait {made.id}")
    elif made.state is ChargeState.UNKNOWN:
        how = f"find out at the provider, then: paygate charges resolve {made.id}" if blind else "run paygate reconcile"
        note(f"money may have moved, do not charge again; {how}")
