"""A fake Amazon Pay: lump sums only, permissions that close, keys for ever, and no list to look anything up in."""

from __future__ import annotations

from typing import ClassVar

from ...clock import Clock
from ...provider import (
    AmountRange,
    Capabilities,
    DeclineClass,
    ExpiryPolicy,
    Idempotency,
    IdempotencyKind,
    Lookup,
    OptionPolicy,
    RefundPolicy,
    Renewals,
    Results,
)
from ..book import MovementKind
from .base import Codes, FakeProvider, FakeSettings

__all__ = ["AMAZONPAY_CAPABILITIES", "FakeAmazonPay"]

#: Sections are those of the Amazon Pay fact sheet, numbers R-nnn those of the domain rules.
AMAZONPAY_CAPABILITIES = Capabilities(
    name="Amazon Pay",
    renew_expiry=OptionPolicy.UNAVAILABLE,  # §17, R-217
    send_step_mail=OptionPolicy.OPTIONAL,  # §17, R-217
    expiry=ExpiryPolicy.SYSTEM_MAX,  # §17, R-218
    charge_window_years=None,  # R-223; the permission has an end of its own, R-222
    amounts={"JPY": AmountRange(minimum=1)},  # §1: whole yen; the largest sum is the permission's, not the provider's
    results=Results.IMMEDIATE | Results.POLLED | Results.NOTIFIED,  # §9, §15, §16.1
    idempotency=Idempotency(
        IdempotencyKind.NATIVE,
        window=None,  # §1.3, §5: for ever
        max_length=32,  # §1.3
        # §5 leaves open whether declines are stored; assuming so is safe under both: a new attempt takes a new key
        errors_replayed=True,
        body_must_match=True,  # §5: DuplicateIdempotencyKey
    ),
    # §16.3: nothing can be listed, but the same request under the same key answers with the original result, or is
    # carried out now; either way the answer is the truth about the attempt
    lookup=Lookup.AUTHORITATIVE,
    refunds=RefundPolicy.PARTIAL,  # §10
    refunds_asynchronous=True,  # §1.8, §10
    refund_lookup=Lookup.AUTHORITATIVE,  # §16.3, as for charges
    webhooks=True,  # §15
    renewals=Renewals.NONE,  # §17, R-220
)

_SOFT, _HARD, _CONFIG = DeclineClass.SOFT, DeclineClass.HARD, DeclineClass.CONFIG


class FakeAmazonPay(FakeProvider):
    """The credential is a charge permission; ``close_permission`` or ``ClosePermission()`` closes it (R-222)."""

    codes: ClassVar[Codes] = Codes(
        declined="HardDeclined",  # §16.2
        too_small="InvalidParameterValue",  # §12
        too_large="TransactionAmountExceeded",  # §12
        currency="CurrencyMismatch",  # §12
        duplicate="TransactionCountExceeded",
        key_reused="DuplicateIdempotencyKey",  # §5
        key_malformed="InvalidHeaderValue",  # §12
        credential_removed="PaymentMethodNotAllowed",  # §16.2
        permission_closed="InvalidChargePermissionStatus",  # §9
        refund_refused="AmazonRejected",  # §10
        refund_exceeds="TransactionAmountExceeded",  # §10
        not_refundable="InvalidChargeStatus",  # §12
        classes={  # §16.2
            "SoftDeclined": _SOFT, "TransactionTimedOut": _SOFT, "ProcessingFailure": _SOFT,
            "HardDeclined": _HARD, "PaymentMethodNotAllowed": _HARD, "MFANotCompleted": DeclineClass.ACTION,
            "AmazonRejected": _HARD, "TransactionCountExceeded": _HARD,
            "PeriodicAmountExceeded": _CONFIG, "TransactionAmountExceeded": _CONFIG,
        },
    )  # fmt: skip
    prefixes: ClassVar = {MovementKind.CAPTURE: "S03-", MovementKind.REFUND: "R03-"}
    names_declined: ClassVar[bool] = False  # §1.4: a decline is an HTTP error without a charge id
    looks_up_by_key: ClassVar[bool] = True  # §1.1, §16.3

    def __init__(self, settings: FakeSettings | None = None, *, clock: Clock | None = None) -> None:
        super().__init__(AMAZONPAY_CAPABILITIES, settings, clock=clock)
