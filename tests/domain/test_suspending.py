"""契約の停止 and 契約停止の解除: payments that could not be found (domain §6.12)."""

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
from paygate.domain.due import StepKind, due_steps
from paygate.domain.followup import Audience, Next, NoticeKind
from paygate.domain.ledger import EntryState, net_sales
from paygate.domain.licences import LicenseState, issue
from paygate.domain.suspending import remind, resume, suspend
from paygate.errors import InvalidValue, NaiveDatetime, OperationNotAllowed, PermissionDenied
from paygate.money import Money

CARD, BANK, MANUAL = PaymentMethod.CARD, PaymentMethod.BANK_TRANSFER, PaymentMethod.MANUAL
ITO = Actor.admin("ito")
SPECIAL = Plan.recurring("Gold", Money(3000, "JPY"), special_price=Money(1000, "JPY"), special_periods=3)


def day(text):
    return dt.date.fromisoformat(text)


def magazine(end_month=None):
    product = Product("mag", ProductType.MONTHLY_MAGAZINE, end_month=end_month)
    return Plan.recurring("Gold", Money(3000, "JPY"), products=(product,))


@pytest.fixture
def running(make_contract):
    """Paid by bank transfer since 2024-10-08, in the period of 2024-11-08."""

    def running(**given):
        facts = {"method": BANK, "period_start": day("2024-11-08"), "expires_on": day("2024-12-08")}
        return make_contract(**facts | given)

    return running


@pytest.fixture
def assumed(make_entry):
    def assumed(on="2024-11-08", state=EntryState.ASSUMED, row_id="row-2"):
        offline = {"account": None, "reference": None, "charge_id": None}
        return make_entry(id=row_id, state=state, purchased_on=day(on), target_on=day(on), **offline)

    return assumed


@pytest.fixture
def do(rules, at, new_id):
    def do(operation, contract, now, *entries, actor=ITO, **more):
        return operation(contract, at(now), rules, new_id, actor=actor, entries=entries, **more)

    return do


# --- suspend ---------------------------------------------------------------------------------------------------------


@pytest.mark.rule("R-111", "R-112", "R-114", "T-43")
@pytest.mark.parametrize("status", [Status.ACTIVE, Status.SPECIAL_PERIOD])
@pytest.mark.parametrize("method", [BANK, MANUAL])
@pytest.mark.parametrize("state", [EntryState.ASSUMED, EntryState.SUCCEEDED])
def test_suspending_stops_a_running_contract_whatever_its_row_says(running, assumed, do, at, status, method, state):
    done = do(suspend, running(status=status, method=method), "2024-11-20 12:00:00", assumed(state=state))

    assert (done.contract.status, done.transition) == (Status.PAST_DUE, "T-43")
    assert done.contract.past_due == PastDue(at("2024-11-20 12:00:00"), day("2024-11-08"), failures=0)
    assert done.contract.expires_on == day("2024-12-08")


@pytest.mark.rule("R-116", "R-240")
def test_the_running_periods_sale_counts_no_more(running, assumed, do):
    earlier = assumed("2024-10-08", EntryState.SUCCEEDED, "row-1")

    done = do(suspend, running(), "2024-11-20 12:00:00", earlier, assumed(state=EntryState.SUCCEEDED))

    (row,) = done.changed
    assert (row.id, row.state) == ("row-2", EntryState.UNPAID)
    assert net_sales((earlier, row)) == 3000


@pytest.mark.rule("R-046", "R-116")
def test_a_payment_that_was_confirmed_late_carries_the_period_that_runs_now(running, assumed, do):
    done = do(suspend, running(), "2024-11-20 12:00:00", assumed("2024-10-08", EntryState.SUCCEEDED, "row-1"))

    assert [row.id for row in done.changed] == ["row-1"]
    assert done.contract.past_due.period_start == day("2024-10-08")


def test_a_contract_whose_rows_are_elsewhere_is_suspended_all_the_same(running, do):
    done = do(suspend, running(), "2024-11-20 12:00:00")

    assert (done.contract.past_due.period_start, done.changed, done.licences) == (day("2024-11-08"), (), ())


@pytest.mark.rule("R-074", "R-075")
def test_only_the_running_months_content_is_locked(running, assumed, do, new_id):
    contract = running(plan=magazine())
    october = issue(contract, day("2024-10-08"), "row-1", (), new_id)
    november = issue(contract, day("2024-11-08"), "row-2", october, new_id)

    done = do(suspend, contract, "2024-11-20 12:00:00", assumed(), licences=(*october, *november))

    assert [(known.scope, known.state) for known in done.licences] == [("2024-11", LicenseState.REVOKED)]


@pytest.mark.rule("R-118")
def test_suspending_mails_nobody(running, assumed, do):
    done = do(suspend, running(), "2024-11-20 12:00:00", assumed())

    assert (done.mails, done.notices) == ((), ())


