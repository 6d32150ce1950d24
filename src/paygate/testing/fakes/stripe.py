"""A fake Stripe: results at once, native keys that also replay declines, refunds that may fail later."""

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
from .recurring import with_renewals

__all__ = ["STRIPE_CAPABILITIES", "FakeStripe"]

#: Sections are those of the Stripe fact sheet, numbers R-nnn those of the domain rules.
STRIPE_CAPABILITIES = Capabilities(
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
    refunds_asynchronous=False,  # §5: succeeded at once; a later failure is notified
    refund_lookup=Lookup.AUTHORITATIVE,  # §5, §8: listed under the payment
    cancels_charges=True,  # §4 and §10: while it waits for the customer
    changes_recurring_payment=True,  # §10
    describes_cards=True,  # §4: payment methods are readable
    revokes_cards=True,  # §4: detach
    webhooks=True,  # §9
    renewals=Renewals.MERCHANT,  # §4: off-session charges of a saved card
    checkout=True,  # §4: Checkout, or a SetupIntent
    ends_after_retries=True,  # R-150, in the usual configuration
)

_SOFT, _HARD, _ACTION, _CONFIG = DeclineClass.SOFT, DeclineClass.HARD, DeclineClass.ACTION, DeclineClass.CONFIG


class FakeStripe(FakeProvider):
    """Answers with the result; ``StayPending`` is Stripe's ``processing``, ``RequireAction`` its 3-D Secure.

    :param renewals: as the plugin's setting: ``"provider"`` has Stripe charge them by subscriptions of its own.
    """

    codes: ClassVar[Codes] = Codes(
        declined="card_declined",  # §6
        too_small="amount_too_small",  # §4
        too_large="amount_too_large",  # §4
        currency="currency_not_supported",  # §6
        duplicate="duplicate_transaction",  # §6
        key_reused="idempotency_error",  # §7
        key_malformed="idempotency_error",
        credential_removed="invalid_account",  # §6
        permission_closed="revocation_of_authorization",  # §6
        refund_refused="insufficient_funds",  # §5
        refund_exceeds="charge_already_refunded",  # §5
        not_refundable="payment_intent_unexpected_state",  # §4
        classes={  # §6
            "card_declined": _SOFT, "generic_decline": _SOFT, "insufficient_funds": _SOFT, "do_not_honor": _SOFT,
            "processing_error": _SOFT, "issuer_not_available": _SOFT, "try_again_later": _SOFT,
            "expired_card": _HARD, "incorrect_number": _HARD, "lost_card": _HARD, "stolen_card": _HARD,
            "pickup_card": _HARD, "transaction_not_allowed": _HARD, "fraudulent": _HARD,
            "authentication_required": _ACTION, "authentication_not_handled": _ACTION,
            "duplicate_transaction": DeclineClass.DUPLICATE, "parameter_invalid_integer": _CONFIG,
        },
    )  # fmt: skip
    collects_at_once: ClassVar[bool] = True  # §10: the open invoice can be paid
    prefixes: ClassVar = {MovementKind.CAPTURE: "pi_", MovementKind.REFUND: "re_"}

    def __init__(
        self, settings: FakeSettings | None = None, *, clock: Clock | None = None, renewals: str = "merchant"
    ) -> None:
        super().__init__(with_renewals(STRIPE_CAPABILITIES, renewals), settings, clock=clock)
