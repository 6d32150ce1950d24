"""Merchant, stores, transaction history and limits of the emulated UnivaPay."""

from __future__ import annotations

import json

import pytest

from paygate.testing.emulators.univapay import Credentials, UnivaPayEmulator

MERCHANT = Credentials.for_merchant()


def code(response):
    return response.status, response.json()["code"]


@pytest.fixture
def merchant(client):
    """Let the merchant's own app token in; the client keeps its store's."""
    client.emulator.add_store(MERCHANT)

    def send(method, path, body=None):
        store, client.authorization = client.authorization, MERCHANT.header
        try:
            return client.send(method, path, body)
        finally:
            client.authorization = store

    return send


# --- the merchant's own app token ------------------------------------------------------------------------------------


def test_the_merchants_app_token_reads_all_stores_and_charges_nothing(client, card, merchant):
    charge_id = client.paid(card)
    other = Credentials.for_store(2)
    client.emulator.add_store(other)

    listed = merchant("GET", "/charges").json()["items"]
    assert [one["id"] for one in listed] == [charge_id]
    assert merchant("GET", f"{client.store}/charges/{charge_id}").status == 200
    assert merchant("GET", f"/stores/{other.store_id}/charges").json()["items"] == []
    assert merchant("GET", "/stores/11f0a1b2-1111-4a00-8000-0000000000ff/charges").status == 404
    for path in ("/tokens", "/charges", "/subscriptions", "/subscriptions/simulate_plan"):
        assert code(merchant("POST", path, {})) == (403, "INVALID_PERMISSIONS")
    assert merchant("GET", f"{client.store}/charges/{charge_id}/bank_transfer_ledgers").json()["items"] == []


def test_stores_are_listed_for_whom_they_are_visible(client, merchant):
    other = Credentials.for_store(2)
    client.emulator.add_store(other)
    mine, theirs = client.emulator.credentials.store_id, other.store_id

    def ids(response):
        return [one["id"] for one in response.json()["items"]]

    assert ids(merchant("GET", "/stores")) == [theirs, mine]
    assert ids(client.send("GET", "/stores")) == [mine]
    assert ids(client.send("GET", "/stores?search=nowhere")) == []
    assert client.send("GET", f"/stores/{theirs}").status == 404
    store = client.send("GET", f"/stores/{mine}").json()
    assert store["configuration"]["card_configuration"]["enabled"] is True


def test_the_emulators_own_credentials_are_those_of_a_store(clock):
    with pytest.raises(ValueError, match="of a store"):
        UnivaPayEmulator(clock, credentials=MERCHANT)


def test_the_merchants_webhooks_hear_of_every_store_beside_the_stores_own(client, card, merchant):
    triggers = ["charge_finished", "transfer_created"]
    made = merchant("POST", "/webhooks", {"url": "https://shop.example/all", "triggers": triggers}).json()
    client.emulator.add_webhook("https://shop.example/one", "word")
    client.paid(card)

    assert {delivery.url for delivery in client.emulator.outbox.waiting} == {
        "https://shop.example/all",
        "https://shop.example/one",
    }
    assert made["store_id"] is None
    assert merchant("GET", f"/webhooks/{made['id']}/events").json()["items"][0]["event"] == "charge_finished"
    wrong = merchant("POST", "/webhooks", {"url": "https://shop.example/x", "triggers": ["lunch"]})
    assert wrong.json()["errors"][0]["reason"] == "INVALID_EVENT_FOR_MERCHANT"


@pytest.mark.parametrize(("may", "status"), [(False, 403), (True, 200)])
def test_whether_a_store_manages_the_merchants_webhooks_is_an_assumption_that_can_be_turned(client, may, status):
    client.emulator.behaviour.store_manages_merchant_webhooks = may

    assert client.send("GET", "/webhooks").status == status


# --- what the account may do -----------------------------------------------------------------------------------------


def test_the_configuration_tells_what_was_switched(client):
    behaviour = client.emulator.behaviour
    behaviour.recurring_privilege = "bounded"
    behaviour.charge_bounds = {"JPY": (100, 50_000)}
    behaviour.cvv_threshold = {"JPY": 10_000}
    behaviour.charge_wait_period = 60
    behaviour.duplicate_window = None

    configuration = client.send("GET", "/me").json()["configuration"]
    assert configuration["recurring_token_configuration"] == {
        "recurring_type": "bounded",
        "charge_wait_period": "PT60S",
        "card_charge_cvv_confirmation": {"enabled": True, "threshold": [{"amount": 10_000, "currency": "JPY"}]},
    }
    assert configuration["maximum_charge_amounts"] == [{"amount": 50_000, "currency": "JPY"}]
    assert configuration["security_configuration"]["card_charge_cooldown"] is None


def test_the_widget_learns_what_it_may_offer(client):
    client.authorization = f"Bearer {client.emulator.credentials.app_token}"

    info = client.send("GET", "/checkout_info", headers={"Origin": "https://shop.example"}).json()
    assert (info["mode"], info["recurring_token_privilege"]) == ("test", "infinite")
    assert "visa" in [brand["brand"] for brand in info["supported_brands"]]


def test_a_customer_id_is_the_same_every_time_and_another_in_another_store(client):
    def made(own):
        return client.send("POST", f"{client.store}/create_customer_id", {"customer_id": own}).json()["customer_id"]

    first, again, another = made("member-4711"), made("member-4711"), made("member-4712")
    other = Credentials.for_store(2)
    client.emulator.add_store(other)
    client.authorization, client.store = other.header, f"/stores/{other.store_id}"

    assert first == again
    assert len({first, another, made("member-4711")}) == 3
    assert code(client.send("POST", f"{client.store}/create_customer_id", {})) == (400, "VALIDATION_ERROR")


