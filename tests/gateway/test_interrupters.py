"""What a plugin or an observer raises to end a program ends nobody's run (R-299)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from paygate import AsyncGateway, Card, Customer, Gateway, Money, Plan, RefundState, Status, hookimpl
from paygate.provider import ChargeRequest, ChargeResult, LookupRequest, RefundRequest, RefundResult
from paygate.testing import FakeStripe, ManualClock

GOLD = Plan.recurring("Gold", Money(3000, "JPY"))
ENDERS = [
    SystemExit(2),
    asyncio.CancelledError(),
    GeneratorExit(),
    BaseExceptionGroup("several", [KeyboardInterrupt(), ValueError()]),
]


class Ender(FakeStripe):
    """Raises what ends programs."""

    raises: BaseException | None = None

    async def charge(self, request: ChargeRequest) -> ChargeResult:
        self._end()
        return await super().charge(request)

    async def refund(self, request: RefundRequest) -> RefundResult:
        self._end()
        return await super().refund(request)

    async def find_charge(self, request: LookupRequest) -> Any:
        self._end()
        return await super().find_charge(request)

    def _end(self) -> None:
        if self.raises is not None:
            raise self.raises


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock.jst(2026, 11, 22, 3)


def shop_of(bad: Ender, good: FakeStripe, clock: ManualClock) -> Gateway:
    gateway = Gateway(database="sqlite://", providers={"bad": bad, "good": good}, clock=clock)
    for account in ("bad", "good"):
        gateway.contracts.create(Customer(account), GOLD, Card(account, "tok_1"), contract_id=account)
    return gateway


@pytest.mark.rule("R-299")
@pytest.mark.parametrize("ender", ENDERS, ids=lambda one: type(one).__name__)
def test_a_plugin_that_would_end_the_program_ends_no_run(clock: ManualClock, ender: BaseException) -> None:
    bad, good = Ender(clock=clock), FakeStripe(clock=clock)
    with shop_of(bad, good, clock) as gateway:
        clock.set(ManualClock.jst(2026, 12, 22, 4).now())
        bad.raises = ender
        report = gateway.billing.run()
        looked = gateway.billing.reconcile()

        assert (report.renewed, report.unknown, good.book.captured()) == (1, 1, 6000)
        assert len(looked.still_open) == 1
        bad.raises = None
        clock.advance(minutes=20)
        gateway.billing.reconcile()
        assert gateway.billing.run().renewed == 1


@pytest.mark.rule("R-299")
@pytest.mark.parametrize("ender", ENDERS, ids=lambda one: type(one).__name__)
def test_nor_does_one_end_a_call_or_a_task(clock: ManualClock, ender: BaseException) -> None:
    async def main() -> None:
        bad = Ender(clock=clock)
        async with AsyncGateway(database="sqlite://", providers={"bad": bad}, clock=clock) as gateway:
            await gateway.contracts.create(Customer("c"), GOLD, Card("bad", "tok_1"), contract_id="con_1")
            (first,) = await gateway.charges.list().all()
            bad.raises = ender
            clock.advance(minutes=5)
            assert (await gateway.charges.create("con_1", Money(700, "JPY"), consent="x")).state.name == "UNKNOWN"
            assert (await gateway.refunds.create(first.id, Money(100, "JPY"))).state is RefundState.UNKNOWN

    asyncio.run(main())


@pytest.mark.rule("R-299")
@pytest.mark.parametrize("ender", ENDERS, ids=lambda one: type(one).__name__)
def test_an_observer_that_would_end_the_program_ends_no_paid_call(clock: ManualClock, ender: BaseException) -> None:
    class Observer:
        @hookimpl
        def on_charge_success(self, notice: Any) -> None:
            raise ender

    good = FakeStripe(clock=clock)
    with Gateway(database="sqlite://", providers={"good": good}, plugins=[Observer()], clock=clock) as gateway:
        made = gateway.contracts.create(Customer("c"), GOLD, Card("good", "tok_1"), contract_id="con_1")

        assert (made.status, good.book.captured()) == (Status.ACTIVE, 3000)


@pytest.mark.rule("R-299")
def test_a_key_is_obeyed(clock: ManualClock) -> None:
    bad, good = Ender(clock=clock), FakeStripe(clock=clock)
    with shop_of(bad, good, clock) as gateway:
        clock.set(ManualClock.jst(2026, 12, 22, 4).now())
        bad.raises = KeyboardInterrupt()
        with pytest.raises(KeyboardInterrupt):
            gateway.billing.run()
