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


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"email": None}, "email", "REQUIRED_VALUE"),
        ({"email": "nobody"}, "email", "INVALID_FORMAT_EMAIL"),
        ({"metadata": {"a": {"b": 1}}}, "metadata", "NESTED_JSON_NOT_ALLOWED"),
        ({"metadata": {"a": [1, {"b": 1}]}}, "metadata", "NESTED_JSON_NOT_ALLOWED"),
        ({"metadata": "{"}, "metadata", "INVALID_FORMAT"),
        ({"metadata": 5}, "metadata", "INVALID_FORMAT"),
        ({"data": {"cvv": "12"}}, "data.cvv", "INVALID_CVV"),
        ({"data": {"phone_number": {"country_code": "81", "local_number": "9" * 16}}}, "data.phone_number", None),
    ],
)
def test_a_wrong_field_of_a_card_is_refused_by_name(client, changes, field, reason):
    response = client.token(**changes)

    assert code(response) == (400, "VALIDATION_ERROR")
    [error] = response.json()["errors"]
    assert (error["field"], error["reason"]) == (field, reason or "INVALID_PHONE_NUMBER")


@pytest.mark.parametrize(
    ("payment_type", "expected"),
    [
        ("konbini", "CONVENIENCE_PROCESSING_DISABLED"),
        ("qr_scan", "QR_PROCESSING_DISABLED"),
        ("paidy", "PAYMENT_TYPE_NOT_ALLOWED"),
    ],
)
def test_payment_methods_that_the_store_does_not_have_are_refused(client, payment_type, expected):
    assert code(client.token(payment_type=payment_type)) == (400, expected)


def test_an_address_and_a_security_code_are_needed_as_the_account_is_set_up(client):
    client.emulator.behaviour.email_required = False
    client.emulator.behaviour.cvv_required = True

    assert client.token(email=None).status == 201
    assert code(client.token(data={"cvv": None})) == (400, "CVV_REQUIRED")


def test_live_mode_takes_no_published_test_card(client):
    live = Credentials.for_store(3, mode="live")
    client.emulator.add_store(live)
    client.authorization = live.header

    assert code(client.token()) == (400, "NO_TEST_CARD_IN_LIVE_MODE")
    assert client.token("5555555555554444").json()["mode"] == "live"


def test_metadata_may_come_as_text_and_hold_lists_of_plain_values(client):
    as_text = client.token(metadata='{"a": "1"}').json()
    as_lists = client.token(metadata={"a": ["1", 2, None, True]}).json()

    assert (as_text["metadata"], as_lists["metadata"]) == ({"a": "1"}, {"a": ["1", 2, None, True]})


# --- changing and replacing ------------------------------------------------------------------------------------------


def test_a_card_can_be_changed_field_by_field(client, card):
    client.send(
        "PATCH",
        f"{client.store}/tokens/{card}",
        {
            "data": {
                "cardholder": "JIRO YAMADA",
                "card_number": "5555555555554444",
                "exp_month": "1",
                "exp_year": "2033",
                "line1": "1-2-3 Mita",
                "phone_number": {"country_code": "81", "local_number": "901"},
            }
        },
    )

    data = client.get(f"/tokens/{card}")["data"]
    assert data["card"]["brand"] == "mastercard"
    assert (data["card"]["cardholder"], data["card"]["exp_month"], data["card"]["exp_year"]) == ("JIRO YAMADA", 1, 2033)
    assert (data["billing"]["line1"], data["billing"]["phone_number"]["local_number"]) == ("1-2-3 Mita", "901")


def test_a_browser_may_give_the_security_code_again_and_change_nothing_else(client, card):
    client.authorization = f"Bearer {client.emulator.credentials.app_token}"
    origin, path = {"Origin": "https://shop.example"}, f"{client.store}/tokens/{card}"

    assert client.send("PATCH", path, {"data": {"cvv": "321"}}, headers=origin).status == 200
    for body in ({"email": "thief@example.com"}, {"data": {"cvv": "321", "cardholder": "A THIEF"}}):
        assert code(client.send("PATCH", path, body, headers=origin)) == (403, "INVALID_PERMISSIONS")
    listing = client.send("GET", f"{client.store}/tokens?type=recurring", headers=origin)
    assert code(listing) == (403, "INVALID_PERMISSIONS")


def test_above_a_threshold_the_security_code_is_asked_for_again_for_each_charge(client, card):
    client.emulator.behaviour.cvv_threshold = {"JPY": 5000}
    below, above = client.charge(card, 5000), client.charge(card, 5001)
    client.send("PATCH", f"{client.store}/tokens/{card}", {"data": {"cvv": "321"}})

    assert below.status == 201
    assert code(above) == (400, "RECURRING_USAGE_REQUIRES_CVV")
    assert client.charge(card, 6000).status == 201
    assert code(client.charge(card, 7000)) == (400, "RECURRING_USAGE_REQUIRES_CVV")


