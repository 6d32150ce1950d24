"""A fake UnivaPay: asynchronous results, the 30-second rule, refunds that take their time."""

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

__all__ = ["UNIVAPAY_CAPABILITIES", "FakeUnivaPay"]

#: Sections are those of the UnivaPay fact sheet, numbers R-nnn those of the domain rules.
UNIVAPAY_CAPABILITIES = Capabilities(
    name="UnivaPay",
    renew_expiry=OptionPolicy.OPTIONAL,
    send_step_mail=OptionPolicy.OPTIONAL,
    expiry=ExpiryPolicy.BY_CYCLE,
    charge_window_years=1,  # §19, R-197
    duplicate_window=30,  # §14, R-205
    amounts={"JPY": AmountRange(minimum=1)},  # R-171; the maximum is a setting of the shop, §14
    results=Results.POLLED | Results.NOTIFIED,  # §7.3, §12
    idempotency=Idempotency(
        IdempotencyKind.BEST_EFFORT,  # §13: status "error" means that the key was not looked at
        window=86400,  # §13: 24 hours
        body_must_match=True,  # §13: 409
        header="idempotency-status",  # §13
    ),
    lookup=Lookup.EVENTUAL,  # §20.4: the list comes from a search index
    refunds=RefundPolicy.PARTIAL,  # §9
    refunds_asynchronous=True,  # §9
    refund_lookup=Lookup.EVENTUAL,  # §4 counts the list of refunds among those behind the search index
    cancels_charges=True,  # §4 and §10: while it waits for the customer
    changes_recurring_payment=True,  # §11.3: PATCH …/token
    describes_cards=True,  # §6.2: GET
    revokes_cards=True,  # §6.2: DELETE
    webhooks=True,  # §12
    renewals=Renewals.MERCHANT,  # recurring tokens, charged by paygate
)

_SOFT, _HARD, _ACTION, _CONFIG = DeclineClass.SOFT, DeclineClass.HARD, DeclineClass.ACTION, DeclineClass.CONFIG


class FakeUnivaPay(FakeProvider):
    """Every charge is PENDING first and ends after ``latency`` seconds; so does every refund (``refund_latency``).

    :param renewals: as the plugin's setting: ``"provider"`` has UnivaPay charge them by subscriptions of its own.
    """

    codes: ClassVar[Codes] = Codes(
        declined="306",  # §15.3
        too_small="CHARGE_AMOUNT_TOO_LOW",  # §14
        too_large="CHARGE_AMOUNT_TOO_HIGH",  # §14
        currency="VALIDATION_ERROR",  # §15.2
        duplicate="CHARGE_TOO_QUICK",  # §14
        key_reused="IDEMPOTENCY_KEY_CONFLICT",  # §13
        key_malformed="VALIDATION_ERROR",
        credential_removed="RECURRING_TOKEN_DISABLED",  # §15.2
        permission_closed="RECURRING_TOKEN_DISABLED",
        refund_refused="REFUND_EXCEEDS_SALES",  # §9, R-248
        refund_exceeds="REFUND_NOT_WITHIN_BOUNDS",  # §9
        not_refundable="CANNOT_REFUND_UNSUCCESSFUL_CHARGE",  # §9
        classes={  # §15.3
            "304": _HARD, "305": _HARD, "306": _SOFT, "307": _HARD, "309": _SOFT, "310": _CONFIG, "314": _HARD,
            "315": _SOFT, "319": _HARD, "320": _SOFT, "330": _SOFT, "358": _ACTION,
        },
    )  # fmt: skip
    prefixes: ClassVar = {MovementKind.CAPTURE: "uc_", MovementKind.REFUND: "ur_"}

    def __init__(
        self, settings: FakeSettings | None = None, *, clock: Clock | None = None, renewals: str = "merchant"
    ) -> None:
        super().__init__(with_renewals(UNIVAPAY_CAPABILITIES, renewals), settings, clock=clock)
