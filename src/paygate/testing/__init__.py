"""The test kit: fakes of the providers, a clock that is moved by hand, a book of the money that really moved.

Everything loads on first use, so that the pytest plugin costs nothing in a run that does not use it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .book import Book, Movement, MovementKind
    from .clock import ManualClock
    from .fakes import (
        AnswerTwice,
        ClosePermission,
        Codes,
        Decline,
        FailLate,
        FakeAmazonPay,
        FakeProvider,
        FakeSettings,
        FakeStripe,
        FakeTelecom,
        FakeUnivaPay,
        HookCall,
        NeverThere,
        RefuseRefund,
        RemoveCredential,
        RequireAction,
        StayPending,
        Succeed,
        Vanish,
    )
    from .faults import Faults

__all__ = [
    "AnswerTwice",
    "Book",
    "ClosePermission",
    "Codes",
    "Decline",
    "FailLate",
    "FakeAmazonPay",
    "FakeProvider",
    "FakeSettings",
    "FakeStripe",
    "FakeTelecom",
    "FakeUnivaPay",
    "Faults",
    "HookCall",
    "ManualClock",
    "Movement",
    "MovementKind",
    "NeverThere",
    "RefuseRefund",
    "RemoveCredential",
    "RequireAction",
    "StayPending",
    "Succeed",
    "Vanish",
]

_HOMES = {
    "Book": "book",
    "Faults": "faults",
    "ManualClock": "clock",
    "Movement": "book",
    "MovementKind": "book",
}


def __getattr__(name: str) -> object:  # PEP 562
    # no __dir__ beside it: freezegun walks what modules list and would load everything
    if name not in __all__:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(f".{_HOMES.get(name, 'fakes')}", __name__), name)
