import datetime as dt

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paygate.clock import JST
from paygate.domain.charge import ChargeKind
from paygate.domain.contract import (
    Actor,
    Cancellation,
    CancellationOrigin,
    Contract,
    Cycle,
    PastDue,
    PaymentMethod,
    Plan,
    Product,
    ProductType,
    Status,
)
from paygate.domain.due import StepKind, due_steps, next_due_on
from paygate.domain.failing import FailedAttempt, fail
from paygate.domain.ledger import EntryKind, EntryState
from paygate.domain.licences import LicenseState, issue
from paygate.domain.mails import MailSet
from paygate.domain.renewal import end, renew, schedule_product_end, start
from paygate.domain.rules import Rules
from paygate.domain.running import period_price, product_ends_on, resumed, special_ends_on
from paygate.domain.transitions import Event, allowed, find
from paygate.errors import OperationNotAllowed
from paygate.money import Money

BANK = PaymentMethod.BANK_TRANSFER
SPECIAL = Plan.recurring("Gold", Money(3000, "JPY"), special_price=Money(1000, "JPY"), special_periods=3)


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


def yen(amount: int) -> Money:
    return Money(amount, "JPY")


def ending(month: str, cycle: Cycle = Cycle.MONTHLY) -> Plan:
    magazine = Product("mag", ProductType.MONTHLY_MAGAZINE, end_month=month)
    return Plan.recurring("Gold", yen(3000), cycle, products=(magazine,))


@pytest.fixture
def due(rules, at):
    def due(contract, now):
        return [(step.kind, step.on.isoformat()) for step in due_steps(contract, at(now), rules)]

    return due


@pytest.fixture
def do_renew(rules, at, new_id, make_charge):
    """Renew; a card by a charge of its own."""

    def do_renew(contract, on, now, **more):
        charge = make_charge(kind=ChargeKind.PERIOD, amount=yen(3000)) if contract.is_card else None
        return renew(contract, day(on), at(now), rules, new_id, **{"charge": charge} | more)

    return do_renew


@pytest.fixture
def notice(at):
    def notice(effective, origin=CancellationOrigin.CUSTOMER):
        return {
            "status": Status.CANCEL_SCHEDULED,
            "cancellation": Cancellation(origin, at("2024-10-20 10:00:00"), Actor.customer("cus-1"), day(effective)),
        }

    return notice


@pytest.fixture
def unpaid(at):
    def unpaid(period="2024-11-08", **more):
        return {"status": Status.PAST_DUE, "past_due": PastDue(at(f"{period} 07:00:00"), day(period))} | more

    return unpaid


# --- special period --------------------------------------------------------------------------------------------------


@pytest.mark.rule("R-060", "R-061", "R-062")
@pytest.mark.parametrize(
    ("period", "price"), [("2024-10-08", 1000), ("2024-11-08", 1000), ("2024-12-08", 1000), ("2025-01-08", 3000)]
)
def test_the_first_periods_cost_the_special_price(period, price):
    assert period_price(SPECIAL, day("2024-10-08"), day(period)) == yen(price)


@pytest.mark.rule("R-060")
@pytest.mark.parametrize(
    ("start_on", "ends"),
    [("2024-10-08", "2025-01-08"), pytest.param("2024-11-30", "2025-02-28", marks=pytest.mark.rule("B-052"))],
)
def test_the_special_period_ends_on_the_nth_renewal_day(start_on, ends):
    assert special_ends_on(SPECIAL, day(start_on)) == day(ends)


@pytest.mark.rule("R-063", "B-056")
@pytest.mark.parametrize("plan", [attrs.evolve(SPECIAL, special_periods=0), attrs.evolve(SPECIAL, special_price=None)])
def test_without_special_periods_or_price_there_is_no_special_period(plan):
    assert special_ends_on(plan, day("2024-10-08")) is None
    assert period_price(plan, day("2024-10-08"), day("2024-10-08")) == yen(3000)


