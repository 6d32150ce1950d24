"""Payment intents: off-session charges, declines, 3-D Secure, holds, and what may happen when (provider fact sheet §4)."""

from __future__ import annotations

from typing import Any

import pytest

from paygate.testing.clock import ManualClock
from paygate.testing.emulators import CardKind, Wish, WishKind
from paygate.testing.emulators.stripe import StripeEmulator

Client = Any

NO_REDIRECTS = {"automatic_payment_methods": {"enabled": True, "allow_redirects": "never"}}


def new(client: Client, **more: Any) -> Any:
    return client.post("/payment_intents", {"amount": 3000, "currency": "jpy", **more})


# --- charging a stored card -----------------------------------------------------------------------------------------


def test_an_off_session_payment_takes_yen_and_writes_them_into_the_book(
    client: Client, emulator: StripeEmulator, card: str
) -> None:
    intent = client.charge(card, 500, metadata={"paygate_charge": "a1"}, description="Gold", statement_descriptor="EX")

    assert (intent["status"], intent["amount"], intent["amount_received"]) == ("succeeded", 500, 500)
    assert intent["client_secret"].startswith(f"{intent['id']}_secret_")
    assert (intent["description"], intent["statement_descriptor"]) == ("Gold", "EX")
    (row,) = emulator.book.captures
    assert (row.amount.minor, row.amount.currency, row.reference) == (500, "JPY", intent["id"])
    assert (row.attempt, row.credential) == ("a1", card)
    charge = client.get(f"/charges/{intent['latest_charge']}")
    assert (charge["paid"], charge["captured"], charge["metadata"]) == (True, True, {"paygate_charge": "a1"})
    assert charge["outcome"]["type"] == "authorized"


def test_the_events_of_a_payment_come_in_the_order_of_what_happened(client: Client, card: str) -> None:
    intent = client.charge(card)["id"]

    assert client.types()[-3:] == ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded"]
    created = client.get("/events", type="payment_intent.created")["data"][0]["data"]["object"]
    assert (created["id"], created["status"]) == (intent, "requires_confirmation")


@pytest.mark.parametrize("off_session", ["true", "one_off", "recurring"])
def test_off_session_has_three_spellings(client: Client, off_session: str) -> None:
    assert client.pay(off_session=off_session)["status"] == "succeeded"


def test_a_payment_has_to_name_the_customer_that_its_card_belongs_to(client: Client, card: str) -> None:
    method = card.split("/")[1]
    other = client.post("/customers")["id"]

    assert client.pay(method)["error"]["param"] == "payment_method"
    assert client.pay(method, customer=other)["error"]["param"] == "payment_method"
    assert client.pay(method, customer="cus_none")["error"]["code"] == "resource_missing"
    assert client.pay("pm_none")["error"]["code"] == "resource_missing"


def test_an_unattached_card_pays_once(client: Client) -> None:
    method = client.post("/payment_methods", {"type": "card", "card": {"token": "tok_visa"}})["id"]
    customer = client.post("/customers")["id"]

    assert client.pay(method)["status"] == "succeeded"
    assert "may not be used again" in client.pay(method)["error"]["message"]
    assert client.refused(f"/payment_methods/{method}/attach", {"customer": customer})["param"] == "payment_method"


@pytest.mark.parametrize("name", ["off_session", "return_url", "error_on_requires_action"])
def test_what_only_a_confirmation_understands_needs_confirm(client: Client, name: str) -> None:
    values = {"off_session": True, "return_url": "https://shop.example", "error_on_requires_action": True}

    error = client.refused("/payment_intents", {"amount": 500, "currency": "jpy", name: values[name]})

    assert error["param"] == name


# --- amounts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "currency", "code"),
    [
        (0, "jpy", "parameter_invalid_integer"),
        (-5, "jpy", "parameter_invalid_integer"),
        ("12.5", "jpy", "parameter_invalid_integer"),
        (49, "jpy", "amount_too_small"),
        (49, "usd", "amount_too_small"),
        (29, "gbp", "amount_too_small"),
        (100_000_000, "jpy", "amount_too_large"),
        (500, "xyz", None),
        (500, "yen!", None),
    ],
)
def test_amounts_that_stripe_does_not_take_are_refused(client: Client, amount: Any, currency: str, code: str) -> None:
    error = client.refused("/payment_intents", {"amount": amount, "currency": currency})

    assert error.get("code") == code
    assert error["type"] == "invalid_request_error"


