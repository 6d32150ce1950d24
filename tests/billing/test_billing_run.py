"""The billing run: what is due, once, in order, whatever happens meanwhile (§6.4, §6.15)."""

from __future__ import annotations

import datetime as dt
import threading

import pytest

from paygate import (
    JST,
    BankTransfer,
    Card,
    ChargeState,
    Customer,
    Gateway,
    Money,
    Plan,
    Product,
    ProductType,
    Purpose,
    Status,
)
from paygate.billing.running import Work
from paygate.domain.ledger import EntryKind, EntryState
from paygate.domain.retry_schedule import RetrySchedule
from paygate.provider import DeclineClass
from paygate.testing import Decline, NeverThere, StayPending, Vanish

HANAKO = Customer("cus_1", "山田花子", "hanako@example.com")


def yen(amount):
    return Money(amount, "JPY")


def at(world, text):
    world.clock.set(dt.datetime.fromisoformat(text).replace(tzinfo=JST))


def periods(world, contract):
    rows = world.gateway.ledger.list(contract_id=contract.id)
    return [(row.target_on.isoformat(), row.amount.minor) for row in rows if row.kind is EntryKind.PERIOD]


@pytest.mark.rule("R-036", "R-043", "R-045", "R-058", "R-061", "T-41")
def test_a_renewal_is_charged_on_its_day_and_moves_expiry_ledger_and_mails(world):
    contract = world.contract("stripe")
    at(world, "2026-02-14T23:59:59")
    assert world.gateway.billing.run().renewed == 0
    at(world, "2026-02-15T03:00:00")

    report = world.gateway.billing.run()

    assert (report.renewed, report.failed, report.charged) == (1, 0, {"JPY": 3000})
    after = world.gateway.contracts.get(contract.id)
    assert (after.status, after.expires_on) == (Status.ACTIVE, dt.date(2026, 3, 15))
    assert periods(world, contract) == [("2026-01-15", 3000), ("2026-02-15", 3000)]
    assert [mail.name for mail in world.gateway.step_mails.list(contract_id=contract.id)] == ["welcome", "thanks"]


@pytest.mark.rule("R-040", "B-140")
def test_a_run_that_is_started_twice_charges_once(world):
    contract = world.contract("stripe")
    at(world, "2026-02-15T03:00:00")

    first = world.gateway.billing.run()
    second = world.gateway.billing.run()

    assert (first.renewed, second.renewed) == (1, 0)
    assert len(periods(world, contract)) == 2
    assert world.stripe.book.captured() == 6000


@pytest.mark.rule("R-040", "R-268")
def test_runs_at_the_same_time_charge_each_period_once(world):
    contracts = [world.contract("stripe", customer=f"cus_{number}") for number in range(6)]
    at(world, "2026-02-15T03:00:00")
    gate = threading.Barrier(3)
    errors = []

    def work():
        try:
            with Gateway(database=world.url, providers=world.options["providers"], clock=world.clock) as gateway:
                gate.wait()
                gateway.billing.run()
        except BaseException as exc:  # noqa: BLE001 - shown below
            errors.append(exc)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)

    assert errors == []
    assert world.stripe.book.captured() == 6 * 6000
    for contract in contracts:
        assert len(periods(world, contract)) == 2


@pytest.mark.rule("R-037", "R-041", "B-141")
def test_a_bank_contract_catches_up_in_order_with_assumed_rows(world):
    contract = world.gateway.contracts.create(HANAKO, world.plan, BankTransfer())
    world.gateway.contracts.confirm_payment(contract.id)
    at(world, "2026-03-20T03:00:00")

    report = world.gateway.billing.run()

    rows = [row for row in world.gateway.ledger.list(contract_id=contract.id) if row.state is EntryState.ASSUMED]
    assert report.renewed == 2
    assert [(row.purchased_on, row.target_on) for row in rows] == [
        (dt.date(2026, 2, 15), dt.date(2026, 2, 15)),
        (dt.date(2026, 3, 15), dt.date(2026, 3, 15)),
    ]


