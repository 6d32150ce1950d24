"""A caller who is interrupted leaves no attempt open of which certainly nothing was sent."""

from __future__ import annotations

import anyio
import pytest

from paygate import AsyncGateway, Card, ChargeState, Customer, Gateway, Money, Plan, RefundState
from paygate.drivers import HttpSettings
from paygate.flow import Request, Response, send, sleep
from paygate.provider import Capabilities, ChargeResult, Lookup, Provider, RefundPolicy, RefundResult
from paygate.testing.clock import ManualClock

API = "https://api.acme.example"


class Acme(Provider):
    """Reads, then waits as *pause* says, then writes. Nobody can look its charges up."""

    pause = None

    def capabilities(self) -> Capabilities:
        return Capabilities("Acme", lookup=Lookup.NONE, refunds=RefundPolicy.PARTIAL)

    async def _work(self, before: bool) -> None:
        await send(Request("GET", f"{API}/rates"))
        if before and self.pause is not None:
            await self.pause()
        await send(Request("POST", f"{API}/charges", body=b"{}"))
        if not before and self.pause is not None:
            await self.pause()

    before = True

    async def charge(self, request):
        await self._work(self.before)
        return ChargeResult.succeeded(f"ch_{request.charge_id}", amount=request.amount)

    async def refund(self, request):
        await self._work(self.before)
        return RefundResult.succeeded(f"re_{request.refund_id}")


class Key(ManualClock):
    """A clock during whose wait somebody presses Ctrl+C."""

    pressed = False

    def skip(self, seconds: float) -> bool:
        if self.pressed and seconds == 30:
            raise KeyboardInterrupt
        return super().skip(seconds)


async def wait() -> None:
    await sleep(30)


def opened(kind, acme, **options):
    return kind(
        providers={"acme": acme}, mounts={API: lambda _: Response(200)}, http=HttpSettings(retries=0), **options
    )


def contract_of(shop):
    return shop.contracts.create(Customer("c"), Plan.one_off("Course", Money(500, "JPY")), Card("acme", "tok"))


@pytest.fixture
def scene(database_url):
    clock, acme = Key.jst(2026, 11, 22, 12), Acme()
    with opened(Gateway, acme, database=database_url, clock=clock) as shop:
        contract = contract_of(shop)
        acme.pause, clock.pressed = wait, True
        yield shop, acme, contract


@pytest.mark.rule("R-309")
def test_a_charge_interrupted_before_anything_was_sent_is_not_sent_and_blocks_nothing(scene):
    shop, acme, contract = scene
    with pytest.raises(KeyboardInterrupt):
        shop.charges.create(contract.id, Money(900, "JPY"), consent="phone")

    interrupted = next(one for one in shop.charges.list() if one.amount.minor == 900)
    assert (interrupted.state, interrupted.failure.sent) == (ChargeState.FAILED, False)
    assert "interrupted" in interrupted.failure.message

    acme.pause = None
    assert shop.charges.create(contract.id, Money(900, "JPY"), consent="phone").state is ChargeState.SUCCEEDED


@pytest.mark.rule("R-309")
def test_a_charge_interrupted_after_that_stays_open(scene):
    shop, acme, contract = scene
    acme.before = False
    with pytest.raises(KeyboardInterrupt):
        shop.charges.create(contract.id, Money(900, "JPY"), consent="phone")

    assert next(one for one in shop.charges.list() if one.amount.minor == 900).state is ChargeState.PENDING


@pytest.mark.rule("R-309")
def test_so_are_first_payments_and_refunds(scene):
    shop, acme, _ = scene
    with pytest.raises(KeyboardInterrupt):
        shop.contracts.create(Customer("d"), Plan.one_off("Course", Money(700, "JPY")), Card("acme", "tok2"))
    first = next(one for one in shop.charges.list() if one.amount.minor == 700)
    assert (first.state, first.failure.sent) == (ChargeState.FAILED, False)

    paid = next(one for one in shop.charges.list() if one.amount.minor == 500)
    with pytest.raises(KeyboardInterrupt):
        shop.refunds.create(paid.id, Money(100, "JPY"))
    acme.pause = None
    assert shop.refunds.create(paid.id, Money(100, "JPY")).state is RefundState.DONE


@pytest.mark.rule("R-309")
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_task_that_is_cancelled_before_anything_was_sent_leaves_nothing_open(database_url, backend):
    acme = Acme()

    async def main() -> None:
        shop = opened(AsyncGateway, acme, database=database_url)
        try:
            contract = await shop.contracts.create(
                Customer("c"), Plan.one_off("Course", Money(500, "JPY")), Card("acme", "tok")
            )
            acme.pause = wait
            for before, state in ((True, ChargeState.FAILED), (False, ChargeState.PENDING)):
                acme.before = before
                with anyio.move_on_after(0.5) as scope:
                    await shop.charges.create(contract.id, Money(900 + before, "JPY"), consent="phone")
                assert scope.cancelled_caught
                made = next(one for one in await shop.charges.list().all() if one.amount.minor == 900 + before)
                assert made.state is state
        finally:
            await shop.aclose()

    anyio.run(main, backend=backend)
