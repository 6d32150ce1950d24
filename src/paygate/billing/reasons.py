"""What an error says, for a report or a log, and whether it is everybody's trouble or that of one item."""

from __future__ import annotations

from ..drivers.redact import mask_text
from ..errors import PaygateError, SaveUnknown, StoreDamaged, StoreForked, StoreUnavailable

__all__ = ["ends_everything", "reason_of"]

_LONGEST_REASON = 500


def reason_of(error: BaseException) -> str:
    """What *error* says, for a report or a log: bounded, printable, without secrets.

    The kind is named where it is not one of paygate's own, whose texts speak for themselves.
    """
    text = str(error)[: 4 * _LONGEST_REASON]
    if not isinstance(error, PaygateError):
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    printable = "".join(sign if sign.isprintable() else " " for sign in text)
    return mask_text(printable)[:_LONGEST_REASON].strip()


def ends_everything(error: BaseException) -> bool:
    """Whether *error*, or one that led to it, says that the database cannot be used: then no other item can be done either.

    A value or a row that the database refuses is the trouble of what it belongs to.
    """
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        if isinstance(cause, StoreUnavailable | SaveUnknown | StoreDamaged | StoreForked):
            return True
        seen.add(id(cause))
        cause = cause.__cause__
    return False