@pytest.mark.parametrize(("amount", "currency"), [(50, "jpy"), (99_999_999, "JPY"), (30, "gbp")])
def test_the_smallest_and_the_largest_amounts_pass(client: Client, amount: int, currency: str) -> None:
    assert client.pay(amount=amount, currency=currency)["currency"] == currency.lower()


# --- declines -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("token", "code", "decline_code"),
    [
        ("chargeDeclined", "card_declined", "generic_decline"),
        ("visa_chargeDeclined", "card_declined", "generic_decline"),
        ("visa_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("visa_chargeDeclinedLostCard", "card_declined", "lost_card"),
        ("visa_chargeDeclinedStolenCard", "card_declined", "stolen_card"),
        ("chargeDeclinedExpiredCard", "expired_card", None),
        ("chargeDeclinedIncorrectCvc", "incorrect_cvc", None),
        ("chargeDeclinedProcessingError", "processing_error", None),
        ("visa_chargeDeclinedVelocityLimitExceeded", "card_declined", "card_velocity_exceeded"),
        ("riskLevelHighest", "card_declined", "fraudulent"),
        ("authenticationRequired", "authentication_required", "authentication_required"),
        ("authenticationRequiredOnSetup", "authentication_required", "authentication_required"),
        ("threeDSecure2Required", "authentication_required", "authentication_required"),
    ],
)
def test_each_test_card_is_declined_in_its_own_way(
    client: Client, emulator: StripeEmulator, token: str, code: str, decline_code: str | None
) -> None:
    response = client.send(
        "POST",
        "/payment_intents",
        {"amount": 500, "currency": "jpy", "payment_method": f"pm_card_{token}", "confirm": True, "off_session": True},
    )

    error = response.json()["error"]
    assert (response.status, error["type"]) == (402, "card_error")
    assert (error["code"], error.get("decline_code")) == (code, decline_code)
    assert "param" not in error
    assert error["payment_intent"]["last_payment_error"]["code"] == code
    assert emulator.book.movements == ()


def test_a_decline_keeps_the_intent_and_names_the_failed_charge(client: Client) -> None:
    error = client.pay("pm_card_chargeDeclined")["error"]

    intent = client.get(f"/payment_intents/{error['payment_intent']['id']}")
    assert (intent["status"], intent["payment_method"]) == ("requires_payment_method", None)
    assert intent["latest_charge"] == error["charge"] == intent["last_payment_error"]["charge"]
    assert intent["last_payment_error"]["payment_method"]["id"] == error["payment_method"]["id"]
    charge = client.get(f"/charges/{error['charge']}")
    assert (charge["status"], charge["paid"], charge["failure_code"]) == ("failed", False, "card_declined")
    assert charge["outcome"]["type"] == "issuer_declined"
    assert charge["balance_transaction"] is None
    assert client.types()[-3:] == ["payment_intent.created", "charge.failed", "payment_intent.payment_failed"]


def test_a_charge_that_risk_rules_stop_never_reaches_the_network(client: Client) -> None:
    error = client.pay("pm_card_riskLevelHighest")["error"]

    outcome = client.get(f"/charges/{error['charge']}")["outcome"]
    assert (outcome["type"], outcome["network_status"], outcome["risk_level"]) == (
        "blocked", "not_sent_to_network", "highest",
    )  # fmt: skip


def test_the_dunning_card_attaches_and_is_declined_each_time(client: Client, emulator: StripeEmulator) -> None:
    card = emulator.store_card(CardKind.DECLINED_SOFT)

    declines = [client.charge(card)["error"]["decline_code"] for _ in range(2)]

    assert declines == ["generic_decline", "generic_decline"]


def test_a_card_that_is_declined_for_good_can_be_stored_by_the_test(client: Client, emulator: StripeEmulator) -> None:
    error = client.charge(emulator.store_card(CardKind.DECLINED_HARD))["error"]

    assert (error["decline_code"], error["advice_code"]) == ("lost_card", "do_not_try_again")


