"""Contracts without a card, month by month: what a transfer pays, what a late run changes, what a person puts right."""

import datetime as dt

import pytest

from paygate import JST, BankTransfer, Customer, Manual, Money, Plan, Product, ProductType, Status
from paygate.domain.ledger import EntryKind, EntryState
from paygate.errors import InvalidAmount, InvalidValue, NotFound, OperationNotAllowed

HANAKO = Customer("cus_hanako", "山田花子", "hanako@example.com")
MAGAZINE = (Product("mag", ProductType.MONTHLY_MAGAZINE),)
GOLD = Plan.recurring("Gold", Money(3000, "JPY"), products=MAGAZINE)
WITH_FEE = Plan.recurring("Gold", Money(3000, "JPY"), initial_fee=Money(1000, "JPY"), products=MAGAZINE)


def at(world, text):
    world.clock.set(dt.datetime.fromisoformat(text).replace(tzinfo=JST))


def rows(world, contract):
    return [
        (row.target_on.isoformat(), row.kind.value, row.amount.minor, row.state.value)
        for row in world.gateway.ledger.list(contract_id=contract.id)
        if row.kind.sale
    ]


def months(world, contract):
    return [opening.scope for opening in world.gateway.contracts.access(contract.id) if opening.open]


def running(world, plan=GOLD, payment=None):
    """A contract since 15 January whose first payment was found."""
    contract = world.gateway.contracts.create(HANAKO, plan, payment or BankTransfer())
    contract = world.gateway.contracts.confirm_payment(contract.id)
    world.observer.heard.clear()
    return contract


def notices(world):
    return [notice.notice.kind.value for notice in world.observer.of("notice")]


# --- what a transfer pays --------------------------------------------------------------------------------------------


@pytest.mark.rule("R-386", "R-010", "R-271")
@pytest.mark.parametrize(("plan", "due"), [(GOLD, 3000), (WITH_FEE, 4000)])
def test_an_application_with_a_later_start_asks_for_everything_due_by_the_start(world, plan, due):
    contract = world.gateway.contracts.create(HANAKO, plan, BankTransfer(), start_on=dt.date(2026, 2, 1))

    asked = [notice.notice.facts["amount"] for notice in world.observer.of("notice")]
    assert asked == [Money(due, "JPY"), Money(due, "JPY")]

    world.gateway.contracts.confirm_payment(contract.id)
    assert sum(amount for _, _, amount, _ in rows(world, contract)) == due
    assert months(world, contract) == []

    at(world, "2026-02-01T03:00:00")
    report = world.gateway.billing.run()
    assert report.started == 1
    assert sum(amount for _, _, amount, _ in rows(world, contract)) == due
    assert months(world, contract) == ["2026-02"]
    assert world.gateway.contracts.get(contract.id).expires_on == dt.date(2026, 3, 1)


@pytest.mark.rule("R-386")
def test_a_reminder_of_an_application_names_what_was_asked_for(world):
    contract = world.gateway.contracts.create(HANAKO, WITH_FEE, BankTransfer(), start_on=dt.date(2026, 2, 1))
    world.observer.heard.clear()

    world.gateway.contracts.send_dunning_mail(contract.id)

    assert [notice.notice.facts["amount"] for notice in world.observer.of("notice")] == [Money(4000, "JPY")]


@pytest.mark.rule("R-386")
@pytest.mark.parametrize(
    ("start_on", "came", "booked"),
    [
        ("2026-01-15", 3000, [("INITIAL_FEE", 1000, "SUCCEEDED"), ("PERIOD", 2000, "SUCCEEDED")]),
        ("2026-01-15", 1000, [("INITIAL_FEE", 1000, "SUCCEEDED"), ("PERIOD", 3000, "ASSUMED")]),
        ("2026-01-15", 400, [("INITIAL_FEE", 400, "SUCCEEDED"), ("PERIOD", 3000, "ASSUMED")]),
        ("2026-02-01", 1000, [("INITIAL_FEE", 1000, "SUCCEEDED")]),
        ("2026-02-01", 4000, [("INITIAL_FEE", 1000, "SUCCEEDED"), ("PERIOD", 3000, "SUCCEEDED")]),
    ],
)
def test_confirming_books_what_came_to_the_fee_first(world, start_on, came, booked):
    start = dt.date.fromisoformat(start_on)
    contract = world.gateway.contracts.create(HANAKO, WITH_FEE, BankTransfer(), start_on=start)

    world.gateway.contracts.confirm_payment(contract.id, amount=Money(came, "JPY"))

    assert [row[1:] for row in rows(world, contract)] == booked
    remarks = [row.remarks for row in world.gateway.ledger.list(contract_id=contract.id) if row.remarks]
    if came in {3000, 400}:
        assert "open" in remarks[0]