@pytest.mark.rule("R-042", "R-128", "R-132", "B-022", "B-023", "B-142")
def test_a_due_cancellation_wins_over_the_renewal_of_the_same_day_however_late_the_run(world):
    contract = world.contract("stripe")
    world.gateway.contracts.schedule_cancellation(contract.id)
    at(world, "2026-02-17T03:00:00")

    report = world.gateway.billing.run()

    after = world.gateway.contracts.get(contract.id)
    assert (report.cancelled, report.renewed) == (1, 0)
    assert (after.status, after.ended_on) == (Status.TERMINATED, dt.date(2026, 2, 15))
    assert world.stripe.book.captured() == 3000


@pytest.mark.rule("R-015", "R-029", "R-030", "B-034", "B-035")
def test_a_contract_starts_with_the_first_run_of_its_day_and_its_first_period_is_charged(world):
    plan = Plan.recurring("Gold", yen(3000), initial_fee=yen(1000))
    contract = world.gateway.contracts.create(HANAKO, plan, Card("stripe", "pm_1"), start_on=dt.date(2026, 2, 1))
    at(world, "2026-02-01T02:59:59")
    assert world.gateway.contracts.get(contract.id).status is Status.NOT_STARTED
    at(world, "2026-02-01T03:00:00")

    report = world.gateway.billing.run()

    assert report.started == 1
    assert world.gateway.contracts.get(contract.id).status is Status.ACTIVE
    assert world.stripe.book.captured() == 4000


@pytest.mark.rule("R-060", "R-061", "R-062", "B-050", "B-051")
def test_special_periods_cost_their_price_and_end_on_the_nth_renewal_day(world):
    plan = Plan.recurring("Gold", yen(3000), special_price=yen(500), special_periods=2)
    contract = world.gateway.contracts.create(HANAKO, plan, Card("stripe", "pm_1"))
    assert contract.status is Status.SPECIAL_PERIOD
    at(world, "2026-03-15T03:00:00")

    world.gateway.billing.run()

    assert world.gateway.contracts.get(contract.id).status is Status.ACTIVE
    assert periods(world, contract) == [("2026-01-15", 500), ("2026-02-15", 500), ("2026-03-15", 3000)]


@pytest.mark.rule("R-067", "B-060", "B-061")
def test_a_product_ends_with_its_final_month(world):
    product = Product("mag", ProductType.MONTHLY_MAGAZINE, end_month="2026-02")
    contract = world.contract("stripe", plan=Plan.recurring("Mag", yen(800), products=(product,)))
    at(world, "2026-02-15T03:00:00")
    world.gateway.billing.run()
    ending = world.gateway.contracts.get(contract.id)
    at(world, "2026-03-15T03:00:00")
    world.gateway.billing.run()

    assert (ending.status, ending.cancellation.effective_on) == (Status.CANCEL_SCHEDULED, dt.date(2026, 3, 15))
    assert world.gateway.contracts.get(contract.id).status is Status.TERMINATED
    assert len(periods(world, contract)) == 2


@pytest.mark.rule("R-145", "R-148", "R-149", "R-150", "R-151", "R-154", "B-070", "B-071", "B-072")
def test_stripe_renewals_are_retried_three_times_and_then_the_contract_ends(world):
    contract = world.contract("stripe")
    world.stripe.script_for("tok_stripe_cus_1", Decline("insufficient_funds", DeclineClass.SOFT))
    days = ["02-15", "02-18", "02-23", "03-02"]
    seen = []
    for day in days:
        at(world, f"2026-{day}T02:59:00")
        world.gateway.billing.run()
        at(world, f"2026-{day}T03:00:00")
        world.gateway.billing.run()
        seen.append(world.gateway.contracts.get(contract.id).status)

    assert seen == [Status.PAST_DUE, Status.PAST_DUE, Status.PAST_DUE, Status.TERMINATED]
    charges = [call for call in world.stripe.calls if call.hook == "charge"]
    assert len(charges) == 4
    failures = [n.notice for n in world.observer.of("notice") if n.notice.kind.value == "renewal_failed"]
    assert [(n.audience.value, n.facts["attempt"]) for n in failures] == [
        (audience, attempt) for attempt in (1, 2, 3, 4) for audience in ("customer", "admin")
    ]
    assert world.stripe.book.captured() == 3000


