"""What a success does to a contract: one value, written in one transaction."""

from __future__ import annotations

import datetime as dt

import attrs

from .audit import AuditRecord
from .contract import Contract
from .ledger import LedgerEntry
from .licences import License
from .mails import StepMail

__all__ = ["Settlement"]


@attrs.frozen
class Settlement:
    """A contract as it becomes, with everything new that belongs to the change.

    ``contract.version`` is that of the contract which was read: the store compares it and counts on (R-268).

    :param entries: new ledger rows.
    :param mails: step mails, QUEUED, or SENT where they go out at once (R-230).
    :param licences: licences that are new or whose state has changed; the others stay as they are.
    :param audit: one record per change (R-266).
    :param pay_period: first day of the unpaid period that an ARREARS charge has paid (R-191), or None. The ADDON row
        holds the money; a PERIOD row of that day, if there is one, must not count beside it (R-240).
    """

    contract: Contract
    entries: tuple[LedgerEntry, ...] = ()
    mails: tuple[StepMail, ...] = ()
    licences: tuple[License, ...] = ()
    audit: tuple[AuditRecord, ...] = ()
    pay_period: dt.date | None = None
