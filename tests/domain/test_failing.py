"""Card failures, retries and the provider's own end of a subscription (domain §6.15)."""

import datetime as dt

import attrs
import pytest

from paygate.domain.contract import (
    Actor,
    Cancellation,
    CancellationOrigin,
    Cycle,
    PastDue,
    PaymentMethod,
    Plan,
    Status,
)
from paygate.domain.due import StepKind, due_steps
from paygate.domain.dunning import USUAL_RETRIES, RetrySchedule
from paygate.domain.failing import FailedAttempt, fail, subscription_ended
from paygate.domain.followup import Audience, Next, NoticeKind
from paygate.domain.ledger import EntryKind, EntryState
from paygate.domain.renewal import renew
from paygate.errors import InvalidValue, NaiveDatetime, OperationNotAllowed
from paygate.money import Money

PROVIDER = Actor.provider("main")
PAUSES = RetrySchedule.evenly(Cycle.MONTHLY, 3)
SPECIAL = Plan.recurring("Gold", Money(3000, "JPY"), special_price=Money(1000, "JPY"), special_periods=3)
NOVEMBER = dt.date(2024, 11, 8)


def day(text):
    return dt.date.fromisoformat(text)


@pytest.fixture
def failed(rules, at, new_id):
    """The news that an attempt for the period of 2024-11-08 failed."""

    def failed(contract, number=None, now="2024-11-08 07:00:00", *, schedule=USUAL_RETRIES, period=NOVEMBER, **more):
        attempt = FailedAttempt(period, number, **more)
        return fail(contract, attempt, at(now), rules, new_id, actor=PROVIDER, schedule=schedule)

    return failed


@pytest.fixture
def paid(rules, at, new_id, make_charge):
    def paid(contract, now="2024-11-13 07:00:00", period=NOVEMBER):
        return renew(contract, period, at(now), rules, new_id, charge=make_charge(amount=Money(3000, "JPY")))

    return paid


@pytest.fixture
def notice(at):
    return Cancellation(
        CancellationOrigin.CUSTOMER, at("2024-11-09 10:00:00"), Actor.customer("cus-1"), day("2024-12-08")
    )


def mails(settlement):
    return [(notice.kind, notice.audience) for notice in settlement.notices]


PAIR = [(NoticeKind.RENEWAL_FAILED, Audience.CUSTOMER), (NoticeKind.RENEWAL_FAILED, Audience.ADMIN)]
END = [(NoticeKind.TERMINATED, Audience.CUSTOMER), (NoticeKind.TERMINATED, Audience.ADMIN)]


# --- the first failure -----------------------------------------------------------------------------------------------


@pytest.mark.rule("R-145", "R-151", "R-270", "B-070")
@pytest.mark.parametrize(
    ("given", "row"),
    [
        pytest.param({}, "T-42", marks=pytest.mark.rule("T-42")),
        ({"status": Status.SPECIAL_PERIOD, "plan": SPECIAL}, "T-42"),
        pytest.param(
            {"status": Status.NOT_STARTED, "start_on": NOVEMBER, "period_start": None},
            "T-26",
            marks=pytest.mark.rule("T-26"),
        ),
        pytest.param(
            {"status": Status.SPECIAL_PERIOD, "plan": SPECIAL, "start_on": day("2024-08-08"), "period_start": day("2024-10-08")},
            "T-52",
            marks=pytest.mark.rule("R-066", "T-52"),
        ),
    ],
)  # fmt: skip
def test_a_failed_charge_stops_the_contract_and_tells_both_sides(make_contract, failed, at, given, row):
    contract = make_contract(**given)

    done = failed(contract)

    assert (done.contract.status, done.transition) == (Status.PAST_DUE, row)
    assert done.contract.past_due == PastDue(at("2024-11-08 07:00:00"), NOVEMBER, failures=1)
    assert mails(done) == PAIR
    assert done.contract.expires_on == contract.expires_on


@pytest.mark.rule("R-145", "R-232")
def test_a_failure_is_no_sale_and_queues_no_step_mail(make_contract, failed):
    done = failed(make_contract())

    assert (done.entries, done.changed, done.mails, done.licences) == ((), (), (), ())


@pytest.mark.rule("R-163", "T-76")
def test_a_failure_after_notice_keeps_the_notice(make_contract, failed, notice):
    contract = make_contract(status=Status.CANCEL_SCHEDULED, cancellation=notice)

    done = failed(contract, now="2024-11-10 07:00:00")

    assert (done.contract.status, done.contract.cancellation, done.transition) == (Status.PAST_DUE, notice, "T-76")


