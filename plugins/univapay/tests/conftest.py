"""A shop on the emulated UnivaPay: the plugin, a driver, a manual clock and the book of money moved."""

from __future__ import annotations

import itertools
import random

import pytest

from paygate import Money
from paygate.drivers import HttpSettings, SyncDriver
from paygate.provider import (
    ChargeRequest,
    ChargeResult,
    Found,
    LookupRequest,
    ProviderEvent,
    RefundRequest,
    RefundResult,
    Webhook,
)
from paygate.testing.clock import ManualClock
from paygate.testing.emulators import Delivery
from paygate.testing.emulators.univapay import UnivaPayEmulator
from paygate_univapay import UnivaPay, UnivaPaySettings

BASE_URL = "https://api.univapay.com"
AUTH_TOKEN = "word-only-for-webhooks"


class Shop:
    """Calls the plugin as paygate does, one attempt after the other."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.emulator = UnivaPayEmulator(clock)
        self.settings = UnivaPaySettings(
            app_token=self.emulator.credentials.app_token,
            secret=self.emulator.credentials.secret,
            webhook_auth_token=AUTH_TOKEN,
        )
        self.provider = UnivaPay(self.settings)
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