def test_the_same_intent_is_confirmed_again_with_another_card_and_makes_another_charge(client: Client) -> None:
    declined = client.pay("pm_card_chargeDeclined")["error"]["payment_intent"]["id"]

    retried = client.post(
        f"/payment_intents/{declined}/confirm", {"payment_method": "pm_card_visa", "off_session": True}
    )

    assert (retried["status"], retried["last_payment_error"]) == ("succeeded", None)
    charges = client.get("/charges", payment_intent=declined)["data"]
    assert [charge["status"] for charge in charges] == ["succeeded", "failed"]
    assert retried["latest_charge"] == charges[0]["id"]


def test_whether_the_last_error_survives_a_success_can_be_switched(client: Client, emulator: StripeEmulator) -> None:
    emulator.behaviour.last_error_survives_success = True
    declined = client.pay("pm_card_chargeDeclined")["error"]["payment_intent"]["id"]

    retried = client.post(
        f"/payment_intents/{declined}/confirm", {"payment_method": "pm_card_visa", "off_session": True}
    )

    assert (retried["status"], retried["last_payment_error"]["code"]) == ("succeeded", "card_declined")


def test_whether_declines_carry_advice_can_be_switched(client: Client, emulator: StripeEmulator) -> None:
    assert client.pay("pm_card_chargeDeclined")["error"]["advice_code"] == "try_again_later"

    emulator.behaviour.advice_codes = False

    assert "advice_code" not in client.pay("pm_card_chargeDeclined")["error"]


@pytest.mark.parametrize("makes_charge", [False, True])
def test_authentication_that_is_missing_off_session_is_a_refusal_with_or_without_a_charge(
    client: Client, emulator: StripeEmulator, makes_charge: bool
) -> None:
    emulator.behaviour.authentication_required_makes_charge = makes_charge

    error = client.charge(emulator.store_card(CardKind.ACTION_REQUIRED))["error"]

    assert error["payment_intent"]["status"] == "requires_payment_method"
    assert error["payment_method"]["card"]["last4"] == "3184"
    assert ("charge" in error) is makes_charge
    assert emulator.awaiting() == ()


# --- wishes ---------------------------------------------------------------------------------------------------------


def test_a_wish_decides_the_next_payment_whatever_its_card_says(
    client: Client, emulator: StripeEmulator, card: str
) -> None:
    emulator.wish(Wish(WishKind.DECLINE, "do_not_honor"), credential=card)
    emulator.wish(Wish(WishKind.DECLINE), amount=777)
    emulator.wish(Wish(WishKind.SUCCEED), card="4000 0000 0000 0341")
    emulator.wish(Wish(WishKind.DECLINE, "expired_card"), amount=778)

    assert client.charge(card)["error"]["decline_code"] == "do_not_honor"
    assert client.charge(card, 777)["error"]["decline_code"] == "generic_decline"
    assert client.charge(card, 778)["error"]["code"] == "expired_card"
    assert client.pay("pm_card_chargeCustomerFail")["status"] == "succeeded"
    assert client.charge(card, 777)["status"] == "succeeded"


def test_a_customer_who_was_wished_away_from_the_desk_is_a_refusal_off_session_and_a_wait_on_session(
    client: Client, emulator: StripeEmulator, card: str
) -> None:
    emulator.wish(Wish(WishKind.ACTION), times=2)

    assert client.charge(card)["error"]["code"] == "authentication_required"
    assert new(client, payment_method="pm_card_visa", confirm=True, **NO_REDIRECTS)["status"] == "requires_action"


def test_an_error_that_was_wished_for_is_a_500_and_moves_nothing(
    client: Client, emulator: StripeEmulator, card: str
) -> None:
    emulator.wish(Wish(WishKind.ERROR))

    error = client.charge(card)["error"]

    assert error["type"] == "api_error"
    assert emulator.book.movements == ()


@pytest.mark.parametrize("seconds", [None, 90])
def test_a_payment_can_stay_open(
    client: Client, emulator: StripeEmulator, clock: ManualClock, seconds: int | None, card: str
) -> None:
    emulator.wish(Wish(WishKind.PENDING, seconds=seconds))
    intent = client.charge(card)
    assert intent["status"] == "processing"
    assert client.get(f"/charges/{intent['latest_charge']}")["status"] == "pending"
    assert client.types()[-2:] == ["charge.pending", "payment_intent.processing"]
    assert emulator.book.movements == ()

    clock.advance(seconds=90)

    settled = client.get(f"/payment_intents/{intent['id']}")["status"]
    assert settled == ("processing" if seconds is None else "succeeded")
    assert emulator.book.captured(intent["id"]) == (0 if seconds is None else 3000)


