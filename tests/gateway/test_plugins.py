"""Plugins: dispatch to exactly one account, and loud failure for what is misspelt or missing (design §5)."""

from __future__ import annotations

import datetime as dt
import types

import attrs
import pytest

from paygate import Card, ChargeState, Customer, Gateway, Money, Plan, Provider, hookimpl
from paygate.domain.ledger import EntryKind
from paygate.errors import (
    CapabilityNotSupported,
    ChargeDeclined,
    ConfigurationError,
    InvalidAmount,
    InvalidValue,
    OutcomeUnknown,
    PluginError,
    ProviderUnavailable,
)
from paygate.flow import Request, Response, send
from paygate.plugins import discovery
from paygate.provider import (
    Capabilities,
    ChargeRequest,
    ChargeResult,
    Lookup,
    RefundPolicy,
    RefundResult,
    Renewals,
    StartedSubscription,
    SubscriptionStart,
)
from paygate.testing import FakeStripe

PLAN = Plan.one_off("Course", Money(1000, "JPY"))


class Acme(Provider):
    """The smallest provider."""

    def capabilities(self) -> Capabilities:
        return Capabilities("Acme")

    async def charge(self, request: ChargeRequest) -> ChargeResult:
        return ChargeResult.succeeded(f"acme-{request.charge_id}")


def gateway(**options) -> Gateway:
    return Gateway(database="sqlite://", **options)


def test_the_smallest_provider_charges_and_refuses_what_it_does_not_declare():
    with gateway(providers={"acme": Acme()}) as shop:
        contract = shop.contracts.create(Customer("c"), PLAN, Card("acme", "tok"))
        charge = shop.charges.create(contract.id, Money(5, "JPY"), consent="yes")
        refund = shop.refunds.create(charge.id)

        assert charge.state is ChargeState.SUCCEEDED
        assert refund.by_hand
        assert shop.refunds.dues()[0].kind is EntryKind.MANUAL_REFUND_DUE
        with pytest.raises(CapabilityNotSupported):
            shop.webhooks.receive("acme", {}, b"{}")
        with pytest.raises(CapabilityNotSupported):
            shop.providers.ping("acme")


def test_a_charge_reaches_exactly_one_of_two_accounts_of_one_provider():
    tokyo, osaka = FakeStripe(), FakeStripe()
    with gateway(providers={"tokyo": tokyo, "osaka": osaka}) as shop:
        shop.contracts.create(Customer("c"), PLAN, Card("osaka", "pm_1"))

    assert (len(tokyo.calls), len(osaka.calls)) == (0, 1)


def test_a_module_with_hook_implementations_is_a_provider():
    module = types.ModuleType("acme")
    acme = Acme()

    @hookimpl
    def capabilities():
        return Capabilities("Acme")

    @hookimpl
    async def charge(request):
        return await acme.charge(request)

    module.capabilities, module.charge = capabilities, charge
    with gateway(providers={"acme": module}) as shop:
        assert shop.contracts.create(Customer("c"), PLAN, Card("acme", "tok")).status.value == "ESTABLISHED"


def test_a_plugin_may_wrap_a_provider_hook():
    class Tracer:
        def __init__(self) -> None:
            self.seen: list[str] = []

        @hookimpl(wrapper=True)
        def charge(self, request):
            flow = yield
            self.seen.append(request.charge_id)
            return flow

    tracer = Tracer()
    with gateway(providers={"acme": Acme()}, plugins=[tracer]) as shop:
        shop.contracts.create(Customer("c"), PLAN, Card("acme", "tok"))

    assert len(tracer.seen) == 1


class Misspelt(Acme):
    async def refnd(self, request):
        return RefundResult.succeeded("r")


class MisspeltSync(Acme):
    def capabilites(self):
        return Capabilities("Acme")


class NotAsync(Acme):
    def charge(self, request):
        return ChargeResult.succeeded("a")


