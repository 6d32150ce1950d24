"""Customers, their cards, card tokens and setup intents (provider fact sheet §4, §11)."""

from __future__ import annotations

from typing import Any

import pytest

from paygate.testing.clock import ManualClock
from paygate.testing.emulators import CardKind
from paygate.testing.emulators.stripe import StripeEmulator
from paygate.testing.emulators.stripe.cards import CARDS

Client = Any

NUMBER = {"number": "4242 4242 4242 4242", "exp_month": 12, "exp_year": 2030, "cvc": "123"}
NO_REDIRECTS = {"automatic_payment_methods": {"enabled": True, "allow_redirects": "never"}}


@pytest.fixture
def customer(client: Client) -> str:
    return str(client.post("/customers", {"email": "taro@example.com"})["id"])


# --- customers ------------------------------------------------------------------------------------------------------


def test_a_customer_is_created_read_changed_and_deleted(client: Client) -> None:
    made = client.post(
        "/customers",
        {"email": "taro@example.com", "name": "Taro", "preferred_locales": ["ja"], "address": {"city": "Osaka"}},
    )
    path = f"/customers/{made['id']}"
    assert client.get(path) == made
    assert (made["preferred_locales"], made["address"], made["livemode"]) == (["ja"], {"city": "Osaka"}, False)

    changed = client.post(path, {"email": "new@example.com", "balance": -500, "description": "moved"})
    assert (changed["email"], changed["balance"], changed["name"]) == ("new@example.com", -500, "Taro")

    assert client.delete(path) == {"id": made["id"], "object": "customer", "deleted": True}
    assert client.get(path) == {"id": made["id"], "object": "customer", "deleted": True}
    assert client.refused(path, {"name": "x"}, status=404)["code"] == "resource_missing"
    assert client.types() == ["customer.created", "customer.updated", "customer.deleted"]


def test_an_update_event_tells_what_was_before_and_no_change_makes_no_event(client: Client, customer: str) -> None:
    client.post(f"/customers/{customer}", {"email": "taro@example.com"})
    client.post(f"/customers/{customer}", {"email": "new@example.com"})

    (event,) = client.get("/events", type="customer.updated")["data"]
    assert event["data"]["previous_attributes"] == {"email": "taro@example.com"}


def test_customers_are_found_by_address_and_by_search(client: Client, clock: ManualClock, customer: str) -> None:
    client.post("/customers", {"email": "other@example.com", "name": "Jiro", "phone": "03-1", "metadata": {"m": 1}})
    clock.advance(minutes=1)

    assert [one["id"] for one in client.get("/customers", email="taro@example.com")["data"]] == [customer]
    assert client.get("/customers", email="none@example.com")["data"] == []
    for query in ('email:"taro@example.com"', "name:null", 'metadata["m"]:null', "phone:null AND created>0"):
        assert [one["id"] for one in client.get("/customers/search", query=query)["data"]] == [customer]


def test_only_an_attached_card_can_be_a_customers_default(client: Client, customer: str) -> None:
    loose = client.post("/payment_methods", {"type": "card", "card": {"token": "tok_visa"}})["id"]
    path = f"/customers/{customer}"
    settings = {"invoice_settings": {"default_payment_method": loose, "footer": "Thanks"}}
    assert client.refused(path, settings)["param"] == "invoice_settings[default_payment_method]"
    unknown = {"invoice_settings": {"default_payment_method": "pm_none"}}
    assert client.refused(path, unknown)["code"] == "resource_missing"

    client.post(f"/payment_methods/{loose}/attach", {"customer": customer})
    changed = client.post(path, {**settings, "expand": ["invoice_settings.default_payment_method"]})
    assert changed["invoice_settings"]["default_payment_method"]["customer"] == customer
    assert changed["invoice_settings"]["footer"] == "Thanks"
    client.post(path, "invoice_settings[default_payment_method]=")
    client.post(path, settings)

    client.post(f"/payment_methods/{loose}/detach")
    assert client.get(path)["invoice_settings"]["default_payment_method"] is None


def test_a_customer_can_be_created_with_a_card(client: Client) -> None:
    customer = client.post("/customers", {"payment_method": "pm_card_visa"})["id"]

    (method,) = client.get(f"/customers/{customer}/payment_methods")["data"]
    assert method["card"]["last4"] == "4242"
    refused = client.refused("/customers", {"payment_method": "pm_card_chargeDeclined"}, status=402)
    assert refused["code"] == "card_declined"


# --- cards ----------------------------------------------------------------------------------------------------------


