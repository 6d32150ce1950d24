"""What a type checker says about the public face; checked by ``make types``, never run."""

import datetime as dt
from typing import assert_type

from paygate import (
    AsyncGateway,
    BankTransfer,
    Capabilities,
    Card,
    Charge,
    ChargeState,
    Contract,
    Customer,
    Cycle,
    Gateway,
    Manual,
    Money,
    Plan,
    Refund,
    Status,
)
from paygate.billing.charges import ChargePreview
from paygate.billing.contracts import ContractDetails
from paygate.billing.reconcile import Reconciliation
from paygate.billing.webhooks import Receipt
from paygate.domain.audit import AuditRecord
from paygate.domain.ledger import LedgerEntry
from paygate.domain.mails import StepMail
from paygate.domain.operations import Offer
from paygate.gateway.cursor import AsyncCursor, Cursor
from paygate.plugins.account import Account


def values() -> None:
    price = Money(3000, "JPY")
    assert_type(price.minor, int)
    plan = Plan.recurring("Gold", price=price, cycle=Cycle.MONTHLY)
    assert_type(plan, Plan)
    assert_type(plan.cycle, Cycle | None)
    Money(29.99, "JPY")  # type: ignore[arg-type]  # money is whole minor units


def sync_face(gateway: Gateway) -> None:
    contract = gateway.contracts.create(
        customer=Customer("cus_42"),
        plan=Plan.recurring("Gold", price=Money(3000, "JPY")),
        payment=Card("univapay", "tok_1"),
        start_on=dt.date(2026, 11, 22),
    )
    assert_type(contract, Contract)
    assert_type(contract.status, Status)
    assert_type(contract.expires_on, dt.date | None)
    assert_type(gateway.contracts.details(contract.id), ContractDetails)
    assert_type(gateway.contracts.operations(contract.id), tuple[Offer, ...])
    assert_type(gateway.contracts.list(status=Status.ACTIVE), Cursor[Contract])
    for each in gateway.contracts.list():
        assert_type(each, Contract)

    assert_type(gateway.charges.preview(contract.id, Money(5000, "JPY")), ChargePreview)
    charge = gateway.charges.create(contract.id, Money(5000, "JPY"), renew_expiry=False, consent="phone")
    assert_type(charge, Charge)
    assert_type(charge.state, ChargeState)
    assert_type(gateway.charges.wait(charge.id, timeout=60), Charge)
    assert_type(gateway.refunds.create(charge.id), Refund)
    assert_type(gateway.ledger.list(contract_id=contract.id), Cursor[LedgerEntry])
    assert_type(gateway.ledger.net(contract.id), Money)
    assert_type(gateway.step_mails.list(), Cursor[StepMail])
    assert_type(gateway.audit.list(), Cursor[AuditRecord])
    assert_type(gateway.billing.reconcile(), Reconciliation)
    assert_type(gateway.webhooks.receive("univapay", {}, b""), Receipt)
    assert_type(gateway.providers.get("univapay"), Account)
    assert_type(gateway.providers.get("univapay").capabilities, Capabilities)

    gateway.charges.create(contract.id, 5000)  # type: ignore[arg-type]  # an amount has a currency
    gateway.charges.create(contract.id, Money(5000, "JPY"), True)  # type: ignore[call-arg]  # options have names


async def async_face(gateway: AsyncGateway) -> None:
    contract = await gateway.contracts.create(
        Customer("cus_42"), Plan.one_off("Seminar", price=Money(20_000, "JPY")), BankTransfer()
    )
    assert_type(contract, Contract)
    await gateway.contracts.create(Customer("cus_43"), contract.plan, Manual(), paid=True)
    assert_type(await gateway.contracts.confirm_payment(contract.id), Contract)
    assert_type(await gateway.charges.create(contract.id, Money(1, "JPY")), Charge)
    assert_type(gateway.charges.list(), AsyncCursor[Charge])
    async for each in gateway.charges.list():
        assert_type(each, Charge)


def scopes() -> None:
    with Gateway.open("paygate.toml") as gateway:
        assert_type(gateway, Gateway)
