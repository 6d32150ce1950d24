"""On which days an account tries a failed charge again (R-148 to R-150, R-154 to R-157). Values only."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from ..errors import InvalidValue
from .contract import Cycle

__all__ = ["USUAL_RETRIES", "RetrySchedule", "default_schedule"]

#: Days of a cycle; a month counts as 30 (R-155).
_CYCLE_DAYS = {
    Cycle.DAILY: 1, Cycle.WEEKLY: 7, Cycle.BIWEEKLY: 14, Cycle.MONTHLY: 30, Cycle.QUARTERLY: 90, Cycle.SEMIANNUAL: 180,
    Cycle.ANNUAL: 360,
}  # fmt: skip


_LONGEST_GAP, _MOST_RETRIES = 366, 100


def _tuple(gaps: Iterable[int]) -> tuple[int, ...]:
    return tuple(gaps)


def _days_apart(_instance: object, _attribute: object, gaps: tuple[int, ...]) -> None:
    if len(gaps) > _MOST_RETRIES or any(type(gap) is not int or not 1 <= gap <= _LONGEST_GAP for gap in gaps):
        raise InvalidValue(
            f"retries are whole days apart, at least one and at most {_LONGEST_GAP}, and no more than {_MOST_RETRIES}",
            rule="R-148",
        )


@attrs.frozen
class RetrySchedule:
    """On which days an account tries again, and what follows when the attempts are used up.

    :param gaps: for each retry the days since the previous attempt, at least 1 (R-148, R-154).
    :param ends_contract: whether the contract ends when the last retry fails (R-150); otherwise it stays PAST_DUE,
        paused, until somebody acts (R-156).
    :param give_up_after: days after the period's first attempt after which no retry is made any more, however long
        limits and advice have delayed it; None for no such day.
    :param rule: where the gaps come from.
    :raises InvalidValue: if a gap is shorter than a day.
    """

    gaps: tuple[int, ...] = attrs.field(converter=_tuple, validator=_days_apart)
    ends_contract: bool = False
    give_up_after: int | None = None
    rule: str = "R-154"

    @property
    def attempts(self) -> int:
        """How often a period is attempted at most, the first attempt included."""
        return 1 + len(self.gaps)

    @classmethod
    def evenly(cls, cycle: Cycle, attempts: int = 3, *, ends_contract: bool = False) -> RetrySchedule:
        """*attempts*, the first one included, spread over one cycle, fractions of days cut off (R-155, R-156).

        :raises InvalidValue: if there is not a whole day for each attempt.

        >>> RetrySchedule.evenly(Cycle.MONTHLY, 4).gaps
        (7, 7, 7)
        """
        days = _CYCLE_DAYS[cycle]
        if not 1 <= attempts <= days:
            raise InvalidValue(
                f"a {cycle.value} cycle of {days} days has no room for {attempts} attempts", rule="R-155"
            )
        return cls((days // attempts,) * (attempts - 1), ends_contract=ends_contract, rule="R-155")


#: Three retries after the first failure, 3, 5 and 7 days apart; then the contract ends (R-148, R-150, R-154).
USUAL_RETRIES = RetrySchedule((3, 5, 7), ends_contract=True)


def default_schedule(cycle: Cycle, *, ends_contract: bool = False) -> RetrySchedule:
    """The schedule of an account for which nothing else is configured.

    :param ends_contract: True for :data:`USUAL_RETRIES`, as providers that end a contract do (R-150, R-154); False for
        three attempts spread over the cycle and then a pause, as UnivaPay and Telecom Credit do (R-155 to R-157). A cycle
        of fewer days has fewer attempts.
    """
    if ends_contract:
        return USUAL_RETRIES
    return RetrySchedule.evenly(cycle, min(3, _CYCLE_DAYS[cycle]))
