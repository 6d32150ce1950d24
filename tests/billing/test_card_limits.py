"""A card is counted over all its contracts: limits, waits and final refusals hold for every attempt on it (§6.15)."""

from __future__ import annotations

import datetime as dt
import threading

import pytest

from paygate import JST, Card, Customer, Gateway, Money, Purpose, Status
from paygate.billing.running import Work
from paygate.domain.retry_schedule import RetrySchedule
from paygate.errors import CardHeldBack
from paygate.provider import DeclineClass
from paygate.testing import Decline, Succeed

TOKEN = "tok_shared"
SOFT = Decline("insufficient_funds", network="visa")
STOLEN = Decline("stolen_card", network="visa")


def at(world, text):
    world.clock.set(dt.datetime.fromisoformat(text).replace(tzinfo=JST))


def attempts(world, since=None):
    """When the card was charged, first payments aside."""
    return [
        charge.created_at
        for charge in world.gateway.charges.list()
        if charge.kind.value != "INITIAL" and (since is None or charge.created_at >= since)
    ]


def most_in_30_days(moments):
    window = dt.timedelta(days=30)
    return max(sum(start <= moment < start + window for moment in moments) for start in moments)


def on_one_card(world, number):
    return [world.contract("stripe", customer=f"cus_{n}", token=TOKEN) for n in range(number)]


def daily(world):
    """The same shop with a retry every day."""
    world.gateway.close()
    world.options["schedules"] = {"stripe": RetrySchedule((1,) * 25)}
    world.gateway = Gateway(**world.options)


@pytest.mark.rule("R-331")
def test_nine_contracts_on_one_visa_card_keep_the_limit_of_the_card(world):
    daily(world)
    contracts = on_one_card(world, 9)
    world.stripe.script_for(TOKEN, SOFT)
    at(world, "2026-02-15T03:00:00")

    held = []
    for _ in range(40):
        held.append(world.gateway.billing.run().held_back)
        world.clock.advance(days=1)

    # the first attempt is no reattempt: 15 more are allowed within 30 days
    assert most_in_30_days(attempts(world)) <= 16
    assert max(held) == 9
    assert {world.gateway.contracts.get(contract.id).status for contract in contracts} == {Status.PAST_DUE}


@pytest.mark.rule("R-331")
def test_a_run_says_what_it_held_back_why_and_until_when(world):
    daily(world)
    *_, last = on_one_card(world, 2)
    world.stripe.script_for(TOKEN, SOFT)
    at(world, "2026-02-15T03:00:00")
    while (report := world.gateway.billing.run()).held_back < 2:
        world.clock.advance(days=1)

    assert report.held_back == len(report.reasons) == 2
    item = next(item for item in report.reasons if item.contract_id == last.id)
    assert (item.account, item.rule, item.network) == ("stripe", "visa-30-days", "visa")
    assert item.until is not None
    assert item.until > world.clock.now()
    planned = [step for step in world.gateway.billing.plan() if step.contract_id == last.id]
    assert [(step.work, step.charge) for step in planned] == [(Work.NOTHING, None)]
    assert planned[0].why.startswith("not charged before 2026-03-17")
    assert "visa-30-days" in planned[0].why


def past_the_limit(world):
    """Two contracts on a card that has been declined sixteen times in a row for the first; the second renews now."""
    daily(world)
    world.contract("stripe", customer="cus_first", token=TOKEN)
    at(world, "2026-02-03T03:00:00")
    second = world.contract("stripe", customer="cus_second", token=TOKEN)
    world.stripe.script_for(TOKEN, SOFT)
    at(world, "2026-02-15T03:00:00")
    for _ in range(16):
        assert world.gateway.billing.run().failed == 1
        world.clock.advance(days=1)
    world.stripe.calls.clear()
    world.observer.heard.clear()
    return second


@pytest.mark.rule("R-331", "R-145")
def test_a_first_attempt_that_a_limit_forbids_makes_past_due_and_is_made_when_the_limit_allows_it(world):
    second = past_the_limit(world)
    assert world.clock.now().astimezone(JST).date() == dt.date(2026, 3, 3)

    report = world.gateway.billing.run()

    after = world.gateway.contracts.get(second.id)
    assert (report.renewed, report.failed, report.held_back) == (0, 0, 2)
    assert (after.status, after.past_due.failures) == (Status.PAST_DUE, 0)
    assert [call.hook for call in world.stripe.calls] == []
    told = [n.notice for n in world.observer.of("notice") if n.notice.contract_id == second.id]
    assert {(n.kind.value, n.audience.value) for n in told} == {
        ("renewal_held_back", "customer"),
        ("renewal_held_back", "admin"),
    }
    assert {n.facts["next_attempt_on"] for n in told} == {dt.date(2026, 3, 18)}
    assert {n.facts["amount"] for n in told} == {Money(3000, "JPY")}
    coming = world.gateway.contracts.forecast(second.id, months=2)
    assert next((one.on, one.amount) for one in coming if one.what.value == "retry") == (
        dt.date(2026, 3, 18),
        Money(3000, "JPY"),
    )

    world.stripe.script_for(TOKEN, Succeed())
    at(world, "2026-03-18T04:00:00")
    report = world.gateway.billing.run()

    assert report.retried == 2
    assert world.gateway.contracts.get(second.id).status is Status.ACTIVE
    assert [row.target_on for row in world.gateway.ledger.list(contract_id=second.id)][-1] == dt.date(2026, 3, 3)


