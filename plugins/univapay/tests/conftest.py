"""A shop on the emulated UnivaPay: the plugin, a driver, a manual clock and the book of money moved."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import random
from typing import Any

import attrs
import pytest

from paygate import Money
from paygate.clock import JST, business_date
from paygate.drivers import HttpSettings, SyncDriver
from paygate.flow import Request
from paygate.provider import (
    ChargeRequest,
    ChargeResult,
    Found,
    LookupRequest,
    ProviderEvent,
    RefundRequest,
    RefundResult,
    StartedSubscription,
    SubscriptionRequest,
    SubscriptionStart,
    Webhook,
)
from paygate.testing.clock import ManualClock
from paygate.testing.emulators import Delivery
from paygate.testing.emulators.univapay import UnivaPayEmulator
from paygate_univapay import UnivaPay, UnivaPaySettings

BASE_URL = "https://api.univapay.com"
AUTH_TOKEN = "word-only-for-webhooks"


class Shop:
    """Calls the plugin as paygate does, one attempt after the other.

    :param settings: of the account, beside its credentials.
    """

    def __init__(self, clock: ManualClock, **settings: str) -> None:
        self.clock = clock
        self.emulator = UnivaPayEmulator(clock)
        self.settings = UnivaPaySettings(
            app_token=self.emulator.credentials.app_token,
            secret=self.emulator.credentials.secret,
            webhook_auth_token=AUTH_TOKEN,
            **settings,
        )
        self.provider = UnivaPay(self.settings, clock)
        self.driver = SyncDriver(
            clock, settings=HttpSettings(), mounts={BASE_URL: self.emulator.handle}, rng=random.Random(7)
        )
        self.book = self.emulator.book
        self.card = self.emulator.add_card()
        self._numbers = itertools.count(1)

    def attempt(self, amount: int = 3980, *, card: str | None = None) -> ChargeRequest:
        charge_id = f"{next(self._numbers):032x}"
        return ChargeRequest(
            charge_id=charge_id,
            key=charge_id,
            amount=Money(amount, "JPY"),
            credential=card or self.card,
            metadata={"paygate_contract": "c" * 32},
            requested_at=self.clock.now(),
        )

    def charge(self, request: ChargeRequest | int = 3980, *, card: str | None = None) -> ChargeResult:
        attempt = self.attempt(request, card=card) if isinstance(request, int) else request
        return self.driver.run(self.provider.charge(attempt))

    def find_charge(self, attempt: ChargeRequest, reference: str | None = None) -> Found:
        return self.driver.run(self.provider.find_charge(LookupRequest(attempt, reference)))

    def refund_attempt(self, charge: ChargeResult, amount: int) -> RefundRequest:
        assert charge.reference is not None
        assert charge.amount is not None
        refund_id = f"{next(self._numbers):032x}"
        return RefundRequest(
            refund_id=refund_id,
            key=refund_id,
            amount=Money(amount, "JPY"),
            charge_reference=charge.reference,
            charged=charge.amount,
            reason="one item returned",
        )

    def refund(self, request: RefundRequest) -> RefundResult:
        return self.driver.run(self.provider.refund(request))

    def find_refund(self, attempt: RefundRequest, reference: str | None = None) -> Found:
        return self.driver.run(self.provider.find_refund(LookupRequest(attempt, reference)))

    def hear(self, delivery: Delivery) -> list[ProviderEvent]:
        headers = {name.lower(): value for name, value in delivery.headers.items()}
        return self.driver.run(self.provider.parse_webhook(Webhook(headers, delivery.body)))

    def deliveries(self) -> list[Delivery]:
        """The deliveries that are due, taken as the merchant would."""
        taken: list[Delivery] = []
        self.emulator.deliver(taken.append)
        return taken

    def sent(self, method: str, ending: str) -> int:
        """How many requests of *method* to a path with that *ending* the emulator has seen."""
        return sum(
            one.method == method and one.url.partition("?")[0].endswith(ending) for one in self.emulator.requests
        )


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock.jst(2026, 11, 22, 12)


@pytest.fixture
def shop(clock: ManualClock) -> Shop:
    return Shop(clock)


class RenewingShop(Shop):
    """One whose renewals UnivaPay charges, and whose webhook takes all events that paygate acts on."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock, renewals="provider")
        self.settings = attrs.evolve(self.settings, webhook_auth_token=self.emulator.webhook_secret)
        self.provider = UnivaPay(self.settings, clock)
        self.emulator.set_webhook_target("https://shop.example/hooks/univapay")

    def wanted(self, contract: str = "c1", **changes: object) -> SubscriptionStart:
        values: dict[str, object] = {
            "contract_id": contract,
            "key": f"key-of-{contract}",
            "credential": self.card,
            "price": Money(3000, "JPY"),
            "months": 1,
            "starts_on": dt.date(2026, 12, 22),
            "anchor_day": 22,
            "metadata": {"paygate_contract": contract},
            "requested_at": self.clock.now(),
        }
        return SubscriptionStart(**{**values, **changes})  # type: ignore[arg-type]

    def start(self, request: SubscriptionStart | None = None) -> StartedSubscription:
        return self.driver.run(self.provider.start_recurring(request or self.wanted()))

    def change(self, hook: str, reference: str | None, contract: str = "c1", ends_on: dt.date | None = None) -> None:
        request = SubscriptionRequest(contract, self.card, ends_on, reference)
        self.driver.run(getattr(self.provider, hook)(request))

    def noon(self, *day: int) -> None:
        """Live to noon in Japan of *day*."""
        self.clock.set(dt.datetime(*day, 12, tzinfo=JST))
        self.emulator.tick()
        self.clock.advance(seconds=1)
        self.emulator.tick()

    def told(self) -> list[ProviderEvent]:
        """What the deliveries that are due tell, each event once."""
        events = [event for delivery in self.deliveries() for event in self.hear(delivery)]
        return list({event.event_id: event for event in events}.values())

    def api(self, method: str, path: str, body: object = None) -> object:
        """Ask the emulator as somebody else with the same credentials does, such as the dashboard."""
        headers = {"Authorization": self.emulator.credentials.header}
        content = b"" if body is None else json.dumps(body).encode()
        answer = self.emulator.handle(Request(method, f"{BASE_URL}{path}", headers, content))
        return answer.json() if answer.body else None

    def hear_body(self, event: str, **data: object) -> list[ProviderEvent]:
        """What an authentic delivery with this body tells."""
        headers = {"authorization": self.settings.webhook_auth_token}
        body = json.dumps({"event": event, "data": data}).encode()
        return self.driver.run(self.provider.parse_webhook(Webhook(headers, body)))

    def subscriptions(self) -> list[dict[str, Any]]:
        """Every subscription that was ever made, oldest first."""
        page = self.api("GET", "/subscriptions?limit=100&cursor_direction=asc")
        return page["items"]  # type: ignore[index,no-any-return]

    def path(self, reference: str) -> str:
        """Of a subscription."""
        return f"/stores/{self.settings.store_id}/subscriptions/{reference}"

    def taken_on(self) -> list[str]:
        """The business days on which money was taken."""
        return [business_date(row.at).isoformat() for row in self.book.captures]


@pytest.fixture
def renewing(clock: ManualClock) -> RenewingShop:
    return RenewingShop(clock)
