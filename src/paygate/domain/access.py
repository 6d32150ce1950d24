"""Which content a contract opens (domain §2.5, R-026, R-028, R-047, R-059, R-072 to R-082).

Two gates: the *status* and the *expiry*. Content that belongs to the running period needs both; what was paid for earlier
months, or bought for good, stays open when the running period closes. Licences say what was paid for at all.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Iterable

import attrs

from ..clock import business_date, require_aware
from .contract import Contract, Product, ProductType, Status
from .licences import ALL, License, LicenseState
from .rules import Rules

__all__ = ["Opening", "Why", "access", "current"]


class Why(enum.Enum):
    """Why content is open or closed. The value is the text for people."""

    PAID = "paid for, and the contract runs"
    KEPT = "paid for earlier, or bought for good"
    NOT_PAID = "the payment is awaited"
    NOT_STARTED = "the contract has not started"
    UNDONE = "the contract was cancelled"
    SUSPENDED = "the payment of the running period is missing"
    ENDED = "the contract has ended"
    EXPIRED = "the paid time is over"
    LOCKED = "locked until the missing payment is found"
    REMOVED = "the licence was removed with a refund"
    NOT_ISSUED = "no licence was issued"

    @property
    def open(self) -> bool:
        return self in {Why.PAID, Why.KEPT}


@attrs.frozen
class Opening:
    """One piece of content.

    :param product: the product's code; empty for the running period as a whole, of a plan that names no products.
    :param scope: ``"all"``, a target month ``"YYYY-MM"``, or ``"#n"`` for the n-th content, as in the licence.
    """

    product: str
    scope: str
    why: Why

    @property
    def open(self) -> bool:
        return self.why.open

    @property
    def text(self) -> str:
        """The reason in words."""
        return self.why.value


_CLOSED = {
    Status.PENDING_PAYMENT: Why.NOT_PAID,
    Status.NOT_STARTED: Why.NOT_STARTED,
    Status.CANCELED: Why.UNDONE,
}
_STOPPED = {Status.PAST_DUE: Why.SUSPENDED, Status.TERMINATED: Why.ENDED}
_BOUGHT = frozenset({ProductType.BUYOUT, ProductType.BUYOUT_UNLOCK})


def current(contract: Contract, on: dt.datetime, rules: Rules) -> Why:
    """Whether the content of the running period is open at the instant *on*: both gates (R-059, R-072).

    A scheduled end closes at 00:00:00 of its day, whether or not a run has come (R-132); the expiry closes after
    23:59:59 of its own (R-047). A one-off purchase is its own running period and does not expire (R-059).

    :raises NaiveDatetime: *on* has no zone (R-002).
    """
    day = business_date(require_aware(on, "on"), rules.zone)
    status, notice = contract.status, contract.cancellation
    if status in _CLOSED:
        return _CLOSED[status]
    if notice is not None and notice.effective_on <= day:
        return Why.ENDED
    if status in _STOPPED:
        return _STOPPED[status]
    if status is Status.ESTABLISHED:
        return Why.PAID
    return Why.PAID if contract.expires_on is not None and day <= contract.expires_on else Why.EXPIRED


def access(contract: Contract, licences: Iterable[License], on: dt.datetime, rules: Rules) -> tuple[Opening, ...]:
    """What *contract* opens at the instant *on*, product by product, in the order of plan and licences.

    :param licences: all licences of the contract, locked and removed ones included.
    :returns: one opening for each licence; a product without any is listed as closed. A plan without products has one
        opening that stands for the running period.
    :raises NaiveDatetime: *on* has no zone (R-002).
    """
    now = current(contract, on, rules)
    if not contract.plan.products:
        return (Opening("", ALL, now),)
    issued: dict[str, list[License]] = {}
    for known in licences:
        issued.setdefault(known.product, []).append(known)
    return tuple(
        opening
        for product in contract.plan.products
        for opening in _openings(contract, product, issued.get(product.code, ()), now)
    )


def _openings(contract: Contract, product: Product, issued: Iterable[License], now: Why) -> list[Opening]:
    never = Why.NOT_ISSUED if contract.status not in _CLOSED else now
    return [Opening(product.code, known.scope, _why(contract, product, known, now)) for known in issued] or [
        Opening(product.code, ALL, never)
    ]


def _why(contract: Contract, product: Product, licence: License, now: Why) -> Why:
    if contract.status in _CLOSED:
        return now
    if licence.state is LicenseState.REMOVED:
        return Why.REMOVED
    if licence.state is LicenseState.REVOKED:
        return Why.LOCKED
    if product.type in _BOUGHT:
        return now if now.open else Why.KEPT
    if product.type is ProductType.MONTHLY_ALL_ACCESS:
        return now
    # the expiry closes the running month only; what is missing or has ended was never issued
    running = contract.period_start is not None and licence.issued_on >= contract.period_start
    return now if now.open or (running and now is Why.EXPIRED) else Why.KEPT