@pytest.mark.rule("R-386", "R-037")
def test_a_first_period_of_which_nothing_came_opens_at_the_start_as_if_paid(world):
    contract = world.gateway.contracts.create(HANAKO, WITH_FEE, BankTransfer(), start_on=dt.date(2026, 2, 1))
    world.gateway.contracts.confirm_payment(contract.id, amount=Money(1000, "JPY"))
    at(world, "2026-02-01T03:00:00")

    world.gateway.billing.run()

    assert rows(world, contract)[-1] == ("2026-02-01", "PERIOD", 3000, "ASSUMED")


@pytest.mark.rule("R-386")
@pytest.mark.parametrize("amount", [Money(4001, "JPY"), Money(0, "JPY"), Money(10, "USD"), 3000])
def test_more_than_was_asked_for_or_nothing_at_all_is_not_booked(world, amount):
    contract = world.gateway.contracts.create(HANAKO, WITH_FEE, BankTransfer())

    with pytest.raises(InvalidAmount):
        world.gateway.contracts.confirm_payment(contract.id, amount=amount)

    assert rows(world, contract) == []
    assert world.gateway.contracts.get(contract.id).status is Status.PENDING_PAYMENT


@pytest.mark.rule("R-386", "R-088")
def test_a_first_period_that_was_paid_ahead_goes_back_when_the_contract_is_cancelled(world):
    contract = world.gateway.contracts.create(HANAKO, WITH_FEE, BankTransfer(), start_on=dt.date(2026, 2, 1))
    world.gateway.contracts.confirm_payment(contract.id)

    world.gateway.contracts.cancel(contract.id)

    assert sum(due.amount.minor for due in world.gateway.refunds.dues()) == 4000


# --- before the day's run --------------------------------------------------------------------------------------------


@pytest.mark.rule("R-385", "R-041", "R-116")
@pytest.mark.parametrize("now", ["2026-02-15T01:00:00", "2026-02-17T10:00:00"])
def test_a_suspension_before_the_days_run_stops_the_new_month_and_leaves_the_paid_one(world, now):
    contract = running(world)
    at(world, now)

    world.gateway.contracts.suspend(contract.id)
    world.gateway.billing.run()

    after = world.gateway.contracts.get(contract.id)
    assert (after.status, after.past_due.period_start) == (Status.PAST_DUE, dt.date(2026, 2, 15))
    assert rows(world, contract) == [
        ("2026-01-15", "PERIOD", 3000, "SUCCEEDED"),
        ("2026-02-15", "PERIOD", 3000, "UNPAID"),
    ]
    assert months(world, contract) == ["2026-01"]


@pytest.mark.rule("R-385", "R-041", "X-08")
def test_notice_that_is_given_before_a_late_run_names_the_last_day_that_will_be_paid_for(world):
    contract = running(world)
    at(world, "2026-02-17T10:00:00")

    given = world.gateway.contracts.schedule_cancellation(contract.id)

    assert (given.effective_on, given.last_day_of_use) == (dt.date(2026, 3, 15), dt.date(2026, 3, 14))
    assert rows(world, contract)[-1] == ("2026-02-15", "PERIOD", 3000, "ASSUMED")
    assert months(world, contract) == ["2026-01", "2026-02"]


@pytest.mark.rule("R-385", "X-08")
def test_the_same_for_a_card_whose_renewal_no_run_has_charged_yet(world):
    contract = world.contract("stripe", plan=GOLD)
    at(world, "2026-02-17T10:00:00")

    given = world.gateway.contracts.schedule_cancellation(contract.id)
    world.gateway.billing.run()

    assert (given.effective_on, given.last_day_of_use) == (dt.date(2026, 3, 15), dt.date(2026, 3, 14))
    assert world.gateway.contracts.get(contract.id).expires_on == dt.date(2026, 3, 15)


