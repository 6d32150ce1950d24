import datetime as dt

import attrs
import pytest

from paygate.domain.charge import ChargeKind, Consent
from paygate.domain.contract import (
    Actor,
    BankTransfer,
    CancellationOrigin,
    Card,
    ContractType,
    Customer,
    Cycle,
    Manual,
    PaymentMethod,
    Plan,
    PlanKind,
    Product,
    ProductType,
    Status,
)
from paygate.domain.creation import (
    activate,
    application_notices,
    confirm_payment,
    decide_creation,
    first_payment,
)
from paygate.domain.followup import Audience, Next, NoticeKind
from paygate.domain.ledger import EntryKind, EntryState
from paygate.domain.mails import MailSet, StepMailState
from paygate.domain.rules import SYSTEM_MAX_EXPIRY, Rules
from paygate.domain.transitions import Event, find
from paygate.errors import (
    CapabilityNotSupported,
    InvalidAmount,
    InvalidValue,
    NaiveDatetime,
    NotFound,
    OperationNotAllowed,
    PermissionDenied,
    ProductEnded,
)
from paygate.money import Money

NOW = "2024-11-20 12:00:00"
TODAY = dt.date(2024, 11, 20)
FULL = Plan.recurring(
    "Gold", Money(3000, "JPY"), initial_fee=Money(500, "JPY"), special_price=Money(1000, "JPY"), special_periods=3
)
CARD = Card("main", "tok-1")


def yen(amount: int) -> Money:
    return Money(amount, "JPY")


def ending(month: str) -> Plan:
    return Plan.recurring("Gold", yen(3000), products=(Product("mag", ProductType.MONTHLY_MAGAZINE, end_month=month),))


@pytest.fixture
def decide(customer, gold, rules, providers, at):
    def decide(payment=CARD, plan=gold, start_on=TODAY, *, provider="univapay", now=NOW, actor=None, **more):
        return decide_creation(
            customer,
            plan,
            payment,
            start_on,
            providers[provider] if isinstance(payment, Card) else None,
            rules,
            at(now),
            actor or Actor.admin("ito"),
            contract_id="con-1",
            **more,
        )

    return decide


# --- plans -----------------------------------------------------------------------------------------------------------


@pytest.mark.rule("R-007")
def test_one_monthly_product_makes_the_plan_recurring():
    book, magazine = Product("book", ProductType.BUYOUT), Product("mag", ProductType.MONTHLY_MAGAZINE)

    assert Plan.recurring("Both", yen(3000), products=(book, magazine)).is_recurring
    assert not Plan.one_off("Book", yen(3000), products=(book,)).is_recurring
    with pytest.raises(InvalidValue):
        Plan.one_off("Both", yen(3000), products=(book, magazine))
    with pytest.raises(InvalidValue):
        Plan.recurring("Book", yen(3000), products=(book,))


@pytest.mark.rule("R-008")
def test_a_recurring_plan_has_a_cycle_and_a_one_off_plan_has_none():
    assert {cycle.value for cycle in Cycle} == {
        "DAILY", "WEEKLY", "BIWEEKLY", "MONTHLY", "QUARTERLY", "SEMIANNUAL", "ANNUAL",
    }  # fmt: skip
    with pytest.raises(InvalidValue):
        Plan("Gold", PlanKind.RECURRING, yen(3000))
    with pytest.raises(InvalidValue):
        Plan("Book", PlanKind.ONE_OFF, yen(3000), Cycle.MONTHLY)


@pytest.mark.rule("R-064")
def test_a_one_off_plan_has_no_special_price():
    with pytest.raises(InvalidValue) as refused:
        Plan("Book", PlanKind.ONE_OFF, yen(3000), special_price=yen(1000), special_periods=1)

    assert refused.value.rule == "R-064"


@pytest.mark.rule("R-060")
@pytest.mark.parametrize("periods", [-1, 1.5, True])
def test_special_periods_are_counted_in_whole_periods(periods):
    with pytest.raises(InvalidValue):
        Plan.recurring("Gold", yen(3000), special_price=yen(1000), special_periods=periods)


