"""Which content a contract has open that is taken over from another system."""

import datetime as dt

import attrs
import pytest

from paygate.domain.contract import Cycle, PastDue, Plan, Product, ProductType, Status
from paygate.domain.ledger import EntryKind
from paygate.domain.takeover import licences_taken_over
from paygate.money import Money

START = dt.date(2024, 8, 8)
TODAY = dt.date(2024, 11, 20)
NOON = dt.datetime(2024, 11, 8, 3, tzinfo=dt.UTC)
PRODUCTS = (
    Product("mag", ProductType.MONTHLY_MAGAZINE),
    Product("vol", ProductType.MONTHLY_UNLOCK),
    Product("all", ProductType.MONTHLY_ALL_ACCESS),
    Product("book", ProductType.BUYOUT),
    Product("course", ProductType.BUYOUT_UNLOCK, unlock_interval=Cycle.MONTHLY),
)


@pytest.fixture
def contract(make_contract):
    plan = Plan.recurring("Gold", Money(3000, "JPY"), products=PRODUCTS)
    running = make_contract(plan=plan, status=Status.ACTIVE, start_on=START, period_start=dt.date(2024, 11, 8))
    return lambda **changes: attrs.evolve(running, **changes)


@pytest.fixture
def opened(new_id):
    """Product → scopes."""

    def opened(contract, **options):
        found: dict[str, list[str]] = {}
        for known in licences_taken_over(contract, TODAY, new_id, **options):
            found.setdefault(known.product, []).append(known.scope)
        return found

    return opened


WHOLE = {
    "mag": ["2024-08", "2024-09", "2024-10", "2024-11"],
    "vol": ["#1", "#2", "#3", "#4"],
    "all": ["all"],
    "book": ["all"],
    "course": ["#1", "#2", "#3", "#4"],
}


@pytest.mark.rule("R-073", "R-077", "R-082")
def test_what_runs_is_taken_as_paid_since_its_start(contract, opened):
    assert opened(contract()) == WHOLE
    assert opened(contract(status=Status.CANCEL_SCHEDULED)) == WHOLE


@pytest.mark.rule("R-074", "R-075", "R-077")
def test_what_waits_for_a_payment_has_the_content_of_the_periods_before(contract, opened):
    late = contract(status=Status.PAST_DUE, past_due=PastDue(NOON, dt.date(2024, 11, 8)))
    assert opened(late)["mag"] == ["2024-08", "2024-09", "2024-10"]
    assert opened(late)["course"] == ["#1", "#2", "#3"]
    assert opened(contract(status=Status.PAST_DUE, past_due=PastDue(NOON, START))) == {}


@pytest.mark.rule("R-080")
def test_what_has_ended_keeps_the_content_of_what_was_paid(contract, opened):
    ended = contract(status=Status.TERMINATED, ended_on=dt.date(2024, 10, 8))
    assert opened(ended)["mag"] == ["2024-08", "2024-09"]
    assert opened(ended)["course"] == ["#1", "#2"]


@pytest.mark.rule("R-073", "R-242")
def test_the_last_payment_owns_the_content_of_its_period_and_bounds_what_does_not_run(contract, make_entry, new_id):
    paid = make_entry(kind=EntryKind.PERIOD, target_on=dt.date(2024, 10, 8))
    late = contract(status=Status.PAST_DUE, past_due=PastDue(NOON, dt.date(2024, 11, 8)))
    rows = {
        one.scope: one.entry_id for one in licences_taken_over(late, TODAY, new_id, paid=paid) if one.product == "mag"
    }
    assert rows == {"2024-08": "imported/2024-08-08", "2024-09": "imported/2024-09-08", "2024-10": paid.id}

    older = attrs.evolve(paid, target_on=START)
    assert [one.scope for one in licences_taken_over(late, TODAY, new_id, paid=older) if one.product == "mag"] == [
        "2024-08"
    ]
    running = licences_taken_over(
        contract(), TODAY, new_id, paid=older
    )  # it runs: the payment is only the last one known
    assert [one.scope for one in running if one.product == "mag"] == WHOLE["mag"]


@pytest.mark.rule("R-073")
def test_what_began_before_a_given_day_opens_nothing_but_what_was_bought_for_good(contract, opened):
    assert opened(contract(), since=dt.date(2024, 10, 8)) == {
        "mag": ["2024-10", "2024-11"],
        "vol": ["#1", "#2"],
        "all": ["all"],
        "book": ["all"],
        "course": ["#1", "#2", "#3", "#4"],
    }


@pytest.mark.rule("R-026", "R-028", "R-081")
@pytest.mark.parametrize("status", [Status.PENDING_PAYMENT, Status.NOT_STARTED, Status.CANCELED])
def test_what_does_not_run_yet_or_any_more_has_nothing(contract, opened, status):
    assert opened(contract(status=status)) == {}


@pytest.mark.rule("R-028", "R-082", "R-109")
def test_a_purchase_has_its_content_from_the_payment_on(make_contract, opened):
    plan = Plan.one_off("Course", Money(8000, "JPY"), products=PRODUCTS[3:])
    bought = make_contract(plan=plan, status=Status.ESTABLISHED, start_on=START, expires_on=dt.date(2030, 12, 31))
    assert opened(bought) == {"book": ["all"], "course": ["#1", "#2", "#3", "#4"]}
    later = attrs.evolve(bought, status=Status.NOT_STARTED, start_on=dt.date(2024, 12, 1))
    assert opened(later) == {"book": ["all"], "course": ["#1"]}
