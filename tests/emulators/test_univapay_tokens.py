"""Cards of the emulated UnivaPay, and who may ask for anything."""

from __future__ import annotations

import pytest

from paygate.testing.emulators.univapay import Credentials
from paygate.testing.emulators.univapay.cards import brand_of


def code(response):
    return response.status, response.json()["code"]


# --- who is asking ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("authorization", "expected"),
    [
        (None, "AUTH_HEADER_MISSING"),
        ("Bearer nothing", "INVALID_APP_TOKEN"),
        ("Token a.b.c.d", "INVALID_APP_TOKEN"),
        (f"Bearer {Credentials.for_store(9).secret}.{Credentials.for_store(9).app_token}", "INVALID_APP_TOKEN"),
        (f"Bearer guess.{Credentials.for_store().app_token}", "INVALID_CREDENTIALS"),
        (f"Bearer {Credentials.for_store().app_token}.{Credentials.for_store().secret}", "INVALID_APP_TOKEN"),
        (f"Bearer {Credentials.for_store().app_token}", "INVALID_DOMAIN"),
    ],
    ids=["none", "short", "scheme", "stranger", "secret", "reversed", "browser"],
)
def test_wrong_credentials_are_refused_with_a_code_that_says_why(client, authorization, expected):
    client.authorization = authorization

    assert code(client.send("GET", "/me")) == (401, expected)


def test_a_browser_of_a_listed_domain_may_store_a_card_but_not_charge_it(client, card):
    client.authorization = f"Bearer {client.emulator.credentials.app_token}"
    origin = {"Origin": "https://shop.example"}
    body = {
        "payment_type": "card",
        "type": "recurring",
        "email": "taro@example.com",
        "data": {"card_number": "4000020000000000", "exp_month": 12, "exp_year": 31},
    }

    stored = client.send("POST", "/tokens", body, headers=origin)
    charged = client.send(
        "POST", "/charges", {"transaction_token_id": card, "amount": 1, "currency": "JPY"}, headers=origin
    )

    assert stored.status == 201
    assert code(charged) == (403, "INVALID_PERMISSIONS")


def test_the_heartbeat_needs_no_credentials(client):
    client.authorization = None

    assert client.send("GET", "/heartbeat").status == 200


@pytest.mark.parametrize("path", ["/nothing", "/stores/11f0a1b2-1111-4a00-8000-0000000000ff/charges"])
def test_what_is_not_there_or_not_ours_is_a_404_without_a_body(client, path):
    response = client.send("GET", path)

    assert (response.status, response.body) == (404, b"")


@pytest.mark.parametrize("app_token", ["", "a.b.c", "e30.e30.x"])
def test_credentials_without_a_store_are_refused(app_token):
    with pytest.raises(ValueError, match="app token"):
        Credentials(app_token, "secret")


# --- cards -----------------------------------------------------------------------------------------------------------


def test_a_card_is_stored_and_neither_number_nor_security_code_ever_comes_back(client):
    created = client.token(data={"cvv": "9876"})
    seen = client.send("GET", f"{client.store}/tokens/{created.json()['id']}")

    assert created.status == 201
    assert created.json()["data"]["card"]["last_four"] == "0000"
    for response in (created, seen):
        assert b"4000020000000000" not in response.body
        assert b"9876" not in response.body
    assert "4000020000000000" not in repr(list(client.emulator._state.tokens))


def test_a_country_code_goes_in_as_text_and_comes_out_as_a_number(client):
    created = client.token(data={"phone_number": {"country_code": "81", "local_number": "9012345678"}}).json()

    assert created["data"]["billing"]["phone_number"] == {"country_code": 81, "local_number": "9012345678"}


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"payment_type": "cheque"}, "payment_type", "INVALID_FORMAT"),
        ({"type": "forever"}, "type", "INVALID_FORMAT"),
        ({"data": {"card_number": "4000020000000001"}}, "data.card_number", "INVALID_CARD_NUMBER"),
        ({"data": {"card_number": "number"}}, "data.card_number", "INVALID_CARD_NUMBER"),
        ({"data": {"exp_month": "13"}}, "data.exp_month", "INVALID_CARD_EXPIRATION"),
        ({"data": {"exp_year": "2026", "exp_month": "10"}}, "data.exp_year", "INVALID_CARD_EXPIRATION"),
    ],
)
def test_a_wrong_card_is_refused_by_field(client, changes, field, reason):
    response = client.token(**changes)

    assert code(response) == (400, "VALIDATION_ERROR")
    assert response.json()["errors"] == [{"field": field, "reason": reason}]


