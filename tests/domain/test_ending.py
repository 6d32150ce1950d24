"""解約予約, 解約の取消 and 解約処理: a running contract ends (domain §6.13, §6.14)."""

import datetime as dt

import attrs
import pytest

from paygate.domain.contract import (
    Actor,
    Cancellation,
    CancellationOrigin,
    PastDue,
    PaymentMethod,
    Plan,
    Product,
    ProductType,
    Status,
)
from paygate.domain.due import StepKind, due_steps, next_due_on
from paygate.domain.ending import last_day_of_use, revoke_cancellation, schedule_cancellation, terminate
from paygate.domain.followup import Audience, Next, NoticeKind, ProviderAction, Wanted
from paygate.domain.ledger import EntryState, net_sales
from paygate.domain.lifecycle import refusal
from paygate.domain.renewal import end, renew
from paygate.domain.suspending import suspend
from paygate.errors import (
    EffectiveDayReached,
    NotRevocable,
    OperationNotAllowed,
    PermissionDenied,
    RenewalDayError,
)
from paygate.money import Money
from paygate.provider import Capabilities, Renewals

CARD, BANK = PaymentMethod.CARD, PaymentMethod.BANK_TRANSFER
ITO, HANAKO = Actor.admin("ito"), Actor.customer("cus-1")
SPECIAL = Plan.recurring("Gold", Money(3000, "JPY"), special_price=Money(1000, "JPY"), special_periods=3)
OWNER = Capabilities("Owner of renewals", renewals=Renewals.PROVIDER)


def day(text):
    return dt.date.fromisoformat(text)


def ending(month):
    magazine = Product("mag", ProductType.MONTHLY_MAGAZINE, end_month=month)
    return Plan.recurring("Gold", Money(3000, "JPY"), products=(magazine,))


@pytest.fixture
def do(rules, at, new_id):
    def do(operation, contract, now, *, actor=ITO, **more):
        return operation(contract, at(now), rules, new_id, actor=actor, **more)

    return do


@pytest.fixture
def scheduled(make_contract, at):
    def scheduled(effective="2024-11-08", origin=CancellationOrigin.CUSTOMER, **given):
        notice = Cancellation(origin, at("2024-10-20 10:00:00"), HANAKO, day(effective))
        return make_contract(**{"status": Status.CANCEL_SCHEDULED, "cancellation": notice} | given)

    return scheduled


# --- schedule --------------------------------------------------------------------------------------------------------


@pytest.mark.rule("R-032", "R-035", "R-125", "R-126", "R-127", "T-44", "T-45")
@pytest.mark.parametrize(
    ("start", "now", "effective"),
    [
        pytest.param("2024-10-08", "2024-10-08 09:00:00", "2024-11-08", marks=pytest.mark.rule("B-001")),
        pytest.param("2024-10-08", "2024-11-07 23:59:59", "2024-11-08", marks=pytest.mark.rule("B-002")),
        pytest.param("2024-10-08", "2024-11-08 00:00:00", None, marks=pytest.mark.rule("B-003")),
        pytest.param("2024-10-08", "2024-11-08 23:59:59", None, marks=pytest.mark.rule("B-004")),
        pytest.param("2024-10-08", "2024-11-09 00:00:00", "2024-12-08", marks=pytest.mark.rule("B-005")),
        pytest.param("2024-10-08", "2024-11-07T14:59:59Z", "2024-11-08", marks=pytest.mark.rule("B-006")),
        pytest.param("2024-10-08", "2024-11-07T15:00:00Z", None, marks=pytest.mark.rule("B-007")),
        pytest.param("2024-01-31", "2024-02-28 23:59:59", "2024-02-29", marks=pytest.mark.rule("B-008")),
        pytest.param("2024-01-31", "2024-02-29 12:00:00", None, marks=pytest.mark.rule("B-009")),
        pytest.param("2024-01-31", "2024-03-01 00:00:00", "2024-03-31", marks=pytest.mark.rule("B-010")),
        pytest.param("2024-01-31", "2024-03-29 12:00:00", "2024-03-31", marks=pytest.mark.rule("B-011")),
        pytest.param("2024-02-29", "2025-02-28 10:00:00", None, marks=pytest.mark.rule("B-012")),
        pytest.param("2024-02-29", "2025-03-01 00:00:00", "2025-03-29", marks=pytest.mark.rule("B-013")),
        pytest.param("2024-04-30", "2024-05-30 10:00:00", None, marks=pytest.mark.rule("B-014")),
        pytest.param("2024-04-30", "2024-05-31 10:00:00", "2024-06-30", marks=pytest.mark.rule("B-015")),
        pytest.param("2023-12-31", "2024-12-31 10:00:00", None, marks=pytest.mark.rule("B-016")),
    ],
)
def test_notice_takes_effect_on_the_next_renewal_day_and_is_refused_on_one(
    make_contract, do, at, new_id, start, now, effective
):
    contract = make_contract(start_on=day(start), period_start=day(start))

    if effective is None:
        with pytest.raises(RenewalDayError) as refused:
            do(schedule_cancellation, contract, now)
        record = refusal(contract, "schedule_cancellation", refused.value, at=at(now), actor=ITO, new_id=new_id)
        assert (record.after["transition"], record.after["rule"]) == ("T-45", "R-127")
    else:
        done = do(schedule_cancellation, contract, now)
        assert (done.contract.status, done.transition) == (Status.CANCEL_SCHEDULED, "T-44")
        assert done.contract.cancellation == Cancellation(CancellationOrigin.ADMIN, at(now), ITO, day(effective))