def test_only_a_package_can_be_recurring():
    with pytest.raises(InvalidValue):
        Plan("Seminar", PlanKind.RECURRING, yen(3000), Cycle.MONTHLY, contract_type=ContractType.SINGLE)


@pytest.mark.rule("R-004")
def test_all_prices_of_a_plan_are_money_of_one_currency():
    with pytest.raises(InvalidValue):
        Plan.recurring("Gold", yen(3000), initial_fee=Money(500, "USD"))
    with pytest.raises(InvalidValue):
        Plan.recurring("Gold", 3000)


@pytest.mark.rule("R-018")
def test_prices_and_cycle_belong_to_the_contract(decide):
    contract = decide(plan=FULL).contract

    assert contract.plan == FULL
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        contract.plan.price = yen(1)


@pytest.mark.rule("R-168")
@pytest.mark.parametrize(
    "token", ["4111111111111111", "4111 1111 1111 1111", "４１１１１１１１１１１１１１１１", "", "  "]
)
def test_a_card_number_is_not_a_reference(token):
    with pytest.raises(InvalidValue) as refused:
        Card("main", token)

    assert "4111" not in str(refused.value)


# --- what is due -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plan", "start", "due"),
    [
        pytest.param(Plan.one_off("Book", yen(8000)), "2024-12-24", 8000, marks=pytest.mark.rule("R-007")),
        pytest.param(FULL, "2024-11-20", 1500, marks=pytest.mark.rule("R-014", "R-061")),
        pytest.param(FULL, "2024-11-01", 1500, marks=pytest.mark.rule("R-014")),
        pytest.param(attrs.evolve(FULL, special_periods=0), "2024-11-20", 3500, marks=pytest.mark.rule("R-063")),
        pytest.param(attrs.evolve(FULL, special_price=None), "2024-11-20", 3500, marks=pytest.mark.rule("R-063")),
        pytest.param(FULL, "2024-11-21", 500, marks=pytest.mark.rule("R-015")),
        pytest.param(attrs.evolve(FULL, initial_fee=None), "2024-11-21", 0, marks=pytest.mark.rule("R-015")),
    ],
)
def test_what_signing_up_costs(plan, start, due):
    assert first_payment(plan, dt.date.fromisoformat(start), TODAY) == yen(due)


@pytest.mark.rule("R-009", "R-013", "R-018")
def test_a_card_is_to_be_charged_before_there_is_a_contract(decide):
    creation = decide(plan=FULL)

    assert creation.charge_now
    assert not creation.activate_now
    assert creation.due == yen(1500)
    assert creation.contract.method is PaymentMethod.CARD
    assert (creation.contract.account, creation.contract.credential) == ("main", "tok-1")


@pytest.mark.rule("R-013")
def test_a_card_that_is_said_to_be_paid_already_is_refused(decide):
    with pytest.raises(OperationNotAllowed) as refused:
        decide(paid=True)

    assert refused.value.rule == "R-013"


@pytest.mark.rule("R-017")
@pytest.mark.parametrize("plan", [Plan.recurring("Free", yen(0)), Plan.one_off("Free", yen(0))])
def test_a_price_of_nothing_makes_no_provider_call_and_a_zero_row(decide, plan, rules, new_id, at):
    creation = decide(plan=plan, provider="stripe")

    assert (creation.charge_now, creation.activate_now, creation.due) == (False, True, yen(0))
    rows = activate(creation.contract, at(NOW), rules, new_id).entries
    assert [row.amount for row in rows] == [yen(0)]