@pytest.mark.rule("R-061", "R-062", "B-050", "B-051")
@pytest.mark.parametrize(
    ("on", "status", "price"),
    [("2024-11-08", Status.SPECIAL_PERIOD, 1000), ("2024-12-08", Status.SPECIAL_PERIOD, 1000), ("2025-01-08", Status.ACTIVE, 3000)],
)  # fmt: skip
def test_the_nth_renewal_ends_the_special_period(make_contract, do_renew, on, status, price):
    contract = make_contract(plan=SPECIAL, status=Status.SPECIAL_PERIOD, method=BANK)

    done = do_renew(contract, on, f"{on} 03:00:00")

    assert (done.contract.status, done.entries[0].amount) == (status, yen(price))
    assert find(Status.SPECIAL_PERIOD, Event.RENEWAL_DUE, status)


@pytest.mark.rule("R-065")
@pytest.mark.parametrize(
    ("now", "status"),
    [
        pytest.param("2025-01-07 23:59:59", Status.SPECIAL_PERIOD, marks=pytest.mark.rule("B-053")),
        pytest.param("2025-01-08 00:00:00", Status.ACTIVE, marks=pytest.mark.rule("B-054")),
    ],
)
def test_a_resumption_returns_by_date(make_contract, unpaid, at, now, status):
    contract = make_contract(plan=SPECIAL, method=BANK, **unpaid("2024-12-08"))

    assert resumed(contract, at(now).astimezone(JST).date(), at(now)).status is status


@pytest.mark.rule("R-066", "B-055")
def test_a_card_that_fails_at_the_end_of_the_special_period_comes_back_at_the_regular_price(
    make_contract, do_renew, at, new_id
):
    contract = make_contract(plan=SPECIAL, status=Status.SPECIAL_PERIOD, period_start=day("2024-12-08"))

    attempt = FailedAttempt(day("2025-01-08"))
    stopped = fail(contract, attempt, at("2025-01-08 07:00:00"), Rules(), new_id, actor=Actor.provider("main")).contract
    back = do_renew(stopped, "2025-01-08", "2025-01-11 07:00:00").contract

    assert (stopped.status, back.status, back.past_due) == (Status.PAST_DUE, Status.ACTIVE, None)


# --- what is due -----------------------------------------------------------------------------------------------------


@pytest.mark.rule("R-029")
@pytest.mark.parametrize(
    ("now", "steps"),
    [
        pytest.param("2024-11-30 23:59:59", [], marks=pytest.mark.rule("B-034")),
        pytest.param("2024-12-01 00:00:00", [(StepKind.START, "2024-12-01")], marks=pytest.mark.rule("B-035")),
        ("2024-11-30T14:59:59Z", []),
        ("2024-11-30T15:00:00Z", [(StepKind.START, "2024-12-01")]),
    ],
)
@pytest.mark.parametrize("plan", [SPECIAL, Plan.one_off("Book", yen(8000))])
def test_a_start_is_due_when_its_day_begins_in_japan(make_contract, due, plan, now, steps):
    contract = make_contract(plan=plan, status=Status.NOT_STARTED, start_on=day("2024-12-01"), period_start=None)

    assert due(contract, now) == steps


@pytest.mark.rule("R-036", "R-037")
@pytest.mark.parametrize(
    ("now", "steps"),
    [("2024-11-07 23:59:59", []), ("2024-11-08 00:00:00", [(StepKind.RENEWAL, "2024-11-08")])],
)
def test_a_renewal_is_due_when_its_day_begins(make_contract, due, now, steps):
    assert due(make_contract(), now) == steps


@pytest.mark.rule("R-041", "B-141")
def test_missed_renewals_are_due_in_date_order_with_their_own_dates(make_contract, due, rules, at, new_id):
    contract = make_contract(method=BANK)

    assert due(contract, "2024-12-10 03:00:00") == [
        (StepKind.RENEWAL, "2024-11-08"),
        (StepKind.RENEWAL, "2024-12-08"),
    ]
    rows, now = [], at("2024-12-10 03:00:00")
    for step in due_steps(contract, now, rules):
        done = renew(contract, step.on, now, rules, new_id)
        contract, rows = done.contract, [*rows, *done.entries]
    assert [row.target_on for row in rows] == [day("2024-11-08"), day("2024-12-08")]
    assert contract.expires_on == day("2025-01-08")


