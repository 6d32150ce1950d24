"""What a case needs: a declared capability, whose absence has to be a refusal, or something the kit has to be able to do."""

from __future__ import annotations

import enum
from collections.abc import Callable

from ...provider import (
    Capabilities,
    IdempotencyKind,
    Lookup,
    RefundPolicy,
    Renewals,
    Results,
)

__all__ = ["Need"]


class Need(enum.Enum):
    """One need of a case; the value is how a report names it."""

    # capabilities with hooks of their own: undeclared, they have to refuse with nothing sent
    REFUNDS = "refunds"
    PARTIAL_REFUNDS = "partial refunds"
    LOOKUP = "look-up of charges"
    REFUND_LOOKUP = "look-up of refunds"
    WEBHOOKS = "webhooks"
    OWN_SUBSCRIPTIONS = "renewals by the provider"
    STARTS_SUBSCRIPTIONS = "starting subscriptions"
    CHECKOUT = "checkouts"
    CHANGES_CARDS = "another card for a subscription"
    DESCRIBES_CARDS = "descriptions of stored cards"
    REVOKES_CARDS = "revoking stored cards"
    # capabilities without a hook: undeclared, there is nothing to try
    KEYS = "idempotency keys"
    DUPLICATE_WINDOW = "a duplicate window"
    NOTIFIED = "results by webhook"
    MERCHANT_RENEWALS = "renewals by paygate"
    # what the kit needs
    BOOK = "a book of money moved (an emulator or a fake)"
    EMULATOR = "an emulator"
    WIRE = "requests over a line that can break (a fake has none)"

    @property
    def hooks(self) -> tuple[str, ...]:
        """The hooks that have to refuse where the capability is not declared."""
        return _HOOKS.get(self, ())

    def declared(self, capabilities: Capabilities) -> bool:
        """Whether *capabilities* declare it; what the kit itself needs always counts as declared."""
        return _DECLARED[self](capabilities) if self in _DECLARED else True


_HOOKS = {
    Need.REFUNDS: ("refund",),
    Need.PARTIAL_REFUNDS: ("refund",),
    Need.LOOKUP: ("find_charge",),
    Need.REFUND_LOOKUP: ("find_refund",),
    Need.WEBHOOKS: ("parse_webhook",),
    Need.OWN_SUBSCRIPTIONS: ("stop_recurring", "end_recurring", "resume_recurring"),
    Need.STARTS_SUBSCRIPTIONS: ("start_recurring",),
    Need.CHANGES_CARDS: ("change_recurring_payment",),
    Need.DESCRIBES_CARDS: ("describe_card",),
    Need.REVOKES_CARDS: ("revoke_card",),
    Need.CHECKOUT: ("begin_checkout", "complete_checkout"),
}

_DECLARED: dict[Need, Callable[[Capabilities], bool]] = {
    Need.REFUNDS: lambda it: it.refunds is not RefundPolicy.BY_HAND,
    Need.PARTIAL_REFUNDS: lambda it: it.refunds is RefundPolicy.PARTIAL,
    Need.LOOKUP: lambda it: it.lookup is not Lookup.NONE,
    Need.REFUND_LOOKUP: lambda it: it.refund_lookup is not Lookup.NONE,
    Need.WEBHOOKS: lambda it: it.webhooks,
    Need.OWN_SUBSCRIPTIONS: lambda it: it.renewals is Renewals.PROVIDER,
    Need.STARTS_SUBSCRIPTIONS: lambda it: it.starts_subscriptions,
    Need.CHANGES_CARDS: lambda it: it.changes_recurring_payment and it.renewals is Renewals.PROVIDER,
    Need.DESCRIBES_CARDS: lambda it: it.describes_cards,
    Need.REVOKES_CARDS: lambda it: it.revokes_cards,
    Need.CHECKOUT: lambda it: it.checkout,
    Need.KEYS: lambda it: it.idempotency.kind is not IdempotencyKind.NONE,
    Need.DUPLICATE_WINDOW: lambda it: it.duplicate_window is not None,
    Need.NOTIFIED: lambda it: Results.NOTIFIED in it.results,
    Need.MERCHANT_RENEWALS: lambda it: it.renewals is Renewals.MERCHANT,
}
