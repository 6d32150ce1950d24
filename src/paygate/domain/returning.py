"""Money that providers took back without paygate's asking: refunds made in their consoles, and disputes.

What a provider reports is kept as a fact of the charge, whatever the charge is at that time, and the ledger is made to
agree with the facts. So the reports may come in any order, and as often as they like (R-314 to R-319).
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Iterable, Sequence

import attrs

from ..dispute import Dispute, DisputeState
from ..money import Money
from ..provider import Outcome, RefundResult
from .ledger import LedgerEntry, refundable

__all__ = [
    "Payment",
    "Return",
    "ReturnKind",
    "ReturnState",
    "allocate",
    "dispute_fact",
    "merged",
    "refund_fact",
    "returned",
    "total_fact",
    "unnamed",
]


class ReturnKind(enum.Enum):
    """What a fact is about."""

    REFUND = "REFUND"  #: one refund, by its own reference
    TOTAL = "TOTAL"  #: how much has gone back of the charge in all, paygate's own refunds included
    DISPUTE = "DISPUTE"


class ReturnState(enum.Enum):
    """How it stands; a later one of its kind overrules an earlier one, whatever comes first."""

    PENDING = "PENDING"
    DONE = "DONE"
    FAILED = "FAILED"
    OPENED = "OPENED"
    LOST = "LOST"
    WON = "WON"


_ORDER = list(ReturnState)
_OUTCOMES = {
    Outcome.PENDING: ReturnState.PENDING,
    Outcome.UNKNOWN: ReturnState.PENDING,
    Outcome.SUCCEEDED: ReturnState.DONE,
    Outcome.DECLINED: ReturnState.FAILED,
    Outcome.NOT_SENT: ReturnState.FAILED,
}
_DISPUTES = {
    DisputeState.OPENED: ReturnState.OPENED,
    DisputeState.LOST: ReturnState.LOST,
    DisputeState.WON: ReturnState.WON,
}


@attrs.frozen
class Return:
    """What a provider reports to have gone back, or to be disputed, of one payment.

    :param charge_id: with *contract_id*, whose payment it is; both are empty while that is not known.
    :param charge_reference: the provider's id of the payment; None where it was not named.
    :param reference: the provider's id of the refund or dispute; of a TOTAL that of the payment.
    :param due_by: of a dispute: until when evidence can be handed in, UTC.
    """

    id: str
    account: str
    charge_id: str
    contract_id: str
    charge_reference: str | None
    kind: ReturnKind
    reference: str
    state: ReturnState
    amount: Money
    seen_at: dt.datetime
    due_by: dt.datetime | None = None
    reason: str = ""

    @property
    def counts(self) -> bool:
        """Whether the money is away, or about to go."""
        return self.state not in {ReturnState.FAILED, ReturnState.WON}

    @property
    def gone(self) -> bool:
        """Whether the money has certainly gone."""
        return self.state in {ReturnState.DONE, ReturnState.LOST}


@attrs.frozen
class Payment:
    """The payment that facts are about."""

    account: str
    charge_id: str
    contract_id: str
    charge_reference: str | None
    now: dt.datetime


def refund_fact(of: Payment, result: RefundResult, amount: Money, id: str) -> Return:  # noqa: A002
    """One refund of the payment, as *result* says."""
    state, reference = _OUTCOMES[result.outcome], result.reference or ""
    return _fact(of, ReturnKind.REFUND, reference, state, amount, id, reason=result.code or "")


def total_fact(of: Payment, total: Money, id: str) -> Return:  # noqa: A002
    """The sum of all refunds of the payment."""
    return _fact(of, ReturnKind.TOTAL, of.charge_reference or of.charge_id, ReturnState.DONE, total, id)


def dispute_fact(of: Payment, dispute: Dispute, id: str) -> Return:  # noqa: A002
    """A dispute of the payment."""
    state = _DISPUTES[dispute.state]
    fact = _fact(of, ReturnKind.DISPUTE, dispute.reference, state, dispute.amount, id, reason=dispute.reason)
    return attrs.evolve(fact, due_by=dispute.due_by)


def _fact(
    of: Payment,
    kind: ReturnKind,
    reference: str,
    state: ReturnState,
    amount: Money,
    id: str,  # noqa: A002
    *,
    reason: str = "",
) -> Return:
    return Return(
        id, of.account, of.charge_id, of.contract_id, of.charge_reference, kind, reference, state, amount, of.now,
        reason=reason,
    )  # fmt: skip


def merged(known: Return, news: Return) -> Return:
    """*known* with what *news* of the same thing adds: the later state, of a total the greater sum, and whose it is."""
    if not known.charge_id:
        known = attrs.evolve(
            known,
            charge_id=news.charge_id,
            contract_id=news.contract_id,
            charge_reference=known.charge_reference or news.charge_reference,
        )
    if known.kind is ReturnKind.TOTAL:
        # seen when it was as high as that: what paygate has returned since is not a part of it
        return attrs.evolve(known, amount=news.amount, seen_at=news.seen_at) if _more(news, known) else known
    if _ORDER.index(news.state) <= _ORDER.index(known.state):
        return attrs.evolve(known, due_by=known.due_by or news.due_by, reason=known.reason or news.reason)
    return attrs.evolve(known, state=news.state, due_by=news.due_by or known.due_by, reason=news.reason or known.reason)


def _more(news: Return, known: Return) -> bool:
    return news.amount.minor > known.amount.minor


def returned(facts: Iterable[Return], currency: str) -> int:
    """Minor units of *currency* that have certainly gone back of a payment, by refund or by a lost dispute."""
    alike = [fact for fact in facts if fact.amount.currency == currency and fact.gone]
    named = sum(fact.amount.minor for fact in alike if fact.kind is ReturnKind.REFUND)
    total = sum(fact.amount.minor for fact in alike if fact.kind is ReturnKind.TOTAL)
    lost = sum(fact.amount.minor for fact in alike if fact.kind is ReturnKind.DISPUTE)
    return max(named, total) + lost


def unnamed(facts: Sequence[Return], own: int, currency: str) -> int:
    """Minor units that the total of a payment has beyond the refunds that are known one by one.

    :param own: minor units of paygate's own refunds of it, those without a result included.
    """
    alike = [fact for fact in facts if fact.amount.currency == currency]
    total = sum(fact.amount.minor for fact in alike if fact.kind is ReturnKind.TOTAL)
    named = sum(fact.amount.minor for fact in alike if fact.kind is ReturnKind.REFUND and fact.counts)
    return max(0, total - named - own)


def allocate(
    amount: Money, rows: Sequence[LedgerEntry], refunds: Sequence[LedgerEntry], *, over: bool
) -> tuple[list[tuple[LedgerEntry, Money]], int]:
    """Share *amount* out among the sales *rows* of one charge, in their order, up to what is left of each.

    :param refunds: everything that counts against the rows.
    :param over: what is beyond all of them goes to the first row: of a dispute, which takes what was returned already.
    :returns: the shares, and the minor units that found no room.
    """
    left, shares = amount.minor, []
    for row in rows:
        share = min(left, max(0, refundable(row, refunds)))
        if share:
            shares.append((row, share))
            left -= share
    if left and over and rows:
        first = {row.id: share for row, share in shares}.get(rows[0].id, 0)
        shares = [(rows[0], first + left), *((row, share) for row, share in shares if row.id != rows[0].id)]
        left = 0
    return [(row, Money(share, amount.currency)) for row, share in shares], left
