"""The provider: paygate's hooks, each answered by the module of its subject."""

from __future__ import annotations

import datetime as dt
from typing import ClassVar

import attrs

from paygate.clock import Clock, SystemClock
from paygate.errors import CapabilityNotSupported, InvalidValue, ProviderUnavailable
from paygate.provider import (
    Capabilities,
    ChangedPayment,
    ChargeRequest,
    ChargeResult,
    Checkout,
    CheckoutRequest,
    CheckoutResult,
    CredentialDescription,
    CredentialRequest,
    Found,
    LookupRequest,
    Mode,
    Provider,
    ProviderEvent,
    RefundRequest,
    RefundResult,
    Renewals,
    StartedSubscription,
    SubscriptionPayment,
    SubscriptionRequest,
    SubscriptionStart,
    Webhook,
)

from . import cards, charges, checkouts, refunds, subscriptions, webhooks
from .capabilities import CAPABILITIES
from .client import Client
from .settings import StripeSettings

__all__ = ["Stripe"]


class Stripe(Provider):
    """One account of Stripe. All methods but :meth:`capabilities` are flows; see :mod:`paygate.hookspecs` for each.

    :param clock: by which webhooks are judged to be fresh; a gateway gives its own where this is None.
    """

    Settings: ClassVar[type] = StripeSettings

    def __init__(self, settings: StripeSettings, clock: Clock | None = None) -> None:
        self.clock = clock
        self.mode = Mode(settings.mode)
        self._client = Client.of(settings, self._now)
        self._capabilities = CAPABILITIES
        if settings.renewals == "provider":
            self._capabilities = attrs.evolve(CAPABILITIES, renewals=Renewals.PROVIDER, starts_subscriptions=True)

    def capabilities(self) -> Capabilities:
        """:data:`~paygate_stripe.CAPABILITIES`, with renewals as the account's settings say."""
        return self._capabilities

    async def charge(self, request: ChargeRequest) -> ChargeResult:
        """Charge a stored card off-session; ``request.credential`` is ``cus_…/pm_…``."""
        return await charges.charge(self._client, request)

    async def refund(self, request: RefundRequest) -> RefundResult:
        """Refund a payment, several times if need be, up to what was charged."""
        return await refunds.refund(self._client, request)

    async def find_charge(self, request: LookupRequest) -> Found:
        """Find a payment by Stripe's id, or by paygate's in its metadata.

        :raises InvalidValue: the attempt is a refund.
        """
        if not isinstance(request.attempt, ChargeRequest):
            raise InvalidValue("find_charge looks for a charge; use find_refund for a refund")
        return await charges.find_charge(self._client, request.attempt, request.reference, of_contract=request.contract)

    async def cancel_charge(self, request: LookupRequest) -> Found:
        """Withdraw a charge that waits for the customer.

        :raises InvalidValue: the attempt is a refund.
        """
        if not isinstance(request.attempt, ChargeRequest):
            raise InvalidValue("cancel_charge withdraws a charge, not a refund")
        return await charges.cancel_charge(self._client, request.attempt, request.reference)

    async def find_refund(self, request: LookupRequest) -> Found:
        """Find a refund by Stripe's id, or by paygate's in its metadata.

        :raises InvalidValue: the attempt is a charge.
        """
        if not isinstance(request.attempt, RefundRequest):
            raise InvalidValue("find_refund looks for a refund; use find_charge for a charge")
        return await refunds.find_refund(self._client, request.attempt, request.reference)

    async def begin_checkout(self, request: CheckoutRequest) -> Checkout:
        """Let a customer store a card, as the setting ``checkout`` says."""
        return await checkouts.begin_checkout(self._client, request)

    async def complete_checkout(self, reference: str) -> CheckoutResult:
        """Learn what became of a checkout; the credential of a stored card is ``cus_…/pm_…``."""
        return await checkouts.complete_checkout(self._client, reference)

    async def start_recurring(self, request: SubscriptionStart) -> StartedSubscription:
        """Start a subscription of Stripe's.

        :raises CapabilityNotSupported: the account's renewals are paygate's.
        """
        self._owns_renewals()
        return await subscriptions.start_recurring(self._client, request)

    async def stop_recurring(self, request: SubscriptionRequest) -> None:
        """End Stripe's subscription now; :meth:`start_recurring` says when it refuses."""
        self._owns_renewals()
        await subscriptions.stop_recurring(self._client, request)

    async def end_recurring(self, request: SubscriptionRequest) -> None:
        """End Stripe's subscription with its running period; :meth:`start_recurring` says when it refuses."""
        self._owns_renewals()
        await subscriptions.end_recurring(self._client, request)

    async def resume_recurring(self, request: SubscriptionRequest) -> None:
        """Let Stripe's subscription go on; :meth:`start_recurring` says when it refuses."""
        self._owns_renewals()
        await subscriptions.resume_recurring(self._client, request)

    async def change_recurring_payment(self, request: SubscriptionPayment) -> ChangedPayment:
        """Charge Stripe's subscription to another card of the same customer; :meth:`start_recurring` says when it refuses."""
        self._owns_renewals()
        return await subscriptions.change_recurring_payment(self._client, request)

    async def describe_card(self, request: CredentialRequest) -> CredentialDescription:
        """Tell about a stored card by its payment method."""
        return await cards.describe_card(self._client, request)

    async def revoke_card(self, request: CredentialRequest) -> None:
        """Detach a stored card from its customer."""
        await cards.revoke_card(self._client, request)

    async def parse_webhook(self, webhook: Webhook) -> list[ProviderEvent]:
        """Check the signature over the raw bytes, and read the resource again."""
        return await webhooks.parse_webhook(self._client, webhook)

    async def ping(self) -> str:
        """Read the account's balance, which needs a working key.

        :raises ConfigurationError: Stripe refuses the key.
        :raises ProviderUnavailable: it cannot be reached.
        """
        if await self._client.read(self._client.stripe.v1.balance.retrieve_async()) is None:
            raise ProviderUnavailable(
                "stripe: HTTP 404 for the balance; is base_url the address of Stripe's interface?"
            )
        return f"Stripe answers in {self.mode.value} mode" if self.mode else "Stripe answers"

    def _now(self) -> dt.datetime:
        return (self.clock or SystemClock()).now()

    def _owns_renewals(self) -> None:
        if self._capabilities.renewals is not Renewals.PROVIDER:
            raise CapabilityNotSupported(
                'stripe: paygate charges the renewals of this account; set renewals = "provider" for Stripe\'s own '
                "subscriptions. Nothing was sent"
            )
