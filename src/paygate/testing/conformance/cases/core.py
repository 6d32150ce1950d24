"""CORE, first part: what a plugin declares, and that it keeps quiet about what it does not."""

from __future__ import annotations

import inspect
import string

from ....errors import InvalidValue
from ....flow import ForeignAwait
from ....money import EXPONENTS
from ....plugins.manager import Plugins
from ....provider import Capabilities, IdempotencyKind, Lookup, RefundPolicy, Results
from ..base import Cases
from ..case import NotApplicable, case
from ..needs import Need
from ..watch import watched_calls

__all__ = ["Declarations"]

_HEX = set("0123456789abcdef")
_PRINTABLE = set(string.printable) - set("\t\n\r\x0b\x0c")


class Declarations(Cases):
    """Capabilities as a value, and hooks as declared."""

    @case(
        "CORE-01",
        claim="capabilities() answers one Capabilities value, and the same each time",
        why="paygate asks once and decides by it from then on; an answer that changes makes every later decision wrong.",
        fix="Return a module constant. What depends on settings is worked out in __init__ and kept.",
    )
    def test_capabilities_are_one_value_that_never_changes(self) -> None:
        first = self.world.provider.capabilities()
        self.expect(
            isinstance(first, Capabilities), f"capabilities() answered {type(first).__name__}, not Capabilities"
        )
        for _ in range(3):
            self.world.pass_time(86_400)
            self.expect(self.world.provider.capabilities() == first, "capabilities() answered something else later")
        self.expect(self.world.fresh().capabilities() == first, "another instance with the same settings differs")

    @case(
        "CORE-02",
        claim="capabilities() neither sends, nor opens, nor waits",
        why="It is called while a gateway opens, before anybody has asked for a payment, and in the console's lists.",
        fix="Declare constants. If a limit has to be asked of the provider, make it a setting of the account.",
    )
    def test_capabilities_do_no_input_or_output(self) -> None:
        with watched_calls() as calls:
            declared = self.world.provider.capabilities()
        self.expect(not inspect.isawaitable(declared), "capabilities() is 'async def'; make it a plain function")
        self.expect(not calls, f"capabilities() did this: {', '.join(calls)}")
        self.expect(self.world.sent == 0, "capabilities() sent a request")

    @case(
        "CORE-03",
        claim="paygate loads the provider: every declared capability has its hook, and every hook is spelt right",
        why="A misspelt hook is never called; a declared one that is missing fails on the day it is needed.",
        fix="Do what the message of the error says; helpers of your own begin with an underscore.",
    )
    def test_paygate_loads_it(self) -> None:
        account = Plugins({"conformance": self.world.provider}).account("conformance")
        self.expect(account.capabilities == self.capabilities, "the loaded account declares something else")

    @case(
        "CORE-04",
        claim="every hook that is not declared refuses, with nothing sent",
        why="Whoever calls it has read 'not supported' and relies on nothing happening.",
        fix="Remove the method, so that the base class refuses, or raise CapabilityNotSupported first thing.",
    )
    def test_what_is_not_declared_refuses_with_nothing_sent(self) -> None:
        undeclared = [need for need in Need if need.hooks and not need.declared(self.capabilities)]
        if not undeclared:
            raise NotApplicable("everything is declared")
        for need in undeclared:
            self.refuses(need)

    @case(
        "CORE-05",
        claim="the declared amounts make sense: known currencies, whole limits, the smallest below the largest",
        why="paygate refuses amounts by these limits before anything is sent; nonsense refuses everything or nothing.",
        fix="Give minor units: AmountRange(minimum=50, maximum=99_999_999) for yen is 50 yen to 99,999,999 yen.",
    )
    def test_declared_amounts_make_sense(self) -> None:
        amounts = self.capabilities.amounts
        self.expect(amounts, "no currency is declared")
        for currency, limits in amounts.items():
            self.expect(currency in EXPONENTS, f"{currency} is no currency that paygate knows")
            for limit in (limits.minimum, *(() if limits.maximum is None else (limits.maximum,))):
                self.expect(type(limit) is int and limit > 0, f"{currency}: {limit!r} is no whole, positive amount")
            self.expect(
                limits.maximum is None or limits.minimum <= limits.maximum, f"{currency}: the smallest is the largest"
            )

    @case(
        "CORE-06",
        claim="the declared keys make sense: characters that a header can hold, long enough to be unique, a window",
        why="Keys are made from the declared alphabet and length; two attempts with one key are one payment.",
        fix="Declare what the provider documents: IdempotencyKind, window in seconds, max_length, alphabet.",
        needs=Need.KEYS,
    )
    def test_declared_keys_can_tell_attempts_apart(self) -> None:
        keys = self.capabilities.idempotency
        self.expect(set(keys.alphabet) <= _PRINTABLE, "the alphabet has characters that a header cannot hold")
        self.expect(keys.window is None or keys.window > 0, f"a window of {keys.window} seconds remembers nothing")
        try:
            made = {keys.key_for(self.shop.new_id()) for _ in range(500)}
        except InvalidValue as exc:
            self.expect(False, str(exc))
        else:
            self.expect(len(made) == 500, "500 attempts do not get 500 keys")
            self.expect(
                all(0 < len(key) <= keys.max_length and set(key) <= set(keys.alphabet) for key in made),
                "keys are made that are too long or have other characters",
            )
        best_effort = keys.kind is IdempotencyKind.BEST_EFFORT
        self.expect(not best_effort or keys.header, "BEST_EFFORT needs the name of the header that tells: header='…'")

    @case(
        "CORE-07",
        claim="whatever a charge can be, there is a declared way to learn how it ended",
        why="A pending charge that neither a look-up nor a webhook ends stays open until a person finds out by hand.",
        fix="Declare the look-up or the webhooks that the provider has; POLLED needs a look-up, NOTIFIED needs webhooks.",
    )
    def test_every_result_can_become_known(self) -> None:
        declared = self.capabilities
        self.expect(declared.results, "no way is declared in which results become known")
        self.expect(
            Results.POLLED not in declared.results or declared.lookup is not Lookup.NONE,
            "results are POLLED, but there is no look-up",
        )
        self.expect(
            Results.NOTIFIED not in declared.results or declared.webhooks,
            "results are NOTIFIED, but there are no webhooks",
        )
        asynchronous = declared.refunds_asynchronous and declared.refunds is not RefundPolicy.BY_HAND
        self.expect(
            not asynchronous or declared.webhooks or declared.refund_lookup is not Lookup.NONE,
            "refunds end later, but neither a look-up of refunds nor webhooks are declared",
        )
        self.expect(
            declared.duplicate_window is None or declared.duplicate_window > 0, "a duplicate window is a number > 0"
        )

    @case(
        "CORE-08",
        claim="no hook awaits anything but paygate.flow, blocks, or does input and output of its own",
        why="The same code runs in threads, on asyncio and on trio; time-outs, repeats and redaction are the driver's.",
        fix="await send(Request(…)) for HTTP, sleep(…) to wait, call(function) for a library that blocks.",
    )
    def test_hooks_await_only_flows(self) -> None:
        for hook, arguments in self.calls_of_declared_hooks():
            with watched_calls() as calls:
                try:
                    self.shop.ask(hook, **arguments)
                except ForeignAwait as exc:
                    self.expect(False, f"{hook}: {exc}")
                except Exception as exc:  # noqa: BLE001 - what a nonsensical answer leads to is another case's matter
                    self.expect(not isinstance(exc, NotImplementedError), f"{hook} is not written yet")
            self.expect(not calls, f"{hook} did this by itself: {', '.join(calls)}")
