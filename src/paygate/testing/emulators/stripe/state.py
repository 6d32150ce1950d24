"""What all resources of the emulated Stripe share: time, ids, an agenda, the call being answered, who waits."""

from __future__ import annotations

import datetime as dt
import heapq
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from ....clock import Clock
from ...book import Book
from ..wishes import Wishes
from .assumptions import Behaviour
from .ids import Ids
from .packing import Packer
from .versions import older

if TYPE_CHECKING:
    from .events import Events
    from .resource import Resource

__all__ = ["Call", "State", "Waiting"]


@attrs.frozen
class Call:
    """One request, authenticated and read.

    :param params: the typed parameters, without ``expand``.
    :param names: the segments that the route's pattern names.
    :param key: the idempotency key, or None.
    """

    params: Mapping[str, Any]
    names: Mapping[str, str]
    request_id: str
    key: str | None = None
    version: str | None = None  #: of the request's ``Stripe-Version``; None where it named none

    @property
    def id(self) -> str:
        """The ``{id}`` of the path."""
        return self.names["id"]


@attrs.frozen
class Waiting:
    """Something that waits for the customer.

    :param finish: called with whether the customer passed; returns where their browser goes afterwards, or None.
    """

    finish: Callable[[bool], str | None]


@attrs.define
class State:
    """Not thread-safe by itself: the emulator's lock guards it."""

    clock: Clock
    book: Book
    wishes: Wishes
    behaviour: Behaviour
    ids: Ids
    customer_url: Callable[[str], str]  #: the page on which the customer finishes what waits under an id
    packer: Packer = attrs.field(factory=Packer)
    events: Events = attrs.field(init=False)
    resources: dict[str, Resource[Any]] = attrs.field(factory=dict)  #: by prefix of their ids
    waiting: dict[str, Waiting] = attrs.field(factory=dict)  #: by id, oldest first
    call: Call | None = None  #: the request being answered; None while the agenda is worked off
    _serial: int = 0
    _second: int = 0
    _moment: dt.datetime | None = None
    _agenda: list[tuple[dt.datetime, int, Callable[[], None]]] = attrs.field(factory=list)

    def emit(self, name: str, shown: Mapping[str, Any], previous: Mapping[str, Any] | None = None) -> None:
        """See :meth:`.events.Events.emit`."""
        self.events.emit(name, shown, previous)

    def older(self, than: str) -> bool:
        """Whether the request being answered is read by an API version from before the date *than*."""
        return self.call is not None and older(self.call.version, than)

    def names_older(self, than: str) -> bool:
        """The same, where the request says so itself."""
        return self.call is not None and self.call.version is not None and older(self.call.version, than)

    def now(self) -> dt.datetime:
        """The present instant; inside the agenda, the instant an entry was due, however late somebody looks."""
        return self._moment or self.clock.now()

    def timestamp(self) -> int:
        """The present instant in whole seconds since 1970, UTC; one number for all records of the same second."""
        second = int(self.now().timestamp())
        if second != self._second:
            self._second = second
        return self._second

    def serial(self) -> int:
        """The next number in the order of all objects."""
        self._serial += 1
        return self._serial

    def later(self, seconds: float | None, action: Callable[[], None]) -> None:
        """Do *action* when *seconds* have passed; never, where they are None. Actions check what still holds."""
        if seconds is not None:
            self.at(self.now() + dt.timedelta(seconds=seconds), action)

    def at(self, when: dt.datetime, action: Callable[[], None]) -> None:
        """Do *action* at *when*, or with the next tick if that is past."""
        heapq.heappush(self._agenda, (when, self.serial(), action))

    def tick(self) -> None:
        """Do everything due by now, in order."""
        while self._agenda and self._agenda[0][0] <= self.clock.now():
            self._moment, _, action = heapq.heappop(self._agenda)
            try:
                action()
            finally:
                self._moment = None
