"""Outgoing webhooks as data: what an emulator wants delivered, when, and what a test may do to it on the way."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Mapping
from typing import TypeAlias

import attrs

__all__ = ["Delivery", "Outbox", "Receiver"]


@attrs.frozen
class Delivery:
    """One POST to the merchant. Shows neither headers nor body in ``repr``.

    :param at: when it is due, UTC; :param attempt: 1 for the first try.
    :param source: the registration it belongs to; :param event_id: the event it tells of.
    """

    url: str
    headers: Mapping[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)
    at: dt.datetime
    event: str = ""
    event_id: str = ""
    source: str = ""
    attempt: int = 1


#: Takes a delivery and returns the HTTP status of the merchant's answer; None counts as 200, 0 as no answer.
Receiver: TypeAlias = Callable[[Delivery], int | None]


class Outbox:
    """Deliveries waiting for their time, in the order they were put. Thread-safe.

    Three switches make it the unreliable thing that webhooks are: ``duplicate`` puts each first try twice, ``drop``
    loses that many first tries, ``reorder`` hands out the newest first.
    """

    def __init__(self) -> None:
        self.duplicate = False
        self.reorder = False
        self.drop = 0
        self._waiting: list[Delivery] = []
        self._lock = threading.Lock()

    def put(self, delivery: Delivery) -> None:
        """Queue *delivery*, subject to the switches where it is a first try."""
        with self._lock:
            if delivery.attempt == 1 and self.drop > 0:
                self.drop -= 1
                return
            self._waiting.append(delivery)
            if delivery.attempt == 1 and self.duplicate:
                self._waiting.append(delivery)

    def put_back(self, delivery: Delivery) -> None:
        """Return *delivery* untouched to the head of the queue."""
        with self._lock:
            self._waiting.insert(0, delivery)

    def take(self, now: dt.datetime) -> Delivery | None:
        """Remove and return one delivery due at *now*, or None."""
        with self._lock:
            due = [delivery for delivery in self._waiting if delivery.at <= now]
            if not due:
                return None
            chosen = due[-1] if self.reorder else due[0]
            self._waiting.remove(chosen)
            return chosen

    def clear(self) -> None:
        """Forget all deliveries and turn the switches off."""
        with self._lock:
            self.duplicate = self.reorder = False
            self.drop = 0
            self._waiting.clear()

    @property
    def waiting(self) -> tuple[Delivery, ...]:
        """All deliveries not yet made, due or not."""
        with self._lock:
            return tuple(self._waiting)
