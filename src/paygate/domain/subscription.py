"""The subscription that a provider runs for a contract, as far as paygate started it or took it over."""

from __future__ import annotations

import datetime as dt
import enum

import attrs

__all__ = ["Subscription", "SubscriptionState"]


class SubscriptionState(enum.Enum):
    """How far the provider's subscription has come."""

    STARTING = "STARTING"  #: the provider is to start it, and its answer is not known yet
    RUNNING = "RUNNING"
    ENDING = "ENDING"  #: it runs to the end of the product's final period
    ENDED = "ENDED"
    REFUSED = "REFUSED"  #: the provider declined it: paygate charges the periods itself

    @property
    def stands(self) -> bool:
        """Whether the provider may charge by it, now or later."""
        return self in {SubscriptionState.STARTING, SubscriptionState.RUNNING, SubscriptionState.ENDING}


@attrs.frozen
class Subscription:
    """The provider charges the periods from *starts_on* on; those before it are paygate's.

    :param starts_on: the business date of its first charge.
    :param reference: the provider's id of it, once it is known.
    :param asked_at: since when somebody is asking the provider to start it, UTC; None while nobody is.
    :param operator_told: whether a person knows that its start takes too long.
    """

    state: SubscriptionState
    starts_on: dt.date
    reference: str | None = None
    asked_at: dt.datetime | None = None
    operator_told: bool = False
