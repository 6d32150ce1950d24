"""The two faces of paygate: :class:`Gateway` and :class:`AsyncGateway`.

``aio.py`` is the source; ``sync.py`` is made from it by ``scripts/make_sync_gateway.py`` and checked in CI, so the two
cannot drift.
"""

from .aio import AsyncGateway
from .sync import Gateway

__all__ = ["AsyncGateway", "Gateway"]
