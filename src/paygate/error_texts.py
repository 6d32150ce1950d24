"""What errors say to people: one short sentence for each kind, or for the rule behind it, and the facts that are safe.

English is here, and is the key of the Japanese in the catalogue. The errors' own messages are for engineers and logs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .errors import PaygateError

__all__ = ["FACTS", "RULES", "SENTENCES", "error_text"]

#: By the name of the class; one without a sentence of its own takes that of the nearest class above it.
SENTENCES: Mapping[str, str] = {
    "PaygateError": "Something went wrong.",
    "ConfigurationError": "The set-up has to be corrected; nothing was sent.",
    "PluginError": "A plugin could not be found or loaded.",
    "PluginFailed": "A plugin failed unexpectedly.",
    "SchemaOutdated": "The database was made by another version and has to be upgraded.",
    "DatabaseMissing": "There is no database of paygate at that place.",
    "StoreError": "The database failed; no payment is in doubt through it.",
    "StoreUnavailable": "The database cannot be used at present; nothing was saved.",
    "SaveUnknown": "The connection to the database was cut off while saving: look first whether it was saved.",
    "StoreDamaged": "The database is damaged, or is not one of paygate.",
    "StoreForked": "The database connection belongs to another process.",
    "Undeliverable": "A notice can never be delivered.",
    "WebhookIncomplete": "A part of a provider's notice could not be taken; it has to be delivered again.",
    "Refused": "This was refused; nothing was sent and nothing has changed.",
    "InvalidAmount": "The amount cannot be used here.",
    "InvalidValue": "A value cannot be used here.",
    "CardNumberInText": "A text holds what looks like a card number; card numbers may not be written down.",
    "NaiveDatetime": "A time was given without its time zone.",
    "NotFound": "There is nothing under that name or number.",
    "PermissionDenied": "You may not do this.",
    "ConsentRequired": "The customer's agreement to this charge is not recorded.",
    "Vetoed": "This was refused by the shop's own check.",
    "WrongMode": "Test and live do not mix: account and contract are in different modes.",
    "OperationNotAllowed": "This operation is not possible for the contract as it is now.",
    "RenewalDayError": "A cancellation cannot be scheduled on a renewal day; it is possible again tomorrow.",
    "NotRevocable": "The product ends; this cancellation cannot be revoked.",
    "EffectiveDayReached": "The cancellation has taken effect already.",
    "ProductEnded": "The product has ended by the start date.",
    "NotCardCustomer": "Only a customer who pays by card can be charged additionally.",
    "ChargeWindowExpired": "Too much time has passed since the last payment; the customer has to pay once again.",
    "PurposeNeeded": "A period is unpaid: say whether this collects it or is a sale beside it.",
    "RetryPending": "The payment is still tried again; collecting it now could charge the customer twice.",
    "CardHeldBack": "This card may not be charged now.",
    "SystemMaxPassed": "The system's largest date has passed.",
    "CapabilityNotSupported": "This provider cannot do that.",
    "ProviderNotCapable": "This provider cannot charge additionally, or is not set up.",
    "OptionNotSupported": "This provider leaves no choice here.",
    "ChangedMeanwhile": "Somebody else has changed this meanwhile; read it again and decide again.",
    "ChargeInProgress": "An earlier charge has no result yet.",
    "DuplicateCharge": "The same amount was charged to the same card a moment ago.",
    "IdempotencyConflict": "The same idempotency key was used for something else.",
    "PendingMoney": "A charge or refund has no result yet.",
    "NothingToRefund": "Nothing is left to refund.",
    "RefundExceedsSale": "This is more than is left to refund.",
    "LicenseRemovalTooLate": "This was refunded without its licence, which can no longer be removed.",
    "MailAlreadySent": "The mail has been sent already.",
    "DeleteNotConfirmed": "Deleting was not confirmed.",
    "WebhookRejected": "A notice was refused: it is forged or damaged.",
    "ProviderError": "The provider reported an error.",
    "ChargeDeclined": "The charge was declined; nothing was charged.",
    "PermissionClosed": "The customer has withdrawn the permission to be charged.",
    "RefundFailed": "The refund failed; nothing was returned.",
    "ProviderUnavailable": "The provider could not be reached; nothing happened there.",
    "OutcomeUnknown": "The outcome is not known and money may have moved. Do not repeat this; look it up first.",
}

#: By rule, where the sentence of the kind says too little.
RULES: Mapping[str, str] = {
    "R-002": "A time was given without its time zone.",
    "R-004": "An amount is a whole number of the contract's currency.",
    "R-012": "Only an administrator makes contracts that are kept by hand, paid or imported.",
    "R-016": "A contract starts today, later, or on the first of this month.",
    "R-071": "The product has ended by the start date.",
    "R-104": "A payment can be confirmed only while it is awaited.",
    "R-110": "The day of the payment cannot lie in the future.",
    "R-122": "The day of the payment cannot lie in the future.",
    "R-124": "A one-off purchase is not renewed, so there is nothing to cancel for a later day.",
    "R-158": "This contract is not paid by card.",
    "R-161": "The payment is still tried again; stop that on the provider's screen and record it first.",
    "R-166": "The contract's account is not in the configuration.",
    "R-169": "Only an administrator starts an additional charge.",
    "R-171": "A charge is at least 1.",
    "R-187": "Additional charges are never possible in this status.",
    "R-191": "No period is unpaid, so there are no arrears to collect.",
    "R-204": "The customer has never paid through this account, so there is no stored card.",
    "R-215": "The provider does not take this amount in one charge.",
    "R-220": "This provider takes lump-sum payments only.",
    "R-228": "The mail was deleted.",
    "R-239": "This is more than is left to refund, or another currency.",
    "R-243": "This was refunded without its licence, which can no longer be removed.",
    "R-250": "This is not a manual refund that is due, or the day lies in the future.",
    "R-267": "You may not do this to this contract.",
    "R-268": "Somebody else has changed this meanwhile; read it again and decide again.",
    "R-283": "It may still be sent; wait a moment, then decide.",
    "R-381": "The amount is not what is owed; leave it out, or say that another amount is meant.",
    "R-384": "The contract has ended; renewing its expiry would open nothing.",
    "R-386": "More was given than was asked for.",
    "R-389": "The final month cannot be set like this.",
    "R-390": "Say which subscription of the provider renews this contract.",
    "R-391": "The period would end after the system's largest date.",
    "R-395": "The time of the customer's agreement cannot be used; it may not lie in the future.",
}

#: What the facts are called that :func:`error_text` may show.
FACTS: Mapping[str, str] = {
    "contract_id": "contract",
    "status": "status",
    "operation": "operation",
    "reason": "reason",
    "amount": "amount",
    "provider": "provider",
    "code": "code",
    "charge_id": "charge",
    "refund_id": "refund",
    "network": "card network",
    "until": "possible from",
    "argument": "argument",
    "rule": "rule",
}


def error_text(error: PaygateError, lang: str) -> str:
    """The sentence for *error* in *lang*, with the names and numbers it is about."""
    from .catalogue import shown, translate  # noqa: PLC0415 - amounts know errors

    classes = (kind.__name__ for kind in type(error).__mro__)
    kind = next((name for name in classes if name in SENTENCES), "PaygateError")
    if kind in _BY_RULE and error.rule is not None and error.rule in RULES:
        sentence = translate(RULES[error.rule], lang, "error")
    else:
        sentence = translate(SENTENCES[kind], lang, "error")
    known = {name: error.facts.get(name, getattr(error, name, None)) for name in FACTS}
    colon, comma, opens, closes = (": ", "、", "(", ")") if lang == "ja" else (": ", ", ", " (", ")")
    said = [
        f"{translate(FACTS[name], lang, 'fact')}{colon}{shown(value, lang)}" for name, value in known.items() if value
    ]
    return f"{sentence}{opens}{comma.join(said)}{closes}" if said else sentence


#: The kinds that say less than their rule.
_BY_RULE = frozenset(
    {
        "CapabilityNotSupported", "InvalidAmount", "InvalidValue", "NaiveDatetime", "NotFound", "OperationNotAllowed",
        "PermissionDenied", "ProductEnded", "ProviderNotCapable", "PurposeNeeded", "Refused", "RetryPending",
    }
)  # fmt: skip
