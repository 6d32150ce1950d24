"""What becomes of an attempt whose caller was interrupted, by a cancellation or a key, before anything of it was sent.

Without a record it would stay open until it can be looked up, and where absence proves nothing, until a person has looked.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from ..store import Session
from .services import Services

__all__ = ["WHY", "recorder"]

WHY = "interrupted before anything was sent"

logger = logging.getLogger("paygate.billing")


def recorder(services: Services, record: Callable[[Session], object]) -> Callable[[], None]:
    """Makes what an account calls where an attempt was interrupted and certainly nothing of it was sent.

    It writes at once and in this thread, because nothing that is interrupted can wait for another. It never raises: should
    it fail, reconciliation finds the attempt open.

    :param record: records it within the transaction that is given.
    """

    def write() -> None:
        try:
            with services.store.write() as session:
                record(session)
        except Exception as exc:  # noqa: BLE001 - the interruption is what has to be raised
            logger.warning("an interrupted attempt stays open until it is reconciled: %s", type(exc).__name__)

    return write
