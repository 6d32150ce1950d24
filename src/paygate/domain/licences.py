"""Licences: the right to view a product's content (§6.8)."""

from __future__ import annotations

import datetime as dt
import enum

import attrs

__all__ = ["License", "LicenseState"]


class LicenseState(enum.Enum):
    """REVOKED by suspension comes back; REMOVED by a refund is gone for good (R-083)."""

    ACTIVE = "ACTIVE"
    REVOKED = "REVOKED"
    REMOVED = "REMOVED"


@attrs.frozen
class License:
    """One licence. *scope*: ``"all"``, a target month ``"YYYY-MM"``, or ``"#n"`` for the n-th content of an unlock product."""

    id: str
    contract_id: str
    product: str
    scope: str
    entry_id: str
    issued_on: dt.date
    state: LicenseState = LicenseState.ACTIVE
