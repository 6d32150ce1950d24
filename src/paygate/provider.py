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

from .errors import InvalidValue
from .money import Money

__all__ = [
    "AmountRange",
    "Capabilities",
    "ChargeRequest",
    "ChargeResult",
    "DeclineClass",
    "EventKind",
    "ExpiryPolicy",
    "Found",
    "Idempotency",
    "IdempotencyKind",
    "Lookup",
    "LookupRequest",
    "OptionPolicy",
    "Outcome",
    "Provider",
    "ProviderEvent",
    "RefundPolicy",
    "RefundRequest",
    "RefundResult",
    "Renewals",
    "Results",
    "SubscriptionRequest",
    "Webhook",
]


# --- capabilities: what a provider does, as data ---------------------------------------------------------------------


class OptionPolicy(enum.Enum):
    """Whether an option of an additional charge can be chosen (domain §5.1)."""

    OPTIONAL = "optional"  #: True and False are both possible; left out means off (R-184)
    FORCED_ON = "forced on"  #: always happens; asking for the opposite is refused (R-185)
    UNAVAILABLE = "unavailable"  #: no such choice; giving any value is refused (R-185)


class ExpiryPolicy(enum.Enum):
    """What a successful receipt does to the expiry date when it does anything."""

    BY_CYCLE = "by cycle"  #: extended by the payment cycle (R-049, R-050)
    SYSTEM_MAX = "system maximum"  #: always set to the largest date of the system (R-218, R-219)


class IdempotencyKind(enum.Enum):
    """How far a repeat under the same key is safe."""

    NONE = "none"  #: a repeat charges again
    BEST_EFFORT = "best effort"  #: usually honoured; ``header`` tells when it was not
    NATIVE = "native"  #: honoured


@attrs.frozen
class Idempotency:
    """How the provider treats idempotency keys.

    :param window: seconds for which a key is remembered; None means for ever.
    :param max_length: longest key; :param alphabet: characters a key may have.
    :param errors_replayed: whether declines and errors are stored under the key and answered again.
    :param body_must_match: whether the same key with another body is refused.
    :param header: response header that tells whether the key was honoured, for BEST_EFFORT.
    """

    kind: IdempotencyKind
    window: int | None = None
    max_length: int = 255
    alphabet: str = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_"
    errors_replayed: bool = False
    body_must_match: bool = True
    header: str | None = None

    def key_for(self, attempt_id: str) -> str:
        """The key to send for the attempt whose id is 32 hexadecimal digits, within alphabet and length.

        :raises InvalidValue: if the declared alphabet and length cannot hold 64 bits.
        """
        if self.max_length >= len(attempt_id) and set("0123456789abcdef") <= set(self.alphabet):
            return attempt_id
        number, base, digits = int(attempt_id, 16), len(self.alphabet), []
        while number and base > 1:
            number, digit = divmod(number, base)
            digits.append(self.alphabet[digit])
        key = "".join(digits)[: self.max_length]  # least significant first: the random end of the id survives the cut
        if base**self.max_length < 2**64:
            msg = f"idempotency keys of {self.max_length} characters out of {base} are too short to be unique"
            raise InvalidValue(msg)
        return key


class Lookup(enum.Enum):
    """What looking up a charge whose answer was lost can prove."""

    NONE = "none"  #: cannot be looked up: an operator has to find out
    EVENTUAL = "eventual"  #: what is found is true; not finding it proves nothing
    AUTHORITATIVE = "authoritative"  #: not finding it proves that nothing happened


class Results(enum.Flag):
    """How the result of a charge becomes known; several may hold."""

    IMMEDIATE = enum.auto()
    POLLED = enum.auto()
    NOTIFIED = enum.auto()


class RefundPolicy(enum.Enum):
    """What the provider's interface can return."""

    BY_HAND = "by hand"  #: no interface: recorded as manual refund due (R-249)
    FULL = "full"  #: whole rows only
    PARTIAL = "partial"  #: any amount up to what is left, several times (R-241)


class Renewals(enum.Enum):
    """Who charges the renewals of a recurring contract."""

    NONE = "none"  #: lump-sum payment only (R-220)
    MERCHANT = "merchant"  #: paygate charges the stored credential
    PROVIDER = "provider"  #: the provider's own subscription does


@attrs.frozen
class AmountRange:
    """Smallest and largest charge of one currency, in minor units, both inclusive. ``maximum`` None: no limit."""

    minimum: int = 1
    maximum: int | None = None


