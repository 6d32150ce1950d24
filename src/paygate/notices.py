"""What observers are told. Frozen values, the same whether delivered at once or later from the outbox."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import attrs

from .domain.charge import Charge, Refund
from .domain.contract import Actor, Contract, Customer, Status
from .domain.followup import Notice
from .domain.ledger import LedgerEntry
from .domain.mails import StepMail
from .money import Money
from .operator_texts import operator_text, operator_title

__all__ = [
    "ChargeNotice",
    "ChargeProposal",
    "ContractChange",
    "ContractNotice",
    "OperationProposal",
    "OperatorNotice",
    "RefundNotice",
    "StepMailNotice",
]


@attrs.frozen
class ChargeProposal:
    """A charge that is about to be written down; a ``before_charge`` observer may veto it."""

    contract: Contract
    account: str
    amount: Money
    renew_expiry: bool
    send_step_mail: bool
    expires_on: dt.date | None
    expires_on_after: dt.date | None


@attrs.frozen
class OperationProposal:
    """Somebody asks for an operation; a ``before_operation`` observer may refuse it (X-21).

    :param operation: its name as in the audit trail: the value of an :class:`~paygate.domain.operations.Operation`, or
        ``create``, ``import``, ``resolve_charge``, ``resolve_refund``.
    :param contract: as it is now; for ``create`` the contract that would be made; None for ``import``
        and for a refund by hand that a deleted contract owed.
    :param amount: what is to be charged or returned, where the call names an amount.
    """

    operation: str
    actor: Actor
    contract: Contract | None = None
    amount: Money | None = None


@attrs.frozen
class ChargeNotice:
    """A charge succeeded or failed."""

    id: str  #: of this notice: the same on every repeat, so that an observer can be idempotent
    charge: Charge
    contract: Contract | None  #: None: a first charge that failed made no contract (R-013)
    customer: Customer | None = None  #: None as well: without a contract there is no customer yet


@attrs.frozen
class RefundNotice:
    """A refund ended."""

    id: str
    refund: Refund
    entry: LedgerEntry
    contract: Contract
    customer: Customer | None = None


@attrs.frozen
class StepMailNotice:
    """A step mail is due.

    :param contract: as it is now.
    :param payments: the ledger rows of the receipt that the mail follows; none where it follows no payment.
    :param receipt: the ledger row that the mail may link a receipt to: in the payment-complete mail of a one-off
        purchase, and in the renewal mail of a recurring contract (R-234); else None.
    """

    id: str
    mail: StepMail
    customer: Customer
    receipt: LedgerEntry | None = None
    contract: Contract | None = None
    payments: tuple[LedgerEntry, ...] = ()


@attrs.frozen
class ContractNotice:
    """Somebody is to be told what has become of a contract (domain §3.4): kind, audience and facts are in ``notice``."""

    id: str
    notice: Notice
    contract: Contract
    customer: Customer


@attrs.frozen
class ContractChange:
    """A contract has come into being, has changed, or is gone; the values are those of the change, not of today.

    :param action: the operation or event as the audit trail names it, for example ``"cancel"`` or ``"renew"``.
    :param status_before: None: the contract is new. :param status_after: None: it is deleted.
    :param fields: names of the contract's fields that have changed.
    :param transition: the row of the table of transitions, for example ``"T-44"``; None for what is not in it.
    """

    id: str  #: of this notice: the same on every repeat, so that an observer can be idempotent
    contract_id: str
    action: str
    actor: Actor
    at: dt.datetime
    status_before: Status | None
    status_after: Status | None
    expires_on_before: dt.date | None
    expires_on_after: dt.date | None
    fields: tuple[str, ...] = ()
    transition: str | None = None
    reason: str = ""


@attrs.frozen
class OperatorNotice:
    """A person has to act. ``code`` names the situation, ``message`` says what to do, in English.

    :param facts: what texts are made of, by name: ``amount``, ``account``, ``provider``, ``period``, ``reference``, ``said``
        (the provider's own words) and others; ``variant`` names the situation more closely.
    """

    id: str
    code: str
    message: str
    contract_id: str | None = None
    charge_id: str | None = None
    refund_id: str | None = None
    at: dt.datetime | None = None
    facts: Mapping[str, object] = attrs.field(factory=dict)

    def title(self, lang: str = "en") -> str:
        """The situation in a few words of *lang* (``"ja"`` or ``"en"``)."""
        return operator_title(self.code, lang)

    def text(self, lang: str = "en") -> str:
        """What happened and what to do, in *lang*; ``message`` where paygate has no text of its own for the code."""
        return operator_text(self.code, self.facts, lang, self.message)