@pytest.mark.rule("R-041")
def test_a_missed_start_is_due_before_its_renewals(make_contract, due):
    contract = make_contract(status=Status.NOT_STARTED, start_on=day("2024-12-01"), period_start=None)

    assert due(contract, "2025-02-03 03:00:00") == [
        (StepKind.START, "2024-12-01"),
        (StepKind.RENEWAL, "2025-01-01"),
        (StepKind.RENEWAL, "2025-02-01"),
    ]


@pytest.mark.rule("R-015", "R-061")
def test_a_step_names_what_it_charges(make_contract, rules, at, book):
    waiting = {"status": Status.NOT_STARTED, "start_on": day("2024-12-01"), "period_start": None}

    assert [step.price for step in due_steps(make_contract(plan=SPECIAL, **waiting), at("2025-03-01 03:00:00"), rules)] == [
        yen(1000), yen(1000), yen(1000), yen(3000),
    ]  # fmt: skip
    assert due_steps(make_contract(plan=book, **waiting), at("2025-03-01 03:00:00"), rules)[0].price == yen(0)


@pytest.mark.rule("R-027", "R-038", "R-039")
@pytest.mark.parametrize(
    "status", [Status.PENDING_PAYMENT, Status.ESTABLISHED, Status.PAST_DUE, Status.TERMINATED, Status.CANCELED]
)
def test_only_running_contracts_renew(make_contract, due, do_renew, status):
    contract = make_contract(status=status, method=BANK)

    assert due(contract, "2026-01-01 03:00:00") == []
    with pytest.raises(OperationNotAllowed) as refused:
        do_renew(contract, "2024-11-08", "2024-11-08 03:00:00")
    assert refused.value.rule == "R-038"


@pytest.mark.rule("R-042", "R-128", "R-132", "B-142")
@pytest.mark.parametrize(
    ("now", "steps"),
    [
        ("2024-11-07 23:59:59", []),
        pytest.param("2024-11-08 03:00:00", [(StepKind.CANCELLATION, "2024-11-08")], marks=pytest.mark.rule("B-022")),
        pytest.param("2024-11-10 03:00:00", [(StepKind.CANCELLATION, "2024-11-08")], marks=pytest.mark.rule("B-023")),
        ("2025-03-10 03:00:00", [(StepKind.CANCELLATION, "2024-11-08")]),
    ],
)
def test_a_contract_that_ends_on_its_renewal_day_is_not_charged_on_it(make_contract, notice, due, now, steps):
    assert due(make_contract(**notice("2024-11-08")), now) == steps


@pytest.mark.rule("R-039", "R-164", "B-143")
def test_a_long_suspension_is_not_made_up_for(make_contract, unpaid, due, at):
    contract = make_contract(method=BANK, **unpaid("2024-11-08"))

    back = resumed(contract, day("2025-01-20"), at("2025-01-20 12:00:00"))

    assert due(contract, "2025-01-20 12:00:00") == []
    assert due(back, "2025-02-07 23:59:59") == []
    assert due(back, "2025-02-08 00:00:00") == [(StepKind.RENEWAL, "2025-02-08")]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"status": Status.NOT_STARTED, "start_on": dt.date(2024, 12, 1), "period_start": None}, "2024-12-01"),
        ({}, "2024-11-08"),
        ({"status": Status.SPECIAL_PERIOD, "plan": SPECIAL}, "2024-11-08"),
        ({"status": Status.PAST_DUE}, None),
        ({"status": Status.PAST_DUE, "plan": ending("2024-12")}, "2025-01-08"),
        ({"status": Status.ESTABLISHED}, None),
        ({"status": Status.PENDING_PAYMENT}, None),
        ({"plan": ending("2024-10")}, "2024-10-08"),
    ],
)
def test_when_a_run_next_has_something_to_do(make_contract, given, expected):
    assert next_due_on(make_contract(**given)) == (expected and day(expected))


