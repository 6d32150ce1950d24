"""Claims on attempts: one process never concludes that nothing was sent while another may still send it (R-280 to R-283).

Where hosts are played, each is a gateway of its own with a clock of its own in front of one database.
"""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import attrs
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
    NewContract,
    Plan,
    RefundState,
    hookimpl,
)
from paygate.billing.services import Waiting
from paygate.clock import SystemClock
from paygate.domain.charge import Failure
from paygate.drivers import HttpSettings
from paygate.errors import ChargeInProgress, ConfigurationError, OperationNotAllowed, RefundFailed
from paygate.testing import FakeStripe, ManualClock
from paygate.testing.emulators import serve
from paygate.testing.emulators.stripe import StripeEmulator
from paygate_stripe import Stripe, StripeSettings

COURSE = Plan.one_off("Course", Money(12_000, "JPY"))
GOLD = Plan.recurring("Gold", Money(3000, "JPY"))


class Killed(KeyboardInterrupt):
    """The process dies here: no handler in the way may see it."""


class Ahead(SystemClock):
    """A host whose clock is wrong by some minutes."""

    def __init__(self, minutes: float) -> None:
        self.wrong = dt.timedelta(minutes=minutes)

    def now(self) -> dt.datetime:
        return super().now() + self.wrong


class Slow(FakeStripe):
    """A provider whose plugin is held up before it sends, until somebody lets it go on."""

    def __init__(self) -> None:
        super().__init__()
        self.reached, self.go_on = threading.Event(), threading.Event()
        self.holds = False

    def _wait(self) -> None:
        if self.holds:
            self.reached.set()
            assert self.go_on.wait(20)

    async def charge(self, request: Any) -> Any:
        self._wait()
        return await super().charge(request)

    async def refund(self, request: Any) -> Any:
        self._wait()
        return await super().refund(request)


@attrs.define
class Hosts:
    """Two hosts on one database, with one provider that both reach."""

    here: Gateway
    there: Gateway
    provider: Slow
    url: str

    def held_up(self, act: Any) -> threading.Thread:
        """*act* in a thread of this host, stopped just before it would be sent."""
        self.provider.holds = True
        thread = threading.Thread(target=act)
        thread.start()
        assert self.provider.reached.wait(10)
        return thread

    def let_go(self, thread: threading.Thread) -> None:
        self.provider.go_on.set()
        thread.join(20)
        assert not thread.is_alive()


@pytest.fixture(params=[3, -3, 60])
def hosts(request: pytest.FixtureRequest, database_url: str) -> Iterator[Hosts]:
    """The other host's clock is wrong by three minutes or an hour."""
    provider = Slow()
    with (
        Gateway(database=database_url, providers={"stripe": provider}) as here,
        Gateway(database=database_url, providers={"stripe": provider}, clock=Ahead(request.param)) as there,
    ):
        here.contracts.create(Customer("cus_1"), GOLD, Card("stripe", "tok_1"), contract_id="con_1")
        yield Hosts(here, there, provider, database_url)


@pytest.mark.rule("R-280", "R-282")
def test_another_host_s_clock_does_not_end_a_charge_that_is_on_its_way(hosts: Hosts) -> None:
    sender = hosts.held_up(
        lambda: hosts.here.charges.create("con_1", Money(500, "JPY"), consent="form", idempotency_key="order-1")
    )
    report = hosts.there.billing.reconcile()
    hosts.let_go(sender)

    (charge,) = [one for one in hosts.here.charges.list(contract_id="con_1") if one.idempotency_key == "order-1"]
    assert report.still_open == (charge.id,)
    assert charge.state is ChargeState.SUCCEEDED
    assert hosts.provider.book.captured() == 3000 + 500


@pytest.mark.rule("R-280", "R-282")
def test_another_host_s_clock_does_not_end_a_refund_that_is_on_its_way(hosts: Hosts) -> None:
    sale = next(iter(hosts.here.ledger.list(contract_id="con_1")))
    sender = hosts.held_up(lambda: hosts.here.refunds.create(sale.id, Money(1000, "JPY"), idempotency_key="rma-1"))
    report = hosts.there.billing.reconcile()
    hosts.let_go(sender)

    (refund,) = hosts.here.refunds.list(contract_id="con_1")
    assert report.still_open == (refund.id,)
    assert refund.state is RefundState.DONE