def test_a_renewed_card_is_a_new_token_and_the_end_of_the_old_one(client, card):
    client.emulator.add_webhook("https://shop.example/hooks", "word", triggers=("token_replaced",))
    path = f"{client.store}/tokens/{card}/renew"
    renewed = client.send("POST", path, {"data": {"cardholder": "HANAKO SATO", "exp_month": 3, "exp_year": 2034}})

    token = renewed.json()
    assert (renewed.status, token["previous_id"], token["data"]["card"]["exp_year"]) == (201, card, 2034)
    assert client.get(f"/tokens/{card}")["active"] is False
    assert [one["id"] for one in client.get("/tokens", previous_transaction_token_id=card)["items"]] == [token["id"]]
    assert [delivery.event for delivery in client.emulator.outbox.waiting] == ["token_replaced"]
    assert client.charge(token["id"]).status == 201
    assert code(client.send("POST", path, {"data": {}})) == (400, "CANNOT_UPDATE_TRANSACTION_TOKEN")
    assert code(client.send("POST", f"{client.store}/tokens/{token['id']}/renew")) == (400, "VALIDATION_ERROR")


def test_a_card_to_be_confirmed_is_charged_only_after_the_code_from_the_mail(client):
    token = client.token(use_confirmation=True).json()
    path, early = f"{client.store}/tokens/{token['id']}/confirm", code(client.charge(token["id"]))
    wrong = code(client.send("POST", path, {"confirmation_code": "guess"}))
    mailed = client.emulator.confirmation_code(token["id"])
    confirmed = client.send("POST", path, {"confirmation_code": mailed})

    assert (token["confirmed"], confirmed.json()["confirmed"]) == (False, True)
    assert (early, wrong) == ((400, "TOKEN_MUST_BE_CONFIRMED"), (400, "VALIDATION_ERROR"))
    assert client.charge(token["id"]).status == 201


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"search": "taro@"}, 1),
        ({"search": "jiro"}, 0),
        ({"customer_id": "5a0e3c0e-0000-5000-8000-00000000aa01"}, 1),
        ({"customer_id": "5a0e3c0e-0000-5000-8000-00000000aa02"}, 0),
        ({"type": "recurring"}, 1),
        ({"type": "subscription"}, 0),
        ({"mode": "live"}, 0),
        ({"payment_type": "konbini"}, 0),
        ({"active": "inactive"}, 0),
    ],
)
def test_the_list_of_cards_is_filtered(client, query, count):
    client.token(metadata={"univapay-customer-id": "5a0e3c0e-0000-5000-8000-00000000aa01"})

    page = client.get("/tokens", **query)
    assert (len(page["items"]), page["total_hits"]) == (count, count)


# --- security code and 3-D Secure of a stored card -------------------------------------------------------------------


def test_a_card_whose_security_code_was_refused_cannot_be_charged(client, clock):
    client.emulator.add_webhook("https://shop.example/hooks", "word", triggers=("token_cvv_auth_updated",))
    token = client.token("4111111111111111", data={"cvv_authorize": {"enabled": True, "currency": "USD"}}).json()
    polled = client.get(f"/tokens/{token['id']}", polling="true")

    assert polled["data"]["cvv_authorize"] | {"charge_id": None} == {
        "enabled": True,
        "status": "failed",
        "charge_id": None,
        "credentials_id": None,
        "currency": "USD",
    }
    assert code(client.charge(token["id"])) == (400, "CVV_AUTHORIZATION_NOT_COMPLETED")
    assert [delivery.event for delivery in client.emulator.outbox.waiting] == ["token_cvv_auth_updated"]


@pytest.mark.parametrize(("passed", "status", "charge"), [(True, "successful", None), (False, "failed", 363)])
def test_the_customer_of_a_stored_card_proves_themselves_once(client, clock, passed, status, charge):
    asked = {"enabled": True, "redirect_endpoint": "https://shop.example/back"}
    token_id = client.token(data={"three_ds": asked}).json()["id"]
    waiting = client.get(f"/tokens/{token_id}", polling="true")["data"]["three_ds"]
    issuer = client.get(f"/tokens/{token_id}/three_ds/issuer_token")
    back = client.emulator.return_url(token_id)
    client.emulator.approve(token_id, passed=passed)
    client.emulator.behaviour.three_ds_required = True
    charge_id = client.charge(token_id).json()["id"]
    clock.advance(seconds=1)

    assert (waiting["status"], back) == ("awaiting", "https://shop.example/back")
    assert issuer["payload"] == {"resource_id": token_id, "resource_type": "transaction_token"}
    assert client.get(f"/tokens/{token_id}")["data"]["three_ds"]["status"] == status
    paid = client.get(f"/charges/{charge_id}")
    assert (paid["error"] or {}).get("code") == charge
    gone = client.send("GET", f"{client.store}/tokens/{token_id}/three_ds/issuer_token")
    assert code(gone) == (400, "INVALID_THREE_DS_STATUS")


def test_identity_checks_of_a_stored_card_are_switched_on_and_off(client, card, clock):
    client.emulator.add_webhook("https://shop.example/hooks", "word", triggers=("token_three_ds_updated",))
    path = f"{client.store}/tokens/{card}/three_ds"
    on = client.send("POST", path, {"redirect_endpoint": "https://shop.example/back"}).json()["data"]["three_ds"]
    client.send("DELETE", path)
    clock.advance(seconds=1)
    off = client.get(f"/tokens/{card}")["data"]["three_ds"]

    assert (on["enabled"], on["status"], off["enabled"], off["status"]) == (True, "pending", False, None)
    assert client.emulator.awaiting() == ()
    assert client.emulator.outbox.waiting == ()
    assert client.charge(card).status == 201


def test_only_a_recurring_card_has_identity_checks_of_its_own(client):
    token = client.token(type="one_time").json()

    assert code(client.send("POST", f"{client.store}/tokens/{token['id']}/three_ds")) == (400, "INVALID_TOKEN_TYPE")
