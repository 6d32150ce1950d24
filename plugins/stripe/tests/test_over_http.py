"""From the button to the ledger over real HTTP: a gateway, the plugin, and the emulated Stripe on loopback.

One scenario each, played by ``Gateway`` in a thread and by ``AsyncGateway`` on asyncio and on trio.
"""

from __future__ import annotations

import datetime as dt
import inspect

import anyio
import pytest

from paygate import (
    JST,
    AsyncGateway,
    Card,
    ChargeState,
    Customer,
    Cycle,
    Gateway,
    Money,
    Plan,
    RefundState,
    Status,
)
from paygate.provider import CheckoutState
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
            provider = Stripe(StripeSettings(**known, base_url=url))
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


@pytest.mark.parametrize("play", ["sync"], indirect=True)
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
        scene.emulator.wish(Wish(WishKind.ACTION))  # while the customer is away, and still when they are there
        left = await scene.charge(contract)
        scene.emulator.approve(left.reference, passed=passed)
        await scene.hear()

        assert left.state is ChargeState.PENDING
        assert left.action_url.startswith("http")
        assert (await done(scene.gateway.charges.get(left.id))).state is state

    play(scenario, return_url="https://shop.example/paid")


def test_a_customer_stores_a_card_on_stripes_page_and_is_charged_with_it(play):
    async def scenario(scene):
        gateway, customer = scene.gateway, Customer("cus_42", email="hanako@example.com")
        checkout = await done(gateway.checkouts.begin("stripe", customer, return_url="https://shop.example/done"))
        waiting = await done(gateway.checkouts.complete("stripe", checkout.reference))
        scene.emulator.approve(checkout.reference)
        outcomes = await scene.hear()
        stored = await done(gateway.checkouts.complete("stripe", checkout.reference))
        contract = await scene.contract(customer=customer, payment=Card("stripe", token=stored.credential))

        assert checkout.url.startswith("http")
        assert (waiting.state, stored.state) == (CheckoutState.OPEN, CheckoutState.COMPLETED)
        assert "unmatched" not in outcomes
        assert contract.status is Status.ACTIVE
        assert [row.amount.minor for row in scene.emulator.book.captures] == [3000]

    play(scenario)


# --- renewals that Stripe charges ------------------------------------------------------------------------------------


async def until(scene, day, hour=14):
    """Let the days pass up to 14:00 in Japan on *day*, hearing every day what Stripe has to tell."""
    goal = dt.datetime.combine(day, dt.time(hour), JST)
    outcomes = []
    while scene.clock.now() < goal:
        scene.clock.advance(seconds=min(6 * 3600.0, (goal - scene.clock.now()).total_seconds()))
        scene.emulator.tick()
        outcomes += await scene.hear()
    return outcomes


@pytest.mark.rule("R-146", "R-147", "R-164")
def test_stripes_subscription_renews_the_contract_every_month(play):
    async def scenario(scene):
        made = await scene.contract(start_on=dt.date(2026, 11, 22))
        first = await done(scene.gateway.contracts.get(made.id))
        for day in (dt.date(2026, 12, 22), dt.date(2027, 1, 22)):
            outcomes = await until(scene, day)
            assert "unmatched" not in outcomes
        renewed = await done(scene.gateway.contracts.get(made.id))

        assert [row.amount.minor for row in scene.emulator.book.captures] == [3000, 3000, 3000]
        assert first.subscription.reference.startswith("sub_")
        assert (first.period_start, renewed.period_start) == (dt.date(2026, 11, 22), dt.date(2027, 1, 22))
        assert renewed.status is Status.ACTIVE

    play(scenario, renewals="provider")


@pytest.mark.parametrize("play", ["sync"], indirect=True)
@pytest.mark.rule("R-032")
def test_a_contract_of_the_31st_is_renewed_on_the_last_day_of_short_months(play):
    async def scenario(scene):
        scene.clock.advance(days=70)  # 31 January 2027
        made = await scene.contract(start_on=dt.date(2027, 1, 31))
        periods = []
        for day in (dt.date(2027, 2, 28), dt.date(2027, 3, 31), dt.date(2027, 4, 30)):
            await until(scene, day)
            periods.append((await done(scene.gateway.contracts.get(made.id))).period_start)

        assert periods == [dt.date(2027, 2, 28), dt.date(2027, 3, 31), dt.date(2027, 4, 30)]

    play(scenario, renewals="provider")


@pytest.mark.rule("R-145", "R-146", "R-149", "R-161")
def test_a_failed_renewal_makes_the_contract_past_due_until_a_retry_succeeds(play):
    async def scenario(scene):
        made = await scene.contract()
        card = made.credential
        scene.emulator.wish(Wish(WishKind.DECLINE), credential=card, times=2)
        await until(scene, dt.date(2026, 12, 22))
        failed = await done(scene.gateway.contracts.get(made.id))
        await until(scene, dt.date(2027, 1, 10))
        recovered = await done(scene.gateway.contracts.get(made.id))

        assert (failed.status, failed.past_due.period_start) == (Status.PAST_DUE, dt.date(2026, 12, 22))
        assert (failed.past_due.failures, failed.past_due.retry_pending) == (1, True)
        assert recovered.status is Status.ACTIVE
        assert recovered.period_start == dt.date(2026, 12, 22)
        assert len(scene.emulator.book.captures) == 2

    play(scenario, renewals="provider")


