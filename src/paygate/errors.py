"""Everything paygate raises, in one tree. Each error says what to do next.

::

    PaygateError
    ├── ConfigurationError            the set-up is wrong; nothing was sent
    │   ├── PluginError               a plugin is missing, broken or misspelt
    │   │   └── PluginFailed          it raised what no plugin should
    │   ├── DatabaseMissing           there is no database there, and this call makes none
    │   └── SchemaOutdated            the database needs ``paygate db upgrade``
    ├── StoreError                    the database failed; ``sent`` says whether a provider had been asked
    │   ├── StoreUnavailable          locked, full, read-only or out of reach; nothing was saved
    │   ├── SaveUnknown               cut off while saving: saved or not, nobody can say
    │   ├── StoreDamaged              damaged, or not a database of paygate
    │   └── StoreForked               it belongs to the process that this one was forked from
    ├── WebhookIncomplete             an event of a delivery could not be taken; it has to be delivered again
    ├── Undeliverable                 an observer says that a notice can never be delivered
    ├── Refused                       bad input or a rule says no; nothing was sent, nothing changed
    │   ├── InvalidAmount, InvalidValue, NaiveDatetime
    │   │   └── CardNumberInText          digits that pass for a card number, in a text
    │   ├── NotFound
    │   ├── PermissionDenied, ConsentRequired, Vetoed
    │   ├── WrongMode                     test and live do not mix
    │   ├── OperationNotAllowed
    │   │   ├── RenewalDayError, NotRevocable, EffectiveDayReached, ProductEnded
    │   │   ├── NotCardCustomer, ChargeWindowExpired, PurposeNeeded, RetryPending, SystemMaxPassed
    │   │   └── CardHeldBack          the card may not be tried now, or not again
    │   ├── CapabilityNotSupported    this provider cannot do that
    │   │   └── ProviderNotCapable, OptionNotSupported
    │   ├── ChangedMeanwhile              read it again, then decide again
    │   ├── ChargeInProgress, DuplicateCharge, IdempotencyConflict, PendingMoney
    │   ├── NothingToRefund, RefundExceedsSale, LicenseRemovalTooLate
    │   ├── MailAlreadySent, DeleteNotConfirmed
    │   └── WebhookRejected           forged or malformed; stored nowhere
    └── ProviderError                 the provider was asked (provider, code, request_id)
        ├── ChargeDeclined            a final no
        │   └── PermissionClosed      the customer withdrew the permission (R-222)
        ├── RefundFailed
        ├── ProviderUnavailable       certainly nothing happened: safe to repeat
        └── OutcomeUnknown            no answer, and money may have moved

A message names the thing and the remedy and never holds a secret. ``rule`` carries the number of the
domain rule behind a refusal where there is one. Every error leaves the contract untouched (R-024).
"""

from __future__ import annotations

import datetime as dt
import enum
from typing import ClassVar, Self

from .error_texts import error_text

__all__ = [
    "CapabilityNotSupported",
    "CardHeldBack",
    "CardNumberInText",
    "ChangedMeanwhile",
    "ChargeDeclined",
    "ChargeInProgress",
    "ChargeWindowExpired",
    "ConfigurationError",
    "ConsentRequired",
    "DatabaseMissing",
    "DeleteNotConfirmed",
    "DuplicateCharge",
    "EffectiveDayReached",
    "IdempotencyConflict",
    "InvalidAmount",
    "InvalidValue",
    "LicenseRemovalTooLate",
    "MailAlreadySent",
    "NaiveDatetime",
    "NotCardCustomer",
    "NotFound",
    "NotRevocable",
    "NothingToRefund",
    "OperationNotAllowed",
    "OptionNotSupported",
    "OutcomeUnknown",
    "PaygateError",
    "PendingMoney",
    "PermissionClosed",
    "PermissionDenied",
    "PluginError",
    "PluginFailed",
    "ProductEnded",
    "ProviderError",
    "ProviderNotCapable",
    "ProviderUnavailable",
    "PurposeNeeded",
    "RefundExceedsSale",
    "RefundFailed",
    "Refused",
    "RenewalDayError",
    "Retry",
    "RetryPending",
    "SaveUnknown",
    "SchemaOutdated",
    "StoreDamaged",
    "StoreError",
    "StoreForked",
    "StoreUnavailable",
    "SystemMaxPassed",
    "Undeliverable",
    "Vetoed",
    "WebhookIncomplete",
    "WebhookRejected",
    "WrongMode",
]