def test_an_open_payment_is_settled_by_hand_once(client: Client, emulator: StripeEmulator) -> None:
    card = emulator.store_card(CardKind.PENDING)
    good, bad = client.charge(card)["id"], client.charge(card)["id"]

    emulator.settle(good)
    emulator.settle(good, code="lost_card")
    emulator.settle(bad, code="insufficient_funds")

    assert client.get(f"/payment_intents/{good}")["status"] == "succeeded"
    refused = client.get(f"/payment_intents/{bad}")
    assert refused["last_payment_error"]["decline_code"] == "insufficient_funds"
    assert emulator.book.captured() == 3000
    with pytest.raises(KeyError):
        emulator.settle("pi_none")


# --- the customer is there ------------------------------------------------------------------------------------------


def test_3d_secure_sends_the_customer_away_and_takes_the_money_when_they_pass(
    client: Client, emulator: StripeEmulator
) -> None:
    intent = new(
        client, payment_method="pm_card_threeDSecure2Required", confirm=True, return_url="https://shop.example/?a=1"
    )
    assert intent["status"] == "requires_action"
    step = intent["next_action"]["redirect_to_url"]
    assert step == {"return_url": "https://shop.example/?a=1", "url": emulator.customer_url(intent["id"])}
    assert emulator.awaiting() == (intent["id"],)
    assert emulator.return_url(intent["id"]) is None

    emulator.approve(intent["id"])

    assert client.get(f"/payment_intents/{intent['id']}")["status"] == "succeeded"
    assert emulator.book.captured(intent["id"]) == 3000
    back = emulator.return_url(intent["id"])
    assert back is not None
    assert back.startswith(f"https://shop.example/?a=1&payment_intent={intent['id']}&payment_intent_client_secret=pi_")
    assert back.endswith("redirect_status=succeeded")
    assert "payment_intent.requires_action" in client.types()
    with pytest.raises(KeyError):
        emulator.approve(intent["id"])


def test_a_customer_who_fails_3d_secure_may_try_another_card(client: Client, emulator: StripeEmulator) -> None:
    intent = new(
        client, payment_method="pm_card_authenticationRequired", confirm=True, return_url="https://shop.example"
    )

    emulator.approve(intent["id"], passed=False)

    failed = client.get(f"/payment_intents/{intent['id']}")
    assert (failed["status"], failed["next_action"]) == ("requires_payment_method", None)
    error = failed["last_payment_error"]
    assert (error["code"], error["type"]) == ("payment_intent_authentication_failure", "invalid_request_error")
    assert str(emulator.return_url(intent["id"])).endswith("redirect_status=failed")
    assert emulator.book.movements == ()


def test_a_card_may_be_declined_after_3d_secure(client: Client, emulator: StripeEmulator) -> None:
    card = "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds"
    intent = new(client, payment_method=card, confirm=True, **NO_REDIRECTS)
    assert intent["next_action"]["type"] == "use_stripe_sdk"

    emulator.approve(intent["id"])

    failed = client.get(f"/payment_intents/{intent['id']}")
    assert failed["last_payment_error"]["decline_code"] == "insufficient_funds"
    assert emulator.return_url(intent["id"]) is None


def test_3d_secure_can_be_ruled_out_by_the_request(client: Client) -> None:
    body = {"amount": 500, "currency": "jpy", "payment_method": "pm_card_authenticationRequired", "confirm": True}

    error = client.refused("/payment_intents", {**body, **NO_REDIRECTS, "error_on_requires_action": True}, status=402)

    assert (error["code"], error["decline_code"]) == ("card_declined", "authentication_not_handled")


def test_a_request_may_ask_for_3d_secure_of_any_card_while_the_customer_is_there(client: Client) -> None:
    options = {"payment_method_options": {"card": {"request_three_d_secure": "any"}}}

    asked = new(client, payment_method="pm_card_visa", confirm=True, **NO_REDIRECTS, **options)

    assert asked["status"] == "requires_action"
    assert asked["payment_method_options"]["card"]["request_three_d_secure"] == "any"
    assert client.pay(**options)["status"] == "succeeded"
    set_up = client.post(
        "/setup_intents", {"payment_method": "pm_card_visa", "confirm": True, **NO_REDIRECTS, **options}
    )
    assert set_up["status"] == "requires_action"


