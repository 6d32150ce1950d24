"""The additional charge end to end, through every provider's declared truth (§6.16 to §6.20)."""

from __future__ import annotations

import datetime as dt

import pytest

from paygate import BankTransfer, ChargeState, Customer, Money, Status
from paygate.domain.ledger import EntryKind, EntryState
from paygate.domain.mails import StepMailState
from paygate.errors import (
    ChargeDeclined,
    ChargeInProgress,
    ChargeWindowExpired,
    ConsentRequired,
    DuplicateCharge,
    IdempotencyConflict,
    InvalidAmount,
    NotCardCustomer,
    OptionNotSupported,
    PermissionClosed,
    SystemMaxPassed,
    Vetoed,
)
from paygate.testing import ClosePermission, Decline, RequireAction, StayPending

MAX = dt.date(2030, 12, 31)
FEB = dt.date(2026, 2, 15)
MAR = dt.date(2026, 3, 15)

OPTIONAL = [(False, False), (True, False), (False, True), (True, True)]


@pytest.mark.rule("R-165", "R-181", "R-182", "R-183", "R-196", "R-214", "B-110", "B-043", "R-052")
@pytest.mark.parametrize("account", ["univapay", "stripe"])
@pytest.mark.parametrize(("renew", "mail"), OPTIONAL)
def test_where_both_options_are_free_expiry_and_mails_change_exactly_as_chosen(world, account, renew, mail):
    contract = world.contract(account)

    charge = world.settled(contract, renew_expiry=renew, send_step_mail=mail)

    assert charge.state is ChargeState.SUCCEEDED
    assert (charge.previous_expires_on, charge.expires_on) == (FEB, MAR if renew else FEB)
    assert world.gateway.contracts.get(contract.id).expires_on == (MAR if renew else FEB)
    assert len(world.gateway.step_mails.list(contract_id=contract.id, state=StepMailState.QUEUED).all()) == int(mail)


@pytest.mark.rule("R-206", "R-207", "R-208", "R-210", "R-212", "R-185")
@pytest.mark.parametrize(("renew", "mail"), [(None, None), (True, True), (True, None), (None, True)])
def test_telecom_always_extends_and_always_mails(world, renew, mail):
    contract = world.contract("telecom")

    charge = world.charge(contract, renew_expiry=renew, send_step_mail=mail)
    assert charge.state is ChargeState.PENDING
    world.clock.advance(minutes=1)
    for notice in world.telecom.notifications():
        world.gateway.webhooks.receive("telecom", notice.headers, notice.body)

    charge = world.gateway.charges.get(charge.id)
    assert charge.state is ChargeState.SUCCEEDED
    assert (charge.previous_expires_on, charge.expires_on) == (FEB, MAR)
    assert len(world.gateway.step_mails.list(contract_id=contract.id, state=StepMailState.QUEUED).all()) == 1


@pytest.mark.rule("R-209", "X-11")
def test_a_forced_extension_is_undone_by_setting_the_old_date_by_hand(world):
    contract = world.contract("telecom")
    charge = world.charge(contract)
    world.clock.advance(minutes=1)
    for notice in world.telecom.notifications():
        world.gateway.webhooks.receive("telecom", notice.headers, notice.body)
    charge = world.gateway.charges.get(charge.id)

    restored = world.gateway.contracts.set_expiry(
        contract.id, charge.previous_expires_on, reason="forced extension undone"
    )

    assert restored.expires_on == FEB
    last = world.gateway.audit.list(contract_id=contract.id).all()[-1]
    assert (last.action, last.before["expires_on"], last.after["expires_on"]) == (
        "set_expiry",
        "2026-03-15",
        "2026-02-15",
    )


@pytest.mark.rule("R-217", "R-218", "R-219", "B-108")
@pytest.mark.parametrize("mail", [False, True])
def test_amazon_pay_always_sets_the_system_maximum_and_mails_as_chosen(world, mail):
    contract = world.contract("amazonpay")
    world.gateway.contracts.set_expiry(contract.id, dt.date(2026, 3, 31), reason="by hand")

    charge = world.settled(contract, send_step_mail=mail)

    assert (charge.previous_expires_on, charge.expires_on) == (dt.date(2026, 3, 31), MAX)
    assert len(world.gateway.step_mails.list(contract_id=contract.id, state=StepMailState.QUEUED).all()) == int(mail)


