"""Which periods the provider's own subscription charges, and which paygate."""

import datetime as dt

import attrs
import pytest

from paygate.domain.contract import Cycle, Plan, Product, ProductType, Status
from paygate.domain.followup import ProviderAction, want
from paygate.domain.subscribing import charged_by_provider, planned_subscription, subscription_months, taken_over
from paygate.domain.subscription import Subscription, SubscriptionState
from paygate.errors import CapabilityNotSupported, InvalidValue
from paygate.money import Money
from paygate.provider import Capabilities, Renewals

MERCHANT = Capabilities("Merchant")
ELSEWHERE = Capabilities("Elsewhere", renewals=Renewals.PROVIDER)
STARTS = Capabilities("Starts", renewals=Renewals.PROVIDER, starts_subscriptions=True)
YEN = Money(1000, "JPY")
STARTING, RUNNING, ENDED = SubscriptionState.STARTING, SubscriptionState.RUNNING, SubscriptionState.ENDED


def day(text):
    return dt.date.fromisoformat(text)


def plan(**options):
    return Plan.recurring("Gold", YEN, **options)


SCHOOL = (Product("school", ProductType.MONTHLY_SCHOOL, end_month="2024-11"),)


@pytest.mark.parametrize(
    ("options", "start_on", "begins"),
    [
        pytest.param({}, "2024-10-08", "2024-11-08", id="started today: the next renewal day"),
        pytest.param(
            {}, "2024-10-09", "2024-10-09", id="starts tomorrow: on the start date", marks=pytest.mark.rule("R-015")
        ),
        pytest.param(
            {}, "2024-10-01", "2024-11-01", id="since the first of the month", marks=pytest.mark.rule("R-016")
        ),
        pytest.param({"cycle": Cycle.ANNUAL}, "2024-10-08", "2025-10-08", id="yearly", marks=pytest.mark.rule("R-034")),
        pytest.param(
            {"special_price": Money(0, "JPY"), "special_periods": 3},
            "2024-10-08",
            "2025-01-08",
            id="after the free periods",
            marks=pytest.mark.rule("R-017", "R-062"),
        ),
        pytest.param(
            {"special_price": YEN, "special_periods": 1},
            "2024-10-08",
            "2024-11-08",
            id="after the special period that is paid already",
            marks=pytest.mark.rule("R-061"),
        ),
        pytest.param({"products": SCHOOL}, "2024-10-08", "2024-11-08", id="before the product ends"),
    ],
)
def test_the_provider_begins_with_the_first_regular_period_that_is_not_paid(options, start_on, begins):
    planned = planned_subscription(plan(**options), day(start_on), day("2024-10-08"), STARTS)

    assert planned == Subscription(STARTING, day(begins))


@pytest.mark.rule("R-067")
def test_a_subscription_that_would_begin_when_the_product_has_ended_is_never_started():
    planned = planned_subscription(plan(products=SCHOOL), day("2024-11-08"), day("2024-11-08"), STARTS)

    assert planned.state is ENDED


@pytest.mark.parametrize("capabilities", [MERCHANT, ELSEWHERE])
def test_other_providers_start_none(capabilities):
    assert planned_subscription(plan(), day("2024-10-08"), day("2024-10-08"), capabilities) is None
    assert planned_subscription(Plan.one_off("Book", YEN), day("2024-10-08"), day("2024-10-08"), STARTS) is None


@pytest.mark.rule("R-008")
def test_the_length_of_a_period_is_told_in_months():
    known = {cycle: subscription_months(plan(cycle=cycle), STARTS) for cycle in list(Cycle)[3:]}

    assert known == {Cycle.MONTHLY: 1, Cycle.QUARTERLY: 3, Cycle.SEMIANNUAL: 6, Cycle.ANNUAL: 12}
    for other in (plan(cycle=Cycle.DAILY), plan(cycle=Cycle.BIWEEKLY), Plan.one_off("Book", YEN)):
        with pytest.raises(CapabilityNotSupported, match="months"):
            subscription_months(other, STARTS)


@pytest.mark.rule("R-036", "R-147")
@pytest.mark.parametrize(
    ("capabilities", "state", "period", "provided"),
    [
        (MERCHANT, None, "2024-12-08", False),
        (ELSEWHERE, None, "2024-12-08", True),
        (STARTS, None, "2024-12-08", False),  # made before the account was set to have its provider charge
        (MERCHANT, RUNNING, "2024-12-08", True),  # made before it was set back
        (STARTS, RUNNING, "2024-11-08", False),
        (STARTS, RUNNING, "2024-12-08", True),
        (STARTS, STARTING, "2025-01-08", True),  # it may stand: never charge beside it
        (STARTS, ENDED, "2025-01-08", True),
        (STARTS, SubscriptionState.REFUSED, "2025-01-08", False),
    ],
)
def test_who_charges_was_agreed_when_the_contract_was_made(make_contract, capabilities, state, period, provided):
    subscription = state and Subscription(state, day("2024-12-08"))
    contract = make_contract(subscription=subscription)

    assert charged_by_provider(contract, capabilities, day(period)) is provided


@pytest.mark.rule("R-092", "R-130", "R-143")
@pytest.mark.parametrize(
    ("capabilities", "state", "told"),
    [
        (MERCHANT, None, False),
        (ELSEWHERE, None, True),
        (STARTS, None, False),
        (MERCHANT, RUNNING, True),
        (STARTS, STARTING, True),
        (STARTS, SubscriptionState.ENDING, True),
        (STARTS, ENDED, False),
        (STARTS, SubscriptionState.REFUSED, False),
    ],
)
def test_only_a_subscription_that_stands_is_told_to_end(make_contract, capabilities, state, told):
    contract = make_contract(account="acme", subscription=state and Subscription(state, day("2024-12-08")))

    assert bool(want(contract, capabilities, ProviderAction.STOP)) is told


def test_a_contract_that_is_taken_over_brings_its_subscription_with_it(make_contract):
    contract = make_contract(account="acme")
    ended = attrs.evolve(contract, status=Status.TERMINATED)

    assert taken_over(contract, STARTS, "sub_9") == Subscription(RUNNING, contract.start_on, "sub_9")
    assert taken_over(ended, STARTS, None) is taken_over(contract, MERCHANT, None) is None
    assert taken_over(contract, ELSEWHERE, None) is taken_over(contract, None, None) is None
    with pytest.raises(InvalidValue, match="give the id of its subscription"):
        taken_over(contract, STARTS, None)
    for capabilities in (MERCHANT, ELSEWHERE, None):
        with pytest.raises(InvalidValue, match="leave out its id"):
            taken_over(contract, capabilities, "sub_9")