@pytest.mark.rule("R-146", "R-164", "R-065", "B-073", "B-055")
def test_a_retry_that_succeeds_resumes_and_the_renewal_day_stays(world):
    contract = world.contract("stripe")
    world.stripe.next(Decline("insufficient_funds", DeclineClass.SOFT))
    at(world, "2026-02-15T03:00:00")
    world.gateway.billing.run()
    at(world, "2026-02-18T03:00:00")

    report = world.gateway.billing.run()

    after = world.gateway.contracts.get(contract.id)
    assert report.retried == 1
    assert (after.status, after.past_due, after.expires_on) == (Status.ACTIVE, None, dt.date(2026, 3, 15))
    assert periods(world, contract)[-1] == ("2026-02-15", 3000)
    assert world.gateway.contracts.details(contract.id).next_renewal_on == dt.date(2026, 3, 15)


@pytest.mark.rule("R-155", "R-156", "B-078")
def test_univapay_renewals_are_attempted_three_times_in_a_month_and_then_pause(world):
    contract = world.contract("univapay")
    world.univapay.script_for("tok_univapay_cus_1", Decline("306", DeclineClass.SOFT))
    for day in ["02-15", "02-25", "03-07", "03-20", "04-15"]:
        at(world, f"2026-{day}T03:00:00")
        world.gateway.billing.run()
        world.clock.advance(minutes=5)
        world.gateway.billing.reconcile()

    after = world.gateway.contracts.get(contract.id)
    assert (after.status, after.past_due.exhausted) == (Status.PAST_DUE, True)
    assert len([call for call in world.univapay.calls if call.hook == "charge"]) == 3


def test_a_final_decline_is_never_retried_and_the_plan_says_why(world):
    contract = world.contract("stripe")
    world.stripe.next(Decline("stolen_card", DeclineClass.HARD))
    at(world, "2026-02-15T03:00:00")
    world.gateway.billing.run()
    at(world, "2026-02-20T03:00:00")

    plan = world.gateway.billing.plan().all()
    report = world.gateway.billing.run()

    assert report.retried == report.failed == 0
    assert [(item.contract_id, item.work) for item in plan] == [(contract.id, Work.NOTHING)]
    assert "no retry" in plan[0].why
    assert len([call for call in world.stripe.calls if call.hook == "charge"]) == 1


@pytest.mark.rule("R-039", "B-143")
def test_days_that_pass_while_past_due_are_not_billed(world):
    contract = world.gateway.contracts.create(HANAKO, world.plan, BankTransfer())
    world.gateway.contracts.confirm_payment(contract.id)
    world.gateway.contracts.suspend(contract.id)
    at(world, "2026-03-20T03:00:00")
    assert world.gateway.billing.run().renewed == 0
    world.gateway.contracts.resume(contract.id)

    assert world.gateway.billing.run().renewed == 0
    assert len(periods(world, contract)) == 1
    assert world.gateway.contracts.details(contract.id).next_renewal_on == dt.date(2026, 4, 15)


@pytest.mark.parametrize("after", [True, False])
def test_a_renewal_whose_answer_was_lost_blocks_and_is_settled_not_repeated(world, after):
    contract = world.contract("stripe")
    world.stripe.next(Vanish(after=after))
    at(world, "2026-02-15T03:00:00")

    report = world.gateway.billing.run()
    again = world.gateway.billing.run()
    world.gateway.billing.reconcile()
    world.gateway.billing.run()

    assert (report.unknown, again.renewed) == (1, 0)
    assert len(periods(world, contract)) == 2
    assert world.stripe.book.captured() == 6000


def test_a_charge_that_never_got_there_is_tried_again_by_the_next_run(world):
    contract = world.contract("stripe")
    world.stripe.next(NeverThere())
    at(world, "2026-02-15T03:00:00")

    first = world.gateway.billing.run()
    status = world.gateway.contracts.get(contract.id).status
    second = world.gateway.billing.run()

    assert (first.unsent, second.renewed) == (1, 1)
    assert status is Status.ACTIVE
    assert world.stripe.book.captured() == 6000


def test_a_pending_renewal_blocks_the_next_one_until_its_result(world):
    contract = world.contract("univapay")
    world.univapay.next(StayPending())
    at(world, "2026-02-15T03:00:00")
    assert world.gateway.billing.run().unknown == 1
    assert world.gateway.billing.run().renewed == 0
    charge = world.gateway.charges.list(contract_id=contract.id, state=ChargeState.PENDING).first()

    world.univapay.finish(charge.reference)
    world.deliver("univapay")

    assert len(periods(world, contract)) == 2
    assert world.univapay.book.captured() == 6000


