"""The main exchanges with Stripe as recorded, replayed under every driver; `docs/howto/recordings.md` says how to record
them anew. They were taken from the emulator, which the cassettes state: they show that the plugin still asks and
understands what it did, on a machine that has no emulator.
"""

from __future__ import annotations

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
    CheckoutRequest,
    CheckoutState,
    DeclineClass,
    EventKind,
    LookupRequest,
    Outcome,
    RefundRequest,
    SubscriptionRequest,
    SubscriptionStart,
    Webhook,
)
from paygate.testing.emulators import CardKind
from paygate_stripe import Stripe, StripeSettings
from paygate_stripe.signatures import sign

pytestmark = [pytest.mark.paygate_cassette("stripe"), pytest.mark.paygate_emulator("stripe")]


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
    """An account at Stripe; each run has ids of its own."""

    def __init__(self, run, emulator, recording, clock):
        recording.record_from(emulator)
        self.run, self.emulator, self.recording, self.clock = run, emulator, recording, clock
        self.settings = StripeSettings(**emulator.credentials_for_plugin(), **emulator.webhook_settings())
        self.provider = Stripe(self.settings, clock)
        self.card = emulator.store_card()

    def use(self, **settings):
        """Open the account with other settings."""
        self.provider = Stripe(attrs.evolve(self.settings, **settings), self.clock)
        return self

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
        request = RefundRequest(
            refund_id=refund_id,
            key=refund_id,
            amount=Money(amount, "JPY"),
            charge_reference=charge.reference,
            charged=charge.amount,
        )
        return self.run(self.provider.refund(request))

    def hear(self, kind, told):
        event = {"id": "evt_1", "object": "event", "type": kind, "data": {"object": told}}
        body, time = json.dumps(event).encode(), str(int(self.clock.now().timestamp()))
        signature = sign(body, self.settings.webhook_secret, time)
        headers = {"stripe-signature": f"t={time},v1={signature}"}
        return self.run(self.provider.parse_webhook(Webhook(headers, body)))

    def meanwhile(self, happen):
        """What happens at Stripe's end happens only once, while recording."""
        if self.recording.recording:
            happen()


@pytest.fixture
def shop(run, emulator, paygate_cassette, manual_clock):
    made = Shop(run, emulator, paygate_cassette, manual_clock)
    yield made
    assert paygate_cassette.unplayed == 0, "the plugin no longer asks for everything that was recorded"


def test_a_charge_succeeds(shop):
    result = shop.charge()

    assert (result.outcome, result.amount) == (Outcome.SUCCEEDED, Money(3980, "JPY"))


def test_a_charge_is_declined_for_now_or_for_good(shop):
    cards = [shop.emulator.store_card(kind) for kind in (CardKind.DECLINED_SOFT, CardKind.DECLINED_HARD)]

    results = [shop.charge(shop.attempt(card=card)) for card in cards]

    assert [one.outcome for one in results] == [Outcome.DECLINED, Outcome.DECLINED]
    assert [one.decline for one in results] == [DeclineClass.SOFT, DeclineClass.HARD]


def test_a_payment_that_is_processed_later_is_looked_at_until_it_has_a_result(shop):
    left = shop.charge(attempt := shop.attempt(card=shop.emulator.store_card(CardKind.PENDING)))
    shop.meanwhile(lambda: shop.emulator.settle(left.reference))
    found = shop.run(shop.provider.find_charge(LookupRequest(attempt, left.reference)))

    assert left.outcome is Outcome.PENDING
    assert found.result.outcome is Outcome.SUCCEEDED


def test_a_payment_that_the_bank_wants_confirmed_is_declined_without_a_place_to_send_the_customer(shop):
    result = shop.charge(shop.attempt(card=shop.emulator.store_card(CardKind.ACTION_REQUIRED)))

    assert (result.outcome, result.decline) == (Outcome.DECLINED, DeclineClass.ACTION)


def test_a_payment_that_the_bank_wants_confirmed_waits_for_the_customer_behind_a_link(shop):
    shop.use(return_url="https://shop.example/paid")

    left = shop.charge(attempt := shop.attempt(card=shop.emulator.store_card(CardKind.ACTION_REQUIRED)))
    shop.meanwhile(lambda: shop.emulator.approve(left.reference))
    found = shop.run(shop.provider.find_charge(LookupRequest(attempt, left.reference)))

    assert left.outcome is Outcome.PENDING
    assert left.action_url
    assert found.result.outcome is Outcome.SUCCEEDED


def test_a_charge_is_refunded_as_a_whole(shop):
    assert shop.refund(shop.charge(), 3980).outcome is Outcome.SUCCEEDED


@pytest.mark.rule("R-239", "R-241")
def test_a_charge_is_refunded_in_parts_up_to_its_amount(shop):
    charge = shop.charge()

    results = [shop.refund(charge, amount) for amount in (1000, 2981, 2980, 1)]

    assert [one.outcome for one in results] == [
        Outcome.SUCCEEDED,
        Outcome.DECLINED,
        Outcome.SUCCEEDED,
        Outcome.DECLINED,
    ]
    assert [one.code for one in results if one.code] == ["amount_too_large", "charge_already_refunded"]