class Retry(enum.Enum):
    """Whether the same call may be made again."""

    NEVER = "never"
    SAFE = "nothing happened; ask again as a new request"
    AFTER_LOOKUP = "only after looking the payment up"


class PaygateError(Exception):
    """Base of all errors of paygate."""

    retry: ClassVar[Retry] = Retry.NEVER

    def __init__(self, message: str, *, rule: str | None = None) -> None:
        super().__init__(message)
        self.rule = rule
        self.facts: dict[str, object] = {}

    def about(self, **facts: object) -> Self:
        """Keep what the error is about, for :meth:`text`: ids, amounts, days and values that have labels, never a secret."""
        self.facts.update({name: fact for name, fact in facts.items() if fact is not None})
        return self

    def text(self, lang: str = "en") -> str:
        """What went wrong, in a short sentence of *lang* (``"ja"`` or ``"en"``), with the facts that are safe to show.

        The message of the error is English and says more; this one is for people at a screen.
        """
        return error_text(self, lang)


class ConfigurationError(PaygateError):
    """The set-up is wrong: the message names the key, the file and the remedy. Nothing was sent."""


class PluginError(ConfigurationError):
    """A plugin could not be found, loaded or understood."""


class PluginFailed(PluginError):
    """A plugin raised what no plugin should. ``brief`` is its kind and text, ``details`` where it arose, both masked."""

    def __init__(self, message: str, *, brief: str = "", details: str = "", rule: str | None = None) -> None:
        super().__init__(message, rule=rule)
        self.brief = brief
        self.details = details


class SchemaOutdated(ConfigurationError):
    """The database was made by another version; run ``paygate db upgrade``."""


class StoreError(PaygateError):
    """The database failed. No money is in doubt: where a provider had been asked to move any, it is :class:`OutcomeUnknown`.

    :param sent: whether a provider had been told something else by then, such as the end of a subscription; the same
        call may be made again.
    """

    def __init__(self, message: str, *, sent: bool = False, rule: str | None = None) -> None:
        super().__init__(message, rule=rule)
        self.sent = sent


class StoreUnavailable(StoreError):
    """It is locked, full, read-only or out of reach at present. Nothing of this transaction was saved."""

    retry = Retry.SAFE


class SaveUnknown(StoreError):
    """The connection was cut off while saving, which may have been done or not: look before you repeat it."""

    retry = Retry.AFTER_LOOKUP


class StoreDamaged(StoreError):
    """Its contents are damaged, or are not those of paygate."""


class StoreForked(StoreError):
    """It belongs to the process that this one was forked from: it lives in that one's memory, or is in mid-transaction."""


class DatabaseMissing(ConfigurationError):
    """There is no database of paygate at that place; a new, empty one would hide that it is the wrong place."""


class Undeliverable(PaygateError):
    """Raised by an observer: this notice can never be delivered, so it is not tried again, and an operator is told."""


class WebhookIncomplete(PaygateError):
    """An event of a delivery could not be taken. The others are stored; it has to be delivered again.

    ``status`` is the HTTP status to answer with, so that the provider repeats the delivery.
    """

    status: ClassVar[int] = 500


class Refused(PaygateError):
    """Bad input, or a rule says no. Nothing was sent and nothing has changed."""


class InvalidAmount(Refused, ValueError):
    """Not a whole, positive number of minor units of the right currency within the limits (R-004, R-171, R-215)."""


class InvalidValue(Refused, ValueError):
    """An argument is not of the kind or form that the call takes."""


class CardNumberInText(InvalidValue):
    """A text holds 13 to 19 digits that pass the Luhn check (R-362). ``argument`` says where; the number is not quoted."""

    def __init__(self, message: str, *, argument: str = "", rule: str | None = "R-362") -> None:
        super().__init__(message, rule=rule)
        self.argument = argument


class NaiveDatetime(Refused, ValueError):
    """A datetime without a zone was given (R-002)."""


class NotFound(Refused, LookupError):
    """No contract, charge, ledger row, step mail or account under that name."""


class PermissionDenied(Refused):
    """The actor may not do this (R-169, R-267)."""


class ConsentRequired(Refused):
    """The customer's agreement to this charge is not recorded (R-188)."""


class Vetoed(Refused):
    """A ``before_charge`` or ``before_operation`` observer refused, giving a reason."""


class WrongMode(Refused):
    """The account is in test mode and the contract is live, or the other way round (X-24)."""


class OperationNotAllowed(Refused):
    """The operation is not offered for the contract as it is now (R-024)."""


