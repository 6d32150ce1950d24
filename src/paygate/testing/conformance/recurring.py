"""What cases about subscriptions do again and again: start one, live through days, count the periods that were charged."""

from __future__ import annotations

from ...provider import EventKind, ProviderEvent, StartedSubscription, SubscriptionStart
from .acting import Acting
from .case import CaseFailed

__all__ = ["Recurring"]

_DAY = 86_400.0


class Recurring(Acting):
    """Base of the groups about the provider's own subscriptions. Days are lived one by one, as webhooks come daily."""

    def started(self, *, card: str | None = None, months: int = 1) -> tuple[SubscriptionStart, str]:
        """A subscription that paygate has started today, and the provider's reference of it."""
        start = self.shop.subscription(card=card, months=months)
        return start, self.start(start)

    def start(self, start: SubscriptionStart) -> str:
        """Start *start*, perhaps once more; the reference."""
        made = self.shop.ask("start_recurring", request=start)
        if not isinstance(made, StartedSubscription):
            raise CaseFailed(f"start_recurring answered {type(made).__name__}, not StartedSubscription")
        self.expect(made.reference, "start_recurring answered without a reference")
        return made.reference

    def live(self, days: int) -> None:
        """Let *days* pass."""
        for _ in range(days):
            self.shop.settle(_DAY)

    def paid(self, start: SubscriptionStart) -> int:
        """How many periods of *start* were charged; every subscription of the shop has a price of its own."""
        return sum(amount == start.price for amount in self.shop.captured())

    def renewals(self, start: SubscriptionStart) -> list[ProviderEvent]:
        """The renewals of *start* that webhooks have told of, each event once."""
        told = {
            event.event_id: event
            for event in self.shop.events()
            if event.kind is EventKind.RENEWAL and event.contract_id == start.contract_id
        }
        return list(told.values())

    def change(self, hook: str, start: SubscriptionStart, reference: str | None) -> None:
        """Stop, end or resume the subscription *start*."""
        self.shop.ask(hook, request=self.shop.own_subscription(start, reference))