@pytest.mark.parametrize("play", ["sync"], indirect=True)
@pytest.mark.rule("R-146", "R-151")
def test_a_renewal_that_the_bank_wants_confirmed_is_one_failure_until_the_customer_confirms_it(play):
    async def scenario(scene):
        made = await scene.contract()
        scene.emulator.wish(Wish(WishKind.ACTION), credential=made.credential)
        await until(scene, dt.date(2026, 12, 22))
        waiting = await done(scene.gateway.contracts.get(made.id))
        scene.emulator.approve(scene.emulator.awaiting()[0])
        await scene.hear()
        confirmed = await done(scene.gateway.contracts.get(made.id))

        assert (waiting.status, waiting.past_due.failures) == (Status.PAST_DUE, 1)
        assert (confirmed.status, confirmed.period_start) == (Status.ACTIVE, dt.date(2026, 12, 22))

    play(scenario, renewals="provider")


@pytest.mark.parametrize("play", ["sync"], indirect=True)
@pytest.mark.rule("R-139", "R-143")
def test_a_contract_that_is_terminated_while_past_due_is_tried_no_more(play):
    async def scenario(scene):
        made = await scene.contract()
        scene.emulator.wish(Wish(WishKind.DECLINE), credential=made.credential)
        await until(scene, dt.date(2026, 12, 22))
        await done(scene.gateway.contracts.terminate(made.id))
        ended = await done(scene.gateway.contracts.get(made.id))
        outcomes = await until(scene, dt.date(2027, 1, 23))

        assert ended.status is Status.TERMINATED
        assert len(scene.emulator.book.captures) == 1
        assert "unmatched" not in outcomes

    play(scenario, renewals="provider")


@pytest.mark.parametrize("play", ["sync"], indirect=True)
@pytest.mark.rule("R-150", "R-152", "R-153")
def test_the_last_retry_that_fails_ends_the_contract_once(play):
    async def scenario(scene):
        made = await scene.contract()
        scene.emulator.wish(Wish(WishKind.DECLINE), credential=made.credential, times=9)
        await until(scene, dt.date(2027, 1, 20))
        ended = await done(scene.gateway.contracts.get(made.id))
        records = scene.gateway.audit.list(contract_id=made.id)
        actions = [one.action for one in await done(records.all())]

        assert ended.status is Status.TERMINATED
        assert actions.count("payment_failed") == 4
        assert len(scene.emulator.book.captures) == 1

    play(scenario, renewals="provider")


@pytest.mark.parametrize("play", ["sync"], indirect=True)
@pytest.mark.rule("R-128", "R-130", "R-134")
def test_a_scheduled_cancellation_lets_the_period_be_the_last_unless_it_is_revoked(play):
    async def scenario(scene):
        contracts = scene.gateway.contracts
        made = await scene.contract()
        await done(contracts.schedule_cancellation(made.id))
        await done(contracts.revoke_cancellation(made.id))
        await until(scene, dt.date(2026, 12, 22))
        renewed = await done(contracts.get(made.id))
        await until(scene, dt.date(2026, 12, 25))
        await done(contracts.schedule_cancellation(made.id))
        await until(scene, dt.date(2027, 1, 23))
        ended = await done(contracts.get(made.id))

        assert (renewed.status, renewed.period_start) == (Status.ACTIVE, dt.date(2026, 12, 22))
        assert ended.status is Status.TERMINATED
        assert len(scene.emulator.book.captures) == 2

    play(scenario, renewals="provider")


@pytest.mark.parametrize("confirms", [True, False])
@pytest.mark.rule("R-335", "R-336", "R-145")
def test_a_renewal_that_needs_the_customer_has_a_link_a_deadline_and_an_end(play, confirms):
    async def scenario(scene):
        gateway, emulator = scene.gateway, scene.emulator
        made = await scene.contract()
        emulator.wish(Wish(WishKind.ACTION), credential=made.credential)
        scene.clock.set(dt.datetime(2026, 12, 22, 3, tzinfo=JST))

        report = await done(gateway.billing.run())
        (charge,) = await done(gateway.reports.requires_action().all())
        scene.clock.advance(hours=30)
        early = await done(gateway.billing.reconcile())
        if confirms:
            emulator.approve(charge.reference)
        scene.clock.advance(hours=50)
        await done(gateway.billing.reconcile())
        contract = await done(gateway.contracts.get(made.id))
        ended = await done(gateway.charges.get(charge.id))

        assert (report.requires_action, report.unknown) == (1, 0)
        assert charge.action_url.startswith("http")
        assert early.requires_action == (charge.id,)
        assert contract.status is (Status.ACTIVE if confirms else Status.PAST_DUE)
        assert ended.state is (ChargeState.SUCCEEDED if confirms else ChargeState.FAILED)
        assert ended.failure is None if confirms else ended.failure.code == "action_expired"
        assert len(emulator.book.captures) == (2 if confirms else 1)
        await scene.hear()
        assert (await done(gateway.contracts.get(made.id))).status is contract.status

    play(scenario, return_url="https://shop.example/back")


@pytest.mark.parametrize("play", ["sync"], indirect=True)
@pytest.mark.rule("R-331", "R-334")
def test_a_stolen_card_is_sent_by_one_contract_only_and_the_networks_code_is_kept(play):
    async def scenario(scene):
        gateway, emulator = scene.gateway, scene.emulator
        card = Card("stripe", token=emulator.store_card())
        first = await scene.contract(payment=card)
        second = await scene.contract(payment=card, customer=Customer("cus_43"))
        emulator.wish(Wish(WishKind.DECLINE, "stolen_card"), credential=first.credential, times=9)
        scene.clock.set(dt.datetime(2026, 12, 22, 3, tzinfo=JST))

        report = await done(gateway.billing.run())
        failed = [one for one in await done(gateway.charges.list().all()) if one.failure]

        assert (report.failed, report.held_back) == (1, 2)
        assert [(one.failure.code, one.response_code, one.network) for one in failed] == [("stolen_card", "43", "visa")]
        for contract in (first, second):
            assert (await done(gateway.contracts.get(contract.id))).status is Status.PAST_DUE

    play(scenario)
