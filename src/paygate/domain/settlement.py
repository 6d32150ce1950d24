"""What a decision does to a contract: one value, written in one transaction."""

from __future__ import annotations

import datetime as dt

import attrs

from .audit import AuditRecord
from .charge import Charge, Purpose
from .contract import Contract
from .followup import Notice, Wanted
from .ledger import LedgerEntry
from .licences import License
from .mails import StepMail
from .refunding import RefundDecision

__all__ = ["RETURNED", "Settlement", "money_only", "without_effects"]

#: Code of a first payment that had gone back at the provider before anybody learnt that it was taken.
RETURNED = "returned_at_provider"


@attrs.frozen
class Settlement:
    """A contract as it becomes, with everything that belongs to the change.

    *wanted* and those *refunds* that are not by hand are carried out at the provider first. If the provider refuses one,
    nothing else of the settlement is written (R-101, R-130). All the rest is written in one transaction.

    ``contract.version`` is that of the contract which was read: the store compares it and counts on (R-268).

    :param entries: new ledger rows.
    :param mails: step mails, QUEUED, or SENT where they go out at once (R-230).
    :param licences: licences that are new or whose state has changed; the others stay as they are.
    :param audit: one record per change (R-266).
    :param pay_period: first day of the unpaid period that an ARREARS charge has paid (R-191), or None. The ADDON row
        holds the money; a PERIOD row of that day, if there is one, must not count beside it (R-240).
    :param changed: rows that were known before and whose state changes, with remarks and receipt (R-235).
    :param refunds: refunds that belong to the change, the purchase itself first. Each brings its rows and its audit
        record; those by hand only need to be written.
    :param wanted: what the provider has to be told.
    :param notices: what people are told, in order.
    """

    contract: Contract
    entries: tuple[LedgerEntry, ...] = ()
    mails: tuple[StepMail, ...] = ()
    licences: tuple[License, ...] = ()
    audit: tuple[AuditRecord, ...] = ()
    pay_period: dt.date | None = None
    changed: tuple[LedgerEntry, ...] = ()
    refunds: tuple[RefundDecision, ...] = ()
    wanted: tuple[Wanted, ...] = ()
    notices: tuple[Notice, ...] = ()

    @property
    def transition(self) -> str | None:
        """The row of the table of transitions that was taken, for example ``"T-44"``; None for what is not in it."""
        taken = (record.after.get("transition") for record in reversed(self.audit))
        return next((row for row in taken if isinstance(row, str)), None)


def without_effects(charge: Charge) -> Charge:
    """*charge* as it counts where its money had gone back before its success was known: a payment, and nothing else (R-315)."""
    return attrs.evolve(charge, renew_expiry=False, send_step_mail=False, purpose=Purpose.ONE_OFF)


def money_only(settlement: Settlement, before: Contract) -> Settlement:
    """*settlement* without what the customer would be given for the money: expiry, licences, mails and notices (R-315).

    A period that was billed stays billed, so that no run charges it again.
    """
    contract = attrs.evolve(settlement.contract, expires_on=before.expires_on)
    return attrs.evolve(settlement, contract=contract, mails=(), licences=(), notices=())