@attrs.frozen
class Capabilities:
    """What one provider does, declared once and read by rules, consoles, docs and tests.

    :param name: the provider's display name.
    :param additional_charge: whether a stored credential can be charged additionally (R-165).
    :param renew_expiry: whether the expiry renewal of an additional charge can be chosen (R-196, R-206, R-214, R-217).
    :param send_step_mail: the same for the step mails.
    :param expiry: what a receipt does to the expiry (R-218).
    :param charge_window_years: calendar years after the customer's last payment from which an additional charge is
        refused, or None (R-197, R-203).
    :param duplicate_window: seconds within which the same amount on the same credential is refused, or None (R-205).
    :param amounts: limits by currency; a currency that is missing is not supported.
    :param renewals: who charges renewals; NONE means lump-sum payment only.
    :param ends_after_retries: whether a contract ends when the last retry of a renewal has failed (R-150); else it stays
        PAST_DUE until somebody acts (R-156).
    """

    name: str
    additional_charge: bool = True
    renew_expiry: OptionPolicy = OptionPolicy.OPTIONAL
    send_step_mail: OptionPolicy = OptionPolicy.OPTIONAL
    expiry: ExpiryPolicy = ExpiryPolicy.BY_CYCLE
    charge_window_years: int | None = None
    duplicate_window: int | None = None
    amounts: Mapping[str, AmountRange] = attrs.field(factory=lambda: {"JPY": AmountRange()})
    results: Results = Results.IMMEDIATE
    idempotency: Idempotency = Idempotency(IdempotencyKind.NONE)
    lookup: Lookup = Lookup.NONE
    refunds: RefundPolicy = RefundPolicy.BY_HAND
    refunds_asynchronous: bool = False
    refund_lookup: Lookup = Lookup.NONE
    webhooks: bool = False
    renewals: Renewals = Renewals.MERCHANT
    ends_after_retries: bool = False

    @property
    def recurring(self) -> bool:
        """Whether recurring contracts can be paid through this provider (R-220)."""
        return self.renewals is not Renewals.NONE


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
    :param requested_at: when the attempt was written down, UTC.
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
    :param network: of the card, for example ``"visa"``, and :param advice_code: the network's advice for the next attempt,
        where the provider passes them on; retries are planned by them.
    :param raw: the provider's answer, redacted; kept beside, never instead of, the mapped one.
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
        cls, reference: str | None, *, action_url: str | None = None, raw: Mapping[str, Any] | None = None
    ) -> ChargeResult:
        """Accepted; the result comes by polling or webhook. *action_url*: the customer has to act first."""
        return cls(Outcome.PENDING, reference, action_url=action_url, raw=raw)

    @classmethod
    def declined(
        cls,
        code: str,
        message: str = "",
        *,
        decline: DeclineClass = DeclineClass.UNKNOWN,
        reference: str | None = None,
        network: str | None = None,
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
            advice_code=advice_code,
            raw=raw,
        )

    @classmethod
    def not_sent(cls, message: str = "", *, code: str | None = None) -> ChargeResult:
        """Certainly nothing happened; the same attempt may be repeated."""
        return cls(Outcome.NOT_SENT, code=code, message=message)

    @classmethod
    def unknown(
        cls,
        message: str = "",
        *,
        reference: str | None = None,
        code: str | None = None,
        raw: Mapping[str, Any] | None = None,
    ) -> ChargeResult:
        """Money may have moved: an unknown text, a broken answer, a state nobody documented."""
        return cls(Outcome.UNKNOWN, reference, code=code, message=message, raw=raw)


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
    """What became of a refund; the same five outcomes."""

    outcome: Outcome
    reference: str | None = None
    refunded_at: dt.datetime | None = None
    code: str | None = None
    message: str = ""
    raw: Mapping[str, Any] | None = attrs.field(default=None, repr=False)

    @classmethod
    def succeeded(
        cls, reference: str, *, refunded_at: dt.datetime | None = None, raw: Mapping[str, Any] | None = None
    ) -> RefundResult:
        """The money went back."""
        return cls(Outcome.SUCCEEDED, reference, refunded_at=refunded_at, raw=raw)

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
        cls, message: str = "", *, reference: str | None = None, raw: Mapping[str, Any] | None = None
    ) -> RefundResult:
        """Money may have gone back."""
        return cls(Outcome.UNKNOWN, reference, message=message, raw=raw)


@attrs.frozen
class LookupRequest:
    """Look a charge or refund up whose result is not known.

    :param attempt: what was asked for, exactly as it was sent; a provider whose keys are native may answer the look-up
        by sending it again under the same key.
    :param reference: the provider's id if it is known.
    """

    attempt: ChargeRequest | RefundRequest
    reference: str | None = None


@attrs.frozen
class Found:
    """The answer to a look-up: the result, or None where nothing was found.

    What *not found* proves is declared by :attr:`Capabilities.lookup`.
    """

    result: ChargeResult | RefundResult | None = None


