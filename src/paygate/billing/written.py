"""Which notices the call in progress has written, so that it can tell them without looking through everybody's."""

from __future__ import annotations

from contextvars import ContextVar

__all__ = ["collected", "note_written", "take_written"]

_written: ContextVar[list[str] | None] = ContextVar("paygate_written", default=None)


class collected:  # noqa: N801 - used like a function
    """Collect the ids of the notices that are written inside, also by worker threads of the same call."""

    __slots__ = ("_before",)

    def __enter__(self) -> list[str]:
        self._before = _written.get()
        ids: list[str] = []
        _written.set(ids)
        return ids

    def __exit__(self, *_: object) -> None:
        _written.set(self._before)


def note_written(notice_id: str) -> None:
    """The call in progress has written a notice, which counts once its transaction is committed."""
    ids = _written.get()
    if ids is not None:
        ids.append(notice_id)


def take_written() -> list[str] | None:
    """The ids since the last time; None outside a call."""
    ids = _written.get()
    if ids is None:
        return None
    taken = list(ids)
    del ids[: len(taken)]
    return taken
