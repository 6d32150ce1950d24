"""Checkouts: a page of the provider on which a customer stores a card, so that no card number ever passes through paygate.

Import these names from :mod:`paygate.provider`, where everything that a plugin needs is together.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Mapping
from typing import Any

import attrs

__all__ = ["Checkout", "CheckoutRequest", "CheckoutResult", "CheckoutState"]


@attrs.frozen
class CheckoutRequest:
    """Let a customer store a card.

    :param checkout_id: paygate's id of the checkout: 32 hexadecimal digits, unique.
    :param key: idempotency key within the provider's declared alphabet and length; the same on every repeat.
    :param customer_id: the seller's id of the customer, and :param email: their address, to be filled in for them.
    :param return_url: where the provider sends the customer when they are done, and :param cancel_url: when they give
        up; None: to the same place.
    :param locale: language of the page as a BCP 47 tag.
    :param metadata: flat strings, kept at the provider beside the checkout.
    :param replaces: the stored card whose place the new one is to take, so that it is stored with the same customer of the
        provider's; never shown in ``repr``.
    """

    checkout_id: str
    key: str
    customer_id: str
    email: str | None
    return_url: str
    cancel_url: str | None = None
    locale: str = "ja"
    metadata: Mapping[str, str] = attrs.field(factory=dict)
    replaces: str | None = attrs.field(default=None, repr=False)


@attrs.frozen
class Checkout:
    """A checkout that waits for the customer.

    :param reference: the provider's id of it; keep it, ``complete_checkout`` asks for it.
    :param url: where to send the customer; None where the seller's own page shows the form by *client_token*.
    :param client_token: what a front end needs to show the provider's form; never shown in ``repr``.
    :param expires_at: until when it can be used, UTC; None if the provider does not say.
    :param raw: the provider's answer, redacted.
    """

    reference: str
    url: str | None = None
    client_token: str | None = attrs.field(default=None, repr=False)
    expires_at: dt.datetime | None = None
    raw: Mapping[str, Any] | None = attrs.field(default=None, repr=False)


class CheckoutState(enum.Enum):
    """How far a checkout has come."""

    OPEN = "open"  #: the customer has not finished
    COMPLETED = "completed"  #: a card is stored
    EXPIRED = "expired"  #: too late; begin another one
    FAILED = "failed"  #: the card was refused; begin another one


@attrs.frozen
class CheckoutResult:
    """What became of a checkout.

    :param credential: of COMPLETED: what :class:`~paygate.provider.ChargeRequest` takes; never shown in ``repr``.
    :param network: of the card, for example ``"visa"``.
    :param last4: the last digits of its number.
    :param expires: its last month as ``"2030-12"``.
    :param code: of FAILED: the provider's own code; :param message: its text, for people only.
    :param metadata: what the request had, as the provider has kept it; paygate takes out what is its own.
    :param customer_id: whom the checkout was begun for, and :param replaces: the id of the contract whose card it was begun
        to replace; filled in by paygate.
    :param raw: the provider's answer, redacted.
    """

    state: CheckoutState
    credential: str | None = attrs.field(default=None, repr=False)
    network: str | None = None
    last4: str | None = None
    expires: str | None = None
    code: str | None = None
    message: str = ""
    raw: Mapping[str, Any] | None = attrs.field(default=None, repr=False)
    metadata: Mapping[str, str] = attrs.field(factory=dict, kw_only=True)
    customer_id: str | None = attrs.field(default=None, kw_only=True)
    replaces: str | None = attrs.field(default=None, kw_only=True)