# --- subscriptions that the provider owns ----------------------------------------------------------------------------


@attrs.frozen
class SubscriptionRequest:
    """About the provider's own subscription of a contract.

    :param ends_on: the business date on which the running period ends, where that matters.
    """

    contract_id: str
    credential: str = attrs.field(repr=False)
    ends_on: dt.date | None = None


# --- webhooks --------------------------------------------------------------------------------------------------------


@attrs.frozen
class Webhook:
    """One delivery as it came in: raw body, lower-case header names. Shows neither in ``repr``."""

    headers: Mapping[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)


class EventKind(enum.Enum):
    """What a webhook delivery is about."""

    CHARGE = "charge"
    REFUND = "refund"
    RENEWAL = "renewal"  #: one attempt of the provider's own subscription to charge a period (R-145, R-146)
    SUBSCRIPTION_ENDED = "subscription ended"  #: the provider ended its own subscription (R-152)
    OTHER = "other"  #: authentic, but nothing paygate acts on


@attrs.frozen
class ProviderEvent:
    """One authentic event, already checked against the provider where its authenticity is weak.

    :param event_id: unique per provider account; a second delivery of the same id is ignored (R-269).
    :param reference: the provider's id of the charge or refund.
    :param attempt_id: paygate's own id if the event carries it in its metadata.
    :param contract_id: of a RENEWAL or SUBSCRIPTION_ENDED: the contract that the subscription belongs to, as it was given
        to the provider.
    :param period_on: of a RENEWAL: the JST date on which the charged period begins; None leaves it to the contract.
    :param attempt: of a RENEWAL: which attempt of the period it was, the first is 1; None if the provider does not say.
    :param retries: of a failed RENEWAL: whether the provider tries again by itself (R-161).
    :param next_on: of a failed RENEWAL: the JST date of the next attempt, if it is known.
    """

    event_id: str
    kind: EventKind
    type: str = ""
    reference: str | None = None
    attempt_id: str | None = None
    charge: ChargeResult | None = None
    refund: RefundResult | None = None
    contract_id: str | None = None
    period_on: dt.date | None = None
    attempt: int | None = None
    retries: bool = False
    next_on: dt.date | None = None
    raw: Mapping[str, Any] | None = attrs.field(default=None, repr=False)


# --- the base class --------------------------------------------------------------------------------------------------


class Provider:
    """Base class of providers. Override what the capabilities declare; see :mod:`paygate.hookspecs` for each hook.

    A subclass that takes settings names an attrs class as :attr:`Settings` and is created with one instance of it; the
    configuration file fills it, secrets (fields made with ``paygate.secret()``) come from the environment as well.

    Public ``async`` methods must be hooks: a misspelt one is an error when the provider is loaded.
    """

    #: attrs class of the settings, or None.
    Settings: ClassVar[type | None] = None

    def capabilities(self) -> Capabilities:
        """What this provider does; see :func:`paygate.hookspecs.capabilities`."""
        raise NotImplementedError

    async def charge(self, request: ChargeRequest) -> ChargeResult:
        """Charge a stored credential; see :func:`paygate.hookspecs.charge`."""
        raise NotImplementedError

    async def refund(self, request: RefundRequest) -> RefundResult:
        """Return money; see :func:`paygate.hookspecs.refund`."""
        raise NotImplementedError

    async def find_charge(self, request: LookupRequest) -> Found:
        """Look a charge up; see :func:`paygate.hookspecs.find_charge`."""
        raise NotImplementedError

    async def find_refund(self, request: LookupRequest) -> Found:
        """Look a refund up; see :func:`paygate.hookspecs.find_refund`."""
        raise NotImplementedError

    async def parse_webhook(self, webhook: Webhook) -> list[ProviderEvent]:
        """Authenticate and read a delivery; see :func:`paygate.hookspecs.parse_webhook`."""
        raise NotImplementedError

    async def stop_recurring(self, request: SubscriptionRequest) -> None:
        """End the own subscription now; see :func:`paygate.hookspecs.stop_recurring`."""
        raise NotImplementedError

    async def end_recurring(self, request: SubscriptionRequest) -> None:
        """Charge no further renewal; see :func:`paygate.hookspecs.end_recurring`."""
        raise NotImplementedError

    async def resume_recurring(self, request: SubscriptionRequest) -> None:
        """Charge renewals again; see :func:`paygate.hookspecs.resume_recurring`."""
        raise NotImplementedError

    async def ping(self) -> str:
        """Check credentials and reachability; see :func:`paygate.hookspecs.ping`."""
        raise NotImplementedError
