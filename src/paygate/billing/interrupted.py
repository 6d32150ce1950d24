"""What becomes of an attempt whose caller was interrupted, by a cancellation or a key, before anything of it was sent.

Without a record it would stay open until it can be looked up, and where absence proves nothing, until a person has looked.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from ..store import Session
from .services import Services

__all__ = ["WHY", "record"]

WHY = "interrupted before anything was sent"

logger = logging.getLogger("paygate.billing")


def record(services: Services, write: Callable[[Session], object]) -> None:
    """Record an attempt that was interrupted although certainly nothing of it was sent; for what an account calls then.

    It writes at once and in this thread, because nothing that is interrupted can wait for another. It never raises: should
    it fail, reconciliation finds the attempt open.

    :param write: records it within the transaction that is given.
    """
    try:
        with services.store.write() as session:
            write(session)
    except Exception as exc:  # noqa: BLE001 - the interruption is what has to be raised
        logger.warning("an interrupted attempt stays open until it is reconciled: %s", type(exc).__name__)
