"""A fake Telecom Credit: no options, no keys, no look-up, no refunds; a notice says yes or no and nothing else."""

from __future__ import annotations

from typing import ClassVar

from ...clock import Clock
from ...provider import (
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
from ..book import MovementKind
from .base import Codes, FakeProvider, FakeSettings

__all__ = ["TELECOM_CAPABILITIES", "FakeTelecom"]

#: Sections are those of the Telecom Credit fact sheet, numbers R-nnn those of the domain rules.
TELECOM_CAPABILITIES = Capabilities(
    name="Telecom Credit",
    renew_expiry=OptionPolicy.FORCED_ON,  # §5.4, R-208
    send_step_mail=OptionPolicy.FORCED_ON,  # §5.4, R-207
    expiry=ExpiryPolicy.BY_CYCLE,
    charge_window_years=None,
    amounts={"JPY": AmountRange(minimum=1)},  # §10.1: JPY only
    results=Results.NOTIFIED,  # §10.4: whatever the answer says, the notice decides
    idempotency=Idempotency(IdempotencyKind.NONE),  # §10.1, §9: "non_duplication_id" is not a key
    lookup=Lookup.NONE,  # §10.1: an operator looks at the administration screen
    refunds=RefundPolicy.BY_HAND,  # §10.6, R-249
    refund_lookup=Lookup.NONE,  # §10.6
    webhooks=True,  # §8
    renewals=Renewals.PROVIDER,  # §10.1: provider-run recurring, registered plans only
)


class FakeTelecom(FakeProvider):
    """Accepts every charge without naming it; the notice brings the provider's id and yes or no.

    A repeat charges again. Renewals are the provider's own: ``charge_unasked(credential, amount)``.
    """

    codes: ClassVar[Codes] = Codes(declined="rel=no", silent=True)  # §10.3: no reason is ever given
    prefixes: ClassVar = {MovementKind.CAPTURE: "settle_", MovementKind.REFUND: "none_"}
    names_pending: ClassVar[bool] = False  # §8.3: the id of a settlement comes with the notice

    def __init__(self, settings: FakeSettings | None = None, *, clock: Clock | None = None) -> None:
        super().__init__(TELECOM_CAPABILITIES, settings, clock=clock)