def test_a_card_set_up_elsewhere_asks_only_while_the_customer_is_there(client: Client) -> None:
    card = "pm_card_authenticationRequiredSetupForOffSession"

    assert client.pay(card)["status"] == "succeeded"
    assert new(client, payment_method=card, confirm=True, **NO_REDIRECTS)["status"] == "requires_action"


def test_saving_a_card_while_paying_makes_it_usable_off_session(client: Client, emulator: StripeEmulator) -> None:
    customer = client.post("/customers")["id"]
    intent = new(
        client,
        customer=customer,
        payment_method="pm_card_authenticationRequiredOnSetup",
        setup_future_usage="off_session",
        confirm=True,
        return_url="https://shop.example",
    )
    emulator.approve(intent["id"])

    method = client.get(f"/payment_intents/{intent['id']}")["payment_method"]
    assert client.get(f"/payment_methods/{method}")["customer"] == customer
    assert client.charge(f"{customer}/{method}")["status"] == "succeeded"


def test_an_on_session_confirmation_without_a_way_back_is_refused_unless_no_method_needs_one(client: Client) -> None:
    body = {"amount": 500, "currency": "jpy", "payment_method": "pm_card_visa", "confirm": True}

    assert client.refused("/payment_intents", body)["param"] == "return_url"
    assert client.post("/payment_intents", {**body, **NO_REDIRECTS})["status"] == "succeeded"
    assert client.post("/payment_intents", {**body, "return_url": "https://shop.example"})["status"] == "succeeded"
    only_cards = client.post("/payment_intents", {**body, "allowed_payment_method_types": ["card"]})
    assert (only_cards["status"], only_cards["allowed_payment_method_types"]) == ("succeeded", ["card"])


@pytest.mark.rule("R-375")
def test_payment_method_types_left_the_requests_of_new_versions_unless_the_switch_says_otherwise(
    client: Client, emulator: StripeEmulator
) -> None:
    body = {"amount": 500, "currency": "jpy", "payment_method_types": ["card"]}
    client.version = "2026-09-30.endive"
    assert client.refused("/payment_intents", body)["code"] == "parameter_unknown"

    emulator.behaviour.refuses_payment_method_types = False

    assert client.post("/payment_intents", body)["payment_method_types"] == ["card"]
    konbini = {"amount": 500, "currency": "jpy", "payment_method_types": ["konbini"]}
    assert client.refused("/payment_intents", konbini)["param"] == "payment_method_types"


# --- the life of an intent ------------------------------------------------------------------------------------------


def test_an_intent_is_created_updated_and_confirmed_in_steps(client: Client) -> None:
    intent = new(client)
    assert (intent["status"], intent["payment_method"]) == ("requires_payment_method", None)
    path = f"/payment_intents/{intent['id']}"

    changed = client.post(path, {"amount": 4000, "currency": "usd", "payment_method": "pm_card_visa"})
    assert (changed["status"], changed["amount"], changed["currency"]) == ("requires_confirmation", 4000, "usd")
    customer = client.post("/customers")["id"]
    assert client.post(path, {"customer": customer, "metadata": {"a": 1}})["customer"] == customer
    assert client.get("/payment_intents", customer=customer)["data"][0]["id"] == intent["id"]

    confirmed = client.post(f"{path}/confirm", {"return_url": "https://shop.example"})
    assert confirmed["status"] == "succeeded"


def test_a_refusal_of_an_update_changes_nothing(client: Client) -> None:
    intent = new(client)["id"]

    client.refused(f"/payment_intents/{intent}", {"amount": 4000, "payment_method": "pm_none"})
    client.refused(f"/payment_intents/{intent}", {"amount": 4000, "customer": "cus_none"})
    client.refused(f"/payment_intents/{intent}", {"amount": 40})

    assert client.get(f"/payment_intents/{intent}")["amount"] == 3000


def test_an_intent_without_a_card_cannot_be_confirmed(client: Client) -> None:
    intent = new(client)["id"]

    error = client.refused(f"/payment_intents/{intent}/confirm")

    assert error["code"] == "payment_intent_unexpected_state"
    assert error["payment_intent"]["id"] == intent
    assert (
        client.refused("/payment_intents", {"amount": 500, "currency": "jpy", "confirm": True})["code"] == error["code"]
    )


