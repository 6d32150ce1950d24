"""Money that providers took back without paygate's asking: refunds made in their consoles, and disputes.

What a provider reports is kept as a fact of the charge, whatever the charge is at that time, and the ledger is made to
agree with the facts. So the reports may come in any order, and as often as they like (R-314 to R-319).
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Iterable, Mapping, Sequence

import attrs

from ..dispute import Dispute, DisputeState
from ..money import Money
from ..provider import Outcome, RefundResult

__all__ = [
    "Payment",
    "Return",
    "ReturnKind",
    "ReturnState",
    "Share",
    "dispute_fact",
    "merged",
    "refund_fact",
    "returned",
    "share_out",
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
    """*known* with what *news* of the same thing adds, alike in any order (R-319).

    The later state, whose it is, of a total or a refund the greatest sum, of a dispute the sum that goes with its state.
    """
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
    later, alike = _ORDER.index(news.state) > _ORDER.index(known.state), news.state is known.state
    first, second = (news, known) if later else (known, news)
    amount = known.amount
    if known.kind is ReturnKind.REFUND or alike:
        amount = news.amount if _more(news, known) else amount
    elif later:
        amount = news.amount
    due_by = max(filter(None, (known.due_by, news.due_by)), default=None) if alike else first.due_by or second.due_by
    return attrs.evolve(known, state=first.state, amount=amount, due_by=due_by, reason=first.reason or second.reason)


def _more(news: Return, known: Return) -> bool:
    return news.amount.minor > known.amount.minor


def returned(facts: Sequence[Return], currency: str) -> int:
    """Minor units of *currency* that have certainly gone back of a payment, by refund or by a lost dispute."""
    alike = [fact for fact in facts if fact.amount.currency == currency and fact.gone]
    named = sum(fact.amount.minor for fact in alike if fact.kind is not ReturnKind.TOTAL)
    return named + unnamed(facts, 0, currency)


def unnamed(facts: Sequence[Return], own: int, currency: str, failed: Sequence[int] = ()) -> int:
    """Minor units that the total of a payment has beyond the refunds that are known one by one.

    A total is the highest that was ever seen. A refund that failed after all may be a part of it, wherever it fits; one
    that is greater than the total cannot be.

    :param own: minor units of paygate's own refunds of it, those without a result included.
    :param failed: minor units of each of paygate's own that the provider had made, and that failed after all.
    """
    alike = [fact for fact in facts if fact.amount.currency == currency]
    total = max((fact.amount.minor for fact in alike if fact.kind is ReturnKind.TOTAL), default=0)
    named = [fact for fact in alike if fact.kind is ReturnKind.REFUND]
    rest = total - own - sum(fact.amount.minor for fact in named if fact.counts and fact.amount.minor <= total)
    for minor in sorted([*(fact.amount.minor for fact in named if not fact.counts), *failed], reverse=True):
        rest -= minor if minor <= rest else 0
    return max(0, rest)


@attrs.frozen
class Share:
    """One row that the ledger has for what went back: *minor* units of the sale *sale*, under the provider's *reference*."""

    reference: str
    sale: str
    minor: int
    state: ReturnState
    due_by: dt.datetime | None = None
    reason: str = ""


def share_out(
    facts: Iterable[Return], room: Mapping[str, int], *, over: bool = False
) -> tuple[list[Share], dict[str, int]]:
    """The rows for *facts*, each shared out among the sales in their order: the same whatever came first (R-319).

    :param room: by the id of each sale, how many minor units there are to be taken of it.
    :param over: what is beyond all of them goes to the first sale: of a dispute, which takes what was returned already.
    :returns: the rows, and by its reference what of a fact found no room.
    """
    left, shares, beyond = dict(room), [], {}
    for fact in sorted(facts, key=lambda one: ("#" in one.reference, one.reference)):
        missing, taken = fact.amount.minor, dict.fromkeys(left, 0)
        for sale, minor in left.items():
            taken[sale] = min(missing, max(0, minor))
            missing -= taken[sale]
        if missing and over and taken:
            taken[next(iter(taken))] += missing
        elif missing:
            beyond[fact.reference] = missing
        for sale, minor in taken.items():
            left[sale] -= minor
            if minor:
                shares.append(Share(fact.reference, sale, minor, fact.state, fact.due_by, fact.reason))
    return shares, beyond
