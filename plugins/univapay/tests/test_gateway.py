"""The plugin inside a gateway: from the button to the ledger, over the emulated UnivaPay."""

from __future__ import annotations

import datetime as dt
from urllib.parse import urlencode

import pytest

from paygate import Card, ChargeState, Customer, Cycle, Gateway, Money, Plan, RefundState
from paygate.flow import Request
from paygate.testing.emulators import Fault, FaultKind, When

URL = "https://api.univapay.com"


@pytest.fixture
def gateway(shop):
    with Gateway(
        database="sqlite://",
        providers={"univapay": shop.provider},
        clock=shop.clock,
        mounts={URL: shop.emulator.handle},
    ) as opened:
        yield opened


@pytest.fixture
def contract(gateway, shop):
    made = gateway.contracts.create(
        customer=Customer("cus_42", email="hanako@example.com"),
        plan=Plan.recurring("Gold", price=Money(3000, "JPY"), cycle=Cycle.MONTHLY),
        payment=Card("univapay", token=shop.card),
        start_on=dt.date(2026, 11, 22),
    )
    shop.clock.advance(minutes=1)
    return made


def charge(gateway, contract, amount=5000, key="order-77"):
    return gateway.charges.create(contract.id, Money(amount, "JPY"), consent="phone", idempotency_key=key)


@pytest.mark.rule("R-175", "R-194", "R-269")
def test_a_charge_stays_pending_until_the_webhook_says_that_it_succeeded(gateway, contract, shop):
    shop.emulator.add_webhook("https://shop.example/hooks", shop.settings.webhook_auth_token)
    shop.emulator.behaviour.pending = None
    shop.emulator.outbox.duplicate = True

    left = charge(gateway, contract)
    shop.emulator.settle(left.reference)
    delivered = shop.emulator.deliver(lambda one: gateway.webhooks.receive("univapay", one.headers, one.body) and None)

    assert left.state is ChargeState.PENDING
    assert delivered == 2
    assert gateway.charges.get(left.id).state is ChargeState.SUCCEEDED
    assert shop.book.captured(left.reference) == 5000


@pytest.mark.rule("R-193", "B-114")
def test_a_charge_whose_answers_were_lost_is_unknown_and_reconciled_without_charging_again(gateway, contract, shop):
    shop.emulator.faults.add(Fault(FaultKind.TIMEOUT, When.AFTER), times=3, match="POST /charges")

    lost = charge(gateway, contract)
    shop.clock.advance(minutes=5)
    gateway.billing.reconcile()

    assert lost.state is ChargeState.UNKNOWN
    assert gateway.charges.get(lost.id).state is ChargeState.SUCCEEDED
    assert [row.amount.minor for row in shop.book.captures].count(5000) == 1


@pytest.mark.rule("R-190", "B-101")
def test_the_same_key_again_sends_nothing(gateway, contract, shop):
    first = charge(gateway, contract)
    sent = len(shop.emulator.requests)

    assert charge(gateway, contract).id == first.id
    assert len(shop.emulator.requests) == sent


@pytest.mark.rule("R-248")
def test_a_refund_over_the_balance_limit_changes_nothing(gateway, contract, shop):
    shop.emulator.behaviour.refund_balance = 100
    done = charge(gateway, contract)

    refused = gateway.refunds.create(done.id, Money(2000, "JPY"), idempotency_key="rma-9")
    shop.emulator.behaviour.refund_balance = None
    accepted = gateway.refunds.create(done.id, Money(2000, "JPY"), idempotency_key="rma-10")

    assert refused.state is RefundState.FAILED
    assert accepted.state is RefundState.DONE
    assert shop.book.refunded() == 2000


@pytest.mark.rule("R-310", "R-311")
@pytest.mark.parametrize("look_first", [True, False])
def test_two_charges_of_one_attempt_are_one_payment_and_one_discrepancy(gateway, contract, shop, look_first):
    shop.emulator.add_webhook("https://shop.example/hooks", shop.settings.webhook_auth_token)
    shop.emulator.behaviour.key_store_down = True
    shop.emulator.behaviour.duplicate_window = None
    shop.emulator.faults.add(Fault(FaultKind.TIMEOUT, When.AFTER), times=1, match="POST /charges")

    twice = charge(gateway, contract)
    shop.clock.advance(minutes=5)
    if look_first:
        gateway.billing.reconcile()
    for _ in range(2):
        shop.emulator.deliver(lambda one: gateway.webhooks.receive("univapay", one.headers, one.body) and None)
        gateway.billing.reconcile()

    rows = [row for row in gateway.ledger.list() if row.charge_id == twice.id]
    found = list(gateway.charges.discrepancies())
    taken = [row.reference for row in shop.book.captures if row.attempt == twice.id]
    assert len(taken) == 2
    assert gateway.charges.get(twice.id).state is ChargeState.SUCCEEDED
    assert sum(row.amount.minor for row in rows) == 5000
    assert [one.unbooked for one in found] == [5000]
    assert {found[0].our_reference, found[0].their_reference} == set(taken)


@pytest.mark.rule("R-335", "R-336")
@pytest.mark.parametrize("confirms", [True, False])
def test_an_additional_charge_that_needs_the_customer_waits_and_ends(gateway, contract, shop, confirms):
    shop.emulator.behaviour.three_ds_required = True
    shop.emulator.behaviour.customer_patience = 10 * 86_400.0  # how long UnivaPay itself waits is not documented
    waiting = charge(gateway, contract)
    (listed,) = gateway.reports.requires_action()
    shop.clock.advance(hours=20)
    early = gateway.billing.reconcile()
    if confirms:
        shop.emulator.customer_returns(waiting.reference, passed=True)
    shop.clock.advance(hours=60)
    gateway.billing.reconcile()
    shop.clock.advance(minutes=10)  # a cancel takes its time
    gateway.billing.reconcile()
    ended = gateway.charges.get(waiting.id)

    assert (listed.id, listed.state) == (waiting.id, ChargeState.PENDING)
    assert early.requires_action == (waiting.id,)
    assert ended.state is (ChargeState.SUCCEEDED if confirms else ChargeState.FAILED)
    assert ended.failure is None if confirms else ended.failure.code == "action_expired"
    assert [row.amount.minor for row in shop.book.captures].count(5000) == (1 if confirms else 0)


@pytest.mark.rule("R-342", "R-335")
def test_a_page_of_the_shop_that_posts_what_it_is_given_lets_the_customer_confirm(shop):
    page = "https://shop.example/confirm/{charge_id}"
    with Gateway(
        database="sqlite://", providers={"univapay": shop.provider}, clock=shop.clock, action_page=page,
        mounts={URL: shop.emulator.handle},
    ) as gateway:  # fmt: skip
        made = gateway.contracts.create(
            Customer("cus_42"), Plan.recurring("Gold", Money(3000, "JPY")), Card("univapay", token=shop.card)
        )
        shop.clock.advance(minutes=1)
        gateway.billing.reconcile()
        shop.emulator.behaviour.three_ds_required = True
        waiting = charge(gateway, made)
        action = gateway.charges.action(waiting.id)

        opened = shop.emulator.handle(Request("GET", action.url))
        form = urlencode(action.fields).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        posted = shop.emulator.handle(Request(action.method, action.url, headers, form))
        shop.clock.advance(minutes=1)
        gateway.billing.reconcile()

        assert (action.method, action.link) == ("POST", page.format(charge_id=waiting.id))
        assert opened.status >= 400
        assert posted.status < 400
        assert gateway.charges.get(waiting.id).state is ChargeState.SUCCEEDED