@pytest.mark.rule("R-079", "R-129")
def test_notice_moves_neither_money_nor_expiry_nor_content(make_contract, do):
    contract = make_contract()

    done = do(schedule_cancellation, contract, "2024-10-20 12:00:00")

    assert (done.refunds, done.entries, done.changed, done.licences, done.mails) == ((), (), (), (), ())
    assert attrs.evolve(done.contract, status=Status.ACTIVE, cancellation=None) == contract


@pytest.mark.rule("R-124", "R-131")
@pytest.mark.parametrize("status", [Status.ACTIVE, Status.SPECIAL_PERIOD])
@pytest.mark.parametrize(("actor", "origin"), [(ITO, CancellationOrigin.ADMIN), (HANAKO, CancellationOrigin.CUSTOMER)])
def test_administrator_and_customer_give_notice_and_it_is_known_who(make_contract, do, status, actor, origin):
    done = do(schedule_cancellation, make_contract(status=status), "2024-10-20 12:00:00", actor=actor)

    assert (done.contract.cancellation.origin, done.contract.cancellation.by) == (origin, actor)


@pytest.mark.rule("R-131", "R-267")
@pytest.mark.parametrize("operation", [schedule_cancellation, revoke_cancellation])
@pytest.mark.parametrize("actor", [Actor.customer("cus-2"), Actor.provider("main"), Actor.scheduler()])
def test_nobody_else_gives_or_takes_back_notice(scheduled, make_contract, do, operation, actor):
    contract = make_contract() if operation is schedule_cancellation else scheduled()

    with pytest.raises(PermissionDenied):
        do(operation, contract, "2024-10-20 12:00:00", actor=actor)


@pytest.mark.rule("R-130")
@pytest.mark.parametrize(
    ("method", "capabilities", "wanted"),
    [
        (CARD, OWNER, (Wanted("main", ProviderAction.END_AT_PERIOD_END, dt.date(2024, 11, 8)),)),
        (CARD, Capabilities("Merchant charges"), ()),
        (BANK, None, ()),
    ],
)
def test_a_provider_that_renews_is_told_of_the_notice(make_contract, do, method, capabilities, wanted):
    contract = make_contract(method=method)

    assert do(schedule_cancellation, contract, "2024-10-20 12:00:00", capabilities=capabilities).wanted == wanted


@pytest.mark.rule("X-07", "X-08")
def test_both_sides_learn_the_effective_day_and_the_last_day_of_use(make_contract, do):
    done = do(schedule_cancellation, make_contract(), "2024-10-20 12:00:00", actor=HANAKO)

    assert [(notice.kind, notice.audience) for notice in done.notices] == [
        (NoticeKind.CANCELLATION_SCHEDULED, Audience.CUSTOMER),
        (NoticeKind.CANCELLATION_SCHEDULED, Audience.ADMIN),
    ]
    assert done.notices[0].facts["effective_on"] == day("2024-11-08")
    assert done.notices[0].facts["last_day_of_use"] == last_day_of_use(done.contract) == day("2024-11-07")


@pytest.mark.rule("X-08")
@pytest.mark.parametrize(
    ("expires", "last"), [("2024-12-08", "2024-11-07"), ("2024-11-07", "2024-11-07"), ("2024-11-01", "2024-11-01")]
)
def test_an_earlier_expiry_ends_the_use_earlier(scheduled, make_contract, expires, last):
    assert last_day_of_use(scheduled(expires_on=day(expires))) == day(last)
    assert last_day_of_use(make_contract()) is None


@pytest.mark.rule("R-021", "R-124")
def test_what_never_renews_cannot_be_given_notice(make_contract, book, do):
    with pytest.raises(OperationNotAllowed):
        do(schedule_cancellation, make_contract(plan=book), "2024-10-20 12:00:00")