class Overpromising(Acme):
    def capabilities(self):
        return Capabilities("Acme", refunds=RefundPolicy.PARTIAL)


class Unfindable(Acme):
    def capabilities(self):
        return Capabilities("Acme", lookup=Lookup.EVENTUAL)


class Startless(Acme):
    def capabilities(self):
        return Capabilities("Acme", renewals=Renewals.PROVIDER, starts_subscriptions=True)

    async def stop_recurring(self, request): ...
    async def end_recurring(self, request): ...
    async def resume_recurring(self, request): ...


class Pageless(Acme):
    def capabilities(self):
        return Capabilities("Acme", checkout=True)

    async def begin_checkout(self, request): ...


class Chatty(Acme):
    def capabilities(self):
        return {"name": "Acme"}


class Mute(Provider):
    pass


@pytest.mark.parametrize(
    ("provider", "says"),
    [
        (Misspelt(), "refnd is no hook.*'refund'"),
        (MisspeltSync(), "capabilites is no hook.*'capabilities'"),
        (NotAsync(), "'charge' must be 'async def'"),
        (Overpromising(), "needs the hook 'refund'"),
        (Unfindable(), "needs the hook 'find_charge'"),
        (Startless(), "needs the hook 'start_recurring'"),
        (Pageless(), "needs the hook 'complete_checkout'"),
        (Chatty(), "answered dict, not Capabilities"),
        (Mute(), "no hook 'capabilities'"),
        (Acme, "is a class"),
    ],
)
def test_what_is_misspelt_or_missing_fails_loudly_when_the_gateway_opens(provider, says):
    with pytest.raises(PluginError, match=says):
        gateway(providers={"acme": provider})


def test_a_misspelt_observer_hook_fails_loudly():
    class Observer:
        @hookimpl
        def on_charge_sucess(self, notice):
            """Nobody would ever call this."""

    with pytest.raises(PluginError, match="on_charge_sucess"):
        gateway(providers={}, plugins=[Observer()])


def test_an_observer_hook_with_a_wrong_argument_fails_loudly():
    class Observer:
        @hookimpl
        def on_refund(self, refund):
            """The argument is called notice."""

    with pytest.raises(PluginError, match="refund"):
        gateway(providers={}, plugins=[Observer()])


@pytest.mark.rule("R-203")
def test_the_one_year_limit_can_be_switched_on_for_others_and_amounts_narrowed():
    overrides = {"acme": {"charge_window_years": 1, "maximum_amount": 900, "minimum_amount": 10}}
    with gateway(providers={"acme": Acme()}, overrides=overrides) as shop:
        capabilities = shop.providers.get("acme").capabilities
        assert capabilities.charge_window_years == 1
        with pytest.raises(InvalidAmount, match="10 JPY to 900 JPY"):
            shop.contracts.create(Customer("c"), PLAN, Card("acme", "tok"))


@pytest.mark.parametrize(
    "overrides",
    [
        {"acme": {"charge_windw_years": 1}},
        {"acme": {"maximum_amount": "many"}},
        {"acme": {"maximum_amount": True}},
        {"other": {"maximum_amount": 1}},
    ],
)
def test_wrong_capability_settings_are_errors(overrides):
    with pytest.raises(ConfigurationError):
        gateway(providers={"acme": Acme()}, overrides=overrides)


def test_a_limit_cannot_be_widened_beyond_the_providers_own():
    with pytest.raises(ConfigurationError, match="99,999,999"):
        gateway(providers={"stripe": FakeStripe()}, overrides={"stripe": {"maximum_amount": 100_000_000}})