@pytest.mark.parametrize("action", ["confirm", "capture", "cancel", ""])
def test_a_payment_that_succeeded_takes_nothing_but_metadata(client: Client, card: str, action: str) -> None:
    intent = client.charge(card)["id"]
    params = {} if action else {"amount": 4000}

    error = client.refused(f"/payment_intents/{intent}/{action}".rstrip("/"), params)

    assert error["code"] == "payment_intent_unexpected_state"
    assert client.post(f"/payment_intents/{intent}", {"metadata": {"late": 1}})["metadata"] == {"late": "1"}


def test_canceling_is_final_and_nobody_waits_any_longer(client: Client, emulator: StripeEmulator) -> None:
    intent = new(client, payment_method="pm_card_authenticationRequired", confirm=True, **NO_REDIRECTS)["id"]

    canceled = client.post(f"/payment_intents/{intent}/cancel", {"cancellation_reason": "abandoned"})

    assert (canceled["status"], canceled["cancellation_reason"]) == ("canceled", "abandoned")
    assert canceled["canceled_at"] is not None
    assert emulator.awaiting() == ()
    assert client.types()[-1] == "payment_intent.canceled"
    client.refused(f"/payment_intents/{intent}/confirm", {"payment_method": "pm_card_visa"})


def test_another_card_ends_the_wait_for_the_customer(client: Client, emulator: StripeEmulator) -> None:
    intent = new(client, payment_method="pm_card_authenticationRequired", confirm=True, **NO_REDIRECTS)["id"]

    changed = client.post(f"/payment_intents/{intent}", {"payment_method": "pm_card_visa"})

    assert (changed["status"], changed["next_action"]) == ("requires_confirmation", None)
    assert emulator.awaiting() == ()


def test_the_client_secret_opens_its_own_intent_only(client: Client) -> None:
    one, other = new(client), new(client)

    assert client.get(f"/payment_intents/{one['id']}", client_secret=one["client_secret"])["id"] == one["id"]
    wrong = {"client_secret": other["client_secret"]}
    assert client.refused(f"/payment_intents/{one['id']}", wrong, method="GET")["param"] == "client_secret"


# --- holds ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def held(client: Client, card: str) -> str:
    intent = client.charge(card, capture_method="manual")
    assert (intent["status"], intent["amount_capturable"], intent["amount_received"]) == ("requires_capture", 3000, 0)
    return str(intent["id"])


def test_a_hold_moves_no_money_until_it_is_captured_in_whole_or_in_part(
    client: Client, emulator: StripeEmulator, held: str
) -> None:
    assert emulator.book.movements == ()
    too_much = client.refused(f"/payment_intents/{held}/capture", {"amount_to_capture": 3001})
    assert (too_much["code"], too_much["param"]) == ("amount_too_large", "amount_to_capture")

    captured = client.post(f"/payment_intents/{held}/capture", {"amount_to_capture": 2000, "metadata": {"part": 1}})

    assert (captured["status"], captured["amount_received"], captured["amount_capturable"]) == ("succeeded", 2000, 0)
    assert emulator.book.captured(held) == 2000
    charge = client.get(f"/charges/{captured['latest_charge']}")
    assert (charge["amount"], charge["amount_captured"], charge["amount_refunded"]) == (3000, 2000, 0)
    assert client.types()[-2:] == ["charge.captured", "payment_intent.succeeded"]


def test_a_canceled_hold_lets_the_money_go(client: Client, emulator: StripeEmulator, held: str) -> None:
    charge = client.post(f"/payment_intents/{held}/cancel")["latest_charge"]

    shown = client.get(f"/charges/{charge}")
    assert (shown["captured"], shown["refunded"], shown["amount_refunded"]) == (False, True, 3000)
    assert client.types()[-2:] == ["charge.refunded", "payment_intent.canceled"]
    assert emulator.book.movements == ()