@pytest.mark.rule("R-010", "R-011", "T-01", "T-02")
@pytest.mark.parametrize(
    ("payment", "method", "actor"),
    [
        (BankTransfer(), PaymentMethod.BANK_TRANSFER, Actor.customer("cus-1")),
        (BankTransfer(), PaymentMethod.BANK_TRANSFER, Actor.admin()),
        (Manual(), PaymentMethod.MANUAL, Actor.admin()),
    ],
)
def test_without_a_card_the_contract_waits_for_its_payment(decide, payment, method, actor):
    creation = decide(payment, actor=actor)

    assert (creation.contract.status, creation.contract.method) == (Status.PENDING_PAYMENT, method)
    assert not creation.charge_now
    assert not creation.activate_now
    assert creation.due == yen(3000)
    assert creation.contract.account is None
    assert find(None, Event.CREATE, creation.contract.status).id == "T-01"
    assert find(None, Event.CREATE_UNPAID, creation.contract.status).id == "T-02"


@pytest.mark.rule("R-026", "R-027")
def test_a_waiting_contract_has_no_expiry_and_nothing_is_ever_due(decide):
    contract = decide(BankTransfer()).contract

    assert contract.expires_on is None
    assert contract.period_start is None


@pytest.mark.rule("R-012", "T-03")
@pytest.mark.parametrize("payment", [BankTransfer(), Manual()])
def test_a_paid_contract_is_activated_at_once(decide, rules, new_id, at, payment):
    creation = decide(payment, paid=True)

    assert creation.activate_now
    assert creation.due == yen(0)
    done = activate(creation.contract, at(NOW), rules, new_id, action="create")
    assert (done.contract.status, done.transition) == (Status.ACTIVE, "T-03")


@pytest.mark.rule("R-012", "R-267")
@pytest.mark.parametrize(
    ("payment", "actor", "more"),
    [
        (Manual(), Actor.customer("cus-1"), {}),
        (BankTransfer(), Actor.customer("cus-1"), {"paid": True}),
        (CARD, Actor.customer("cus-1"), {"imported": True}),
        (CARD, Actor.customer("cus-2"), {}),
        (CARD, Actor.scheduler(), {}),
    ],
)
def test_who_may_not_make_such_a_contract(decide, payment, actor, more):
    with pytest.raises(PermissionDenied):
        decide(payment, actor=actor, **more)


@pytest.mark.rule("R-016")
@pytest.mark.parametrize(
    ("start", "fine"),
    [("2024-11-20", True), ("2024-11-21", True), ("2030-01-01", True), ("2024-11-01", True), ("2024-11-19", False), ("2024-11-02", False), ("2024-10-01", False)],
)  # fmt: skip
def test_the_start_is_today_later_or_the_first_of_the_month(decide, start, fine):
    start_on = dt.date.fromisoformat(start)

    if fine:
        assert decide(start_on=start_on).contract.start_on == start_on
    else:
        with pytest.raises(InvalidValue) as refused:
            decide(start_on=start_on)
        assert refused.value.rule == "R-016"


@pytest.mark.rule("R-001", "R-003", "R-016")
def test_today_is_the_day_in_japan(decide):
    decide(start_on=dt.date(2024, 11, 20), now="2024-11-20T14:59:59Z")
    with pytest.raises(InvalidValue):
        decide(start_on=dt.date(2024, 11, 20), now="2024-11-20T15:00:00Z")


@pytest.mark.rule("R-016")
@pytest.mark.parametrize("start", ["2024-11-20", dt.datetime(2024, 11, 20, tzinfo=dt.UTC), None])
def test_only_a_date_is_a_start(decide, start):
    with pytest.raises(InvalidValue):
        decide(start_on=start)


@pytest.mark.rule("R-016")
def test_an_imported_contract_may_have_started_long_ago_and_is_not_charged(decide):
    creation = decide(start_on=dt.date(2019, 3, 31), imported=True, paid=True)

    assert creation.contract.start_on == dt.date(2019, 3, 31)
    assert not creation.charge_now
    assert creation.activate_now


