"""An operator's word about an attempt does not make money disappear that its provider reports (R-328)."""

from __future__ import annotations

import attrs
import pytest

from paygate import ChargeState, Money
from paygate.errors import InvalidAmount, InvalidValue
from paygate.provider import ChargeResult
from paygate.testing import StayPending

from .test_discrepancies import booked, discrepancies, tell, telling, yen  # noqa: F401 - a fixture


def open_charge(world, *reports):
    """A charge of 5,000 yen under way, of which the provider has told *reports*."""
    contract = world.contract("univapay")
    world.univapay.next(StayPending())
    charge = world.charge(contract)
    for report in reports:
        own = attrs.evolve(report, reference=charge.reference) if report.reference == "own" else report
        assert tell(world, charge.id, own) == "discrepancy"
    return contract, charge.id


SECOND = ChargeResult.succeeded("ch_B", amount=yen(5000))
FIFTY = ChargeResult.succeeded("own", amount=yen(50))


@pytest.mark.rule("R-328")
@pytest.mark.parametrize("succeeded", [False, True])
def test_a_second_payment_has_to_be_named_before_an_open_charge_is_settled(telling, succeeded):  # noqa: F811
    contract, charge = open_charge(telling, SECOND)

    with pytest.raises(InvalidValue, match="ch_B"):
        telling.gateway.charges.resolve(charge, succeeded=succeeded, note="console")

    assert telling.gateway.charges.get(charge).open
    assert [one.unbooked for one in discrepancies(telling)] == [5000]

    telling.gateway.charges.resolve(charge, succeeded=succeeded, reference="ch_B", note="console")

    assert discrepancies(telling) == []
    assert booked(telling, contract) == (5000 if succeeded else 0)


@pytest.mark.rule("R-328")
def test_settling_the_first_payment_by_name_leaves_the_second_open(telling):  # noqa: F811
    contract, charge = open_charge(telling, SECOND)

    own = telling.gateway.charges.get(charge).reference
    telling.gateway.charges.resolve(charge, succeeded=True, reference=own, note="console")

    assert (booked(telling, contract), [one.unbooked for one in discrepancies(telling)]) == (5000, [5000])


@pytest.mark.rule("R-328")
def test_what_was_really_taken_is_booked(telling):  # noqa: F811
    contract, charge = open_charge(telling, FIFTY)
    with pytest.raises(InvalidValue, match="by amount"):
        telling.gateway.charges.resolve(charge, succeeded=True, note="console")
    with pytest.raises(InvalidValue, match="50 JPY"):
        telling.gateway.charges.resolve(charge, succeeded=False, note="console")

    settled = telling.gateway.charges.resolve(charge, succeeded=True, amount=yen(50), note="console")

    assert (settled.state, settled.amount) == (ChargeState.SUCCEEDED, yen(50))
    assert telling.gateway.charges.get(charge).amount == yen(50)
    assert (booked(telling, contract), discrepancies(telling)) == (50, [])
    assert telling.gateway.refunds.preview(charge).amount == yen(50)


@pytest.mark.rule("R-328")
def test_an_amount_names_the_payment_that_was_returned(telling):  # noqa: F811
    contract, charge = open_charge(telling, FIFTY, SECOND)

    telling.gateway.charges.resolve(charge, succeeded=False, amount=yen(50), note="50 came back")

    assert telling.gateway.charges.get(charge).state is ChargeState.FAILED
    assert (booked(telling, contract), [one.their_reference for one in discrepancies(telling)]) == (0, ["ch_B"])


@pytest.mark.rule("R-328")
@pytest.mark.parametrize("amount", [Money(30, "USD"), yen(0), 50])
def test_a_sum_that_cannot_be_booked_is_refused(telling, amount):  # noqa: F811
    _, charge = open_charge(telling)

    with pytest.raises(InvalidAmount):
        telling.gateway.charges.resolve(charge, succeeded=True, amount=amount, note="console")

    assert telling.gateway.charges.get(charge).open


@pytest.mark.rule("R-328")
def test_a_charge_without_contradictions_is_resolved_as_before(telling):  # noqa: F811
    contract, charge = open_charge(telling)

    telling.gateway.charges.resolve(charge, succeeded=True, note="console")

    assert booked(telling, contract) == 5000
