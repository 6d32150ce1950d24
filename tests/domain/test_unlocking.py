"""Further contents of what was bought: one more per interval, on days of their own (R-082)."""

import datetime as dt

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paygate.clock import JST
from paygate.domain.access import Why, access
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
from paygate.domain.forecast import Coming, forecast
from paygate.domain.licences import License, LicenseState, issue, remove
from paygate.domain.rules import Rules
from paygate.domain.unlocking import next_unlock_on, unlock
from paygate.errors import OperationNotAllowed
from paygate.money import Money

PRICE = Money(3000, "JPY")
START = dt.date(2024, 10, 8)
RULES = Rules()


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


def noon(on: dt.date | str) -> dt.datetime:
    return dt.datetime.combine(day(on) if isinstance(on, str) else on, dt.time(12), JST)


@pytest.fixture
def bought(make_contract):
    """A one-off purchase of an unlock product, that stands since 8 October 2024."""

    def bought(interval=None, *others, **changes):
        course = Product("course", ProductType.BUYOUT_UNLOCK, unlock_interval=interval)
        plan = Plan.one_off("Course", PRICE, products=(course, *others))
        standing = {"status": Status.ESTABLISHED, "start_on": START, "period_start": START}
        return make_contract(plan=plan, **{**standing, "expires_on": dt.date(2030, 12, 31), **changes})

    return bought


@pytest.fixture
def package(make_contract):
    """A recurring package of a monthly magazine and an unlock product bought with it, two weeks an interval."""

    def package(**changes):
        products = (
            Product("magazine", ProductType.MONTHLY_MAGAZINE),
            Product("course", ProductType.BUYOUT_UNLOCK, unlock_interval=Cycle.BIWEEKLY),
        )
        plan = Plan.recurring("Gold", PRICE, Cycle.MONTHLY, products=products)
        running = {
            "status": Status.ACTIVE, "start_on": START, "period_start": START, "expires_on": dt.date(2024, 11, 8),
            "method": PaymentMethod.MANUAL, "account": None, "credential": None,
        }  # fmt: skip
        return make_contract(plan=plan, **{**running, **changes})

    return package


@pytest.fixture
def run(new_id):
    """What runs at those instants open: the contract afterwards and all its licences."""

    def run(contract, *instants):
        known = issue(contract, START, "row-1", (), new_id)
        for now in instants:
            while due := [step for step in due_steps(contract, now, RULES) if step.kind is StepKind.UNLOCK]:
                done = unlock(contract, due[0].on, now, RULES, new_id, licences=known)
                contract, known = done.contract, known + done.licences
        return contract, known

    return run


@pytest.mark.rule("R-082")
@pytest.mark.parametrize(
    ("interval", "now", "opened"),
    [
        (None, "2024-10-08", 1),
        (None, "2024-11-07", 1),
        (None, "2024-11-08", 2),
        (Cycle.MONTHLY, "2025-01-08", 4),
        (Cycle.BIWEEKLY, "2024-10-22", 2),
        (Cycle.WEEKLY, "2024-10-22", 3),
        (Cycle.DAILY, "2024-10-10", 3),
    ],
)
def test_one_content_opens_at_the_purchase_and_one_more_per_interval(bought, run, interval, now, opened):
    _, known = run(bought(interval), noon(now))

    assert [one.scope for one in known] == [f"#{number}" for number in range(1, opened + 1)]
    assert {one.entry_id for one in known} == {"row-1"}  # all of them belong to the sale


@pytest.mark.rule("R-001", "R-082")
def test_a_content_opens_at_midnight_in_japan(bought, run):
    contract = bought()
    midnight = dt.datetime(2024, 11, 8, tzinfo=JST)
    assert len(run(contract, midnight - dt.timedelta(microseconds=1))[1]) == 1
    assert len(run(contract, midnight)[1]) == 2


