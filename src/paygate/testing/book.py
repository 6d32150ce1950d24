"""The ground truth of money moved: what fakes and emulators really did, whatever they answered."""

from __future__ import annotations

import datetime as dt
import enum
import threading

import attrs

from ..money import Money

__all__ = ["Book", "Movement", "MovementKind"]


class MovementKind(enum.Enum):
    """Which way the money went."""

    CAPTURE = "capture"
    REFUND = "refund"
    DISPUTE = "dispute"  #: money that a customer's bank took back for good


@attrs.frozen
class Movement:
    """Money that moved. *attempt*: paygate's id of the attempt, from the request's key or metadata."""

    kind: MovementKind
    amount: Money
    reference: str
    at: dt.datetime
    attempt: str = ""
    credential: str = attrs.field(default="", repr=False)
    charge: str = ""  #: for a refund or dispute, the reference of the charge


class Book:
    """An append-only list of movements; it survives whatever the merchant deletes (R-253). Thread-safe."""

    def __init__(self) -> None:
        self._rows: list[Movement] = []
        self._lock = threading.Lock()

    def write(self, movement: Movement) -> None:
        with self._lock:
            self._rows.append(movement)

    def clear(self) -> None:
        """Start an empty book, for a provider that is put back to its beginning."""
        with self._lock:
            self._rows.clear()

    @property
    def movements(self) -> tuple[Movement, ...]:
        with self._lock:
            return tuple(self._rows)

    @property
    def captures(self) -> tuple[Movement, ...]:
        return tuple(row for row in self.movements if row.kind is MovementKind.CAPTURE)

    @property
    def refunds(self) -> tuple[Movement, ...]:
        return tuple(row for row in self.movements if row.kind is MovementKind.REFUND)

    def captured(self, reference: str | None = None) -> int:
        """Minor units taken, in all or by one charge."""
        return sum(row.amount.minor for row in self.captures if reference in {None, row.reference})

    def refunded(self, charge: str | None = None) -> int:
        """Minor units given back, in all or of one charge."""
        return sum(row.amount.minor for row in self.refunds if charge in {None, row.charge})

    def disputed(self, charge: str | None = None) -> int:
        """Minor units lost in disputes, in all or of one charge."""
        lost = (row for row in self.movements if row.kind is MovementKind.DISPUTE)
        return sum(row.amount.minor for row in lost if charge in {None, row.charge})
