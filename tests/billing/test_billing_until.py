"""``billing.run(until=…)`` does what fell due by then and no more; ``billing.plan(until=…)`` may look ahead."""

from __future__ import annotations

import datetime as dt

import pytest

from paygate import JST, BankTransfer, Customer, Money, Plan, Status
from paygate.billing.running import Work
from paygate.domain.mails import StepMailState
from paygate.errors import InvalidValue, NaiveDatetime
from paygate.provider import DeclineClass
from paygate.testing import Decline

HANAKO = Customer("cus_1", "山田花子", "hanako@example.com")
SOFT = Decline("insufficient_funds", DeclineClass.SOFT)


def at(world, text):
    world.clock.set(dt.datetime.fromisoformat(text).replace(tzinfo=JST))


def day(text):
    return dt.date.fromisoformat(text)


def periods(world, contract):
    return [row.target_on.isoformat() for row in world.gateway.ledger.list(contract_id=contract.id)]


def planned(world, **until):
    return [(item.work, item.on.isoformat()) for item in world.gateway.billing.plan(**until)]


@pytest.fixture
def late(world):
    """Three contracts that renew on the 15th, the 20th and the 25th; the run has stood still since 15 January."""
    for number, start in enumerate(("2026-01-15", "2026-01-20", "2026-01-25"), 1):
        at(world, f"{start}T12:00:00")
        world.contract("stripe", customer=f"cus_{number}")
    at(world, "2026-04-01T03:00:00")
    return world


@pytest.mark.rule("R-041", "B-141")
def test_what_was_missed_is_caught_up_day_by_day_in_date_order(late):
    contracts = list(late.gateway.contracts.list())
    charged = []

    for until in ("2026-02-14", "2026-02-15", "2026-02-24", "2026-02-25", "2026-03-15", "2026-04-01"):
        report = late.gateway.billing.run(until=day(until))
        charged.append((until, report.renewed))

    assert charged == [
        ("2026-02-14", 0), ("2026-02-15", 1), ("2026-02-24", 1), ("2026-02-25", 1), ("2026-03-15", 1), ("2026-04-01", 2),
    ]  # fmt: skip
    assert [periods(late, contract)[1:] for contract in contracts] == [
        ["2026-02-15", "2026-03-15"],
        ["2026-02-20", "2026-03-20"],
        ["2026-02-25", "2026-03-25"],
    ]
    assert late.gateway.billing.run().renewed == 0


@pytest.mark.rule("R-041")
def test_a_step_that_is_done_late_is_recorded_with_its_day_and_made_at_the_present(late):
    contract = next(iter(late.gateway.contracts.list()))

    late.gateway.billing.run(until=day("2026-02-15"))

    row = late.gateway.ledger.list(contract_id=contract.id).all()[-1]
    charge = late.gateway.charges.list(contract_id=contract.id).all()[-1]
    assert (row.purchased_on, row.target_on) == (day("2026-02-15"), day("2026-02-15"))
    assert charge.created_at == late.clock.now()


@pytest.mark.rule("R-001", "R-036")
@pytest.mark.parametrize(
    ("until", "renewed"),
    [
        (day("2026-02-14"), 0),
        (dt.datetime(2026, 2, 14, 23, 59, 59, 999_999, tzinfo=JST), 0),
        (dt.datetime(2026, 2, 14, 15, 0, tzinfo=dt.UTC), 1),
        (dt.datetime(2026, 2, 15, 0, 0, tzinfo=JST), 1),
        (day("2026-02-15"), 1),
        (None, 1),
    ],
)
def test_days_begin_at_midnight_in_japan_and_a_day_counts_as_a_whole(world, until, renewed):
    world.contract("stripe")
    at(world, "2026-02-15T03:00:00")

    assert sum(item.charge is not None for item in world.gateway.billing.plan(until=until)) == renewed
    assert world.gateway.billing.run(until=until).renewed == renewed
    assert world.stripe.book.captured() == 3000 * (1 + renewed)


@pytest.mark.rule("R-036", "R-040")
@pytest.mark.parametrize(
    "until", [day("2026-02-16"), dt.datetime(2026, 2, 15, 3, 0, 0, 1, tzinfo=JST), dt.date(2999, 12, 31)], ids=str
)
def test_a_time_that_has_not_come_is_refused_and_nothing_is_done(world, until):
    world.contract("stripe")
    at(world, "2026-02-15T03:00:00")

    with pytest.raises(InvalidValue, match=r"not come yet.*billing\.plan"):
        world.gateway.billing.run(until=until)

    assert world.stripe.book.captured() == 3000
    assert world.gateway.billing.run(until=dt.datetime(2026, 2, 15, 3, tzinfo=JST)).renewed == 1


@pytest.mark.parametrize("until", ["2026-02-15", 20260215, dt.datetime.min.replace(tzinfo=JST)], ids=str)
def test_what_is_no_day_of_our_times_is_refused(world, until):
    with pytest.raises(InvalidValue, match=r"date or an aware datetime|until is a day from"):
        world.gateway.billing.run(until=until)
    with pytest.raises(InvalidValue, match=r"date or an aware datetime|until is a day from"):
        world.gateway.billing.plan(until=until).all()