@pytest.mark.rule("R-271", "X-06")
def test_the_mail_says_how_much_which_attempt_why_and_what_comes_next(make_contract, failed):
    done = failed(make_contract(), 1, code="card_declined", reason="insufficient funds", next_on=day("2024-11-11"))

    assert done.notices[0].next is Next.RETRY
    assert done.notices[0].facts == {
        "amount": Money(3000, "JPY"),
        "happened_on": NOVEMBER,
        "attempt": 1,
        "next_attempt_on": day("2024-11-11"),
        "code": "card_declined",
        "reason": "insufficient funds",
    }


@pytest.mark.rule("R-161")
def test_whether_the_provider_retries_is_remembered(make_contract, failed):
    assert failed(make_contract(), retry_pending=True).contract.past_due.retry_pending
    assert not failed(make_contract()).contract.past_due.retry_pending


# --- retries ---------------------------------------------------------------------------------------------------------


@pytest.mark.rule("R-148", "R-149", "R-150", "R-151", "T-61", "T-62")
@pytest.mark.parametrize("numbered", [True, False])
def test_three_failed_retries_end_the_contract_with_four_pairs_of_mails(make_contract, failed, numbered):
    contract, rows, told = make_contract(), [], []
    for number, now in enumerate(["2024-11-08", "2024-11-11", "2024-11-16", "2024-11-23"], start=1):
        done = failed(contract, number if numbered else None, f"{now} 07:00:00")
        contract, rows, told = done.contract, [*rows, done.transition], [*told, mails(done)]

    assert rows == ["T-42", "T-61", "T-61", "T-62"]
    assert told == [PAIR, PAIR, PAIR, PAIR + END]
    assert (contract.status, contract.ended_on, contract.past_due) == (Status.TERMINATED, day("2024-11-23"), None)


@pytest.mark.rule("R-149", "R-151", "B-071")
def test_two_failed_retries_leave_the_contract_past_due(make_contract, failed, at):
    contract = make_contract()
    told = []
    for now in ("2024-11-08", "2024-11-11", "2024-11-16"):
        done = failed(contract, now=f"{now} 07:00:00")
        contract, told = done.contract, told + mails(done)

    assert contract.past_due == PastDue(at("2024-11-08 07:00:00"), NOVEMBER, failures=3)
    assert told == PAIR * 3


@pytest.mark.rule("R-150", "B-072")
def test_the_third_failed_retry_ends_the_contract(make_contract, failed, at):
    contract = make_contract(status=Status.PAST_DUE, past_due=PastDue(at("2024-11-08 07:00:00"), NOVEMBER, failures=3))

    done = failed(contract, 4, "2024-11-23 07:00:00")

    assert (done.contract.status, done.transition) == (Status.TERMINATED, "T-62")
    assert {notice.next for notice in done.notices} == {Next.ENDED}


@pytest.mark.rule("R-156", "R-157", "B-078", "T-67")
def test_where_the_provider_pauses_the_contract_stays_with_its_attempts_used_up(make_contract, failed):
    contract = make_contract(start_on=day("2024-05-01"), period_start=day("2024-05-01"))
    rows = []
    for now in ("2024-06-01", "2024-06-11", "2024-06-21"):
        done = failed(contract, now=f"{now} 07:00:00", schedule=PAUSES, period=day("2024-06-01"), retry_pending=True)
        contract, rows = done.contract, [*rows, done.transition]

    assert rows == ["T-42", "T-61", "T-67"]
    assert contract.status is Status.PAST_DUE
    assert (contract.past_due.exhausted, contract.past_due.retry_pending) == (True, False)
    assert {notice.next for notice in done.notices} == {Next.NEW_CARD}


def test_an_account_that_never_retries_is_used_up_at_once(make_contract, failed):
    done = failed(make_contract(), schedule=RetrySchedule((), ends_contract=True))

    assert (done.contract.status, done.contract.past_due.exhausted) == (Status.PAST_DUE, True)
    assert done.transition == "T-42"


@pytest.mark.rule("R-078", "R-146", "R-164", "B-073", "T-60")
def test_a_retry_that_succeeds_lifts_the_suspension_and_moves_no_renewal_day(make_contract, failed, paid, rules, at):
    stopped = failed(failed(make_contract()).contract, now="2024-11-11 07:00:00").contract

    done = paid(stopped, "2024-11-16 07:00:00")

    assert (done.contract.status, done.contract.past_due, done.transition) == (Status.ACTIVE, None, "T-60")
    assert done.contract.period_start == NOVEMBER
    assert done.entries[0].target_on == NOVEMBER
    assert mails(done) == [(NoticeKind.RESUMED, Audience.CUSTOMER), (NoticeKind.RESUMED, Audience.ADMIN)]
    (step,) = due_steps(done.contract, at("2024-12-08 00:00:00"), rules)
    assert (step.kind, step.on) == (StepKind.RENEWAL, day("2024-12-08"))