@pytest.mark.rule("R-071", "T-07")
@pytest.mark.parametrize(
    ("start", "end_month", "fine"),
    [("2024-12-31", "2024-12", True), pytest.param("2025-01-01", "2024-12", False, marks=pytest.mark.rule("B-063"))],
)
def test_a_start_after_the_products_final_month_is_refused(decide, start, end_month, fine):
    start_on = dt.date.fromisoformat(start)

    if fine:
        decide(plan=ending(end_month), start_on=start_on)
    else:
        with pytest.raises(ProductEnded):
            decide(plan=ending(end_month), start_on=start_on)


@pytest.mark.rule("R-071")
def test_a_one_off_purchase_of_an_ended_product_is_refused_too(decide):
    book = Plan.one_off("Book", yen(8000), products=(Product("book", ProductType.BUYOUT, end_month="2024-10"),))

    with pytest.raises(ProductEnded):
        decide(plan=book)


@pytest.mark.rule("R-220")
def test_a_lump_sum_provider_takes_no_recurring_contract(decide, book):
    decide(plan=book, provider="amazonpay")
    with pytest.raises(CapabilityNotSupported) as refused:
        decide(provider="amazonpay")

    assert refused.value.rule == "R-220"


@pytest.mark.rule("R-215")
@pytest.mark.parametrize(
    "plan",
    [
        Plan.one_off("Cheap", yen(49)),
        Plan.recurring("Cheap", yen(49), initial_fee=yen(1000)),
        Plan.recurring("Cheap", yen(3000), special_price=yen(49), special_periods=1, initial_fee=yen(1000)),
        Plan.recurring("Dear", yen(100_000_000)),
    ],
)
def test_a_price_that_the_provider_could_never_charge_is_refused_at_once(decide, plan):
    with pytest.raises(InvalidAmount):
        decide(plan=plan, provider="stripe")


@pytest.mark.rule("R-017")
def test_a_free_special_period_is_within_every_limit(decide):
    plan = Plan.recurring("Trial", yen(3000), special_price=yen(0), special_periods=1)

    assert not decide(plan=plan, provider="stripe").charge_now


@pytest.mark.rule("R-004")
@pytest.mark.parametrize("payment", [CARD, BankTransfer(), Manual()])
def test_only_a_currency_that_can_be_paid_is_taken(decide, payment):
    with pytest.raises(InvalidAmount):
        decide(payment, plan=Plan.recurring("Gold", Money(3000, "USD")))


def test_an_account_that_is_not_set_up_is_named(customer, gold, rules, at):
    with pytest.raises(NotFound, match="'main'"):
        decide_creation(customer, gold, CARD, TODAY, None, rules, at(NOW), Actor.admin(), contract_id="con-1")


@pytest.mark.rule("R-002")
def test_a_time_without_a_zone_is_refused(customer, gold, rules):
    with pytest.raises(NaiveDatetime):
        decide_creation(
            customer, gold, BankTransfer(), TODAY, None, rules, dt.datetime(2024, 11, 20), Actor.admin(), contract_id="c"  # noqa: DTZ001
        )  # fmt: skip


@pytest.mark.parametrize("id_", ["", None, 7])
def test_a_customer_has_the_sellers_own_id(id_):
    with pytest.raises(InvalidValue):
        Customer(id_)


# --- confirmation ----------------------------------------------------------------------------------------------------


@pytest.fixture
def waiting(make_contract, at):
    def waiting(**given):
        return make_contract(
            **{
                "method": PaymentMethod.BANK_TRANSFER,
                "status": Status.PENDING_PAYMENT,
                "expires_on": None,
                "period_start": None,
            }
            | given
        )

    return waiting


@pytest.fixture
def confirm(rules, at, new_id):
    def confirm(contract, now="2024-10-08 12:00:00", *, actor=None, **more):
        return confirm_payment(contract, rules, at(now), new_id, actor=actor or Actor.admin("ito"), **more)

    return confirm


