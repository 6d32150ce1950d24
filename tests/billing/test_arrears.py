"""Collecting an unpaid period by an additional charge: what it does, how much it takes, and when it is refused (R-191)."""

import datetime as dt

import pytest

from paygate import JST, Money, Plan, Product, ProductType, Status
from paygate.domain.charge import ChargeState, Purpose
from paygate.errors import InvalidAmount, InvalidValue, OperationNotAllowed, PurposeNeeded, RetryPending
from paygate.provider import DeclineClass
from paygate.testing import Decline

GOLD = Plan.recurring("Gold", Money(3000, "JPY"), products=(Product("mag", ProductType.MONTHLY_MAGAZINE),))
YEN_3000 = Money(3000, "JPY")


def at(world, text):
    world.clock.set(dt.datetime.fromisoformat(text).replace(tzinfo=JST))


def past_due(world, account="stripe"):
    """A member since 15 January whose renewal of 15 February was declined."""
    contract = world.contract(account, plan=GOLD)
    world.fake(account).next(Decline("insufficient_funds", DeclineClass.SOFT))
    at(world, "2026-02-15T03:00:00")
    world.gateway.billing.run()
    world.clock.advance(minutes=5)
    world.gateway.billing.reconcile()  # UnivaPay's results come by polling
    at(world, "2026-02-17T10:00:00")
    world.observer.heard.clear()
    return world.gateway.contracts.get(contract.id)


def open_months(world, contract):
    return [opening.scope for opening in world.gateway.contracts.access(contract.id) if opening.open]


@pytest.mark.rule("R-380", "R-059", "R-170", "R-191")
@pytest.mark.parametrize("account", ["stripe", "univapay"])
def test_paid_arrears_do_what_the_renewal_would_have_done(world, account):
    contract = past_due(world, account)
    assert open_months(world, contract) == ["2026-01"]

    paid = world.settled(contract, 3000, purpose=Purpose.ARREARS)

    after = world.gateway.contracts.get(contract.id)
    assert paid.state is ChargeState.SUCCEEDED
    assert (after.status, after.expires_on, after.period_start) == (
        Status.ACTIVE, dt.date(2026, 3, 15), dt.date(2026, 2, 15),
    )  # fmt: skip
    assert open_months(world, contract) == ["2026-01", "2026-02"]
    world.clock.advance(minutes=5)
    world.gateway.billing.run()
    assert [notice.mail.name for notice in world.observer.of("mail")] == ["thanks"]
    told = [n.notice for n in world.observer.of("notice") if n.notice.audience.value == "customer"]
    assert [(notice.kind.value, notice.facts["expires_on"]) for notice in told] == [("resumed", dt.date(2026, 3, 15))]
    assert world.gateway.ledger.net(contract.id) == Money(6000, "JPY")


@pytest.mark.rule("R-380", "R-039", "R-050")
def test_arrears_that_are_paid_after_the_next_renewal_day_reach_beyond_today(world):
    contract = past_due(world)
    at(world, "2026-03-20T10:00:00")

    world.settled(contract, 3000, purpose=Purpose.ARREARS)

    after = world.gateway.contracts.get(contract.id)
    assert (after.status, after.expires_on) == (Status.ACTIVE, dt.date(2026, 4, 15))


@pytest.mark.rule("R-052", "R-380")
def test_an_expiry_that_is_kept_on_purpose_is_warned_of_and_no_mail_names_a_date_that_has_gone(world):
    contract = past_due(world)

    preview = world.gateway.charges.preview(
        contract.id, YEN_3000, purpose=Purpose.ARREARS, renew_expiry=False, consent="phone"
    )
    world.settled(contract, 3000, purpose=Purpose.ARREARS, renew_expiry=False)

    assert "has passed: the content stays closed" in preview.warnings[-1]
    assert world.gateway.contracts.get(contract.id).expires_on == dt.date(2026, 2, 15)
    told = [n.notice for n in world.observer.of("notice") if n.notice.audience.value == "customer"]
    assert "expires_on" not in told[0].facts


@pytest.mark.rule("R-381")
def test_arrears_without_an_amount_take_what_is_owed(world):
    contract = past_due(world)

    preview = world.gateway.charges.preview(contract.id, purpose=Purpose.ARREARS, consent="phone")
    paid = world.gateway.charges.create(contract.id, purpose=Purpose.ARREARS, consent="phone", idempotency_key="a-1")
    again = world.gateway.charges.create(contract.id, purpose=Purpose.ARREARS, consent="phone", idempotency_key="a-1")

    assert (preview.amount, preview.owed, paid.amount) == (YEN_3000, YEN_3000, YEN_3000)
    assert paid.id == again.id
    assert world.stripe.book.captured() == 6000


@pytest.mark.rule("R-381")
@pytest.mark.parametrize(("amount", "left"), [(50, "2,950 JPY less than owed"), (3500, "500 JPY more than owed")])
def test_arrears_of_another_amount_need_a_word_and_the_difference_stays_visible(world, amount, left):
    contract = past_due(world)

    with pytest.raises(InvalidAmount, match="costs 3,000 JPY") as refused:
        world.charge(contract, amount, purpose=Purpose.ARREARS)
    assert refused.value.rule == "R-381"
    assert world.stripe.book.captured() == 3000

    preview = world.gateway.charges.preview(
        contract.id, Money(amount, "JPY"), purpose=Purpose.ARREARS, other_amount=True, consent="phone"
    )
    world.settled(contract, amount, purpose=Purpose.ARREARS, other_amount=True)

    (row,) = [row for row in world.gateway.ledger.list(contract_id=contract.id) if row.amount.minor == amount]
    assert left in preview.warnings[-1]
    assert left in row.remarks
    (record,) = [one for one in world.gateway.audit.list(contract_id=contract.id) if one.action == "arrears_paid"]
    assert left in record.after["difference"]
    assert world.gateway.contracts.get(contract.id).status is Status.ACTIVE