@pytest.mark.rule("R-163", "T-6B")
@pytest.mark.parametrize(
    ("now", "status"), [("2024-12-07 23:59:59", Status.CANCEL_SCHEDULED), ("2024-12-08 00:00:00", Status.TERMINATED)]
)
def test_a_retry_that_succeeds_returns_to_the_notice_or_to_its_end(make_contract, failed, paid, notice, now, status):
    stopped = failed(make_contract(status=Status.CANCEL_SCHEDULED, cancellation=notice), now="2024-11-10 07:00:00")

    done = paid(stopped.contract, now)

    assert (done.contract.status, done.transition) == (status, "T-6B")
    assert done.contract.ended_on == (day("2024-12-08") if status is Status.TERMINATED else None)


# --- repeated, overtaken, late ---------------------------------------------------------------------------------------


@pytest.mark.rule("R-162", "R-269", "B-075", "T-94")
def test_the_same_failure_told_twice_is_one_failure(make_contract, failed):
    first = failed(make_contract(), 1)

    again = failed(first.contract, 1)

    assert (again.contract, again.transition, again.notices) == (first.contract, "T-94", ())
    assert [record.action for record in again.audit] == ["event_ignored"]


@pytest.mark.rule("R-162")
def test_a_failure_overtaken_by_a_later_one_counts_nothing(make_contract, failed):
    third = failed(make_contract(), 3, "2024-11-16 07:00:00").contract

    assert failed(third, 2, "2024-11-16 07:00:01").contract == third
    assert failed(third, 4, "2024-11-23 07:00:00").contract.status is Status.TERMINATED


@pytest.mark.rule("R-162", "B-076", "T-94")
@pytest.mark.parametrize("number", [None, 1, 2])
def test_a_failure_that_comes_after_the_success_changes_nothing(make_contract, failed, paid, number):
    running = paid(make_contract(), "2024-11-08 07:00:00").contract

    done = failed(running, number, "2024-11-08 07:00:01")

    assert (done.contract, done.transition, done.notices) == (running, "T-94", ())


@pytest.mark.rule("R-162")
def test_a_failure_of_an_older_period_than_the_missing_one_changes_nothing(make_contract, failed):
    stopped = failed(make_contract(period_start=NOVEMBER), now="2024-12-08 07:00:00", period=day("2024-12-08")).contract

    done = failed(stopped, now="2024-12-08 07:00:01", period=day("2024-10-08"))

    assert (done.contract, done.transition) == (stopped, "T-94")


@pytest.mark.rule("R-145")
def test_a_failure_of_a_newer_period_is_the_one_that_is_missing(make_contract, failed, at):
    stopped = failed(make_contract()).contract

    done = failed(stopped, now="2024-12-08 07:00:00", period=day("2024-12-08"))

    assert done.contract.past_due == PastDue(at("2024-12-08 07:00:00"), day("2024-12-08"), failures=1)
    assert done.transition == "T-61"


@pytest.mark.rule("R-153", "B-074")
def test_the_end_told_before_the_last_failure_is_one_end(make_contract, failed, rules, at, new_id):
    stopped = failed(make_contract(), 3).contract
    ended = subscription_ended(stopped, at("2024-11-23 07:00:00"), rules, new_id, actor=PROVIDER)

    late = failed(ended.contract, 4, "2024-11-23 07:00:01")

    assert mails(ended) == END
    assert (late.contract, late.transition) == (ended.contract, "T-94")
    assert mails(late) == PAIR


@pytest.mark.rule("R-153")
def test_the_end_told_after_the_last_failure_is_one_end(make_contract, failed, rules, at, new_id):
    ended = failed(failed(make_contract(), 3).contract, 4, "2024-11-23 07:00:00").contract

    again = subscription_ended(ended, at("2024-11-23 07:00:01"), rules, new_id, actor=PROVIDER)

    assert (again.contract, again.transition, again.notices) == (ended, "T-94", ())


