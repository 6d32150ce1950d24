"""What a fake remembers besides payments: its own subscriptions, checkouts that store a card, disputes of charges."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from ...clock import JST
from ...dispute import Dispute, DisputeState
from ...domain.calendar import advance
from ...domain.contract import Cycle
from ...money import Money
from ...provider import CheckoutState

__all__ = ["FakeCheckout", "FakeDispute", "FakeSubscription"]

#: Providers charge renewals in the morning; a contract that starts on a day has begun by then.
CHARGED_AT = dt.time(7)


@attrs.frozen
class FakeSubscription:
    """A subscription at the provider.

    :param credential: fingerprint of the stored card.
    :param charged: how many periods have been charged, well or not.
    :param ends_on: the business date from which nothing is charged any more; None: it goes on.
    """

    reference: str
    contract_id: str
    key: str
    credential: str
    price: Money
    months: int
    starts_on: dt.date
    anchor_day: int
    charged: int = 0
    ends_on: dt.date | None = None
    stopped: bool = False

    def due(self, now: dt.datetime) -> Iterator[tuple[dt.date, dt.datetime]]:
        """Days and instants of the charges that are due up to *now*, and not made yet."""
        number = self.charged
        while not self.stopped:
            # the first charge is on starts_on, whatever its day of the month; the others keep the anchor
            months = self.months * number
            day = advance(self.starts_on, Cycle.MONTHLY, months, self.anchor_day) if number else self.starts_on
            at = dt.datetime.combine(day, CHARGED_AT, JST)
            if at > now or (self.ends_on is not None and day >= self.ends_on):
                return
            yield day, at
            number += 1

    def dump(self) -> dict[str, Any]:
        """As plain JSON values."""
        plain = attrs.asdict(self, recurse=False)
        return plain | {
            "price": [self.price.minor, self.price.currency],
            "starts_on": self.starts_on.isoformat(),
            "ends_on": self.ends_on and self.ends_on.isoformat(),
        }

    @classmethod
    def load(cls, item: Mapping[str, Any]) -> FakeSubscription:
        """What :meth:`dump` wrote."""
        return cls(
            **{
                **item,
                "price": Money(*item["price"]),
                "starts_on": dt.date.fromisoformat(item["starts_on"]),
                "ends_on": dt.date.fromisoformat(item["ends_on"]) if item["ends_on"] else None,
            }
        )


@attrs.frozen
class FakeCheckout:
    """A checkout at the provider. *credential* is the stored card's, once there is one; only fakes may show theirs."""

    reference: str
    key: str
    return_url: str
    expires_at: dt.datetime
    state: CheckoutState = CheckoutState.OPEN
    credential: str | None = None
    code: str | None = None
    metadata: Mapping[str, str] = attrs.field(factory=dict)

    def at(self, now: dt.datetime) -> FakeCheckout:
        """As it is at *now*: an open one expires."""
        late = self.state is CheckoutState.OPEN and now >= self.expires_at
        return attrs.evolve(self, state=CheckoutState.EXPIRED) if late else self

    def dump(self) -> dict[str, Any]:
        """As plain JSON values."""
        plain = attrs.asdict(self, recurse=False)
        return plain | {"expires_at": self.expires_at.isoformat(), "state": self.state.value}

    @classmethod
    def load(cls, item: Mapping[str, Any]) -> FakeCheckout:
        """What :meth:`dump` wrote."""
        at, state = dt.datetime.fromisoformat(item["expires_at"]), CheckoutState(item["state"])
        return cls(**{**item, "expires_at": at, "state": state})


@attrs.frozen
class FakeDispute:
    """A dispute at the provider: how it has stood, oldest first. *charge* and *attempt* are the disputed payment's."""

    charge: str
    attempt: str
    states: tuple[Dispute, ...]

    @property
    def now(self) -> Dispute:
        return self.states[-1]

    def dump(self) -> dict[str, Any]:
        """As plain JSON values."""
        states = [
            {
                "reference": one.reference,
                "state": one.state.value,
                "amount": [one.amount.minor, one.amount.currency],
                "due_by": one.due_by and one.due_by.isoformat(),
                "reason": one.reason,
            }
            for one in self.states
        ]
        return {"charge": self.charge, "attempt": self.attempt, "states": states}

    @classmethod
    def load(cls, item: Mapping[str, Any]) -> FakeDispute:
        """What :meth:`dump` wrote."""
        states = tuple(
            Dispute(
                one["reference"],
                DisputeState(one["state"]),
                Money(*one["amount"]),
                dt.datetime.fromisoformat(one["due_by"]) if one["due_by"] else None,
                one["reason"],
            )
            for one in item["states"]
        )
        return cls(item["charge"], item["attempt"], states)