@pytest.mark.rule("R-385", "R-024")
def test_an_operation_that_is_refused_has_not_opened_anything_either(world):
    contract = running(world)
    at(world, "2026-02-15T01:00:00")

    with pytest.raises(OperationNotAllowed):
        world.gateway.contracts.resume(contract.id)

    assert len(rows(world, contract)) == 1


# --- single months ---------------------------------------------------------------------------------------------------


@pytest.mark.rule("R-387", "X-15")
@pytest.mark.parametrize("ending", [False, True])
def test_an_assumed_month_is_confirmed_without_a_mail_also_while_an_end_is_scheduled(world, ending):
    contract = running(world)
    at(world, "2026-02-15T03:00:00")
    world.gateway.billing.run()
    at(world, "2026-02-20T10:00:00")
    if ending:
        world.gateway.contracts.schedule_cancellation(contract.id)
    before = world.gateway.contracts.get(contract.id)
    world.observer.heard.clear()

    world.gateway.contracts.mark_paid(
        contract.id, dt.date(2026, 2, 15), received_at=dt.datetime(2026, 2, 18, 9, tzinfo=JST)
    )

    assert rows(world, contract)[-1] == ("2026-02-15", "PERIOD", 3000, "SUCCEEDED")
    after = world.gateway.contracts.get(contract.id)
    assert (after.status, after.expires_on) == (before.status, before.expires_on)
    assert notices(world) == []
    assert world.gateway.reports.assumed(days=0).all() == []
    (record,) = [one for one in world.gateway.audit.list(contract_id=contract.id) if one.action == "mark_paid"]
    assert record.after["entry_state"] == "ASSUMED → SUCCEEDED"


@pytest.mark.rule("R-387", "R-122")
def test_marking_the_month_paid_for_which_a_contract_stands_still_resumes_it(world):
    contract = running(world)
    at(world, "2026-02-17T10:00:00")
    world.gateway.contracts.suspend(contract.id)
    world.observer.heard.clear()

    world.gateway.contracts.mark_paid(contract.id, dt.date(2026, 2, 15))

    assert world.gateway.contracts.get(contract.id).status is Status.ACTIVE
    assert months(world, contract) == ["2026-01", "2026-02"]
    assert notices(world) == ["resumed", "resumed"]


@pytest.mark.rule("R-388", "R-387")
def test_an_older_month_is_marked_unpaid_and_paid_again_while_the_contract_runs_on(world):
    contract = running(world)
    for day in ("2026-02-15", "2026-03-15"):
        at(world, f"{day}T03:00:00")
        world.gateway.billing.run()
    before = world.gateway.contracts.get(contract.id)

    world.gateway.contracts.mark_unpaid(contract.id, dt.date(2026, 2, 15), reason="no transfer")
    assert rows(world, contract)[1] == ("2026-02-15", "PERIOD", 3000, "UNPAID")
    assert months(world, contract) == ["2026-01", "2026-03"]
    assert world.gateway.contracts.get(contract.id).status is before.status

    world.gateway.contracts.mark_paid(contract.id, dt.date(2026, 2, 15))
    assert months(world, contract) == ["2026-01", "2026-02", "2026-03"]
    assert world.gateway.ledger.net(contract.id) == Money(6000, "JPY")


@pytest.mark.rule("R-388", "R-114")
def test_marking_the_running_month_unpaid_is_a_suspension(world):
    contract = running(world)
    at(world, "2026-02-15T03:00:00")
    world.gateway.billing.run()

    world.gateway.contracts.mark_unpaid(contract.id, dt.date(2026, 2, 15))

    assert world.gateway.contracts.get(contract.id).status is Status.PAST_DUE


