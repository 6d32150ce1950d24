"""Midnight may fall between any two readings of the clock: a use case reads its day once."""

from __future__ import annotations

import datetime as dt

import pytest

from paygate import Card, Customer, Gateway
from paygate.testing import FakeStripe, ManualClock

from .conftest import PLAN


class Ticking(ManualClock):
    """Midnight in Japan falls before a certain reading."""

    left = 10**9

    def now(self) -> dt.datetime:
        self.left -= 1
        if self.left == 0:
            self.advance(seconds=1)
        return super().now()


@pytest.mark.rule("R-016")
@pytest.mark.parametrize("readings", range(1, 16))
def test_a_start_that_nobody_gave_is_never_refused_as_past(readings: int) -> None:
    clock = Ticking(dt.datetime(2026, 11, 7, 14, 59, 59, 500_000, tzinfo=dt.UTC))
    with Gateway(database="sqlite://", providers={"stripe": FakeStripe()}, clock=clock) as gateway:
        clock.left = readings
        made = gateway.contracts.create(Customer("c"), PLAN, Card("stripe", "tok"), idempotency_key="k")

        assert made.start_on in {dt.date(2026, 11, 7), dt.date(2026, 11, 8)}
