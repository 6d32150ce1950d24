"""What a provider reports about an attempt that contradicts what is on record: kept as evidence, never applied.

A charge or refund has one reference, one amount and one end. A report of another one may mean that money moved twice, so
it is neither dropped nor booked by itself: it stays open until a person says what became of it (R-310 to R-313).
"""

from __future__ import annotations

import datetime as dt
import enum

import attrs

from ..money import Money
from ..provider import ChargeResult, Outcome, RefundResult
from .charge import Charge, ChargeState, Refund, RefundState
from .contract import Actor

__all__ = [
    "NO_REFERENCE",
    "Discrepancy",
    "DiscrepancyKind",
    "Source",
    "contradiction",
    "discrepancy_of",
    "refund_contradiction",
]

#: Begins the reference of an attempt that a person settled without knowing the provider's.
NO_REFERENCE = "by-hand-"

_TAKES = frozenset({Outcome.SUCCEEDED, Outcome.UNKNOWN})


class DiscrepancyKind(enum.Enum):
    """In what a report contradicts the attempt on record."""

    SECOND_REFERENCE = "SECOND_REFERENCE"  #: another payment carries the same attempt
    OTHER_AMOUNT = "OTHER_AMOUNT"  #: another sum was moved than was asked for
    OTHER_CURRENCY = "OTHER_CURRENCY"  #: another currency than was asked for
    DECLINE_AFTER_SUCCESS = "DECLINE_AFTER_SUCCESS"  #: said to have failed after it was said to have succeeded
    SUCCESS_AFTER_DECLINE = "SUCCESS_AFTER_DECLINE"  #: of a refund: the reverse, which the same refund cannot do
    OVER_REFUNDED = "OVER_REFUNDED"  #: more went back than the ledger has of the charge


class Source(enum.Enum):
    """Where a result came from."""

    ANSWER = "answer"
    LOOKUP = "look-up"
    WEBHOOK = "webhook"
    OPERATOR = "operator"


@attrs.frozen
class Discrepancy:
    """One contradiction between paygate's record of an attempt and a provider's report.

    :param charge_id: the charge it is about; :param refund_id: or the refund.
    :param our_state: state of the attempt on record, for example ``"SUCCEEDED"``.
    :param their_amount: None where the provider named no sum. :param their_state: the reported outcome.
    :param source: what brought the report first.
    :param returned: minor units of *their_amount* that have certainly gone back, while nobody has said what became of it.
    :param resolved_at: None while it is open. :param note: what a person, or the recorded refund, said of it.
    """

    id: str
    account: str
    contract_id: str
    kind: DiscrepancyKind
    our_reference: str | None
    our_amount: Money
    our_state: str
    their_reference: str | None
    their_amount: Money | None
    their_state: Outcome
    source: Source
    seen_at: dt.datetime
    charge_id: str | None = None
    refund_id: str | None = None
    resolved_at: dt.datetime | None = None
    resolved_by: Actor | None = None
    note: str = ""
    returned: int = 0

    @property
    def open(self) -> bool:
        return self.resolved_at is None

    @property
    def attempt_id(self) -> str:
        """Id of the charge or refund."""
        return self.charge_id or self.refund_id or ""

    @property
    def unbooked(self) -> int:
        """Minor units, of the provider's currency, that it moved by its own word and no ledger row counts.

        0 where it moved nothing or named no sum; negative where less was moved than is booked.
        """
        if self.their_amount is None or self.their_state not in _TAKES:
            return 0
        booked = self.our_state in {ChargeState.SUCCEEDED.value, RefundState.DONE.value}
        same = self.their_reference == self.our_reference and self.their_amount.currency == self.our_amount.currency
        if self.kind is not DiscrepancyKind.SECOND_REFERENCE and booked and same:
            return self.their_amount.minor - self.our_amount.minor
        return self.their_amount.minor - self.returned

    def same_report(self, other: Discrepancy) -> bool:
        """Whether *other* reports the same payment in the same way, be its end known or still to come."""
        return (self.attempt_id, self.kind, self.their_reference) == (
            other.attempt_id,
            other.kind,
            other.their_reference,
        ) and (self.their_amount == other.their_amount or None in {self.their_amount, other.their_amount})

    def describe(self) -> str:
        """One sentence for a person, with ids and sums."""
        what = f"charge {self.charge_id}" if self.charge_id else f"refund {self.refund_id}"
        theirs = f"{self.their_amount or 'a sum it does not name'} as {self.their_state.value}"
        if self.kind is DiscrepancyKind.OVER_REFUNDED:
            theirs = f"{self.their_amount} more as returned than the ledger has room for"
        ours = f"{self.our_amount} as {self.our_state}, under {self.our_reference or 'no reference'}"
        return f"{what}: {self.account} reports {theirs}, under {self.their_reference or 'no reference'}; on record is {ours}"


