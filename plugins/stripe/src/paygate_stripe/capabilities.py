"""What Stripe does, declared once. Sections are those of the provider fact sheet, numbers R-nnn those of the rules."""

from __future__ import annotations

from paygate.provider import (
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

__all__ = ["CAPABILITIES"]

#: Of an account with the default settings. With ``renewals = "provider"`` the renewals are the provider's, and paygate
#: starts its subscriptions; everything else stays.
CAPABILITIES = Capabilities(
    name="Stripe",
    renew_expiry=OptionPolicy.OPTIONAL,
    send_step_mail=OptionPolicy.OPTIONAL,
    expiry=ExpiryPolicy.BY_CYCLE,
    charge_window_years=None,
    amounts={"JPY": AmountRange(minimum=50, maximum=99_999_999)},  # §4, R-215
    results=Results.IMMEDIATE | Results.POLLED | Results.NOTIFIED,  # §4, §9
    idempotency=Idempotency(
        IdempotencyKind.NATIVE,
        window=86400,  # §7: at least 24 hours; relying on more would charge again
        max_length=255,  # §7
        errors_replayed=True,  # §7: declines are stored, validation failures are not
        body_must_match=True,  # §7
    ),
    lookup=Lookup.AUTHORITATIVE,  # §8: lists are strongly consistent (the search is not, and is not used)
    refunds=RefundPolicy.PARTIAL,  # §5
    refunds_asynchronous=False,  # §5: a card refund normally succeeds at once; what comes later is notified
    refund_lookup=Lookup.AUTHORITATIVE,  # §5, §8: listed under the payment
    cancels_charges=True,  # §4: an intent that waits for the customer can be canceled
    changes_recurring_payment=True,  # §10
    describes_cards=True,  # §4: payment methods are readable
    revokes_cards=True,  # §4: detach
    webhooks=True,  # §9
    renewals=Renewals.MERCHANT,  # §10 (b): off-session charges of a stored card; (a) is a setting
    ends_after_retries=True,  # R-150, in the usual configuration
    checkout=True,  # §4: Checkout, or a SetupIntent
)