def test_a_card_is_made_from_a_number_and_only_its_last_digits_go_out(client: Client) -> None:
    body = {
        "type": "card",
        "card": NUMBER,
        "billing_details": {"name": "Taro", "address": {"city": "Osaka"}},
        "metadata": {"a": 1},
    }

    response = client.send("POST", "/payment_methods", body)

    method = response.json()
    assert (method["card"]["brand"], method["card"]["last4"], method["card"]["exp_year"]) == ("visa", "4242", 2030)
    assert (method["customer"], method["metadata"]) == (None, {"a": "1"})
    assert method["billing_details"]["address"]["city"] == "Osaka"
    assert b"424242" not in response.body


@pytest.mark.parametrize(
    ("changes", "code", "param"),
    [
        ({"number": "4242424242424241"}, "incorrect_number", "card[number]"),
        ({"number": "abc"}, "incorrect_number", "card[number]"),
        ({"number": "4012888888881881"}, "card_declined", "card[number]"),
        ({"exp_month": 13}, "invalid_expiry_month", "card[exp_month]"),
        ({"exp_month": 10, "exp_year": 2026}, "invalid_expiry_year", "card[exp_year]"),
        ({"exp_year": 25}, "invalid_expiry_year", "card[exp_year]"),
        ({"exp_year": 2100}, "invalid_expiry_year", "card[exp_year]"),
        ({"cvc": "12"}, "invalid_cvc", "card[cvc]"),
    ],
)
def test_numbers_that_no_test_card_has_are_402(client: Client, changes: dict[str, Any], code: str, param: str) -> None:
    error = client.refused("/payment_methods", {"type": "card", "card": {**NUMBER, **changes}}, status=402)

    assert (error["type"], error["code"], error["param"]) == ("card_error", code, param)


@pytest.mark.parametrize("missing", ["number", "exp_month", "exp_year"])
def test_a_number_needs_its_expiry(client: Client, missing: str) -> None:
    card = {name: value for name, value in NUMBER.items() if name != missing}

    assert client.refused("/payment_methods", {"type": "card", "card": card})["param"] == f"card[{missing}]"


def test_a_card_of_this_month_and_a_year_of_two_digits_are_good(client: Client) -> None:
    made = client.post("/payment_methods", {"type": "card", "card": {**NUMBER, "exp_month": 11, "exp_year": 26}})

    assert (made["card"]["exp_month"], made["card"]["exp_year"]) == (11, 2026)


def test_raw_numbers_can_be_ruled_out_as_in_a_real_sandbox(client: Client, emulator: StripeEmulator) -> None:
    emulator.behaviour.raw_cards = False

    assert client.refused("/payment_methods", {"type": "card", "card": NUMBER}, status=402)["type"] == "card_error"
    assert client.post("/payment_methods", {"type": "card", "card": {"token": "tok_visa"}})["type"] == "card"


def test_a_payment_method_needs_a_card(client: Client) -> None:
    assert client.refused("/payment_methods", {"type": "card"})["param"] == "card"
    assert client.refused("/payment_methods", {"type": "konbini"})["param"] == "type"
    for token in ("tok_none", "visa"):
        error = client.refused("/payment_methods", {"type": "card", "card": {"token": token}})
        assert (error["code"], error["param"]) == ("resource_missing", "card[token]")


@pytest.mark.parametrize("name", sorted(CARDS))
def test_each_test_card_has_a_token_and_an_id(client: Client, name: str) -> None:
    made = client.post("/payment_methods", {"type": "card", "card": {"token": f"tok_{name}"}})

    assert made["card"]["last4"] == CARDS[name].last4
    assert client.pay(f"pm_card_{name}").get("object", "error") in {"payment_intent", "error"}


def test_a_token_of_ones_own_becomes_a_card_once(client: Client) -> None:
    token = client.post("/tokens", {"card": NUMBER})
    assert (token["card"]["last4"], token["used"]) == ("4242", False)

    made = client.post("/payment_methods", {"type": "card", "card": {"token": token["id"]}})

    assert made["card"]["fingerprint"] == token["card"]["fingerprint"]
    assert client.get(f"/tokens/{token['id']}")["used"]
    again = client.refused("/payment_methods", {"type": "card", "card": {"token": token["id"]}})
    assert again["code"] == "token_already_used"


# --- attaching ------------------------------------------------------------------------------------------------------


def test_attaching_a_test_id_makes_a_new_method_each_time(client: Client, customer: str) -> None:
    made = [client.post("/payment_methods/pm_card_visa/attach", {"customer": customer})["id"] for _ in range(2)]

    listed = client.get(f"/customers/{customer}/payment_methods", type="card")["data"]
    assert [one["id"] for one in listed] == made[::-1]
    assert client.get(f"/customers/{customer}/payment_methods/{made[0]}")["id"] == made[0]
    assert client.get("/payment_methods", customer=customer, allow_redisplay="always")["data"] == []
    assert client.get("/payment_methods", customer=customer, type="konbini")["data"] == []
    assert len(client.get("/payment_methods")["data"]) == 2
    other = client.post("/customers")["id"]
    client.refused(f"/customers/{other}/payment_methods/{made[0]}", status=404, method="GET")