def test_a_scheduled_cancellation_is_next_due_on_its_effective_day(make_contract, notice):
    assert next_due_on(make_contract(**notice("2024-11-08"))) == day("2024-11-08")


# --- starting --------------------------------------------------------------------------------------------------------


@pytest.fixture
def waiting(make_contract, at):
    def waiting(**given):
        return make_contract(
            **{
                "status": Status.NOT_STARTED,
                "start_on": day("2024-12-01"),
                "period_start": None,
                "expires_on": day("2025-01-01"),
                "applied_at": at("2024-11-20 12:00:00"),
            }
            | given
        )

    return waiting


@pytest.mark.rule("R-030")
@pytest.mark.parametrize(
    ("plan", "status"),
    [
        (Plan.one_off("Book", yen(8000)), Status.ESTABLISHED),
        (SPECIAL, Status.SPECIAL_PERIOD),
        (Plan.recurring("Gold", yen(3000)), Status.ACTIVE),
        pytest.param(ending("2024-12"), Status.CANCEL_SCHEDULED, marks=pytest.mark.rule("R-071")),
    ],
)
def test_on_its_start_a_contract_becomes_what_its_plan_says(waiting, rules, at, new_id, plan, status):
    done = start(waiting(plan=plan, method=BANK), at("2024-12-01 03:00:00"), rules, new_id)

    assert (done.contract.status, done.contract.period_start) == (status, day("2024-12-01"))
    assert find(Status.NOT_STARTED, Event.START_DUE, status)
    assert len(done.audit) == 1


@pytest.mark.rule("R-029", "R-041")
@pytest.mark.parametrize("now", ["2024-12-01 03:00:00", "2024-12-20 03:00:00"])
def test_a_late_run_changes_nothing_about_an_offline_start(waiting, rules, at, new_id, now):
    done = start(waiting(method=BANK), at(now), rules, new_id)

    (row,) = done.entries
    assert (row.kind, row.state, row.target_on) == (EntryKind.PERIOD, EntryState.ASSUMED, day("2024-12-01"))
    assert (done.contract.expires_on, done.contract.period_start) == (day("2025-01-01"), day("2024-12-01"))


@pytest.mark.rule("R-015", "R-044")
def test_the_first_period_of_a_card_is_paid_by_its_charge(waiting, rules, at, new_id, make_charge):
    charge = make_charge(kind=ChargeKind.PERIOD, amount=yen(3000), charged_at=at("2024-12-01 07:00:00"))

    done = start(waiting(), at("2024-12-01 07:00:05"), rules, new_id, charge=charge)

    (row,) = done.entries
    assert (row.state, row.amount, row.charge_id) == (EntryState.SUCCEEDED, yen(3000), charge.id)
    assert (row.purchased_on, row.target_on) == (day("2024-11-20"), day("2024-12-01"))
    assert row.received_at == at("2024-12-01 07:00:00")
    assert done.contract.expires_on == day("2025-01-01")


@pytest.mark.rule("R-036")
def test_a_card_does_not_start_a_paid_period_without_its_charge(waiting, rules, at, new_id):
    with pytest.raises(OperationNotAllowed) as refused:
        start(waiting(), at("2024-12-01 03:00:00"), rules, new_id)

    assert refused.value.rule == "R-036"


@pytest.mark.rule("R-017")
def test_a_free_first_period_needs_no_charge(waiting, rules, at, new_id):
    free = Plan.recurring("Trial", yen(3000), special_price=yen(0), special_periods=1)

    (row,) = start(waiting(plan=free), at("2024-12-01 03:00:00"), rules, new_id).entries

    assert (row.amount, row.state) == (yen(0), EntryState.SUCCEEDED)


@pytest.mark.rule("R-029")
@pytest.mark.parametrize(("status", "now"), [(Status.NOT_STARTED, "2024-11-30 23:59:59"), (Status.ACTIVE, "2024-12-01 03:00:00")])  # fmt: skip
def test_nothing_starts_early_or_twice(waiting, rules, at, new_id, status, now):
    with pytest.raises(OperationNotAllowed):
        start(waiting(status=status, method=BANK), at(now), rules, new_id)


