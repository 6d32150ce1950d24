"""The two faces of paygate: :class:`Gateway` and :class:`AsyncGateway`.

``aio.py`` and ``aio_resources.py`` are the source; ``sync.py`` and ``sync_resources.py`` are made from them by
``scripts/make_sync_gateway.py``, which CI checks, so that the two faces cannot drift.
"""

from .aio import AsyncGateway
from .sync import Gateway

__all__ = ["AsyncGateway", "Gateway"]
