"""A gateway over the four fakes on both databases, run as Gateway and as AsyncGateway."""

from __future__ import annotations

import asyncio
import datetime as dt
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest
import trio

from paygate import (
    JST,
    AsyncGateway,
    Card,
    Contract,
    Customer,
    Cycle,
    Gateway,
    MailSet,
    Money,
    Plan,
    StepMailPlan,
    hookimpl,
)
from paygate.domain.charge import Charge
from paygate.errors import OutcomeUnknown
from paygate.provider import (
    ChargeResult,
    EventKind,
    ProviderEvent,
    StartedSubscription,
    SubscriptionRequest,
    SubscriptionStart,
    Webhook,
)
from paygate.testing import FakeAmazonPay, FakeStripe, FakeTelecom, FakeUnivaPay, ManualClock

PLAN = Plan.recurring("Gold", Money(3000, "JPY"), Cycle.MONTHLY)
ONE_OFF = Plan.one_off("Course", Money(12_000, "JPY"))
MAILS = (
    StepMailPlan("thanks", MailSet.ON_RENEWAL, delay=300, subject="Thank you"),
    StepMailPlan("welcome", MailSet.ON_PAYMENT_COMPLETE, delay=0, subject="Welcome"),
)


class Observer:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, Any]] = []
        self.veto: str | None = None

    @hookimpl
    def before_charge(self, proposal: Any) -> str | None:
        return self.veto

    @hookimpl
    def on_charge_success(self, notice: Any) -> None:
        self.heard.append(("success", notice))

    @hookimpl
    def on_charge_failure(self, notice: Any) -> None:
        self.heard.append(("failure", notice))

    @hookimpl
    def on_refund(self, notice: Any) -> None:
        self.heard.append(("refund", notice))

    @hookimpl
    def on_step_mail_due(self, notice: Any) -> None:
        self.heard.append(("mail", notice))

    @hookimpl
    def on_contract_notice(self, notice: Any) -> None:
        self.heard.append(("notice", notice))

    @hookimpl
    def on_operator_action_required(self, notice: Any) -> None:
        self.heard.append(("operator", notice))

    def of(self, kind: str) -> list[Any]:
        return [notice for name, notice in self.heard if name == kind]


class Killed(KeyboardInterrupt):
    """The process dies here: no handler in the way may see it."""


class Renewing(FakeStripe):
    """A Stripe that charges the renewals by subscriptions of its own, and breaks when it is told to."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock=clock, renewals="provider")
        #: what happens to the next calls that start or stop a subscription, instead of an answer
        self.trouble: list[Callable[[], Any]] = []
        self.acts_first = False

    async def start_recurring(self, request: SubscriptionStart) -> StartedSubscription:
        if not self.trouble:
            return await super().start_recurring(request)
        if self.acts_first:
            await super().start_recurring(request)
        return self.trouble.pop()()  # type: ignore[no-any-return]

    async def stop_recurring(self, request: SubscriptionRequest) -> None:
        if self.trouble:
            self.trouble.pop()()
        await super().stop_recurring(request)


class Puzzling(FakeTelecom):
    """A Telecom whose notices about renewals cannot be read."""

    async def parse_webhook(self, webhook: Webhook) -> list[ProviderEvent]:
        answer = ChargeResult.unknown("30 JPY instead of 3,000", reference="rel-1")
        return [
            attrs.evolve(event, charge=answer) if event.kind is EventKind.RENEWAL else event
            for event in await super().parse_webhook(webhook)
        ]


def fails_with(error: BaseException) -> Callable[[], Any]:
    """Trouble: the provider's code raises *error*."""

    def fail() -> Any:
        raise error

    return fail


