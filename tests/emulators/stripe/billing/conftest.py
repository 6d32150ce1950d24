"""A shop that sells subscriptions at the emulated Stripe."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from paygate.testing.clock import ManualClock
from paygate.testing.emulators import CardKind
from paygate.testing.emulators.stripe import StripeEmulator

Client = Any


class Shop:
    """Sells at one price unless told otherwise, and looks at what becomes of it."""

    def __init__(self, client: Client, emulator: StripeEmulator, clock: ManualClock) -> None:
        self.client, self.emulator, self.clock = client, emulator, clock
        self.product: str = client.post("/products", {"name": "Gold"})["id"]
        self.price: str = self.sell(3000)["id"]

    def sell(self, amount: int, interval: str | None = "month", **more: Any) -> Any:
        """A new price of the shop's product."""
        recurring = {} if interval is None else {"recurring": {"interval": interval}}
        return self.client.post(
            "/prices", {"currency": "jpy", "product": self.product, "unit_amount": amount, **recurring, **more}
        )

    def order(self, credential: str, **more: Any) -> dict[str, Any]:
        """The parameters of a subscription that is paid with a stored card."""
        customer, method = credential.split("/")
        return {"customer": customer, "default_payment_method": method, "items": [{"price": self.price}], **more}

    def subscribe(self, card: CardKind = CardKind.GOOD, **more: Any) -> Any:
        return self.client.post("/subscriptions", self.order(self.emulator.store_card(card), **more))

    def trial(self, card: CardKind = CardKind.GOOD, days: int = 1, **more: Any) -> Any:
        """A subscription whose first charge is still to come."""
        return self.subscribe(card, trial_end=self.stamp(days=days), **more)

    def wait(self, **delta: float) -> None:
        """Let time pass, and everything happen that is due by then."""
        self.clock.advance(**delta)
        self.emulator.tick()

    def stamp(self, **delta: float) -> int:
        """Seconds since 1970, *delta* from now."""
        return int((self.clock.now() + dt.timedelta(**delta)).timestamp())

    def seen(self, subscription: Any) -> Any:
        return self.client.get(f"/subscriptions/{subscription['id']}")

    def invoice(self, subscription: Any) -> Any:
        """The latest invoice of *subscription*, with its payments."""
        return self.client.get(f"/invoices/{self.seen(subscription)['latest_invoice']}", **{"expand[0]": "payments"})

    def intent(self, subscription: Any) -> Any:
        """The intent that is to pay the latest invoice, or has paid it."""
        (payment,) = self.invoice(subscription)["payments"]["data"]
        return self.client.get(f"/payment_intents/{payment['payment']['payment_intent']}")

    def since(self, seen: int) -> list[str]:
        """The types of the events after the first *seen*, oldest first."""
        return [event["type"] for event in self.events()[seen:]]

    def events(self) -> list[Any]:
        found: list[Any] = []
        while True:
            cursor = {"starting_after": found[-1]["id"]} if found else {}
            page = self.client.get("/events", limit=100, **cursor)
            found += page["data"]
            if not page["has_more"]:
                return found[::-1]


@pytest.fixture
def shop(client: Client, emulator: StripeEmulator, clock: ManualClock) -> Shop:
    return Shop(client, emulator, clock)
