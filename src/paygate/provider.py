"""What a provider sees and answers.

A plugin subclasses :class:`Provider`, declares one :class:`Capabilities` value and answers
:class:`ChargeRequest`, :class:`RefundRequest` and webhook deliveries. Rules read the capabilities; nothing in paygate
asks which provider it is talking to.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Mapping
from typing import Any, ClassVar

import attrs

from .capabilities import (
    AmountRange,
    Capabilities,
    ExpiryPolicy,
    Idempotency,
    IdempotencyKind,
    Lookup,
    OptionPolicy,
    RefundPolicy,
    Renewals,
    Results,
)
from .checkout import Checkout, CheckoutRequest, CheckoutResult, CheckoutState
from .credential import (
    ChangedPayment,
    CredentialDescription,
    CredentialRequest,
    CredentialState,
    SubscriptionPayment,
)
from .dispute import Dispute, DisputeState
from .errors import CapabilityNotSupported
from .money import Money
from .subscription import StartedSubscription, SubscriptionRequest, SubscriptionStart

__all__ = [
    "AmountRange",
    "Capabilities",
    "ChangedPayment",
    "ChargeRequest",
    "ChargeResult",
    "Checkout",
    "CheckoutRequest",
    "CheckoutResult",
    "CheckoutState",
    "CredentialDescription",
    "CredentialRequest",
    "CredentialState",
    "DeclineClass",
    "Dispute",
    "DisputeState",
    "EventKind",
    "ExpiryPolicy",
    "Found",
    "FoundPayment",
    "Idempotency",
    "IdempotencyKind",
    "Lookup",
    "LookupRequest",
    "Mode",
    "OptionPolicy",
    "Outcome",
    "Provider",
    "ProviderEvent",
    "RefundPolicy",
    "RefundRequest",
    "RefundResult",
    "Renewals",
    "Results",
    "StartedSubscription",
    "SubscriptionPayment",
    "SubscriptionRequest",
    "SubscriptionStart",
    "Webhook",
]


# --- charges ---------------------------------------------------------------------------------------------------------


class Outcome(enum.Enum):
    """The five answers to a charge. The last two are different: only the last may have moved money."""

    SUCCEEDED = "succeeded"
    PENDING = "pending"
    DECLINED = "declined"
    NOT_SENT = "not sent"
    UNKNOWN = "unknown"


class DeclineClass(enum.Enum):
    """What a decline means for the next attempt; the raw code is kept beside it."""

    SOFT = "soft"  #: may work later
    HARD = "hard"  #: this card will not work
    ACTION = "action"  #: the customer has to do something
    CONFIG = "config"  #: the set-up or the request is wrong
    DUPLICATE = "duplicate"  #: the provider's duplicate window (R-205)
    PERMISSION = "permission"  #: the customer's permission is closed or expired (R-222)
    UNKNOWN = "unknown"


@attrs.frozen
class ChargeRequest:
    """One attempt to move *amount* from a stored credential.

    :param charge_id: paygate's id of the attempt: 32 hexadecimal digits, unique.
    :param key: idempotency key within the provider's declared alphabet and length; the same on every repeat.
    :param credential: the provider's reference of the stored card; never shown in ``repr``.
    :param metadata: flat strings, for example ``{"paygate_charge": charge_id, "paygate_contract": contract_id}``.
    :param requested_at: when the attempt was written down, UTC, by the clock of a host that may be wrong by days: nobody
        is proved absent by a list that begins with it.
    """

    charge_id: str
    key: str
    amount: Money
    credential: str = attrs.field(repr=False)
    metadata: Mapping[str, str] = attrs.field(factory=dict)
    description: str = ""
    requested_at: dt.datetime | None = None


@attrs.frozen
class ChargeResult:
    """What became of a charge. Build it with the class methods.

    :param reference: the provider's id of the charge.
    :param charged_at: the provider's success time, UTC (R-201); None means "when we learned it".
    :param code: the provider's own code; :param message: its text, for people only.
    :param action_url: where the customer has to go while PENDING with an action required.
    :param action_method: how the customer's browser goes there: ``"GET"``, a link that can be opened from anywhere;
        ``"POST"``, a form of ``action_fields``, which only a page can send; anything else is nothing that a browser can do.
    :param action_fields: names and values of that form, as the provider gives them.
    :param action_until: until when the customer can act there, UTC, where the provider says so.
    :param network: of the card, for example ``"visa"``, :param response_code: the network's own response code, for example
        ``"51"``, and :param advice_code: its advice for the next attempt, where the provider passes them on; retries are
        planned by them.
    :param amount: what the provider took; also of an unknown outcome, where that is not what was asked for.
    :param raw: the provider's answer, redacted; kept beside, never instead of, the mapped one.
    :param others: further payments that carry the same attempt, each with its own reference, amount and outcome. None of
        them is lost: the first success counts, and every other is a discrepancy (R-310).
    :param refunded: how much of it has gone back in all, whoever asked for that, where the provider says so (R-314).
    :param disputes: what banks have said against it (R-316).
    """

    outcome: Outcome
    reference: str | None = None
    amount: Money | None = None
    charged_at: dt.datetime | None = None
    code: str | None = None
    message: str = ""
    decline: DeclineClass | None = None
    action_url: str | None = None
    network: str | None = None
    advice_code: str | None = None
    raw: Mapping[str, Any] | None = attrs.field(default=None, repr=False)
    others: tuple[ChargeResult, ...] = ()
    response_code: str | None = attrs.field(default=None, kw_only=True)
    action_until: dt.datetime | None = attrs.field(default=None, kw_only=True)
    action_method: str = attrs.field(default="GET", kw_only=True)
    action_fields: Mapping[str, str] = attrs.field(factory=dict, kw_only=True, repr=False)
    refunded: Money | None = attrs.field(default=None, kw_only=True)
    disputes: tuple[Dispute, ...] = attrs.field(default=(), kw_only=True)

    @classmethod
    def succeeded(
        cls,
        reference: str,
        *,
        amount: Money | None = None,
        charged_at: dt.datetime | None = None,
        raw: Mapping[str, Any] | None = None,
    ) -> ChargeResult:
        """The money was taken."""
        return cls(Outcome.SUCCEEDED, reference, amount=amount, charged_at=charged_at, raw=raw)

    @classmethod
    def pending(
        cls,
        reference: str | None,
        *,
        action_url: str | None = None,
        action_until: dt.datetime | None = None,
        action_method: str = "GET",
        action_fields: Mapping[str, str] | None = None,
        raw: Mapping[str, Any] | None = None,
    ) -> ChargeResult:
        """Accepted; the result comes by polling or webhook. *action_url*: the customer has to act first."""
        return cls(
            Outcome.PENDING, reference, action_url=action_url, action_until=action_until, action_method=action_method,
            action_fields=action_fields or {}, raw=raw,
        )  # fmt: skip

    @classmethod
    def declined(
        cls,
        code: str,
        message: str = "",
        *,
        decline: DeclineClass = DeclineClass.UNKNOWN,
        reference: str | None = None,
        network: str | None = None,
        response_code: str | None = None,
        advice_code: str | None = None,
        raw: Mapping[str, Any] | None = None,
    ) -> ChargeResult:
        """A final no to this attempt."""
        return cls(
            Outcome.DECLINED,
            reference,
            code=code,
            message=message,
            decline=decline,
            network=network,
            response_code=response_code,
            advice_code=advice_code,
            raw=raw,
        )

    @classmethod
    def not_sent(
        cls, message: str = "", *, code: str | None = None, decline: DeclineClass | None = None
    ) -> ChargeResult:
        """Certainly nothing happened; the same attempt may be repeated. *decline* CONFIG: the set-up has to be put right
        first, for every other attempt through the account would fare the same.
        """
        return cls(Outcome.NOT_SENT, code=code, message=message, decline=decline)

    @classmethod
    def unknown(
        cls,
        message: str = "",
        *,
        reference: str | None = None,
        code: str | None = None,
        raw: Mapping[str, Any] | None = None,
        amount: Money | None = None,
        others: tuple[ChargeResult, ...] = (),
    ) -> ChargeResult:
        """Money may have moved: an unknown text, a broken answer, a state nobody documented.

        *amount*: what the provider says it took, where that is not what was asked for. *others*: the payments found, where
        more than one carries the attempt.
        """
        return cls(Outcome.UNKNOWN, reference, amount=amount, code=code, message=message, raw=raw, others=others)


# --- refunds ---------------------------------------------------------------------------------------------------------


@attrs.frozen
class RefundRequest:
    """Return *amount* of the charge *charge_reference*."""

    refund_id: str
    key: str
    amount: Money
    charge_reference: str
    charged: Money
    reason: str = ""
    metadata: Mapping[str, str] = attrs.field(factory=dict)
    requested_at: dt.datetime | None = None


@attrs.frozen
class RefundResult:
    """What became of a refund; the same five outcomes.

    :param amount: what went back, where the provider says so; also of an unknown outcome, where it is another sum than
        was asked for.
    """

    outcome: Outcome
    reference: str | None = None
    refunded_at: dt.datetime | None = None
    code: str | None = None
    message: str = ""
    raw: Mapping[str, Any] | None = attrs.field(default=None, repr=False)
    amount: Money | None = None

    @classmethod
    def succeeded(
        cls,
        reference: str,
        *,
        refunded_at: dt.datetime | None = None,
        raw: Mapping[str, Any] | None = None,
        amount: Money | None = None,
    ) -> RefundResult:
        """The money went back."""
        return cls(Outcome.SUCCEEDED, reference, refunded_at=refunded_at, raw=raw, amount=amount)

    @classmethod
    def pending(cls, reference: str | None, *, raw: Mapping[str, Any] | None = None) -> RefundResult:
        """Accepted; the result comes later (R-247)."""
        return cls(Outcome.PENDING, reference, raw=raw)

    @classmethod
    def declined(
        cls, code: str, message: str = "", *, reference: str | None = None, raw: Mapping[str, Any] | None = None
    ) -> RefundResult:
        """The provider refused; nothing was returned (R-248)."""
        return cls(Outcome.DECLINED, reference, code=code, message=message, raw=raw)

    @classmethod
    def not_sent(cls, message: str = "", *, code: str | None = None) -> RefundResult:
        """Certainly nothing happened."""
        return cls(Outcome.NOT_SENT, code=code, message=message)

    @classmethod
    def unknown(
        cls,
        message: str = "",
        *,
        reference: str | None = None,
        raw: Mapping[str, Any] | None = None,
        amount: Money | None = None,
    ) -> RefundResult:
        """Money may have gone back. *amount*: what the provider says, where it is not what was asked for."""
        return cls(Outcome.UNKNOWN, reference, message=message, raw=raw, amount=amount)


@attrs.frozen
class LookupRequest:
    """Look a charge or refund up whose result is not known.

    :param attempt: what was asked for, exactly as it was sent; a provider whose keys are native may answer the look-up
        by sending it again under the same key.
    :param reference: the provider's id if it is known.
    :param contract: give every payment of the attempt's contract as well, as :attr:`Found.payments`: a backup was
        restored, and the database may not know of them (R-286).
    """

    attempt: ChargeRequest | RefundRequest
    reference: str | None = None
    contract: bool = False


@attrs.frozen
class FoundPayment:
    """A payment that carries a contract's id in its metadata.

    :param charge_id: paygate's id of the attempt in its metadata; empty where there is none.
    """

    charge_id: str
    result: ChargeResult


@attrs.frozen
class Found:
    """The answer to a look-up: the result, or None where nothing was found.

    What *not found* proves is declared by :attr:`Capabilities.lookup`.

    :param payments: where :attr:`LookupRequest.contract` asked for them, every payment whose metadata have the attempt's
        contract under ``paygate_contract``, the attempt's own among them; None: the plugin does not list them.
    """

    result: ChargeResult | RefundResult | None = None
    payments: tuple[FoundPayment, ...] | None = None


# --- webhooks --------------------------------------------------------------------------------------------------------


@attrs.frozen
class Webhook:
    """One delivery as it came in: raw body, lower-case header names. Shows neither in ``repr``."""

    headers: Mapping[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)


class EventKind(enum.Enum):
    """What a webhook delivery is about."""

    CHARGE = "charge"
    REFUND = "refund"  #: of paygate's, or made in the provider's console (R-314)
    DISPUTE = "dispute"  #: a customer's bank takes a charge back, or asks about it (R-316)
    RENEWAL = "renewal"  #: one attempt of the provider's own subscription to charge a period (R-145, R-146)
    SUBSCRIPTION_ENDED = "subscription ended"  #: the provider ended its own subscription (R-152)
    CHECKOUT = "checkout"  #: a checkout was completed, expired or failed; ask ``complete_checkout``
    OTHER = "other"  #: authentic, but nothing paygate acts on


@attrs.frozen
class ProviderEvent:
    """One authentic event, already checked against the provider where its authenticity is weak.

    :param event_id: unique per provider account; a second delivery of the same id is ignored (R-269).
    :param reference: the provider's id of the charge, refund, dispute or checkout.
    :param attempt_id: paygate's own id of the charge or refund, if the event carries it in its metadata.
    :param charge_reference: of a REFUND or DISPUTE: the provider's id of the charge that it takes back, in the form in which
        the result of that charge named it.
    :param charge_id: of a REFUND or DISPUTE: paygate's own id of that charge, where its metadata carry it.
    :param contract_id: the contract that the subscription of a RENEWAL or SUBSCRIPTION_ENDED belongs to, or that a charge
        or refund names in its metadata, as it was given to the provider.
    :param period_on: of a RENEWAL: the JST date on which the charged period begins; None leaves it to the contract.
    :param attempt: of a RENEWAL: which attempt of the period it was, the first is 1; None if the provider does not say.
    :param retries: of a failed RENEWAL: whether the provider tries again by itself (R-161).
    :param next_on: of a failed RENEWAL: the JST date of the next attempt, if it is known.
    :param action_url: of a failed RENEWAL: where the customer can confirm the payment, or pay it with another card.
    """

    event_id: str
    kind: EventKind
    type: str = ""
    reference: str | None = None
    attempt_id: str | None = None
    charge: ChargeResult | None = None
    refund: RefundResult | None = None
    dispute: Dispute | None = None
    charge_reference: str | None = None
    charge_id: str | None = None
    contract_id: str | None = None
    period_on: dt.date | None = None
    attempt: int | None = None
    retries: bool = False
    next_on: dt.date | None = None
    action_url: str | None = attrs.field(default=None, kw_only=True)
    raw: Mapping[str, Any] | None = attrs.field(default=None, repr=False)


# --- the base class --------------------------------------------------------------------------------------------------


def _undeclared(provider: Provider, hook: str) -> CapabilityNotSupported:
    return CapabilityNotSupported(f"{type(provider).__name__} has no hook {hook!r}; nothing was sent")


class Mode(enum.Enum):
    """Whether an account moves real money (X-24)."""

    TEST = "test"
    LIVE = "live"


class Provider:
    """Base class of providers. Override what the capabilities declare; see :mod:`paygate.hookspecs` for each hook.

    A subclass that takes settings names an attrs class as :attr:`Settings` and is created with one instance of it; the
    configuration file fills it, secrets (fields made with ``paygate.secret()``) come from the environment as well.

    Public ``async`` methods must be hooks: a misspelt one is an error when the provider is loaded.
    """

    #: attrs class of the settings, or None.
    Settings: ClassVar[type | None] = None

    #: Whether the credentials that the provider was made with move real money; None where it cannot tell. Set it on the
    #: instance or as a property where the credentials say so. The seller may declare it per account as well.
    mode: Mode | None = None

    def capabilities(self) -> Capabilities:
        """What this provider does; see :func:`paygate.hookspecs.capabilities`."""
        raise _undeclared(self, "capabilities")

    async def charge(self, request: ChargeRequest) -> ChargeResult:
        """Charge a stored credential; see :func:`paygate.hookspecs.charge`."""
        raise _undeclared(self, "charge")

    async def refund(self, request: RefundRequest) -> RefundResult:
        """Return money; see :func:`paygate.hookspecs.refund`."""
        raise _undeclared(self, "refund")

    async def find_charge(self, request: LookupRequest) -> Found:
        """Look a charge up; see :func:`paygate.hookspecs.find_charge`."""
        raise _undeclared(self, "find_charge")

    async def cancel_charge(self, request: LookupRequest) -> Found:
        """Withdraw a charge that waits for the customer; see :func:`paygate.hookspecs.cancel_charge`."""
        raise _undeclared(self, "cancel_charge")

    async def find_refund(self, request: LookupRequest) -> Found:
        """Look a refund up; see :func:`paygate.hookspecs.find_refund`."""
        raise _undeclared(self, "find_refund")

    async def begin_checkout(self, request: CheckoutRequest) -> Checkout:
        """Let a customer store a card; see :func:`paygate.hookspecs.begin_checkout`."""
        raise _undeclared(self, "begin_checkout")

    async def complete_checkout(self, reference: str) -> CheckoutResult:
        """Learn what became of a checkout; see :func:`paygate.hookspecs.complete_checkout`."""
        raise _undeclared(self, "complete_checkout")

    async def parse_webhook(self, webhook: Webhook) -> list[ProviderEvent]:
        """Authenticate and read a delivery; see :func:`paygate.hookspecs.parse_webhook`."""
        raise _undeclared(self, "parse_webhook")

    async def start_recurring(self, request: SubscriptionStart) -> StartedSubscription:
        """Start an own subscription; see :func:`paygate.hookspecs.start_recurring`."""
        raise _undeclared(self, "start_recurring")

    async def stop_recurring(self, request: SubscriptionRequest) -> None:
        """End the own subscription now; see :func:`paygate.hookspecs.stop_recurring`."""
        raise _undeclared(self, "stop_recurring")

    async def end_recurring(self, request: SubscriptionRequest) -> None:
        """Charge no further renewal; see :func:`paygate.hookspecs.end_recurring`."""
        raise _undeclared(self, "end_recurring")

    async def resume_recurring(self, request: SubscriptionRequest) -> None:
        """Charge renewals again; see :func:`paygate.hookspecs.resume_recurring`."""
        raise _undeclared(self, "resume_recurring")

    async def change_recurring_payment(self, request: SubscriptionPayment) -> ChangedPayment:
        """Charge the own subscription to another card; see :func:`paygate.hookspecs.change_recurring_payment`."""
        raise _undeclared(self, "change_recurring_payment")

    async def describe_card(self, request: CredentialRequest) -> CredentialDescription:
        """Tell about a stored card; see :func:`paygate.hookspecs.describe_card`."""
        raise _undeclared(self, "describe_card")

    async def revoke_card(self, request: CredentialRequest) -> None:
        """Forget a stored card for good; see :func:`paygate.hookspecs.revoke_card`."""
        raise _undeclared(self, "revoke_card")

    async def ping(self) -> str:
        """Check credentials and reachability; see :func:`paygate.hookspecs.ping`."""
        raise _undeclared(self, "ping")
