"""The kit's own tools: the line that breaks, the search for secrets, the watch, and what a shop makes of answers."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time

import attrs
import pytest

from paygate.drivers import Lost, NotSent
from paygate.errors import (
    ChargeDeclined,
    ConfigurationError,
    InvalidValue,
    OutcomeUnknown,
    PaygateError,
    ProviderUnavailable,
)
from paygate.flow import Request, Response, send
from paygate.provider import Capabilities, ChargeRequest, ChargeResult, Found, LookupRequest, Outcome, Provider, Webhook
from paygate.testing import FakeAmazonPay, FakeStripe
from paygate.testing.conformance import CaseFailed, NotApplicable, ProviderConformance
from paygate.testing.conformance.canaries import CARD_NUMBER, NAMES, found_in, planted
from paygate.testing.conformance.faked import Faked
from paygate.testing.conformance.runner import suite_for
from paygate.testing.conformance.shop import Shop
from paygate.testing.conformance.watch import watched_calls
from paygate.testing.conformance.wire import UNKNOWN_WORD, On, Strike, Trouble, When, Wire, strikes
from paygate.testing.conformance.world import Bare, Emulated, Setup, World
from paygate.testing.emulators import CardKind, Wish, WishKind

from .acme import Acme, AcmeEmulator

POST = Request("POST", "https://api.acme.test/charges")
GET = Request("GET", "https://api.acme.test/charges")


class Counter:
    """A stand-in that counts what reached it."""

    def __init__(self) -> None:
        self.reached = 0

    def __call__(self, request: Request) -> Response:
        self.reached += 1
        return Response(201, {}, b'{"id":"ch_1","status":"paid","list":[{"state":"open"},1]}')


# --- the line --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("trouble", "when"), [(one, when) for one in Trouble for when in one.moments], ids=str)
def test_a_trouble_strikes_on_its_side_of_the_effect(trouble: Trouble, when: When) -> None:
    counter = Counter()
    wire = Wire(counter)
    wire.break_by(Strike(trouble, when))
    answer: object
    try:
        answer = wire(POST)
    except (Lost, NotSent) as exc:
        answer = exc

    assert counter.reached == (when is When.AFTER)
    assert answer != Counter()(POST)
    assert wire.struck == 1


def test_each_trouble_looks_like_itself() -> None:
    shown = {}
    for trouble in (one for one in Trouble if one not in {Trouble.TIMEOUT, Trouble.RESET, Trouble.REFUSED}):
        wire = Wire(Counter())
        wire.break_by(Strike(trouble, trouble.moments[-1]))
        answer = wire(POST)
        shown[trouble] = answer.status, answer.body[:12]

    assert shown == {
        Trouble.ERROR: (500, b'{"message":"'),
        Trouble.HTML: (200, b"<!DOCTYPE ht"),
        Trouble.TRUNCATED: (201, b'{"id":"ch_1"'),
        Trouble.RATE_LIMITED: (429, b""),
        Trouble.EMPTY: (200, b""),
        Trouble.WRONG_TYPE: (200, b'["nothing", '),
        Trouble.UNKNOWN_STATUS: (201, b'{"id": "ch_1'),
    }


def test_an_undocumented_status_replaces_every_status_and_nothing_else() -> None:
    wire = Wire(Counter())
    wire.break_by(Strike(Trouble.UNKNOWN_STATUS))

    content = json.loads(wire(POST).body)

    assert content == {"id": "ch_1", "status": UNKNOWN_WORD, "list": [{"state": UNKNOWN_WORD}, 1]}


@pytest.mark.parametrize(
    ("body", "seen"), [(b"", b""), (b"SuccessOK", UNKNOWN_WORD.encode()), (b'{"id":1}', b'{"id":1}')], ids=str
)
def test_an_answer_without_a_status_is_changed_only_where_it_is_a_text(body: bytes, seen: bytes) -> None:
    wire = Wire(lambda _request: Response(200, {}, body))
    wire.break_by(Strike(Trouble.UNKNOWN_STATUS))

    assert wire(POST).body == seen


def test_a_strike_hits_only_its_kind_of_request_and_once_if_it_says_so() -> None:
    counter = Counter()
    wire = Wire(counter)
    wire.break_by(Strike(Trouble.EMPTY, When.BEFORE, On.WRITES, once=True))
    struck = [wire(request).body == b"" for request in (GET, POST, POST)]
    wire.break_by(Strike(Trouble.EMPTY, When.BEFORE, On.READS))
    struck += [wire(request).body == b"" for request in (POST, GET, GET)]
    wire.break_by(None)

    assert struck == [False, True, False, False, True, True]
    assert wire(GET).body != b""
    assert len(wire.requests) == len(wire.exchanges) == 7


def test_every_strike_says_what_it_is() -> None:
    told = {str(strike) for trouble in Trouble for strike in strikes(trouble)}

    assert len(told) == sum(len(strikes(trouble)) for trouble in Trouble)
    assert "HTTP 500, after the effect, on the first of requests that change something" in told


# --- canaries --------------------------------------------------------------------------------------------------------


def test_hundreds_of_fields_are_planted_in_every_object() -> None:
    content = json.loads(planted(Response(200, {}, b'{"id":"1","list":[{"id":"2"}],"cvc":"kept"}')).body)

    assert len(NAMES) > 250
    assert set(NAMES) <= set(content)
    assert set(NAMES) <= set(content["list"][0])
    assert (content["id"], content["cvc"]) == ("1", "kept")


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>"])
def test_what_is_no_object_is_left_alone(body: bytes) -> None:
    assert planted(Response(200, {}, body)).body == body


@pytest.mark.parametrize(
    "shown",
    [
        CARD_NUMBER,
        " ".join(["4242"] * 4),
        "-".join(["4242"] * 4),
        CARD_NUMBER.translate({ord(d): ord(d) + 0xFEE0 for d in "0123456789"}),
    ],
    ids=["plain", "blanks", "dashes", "full width"],
)
def test_a_card_number_is_found_in_every_writing(shown: str) -> None:
    assert found_in([f"refused: {shown}."], []) == ["a card number"]


def test_a_secret_and_a_canary_are_found_without_being_repeated() -> None:
    canary = next(
        value for value in json.loads(planted(Response(200, {}, b"{}")).body).values() if "canary" in str(value)
    )

    found = found_in([f"key=hush-hush {canary}"], ["hush-hush", ""])

    assert found == ["a secret of 9 characters", "the value planted in the field 'card_number'"]
    assert found_in(["nothing of interest"], ["hush-hush"]) == []


# --- the watch -------------------------------------------------------------------------------------------------------


def test_the_watch_sees_sockets_processes_and_sleep() -> None:
    with watched_calls() as calls:
        with pytest.raises(ConnectionError, match="refused"), socket.socket() as probe:
            probe.connect(("127.0.0.1", 1))
        subprocess.run([sys.executable, "-c", ""], check=True)
        time.sleep(3600)

    assert calls == ["opened a connection", "started a process", "slept for real"]


def test_the_watch_looks_at_its_own_thread_only() -> None:
    done = threading.Event()

    def elsewhere() -> None:
        time.sleep(0.001)
        done.set()

    with watched_calls() as calls:
        other = threading.Thread(target=elsewhere)
        other.start()
        other.join()

    assert done.is_set()
    assert calls == []


# --- the shop --------------------------------------------------------------------------------------------------------


class Scripted(Provider):
    """Answers, or raises, what it was made with; perhaps after a request."""

    def __init__(self, answer: object, *, sends: bool = False) -> None:
        self.answer, self.sends = answer, sends

    def capabilities(self) -> Capabilities:
        return Capabilities("Scripted")

    async def charge(self, request: ChargeRequest) -> ChargeResult:
        if self.sends:
            await send(POST)
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer  # type: ignore[return-value]

    async def find_charge(self, request: LookupRequest) -> Found:
        return self.answer  # type: ignore[return-value]

    async def parse_webhook(self, webhook: Webhook) -> list:  # type: ignore[type-arg]
        return self.answer  # type: ignore[return-value]


def shop(answer: object, *, sends: bool = False) -> Shop:
    return suite_for(Scripted(answer, sends=sends))().shop


@pytest.mark.parametrize(
    ("answer", "sends", "outcome"),
    [
        (ChargeResult.succeeded("1"), True, Outcome.SUCCEEDED),
        (ProviderUnavailable("away"), True, Outcome.NOT_SENT),
        (OutcomeUnknown("lost"), True, Outcome.UNKNOWN),
        (ConfigurationError("no key"), False, Outcome.NOT_SENT),
        (ConfigurationError("wrong key"), True, Outcome.UNKNOWN),
        (InvalidValue("no card"), False, Outcome.NOT_SENT),
    ],
    ids=str,
)
def test_a_shop_reads_answers_as_paygate_does(answer: object, sends: bool, outcome: Outcome) -> None:
    assert shop(answer, sends=sends).charge().outcome is outcome


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (ChargeDeclined("no"), "a decline is an answer, not an error"),
        (PaygateError("what"), "raised PaygateError"),
        (KeyError("id"), "a hook raises only paygate's errors"),
        (None, "answered NoneType, not ChargeResult"),
    ],
    ids=str,
)
def test_a_shop_complains_of_what_no_hook_may_do(answer: object, complaint: str) -> None:
    with pytest.raises(CaseFailed, match=complaint):
        shop(answer).charge()


def test_a_shop_complains_of_answers_of_another_kind() -> None:
    strange = shop("found")

    with pytest.raises(CaseFailed, match="not Found"):
        strange.find_charge(strange.attempt())
    with pytest.raises(CaseFailed, match="not a list of ProviderEvent"):
        strange.receive(Webhook({}, b""))
    with pytest.raises(CaseFailed, match="no hook fly"):
        strange.flow("fly")
    with pytest.raises(CaseFailed, match="not 'async def'"):
        strange.flow("capabilities")


def test_a_delivery_that_cannot_be_read_is_told_when_events_are_asked_for() -> None:
    class Unreadable(Acme):
        async def parse_webhook(self, webhook: Webhook) -> list:  # type: ignore[type-arg]
            raise ValueError("no JSON")

    suite = suite_for(Unreadable, emulator=AcmeEmulator)()
    suite.shop.charge()
    suite.shop.settle()

    with pytest.raises(CaseFailed, match="an authentic delivery raised ValueError"):
        suite.shop.events()


# --- worlds ----------------------------------------------------------------------------------------------------------


def bare() -> World:
    return Bare(Setup(Acme))


@pytest.mark.parametrize(
    "act",
    [
        lambda world: world.store_card(CardKind.PENDING),
        lambda world: world.wish(Wish(WishKind.DECLINE), credential="card"),
        lambda world: world.approve("ch_1"),
        lambda world: world.decline_renewals("card", 1),
        lambda world: world.renew(Shop(world).subscription(), declined=False),
    ],
    ids=["card", "wish", "approve", "decline", "renew"],
)
def test_a_bare_world_says_what_it_cannot_show(act) -> None:
    with pytest.raises(NotApplicable, match="not applicable: "):
        act(bare())


def test_a_bare_world_makes_settings_up_and_delivers_nothing() -> None:
    world = bare()

    assert len(world.secrets) == 2
    assert world.deliveries() == []
    assert repr(world.provider.settings).find("canary") == -1


def test_an_emulated_world_needs_an_emulator() -> None:
    with pytest.raises(ValueError, match="needs an emulator"):
        Emulated(Setup(Acme))


def test_requests_to_other_places_fail_the_case() -> None:
    class Elsewhere(Acme):
        async def ping(self) -> str:
            await send(Request("GET", "https://somewhere.test/"))
            return ""

    suite = suite_for(Elsewhere, emulator=AcmeEmulator)()

    with pytest.raises(AssertionError, match="a place that its emulator does not stand for"):
        suite.shop.ask("ping")


def test_an_event_loop_that_is_not_installed_is_said_to_be() -> None:
    suite = suite_for(Acme, emulator=AcmeEmulator)()

    with pytest.raises(NotApplicable, match="curio is not installed"):
        suite.world.run_on("curio", suite.shop.flow("ping"))


def test_a_fake_says_which_troubles_it_cannot_show() -> None:
    world = Faked(Setup(FakeStripe))

    with pytest.raises(NotApplicable, match="no line on which to show HTTP 500"):
        world.break_line(Strike(Trouble.ERROR))
    with pytest.raises(NotApplicable, match="does not lose the answer of parse_webhook"):
        world.break_line(Strike(Trouble.TIMEOUT), "parse_webhook")
    with pytest.raises(NotApplicable, match="no error state"):
        world.wish(Wish(WishKind.ERROR), credential="tok")


def test_a_fake_does_as_wished() -> None:
    world = Faked(Setup(FakeAmazonPay))
    outcomes = []
    for kind in (WishKind.SUCCEED, WishKind.DECLINE, WishKind.ACTION, WishKind.PENDING):
        card = world.store_card()
        world.wish(Wish(kind), credential=card)
        outcomes.append(
            Shop(world).charge(attrs.evolve(Shop(world).attempt(), credential=card, key=kind.value)).outcome
        )

    assert outcomes == [Outcome.SUCCEEDED, Outcome.DECLINED, Outcome.PENDING, Outcome.PENDING]


def test_a_suite_without_its_provider_says_what_is_missing() -> None:
    with pytest.raises(AttributeError, match="provider"):
        ProviderConformance().new_world()
