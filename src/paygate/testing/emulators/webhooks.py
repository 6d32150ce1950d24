"""Outgoing webhooks as data: what an emulator wants delivered, when, and what a test may do to it on the way."""

from __future__ import annotations

import collections
import datetime as dt
import enum
import heapq
import random
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

import attrs

__all__ = ["Attempt", "AttemptState", "Delivery", "Outbox", "Receiver"]

#: How many of the latest attempts are remembered, and how many bytes of their bodies.
_KEPT_ATTEMPTS, _KEPT_BYTES = 1_000, 1024 * 1024


@attrs.frozen
class Delivery:
    """One POST to the merchant. Shows neither headers nor body in ``repr``.

    :param at: when it is due, UTC; :param attempt: 1 for the first try.
    :param source: the registration it belongs to; :param event_id: the event it tells of.
    :param forged: somebody else's: the provider knows nothing of it and does not care what is answered.
    :param id: given by the outbox, another one for each attempt.
    """

    url: str
    headers: Mapping[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)
    at: dt.datetime
    event: str = ""
    event_id: str = ""
    source: str = ""
    attempt: int = 1
    forged: bool = False
    id: str = attrs.field(default="", eq=False)


#: Takes a delivery and returns the HTTP status of the merchant's answer; None counts as 200, 0 as no answer.
Receiver: TypeAlias = Callable[[Delivery], int | None]


class AttemptState(enum.Enum):
    """What became of a delivery so far."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"


@attrs.frozen
class Attempt:
    """A delivery and the merchant's answer to it.

    :param status: HTTP status; 0 for no answer, None while it waits.
    :param made: when it was answered, UTC.
    """

    delivery: Delivery
    status: int | None = None
    made: dt.datetime | None = None

    @property
    def state(self) -> AttemptState:
        if self.status is None:
            return AttemptState.WAITING
        return AttemptState.DELIVERED if 200 <= self.status < 300 else AttemptState.FAILED


class Outbox:
    """Deliveries waiting for their time, earliest first, and the latest that were made. Thread-safe.

    Switches make it the unreliable thing that webhooks are: ``duplicate`` puts each first try twice, ``drop`` loses
    that many first tries, ``reorder`` hands out the newest of those that are due first, ``held`` hands out nothing.
    """

    def __init__(self) -> None:
        self.duplicate = False
        self.reorder = False
        self.held = False
        self.drop = 0
        self._later: list[tuple[dt.datetime, int, Delivery]] = []  # a heap
        self._due: collections.deque[Delivery] = collections.deque()
        self._made: collections.deque[Attempt] = collections.deque()
        self._made_bytes = 0
        self._serial = 0
        self._random = random.Random(0)
        self._lock = threading.Lock()

    def put(self, delivery: Delivery) -> None:
        """Queue *delivery*, subject to the switches where it is a first try."""
        with self._lock:
            if delivery.attempt == 1 and self.drop > 0:
                self.drop -= 1
                return
            self._push(delivery)
            if delivery.attempt == 1 and self.duplicate:
                self._push(delivery)

    def put_extra(self, delivery: Delivery) -> str:
        """Queue *delivery* whatever the switches say; returns the id it got."""
        with self._lock:
            return self._push(delivery)

    def put_back(self, delivery: Delivery) -> None:
        """Return *delivery* untouched to the head of the queue."""
        with self._lock:
            if self.reorder:
                self._due.append(delivery)
            else:
                self._due.appendleft(delivery)

    def take(self, now: dt.datetime) -> Delivery | None:
        """Remove and return one delivery due at *now*, or None."""
        with self._lock:
            if self.held:
                return None
            self._fall_due(now)
            if not self._due:
                return None
            return self._due.pop() if self.reorder else self._due.popleft()

    def note(self, delivery: Delivery, status: int, at: dt.datetime) -> None:
        """Remember that *delivery* was answered with *status* at the instant *at*."""
        with self._lock:
            self._made.append(Attempt(delivery, status, at))
            self._made_bytes += len(delivery.body)
            while len(self._made) > _KEPT_ATTEMPTS or self._made_bytes > _KEPT_BYTES:
                self._made_bytes -= len(self._made.popleft().delivery.body)

    def shuffle(self, now: dt.datetime) -> int:
        """Put what is due at *now* into another order, the same in every run; returns how many deliveries that are."""
        with self._lock:
            self._fall_due(now)
            before = list(self._due)
            self._random.shuffle(self._due)
            if list(self._due) == before:
                self._due.reverse()
            return len(before)

    def duplicate_waiting(self) -> int:
        """Put a second copy of everything that waits now behind it; returns how many copies there are."""
        with self._lock:
            waiting = list(self._waiting())
            for delivery in waiting:
                self._push(delivery)
            return len(waiting)

    def clear(self) -> None:
        """Forget all deliveries, made or not, and turn the switches off."""
        with self._lock:
            self.duplicate = self.reorder = self.held = False
            self.drop = 0
            self._later.clear()
            self._due.clear()
            self._made.clear()
            self._made_bytes = 0

    @property
    def waiting(self) -> tuple[Delivery, ...]:
        """All deliveries not yet made, due or not, in the order in which they would be made."""
        with self._lock:
            return tuple(self._waiting())

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """The latest attempts, oldest first, and behind them what still waits."""
        with self._lock:
            return (*self._made, *map(Attempt, self._waiting()))

    def find(self, delivery_id: str) -> Attempt:
        """The attempt at the delivery of that id, made or waiting.

        :raises KeyError: there is none, or it is no longer remembered.
        """
        for attempt in self.attempts:
            if attempt.delivery.id == delivery_id:
                return attempt
        raise KeyError(delivery_id)

    def _fall_due(self, now: dt.datetime) -> None:
        while self._later and self._later[0][0] <= now:
            self._due.append(heapq.heappop(self._later)[2])

    def _push(self, delivery: Delivery) -> str:
        self._serial += 1
        delivery = attrs.evolve(delivery, id=f"delivery_{self._serial}")
        heapq.heappush(self._later, (delivery.at, self._serial, delivery))
        return delivery.id

    def _waiting(self) -> Iterator[Delivery]:
        yield from self._due
        yield from (delivery for _, _, delivery in sorted(self._later, key=lambda entry: entry[:2]))
