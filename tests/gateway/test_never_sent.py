"""Never sent is not unknown: what the driver put on the wire decides about an attempt that failed, and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from paygate import AsyncGateway, Card, Customer, Gateway, Money, Plan, hookimpl
from paygate.drivers import HttpSettings, Lost, NotSent
from paygate.errors import (
    CapabilityNotSupported,
    ConfigurationError,
    InvalidValue,
    OutcomeUnknown,
    PaygateError,
    PluginError,
    ProviderUnavailable,
)
from paygate.flow import Replay, Request, Response, call, send
from paygate.provider import (
    Capabilities,
    ChargeRequest,
    ChargeResult,
    CredentialRequest,
    DeclineClass,
    Found,
    Lookup,
    LookupRequest,
    Outcome,
    Provider,
    RefundPolicy,
    RefundRequest,
    RefundResult,
    Renewals,
    SubscriptionPayment,
    SubscriptionRequest,
    SubscriptionStart,
    Webhook,
)

API = "https://api.acme.example"
KEY = f"sk_{'live'}_4eC39HqLyjWDarjtT1zdp7dc"
AMOUNT = Money(500, "JPY")
REQUEST = ChargeRequest("c" * 32, "k" * 32, AMOUNT, "tok")
REFUND = RefundRequest("r" * 32, "k" * 32, AMOUNT, "ch_1", AMOUNT)
START = SubscriptionStart("con_1", "k", "tok_1", AMOUNT, 1, dt.date(2026, 2, 1))
STOP = SubscriptionRequest("con_1", "k", "tok_1")
NEW_CARD = SubscriptionPayment("con_1", "tok_1", "tok_2")
STORED = CredentialRequest("tok_1")


class Acme(Provider):
    """Does *steps*, then ends as *ending* says: raises it, or returns it."""

    def __init__(self, *steps, ending=None) -> None:
        self.steps, self.ending = steps, ending

    def capabilities(self) -> Capabilities:
        return Capabilities(
            "Acme",
            refunds=RefundPolicy.PARTIAL,
            lookup=Lookup.AUTHORITATIVE,
            refund_lookup=Lookup.AUTHORITATIVE,
            webhooks=True,
            checkout=True,
            renewals=Renewals.PROVIDER,
            starts_subscriptions=True,
            changes_recurring_payment=True,
            describes_cards=True,
            revokes_cards=True,
        )

    async def _work(self):
        for step in self.steps:
            await step()
        if isinstance(self.ending, BaseException):
            raise self.ending
        return self.ending

    async def charge(self, request):
        return await self._work()

    async def refund(self, request):
        return await self._work()

    async def find_charge(self, request):
        return await self._work()

    async def find_refund(self, request):
        return await self._work()

    async def parse_webhook(self, webhook):
        return await self._work()

    async def begin_checkout(self, request):
        return await self._work()

    async def complete_checkout(self, reference):
        return await self._work()

    async def start_recurring(self, request):
        return await self._work()

    async def stop_recurring(self, request):
        return await self._work()

    async def end_recurring(self, request):
        return await self._work()

    async def resume_recurring(self, request):
        return await self._work()

    async def change_recurring_payment(self, request):
        return await self._work()

    async def describe_card(self, request):
        return await self._work()

    async def revoke_card(self, request):
        return await self._work()

    async def ping(self):
        return await self._work()


async def read():
    await send(Request("GET", f"{API}/customers"))


async def search():
    """A read that its provider wants as a POST."""
    await send(Request("POST", f"{API}/search", replay=Replay.SAFE))


async def write():
    await send(Request("POST", f"{API}/charges", body=b"{}"))


async def write_badly():
    await send(Request("POST", f"{API}/charges", {"authorization": "Bearer secret\n"}))


async def write_nowhere():
    await send(Request("POST", f"{API}/down"))


async def write_and_lose():
    await send(Request("POST", f"{API}/lost"))


async def read_nowhere():
    await send(Request("GET", f"{API}/down"))


async def swallow_bad_write():
    try:
        await write_badly()
    except PaygateError as exc:
        raise OutcomeUnknown("something went wrong") from exc


async def block():
    await call(lambda: None)


def acme_network(request: Request) -> Response:
    if request.url.endswith("/down"):
        raise NotSent("no route")
    if request.url.endswith("/lost"):
        raise Lost("vanished")
    if any("\n" in value for value in request.headers.values()):
        raise AssertionError("the network never sees that")
    return Response(200, body=b"{}")


def shop_of(provider: Provider, **options) -> Gateway:
    mounts = {f"{API}/{path}": acme_network for path in ("customers", "search", "down", "lost", "charges/ok")}
    options.setdefault("mounts", mounts)
    options.setdefault("http", HttpSettings(retries=0, connect_timeout=1))
    return Gateway(database="sqlite://", providers={"acme": provider}, **options)


def everything(provider: Provider) -> Gateway:
    return shop_of(provider, mounts={API: acme_network})


@pytest.mark.rule("R-304")
@pytest.mark.parametrize("ending", [ConfigurationError("wrong key"), InvalidValue("the card is unknown")])
@pytest.mark.parametrize("steps", [(), (read,), (search, read)], ids=["nothing", "read", "search"])
def test_a_typed_refusal_before_anything_that_counts_was_sent_is_not_sent(steps, ending):
    with everything(Acme(*steps, ending=ending)) as shop:
        charged = shop.run(shop.providers.get("acme").charge(REQUEST))
        refunded = shop.run(shop.providers.get("acme").refund(REFUND))

    assert (charged.outcome, refunded.outcome) == (Outcome.NOT_SENT, Outcome.NOT_SENT)
    assert str(ending) in charged.message
    assert charged.decline is (DeclineClass.CONFIG if isinstance(ending, ConfigurationError) else None)


@pytest.mark.rule("R-304")
@pytest.mark.parametrize(
    "ending", [ConfigurationError("wrong key"), InvalidValue("bad"), KeyError("id"), OutcomeUnknown("lost")]
)
@pytest.mark.parametrize("steps", [(write,), (read, write), (write, read), (block,)])
def test_after_something_that_may_have_moved_money_it_is_unknown(steps, ending):
    with everything(Acme(*steps, ending=ending)) as shop:
        assert shop.run(shop.providers.get("acme").charge(REQUEST)).outcome is Outcome.UNKNOWN
        assert shop.run(shop.providers.get("acme").refund(REFUND)).outcome is Outcome.UNKNOWN
        with pytest.raises(OutcomeUnknown):
            shop.run(shop.providers.get("acme").start_recurring(START))


@pytest.mark.rule("R-304")
def test_a_plugin_s_bug_after_reading_alone_is_not_sent_and_names_its_kind(caplog):
    with everything(Acme(read, ending=KeyError("4111111111111111"))) as shop:
        result = shop.run(shop.providers.get("acme").charge(REQUEST))
        with pytest.raises(PluginError, match="nothing was sent"):
            shop.run(shop.providers.get("acme").start_recurring(START))

    assert (result.outcome, "KeyError" in result.message) == (Outcome.NOT_SENT, True)
    assert "4111111111111111" not in result.message + caplog.text


@pytest.mark.rule("R-304")
def test_a_plugin_that_never_asked_its_driver_for_anything_proves_nothing_by_failing():
    """It may have spoken to its provider behind the driver's back."""
    with everything(Acme(ending=KeyError("id"))) as shop:
        assert shop.run(shop.providers.get("acme").charge(REQUEST)).outcome is Outcome.UNKNOWN


