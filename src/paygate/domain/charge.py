"""Charge and refund attempts and the consent behind them (domain §2.6, R-188). Values only."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Mapping

import attrs

from ..errors import ChargeDeclined, DuplicateCharge, OutcomeUnknown, PermissionClosed, ProviderUnavailable
from ..money import Money
from ..provider import DeclineClass
from .contract import Actor
from .metadata import EMPTY, Metadata

__all__ = [
    "ACTION_EXPIRED",
    "Charge",
    "ChargeKind",
    "ChargeState",
    "Consent",
    "CustomerAction",
    "Failure",
    "Purpose",
    "Refund",
    "RefundState",
]


#: The code of a charge that the customer has not confirmed in time (R-336).
ACTION_EXPIRED = "action_expired"


class ChargeState(enum.Enum):
    """PENDING → SUCCEEDED | FAILED; PENDING → UNKNOWN → SUCCEEDED | FAILED after reconciliation (domain §2.6)."""

    PENDING = "PENDING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    UNKNOWN = "UNKNOWN"

    @property
    def open(self) -> bool:
        """Whether the result is still to come: such an attempt blocks further ones (R-189, R-193)."""
        return self in {ChargeState.PENDING, ChargeState.UNKNOWN}


class ChargeKind(enum.Enum):
    """What an attempt pays for."""

    INITIAL = "INITIAL"  #: the first payment of a new contract (R-013)
    PERIOD = "PERIOD"  #: a renewal, or the first period on a later start day (R-015, R-036)
    ADDON = "ADDON"  #: an additional charge (§6.16)


class Purpose(enum.Enum):
    """Why an additional charge is made (R-191)."""

    ONE_OFF = "ONE_OFF"
    ARREARS = "ARREARS"


@attrs.frozen
class Consent:
    """The customer's recorded agreement to one charge (R-188): how it was given, when, and who recorded it.

    :param obtained_at: when the customer agreed, aware; by default when it is recorded. Never in the future (R-395).
    :param recorded_by: by default whoever makes the charge.
    """

    how: str
    obtained_at: dt.datetime | None = None
    recorded_by: str = ""


@attrs.frozen
class Failure:
    """Why an attempt failed, or what is unknown about it. ``code`` is the provider's own."""

    code: str | None = None
    message: str = ""
    decline: DeclineClass | None = None
    sent: bool = True  #: False: it certainly never reached the provider


@attrs.frozen
class CustomerAction:
    """What a customer has to do so that a charge goes on (R-335, R-342).

    :param url: of the provider's page, :param method: how a browser goes there, ``"GET"`` or ``"POST"``, and :param fields:
        the form to post there, as the provider gives it. It is for this customer's browser alone: do not log it.
    :param until: when it ends, UTC.
    :param link: what can be mailed: the page itself, or the shop's own (``action_page``); None where neither can be.
    """

    url: str
    method: str = "GET"
    fields: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    until: dt.datetime | None = None
    link: str | None = None


