"""Everything about the emulated UnivaPay that is a choice: what its documents leave open, and what tests may turn.

The provider fact sheet marks facts as documented, assumed or uncertain. The emulator's modules hold the documented
ones; every ASSUMED or UNCERTAIN one is a field here, with the open point it stands for, so that a look at the real
service changes one line. Fields may be changed while the emulator runs.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

__all__ = ["Behaviour"]


@attrs.define(kw_only=True)
class Behaviour:
    """The switches of the emulated UnivaPay. All durations are seconds unless they say otherwise."""

    # --- documented by UnivaPay, adjustable for tests ----------------------------------------------------------------

    #: Longest hold of ``?polling=true``.
    polling_hold: float = 3.0
    #: Same amount on the same card within this time is refused; None switches the rule off (R-205).
    duplicate_window: float | None = 30.0
    #: How long an idempotency key is remembered.
    key_life: float = 24 * 3600.0
    #: Life of a one-time token before its charge, and of a subscription token before its subscription.
    one_time_token_life: float = 300.0
    #: Whether this merchant may send raw card numbers to ``POST /tokens``.
    raw_cards: bool = True
    #: Whether a token needs an e-mail address.
    email_required: bool = True
    #: Whether a card needs its CVV; where it does, a card without is refused with ``CVV_REQUIRED``.
    cvv_required: bool = False
    #: By currency, the amount above which the CVV of a recurring token must be given again (``PATCH`` of the token).
    cvv_threshold: Mapping[str, int] = attrs.field(factory=dict)
    #: ``recurring_type`` of the merchant: ``infinite``, ``bounded`` or ``none``.
    recurring_privilege: str = "infinite"
    #: Whether the acquirer captures a part of what was authorised.
    partial_capture: bool = True
    #: Whether the acquirer takes a text for the card statement.
    descriptors: bool = True
    #: By currency, the smallest and the largest amount of a charge.
    charge_bounds: Mapping[str, tuple[int, int]] = attrs.field(factory=dict)
    #: By currency, whole yen per major unit: such charges are taken in yen. Others are taken as they were asked for.
    yen_per_unit: Mapping[str, int] = attrs.field(factory=dict)
    #: Money the merchant has for refunds, in minor units; None is enough for everything (R-248).
    refund_balance: int | None = None
    #: The store's own 3-D Secure policy where a request names no mode.
    three_ds_required: bool = False
    #: How often the charge of one payment of a subscription is tried, the first time included.
    subscription_tries: int = 3
    #: What becomes of a subscription whose tries are used up: ``suspended`` or ``canceled``.
    subscription_exhausted: str = "suspended"
    #: Whether the store may let card companies split a payment into instalments.
    installments: bool = False
    #: Waits in minutes before the second, third, … try of a webhook: ten attempts in all.
    webhook_retries: tuple[int, ...] = (1, 2, 4, 8, 15, 15, 15, 15, 15)
    #: Requests a minute to one exact URL and to one route, refused with 429 above; None is without limit. The buckets
    #: hold a quarter of a minute's requests.
    rate_limit: tuple[int, int] | None = None
    #: Failed charges after which a card is locked (403 ``CARD_LOCKED``), and for how long; None never locks.
    card_lock: tuple[int, float] | None = None

    # --- faults of UnivaPay's own, off by default --------------------------------------------------------------------

    #: The key store is down: requests are processed unchecked and say ``Idempotency-Status: error``.
    key_store_down: bool = False
    #: The stored reply is lost: a replay answers 500 ``UNABLE_TO_GET_IDEMPOTENT_RESULT``.
    key_result_lost: bool = False
    #: Lists come from a search index that lags by this much.
    list_delay: float = 0.0

    # --- ASSUMED or UNCERTAIN ----------------------------------------------------------------------------------------

    #: UNCERTAIN how long anything stays ``pending`` (about a second is reported); None: until settled by hand.
    pending: float | None = 0.1
    #: UNCERTAIN (open point 6): the 30-second rule answers 400 ``CHARGE_TOO_QUICK``, or a charge that fails with 311.
    duplicate_as_charge_311: bool = False
    #: UNCERTAIN (open point 5): whether 4xx replies are stored under the key.
    key_stores_errors: bool = False
    #: UNCERTAIN (open point 2): prefix put in front of ``auth_token`` in deliveries; ``""`` or ``"Bearer "``.
    webhook_prefix: str = ""
    #: UNCERTAIN (open point 3): name of the event about a token's 3-D Secure; ``token_three_d_s_updated`` is the other.
    three_ds_event: str = "token_three_ds_updated"
    #: UNCERTAIN: how many webhooks a store may register.
    webhook_limit: int = 20
    #: ASSUMED: how many of the latest events of a webhook its history keeps.
    webhook_history: int = 1000
    #: UNCERTAIN: whether a store's app token may manage the merchant's webhooks (paths without a store).
    store_manages_merchant_webhooks: bool = False
    #: ASSUMED: a browser, which has no secret, may charge a one-time token, as the widget does; others need the secret.
    browser_charges: bool = True
    #: UNCERTAIN (open point 1): days since the last payment after which a token is refused; None: no such rule.
    one_year_days: int | None = None
    #: UNCERTAIN: the HTTP 400 code of that refusal.
    one_year_code: str = "RECURRING_TOKEN_DISABLED"
    #: UNCERTAIN: the code of a charge on a token that was deleted.
    deleted_token_code: str = "RECURRING_TOKEN_DISABLED"  # noqa: S105 - an error code
    #: UNCERTAIN: whether a token with a running subscription can be deleted; if not: 400
    #: ``ONGOING_SUBSCRIPTIONS_EXIST_FOR_TOKEN``.
    delete_token_with_subscription: bool = True
    #: UNCERTAIN (open point 16): HTTP 400 code of a charge beyond the token's ``usage_limit``; None: not looked at.
    usage_limit_code: str | None = None
    #: UNCERTAIN (open point 16): wait before the first charge of a recurring token, and the code of an earlier one.
    charge_wait_period: float = 0.0
    charge_wait_code: str = "RECURRING_TOKEN_DISABLED"
    #: UNCERTAIN (open point 15): charge code of the test card ending 1111.
    declined_card_code: int = 306
    #: UNCERTAIN: code of the refund that the test card ending 4242 fails with.
    failed_refund_code: int = 329
    #: ASSUMED: charge code on a recurring token whose 3-D Secure was switched on and not passed.
    unverified_token_code: int = 363
    #: ASSUMED: charge code of a subscription whose token was deleted.
    subscription_without_token_code: int = 307
    #: ASSUMED: how long a card hold lasts before a charge without capture fails with 313.
    authorization_life: float = 7 * 24 * 3600.0
    #: ASSUMED: how long a customer may take over 3-D Secure before the charge fails with 327.
    customer_patience: float = 300.0
    #: UNCERTAIN (open point 13): hour of the day, in the subscription's zone, from which due payments are charged; an
    #: older page says 9.
    subscription_hour: int = 7
    #: UNCERTAIN (open point 13): whether resuming charges what was missed, the oldest at once and the others every 20
    #: minutes; if not, the nearest coming date is next.
    resume_charges_arrears: bool = False
    #: UNCERTAIN: ``initial_amount`` 0 makes the first payment free of charge; if not, it is refused.
    free_first_payment: bool = True
    #: UNCERTAIN: status after the first charge failed of a subscription that began on a later day: ``unpaid``, with
    #: further tries, or ``unconfirmed``.
    late_first_failure: str = "unpaid"
    #: ASSUMED: a new token for an ``unconfirmed`` subscription tries its first charge again.
    new_token_retries_first: bool = True
    #: UNCERTAIN: whether the charges of a subscription carry its metadata.
    charges_carry_metadata: bool = False
    #: ASSUMED: how many payments the preview of an unlimited subscription shows.
    simulated_payments: int = 12
    #: Replies carry fields that nobody documented, as real ones do.
    extra_fields: bool = True
