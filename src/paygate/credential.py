"""Stored cards: what a provider tells about one, has one revoked, or puts another in a subscription's place.

Import these names from :mod:`paygate.provider`, where everything that a plugin needs is together.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any

import attrs

__all__ = ["ChangedPayment", "CredentialDescription", "CredentialRequest", "CredentialState", "SubscriptionPayment"]


class CredentialState(enum.Enum):
    """Whether a stored card can be charged."""

    USABLE = "usable"
    REVOKED = "revoked"  #: deleted, detached, or unknown to the provider


@attrs.frozen
class CredentialRequest:
    """About one stored card.

    :param credential: the provider's reference; never shown in ``repr``.
    """

    credential: str = attrs.field(repr=False)


@attrs.frozen
class CredentialDescription:
    """What a provider tells about a stored card; None is "not told".

    :param brand: for example ``"visa"``.
    :param last4: the last digits of its number.
    :param expires: its last month, as ``"2030-12"``.
    :param raw: the provider's answer, redacted.
    """

    state: CredentialState = CredentialState.USABLE
    brand: str | None = None
    last4: str | None = None
    expires: str | None = None
    raw: Mapping[str, Any] | None = attrs.field(default=None, repr=False)


@attrs.frozen
class SubscriptionPayment:
    """Charge the provider's own subscription of a contract to another stored card.

    :param credential: the card so far, and :param new_credential: the one from now on; never shown in ``repr``.
    :param reference: what :class:`~paygate.provider.StartedSubscription` gave; None where paygate did not start it.
    :param collect: charge what is unpaid to the new card at once, if the provider can.
    """

    contract_id: str
    credential: str = attrs.field(repr=False)
    new_credential: str = attrs.field(repr=False)
    reference: str | None = None
    collect: bool = False


@attrs.frozen
class ChangedPayment:
    """The subscription has the new card.

    :param collecting: what was unpaid is being charged to it, and an event brings the result; else the provider's next
        retry takes it, if one is to come.
    """

    collecting: bool = False
