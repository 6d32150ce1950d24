"""Stored cards: transaction tokens told about, and deleted for good (provider fact sheet §6.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from paygate.errors import ConfigurationError, OutcomeUnknown, ProviderError, ProviderUnavailable
from paygate.provider import CredentialDescription, CredentialRequest, CredentialState

from .client import Client
from .resources import brand_in, card_in, token_id

__all__ = ["describe_card", "revoke_card"]


async def describe_card(client: Client, request: CredentialRequest) -> CredentialDescription:
    """Tell about a token; see :func:`paygate.hookspecs.describe_card`.

    :raises InvalidValue: the credential looks like a card number; nothing was sent.
    """
    seen = await _read(client, token_id(request.credential))
    if seen is None or seen.get("active") is False:
        return CredentialDescription(CredentialState.REVOKED)
    card = card_in(seen)
    last4 = card.get("last_four")
    return CredentialDescription(
        brand=brand_in(card),
        last4=last4 if isinstance(last4, str) and last4.isdigit() and len(last4) == 4 else None,
        expires=_expires(card),
    )


async def revoke_card(client: Client, request: CredentialRequest) -> None:
    """Delete a token; see :func:`paygate.hookspecs.revoke_card`. Believed is only what it shows afterwards.

    :raises ProviderError: UnivaPay refused, for example because a subscription still uses it, or did not answer.
    """
    token = token_id(request.credential)
    if _gone(await _read(client, token)):
        return
    reply = await client.change("DELETE", client.path("tokens", token), None)
    try:
        gone = _gone(await _read(client, token))
    except (ProviderUnavailable, ConfigurationError) as exc:
        raise OutcomeUnknown(f"univapay: whether the token was deleted is unknown: {exc}") from exc
    if not gone:
        said = f"HTTP {reply.status} {reply.code}".rstrip()
        raise ProviderError(f"univapay: the token was not deleted ({said}); try again later", code=reply.code or None)


def _gone(seen: Mapping[str, Any] | None) -> bool:
    return seen is None or seen.get("active") is False


def _expires(card: Mapping[str, Any]) -> str | None:
    year, month = card.get("exp_year"), card.get("exp_month")
    if type(year) is not int or type(month) is not int or not (1 <= month <= 12 and 2000 <= year <= 9999):
        return None
    return f"{year:04d}-{month:02d}"


async def _read(client: Client, token: str) -> Mapping[str, Any] | None:
    seen = await client.read(client.path("tokens", token))
    if seen is not None and seen.get("id") != token:
        raise ProviderUnavailable("univapay: a look-up was answered with another token; look again later")
    return seen
