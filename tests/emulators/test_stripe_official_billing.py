"""Stripe's own clients sell subscriptions on the emulated Stripe, unmodified.

The Python client is a test dependency. The Node client runs where Node is installed and ``PAYGATE_STRIPE_NODE`` names a
``node_modules`` folder with ``stripe``; elsewhere that test is skipped and says so.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import stripe

from paygate.testing.clock import ManualClock
from paygate.testing.emulators import Delivery, serve
from paygate.testing.emulators.stripe import StripeEmulator

SCRIPT = Path(__file__).parent / "official" / "stripe" / "billing.mjs"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock.jst(2026, 11, 22, 12)


@pytest.fixture
def emulator(clock: ManualClock) -> StripeEmulator:
    return StripeEmulator(clock)


@pytest.fixture
def client(emulator: StripeEmulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[stripe.StripeClient]:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))  # the client would leave a telemetry id in the home folder
    monkeypatch.setattr(stripe, "enable_telemetry", False)
    http = stripe.RequestsClient(timeout=5)
    with serve(emulator, webhooks=False) as url:
        yield stripe.StripeClient(
            emulator.credentials_for_plugin()["api_key"], base_addresses={"api": url}, http_client=http
        )
        http.close()


@pytest.fixture
def price(client: stripe.StripeClient) -> str:
    product = client.v1.products.create({"name": "Gold"})
    price = client.v1.prices.create(
        {"product": product.id, "currency": "jpy", "unit_amount": 3000, "recurring": {"interval": "month"}}
    )
    return price.id


@pytest.fixture
def card(client: stripe.StripeClient) -> tuple[str, str]:
    customer = client.v1.customers.create({"email": "taro@example.com"})
    return customer.id, client.v1.payment_methods.attach("pm_card_visa", {"customer": customer.id}).id


def test_a_subscription_lives_from_its_trial_to_its_end(
    client: stripe.StripeClient, clock: ManualClock, price: str, card: tuple[str, str]
) -> None:
    customer, method = card
    made = client.v1.subscriptions.create(
        {
            "customer": customer,
            "default_payment_method": method,
            "items": [{"price": price, "quantity": 2}],
            "trial_end": int((clock.now() + dt.timedelta(days=3)).timestamp()),
            "metadata": {"paygate_contract": "c1"},
            "expand": ["latest_invoice.payments", "default_payment_method"],
        },
        {"idempotency_key": "contract-1"},
    )
    assert (made.status, made.latest_invoice.total, made.default_payment_method.card.last4) == ("trialing", 0, "4242")
    clock.advance(days=3, hours=1)

    seen = client.v1.subscriptions.retrieve(made.id)
    invoice = client.v1.invoices.retrieve(
        str(seen.latest_invoice), {"expand": ["payments.data.payment.payment_intent"]}
    )
    assert (seen.status, invoice.status, invoice.amount_paid) == ("active", "paid", 6000)
    assert invoice.payments.data[0].payment.payment_intent.amount_received == 6000
    assert invoice.parent.subscription_details.metadata["paygate_contract"] == "c1"
    assert seen["items"].data[0].current_period_start == made.trial_end

    ending = client.v1.subscriptions.update(made.id, {"cancel_at_period_end": True})
    assert ending.cancel_at == ending["items"].data[0].current_period_end
    canceled = client.v1.subscriptions.cancel(made.id, {"cancellation_details": {"comment": "moving"}})
    assert (canceled.status, canceled.cancellation_details.comment) == ("canceled", "moving")
    assert client.v1.subscriptions.list({"customer": customer}).data == []
    assert [one.id for one in client.v1.subscriptions.list({"status": "all"}).auto_paging_iter()] == [made.id]


def test_a_refused_first_payment_is_a_card_error(client: stripe.StripeClient, price: str) -> None:
    customer = client.v1.customers.create()
    method = client.v1.payment_methods.attach("pm_card_chargeCustomerFail", {"customer": customer.id})

    with pytest.raises(stripe.CardError) as caught:
        client.v1.subscriptions.create(
            {
                "customer": customer.id,
                "default_payment_method": method.id,
                "items": [{"price": price}],
                "payment_behavior": "error_if_incomplete",
            }
        )

    assert caught.value.error.decline_code == "generic_decline"


def test_invoices_are_paid_previewed_and_voided(
    client: stripe.StripeClient, clock: ManualClock, price: str, card: tuple[str, str]
) -> None:
    customer, method = card
    bad = client.v1.payment_methods.attach("pm_card_chargeCustomerFail", {"customer": customer})
    order = {"customer": customer, "default_payment_method": bad.id, "items": [{"price": price}]}
    first, second = client.v1.subscriptions.create(order), client.v1.subscriptions.create(order)

    paid = client.v1.invoices.pay(str(first.latest_invoice), {"payment_method": method})
    voided = client.v1.invoices.void_invoice(str(second.latest_invoice))
    ahead = client.v1.invoices.create_preview({"subscription": first.id})

    assert (paid.status, voided.status, ahead.total) == ("paid", "void", 3000)
    (payment,) = client.v1.invoice_payments.list({"invoice": paid.id}).data
    assert payment.status == "paid"
    clock.advance(days=30)
    draft = client.v1.invoices.list({"subscription": first.id, "status": "draft"}).data[0]
    assert client.v1.invoices.finalize_invoice(draft.id).attempt_count == 1


def test_a_renewal_is_delivered_with_a_signature_that_the_client_accepts(
    client: stripe.StripeClient, emulator: StripeEmulator, clock: ManualClock, price: str, card: tuple[str, str]
) -> None:
    endpoint = client.v1.webhook_endpoints.create(
        {"url": "https://shop.example/hook", "enabled_events": ["invoice.paid", "customer.subscription.deleted"]}
    )
    customer, method = card
    made = client.v1.subscriptions.create(
        {"customer": customer, "default_payment_method": method, "items": [{"price": price}]}
    )
    clock.advance(days=31)
    client.v1.subscriptions.cancel(made.id)
    seen: list[Delivery] = []
    emulator.deliver(seen.append)

    events = [
        client.construct_event(one.body, one.headers["Stripe-Signature"], str(endpoint.secret), tolerance=0)
        for one in seen
    ]

    assert [event.type for event in events] == ["invoice.paid", "invoice.paid", "customer.subscription.deleted"]
    assert events[1].data.object.billing_reason == "subscription_cycle"


def test_checkout_stores_a_card(client: stripe.StripeClient, emulator: StripeEmulator, card: tuple[str, str]) -> None:
    session = client.v1.checkout.sessions.create(
        {
            "mode": "setup",
            "currency": "jpy",
            "customer": card[0],
            "success_url": "https://shop.example/done",
            "expand": ["setup_intent"],
        }
    )
    assert (session.status, session.setup_intent.status) == ("open", "requires_payment_method")

    emulator.approve(session.id)

    done = client.v1.checkout.sessions.retrieve(session.id, {"expand": ["setup_intent.payment_method"]})
    assert (done.status, done.setup_intent.payment_method.customer) == ("complete", card[0])
    other = client.v1.checkout.sessions.create(
        {"mode": "setup", "currency": "jpy", "success_url": "https://shop.example/done"}
    )
    assert client.v1.checkout.sessions.expire(other.id).status == "expired"


def test_a_test_clock_is_advanced_until_it_is_ready(client: stripe.StripeClient, price: str) -> None:
    start = int(dt.datetime(2027, 1, 31, 3, tzinfo=dt.UTC).timestamp())
    lab = client.v1.test_helpers.test_clocks.create({"frozen_time": start, "name": "Renewals"})
    customer = client.v1.customers.create({"test_clock": lab.id})
    method = client.v1.payment_methods.attach("pm_card_visa", {"customer": customer.id})
    made = client.v1.subscriptions.create(
        {"customer": customer.id, "default_payment_method": method.id, "items": [{"price": price}]}
    )

    client.v1.test_helpers.test_clocks.advance(lab.id, {"frozen_time": start + 30 * 24 * 3600})
    while client.v1.test_helpers.test_clocks.retrieve(lab.id).status != "ready":
        continue

    assert [one.status for one in client.v1.invoices.list({"subscription": made.id}).data] == ["paid", "paid"]
    assert client.v1.test_helpers.test_clocks.delete(lab.id).deleted


def test_the_node_client_sells_subscriptions_unmodified(clock: ManualClock) -> None:
    node, modules = shutil.which("node"), os.environ.get("PAYGATE_STRIPE_NODE")
    if node is None or modules is None:
        pytest.skip("needs Node, and PAYGATE_STRIPE_NODE naming a node_modules folder with `stripe`")
    emulator = StripeEmulator(clock)

    with serve(emulator, webhooks=False) as url:
        key = emulator.credentials_for_plugin()["api_key"]
        done = subprocess.run([node, SCRIPT, url, key], capture_output=True, text=True, check=False, timeout=60)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["paid"] in {row.reference for row in emulator.book.captures}