@pytest.mark.rule("R-280", "R-282", "R-040")
def test_another_host_s_clock_does_not_charge_a_renewal_again_that_is_on_its_way(hosts: Hosts) -> None:
    week_ago = Ahead(-7 * 24 * 60)
    with Gateway(database=hosts.url, providers={"stripe": hosts.provider}, clock=week_ago) as earlier:
        member = NewContract(
            contract_id="con_due",
            customer=Customer("cus_due"),
            plan=Plan.recurring("Gold", Money(3000, "JPY"), Cycle.WEEKLY),
            payment=Card("stripe", "tok_due"),
            start_on=week_ago.now().astimezone(JST).date(),
            last_paid_at=week_ago.now(),
        )
        earlier.contracts.import_many([member])
    sender = hosts.held_up(hosts.here.billing.run)
    hosts.there.billing.reconcile()
    hosts.provider.holds = False
    report = hosts.there.billing.run()
    hosts.let_go(sender)
    hosts.there.billing.reconcile()
    hosts.there.billing.run()

    assert (report.renewed, report.unknown) == (0, 0)
    assert hosts.provider.book.captured() == 3000 + 3000
    assert len([row for row in hosts.here.ledger.list(contract_id="con_due") if row.charge_id is not None]) == 1


@pytest.mark.rule("R-283")
def test_an_operator_cannot_resolve_what_may_still_be_sent(hosts: Hosts) -> None:
    sender = hosts.held_up(lambda: hosts.here.charges.create("con_1", Money(500, "JPY"), consent="form"))
    (open_one,) = hosts.there.billing.reconcile().still_open
    for succeeded in (True, False):
        with pytest.raises(ChargeInProgress, match=r"may still be sent .* until 20") as caught:
            hosts.there.charges.resolve(open_one, succeeded=succeeded, note="console, 10:12")
        assert caught.value.rule == "R-283"
    hosts.let_go(sender)

    assert hosts.here.charges.get(open_one).state is ChargeState.SUCCEEDED


@pytest.mark.rule("R-280")
def test_a_sender_that_was_stopped_for_longer_than_its_claim_sends_nothing(database_url: str) -> None:
    """The plugin is held up in the middle of its work; what it sends after that is refused by the driver."""
    emulator = StripeEmulator(SystemClock())
    held, go_on = threading.Event(), threading.Event()

    class Held(Stripe):
        async def charge(self, request: Any) -> Any:
            if request.amount.minor == 500:
                held.set()
                assert go_on.wait(20)
            return await super().charge(request)

    with serve(emulator, webhooks=False) as url:
        options: dict[str, Any] = {
            "database": database_url,
            "providers": {
                "stripe": Held(
                    StripeSettings(**emulator.credentials_for_plugin(), **emulator.webhook_settings(), base_url=url)
                )
            },
            "waiting": Waiting(in_flight=1),
        }
        with Gateway(**options) as here, Gateway(**options) as there:
            here.contracts.create(Customer("cus_1"), GOLD, Card("stripe", emulator.store_card()), contract_id="con_1")
            results: list[Any] = []
            sender = threading.Thread(
                target=lambda: results.append(here.charges.create("con_1", Money(500, "JPY"), consent="form"))
            )
            sender.start()
            assert held.wait(10)
            time.sleep(1.1)
            (unsent,) = there.billing.reconcile().settled
            again = there.charges.create("con_1", Money(700, "JPY"), consent="form")
            go_on.set()
            sender.join(20)

            assert there.charges.get(unsent).failure.sent is False
            assert [one.id for one in results] == [unsent]
            assert again.state is ChargeState.SUCCEEDED
    assert emulator.book.captured() == 3000 + 700