def contradiction(charge: Charge, result: ChargeResult) -> DiscrepancyKind | None:
    """In what *result* contradicts *charge* as it stands; None: it does not, and may be applied (R-310).

    A first reference contradicts nothing, nor does a late success under the reference that was declined.
    """
    second = _second(charge.reference, result.reference)
    match result.outcome:
        case Outcome.SUCCEEDED | Outcome.UNKNOWN if second:
            return DiscrepancyKind.SECOND_REFERENCE
        case Outcome.PENDING if second:
            return DiscrepancyKind.SECOND_REFERENCE
        case Outcome.DECLINED if second and charge.state is not ChargeState.FAILED:
            return DiscrepancyKind.SECOND_REFERENCE  # another payment has failed, and not the one on record
        case Outcome.DECLINED if charge.state is ChargeState.SUCCEEDED:
            return DiscrepancyKind.DECLINE_AFTER_SUCCESS
        case Outcome.SUCCEEDED | Outcome.UNKNOWN:
            return _other_sum(charge.amount, result.amount)
        case _:
            return None


def refund_contradiction(refund: Refund, result: RefundResult) -> DiscrepancyKind | None:
    """In what *result* contradicts *refund*; None: it does not.

    A failure after a success is none: it restores the sale (R-101, R-247). The reverse cannot happen to one refund.
    """
    second = _second(refund.reference, result.reference)
    match result.outcome:
        case Outcome.SUCCEEDED | Outcome.UNKNOWN | Outcome.PENDING if second:
            return DiscrepancyKind.SECOND_REFERENCE
        case Outcome.DECLINED if second:
            return DiscrepancyKind.SECOND_REFERENCE if refund.state is not RefundState.FAILED else None
        case Outcome.SUCCEEDED if refund.state is RefundState.FAILED and refund.reference == result.reference:
            return DiscrepancyKind.SUCCESS_AFTER_DECLINE
        case Outcome.SUCCEEDED | Outcome.UNKNOWN:
            return _other_sum(refund.amount, result.amount)
        case _:
            return None


def discrepancy_of(
    attempt: Charge | Refund,
    kind: DiscrepancyKind,
    result: ChargeResult | RefundResult,
    source: Source,
    *,
    id: str,  # noqa: A002 - the field's own name
    now: dt.datetime,
) -> Discrepancy:
    """The record of one contradiction."""
    return Discrepancy(
        id=id,
        account=attempt.account or "",
        contract_id=attempt.contract_id,
        kind=kind,
        our_reference=attempt.reference,
        our_amount=attempt.amount,
        our_state=attempt.state.value,
        their_reference=result.reference,
        their_amount=result.amount if result.outcome in _TAKES else None,
        their_state=result.outcome,
        source=source,
        seen_at=now,
        charge_id=attempt.id if isinstance(attempt, Charge) else None,
        refund_id=attempt.id if isinstance(attempt, Refund) else None,
    )


def _second(ours: str | None, theirs: str | None) -> bool:
    known = ours is not None and not ours.startswith(NO_REFERENCE)
    return known and theirs is not None and ours != theirs


def _other_sum(ours: Money, theirs: Money | None) -> DiscrepancyKind | None:
    if theirs is None or theirs == ours:
        return None
    return DiscrepancyKind.OTHER_AMOUNT if theirs.currency == ours.currency else DiscrepancyKind.OTHER_CURRENCY
