"""Each account's and each item's trouble is its own: it is reported and logged, and the rest of the run goes on.

A run over many contracts, charges or mails works on each of them inside :meth:`Troubles.isolated`. What goes wrong there
is kept as a :class:`Problem`. Only what concerns everything ends the run: a database that cannot be used, an interrupt, a
cancellation.

An account that certainly sends nothing three times in a row, because it refuses its key or cannot be reached, is left alone
for the rest of the run: thousands of attempts that must fail help nobody. So is one that gives no answer ten times in a
row, before everything it is asked becomes an unknown outcome. An attempt that its plugin refuses for what is
asked does not count: that is the attempt's own trouble.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

import attrs

from ..domain.charge import Failure
from ..errors import (
    ConfigurationError,
    NotFound,
    OutcomeUnknown,
    PaygateError,
    ProviderError,
    ProviderUnavailable,
    Refused,
    WrongMode,
)
from ..plugins.account import FAILED, REFUSED
from ..plugins.wire import TOO_LATE
from ..store import Session
from . import logs
from .reasons import ends_everything, reason_of
from .services import Services

__all__ = ["MOST_PROBLEMS", "LeftAlone", "Problem", "Troubles", "Unreadable", "readable"]

T = TypeVar("T")
K = TypeVar("K")

#: How many problems a report describes; all of them are counted and logged.
MOST_PROBLEMS = 100

#: After so many attempts in a row that an account did not send, it is not used any more in a run; and after so many that
#: it did not answer or whose plugin broke, which may come of what was asked.
_IN_A_ROW, _IN_A_ROW_BROKEN = 3, 10


@attrs.frozen
class Problem:
    """Why something was left undone by a run.

    :param code: ``account_missing`` (not in the configuration), ``account_paused`` (it refuses its key or cannot be
        reached), ``wrong_mode`` (X-24), ``configuration``, ``refused``, ``provider``, ``discrepancy`` (the money
        may have been taken already, R-325), or ``unexpected``.
    :param reason: for people: what went wrong, without secrets.
    """

    code: str
    reason: str
    account: str | None = None
    contract_id: str | None = None
    charge_id: str | None = None
    refund_id: str | None = None
    mail_id: str | None = None


@attrs.frozen
class Unreadable(Generic[K]):
    """A stored value that cannot be read: its key, and why."""

    key: K
    error: Exception


class LeftAlone(PaygateError):
    """Work that is not done in this run, for a reason that concerns its account."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def _code_of(error: Exception) -> str:
    match error:
        case LeftAlone():
            return error.code
        case WrongMode():
            return "wrong_mode"
        case NotFound() if error.rule == "R-166":
            return "account_missing"
        case ConfigurationError():
            return "configuration"
        case Refused():
            return "refused"
        case ProviderError():
            return "provider"
        case _:
            return "unexpected"


class Troubles:
    """What one run could not do, and which accounts it does not use any more."""

    def __init__(self) -> None:
        self.count = 0
        self._shown: list[Problem] = []
        self._seen: set[tuple[str | None, ...]] = set()
        self._paused: dict[str, str] = {}
        self._about: str | None = None
        self._unsent: Counter[str] = Counter()

    @property
    def problems(self) -> tuple[Problem, ...]:
        """The first ones, as many as a report describes."""
        return tuple(self._shown)

    def add(self, problem: Problem) -> None:
        """Count, log and keep *problem*; the same item is blocked once however often it is tried."""
        item = (problem.contract_id, problem.charge_id, problem.refund_id, problem.mail_id)
        if item in self._seen:
            return
        self._seen.add(item)
        self.count += 1
        if len(self._shown) < MOST_PROBLEMS:
            self._shown.append(problem)
        logs.blocked(problem)

    @contextlib.contextmanager
    def isolated(
        self,
        *,
        account: str | None = None,
        contract_id: str | None = None,
        charge_id: str | None = None,
        refund_id: str | None = None,
        mail_id: str | None = None,
    ) -> Iterator[None]:
        """Keep what goes wrong inside from ending the run.

        :raises Exception: the database cannot be used, which no other item can change.
        """
        self._about = account
        try:
            yield
        except Exception as exc:
            if ends_everything(exc):
                raise
            self.failed(
                exc,
                account=account or self._about,
                contract_id=contract_id,
                charge_id=charge_id,
                refund_id=refund_id,
                mail_id=mail_id,
            )

    def about(self, account: str | None) -> None:
        """What is worked on is paid through *account*, so that what goes wrong names it."""
        self._about = account

    def failed(self, error: Exception, **ids: str | None) -> None:
        """Report *error* as the trouble of the item that *ids* name."""
        self.add(Problem(_code_of(error), reason_of(error), **ids))

    # --- accounts ---

    def check(self, account: str) -> None:
        """:raises LeftAlone: *account* is not used any more in this run."""
        if account in self._paused:
            raise LeftAlone("account_paused", self._paused[account])

    @contextlib.contextmanager
    def asking(self, account: str) -> Iterator[None]:
        """Ask *account* for something that moves no money; a question that got no answer ends quietly.

        :raises LeftAlone: the account is not used any more in this run.
        :raises ConfigurationError: it refuses its key, or its set-up is wrong.
        """
        self.check(account)
        try:
            yield
        except OutcomeUnknown:
            return
        except ProviderUnavailable as exc:
            self.unsent(account, reason_of(exc))
            return
        except ConfigurationError as exc:
            self.unsent(account, reason_of(exc))
            raise
        self.answered(account)

    def answered(self, account: str) -> None:
        """*account* was reached, whatever it said."""
        self._unsent.pop(account, None)

    def not_sent(self, account: str, failure: Failure) -> None:
        """An attempt through *account* was not sent; it counts unless that was the attempt's own fault."""
        if failure.code != REFUSED and failure.message != TOO_LATE:
            self.unsent(account, failure.message, most=_IN_A_ROW_BROKEN if failure.code == FAILED else _IN_A_ROW)

    def unknown(self, account: str, reason: str) -> None:
        """An attempt through *account* has no known outcome, because it gave no answer or its plugin broke."""
        self.unsent(account, reason, most=_IN_A_ROW_BROKEN)

    def unsent(self, account: str, reason: str, *, most: int = _IN_A_ROW) -> None:
        """*account* did not do what was asked, for a reason of its own; after *most* times in a row it is left alone."""
        self._unsent[account] += 1
        number = self._unsent[account]
        if number >= most and account not in self._paused:
            text = f"account {account!r} failed {number} times in a row and is left alone in this run: {reason}"
            self._paused[account] = text
            logs.account_paused(account, text)


def readable(
    services: Services,
    page: Callable[[Session], list[T]],
    keys: Callable[[Session], list[K]],
    one: Callable[[Session, K], T | None],
) -> list[T | Unreadable[K]]:
    """A page of values. One that cannot be read is given as its key and the error, and does not hide the others."""
    try:
        with services.store.read() as session:
            return list(page(session))
    except Exception as exc:
        if ends_everything(exc):
            raise
    found: list[T | Unreadable[K]] = []
    with services.store.read() as session:
        names = keys(session)
    for name in names:
        try:
            with services.store.read() as session:
                value = one(session, name)
        except Exception as exc:
            if ends_everything(exc):
                raise
            found.append(Unreadable(name, exc))
        else:
            if value is not None:  # else it has gone meanwhile
                found.append(value)
    return found