@pytest.mark.rule("R-185", "B-106", "B-107")
@pytest.mark.parametrize(
    ("account", "options"),
    [
        ("telecom", {"send_step_mail": False}),
        ("telecom", {"renew_expiry": False}),
        ("amazonpay", {"renew_expiry": True}),
        ("amazonpay", {"renew_expiry": False}),
    ],
)
def test_asking_for_the_opposite_of_what_is_forced_is_refused_before_sending(world, account, options):
    contract = world.contract(account)

    with pytest.raises(OptionNotSupported):
        world.charge(contract, **options)

    assert world.fake(account).calls == []
    assert (
        world.gateway.charges.list(contract_id=contract.id).all()
        == world.gateway.charges.list(contract_id=contract.id).all()[:1]
    )


@pytest.mark.rule("R-177", "R-236", "R-180", "R-188", "X-10")
def test_a_success_adds_exactly_one_row_with_all_that_belongs_to_it(world):
    contract = world.contract("stripe")
    before = len(world.gateway.ledger.list(contract_id=contract.id).all())

    charge = world.settled(contract, consent="signed form 12, 2026-01-10")

    rows = world.gateway.ledger.list(contract_id=contract.id).all()
    assert len(rows) == before + 1
    row = rows[-1]
    assert (row.kind, row.state, row.amount, row.account) == (
        EntryKind.ADDON,
        EntryState.SUCCEEDED,
        Money(5000, "JPY"),
        "stripe",
    )
    assert (row.customer_id, row.charge_id, row.reference) == (contract.customer_id, charge.id, charge.reference)
    assert row.consent == "signed form 12, 2026-01-10"
    assert (row.purchased_on, row.target_on) == (dt.date(2026, 1, 15), dt.date(2026, 1, 15))
    assert str(row.actor) == "admin:admin"


@pytest.mark.rule("R-178", "R-192", "R-232", "B-125", "B-088")
def test_a_decline_leaves_only_the_attempt_and_is_not_retried(world):
    contract = world.contract("stripe")
    rows = world.gateway.ledger.list(contract_id=contract.id).all()
    world.stripe.next(Decline("card_declined"))

    charge = world.settled(contract, renew_expiry=True, send_step_mail=True)

    assert charge.state is ChargeState.FAILED
    assert charge.failure.code == "card_declined"
    with pytest.raises(ChargeDeclined, match="card_declined"):
        charge.raise_for_failure()
    assert world.gateway.contracts.get(contract.id) == contract
    assert world.gateway.ledger.list(contract_id=contract.id).all() == rows
    assert world.gateway.step_mails.list(contract_id=contract.id, state=StepMailState.QUEUED).all() == []
    world.gateway.billing.reconcile()
    assert len([call for call in world.stripe.calls if call.hook == "charge"]) == 1


@pytest.mark.rule("R-175", "R-176", "R-194")
def test_pending_then_success_by_polling_and_notice_is_applied_once(world):
    contract = world.contract("univapay")
    world.univapay.next(StayPending(90))

    charge = world.charge(contract, renew_expiry=True)
    assert charge.state is ChargeState.PENDING
    charge = world.gateway.charges.wait(charge.id, timeout=300)
    for notice in world.univapay.notifications():
        world.gateway.webhooks.receive("univapay", notice.headers, notice.body)

    assert charge.state is ChargeState.SUCCEEDED
    rows = [row for row in world.gateway.ledger.list(contract_id=contract.id) if row.kind is EntryKind.ADDON]
    assert len(rows) == 1
    assert world.gateway.contracts.get(contract.id).expires_on == MAR
    assert [notice.charge.id for notice in world.observer.of("success")].count(charge.id) == 1