def test_plugins_are_listed_without_being_loaded_and_named_when_they_are_missing():
    names = {plugin.name: plugin for plugin in discovery.available()}

    assert names["univapay"].distribution == "paygate-univapay"
    assert names["fake-stripe"].value == "paygate.testing.fakes:FakeStripe"
    with pytest.raises(PluginError, match="did you mean 'univapay'"):
        discovery.load("univapai")
    with pytest.raises(PluginError, match="pip install paygate-zeus"):
        discovery.load("zeus")
    with pytest.raises(PluginError, match="no_such_module"):
        discovery.load("no_such_module.acme")
    assert discovery.load("json:JSONDecoder").__name__ == "JSONDecoder"


def test_a_flow_that_awaits_something_foreign_is_an_unknown_outcome_not_a_hang(caplog):
    import asyncio

    class Foreign(Acme):
        async def charge(self, request):
            await asyncio.sleep(0)
            return ChargeResult.succeeded("a")

    with gateway(providers={"acme": Foreign()}) as shop, pytest.raises(Exception, match="not known"):
        shop.contracts.create(Customer("c"), PLAN, Card("acme", "tok"))
    assert "paygate.flow" in caplog.text


def test_an_answer_of_the_wrong_type_is_an_unknown_outcome():
    class Wrong(Acme):
        async def charge(self, request):
            return "ok"

    with gateway(providers={"acme": Wrong()}) as shop:
        with pytest.raises(Exception, match="not known"):
            shop.contracts.create(Customer("c"), PLAN, Card("acme", "tok"))
        assert shop.charges.list().first().failure.message == "the plugin answered str, not ChargeResult"


def test_a_hook_that_a_provider_does_not_have_refuses_instead_of_pretending():
    with pytest.raises(CapabilityNotSupported, match="Acme has no hook 'ping'"):
        Acme().ping().send(None)
    with pytest.raises(CapabilityNotSupported, match="Provider has no hook 'capabilities'"):
        Provider().capabilities()


def test_only_a_provider_that_owns_the_renewals_can_say_that_paygate_starts_them():
    with pytest.raises(InvalidValue, match=r"Renewals\.PROVIDER"):
        Capabilities("Acme", starts_subscriptions=True)


START = SubscriptionStart("con_1", "k", "tok_1", Money(1000, "JPY"), 1, dt.date(2026, 2, 1))


class Starting(Startless):
    """Sends something, and then goes on like *outcome*."""

    def __init__(self, outcome):
        self.outcome = outcome

    async def start_recurring(self, request):
        await send(Request("POST", "https://api.acme.example/subscriptions"))
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


@pytest.mark.parametrize(
    ("outcome", "error"),
    [
        (StartedSubscription("sub_1"), None),
        (ChargeDeclined("no"), ChargeDeclined),
        (ProviderUnavailable("down"), ProviderUnavailable),
        (InvalidValue("the card is unknown"), OutcomeUnknown),
        (ConfigurationError("wrong key"), OutcomeUnknown),
        (KeyError("id"), OutcomeUnknown),
        (StartedSubscription(""), OutcomeUnknown),
        (None, OutcomeUnknown),
    ],
)
def test_a_start_that_reached_the_provider_ends_as_known_declined_or_unknown(outcome, error):
    mounts = {"https://api.acme.example": lambda _request: Response(200)}
    with gateway(providers={"acme": Starting(outcome)}, mounts=mounts) as shop:
        flow = shop.providers.get("acme").start_recurring(START)
        if error is None:
            assert shop.run(flow) == outcome
        else:
            with pytest.raises(error):
                shop.run(flow)


def test_subscriptions_of_a_provider_that_starts_none_are_refused_with_nothing_sent():
    acme = Acme()
    with gateway(providers={"acme": acme}) as shop, pytest.raises(CapabilityNotSupported, match="nothing was sent"):
        shop.run(shop.providers.get("acme").start_recurring(START))


def test_an_account_shows_its_name_and_type_only():
    @attrs.frozen
    class Settings:
        key: str

    with gateway(providers={"acme": Acme()}) as shop:
        assert repr(shop.providers.get("acme")) == "<Account 'acme' (Acme)>"
