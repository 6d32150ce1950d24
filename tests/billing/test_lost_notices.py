"""What lost notices would have told of settled charges is learnt by looking them up again (R-329)."""

from __future__ import annotations

import datetime as dt

import pytest

from paygate.dispute import DisputeState
from paygate.domain.charge import RefundState
from paygate.domain.ledger import EntryKind, EntryState
from paygate.errors import InvalidValue, NaiveDatetime, RefundExceedsSale

from .test_provider_refunds import ACCOUNTS, codes, paid, rows_of, yen

WEEK = dt.timedelta(days=7)


def lose_notices(world, account):
    world.fake(account).notifications()


def back(world, charge):
    return [(row.kind, row.state, row.amount) for row in rows_of(world, charge) if not row.kind.sale]


@pytest.mark.rule("R-329")
@pytest.mark.parametrize("account", ACCOUNTS)
def test_a_console_refund_whose_notice_was_lost_is_booked_by_looking_again(world, account):
    _, charge = paid(world, account)
    world.fake(account).refund_in_console(charge.reference, yen(4000))
    lose_notices(world, account)
    world.clock.advance(days=1)
    assert world.gateway.billing.reconcile().corrected == ()
    assert back(world, charge) == []

    report = world.gateway.billing.reconcile(settled_since=WEEK)

    assert report.corrected == (charge.id,)
    assert back(world, charge) == [(EntryKind.REFUND, EntryState.DONE, yen(4000))]
    assert world.gateway.refunds.preview(charge.id).amount == yen(1000)
    assert "provider_refund" in codes(world)
    assert world.gateway.billing.reconcile(settled_since=WEEK).corrected == ()


@pytest.mark.rule("R-329")
def test_a_dispute_whose_notice_was_lost_is_booked_by_looking_again(world):
    _, charge = paid(world, "stripe")
    world.stripe.dispute(charge.reference)
    lose_notices(world, "stripe")
    world.clock.advance(days=1)

    report = world.gateway.billing.reconcile(settled_since=world.clock.now() - WEEK)

    assert report.corrected == (charge.id,)
    [(kind, state, _)] = back(world, charge)
    assert (kind, state.value) == (EntryKind.DISPUTE, DisputeState.OPENED.value.upper())


@pytest.mark.rule("R-329")
def test_what_succeeded_before_is_not_asked_about(world):
    _, charge = paid(world, "stripe")
    world.stripe.refund_in_console(charge.reference, yen(4000))
    lose_notices(world, "stripe")
    world.clock.advance(days=3)

    assert world.gateway.billing.reconcile(settled_since=dt.timedelta(days=2)).corrected == ()
    today = world.clock.now().date()
    assert world.gateway.billing.reconcile(settled_since=today).corrected == ()
    assert world.gateway.billing.reconcile(settled_since=today - WEEK).corrected == (charge.id,)


@pytest.mark.rule("R-329")
@pytest.mark.parametrize("account", ACCOUNTS)
def test_a_refund_that_is_refused_shows_what_went_back_already(world, account):
    _, charge = paid(world, account)
    world.fake(account).refund_in_console(charge.reference, yen(4000))
    lose_notices(world, account)
    world.clock.advance(days=1)

    refund = world.gateway.refunds.create(charge.id, reason="asked for")
    refund = world.gateway.refunds.wait(refund.id)

    assert refund.state is RefundState.FAILED
    assert (EntryKind.REFUND, EntryState.DONE, yen(4000)) in back(world, charge)
    assert world.gateway.refunds.preview(charge.id).amount == yen(1000)
    with pytest.raises(RefundExceedsSale):
        world.gateway.refunds.create(charge.id, yen(4500), reason="asked for")


@pytest.mark.rule("R-329")
@pytest.mark.parametrize(
    ("since", "error"),
    [
        (dt.date(2027, 1, 1), InvalidValue),
        (dt.timedelta(days=-1), InvalidValue),
        ("7d", InvalidValue),
        (dt.datetime(2026, 1, 1), NaiveDatetime),  # noqa: DTZ001 - the point
    ],
)
def test_a_time_that_is_none_is_refused(world, since, error):
    with pytest.raises(error):
        world.gateway.billing.reconcile(settled_since=since)
