"""The main exchanges with UnivaPay as recorded, replayed under every driver; `docs/howto/recordings.md` says how to
record them anew. They were taken from the emulator, which the cassettes state: they show that the plugin still asks and
understands what it did, on a machine that has no emulator.
"""

from __future__ import annotations

import datetime as dt
import json
import uuid

import anyio
import attrs
import pytest

from paygate import Money
from paygate.clock import business_date
from paygate.drivers import AsyncDriver, SyncDriver
from paygate.errors import ConfigurationError
from paygate.provider import (
    ChargeRequest,
    DeclineClass,
    EventKind,
    LookupRequest,
    Outcome,
    RefundRequest,
    SubscriptionRequest,
    SubscriptionStart,
    Webhook,
)
from paygate.testing.emulators import CardKind, Wish, WishKind
from paygate_univapay import UnivaPay, UnivaPaySettings

pytestmark = [pytest.mark.paygate_cassette("univapay"), pytest.mark.paygate_emulator("univapay")]


@pytest.fixture(params=["sync", "asyncio", "trio"])
def run(request, manual_clock):
    """Runs a flow under a driver without mounts: what the cassette does not answer would go to the network."""
    if request.param == "sync":
        with SyncDriver(manual_clock) as driver:
            yield driver.run
        return

    def run_async(flow):
        async def main():
            async with AsyncDriver(manual_clock) as driver:
                return await driver.run(flow)

        return anyio.run(main, backend=request.param)

    yield run_async


class Shop:
    """An account at UnivaPay; each run has ids of its own."""

    def __init__(self, run, emulator, recording, clock):
        recording.record_from(emulator)
        self.run, self.emulator, self.recording, self.clock = run, emulator, recording, clock
        self.settings = UnivaPaySettings(**emulator.credentials_for_plugin(), **emulator.webhook_settings())
        recording.knows(self.settings.store_id)
        self.provider = UnivaPay(self.settings)
        self.card = emulator.store_card()

    def attempt(self, amount=3980, card=None):
        charge_id = uuid.uuid4().hex
        return ChargeRequest(
            charge_id=charge_id,
            key=charge_id,
            amount=Money(amount, "JPY"),
            credential=card or self.card,
            metadata={"paygate_contract": uuid.uuid4().hex},
            requested_at=self.clock.now(),
        )

    def charge(self, attempt=None):
        return self.run(self.provider.charge(attempt or self.attempt()))

    def refund(self, charge, amount):
        refund_id = uuid.uuid4().hex
        return self.run(
            self.provider.refund(
                RefundRequest(
                    refund_id=refund_id,
                    key=refund_id,
                    amount=Money(amount, "JPY"),
                    charge_reference=charge.reference,
                    charged=charge.amount,
                    reason="one item returned",
                )
            )
        )

    def settle(self, charge):
        """What happens at the provider's end happens only once, while recording."""
        if self.recording.recording:
            self.emulator.settle(charge.reference)


@pytest.fixture
def shop(run, emulator, paygate_cassette, manual_clock):
    made = Shop(run, emulator, paygate_cassette, manual_clock)
    yield made
    assert paygate_cassette.unplayed == 0, "the plugin no longer asks for everything that was recorded"


def test_a_charge_succeeds(shop):
    result = shop.charge()

    assert (result.outcome, result.amount) == (Outcome.SUCCEEDED, Money(3980, "JPY"))


def test_a_charge_is_declined(shop):
    card = shop.emulator.store_card(CardKind.DECLINED_SOFT)

    result = shop.charge(shop.attempt(card=card))

    assert (result.outcome, result.decline) == (Outcome.DECLINED, DeclineClass.SOFT)


def test_a_pending_charge_is_polled_until_it_has_a_result(shop):
    shop.emulator.wish(Wish(WishKind.PENDING))

    left = shop.charge(attempt := shop.attempt())
    shop.settle(left)
    found = shop.run(shop.provider.find_charge(LookupRequest(attempt, left.reference)))

    assert left.outcome is Outcome.PENDING
    assert found.result.outcome is Outcome.SUCCEEDED


def test_a_charge_is_refunded_as_a_whole(shop):
    assert shop.refund(shop.charge(), 3980).outcome is Outcome.SUCCEEDED


@pytest.mark.rule("R-241")
def test_a_charge_is_refunded_in_parts_up_to_its_amount(shop):
    charge = shop.charge()

    outcomes = [shop.refund(charge, amount).outcome for amount in (1000, 2980, 1)]

    assert outcomes == [Outcome.SUCCEEDED, Outcome.SUCCEEDED, Outcome.DECLINED]


def test_a_charge_whose_answer_was_lost_is_found_by_our_own_id(shop):
    shop.charge(attempt := shop.attempt())

    found = shop.run(shop.provider.find_charge(LookupRequest(attempt, None)))
    stranger = shop.run(shop.provider.find_charge(LookupRequest(shop.attempt(), None)))

    assert found.result.outcome is Outcome.SUCCEEDED
    assert stranger.result is None


def test_a_webhook_makes_the_plugin_read_the_charge_again(shop):
    charge = shop.charge(attempt := shop.attempt())
    body = {"event": "charge_finished", "data": {"id": charge.reference, "status": "failed"}}
    headers = {"authorization": shop.settings.webhook_auth_token}

    (event,) = shop.run(shop.provider.parse_webhook(Webhook(headers, json.dumps(body).encode())))

    assert (event.kind, event.attempt_id) == (EventKind.CHARGE, attempt.charge_id)
    assert event.charge.outcome is Outcome.SUCCEEDED, "what the body says does not count"


def test_wrong_credentials_are_a_mistake_of_the_configuration(shop):
    stranger = UnivaPay(attrs.evolve(shop.settings, secret="not-the-secret-of-the-token"))

    result = shop.run(stranger.charge(shop.attempt()))
    with pytest.raises(ConfigurationError, match="refuses the credentials"):
        shop.run(stranger.ping())

    assert (result.outcome, result.decline) == (Outcome.NOT_SENT, DeclineClass.CONFIG)


def test_a_second_charge_of_the_same_amount_within_thirty_seconds_is_refused(shop):
    first = shop.charge()
    too_soon = shop.charge()
    shop.clock.advance(seconds=31)
    later = shop.charge()

    assert [one.outcome for one in (first, too_soon, later)] == [Outcome.SUCCEEDED, Outcome.DECLINED, Outcome.SUCCEEDED]
    assert too_soon.decline is DeclineClass.DUPLICATE


def test_a_subscription_is_started_found_again_and_stopped(shop):
    provider = UnivaPay(attrs.evolve(shop.settings, renewals="provider"), shop.clock)
    contract = uuid.uuid4().hex
    wanted = SubscriptionStart(
        contract_id=contract,
        key=contract,
        credential=shop.card,
        price=Money(3000, "JPY"),
        months=1,
        starts_on=business_date(shop.clock.now() + dt.timedelta(days=30)),
        requested_at=shop.clock.now(),
    )

    started = shop.run(provider.start_recurring(wanted))
    again = shop.run(provider.start_recurring(wanted))
    shop.run(provider.stop_recurring(SubscriptionRequest(contract, shop.card, reference=started.reference)))

    assert started.reference == again.reference