@pytest.mark.parametrize("status", [Status.PENDING_PAYMENT, Status.NOT_STARTED, Status.PAST_DUE, Status.TERMINATED])
def test_only_a_running_contract_can_be_given_notice(make_contract, do, status):
    with pytest.raises(OperationNotAllowed):
        do(schedule_cancellation, make_contract(status=status), "2024-10-20 12:00:00")


# --- revoke ----------------------------------------------------------------------------------------------------------


@pytest.mark.rule("R-065", "R-133", "R-134", "R-135", "T-70")
@pytest.mark.parametrize(
    ("plan", "effective", "now", "status"),
    [
        pytest.param(None, "2024-11-08", "2024-11-07 23:59:59", Status.ACTIVE, marks=pytest.mark.rule("B-020")),
        (SPECIAL, "2025-01-08", "2025-01-07 23:59:59", Status.SPECIAL_PERIOD),
        (SPECIAL, "2025-02-08", "2025-01-08 00:00:00", Status.ACTIVE),
    ],
)
def test_revoking_returns_to_what_the_date_says(scheduled, gold, do, plan, effective, now, status):
    done = do(revoke_cancellation, scheduled(effective, plan=plan or gold), now, actor=HANAKO)

    assert (done.contract.status, done.contract.cancellation, done.transition) == (status, None, "T-70")
    assert {notice.kind for notice in done.notices} == {NoticeKind.CANCELLATION_REVOKED}


@pytest.mark.rule("R-068", "R-069", "R-136")
@pytest.mark.parametrize(
    ("given", "now", "error"),
    [
        pytest.param({}, "2024-11-08 00:00:00", EffectiveDayReached, marks=pytest.mark.rule("B-021", "T-72")),
        pytest.param(
            {"origin": CancellationOrigin.PRODUCT_END},
            "2024-10-20 12:00:00",
            NotRevocable,
            marks=pytest.mark.rule("B-024", "T-71"),
        ),
        ({"plan": ending("2024-10")}, "2024-10-20 12:00:00", NotRevocable),
    ],
)
def test_what_cannot_be_revoked(scheduled, do, at, new_id, given, now, error):
    contract = scheduled(**given)

    with pytest.raises(error) as refused:
        do(revoke_cancellation, contract, now)
    record = refusal(contract, "revoke_cancellation", refused.value, at=at(now), actor=ITO, new_id=new_id)
    assert record.after["error"] == error.__name__
    assert record.after["transition"] == ("T-72" if error is EffectiveDayReached else "T-71")


@pytest.mark.rule("R-130")
def test_a_provider_that_renews_is_told_to_go_on(scheduled, do):
    done = do(revoke_cancellation, scheduled(), "2024-10-20 12:00:00", capabilities=OWNER)

    assert done.wanted == (Wanted("main", ProviderAction.GO_ON),)


@pytest.mark.rule("R-137", "B-025")
def test_notice_may_be_given_and_taken_back_again_and_again(make_contract, do):
    contract = make_contract()
    for now in ("2024-10-20 12:00:00", "2024-11-07 23:59:58"):
        given = do(schedule_cancellation, contract, now).contract
        contract = do(revoke_cancellation, given, now).contract
        assert contract == make_contract()

    last = do(schedule_cancellation, contract, "2024-11-07 23:59:59").contract
    assert last.cancellation.effective_on == day("2024-11-08")


@pytest.mark.rule("R-036", "R-134")
def test_revoking_does_not_begin_a_period_whose_payment_is_awaited(scheduled, do, rules, at):
    done = do(revoke_cancellation, scheduled("2024-12-08"), "2024-11-10 12:00:00")

    assert done.contract.period_start == day("2024-10-08")
    assert [step.on for step in due_steps(done.contract, at("2024-11-10 12:00:00"), rules)] == [day("2024-11-08")]


# --- notice and renewals ---------------------------------------------------------------------------------------------


@pytest.mark.rule("R-041", "R-128", "T-73")
def test_a_renewal_that_was_due_before_the_notice_is_carried_out_by_a_late_run(make_contract, do, rules, at, new_id):
    contract = make_contract(method=BANK)
    given = do(schedule_cancellation, contract, "2024-11-10 12:00:00").contract
    now = at("2024-12-10 03:00:00")

    assert next_due_on(given) == day("2024-11-08")
    assert [(step.kind, step.on) for step in due_steps(given, now, rules)] == [
        (StepKind.RENEWAL, day("2024-11-08")),
        (StepKind.CANCELLATION, day("2024-12-08")),
    ]
    renewed = renew(given, day("2024-11-08"), now, rules, new_id)
    assert (renewed.contract.status, renewed.transition) == (Status.CANCEL_SCHEDULED, "T-40")
    assert renewed.contract.cancellation == given.cancellation
    ended = end(renewed.contract, day("2024-12-08"), now, rules, new_id)
    assert (ended.contract.status, ended.transition) == (Status.TERMINATED, "T-73")