@pytest.mark.rule("R-180", "R-225", "B-124", "B-044")
def test_expiry_and_mails_count_from_the_receipt_not_from_the_request(world):
    contract = world.contract("univapay")
    world.univapay.next(StayPending(180))
    charge = world.charge(contract, send_step_mail=True)
    requested = charge.created_at

    world.clock.set(requested + dt.timedelta(minutes=3))
    world.gateway.billing.reconcile()

    mail = world.gateway.step_mails.list(contract_id=contract.id, state=StepMailState.QUEUED).all()[0]
    assert mail.due_at == requested + dt.timedelta(minutes=8)


@pytest.mark.rule("R-189", "B-100", "X-03")
def test_a_second_charge_while_the_first_is_pending_is_refused_with_one_provider_call(world):
    contract = world.contract("univapay")
    world.univapay.next(StayPending())
    world.charge(contract)

    with pytest.raises(ChargeInProgress):
        world.charge(contract, 6000)

    assert len([call for call in world.univapay.calls if call.hook == "charge"]) == 1


@pytest.mark.rule("R-190", "B-101", "B-102")
def test_the_same_key_returns_the_first_charge_and_other_contents_are_a_conflict(world):
    contract = world.contract("stripe")
    first = world.charge(contract, idempotency_key="order-77")

    again = world.charge(contract, idempotency_key="order-77")
    with pytest.raises(IdempotencyConflict, match="order-77"):
        world.charge(contract, 5001, idempotency_key="order-77")
    with pytest.raises(IdempotencyConflict):
        world.charge(contract, renew_expiry=True, idempotency_key="order-77")

    assert again.id == first.id
    assert world.stripe.book.captured() == 3000 + 5000


@pytest.mark.rule("R-197", "R-198", "R-199", "B-087", "B-080", "B-081")
def test_univapay_refuses_from_the_exact_anniversary_and_each_success_restarts_the_year(world):
    contract = world.contract("univapay")
    paid = world.gateway.contracts.details(contract.id).last_paid_at

    world.clock.set(paid.replace(year=2027) - dt.timedelta(seconds=1))
    world.gateway.charges.preview(contract.id, Money(100, "JPY"), consent="yes")
    world.clock.advance(seconds=1)
    with pytest.raises(ChargeWindowExpired):
        world.charge(contract)
    assert world.univapay.calls == []

    world.clock.set(paid.replace(year=2027) - dt.timedelta(days=1))
    charge = world.settled(contract)
    assert charge.state is ChargeState.SUCCEEDED
    world.clock.set(charge.charged_at.replace(year=2028) - dt.timedelta(seconds=1))
    world.gateway.charges.preview(contract.id, Money(100, "JPY"), consent="yes")
    world.clock.advance(seconds=1)
    with pytest.raises(ChargeWindowExpired):
        world.charge(contract)


@pytest.mark.rule("R-202", "B-093")
def test_a_preview_before_the_limit_does_not_save_a_confirmation_after_it(world):
    contract = world.contract("univapay")
    paid = world.gateway.contracts.details(contract.id).last_paid_at
    world.clock.set(paid.replace(year=2027) - dt.timedelta(seconds=1))
    world.gateway.charges.preview(contract.id, Money(100, "JPY"), consent="yes")

    world.clock.advance(seconds=1)
    with pytest.raises(ChargeWindowExpired):
        world.charge(contract)

    assert world.univapay.calls == []


@pytest.mark.rule("R-202", "B-092", "R-201")
def test_a_charge_confirmed_just_before_the_limit_succeeds_after_it_and_restarts_the_window(world):
    contract = world.contract("univapay")
    paid = world.gateway.contracts.details(contract.id).last_paid_at
    world.clock.set(paid.replace(year=2027) - dt.timedelta(seconds=1))
    world.univapay.next(StayPending(120))

    charge = world.settled(contract)

    assert charge.state is ChargeState.SUCCEEDED
    assert world.gateway.contracts.details(contract.id).last_paid_at > paid.replace(year=2027)


