"""The kit's shop: it calls a provider as paygate does, reads the answers as paygate reads them, and remembers all it saw."""

from __future__ import annotations

import hashlib
import inspect
import logging
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

import attrs

from ...clock import business_date
from ...errors import ConfigurationError, OutcomeUnknown, PaygateError, ProviderUnavailable, Refused
from ...flow import Flow
from ...money import EXPONENTS, Money
from ...provider import (
    AmountRange,
    Capabilities,
    ChargeRequest,
    ChargeResult,
    CheckoutRequest,
    Found,
    LookupRequest,
    Outcome,
    ProviderEvent,
    RefundRequest,
    RefundResult,
    SubscriptionRequest,
    SubscriptionStart,
    Webhook,
)
from .case import CaseFailed
from .world import World

__all__ = ["A_WHILE", "Answer", "Heard", "Shop"]

R = TypeVar("R")
T = TypeVar("T")

#: Seconds after which whatever a provider does by itself has happened, and late lists know of it.
A_WHILE = 1800.0


@attrs.frozen
class Answer(Generic[R]):
    """What became of one charge or refund, in paygate's words.

    :param error: what the hook raised, if it did.
    :param sent: how many requests it took.
    """

    outcome: Outcome
    result: R | None = None
    error: BaseException | None = None
    sent: int = 0

    def __str__(self) -> str:
        said = f" ({type(self.error).__name__}: {self.error})" if self.error else ""
        return f"{self.outcome.name}{said}"


@attrs.frozen
class Heard:
    """One delivery, and what the plugin read in it: events, or the error that it raised."""

    webhook: Webhook
    events: tuple[ProviderEvent, ...] = ()
    error: Exception | None = None


