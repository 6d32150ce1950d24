"""Contracts made with their first payment, imported, confirmed (§6.2, §6.3, §6.5)."""

from __future__ import annotations

import datetime as dt

import pytest

from paygate import (
    JST,
    BankTransfer,
    Card,
    Customer,
    Cycle,
    Manual,
    Money,
    NewContract,
    Plan,
    Product,
    ProductType,
    Status,
)
from paygate.domain.ledger import EntryKind, EntryState
from paygate.errors import (
    CapabilityNotSupported,
    ChargeDeclined,
    IdempotencyConflict,
    InvalidAmount,
    InvalidValue,
    NotFound,
    OutcomeUnknown,
)
from paygate.testing import Decline, StayPending, Vanish

HANAKO = Customer("cus_1", "山田花子", "hanako@example.com")


def yen(amount):
    return Money(amount, "JPY")


@pytest.mark.rule("R-013", "R-014", "R-044", "R-048", "R-237")
def test_a_card_contract_is_charged_at_once_and_runs(world):
    plan = Plan.recurring("Gold", yen(3000), Cycle.MONTHLY, initial_fee=yen(1000))

    contract = world.gateway.contracts.create(HANAKO, plan, Card("stripe", "pm_1"))

    rows = world.gateway.ledger.list(contract_id=contract.id).all()
    assert (contract.status, contract.expires_on) == (Status.ACTIVE, dt.date(2026, 2, 15))
    assert [(row.kind, row.amount, row.state) for row in rows] == [
        (EntryKind.INITIAL_FEE, yen(1000), EntryState.SUCCEEDED),
        (EntryKind.PERIOD, yen(3000), EntryState.SUCCEEDED),
    ]
    assert world.stripe.book.captured() == 4000
    assert [notice.mail.name for notice in world.observer.of("mail")] == ["welcome"]


@pytest.mark.rule("R-013", "T-06")
def test_a_declined_first_charge_makes_no_contract(world):
    world.stripe.next(Decline("card_declined"))

    with pytest.raises(ChargeDeclined, match="card_declined"):
        world.gateway.contracts.create(HANAKO, world.plan, Card("stripe", "pm_1"), contract_id="con_x")

    assert world.gateway.contracts.list().all() == []
    with pytest.raises(NotFound):
        world.gateway.contracts.get("con_x")


@pytest.mark.rule("R-015")
def test_a_start_still_ahead_charges_the_initial_fee_only(world):
    plan = Plan.recurring("Gold", yen(3000), initial_fee=yen(1000))

    contract = world.gateway.contracts.create(HANAKO, plan, Card("stripe", "pm_1"), start_on=dt.date(2026, 2, 1))

    assert contract.status is Status.NOT_STARTED
    assert world.stripe.book.captured() == 1000
    assert [row.kind for row in world.gateway.ledger.list(contract_id=contract.id)] == [EntryKind.INITIAL_FEE]


@pytest.mark.rule("R-017")
def test_a_price_of_nothing_is_recorded_without_asking_the_provider(world):
    contract = world.gateway.contracts.create(HANAKO, Plan.recurring("Free", yen(0)), Card("stripe", "pm_1"))

    assert contract.status is Status.ACTIVE
    assert world.stripe.calls == []
    assert [(row.kind, row.amount) for row in world.gateway.ledger.list(contract_id=contract.id)] == [
        (EntryKind.PERIOD, yen(0))
    ]


@pytest.mark.rule("R-013")
def test_a_first_payment_that_stays_pending_makes_the_contract_when_it_succeeds(world):
    world.univapay.next(StayPending())

    with pytest.raises(OutcomeUnknown, match="not made yet") as caught:
        world.gateway.contracts.create(
            HANAKO, world.plan, Card("univapay", "tok"), contract_id="con_7", idempotency_key="apply-7"
        )
    assert world.gateway.contracts.list().all() == []
    charge = world.gateway.charges.get(caught.value.charge_id)
    world.univapay.finish(charge.reference)
    world.deliver("univapay")

    assert world.gateway.contracts.get("con_7").status is Status.ACTIVE
    again = world.gateway.contracts.create(
        HANAKO, world.plan, Card("univapay", "tok"), contract_id="con_7", idempotency_key="apply-7"
    )
    assert again.id == "con_7"
    assert world.univapay.book.captured() == 3000


