"""Stored cards of Stripe: another one for a running subscription, told about, detached (R-403, R-405)."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest

from paygate import Card, Customer, Cycle, Gateway, Money, Plan, Status
from paygate.errors import CapabilityNotSupported, InvalidValue, OutcomeUnknown, ProviderError
from paygate.flow import Request, Response
from paygate.provider import CredentialRequest, CredentialState, SubscriptionPayment
from paygate.testing.emulators import Wish, WishKind
from paygate.testing.emulators.stripe import StripeEmulator
from paygate_stripe import Stripe, StripeSettings

URL = "https://api.stripe.com"
CONTRACT = "c" * 32


class Renewing:
    """A shop whose renewals the emulated Stripe charges."""

    def __init__(self, clock):
        self.clock = clock
        self.emulator = StripeEmulator(clock)
        self.emulator.set_webhook_target("https://shop.example/hooks")
        given = {**self.emulator.credentials_for_plugin(), **self.emulator.webhook_settings()}
        self.key = given["api_key"]
        self.gateway = Gateway(
            database="sqlite://",
            providers={"stripe": Stripe(StripeSettings(**given, renewals="provider"), clock)},
            clock=clock,
            mounts={URL: self.emulator.handle},
        )
        self.card = self.emulator.store_card()
        plan = Plan.recurring("Gold", price=Money(3000, "JPY"), cycle=Cycle.MONTHLY)
        self.contract = self.gateway.contracts.create(
            Customer("cus_42", email="h@example.com"), plan, Card("stripe", token=self.card)
        )
        self.hear()

    def api(self, method, path, **form):
        request = Request(
            method, f"{URL}/v1{path}", {"Authorization": f"Bearer {self.key}"}, urlencode(form).encode() or b""
        )
        return self.emulator.handle(request).json()

    def second_card(self):
        """Another card of the same Stripe customer."""
        return self.emulator.store_another(self.card)

    def hear(self):
        self.clock.advance(minutes=1)
        self.emulator.tick()

        def receive(one):
            self.gateway.webhooks.receive("stripe", one.headers, one.body)

        self.emulator.deliver(receive)

    def fail_the_renewal(self):
        self.emulator.wish(Wish(WishKind.DECLINE), credential=self.card, times=1)
        for _ in range(33):
            self.clock.advance(days=1)
            self.hear()
            if self.now().status is Status.PAST_DUE:
                return
        pytest.fail("the renewal did not fail")

    def subscription(self):
        return self.api("GET", f"/subscriptions/{self.now().subscription.reference}")

    def now(self):
        return self.gateway.contracts.get(self.contract.id)


@pytest.fixture
def renewing(clock):
    shop = Renewing(clock)
    yield shop
    shop.gateway.close()


@pytest.mark.rule("R-403")
def test_a_running_subscription_charges_the_new_card_from_then_on(renewing):
    card = renewing.second_card()

    done = renewing.gateway.contracts.change_payment(renewing.contract.id, Card("stripe", card))

    assert (done.changed, done.collecting) == (True, False)
    assert renewing.subscription()["default_payment_method"] == card.partition("/")[2]
    before = renewing.emulator.book.captured()
    for _ in range(32):
        renewing.clock.advance(days=1)
        renewing.hear()
    assert renewing.emulator.book.captured() == before + 3000
    assert renewing.now().status is Status.ACTIVE


@pytest.mark.rule("R-403", "R-161")
def test_what_is_unpaid_is_collected_by_stripes_own_invoice_and_only_once(renewing):
    renewing.fail_the_renewal()
    before = renewing.emulator.book.captured()
    card = Card("stripe", renewing.second_card())

    done = renewing.gateway.contracts.change_payment(renewing.contract.id, card, collect=True, consent="phone")
    again = renewing.gateway.contracts.change_payment(renewing.contract.id, card, collect=True, consent="phone")

    assert (done.collecting, done.charge, again.changed, again.charge) == (True, None, False, None)
    assert renewing.emulator.book.captured() == before + 3000
    renewing.hear()
    assert renewing.now().status is Status.ACTIVE
    for _ in range(20):  # the retries that were planned
        renewing.clock.advance(days=1)
        renewing.hear()
    assert renewing.emulator.book.captured() == before + 3000


@pytest.mark.rule("R-403")
def test_a_new_card_that_is_declined_stays_and_is_retried_by_stripe(renewing):
    renewing.fail_the_renewal()
    before = renewing.emulator.book.captured()
    card = renewing.second_card()
    renewing.emulator.wish(Wish(WishKind.DECLINE), credential=card, times=1)

    done = renewing.gateway.contracts.change_payment(
        renewing.contract.id, Card("stripe", card), collect=True, consent="phone"
    )

    assert (done.changed, done.collecting) == (True, True)
    assert renewing.now().credential == card
    for _ in range(12):
        renewing.clock.advance(days=1)
        renewing.hear()
    assert renewing.emulator.book.captured() == before + 3000
    assert renewing.now().status is Status.ACTIVE


@pytest.mark.rule("R-403")
def test_a_card_of_another_stripe_customer_is_refused_and_nothing_changes(renewing):
    other = renewing.emulator.store_card()

    with pytest.raises(InvalidValue, match="another Stripe customer"):
        renewing.gateway.contracts.change_payment(renewing.contract.id, Card("stripe", other))

    assert renewing.now().credential == renewing.card
    assert renewing.subscription()["default_payment_method"] == renewing.card.partition("/")[2]


@pytest.mark.rule("R-402")
def test_without_subscriptions_of_its_own_the_account_refuses(shops):
    shop, request = shops(), SubscriptionPayment(CONTRACT, "cus_a/pm_a", "cus_a/pm_b", "sub_1")

    with pytest.raises(CapabilityNotSupported):
        shop.run(shop.provider.change_recurring_payment(request))

    assert shop.requests == []


@pytest.mark.rule("R-405")
def test_a_stored_card_is_described_and_revoked_for_good(renewing):
    card = CredentialRequest(renewing.second_card())
    account = renewing.gateway.providers.get("stripe")

    described = renewing.gateway.run(account.describe_card(card))

    assert described.state is CredentialState.USABLE
    assert (described.brand, described.last4) == ("visa", "4242")
    assert described.expires > "2026-11"
    for _ in range(2):
        renewing.gateway.run(account.revoke_card(card))
    assert renewing.gateway.run(account.describe_card(card)).state is CredentialState.REVOKED


@pytest.mark.rule("R-405")
def test_a_card_that_stripe_does_not_know_is_gone(shops):
    shop = shops()
    missing = Response(404, {}, b'{"error": {"type": "invalid_request_error", "code": "resource_missing"}}')
    shop.answers(missing)

    assert shop.run(shop.provider.describe_card(CredentialRequest("cus_a/pm_a"))).state is CredentialState.REVOKED
    shop.run(shop.provider.revoke_card(CredentialRequest("cus_a/pm_a")))
    assert shop.sent() == ["GET /v1/payment_methods/pm_a"] * 2


@pytest.mark.rule("R-403", "R-301")
@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ([{"id": "sub_1", "status": "canceled", "metadata": {"paygate_contract": CONTRACT}}], ProviderError),
        ([{"id": "sub_1", "status": "active", "metadata": {"paygate_contract": "other"}}], ProviderError),
        (
            [
                {"id": "sub_1", "status": "active", "metadata": {"paygate_contract": CONTRACT}, "customer": "cus_a"},
                {"id": "sub_1", "default_payment_method": "pm_old"},
            ],
            OutcomeUnknown,
        ),
    ],
)
def test_only_what_stripe_shows_afterwards_counts_as_changed(shops, answers, error):
    shop = shops(renewals="provider").answers(*[Response(200, {}, json.dumps(one).encode()) for one in answers])

    with pytest.raises(error):
        shop.run(
            shop.provider.change_recurring_payment(SubscriptionPayment(CONTRACT, "cus_a/pm_a", "cus_a/pm_b", "sub_1"))
        )


@pytest.mark.rule("R-407")
def test_a_checkout_for_a_contract_stores_the_card_with_its_stripe_customer_and_replaces_it(clock):
    shop = Renewing(clock)
    customer = shop.gateway.customers.get("cus_42")

    checkout = shop.gateway.checkouts.begin(
        "stripe",
        customer,
        return_url="https://shop.example/done",
        replace=shop.contract.id,
        metadata={"mail": "7"},
    )
    shop.emulator.approve(checkout.reference)
    result = shop.gateway.checkouts.complete("stripe", checkout.reference)
    version = shop.now().version
    shop.gateway.checkouts.complete("stripe", checkout.reference)

    assert (result.customer_id, result.replaces, dict(result.metadata)) == ("cus_42", shop.contract.id, {"mail": "7"})
    assert result.credential.partition("/")[0] == shop.card.partition("/")[0]
    assert shop.now().credential == result.credential != shop.card
    assert shop.now().version == version
    assert shop.subscription()["default_payment_method"] == result.credential.partition("/")[2]
    shop.gateway.close()


@pytest.mark.rule("R-407")
def test_a_form_of_the_shops_own_brings_its_metadata_back(shops):
    shop = shops(checkout="setup_intent")
    kept = {"paygate_checkout": "d" * 32, "paygate_customer": "42", "mail": "7"}
    shop.answers({"id": "seti_1", "status": "requires_payment_method", "metadata": kept})

    result = shop.run(shop.provider.complete_checkout("seti_1"))

    assert dict(result.metadata) == {"paygate_customer": "42", "mail": "7"}