@attrs.frozen
class Charge:
    """One attempt to charge, from intent to outcome.

    ``id`` is 32 hexadecimal digits. Instants are UTC. ``renew_expiry`` and ``send_step_mail`` are the effective options,
    with what the provider forces already applied. ``previous_expires_on`` and ``expires_on`` say what a success did to
    the expiry (R-210).
    """

    id: str
    contract_id: str
    customer_id: str
    account: str
    kind: ChargeKind
    amount: Money
    idempotency_key: str
    fingerprint: str = attrs.field(repr=False)
    state: ChargeState = ChargeState.PENDING
    purpose: Purpose = Purpose.ONE_OFF
    renew_expiry: bool = False
    send_step_mail: bool = False
    consent: Consent | None = None
    actor: Actor = attrs.field(factory=Actor.scheduler)
    created_at: dt.datetime = attrs.field(kw_only=True)
    period_start: dt.date | None = None
    reference: str | None = None
    action_url: str | None = None
    settled_at: dt.datetime | None = None
    charged_at: dt.datetime | None = None
    previous_expires_on: dt.date | None = None
    expires_on: dt.date | None = None
    failure: Failure | None = None
    #: card network, its response code and its advice for the next attempt, as far as the provider tells (for the planner)
    network: str | None = None
    advice_code: str | None = None
    #: fingerprint of the stored credential, for the duplicate window; never the credential itself
    credential_hash: str = attrs.field(default="", repr=False)
    response_code: str | None = None
    #: while PENDING with an ``action_url``: until when the customer may act there, UTC
    action_until: dt.datetime | None = None
    #: whether the operator has been told that look-ups did not settle it
    operator_told: bool = False
    #: the caller's own texts, handed to the provider as well; those of a contract for what is charged for it (R-421)
    metadata: Metadata = attrs.field(default=EMPTY, kw_only=True)
    #: how the customer's browser goes to ``action_url``: "GET", or "POST" with the form of these names and values
    action_method: str = "GET"
    action_fields: tuple[tuple[str, str], ...] = attrs.field(default=(), repr=False)
    #: of a decline as a duplicate, what took the doubt away: the id of the attempt that it was a duplicate of, or a person
    cleared_by: str | None = None

    @property
    def open(self) -> bool:
        return self.state.open

    @property
    def doubted(self) -> bool:
        """Whether it was declined as a duplicate and nobody knows of what: an earlier one may have been paid (R-332)."""
        failure = self.failure
        declined = self.state is ChargeState.FAILED and failure is not None
        return declined and failure.decline is DeclineClass.DUPLICATE and self.cleared_by is None  # type: ignore[union-attr]

    def raise_for_failure(self) -> None:
        """Raise if this attempt did not succeed; do nothing for SUCCEEDED and PENDING.

        :raises PermissionClosed: the customer's permission is closed (R-222).
        :raises DuplicateCharge: the provider's duplicate window (R-205).
        :raises ProviderUnavailable: it certainly never reached the provider.
        :raises ChargeDeclined: any other decline.
        :raises OutcomeUnknown: the outcome is not known yet; ``gateway.billing.reconcile()`` settles it.
        """
        failure = self.failure or Failure()
        where: dict[str, str | None] = {"provider": self.account, "code": failure.code, "charge_id": self.id}
        if self.state is ChargeState.UNKNOWN:
            msg = f"charge {self.id}: the outcome is not known; run gateway.billing.reconcile() and do not charge again"
            raise OutcomeUnknown(msg, **where)
        if self.state is not ChargeState.FAILED:
            return
        text = f"charge {self.id} on {self.account} failed: {failure.code or 'no code'} {failure.message}".rstrip()
        if not failure.sent:
            first = "put the account's set-up right, then " if failure.decline is DeclineClass.CONFIG else ""
            raise ProviderUnavailable(f"{text}; nothing was sent, {first}repeat it with a new idempotency key", **where)
        if failure.decline is DeclineClass.DUPLICATE:
            raise DuplicateCharge(text + "; same amount on the same card too soon, wait and look", rule="R-205")
        if failure.decline is DeclineClass.PERMISSION:
            raise PermissionClosed(
                text + "; the customer has to register the payment method again", rule="R-222", **where
            )
        raise ChargeDeclined(text, **where)


class RefundState(enum.Enum):
    """PENDING → DONE | FAILED; UNKNOWN until looked up."""

    PENDING = "PENDING"
    DONE = "DONE"
    FAILED = "FAILED"
    UNKNOWN = "UNKNOWN"

    @property
    def open(self) -> bool:
        return self in {RefundState.PENDING, RefundState.UNKNOWN}


@attrs.frozen
class Refund:
    """One attempt to return money of one ledger row.

    ``entry_id`` is the refunded row, ``refund_entry_id`` the REFUND (or MANUAL_REFUND_DUE) row that records it (R-238).
    ``by_hand``: no provider call is made; a person returns the money (R-249, R-245).
    """

    id: str
    contract_id: str
    account: str | None
    entry_id: str
    refund_entry_id: str
    amount: Money
    idempotency_key: str
    fingerprint: str = attrs.field(repr=False)
    state: RefundState = RefundState.PENDING
    by_hand: bool = False
    remove_license: bool = False
    reason: str = ""
    actor: Actor = attrs.field(factory=Actor.admin)
    created_at: dt.datetime = attrs.field(kw_only=True)
    reference: str | None = None
    settled_at: dt.datetime | None = None
    failure: Failure | None = None
    metadata: Metadata = attrs.field(default=EMPTY, kw_only=True)  #: the caller's own texts (R-421)
