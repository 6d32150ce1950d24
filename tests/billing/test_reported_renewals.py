"""What a provider reports of the renewals that it makes itself is held to the record and to the price (R-327)."""

from __future__ import annotations

import datetime as dt

import pytest

from paygate import JST, Card, Customer, Gateway, Money, Plan, Status
from paygate.domain.discrepancy import DiscrepancyKind
from paygate.provider import ChargeResult, EventKind, ProviderEvent, RefundResult
from paygate.testing import ManualClock

from .conftest import Observer, Renewing
from .test_provider_refunds import yen


class Telling(Renewing):
    told: ProviderEvent | None = None

    async def parse_webhook(self, webhook):
        return [self.told] if self.told else await super().parse_webhook(webhook)


class Shop:
    """A contract whose period of 15 February the provider charges."""

    def __init__(self):
        clock, self.observer = ManualClock(dt.datetime(2026, 1, 15, 12, 0, tzinfo=JST)), Observer()
        self.fake = Telling(clock)
        options = {"database": "sqlite://", "providers": {"stripe": self.fake}, "plugins": [self.observer]}
        self.gateway = Gateway(**options, clock=clock)
        card, plan = Card("stripe", "tok_1"), Plan.recurring("Gold", yen(3000))
        self.contract = self.gateway.contracts.create(Customer("cus_1", "A", "a@example.com"), plan, card)
        clock.set(dt.datetime(2026, 2, 15, 3, 0, tzinfo=JST))
        self.number = 0

    def tell(self, result, **more):
        self.number += 1
        on = {"contract_id": self.contract.id, "period_on": dt.date(2026, 2, 15), "attempt": 1}
        kind = EventKind.RENEWAL
        if isinstance(result, RefundResult):
            on, kind, more = {}, EventKind.REFUND, {"refund": result, **more}
        else:
            more = {"charge": result, **more}
        self.fake.told = ProviderEvent(f"evt_{self.number}", kind, reference=result.reference, **on, **more)
        [event] = self.gateway.webhooks.receive("stripe", {}, b"{}").events
        return event.outcome

    def end(self):
        contract = self.gateway.contracts.get(self.contract.id)
        booked = [row.amount.minor for row in self.gateway.ledger.list() if row.target_on == dt.date(2026, 2, 15)]
        open_ones = sorted((one.kind.value, one.unbooked) for one in self.gateway.charges.discrepancies())
        return contract.status, contract.expires_on, booked, open_ones


PAID, BEFORE = dt.date(2026, 3, 15), dt.date(2026, 2, 15)


@pytest.mark.rule("R-327", "R-310")
@pytest.mark.parametrize(
    ("amount", "kind"),
    [
        (yen(30), DiscrepancyKind.OTHER_AMOUNT),
        (yen(9000), DiscrepancyKind.OTHER_AMOUNT),
        (Money(3000, "USD"), DiscrepancyKind.OTHER_CURRENCY),
    ],
)
def test_a_renewal_over_another_sum_pays_for_nothing(amount, kind):
    shop = Shop()
    with shop.gateway:
        assert shop.tell(ChargeResult.succeeded("in_1", amount=amount)) == "discrepancy"
        assert shop.tell(ChargeResult.succeeded("in_1", amount=amount)) == "discrepancy"

        assert shop.end() == (Status.ACTIVE, BEFORE, [], [(kind.value, amount.minor)])
        assert [one.code for one in shop.observer.of("operator")] == ["discrepancy"]


@pytest.mark.rule("R-327", "R-313")
@pytest.mark.parametrize("amounts", [(3000, 9000), (9000, 3000), (9000, 3000, 9000)])
def test_a_renewal_that_is_reported_with_two_sums_ends_alike_in_any_order(amounts):
    shop = Shop()
    with shop.gateway:
        for amount in amounts:
            shop.tell(ChargeResult.succeeded("in_1", amount=yen(amount)))

        assert shop.end() == (Status.ACTIVE, PAID, [3000], [("OTHER_AMOUNT", 6000)])


@pytest.mark.rule("R-327", "R-310")
def test_a_final_decline_after_a_renewal_has_succeeded_is_kept():
    shop = Shop()
    with shop.gateway:
        assert shop.tell(ChargeResult.succeeded("in_1", amount=yen(3000))) == "applied"
        assert shop.tell(ChargeResult.declined("no", reference="in_1"), retries=True) == "ignored"
        assert shop.tell(ChargeResult.declined("no", reference="in_1")) == "discrepancy"

        assert shop.end() == (Status.ACTIVE, PAID, [3000], [("DECLINE_AFTER_SUCCESS", 0)])


@pytest.mark.rule("R-327", "R-323")
def test_a_wrong_sum_that_went_back_leaves_nothing_open():
    shop = Shop()
    with shop.gateway:
        shop.tell(ChargeResult.succeeded("in_1", amount=yen(30)))
        shop.tell(RefundResult.succeeded("re_1", amount=yen(30)), charge_reference="in_1")

        assert shop.end() == (Status.ACTIVE, BEFORE, [], [])