@pytest.mark.rule("R-331")
def test_an_additional_charge_beyond_the_limit_is_refused_with_rule_network_and_end(world):
    second = past_the_limit(world)

    with pytest.raises(CardHeldBack) as refused:
        world.charge(second)
    with pytest.raises(CardHeldBack):
        world.gateway.charges.preview(second.id, Money(5000, "JPY"), consent="phone")

    assert (refused.value.rule, refused.value.network) == ("visa-30-days", "visa")
    assert refused.value.until == dt.datetime(2026, 3, 18, 3, 0, tzinfo=JST)
    assert world.stripe.calls == []


@pytest.mark.rule("R-331")
@pytest.mark.parametrize(
    "answer",
    [
        STOLEN,
        Decline("do_not_honor", decline=DeclineClass.SOFT, network="mastercard", advice_code="03"),
        Decline("revocation_of_authorization", decline=DeclineClass.PERMISSION),
    ],
    ids=["stolen", "advice: never", "permission closed"],
)
def test_a_card_that_said_never_is_sent_by_no_other_contract_and_no_other_kind_of_charge(world, answer):
    first, second = on_one_card(world, 2)
    world.stripe.script_for(TOKEN, answer)
    at(world, "2026-02-15T03:00:00")

    report = world.gateway.billing.run()

    assert [call.hook for call in world.stripe.calls] == ["charge"]
    assert (report.failed, report.held_back) == (1, 2)
    for contract in (first, second):
        assert world.gateway.contracts.get(contract.id).status is Status.PAST_DUE
    for purpose in Purpose:
        with pytest.raises(CardHeldBack) as refused:
            world.gateway.charges.create(second.id, Money(3000, "JPY"), consent="phone", purpose=purpose)
        assert refused.value.until is None
    with pytest.raises(CardHeldBack):
        world.gateway.contracts.create(Customer("cus_9", "九"), world.plan, Card("stripe", TOKEN))
    for _ in range(40):
        world.clock.advance(days=1)
        world.gateway.billing.run()
    assert [call.hook for call in world.stripe.calls] == ["charge"]


@pytest.mark.rule("R-331")
def test_another_card_of_the_same_customer_is_not_held_back(world):
    world.contract("stripe", customer="cus_1", token=TOKEN)
    other = world.contract("stripe", customer="cus_1", token="tok_other")
    world.stripe.script_for(TOKEN, STOLEN)
    at(world, "2026-02-15T03:00:00")

    assert world.gateway.billing.run().renewed == 1
    assert world.gateway.contracts.get(other.id).status is Status.ACTIVE


@pytest.mark.rule("R-331")
@pytest.mark.parametrize("decline", [DeclineClass.ACTION, DeclineClass.CONFIG, DeclineClass.SOFT])
def test_what_is_about_one_payment_holds_no_other_back(world, decline):
    on_one_card(world, 2)
    world.stripe.script(Decline("some_code", decline=decline), Succeed())
    at(world, "2026-02-15T03:00:00")

    report = world.gateway.billing.run()

    assert (report.failed, report.renewed) == (1, 1)


@pytest.mark.rule("R-331", "R-268")
def test_two_processes_do_not_take_the_last_allowed_attempt_twice(world):
    """Mastercard: ten attempts within a day. Nine are used; four processes charge at the same time."""
    contracts = on_one_card(world, 5)
    world.stripe.script_for(TOKEN, Decline("insufficient_funds", network="mastercard"))
    world.clock.advance(days=3)
    for _ in range(9):
        world.charge(contracts[4])
        world.clock.advance(minutes=1)
    gate, refused = threading.Barrier(4), []

    def work(contract):
        with Gateway(database=world.url, providers=world.options["providers"], clock=world.clock) as gateway:
            gate.wait()
            try:
                gateway.charges.create(contract.id, Money(700, "JPY"), consent="phone")
            except CardHeldBack as exc:
                refused.append(exc.rule)

    threads = [threading.Thread(target=work, args=(contract,)) for contract in contracts[:4]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert len(attempts(world)) == 10
    assert refused == ["mastercard-day"] * 3


@pytest.mark.rule("R-331")
def test_a_card_of_no_known_network_that_always_worked_is_charged_as_often_as_the_shop_likes(world):
    contract = world.contract("stripe", token=TOKEN)

    for _ in range(40):
        assert world.charge(contract).state.value == "SUCCEEDED"
        world.clock.advance(minutes=1)


@pytest.mark.rule("R-331", "R-205")
def test_two_periods_of_one_amount_on_one_card_keep_the_providers_own_window(world):
    contracts = [world.contract("univapay", customer=f"cus_{n}", token=TOKEN) for n in range(2)]
    at(world, "2026-02-16T03:00:00")

    first = world.gateway.billing.run()
    world.clock.advance(seconds=31)
    world.deliver("univapay")
    second = world.gateway.billing.run()
    world.clock.advance(minutes=1)
    world.deliver("univapay")

    assert (first.held_back, second.held_back) == (1, 0)
    assert first.reasons[0].rule == "R-205"
    assert {world.gateway.contracts.get(contract.id).status for contract in contracts} == {Status.ACTIVE}
    assert len(world.univapay.book.movements) == 4
