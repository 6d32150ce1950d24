"""The product's end of a running contract: set, moved, cleared, and told to both sides (R-067, R-389)."""

import datetime as dt

import attrs
import pytest

from paygate import JST, Actor, BankTransfer, Customer, Money, Plan, Product, ProductType, Status
from paygate.domain.contract import CancellationOrigin
from paygate.domain.subscription import SubscriptionState
from paygate.errors import InvalidValue, NotFound, OperationNotAllowed

HANAKO = Customer("cus_hanako", "山田花子", "hanako@example.com")
GOLD = Plan.recurring(
    "Gold",
    Money(3000, "JPY"),
    products=(Product("mag", ProductType.MONTHLY_MAGAZINE), Product("school", ProductType.MONTHLY_SCHOOL)),
)
ENDING = attrs.evolve(GOLD, products=tuple(attrs.evolve(one, end_month="2026-02") for one in GOLD.products))


def at(world, text):
    world.clock.set(dt.datetime.fromisoformat(text).replace(tzinfo=JST))


def told(world):
    return [
        (n.notice.kind.value, n.notice.audience.value, n.notice.facts.get("effective_on"))
        for n in world.observer.of("notice")
    ]


def now(world, contract):
    return world.gateway.contracts.get(contract.id)


BOTH = [
    ("cancellation_scheduled", "customer", dt.date(2026, 3, 15)),
    ("cancellation_scheduled", "admin", dt.date(2026, 3, 15)),
]


@pytest.mark.rule("R-067", "R-389", "X-07")
@pytest.mark.parametrize("account", ["stripe", None])
def test_both_sides_are_told_when_the_products_final_period_begins(world, account):
    if account:
        contract = world.contract(account, plan=ENDING)
    else:
        contract = world.gateway.contracts.create(HANAKO, ENDING, BankTransfer())
        world.gateway.contracts.confirm_payment(contract.id)
        world.observer.heard.clear()
    at(world, "2026-02-15T03:00:00")

    world.gateway.billing.run()
    world.gateway.billing.run()

    assert now(world, contract).status is Status.CANCEL_SCHEDULED
    assert [one for one in told(world) if one[0] == "cancellation_scheduled"] == BOTH


@pytest.mark.rule("R-071", "R-389")
def test_both_sides_are_told_when_a_contract_is_made_in_the_final_month(world):
    plan = attrs.evolve(GOLD, products=tuple(attrs.evolve(one, end_month="2026-01") for one in GOLD.products))

    contract = world.gateway.contracts.create(HANAKO, plan, BankTransfer())
    world.observer.heard.clear()
    world.gateway.contracts.confirm_payment(contract.id)

    assert [one[0] for one in told(world)] == ["cancellation_scheduled"] * 2


@pytest.mark.rule("R-389", "R-067")
def test_a_final_month_that_is_set_ahead_ends_the_contract_with_it(world):
    contract = world.contract("stripe", plan=GOLD)

    world.gateway.contracts.set_product_end(contract.id, "2026-02", product="mag", reason="last issue")

    assert now(world, contract).status is Status.ACTIVE
    assert [one.end_month for one in now(world, contract).plan.products] == ["2026-02", None]
    (record,) = [one for one in world.gateway.audit.list(contract_id=contract.id) if one.action == "set_product_end"]
    assert (record.after["end_month"], record.after["product"], record.reason) == ("2026-02", "mag", "last issue")
    for day in ("2026-02-15", "2026-03-15"):
        at(world, f"{day}T03:00:00")
        world.gateway.billing.run()
    assert (now(world, contract).status, now(world, contract).ended_on) == (Status.TERMINATED, dt.date(2026, 3, 15))
    assert world.stripe.book.captured() == 6000


@pytest.mark.rule("R-389", "R-068", "T-77")
def test_a_final_month_that_is_running_schedules_the_end_at_once_and_clearing_it_lets_the_contract_run_on(world):
    contract = world.contract("stripe", plan=GOLD)

    ended = world.gateway.contracts.set_product_end(contract.id, "2026-01")
    assert (ended.contract.status, ended.effective_on) == (Status.CANCEL_SCHEDULED, dt.date(2026, 2, 15))
    assert ended.contract.cancellation.origin is CancellationOrigin.PRODUCT_END
    assert [one[:2] for one in told(world)] == [
        ("cancellation_scheduled", "customer"), ("cancellation_scheduled", "admin"),
    ]  # fmt: skip
    world.observer.heard.clear()

    cleared = world.gateway.contracts.set_product_end(contract.id, None)
    assert (cleared.contract.status, cleared.contract.cancellation) == (Status.ACTIVE, None)
    assert [one[0] for one in told(world)] == ["cancellation_revoked"] * 2
    at(world, "2026-02-15T03:00:00")
    assert world.gateway.billing.run().renewed == 1


