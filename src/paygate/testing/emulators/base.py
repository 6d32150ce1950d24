"""What all emulators share: a lock, a clock, a book of money, faults, recorded requests and outgoing webhooks.

An emulator is a function ``Request -> Response`` over its own state. Mount :meth:`Emulator.handle` in a driver, or
serve it on loopback with :func:`paygate.testing.emulators.serve`. Every emulator tells the truth in its
:class:`~paygate.testing.book.Book`, whatever it answered.
"""

from __future__ import annotations

import abc
import collections
import threading
import time
from collections.abc import Sequence
from typing import ClassVar

from ...clock import Clock
from ...drivers.retry import Lost, NotSent
from ...flow import Request, Response
from ..book import Book
from .faults import Broken, FaultKind, Faults, spoil
from .webhooks import Delivery, Outbox, Receiver
from .wishes import CardKind, Wish, Wishes

__all__ = ["Emulator"]

#: How many of the latest requests are kept for tests to look at.
_KEPT_REQUESTS = 10_000

#: Seconds that a client waits where the request does not say.
_PATIENCE = 30.0


class Emulator(abc.ABC):
    """Base of the emulators. Thread-safe: one condition guards the state, and waiting for a change releases it.

    A subclass names its provider and its home, answers requests, and says how its provider's credentials, webhooks,
    cards and customers look. Its constructor takes the clock; everything else is keyword-only and has a default.

    :param clock: where the emulator gets the time from; a manual clock makes waits free.
    """

    #: The provider's name, as in ``paygate emulate NAME``.
    name: ClassVar[str]
    #: Where the real one lives: ``mounts={Emulator.origin: emulator.handle}``.
    origin: ClassVar[str]

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.book = Book()
        self.faults = Faults()
        self.wishes = Wishes()
        self.outbox = Outbox()
        self.changed = threading.Condition(threading.RLock())
        self._requests: collections.deque[Request] = collections.deque(maxlen=_KEPT_REQUESTS)

    @abc.abstractmethod
    def respond(self, request: Request) -> Response:
        """Perform *request* on the state; called with the lock held."""

    @abc.abstractmethod
    def tick(self) -> None:
        """Let everything happen that is due by now."""

    @abc.abstractmethod
    def answered(self, delivery: Delivery, status: int) -> None:
        """Take note that the merchant answered *delivery* with *status* (0: no answer), and plan a retry if due."""

    @abc.abstractmethod
    def credentials_for_plugin(self) -> dict[str, str]:
        """Exactly the settings by which the provider's plugin authenticates itself; made up and the same every time."""

    @abc.abstractmethod
    def webhook_settings(self) -> dict[str, str]:
        """The one further setting that the plugin needs to check webhooks."""

    @abc.abstractmethod
    def set_webhook_target(self, url: str) -> None:
        """Deliver the events that paygate acts on to *url*, proved by :attr:`webhook_secret`; replaces the target before."""

    @abc.abstractmethod
    def store_card(self, card: CardKind = CardKind.GOOD) -> str:
        """Store a card that behaves as *card* says; returns the credential as a ``ChargeRequest`` carries it."""

    @abc.abstractmethod
    def approve(self, identifier: str, *, passed: bool = True) -> None:
        """Let the customer finish what waits for them (3-D Secure, a checkout, a hosted page), or fail at it.

        :raises KeyError: nothing of that id waits.
        """

    def awaiting(self) -> Sequence[str]:
        """The ids that :meth:`approve` takes at present, oldest first; none, where nothing ever waits for a customer."""
        return ()

    @property
    def webhook_secret(self) -> str:
        """The one value of :meth:`webhook_settings`."""
        (secret,) = self.webhook_settings().values()
        return secret

    def wish(
        self,
        wish: Wish,
        *,
        credential: str | None = None,
        amount: int | None = None,
        card: str | None = None,
        times: int = 1,
    ) -> None:
        """Let the next *times* payments that fit everything given go as *wish* says; see :meth:`Wishes.add`."""
        self.wishes.add(wish, credential=credential, amount=amount, card=card, times=times)

    def reset(self) -> None:
        """Back to the state after construction; the clock stays where it is, and credentials stay valid.

        A subclass forgets its own state as well.
        """
        with self.changed:
            self.book.clear()
            self.faults.clear()
            self.wishes.clear()
            self.outbox.clear()
            self._requests.clear()
            self.changed.notify_all()

    @property
    def requests(self) -> tuple[Request, ...]:
        """The latest requests, oldest first, including those that a fault struck."""
        with self.changed:
            return tuple(self._requests)

    def answer(self, request: Request) -> Response | Broken:
        """Perform *request* and say what goes over the wire, faults included. Used by the loopback server."""
        with self.changed:
            self._requests.append(request)
        fault = self.faults.take(request)
        if fault is None:
            return self._perform(request)
        if fault.kind is FaultKind.SLOW and not self.clock.skip(fault.seconds):
            time.sleep(fault.seconds)
        return spoil(fault, lambda: self._perform(request))

    def handle(self, request: Request) -> Response:
        """Perform *request* in process; mount this in a driver.

        :raises NotSent: a fault refused the connection.
        :raises Lost: a fault took the answer away, before or after the effect.
        """
        began = self.clock.monotonic()
        answer = self.answer(request)
        patience = _PATIENCE if request.timeout is None else request.timeout
        if self.clock.monotonic() - began > patience:
            raise Lost(f"emulated: no answer to {request.method} within {patience:g} s")
        if isinstance(answer, Response):
            return answer
        if answer.kind is FaultKind.REFUSED:
            raise NotSent("emulated: connection refused")
        if answer.response is not None:  # mounted there is no Content-Length to miss: the client gets half a body
            half = answer.response.body[: len(answer.response.body) // 2]
            return Response(answer.response.status, answer.response.headers, half)
        raise Lost(f"emulated: {answer.kind.value}")

    def deliver(self, receiver: Receiver) -> int:
        """Hand every webhook that is due to *receiver* and act on its answer.

        An exception of *receiver* passes through, and the delivery stays queued.

        :param receiver: returns the HTTP status of the merchant's answer; None counts as 200.
        :returns: how many deliveries were made.
        """
        made = 0
        self.tick()
        while (delivery := self.outbox.take(self.clock.now())) is not None:
            try:
                status = receiver(delivery)
            except BaseException:
                self.outbox.put_back(delivery)
                raise
            self.answered(delivery, 200 if status is None else status)
            made += 1
            self.tick()
        return made

    def _perform(self, request: Request) -> Response:
        with self.changed:
            self.tick()
            try:
                return self.respond(request)
            finally:
                self.changed.notify_all()

    def wait(self, seconds: float) -> bool:
        """Let up to *seconds* pass or the state change, with the lock released.

        :returns: False when time stands still and nobody will move it, so that waiting on is pointless.
        """
        before = self.clock.now()
        if not self.clock.skip(seconds):
            self.changed.wait(seconds)
            return True
        return self.clock.now() != before
