"""Plain ``freezegun.freeze_time`` works with both faces and never hangs (design §8)."""

from __future__ import annotations

import asyncio
import datetime as dt
import threading

import pytest
import trio
from freezegun import freeze_time

from paygate import AsyncGateway, Card, ChargeState, Customer, Gateway, Money, Plan
from paygate.errors import ChargeWindowExpired
from paygate.testing import FakeUnivaPay, StayPending

HANAKO = Customer("cus_1")
PLAN = Plan.recurring("Gold", Money(3000, "JPY"))
FEE = Money(500, "JPY")


def within(seconds, function):
    """Run *function* in a thread; a hang is a failure, not a stuck test run."""
    result, errors = [], []

    def run():
        try:
            result.append(function())
        except BaseException as exc:  # noqa: BLE001 - handed on below
            errors.append(exc)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    assert not thread.is_alive(), "it hangs"
    if errors:
        raise errors[0]
    return result[0]


@freeze_time("2023-03-10 03:00:00")
@pytest.mark.rule("B-080", "B-081", "R-199")
def test_as_a_plain_decorator_with_the_gateway():
    with Gateway(database="sqlite://", providers={"univapay": FakeUnivaPay()}) as gateway:
        gateway.contracts.create(HANAKO, PLAN, Card("univapay", "tok"), contract_id="c")
        paid = gateway.contracts.details("c").last_paid_at
        year_later = paid.replace(year=2024)
        with freeze_time(year_later - dt.timedelta(seconds=1)):
            assert gateway.charges.preview("c", FEE, consent="yes").amount == FEE
        with freeze_time(year_later), pytest.raises(ChargeWindowExpired):
            gateway.charges.create("c", FEE, consent="yes")


async def shop() -> ChargeState:
    fake = FakeUnivaPay()
    async with AsyncGateway(database="sqlite://", providers={"univapay": fake}) as gateway:
        fake.next(StayPending())
        charge_id = ""
        try:
            await gateway.contracts.create(HANAKO, PLAN, Card("univapay", "tok"), contract_id="c")
        except Exception as exc:  # noqa: BLE001 - the pending first payment
            charge_id = exc.charge_id  # type: ignore[attr-defined]
        pending = await gateway.charges.wait(charge_id, timeout=3600)
        assert pending.state is ChargeState.PENDING
        fake.finish(pending.reference)
        await gateway.billing.reconcile()
        assert (await gateway.contracts.get("c")).start_on == dt.date(2024, 2, 29)
        return (await gateway.charges.get(charge_id)).state


@pytest.mark.parametrize("run", [lambda: asyncio.run(shop()), lambda: trio.run(shop)], ids=["asyncio", "trio"])
def test_as_a_plain_context_manager_with_the_async_gateway(run):
    def frozen():
        with freeze_time("2024-02-28 20:00:00"):  # 29 February, 5 o'clock in Japan
            return run()

    assert within(60, frozen) is ChargeState.SUCCEEDED


@pytest.mark.parametrize("run", [lambda: asyncio.run(shop()), lambda: trio.run(shop)], ids=["asyncio", "trio"])
def test_through_the_bundled_fixture_with_the_async_gateway(run, frozen_time):
    frozen_time.move_to("2024-02-28 20:00:00")

    assert within(60, run) is ChargeState.SUCCEEDED
