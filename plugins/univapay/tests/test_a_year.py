"""A year of renewals that UnivaPay charges, over real HTTP: a gateway, the plugin, and the emulated UnivaPay on loopback.

One scenario each, played by ``Gateway`` and by ``AsyncGateway`` on asyncio and on trio. Time is the emulator's.
"""

from __future__ import annotations

import datetime as dt
import inspect

import anyio
import pytest

from paygate import JST, AsyncGateway, Card, Customer, Cycle, Gateway, Money, Plan, Status
from paygate.domain.ledger import EntryKind
from paygate.domain.subscription import SubscriptionState
from paygate.flow import Request
from paygate.testing.clock import ManualClock
from paygate.testing.emulators import Wish, WishKind, serve
from paygate.testing.emulators.univapay import UnivaPayEmulator
from paygate_univapay import UnivaPay, UnivaPaySettings

YEN = Money(3000, "JPY")
DECLINE = Wish(WishKind.DECLINE)


async def done(call):
    """What a call of either gateway answers."""
    return await call if inspect.isawaitable(call) else call


class Scene:
    """A gateway of either kind in front of an emulator that is served on loopback."""

    def __init__(self, gateway, emulator):
        self.gateway, self.emulator = gateway, emulator

    async def contract(self):
        return await done(
            self.gateway.contracts.create(
                customer=Customer("cus_42", email="hanako@example.com"),
                plan=Plan.recurring("Gold", price=YEN, cycle=Cycle.MONTHLY),
                payment=Card("univapay", token=self.emulator.store_card()),
                start_on=dt.date(2026, 11, 22),
                contract_id="con_1",
            )
        )

    async def noon(self, *day):
        """Live to noon of *day*; let UnivaPay charge, tell us, and our own run do what is due. Contract as it is then."""
        self.emulator.clock.set(dt.datetime(*day, 12, tzinfo=JST))
        self.emulator.tick()
        self.emulator.clock.advance(seconds=1)
        self.emulator.tick()
        taken = []
        self.emulator.deliver(taken.append)
        outcomes = []
        for one in taken:
            receipt = await done(self.gateway.webhooks.receive("univapay", one.headers, one.body))
            outcomes += [event.outcome for event in receipt.events]
        assert "unmatched" not in outcomes
        run = await done(self.gateway.billing.run())
        assert run.charged == {}, "UnivaPay charges the renewals, nobody else"
        return await done(self.gateway.contracts.get("con_1"))

    async def periods(self):
        rows = self.gateway.ledger.list(contract_id="con_1")
        found = [row async for row in rows] if hasattr(rows, "__aiter__") else list(rows)
        return [row.target_on for row in found if row.kind is EntryKind.PERIOD]


@pytest.fixture(params=["sync", "asyncio", "trio"])
def play(request):
    """Plays a scenario, an ``async def`` that takes a scene, with the gateway that the parameter names."""

    def start(scenario):
        emulator = UnivaPayEmulator(ManualClock.jst(2026, 11, 22, 12))
        emulator.behaviour.pending = 0
        emulator.set_webhook_target("https://shop.example/webhooks/univapay")
        with serve(emulator, webhooks=False) as url:
            known = {**emulator.credentials_for_plugin(), **emulator.webhook_settings()}
            provider = UnivaPay(UnivaPaySettings(**known, base_url=url, renewals="provider"))
            options = {"database": "sqlite://", "providers": {"univapay": provider}, "clock": emulator.clock}
            if request.param == "sync":
                with Gateway(**options) as gateway:
                    run = scenario(Scene(gateway, emulator))
                    with pytest.raises(StopIteration):  # it awaits nothing that would suspend it
                        run.send(None)
                return

            async def main():
                async with AsyncGateway(**options) as gateway:
                    await scenario(Scene(gateway, emulator))

            anyio.run(main, backend=request.param)

    return start


def days_of_the_year():
    """The renewal days of a contract that began on 22 November 2026."""
    return [dt.date(2026, 12, 22), *(dt.date(2027, month, 22) for month in range(1, 12))]


@pytest.mark.rule("R-013", "R-036", "R-145", "R-146", "R-147", "R-151", "R-155", "R-164")
def test_a_year_with_one_failure_and_its_recovery(play):
    async def scenario(scene):
        contract = await scene.contract()
        assert contract.subscription.state is SubscriptionState.RUNNING
        for day in days_of_the_year():
            if day.month == 3:
                scene.emulator.wish(DECLINE, times=2)
                first = await scene.noon(2027, 3, 22)
                second = await scene.noon(2027, 4, 1)
                paid = await scene.noon(2027, 4, 11)
                assert (first.status, first.past_due.failures, first.past_due.retry_pending) == (
                    Status.PAST_DUE,
                    1,
                    True,
                )
                assert (second.status, second.past_due.failures) == (Status.PAST_DUE, 2)
                assert (paid.status, paid.past_due, paid.period_start) == (Status.ACTIVE, None, day)
                continue
            contract = await scene.noon(day.year, day.month, day.day)
            assert (contract.status, contract.period_start) == (Status.ACTIVE, day)

        book = scene.emulator.book
        assert await scene.periods() == [dt.date(2026, 11, 22), *days_of_the_year()]
        assert [row.amount for row in book.captures] == [YEN] * 13
        assert (await done(scene.gateway.ledger.net("con_1"))).minor == 13 * 3000 == book.captured()

    play(scenario)


@pytest.mark.rule("R-156", "R-160", "R-138", "R-143")
def test_tries_that_are_used_up_leave_the_contract_past_due_until_somebody_ends_it(play):
    async def scenario(scene):
        await scene.contract()
        scene.emulator.wish(DECLINE, times=9)
        for day in ((2026, 12, 22), (2027, 1, 1), (2027, 1, 11), (2027, 2, 22)):
            contract = await scene.noon(*day)
        assert (contract.status, contract.past_due.exhausted, contract.past_due.failures) == (Status.PAST_DUE, True, 3)

        await done(scene.gateway.contracts.terminate("con_1"))
        contract = await scene.noon(2027, 3, 22)

        assert contract.status is Status.TERMINATED
        assert scene.emulator.subscription(contract.subscription.reference).status == "canceled"
        assert scene.emulator.book.captured() == 3000

    play(scenario)


@pytest.mark.rule("R-130", "R-133", "R-152")
def test_a_cancellation_is_scheduled_taken_back_and_scheduled_again(play):
    async def scenario(scene):
        await scene.contract()
        await scene.noon(2026, 12, 23)
        await done(scene.gateway.contracts.schedule_cancellation("con_1"))
        await done(scene.gateway.contracts.revoke_cancellation("con_1"))
        assert (await scene.noon(2027, 1, 23)).status is Status.ACTIVE

        await done(scene.gateway.contracts.schedule_cancellation("con_1"))
        contract = await scene.noon(2027, 2, 22)

        assert contract.status is Status.TERMINATED
        assert len(scene.emulator.book.captures) == 3

    play(scenario)


@pytest.mark.rule("R-152")
def test_a_subscription_that_somebody_ends_in_the_dashboard_ends_the_contract(play):
    async def scenario(scene):
        contract = await scene.contract()
        await scene.noon(2026, 12, 23)
        reference = contract.subscription.reference
        path = f"/stores/{scene.emulator.credentials.store_id}/subscriptions/{reference}"
        headers = {"Authorization": scene.emulator.credentials.header}
        scene.emulator.handle(Request("DELETE", f"{scene.emulator.base_url}{path}", headers))
        contract = await scene.noon(2026, 12, 24)

        assert contract.status is Status.TERMINATED

    play(scenario)
