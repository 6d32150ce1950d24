"""The demo's webhook endpoint answers as a shop's has to."""

import datetime as dt

import pytest

from paygate import UTC, Gateway
from paygate.cli.demo_endpoint import Answer, Endpoint
from paygate.testing import FakeStripe, ManualClock
from paygate.testing.emulators import Delivery
from paygate.testing.emulators.server import post


@pytest.mark.parametrize(
    ("account", "word", "status"),
    [
        pytest.param("stripe", "Bearer guessed", 401, marks=pytest.mark.rule("R-269"), id="forged"),
        pytest.param("stripe", "Bearer a-secret-between-fakes", 400, id="not a notification"),
        pytest.param("acme", "Bearer a-secret-between-fakes", 404, id="no such account"),
    ],
)
def test_a_delivery_that_is_refused_gets_the_status_that_says_why(account: str, word: str, status: int) -> None:
    clock = ManualClock(dt.datetime(2026, 11, 20, tzinfo=UTC))
    with (
        Gateway(database="sqlite://", providers={"stripe": FakeStripe()}, clock=clock) as gateway,
        Endpoint(gateway) as endpoint,
    ):
        got = post(Delivery(endpoint.url(account), {"authorization": word}, b"{}", clock.now()))

        assert got == status
        assert endpoint.answers == [Answer(account, status)]
