"""Checkouts: a card is stored on the provider's page, and charged by the credential that comes of it."""

from __future__ import annotations

import datetime as dt

import pytest

from paygate import Card, CheckoutState, Customer, Gateway, Money, Plan
from paygate.errors import (
    CapabilityNotSupported,
    IdempotencyConflict,
    InvalidValue,
    NotFound,
    PluginError,
    ProviderUnavailable,
)
from paygate.provider import Checkout, CheckoutRequest, CheckoutResult
from paygate.testing import Decline, FakeStripe, Faults

HANAKO = Customer("cus_1", "山田花子", "hanako@example.com")
GOLD = Plan.recurring("Gold", Money(3000, "JPY"))
DONE = "https://shop.example/cards/done?order=7"


def begin(world, account="stripe", customer=HANAKO, **options):
    return world.gateway.checkouts.begin(account, customer, **{"return_url": DONE, **options})


def asked(world):
    return [call.request for call in world.stripe.calls if call.hook == "begin_checkout"]


def test_a_card_stored_on_the_providers_page_is_charged_without_its_number_ever_being_seen(faces):
    world = faces
    checkout = begin(world, locale="en-GB", cancel_url="http://localhost:8000/cart", metadata={"order": "7"})
    opened = world.gateway.checkouts.complete("stripe", checkout.reference)
    world.stripe.store_card(checkout.reference, credential="cus_9/pm_7")
    result = world.gateway.checkouts.complete("stripe", checkout.reference)
    contract = world.gateway.contracts.create(HANAKO, GOLD, Card("stripe", token=result.credential))

    assert checkout.url.startswith("https://")
    assert checkout.expires_at == world.clock.now() + dt.timedelta(days=1)
    assert (opened.state, opened.credential) == (CheckoutState.OPEN, None)
    assert (result.state, result.network, result.last4, result.expires) == (
        CheckoutState.COMPLETED,
        "visa",
        "4242",
        "2030-12",
    )
    assert (contract.credential, world.stripe.book.captured()) == ("cus_9/pm_7", 3000)
    (request,) = asked(world)
    assert (request.customer_id, request.email, request.locale) == ("cus_1", "hanako@example.com", "en-GB")
    assert (request.return_url, request.cancel_url, dict(request.metadata)) == (
        DONE,
        "http://localhost:8000/cart",
        {"order": "7", "paygate_customer": "cus_1"},
    )
    assert (result.customer_id, result.replaces, dict(result.metadata)) == ("cus_1", None, {"order": "7"})
    assert "pm_7" not in repr(result)


def test_the_same_key_begins_the_same_checkout_and_another_customer_has_another(world):
    first = begin(world, idempotency_key="order-7")
    again = begin(world, idempotency_key="order-7")
    other = begin(world, customer=Customer("cus_2"), idempotency_key="order-7")
    fresh = begin(world)

    one, two, three, four = asked(world)
    assert (first.reference, one) == (again.reference, two)
    assert len({one.checkout_id, three.checkout_id, four.checkout_id}) == 3
    assert len({other.reference, fresh.reference, first.reference}) == 3
    assert {len(request.checkout_id) for request in asked(world)} == {32}
    assert three.email is None


@pytest.mark.rule("R-371")
@pytest.mark.parametrize(
    "other",
    [
        {"return_url": "https://shop.example/cards/done?order=8"},
        {"cancel_url": "https://shop.example/cart"},
        {"locale": "en"},
        {"metadata": {"order": "8"}},
        {"customer": Customer("cus_1", "山田花子", "other@example.com")},
    ],
)
def test_a_key_that_began_another_checkout_is_refused_and_nothing_is_sent(faces, other):
    world = faces
    first = begin(world, idempotency_key="order-7", metadata={"order": "7"})
    with pytest.raises(IdempotencyConflict, match="new key"):
        begin(world, **{"idempotency_key": "order-7", "metadata": {"order": "7"}, **other})
    world.clock.advance(days=1)  # a day on the same words are the same words
    again = begin(world, idempotency_key="order-7", metadata={"order": "7"})

    assert first.reference
    assert again.url
    assert len(asked(world)) == 2


@pytest.mark.rule("R-371")
def test_the_words_that_a_key_came_with_outlast_a_provider_that_did_not_answer(world):
    world.stripe.faults = Faults(1, never_there=1.0)
    with pytest.raises(ProviderUnavailable):
        begin(world, idempotency_key="order-7")
    world.stripe.faults = None
    with pytest.raises(IdempotencyConflict):
        begin(world, idempotency_key="order-7", locale="en")
    assert begin(world, idempotency_key="order-7").url


def test_a_card_that_is_refused_or_never_given_stores_nothing(world):
    refused, late = begin(world), begin(world)
    world.stripe.store_card(refused.reference, declined=Decline("card_declined"))
    world.clock.advance(days=1)

    failed = world.gateway.checkouts.complete("stripe", refused.reference)
    expired = world.gateway.checkouts.complete("stripe", late.reference)

    assert (failed.state, failed.code, failed.credential) == (CheckoutState.FAILED, "card_declined", None)
    assert (expired.state, expired.credential) == (CheckoutState.EXPIRED, None)
    with pytest.raises(InvalidValue, match="is open"):
        world.stripe.store_card(late.reference)


