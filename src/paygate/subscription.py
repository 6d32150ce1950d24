"""Subscriptions that the provider owns: paygate starts, ends and stops them; the provider charges the periods.

Import these names from :mod:`paygate.provider`, where everything that a plugin needs is together.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import attrs

from .money import Money

__all__ = ["StartedSubscription", "SubscriptionRequest", "SubscriptionStart"]


@attrs.frozen
class SubscriptionStart:
    """Start the provider's own subscription of a contract.

    :param contract_id: paygate's id of the contract; the provider's events have to lead back to it.
    :param key: idempotency key within the provider's declared alphabet and length; one per contract, the same on every
        repeat, however much later.
    :param credential: the provider's reference of the stored card; never shown in ``repr``.
    :param price: of one period.
    :param months: length of one period: 1 is monthly, 12 is yearly.
    :param starts_on: the JST date of the first charge, today or later.
    :param anchor_day: the day of the month that the charges keep, 1 to 31; shorter months have it on their last day (R-032).
        None: the day of *starts_on*. They differ where *starts_on* itself falls into a shorter month.
    :param metadata: flat strings, for example ``{"paygate_contract": contract_id}``.
    :param requested_at: when the intent was written down, UTC.
    """

    contract_id: str
    key: str
    credential: str = attrs.field(repr=False)
    price: Money
    months: int
    starts_on: dt.date
    anchor_day: int | None = None
    description: str = ""
    email: str | None = None
    metadata: Mapping[str, str] = attrs.field(factory=dict)
    requested_at: dt.datetime | None = None


@attrs.frozen
class StartedSubscription:
    """The provider's subscription stands.

    :param reference: the provider's id of it, given back in :attr:`SubscriptionRequest.reference`.
    :param raw: the provider's answer, redacted.
    """

    reference: str
    raw: Mapping[str, Any] | None = attrs.field(default=None, repr=False)


@attrs.frozen
class SubscriptionRequest:
    """About the provider's own subscription of a contract.

    :param ends_on: the business date on which the running period ends, where that matters.
    :param reference: what :class:`StartedSubscription` gave; None where paygate did not start the subscription.
    """

    contract_id: str
    credential: str = attrs.field(repr=False)
    ends_on: dt.date | None = None
    reference: str | None = None
