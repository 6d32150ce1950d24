"""Providers' HTTP interfaces as functions ``Request -> Response`` over their own state.

Mount one in a driver (``mounts={"https://api.univapay.com": emulator.handle}``) or serve it on loopback::

    clock = ManualClock.jst(2026, 11, 22)
    emulator = UnivaPayEmulator(clock)  # from paygate.testing.emulators.univapay
    emulator.faults.add(Fault(FaultKind.TIMEOUT, When.AFTER), match="POST /charges")
    with serve(emulator) as url: ...

``emulator.book`` is the truth about money moved, ``emulator.deliver`` hands out the webhooks that are due.
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