@pytest.mark.rule("R-304")
@pytest.mark.parametrize("step", [write_badly, write_nowhere, swallow_bad_write])
def test_a_request_that_the_driver_could_not_send_is_not_sent_whatever_the_plugin_makes_of_it(step):
    with shop_of(Acme(read, step, ending=None)) as shop:
        account = shop.providers.get("acme")
        charged, refunded = shop.run(account.charge(REQUEST)), shop.run(account.refund(REFUND))
        with pytest.raises((ProviderUnavailable, InvalidValue)):
            shop.run(account.start_recurring(START))

    assert (charged.outcome, refunded.outcome) == (Outcome.NOT_SENT, Outcome.NOT_SENT)
    assert "secret" not in charged.message
    if step is not write_nowhere:
        assert "header 'authorization'" in charged.message, "the driver's own text"


@pytest.mark.rule("R-304")
def test_an_unknown_that_a_plugin_answers_although_nothing_left_is_not_sent():
    async def shrug():
        with contextlib.suppress(PaygateError):
            await write_badly()

    with shop_of(Acme(shrug, ending=ChargeResult.unknown("who knows"))) as shop:
        assert shop.run(shop.providers.get("acme").charge(REQUEST)).outcome is Outcome.NOT_SENT
    with shop_of(Acme(read, ending=ChargeResult.unknown("an earlier one is there", reference="ch_1"))) as shop:
        assert shop.run(shop.providers.get("acme").charge(REQUEST)).outcome is Outcome.UNKNOWN