@pytest.mark.parametrize(
    ("plan", "start", "now", "status"),
    [
        pytest.param(Plan.one_off("Book", yen(8000)), "2024-10-08", "2024-10-08 12:00:00", Status.ESTABLISHED, marks=pytest.mark.rule("R-105", "T-11")),
        pytest.param(Plan.recurring("Gold", yen(3000)), "2024-10-08", "2024-10-08 12:00:00", Status.ACTIVE, marks=pytest.mark.rule("R-106", "T-13")),
        pytest.param(FULL, "2024-10-08", "2024-10-08 12:00:00", Status.SPECIAL_PERIOD, marks=pytest.mark.rule("R-107", "R-060", "T-12")),
        pytest.param(FULL, "2024-10-08", "2025-01-07 23:59:59", Status.SPECIAL_PERIOD, marks=pytest.mark.rule("R-065", "B-050")),
        pytest.param(FULL, "2024-10-08", "2025-01-08 00:00:00", Status.ACTIVE, marks=pytest.mark.rule("R-065")),
        pytest.param(attrs.evolve(FULL, special_periods=0), "2024-10-08", "2024-10-08 12:00:00", Status.ACTIVE, marks=pytest.mark.rule("R-063", "B-056")),
        pytest.param(FULL, "2024-12-01", "2024-11-30 23:59:59", Status.NOT_STARTED, marks=pytest.mark.rule("R-108", "B-032", "T-14")),
        pytest.param(FULL, "2024-12-01", "2024-12-01 00:00:00", Status.SPECIAL_PERIOD, marks=pytest.mark.rule("R-108", "B-033")),
        pytest.param(Plan.recurring("Gold", yen(3000)), "2024-12-01", "2024-12-01 00:00:00", Status.ACTIVE, marks=pytest.mark.rule("R-108", "B-033")),
        pytest.param(Plan.one_off("Book", yen(8000)), "2024-12-01", "2024-12-01 00:00:00", Status.ESTABLISHED, marks=pytest.mark.rule("R-108", "B-033")),
        pytest.param(ending("2024-12"), "2024-12-01", "2024-12-01 09:00:00", Status.CANCEL_SCHEDULED, marks=pytest.mark.rule("R-071", "B-062", "T-15")),
    ],
)  # fmt: skip
def test_confirmation_takes_a_contract_to_where_it_belongs(waiting, confirm, plan, start, now, status):
    contract = waiting(plan=plan, start_on=dt.date.fromisoformat(start))

    done = confirm(contract, now)

    assert done.contract.status is status
    assert done.transition == find(Status.PENDING_PAYMENT, Event.CONFIRM_PAYMENT, status).id


@pytest.mark.rule("R-071", "B-062")
def test_a_start_in_the_final_month_ends_with_the_period_and_cannot_be_revoked(waiting, confirm):
    contract = confirm(waiting(plan=ending("2024-12"), start_on=dt.date(2024, 12, 1)), "2024-12-01 09:00:00").contract

    assert contract.cancellation.origin is CancellationOrigin.PRODUCT_END
    assert contract.cancellation.effective_on == dt.date(2025, 1, 1)


@pytest.mark.rule("R-017", "R-044", "R-109", "R-236", "R-237")
def test_confirmation_writes_the_sale_in_its_parts(waiting, confirm, at):
    received = at("2024-10-07 15:00:00")
    contract = waiting(plan=FULL, applied_at=at("2024-10-05 10:00:00"))

    rows = confirm(contract, received_at=received).entries

    assert [(row.kind, row.amount) for row in rows] == [
        (EntryKind.INITIAL_FEE, yen(500)),
        (EntryKind.PERIOD, yen(1000)),
    ]
    for row in rows:
        assert row.state is EntryState.SUCCEEDED
        assert (row.purchased_on, row.target_on) == (dt.date(2024, 10, 5), dt.date(2024, 10, 8))
        assert row.received_at == received
        assert (row.account, row.charge_id) == (None, None)


