"""Everything about the emulated Stripe that is a choice: what the fact sheet leaves open, and what tests may turn.

The emulator's modules hold what is known. Every point that the provider fact sheet marks as uncertain is a field here,
so that a look at the real service changes one line. Fields may be changed while the emulator runs.
"""

from __future__ import annotations

from typing import Literal

import attrs

__all__ = ["Behaviour"]

_DAY = 24 * 3600.0


@attrs.define(kw_only=True)
class Behaviour:
    """The switches of the emulated Stripe. All durations are seconds."""

    # --- documented by Stripe, adjustable for tests ------------------------------------------------------------------

    #: How long the answer under an idempotency key is kept (§7).
    key_life: float = _DAY
    #: How long events can be listed and retrieved (§8).
    event_life: float = 30 * _DAY
    #: How long a card hold lasts before the intent is canceled (§4).
    authorization_life: float = 7 * _DAY
    #: How far the search index lags behind the lists (§8: normally under a minute).
    search_delay: float = 5.0
    #: Whether this account may send raw (test) card numbers (§11: refused by default in a real sandbox).
    raw_cards: bool = True
    #: Waits before the second and the third try of a webhook (§9: three tries over a few hours in a sandbox).
    webhook_retries: tuple[float, ...] = (3600.0, 2 * 3600.0)
    #: How long a pending refund of the test card ``pm_card_pendingRefund`` stays open; None: until settled by hand.
    refund_pending: float | None = 60.0
    #: When a refund of the test card ``pm_card_refundFail`` fails after it had succeeded.
    refund_fails_after: float = 60.0
    #: The fee that a balance transaction shows, in thousandths of the amount.
    fee_per_mille: int = 36
    #: How long a POST under an idempotency key takes; a second one under the key meets HTTP 409 meanwhile.
    write_seconds: float = 0.0
    #: How long a test clock takes to advance; 0: until the next request (§10: poll until it is ready).
    advance_seconds: float = 0.0
    #: How long a subscription's invoice stays a draft (§10: about an hour).
    draft_life: float = 3600.0
    #: How long a subscription waits for its first payment before it is ``incomplete_expired`` (§10).
    incomplete_life: float = 23 * 3600.0
    #: Waits before the retries of an invoice: the custom schedule, up to three (§10: a setting of the dashboard).
    invoice_retries: tuple[float, ...] = (3 * _DAY, 5 * _DAY, 7 * _DAY)
    #: What a subscription is once the retries are used up: canceled, unpaid or past_due (§10: a setting of the dashboard).
    after_retries: Literal["canceled", "unpaid", "past_due"] = "canceled"

    # --- uncertain (the provider fact sheet, §15 where nothing else is said) -----------------------------------------

    #: Wire type of the HTTP 409 ``idempotency_key_in_use``.
    key_in_use_type: str = "invalid_request_error"
    #: Whether a 400 that comes from an object's state (``…_unexpected_state``) is stored under the key, as a 402 is.
    key_stores_state_errors: bool = True
    #: Whether ``payment_method_types`` is refused of requests whose ``Stripe-Version`` is 2026-09-30.endive or newer.
    #: One without a version is read by its account's, which is taken to be older.
    refuses_payment_method_types: bool = True
    #: Whether an off-session payment that needs 3-D Secure leaves a failed charge behind.
    authentication_required_makes_charge: bool = False
    #: Whether ``last_payment_error`` stays after the intent succeeded on a later attempt.
    last_error_survives_success: bool = False
    #: Whether declines carry ``advice_code``.
    advice_codes: bool = True
    #: Largest amount in minor units; account and network limits can be lower (§4).
    largest_amount: int = 99_999_999
