"""What a test has told a fake to do next, and which of it the next call gets."""

from __future__ import annotations

from collections import deque
from types import UnionType
from typing import TYPE_CHECKING, TypeAlias, TypeVar, cast

from ...errors import InvalidValue
from .outcomes import (
    ChargeCourse,
    ChargeOutcome,
    Decline,
    Ending,
    NeverThere,
    RefundCourse,
    RefundOutcome,
    RemoveCredential,
    RequireAction,
    StartOutcome,
    StayPending,
    Succeed,
    Vanish,
)

if TYPE_CHECKING:
    from ..faults import Faults

__all__ = ["WELL_KNOWN", "Fault", "Script"]

#: A lost answer, and what the provider did nevertheless.
Fault: TypeAlias = Vanish | NeverThere
T = TypeVar("T")

#: Credentials that end the same way at every fake, for trying things by hand.
WELL_KNOWN: dict[str, ChargeOutcome] = {
    "tok_declines": Decline(),
    "tok_pending": StayPending(60),
    "tok_action": RequireAction(),
    "tok_vanishes": Vanish(),
    "tok_removed": RemoveCredential(),
}


class Script:
    """Queued outcomes of charges and refunds, and outcomes that stick to a credential."""

    def __init__(self) -> None:
        self.faults: Faults | None = None
        self._charges: deque[ChargeOutcome] = deque()
        self._refunds: deque[RefundOutcome] = deque()
        self._starts: deque[StartOutcome] = deque()
        self._renewals: deque[Ending] = deque()
        self._by_credential = dict(WELL_KNOWN)

    def queue_charges(self, outcomes: tuple[ChargeOutcome, ...]) -> None:
        self._charges.extend(_checked(outcomes, ChargeCourse, "a charge"))

    def queue_refunds(self, outcomes: tuple[RefundOutcome, ...]) -> None:
        self._refunds.extend(_checked(outcomes, RefundCourse, "a refund"))

    def stick(self, credential: str, outcome: ChargeOutcome) -> None:
        (self._by_credential[credential],) = _checked((outcome,), ChargeCourse, "a charge")

    def next_charge(self, credential: str, *, acts: bool) -> tuple[Fault | None, ChargeCourse]:
        """The fault that the next call meets, and what the provider does if it hears of it.

        :param acts: whether the provider will really make a charge; else only a fault is used up.
        """
        sticky = self._by_credential.get(credential)
        outcome = sticky if sticky is not None else _take(self._charges, acts=acts)
        if isinstance(outcome, NeverThere):
            return outcome, Succeed()
        if isinstance(outcome, Vanish):
            return outcome, cast("ChargeCourse", outcome.then)
        return self._strike(), outcome or Succeed()

    def next_refund(self, *, acts: bool) -> tuple[Fault | None, RefundCourse]:
        """The same for a refund."""
        outcome = _take(self._refunds, acts=acts)
        if isinstance(outcome, NeverThere):
            return outcome, Succeed()
        if isinstance(outcome, Vanish):
            return outcome, cast("RefundCourse", outcome.then)
        return self._strike(), outcome or Succeed()

    def queue_starts(self, outcomes: tuple[StartOutcome, ...]) -> None:
        self._starts.extend(_checked(outcomes, Ending, "a start of a subscription"))

    def queue_renewals(self, outcomes: tuple[Ending, ...]) -> None:
        for outcome in outcomes:
            if not isinstance(outcome, Ending):
                msg = f"{outcome!r} is not an outcome of a renewal; use Succeed() or Decline()"
                raise InvalidValue(msg)
        self._renewals.extend(outcomes)

    def next_start(self, *, acts: bool) -> tuple[Fault | None, Ending]:
        """The fault that the next start of a subscription meets, and what the provider says to it."""
        outcome = _take(self._starts, acts=acts)
        if isinstance(outcome, NeverThere):
            return outcome, Succeed()
        if isinstance(outcome, Vanish):
            return outcome, cast("Ending", outcome.then)
        return self._strike(), outcome or Succeed()

    def next_renewal(self) -> Ending | None:
        """What the provider's next charge by its own subscription comes to."""
        return self._renewals.popleft() if self._renewals else None

    def next_lookup(self) -> Fault | None:
        """The fault that the next look-up meets."""
        return self.faults.strike(moves_money=False) if self.faults else None

    def _strike(self) -> Fault | None:
        return self.faults.strike(moves_money=True) if self.faults else None


def _take(queue: deque[T], *, acts: bool) -> T | None:
    return queue.popleft() if queue and (acts or isinstance(queue[0], Vanish | NeverThere)) else None


def _checked(outcomes: tuple[T, ...], courses: UnionType, what: str) -> tuple[T, ...]:
    for outcome in outcomes:
        course = outcome.then if isinstance(outcome, Vanish) else outcome
        if not isinstance(course, courses | NeverThere):
            msg = f"{outcome!r} is not an outcome of {what}; use one of paygate.testing, for example Decline()"
            raise InvalidValue(msg)
    return outcomes
