"""The operator hears of an unknown outcome when it arises, once, with what is known and what to do."""

from __future__ import annotations

import pytest

from paygate import ChargeState
from paygate.testing import Vanish


def told(world):
    return [(notice.code, notice.charge_id or notice.refund_id or notice.contract_id) for notice in operator(world)]


def operator(world):
    return world.observer.of("operator")


@pytest.mark.rule("R-330")
@pytest.mark.parametrize(
    ("account", "remedy"),
    [
        ("stripe", "billing.reconcile asks Stripe"),
        ("univapay", "finding nothing proves nothing"),
        ("telecom", "console"),
    ],
)
def test_the_operator_hears_of_an_unknown_charge_at_once_with_ids_sum_and_remedy(world, account, remedy):
    contract = world.contract(account)
    world.fake(account).next(Vanish(after=True))

    charge = world.charge(contract)

    assert charge.state is ChargeState.UNKNOWN
    assert told(world) == [("unknown_outcome", charge.id)]
    (notice,) = operator(world)
    for fact in (charge.id, contract.id, account, "5,000 JPY", remedy, "Do not charge again"):
        assert fact in notice.message


@pytest.mark.rule("R-330")
@pytest.mark.parametrize("account", ["univapay", "telecom"])
def test_what_stays_unknown_is_not_told_again_every_day(world, account):
    contract = world.contract(account)
    world.fake(account).next(Vanish(after=True))
    world.fake(account).index_delay = 10**7
    charge = world.charge(contract)

    for _ in range(5):
        world.clock.advance(days=1)
        world.gateway.billing.reconcile()

    assert told(world) == [("unknown_outcome", charge.id)]


@pytest.mark.rule("R-330")
def test_a_renewal_without_an_answer_is_told_by_the_run_that_made_it(world):
    contract = world.contract("stripe")
    world.stripe.next(Vanish(after=True))
    world.clock.advance(days=31)

    report = world.gateway.billing.run()

    assert report.unknown == 1
    assert [code for code, _ in told(world)] == ["unknown_outcome"]
    assert operator(world)[0].contract_id == contract.id


@pytest.mark.rule("R-330")
def test_an_unknown_refund_is_told_at_once_and_not_again(world):
    contract = world.contract("stripe")
    paid = world.settled(contract)
    world.observer.heard.clear()
    world.stripe.next_refund(Vanish(after=True))

    refund = world.gateway.refunds.create(paid.id)
    first = told(world)
    world.clock.advance(days=2)
    world.gateway.billing.reconcile()

    assert first == [("unknown_refund", refund.id)]
    (notice,) = operator(world)
    for fact in (refund.id, contract.id, "5,000 JPY", "Do not refund again"):
        assert fact in notice.message
