"""The state of the emulated UnivaPay: shelves of records, ids, and an agenda of what happens when."""

from __future__ import annotations

import datetime as dt
import heapq
import uuid
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import attrs

from ....clock import Clock
from ...book import Book
from ..wishes import Wishes
from .assumptions import Behaviour
from .records import Cancel, Charge, ChargePlan, Payment, Refund, Subscription, Token
from .shelf import Shelf

__all__ = ["Emit", "State"]

#: Tells the webhooks of an event: its name, the store, and how the resource looks, asked only where somebody wants it.
Emit: TypeAlias = Callable[[str, str, Callable[[], Mapping[str, Any]]], None]


@attrs.define
class State:
    """All records, and the agenda. Not thread-safe by itself: the emulator's lock guards it.

    The shelves' rows: tokens by store; charges by store, token, subscription and scheduled payment; refunds and
    cancels by charge; subscriptions by store and by the token they began with; payments by subscription.
    """

    clock: Clock
    book: Book
    behaviour: Behaviour
    wishes: Wishes
    emit: Emit
    tokens: Shelf[Token] = attrs.field(factory=Shelf)
    charges: Shelf[Charge] = attrs.field(factory=Shelf)
    refunds: Shelf[Refund] = attrs.field(factory=Shelf)
    cancels: Shelf[Cancel] = attrs.field(factory=Shelf)
    history: Shelf[Charge | Refund] = attrs.field(factory=Shelf)  #: both kinds of movements, by store
    subscriptions: Shelf[Subscription] = attrs.field(factory=Shelf)
    payments: Shelf[Payment] = attrs.field(factory=Shelf)
    plans: list[ChargePlan] = attrs.field(factory=list)
    awaiting: dict[str, Charge | Token] = attrs.field(factory=dict)  #: what waits for a customer, by id
    _serial: int = 0
    _moment: dt.datetime | None = None
    _agenda: list[tuple[dt.datetime, int, Callable[[], None]]] = attrs.field(factory=list)

    def now(self) -> dt.datetime:
        """The present instant; inside the agenda, the instant an entry was due, however late somebody looks."""
        return self._moment or self.clock.now()

    def new_id(self) -> str:
        """A UUID like UnivaPay's: lower case, ordered by creation. The same in every run."""
        self._serial += 1
        return str(uuid.UUID(int=(0x11F0 << 112) | (self._serial << 80) | (0x4A00 << 64) | (0x8F << 56) | self._serial))

    def later(self, seconds: float | None, action: Callable[[], None]) -> None:
        """Do *action* when *seconds* have passed; never, where they are None. Actions check what still holds."""
        if seconds is not None:
            self.at(self.now() + dt.timedelta(seconds=seconds), action)

    def at(self, moment: dt.datetime, action: Callable[[], None]) -> None:
        """Do *action* at *moment*, or at the next look where that has passed."""
        self._serial += 1
        heapq.heappush(self._agenda, (moment, self._serial, action))

    def due_in(self) -> float | None:
        """Seconds until the next entry of the agenda; None when it is empty."""
        return (self._agenda[0][0] - self.clock.now()).total_seconds() if self._agenda else None

    def tick(self) -> None:
        """Do everything due by now, in order."""
        while self._agenda and self._agenda[0][0] <= self.clock.now():
            self._moment, _, action = heapq.heappop(self._agenda)
            try:
                action()
            finally:
                self._moment = None

    def visible(self, created: dt.datetime) -> bool:
        """Whether the search index behind the lists knows by now of what was made at *created*."""
        return (self.now() - created).total_seconds() >= self.behaviour.list_delay