@pytest.mark.rule("R-057")
def test_a_later_expiry_that_was_set_by_hand_survives_the_start(waiting, rules, at, new_id):
    contract = waiting(method=BANK, expires_on=day("2025-06-30"))

    assert start(contract, at("2024-12-01 03:00:00"), rules, new_id).contract.expires_on == day("2025-06-30")


@pytest.mark.rule("R-145")
def test_a_first_period_that_fails_and_is_paid_late_is_counted_once(waiting, rules, at, new_id, make_charge):
    attempt = FailedAttempt(day("2024-12-01"))
    stopped = fail(waiting(), attempt, at("2024-12-01 07:00:00"), rules, new_id, actor=Actor.provider("main"))
    charge = make_charge(kind=ChargeKind.PERIOD, amount=yen(3000))
    back = renew(stopped.contract, day("2024-12-01"), at("2024-12-04 07:00:00"), rules, new_id, charge=charge)

    assert find(Status.NOT_STARTED, Event.CHARGE_FAILED, stopped.contract.status)
    assert (back.contract.status, back.contract.expires_on) == (Status.ACTIVE, day("2025-01-01"))


# --- renewing --------------------------------------------------------------------------------------------------------


@pytest.mark.rule("R-037", "R-045")
def test_an_offline_renewal_is_assumed_to_be_paid(make_contract, do_renew):
    done = do_renew(make_contract(method=BANK), "2024-11-08", "2024-11-08 03:00:00")

    (row,) = done.entries
    assert (row.kind, row.state, row.amount) == (EntryKind.PERIOD, EntryState.ASSUMED, yen(3000))
    assert row.purchased_on == row.target_on == day("2024-11-08")
    assert (done.contract.status, done.contract.period_start) == (Status.ACTIVE, day("2024-11-08"))


@pytest.mark.rule("R-036", "R-045")
def test_only_the_success_of_its_charge_renews_a_card(make_contract, do_renew, rules, at, new_id):
    contract = make_contract()

    with pytest.raises(OperationNotAllowed):
        renew(contract, day("2024-11-08"), at("2024-11-08 03:00:00"), rules, new_id)
    done = do_renew(contract, "2024-11-08", "2024-11-08 07:00:00")

    (row,) = done.entries
    assert (row.state, row.account, row.reference) == (EntryState.SUCCEEDED, "main", "ref-1")
    assert row.purchased_on == row.target_on == day("2024-11-08")


@pytest.mark.rule("R-049", "R-058")
@pytest.mark.parametrize("method", [PaymentMethod.CARD, BANK])
def test_a_renewal_extends_the_expiry_like_an_additional_charge(make_contract, do_renew, method):
    done = do_renew(make_contract(method=method), "2024-11-08", "2024-11-08 07:00:00")

    assert done.contract.expires_on == day("2024-12-08")


@pytest.mark.rule("R-043", "R-224")
def test_a_renewal_sends_its_step_mails(make_contract, do_renew):
    assert [mail.set for mail in do_renew(make_contract(), "2024-11-08", "2024-11-08 07:00:00").mails] == [
        MailSet.ON_RENEWAL
    ]


@pytest.mark.rule("R-073")
def test_a_renewal_opens_the_content_of_its_month(make_contract, do_renew, new_id):
    contract = make_contract(plan=ending("2030-01"))
    known = issue(contract, day("2024-10-08"), "row-0", (), new_id)

    assert [new.scope for new in do_renew(contract, "2024-11-08", "2024-11-08 07:00:00", licences=known).licences] == [
        "2024-11"
    ]


@pytest.mark.rule("R-017", "R-061")
def test_a_free_period_of_a_card_renews_without_charge(make_contract, do_renew):
    free = Plan.recurring("Trial", yen(3000), special_price=yen(0), special_periods=3)
    contract = make_contract(plan=free, status=Status.SPECIAL_PERIOD)

    (row,) = do_renew(contract, "2024-11-08", "2024-11-08 03:00:00", charge=None).entries

    assert (row.amount, row.state) == (yen(0), EntryState.SUCCEEDED)