@pytest.mark.rule("R-280", "R-281")
def test_many_charges_at_a_pace_and_a_second_process_that_reconciles_take_each_order_once(database_url: str) -> None:
    """What was "not sent" is repeated under a new key, as the manual says; no order is paid twice, and none is lost."""
    emulator, orders = StripeEmulator(SystemClock()), range(24)
    with serve(emulator, webhooks=False) as url:
        options: dict[str, Any] = {
            "database": database_url,
            "waiting": Waiting(in_flight=1),
            "http": HttpSettings(requests_per_second=20, connect_timeout=2, read_timeout=2),
        }
        stripe = StripeSettings(**emulator.credentials_for_plugin(), **emulator.webhook_settings(), base_url=url)
        with (
            Gateway(**options, providers={"stripe": Stripe(stripe)}) as here,
            Gateway(**{**options, "http": None}, providers={"stripe": Stripe(stripe)}) as there,
        ):
            for order in orders:
                card = Card("stripe", emulator.store_card())
                there.contracts.create(Customer(f"cus_{order}"), GOLD, card, contract_id=f"con_{order}")
            before = len(emulator.book.captures)
            stop, repeated = threading.Event(), []

            def pay(order: int, gateway: Gateway, key: str) -> None:
                gateway.charges.create(f"con_{order}", Money(500, "JPY"), consent="form", idempotency_key=key)

            def reconcile() -> None:
                while not stop.is_set():
                    for settled in there.billing.reconcile().settled:
                        charge = there.charges.get(settled)
                        if charge.state is ChargeState.FAILED:
                            repeated.append(charge.id)
                            pay(int(charge.contract_id[4:]), there, f"again-{charge.id}")
                    stop.wait(0.05)

            second = threading.Thread(target=reconcile)
            second.start()
            senders = [threading.Thread(target=pay, args=(order, here, f"order-{order}")) for order in orders]
            for thread in senders:
                thread.start()
            for thread in senders:
                thread.join(30)
            stop.set()
            second.join(30)

            paid = [c for c in here.charges.list(state=ChargeState.SUCCEEDED) if c.amount == Money(500, "JPY")]
    assert sorted(charge.contract_id for charge in paid) == sorted(f"con_{order}" for order in orders)
    assert len(emulator.book.captures) - before == len(orders)
    assert repeated == []  # who waits for a turn has not written anything down yet


