"""Tells what a flow awaited that no driver can perform."""

from __future__ import annotations

from typing import Any

from ..flow import Flow, ForeignAwait

__all__ = ["foreign_await", "foreign_refusal"]

_REMEDY = (
    "a flow awaits only paygate.flow: `await sleep(seconds)` to wait, `await send(request)` for HTTP, "
    "`await call(function)` for blocking work"
)
_EVENT_LOOPS = frozenset({"asyncio", "trio", "anyio", "sniffio", "curio"})


def foreign_await(flow: Flow[Any], yielded: object) -> ForeignAwait:
    """The error for *flow*, which is suspended and has handed *yielded* to its driver instead of an effect."""
    awaited: Any = flow
    while (inner := getattr(awaited, "cr_await", None) or getattr(awaited, "gi_yieldfrom", None)) is not None:
        awaited = inner
    what = _name(awaited) if awaited is not flow else "something"
    return ForeignAwait(
        f"flow {_name(flow)} awaited {what}, which gave {type(yielded).__name__} to the driver; {_REMEDY}"
    )


def foreign_refusal(error: RuntimeError) -> ForeignAwait | None:
    """The error for a flow out of which an event loop's library raised *error* because its loop is not running.

    ``asyncio.sleep`` does not get as far as handing something over where there is no asyncio loop: it raises. Who
    raised is read from the innermost frames. None: the error is the flow's own.
    """
    entry = None  # the frame in which the flow's own code called the event loop's
    trace = error.__traceback__
    while trace is not None:
        module = trace.tb_frame.f_globals.get("__name__", "")
        if module.partition(".")[0] not in _EVENT_LOOPS:
            entry = None
        elif entry is None:
            entry = f"{module}.{trace.tb_frame.f_code.co_name}"
        trace = trace.tb_next
    return None if entry is None else ForeignAwait(f"a flow awaited {entry} ({error}); {_REMEDY}")


def _name(awaited: object) -> str:
    frame = getattr(awaited, "cr_frame", None) or getattr(awaited, "gi_frame", None)
    if frame is None:
        return f"{type(awaited).__module__}.{type(awaited).__qualname__}"
    return f"{frame.f_globals.get('__name__', '?')}.{getattr(awaited, '__qualname__', frame.f_code.co_name)}"
