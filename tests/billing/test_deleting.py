"""Deleting, and what of a contract is open, through the gateway (§6.23, §2.5)."""

from __future__ import annotations

import datetime as dt

import pytest

from paygate import JST, BankTransfer, Card, Customer, Money, NewContract, Plan, Product, ProductType, Status
from paygate.domain.contract import Actor
from paygate.errors import DeleteNotConfirmed, NotFound, PendingMoney, PermissionDenied
from paygate.testing import RefuseRefund, StayPending, Succeed


def yen(amount):
    return Money(amount, "JPY")


def delete(world, contract, **options):
    return world.gateway.contracts.delete(
        contract.id, **{"confirm": contract.id, "reason": "made by mistake", **options}
    )


@pytest.mark.rule("R-251", "R-252", "R-253", "R-254", "R-255", "R-263", "R-272", "T-93")
def test_deleting_returns_every_payment_and_leaves_only_a_tombstone(world):
    contract = world.contract("stripe")
    world.settled(contract, 500, send_step_mail=True)
    plan = world.gateway.contracts.preview_delete(contract.id)

    report = delete(world, contract)

    assert [decision.refund.amount for decision in plan.refunds] == [yen(3000), yen(500)]
    assert [refund.state.value for refund in report.refunds] == ["DONE", "DONE"]
    assert world.stripe.book.refunded() == 3500
    assert world.stripe.book.captured() == 3500
    with pytest.raises(NotFound):
        world.gateway.contracts.get(contract.id)
    gateway = world.gateway
    for rows in (gateway.ledger, gateway.charges, gateway.refunds, gateway.step_mails):
        assert rows.list(contract_id=contract.id).all() == []
    [stone] = gateway.audit.list(contract_id=contract.id).all()
    assert (stone.action, stone.reason) == ("delete", "made by mistake")
    assert "山田花子" not in str(stone)
    assert "example.com" not in str(stone)


@pytest.mark.rule("R-261", "R-262", "X-19")
@pytest.mark.parametrize("wrong", [{"confirm": ""}, {"confirm": "yes"}, {"reason": " "}])
def test_deleting_needs_the_id_and_a_reason_and_warns(world, wrong):
    contract = world.contract("stripe")

    with pytest.raises(DeleteNotConfirmed, match="To return money, cancel"):
        delete(world, contract, **wrong)

    assert world.gateway.contracts.get(contract.id) == contract
    assert world.stripe.calls == []


@pytest.mark.rule("R-258", "R-259", "B-133", "B-134")
def test_a_refused_refund_is_reported_and_stops_nothing(world):
    contract = world.contract("stripe")
    first, second = world.settled(contract, 500), world.settled(contract, 600)
    world.gateway.refunds.create(first.id)
    world.stripe.script_refund(RefuseRefund(), Succeed())

    report = delete(world, contract)

    assert [(refund.amount.minor, refund.state.value) for refund in report.refunds] == [(3000, "FAILED"), (600, "DONE")]
    assert second.id
    assert world.stripe.book.refunded() == 1100
    with pytest.raises(NotFound):
        world.gateway.contracts.get(contract.id)


@pytest.mark.rule("R-256", "R-257", "B-130", "B-131", "B-132")
@pytest.mark.parametrize(
    ("paid_at", "refunded"),
    [("2018-08-04T14:59:59+00:00", 0), ("2018-08-04T15:00:00+00:00", 12_000), ("2018-08-05T00:00:00+09:00", 12_000)],
)
def test_payments_up_to_the_cut_off_are_not_returned(world, paid_at, refunded):
    reference = world.stripe.charge_unasked("pm_1", yen(12_000))
    row = NewContract(
        "C-1", Customer("c"), world.one_off, Card("stripe", "pm_1"), dt.date(2018, 8, 1),
        last_paid_at=dt.datetime.fromisoformat(paid_at), reference=reference,
    )  # fmt: skip
    world.gateway.contracts.import_many([row])

    delete(world, world.gateway.contracts.get("C-1"))

    assert world.stripe.book.refunded() == refunded


@pytest.mark.rule("R-260", "B-135")
def test_without_a_card_nothing_is_sent_and_the_sum_is_reported(world):
    contract = world.gateway.contracts.create(Customer("cus_1"), world.plan, BankTransfer())
    world.gateway.contracts.confirm_payment(contract.id)

    report = delete(world, contract)

    assert (report.refunds, report.by_hand) == ((), yen(3000))


@pytest.mark.rule("R-265", "B-136")
def test_deleting_waits_for_money_that_is_under_way(world):
    contract = world.contract("univapay")
    world.univapay.next(StayPending())
    charge = world.charge(contract)
    with pytest.raises(PendingMoney):
        delete(world, contract)
    world.univapay.finish(charge.reference)
    world.deliver("univapay")

    world.univapay.script_refund(StayPending(3600), Succeed())
    with pytest.raises(PendingMoney, match="kept"):
        delete(world, contract)
    assert world.gateway.contracts.get(contract.id).status is Status.ACTIVE
    world.clock.advance(hours=2)
    world.gateway.billing.reconcile()
    delete(world, contract)

    assert world.univapay.book.refunded() == 8000


@pytest.mark.rule("R-264")
def test_the_provider_is_told_to_stop_before_anything_is_removed(world):
    contract = world.contract("telecom")

    report = delete(world, contract)

    assert [call.hook for call in world.telecom.calls] == ["stop_recurring"]
    assert report.by_hand == yen(3000)


@pytest.mark.rule("R-267")
def test_only_an_administrator_deletes(world):
    contract = world.contract("stripe")

    with pytest.raises(PermissionDenied):
        delete(world, contract, actor=Actor.customer("cus_1"))


def test_the_customer_stays_while_another_contract_knows_them(world):
    one, two = world.contract("stripe"), world.contract("stripe", token="pm_2")

    delete(world, one)

    assert world.gateway.contracts.details(two.id).customer.name == "山田花子"


@pytest.mark.rule("R-072", "R-074", "R-075", "R-079", "R-132", "B-040", "B-041")
def test_access_follows_status_licence_and_expiry(world):
    magazine = Plan.recurring("Mag", yen(800), products=(Product("mag", ProductType.MONTHLY_MAGAZINE),))
    contract = world.contract("stripe", plan=magazine)

    def months(on=None):
        return {opening.scope: opening.open for opening in world.gateway.contracts.access(contract.id, on=on)}

    assert months() == {"2026-01": True}
    world.clock.set(dt.datetime(2026, 2, 15, 3, 0, tzinfo=JST))
    world.gateway.billing.run()
    assert months() == {"2026-01": True, "2026-02": True}
    world.gateway.contracts.set_expiry(contract.id, dt.date(2026, 2, 20), reason="shorter")
    assert months(dt.datetime(2026, 2, 20, 23, 59, 59, tzinfo=JST))["2026-02"]
    assert not months(dt.datetime(2026, 2, 21, 0, 0, tzinfo=JST))["2026-02"]
    assert months(dt.datetime(2026, 2, 21, 0, 0, tzinfo=JST))["2026-01"]
