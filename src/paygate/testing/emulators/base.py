"""What all emulators share: a lock, a clock, a book of money, faults, wishes, recorded requests and outgoing webhooks.

An emulator is a function ``Request -> Response`` over its own state. Mount :meth:`Emulator.handle` in a driver, or
serve it on loopback with :func:`paygate.testing.emulators.serve`. Every emulator tells the truth in its
:class:`~paygate.testing.book.Book`, whatever it answered. Everything that a Python test does by the methods and
attributes of :class:`Emulator`, a test in another language does by HTTP under ``/_paygate/``:
:mod:`paygate.testing.emulators.control`.
"""

from __future__ import annotations

import abc
import functools
import json
import threading
import time
from collections.abc import Mapping, Sequence
from typing import ClassVar, Self
from urllib.parse import quote, urlsplit

import attrs

from ...clock import Clock
from ...drivers.retry import Lost, NotSent
from ...flow import Request, Response
from ..book import Book
from .control import PREFIX, Control
from .faults import Broken, FaultKind, Faults, spoil
from .journal import SHOWN_FIELDS, Journal
from .webhooks import Delivery, Outbox, Receiver
from .wishes import CardKind, Wish, Wishes

__all__ = ["Emulator"]

#: Seconds that a client waits where the request does not say.
_PATIENCE = 30.0