@pytest.mark.rule("R-128", "B-142")
def test_the_period_after_the_effective_day_is_not_opened(scheduled, rules, at, new_id):
    with pytest.raises(OperationNotAllowed) as refused:
        renew(scheduled(method=BANK), day("2024-11-08"), at("2024-11-08 03:00:00"), rules, new_id)

    assert refused.value.rule == "R-128"


# --- terminate -------------------------------------------------------------------------------------------------------


@pytest.fixture
def past_due(make_contract, at):
    def past_due(**given):
        missing = PastDue(at("2024-11-08 07:00:00"), day("2024-11-08"))
        return make_contract(**{"status": Status.PAST_DUE, "past_due": missing} | given)

    return past_due


@pytest.mark.rule("R-138", "R-139", "R-142", "T-65")
@pytest.mark.parametrize("method", PaymentMethod)
def test_a_contract_that_is_not_paid_is_ended_at_once(past_due, do, method):
    contract = past_due(method=method)

    done = do(terminate, contract, "2024-11-20 12:00:00", reason="three letters unanswered")

    assert (done.contract.status, done.transition) == (Status.TERMINATED, "T-65")
    assert (done.contract.ended_on, done.contract.past_due) == (day("2024-11-20"), None)
    assert done.contract.expires_on == contract.expires_on
    assert [(notice.kind, notice.audience, notice.next) for notice in done.notices] == [
        (NoticeKind.TERMINATED, Audience.CUSTOMER, Next.ENDED),
        (NoticeKind.TERMINATED, Audience.ADMIN, Next.ENDED),
    ]


@pytest.mark.rule("R-140", "R-141")
def test_the_unpaid_period_is_void_and_earlier_ones_stay(make_contract, make_entry, do, rules, at, new_id):
    offline = {"account": None, "reference": None, "charge_id": None}
    october = make_entry(id="row-1", target_on=day("2024-10-08"), **offline)
    november = make_entry(id="row-2", state=EntryState.ASSUMED, **offline)
    running = make_contract(method=BANK, period_start=day("2024-11-08"))
    stopped = suspend(running, at("2024-11-18 12:00:00"), rules, new_id, actor=ITO, entries=(october, november))

    done = do(terminate, stopped.contract, "2024-11-20 12:00:00", entries=(october, *stopped.changed))

    (row,) = done.changed
    assert (row.id, row.state) == ("row-2", EntryState.VOID)
    assert net_sales((october, row)) == 3000
    assert (done.refunds, done.licences) == ((), ())


@pytest.mark.rule("R-143")
@pytest.mark.parametrize(
    ("capabilities", "wanted"),
    [(OWNER, (Wanted("main", ProviderAction.STOP),)), (Capabilities("Merchant charges"), ())],
)
def test_a_provider_that_retries_is_told_to_stop_first(past_due, do, capabilities, wanted):
    assert do(terminate, past_due(), "2024-11-20 12:00:00", capabilities=capabilities).wanted == wanted


@pytest.mark.rule("R-138", "R-267")
def test_nothing_else_is_terminated_and_by_nobody_else(make_contract, past_due, do):
    for status in (Status.ACTIVE, Status.CANCEL_SCHEDULED, Status.TERMINATED):
        with pytest.raises(OperationNotAllowed):
            do(terminate, make_contract(status=status), "2024-11-20 12:00:00")
    with pytest.raises(PermissionDenied):
        do(terminate, past_due(), "2024-11-20 12:00:00", actor=HANAKO)


@pytest.mark.rule("R-144", "B-077")
def test_a_retry_that_succeeds_before_the_termination_makes_it_impossible(past_due, do, rules, at, new_id, make_charge):
    back = renew(past_due(), day("2024-11-08"), at("2024-11-20 11:59:59"), rules, new_id, charge=make_charge())

    with pytest.raises(OperationNotAllowed):
        do(terminate, back.contract, "2024-11-20 12:00:00")


@pytest.mark.rule("R-144", "B-077", "T-82")
def test_a_retry_that_succeeds_after_the_termination_is_money_to_return(past_due, do, rules, at, new_id, make_charge):
    ended = do(terminate, past_due(), "2024-11-20 12:00:00").contract

    late = renew(ended, day("2024-11-08"), at("2024-11-20 12:00:01"), rules, new_id, charge=make_charge())

    assert (late.contract, late.transition) == (ended, "T-82")
    (alert,) = late.notices
    assert (alert.kind, alert.audience, alert.next) == (NoticeKind.OPERATOR_ACTION, Audience.ADMIN, Next.RETURN_MONEY)
    assert late.entries[0].id in alert.facts["message"]