def test_attaching_asks_the_issuer(client: Client, customer: str) -> None:
    path = "/payment_methods/pm_card_chargeDeclinedExpiredCard/attach"
    assert client.refused(path, {"customer": customer}, status=402)["code"] == "expired_card"
    assert (
        client.refused("/payment_methods/pm_none/attach", {"customer": customer}, status=404)["code"]
        == "resource_missing"
    )
    assert client.refused("/payment_methods/pm_card_visa/attach", {"customer": "cus_none"})["param"] == "customer"

    dunning = client.post("/payment_methods/pm_card_chargeCustomerFail/attach", {"customer": customer})
    assert dunning["customer"] == customer


def test_a_method_belongs_to_one_customer_and_once_detached_to_nobody(client: Client, customer: str) -> None:
    method = client.post("/payment_methods/pm_card_visa/attach", {"customer": customer})["id"]
    other = client.post("/customers")["id"]

    client.refused(f"/payment_methods/{method}/attach", {"customer": other})
    assert client.post(f"/payment_methods/{method}/attach", {"customer": customer})["id"] == method
    assert client.post(f"/payment_methods/{method}/detach")["customer"] is None
    client.refused(f"/payment_methods/{method}/detach")
    client.refused(f"/payment_methods/{method}/attach", {"customer": customer})
    assert client.pay(method)["error"]["param"] == "payment_method"
    assert client.types(type="payment_method.*") == ["payment_method.attached", "payment_method.detached"]


def test_deleting_a_customer_detaches_their_cards(client: Client, customer: str) -> None:
    method = client.post("/payment_methods/pm_card_visa/attach", {"customer": customer})["id"]

    client.delete(f"/customers/{customer}")

    assert client.get(f"/payment_methods/{method}")["customer"] is None


def test_an_attached_card_can_be_updated(client: Client, customer: str) -> None:
    loose = client.post("/payment_methods", {"type": "card", "card": NUMBER})["id"]
    path = f"/payment_methods/{loose}"
    client.refused(path, {"metadata": {"a": 1}})
    client.post(f"{path}/attach", {"customer": customer})

    changed = client.post(
        path,
        {
            "card": {"exp_month": 1, "exp_year": 31},
            "billing_details": {"name": "Hanako"},
            "allow_redisplay": "always",
            "metadata": {"a": 1},
        },
    )

    assert (changed["card"]["exp_month"], changed["card"]["exp_year"]) == (1, 2031)
    assert (changed["billing_details"]["name"], changed["allow_redisplay"]) == ("Hanako", "always")
    assert client.refused(path, {"card": {"exp_month": 13}}, status=402)["code"] == "invalid_expiry_month"
    client.post(path, {"metadata": {"a": 1}})
    assert len(client.get("/events", type="payment_method.updated")["data"]) == 1


# --- setting a card up ----------------------------------------------------------------------------------------------


def setup(client: Client, **params: Any) -> Any:
    return client.post("/setup_intents", params)


def test_a_set_up_attaches_the_card_for_off_session_use(client: Client, customer: str) -> None:
    intent = setup(client, customer=customer, payment_method="pm_card_visa", confirm=True, **NO_REDIRECTS)

    assert (intent["status"], intent["usage"], intent["last_setup_error"]) == ("succeeded", "off_session", None)
    assert client.charge(f"{customer}/{intent['payment_method']}")["status"] == "succeeded"
    types = client.types(**{"types[]": "setup_intent.*"})
    assert types == ["setup_intent.created", "setup_intent.succeeded"]


def test_a_set_up_in_steps(client: Client, customer: str) -> None:
    intent = setup(client, usage="on_session")
    path = f"/setup_intents/{intent['id']}"
    assert (intent["status"], intent["usage"]) == ("requires_payment_method", "on_session")
    assert client.refused(f"{path}/confirm")["code"] == "setup_intent_unexpected_state"
    assert client.refused(path, {"customer": "cus_none"})["param"] == "customer"

    changed = client.post(
        path,
        {
            "customer": customer,
            "payment_method_data": {"type": "card", "card": {"token": "tok_jp"}},
            "metadata": {"a": 1},
            "description": "new card",
        },
    )
    assert (changed["status"], changed["customer"], changed["description"]) == (
        "requires_confirmation", customer, "new card",
    )  # fmt: skip
    assert client.refused(f"{path}/confirm")["param"] == "return_url"
    done = client.post(f"{path}/confirm", {"return_url": "https://shop.example", "expand": ["payment_method"]})
    assert (done["status"], done["payment_method"]["card"]["country"]) == ("succeeded", "JP")
    assert client.refused(f"{path}/confirm")["setup_intent"]["id"] == intent["id"]
    assert client.post(path, {"metadata": {"b": 2}})["metadata"] == {"a": "1", "b": "2"}
    assert client.get("/setup_intents", customer=customer)["data"][0]["id"] == intent["id"]
    assert client.get("/setup_intents", payment_method="pm_none")["data"] == []
    assert client.get("/setup_intents", payment_method=done["payment_method"]["id"])["data"][0]["id"] == intent["id"]