class Prepared(FakeStripe):
    """A Stripe that does something of the test's own before each charge and refund."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock=clock)
        self.first: Callable[[Any], None] = lambda _request: None

    async def charge(self, request: Any) -> Any:
        self.first(request)
        return await super().charge(request)

    async def refund(self, request: Any) -> Any:
        self.first(request)
        return await super().refund(request)


@attrs.define
class Scene:
    """A gateway on a manual clock, and what opens another one like it."""

    gateway: Gateway
    clock: ManualClock
    stripe: Prepared
    options: dict[str, Any]


@pytest.fixture
def scene(database_url: str, clock: ManualClock) -> Iterator[Scene]:
    stripe = Prepared(clock)
    options: dict[str, Any] = {"database": database_url, "providers": {"stripe": stripe}, "clock": clock}
    with Gateway(**options) as gateway:
        gateway.contracts.create(Customer("cus_1"), COURSE, Card("stripe", "tok_1"), contract_id="con_1")
        clock.advance(minutes=5)
        yield Scene(gateway, clock, stripe, options)


@pytest.mark.rule("R-281")
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_many_tasks_at_a_pace_wait_before_anything_is_written_down(database_url: str, backend: str) -> None:
    """All of them take longer than a claim lasts, and each is sent well within its own."""
    emulator = StripeEmulator(SystemClock())
    with serve(emulator, webhooks=False) as url:
        known = {**emulator.credentials_for_plugin(), **emulator.webhook_settings()}
        provider = Stripe(StripeSettings(**known, base_url=url))
        options: dict[str, Any] = {"database": database_url, "providers": {"stripe": provider}}
        with Gateway(**options) as gateway:
            for order in range(20):
                card = Card("stripe", emulator.store_card())
                gateway.contracts.create(Customer(f"cus_{order}"), GOLD, card, contract_id=f"con_{order}")
        states: list[ChargeState] = []

        async def pay(gateway: AsyncGateway, order: int) -> None:
            charge = await gateway.charges.create(f"con_{order}", Money(500, "JPY"), consent="form")
            states.append(charge.state)

        async def main() -> None:
            paced = HttpSettings(requests_per_second=10, connect_timeout=2, read_timeout=2)
            async with (
                AsyncGateway(**options, waiting=Waiting(in_flight=2), http=paced) as gateway,
                anyio.create_task_group() as tasks,
            ):
                for order in range(20):
                    tasks.start_soon(pay, gateway, order)

        anyio.run(main, backend=backend)

    assert states == [ChargeState.SUCCEEDED] * 20


@pytest.mark.rule("R-280")
def test_an_attempt_whose_process_died_is_settled_when_its_claim_is_over_and_not_before(scene: Scene) -> None:
    def die(_request: Any) -> None:
        raise Killed

    scene.stripe.first = die
    with pytest.raises(Killed):
        scene.gateway.charges.create("con_1", Money(500, "JPY"), consent="form")
    (charge,) = [one for one in scene.gateway.charges.list(contract_id="con_1") if one.open]
    scene.clock.advance(seconds=119)
    early = scene.gateway.billing.reconcile()
    scene.clock.advance(seconds=1)
    late = scene.gateway.billing.reconcile()

    assert (early.still_open, late.settled) == ((charge.id,), (charge.id,))
    assert scene.gateway.charges.get(charge.id).failure == Failure(
        message="the provider knows nothing of it", sent=False
    )


@pytest.mark.rule("R-280")
def test_refunds_that_were_written_down_together_are_each_claimed_when_they_are_sent(scene: Scene) -> None:
    """The last of many is sent long after all of them were written down, and nobody ends it meanwhile."""
    for _ in range(3):
        scene.clock.advance(minutes=5)
        scene.gateway.charges.create("con_1", Money(700, "JPY"), consent="form")
    scene.stripe.first = lambda _request: scene.clock.advance(seconds=100)
    scene.gateway.contracts.cancel_and_refund("con_1", include_addons=True)

    states = [refund.state for refund in scene.gateway.refunds.list(contract_id="con_1")]
    assert states == [RefundState.DONE] * 4


@pytest.mark.rule("R-280")
def test_a_refund_that_somebody_ended_before_its_turn_is_not_sent(scene: Scene) -> None:
    scene.clock.advance(minutes=5)
    scene.gateway.charges.create("con_1", Money(700, "JPY"), consent="form")
    sent = []

    def reconcile_meanwhile(request: Any) -> None:
        sent.append(request.refund_id)
        if len(sent) == 1:
            scene.clock.advance(seconds=121)
            with Gateway(**scene.options) as other:
                other.billing.reconcile()

    scene.stripe.first = reconcile_meanwhile
    with pytest.raises(RefundFailed):
        scene.gateway.contracts.cancel_and_refund("con_1", include_addons=True)

    known = {refund.id: refund for refund in scene.gateway.refunds.list(contract_id="con_1")}
    unsent = [refund for refund in known.values() if refund.id not in sent]
    assert [refund.failure.sent for refund in unsent if refund.failure] == [False]
    assert len(scene.stripe.book.refunds) == len(sent)


@pytest.mark.rule("R-283")
def test_a_refund_that_may_still_be_sent_cannot_be_resolved(scene: Scene) -> None:
    def resolve_meanwhile(request: Any) -> None:
        with Gateway(**scene.options) as other, pytest.raises(OperationNotAllowed, match="may still be sent"):
            other.refunds.resolve(request.refund_id, succeeded=False, note="console, 12:10")

    (sale,) = scene.gateway.ledger.list(contract_id="con_1")
    scene.stripe.first = resolve_meanwhile
    refund = scene.gateway.refunds.create(sale.id, Money(100, "JPY"))

    assert refund.state is RefundState.DONE


@pytest.mark.rule("R-280", "R-282")
def test_a_subscription_is_asked_for_by_one_host_at_a_time_whatever_their_clocks_say(database_url: str) -> None:
    asked, go_on, provider = threading.Event(), threading.Event(), FakeStripe(renewals="provider")

    class Held(FakeStripe):
        async def start_recurring(self, request: Any) -> Any:
            asked.set()
            assert go_on.wait(20)
            return await provider.start_recurring(request)

    held = Held(renewals="provider")
    with (
        Gateway(database=database_url, providers={"stripe": held}) as here,
        Gateway(database=database_url, providers={"stripe": provider}, clock=Ahead(3)) as there,
    ):
        made: list[Any] = []
        sender = threading.Thread(
            target=lambda: made.append(
                here.contracts.create(
                    Customer("cus_1"), GOLD, Card("stripe", "tok_1"), contract_id="con_1", idempotency_key="signup-1"
                )
            )
        )
        sender.start()
        assert asked.wait(10)
        report = there.billing.reconcile()
        go_on.set()
        sender.join(20)

        assert report.subscriptions == ()
        assert report.subscriptions_open == ("con_1",)
    assert len(provider.subscriptions) == 1


def test_a_manual_clock_rules_the_claims_too(scene: Scene) -> None:
    with scene.gateway._services.store.read() as session:
        assert session.instant() == scene.clock.now()


@pytest.mark.rule("R-282")
def test_the_database_s_clock_is_not_the_host_s_wrong_one(database_url: str) -> None:
    with (
        Gateway(database=database_url, providers={"stripe": FakeStripe()}, clock=Ahead(60)) as gateway,
        gateway._services.store.read() as session,
    ):
        wrong_by = gateway.clock.now() - session.instant()

    assert dt.timedelta(minutes=59) < wrong_by < dt.timedelta(minutes=61)


@pytest.mark.rule("R-280")
@pytest.mark.parametrize("seconds", [0, -1])
def test_a_claim_that_leaves_no_time_to_send_is_refused_when_the_gateway_is_opened(seconds: int) -> None:
    with pytest.raises(ConfigurationError, match="in_flight"):
        Waiting(in_flight=seconds)


class Hung:
    """An observer that does not come back before it is let go."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.reached, self.go_on = threading.Event(), threading.Event()
        self.hangs = False

    @hookimpl
    def on_charge_success(self, notice: Any) -> None:
        self.heard.append(notice.charge.id)
        if self.hangs:
            self.reached.set()
            assert self.go_on.wait(20)


