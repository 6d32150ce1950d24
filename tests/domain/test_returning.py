"""The rows for what went back are worked out from all facts at once (R-321), over several sales of one charge as well."""

from __future__ import annotations

import datetime as dt
import itertools

import pytest

from paygate import Money
from paygate.dispute import Dispute, DisputeState
from paygate.domain.returning import (
    Payment,
    dispute_fact,
    merged,
    refund_fact,
    returned,
    share_out,
    total_fact,
    unnamed,
)
from paygate.provider import RefundResult

AT = dt.datetime(2026, 1, 15, tzinfo=dt.UTC)
OF = Payment("stripe", "ch", "con", "pi", AT)


def refund(name, minor):
    amount = Money(minor, "JPY")
    return refund_fact(OF, RefundResult.succeeded(name, amount=amount), amount, f"id-{name}")


def failed(name, minor):
    return refund_fact(OF, RefundResult.declined("bank", reference=name), Money(minor, "JPY"), f"id-{name}")


def total(minor):
    return total_fact(OF, Money(minor, "JPY"), "id-total")


@pytest.mark.rule("R-321")
def test_the_rows_over_two_sales_are_the_same_in_any_order():
    facts = [refund("re_1", 800), refund("re_2", 2500), refund("re_3", 900)]
    ends = {
        tuple((one.reference, one.sale, one.minor) for one in share_out(order, {"fee": 1000, "period": 3000})[0])
        for order in itertools.permutations(facts)
    }

    assert ends == {
        (("re_1", "fee", 800), ("re_2", "fee", 200), ("re_2", "period", 2300), ("re_3", "period", 700)),
    }
    assert share_out(facts, {"fee": 1000, "period": 3000})[1] == {"re_3": 200}


@pytest.mark.rule("R-321")
@pytest.mark.parametrize(
    ("facts", "rest"),
    [
        ([total(3000), refund("re_1", 3000)], 0),
        ([total(3000), refund("re_1", 1000)], 2000),
        ([total(3000), failed("re_1", 3000)], 0),  # the total had counted it
        ([total(100), failed("re_1", 3000)], 100),  # it cannot have
        ([total(1500), refund("re_1", 2500)], 1500),  # nor this one
        ([total(4000), failed("re_1", 3000), refund("re_2", 1000)], 0),
    ],
)
def test_what_a_total_has_beyond_the_named_refunds(facts, rest):
    assert {unnamed(order, 0, "JPY") for order in itertools.permutations(facts)} == {rest}
    assert returned(facts, "JPY") == rest + sum(one.amount.minor for one in facts if one.gone and one.id != "id-total")


@pytest.mark.rule("R-321", "R-324")
def test_reports_of_one_dispute_are_merged_alike_in_any_order():
    reports = [
        dispute_fact(OF, Dispute("dp_1", state, Money(minor, "JPY")), "id")
        for state, minor in ((DisputeState.OPENED, 2000), (DisputeState.OPENED, 4900), (DisputeState.LOST, 4000))
    ]
    ends = set()
    for first, second, third in itertools.permutations(reports):
        end = merged(merged(first, second), third)
        ends.add((end.state.value, end.amount.minor))

    assert ends == {("LOST", 4000)}