@pytest.mark.rule("R-002")
def test_an_instant_without_a_zone_is_refused(world):
    with pytest.raises(NaiveDatetime):
        world.gateway.billing.run(until=dt.datetime(2026, 1, 15))  # noqa: DTZ001 - what is refused


def test_a_plan_looks_ten_years_ahead_and_no_further(world):
    world.gateway.billing.plan(until=day("2036-01-15")).all()
    with pytest.raises(InvalidValue, match="ten years"):
        world.gateway.billing.plan(until=day("2036-02-15")).all()


@pytest.mark.rule("R-042", "R-128")
def test_the_plan_of_a_future_day_shows_what_falls_due_until_then_and_touches_nothing(world):
    going = world.contract("stripe")
    special = Plan.recurring("Silver", Money(2000, "JPY"), special_price=Money(500, "JPY"), special_periods=2)
    cheap = world.contract("stripe", plan=special, customer="cus_2")
    leaving = world.contract("stripe", customer="cus_3")
    world.gateway.contracts.schedule_cancellation(leaving.id)
    before = world.gateway.audit.list().all()

    plan = world.gateway.billing.plan(until=day("2026-03-15"), page_size=1).all()

    told = [(item.contract_id, item.work, item.on.isoformat(), item.charge) for item in plan]
    assert told == [
        (going.id, Work.RENEWAL, "2026-02-15", Money(3000, "JPY")),
        (going.id, Work.RENEWAL, "2026-03-15", Money(3000, "JPY")),
        (cheap.id, Work.RENEWAL, "2026-02-15", Money(500, "JPY")),
        (cheap.id, Work.RENEWAL, "2026-03-15", Money(2000, "JPY")),
        (leaving.id, Work.CANCELLATION, "2026-02-15", None),
    ]
    assert world.gateway.audit.list().all() == before
    assert [call for call in world.stripe.calls if call.hook == "charge"] == []


@pytest.mark.rule("R-041", "R-154")
def test_a_retry_belongs_to_the_day_on_which_it_was_planned_and_comes_once(world):
    contract = world.contract("stripe")
    world.stripe.script_for("tok_stripe_cus_1", SOFT)
    at(world, "2026-02-15T03:00:00")
    world.gateway.billing.run()  # declined: tried again on the 18th at three
    at(world, "2026-03-20T03:00:00")
    done = []

    for until in ("2026-02-17", "2026-02-18T02:59:59", "2026-02-18T03:00:00", "2026-03-19"):
        moment = dt.datetime.fromisoformat(until).replace(tzinfo=JST) if "T" in until else day(until)
        plan = planned(world, until=moment)
        done.append((until, plan, world.gateway.billing.run(until=moment).failed))

    # the second retry counts from the first, which was made on 20 March
    retry = [(Work.RETRY, "2026-03-20")]
    assert done == [
        ("2026-02-17", [], 0),
        ("2026-02-18T02:59:59", [], 0),
        ("2026-02-18T03:00:00", retry, 1),
        ("2026-03-19", [], 0),
    ]
    assert planned(world) == []
    assert planned(world, until=day("2026-03-25")) == [(Work.RETRY, "2026-03-25")]
    assert world.gateway.contracts.get(contract.id).status is Status.PAST_DUE


def test_the_plan_of_a_future_day_shows_the_next_retry_only(world):
    world.contract("stripe")
    world.stripe.script_for("tok_stripe_cus_1", SOFT)
    at(world, "2026-02-15T03:00:00")
    world.gateway.billing.run()

    assert planned(world, until=day("2026-02-17")) == []
    assert planned(world, until=day("2026-04-30")) == [(Work.RETRY, "2026-02-18")]


@pytest.mark.rule("R-225", "R-230")
def test_step_mails_go_out_that_were_due_by_then(world):
    contract = world.contract("stripe")
    world.charge(contract, send_step_mail=True)  # its mail is due five minutes later
    due_at = world.clock.now() + dt.timedelta(minutes=5)
    world.clock.advance(days=1)

    def thanks():
        return [mail.state for mail in world.gateway.step_mails.list(contract_id=contract.id) if mail.name == "thanks"]

    assert world.gateway.billing.run(until=due_at - dt.timedelta(microseconds=1)).mails == 0
    assert thanks() == [StepMailState.QUEUED]
    assert world.gateway.billing.run(until=due_at).mails == 1
    assert thanks() == [StepMailState.SENT]


@pytest.mark.rule("R-037")
def test_contracts_without_a_card_are_held_to_the_same_day(world):
    contract = world.gateway.contracts.create(HANAKO, world.plan, BankTransfer())
    world.gateway.contracts.confirm_payment(contract.id)
    at(world, "2026-04-20T03:00:00")

    assert world.gateway.billing.run(until=day("2026-03-14")).renewed == 1
    assert periods(world, contract) == ["2026-01-15", "2026-02-15"]
    assert world.gateway.billing.run().renewed == 2


def test_until_works_behind_every_face(faces):
    faces.contract("stripe")
    at(faces, "2026-03-20T03:00:00")

    assert faces.gateway.billing.run(until=day("2026-02-20")).renewed == 1
    assert planned(faces, until=day("2026-04-20")) == [(Work.RENEWAL, "2026-03-15"), (Work.RENEWAL, "2026-04-15")]