def test_the_plan_tells_what_a_run_would_do_and_touches_nothing(world):
    card = world.contract("stripe")
    bank = world.gateway.contracts.create(HANAKO, world.plan, BankTransfer())
    world.gateway.contracts.confirm_payment(bank.id)
    owned = world.contract("telecom", customer="cus_3")
    at(world, "2026-03-20T03:00:00")
    before = world.gateway.audit.list().all()

    plan = world.gateway.billing.plan(page_size=1).all()

    told = sorted((item.contract_id, item.work, item.on, item.charge) for item in plan)
    assert told == sorted(
        [
            (card.id, Work.RENEWAL, dt.date(2026, 2, 15), yen(3000)),
            (card.id, Work.RENEWAL, dt.date(2026, 3, 15), yen(3000)),
            (bank.id, Work.RENEWAL, dt.date(2026, 2, 15), None),
            (bank.id, Work.RENEWAL, dt.date(2026, 3, 15), None),
        ],
        key=lambda item: (item[0], item[2]),
    )
    assert owned.id not in {item.contract_id for item in plan}
    assert world.gateway.audit.list().all() == before
    assert [call for call in world.stripe.calls if call.hook == "charge"] == []


def test_progress_is_told_after_each_contract(world):
    for number in range(3):
        world.contract("stripe", customer=f"cus_{number}")
    at(world, "2026-02-15T03:00:00")
    seen = []

    world.gateway.billing.run(progress=lambda report: seen.append(report.renewed))

    assert seen == [1, 2, 3]


def test_the_run_works_behind_every_face(faces):
    faces.contract("stripe")
    at(faces, "2026-02-15T03:00:00")

    assert faces.gateway.billing.run().renewed == 1
    assert faces.gateway.billing.run().renewed == 0


@pytest.mark.rule("R-148", "R-156")
def test_an_account_may_have_a_schedule_of_its_own(world):
    contract = world.contract("stripe")
    world.options["schedules"] = {"stripe": RetrySchedule((1,), ends_contract=False)}
    world.reopen()
    world.stripe.script_for("tok_stripe_cus_1", Decline("insufficient_funds", DeclineClass.SOFT))
    for day in ("15", "16", "20"):
        at(world, f"2026-02-{day}T03:00:00")
        world.gateway.billing.run()

    after = world.gateway.contracts.get(contract.id)
    assert (after.status, after.past_due.exhausted) == (Status.PAST_DUE, True)
    assert len([call for call in world.stripe.calls if call.hook == "charge"]) == 2


@pytest.mark.rule("R-161")
def test_no_retry_while_arrears_for_the_period_are_on_their_way(world):
    contract = world.contract("univapay")
    world.univapay.next(Decline("306", DeclineClass.SOFT))
    at(world, "2026-02-15T03:00:00")
    world.gateway.billing.run()
    world.clock.advance(minutes=5)
    world.gateway.billing.reconcile()
    at(world, "2026-02-25T02:00:00")
    world.univapay.next(StayPending())
    arrears = world.charge(contract, 3000, purpose=Purpose.ARREARS)
    at(world, "2026-02-25T02:10:00")

    report = world.gateway.billing.run()
    world.univapay.finish(arrears.reference)
    world.deliver("univapay")
    world.gateway.billing.run()

    assert report.retried == 0
    assert world.gateway.contracts.get(contract.id).status is Status.ACTIVE
    assert world.univapay.book.captured() == 6000


def test_what_a_network_says_about_the_card_is_heeded_and_explained(world):
    contract = world.contract("stripe")
    world.stripe.next(Decline("do_not_honor", DeclineClass.SOFT, network="mastercard", advice_code="03"))
    at(world, "2026-02-15T03:00:00")
    world.gateway.billing.run()
    at(world, "2026-02-20T03:00:00")

    plan = world.gateway.billing.plan().all()

    assert world.gateway.billing.run().retried == 0
    assert (plan[0].contract_id, plan[0].work) == (contract.id, Work.NOTHING)
    assert "mastercard" in plan[0].why.lower()
    charge = world.gateway.charges.list(contract_id=contract.id, state=ChargeState.FAILED).first()
    assert (charge.network, charge.advice_code) == ("mastercard", "03")
