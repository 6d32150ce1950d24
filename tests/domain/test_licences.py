import datetime as dt

import attrs
import pytest

from paygate.domain.contract import Cycle, Plan, Product, ProductType
from paygate.domain.licences import LicenseState, issue, remove, restore, revoke
from paygate.money import Money

PRICE = Money(3000, "JPY")


@pytest.fixture
def subscription(make_contract):
    def subscription(*products, cycle=Cycle.MONTHLY, start_on=dt.date(2024, 10, 8)):
        return make_contract(plan=Plan.recurring("Gold", PRICE, cycle, products=products), start_on=start_on)

    return subscription


@pytest.fixture
def over(new_id):
    """The licences after several paid periods, given as days; the n-th row is called row-n."""

    def over(contract, *days):
        known = ()
        for number, day in enumerate(days, start=1):
            known += issue(contract, dt.date.fromisoformat(day), f"row-{number}", known, new_id)
        return known

    return over


@pytest.mark.rule("R-073")
@pytest.mark.parametrize(
    ("kind", "scopes"),
    [
        (ProductType.MONTHLY_MAGAZINE, ["2024-10", "2024-11"]),
        (ProductType.MONTHLY_SCHOOL, ["2024-10", "2024-11"]),
        (ProductType.MONTHLY_UNLOCK, ["#1", "#2"]),
        (ProductType.MONTHLY_ALL_ACCESS, ["all"]),
    ],
)
def test_each_paid_period_opens_what_the_type_of_product_says(subscription, over, kind, scopes):
    known = over(subscription(Product("p", kind)), "2024-10-08", "2024-11-08")

    assert [licence.scope for licence in known] == scopes
    assert {licence.state for licence in known} == {LicenseState.ACTIVE}


@pytest.mark.rule("R-032", "R-073")
def test_the_target_month_is_that_of_the_periods_first_day(subscription, over):
    contract = subscription(Product("p", ProductType.MONTHLY_MAGAZINE), start_on=dt.date(2024, 1, 31))

    assert [known.scope for known in over(contract, "2024-01-31", "2024-02-29", "2024-03-31")] == [
        "2024-01",
        "2024-02",
        "2024-03",
    ]


@pytest.mark.rule("R-040", "R-073")
def test_one_row_issues_once(subscription, new_id):
    contract = subscription(Product("m", ProductType.MONTHLY_MAGAZINE), Product("u", ProductType.MONTHLY_UNLOCK))
    first = issue(contract, dt.date(2024, 10, 8), "row-1", (), new_id)

    assert len(first) == 2
    assert issue(contract, dt.date(2024, 10, 8), "row-1", first, new_id) == ()


@pytest.mark.rule("R-083")
def test_a_removed_content_is_not_opened_again_as_the_next_one(subscription, over, new_id):
    contract = subscription(Product("p", ProductType.MONTHLY_UNLOCK))
    known = remove(over(contract, "2024-10-08"))

    assert [new.scope for new in issue(contract, dt.date(2024, 11, 8), "row-2", known, new_id)] == ["#2"]


@pytest.mark.rule("R-077", "R-109")
def test_what_is_bought_opens_everything_once(subscription, over, make_contract, book, new_id):
    package = subscription(Product("b", ProductType.BUYOUT), Product("m", ProductType.MONTHLY_MAGAZINE))
    single = make_contract(plan=attrs.evolve(book, products=(Product("b", ProductType.BUYOUT),)))

    assert [(known.product, known.scope) for known in over(package, "2024-10-08", "2024-11-08")] == [
        ("b", "all"),
        ("m", "2024-10"),
        ("m", "2024-11"),
    ]
    assert [known.scope for known in issue(single, dt.date(2024, 10, 8), "row-1", (), new_id)] == ["all"]


@pytest.mark.rule("R-082")
def test_a_bought_unlock_product_opens_its_first_content_with_the_sale_and_no_other_with_later_payments(
    subscription, over
):
    package = subscription(Product("b", ProductType.BUYOUT_UNLOCK), Product("m", ProductType.MONTHLY_UNLOCK))

    assert [(known.product, known.scope) for known in over(package, "2024-10-08", "2024-11-08")] == [
        ("b", "#1"),
        ("m", "#1"),
        ("m", "#2"),
    ]


@pytest.mark.rule("R-074", "R-075", "R-077")
def test_suspension_locks_the_unpaid_period_and_nothing_else(subscription, over):
    contract = subscription(
        Product("b", ProductType.BUYOUT),
        Product("a", ProductType.MONTHLY_ALL_ACCESS),
        Product("m", ProductType.MONTHLY_MAGAZINE),
    )
    known = over(contract, "2024-10-08", "2024-11-08")

    assert [(one.product, one.scope, one.state) for one in revoke(contract, known, "row-2")] == [
        ("m", "2024-11", LicenseState.REVOKED)
    ]
    assert [one.product for one in revoke(contract, known, "row-1")] == ["m"]


@pytest.mark.rule("R-078", "R-083")
def test_resumption_opens_exactly_what_was_locked(subscription, over):
    contract = subscription(Product("m", ProductType.MONTHLY_MAGAZINE))
    first, second, third = over(contract, "2024-10-08", "2024-11-08", "2024-12-08")
    (locked,) = revoke(contract, (first, second, third), "row-2")
    (gone,) = remove((third,))

    assert restore((first, locked, gone)) == (second,)


@pytest.mark.rule("R-083", "R-242")
def test_a_refund_removes_the_licences_of_its_row_for_good(subscription, over):
    contract = subscription(Product("m", ProductType.MONTHLY_MAGAZINE))
    known = over(contract, "2024-10-08", "2024-11-08")
    (gone,) = remove(known, "row-2")

    assert (gone.scope, gone.state) == ("2024-11", LicenseState.REMOVED)
    assert remove((gone,), "row-2") == ()
    assert revoke(contract, (gone,), "row-2") == ()


@pytest.mark.rule("R-081")
def test_an_undone_contract_loses_every_licence(subscription, over):
    contract = subscription(Product("b", ProductType.BUYOUT), Product("m", ProductType.MONTHLY_MAGAZINE))
    known = over(contract, "2024-10-08", "2024-11-08")

    assert {one.state for one in remove(known)} == {LicenseState.REMOVED}
    assert len(remove(known)) == len(known)