@pytest.mark.rule("R-078", "R-146", "R-164")
def test_a_retry_that_succeeds_resumes_and_moves_no_renewal_day(make_contract, unpaid, do_renew, due, new_id):
    contract = make_contract(plan=ending("2030-01"), **unpaid("2024-11-08"))
    (locked,) = (
        attrs.evolve(known, state=LicenseState.REVOKED)
        for known in issue(contract, day("2024-11-08"), "row-2", (), new_id)
    )

    done = do_renew(contract, "2024-11-08", "2024-11-13 07:00:00", licences=[locked])

    assert (done.contract.status, done.contract.past_due) == (Status.ACTIVE, None)
    assert done.contract.expires_on == day("2024-12-08")
    assert done.entries[0].target_on == day("2024-11-08")
    assert done.licences == (attrs.evolve(locked, state=LicenseState.ACTIVE),)
    assert due(done.contract, "2024-12-08 00:00:00") == [(StepKind.RENEWAL, "2024-12-08")]


@pytest.mark.rule("R-163")
@pytest.mark.parametrize(("now", "status"), [("2024-12-07 23:59:59", Status.CANCEL_SCHEDULED), ("2024-12-08 00:00:00", Status.TERMINATED)])  # fmt: skip
def test_a_late_success_returns_to_the_cancellation_that_was_kept(make_contract, notice, unpaid, do_renew, now, status):
    contract = make_contract(**notice("2024-12-08") | unpaid("2024-11-08"))

    assert do_renew(contract, "2024-11-08", now).contract.status is status


@pytest.mark.rule("R-163")
def test_a_success_after_notice_was_given_keeps_the_notice(make_contract, notice, do_renew):
    contract = make_contract(**notice("2024-12-08"))

    done = do_renew(contract, "2024-11-08", "2024-11-09 10:00:00").contract

    assert (done.status, done.cancellation) == (Status.CANCEL_SCHEDULED, contract.cancellation)


@pytest.mark.rule("R-022", "R-144")
def test_a_success_after_the_end_is_recorded_and_revives_nothing(make_contract, do_renew):
    contract = make_contract(status=Status.TERMINATED, ended_on=day("2024-11-09"))

    done = do_renew(contract, "2024-11-08", "2024-11-10 07:00:00")

    assert done.contract == contract
    assert (done.entries[0].state, done.entries[0].remarks) == (
        EntryState.SUCCEEDED,
        "paid after the contract ended: to be returned",
    )
    assert not done.mails
    assert not done.licences
    assert done.audit[0].action == "late_payment"


# --- ending ----------------------------------------------------------------------------------------------------------


@pytest.mark.rule("R-128", "R-132", "R-233", "B-022", "B-023")
@pytest.mark.parametrize("now", ["2024-11-08 03:00:00", "2024-11-10 03:00:00"])
def test_a_cancellation_takes_effect_with_its_own_date(make_contract, notice, rules, at, new_id, now):
    contract = make_contract(**notice("2024-11-08"))

    done = end(contract, day("2024-11-08"), at(now), rules, new_id)

    assert (done.contract.status, done.contract.ended_on) == (Status.TERMINATED, day("2024-11-08"))
    assert done.contract.cancellation is None
    assert done.contract.expires_on == contract.expires_on
    assert not done.entries
    assert [mail.set for mail in done.mails] == [MailSet.ON_RECURRING_CANCEL]


@pytest.mark.rule("R-135")
@pytest.mark.parametrize(("on", "now"), [("2024-11-08", "2024-11-07 23:59:59"), ("2024-11-09", "2024-11-10 03:00:00")])
def test_nothing_ends_before_its_day_or_on_another(make_contract, notice, rules, at, new_id, on, now):
    with pytest.raises(OperationNotAllowed):
        end(make_contract(**notice("2024-11-08")), day(on), at(now), rules, new_id)