def test_a_card_that_the_issuer_refuses_is_not_set_up(client: Client, customer: str) -> None:
    body = {"customer": customer, "payment_method": "pm_card_chargeDeclined", "confirm": True, **NO_REDIRECTS}

    error = client.refused("/setup_intents", body, status=402)

    assert (error["code"], error["decline_code"]) == ("card_declined", "generic_decline")
    assert error["setup_intent"]["status"] == "requires_payment_method"
    assert error["setup_intent"]["last_setup_error"]["code"] == "card_declined"
    assert client.types()[-1] == "setup_intent.setup_failed"
    assert client.get(f"/customers/{customer}/payment_methods")["data"] == []


@pytest.mark.parametrize("passed", [True, False])
def test_a_set_up_waits_for_the_customer_and_tells_their_browser_how_it_went(
    client: Client, emulator: StripeEmulator, customer: str, passed: bool
) -> None:
    intent = setup(
        client,
        customer=customer,
        payment_method="pm_card_authenticationRequiredOnSetup",
        confirm=True,
        return_url="https://shop.example/back",
    )
    assert (intent["status"], intent["next_action"]["type"]) == ("requires_action", "redirect_to_url")
    assert client.types()[-1] == "setup_intent.requires_action"

    emulator.approve(intent["id"], passed=passed)

    shown = client.get(f"/setup_intents/{intent['id']}")
    assert shown["status"] == ("succeeded" if passed else "requires_payment_method")
    code = shown["last_setup_error"]["code"] if shown["last_setup_error"] else None
    assert code == (None if passed else "setup_intent_authentication_failure")
    assert str(emulator.return_url(intent["id"])).endswith(f"redirect_status={'succeeded' if passed else 'failed'}")
    if passed:  # and from now on the card pays without the customer
        assert client.charge(f"{customer}/{shown['payment_method']}")["status"] == "succeeded"


def test_a_set_up_can_be_canceled_while_it_waits(client: Client, emulator: StripeEmulator) -> None:
    intent = setup(client, payment_method="pm_card_authenticationRequired", confirm=True, **NO_REDIRECTS)["id"]
    assert emulator.awaiting() == (intent,)

    canceled = client.post(f"/setup_intents/{intent}/cancel", {"cancellation_reason": "abandoned"})

    assert (canceled["status"], canceled["cancellation_reason"], canceled["next_action"]) == (
        "canceled",
        "abandoned",
        None,
    )
    assert emulator.awaiting() == ()
    client.refused(f"/setup_intents/{intent}", {"customer": "cus_1"})


def test_another_card_ends_the_wait_of_a_set_up(client: Client, emulator: StripeEmulator) -> None:
    body = {
        "payment_method": "pm_card_authenticationRequired",
        "confirm": True,
        "allowed_payment_method_types": ["card"],
    }
    intent = setup(client, **body)
    assert intent["automatic_payment_methods"] is None

    client.post(f"/setup_intents/{intent['id']}", {"payment_method": "pm_card_visa"})

    assert emulator.awaiting() == ()
    secret = intent["client_secret"]
    assert client.get(f"/setup_intents/{intent['id']}", client_secret=secret)["status"] == "requires_confirmation"


def test_a_return_address_needs_a_confirmation(client: Client) -> None:
    assert client.refused("/setup_intents", {"return_url": "https://shop.example"})["param"] == "return_url"
    assert client.refused("/setup_intents", {"customer": "cus_none"})["param"] == "customer"


def test_a_set_up_without_a_customer_attaches_to_nobody(client: Client) -> None:
    method = setup(client, payment_method="pm_card_visa", confirm=True, **NO_REDIRECTS)["payment_method"]

    assert client.get(f"/payment_methods/{method}")["customer"] is None


@pytest.mark.parametrize("kind", list(CardKind))
def test_every_kind_of_card_can_be_stored(client: Client, emulator: StripeEmulator, kind: CardKind) -> None:
    customer, method = emulator.store_card(kind).split("/")

    assert client.get(f"/payment_methods/{method}")["customer"] == customer