@pytest.mark.rule("R-381")
def test_an_amount_without_a_purpose_cannot_be_left_out(world):
    contract = world.contract("stripe")

    with pytest.raises(InvalidAmount, match="give the amount as Money"):
        world.gateway.charges.create(contract.id, consent="phone")


@pytest.mark.rule("R-382", "R-191")
def test_a_charge_without_a_word_on_a_past_due_contract_is_refused_and_the_preview_offers_arrears(world):
    contract = past_due(world)

    preview = world.gateway.charges.preview(contract.id, YEN_3000, consent="phone")
    with pytest.raises(PurposeNeeded, match="ARREARS") as refused:
        world.charge(contract, 3000)

    assert refused.value.rule == "R-382"
    assert (preview.owed, preview.purpose_needed) == (YEN_3000, True)
    assert "will be charged again" in preview.warnings[-1]
    assert world.stripe.book.captured() == 3000


@pytest.mark.rule("R-382", "R-156")
def test_where_no_retry_is_left_nobody_is_told_that_the_period_is_charged_again(world):
    contract = world.contract("univapay", plan=GOLD)
    world.univapay.script_for("tok_univapay_cus_1", Decline("306", DeclineClass.SOFT))
    for day in ("02-15", "02-25", "03-07", "03-20"):
        at(world, f"2026-{day}T03:00:00")
        world.gateway.billing.run()
        world.clock.advance(minutes=5)
        world.gateway.billing.reconcile()
    assert world.gateway.contracts.get(contract.id).past_due.exhausted

    preview = world.gateway.charges.preview(contract.id, YEN_3000, consent="phone")

    assert "3,000 JPY of the period of 2026-02-15 is unpaid; say which is meant" in preview.warnings[-1]


@pytest.mark.rule("R-382", "R-179")
def test_a_one_off_charge_beside_an_unpaid_period_is_said_and_warned_of(world):
    contract = past_due(world)

    preview = world.gateway.charges.preview(contract.id, YEN_3000, purpose=Purpose.ONE_OFF, consent="phone")
    world.settled(contract, 3000, purpose=Purpose.ONE_OFF)

    assert "this sale does not pay it" in preview.warnings[-1]
    assert not preview.purpose_needed
    assert world.gateway.contracts.get(contract.id).status is Status.PAST_DUE


@pytest.mark.rule("R-383", "R-161", "R-147")
def test_retries_that_were_stopped_on_the_providers_screen_are_recorded_and_then_arrears_can_be_charged(world):
    contract = world.contract("telecom")
    at(world, "2026-02-15T12:00:00")
    notice = world.telecom.renew(
        contract.id, contract.credential, YEN_3000, Decline("NG", DeclineClass.SOFT), retries=True
    )
    world.gateway.webhooks.receive("telecom", notice.headers, notice.body)
    offers = {offer.operation.value for offer in world.gateway.contracts.operations(contract.id) if offer.offered}
    with pytest.raises(RetryPending, match="retries-stopped"):
        world.charge(contract, 3000, purpose=Purpose.ARREARS)
    with pytest.raises(InvalidValue, match="note"):
        world.gateway.contracts.mark_retries_stopped(contract.id, note=" ")

    marked = world.gateway.contracts.mark_retries_stopped(contract.id, note="Telecom console, 2026-01-15 12:10")

    assert "mark_retries_stopped" in offers
    assert (marked.contract.status, marked.contract.past_due.retry_pending) == (Status.PAST_DUE, False)
    (record,) = [one for one in world.gateway.audit.list(contract_id=contract.id) if one.action == "retries_stopped"]
    assert record.reason == "Telecom console, 2026-01-15 12:10"
    with pytest.raises(OperationNotAllowed):
        world.gateway.contracts.mark_retries_stopped(contract.id, note="again")

    world.charge(contract, 3000, purpose=Purpose.ARREARS)
    world.clock.advance(minutes=2)
    world.deliver("telecom")
    assert world.gateway.contracts.get(contract.id).status is Status.ACTIVE


@pytest.mark.rule("R-384", "R-187")
def test_the_expiry_of_an_ended_contract_is_not_renewed_where_it_can_be_chosen(world):
    contract = past_due(world)
    world.gateway.contracts.terminate(contract.id)

    with pytest.raises(OperationNotAllowed, match="has ended") as refused:
        world.charge(contract, 3000, renew_expiry=True)
    left_out = world.settled(contract, 3000)

    assert refused.value.rule == "R-384"
    assert left_out.state is ChargeState.SUCCEEDED
    assert world.gateway.contracts.get(contract.id).expires_on == contract.expires_on


@pytest.mark.rule("R-384", "R-208")
def test_where_the_provider_forces_it_the_preview_warns_that_an_ended_contract_gains_nothing(world):
    contract = world.contract("telecom")
    notice = world.telecom.end_subscription(contract.id)
    world.gateway.webhooks.receive("telecom", notice.headers, notice.body)

    preview = world.gateway.charges.preview(contract.id, YEN_3000, consent="phone")

    assert "the contract has ended: the expiry moves, and opens nothing" in preview.warnings
