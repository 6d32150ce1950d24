"""What a provider does, as data: declared once by its plugin, read by the billing rules, consoles, docs and tests.

Import these names from :mod:`paygate.provider`, where everything that a plugin needs is together.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

import attrs

from .errors import InvalidValue

__all__ = [
    "AmountRange",
    "Capabilities",
    "ExpiryPolicy",
    "Idempotency",
    "IdempotencyKind",
    "Lookup",
    "OptionPolicy",
    "RefundPolicy",
    "Renewals",
    "Results",
]


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
    :param starts_subscriptions: whether paygate starts the provider's own subscriptions (``start_recurring``), only where
        the provider owns the renewals; else they start elsewhere and are only reported.
    :param changes_recurring_payment: whether the provider's own subscription can be given another card
        (``change_recurring_payment``).
    :param describes_cards: whether the provider tells about a stored card (``describe_card``).
    :param revokes_cards: whether a stored card can be revoked (``revoke_card``).
    :param cancels_charges: whether a charge that waits for the customer can be withdrawn (``cancel_charge``).
    :param checkout: whether the provider can store a card on a page of its own (``begin_checkout``).
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
    starts_subscriptions: bool = attrs.field(default=False)
    checkout: bool = False
    cancels_charges: bool = False
    changes_recurring_payment: bool = False
    describes_cards: bool = False
    revokes_cards: bool = False

    @starts_subscriptions.validator
    def _only_its_own(self, _: object, value: bool) -> None:
        if value and self.renewals is not Renewals.PROVIDER:
            msg = (
                "starts_subscriptions needs renewals=Renewals.PROVIDER: only a provider that owns the renewals has any"
            )
            raise InvalidValue(msg)

    @property
    def recurring(self) -> bool:
        """Whether recurring contracts can be paid through this provider (R-220)."""
        return self.renewals is not Renewals.NONE
