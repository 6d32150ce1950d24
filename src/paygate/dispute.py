"""Disputes: a customer's bank takes a payment back, or asks about it."""

from __future__ import annotations

import datetime as dt
import enum

import attrs

from .money import Money

__all__ = ["Dispute", "DisputeState"]


class DisputeState(enum.Enum):
    """How a dispute stands. A dispute that was lost may be won after all, never the reverse."""

    OPENED = "opened"  #: the provider holds the money back; evidence may be handed in until the deadline
    LOST = "lost"  #: the money is gone
    WON = "won"  #: the money stays, or has come back


@attrs.frozen
class Dispute:
    """One dispute of a charge, as the provider has it now.

    :param reference: the provider's id of the dispute.
    :param amount: what is disputed, which may be a part of the charge.
    :param due_by: until when evidence can be handed in, UTC; None where the provider does not say.
    :param reason: the provider's own word for why.
    """

    reference: str
    state: DisputeState
    amount: Money
    due_by: dt.datetime | None = None
    reason: str = ""
