"""Every step of a contract goes along a row of the table (domain §4)."""

import datetime as dt

import attrs
import pytest

from paygate.domain.contract import Actor, PastDue, PaymentMethod, Plan, Product, ProductType, Status
from paygate.domain.followup import Audience, Next, NoticeKind
from paygate.domain.lifecycle import refusal, step
from paygate.domain.renewal import end, renew, schedule_product_end, start
from paygate.domain.running import resumed
from paygate.domain.settlement import Settlement
from paygate.domain.transitions import Event, find, row
from paygate.errors import OperationNotAllowed
from paygate.money import Money

NOW = "2024-11-20 12:00:00"
NOVEMBER = dt.date(2024, 11, 8)


def ending(month):
    magazine = Product("mag", ProductType.MONTHLY_MAGAZINE, end_month=month)
    return Plan.recurring("Gold", Money(3000, "JPY"), products=(magazine,))


def special(periods):
    return Plan.recurring("Gold", Money(3000, "JPY"), special_price=Money(1000, "JPY"), special_periods=periods)


@pytest.fixture
def walk(at, new_id):
    def walk(taken, before, status, actor):
        after = attrs.evolve(before, status=status)
        return step(taken, before, after, at=at(NOW), actor=actor, new_id=new_id, action="x", facts={"more": 1})

    return walk


@pytest.mark.rule("R-025", "R-266")
def test_a_step_leaves_a_record_that_names_its_row(make_contract, walk):
    record = walk(row("T-44"), make_contract(), Status.CANCEL_SCHEDULED, Actor.admin("ito"))

    assert record.after == {"status": "CANCEL_SCHEDULED", "transition": "T-44", "more": 1}
    assert record.before == {"status": "ACTIVE"}


@pytest.mark.rule("R-022", "R-025")
@pytest.mark.parametrize(
    ("taken", "before", "after", "actor"),
    [
        (None, Status.ACTIVE, Status.ACTIVE, Actor.admin()),
        ("T-44", Status.ACTIVE, Status.TERMINATED, Actor.admin()),
        ("T-44", Status.PAST_DUE, Status.CANCEL_SCHEDULED, Actor.admin()),
        ("T-43", Status.ACTIVE, Status.PAST_DUE, Actor.customer("cus-1")),
        ("T-94", Status.TERMINATED, Status.ACTIVE, Actor.provider("main")),
    ],
)
def test_what_is_not_in_the_table_does_not_happen(make_contract, walk, taken, before, after, actor):
    with pytest.raises(OperationNotAllowed) as refused:
        walk(row(taken) if taken else None, make_contract(status=before), after, actor)

    assert refused.value.rule == "R-025"
    assert before.value in str(refused.value)


def test_a_row_is_found_by_its_number():
    assert row("T-52").event is Event.CHARGE_FAILED
    with pytest.raises(KeyError):
        row("T-99")


@pytest.mark.rule("R-024", "X-01")
def test_a_refusal_that_the_table_does_not_know_is_recorded_without_a_row(make_contract, at, new_id):
    error = OperationNotAllowed("contract con-1 is ACTIVE: terminate is not possible", rule="R-024")

    record = refusal(make_contract(), "terminate", error, at=at(NOW), actor=Actor.admin("ito"), new_id=new_id)

    assert (record.action, record.reason) == ("terminate_refused", str(error))
    assert record.after == {"error": "OperationNotAllowed", "rule": "R-024"}


def test_a_settlement_without_a_step_has_no_transition(make_contract):
    assert Settlement(make_contract()).transition is None