@pytest.mark.rule("R-013", "R-193")
def test_a_first_payment_whose_answer_was_lost_makes_one_contract_after_reconciliation(world):
    world.stripe.next(Vanish(after=True))

    with pytest.raises(OutcomeUnknown):
        world.gateway.contracts.create(HANAKO, world.plan, Card("stripe", "pm_1"), contract_id="con_8")
    world.clock.advance(minutes=5)
    world.gateway.billing.reconcile()

    assert world.gateway.contracts.get("con_8").status is Status.ACTIVE
    assert world.stripe.book.captured() == 3000


@pytest.mark.rule("R-190")
@pytest.mark.parametrize("payment", [Card("stripe", "pm_1"), BankTransfer()])
def test_the_same_key_makes_one_contract_and_other_contents_are_a_conflict(world, payment):
    first = world.gateway.contracts.create(HANAKO, world.plan, payment, idempotency_key="apply-1")
    again = world.gateway.contracts.create(HANAKO, world.plan, payment, idempotency_key="apply-1")
    with pytest.raises(IdempotencyConflict):
        world.gateway.contracts.create(HANAKO, world.one_off, payment, idempotency_key="apply-1")

    assert again.id == first.id
    assert len(world.gateway.contracts.list().all()) == 1


@pytest.mark.rule("R-010", "R-011", "R-104", "R-109", "R-026")
@pytest.mark.parametrize("payment", [BankTransfer(), Manual()])
def test_without_a_card_a_contract_waits_for_its_payment(world, payment):
    contract = world.gateway.contracts.create(HANAKO, world.plan, payment)
    assert (contract.status, contract.expires_on) == (Status.PENDING_PAYMENT, None)
    assert world.gateway.ledger.list(contract_id=contract.id).all() == []

    world.clock.advance(days=3)
    contract = world.gateway.contracts.confirm_payment(contract.id, received_at=dt.datetime(2026, 1, 17, 9, tzinfo=JST))

    assert (contract.status, contract.expires_on) == (Status.ACTIVE, dt.date(2026, 2, 15))
    row = world.gateway.ledger.list(contract_id=contract.id).first()
    assert row.received_at == dt.datetime(2026, 1, 17, 0, tzinfo=dt.UTC)


@pytest.mark.rule("R-012")
def test_a_manual_contract_that_is_paid_already_runs_at_once(world):
    contract = world.gateway.contracts.create(HANAKO, world.one_off, Manual(), paid=True)

    assert (contract.status, contract.expires_on) == (Status.ESTABLISHED, dt.date(2030, 12, 31))


@pytest.mark.rule("R-220")
def test_amazon_pay_takes_no_recurring_contract(world):
    with pytest.raises(CapabilityNotSupported, match="lump-sum"):
        world.gateway.contracts.create(HANAKO, world.plan, Card("amazonpay", "C01-1"))

    assert world.amazonpay.calls == []


def test_bad_contracts_are_refused_with_nothing_sent(world):
    create = world.gateway.contracts.create
    with pytest.raises(NotFound, match="'paypal'"):
        create(HANAKO, world.plan, Card("paypal", "x"))
    with pytest.raises(InvalidValue, match="card number"):
        Card("stripe", "4242 4242 4242 4242")
    with pytest.raises(InvalidValue, match="card number"):
        Card("stripe", "４２４２４２４２４２４２４２４２")
    with pytest.raises(InvalidValue):
        create("cus_1", world.plan, BankTransfer())
    with pytest.raises(InvalidValue):
        create(HANAKO, world.plan, "card")
    with pytest.raises(InvalidAmount):
        create(HANAKO, Plan.recurring("Gold", Money(3000, "USD")), Card("stripe", "pm_1"))
    with pytest.raises(InvalidAmount):
        create(HANAKO, Plan.recurring("Cheap", yen(49)), Card("stripe", "pm_1"))
    create(HANAKO, world.plan, BankTransfer(), contract_id="con_1")
    with pytest.raises(InvalidValue, match="con_1"):
        create(HANAKO, world.plan, BankTransfer(), contract_id="con_1")

    assert world.stripe.calls == []


@pytest.mark.rule("R-023", "R-024", "X-09")
def test_operations_tell_what_is_offered_and_why_not_and_change_nothing(world):
    contract = world.contract("stripe")

    offers = {offer.operation.value: offer for offer in world.gateway.contracts.operations(contract.id)}

    assert offers["charge_addon"].offered
    assert not offers["suspend"].offered
    assert offers["suspend"].text
    assert world.gateway.contracts.get(contract.id) == contract