class RenewalDayError(OperationNotAllowed):
    """Cancellation cannot be scheduled on a renewal day (R-127)."""


class NotRevocable(OperationNotAllowed):
    """The product's end cannot be revoked (R-068)."""


class EffectiveDayReached(OperationNotAllowed):
    """The cancellation has taken effect (R-136)."""


class ProductEnded(OperationNotAllowed):
    """The contract would start after the product's final month (R-071)."""


class NotCardCustomer(OperationNotAllowed):
    """Only a customer who pays by card can be charged additionally (R-167)."""


class ChargeWindowExpired(OperationNotAllowed):
    """The provider's window since the last payment has closed (R-197, R-199)."""


class PurposeNeeded(OperationNotAllowed):
    """A period is unpaid: say whether the charge collects it or is a sale beside it (R-382)."""


class RetryPending(OperationNotAllowed):
    """The provider still retries this period; collecting it now could charge twice (R-161)."""


class CardHeldBack(OperationNotAllowed):
    """What happened to this card, in whichever contract, forbids another attempt now: a final no, a limit or a wait.

    ``rule`` names what forbids it, ``network`` whose rule it is (None: nobody's or anybody's), ``until`` the instant in UTC
    from which it is allowed again; None: not with this card.
    """

    def __init__(
        self,
        message: str,
        *,
        rule: str | None = None,
        network: str | None = None,
        until: dt.datetime | None = None,
    ) -> None:
        super().__init__(message, rule=rule)
        self.network = network
        self.until = until


class SystemMaxPassed(OperationNotAllowed):
    """Today is after the largest expiry date of the system (R-221)."""


class CapabilityNotSupported(Refused):
    """The provider does not declare the capability that the call needs."""


class ProviderNotCapable(CapabilityNotSupported):
    """The provider cannot charge additionally at all (R-165)."""


class OptionNotSupported(CapabilityNotSupported):
    """An explicit option contradicts what the provider always does (R-185)."""


class ChangedMeanwhile(Refused):
    """Someone else changed the same thing first (R-268): read it again, and decide on what it is now."""


class ChargeInProgress(Refused):
    """An earlier charge on the contract is pending or unknown (R-189, R-193)."""


class DuplicateCharge(Refused):
    """Same amount on the same stored card within the provider's duplicate window (R-205)."""


class IdempotencyConflict(Refused):
    """The idempotency key was used with other contents (R-190)."""


class PendingMoney(Refused):
    """A charge or refund of the contract is still pending (R-265)."""


class NothingToRefund(Refused):
    """Nothing is left of the row, or it was never paid (R-241)."""


class RefundExceedsSale(Refused):
    """More than is left of the refunded row (R-239)."""


class LicenseRemovalTooLate(Refused):
    """The row was refunded without its licence; it can no longer be removed (R-243)."""


class MailAlreadySent(Refused):
    """The due instant has come; the mail counts as sent (R-229)."""


class DeleteNotConfirmed(Refused):
    """Deleting needs the explicit confirmation (R-261)."""


class WebhookRejected(Refused):
    """The delivery is forged or malformed. ``status`` is the HTTP status to answer with (400, 401 or 413)."""

    def __init__(self, message: str, *, status: int = 400, rule: str | None = None) -> None:
        super().__init__(message, rule=rule)
        self.status = status


class ProviderError(PaygateError):
    """The provider was asked. ``provider`` is the account's name, ``code`` the provider's own code.

    ``charge_id`` or ``refund_id`` names the attempt, where there is one.
    """

    def __init__(
        self,
        message: str,
        *,
        provider: str | None = None,
        code: str | None = None,
        request_id: str | None = None,
        charge_id: str | None = None,
        refund_id: str | None = None,
        rule: str | None = None,
    ) -> None:
        super().__init__(message, rule=rule)
        self.provider = provider
        self.code = code
        self.request_id = request_id
        self.charge_id = charge_id
        self.refund_id = refund_id


class ChargeDeclined(ProviderError):
    """A final no to this attempt; nothing was charged."""


class PermissionClosed(ChargeDeclined):
    """The customer's charging permission is closed or has expired (R-222)."""


class RefundFailed(ProviderError):
    """The provider refused the refund; nothing was returned."""


class ProviderUnavailable(ProviderError):
    """Certainly nothing happened at the provider; it is safe to ask again."""

    retry = Retry.SAFE


class OutcomeUnknown(ProviderError):
    """No answer, and money may have moved. Look the payment up; never repeat blindly (R-193)."""

    retry = Retry.AFTER_LOOKUP