@pytest.mark.rule("R-269")
def test_the_event_of_a_checkout_is_stored_once_and_names_it_each_time(world):
    checkout = begin(world)
    world.stripe.store_card(checkout.reference)
    (notice,) = world.stripe.notifications()

    first = world.gateway.webhooks.receive("stripe", notice.headers, notice.body).events[0]
    again = world.gateway.webhooks.receive("stripe", notice.headers, notice.body).events[0]

    assert (first.outcome, first.checkout) == ("ignored", checkout.reference)
    assert (again.outcome, again.checkout) == ("repeated", checkout.reference)
    assert world.observer.of("operator") == []


def test_an_account_without_checkouts_refuses_before_anything_is_sent(world):
    for act in (lambda: begin(world, "telecom"), lambda: world.gateway.checkouts.complete("telecom", "cs_1")):
        with pytest.raises(CapabilityNotSupported, match=r"Card\(\)"):
            act()

    assert world.telecom.calls == []


def test_an_account_or_a_checkout_that_is_not_known_is_named(world):
    with pytest.raises(NotFound, match="nowhere"):
        begin(world, "nowhere")
    with pytest.raises(NotFound, match="cs_unknown"):
        world.gateway.checkouts.complete("stripe", "cs_unknown")


@pytest.mark.parametrize(
    "url",
    [
        "http://shop.example/done",
        "https://",
        "/done",
        "javascript:alert(1)",
        "https://user:word@shop.example/",
        "https://shop.example/a b",
        "https://shop.example/\n",
        "https://[::1",
        "https://shop.example:port/",
        "http://localhost.evil.example/",
        "https://shop.example/" + "a" * 2048,
        "",
        None,
        b"https://shop.example/",
    ],
)
@pytest.mark.parametrize("name", ["return_url", "cancel_url"])
def test_an_url_that_a_customer_must_not_be_sent_to_is_refused(world, name, url):
    if name == "cancel_url" and url is None:
        assert begin(world, cancel_url=None)
        return
    with pytest.raises(InvalidValue, match=name):
        begin(world, **{name: url})

    assert world.stripe.calls == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/", "http://[::1]/done", "http://shop.localhost/"])
def test_an_url_on_this_machine_needs_no_encryption(world, url):
    assert begin(world, return_url=url).url


@pytest.mark.parametrize(
    "wrong",
    [
        {"customer": "cus_1"},
        {"locale": "japanese please"},
        {"locale": None},
        {"metadata": {"order": 7}},
        {"metadata": ["order"]},
        {"idempotency_key": " "},
    ],
)
def test_other_bad_input_is_refused_before_anything_is_sent(world, wrong):
    with pytest.raises(InvalidValue):
        begin(world, **wrong)

    assert world.stripe.calls == []


@pytest.mark.parametrize("reference", ["", " ", None, 7])
def test_a_reference_is_a_text(world, reference):
    with pytest.raises(InvalidValue, match="reference"):
        world.gateway.checkouts.complete("stripe", reference)

    assert world.stripe.calls == []


def test_a_provider_out_of_reach_is_said_and_the_same_key_begins_again(world):
    world.stripe.faults = Faults(1, never_there=1.0)
    with pytest.raises(ProviderUnavailable):
        begin(world, idempotency_key="order-7")
    world.stripe.faults = None

    assert begin(world, idempotency_key="order-7").url
    first, second = asked(world)
    assert first.key == second.key


class Broken(FakeStripe):
    """Answers what a plugin must not."""

    def __init__(self, clock, answer):
        super().__init__(clock=clock)
        self._answer_of_mine = answer

    async def begin_checkout(self, request: CheckoutRequest) -> Checkout:
        return self._answer_of_mine

    async def complete_checkout(self, reference: str) -> CheckoutResult:
        return self._answer_of_mine


@pytest.mark.parametrize("answer", [None, Checkout(""), Checkout("cs_1"), "https://pay.example"])
def test_a_plugin_that_begins_no_checkout_is_named(clock, answer):
    gateway = Gateway(database="sqlite://", providers={"acme": Broken(clock, answer)}, clock=clock)
    with gateway, pytest.raises(PluginError, match="acme"):
        gateway.checkouts.begin("acme", HANAKO, return_url=DONE)


@pytest.mark.parametrize(
    "answer", [None, CheckoutResult(CheckoutState.COMPLETED), CheckoutResult(CheckoutState.OPEN, "pm_1"), "pm_1"]
)
def test_a_credential_comes_with_a_completed_checkout_and_with_no_other(clock, answer):
    gateway = Gateway(database="sqlite://", providers={"acme": Broken(clock, answer)}, clock=clock)
    with gateway, pytest.raises(PluginError, match="acme"):
        gateway.checkouts.complete("acme", "cs_1")