def test_a_token_without_card_data_is_refused(client):
    response = client.send("POST", "/tokens", {"payment_type": "card", "type": "recurring"})

    assert response.json()["errors"] == [{"field": "data", "reason": "REQUIRED_VALUE"}]


@pytest.mark.parametrize(
    ("digits", "brand"),
    [
        ("400002", "visa"),
        ("555555", "mastercard"),
        ("222300", "mastercard"),
        ("353011", "jcb"),
        ("378282", "american_express"),
        ("360700", "diners_club"),
        ("601111", "discover"),
        ("990000", "unknown"),
    ],
)
def test_the_brand_follows_from_the_first_digits(digits, brand):
    assert brand_of(digits) == brand


@pytest.mark.parametrize(
    ("privilege", "limit", "expected"),
    [
        ("none", None, "RECURRING_TOKEN_DISABLED"),
        ("bounded", None, "RECURRING_USAGE_LIMIT_REQUIRED"),
        ("infinite", "monthly", "USAGE_LIMIT_NOT_APPLICABLE"),
    ],
)
def test_the_merchants_privilege_decides_about_stored_cards(client, privilege, limit, expected):
    client.emulator.behaviour.recurring_privilege = privilege

    assert code(client.token(usage_limit=limit)) == (400, expected)
    assert client.token(type="one_time").status == 201


def test_a_bounded_merchant_stores_a_card_with_a_limit(client):
    client.emulator.behaviour.recurring_privilege = "bounded"

    assert client.token(usage_limit="monthly").json()["usage_limit"] == "monthly"


def test_raw_cards_from_a_server_can_be_switched_off(client):
    client.emulator.behaviour.raw_cards = False

    assert code(client.token()) == (401, "DIRECT_CARD_TOKEN_CREATION_DISABLED")


def test_a_card_can_be_changed_listed_and_deleted(client, card):
    client.send("PATCH", f"{client.store}/tokens/{card}", {"email": "new@example.com", "metadata": {"note": "moved"}})
    client.token(type="one_time")
    listed = client.get("/tokens")
    deleted = client.send("DELETE", f"{client.store}/tokens/{card}")

    assert [(item["id"], item["email"]) for item in listed["items"]] == [(card, "new@example.com")]
    assert (deleted.status, deleted.body) == (204, b"")
    assert client.get("/tokens")["items"] == []
    assert [item["active"] for item in client.get("/tokens", active="all")["items"]] == [False]
    assert client.get(f"/tokens/{card}")["metadata"] == {"note": "moved"}


def test_a_card_with_a_charge_under_way_cannot_be_deleted(client, card):
    client.emulator.behaviour.pending = None
    client.charge(card)

    assert code(client.send("DELETE", f"{client.store}/tokens/{card}")) == (400, "UNFINISHED_CHARGES_EXIST_FOR_TOKEN")


def test_a_security_code_check_makes_a_charge_that_is_no_payment(client, clock):
    token = client.token(data={"cvv_authorize": {"enabled": True}}).json()
    early = code(client.charge(token["id"]))
    clock.advance(days=30)

    [check] = client.get("/charges")["items"]
    asked, known = token["data"]["cvv_authorize"], client.get(f"/tokens/{token['id']}")["data"]["cvv_authorize"]
    assert (asked["status"], known["status"], known["charge_id"]) == ("pending", "current", check["id"])
    assert early == (400, "CVV_AUTHORIZATION_NOT_COMPLETED")
    assert check["status"] == "authorized"
    assert code(client.send("POST", f"{client.store}/charges/{check['id']}/capture")) == (400, "ALREADY_CAPTURED")
    assert not client.emulator.book.movements