def test_a_charge_whose_answer_was_lost_is_found_by_our_own_id(shop):
    shop.charge(attempt := shop.attempt())

    found = shop.run(shop.provider.find_charge(LookupRequest(attempt, None)))
    stranger = shop.run(shop.provider.find_charge(LookupRequest(shop.attempt(), None)))

    assert found.result.outcome is Outcome.SUCCEEDED
    assert stranger.result is None


def test_the_same_key_again_is_answered_from_memory(shop):
    first = shop.charge(attempt := shop.attempt())
    again = shop.charge(attempt)

    assert (again.outcome, again.reference) == (first.outcome, first.reference)


def test_a_webhook_makes_the_plugin_read_the_payment_again(shop):
    charge = shop.charge(attempt := shop.attempt())

    (event,) = shop.hear("payment_intent.payment_failed", {"id": charge.reference, "status": "requires_payment_method"})

    assert (event.kind, event.attempt_id) == (EventKind.CHARGE, attempt.charge_id)
    assert event.charge.outcome is Outcome.SUCCEEDED, "what the body says does not count"


def test_wrong_credentials_are_a_mistake_of_the_configuration(shop):
    shop.use(api_key="sk_test_not0the0key0of0this0account")

    result = shop.charge()
    with pytest.raises(ConfigurationError, match="api_key"):
        shop.run(shop.provider.ping())

    assert result.outcome is Outcome.NOT_SENT


def test_a_customer_stores_a_card_in_a_form_of_the_sellers(shop):
    checkout_id = uuid.uuid4().hex
    request = CheckoutRequest(checkout_id, checkout_id, "42", "hanako@example.com", "https://shop.example/done")
    shop.use(checkout="setup_intent")

    checkout = shop.run(shop.provider.begin_checkout(request))
    result = shop.run(shop.provider.complete_checkout(checkout.reference))

    assert checkout.url is None
    assert result.state is CheckoutState.OPEN


def test_a_customer_stores_a_card_on_stripes_page(shop):
    checkout_id = uuid.uuid4().hex
    request = CheckoutRequest(checkout_id, checkout_id, "42", "hanako@example.com", "https://shop.example/done")

    checkout = shop.run(shop.provider.begin_checkout(request))
    before = shop.run(shop.provider.complete_checkout(checkout.reference))
    shop.meanwhile(lambda: shop.emulator.approve(checkout.reference))
    after = shop.run(shop.provider.complete_checkout(checkout.reference))

    assert checkout.url
    assert (before.state, after.state) == (CheckoutState.OPEN, CheckoutState.COMPLETED)
    assert after.credential.startswith("cus_")
    assert after.network == "visa"


# --- renewals that Stripe charges ------------------------------------------------------------------------------------


def start(shop):
    contract_id = uuid.uuid4().hex
    request = SubscriptionStart(
        contract_id=contract_id,
        key=contract_id,
        credential=shop.card,
        price=Money(3000, "JPY"),
        months=1,
        starts_on=business_date(shop.clock.now()),
        description="Gold",
        metadata={"paygate_contract": contract_id},
    )
    return request, shop.run(shop.provider.start_recurring(request))


@pytest.mark.rule("R-147")
def test_a_subscription_is_started_once_for_its_contract(shop):
    shop.use(renewals="provider")

    request, started = start(shop)
    again = shop.run(shop.provider.start_recurring(request))

    assert started.reference == again.reference


@pytest.mark.rule("R-092", "R-130")
def test_a_subscription_is_ended_resumed_and_stopped(shop):
    shop.use(renewals="provider")
    request, started = start(shop)
    about = SubscriptionRequest(request.contract_id, shop.card, reference=started.reference)

    for hook in (shop.provider.end_recurring, shop.provider.resume_recurring, shop.provider.stop_recurring):
        shop.run(hook(about))
    shop.run(shop.provider.stop_recurring(about))
    (event,) = shop.hear("customer.subscription.deleted", {"id": started.reference})

    assert (event.kind, event.contract_id) == (EventKind.SUBSCRIPTION_ENDED, request.contract_id)


@pytest.mark.rule("R-146", "R-164")
def test_an_invoice_that_was_paid_renews_the_contract(shop):
    shop.use(renewals="provider")
    request, started = start(shop)
    client = shop.provider._client
    invoices = shop.run(client.read(client.stripe.v1.invoices.list_async({"subscription": started.reference})))

    (event,) = shop.hear("invoice.paid", {"id": invoices["data"][0]["id"]})

    assert (event.kind, event.contract_id) == (EventKind.RENEWAL, request.contract_id)
    assert event.period_on == request.starts_on
    assert (event.charge.outcome, event.charge.amount) == (Outcome.SUCCEEDED, Money(3000, "JPY"))
