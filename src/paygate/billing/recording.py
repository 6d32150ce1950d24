"""Writing down what a provider has said: the one moment in which the database must not fail.

The provider has acted by then. The transaction is tried again for some seconds, which is safe because a result is applied
once however often it comes (R-194). If it still fails, the caller learns that the outcome is not known, and which attempt
it is: its intent is in the database, and reconciliation settles it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TypeVar

import attrs

from ..domain.charge import Charge, Failure, Refund
from ..drivers.redact import mask_text
from ..errors import (
    ChangedMeanwhile,
    OutcomeUnknown,
    PaygateError,
    ProviderError,
    SaveUnknown,
    StoreError,
    StoreUnavailable,
)
from ..flow import call, sleep
from ..provider import ChargeResult, Outcome, RefundResult
from . import logs
from .reasons import reason_of

__all__ = ["Told", "already_told", "failure", "is_saved", "once_sent", "write_down"]

T = TypeVar("T")

#: Seconds between the attempts to write an outcome down: a server that restarts, a file that a backup locks.
_PAUSES = (0.05, 0.5, 2.0)


async def write_down(function: Callable[[], T], *, once: bool = False) -> T:
    """Run the transaction *function* until it gets through or the patience is at its end.

    :param once: it must not be repeated where nobody can say whether it was saved.
    :raises StoreError: it did not get through.
    """
    again = (StoreUnavailable,) if once else (StoreUnavailable, SaveUnknown, ChangedMeanwhile)
    for pause in _PAUSES:
        try:
            return await call(function)
        except again as exc:
            logs.recording_waits(reason_of(exc))
            await sleep(pause)
    return await call(function)


class once_sent:  # noqa: N801 - used like a function
    """Around what follows the request to a provider: the database's failure there is an outcome that is not known.

    :param what: the attempt, or what names it in the message.
    :param strict: whatever else goes wrong here is one, too: nothing but the provider's word may say what became of it.
    :raises OutcomeUnknown: in place of the failure.
    """

    __slots__ = ("_account", "_ids", "_strict", "_what")

    def __init__(
        self,
        what: str | Charge | Refund,
        *,
        account: str | None,
        charge_id: str | None = None,
        refund_id: str | None = None,
        strict: bool = False,
    ) -> None:
        self._what, self._account, self._strict = what, account, strict
        self._ids = (charge_id, refund_id)

    def __enter__(self) -> None:
        """The request has left, or may have."""

    def __exit__(self, _kind: object, exc: BaseException | None, _trace: object) -> None:
        if exc is None or isinstance(exc, ProviderError) or not isinstance(exc, Exception):
            return
        if not (self._strict or isinstance(exc, StoreError) or not isinstance(exc, PaygateError)):
            return
        what, (charge_id, refund_id) = self._what, self._ids
        if not isinstance(what, str):
            what = f"{'charge' if isinstance(what, Charge) else 'refund'} {what.id} of {what.amount}"
        raise OutcomeUnknown(
            f"{what}: {self._account} was asked, but its answer could not be recorded ({reason_of(exc)}). Do not repeat it: "
            "once the database works again, billing.reconcile finds out what became of it",
            provider=self._account,
            charge_id=charge_id,
            refund_id=refund_id,
            rule="R-292",
        ) from exc


@attrs.define
class Told:
    """Whether a provider has been asked for anything yet."""

    sent: bool = False


@contextlib.contextmanager
def already_told(what: str, told: Told) -> Iterator[None]:
    """Around requests that move no money, or whose outcomes are recorded one by one: the whole may simply be repeated.

    :raises StoreError: of the same kind, with ``sent`` set if *told* says so.
    """
    try:
        yield
    except StoreError as exc:
        if not told.sent:
            raise
        raise type(exc)(
            f"{what}: the provider has been asked and has answered, then the database failed ({reason_of(exc)}); do the same "
            "again once it works, what is done already is not done twice",
            sent=True,
        ) from exc


@contextlib.contextmanager
def is_saved(what: str) -> Iterator[None]:
    """Around reading again what has been done and saved.

    :raises SaveUnknown: it could not be read; that it was saved is known, but it must not be repeated.
    """
    try:
        yield
    except StoreError as exc:
        raise SaveUnknown(
            f"{what} is done and saved, then the database failed ({reason_of(exc)}); do not repeat it", sent=exc.sent
        ) from exc


def failure(result: ChargeResult | RefundResult) -> Failure:
    """Why *result* is no success; the provider's words are kept without anything that looks like a secret."""
    decline = result.decline if isinstance(result, ChargeResult) else None
    return Failure(result.code, mask_text(result.message), decline, sent=result.outcome is not Outcome.NOT_SENT)
