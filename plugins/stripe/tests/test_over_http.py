"""From the button to the ledger over real HTTP: a gateway, the plugin, and the emulated Stripe on loopback.

One scenario each, played by ``Gateway`` in a thread and by ``AsyncGateway`` on asyncio and on trio.
"""

from __future__ import annotations

import datetime as dt
import inspect

import anyio
import pytest

from paygate import AsyncGateway, Card, ChargeState, Customer, Cycle, Gateway, Money, Plan, RefundState
from paygate.testing.clock import ManualClock
from paygate.testing.emulators import CardKind, Fault, FaultKind, When, Wish, WishKind, serve
from paygate.testing.emulators.stripe import StripeEmulator
from paygate_stripe import Stripe, StripeSettings

ENDPOINT = "https://shop.example/webhooks/stripe"


async def done(call):
    """What a call of either gateway answers."""
    return await call if inspect.isawaitable(call) else call


class Scene:
    """A gateway of either kind in front of an emulator that is served on loopback."""

    def __init__(self, gateway, emulator, clock):
        self.gateway, self.emulator, self.clock = gateway, emulator, clock

    async def contract(self, card=CardKind.GOOD, **changes):
        values = {
            "customer": Customer("cus_42", email="hanako@example.com"),
            "plan": Plan.recurring("Gold", price=Money(3000, "JPY"), cycle=Cycle.MONTHLY),
            "payment": Card("stripe", token=self.emulator.store_card(card)),
            "start_on": dt.date(2026, 11, 22),
        }
        made = await done(self.gateway.contracts.create(**{**values, **changes}))
        self.clock.advance(minutes=1)
        return made

    async def charge(self, contract, amount=5000, key="order-77"):
        return await done(
            self.gateway.charges.create(contract.id, Money(amount, "JPY"), consent="phone", idempotency_key=key)
        )

    async def hear(self):
        """Take all deliveries that are due; returns the outcomes of their events."""
        taken = []
        self.emulator.deliver(taken.append)
        outcomes = []
        for one in taken:
            receipt = await done(self.gateway.webhooks.receive("stripe", one.headers, one.body))
            outcomes += [event.outcome for event in receipt.events]
        return outcomes


@pytest.fixture(params=["sync", "asyncio", "trio"])
def play(request):
    """Plays a scenario, an ``async def`` that takes a scene, with the gateway that the parameter names."""

    def start(scenario, **settings):
        clock = ManualClock.jst(2026, 11, 22, 12)
        emulator = StripeEmulator(clock)
        emulator.set_webhook_target(ENDPOINT)
        with serve(emulator, webhooks=False) as url:
            known = {**emulator.credentials_for_plugin(), **emulator.webhook_settings(), **settings}
            provider = Stripe(StripeSettings(**known, api_base=url))
            options = {"database": "sqlite://", "providers": {"stripe": provider}, "clock": clock}
            if request.param == "sync":
                with Gateway(**options) as gateway:
                    run = scenario(Scene(gateway, emulator, clock))
                    with pytest.raises(StopIteration):  # it awaits nothing that would suspend it
                        run.send(None)
                return

            async def main():
                async with AsyncGateway(**options) as gateway:
                    await scenario(Scene(gateway, emulator, clock))

            anyio.run(main, backend=request.param)

    return start


@pytest.mark.rule("R-175", "R-194", "R-239", "R-241", "R-269")
def test_an_additional_charge_its_refunds_and_their_webhooks(play):
    async def scenario(scene):
        gateway, book = scene.gateway, scene.emulator.book
        contract = await scene.contract()
        charge = await scene.charge(contract)
        again = await scene.charge(contract)
        part = await done(gateway.refunds.create(charge.id, Money(2000, "JPY"), idempotency_key="rma-1"))
        rest = await done(gateway.refunds.create(charge.id, Money(3000, "JPY"), idempotency_key="rma-2"))
        outcomes = await scene.hear()

        assert (charge.state, again.id) == (ChargeState.SUCCEEDED, charge.id)
        assert (part.state, rest.state) == (RefundState.DONE, RefundState.DONE)
        assert [row.amount.minor for row in book.captures].count(5000) == 1
        assert book.refunded() == 5000
        assert "unmatched" not in outcomes
        assert outcomes.count("applied") >= 2

    play(scenario)


@pytest.mark.rule("R-193", "B-114")
def test_a_charge_whose_answer_was_lost_is_reconciled_without_charging_again(play):
    async def scenario(scene):
        contract = await scene.contract()
        scene.emulator.faults.add(Fault(FaultKind.RESET, When.AFTER), times=3, match="POST /v1/payment_intents")

        lost = await scene.charge(contract)
        scene.clock.advance(minutes=5)
        await done(scene.gateway.billing.reconcile())

        assert lost.state is ChargeState.UNKNOWN
        assert (await done(scene.gateway.charges.get(lost.id))).state is ChargeState.SUCCEEDED
        assert [row.amount.minor for row in scene.emulator.book.captures].count(5000) == 1

    play(scenario)


@pytest.mark.rule("R-193")
def test_a_charge_that_never_arrived_is_known_not_to_exist(play):
    async def scenario(scene):
        contract = await scene.contract()
        scene.emulator.faults.add(Fault(FaultKind.RESET, When.BEFORE), times=3, match="POST /v1/payment_intents")

        lost = await scene.charge(contract)
        scene.clock.advance(minutes=5)
        await done(scene.gateway.billing.reconcile())

        assert (await done(scene.gateway.charges.get(lost.id))).state is ChargeState.FAILED
        assert [row.amount.minor for row in scene.emulator.book.captures].count(5000) == 0

    play(scenario)


@pytest.mark.rule("R-175", "R-194")
def test_a_pending_charge_is_settled_by_the_webhook(play):
    async def scenario(scene):
        contract = await scene.contract()
        scene.emulator.wish(Wish(WishKind.PENDING))
        left = await scene.charge(contract)
        scene.emulator.settle(left.reference)
        outcomes = await scene.hear()

        assert left.state is ChargeState.PENDING
        assert "applied" in outcomes
        assert (await done(scene.gateway.charges.get(left.id))).state is ChargeState.SUCCEEDED

    play(scenario)


@pytest.mark.rule("R-247")
def test_a_refund_that_fails_later_is_told_by_the_webhook(play):
    async def scenario(scene):
        contract = await scene.contract(CardKind.REFUND_FAILS)
        charge = await scene.charge(contract)
        refund = await done(scene.gateway.refunds.create(charge.id, Money(2000, "JPY"), idempotency_key="rma-1"))
        await scene.hear()
        scene.clock.advance(minutes=5)
        scene.emulator.tick()
        await scene.hear()

        assert refund.state is RefundState.DONE
        assert (await done(scene.gateway.refunds.get(refund.id))).state is RefundState.FAILED

    play(scenario)


@pytest.mark.parametrize(("passed", "state"), [(True, ChargeState.SUCCEEDED), (False, ChargeState.FAILED)])
def test_a_payment_that_the_bank_wants_confirmed_waits_for_the_customer_behind_a_link(play, passed, state):
    async def scenario(scene):
        contract = await scene.contract()
        scene.emulator.wish(Wish(WishKind.ACTION), times=2)  # while the customer is away, and when they are there
        left = await scene.charge(contract)
        scene.emulator.approve(left.reference, passed=passed)
        await scene.hear()

        assert left.state is ChargeState.PENDING
        assert left.action_url.startswith("http")
        assert (await done(scene.gateway.charges.get(left.id))).state is state

    play(scenario, return_url="https://shop.example/paid")
