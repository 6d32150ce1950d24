"""Providers' HTTP interfaces as functions ``Request -> Response`` over their own state.

Mount one in a driver (``mounts={emulator.origin: emulator.handle}``) or serve it on loopback::

    emulator = load("univapay")(ManualClock.jst(2026, 11, 22))
    card = emulator.store_card(CardKind.DECLINED_SOFT)
    emulator.wish(Wish(WishKind.PENDING), amount=3000)
    emulator.faults.add(Fault(FaultKind.TIMEOUT, When.AFTER), match="POST /charges")
    with serve(emulator) as url: ...

``emulator.book`` is the truth about money moved, ``emulator.deliver`` hands out the webhooks that are due. Everything
can be done over HTTP as well, under ``/_paygate/``; ``paygate emulate`` serves one from the command line.
"""

from .base import Emulator
from .faults import Fault, FaultKind, Faults, When
from .registry import EMULATORS, available, load
from .server import serve
from .webhooks import Delivery
from .wishes import CardKind, Wish, Wishes, WishKind

__all__ = [
    "EMULATORS",
    "CardKind",
    "Delivery",
    "Emulator",
    "Fault",
    "FaultKind",
    "Faults",
    "When",
    "Wish",
    "WishKind",
    "Wishes",
    "available",
    "load",
    "serve",
]