def imported(**changes):
    row = {
        "contract_id": "C-1",
        "customer": HANAKO,
        "plan": Plan.recurring("Gold", yen(3000)),
        "payment": Card("univapay", "tok_1"),
        "start_on": dt.date(2024, 1, 31),
        "last_paid_at": dt.datetime(2025, 12, 31, 8, tzinfo=JST),
    }
    return NewContract(**{**row, **changes})


@pytest.mark.rule("R-197")
def test_an_imported_contract_can_be_charged_within_its_window_counted_from_the_old_payment(world):
    report = world.gateway.contracts.import_many([imported()])
    contract = world.gateway.contracts.get("C-1")
    details = world.gateway.contracts.details("C-1")

    assert report.imported == ("C-1",)
    assert (contract.status, contract.expires_on) == (Status.ACTIVE, dt.date(2026, 1, 31))
    assert details.addon_window_closes_at == dt.datetime(2026, 12, 31, 8, tzinfo=JST)
    assert world.univapay.calls == []
    assert world.settled(contract).state.value == "SUCCEEDED"


def test_one_wrong_row_imports_nothing_unless_told_to_skip_it(world):
    rows = [
        imported(),
        imported(contract_id="C-2", payment=Card("paypal", "x")),
        imported(contract_id="C-1"),
        imported(contract_id="C-3", last_paid_at=dt.datetime(2026, 1, 1)),  # noqa: DTZ001 - the point
        imported(contract_id="C-4", status=Status.ESTABLISHED),
    ]

    report = world.gateway.contracts.import_many(rows)
    assert (report.imported, [index for index, _ in report.refused]) == ((), [1, 2, 3, 4])
    assert world.gateway.contracts.list().all() == []
    report = world.gateway.contracts.import_many(rows, skip_invalid=True)

    assert report.imported == ("C-1",)
    assert len(world.gateway.contracts.list().all()) == 1


@pytest.mark.rule("R-021")
@pytest.mark.parametrize("status", [Status.PAST_DUE, Status.CANCEL_SCHEDULED, Status.TERMINATED, Status.CANCELED])
def test_contracts_are_imported_in_the_status_they_have(world, status):
    world.gateway.contracts.import_many([imported(status=status)])

    contract = world.gateway.contracts.get("C-1")
    assert contract.status is status
    assert (contract.past_due is not None) is (status is Status.PAST_DUE)
    assert (contract.cancellation is not None) is (status is Status.CANCEL_SCHEDULED)


@pytest.mark.rule("R-056", "R-057")
def test_setting_the_expiry_by_hand_moves_nothing_else(world):
    contract = world.contract("stripe")
    world.clock.advance(days=1)

    changed = world.gateway.contracts.set_expiry(contract.id, dt.date(2027, 5, 5), reason="goodwill")

    assert changed.expires_on == dt.date(2027, 5, 5)
    assert (changed.status, changed.start_on, changed.period_start) == (
        contract.status,
        contract.start_on,
        contract.period_start,
    )
    record = world.gateway.audit.list(contract_id=contract.id).all()[-1]
    assert (record.action, record.reason, str(record.actor)) == ("set_expiry", "goodwill", "admin:admin")
    assert len(world.gateway.ledger.list(contract_id=contract.id).all()) == 1


@pytest.mark.rule("R-019")
def test_the_type_of_a_product_is_fixed_by_its_first_contract(world):
    def plan(kind):
        return Plan.recurring("Mag", yen(800), products=(Product("mag", kind),))

    world.gateway.contracts.create(HANAKO, plan(ProductType.MONTHLY_MAGAZINE), Card("stripe", "pm_1"))
    world.stripe.calls.clear()

    for payment in (Card("stripe", "pm_2"), BankTransfer()):
        with pytest.raises(InvalidValue, match="another code") as caught:
            world.gateway.contracts.create(HANAKO, plan(ProductType.MONTHLY_SCHOOL), payment)
        assert caught.value.rule == "R-019"
    report = world.gateway.contracts.import_many([imported(plan=plan(ProductType.MONTHLY_SCHOOL))])
    again = world.gateway.contracts.create(HANAKO, plan(ProductType.MONTHLY_MAGAZINE), Card("stripe", "pm_3"))

    assert [error.rule for _, error in report.refused] == ["R-019"]
    assert again.status is Status.ACTIVE
    assert len([call for call in world.stripe.calls if call.hook == "charge"]) == 1