@pytest.mark.rule("R-389", "R-069")
def test_notice_that_somebody_gave_stays_when_the_products_end_is_cleared(world):
    contract = world.contract("stripe", plan=GOLD)
    world.gateway.contracts.schedule_cancellation(contract.id)
    world.gateway.contracts.set_product_end(contract.id, "2026-06")

    world.gateway.contracts.set_product_end(contract.id, None)

    assert now(world, contract).cancellation.origin is CancellationOrigin.ADMIN


@pytest.mark.rule("R-389", "R-069")
@pytest.mark.parametrize(
    ("by_customer", "origin"), [(False, CancellationOrigin.ADMIN), (True, CancellationOrigin.CUSTOMER)]
)
def test_notice_that_came_before_the_products_end_is_what_is_left_when_that_is_cleared(world, by_customer, origin):
    contract = world.contract("stripe", plan=GOLD)
    actor = Actor.customer(contract.customer_id) if by_customer else Actor.admin()
    given = world.gateway.contracts.schedule_cancellation(contract.id, actor=actor).contract.cancellation
    ended = world.gateway.contracts.set_product_end(contract.id, "2026-01").contract
    assert (ended.cancellation.origin, ended.cancellation.by) == (CancellationOrigin.PRODUCT_END, actor)

    cleared = world.gateway.contracts.set_product_end(contract.id, None).contract

    assert (cleared.status, cleared.cancellation) == (Status.CANCEL_SCHEDULED, given)
    assert given.origin is origin
    at(world, "2026-02-15T03:00:00")
    world.gateway.billing.run()
    assert now(world, contract).status is Status.TERMINATED


@pytest.mark.rule("R-389", "R-388")
def test_a_product_end_is_not_cleared_while_its_final_period_is_marked_as_unpaid(world):
    contract = world.gateway.contracts.create(HANAKO, GOLD, BankTransfer())
    world.gateway.contracts.confirm_payment(contract.id)
    at(world, "2026-02-15T03:00:00")
    world.gateway.billing.run()
    world.gateway.contracts.set_product_end(contract.id, "2026-02")
    world.gateway.contracts.mark_unpaid(contract.id, dt.date(2026, 2, 15))

    with pytest.raises(OperationNotAllowed, match="2026-02-15") as refusal:
        world.gateway.contracts.set_product_end(contract.id, None)

    assert refusal.value.rule == "R-388"
    world.gateway.contracts.mark_paid(contract.id, dt.date(2026, 2, 15))
    assert world.gateway.contracts.set_product_end(contract.id, None).contract.status is Status.ACTIVE


@pytest.mark.rule("R-389", "R-130")
def test_a_provider_that_was_told_of_the_end_is_told_that_it_goes_on(renewing):
    contract = renewing.contract("stripe", plan=GOLD)
    renewing.gateway.contracts.set_product_end(contract.id, "2026-01")
    renewing.gateway.billing.reconcile()
    assert now(renewing, contract).subscription.state is SubscriptionState.ENDING
    renewing.stripe.calls.clear()

    renewing.gateway.contracts.set_product_end(contract.id, None)

    assert now(renewing, contract).subscription.state is SubscriptionState.RUNNING
    assert [call.hook for call in renewing.stripe.calls] == ["resume_recurring"]


@pytest.mark.rule("R-389", "R-071")
@pytest.mark.parametrize("month", ["2025-12", "2026-13", "2026-1", "december", 202612])
def test_a_month_that_is_none_or_lies_before_the_period_that_is_served_is_refused(world, month):
    contract = world.contract("stripe", plan=GOLD)

    with pytest.raises(InvalidValue):
        world.gateway.contracts.set_product_end(contract.id, month)

    assert now(world, contract) == contract


@pytest.mark.rule("R-389")
def test_only_products_of_a_recurring_contract_can_end(world):
    without = world.contract("stripe")
    bought = world.contract("stripe", plan=world.one_off, customer="cus_2")
    gold = world.contract("stripe", plan=GOLD, customer="cus_3")

    with pytest.raises(OperationNotAllowed, match="names no product"):
        world.gateway.contracts.set_product_end(without.id, "2026-12")
    with pytest.raises(OperationNotAllowed):
        world.gateway.contracts.set_product_end(bought.id, "2026-12")
    with pytest.raises(NotFound, match="mag, school"):
        world.gateway.contracts.set_product_end(gold.id, "2026-12", product="book")