@pytest.mark.rule("R-041", "R-082")
@given(
    gaps=st.lists(st.integers(0, 40), min_size=1, max_size=8),
    interval=st.sampled_from([None, Cycle.MONTHLY, Cycle.BIWEEKLY, Cycle.WEEKLY, Cycle.DAILY]),
)
def test_whenever_the_runs_come_the_same_contents_are_open_with_the_same_days(gaps, interval):
    course = Product("course", ProductType.BUYOUT_UNLOCK, unlock_interval=interval)
    contract = Contract(
        "con-1", "cus-1", Plan.one_off("Course", PRICE, products=(course,)), PaymentMethod.MANUAL, Status.ESTABLISHED,
        START, noon(START), Actor.admin(), period_start=START, expires_on=dt.date(2030, 12, 31),
    )  # fmt: skip
    last = START + dt.timedelta(days=sum(gaps))

    def opened(days):
        known, now = issue(contract, START, "row-1", (), lambda: "id"), contract
        for at in days:
            while due := due_steps(now, noon(at), RULES):
                done = unlock(now, due[0].on, noon(at), RULES, lambda: "id", licences=known)
                now, known = done.contract, known + done.licences
        return [(one.scope, one.issued_on) for one in known]

    some = [START + dt.timedelta(days=sum(gaps[: number + 1])) for number in range(len(gaps))]
    every = [START + dt.timedelta(days=number) for number in range((last - START).days + 1)]
    assert opened(some) == opened(every) == opened([last])


@pytest.mark.rule("R-082")
def test_two_products_open_each_in_its_own_interval(bought, run):
    novel = Product("novel", ProductType.BUYOUT_UNLOCK, unlock_interval=Cycle.WEEKLY)
    whole = Product("book", ProductType.BUYOUT)
    _, known = run(bought(Cycle.BIWEEKLY, novel, whole), noon("2024-10-29"))

    assert [(one.product, one.scope, one.issued_on.isoformat()) for one in known] == [
        ("course", "#1", "2024-10-08"),
        ("novel", "#1", "2024-10-08"),
        ("book", "all", "2024-10-08"),
        ("novel", "#2", "2024-10-15"),
        ("course", "#2", "2024-10-22"),
        ("novel", "#3", "2024-10-22"),
        ("novel", "#4", "2024-10-29"),
    ]


@pytest.mark.rule("R-053", "R-082")
def test_a_purchase_opens_contents_up_to_its_expiry(bought):
    contract = bought(Cycle.MONTHLY, expires_on=day("2024-12-08"))
    assert [step.on for step in due_steps(contract, noon("2026-01-01"), RULES)] == [
        day("2024-11-08"),
        day("2024-12-08"),
    ]
    assert next_unlock_on(contract, day("2024-12-08")) is None
    assert next_due_on(attrs.evolve(contract, unlocked_on=day("2024-12-08"))) is None


@pytest.mark.rule("R-083", "R-242")
def test_of_a_product_whose_licence_was_removed_by_a_refund_nothing_more_opens(bought, run, new_id):
    novel = Product("novel", ProductType.BUYOUT_UNLOCK, unlock_interval=Cycle.MONTHLY)
    contract, known = run(bought(None, novel), noon("2024-11-08"))
    removed = remove(one for one in known if one.product == "course")
    kept = tuple(one for one in known if one.product == "novel")

    done = unlock(contract, day("2024-12-08"), noon("2024-12-08"), RULES, new_id, licences=removed + kept)
    assert [(one.product, one.scope) for one in done.licences] == [("novel", "#3")]


@pytest.mark.rule("R-082", "R-266", "X-01")
def test_the_opening_is_recorded_with_its_day_and_changes_nothing_else(bought, new_id):
    contract = bought()
    first = License("l1", contract.id, "course", "#1", "row-1", START)
    done = unlock(contract, day("2024-11-08"), noon("2024-12-01"), RULES, new_id, licences=(first,))

    assert done.contract == attrs.evolve(contract, unlocked_on=day("2024-11-08"))
    (record,) = done.audit
    assert (record.action, str(record.actor)) == ("unlock", "scheduler:scheduler")
    assert record.after == {"on": "2024-11-08", "opened": ["course #2"]}
    assert [one.issued_on for one in done.licences] == [day("2024-11-08")]
    assert not done.notices


@pytest.mark.rule("R-082")
@pytest.mark.parametrize(
    ("status", "on", "now"),
    [
        (Status.ESTABLISHED, "2024-11-08", "2024-11-07"),  # not yet
        (Status.ESTABLISHED, "2024-12-08", "2024-12-08"),  # not before November's
        (Status.ESTABLISHED, "2024-11-09", "2024-12-08"),
        (Status.CANCELED, "2024-11-08", "2024-11-08"),
        (Status.NOT_STARTED, "2024-11-08", "2024-11-08"),
    ],
)
def test_nothing_opens_out_of_turn(bought, new_id, status, on, now):
    with pytest.raises(OperationNotAllowed, match="no content opens"):
        unlock(bought(status=status), day(on), noon(now), RULES, new_id)


