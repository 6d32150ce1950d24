"""The checkouts namespace of the async face. ``sync_checkouts.py`` is generated from this module."""

from __future__ import annotations

from collections.abc import Mapping

from ..billing import checkouts
from ..domain.contract import Actor, Customer
from ..provider import Checkout, CheckoutResult
from .aio_contracts import ADMIN, AsyncNamespace

__all__ = ["AsyncCheckouts"]


class AsyncCheckouts(AsyncNamespace):
    """Having customers store their cards on a page of the provider's; paygate never sees a card number."""

    async def begin(
        self,
        account: str,
        customer: Customer,
        *,
        return_url: str,
        cancel_url: str | None = None,
        idempotency_key: str | None = None,
        locale: str = "ja",
        metadata: Mapping[str, str] | None = None,
        replace: str | None = None,
        actor: Actor = ADMIN,
    ) -> Checkout:
        """Prepare a page on which *customer* stores a card; nothing is charged.

        :param account: the configured account that is to keep the card.
        :param return_url: where the provider sends the customer afterwards; https, except on localhost. That somebody
            comes there proves nothing: ask :meth:`complete`.
        :param cancel_url: where it sends those who give up; by default to the same place.
        :param idempotency_key: the same key for the same customer begins the same checkout again, as long as the provider
            remembers its keys.
        :param locale: language of the page as a BCP 47 tag.
        :param metadata: flat texts, kept by the provider beside the checkout; :meth:`complete` returns them.
        :param replace: id of a contract of this customer: the new card takes the place of its card when the checkout is
            completed (R-407).
        :param actor: who asks for that: an administrator, or ``Actor.customer(id)``.
        :returns: where to send the customer, or what the form on your own page needs; keep ``reference``.
        :raises NotFound: no such account.
        :raises CapabilityNotSupported: its provider has no such page; nothing was sent.
        :raises InvalidValue: an URL, locale or key that cannot be used; nothing was sent.
        :raises IdempotencyConflict: the key began a checkout of this customer with other contents; nothing was sent.
        :raises ProviderError: the provider refused or did not answer; no card is stored, begin again with the same key.
        """
        return await self._run(
            checkouts.begin(
                self._services,
                account,
                customer,
                return_url=return_url,
                cancel_url=cancel_url,
                idempotency_key=idempotency_key,
                locale=locale,
                metadata=metadata,
                replace=replace,
                actor=actor,
            )
        )

    async def complete(self, account: str, reference: str) -> CheckoutResult:
        """Ask the provider what has become of a checkout; safe to repeat.

        A checkout that was begun with ``replace`` changes the contract's card here, once: a page that is loaded again, or an
        older checkout, changes nothing. To collect what is unpaid at once, call ``contracts.change_payment`` with the same
        card and ``collect=True`` afterwards.

        :param reference: of the checkout, as :meth:`begin` gave it or a webhook event named it.
        :returns: OPEN, EXPIRED, FAILED, or COMPLETED with the credential for ``Card(account, token=credential)``; and what
            :meth:`begin` was given: ``customer_id``, ``replaces``, ``metadata``.
        :raises ChargeInProgress: a charge of the contract to be given the card has no result yet; complete it again later.
        :raises NotFound: no such account, or no such checkout at the provider.
        :raises CapabilityNotSupported: the account's provider has no checkouts; nothing was sent.
        :raises ProviderError: the provider refused or did not answer; ask again.
        """
        return await self._run(checkouts.complete(self._services, account, reference))