# --- the product's end -----------------------------------------------------------------------------------------------


@pytest.mark.rule("R-067")
@pytest.mark.parametrize(
    ("start_on", "cycle", "month", "ends"),
    [
        ("2024-10-08", Cycle.MONTHLY, "2024-12", "2025-01-08"),
        ("2024-12-01", Cycle.MONTHLY, "2024-12", "2025-01-01"),
        ("2024-01-31", Cycle.MONTHLY, "2024-02", "2024-03-31"),
        ("2024-10-08", Cycle.WEEKLY, "2024-10", "2024-11-05"),
        ("2024-10-08", Cycle.QUARTERLY, "2024-12", "2025-01-08"),
        ("2024-10-08", Cycle.ANNUAL, "2024-12", "2025-10-08"),
    ],
)
def test_the_final_month_is_served_in_full(start_on, cycle, month, ends):
    assert product_ends_on(ending(month, cycle), day(start_on)) == day(ends)


@pytest.mark.rule("R-067")
@pytest.mark.parametrize(
    ("plan_end", "start_on", "on", "effective"),
    [
        pytest.param("2024-12", "2024-10-08", "2024-11-08", None, marks=pytest.mark.rule("B-061")),
        pytest.param("2024-12", "2024-10-08", "2024-12-08", "2025-01-08", marks=pytest.mark.rule("B-060")),
        pytest.param("2024-02", "2024-01-31", "2024-02-29", "2024-03-31", marks=pytest.mark.rule("B-064")),
    ],
)
@pytest.mark.parametrize("method", [PaymentMethod.CARD, BANK])
def test_the_renewal_that_begins_the_final_period_schedules_the_end(
    make_contract, do_renew, plan_end, start_on, on, effective, method
):
    contract = make_contract(plan=ending(plan_end), start_on=day(start_on), period_start=day(start_on), method=method)

    done = do_renew(contract, on, f"{on} 07:00:00").contract

    if effective is None:
        assert (done.status, done.cancellation) == (Status.ACTIVE, None)
    else:
        assert done.status is Status.CANCEL_SCHEDULED
        assert (done.cancellation.origin, done.cancellation.effective_on) == (
            CancellationOrigin.PRODUCT_END,
            day(effective),
        )


@pytest.mark.rule("R-041", "R-042", "R-067")
def test_a_late_run_renews_into_the_final_period_and_ends_it(make_contract, due, rules, at, new_id):
    contract, now = make_contract(plan=ending("2024-12"), method=BANK), at("2025-03-01 03:00:00")

    assert due(contract, "2025-03-01 03:00:00") == [
        (StepKind.RENEWAL, "2024-11-08"),
        (StepKind.RENEWAL, "2024-12-08"),
        (StepKind.CANCELLATION, "2025-01-08"),
    ]
    while steps := due_steps(contract, now, rules):
        step = steps[0]
        if step.kind is StepKind.RENEWAL:
            contract = renew(contract, step.on, now, rules, new_id).contract
        else:
            contract = end(contract, step.on, now, rules, new_id).contract
    assert (contract.status, contract.ended_on) == (Status.TERMINATED, day("2025-01-08"))


@pytest.mark.rule("R-042", "R-067")
def test_a_final_month_decided_later_ends_the_running_period(make_contract, due, at, new_id):
    contract = make_contract(plan=ending("2024-10"))

    done = schedule_product_end(contract, at("2024-10-20 03:00:00"), new_id).contract

    assert due(contract, "2024-10-20 03:00:00") == [(StepKind.PRODUCT_END, "2024-10-08")]
    assert due(contract, "2024-11-20 03:00:00") == [
        (StepKind.PRODUCT_END, "2024-10-08"),
        (StepKind.CANCELLATION, "2024-11-08"),
    ]
    assert (done.status, done.cancellation.effective_on) == (Status.CANCEL_SCHEDULED, day("2024-11-08"))
    assert find(Status.ACTIVE, Event.FINAL_PERIOD_BEGINS, done.status)


