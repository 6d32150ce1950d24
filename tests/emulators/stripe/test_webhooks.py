"""Events, webhook endpoints and deliveries (provider fact sheet §8, §9)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from paygate.flow import Request
from paygate.testing.clock import ManualClock
from paygate.testing.emulators.stripe import StripeEmulator
from paygate.testing.emulators.stripe.emulator import EVENTS

Client = Any
Merchant = Any

URL = "https://shop.example/hook"


def endpoint(client: Client, *events: str, url: str = URL) -> Any:
    return client.post("/webhook_endpoints", {"url": url, "enabled_events": list(events or ["*"])})


# --- endpoints ------------------------------------------------------------------------------------------------------


def test_an_endpoints_secret_is_shown_once(client: Client) -> None:
    made = client.post(
        "/webhook_endpoints",
        {"url": URL, "enabled_events": ["charge.refunded"], "api_version": "2026-10-28.endive", "metadata": {"a": 1}},
    )

    assert made["secret"].startswith("whsec_")
    assert (made["status"], made["enabled_events"], made["metadata"]) == ("enabled", ["charge.refunded"], {"a": "1"})
    shown = client.get(f"/webhook_endpoints/{made['id']}")
    assert shown == {name: value for name, value in made.items() if name != "secret"}
    assert client.get("/webhook_endpoints")["data"] == [shown]


def test_an_endpoint_is_updated_switched_off_and_deleted(client: Client, card: str) -> None:
    made = endpoint(client)
    path = f"/webhook_endpoints/{made['id']}"

    changed = client.post(path, {"url": f"{URL}/2", "enabled_events": ["charge.failed"], "description": "new"})
    assert (changed["url"], changed["enabled_events"], changed["description"]) == (f"{URL}/2", ["charge.failed"], "new")
    assert client.post(path, {"disabled": True})["status"] == "disabled"
    assert client.post(path, {"description": "still off"})["status"] == "disabled"
    assert client.post(path, {"disabled": False})["status"] == "enabled"
    assert client.delete(path) == {"id": made["id"], "object": "webhook_endpoint", "deleted": True}
    client.refused(path, status=404, method="GET")


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"enabled_events": ["*"]}, "url"),
        ({"url": URL}, "enabled_events"),
        ({"url": "shop.example", "enabled_events": ["*"]}, "url"),
        ({"url": "ftp://shop.example", "enabled_events": ["*"]}, "url"),
        ({"url": URL, "enabled_events": ["*", "Everything!"]}, "enabled_events[1]"),
    ],
)
def test_an_endpoint_needs_an_address_and_events(client: Client, params: dict[str, Any], param: str) -> None:
    assert client.refused("/webhook_endpoints", params)["param"] == param


def test_an_endpoint_without_events_is_refused(client: Client) -> None:
    made = endpoint(client)["id"]

    assert client.refused(f"/webhook_endpoints/{made}", "enabled_events=")["param"] == "enabled_events"


# --- deliveries -----------------------------------------------------------------------------------------------------


def test_a_delivery_is_signed_over_its_raw_bytes_with_the_second_in_which_it_leaves(
    client: Client, emulator: StripeEmulator, clock: ManualClock, merchant: Merchant
) -> None:
    secret = endpoint(client, "payment_intent.succeeded")["secret"]
    intent = client.pay()["id"]
    clock.advance(minutes=7)

    assert emulator.deliver(merchant) == 1

    (delivery,) = merchant.seen
    assert merchant.signed_by(delivery, secret)
    assert not merchant.signed_by(delivery, "whsec_other")
    assert merchant.moment(delivery) == int(clock.now().timestamp())
    event = json.loads(delivery.body)
    assert (event["object"], event["type"], event["livemode"]) == ("event", "payment_intent.succeeded", False)
    assert event["data"]["object"]["id"] == intent
    assert event["api_version"] == "2026-10-28.endive"
    assert json.dumps(event).encode() != delivery.body


def test_each_endpoint_gets_the_events_that_it_asked_for(
    client: Client, emulator: StripeEmulator, merchant: Merchant
) -> None:
    endpoint(client, "*", url=f"{URL}/all")
    endpoint(client, "charge.failed", "charge.succeeded", url=f"{URL}/some")
    off = endpoint(client, url=f"{URL}/off")["id"]
    client.post(f"/webhook_endpoints/{off}", {"disabled": True})
    client.pay()

    emulator.deliver(merchant)

    got = [(one.url.removeprefix(URL), one.event) for one in merchant.seen]
    assert sorted(got) == [
        ("/all", "charge.succeeded"),
        ("/all", "payment_intent.created"),
        ("/all", "payment_intent.succeeded"),
        ("/some", "charge.succeeded"),
    ]


def test_an_event_counts_the_endpoints_that_have_not_taken_it(
    client: Client, emulator: StripeEmulator, merchant: Merchant
) -> None:
    endpoint(client, "charge.succeeded")
    endpoint(client, "charge.succeeded", url=f"{URL}/2")
    client.pay()
    (event,) = client.get("/events", type="charge.succeeded")["data"]
    assert event["pending_webhooks"] == 2
    assert client.get("/events", delivery_success=False)["data"][0]["id"] == event["id"]

    emulator.deliver(merchant)

    assert client.get(f"/events/{event['id']}")["pending_webhooks"] == 0
    assert event["id"] in [one["id"] for one in client.get("/events", delivery_success=True)["data"]]


@pytest.mark.parametrize("status", [500, 302, 404, 0])
def test_what_is_not_taken_is_tried_three_times_with_a_fresh_signature(
    client: Client, emulator: StripeEmulator, clock: ManualClock, merchant: Merchant, status: int
) -> None:
    secret = endpoint(client, "charge.succeeded")["secret"]
    merchant.status = status
    client.pay()

    for hours in (0, 1, 2, 4):
        clock.advance(hours=hours)
        emulator.deliver(merchant)

    assert [one.attempt for one in merchant.seen] == [1, 2, 3]
    assert len({one.event_id for one in merchant.seen}) == 1
    assert len({merchant.moment(one) for one in merchant.seen}) == 3
    assert all(merchant.signed_by(one, secret) for one in merchant.seen)
    (event,) = client.get("/events", type="charge.succeeded")["data"]
    assert event["pending_webhooks"] == 1


def test_an_old_event_can_be_sent_again_with_the_same_id(
    client: Client, emulator: StripeEmulator, clock: ManualClock, merchant: Merchant
) -> None:
    secret = endpoint(client, "charge.succeeded")["secret"]
    client.pay()
    emulator.deliver(merchant)
    clock.advance(days=2)
    (event,) = client.get("/events", type="charge.succeeded")["data"]

    emulator.resend(event["id"])
    emulator.deliver(merchant)

    first, again = merchant.seen
    assert first.event_id == again.event_id == event["id"]
    assert merchant.signed_by(again, secret)
    assert merchant.moment(again) - merchant.moment(first) == 2 * 24 * 3600
    with pytest.raises(KeyError):
        emulator.resend("evt_none")


def test_a_delivery_of_the_outbox_can_be_repeated_duplicated_and_forged(
    client: Client, emulator: StripeEmulator, merchant: Merchant
) -> None:
    secret = endpoint(client, "charge.succeeded")["secret"]
    emulator.outbox.duplicate = True
    client.pay()
    emulator.deliver(merchant)
    emulator.redeliver(merchant.seen[0].id)
    emulator.send_forged()
    emulator.deliver(merchant)

    assert [merchant.signed_by(one, secret) for one in merchant.seen] == [True, True, True, False]
    assert len({one.body for one in merchant.seen[:2]}) == 1


def test_a_secret_is_rolled_and_both_sign_for_a_day(
    client: Client, emulator: StripeEmulator, clock: ManualClock, merchant: Merchant
) -> None:
    made = endpoint(client, "charge.succeeded")

    new = emulator.roll_webhook_secret(made["id"])
    client.pay()
    emulator.deliver(merchant)
    clock.advance(hours=24)
    client.pay()
    emulator.deliver(merchant)

    assert [merchant.signed_by(one, new) for one in merchant.seen] == [True, True]
    assert [merchant.signed_by(one, made["secret"]) for one in merchant.seen] == [True, False]
    with pytest.raises(KeyError):
        emulator.roll_webhook_secret("we_none")


def test_nothing_is_sent_to_an_endpoint_that_was_deleted(
    client: Client, emulator: StripeEmulator, merchant: Merchant
) -> None:
    made = endpoint(client)["id"]
    client.pay()
    client.delete(f"/webhook_endpoints/{made}")

    emulator.deliver(merchant)

    assert merchant.seen == []


def test_the_target_of_the_test_gets_the_events_that_paygate_acts_on(
    client: Client, emulator: StripeEmulator, merchant: Merchant
) -> None:
    emulator.set_webhook_target("http://127.0.0.1:9/old")
    emulator.set_webhook_target("http://127.0.0.1:9/new")
    client.pay()

    emulator.deliver(merchant)

    (delivery,) = merchant.seen
    assert (delivery.url, delivery.event) == ("http://127.0.0.1:9/new", "payment_intent.succeeded")
    assert merchant.signed_by(delivery, emulator.webhook_secret)
    (registered,) = client.get("/webhook_endpoints")["data"]
    assert registered["enabled_events"] == list(EVENTS)
    client.delete(f"/webhook_endpoints/{registered['id']}")
    emulator.set_webhook_target("http://127.0.0.1:9/third")
    assert len(client.get("/webhook_endpoints")["data"]) == 1


# --- events ---------------------------------------------------------------------------------------------------------


def test_events_filter_by_type_by_pattern_and_by_several_types(client: Client) -> None:
    client.post("/customers")
    client.pay()

    assert client.types(type="charge.succeeded") == ["charge.succeeded"]
    assert client.types(type="payment_intent.*") == ["payment_intent.created", "payment_intent.succeeded"]
    assert client.types(**{"types[0]": "customer.created", "types[1]": "charge.succeeded"}) == [
        "customer.created", "charge.succeeded",
    ]  # fmt: skip
    assert client.types(type="charge.failed") == []


def test_an_event_shows_the_object_as_it_was(client: Client) -> None:
    customer = client.post("/customers", {"name": "Taro"})["id"]
    client.post(f"/customers/{customer}", {"name": "Jiro"})

    updated, created = client.get("/events")["data"]

    assert created["data"]["object"]["name"] == "Taro"
    assert updated["data"] == {
        "object": {**created["data"]["object"], "name": "Jiro"},
        "previous_attributes": {"name": "Taro"},
    }


def test_events_are_kept_for_30_days(client: Client, clock: ManualClock) -> None:
    client.post("/customers")
    (event,) = client.get("/events")["data"]
    clock.advance(days=30)
    assert client.get(f"/events/{event['id']}")["id"] == event["id"]

    clock.advance(seconds=1)

    assert client.get("/events")["data"] == []
    client.refused(f"/events/{event['id']}", status=404, method="GET")


def test_an_answer_to_a_delivery_of_a_forgotten_event_is_let_go(
    client: Client, emulator: StripeEmulator, clock: ManualClock, merchant: Merchant
) -> None:
    endpoint(client, "customer.created")
    client.post("/customers")
    clock.advance(days=31)
    assert client.get("/events")["data"] == []

    assert emulator.deliver(merchant) == 1


# --- the control interface ------------------------------------------------------------------------------------------


def test_the_customers_page_of_the_emulator_finishes_3d_secure(client: Client, emulator: StripeEmulator) -> None:
    intent = client.post(
        "/payment_intents",
        {
            "amount": 500,
            "currency": "jpy",
            "payment_method": "pm_card_threeDSecure2Required",
            "confirm": True,
            "return_url": "https://shop.example/back",
        },
    )
    url = intent["next_action"]["redirect_to_url"]["url"]

    page = emulator.handle(Request("GET", url))
    back = emulator.handle(Request("POST", url, {}, b"passed=true"))

    assert page.status == 200
    assert (back.status, back.headers["location"]) == (303, emulator.return_url(intent["id"]))
    assert client.get(f"/payment_intents/{intent['id']}")["status"] == "succeeded"
