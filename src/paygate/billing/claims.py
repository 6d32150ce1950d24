"""Claims on attempts: until when this process may send what it wrote down, and waiting for a turn before that (R-280).

An attempt is written down with a claim that ends by the database's clock. Until then nobody concludes from not finding it
at the provider that nothing happened. The process that holds the claim measures it by its own monotonic clock, begins to
count before the attempt is written, and stops sending while one more transmission would still end within the claim. So
there is no instant at which one process may still send what another has found not to be there: not after a wait, not in a
machine that was suspended, and not because two hosts disagree about the time.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs

from ..flow import Sending, turn
from .services import Services

__all__ = ["Claim", "claim", "take"]


@attrs.frozen
class Claim:
    """What :func:`claim` gave: the *deadline* is a reading of *monotonic*; *placed*: a turn was waited for already."""

    deadline: float
    monotonic: Callable[[], float]
    placed: bool = False

    def on(self, account: str | None) -> Sending:
        """The claim, for the requests to *account*."""
        return Sending(account or "", self.deadline, self.monotonic, self.placed)


def claim(services: Services, *, placed: bool = False) -> Claim:
    """The sender's end of a claim. To be called *before* the transaction that writes the attempt down begins.

    It ends earlier than the database's end of it, by the time that one transmission may take until the provider knows of
    it, or by half of the claim where that is shorter.
    """
    whole, clock = services.waiting.in_flight, services.clock
    last = min(services.http.connect_timeout + services.http.read_timeout, whole / 2)
    return Claim(clock.monotonic() + whole - last, clock.monotonic, placed)


async def take(services: Services, account: str | None) -> Claim:
    """:func:`claim`, after waiting for a turn where requests to *account* are paced (R-281).

    :param account: that is going to be asked; None: none, and nobody waits.
    """
    if account is None or not services.paced:
        return claim(services)
    await turn(account)
    return claim(services, placed=True)