@pytest.mark.rule("R-388", "R-067", "R-096", "R-260")
def test_an_unpaid_final_month_leaves_no_debt_for_money_that_never_came(world):
    plan = Plan.recurring(
        "Gold", Money(3000, "JPY"), products=(Product("mag", ProductType.MONTHLY_MAGAZINE, end_month="2026-02"),)
    )
    contract = running(world, plan)
    at(world, "2026-02-15T03:00:00")
    world.gateway.billing.run()
    assert world.gateway.contracts.get(contract.id).status is Status.CANCEL_SCHEDULED

    world.gateway.contracts.mark_unpaid(contract.id, dt.date(2026, 2, 15))
    assert months(world, contract) == ["2026-01"]
    assert world.gateway.contracts.get(contract.id).expires_on == dt.date(2026, 2, 15)

    at(world, "2026-03-15T03:00:00")
    world.gateway.billing.run()
    assert world.gateway.contracts.get(contract.id).status is Status.TERMINATED
    assert world.gateway.reports.assumed(days=0).all() == []
    assert world.gateway.contracts.preview_delete(contract.id).by_hand == Money(3000, "JPY")  # January alone


@pytest.mark.rule("R-388", "R-133")
def test_notice_is_not_taken_back_while_the_running_month_is_marked_as_unpaid(world):
    contract = running(world)
    at(world, "2026-02-15T03:00:00")
    world.gateway.billing.run()
    at(world, "2026-02-20T10:00:00")
    world.gateway.contracts.schedule_cancellation(contract.id)
    world.gateway.contracts.mark_unpaid(contract.id, dt.date(2026, 2, 15))

    with pytest.raises(OperationNotAllowed, match="mark it as paid first") as refusal:
        world.gateway.contracts.revoke_cancellation(contract.id)

    assert refusal.value.rule == "R-388"
    world.gateway.contracts.mark_paid(contract.id, dt.date(2026, 2, 15))
    world.gateway.contracts.revoke_cancellation(contract.id)
    assert world.gateway.contracts.get(contract.id).status is Status.ACTIVE


@pytest.mark.rule("R-388")
def test_after_the_end_a_month_that_never_came_is_void(world):
    contract = running(world)
    at(world, "2026-02-15T03:00:00")
    world.gateway.billing.run()
    at(world, "2026-02-20T10:00:00")
    world.gateway.contracts.schedule_cancellation(contract.id)
    at(world, "2026-03-15T03:00:00")
    world.gateway.billing.run()

    world.gateway.contracts.mark_unpaid(contract.id, dt.date(2026, 2, 15))

    assert rows(world, contract)[-1] == ("2026-02-15", "PERIOD", 3000, "VOID")


@pytest.mark.rule("R-387", "R-388")
def test_a_month_that_is_not_there_or_needs_no_marking_is_refused_by_name(world):
    contract = running(world, payment=Manual())

    with pytest.raises(NotFound, match="2026-01-15"):
        world.gateway.contracts.mark_paid(contract.id, dt.date(2026, 1, 16))
    with pytest.raises(OperationNotAllowed, match="SUCCEEDED"):
        world.gateway.contracts.mark_paid(contract.id, dt.date(2026, 1, 15))
    with pytest.raises(InvalidValue):
        world.gateway.contracts.mark_paid(contract.id, "2026-01-15")
    world.gateway.contracts.suspend(contract.id)
    with pytest.raises(InvalidValue, match="future"):
        world.gateway.contracts.mark_paid(
            contract.id, dt.date(2026, 1, 15), received_at=dt.datetime(2027, 1, 1, tzinfo=JST)
        )
    with pytest.raises(OperationNotAllowed, match="UNPAID"):
        world.gateway.contracts.mark_unpaid(contract.id, dt.date(2026, 1, 15))


@pytest.mark.rule("R-387", "R-388", "R-158")
def test_months_of_a_card_are_marked_by_nobody(world):
    contract = world.contract("stripe", plan=GOLD)

    for mark in (world.gateway.contracts.mark_paid, world.gateway.contracts.mark_unpaid):
        with pytest.raises(OperationNotAllowed):
            mark(contract.id, dt.date(2026, 1, 15))


@pytest.mark.rule("R-388")
def test_a_month_whose_money_was_returned_has_been_paid(world):
    contract = running(world)
    (entry,) = [row for row in world.gateway.ledger.list(contract_id=contract.id) if row.kind is EntryKind.PERIOD]
    world.gateway.refunds.create(entry.id, Money(500, "JPY"), idempotency_key="r-1")

    with pytest.raises(OperationNotAllowed, match="returned"):
        world.gateway.contracts.mark_unpaid(contract.id, dt.date(2026, 1, 15))
    assert entry.state is EntryState.SUCCEEDED