@pytest.mark.rule("R-237")
def test_a_one_off_purchase_is_one_initial_fee_row(waiting, confirm, book):
    rows = confirm(waiting(plan=book)).entries

    assert [(row.kind, row.amount) for row in rows] == [(EntryKind.INITIAL_FEE, yen(8000))]


@pytest.mark.rule("R-386", "R-108", "R-028")
def test_before_the_start_a_transfer_pays_the_fee_and_the_first_period_and_opens_nothing(waiting, confirm):
    done = confirm(waiting(plan=FULL, start_on=dt.date(2024, 12, 1)))
    free = confirm(waiting(plan=attrs.evolve(FULL, initial_fee=None), start_on=dt.date(2024, 12, 1)))

    assert [row.kind for row in done.entries] == [EntryKind.INITIAL_FEE, EntryKind.PERIOD]
    assert done.contract.expires_on == dt.date(2025, 1, 1)
    assert [(row.kind, row.target_on) for row in free.entries] == [(EntryKind.PERIOD, dt.date(2024, 12, 1))]
    assert not free.licences


@pytest.mark.rule("R-046", "R-048", "B-036")
def test_a_late_confirmation_skips_the_renewal_days_that_have_passed(waiting, confirm, at):
    done = confirm(waiting(), "2024-11-20 12:00:00")

    assert done.contract.status is Status.ACTIVE
    assert [row.target_on for row in done.entries] == [dt.date(2024, 10, 8)]
    assert done.contract.expires_on == dt.date(2024, 12, 8)
    assert done.contract.period_start == dt.date(2024, 11, 8)
    assert confirm(waiting(), "2024-11-20 12:00:00", received_at=at("2024-10-09 10:00:00")).contract == done.contract


@pytest.mark.rule("R-053", "R-109")
def test_a_one_off_purchase_expires_with_the_system(waiting, confirm, book):
    assert confirm(waiting(plan=book)).contract.expires_on == SYSTEM_MAX_EXPIRY


@pytest.mark.rule("R-109", "R-225")
def test_confirmation_queues_the_payment_complete_mail(waiting, confirm, at):
    (mail,) = confirm(waiting()).mails

    assert (mail.set, mail.state) == (MailSet.ON_PAYMENT_COMPLETE, StepMailState.QUEUED)
    assert mail.due_at == at("2024-10-08 12:01:00")


@pytest.mark.rule("R-073", "R-109")
def test_confirmation_issues_the_licences_of_the_period(waiting, confirm):
    done = confirm(waiting(plan=ending("2030-01")))

    assert [(new.product, new.scope, new.entry_id) for new in done.licences] == [("mag", "2024-10", done.entries[0].id)]


@pytest.mark.rule("R-110")
@pytest.mark.parametrize(("received", "fine"), [("2024-10-08 12:00:00", True), ("2024-10-08 12:00:01", False)])
def test_the_receipt_is_not_in_the_future(waiting, confirm, at, received, fine):
    if fine:
        assert confirm(waiting(), received_at=at(received)).entries[0].received_at == at(received)
    else:
        with pytest.raises(InvalidValue) as refused:
            confirm(waiting(), received_at=at(received))
        assert refused.value.rule == "R-110"


@pytest.mark.rule("R-110")
def test_without_a_receipt_date_the_payment_came_now(waiting, confirm, at):
    assert confirm(waiting()).entries[0].received_at == at("2024-10-08 12:00:00")


@pytest.mark.rule("R-024", "R-104")
@pytest.mark.parametrize("status", [status for status in Status if status is not Status.PENDING_PAYMENT])
def test_only_a_waiting_contract_is_confirmed(waiting, confirm, status):
    with pytest.raises(OperationNotAllowed, match=status.value):
        confirm(waiting(status=status))


@pytest.mark.rule("R-267")
@pytest.mark.parametrize("actor", [Actor.customer("cus-1"), Actor.scheduler()])
def test_a_customer_does_not_confirm_the_own_payment(waiting, confirm, actor):
    with pytest.raises(PermissionDenied):
        confirm(waiting(), actor=actor)


