"""The state of the emulated UnivaPay: records, ids, and an agenda of what happens when."""

from __future__ import annotations

import datetime as dt
import heapq
import types
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from ....clock import Clock
from ....money import Money
from ...book import Book
from ..wishes import Wish, Wishes, WishKind
from .assumptions import Behaviour

__all__ = ["Cancel", "Charge", "ChargePlan", "Failure", "Refund", "State", "Token", "merge_metadata"]


@attrs.frozen
class Failure:
    """The ``error`` of a resource."""

    code: int
    message: str = "Card rejected"
    detail: str = "Emulated failure"

    def show(self) -> Mapping[str, Any]:
        return {"code": self.code, "message": self.message, "detail": self.detail}


@attrs.frozen
class ChargePlan:
    """How one coming charge shall go, instead of what its card says.

    :param status: the status it ends in; any text is sent as it is.
    :param code: ``error.code`` where it ends failed.
    :param pending: seconds of ``pending``, None until settled by hand; left out: as the behaviour says.
    :param authorized: seconds it shows ``authorized`` before it ends.
    :param charged: what is taken instead of what was asked for.
    :param customer: whether it waits for the customer first, whatever the request says about 3-D Secure.
    """

    status: str = "successful"
    code: int | None = None
    pending: float | types.EllipsisType | None = ...
    authorized: float = 0.0
    charged: Money | None = None
    customer: bool = False

    @classmethod
    def wished(cls, wish: Wish) -> ChargePlan:
        """How a charge goes that *wish* is for; a decline without a code is the general one, 306."""
        match wish.kind:
            case WishKind.SUCCEED:
                return cls()
            case WishKind.DECLINE:
                return cls("failed", int(wish.code or 306))
            case WishKind.ACTION:
                return cls(customer=True)
            case WishKind.PENDING:
                return cls(pending=wish.seconds)
            case WishKind.ERROR:
                return cls("error")


@attrs.define
class Token:
    """A transaction token. ``number`` stays inside: only bin and last four digits go out."""

    id: str
    store_id: str
    mode: str
    type: str
    email: str | None
    number: str = attrs.field(repr=False)
    card: dict[str, Any] = attrs.field(repr=False)
    billing: dict[str, Any] = attrs.field(repr=False)
    metadata: dict[str, Any]
    created: dt.datetime
    updated: dt.datetime
    usage_limit: str | None = None
    ip_address: str | None = None
    active: bool = True
    used: dt.datetime | None = None
    last_paid: dt.datetime | None = None
    cvv_charge: str | None = None


@attrs.define
class Charge:
    """A charge. ``plan`` is how it will go; ``settled`` whether a final status has been reached."""

    id: str
    store_id: str
    mode: str
    token: Token
    amount: int
    currency: str
    capture: bool
    metadata: dict[str, Any]
    created: dt.datetime
    updated: dt.datetime
    plan: ChargePlan
    status: str = "pending"
    error: Failure | None = None
    charged: Money | None = None
    three_ds: dict[str, Any] | None = None
    redirect: dict[str, Any] = attrs.field(factory=dict)
    capture_at: str | None = None
    only_direct_currency: bool = False
    descriptor: str | None = None

    @property
    def settled(self) -> bool:
        return self.status not in {"pending", "awaiting", "authorized"}


@attrs.define
class Refund:
    """A refund of a charge."""

    id: str
    charge: Charge
    amount: int
    currency: str
    reason: str | None
    message: str | None
    metadata: dict[str, Any]
    created: dt.datetime
    updated: dt.datetime
    status: str = "pending"
    error: Failure | None = None

    @property
    def settled(self) -> bool:
        return self.status != "pending"


@attrs.define
class Cancel:
    """A cancel of an authorised or awaiting charge."""

    id: str
    charge: Charge
    metadata: dict[str, Any]
    created: dt.datetime
    updated: dt.datetime
    status: str = "pending"
    error: Failure | None = None

    @property
    def settled(self) -> bool:
        return self.status != "pending"


def merge_metadata(into: dict[str, Any], given: object) -> None:
    """Merge *given* into the existing keys, as PATCH does."""
    if isinstance(given, Mapping):
        into.update({str(key): value for key, value in given.items()})


@attrs.define
class State:
    """All records, and the agenda. Not thread-safe by itself: the emulator's lock guards it."""

    clock: Clock
    book: Book
    behaviour: Behaviour
    wishes: Wishes
    emit: Callable[[str, str, Mapping[str, Any]], None]  #: event name, store id, data
    tokens: dict[str, Token] = attrs.field(factory=dict)
    charges: dict[str, Charge] = attrs.field(factory=dict)
    refunds: dict[str, dict[str, Refund]] = attrs.field(factory=dict)  #: by charge id
    cancels: dict[str, dict[str, Cancel]] = attrs.field(factory=dict)  #: by charge id
    plans: list[ChargePlan] = attrs.field(factory=list)
    card_plans: dict[str, ChargePlan] = attrs.field(factory=dict)  #: by token id, for cards stored by what they do
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
            self._serial += 1
            heapq.heappush(self._agenda, (self.now() + dt.timedelta(seconds=seconds), self._serial, action))

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