@pytest.mark.rule("R-304")
def test_that_a_later_look_found_no_connection_says_nothing_about_what_was_sent_before():
    with everything(Acme(write, read_nowhere)) as shop:
        account = shop.providers.get("acme")
        assert shop.run(account.charge(REQUEST)).outcome is Outcome.UNKNOWN
        with pytest.raises(OutcomeUnknown):
            shop.run(account.start_recurring(START))
    with everything(Acme(write, ending=ProviderUnavailable("429 is its word that nothing was done"))) as shop:
        assert shop.run(shop.providers.get("acme").charge(REQUEST)).outcome is Outcome.NOT_SENT


@pytest.mark.rule("R-304", "R-306")
@pytest.mark.parametrize("status", [401, 403])
def test_an_account_that_is_refused_has_sent_nothing_if_its_plugin_says_so(status):
    """As the new plugin project does it: the status decides."""
    refused = ConfigurationError("acme: the api_key is refused; set PAYGATE_ACME_API_KEY")
    mounts = {API: lambda _: Response(status)}
    with shop_of(Acme(read, write, ending=refused), mounts=mounts) as shop:
        account = shop.providers.get("acme")
        charged = shop.run(account.charge(REQUEST))
        with pytest.raises(ConfigurationError, match="api_key"):
            shop.run(account.start_recurring(START))
    assert (charged.outcome, charged.decline) == (Outcome.NOT_SENT, DeclineClass.CONFIG)

    for steps, ending in (((write, write), refused), ((write,), KeyError("x")), ((write,), InvalidValue("x"))):
        with shop_of(Acme(*steps, ending=ending), mounts=mounts) as shop:
            assert shop.run(shop.providers.get("acme").charge(REQUEST)).outcome is Outcome.UNKNOWN


@pytest.mark.rule("R-304")
@pytest.mark.parametrize(("method", "outcome"), [("GET", Outcome.NOT_SENT), ("POST", Outcome.UNKNOWN)])
def test_a_mounted_handler_that_fails_may_have_done_what_it_was_asked_to(method, outcome):
    def broken(_: Request) -> Response:
        raise KeyError("the handler's own bug")

    async def ask():
        await send(Request(method, f"{API}/charges"))

    with shop_of(Acme(ask), mounts={API: broken}) as shop:
        assert shop.run(shop.providers.get("acme").charge(REQUEST)).outcome is outcome


@pytest.mark.rule("R-304")
def test_blocking_work_says_by_itself_that_nothing_was_sent():
    def refused():
        raise ProviderUnavailable("acme: no connection")

    def failed():
        raise TimeoutError

    for function, outcome in ((refused, Outcome.NOT_SENT), (failed, Outcome.UNKNOWN)):

        async def vendor(function=function):
            await call(function)

        with everything(Acme(vendor)) as shop:
            assert shop.run(shop.providers.get("acme").charge(REQUEST)).outcome is outcome


@pytest.mark.rule("R-304")
def test_a_lost_answer_stays_unknown():
    with everything(Acme(write_and_lose)) as shop:
        assert shop.run(shop.providers.get("acme").charge(REQUEST)).outcome is Outcome.UNKNOWN


@pytest.mark.rule("R-304")
def test_over_a_real_line_that_is_down_a_contract_is_not_blocked():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    class Down(Acme):
        async def charge(self, request):
            await send(Request("POST", f"http://127.0.0.1:{port}/charges", body=b"{}"))
            raise AssertionError

    with Gateway(
        database="sqlite://", providers={"acme": Down()}, http=HttpSettings(retries=0, connect_timeout=1)
    ) as shop:
        with pytest.raises(ProviderUnavailable, match="nothing was sent"):
            shop.contracts.create(Customer("c"), Plan.one_off("Course", AMOUNT), Card("acme", "tok"))
        assert shop.charges.list().first().failure.sent is False


# --- nothing but paygate's own errors


HOOKS = {
    "find_charge": lambda account: account.find_charge(LookupRequest(REQUEST)),
    "find_refund": lambda account: account.find_refund(LookupRequest(REFUND)),
    "parse_webhook": lambda account: account.parse_webhook(Webhook({}, b"{}")),
    "complete_checkout": lambda account: account.complete_checkout("cs_1"),
    "begin_checkout": lambda account: account.begin_checkout(None),
    "start_recurring": lambda account: account.start_recurring(START),
    "stop_recurring": lambda account: account.stop_recurring(STOP),
    "end_recurring": lambda account: account.end_recurring(STOP),
    "resume_recurring": lambda account: account.resume_recurring(STOP),
    "change_recurring_payment": lambda account: account.change_recurring_payment(NEW_CARD),
    "describe_card": lambda account: account.describe_card(STORED),
    "revoke_card": lambda account: account.revoke_card(STORED),
    "ping": lambda account: account.ping(),
}


