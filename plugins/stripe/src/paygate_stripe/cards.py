"""Stored cards: told about, and detached from their customer for good (provider fact sheet §4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from paygate.errors import OutcomeUnknown
from paygate.provider import CredentialDescription, CredentialRequest, CredentialState

from .client import Client
from .resources import Credential, id_in, object_in, shown, text_in, whole_in

__all__ = ["describe_card", "expires", "revoke_card"]


async def describe_card(client: Client, request: CredentialRequest) -> CredentialDescription:
    """Tell about a stored card; see :func:`paygate.hookspecs.describe_card`.

    One that is detached, or another customer's, cannot be charged through this credential any more.

    :raises InvalidValue: the credential has another form than ``cus_…/pm_…``; nothing was sent.
    """
    stored = Credential.parse(request.credential)
    seen = await _read(client, stored.method)
    card = object_in(seen, "card")
    state = CredentialState.USABLE if id_in(seen, "customer") == stored.customer else CredentialState.REVOKED
    return CredentialDescription(
        state, text_in(card, "brand"), text_in(card, "last4"), expires(card), raw=shown(seen) if seen else None
    )


async def revoke_card(client: Client, request: CredentialRequest) -> None:
    """Detach a stored card; see :func:`paygate.hookspecs.revoke_card`.

    :raises ProviderError: Stripe refused or did not answer.
    """
    stored = Credential.parse(request.credential)
    if id_in(await _read(client, stored.method), "customer") != stored.customer:
        return
    seen = await client.change(client.stripe.v1.payment_methods.detach_async(stored.method))
    if seen.get("id") != stored.method or id_in(seen, "customer") is not None:
        raise OutcomeUnknown("stripe: whether the card was detached cannot be read from the answer; try again")


def expires(card: Mapping[str, Any] | None) -> str | None:
    """The last month of a card as ``2030-12``."""
    year, month = whole_in(card, "exp_year"), whole_in(card, "exp_month")
    return None if year is None or month is None else f"{year:04d}-{month:02d}"


async def _read(client: Client, method: str) -> Mapping[str, Any] | None:
    return await client.read(client.stripe.v1.payment_methods.retrieve_async(method), method)
