"""What a plugin says from the ends of the calendar and of numbers is kept from the books, and proves nothing."""

from __future__ import annotations

import datetime as dt
from typing import Any

import attrs
import pytest

from paygate import JST, Card, ChargeState, Customer, Gateway, Money
from paygate.errors import WebhookRejected
from paygate.provider import ChargeRequest, ChargeResult, ProviderEvent, RefundRequest, RefundResult, Webhook
from paygate.testing import FakeStripe, ManualClock

from .conftest import PLAN


class Strange(FakeStripe):
    """A Stripe that answers with *twist* applied to what it would have said."""

    twist: dict[str, Any] = {}  # noqa: RUF012 - set by each test

    async def charge(self, request: ChargeRequest) -> ChargeResult:
        return attrs.evolve(await super().charge(request), **self.twist)

    async def refund(self, request: RefundRequest) -> RefundResult:
        return attrs.evolve(await super().refund(request), **self.twist)

    async def parse_webhook(self, webhook: Webhook) -> list[ProviderEvent]:
        return [attrs.evolve(event, **self.twist) for event in await super().parse_webhook(webhook)]


@pytest.fixture
def strange(clock: ManualClock) -> Strange:
    return Strange(clock=clock)


@pytest.fixture
def gateway(database_url: str, clock: ManualClock, strange: Strange) -> Any:
    with Gateway(database=database_url, providers={"stripe": strange}, clock=clock) as gateway:
        gateway.contracts.create(Customer("c"), PLAN, Card("stripe", "tok_1"), contract_id="con")
        clock.advance(minutes=10)
        yield gateway


@pytest.mark.rule("R-296", "R-193")
@pytest.mark.parametrize(
    "twist",
    [
        {"charged_at": dt.datetime(2026, 1, 15, 12)},  # noqa: DTZ001 - without a zone, as a careless plugin has it
        {"charged_at": dt.datetime.min.replace(tzinfo=JST)},
        {"charged_at": dt.datetime.max.replace(tzinfo=dt.timezone(dt.timedelta(hours=-12)))},
        {"amount": Money(2**63, "JPY")},
        {"action_until": dt.datetime.max.replace(tzinfo=dt.UTC)},
    ],
    ids=str,
)
def test_a_charge_with_a_time_or_sum_that_cannot_be_kept_is_unknown_and_looked_up(
    gateway: Any, strange: Strange, clock: ManualClock, twist: dict[str, Any]
) -> None:
    strange.twist = twist
    charge = gateway.charges.create("con", Money(5000, "JPY"), consent="phone")
    assert charge.state is ChargeState.UNKNOWN
    assert "cannot be kept" in charge.failure.message
    assert charge.reference
    strange.twist = {}
    clock.advance(minutes=10)
    gateway.billing.reconcile()
    assert gateway.charges.get(charge.id).state is ChargeState.SUCCEEDED


@pytest.mark.rule("R-296")
def test_a_refund_with_a_time_that_cannot_be_kept_is_unknown(gateway: Any, strange: Strange) -> None:
    row = gateway.ledger.list(contract_id="con").first()
    strange.twist = {"refunded_at": dt.datetime.max.replace(tzinfo=dt.timezone(dt.timedelta(hours=-12)))}
    refund = gateway.refunds.create(row.id, Money(100, "JPY"))
    assert refund.state.open


@pytest.mark.rule("R-296")
@pytest.mark.parametrize("twist", [{"period_on": dt.date.max}, {"next_on": dt.date.min}, {"attempt": 2**40}], ids=str)
def test_an_event_with_a_day_or_number_that_cannot_be_kept_is_rejected(
    gateway: Any, strange: Strange, twist: dict[str, Any]
) -> None:
    gateway.charges.create("con", Money(5000, "JPY"), consent="phone")
    notice = strange.notifications()[-1]
    strange.twist = twist
    with pytest.raises(WebhookRejected, match="cannot be kept"):
        gateway.webhooks.receive("stripe", notice.headers, notice.body)
    strange.twist = {}
    assert gateway.webhooks.receive("stripe", notice.headers, notice.body).events