@pytest.mark.rule("R-069")
def test_an_open_cancellation_by_hand_becomes_the_products_end(make_contract, notice, due, at, new_id):
    contract = make_contract(plan=ending("2024-10"), **notice("2024-11-08"))

    done = schedule_product_end(contract, at("2024-10-20 03:00:00"), new_id).contract

    assert due(contract, "2024-10-20 03:00:00") == [(StepKind.PRODUCT_END, "2024-10-08")]
    assert done.cancellation.origin is CancellationOrigin.PRODUCT_END
    assert due(done, "2024-10-20 03:00:00") == []


@pytest.mark.parametrize(
    "given", [{}, {"plan": ending("2025-12")}, {"plan": ending("2024-10"), "status": Status.PAST_DUE}]
)
def test_nothing_else_ends_with_a_product(make_contract, at, new_id, given):
    with pytest.raises(OperationNotAllowed):
        schedule_product_end(make_contract(**given), at("2024-10-20 03:00:00"), new_id)


@pytest.mark.rule("R-070")
@pytest.mark.parametrize(
    ("now", "steps"), [("2025-01-07 23:59:59", []), ("2025-01-08 00:00:00", [(StepKind.CANCELLATION, "2025-01-08")])]
)
def test_a_contract_still_unpaid_when_the_product_ends_is_terminated(
    make_contract, unpaid, due, rules, at, new_id, now, steps
):
    contract = make_contract(plan=ending("2024-12"), **unpaid("2024-11-08"))

    assert due(contract, now) == steps
    if steps:
        ended = end(contract, day("2025-01-08"), at(now), rules, new_id).contract
        assert (ended.status, ended.past_due) == (Status.TERMINATED, None)


# --- properties ------------------------------------------------------------------------------------------------------


@pytest.mark.rule("R-022", "R-025", "R-038", "R-041", "R-054")
@settings(deadline=None)
@given(
    start_on=st.dates(dt.date(2024, 1, 1), dt.date(2026, 12, 31)),
    cycle=st.sampled_from([Cycle.BIWEEKLY, Cycle.MONTHLY, Cycle.QUARTERLY, Cycle.ANNUAL]),
    special=st.integers(0, 4),
    end_month=st.sampled_from([None, "2026-12", "2027-06"]),
    runs=st.lists(st.integers(0, 200), max_size=8),
)
def test_whenever_the_runs_come_an_offline_contract_has_the_same_life(start_on, cycle, special, end_month, runs):
    plan = Plan.recurring(
        "Gold", yen(3000), cycle, special_price=yen(1000), special_periods=special,
        products=(Product("mag", ProductType.MONTHLY_MAGAZINE, end_month=end_month),),
    )  # fmt: skip
    applied = dt.datetime.combine(start_on, dt.time(), JST)
    new = Contract("con", "cus", plan, BANK, Status.NOT_STARTED, start_on, applied, Actor.admin(), expires_on=start_on)
    last = applied + dt.timedelta(days=1600)

    often = _live(new, [*(applied + dt.timedelta(days=gap) for gap in sorted(runs)), last])
    once = _live(new, [last])

    assert often == once


def _live(contract: Contract, runs: list[dt.datetime]) -> tuple[object, ...]:
    rules, rows = Rules(), []
    for now in runs:
        for step in due_steps(contract, now, rules):
            match step.kind:
                case StepKind.START:
                    done = start(contract, now, rules, lambda: "id")
                case StepKind.RENEWAL:
                    done = renew(contract, step.on, now, rules, lambda: "id")
                case _:
                    done = end(contract, step.on, now, rules, lambda: "id")
            assert allowed(contract.status, done.contract.status)
            assert done.contract.expires_on >= contract.expires_on
            assert done.contract.expires_on <= rules.system_max
            rows += [(row.target_on, row.amount, row.state) for row in done.entries]
            contract = done.contract
        assert not due_steps(contract, now, rules)
    assert len({target for target, _, _ in rows}) == len(rows)
    return contract.status, contract.period_start, contract.ended_on, contract.expires_on, rows