#: Shortest real wait in seconds, so that waiting for a clock that stands still costs next to nothing.
_SHORTEST_WAIT = 0.001


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
    #: Fields of bodies and queries that a list of requests may show; the values of all others become placeholders.
    shown_fields: ClassVar[frozenset[str]] = SHOWN_FIELDS

    #: The credentials that :meth:`with_credentials` takes, by the names of the options of ``paygate emulate``.
    fixed_credentials: ClassVar[tuple[str, ...]] = ()

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.book = Book()
        self.faults = Faults()
        self.wishes = Wishes()
        self.outbox = Outbox()
        self.journal = Journal()
        self.changed = threading.Condition(threading.RLock())
        #: Where clients reach this emulator: :attr:`origin`, or its address on loopback while it is served.
        self.base_url = self.origin
        #: Who takes webhooks that fall due, while it is served; in process :meth:`deliver` is called with one.
        self.receiver: Receiver | None = None
        self._delivering = threading.RLock()
        self._resets = 0

    # --- what a provider's emulator says and does --------------------------------------------------------------------

    @abc.abstractmethod
    def respond(self, request: Request) -> Response:
        """Perform *request* on the state; called with the lock held."""

    @abc.abstractmethod
    def tick(self) -> None:
        """Let everything happen that is due by now. Called before each request, and 50 times a second when served."""

    @abc.abstractmethod
    def answered(self, delivery: Delivery, status: int) -> None:
        """Take note that the merchant answered *delivery* with *status* (0: no answer), and plan a retry if due."""

    @abc.abstractmethod
    def credentials_for_plugin(self) -> dict[str, str]:
        """Exactly the settings by which the provider's plugin authenticates itself; made up and the same every time."""

    @abc.abstractmethod
    def webhook_settings(self) -> dict[str, str]:
        """The one further setting that the plugin needs to check webhooks."""

    def ids_in_credentials(self) -> tuple[str, ...]:
        """Ids that :meth:`credentials_for_plugin` holds, so that a plugin sends them though no answer told them."""
        return ()

    @abc.abstractmethod
    def set_webhook_target(self, url: str) -> None:
        """Deliver the events that paygate acts on to *url*, proved by :attr:`webhook_secret`; replaces the target before."""

    @abc.abstractmethod
    def store_card(self, card: CardKind = CardKind.GOOD) -> str:
        """Store a card that behaves as *card* says; returns the credential as a ``ChargeRequest`` carries it."""

    def store_another(self, credential: str, card: CardKind = CardKind.GOOD) -> str:  # noqa: ARG002 - for those who tell customers apart
        """Store another card of the customer whose *credential* is; where cards have no owner, any card."""
        return self.store_card(card)

    @abc.abstractmethod
    def approve(self, identifier: str, *, passed: bool = True) -> None:
        """Let the customer finish what waits for them (3-D Secure, a checkout, a hosted page), or fail at it.

        :raises KeyError: nothing of that id waits.
        """

    def reset(self) -> None:
        """Back to the state after construction; the clock stays where it is, and credentials stay valid.

        A subclass forgets its own state as well.
        """
        with self.changed:
            self._resets += 1
            self.book.clear()
            self.faults.clear()
            self.wishes.clear()
            self.outbox.clear()
            self.journal.clear()
            self.changed.notify_all()

    # --- what it may say beyond that ---------------------------------------------------------------------------------

    @classmethod
    def with_credentials(cls, clock: Clock, given: Mapping[str, str]) -> Self:
        """One that takes the *given* credentials in place of made-up ones, by names of :attr:`fixed_credentials`.

        :raises ValueError: one of them is none of the test mode's, or not of the form that it has there; the message
            never quotes it.
        """
        if given:
            raise ValueError(f"the emulated {cls.name} makes up its own credentials")
        return cls(clock)

    def public_credentials(self) -> dict[str, str]:
        """What a browser of a shop is told, beside the settings of the plugin; nothing, where there is no such thing."""
        return {}

    def awaiting(self) -> Sequence[str]:
        """The ids that :meth:`approve` takes at present, oldest first; none, where nothing ever waits for a customer."""
        return ()

    def return_url(self, identifier: str) -> str | None:  # noqa: ARG002 - for emulators that know one
        """Where the customer goes after :meth:`approve`, which has been called already; None where nobody said."""
        return None

    def refund_in_console(self, payment: str, amount: int | None = None) -> str:  # noqa: ARG002 - for emulators that can
        """Return a payment, or *amount* minor units of it, as the merchant does in the provider's console.

        :param payment: as the book names it.
        :returns: the provider's id of the refund. It names no attempt of paygate's.
        :raises KeyError: no such payment has taken money.
        :raises ValueError: less of it is left.
        """
        raise KeyError(payment)

    def dispute(self, payment: str) -> str:
        """Let the customer's bank dispute a payment.

        :returns: the provider's id of the dispute, for :meth:`close_dispute`.
        :raises KeyError: no such payment has taken money.
        """
        raise KeyError(payment)

    def close_dispute(self, dispute: str, *, won: bool) -> None:  # noqa: ARG002 - for emulators that can
        """Let the bank decide: the money stays, or it is gone.

        :raises KeyError: no such dispute is open.
        """
        raise KeyError(dispute)

    def error_response(self, status: int) -> Response:
        """An error of HTTP *status* in the provider's own format, for faults."""
        body = {"error": {"message": f"emulated error {status}"}}
        return Response(status, {"Content-Type": "application/json"}, json.dumps(body).encode())

    def forge(self, delivery: Delivery) -> Delivery:
        """*delivery* as somebody sends it who does not know the secret: the proof in its headers is wrong or missing."""
        headers = {
            name: value if name.lower() == "content-type" else "forged" for name, value in delivery.headers.items()
        }
        return attrs.evolve(delivery, headers=headers)

    def redelivered(self, delivery: Delivery) -> Delivery:
        """*delivery* as the provider sends it once more when the merchant asks for it."""
        return attrs.evolve(delivery, at=self.clock.now(), attempt=1)

    # --- handles for tests -------------------------------------------------------------------------------------------

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

    def customer_url(self, identifier: str) -> str:
        """A page on which a person, or a browser under test, says yes or no: it calls :meth:`approve`."""
        return f"{self.base_url}{PREFIX}customer/{quote(identifier, safe='')}"

    def redeliver(self, delivery_id: str) -> str:
        """Send a delivery of the outbox once more, as the provider does on demand; returns the new delivery's id.

        :raises KeyError: no delivery of that id is remembered.
        """
        return self.outbox.put_extra(self.redelivered(self.outbox.find(delivery_id).delivery))

    def send_forged(self, delivery_id: str | None = None) -> str:
        """Queue a delivery with a wrong proof: a copy of the one of that id, by default of the latest.

        :returns: the id of the forged delivery.
        :raises KeyError: there is no delivery of that id, or none at all, to be copied.
        """
        if delivery_id is None:
            real = [each.delivery for each in self.outbox.attempts if not each.delivery.forged]
            if not real:
                raise KeyError("no delivery")
            delivery_id = real[-1].id
        forged = self.forge(self.outbox.find(delivery_id).delivery)
        return self.outbox.put_extra(attrs.evolve(forged, at=self.clock.now(), attempt=1, forged=True))

    @property
    def requests(self) -> tuple[Request, ...]:
        """The latest requests, oldest first, including those that a fault struck; :attr:`journal` knows more of them."""
        return tuple(row.request for row in self.journal.rows)

    @functools.cached_property
    def control(self) -> Control:
        """The control interface under ``/_paygate/``."""
        return Control(self)

    # --- requests ----------------------------------------------------------------------------------------------------

    def answer(self, request: Request) -> Response | Broken:
        """Perform *request* and say what goes over the wire, faults included. Used by the loopback server.

        A path under ``/_paygate/`` belongs to the control interface: no fault strikes it and it is not recorded.
        """
        if _for_control(request):
            return self._controlled(request)
        row = self.journal.write(request, self.clock.now())
        fault = self.faults.take(request)
        if fault is None:
            answer: Response | Broken = self._perform(request)
        else:
            if fault.kind is FaultKind.SLOW:
                self._pass(fault.seconds)
            answer = spoil(fault, lambda: self._perform(request), self.error_response)
        sent = answer if isinstance(answer, Response) else answer.response
        row.status = sent.status if sent is not None else None
        return answer

    def handle(self, request: Request) -> Response:
        """Perform *request* in process; mount this in a driver.

        :raises NotSent: a fault refused the connection.
        :raises Lost: a fault took the answer away, before or after the effect.
        """
        if _for_control(request):  # may move the clock by years, and nobody has waited that long
            return self._controlled(request)
        began = self.clock.monotonic()
        answer = self.answer(request)
        if isinstance(answer, Broken) and answer.kind is FaultKind.TRICKLE and answer.response is not None:
            self._pass(answer.seconds)
            answer = answer.response
        patience = _PATIENCE if request.timeout is None else request.timeout
        if self.clock.monotonic() - began > patience:
            raise Lost(f"emulated: no answer to {request.method} within {patience:g} s")
        if isinstance(answer, Response):
            return answer
        if answer.kind is FaultKind.REFUSED:
            raise NotSent("emulated: connection refused")
        raise Lost(f"emulated: {answer.kind.value}")

    def _controlled(self, request: Request) -> Response:
        self._happen()
        return self.control.answer(request)

    def _perform(self, request: Request) -> Response:
        with self.changed:
            self.tick()
            try:
                return self.respond(request)
            finally:
                self.changed.notify_all()

    # --- time and webhooks -------------------------------------------------------------------------------------------

    def catch_up(self) -> None:
        """Let everything happen that is due after the clock was moved, webhooks included while somebody takes them."""
        self._happen()
        if self.receiver is not None:
            self.deliver(self.receiver)

    def deliver(self, receiver: Receiver) -> int:
        """Hand every webhook that is due to *receiver* and act on its answer.

        An exception of *receiver* passes through, and the delivery stays queued.

        :param receiver: returns the HTTP status of the merchant's answer; None counts as 200.
        :returns: how many deliveries were made.
        """
        made = 0
        with self._delivering:
            self.tick()
            while (delivery := self.outbox.take(self.clock.now())) is not None:
                resets = self._resets
                try:
                    answered = receiver(delivery)
                except BaseException:
                    if resets == self._resets:
                        self.outbox.put_back(delivery)
                    raise
                status = 200 if answered is None else answered
                with self.changed:
                    if resets == self._resets:  # after a reset nobody knows of it any more
                        self.outbox.note(delivery, status, self.clock.now())
                        if not delivery.forged:
                            self.answered(delivery, status)
                made += 1
                self.tick()
        return made

    def wait(self, seconds: float) -> bool:
        """Let up to *seconds* pass or the state change, with the lock released.

        :returns: False when time stands still and nobody will move it, so that waiting on is pointless.
        """
        before = self.clock.now()
        if not self.clock.skip(seconds):
            self.changed.wait(max(seconds, _SHORTEST_WAIT))
            return True
        return self.clock.now() != before

    def _happen(self) -> None:
        with self.changed:
            self.tick()
            self.changed.notify_all()

    def _pass(self, seconds: float) -> None:
        if not self.clock.skip(seconds):
            time.sleep(seconds)


def _for_control(request: Request) -> bool:
    return urlsplit(request.url).path.startswith(PREFIX)