@pytest.mark.rule("R-025", "R-266")
def test_confirmation_leaves_one_audit_record(waiting, confirm):
    (record,) = confirm(waiting()).audit

    assert (record.action, record.actor) == ("confirm_payment", Actor.admin("ito"))
    assert (record.before["status"], record.after["status"]) == ("PENDING_PAYMENT", "ACTIVE")


# --- the first charge of a card --------------------------------------------------------------------------------------


@pytest.fixture
def first_charge(decide, make_charge, providers, rules, new_id, at):
    def first_charge(*, provider="univapay", receipt=NOW, **creation):
        made = decide(provider=provider, **creation)
        charge = make_charge(
            kind=ChargeKind.INITIAL, amount=made.due, charged_at=at("2024-11-20 11:59:59"), consent=Consent("checkout")
        )
        return activate(made.contract, at(receipt), rules, new_id, charge=charge, capabilities=providers[provider])

    return first_charge


@pytest.mark.rule("R-013", "R-014", "T-04")
def test_a_card_contract_runs_from_its_first_charge_and_never_waits(first_charge, at):
    done = first_charge(plan=FULL)

    assert done.contract.status is Status.SPECIAL_PERIOD
    assert {row.charge_id for row in done.entries} == {"c" * 32}
    assert {row.account for row in done.entries} == {"main"}
    assert {row.received_at for row in done.entries} == {at("2024-11-20 11:59:59")}
    assert sum(row.amount.minor for row in done.entries) == 1500
    assert done.transition == "T-04"


@pytest.mark.rule("R-015", "R-028", "T-05")
def test_a_card_charged_before_the_start_has_not_started(first_charge):
    done = first_charge(plan=FULL, start_on=dt.date(2024, 11, 21))

    assert (done.contract.status, done.transition) == (Status.NOT_STARTED, "T-05")
    assert [row.kind for row in done.entries] == [EntryKind.INITIAL_FEE]


@pytest.mark.rule("R-015")
def test_what_a_charge_paid_for_does_not_grow_while_its_result_is_awaited(first_charge):
    done = first_charge(plan=FULL, start_on=dt.date(2024, 11, 21), receipt="2024-11-21 00:00:30")

    assert done.contract.status is Status.NOT_STARTED
    assert [row.kind for row in done.entries] == [EntryKind.INITIAL_FEE]


@pytest.mark.rule("R-218")
def test_a_provider_with_a_fixed_expiry_sets_it_from_the_first_payment_on(first_charge, book):
    done = first_charge(provider="amazonpay", plan=book)

    assert (done.contract.status, done.contract.expires_on) == (Status.ESTABLISHED, SYSTEM_MAX_EXPIRY)


@pytest.mark.rule("R-266")
def test_the_first_charge_is_audited_under_whoever_made_it(first_charge):
    (record,) = first_charge().audit

    assert record.actor == Actor.admin("ito")


@pytest.mark.rule("T-01", "R-010", "R-271", "X-07")
def test_an_application_by_bank_transfer_is_told_to_both_with_what_has_to_be_paid(decide):
    creation = decide(BankTransfer(), FULL)

    told = application_notices(creation, TODAY, Rules())
    assert [(notice.kind, notice.audience, notice.next) for notice in told] == [
        (NoticeKind.APPLICATION_RECEIVED, audience, Next.PAY) for audience in Audience
    ]
    assert all(
        notice.facts == {"amount": yen(1500), "happened_on": TODAY, "due_on": TODAY + dt.timedelta(days=7)}
        for notice in told
    )


@pytest.mark.rule("T-02", "R-011", "R-013")
@pytest.mark.parametrize(
    ("payment", "paid"), [(Manual(), False), (Manual(), True), (BankTransfer(), True), (CARD, False)]
)
def test_what_awaits_no_bank_transfer_is_no_application(decide, payment, paid):
    assert application_notices(decide(payment, FULL, paid=paid), TODAY, Rules()) == ()