@pytest.mark.rule("R-200", "B-090")
def test_a_payment_on_another_contract_of_the_customer_keeps_the_window_open(world):
    old = world.contract("univapay", customer="cus_9")
    world.clock.advance(days=300)
    world.contract("univapay", customer="cus_9", token="tok_second")
    world.clock.advance(days=100)

    assert world.settled(old).state is ChargeState.SUCCEEDED


@pytest.mark.rule("R-200", "B-091")
def test_another_providers_payment_does_not_keep_the_window_open(world):
    old = world.contract("univapay", customer="cus_9")
    world.clock.advance(days=700)
    world.contract("stripe", customer="cus_9")

    with pytest.raises(ChargeWindowExpired):
        world.charge(old)


@pytest.mark.rule("R-201", "B-089")
def test_a_refunded_payment_still_counts_for_the_window(world):
    contract = world.contract("univapay")
    world.clock.advance(days=200)
    charge = world.settled(contract)
    world.gateway.refunds.wait(world.gateway.refunds.create(charge.id).id)
    world.clock.set(charge.charged_at.replace(year=charge.charged_at.year + 1) - dt.timedelta(seconds=1))

    world.gateway.charges.preview(contract.id, Money(100, "JPY"), consent="yes")


@pytest.mark.rule("R-203", "R-213", "R-216", "R-223", "B-094")
@pytest.mark.parametrize("account", ["telecom", "stripe", "amazonpay"])
def test_the_other_providers_know_no_such_limit(world, account):
    contract = world.contract(account)
    world.clock.advance(days=548)

    assert world.charge(contract).state in {ChargeState.SUCCEEDED, ChargeState.PENDING}


@pytest.mark.rule("R-205", "B-103")
def test_the_same_amount_on_the_same_card_within_thirty_seconds_is_a_duplicate(world):
    contract = world.contract("univapay")
    first = world.charge(contract, 700)
    world.clock.set(first.created_at + dt.timedelta(seconds=29, microseconds=999_000))
    world.gateway.billing.reconcile()

    with pytest.raises(DuplicateCharge):
        world.charge(contract, 700)
    world.clock.set(first.created_at + dt.timedelta(seconds=30))

    assert world.settled(contract, 700).state is ChargeState.SUCCEEDED


@pytest.mark.rule("R-215", "B-104")
@pytest.mark.parametrize(("amount", "fits"), [(49, False), (50, True), (99_999_999, True), (100_000_000, False)])
def test_stripe_takes_fifty_to_ninety_nine_million_yen(world, amount, fits):
    contract = world.contract("stripe")

    if fits:
        assert world.settled(contract, amount).state is ChargeState.SUCCEEDED
    else:
        with pytest.raises(InvalidAmount, match="50 JPY"):
            world.charge(contract, amount)
        assert world.stripe.calls == []


@pytest.mark.rule("R-221", "B-109")
def test_amazon_pay_is_refused_once_the_system_maximum_has_passed(world):
    contract = world.contract("amazonpay")
    world.clock.set(dt.datetime(2030, 12, 31, 14, 59, 59, tzinfo=dt.UTC))
    world.gateway.charges.preview(contract.id, Money(100, "JPY"), consent="yes")

    world.clock.advance(seconds=1)
    with pytest.raises(SystemMaxPassed):
        world.charge(contract)
    assert world.amazonpay.calls == []


@pytest.mark.rule("R-222")
def test_a_permission_that_the_customer_closed_surfaces_as_permission_closed(world):
    contract = world.contract("amazonpay")
    world.amazonpay.next(ClosePermission())

    charge = world.settled(contract)

    assert charge.state is ChargeState.FAILED
    with pytest.raises(PermissionClosed):
        charge.raise_for_failure()


@pytest.mark.rule("R-188", "B-112")
@pytest.mark.parametrize("consent", [None, "", "   "])
def test_without_consent_nothing_is_sent(world, consent):
    contract = world.contract("stripe")

    with pytest.raises(ConsentRequired):
        world.charge(contract, consent=consent)

    assert world.stripe.calls == []