class _Log(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(logging.Formatter().format(record))


class Shop:
    """One seller with one account at the provider of *world*. Numbers its attempts, so that every run is the same.

    ``seen`` holds every result and error that came back, ``heard`` every delivery, read when it was due.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.seen: list[object] = []
        self.heard: list[Heard] = []
        self._numbers = 0
        self._capabilities: Capabilities | None = None

    @property
    def capabilities(self) -> Capabilities:
        """What the provider declares; asked once, as paygate does."""
        if self._capabilities is None:
            self._capabilities = self.world.provider.capabilities()
        return self._capabilities

    # --- requests ----------------------------------------------------------------------------------------------------

    def new_id(self) -> str:
        """32 hexadecimal digits that no earlier call gave."""
        self._numbers += 1
        return hashlib.sha256(b"conformance %d" % self._numbers).hexdigest()[:32]

    @property
    def currency(self) -> str:
        """Yen where they are declared, else the first declared currency."""
        amounts = self.capabilities.amounts
        return "JPY" if "JPY" in amounts else next(iter(amounts))

    def amount(self, currency: str | None = None) -> Money:
        """An ordinary amount within the declared limits, other than those before."""
        self._numbers += 1
        currency = currency or self.currency
        limits = self.capabilities.amounts.get(currency, AmountRange())
        wanted = max(limits.minimum, 10 * 10 ** EXPONENTS[currency]) + 2 * self._numbers
        return Money(min(wanted, limits.maximum) if limits.maximum is not None else wanted, currency)

    def attempt(self, amount: Money | None = None, *, card: str | None = None, key: str | None = None) -> ChargeRequest:
        """A charge to be made now, with the metadata that paygate sends."""
        charge_id = self.new_id()
        return ChargeRequest(
            charge_id=charge_id,
            key=key or self.capabilities.idempotency.key_for(charge_id),
            amount=self.amount() if amount is None else amount,
            credential=card or self.world.store_card(),
            metadata={"paygate_charge": charge_id, "paygate_contract": self.new_id()},
            description="Gold, one month",
            requested_at=self.world.clock.now(),
        )

    def refund_attempt(self, charge: ChargeResult, amount: Money, charged: Money) -> RefundRequest:
        """A refund of *charge* to be made now."""
        refund_id = self.new_id()
        return RefundRequest(
            refund_id=refund_id,
            key=self.capabilities.idempotency.key_for(refund_id),
            amount=amount,
            charge_reference=charge.reference or "no-reference",
            charged=charged,
            reason="one item returned",
            metadata={"paygate_refund": refund_id},
            requested_at=self.world.clock.now(),
        )

    def subscription(self, *, card: str | None = None, months: int = 1) -> SubscriptionStart:
        """A subscription to be started today."""
        contract_id = self.new_id()
        return SubscriptionStart(
            contract_id=contract_id,
            key=self.capabilities.idempotency.key_for(contract_id),
            credential=card or self.world.store_card(),
            price=self.amount(),
            months=months,
            starts_on=business_date(self.world.clock.now()),
            description="Gold",
            email="hanako@example.com",
            metadata={"paygate_contract": contract_id},
            requested_at=self.world.clock.now(),
        )

    def checkout_request(self) -> CheckoutRequest:
        """A checkout to be begun now."""
        checkout_id = self.new_id()
        return CheckoutRequest(
            checkout_id=checkout_id,
            key=self.capabilities.idempotency.key_for(checkout_id),
            customer_id="cus_42",
            email="hanako@example.com",
            return_url="https://shop.example/cards/done",
            cancel_url="https://shop.example/cards",
            metadata={"paygate_checkout": checkout_id, "order": checkout_id},
        )

    # --- hooks -------------------------------------------------------------------------------------------------------

    def has(self, hook: str) -> bool:
        """Whether the provider answers *hook* by code of its own."""
        from ...provider import Provider  # noqa: PLC0415 - only here

        found = getattr(self.world.provider, hook, None)
        return found is not None and getattr(found, "__func__", found) is not getattr(Provider, hook, None)

    def flow(self, hook: str, **arguments: Any) -> Flow[Any]:
        """The flow of *hook*.

        :raises CaseFailed: the provider has no such hook, or it is not ``async``.
        """
        function = getattr(self.world.provider, hook, None)
        if function is None:
            raise CaseFailed(f"the provider has no hook {hook}")
        if not inspect.iscoroutinefunction(function):
            raise CaseFailed(f"the hook {hook} is not 'async def'")
        flow: Flow[Any] = function(**arguments)
        return flow

    def ask(self, hook: str, **arguments: Any) -> Any:
        """Call *hook* by the driver; raises what it raises."""
        flow = self.flow(hook, **arguments)
        try:
            answer = self.world.run(flow)
        except Exception as exc:
            self.seen.append(exc)
            raise
        self.seen.append(answer)
        return answer

    def charge(self, request: ChargeRequest | None = None) -> Answer[ChargeResult]:
        """Charge, and read the answer as paygate does.

        :raises CaseFailed: the hook answered or raised what no hook may.
        """
        return self._attempt("charge", ChargeResult, request or self.attempt())

    def refund(self, request: RefundRequest) -> Answer[RefundResult]:
        """Refund; see :meth:`charge`."""
        return self._attempt("refund", RefundResult, request)

    def find_charge(self, attempt: ChargeRequest, reference: str | None = None) -> ChargeResult | None:
        """What a look-up finds; None: nothing."""
        return self._find("find_charge", ChargeResult, LookupRequest(attempt, reference))

    def find_refund(self, attempt: RefundRequest, reference: str | None = None) -> RefundResult | None:
        """What a look-up finds; None: nothing."""
        return self._find("find_refund", RefundResult, LookupRequest(attempt, reference))

    def receive(self, webhook: Webhook) -> list[ProviderEvent]:
        """Hand a delivery to the provider."""
        events = self.ask("parse_webhook", webhook=webhook)
        if not isinstance(events, list) or not all(isinstance(event, ProviderEvent) for event in events):
            raise CaseFailed(f"parse_webhook answered {events!r}, not a list of ProviderEvent")
        return events

    def hear(self) -> None:
        """Let the deliveries that are due arrive. What reading them raises is kept for :meth:`events`."""
        if not self.capabilities.webhooks:
            return
        for webhook in self.world.deliveries():
            try:
                self.heard.append(Heard(webhook, tuple(self.receive(webhook))))
            except Exception as exc:  # noqa: BLE001 - raised where somebody asks for the events
                self.heard.append(Heard(webhook, error=exc))

    def events(self, since: int = 0) -> list[ProviderEvent]:
        """The events of all deliveries so far.

        :param since: how many deliveries to leave out, oldest first.
        :raises CaseFailed: the plugin could not read one of them.
        """
        self.hear()
        for one in self.heard[since:]:
            if one.error is not None:
                raise CaseFailed(f"an authentic delivery raised {type(one.error).__name__}: {one.error}") from one.error
        return [event for one in self.heard[since:] for event in one.events]

    def own_subscription(self, start: SubscriptionStart, reference: str | None) -> SubscriptionRequest:
        """The request that ends, stops or resumes the subscription *start*."""
        ends_on = business_date(self.world.clock.now())
        return SubscriptionRequest(start.contract_id, start.credential, ends_on, reference)

    # --- money -------------------------------------------------------------------------------------------------------

    def captured(self) -> tuple[Money, ...]:
        """The charges that really moved money, oldest first."""
        book = self.world.book
        return tuple(row.amount for row in book.captures) if book is not None else ()

    def refunded(self) -> tuple[Money, ...]:
        """The refunds that really moved money, oldest first."""
        book = self.world.book
        return tuple(row.amount for row in book.refunds) if book is not None else ()

    def settle(self, seconds: float = A_WHILE) -> None:
        """Let so much time pass that everything a provider does by itself has happened."""
        self.hear()
        self.world.pass_time(seconds)
        self.hear()

    @contextmanager
    def listening(self) -> Generator[list[str], None, None]:
        """Every log line of every library while it lasts, down to DEBUG."""
        heard, root, ours = _Log(), logging.getLogger(), logging.getLogger("paygate")
        levels = root.level, ours.level
        root.addHandler(heard)
        root.setLevel(logging.DEBUG)
        ours.setLevel(logging.DEBUG)
        try:
            yield heard.lines
        finally:
            root.removeHandler(heard)
            root.setLevel(levels[0])
            ours.setLevel(levels[1])

    def _attempt(self, hook: str, kind: type[R], request: object) -> Answer[R]:
        before = self.world.sent
        try:
            result = self.ask(hook, request=request)
        except ProviderUnavailable as exc:
            return Answer(Outcome.NOT_SENT, None, exc, self.world.sent - before)
        except OutcomeUnknown as exc:
            return Answer(Outcome.UNKNOWN, None, exc, self.world.sent - before)
        except (ConfigurationError, Refused) as exc:
            sent = self.world.sent - before
            return Answer(Outcome.UNKNOWN if sent else Outcome.NOT_SENT, None, exc, sent)
        except PaygateError as exc:
            raise CaseFailed(
                f"{hook} raised {type(exc).__name__} ({exc}); a decline is an answer, not an error"
            ) from exc
        except CaseFailed:
            raise
        except Exception as exc:
            raise CaseFailed(f"{hook} raised {type(exc).__name__}: {exc}; a hook raises only paygate's errors") from exc
        if not isinstance(result, kind):
            raise CaseFailed(f"{hook} answered {type(result).__name__}, not {kind.__name__}")
        return Answer(result.outcome, result, None, self.world.sent - before)  # type: ignore[attr-defined]

    def _find(self, hook: str, kind: type[R], request: LookupRequest) -> R | None:
        found = self.ask(hook, request=request)
        if not isinstance(found, Found) or not isinstance(found.result, kind | None):
            raise CaseFailed(f"{hook} answered {found!r}, not Found({kind.__name__} or None)")
        return found.result
