"""A desk in front of a fake: makes requests with ids of their own and runs the hooks as a driver would."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Coroutine
from typing import Any

import attrs
import pytest

from paygate import Money
from paygate.provider import ChargeRequest, ChargeResult, LookupRequest, RefundRequest, RefundResult, Webhook
from paygate.testing import FakeAmazonPay, FakeProvider, FakeStripe, FakeTelecom, FakeUnivaPay, ManualClock

_IDS = itertools.count(1)
FAKES = [FakeUnivaPay, FakeTelecom, FakeStripe, FakeAmazonPay]


def run(flow: Coroutine[Any, Any, Any]) -> Any:
    """A fake asks its driver for nothing: the first step is the last."""
    with pytest.raises(StopIteration) as stop:
        flow.send(None)
    return stop.value.value


class Desk:
    def __init__(self, fake: FakeProvider, clock: ManualClock) -> None:
        self.fake, self.clock = fake, clock

    def request(
        self, minor: int = 1000, credential: str = "tok_1", currency: str = "JPY", **more: Any
    ) -> ChargeRequest:
        attempt = f"{next(_IDS):032x}"
        return attrs.evolve(ChargeRequest(attempt, attempt, Money(minor, currency), credential), **more)

    def charge(self, request: ChargeRequest | None = None, **more: Any) -> ChargeResult:
        return run(self.fake.charge(request or self.request(**more)))

    def find(self, request: ChargeRequest, reference: str | None = None) -> Any:
        return run(self.fake.find_charge(LookupRequest(request, reference))).result

    def paid(self, minor: int = 1000) -> tuple[str, Money]:
        """A charge that has succeeded: its reference at the provider, and its amount."""
        before = {row.reference for row in self.fake.book.captures}
        self.charge(minor=minor, credential=f"tok_for_{minor}")
        (row,) = [row for row in self.fake.book.captures if row.reference not in before]
        return row.reference, row.amount

    def refund_request(self, charge: tuple[str, Money], minor: int, **more: Any) -> RefundRequest:
        attempt = f"{next(_IDS):032x}"
        return attrs.evolve(RefundRequest(attempt, attempt, Money(minor, "JPY"), charge[0], charge[1]), **more)

    def refund(self, request: RefundRequest) -> RefundResult:
        return run(self.fake.refund(request))

    def find_refund(self, request: RefundRequest, reference: str | None = None) -> Any:
        return run(self.fake.find_refund(LookupRequest(request, reference))).result

    def ping(self) -> str:
        return run(self.fake.ping())

    def read(self, webhook: Webhook) -> Any:
        (event,) = run(self.fake.parse_webhook(webhook))
        return event

    def events(self) -> list[Any]:
        return [self.read(webhook) for webhook in self.fake.notifications()]


@pytest.fixture
def at(manual_clock: ManualClock) -> Callable[[FakeProvider], Desk]:
    """A desk in front of any fake, on the test's clock."""

    def desk(fake: FakeProvider) -> Desk:
        fake.clock = manual_clock
        return Desk(fake, manual_clock)

    return desk


@pytest.fixture(params=FAKES, ids=lambda kind: kind.__name__)
def desk(request: pytest.FixtureRequest, manual_clock: ManualClock) -> Desk:
    """Every fake in turn."""
    return Desk(request.param(clock=manual_clock), manual_clock)


@pytest.fixture(params=[FakeUnivaPay, FakeStripe, FakeAmazonPay], ids=lambda kind: kind.__name__)
def refunding(request: pytest.FixtureRequest, manual_clock: ManualClock) -> Desk:
    """Every fake that refunds by interface and can look up."""
    return Desk(request.param(clock=manual_clock), manual_clock)
