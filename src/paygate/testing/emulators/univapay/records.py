"""What the emulated UnivaPay keeps: tokens, charges, refunds, cancels, subscriptions and their payments."""

from __future__ import annotations

import datetime as dt
import types
from typing import Any

import attrs

from ....money import Money
from ..wishes import Wish, WishKind
from .schedule import Plan

__all__ = ["Cancel", "Charge", "ChargePlan", "Failure", "Payment", "Refund", "Subscription", "ThreeDs", "Token"]


@attrs.frozen
class Failure:
    """The ``error`` of a resource."""

    code: int
    message: str = "Card rejected"
    detail: str = "Emulated failure"

    def show(self) -> dict[str, Any]:
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
        """How a charge goes that *wish* is for; without a code of UnivaPay's, a number, it is the general decline, 306."""
        match wish.kind:
            case WishKind.SUCCEED:
                return cls()
            case WishKind.DECLINE:
                return cls("failed", _code(wish, 306))
            case WishKind.ACTION:
                return cls(customer=True)
            case WishKind.PENDING:
                return cls(pending=wish.seconds)
            case WishKind.ERROR:
                return cls("error", _code(wish, 500))


def _code(wish: Wish, otherwise: int) -> int:
    return int(wish.code) if wish.code and wish.code.isdecimal() and len(wish.code) <= 9 else otherwise


@attrs.define(kw_only=True)
class ThreeDs:
    """3-D Secure of a token: ``status`` goes pending, awaiting, and then successful or failed."""

    status: str
    redirect_endpoint: str | None
    redirect_id: str
    error: Failure | None = None


@attrs.define(kw_only=True)
class Token:
    """A transaction token. ``number`` stays inside: only bin and last four digits go out."""

    id: str
    store_id: str
    merchant_id: str
    mode: str
    type: str
    email: str | None
    number: str = attrs.field(repr=False)
    card: dict[str, Any] = attrs.field(repr=False)
    billing: dict[str, Any] = attrs.field(repr=False)
    metadata: dict[str, Any]
    created: dt.datetime
    updated: dt.datetime
    serial: int = 0
    usage_limit: str | None = None
    ip_address: str | None = None
    active: bool = True
    used: dt.datetime | None = None
    last_paid: dt.datetime | None = None
    previous_id: str | None = None
    confirmation_code: str | None = attrs.field(default=None, repr=False)
    confirmed: bool | None = None
    cvv_status: str | None = None  #: of the check at creation: pending, current, failed
    cvv_charge: str | None = None
    cvv_currency: str | None = None
    cvv_fresh: bool = False  #: given again, and not used by a charge since
    three_ds: ThreeDs | None = None
    plan: ChargePlan | None = None  #: how its charges go, for cards stored by what they do


@attrs.define(kw_only=True)
class Charge:
    """A charge. ``plan`` is how it will go; ``settled`` whether a final status has been reached."""

    id: str
    token: Token
    amount: int
    currency: str
    metadata: dict[str, Any]
    created: dt.datetime
    updated: dt.datetime
    plan: ChargePlan
    serial: int = 0
    capture: bool = True
    capturing: bool = False  #: a capture is under way
    status: str = "pending"
    error: Failure | None = None
    charged: Money | None = None
    three_ds: dict[str, Any] | None = None
    redirect: dict[str, Any] | None = None
    capture_at: dt.datetime | None = None
    only_direct_currency: bool = False
    descriptor: str | None = None
    merchant_transaction_id: str | None = None
    subscription: Subscription | None = None
    payment: Payment | None = None

    @property
    def store_id(self) -> str:
        return self.token.store_id

    @property
    def mode(self) -> str:
        return self.token.mode

    @property
    def settled(self) -> bool:
        return self.status not in {"pending", "awaiting", "authorized"}


@attrs.define(kw_only=True)
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
    serial: int = 0
    status: str = "pending"
    error: Failure | None = None

    @property
    def settled(self) -> bool:
        return self.status != "pending"


@attrs.define(kw_only=True)
class Cancel:
    """A cancel of an authorised or awaiting charge."""

    id: str
    charge: Charge
    metadata: dict[str, Any]
    created: dt.datetime
    updated: dt.datetime
    serial: int = 0
    status: str = "pending"
    error: Failure | None = None

    @property
    def settled(self) -> bool:
        return self.status != "pending"


@attrs.define(kw_only=True, eq=False)
class Payment:
    """One scheduled payment of a subscription. ``turn`` tells a planned attempt from one planned before it.

    :param due: date in the subscription's zone; :param retry_on: of the next try, after a failed one.
    """

    id: str
    due: dt.date
    amount: int
    created: dt.datetime
    updated: dt.datetime
    serial: int = 0
    is_last: bool = False
    is_paid: bool = False
    paid_on: dt.date | None = None
    retry_on: dt.date | None = None
    retry_interval: str | None = None
    terminate_with: str | None = None
    turn: int = 0


@attrs.define(kw_only=True, eq=False)
class Subscription:
    """A subscription. ``step`` is the plan's due date that the next payment has; ``tries`` have failed since a success."""

    id: str
    token: Token
    amount: int
    currency: str
    initial_amount: int | None
    period: str | None
    cyclical_period: str | None
    start_on: dt.date | None
    zone_id: str
    preserve_end_of_month: bool
    retry_interval: str | None
    termination_mode: str
    subscription_plan: dict[str, Any] | None
    installment_plan: dict[str, Any] | None
    authorization_only: bool
    capture_after: str | None
    only_direct_currency: bool
    descriptor: str | None
    metadata: dict[str, Any]
    three_ds: dict[str, Any] | None
    created: dt.datetime
    updated: dt.datetime
    plan: Plan
    serial: int = 0
    status: str = "unverified"
    payment: Payment | None = None  #: the next one, paid or not
    step: int = 0
    paid_count: int = 0
    paid: int = 0  #: sum of the payments made
    tries: int = 0
    charging: bool = False

    @property
    def store_id(self) -> str:
        return self.token.store_id

    @property
    def mode(self) -> str:
        return self.token.mode

    @property
    def ended(self) -> bool:
        return self.status in {"canceled", "completed"}
