"""What is open at a provider that is no longer configured can be closed all the same (R-289)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from paygate import Card, ChargeState, Customer, Gateway, Money, NewContract, Plan, Status
from paygate.testing import FakeProvider, FakeStripe, FakeTelecom, ManualClock, Vanish

GOLD = Plan.recurring("Gold", Money(3000, "JPY"))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock.jst(2026, 11, 22, 3)


@pytest.fixture
def gateways(database_url: str, clock: ManualClock) -> Iterator[list[Gateway]]:
    opened: list[Gateway] = []
    yield opened
    for gateway in opened:
        gateway.close()


def member(gateway: Gateway, clock: ManualClock) -> None:
    new = NewContract(
        contract_id="con_1",
        customer=Customer("cus_1"),
        plan=GOLD,
        payment=Card("gone", "tok_1"),
        start_on=clock.now().date(),
        last_paid_at=clock.now(),
    )
    gateway.contracts.import_many([new])


def without_it(database_url: str, clock: ManualClock, gateways: list[Gateway]) -> Gateway:
    gateways[-1].close()
    gateways.append(Gateway(database=database_url, providers={"other": FakeStripe(clock=clock)}, clock=clock))
    return gateways[-1]


@pytest.mark.rule("R-289")
@pytest.mark.parametrize("fake", [FakeStripe, FakeTelecom])
@pytest.mark.parametrize("paid", [True, False])
def test_an_additional_charge_of_a_provider_that_is_gone_is_resolved(
    database_url: str, clock: ManualClock, gateways: list[Gateway], fake: type[FakeProvider], paid: bool
) -> None:
    results = []
    for gone in (False, True):
        provider = fake(clock=clock)
        url = database_url if gone else "sqlite://"
        gateways.append(Gateway(database=url, providers={"gone": provider}, clock=clock))
        gateway = gateways[-1]
        member(gateway, clock)
        clock.advance(hours=1)
        provider.next(Vanish(after=paid))
        charge = gateway.charges.create("con_1", Money(700, "JPY"), consent="phone")
        assert charge.state is ChargeState.UNKNOWN
        if gone:
            gateway = without_it(database_url, clock, gateways)
        reference = "ref-1" if paid else None
        settled = gateway.charges.resolve(charge.id, succeeded=paid, reference=reference, note="console")
        results.append((settled.state, gateway.contracts.get("con_1").expires_on))

    assert results[1] == results[0]
    assert results[1][0] is (ChargeState.SUCCEEDED if paid else ChargeState.FAILED)


@pytest.mark.rule("R-289")
@pytest.mark.parametrize("paid", [True, False])
def test_a_renewal_of_a_provider_that_is_gone_is_resolved(
    database_url: str, clock: ManualClock, gateways: list[Gateway], paid: bool
) -> None:
    provider = FakeStripe(clock=clock)
    gateways.append(Gateway(database=database_url, providers={"gone": provider}, clock=clock))
    member(gateways[-1], clock)
    clock.set(ManualClock.jst(2026, 12, 22, 3).now())
    provider.next(Vanish(after=paid))
    gateways[-1].billing.run()
    gateway = without_it(database_url, clock, gateways)
    (charge,) = [one for one in gateway.charges.list(contract_id="con_1") if one.open]
    settled = gateway.charges.resolve(charge.id, succeeded=paid, reference="ref-1" if paid else None, note="console")

    assert settled.state is (ChargeState.SUCCEEDED if paid else ChargeState.FAILED)
    assert gateway.contracts.get("con_1").status is (Status.ACTIVE if paid else Status.PAST_DUE)