# --- inside a recurring package --------------------------------------------------------------------------------------


def _due(contract, now):
    return [(step.kind.name, step.on.isoformat()) for step in due_steps(contract, noon(now), RULES)]


@pytest.mark.rule("R-041", "R-042", "R-082")
def test_contents_open_between_the_renewals_in_the_order_of_their_days(package):
    assert _due(package(), "2024-12-10") == [
        ("UNLOCK", "2024-10-22"),
        ("UNLOCK", "2024-11-05"),
        ("RENEWAL", "2024-11-08"),
        ("UNLOCK", "2024-11-19"),
        ("UNLOCK", "2024-12-03"),
        ("RENEWAL", "2024-12-08"),
    ]


@pytest.mark.rule("R-042", "R-082")
def test_on_one_day_the_renewal_comes_first_and_an_end_leaves_nothing_to_open(package):
    weekly = attrs.evolve(package().plan, cycle=Cycle.BIWEEKLY)
    contract = attrs.evolve(package(), plan=weekly)
    assert _due(contract, "2024-10-22") == [("RENEWAL", "2024-10-22"), ("UNLOCK", "2024-10-22")]

    notice = Cancellation(CancellationOrigin.ADMIN, noon(START), contract.created_by, day("2024-11-05"))
    ending = attrs.evolve(contract, status=Status.CANCEL_SCHEDULED, cancellation=notice, period_start=day("2024-10-22"))
    assert _due(ending, "2024-12-01") == [("UNLOCK", "2024-10-22"), ("CANCELLATION", "2024-11-05")]


@pytest.mark.rule("R-029", "R-082")
def test_a_contract_that_starts_late_opens_what_has_become_due_since(package):
    assert _due(package(status=Status.NOT_STARTED, period_start=None), "2024-10-30") == [
        ("START", "2024-10-08"),
        ("UNLOCK", "2024-10-22"),
    ]


@pytest.mark.rule("R-075", "R-077", "R-082")
def test_while_the_payment_is_missing_or_after_the_end_nothing_further_opens_and_the_rest_stays_open(package, run):
    _, known = run(package(), noon("2024-10-22"))
    late = package(status=Status.PAST_DUE, past_due=PastDue(noon("2024-11-08"), day("2024-11-08")))
    ended = package(status=Status.TERMINATED, ended_on=day("2024-11-08"))

    for contract in (late, ended):
        assert _due(contract, "2025-01-01") == []
        open_ones = [one.scope for one in access(contract, known, noon("2025-01-01"), RULES) if one.why is Why.KEPT]
        assert open_ones == ["2024-10", "#1", "#2"]


@pytest.mark.rule("R-074", "R-082")
def test_a_renewal_opens_the_magazine_of_its_month_and_no_content_that_was_bought(package, new_id):
    contract = package()
    first = issue(contract, START, "row-1", (), new_id)
    assert [one.product for one in issue(contract, day("2024-11-08"), "row-2", first, new_id)] == ["magazine"]
    assert {one.state for one in first} == {LicenseState.ACTIVE}


@pytest.mark.rule("R-082")
@pytest.mark.parametrize(
    ("changes", "on"),
    [
        ({}, "2024-10-22"),
        ({"unlocked_on": dt.date(2024, 11, 5)}, "2024-11-08"),
        ({"unlocked_on": dt.date(2024, 11, 5), "period_start": dt.date(2024, 11, 8)}, "2024-11-19"),
    ],
)
def test_work_is_found_on_the_day_of_the_next_content_or_renewal(package, changes, on):
    assert next_due_on(package(**changes)) == day(on)


@pytest.mark.rule("R-082")
def test_the_time_line_shows_the_contents_to_come(bought):
    line = forecast(bought(), noon("2024-10-08"), day("2024-12-31"), RULES)
    assert [(event.on.isoformat(), event.what) for event in line] == [
        ("2024-11-08", Coming.UNLOCK),
        ("2024-12-08", Coming.UNLOCK),
    ]
    assert "R-082" in line[0].why