# --- transaction history ---------------------------------------------------------------------------------------------


@pytest.fixture
def moved(client, card, clock):
    """A declined charge, a charge, and a refund of it, a minute apart; their ids in the order of the list."""
    failing = client.emulator.add_card("4111111111111111", email="jiro@example.com")
    declined = client.charge(failing, 500).json()["id"]
    clock.advance(minutes=1)
    charge_id = client.charge(card, 3000, metadata={"order_id": "A-1"}).json()["id"]
    clock.advance(minutes=1)
    refund_id = client.refund(charge_id, 1000, reason="customer_request").json()["id"]
    clock.advance(minutes=1)
    return refund_id, charge_id, declined


def test_the_history_shows_charges_and_refunds_in_one_list(client, moved):
    page = client.get("/transaction_history")
    refund, charge, declined = page["items"]

    assert tuple(one["resource_id"] for one in page["items"]) == moved
    assert (refund["type"], refund["charge_id"], refund["user_data"]["reason"]) == (
        "refund",
        moved[1],
        "customer_request",
    )
    assert [one["refund_id"] for one in charge["user_data"]["refunds"]] == [moved[0]]
    assert (declined["status"], page["total_hits"]) == ("failed", 3)
    rest = client.get("/transaction_history", cursor=moved[0])
    assert [one["resource_id"] for one in rest["items"]] == list(moved[1:])


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"type": "refund"}, [0]),
        ({"status": "failed"}, [2]),
        ({"from": "2026-11-22T03:01:00Z", "to": "2026-11-22T03:01:00Z"}, [1]),
        ({"from": "2026-11-22T03:02:00Z"}, [0]),
        ({"email": "jiro@example.com"}, [2]),
        ({"card_last_four": "1111"}, [2]),
        ({"card_exp": "2030-12"}, [0, 1, 2]),
        ({"cardholder": "TARO YAMADA"}, []),
        ({"brand[]": "visa"}, [0, 1, 2]),
        ({"brand": "jcb"}, []),
        ({"metadata": "order_id: A-1"}, [1]),
        ({"search": "a-1"}, [1]),
        ({"currency": "USD"}, []),
        ({"mode": "live"}, []),
    ],
)
def test_the_history_is_filtered(client, moved, query, expected):
    found = [one["resource_id"] for one in client.get("/transaction_history", **query)["items"]]

    assert found == [moved[place] for place in expected]


def test_the_history_is_found_by_the_short_id_that_the_dashboard_shows(client, moved):
    [found] = client.get("/transaction_history", short_id=moved[1][-6:])["items"]

    assert found["resource_id"] == moved[1]
    assert code(client.send("GET", "/transaction_history?type=gift")) == (400, "VALIDATION_ERROR")


# --- limits of requests ----------------------------------------------------------------------------------------------


def test_too_many_requests_are_refused_without_a_body_and_the_headers_say_how_many_are_left(client, clock):
    client.emulator.behaviour.rate_limit = (8, 16)  # buckets of two and four
    paths = ["/me", "/me", "/me", f"{client.store}/charges/1", f"{client.store}/charges/2"]
    replies = [client.send("GET", path) for path in paths]
    clock.advance(seconds=8)

    assert [reply.status for reply in replies] == [200, 200, 429, 404, 404]
    assert replies[2].body == b""
    assert replies[0].headers["x-remaining-requests-exact"] == "1"
    assert replies[0].headers["x-requests-per-minute-route"] == "16"
    assert client.send("GET", "/me").status == 200


def test_a_route_has_a_limit_of_its_own_over_all_its_resources(client, card):
    ids = [client.charge(card, amount).json()["id"] for amount in range(1, 6)]
    client.emulator.behaviour.rate_limit = (40, 16)

    statuses = [client.send("GET", f"{client.store}/charges/{one}").status for one in ids]
    assert statuses == [200, 200, 200, 200, 429]


def test_without_a_limit_nothing_is_said_about_one(client):
    assert "x-remaining-requests-exact" not in client.send("GET", "/me").headers


# --- webhooks: limits and history ------------------------------------------------------------------------------------


def test_a_store_has_so_many_webhooks_and_no_more(client):
    client.emulator.behaviour.webhook_limit = 1
    client.emulator.add_webhook("https://shop.example/1", "word")
    refused = client.send(
        "POST", f"{client.store}/webhooks", {"url": "https://shop.example/2", "triggers": ["charge_finished"]}
    )

    assert code(refused) == (400, "RESOURCE_LIMIT_REACHED")


def test_an_address_cannot_be_changed_to_one_that_is_taken_already(client):
    client.emulator.add_webhook("https://shop.example/1", "word")
    second = client.emulator.add_webhook("https://shop.example/2", "word")
    path = f"{client.store}/webhooks/{second}"

    assert code(client.send("PATCH", path, {"url": "https://shop.example/1"})) == (409, "WEBHOOK_URL_EXISTS")
    client.send("PATCH", path, {"active": False})
    assert [one["id"] for one in client.get("/webhooks", active="false")["items"]] == [second]


def test_the_history_of_a_webhook_keeps_the_latest_events_and_late_answers_do_no_harm(client, card):
    hook = client.emulator.add_webhook("https://shop.example/hooks", "word")
    client.emulator.behaviour.webhook_history = 2
    for amount in (1, 2, 3):
        client.paid(card, amount)
    bodies = []
    client.emulator.deliver(lambda delivery: bodies.append(json.loads(delivery.body)))

    amounts = [one["data"]["charged_amount"] for one in client.get(f"/webhooks/{hook}/events")["items"]]
    assert amounts == [3, 2]
    assert len(bodies) == 3
