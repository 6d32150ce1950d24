"""Stripe's own clients work on the emulated Stripe, unmodified (issue: the measure of an emulator).

The Python client is a test dependency. The Node client runs where Node is installed and ``PAYGATE_STRIPE_NODE`` names a
``node_modules`` folder with ``stripe``; elsewhere that test is skipped and says so.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import stripe

from paygate.clock import SystemClock
from paygate.testing.clock import ManualClock
from paygate.testing.emulators import Delivery, Fault, FaultKind, When, serve
from paygate.testing.emulators.stripe import StripeEmulator

SCRIPT = Path(__file__).parent / "official" / "stripe" / "client.mjs"


@pytest.fixture
def emulator() -> StripeEmulator:
    return StripeEmulator(ManualClock.jst(2026, 11, 22, 12))


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


def paid(client: stripe.StripeClient, amount: int = 3000, key: str | None = None) -> stripe.PaymentIntent:
    return client.v1.payment_intents.create(
        {
            "amount": amount,
            "currency": "jpy",
            "payment_method": "pm_card_visa",
            "confirm": True,
            "off_session": True,
            "metadata": {"order": "7"},
        },
        {"idempotency_key": key} if key else {},
    )


def test_a_saved_card_is_charged_off_session_and_the_charge_expanded(client: stripe.StripeClient) -> None:
    customer = client.v1.customers.create({"email": "taro@example.com", "metadata": {"member": "42"}})
    method = client.v1.payment_methods.attach("pm_card_visa", {"customer": customer.id})

    intent = client.v1.payment_intents.create(
        {
            "amount": 3000,
            "currency": "jpy",
            "customer": customer.id,
            "payment_method": method.id,
            "confirm": True,
            "off_session": True,
            "expand": ["latest_charge.balance_transaction", "customer"],
        }
    )

    assert (intent.status, intent.amount_received) == ("succeeded", 3000)
    assert intent.customer.metadata["member"] == "42"
    assert intent.latest_charge.balance_transaction.amount == 3000
    assert intent.last_response.request_id.startswith("req_")


def test_a_decline_is_a_card_error_with_the_whole_intent(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.CardError) as caught:
        client.v1.payment_intents.create(
            {
                "amount": 3000,
                "currency": "jpy",
                "payment_method": "pm_card_visa_chargeDeclinedInsufficientFunds",
                "confirm": True,
                "off_session": True,
            }
        )

    error = caught.value.error
    assert (error.code, error.decline_code, error.advice_code) == (
        "card_declined", "insufficient_funds", "try_again_later",
    )  # fmt: skip
    assert error.payment_intent.status == "requires_payment_method"
    assert error.payment_intent.latest_charge == error.charge
    assert client.v1.charges.retrieve(error.charge).status == "failed"


def test_the_same_key_replays_and_other_parameters_under_it_are_an_idempotency_error(
    client: stripe.StripeClient, emulator: StripeEmulator
) -> None:
    first, again = paid(client, key="order-7"), paid(client, key="order-7")

    assert again.id == first.id
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    with pytest.raises(stripe.IdempotencyError):
        paid(client, 4000, key="order-7")
    assert emulator.book.captured() == 3000


def test_errors_arrive_as_the_classes_that_the_client_has_for_them(
    client: stripe.StripeClient, emulator: StripeEmulator
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as unknown:
        client.v1.customers.create({"colour": "red"})  # type: ignore[typeddict-unknown-key]
    assert (unknown.value.code, unknown.value.param) == ("parameter_unknown", "colour")

    with pytest.raises(stripe.InvalidRequestError) as missing:
        client.v1.payment_intents.retrieve("pi_nothing")
    assert (missing.value.http_status, missing.value.code) == (404, "resource_missing")

    with pytest.raises(stripe.AuthenticationError):
        client.v1.customers.list({}, {"api_key": "sk_test_somebody_else"})
    with pytest.raises(stripe.PermissionError):
        client.v1.customers.list({}, {"stripe_account": "acct_other"})

    emulator.faults.add(Fault(FaultKind.RATE_LIMITED))
    with pytest.raises(stripe.RateLimitError):
        client.v1.customers.list()
    emulator.faults.add(Fault(FaultKind.ERROR, status=500))
    with pytest.raises(stripe.APIError):
        client.v1.customers.list()


def test_a_lost_answer_is_repeated_by_the_client_under_its_own_key_and_charged_once(
    client: stripe.StripeClient, emulator: StripeEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stripe.HTTPClient, "INITIAL_DELAY", 0.001)
    monkeypatch.setattr(stripe.HTTPClient, "MAX_DELAY", 0.002)
    emulator.faults.add(Fault(FaultKind.RESET, When.AFTER), match="POST /v1/payment_intents")

    intent = client.v1.payment_intents.create(
        {"amount": 500, "currency": "jpy", "payment_method": "pm_card_visa", "confirm": True, "off_session": True},
        {"max_network_retries": 1},
    )

    assert intent.status == "succeeded"
    assert intent.last_response.headers["Idempotent-Replayed"] == "true"
    assert emulator.book.captured() == 500


def test_lists_page_by_themselves(client: stripe.StripeClient) -> None:
    names = [client.v1.customers.create({"name": f"Customer {number}"}).name for number in range(7)]

    listed = [one.name for one in client.v1.customers.list({"limit": 3}).auto_paging_iter()]

    assert listed == names[::-1]


def test_the_search_finds_by_metadata_once_the_index_knows(
    client: stripe.StripeClient, emulator: StripeEmulator
) -> None:
    intent = paid(client)
    query = {"query": 'metadata["order"]:"7" AND status:"succeeded"'}

    before = client.v1.payment_intents.search(query).data
    emulator.clock.skip(60)
    after = [one.id for one in client.v1.payment_intents.search(query).auto_paging_iter()]

    assert (before, after) == ([], [intent.id])


def test_refunds_are_partial_and_end_at_the_charge(client: stripe.StripeClient) -> None:
    intent = paid(client)

    refund = client.v1.refunds.create({"payment_intent": intent.id, "amount": 1000, "reason": "requested_by_customer"})
    assert refund.status == "succeeded"
    with pytest.raises(stripe.InvalidRequestError) as too_much:
        client.v1.refunds.create({"payment_intent": intent.id, "amount": 2001})
    assert too_much.value.param == "amount"
    client.v1.refunds.create({"payment_intent": intent.id})
    charge = client.v1.charges.retrieve(str(intent.latest_charge), {"expand": ["refunds"]})
    assert (charge.refunded, charge.amount_refunded, len(charge.refunds.data)) == (True, 3000, 2)


def test_deliveries_pass_the_clients_own_verification(client: stripe.StripeClient, emulator: StripeEmulator) -> None:
    endpoint = client.v1.webhook_endpoints.create(
        {"url": "https://shop.example/hook", "enabled_events": ["payment_intent.succeeded"]}
    )
    assert "secret" not in client.v1.webhook_endpoints.retrieve(endpoint.id)
    intent = paid(client)
    seen: list[Delivery] = []
    emulator.deliver(seen.append)
    (delivery,) = seen

    header, secret = delivery.headers["Stripe-Signature"], str(endpoint.secret)
    event = client.construct_event(delivery.body, header, secret, tolerance=0)

    assert event.data.object.id == intent.id
    assert client.v1.events.retrieve(event.id).type == "payment_intent.succeeded"
    assert client.v1.webhook_endpoints.delete(endpoint.id).deleted


def test_the_account_behind_the_key_and_its_balance_can_be_read(client: stripe.StripeClient) -> None:
    paid(client, 1000)

    assert client.v1.accounts.retrieve_current().country == "JP"
    assert client.v1.balance.retrieve().available[0].amount == 964


def test_a_card_is_set_up_and_3d_secure_waits_for_the_customer(
    client: stripe.StripeClient, emulator: StripeEmulator
) -> None:
    customer = client.v1.customers.create()
    setup = client.v1.setup_intents.create(
        {
            "customer": customer.id,
            "payment_method": "pm_card_authenticationRequiredOnSetup",
            "confirm": True,
            "return_url": "https://shop.example/back",
        }
    )
    assert setup.status == "requires_action"
    assert setup.next_action.redirect_to_url.url.endswith(f"/_paygate/customer/{setup.id}")

    emulator.approve(setup.id)

    assert client.v1.setup_intents.retrieve(setup.id).status == "succeeded"
    (method,) = client.v1.customers.payment_methods.list(customer.id).data
    assert method.id == setup.payment_method


def test_the_node_client_works_unmodified() -> None:
    node, modules = shutil.which("node"), os.environ.get("PAYGATE_STRIPE_NODE")
    if node is None or modules is None:
        pytest.skip("needs Node, and PAYGATE_STRIPE_NODE naming a node_modules folder with `stripe`")
    emulator = StripeEmulator(SystemClock())

    with serve(emulator, webhooks=False) as url:
        key = emulator.credentials_for_plugin()["api_key"]
        done = subprocess.run([node, SCRIPT, url, key], capture_output=True, text=True, check=False, timeout=60)

    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert (seen["events"], seen["refunded"]) == (2, 1000)
    assert seen["paid"] in {row.reference for row in emulator.book.captures}
