"""One configured account: its provider's hooks, called with types, limits and honesty about outcomes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import attrs

from ..errors import (
    CapabilityNotSupported,
    ChargeDeclined,
    ConfigurationError,
    OutcomeUnknown,
    PaygateError,
    PluginError,
    ProviderUnavailable,
    Refused,
)
from ..flow import Sending, watched
from ..provider import (
    Capabilities,
    ChangedPayment,
    ChargeRequest,
    ChargeResult,
    Checkout,
    CheckoutRequest,
    CheckoutResult,
    CheckoutState,
    CredentialDescription,
    CredentialRequest,
    DeclineClass,
    Found,
    FoundPayment,
    Lookup,
    LookupRequest,
    Mode,
    Outcome,
    ProviderEvent,
    RefundPolicy,
    RefundRequest,
    RefundResult,
    Renewals,
    StartedSubscription,
    SubscriptionPayment,
    SubscriptionRequest,
    SubscriptionStart,
    Webhook,
)
from .border import Border
from .wire import TOO_LATE, Wire

__all__ = ["Account"]

logger = logging.getLogger("paygate.plugins")

#: The codes of attempts that were not sent because the plugin refused what was asked, or because it is broken.
REFUSED, FAILED = "refused", "plugin_failed"

R = TypeVar("R", ChargeResult, RefundResult)
V = TypeVar("V")


class Account:
    """A provider under the name that the configuration gives it.

    The methods are flows. ``charge`` and ``refund`` answer one of the five outcomes whatever the plugin does. Where it
    raises, the driver's word on what was sent decides (:mod:`~paygate.plugins.wire`): nothing, and the attempt was not
    sent; anything that may have moved money, and its outcome is unknown. Whatever a plugin answers or raises passes
    :mod:`~paygate.plugins.border`, so nothing but errors of paygate's leaves here.

    ``mode`` says whether it moves real money, as far as the provider or the seller told (X-24).
    """

    def __init__(
        self,
        name: str,
        type_name: str,
        capabilities: Capabilities,
        hooks: Mapping[str, Callable[..., Any]],
        mode: Mode | None = None,
        border: Border | None = None,
    ) -> None:
        self.name = name
        self.type_name = type_name
        self.capabilities = capabilities
        self.mode = mode
        self.border = border or Border(name)
        self._hooks = hooks

    def __repr__(self) -> str:
        return f"<Account {self.name!r} ({self.type_name})>"

    async def charge(
        self,
        request: ChargeRequest,
        sending: Sending | None = None,
        interrupted: Callable[[], None] | None = None,
    ) -> ChargeResult:
        """Charge; never raises for what the provider or its plugin did.

        :param sending: until when it may be sent; whatever is over by then is not sent (R-280).
        :param interrupted: called where the caller is interrupted (a cancellation, ``KeyboardInterrupt``) and certainly
            nothing was sent; the interruption is raised all the same.
        """
        return await self._attempt("charge", request, ChargeResult, sending, interrupted)

    async def refund(
        self,
        request: RefundRequest,
        sending: Sending | None = None,
        interrupted: Callable[[], None] | None = None,
    ) -> RefundResult:
        """Refund; never raises for what the provider or its plugin did; *sending*, *interrupted* as for :meth:`charge`.

        :raises CapabilityNotSupported: refunds through this provider are made by hand.
        """
        if self.capabilities.refunds is RefundPolicy.BY_HAND:
            raise CapabilityNotSupported(f"{self.name}: refunds are made by hand; nothing was sent", rule="R-249")
        return await self._attempt("refund", request, RefundResult, sending, interrupted)

    async def find_charge(self, request: LookupRequest) -> Found:
        """Look a charge up.

        :raises CapabilityNotSupported: the provider declares no look-up.
        """
        return await self._find("find_charge", self.capabilities.lookup, request, ChargeResult)

    async def find_refund(self, request: LookupRequest) -> Found:
        """Look a refund up; see :meth:`find_charge`."""
        return await self._find("find_refund", self.capabilities.refund_lookup, request, RefundResult)

    async def cancel_charge(self, request: LookupRequest) -> Found:
        """Withdraw a charge that waits for the customer; the answer is what it is now.

        :raises CapabilityNotSupported: the provider has no way to.
        """
        if not self.capabilities.cancels_charges:
            raise CapabilityNotSupported(f"{self.name}: a charge cannot be withdrawn here; nothing was sent")
        return await self._found("cancel_charge", request, ChargeResult)

    async def parse_webhook(self, webhook: Webhook) -> list[ProviderEvent]:
        """Authenticate and read a delivery.

        :raises CapabilityNotSupported: the provider sends no webhooks.
        :raises WebhookRejected: forged or malformed.
        """
        if not self.capabilities.webhooks:
            raise CapabilityNotSupported(f"{self.name}: this provider sends no webhooks; nothing was read")
        events = await self._asked("parse_webhook", webhook=webhook)
        if not isinstance(events, list | tuple) or not all(isinstance(event, ProviderEvent) for event in events):
            raise PluginError(
                f"{self.name}: parse_webhook answered {type(events).__name__}, not a list of ProviderEvent"
            )
        return [self.border.event(event) for event in events]

    async def begin_checkout(self, request: CheckoutRequest) -> Checkout:
        """Prepare a page on which a customer stores a card.

        :raises CapabilityNotSupported: the provider has no such page.
        :raises PluginError: the plugin answers something else than a checkout.
        """
        self._has_checkouts()
        checkout = await self._asked("begin_checkout", request=request)
        if not isinstance(checkout, Checkout) or not checkout.reference or not (checkout.url or checkout.client_token):
            raise PluginError(
                f"{self.name}: begin_checkout answered {type(checkout).__name__}, not a Checkout with its reference and "
                "an url or client_token"
            )
        return self.border.checkout(checkout)

    async def complete_checkout(self, reference: str) -> CheckoutResult:
        """Learn what became of a checkout; see :meth:`begin_checkout`."""
        self._has_checkouts()
        result = await self._asked("complete_checkout", reference=reference)
        if not isinstance(result, CheckoutResult):
            raise PluginError(f"{self.name}: complete_checkout answered {type(result).__name__}, not a CheckoutResult")
        if (result.state is CheckoutState.COMPLETED) != bool(result.credential):
            raise PluginError(f"{self.name}: complete_checkout gives a credential exactly where it is COMPLETED")
        return self.border.checkout_result(result)

    def _has_checkouts(self) -> None:
        if not self.capabilities.checkout:
            raise CapabilityNotSupported(
                f"{self.name}: this provider stores no cards on a page of its own; store them by its form and give the "
                "token to Card(). Nothing was sent"
            )

    async def start_recurring(self, request: SubscriptionStart, sending: Sending | None = None) -> StartedSubscription:
        """Start the provider's own subscription of a contract; *sending* as for :meth:`charge`.

        :raises CapabilityNotSupported: the provider's subscriptions, if any, start elsewhere.
        :raises ChargeDeclined: a final no.
        :raises ProviderUnavailable: certainly nothing happened; so do a ConfigurationError and a refusal of bad input.
        :raises OutcomeUnknown: there may be a subscription; whatever else a plugin raises ends here, too.
        """
        if not self.capabilities.starts_subscriptions:
            raise CapabilityNotSupported(f"{self.name}: paygate starts no subscriptions here; nothing was sent")
        if sending is not None and sending.left() <= 0:
            raise ProviderUnavailable(TOO_LATE, provider=self.name, rule="R-280")
        wire = Wire(sending)
        try:
            started = await watched(self._flow("start_recurring", request=request), wire)
        except ChargeDeclined as exc:
            clean: PaygateError = self.border.error(exc)
        except (ProviderUnavailable, ConfigurationError, Refused) as exc:
            clean = self.border.error(exc)
            if wire.doubts(exc):
                clean = OutcomeUnknown(f"{self.name}: {type(exc).__name__}: {clean}", provider=self.name)
        except OutcomeUnknown as exc:
            clean = self.border.error(exc)
            if wire.refused is not None and wire.nothing_sent:
                clean = ProviderUnavailable(self._refusal(wire), provider=self.name)
        except BaseException as exc:
            if wire.interrupts(exc):
                raise
            clean = self._failed(wire, exc)  # a bug in the plugin
        else:
            return self._started(started)
        raise clean  # out here: inside, the error behind it would come along as its context

    def _started(self, started: object) -> StartedSubscription:
        if not isinstance(started, StartedSubscription) or not started.reference:
            raise OutcomeUnknown(
                f"{self.name}: the plugin answered {type(started).__name__}, not a StartedSubscription with its reference",
                provider=self.name,
            )
        return self.border.started(started)

    async def stop_recurring(self, request: SubscriptionRequest) -> None:
        """End the provider's own subscription now.

        :raises CapabilityNotSupported: the provider owns no subscriptions.
        """
        await self._recurring("stop_recurring", request)

    async def end_recurring(self, request: SubscriptionRequest) -> None:
        """Let it charge no further renewal; see :meth:`stop_recurring`."""
        await self._recurring("end_recurring", request)

    async def resume_recurring(self, request: SubscriptionRequest) -> None:
        """Let it charge renewals again; see :meth:`stop_recurring`."""
        await self._recurring("resume_recurring", request)

    async def change_recurring_payment(self, request: SubscriptionPayment) -> ChangedPayment:
        """Charge its own subscription to another card.

        :raises CapabilityNotSupported: the provider owns no subscriptions, or takes no other card for them.
        """
        owns = self.capabilities.renewals is Renewals.PROVIDER
        if not owns or not self.capabilities.changes_recurring_payment:
            raise CapabilityNotSupported(
                f"{self.name}: this provider's subscriptions take no other card from here; nothing was sent"
            )
        return await self._typed("change_recurring_payment", ChangedPayment, request=request)

    async def describe_card(self, request: CredentialRequest) -> CredentialDescription:
        """What the provider tells about a stored card.

        :raises CapabilityNotSupported: it tells nothing.
        """
        if not self.capabilities.describes_cards:
            raise CapabilityNotSupported(
                f"{self.name}: this provider tells nothing about stored cards; nothing was sent"
            )
        return self.border.described(await self._typed("describe_card", CredentialDescription, request=request))

    async def revoke_card(self, request: CredentialRequest) -> None:
        """Have a stored card forgotten.

        :raises CapabilityNotSupported: only the provider's own screen does that.
        """
        if not self.capabilities.revokes_cards:
            raise CapabilityNotSupported(
                f"{self.name}: a stored card is not revoked from here; do it on the provider's own screen. Nothing was sent"
            )
        await self._asked("revoke_card", request=request)

    async def _typed(self, hook: str, kind: type[V], **arguments: Any) -> V:
        answer = await self._asked(hook, **arguments)
        if not isinstance(answer, kind):
            raise PluginError(f"{self.name}: {hook} answered {type(answer).__name__}, not {kind.__name__}")
        return answer

    async def _recurring(self, hook: str, request: SubscriptionRequest) -> None:
        if self.capabilities.renewals is not Renewals.PROVIDER:
            raise CapabilityNotSupported(f"{self.name}: this provider owns no subscriptions; nothing was sent")
        await self._asked(hook, request=request)

    async def ping(self) -> str:
        """Check credentials and reachability.

        :raises CapabilityNotSupported: the plugin has no ``ping``.
        """
        if "ping" not in self._hooks:
            raise CapabilityNotSupported(f"{self.name}: the plugin has no ping")
        return self.border.text(await self._asked("ping"))

    async def _find(self, hook: str, declared: Lookup, request: LookupRequest, kind: type) -> Found:
        if declared is Lookup.NONE:
            raise CapabilityNotSupported(
                f"{self.name}: nothing can be looked up; see the provider's own console and use charges.resolve"
            )
        return await self._found(hook, request, kind)

    async def _found(self, hook: str, request: LookupRequest, kind: type) -> Found:
        found = await self._asked(hook, request=request)
        if not isinstance(found, Found):
            raise PluginError(f"{self.name}: {hook} answered {type(found).__name__}, not Found")
        if found.result is not None and not isinstance(found.result, kind):
            raise PluginError(f"{self.name}: {hook} found {type(found.result).__name__}, not {kind.__name__}")
        if not _are_payments(found.payments):
            raise PluginError(f"{self.name}: {hook} answered payments that are no tuple of FoundPayment")
        return self.border.found(found)

    async def _flow(self, hook: str, **arguments: Any) -> Any:
        """The plugin's answer; what it does before its flow begins happens in here, too."""
        return await self._hooks[hook](**arguments)

    async def _asked(self, hook: str, **arguments: Any) -> Any:
        """The plugin's answer to a question that moves no money; what it raises instead is made harmless.

        :raises PluginError: it raised what no plugin should.
        :raises OutcomeUnknown: so it did, after something was sent that may have had an effect.
        """
        wire = Wire()
        try:
            return await watched(self._flow(hook, **arguments), wire)
        except PaygateError as exc:
            clean: PaygateError = self.border.error(exc)
        except BaseException as exc:
            if wire.interrupts(exc):
                raise
            # a bug in the plugin; what it says is logged, redacted
            self.border.log(logger, f"the plugin failed in {hook}", exc)
            clean = self.border.failed(exc)
            if wire.effects:
                clean = OutcomeUnknown(f"{clean}; what it had asked for may have been done", provider=self.name)
        raise clean  # out here: inside, the error behind it would come along as its context

    async def _attempt(
        self,
        hook: str,
        request: ChargeRequest | RefundRequest,
        kind: type[R],
        sending: Sending | None,
        interrupted: Callable[[], None] | None,
    ) -> R:
        if sending is not None and sending.left() <= 0:
            return kind.not_sent(TOO_LATE)
        wire = Wire(sending)
        try:
            result = await watched(self._flow(hook, request=request), wire)
        except (ProviderUnavailable, ConfigurationError, Refused) as exc:
            text, code = (
                self.border.text(exc),
                getattr(exc, "code", None) or (REFUSED if isinstance(exc, Refused) else None),
            )
            result = (
                kind.unknown(f"{type(exc).__name__}: {text}") if wire.doubts(exc) else kind.not_sent(text, code=code)
            )
            if isinstance(exc, ConfigurationError) and isinstance(result, ChargeResult) and not wire.doubts(exc):
                result = attrs.evolve(result, decline=DeclineClass.CONFIG)
        except OutcomeUnknown as exc:
            result = kind.unknown(self.border.text(exc))
        except BaseException as exc:
            if wire.interrupts(exc):
                if interrupted is not None and wire.nothing_sent:
                    interrupted()
                raise
            clean = self._failed(wire, exc)  # a bug in the plugin
            unknown = isinstance(clean, OutcomeUnknown)
            text = self.border.text(clean)
            result = kind.unknown(text) if unknown else kind.not_sent(text, code=FAILED)
        if not isinstance(result, kind):
            return kind.unknown(f"the plugin answered {type(result).__name__}, not {kind.__name__}")
        if result.outcome is Outcome.UNKNOWN and result.reference is None and wire.refused and wire.nothing_sent:
            # whatever the plugin made of the error: only the driver knows
            result = kind.not_sent(self._refusal(wire), code=result.code)
        return self.border.result(result)

    def _failed(self, wire: Wire, exc: BaseException) -> PaygateError:
        """What *exc*, which no plugin should raise, leaves of an attempt."""
        if wire.nothing_sent:
            self.border.log(logger, "the plugin failed; nothing had been sent", exc)
            return PluginError(f"{self.border.failed(exc)}; nothing was sent")
        self.border.log(logger, "the plugin failed; the outcome counts as unknown", exc)
        return OutcomeUnknown(f"{self.name}: the plugin failed: {type(exc).__name__}", provider=self.name)

    def _refusal(self, wire: Wire) -> str:
        return self.border.text(f"nothing was sent: {wire.cause()}")


def _are_payments(payments: object) -> bool:
    return payments is None or (
        isinstance(payments, tuple)
        and all(isinstance(one, FoundPayment) and isinstance(one.result, ChargeResult) for one in payments)
    )