@pytest.mark.rule("R-113", "R-117", "R-158")
@pytest.mark.parametrize(
    "given", [{"method": CARD}, {"status": Status.CANCEL_SCHEDULED}, {"status": Status.PAST_DUE}, {"status": Status.TERMINATED}]
)  # fmt: skip
def test_what_cannot_be_suspended(running, do, given):
    with pytest.raises(OperationNotAllowed):
        do(suspend, running(**given), "2024-11-20 12:00:00")


# --- resume ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def suspended(running, at):
    def suspended(period="2024-11-08", **given):
        missing = PastDue(at(f"{period} 12:00:00"), day(period), failures=0)
        return running(**{"status": Status.PAST_DUE, "past_due": missing} | given)

    return suspended


@pytest.mark.rule("R-065", "R-120", "T-64")
@pytest.mark.parametrize(
    ("now", "status"),
    [
        pytest.param("2025-01-07 23:59:59", Status.SPECIAL_PERIOD, marks=pytest.mark.rule("B-053")),
        pytest.param("2025-01-08 00:00:00", Status.ACTIVE, marks=pytest.mark.rule("B-054")),
    ],
)
def test_resuming_returns_to_what_the_date_says(suspended, do, now, status):
    done = do(resume, suspended("2024-12-08", plan=SPECIAL), now)

    assert (done.contract.status, done.transition, done.contract.past_due) == (status, "T-64", None)


@pytest.mark.rule("R-122")
def test_the_unpaid_row_becomes_a_sale_with_the_receipt_that_was_given(suspended, assumed, do, at):
    received = at("2024-11-18 09:00:00")

    done = do(resume, suspended(), "2024-11-20 12:00:00", assumed(state=EntryState.UNPAID), received_at=received)

    (row,) = done.changed
    assert (row.id, row.state, row.received_at) == ("row-2", EntryState.SUCCEEDED, received)
    assert done.audit[0].after["received_at"] == received.isoformat()


@pytest.mark.rule("R-122", "R-002")
@pytest.mark.parametrize(
    ("received", "error"),
    [
        (dt.datetime(2024, 11, 20, 3, 0, 1, tzinfo=dt.UTC), InvalidValue),
        (dt.datetime(2024, 11, 18, 9), NaiveDatetime),  # noqa: DTZ001
    ],
)
def test_a_receipt_in_the_future_or_without_a_zone_is_refused(suspended, do, received, error):
    with pytest.raises(error):
        do(resume, suspended(), "2024-11-20 12:00:00", received_at=received)


@pytest.mark.rule("R-123")
@pytest.mark.parametrize(
    ("expires", "now", "after"),
    [
        ("2024-12-08", "2024-11-20 12:00:00", "2024-12-08"),
        ("2024-12-08", "2024-12-08 23:59:59", "2024-12-08"),
        ("2024-12-08", "2024-12-09 00:00:00", "2025-01-08"),
        pytest.param("2024-12-08", "2025-01-20 12:00:00", "2025-02-08", marks=pytest.mark.rule("B-143")),
        ("2025-06-30", "2025-01-20 12:00:00", "2025-06-30"),
    ],
)
def test_the_expiry_moves_only_if_it_has_passed(suspended, do, expires, now, after):
    done = do(resume, suspended(expires_on=day(expires)), now)

    assert done.contract.expires_on == day(after)


@pytest.mark.rule("R-039", "R-164", "B-143")
def test_what_passed_while_suspended_is_not_billed(suspended, assumed, do, rules, at):
    done = do(resume, suspended(), "2025-01-20 12:00:00", assumed(state=EntryState.UNPAID))

    assert done.entries == ()
    assert due_steps(done.contract, at("2025-02-07 23:59:59"), rules) == ()
    (step,) = due_steps(done.contract, at("2025-02-08 00:00:00"), rules)
    assert (step.kind, step.on) == (StepKind.RENEWAL, day("2025-02-08"))


@pytest.mark.rule("R-078", "R-083")
def test_resuming_opens_exactly_what_was_locked(suspended, do, new_id):
    contract = suspended(plan=magazine())
    open_, locked, removed = (
        attrs.evolve(issue(contract, day(on), on, (), new_id)[0], state=state)
        for on, state in (
            ("2024-09-08", LicenseState.ACTIVE),
            ("2024-11-08", LicenseState.REVOKED),
            ("2024-10-08", LicenseState.REMOVED),
        )
    )

    done = do(resume, contract, "2024-11-20 12:00:00", licences=(open_, locked, removed))

    assert [(known.scope, known.state) for known in done.licences] == [("2024-11", LicenseState.ACTIVE)]


