"""The time line of a contract: what comes, on which day, for how much, and why then."""

import datetime as dt
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paygate.clock import JST
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
from paygate.domain.dunning import plan_all
from paygate.domain.forecast import Coming, forecast
from paygate.domain.rules import Rules
from paygate.errors import NaiveDatetime
from paygate.money import Money
from paygate.networks import load
from paygate.provider import Capabilities, Renewals

BANK = {"method": PaymentMethod.BANK_TRANSFER, "account": None, "credential": None}


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


def yen(amount: int) -> Money:
    return Money(amount, "JPY")


@pytest.fixture
def line(rules, at):
    def line(contract, until, now="2024-10-20 10:00:00", **given):
        return forecast(contract, at(now), day(until), rules, **given)

    return line


@pytest.mark.parametrize(
    ("cycle", "why"),
    [
        pytest.param(
            Cycle.MONTHLY, "every month from the start on 2024-10-08 (R-031)", marks=pytest.mark.rule("R-031")
        ),
        pytest.param(Cycle.WEEKLY, "every week from the start on 2024-10-08 (R-034)", marks=pytest.mark.rule("R-034")),
    ],
)
def test_a_renewal_says_how_its_day_is_counted(line, make_contract, cycle, why):
    contract = make_contract(plan=Plan.recurring("Gold", yen(3000), cycle))

    assert {event.why for event in line(contract, "2024-12-31")} == {why}


@pytest.mark.rule("R-032")
def test_a_renewal_in_a_short_month_says_why_it_is_earlier(line, make_contract):
    contract = make_contract(start_on=day("2025-01-31"), period_start=day("2025-01-31"))

    events = line(contract, "2025-03-31", "2025-02-01 10:00:00")

    assert [event.on for event in events] == [day("2025-02-28"), day("2025-03-31")]
    assert ["the month has no day 31 (R-032)" in event.why for event in events] == [True, False]


@pytest.mark.rule("R-041")
def test_what_is_overdue_stands_at_its_own_day(line, make_contract):
    assert line(make_contract(), "2024-11-30", "2024-11-20 10:00:00")[0].on == day("2024-11-08")


def test_the_last_day_is_included_and_the_next_is_not(line, make_contract):
    assert [event.on for event in line(make_contract(), "2024-11-08")] == [day("2024-11-08")]
    assert line(make_contract(), "2024-11-07") == ()


@pytest.mark.parametrize(
    ("given", "options", "said"),
    [
        pytest.param(BANK, {}, "taken as paid (R-037)", marks=pytest.mark.rule("R-037")),
        ({}, {"capabilities": Capabilities("Owner", renewals=Renewals.PROVIDER)}, "the provider charges it"),
        pytest.param({"plan": Plan.recurring("Free", yen(0))}, {}, "free (R-017)", marks=pytest.mark.rule("R-017")),
    ],
    ids=["bank transfer", "the provider renews", "free"],
)
def test_a_renewal_says_who_collects_its_price_if_it_is_not_charged_by_us(line, make_contract, given, options, said):
    (event,) = line(make_contract(**given), "2024-11-30", **options)

    assert event.why.endswith(f"; {said}")


@pytest.mark.rule("R-067", "R-068")
def test_a_product_that_ends_shows_its_final_period_and_its_end(line, make_contract):
    magazine = Product("mag", ProductType.MONTHLY_MAGAZINE, end_month="2024-12")
    contract = make_contract(plan=Plan.recurring("Mag", yen(800), products=(magazine,)))

    assert [(event.what, event.on) for event in line(contract, "2026-01-01")] == [
        (Coming.RENEWAL, day("2024-11-08")),
        (Coming.RENEWAL, day("2024-12-08")),
        (Coming.PRODUCT_END, day("2024-12-08")),
        (Coming.CANCELLATION, day("2025-01-08")),
    ]


@pytest.mark.rule("R-126", "R-128")
def test_nothing_but_mails_follows_the_end(line, make_contract, at):
    notice = Cancellation(
        CancellationOrigin.CUSTOMER, at("2024-10-20 09:00:00"), Actor.customer("cus-1"), day("2024-11-08")
    )
    contract = make_contract(status=Status.CANCEL_SCHEDULED, cancellation=notice)

    (event,) = line(contract, "2025-12-31")

    assert event.what is Coming.CANCELLATION
    assert event.why == "cancelled by customer:cus-1: the renewal day after the notice (R-126)"


@pytest.mark.rule("R-147")
def test_retries_that_the_provider_owns_are_not_foreseen(line, make_contract, at):
    missing = PastDue(at("2024-11-08 03:00:00"), day("2024-11-08"))
    contract = make_contract(status=Status.PAST_DUE, past_due=missing)
    now = "2024-11-10 10:00:00"

    (event,) = line(contract, "2025-11-08", now, retries=plan_all(None, (), (), load("strict"), at(now)))

    assert (event.what, event.on) == (Coming.NO_RETRY, day("2024-11-10"))
    assert event.why == "the provider decides when it tries again (R-147)"


@pytest.mark.parametrize("status", [Status.PENDING_PAYMENT, Status.ESTABLISHED, Status.TERMINATED, Status.CANCELED])
def test_to_a_contract_that_does_not_run_nothing_happens(line, make_contract, status):
    assert line(make_contract(status=status), "2030-01-01") == ()


@pytest.mark.rule("R-002")
def test_an_instant_without_a_zone_is_refused(make_contract, rules):
    with pytest.raises(NaiveDatetime):
        forecast(make_contract(), dt.datetime(2024, 10, 20), day("2025-01-01"), rules)  # noqa: DTZ001 - what is refused


@pytest.mark.rule("R-031", "R-040")
@given(
    start=st.dates(day("2020-01-01"), day("2026-12-31")),
    cycle=st.sampled_from(Cycle),
    periods=st.integers(0, 5),
    months=st.integers(1, 24),
)
def test_the_line_is_in_order_within_its_bounds_and_names_each_period_once(start, cycle, periods, months):
    plan = Plan.recurring("Gold", yen(3000), cycle, special_price=yen(100), special_periods=periods)
    now = dt.datetime.combine(start, dt.time(12), JST)
    contract = Contract(
        "con-1", "cus-1", plan, PaymentMethod.MANUAL, Status.ACTIVE, start, now, Actor.admin(), period_start=start
    )  # fmt: skip
    until = start + dt.timedelta(days=30 * months)

    events = forecast(contract, now, until, Rules())

    days = [event.on for event in events]
    renewals = [event.on for event in events if event.what is Coming.RENEWAL]
    assert days == sorted(days)
    assert all(start < on <= until for on in days)
    assert all(before < after for before, after in itertools.pairwise(renewals))
    assert sum(event.amount == yen(100) for event in events) == min(max(periods - 1, 0), len(renewals))
