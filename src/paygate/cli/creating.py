"""``paygate contracts create``: a new contract; its first payment is shown and asked for before anything is sent (R-418)."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import attrs
import click

from ..domain.charge import ChargeState
from ..domain.contract import BankTransfer, Card, Customer, Cycle, Manual, Payment, Plan, Product, ProductType
from ..errors import DatabaseMissing, NotFound
from ..money import Money
from .new_card import token_of
from .output import cell, facts, metadata_facts, note
from .params import DAY, MONTH, YEN, metadata_option
from .repeats import again_option, key_of, once_more, stem_of, typed_texts
from .session import Session, json_option, yes_option
from .wording import named, people

if TYPE_CHECKING:
    from ..domain.contract import Contract
    from ..domain.creation import Creation
    from ..gateway import Gateway

__all__ = ["create"]

#: Contracts of one command that are looked for; nobody means the same more often.
_MOST = 100


@attrs.frozen
class _Made:
    """A contract, or the payment that should make it, as an attempt of this command."""

    idempotency_key: str
    state: ChargeState
    created_at: dt.datetime
    contract_id: str


@click.command()
@click.argument("customer")
@click.argument("plan")
@click.argument("price", type=YEN)
@click.option(
    "--cycle", type=click.Choice(Cycle, case_sensitive=False), help="Renews so often; without it a one-off sale."
)
@click.option("--name", default="", help="The customer's name.")
@click.option("--email", default="", help="The customer's e-mail address.")
@click.option("--card", "account", metavar="ACCOUNT", help="Paid by a stored card through this account.")
@click.option(
    "--token", help="The provider's reference of the card; asked for unseen if left out, - reads it from input."
)
@click.option("--bank-transfer", "by_transfer", is_flag=True, help="Paid by bank transfer.")
@click.option("--manual", is_flag=True, help="Paid in some other way, kept by hand.")
@click.option("--paid", is_flag=True, help="With --manual or --bank-transfer: the first payment has been received.")
@click.option("--start", "start_on", type=DAY, help="The first day; by default today.")
@click.option("--initial-fee", type=YEN, help="Charged once, at the beginning.")
@click.option("--special-price", type=YEN, help="The price of the first periods.")
@click.option("--special-periods", type=click.IntRange(1, 9999), help="For so many of them.")
@click.option(
    "--product", "products", multiple=True, metavar="CODE:TYPE", help="What is opened; may be given repeatedly."
)
@click.option("--product-end", type=MONTH, help="The products' final month, for example 2027-03.")
@click.option("--id", "contract_id", help="Your own id of the contract; by default one is made.")
@click.option("--subscription", help="The provider's id of a subscription that was started there.")
@click.option("--started-elsewhere", is_flag=True, help="The provider's subscription was started, and has no id.")
@click.option("--idempotency-key", help="Your own key, for example an order's: it makes one contract at most.")
@metadata_option("A text of your own to find it by; may be given repeatedly.")
@again_option
@yes_option
@json_option
@click.pass_context
def create(
    ctx: click.Context,
    customer: str,
    plan: str,
    price: Money,
    cycle: Cycle | None,
    name: str,
    email: str,
    account: str | None,
    token: str | None,
    start_on: dt.date | None,
    initial_fee: Money | None,
    special_price: Money | None,
    special_periods: int | None,
    products: tuple[str, ...],
    product_end: str | None,
    contract_id: str | None,
    subscription: str | None,
    idempotency_key: str | None,
    metadata: dict[str, str] | None,
    *,
    by_transfer: bool,
    manual: bool,
    paid: bool,
    started_elsewhere: bool,
    again: bool,
    yes: bool,
) -> None:
    """Make a contract of CUSTOMER (your id) for PLAN at PRICE yen.

    What is charged now is shown first, and nothing is sent before you agree. A card whose first payment is declined makes
    no contract. The same command given again within 20 hours makes no second contract, so that it can be repeated after a
    crash; --again makes another one.
    """
    session = ctx.ensure_object(Session)
    session.require_yes(yes=yes)
    if again and contract_id is not None:
        raise click.UsageError("--again makes another contract, which needs another --id; leave one of them out")
    sold = _plan(plan, price, cycle, initial_fee, special_price, special_periods, _products(products, product_end))
    payment = _payment(account, token, by_transfer=by_transfer, manual=manual)
    who = Customer(customer, name, email)
    typed = (
        customer, str(sold), str(type(payment).__name__), account, _digest(payment), start_on, contract_id,
        subscription, paid, started_elsewhere, *typed_texts(metadata),
    )  # fmt: skip
    command = "contracts create"
    options = {
        "start_on": start_on,
        "paid": paid,
        "subscription": subscription,
        "started_elsewhere": started_elsewhere,
        "metadata": metadata,
        "actor": session.actor,
    }
    with session.gateway() as gateway:
        before = list(_before(gateway, stem_of(command, typed), contract_id, idempotency_key))
        now = gateway.clock.now()
        key, made = key_of(command, typed, before, now, given=idempotency_key, again=again)
        if made is not None and idempotency_key is None:
            note(
                f"the same command made contract {made.contract_id} at {cell(made.created_at)}: nothing more is charged; "
                "add --again to make another one"
            )
            if once_more(yes=yes):
                key, made = key_of(command, typed, before, now, given=None, again=True)
        if made is None:
            creation = gateway.contracts.preview_create(who, sold, payment, contract_id=contract_id, **options)  # type: ignore[arg-type]
            if not session.json:
                _print_preview(who, creation)
            session.confirm(_question(creation), yes=yes)
        with session.waiting(f"making the contract of {customer}"):
            contract = gateway.contracts.create(
                who, sold, payment, contract_id=contract_id, idempotency_key=key, **options  # type: ignore[arg-type]
            )  # fmt: skip
    session.show(contract, lambda: _print(contract))


def _before(gateway: Gateway, stem: str, contract_id: str | None, key: str | None) -> Iterator[_Made]:
    """What this command has made before: payments, with or without a contract, and contracts that nothing was paid for."""
    for number in range(1, _MOST):
        its_key = key or f"{stem}{number}"
        # without an id of the caller's own the contract takes one that is made of the key
        made_id = contract_id or hashlib.sha256(its_key.encode()).hexdigest()[:32]
        with contextlib.suppress(DatabaseMissing):
            found = list(_attempts(gateway, made_id, its_key))
            yield from found
            if found and not contract_id and not key:
                continue
        return


def _attempts(gateway: Gateway, contract_id: str, key: str) -> Iterator[_Made]:
    charges = gateway.charges.list(contract_id=contract_id).all()
    for one in charges:
        yield _Made(one.idempotency_key, one.state, one.created_at, contract_id)
    if not charges:
        with contextlib.suppress(NotFound):
            contract = gateway.contracts.get(contract_id)
            yield _Made(key, ChargeState.SUCCEEDED, contract.applied_at, contract_id)


def _digest(payment: Payment) -> str:
    """A card by its reference, which is no part of the key itself."""
    return hashlib.sha256(payment.token.encode()).hexdigest() if isinstance(payment, Card) else ""


def _plan(
    name: str,
    price: Money,
    cycle: Cycle | None,
    initial_fee: Money | None,
    special_price: Money | None,
    special_periods: int | None,
    products: tuple[Product, ...],
) -> Plan:
    if (special_price is None) is not (special_periods is None):
        raise click.UsageError("--special-price and --special-periods go together")
    if cycle is not None:
        return Plan.recurring(
            name, price, cycle, initial_fee=initial_fee, special_price=special_price,
            special_periods=special_periods or 0, products=products,
        )  # fmt: skip
    if initial_fee is not None or special_price is not None:
        raise click.UsageError("a one-off sale has one price; name a --cycle, or leave out fee and special price")
    return Plan.one_off(name, price, products=products)


def _products(given: tuple[str, ...], end_month: str | None) -> tuple[Product, ...]:
    """``CODE:TYPE``, for example ``news:MONTHLY_ALL_ACCESS``."""
    if end_month is not None and not given:
        raise click.UsageError("--product-end needs a --product")
    found = []
    for text in given:
        code, colon, kind = text.rpartition(":")
        if not colon or not code or kind.upper() not in ProductType.__members__:
            known = ", ".join(ProductType.__members__)
            raise click.BadParameter(f"{text!r}: write CODE:TYPE, the type one of {known}", param_hint="'--product'")
        found.append(Product(code, ProductType[kind.upper()], end_month))
    return tuple(found)


def _payment(account: str | None, token: str | None, *, by_transfer: bool, manual: bool) -> Payment:
    if (account is not None) + by_transfer + manual != 1:
        raise click.UsageError("say how it is paid: --card ACCOUNT, --bank-transfer or --manual")
    if account is not None:
        return Card(account, token_of(token))
    if token is not None:
        raise click.UsageError("--token goes with --card")
    return BankTransfer() if by_transfer else Manual()


def _question(creation: Creation) -> str:
    if creation.charge_now:
        return f"Charge {creation.due} to the card of {creation.contract.customer_id} now and make the contract?"
    return "Make the contract? Nothing is charged now."


def _print_preview(customer: Customer, creation: Creation) -> None:
    """What is about to happen, on standard error because it is not the result."""
    contract, plan = creation.contract, creation.contract.plan
    pairs: list[tuple[str, object]] = [
        ("Customer", f"{customer.name} ({customer.id})" if customer.name else customer.id),
        ("E-mail", customer.email),
        ("Plan", f"{plan.name}, {plan.price} {named(plan.cycle) if plan.cycle else people('once')}"),
        *((("Initial fee", plan.initial_fee),) if plan.initial_fee else ()),
        *(
            (("Special price", f"{plan.special_price} for {plan.special_periods} period(s)"),)
            if plan.special_price
            else ()
        ),
        *(("Opens", f"{one.code}, {named(one.type)}") for one in plan.products),
        ("Paid by", f"card through account {contract.account}" if contract.account else contract.method),
        ("Start", contract.start_on),
        *metadata_facts(contract.metadata),
        ("Charged now", creation.due if creation.charge_now else "nothing"),
        *((("To be received", creation.due),) if creation.due and not creation.charge_now else ()),
    ]
    facts("About to make a contract", pairs, stream=sys.stderr)


def _print(contract: Contract) -> None:
    facts(
        f"Contract {contract.id}",
        [
            ("Customer", contract.customer_id),
            ("Plan", contract.plan.name),
            ("Paid by", contract.account or contract.method),
            ("Status", contract.status),
            ("Start", contract.start_on),
            ("Expires", contract.expires_on),
            ("Subscription", contract.subscription and contract.subscription.state),
        ],
    )