@pytest.mark.rule("R-070")
@pytest.mark.parametrize(
    ("now", "status", "row"),
    [
        pytest.param("2024-12-07 23:59:59", Status.ACTIVE, "T-64", marks=pytest.mark.rule("T-64")),
        pytest.param("2024-12-08 00:00:00", Status.CANCEL_SCHEDULED, "T-6A", marks=pytest.mark.rule("T-6A")),
        pytest.param("2025-01-08 00:00:00", Status.TERMINATED, "T-69", marks=pytest.mark.rule("T-69")),
    ],
)
def test_the_products_end_does_not_wait_for_who_has_paid(suspended, do, now, status, row):
    done = do(resume, suspended(plan=magazine("2024-12")), now)

    assert (done.contract.status, done.transition) == (status, row)
    if status is Status.CANCEL_SCHEDULED:
        assert done.contract.cancellation.origin is CancellationOrigin.PRODUCT_END
    if status is Status.TERMINATED:
        assert (done.contract.ended_on, done.contract.expires_on) == (day("2025-01-08"), day("2024-12-08"))


@pytest.mark.rule("X-07")
@pytest.mark.parametrize(
    ("now", "kind", "then"),
    [
        ("2024-11-20 12:00:00", NoticeKind.RESUMED, Next.RENEWS),
        ("2024-12-20 12:00:00", NoticeKind.RESUMED, Next.ENDS),
        ("2025-01-20 12:00:00", NoticeKind.TERMINATED, Next.ENDED),
    ],
)
def test_both_sides_learn_how_it_goes_on(suspended, do, now, kind, then):
    done = do(resume, suspended(plan=magazine("2024-12")), now)

    assert [(notice.kind, notice.audience, notice.next) for notice in done.notices] == [
        (kind, Audience.CUSTOMER, then),
        (kind, Audience.ADMIN, then),
    ]


@pytest.mark.rule("R-119", "R-121")
@pytest.mark.parametrize("given", [{"method": CARD}, {"status": Status.ACTIVE, "past_due": None}])
def test_what_cannot_be_resumed(suspended, do, given):
    with pytest.raises(OperationNotAllowed):
        do(resume, suspended(**given), "2024-11-20 12:00:00")


@pytest.mark.rule("R-267")
@pytest.mark.parametrize("actor", [Actor.customer("cus-1"), Actor.provider("main"), Actor.scheduler()])
def test_only_an_administrator_suspends_resumes_and_reminds(running, suspended, rules, at, new_id, actor):
    for operation, contract in ((suspend, running()), (resume, suspended()), (remind, suspended())):
        with pytest.raises(PermissionDenied):
            operation(contract, at("2024-11-20 12:00:00"), rules, new_id, actor=actor)


@pytest.mark.rule("R-025", "R-115", "R-266")
def test_suspending_and_resuming_leave_one_record_each(running, assumed, do):
    stopped = do(suspend, running(), "2024-11-20 12:00:00", assumed(), reason="not in the statement")
    back = do(resume, stopped.contract, "2024-11-25 12:00:00", *stopped.changed, reason="found")

    assert [(record.action, record.reason) for record in (*stopped.audit, *back.audit)] == [
        ("suspend", "not in the statement"),
        ("resume", "found"),
    ]
    assert back.contract == running()


# --- remind ----------------------------------------------------------------------------------------------------------


@pytest.mark.rule("R-118", "R-159")
@pytest.mark.parametrize(
    ("given", "amount"),
    [({}, 3000), ({"status": Status.PENDING_PAYMENT, "past_due": None}, 3000), ({"plan": SPECIAL}, 1000)],
)
def test_a_reminder_tells_the_customer_and_changes_nothing(suspended, rules, at, new_id, given, amount):
    contract = suspended(**given)

    done = remind(contract, at("2024-11-20 12:00:00"), rules, new_id, actor=ITO, due_on=day("2024-11-30"))

    assert done.contract == contract
    (notice,) = done.notices
    assert (notice.kind, notice.audience) == (NoticeKind.DUNNING, Audience.CUSTOMER)
    assert (notice.facts["amount"], notice.facts["due_on"]) == (Money(amount, "JPY"), day("2024-11-30"))
    assert (done.transition, [record.action for record in done.audit]) == (None, ["send_dunning_mail"])


@pytest.mark.rule("R-159")
def test_who_owes_nothing_is_not_reminded(running, rules, at, new_id):
    with pytest.raises(OperationNotAllowed):
        remind(running(), at("2024-11-20 12:00:00"), rules, new_id, actor=ITO)


@pytest.mark.rule("R-163", "T-6B")
@pytest.mark.parametrize(("now", "status"), [("2024-12-07 12:00:00", Status.CANCEL_SCHEDULED), ("2024-12-08 00:00:00", Status.TERMINATED)])  # fmt: skip
def test_a_cancellation_that_was_kept_comes_back_with_the_contract(suspended, do, at, now, status):
    kept = Cancellation(
        CancellationOrigin.CUSTOMER, at("2024-11-07 12:00:00"), Actor.customer("cus-1"), day("2024-12-08")
    )

    done = do(resume, suspended(cancellation=kept), now)

    assert (done.contract.status, done.transition) == (status, "T-6B")
    assert done.contract.cancellation == (kept if status is Status.CANCEL_SCHEDULED else None)