@attrs.define
class World:
    """One shop: gateway, clock, fakes, observer. Its helpers read like the sentences of a test."""

    gateway: Any
    clock: ManualClock
    univapay: FakeUnivaPay
    telecom: FakeTelecom
    stripe: FakeStripe
    amazonpay: FakeAmazonPay
    observer: Observer
    url: str
    options: dict[str, Any]
    plan: Plan = PLAN
    one_off: Plan = ONE_OFF

    def reopen(self) -> None:
        """Another process opens the same database with the same providers."""
        self.gateway.close()
        self.gateway = Gateway(**self.options)

    def deliver(self, account: str) -> None:
        """The provider's notices arrive."""
        for notice in self.fake(account).notifications():
            self.gateway.webhooks.receive(account, notice.headers, notice.body)

    def fake(self, account: str) -> Any:
        return getattr(self, account)

    def contract(
        self, account: str = "stripe", plan: Plan | None = None, customer: str = "cus_1", token: str = ""
    ) -> Contract:
        """A paid contract; afterwards its first payment's result has come and the fakes' calls start from nothing."""
        plan = plan or (ONE_OFF if account == "amazonpay" else PLAN)
        card = Card(account, token or f"tok_{account}_{customer}")
        number = sum(1 for _ in self.gateway.contracts.list())
        contract_id = f"con_{number}"
        try:
            self.gateway.contracts.create(
                Customer(customer, "山田花子", f"{customer}@example.com"), plan, card, contract_id=contract_id,
                started_elsewhere=account == "telecom" and plan.is_recurring,
            )  # fmt: skip
        except OutcomeUnknown:  # a provider whose results come by notice alone
            self.clock.advance(minutes=1)
            self.deliver(account)
        self.clock.advance(minutes=1)
        self.fake(account).notifications()
        self.fake(account).calls.clear()
        self.observer.heard.clear()
        made: Contract = self.gateway.contracts.get(contract_id)
        return made

    def charge(self, contract: Contract, amount: int = 5000, **options: Any) -> Charge:
        options = {"consent": "phone, 2026-01-15", **options}
        charge: Charge = self.gateway.charges.create(contract.id, Money(amount, "JPY"), **options)
        return charge

    def settled(self, contract: Contract, amount: int = 5000, **options: Any) -> Charge:
        """A charge whose result has come."""
        charge: Charge = self.gateway.charges.wait(self.charge(contract, amount, **options).id, timeout=300)
        return charge


class Blocking:
    """An AsyncGateway that is driven to the end of each call, so that one test reads the same for both faces."""

    def __init__(self, target: Any, run: Callable[[Any], Any]) -> None:
        self._target = target
        self._run = run

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._target, name)
        if inspect.iscoroutinefunction(value):
            return lambda *args, **kwargs: self._run(lambda: value(*args, **kwargs))
        if inspect.ismethod(value):  # lists are made at once and read while somebody iterates
            return lambda *args, **kwargs: self._listed(value(*args, **kwargs))
        return Blocking(value, self._run) if type(value).__module__.startswith("paygate.gateway") else value

    def _listed(self, value: Any) -> Any:
        return self._run(value.all) if hasattr(value, "all") else value


def _asyncio(function: Callable[[], Any]) -> Any:
    async def main() -> Any:
        return await function()

    return asyncio.run(main())


FACES = {"sync": None, "asyncio": _asyncio, "trio": trio.run}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(dt.datetime(2026, 1, 15, 12, 0, tzinfo=JST))


@pytest.fixture
def world(database_url: str, clock: ManualClock) -> Iterator[World]:
    yield from _world(database_url, clock, "sync")


@pytest.fixture
def renewing(database_url: str, clock: ManualClock) -> Iterator[World]:
    """The world, with a Stripe that charges the renewals by subscriptions of its own."""
    yield from _world(database_url, clock, "sync", Renewing(clock))


@pytest.fixture(params=["sync", "asyncio", "trio"])
def renewing_faces(request: pytest.FixtureRequest, clock: ManualClock) -> Iterator[World]:
    """The same behind each face, in memory."""
    yield from _world("sqlite://", clock, request.param, Renewing(clock))


@pytest.fixture(params=["sync", "asyncio", "trio"])
def faces(request: pytest.FixtureRequest, clock: ManualClock) -> Iterator[World]:
    """The world behind each face, in memory."""
    yield from _world("sqlite://", clock, request.param)


@pytest.fixture
def puzzling(clock: ManualClock) -> Iterator[World]:
    """The world, with a Telecom that cannot be understood."""
    yield from _world("sqlite://", clock, "sync", telecom=Puzzling(clock=clock))


def _world(
    url: str,
    clock: ManualClock,
    face: str,
    stripe: FakeStripe | None = None,
    telecom: FakeTelecom | None = None,
) -> Iterator[World]:
    fakes = {
        "univapay": FakeUnivaPay(clock=clock),
        "telecom": telecom or FakeTelecom(clock=clock),
        "stripe": stripe or FakeStripe(clock=clock),
        "amazonpay": FakeAmazonPay(clock=clock),
    }
    observer = Observer()
    options: dict[str, Any] = {
        "database": url, "providers": fakes, "plugins": [observer], "clock": clock, "step_mails": MAILS,
    }  # fmt: skip
    run = FACES[face]
    if run is None:
        with Gateway(**options) as gateway:
            world = World(gateway, clock, observer=observer, url=url, options=options, **fakes)
            yield world
            world.gateway.close()
    else:
        target = AsyncGateway(**options)
        yield World(Blocking(target, run), clock, observer=observer, url=url, options=options, **fakes)
        run(target.aclose)
