"""Where contracts, charges and everything else are kept: SQLAlchemy Core on SQLite or PostgreSQL (design §7)."""

from __future__ import annotations

from .charges import About
from .database import PoolSettings
from .drafts import Draft
from .events import StoredEvent
from .outbox import OutboxRow
from .restores import Restore
from .session import Session
from .store import Store

__all__ = ["About", "Draft", "OutboxRow", "PoolSettings", "Restore", "Session", "Store", "StoredEvent"]