def test_a_hold_expires_after_seven_days_unless_it_was_captured(
    client: Client, emulator: StripeEmulator, clock: ManualClock, card: str, held: str
) -> None:
    captured = client.charge(card, capture_method="manual")["id"]
    client.post(f"/payment_intents/{captured}/capture")

    clock.advance(days=7)

    expired = client.get(f"/payment_intents/{held}")
    assert (expired["status"], expired["cancellation_reason"]) == ("canceled", "expired")
    assert client.types()[-2:] == ["charge.expired", "payment_intent.canceled"]
    assert client.get(f"/payment_intents/{captured}")["status"] == "succeeded"


# --- finding payments again -----------------------------------------------------------------------------------------


def test_payments_and_charges_are_listed_by_customer(client: Client, emulator: StripeEmulator, card: str) -> None:
    mine = [client.charge(card)["id"] for _ in range(2)]
    client.charge(emulator.store_card())
    customer = card.split("/", maxsplit=1)[0]

    assert [one["id"] for one in client.get("/payment_intents", customer=customer)["data"]] == mine[::-1]
    assert [one["payment_intent"] for one in client.get("/charges", customer=customer)["data"]] == mine[::-1]
    assert len(client.get("/charges")["data"]) == 3
    assert client.get("/charges", payment_intent=mine[0], customer="cus_other")["data"] == []


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ('metadata["order"]:"42"', [0]),
        ("metadata['order']:'42'", [0]),
        ('metadata["order"]~"4"', [1, 0]),
        ('metadata["order"]:null', [2]),
        ('-metadata["order"]:null', [1, 0]),
        ("amount>600", [2, 1]),
        ("amount>=600 AND amount<=700", [1, 0]),
        ("amount<700 OR amount:800", [2, 0]),
        ('status:"succeeded" and currency:"JPY" AND customer:null', [2, 1, 0]),
        ('status:"canceled"', []),
        ("created>0", [2, 1, 0]),
        ('metadata["a\\"b"]:"x"', []),
    ],
)
def test_searching_understands_the_query_language(
    client: Client, clock: ManualClock, query: str, found: list[int]
) -> None:
    made = [
        client.pay(amount=600, metadata={"order": 42})["id"],
        client.pay(amount=700, metadata={"order": 43})["id"],
        client.pay(amount=800)["id"],
    ]
    clock.advance(minutes=1)

    page = client.get("/payment_intents/search", query=query)

    assert [one["id"] for one in page["data"]] == [made[position] for position in found]
    assert (page["object"], page["has_more"], page["next_page"]) == ("search_result", False, None)


@pytest.mark.parametrize(
    "query",
    ["", "colour:1", "metadata:1", "amount>lots", "amount:1 amount:2", "a:1", "amount:1 AND amount:2 OR amount:3"],
)
def test_a_query_that_cannot_be_read_is_400(client: Client, query: str) -> None:
    assert client.refused("/payment_intents/search", {"query": query}, method="GET")["param"] == "query"


def test_search_results_page_by_a_token_and_lag_behind_the_lists(client: Client, clock: ManualClock) -> None:
    made = [client.pay()["id"] for _ in range(3)]
    assert client.get("/payment_intents/search", query="amount>0")["data"] == []
    clock.advance(seconds=5)

    first = client.get("/payment_intents/search", query="amount>0", limit=2)
    second = client.get("/payment_intents/search", query="amount>0", limit=2, page=first["next_page"])

    assert [one["id"] for one in first["data"] + second["data"]] == made[::-1]
    assert (first["has_more"], second["has_more"]) == (True, False)
    assert (
        client.refused("/payment_intents/search", {"query": "amount>0", "page": "2"}, method="GET")["param"] == "page"
    )
    assert len(client.get("/charges/search", query='status:"succeeded" AND amount:3000')["data"]) == 3


def test_a_charge_takes_notes_of_its_own(client: Client) -> None:
    charge = client.pay()["latest_charge"]
    address = {"name": "Hanako", "address": {"city": "Tokyo"}}

    changed = client.post(
        f"/charges/{charge}", {"description": "late", "receipt_email": "h@example.com", "shipping": address}
    )

    assert (changed["description"], changed["receipt_email"]) == ("late", "h@example.com")
    assert changed["shipping"] == address
    (event,) = client.get("/events", type="charge.updated")["data"]
    assert event["data"]["previous_attributes"]["description"] is None
    client.post(f"/charges/{charge}", {"description": "late"})
    assert len(client.get("/events", type="charge.updated")["data"]) == 1
