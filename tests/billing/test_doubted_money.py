"""Money that a provider reports against the record is not charged again before a person has decided (R-325, R-326)."""

from __future__ import annotations

import datetime as dt

import attrs
import pytest

from paygate import JST, ChargeState, Consent, Purpose, Status
from paygate.domain.charge import ChargeKind
from paygate.domain.discrepancy import DiscrepancyKind
from paygate.domain.retry_schedule import RetrySchedule
from paygate.errors import OperationNotAllowed
from paygate.provider import ChargeResult
from paygate.testing import Decline

from .test_discrepancies import discrepancies, tell, telling, told, unanswered, yen  # noqa: F401 - a fixture


def declined_renewal(world):
    world.options["schedules"] = {"univapay": RetrySchedule((1, 1, 1, 1, 1, 1))}
    world.reopen()
    contract = world.contract("univapay")
    world.univapay.next(Decline("insufficient_funds"))
    world.clock.set(dt.datetime(2026, 2, 15, 3, 0, tzinfo=JST))
    world.gateway.billing.run()
    world.clock.advance(minutes=5)
    world.gateway.billing.reconcile()
    charge = list(world.gateway.charges.list(contract_id=contract.id))[-1]
    assert (charge.kind, charge.state) == (ChargeKind.PERIOD, ChargeState.FAILED)
    assert world.gateway.contracts.get(contract.id).status is Status.PAST_DUE
    return contract, charge


REPORTS = {
    "a second payment": ChargeResult.succeeded("ch_B", amount=yen(3000)),
    "one under way": ChargeResult.pending("ch_B"),
    "another sum": ChargeResult.succeeded("own", amount=yen(2999)),
}


@pytest.mark.rule("R-325")
@pytest.mark.parametrize("what", sorted(REPORTS))
def test_a_period_that_may_have_been_paid_is_not_charged_again(telling, what):  # noqa: F811
    contract, charge = declined_renewal(telling)
    report = REPORTS[what]
    reference = charge.reference if report.reference == "own" else report.reference
    assert tell(telling, charge.id, attrs.evolve(report, reference=reference)) == "discrepancy"
    made = len(telling.univapay.book.captures)
    telling.clock.advance(days=4)
    [planned] = [one for one in telling.gateway.billing.plan() if one.contract_id == contract.id]
    assert (planned.charge, "may have been paid already" in planned.why) == (None, True)

    report = telling.gateway.billing.run()

    assert (report.retried, report.blocked) == (0, 1)
    [problem] = report.problems
    assert (problem.code, problem.contract_id) == ("discrepancy", contract.id)
    assert charge.id in problem.reason
    assert len(telling.univapay.book.captures) == made
    arrears = {"purpose": Purpose.ARREARS, "consent": Consent("phone")}
    with pytest.raises(OperationNotAllowed, match=f"charges.resolve on {charge.id}"):
        telling.gateway.charges.create(contract.id, yen(3000), **arrears)

    telling.gateway.charges.resolve(charge.id, succeeded=False, note="the console shows nothing")

    telling.gateway.billing.run()
    assert len(telling.univapay.book.captures) == made + 1


@pytest.mark.rule("R-325")
def test_an_additional_charge_that_repeats_money_in_doubt_is_refused_and_another_is_warned_of(telling):  # noqa: F811
    contract, charge = unanswered(telling)
    tell(telling, charge.id, ChargeResult.declined("no", reference="ch_A"))
    assert telling.gateway.charges.get(charge.id).state is ChargeState.FAILED
    assert tell(telling, charge.id, ChargeResult.succeeded("ch_B", amount=yen(5000))) == "discrepancy"
    telling.clock.advance(days=1)

    with pytest.raises(OperationNotAllowed, match="may have been paid already"):
        telling.gateway.charges.create(contract.id, yen(5000), consent="phone")

    preview = telling.gateway.charges.preview(contract.id, yen(700), consent="phone")
    assert any(charge.id in text and "ch_B" in text for text in preview.warnings)
    telling.gateway.charges.create(contract.id, yen(700), consent="phone")


@pytest.mark.rule("R-325")
def test_a_later_period_is_charged_while_an_earlier_one_is_in_doubt(telling):  # noqa: F811
    contract = telling.contract("univapay")
    telling.clock.set(dt.datetime(2026, 2, 15, 3, 0, tzinfo=JST))
    telling.gateway.billing.run()
    telling.clock.advance(minutes=5)
    telling.gateway.billing.reconcile()
    charge = list(telling.gateway.charges.list(contract_id=contract.id))[-1]
    tell(telling, charge.id, ChargeResult.succeeded("ch_B", amount=yen(3000)))
    telling.clock.set(dt.datetime(2026, 3, 15, 3, 0, tzinfo=JST))

    report = telling.gateway.billing.run()

    assert report.blocked == 0
    periods = [one.period_start for one in telling.gateway.charges.list(contract_id=contract.id) if one.period_start]
    assert periods[-2:] == [dt.date(2026, 2, 15), dt.date(2026, 3, 15)]


@pytest.mark.rule("R-326")
@pytest.mark.parametrize("order", ["PD", "DP", "PDP"])
def test_a_second_payment_that_took_nothing_leaves_nothing_open(telling, order):  # noqa: F811
    contract = telling.contract("univapay")
    charge = telling.settled(contract)
    reports = {"P": ChargeResult.pending("ch_B"), "D": ChargeResult.declined("no", reference="ch_B")}

    for name in order:
        tell(telling, charge.id, reports[name])

    assert discrepancies(telling) == []
    kinds = {one.kind for one in discrepancies(telling, only_open=False)}
    assert kinds == {DiscrepancyKind.SECOND_REFERENCE}
    assert len(told(telling)) == (order[0] == "P")

    tell(telling, charge.id, ChargeResult.succeeded("ch_B", amount=yen(5000)))

    [found] = discrepancies(telling)
    assert found.unbooked == 5000
