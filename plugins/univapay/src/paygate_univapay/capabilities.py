"""What UnivaPay does, declared once. Sections are those of the provider fact sheet."""

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
#: starts its subscriptions; everything else stays. Limits that belong to the shop (largest amount, another or no one-year
#: limit) are settings of the account as well.
CAPABILITIES = Capabilities(
    name="UnivaPay",
    renew_expiry=OptionPolicy.OPTIONAL,
    send_step_mail=OptionPolicy.OPTIONAL,
    expiry=ExpiryPolicy.BY_CYCLE,
    charge_window_years=1,  # R-197; not found on UnivaPay's side (§19), so paygate holds it by itself
    duplicate_window=30,  # §14, R-205
    amounts={"JPY": AmountRange(minimum=1)},  # §17; the maximum is the shop's own
    results=Results.POLLED | Results.NOTIFIED,  # §7.3, §12
    idempotency=Idempotency(
        IdempotencyKind.BEST_EFFORT,  # §13: with its key store down UnivaPay processes unchecked and only says so
        window=24 * 3600,
        errors_replayed=False,  # §13 leaves it open; a new attempt has a new key anyhow
        body_must_match=True,
        header="idempotency-status",
    ),
    lookup=Lookup.EVENTUAL,  # §20.4: the list comes from a search index, absence proves nothing
    refunds=RefundPolicy.PARTIAL,  # §9
    refunds_asynchronous=True,
    # §20.4 calls a charge's list of refunds short and complete, but §4 counts it among those behind the search index
    # (it has total_hits). Taking a late index for a proof would return money twice, so absence proves nothing here.
    refund_lookup=Lookup.EVENTUAL,
    cancels_charges=True,  # §10: while it is awaiting
    changes_recurring_payment=True,  # §11.3: PATCH …/token
    describes_cards=True,  # §6.2: GET
    revokes_cards=True,  # §6.2: DELETE
    webhooks=True,  # §12
    renewals=Renewals.MERCHANT,  # recurring tokens are charged by paygate; subscriptions (§11) are a setting
)
