"""What making a contract would do: decided the same way for the preview and for the contract itself."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import attrs

from ..clock import business_date
from ..domain.contract import Actor, Card, Customer, Payment, Plan
from ..domain.creation import Creation, decide_creation
from ..domain.metadata import checked_metadata
from ..errors import InvalidValue
from .services import Services

__all__ = ["check_parts", "decide", "preview"]


def check_parts(customer: object, plan: object, payment: object) -> None:
    """Refuse what is no customer, plan or payment.

    :raises InvalidValue: with the name of the argument.
    """
    for name, value, kind in (("customer", customer, Customer), ("plan", plan, Plan), ("payment", payment, Payment)):
        if not isinstance(value, kind):
            raise InvalidValue(
                f"{name} must be a paygate {getattr(kind, '__name__', 'Card, BankTransfer or Manual')}, got {value!r}"
            )


def decide(
    services: Services,
    customer: Customer,
    plan: Plan,
    payment: Payment,
    *,
    start_on: dt.date | None,
    contract_id: str,
    paid: bool,
    subscription: str | None,
    started_elsewhere: bool,
    metadata: Mapping[str, str] | None,
    actor: Actor,
) -> Creation:
    """The contract that may be made now, and what is due; raises what :func:`~paygate.domain.creation.decide_creation` raises."""
    account = services.plugins.account(payment.account) if isinstance(payment, Card) else None
    now = services.now()  # once: midnight may fall between two readings
    creation = decide_creation(
        customer,
        plan,
        payment,
        start_on or business_date(now, services.rules.zone),
        account.capabilities if account is not None else None,
        services.rules,
        now,
        actor,
        contract_id=contract_id,
        paid=paid,
        mode=account.mode if account is not None else None,
        subscription=subscription,
        elsewhere=started_elsewhere,
    )
    return attrs.evolve(creation, contract=attrs.evolve(creation.contract, metadata=checked_metadata(metadata)))


async def preview(
    services: Services,
    customer: Customer,
    plan: Plan,
    payment: Payment,
    *,
    start_on: dt.date | None,
    contract_id: str | None,
    paid: bool,
    subscription: str | None,
    started_elsewhere: bool,
    metadata: Mapping[str, str] | None,
    actor: Actor,
) -> Creation:
    """What making this contract would do; nothing is read from the database, written or sent (R-272)."""
    check_parts(customer, plan, payment)
    return decide(
        services, customer, plan, payment, start_on=start_on, contract_id=contract_id or services.new_id(), paid=paid,
        subscription=subscription, started_elsewhere=started_elsewhere, metadata=metadata, actor=actor,
    )  # fmt: skip
