"""Mistakes with subscriptions and checkouts."""

from __future__ import annotations

from typing import Any, ClassVar

import attrs

from paygate.errors import PaygateError, ProviderError
from paygate.provider import (
    ChangedPayment,
    CheckoutResult,
    CheckoutState,
    CredentialDescription,
    CredentialRequest,
    EventKind,
    ProviderEvent,
    StartedSubscription,
    SubscriptionPayment,
    SubscriptionRequest,
    SubscriptionStart,
    Webhook,
)

from ..acme import Acme


class StartsTwice(Acme):
    """The key will do; but keys are forgotten after a day."""

    settings_of: ClassVar = {"renewals": "provider"}
    CAUGHT_BY: ClassVar = {"SUBSCRIPTION-03"}
    ALSO: ClassVar = set()

    async def _listed(self, path: str, field: str, value: str) -> list[Any]:
        return [] if self.starting else await super()._listed(path, field, value)

    starting = False

    async def start_recurring(self, request: SubscriptionStart) -> StartedSubscription:
        self.starting = True
        try:
            return await super().start_recurring(request)
        finally:
            self.starting = False


class StopsOnlyOnce(Acme):
    """Stopping what has stopped is an error."""

    settings_of: ClassVar = {"renewals": "provider"}
    CAUGHT_BY: ClassVar = {"SUBSCRIPTION-07"}
    ALSO: ClassVar = {"SUBSCRIPTION-13"}

    async def stop_recurring(self, request: SubscriptionRequest) -> None:
        for one in await self._listed("/subscriptions", "contract", request.contract_id):
            if one["state"] == "ended":
                raise ProviderError("acme: the subscription has ended already")
        await super().stop_recurring(request)


class StopsQuietly(Acme):
    """A stop that fails says nothing."""

    settings_of: ClassVar = {"renewals": "provider"}
    CAUGHT_BY: ClassVar = {"SUBSCRIPTION-13"}
    ALSO: ClassVar = set()

    async def stop_recurring(self, request: SubscriptionRequest) -> None:
        try:
            await super().stop_recurring(request)
        except PaygateError:
            return


class EndsQuietly(Acme):
    """An end that fails says nothing."""

    settings_of: ClassVar = {"renewals": "provider"}
    CAUGHT_BY: ClassVar = {"SUBSCRIPTION-15"}
    ALSO: ClassVar = set()

    async def end_recurring(self, request: SubscriptionRequest) -> None:
        try:
            await super().end_recurring(request)
        except PaygateError:
            return


class StopsWhateverUsesTheCard(Acme):
    """A customer who cancels one contract cancels all."""

    settings_of: ClassVar = {"renewals": "provider"}
    CAUGHT_BY: ClassVar = {"SUBSCRIPTION-10"}
    ALSO: ClassVar = set()

    async def stop_recurring(self, request: SubscriptionRequest) -> None:
        for one in await self._listed("/subscriptions", "card", request.credential):
            await super().stop_recurring(attrs.evolve(request, contract_id=one["contract"]))


class TellsRenewalsOfNobody(Acme):
    """Money has come in; whose, is not said."""

    settings_of: ClassVar = {"renewals": "provider"}
    CAUGHT_BY: ClassVar = {"SUBSCRIPTION-01", "SUBSCRIPTION-02", "SUBSCRIPTION-05"}
    ALSO: ClassVar = {"SUBSCRIPTION-12"}

    async def parse_webhook(self, webhook: Webhook) -> list[ProviderEvent]:
        events = await super().parse_webhook(webhook)
        return [attrs.evolve(one, contract_id=None) if one.kind is EventKind.RENEWAL else one for one in events]


class TellsTheYearAlone(Acme):
    """The month is forgotten."""

    CAUGHT_BY: ClassVar = {"CARD-01"}
    ALSO: ClassVar = set()

    async def describe_card(self, request: CredentialRequest) -> CredentialDescription:
        described = await super().describe_card(request)
        return attrs.evolve(described, expires=described.expires and described.expires[:4])


class ForgetsNothing(Acme):
    """Revoking is for another day."""

    CAUGHT_BY: ClassVar = {"CARD-02"}
    ALSO: ClassVar = set()

    async def revoke_card(self, request: CredentialRequest) -> None:
        await self.describe_card(request)


class KeepsTheOldCard(Acme):
    """The new card is taken note of."""

    settings_of: ClassVar = {"renewals": "provider"}
    CAUGHT_BY: ClassVar = {"CARD-03"}
    ALSO: ClassVar = {"CARD-04"}

    async def change_recurring_payment(self, request: SubscriptionPayment) -> ChangedPayment:
        return ChangedPayment()


class ChangesWhateverUsesTheCard(Acme):
    """A customer's subscriptions all get the new card."""

    settings_of: ClassVar = {"renewals": "provider"}
    CAUGHT_BY: ClassVar = {"CARD-04"}
    ALSO: ClassVar = set()

    async def change_recurring_payment(self, request: SubscriptionPayment) -> ChangedPayment:
        for one in await self._listed("/subscriptions", "card", request.credential):
            await self._give_card(one, request.new_credential)
        return await super().change_recurring_payment(request)


class ForgetsWhatWasBegun(Acme):
    """Whose card it is, the shop will know."""

    CAUGHT_BY: ClassVar = {"CHECKOUT-09"}
    ALSO: ClassVar = set()

    async def complete_checkout(self, reference: str) -> CheckoutResult:
        return attrs.evolve(await super().complete_checkout(reference), metadata={})


class CompletesWhatIsOpen(Acme):
    """The customer is back, so the card will be stored."""

    CAUGHT_BY: ClassVar = {"CHECKOUT-01"}
    ALSO: ClassVar = set()

    async def complete_checkout(self, reference: str) -> CheckoutResult:
        result = await super().complete_checkout(reference)
        if result.state is not CheckoutState.OPEN:
            return result
        return CheckoutResult(CheckoutState.COMPLETED, reference, metadata=result.metadata)
