"""The provider: paygate's hooks, each answered by the module of its subject."""

from __future__ import annotations

import datetime as dt
from typing import ClassVar

import attrs

from paygate.clock import Clock, SystemClock, business_date
from paygate.errors import CapabilityNotSupported, InvalidValue, ProviderUnavailable
from paygate.provider import (
    Capabilities,
    ChangedPayment,
    ChargeRequest,
    ChargeResult,
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

from . import cards, charges, refunds, subscriptions, webhooks
from .capabilities import CAPABILITIES
from .client import Client
from .settings import UnivaPaySettings

__all__ = ["UnivaPay"]


class UnivaPay(Provider):
    """One UnivaPay store. All methods but :meth:`capabilities` are flows; see :mod:`paygate.hookspecs` for each.

    :param clock: which says whether the first charge of a subscription lies ahead; a gateway gives its own where this is
        None.
    """

    Settings: ClassVar[type] = UnivaPaySettings

    def __init__(self, settings: UnivaPaySettings, clock: Clock | None = None) -> None:
        self.clock = clock
        self._client = Client.of(settings)
        # live_test is for UnivaPay's own staff: whether it moves money is not documented (provider fact sheet §4)
        self.mode = {"live": Mode.LIVE, "test": Mode.TEST}.get(settings.mode)
        self._capabilities = CAPABILITIES
        if settings.renewals == "provider":
            self._capabilities = attrs.evolve(CAPABILITIES, renewals=Renewals.PROVIDER, starts_subscriptions=True)

    def capabilities(self) -> Capabilities:
        """:data:`~paygate_univapay.CAPABILITIES`, with renewals as the account's settings say."""
        return self._capabilities

    async def charge(self, request: ChargeRequest) -> ChargeResult:
        """Charge a recurring transaction token; ``request.credential`` is its id."""
        return await charges.charge(self._client, request)

    async def refund(self, request: RefundRequest) -> RefundResult:
        """Refund a charge, several times if need be, up to what was charged."""
        return await refunds.refund(self._client, request)

    async def find_charge(self, request: LookupRequest) -> Found:
        """Find a charge by UnivaPay's id, or by paygate's in its metadata.

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
        """Find a refund by UnivaPay's id, or by paygate's in its metadata.

        :raises InvalidValue: the attempt is a charge.
        """
        if not isinstance(request.attempt, RefundRequest):
            raise InvalidValue("find_refund looks for a refund; use find_charge for a charge")
        return await refunds.find_refund(self._client, request.attempt, request.reference)

    async def start_recurring(self, request: SubscriptionStart) -> StartedSubscription:
        """Start a subscription of UnivaPay's; ``request.credential`` is the id of a recurring or subscription token.

        :raises CapabilityNotSupported: the account's renewals are paygate's.
        """
        self._owns_renewals()
        return await subscriptions.start_recurring(self._client, request, business_date(self._now()))

    async def stop_recurring(self, request: SubscriptionRequest) -> None:
        """End UnivaPay's subscription now; :meth:`start_recurring` says when it refuses."""
        self._owns_renewals()
        await subscriptions.stop_recurring(self._client, request)

    async def end_recurring(self, request: SubscriptionRequest) -> None:
        """End UnivaPay's subscription when its next payment is due; :meth:`start_recurring` says when it refuses."""
        self._owns_renewals()
        await subscriptions.end_recurring(self._client, request)

    async def resume_recurring(self, request: SubscriptionRequest) -> None:
        """Let UnivaPay's subscription go on; :meth:`start_recurring` says when it refuses."""
        self._owns_renewals()
        await subscriptions.resume_recurring(self._client, request)

    async def change_recurring_payment(self, request: SubscriptionPayment) -> ChangedPayment:
        """Charge UnivaPay's subscription to another token; :meth:`start_recurring` says when it refuses."""
        self._owns_renewals()
        return await subscriptions.change_recurring_payment(self._client, request)

    async def describe_card(self, request: CredentialRequest) -> CredentialDescription:
        """Tell about a token's card."""
        return await cards.describe_card(self._client, request)

    async def revoke_card(self, request: CredentialRequest) -> None:
        """Delete a token."""
        await cards.revoke_card(self._client, request)

    async def parse_webhook(self, webhook: Webhook) -> list[ProviderEvent]:
        """Check the word in the header, read the resource again, and believe only that."""
        return await webhooks.parse_webhook(self._client, webhook)

    async def ping(self) -> str:
        """Read the merchant's own record, which needs working credentials.

        :raises ConfigurationError: UnivaPay refuses the credentials.
        :raises ProviderUnavailable: it cannot be reached.
        """
        if await self._client.read("/me") is None:
            raise ProviderUnavailable("univapay: HTTP 404 for /me; is base_url the address of UnivaPay's interface?")
        return f"UnivaPay answers for store {self._client.store_id} in {self._client.mode} mode"

    def _now(self) -> dt.datetime:
        return (self.clock or SystemClock()).now()

    def _owns_renewals(self) -> None:
        if self._capabilities.renewals is not Renewals.PROVIDER:
            raise CapabilityNotSupported(
                'univapay: paygate charges the renewals of this account; set renewals = "provider" for UnivaPay\'s own '
                "subscriptions. Nothing was sent"
            )