@pytest.mark.rule("R-036", "R-037", "R-061", "R-062")
@pytest.mark.parametrize(
    ("given", "charged", "taken"),
    [
        pytest.param({}, True, "T-41", marks=pytest.mark.rule("T-41")),
        pytest.param({"method": PaymentMethod.BANK_TRANSFER}, False, "T-40", marks=pytest.mark.rule("T-40")),
        pytest.param(
            {"status": Status.SPECIAL_PERIOD, "plan": special(3)}, True, "T-50", marks=pytest.mark.rule("T-50")
        ),
        pytest.param(
            {"status": Status.SPECIAL_PERIOD, "plan": special(1)}, True, "T-51", marks=pytest.mark.rule("T-51")
        ),
        ({"plan": ending("2024-11")}, True, "T-46"),
    ],
)
def test_a_renewal_takes_the_row_of_its_kind(make_contract, rules, at, new_id, make_charge, given, charged, taken):
    charge = make_charge() if charged else None

    done = renew(make_contract(**given), NOVEMBER, at("2024-11-08 07:00:00"), rules, new_id, charge=charge)

    assert done.transition == taken
    told = [notice.kind for notice in done.notices]
    assert told == ([NoticeKind.CANCELLATION_SCHEDULED] * 2 if taken == "T-46" else [])


@pytest.mark.rule("R-029", "R-030")
@pytest.mark.parametrize(
    ("plan", "taken"),
    [
        pytest.param(Plan.one_off("Book", Money(8000, "JPY")), "T-23", marks=pytest.mark.rule("T-23")),
        pytest.param(special(3), "T-24", marks=pytest.mark.rule("T-24")),
        pytest.param(ending("2024-11"), "T-25", marks=pytest.mark.rule("T-25")),
    ],
)
def test_a_start_takes_the_row_of_its_plan(make_contract, rules, at, new_id, plan, taken):
    contract = make_contract(
        plan=plan,
        method=PaymentMethod.BANK_TRANSFER,
        status=Status.NOT_STARTED,
        start_on=NOVEMBER,
        period_start=None,
    )

    assert start(contract, at("2024-11-08 03:00:00"), rules, new_id).transition == taken


@pytest.mark.rule("R-041", "T-46", "T-75")
@pytest.mark.parametrize(("status", "taken"), [(Status.ACTIVE, "T-46"), (Status.CANCEL_SCHEDULED, "T-75")])
def test_the_products_end_has_a_row_for_each_status(make_contract, at, new_id, status, taken):
    contract = make_contract(plan=ending("2024-10"), status=status)

    assert schedule_product_end(contract, at(NOW), new_id).transition == taken


@pytest.mark.rule("R-070", "T-69", "X-07")
def test_a_product_that_ends_while_nothing_is_paid_ends_the_contract(make_contract, rules, at, new_id):
    missing = PastDue(at("2024-11-08 07:00:00"), make_contract().expires_on)
    contract = make_contract(
        plan=ending("2024-11"),
        method=PaymentMethod.BANK_TRANSFER,
        status=Status.PAST_DUE,
        past_due=missing,
    )

    done = end(contract, contract.start_on.replace(month=12), at("2024-12-08 03:00:00"), rules, new_id)

    assert done.transition == "T-69"
    assert [(notice.kind, notice.audience, notice.next) for notice in done.notices] == [
        (NoticeKind.TERMINATED, Audience.CUSTOMER, Next.ENDED),
        (NoticeKind.TERMINATED, Audience.ADMIN, Next.ENDED),
    ]


@pytest.mark.rule("R-039", "T-68")
def test_days_that_pass_while_nothing_is_paid_leave_the_contract_as_it_is():
    assert find(Status.PAST_DUE, Event.RENEWAL_DUE, Status.PAST_DUE).id == "T-68"


def test_arrears_that_come_before_the_start_open_the_first_period_and_no_earlier_one(make_contract):
    contract = make_contract(status=Status.PAST_DUE, start_on=dt.date(2024, 1, 28))

    back = resumed(contract, dt.date(2024, 1, 27), dt.datetime(2024, 1, 26, 15, tzinfo=dt.UTC))

    assert (back.status, back.period_start) == (Status.ACTIVE, dt.date(2024, 1, 28))