@pytest.mark.rule("R-040", "R-191", "R-194")
def test_a_second_payment_of_a_period_is_kept_beside_it_and_has_to_be_returned(make_contract, paid):
    running = paid(make_contract(), "2024-11-08 07:00:00").contract

    again = paid(running, "2024-11-08 07:00:05")

    (row,) = again.entries
    assert (again.contract, again.transition, again.mails) == (running, "T-94", ())
    assert (row.kind, row.state, row.target_on) == (EntryKind.ADDON, EntryState.SUCCEEDED, NOVEMBER)
    (alert,) = again.notices
    assert (alert.kind, alert.facts["code"]) == (NoticeKind.OPERATOR_ACTION, "second_payment")


@pytest.mark.rule("R-040", "B-140")
def test_a_run_that_comes_twice_renews_once(make_contract, rules, at, new_id):
    contract = make_contract(method=PaymentMethod.BANK_TRANSFER)
    renewed = renew(contract, NOVEMBER, at("2024-11-08 03:00:00"), rules, new_id).contract

    assert due_steps(renewed, at("2024-11-08 03:00:01"), rules) == ()
    with pytest.raises(OperationNotAllowed) as refused:
        renew(renewed, NOVEMBER, at("2024-11-08 03:00:01"), rules, new_id)
    assert refused.value.rule == "R-040"


# --- the provider ends it --------------------------------------------------------------------------------------------


@pytest.mark.rule("R-152", "R-270")
@pytest.mark.parametrize(
    ("status", "row"),
    [
        pytest.param(Status.ACTIVE, "T-47", marks=pytest.mark.rule("T-47")),
        (Status.SPECIAL_PERIOD, "T-47"),
        pytest.param(Status.PAST_DUE, "T-63", marks=pytest.mark.rule("T-63")),
        pytest.param(Status.CANCEL_SCHEDULED, "T-74", marks=pytest.mark.rule("T-74")),
    ],
)
def test_the_provider_ends_a_subscription_whatever_its_status(make_contract, notice, rules, at, new_id, status, row):
    contract = make_contract(
        status=status,
        past_due=PastDue(at("2024-11-08 07:00:00"), NOVEMBER) if status is Status.PAST_DUE else None,
        cancellation=notice if status is Status.CANCEL_SCHEDULED else None,
    )

    done = subscription_ended(contract, at("2024-11-20 12:00:00"), rules, new_id, actor=PROVIDER)

    assert (done.contract.status, done.contract.ended_on, done.transition) == (
        Status.TERMINATED,
        day("2024-11-20"),
        row,
    )
    assert (done.contract.cancellation, done.contract.past_due) == (None, None)
    assert mails(done) == END


@pytest.mark.rule("R-140")
def test_an_unpaid_row_is_void_once_the_provider_has_ended_it(make_contract, make_entry, rules, at, new_id):
    contract = make_contract(status=Status.PAST_DUE, past_due=PastDue(at("2024-11-08 07:00:00"), NOVEMBER))
    unpaid = make_entry(state=EntryState.UNPAID)

    done = subscription_ended(contract, at("2024-11-20 12:00:00"), rules, new_id, actor=PROVIDER, entries=[unpaid])

    assert done.changed == (attrs.evolve(unpaid, state=EntryState.VOID),)


@pytest.mark.rule("R-158")
@pytest.mark.parametrize("method", [PaymentMethod.BANK_TRANSFER, PaymentMethod.MANUAL])
def test_no_event_of_a_provider_moves_a_contract_without_card(make_contract, failed, rules, at, new_id, method):
    contract = make_contract(method=method)

    with pytest.raises(OperationNotAllowed):
        failed(contract)
    with pytest.raises(OperationNotAllowed):
        subscription_ended(contract, at("2024-11-20 12:00:00"), rules, new_id, actor=PROVIDER)


# --- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.rule("R-021")
def test_a_purchase_has_no_period_that_could_fail(make_contract, book, failed):
    with pytest.raises(OperationNotAllowed):
        failed(make_contract(plan=book, status=Status.ESTABLISHED))


@pytest.mark.parametrize("number", [0, -1, True, 1.0])
def test_attempts_are_counted_from_one(number):
    with pytest.raises(InvalidValue):
        FailedAttempt(NOVEMBER, number)


@pytest.mark.rule("R-002")
def test_news_without_a_zone_is_refused(make_contract, rules, new_id):
    naive = dt.datetime(2024, 11, 8, 7)  # noqa: DTZ001
    with pytest.raises(NaiveDatetime):
        fail(make_contract(), FailedAttempt(NOVEMBER), naive, rules, new_id, actor=PROVIDER)
    with pytest.raises(NaiveDatetime):
        subscription_ended(make_contract(), naive, rules, new_id, actor=PROVIDER)