@pytest.mark.rule("R-305")
@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("steps", [(), (read,), (write,)], ids=["nothing", "read", "write"])
@pytest.mark.parametrize("trouble", [KeyError(KEY), ZeroDivisionError(), RecursionError()])
def test_whatever_a_plugin_raises_leaves_its_account_as_an_error_of_paygate_s(hook, steps, trouble, caplog):
    with everything(Acme(*steps, ending=trouble)) as shop, pytest.raises(PaygateError) as caught:
        shop.run(HOOKS[hook](shop.providers.get("acme")))

    assert type(trouble).__name__ in str(caught.value)
    assert KEY not in str(caught.value) + caplog.text
    assert caught.value.__context__ is None
    if steps == (write,):
        assert isinstance(caught.value, OutcomeUnknown)


@pytest.mark.rule("R-305")
@pytest.mark.parametrize("hook", ["find_charge", "find_refund", "parse_webhook", "complete_checkout", "begin_checkout"])
@pytest.mark.parametrize("answer", [None, "ok", 7, [None]])
def test_whatever_else_a_plugin_answers_leaves_its_account_as_an_error_of_paygate_s(hook, answer):
    with everything(Acme(ending=answer)) as shop, pytest.raises(PluginError, match=hook):
        shop.run(HOOKS[hook](shop.providers.get("acme")))


@pytest.mark.rule("R-305")
def test_a_look_up_that_answers_another_kind_of_result_is_an_error():
    other = Acme(ending=Found(RefundResult.succeeded("re_1")))
    with everything(other) as shop, pytest.raises(PluginError, match="find_charge"):
        shop.run(shop.providers.get("acme").find_charge(LookupRequest(REQUEST)))
    other = Acme(ending=Found(ChargeResult.succeeded("ch_1")))
    with everything(other) as shop, pytest.raises(PluginError, match="find_refund"):
        shop.run(shop.providers.get("acme").find_refund(LookupRequest(REFUND)))


@pytest.mark.rule("R-305")
@pytest.mark.parametrize("hook", ["charge", *HOOKS])
def test_a_plugin_that_wraps_a_hook_and_fails_before_its_flow_begins_is_no_exception_to_that(hook):
    class Wrapper:
        pass

    def failing(self, **_arguments):
        raise KeyError("before the flow")
        yield

    names = {"complete_checkout": "self, reference", "parse_webhook": "self, webhook", "ping": "self"}
    scope: dict = {}
    exec(f"def wrap({names.get(hook, 'self, request')}):\n    raise KeyError('early')\n    yield", scope)
    setattr(Wrapper, hook, hookimpl(wrapper=True)(scope["wrap"]))
    with shop_of(Acme(ending=None), plugins=[Wrapper()]) as shop:
        account = shop.providers.get("acme")
        if hook == "charge":
            assert shop.run(account.charge(REQUEST)).outcome is Outcome.UNKNOWN
        else:
            with pytest.raises(PaygateError):
                shop.run(HOOKS[hook](account))


def test_what_an_account_does_not_declare_is_refused_as_before():
    class Plain(Provider):
        def capabilities(self):
            return Capabilities("Plain")

        async def charge(self, request):
            return ChargeResult.succeeded("a")

    with Gateway(database="sqlite://", providers={"acme": Plain()}) as shop, pytest.raises(CapabilityNotSupported):
        shop.run(shop.providers.get("acme").find_charge(LookupRequest(REQUEST)))


# --- event loops


class Yes(BaseHTTPRequestHandler):
    """Says yes to everything, on connections that it keeps."""

    protocol_version = "HTTP/1.1"
    timeout = 5

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.mark.rule("R-302")
@pytest.mark.parametrize("client", ["httpx", "aiohttp"])
def test_one_async_gateway_charges_in_one_asyncio_run_after_the_other(tmp_path, monkeypatch, client):
    if client == "httpx":
        monkeypatch.setitem(sys.modules, "httpx_aiohttp", None)

    with ThreadingHTTPServer(("127.0.0.1", 0), Yes) as server:
        port = server.server_port
        threading.Thread(target=server.serve_forever, args=(0.05,)).start()

        class Wire(Acme):
            async def charge(self, request):
                await send(Request("POST", f"http://127.0.0.1:{port}/charges", body=b"{}"))
                return ChargeResult.succeeded(f"ch_{request.charge_id}", amount=request.amount)

        shop = AsyncGateway(database=f"sqlite:///{tmp_path / 'shop.db'}", providers={"acme": Wire()})

        async def job(number):
            contract = await shop.contracts.create(
                Customer(f"c{number}"), Plan.one_off("Course", AMOUNT), Card("acme", f"tok{number}")
            )
            return contract.status.value

        assert [asyncio.run(job(number)) for number in range(3)] == ["ESTABLISHED"] * 3
        asyncio.run(shop.aclose())
        server.shutdown()