@pytest.mark.rule("R-167", "B-115")
def test_a_bank_transfer_contract_offers_no_additional_charge(world):
    contract = world.gateway.contracts.create(Customer("cus_1"), world.plan, BankTransfer())
    world.gateway.contracts.confirm_payment(contract.id)

    with pytest.raises(NotCardCustomer):
        world.charge(contract)


@pytest.mark.rule("R-171", "R-179")
def test_the_amount_is_independent_of_the_price_and_status_and_price_stay(world):
    contract = world.contract("stripe")

    world.settled(contract, 123_456)

    after = world.gateway.contracts.get(contract.id)
    assert (after.status, after.plan, after.start_on) == (Status.ACTIVE, contract.plan, contract.start_on)


@pytest.mark.rule("R-172", "R-173", "R-174", "R-272", "B-111", "X-02")
def test_a_preview_names_everything_and_leaves_no_trace(world):
    contract = world.contract("telecom")
    before = world.gateway.audit.list(contract_id=contract.id).all()

    preview = world.gateway.charges.preview(contract.id, Money(5000, "JPY"), consent="phone")

    assert (preview.customer.name, preview.provider, preview.amount) == (
        "山田花子",
        "Telecom Credit",
        Money(5000, "JPY"),
    )
    assert (preview.renew_expiry, preview.send_step_mail) == (True, True)
    assert (preview.expires_on, preview.expires_on_after) == (FEB, MAR)
    assert [name for name, _ in preview.mails] == ["thanks"]
    assert world.telecom.calls == []
    assert world.gateway.audit.list(contract_id=contract.id).all() == before


@pytest.mark.rule("R-266")
def test_each_charge_leaves_one_audit_record_with_actor_options_and_expiry(world):
    contract = world.contract("stripe")
    before = world.gateway.audit.list(contract_id=contract.id).all()

    charge = world.settled(contract, renew_expiry=True)

    records = world.gateway.audit.list(contract_id=contract.id).all()[len(before) :]
    assert len(records) == 1
    assert str(records[0].actor) == "admin:admin"
    assert records[0].after["expires_on"] == "2026-03-15"
    assert charge.id in str(records[0].after)


def test_an_observer_may_veto_before_anything_is_written_or_sent(world):
    contract = world.contract("stripe")
    world.observer.veto = "the customer complained"

    with pytest.raises(Vetoed, match="the customer complained"):
        world.charge(contract)

    assert world.stripe.calls == []
    assert [charge.kind.value for charge in world.gateway.charges.list(contract_id=contract.id)] == ["INITIAL"]


def test_a_charge_that_needs_the_customer_is_pending_with_the_link(world):
    contract = world.contract("stripe")
    world.stripe.next(RequireAction("https://hooks.example/3ds"))

    charge = world.charge(contract)

    assert (charge.state, charge.action_url) == (ChargeState.PENDING, "https://hooks.example/3ds")


def test_the_main_job_works_behind_every_face(faces):
    contract = faces.contract("univapay")

    charge = faces.settled(contract, 5000, renew_expiry=False, send_step_mail=True)
    refund = faces.gateway.refunds.create(charge.id, Money(2000, "JPY"), idempotency_key="rma-9")
    refund = faces.gateway.refunds.wait(refund.id)

    assert charge.state is ChargeState.SUCCEEDED
    assert refund.state.value == "DONE"
    assert faces.gateway.ledger.net(contract.id) == Money(3000 + 5000 - 2000, "JPY")
    assert (faces.univapay.book.captured(), faces.univapay.book.refunded()) == (8000, 2000)


@pytest.mark.rule("R-005")
@pytest.mark.parametrize("account", ["univapay", "stripe", "amazonpay"])
def test_the_total_given_is_the_total_taken_and_recorded_nothing_is_added(world, account):
    contract = world.contract(account)
    first = world.fake(account).book.captured()

    charge = world.settled(contract, 1080)

    assert first == contract.plan.price.minor
    assert world.fake(account).book.captured(charge.reference) == 1080
    assert world.gateway.ledger.list(contract_id=contract.id).all()[-1].amount == Money(1080, "JPY")