@pytest.mark.rule("R-282")
@pytest.mark.parametrize("minutes", [6, -6])
def test_another_host_s_clock_does_not_end_the_claim_on_a_notice(database_url: str, minutes: int) -> None:
    """The lease of five minutes would be over by that clock, and the customer would get the mail twice."""
    provider, here_hears, there_hears = FakeStripe(), Hung(), Hung()
    here_hears.hangs = True
    with (
        Gateway(database=database_url, providers={"stripe": provider}, plugins=[here_hears]) as here,
        Gateway(
            database=database_url, providers={"stripe": provider}, plugins=[there_hears], clock=Ahead(minutes)
        ) as there,
    ):
        sender = threading.Thread(
            target=lambda: here.contracts.create(Customer("cus_1"), GOLD, Card("stripe", "tok_1"), contract_id="con_1")
        )
        sender.start()
        assert here_hears.reached.wait(10)
        meanwhile = there.billing.deliver()
        here_hears.go_on.set()
        sender.join(20)
        here.billing.deliver()

        assert (meanwhile.delivered, len(here_hears.heard), there_hears.heard) == (0, 1, [])


@pytest.mark.rule("R-282")
@pytest.mark.parametrize("minutes", [6, -6])
def test_what_a_host_with_a_wrong_clock_writes_is_told_at_once(database_url: str, minutes: int) -> None:
    hears = Hung()
    with Gateway(
        database=database_url, providers={"stripe": FakeStripe()}, plugins=[hears], clock=Ahead(minutes)
    ) as gateway:
        gateway.contracts.create(Customer("cus_1"), GOLD, Card("stripe", "tok_1"), contract_id="con_1")

        assert len(hears.heard) == 1
