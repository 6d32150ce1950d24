"""Everything about the emulated UnivaPay that is a choice: what its documents leave open, and what tests may turn.

The provider fact sheet marks facts as documented, assumed or uncertain. The emulator's modules hold the documented
ones; every ASSUMED or UNCERTAIN one is a field here, with the open point it stands for, so that a look at the real
service changes one line. Fields may be changed while the emulator runs.
"""

from __future__ import annotations

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
    #: Life of a one-time token before its charge.
    one_time_token_life: float = 300.0
    #: Whether this merchant may send raw card numbers to ``POST /tokens``.
    raw_cards: bool = True
    #: ``recurring_type`` of the merchant: ``infinite``, ``bounded`` or ``none``.
    recurring_privilege: str = "infinite"
    #: Money the merchant has for refunds, in minor units; None is enough for everything (R-248).
    refund_balance: int | None = None
    #: Waits in minutes before the second, third, … try of a webhook: ten attempts in all.
    webhook_retries: tuple[int, ...] = (1, 2, 4, 8, 15, 15, 15, 15, 15)

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
    #: UNCERTAIN (open point 1): days since the last payment after which a token is refused; None: no such rule.
    one_year_days: int | None = None
    #: UNCERTAIN: the HTTP 400 code of that refusal.
    one_year_code: str = "RECURRING_TOKEN_DISABLED"
    #: UNCERTAIN: the code of a charge on a token that was deleted.
    deleted_token_code: str = "RECURRING_TOKEN_DISABLED"  # noqa: S105 - an error code
    #: UNCERTAIN (open point 15): charge code of the test card ending 1111.
    declined_card_code: int = 306
    #: UNCERTAIN: code of the refund that the test card ending 4242 fails with.
    failed_refund_code: int = 329
    #: ASSUMED: how long a card hold lasts before a charge without capture fails with 313.
    authorization_life: float = 7 * 24 * 3600.0
    #: ASSUMED: how long a customer may take over 3-D Secure before the charge fails with 327.
    customer_patience: float = 300.0
    #: The store's own 3-D Secure policy where a request names no mode.
    three_ds_required: bool = False
    #: Replies carry fields that nobody documented, as real ones do.
    extra_fields: bool = True
