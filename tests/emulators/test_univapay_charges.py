"""Charges of the emulated UnivaPay."""

from __future__ import annotations

import datetime as dt

import pytest

from paygate.testing.emulators.univapay import ChargePlan, Credentials


def code(response):
    return response.status, response.json()["code"]


def states(client, charge_id):
    charge = client.get(f"/charges/{charge_id}")
    return charge["status"], (charge["error"] or {}).get("code")


# --- creation and result ---------------------------------------------------------------------------------------------


def test_a_charge_is_pending_first_and_successful_after_its_time(client, card, clock):
    created = client.charge(card, 3980, metadata={"order_id": "A-1"})
    charge = created.json()
    before = states(client, charge["id"])
    clock.advance(seconds=0.1)
    after = client.get(f"/charges/{charge['id']}")

    assert created.status == 201
    assert (charge["status"], charge["charged_amount"], charge["error"]) == ("pending", None, None)
    assert before == ("pending", None)
    assert (after["status"], after["charged_amount"], after["charged_currency"]) == ("successful", 3980, "JPY")
    assert after["metadata"] == {"order_id": "A-1"}
    assert after["created_on"] == "2026-11-22T03:00:00Z"
    assert after["updated_on"] == "2026-11-22T03:00:00.1Z"


def test_the_book_tells_which_attempt_took_what_and_when(client, card, clock):
    charge_id = client.charge(card, 500, metadata={"paygate_charge": "a" * 32}).json()["id"]
    clock.advance(hours=5)
    client.get(f"/charges/{charge_id}")

    [row] = client.emulator.book.captures
    assert (row.reference, row.attempt, row.amount.minor) == (charge_id, "a" * 32, 500)
    assert row.at == dt.datetime(2026, 11, 22, 3, 0, 0, 100_000, tzinfo=dt.UTC)  # when it was due, not when looked at


def test_polling_holds_the_answer_until_the_state_changes(client, card, clock):
    charge_id = client.charge(card).json()["id"]
    began = clock.now()

    charge = client.get(f"/charges/{charge_id}", polling="true")

    assert charge["status"] == "successful"
    assert dt.timedelta(seconds=0.1) <= clock.now() - began < dt.timedelta(seconds=0.11)


def test_polling_holds_no_longer_than_three_seconds(client, card, clock):
    client.emulator.behaviour.pending = None
    charge_id = client.charge(card).json()["id"]
    began = clock.now()

    charge = client.get(f"/charges/{charge_id}", polling="true")

    assert charge["status"] == "pending"
    assert clock.now() - began == dt.timedelta(seconds=3)


def test_a_pending_charge_waits_for_ever_until_it_is_settled_by_hand(client, card, clock):
    client.emulator.behaviour.pending = None
    charge_id = client.charge(card).json()["id"]
    clock.advance(days=400)
    before = states(client, charge_id)

    client.emulator.settle(charge_id)
    client.emulator.settle(charge_id)

    assert before == ("pending", None)
    assert states(client, charge_id) == ("successful", None)
    assert len(client.emulator.book.captures) == 1


@pytest.mark.parametrize(
    ("number", "email", "error"),
    [
        ("4111111111111111", "a@example.com", 306),
        ("4000020000000000", "a+charge-failure-309@example.com", 309),
        ("4000020000000000", "a+charge-failure-409@example.com", None),
        ("4000020000000000", "a+charge-failure-601@example.com", None),
    ],
)
def test_test_cards_and_addresses_decide_the_result(client, clock, number, email, error):
    card = client.emulator.add_card(number, email=email)
    charge_id = client.charge(card).json()["id"]
    clock.advance(seconds=1)

    assert states(client, charge_id) == ("failed" if error else "successful", error)
    assert len(client.emulator.book.captures) == (0 if error else 1)


def test_a_planned_charge_shows_authorized_before_it_succeeds(client, card, clock):
    client.emulator.plan(ChargePlan(pending=1, authorized=2))
    charge_id = client.charge(card).json()["id"]
    seen = []
    for _ in range(4):
        seen.append(states(client, charge_id)[0])
        clock.advance(seconds=1)

    assert seen == ["pending", "authorized", "authorized", "successful"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"amount": 0}, "amount"),
        ({"amount": 10.0}, "amount"),
        ({"amount": "10"}, "amount"),
        ({"amount": True}, "amount"),
        ({"currency": "YEN"}, "currency"),
        ({"metadata": {"a": {"b": 1}}}, "metadata"),
        ({"three_ds": {"mode": "perhaps"}}, "three_ds.mode"),
        ({"transaction_token_id": None}, "transaction_token_id"),
    ],
)
def test_a_wrong_charge_is_refused_by_field(client, card, changes, field):
    body = {"transaction_token_id": card, "amount": 10, "currency": "JPY", **changes}
    response = client.send("POST", "/charges", body)

    assert code(response) == (400, "VALIDATION_ERROR")
    assert response.json()["errors"][0]["field"] == field


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff"])
def test_a_body_that_is_no_object_is_refused(client, body):
    assert code(client.send("POST", "/charges", body)) == (400, "VALIDATION_ERROR")


# --- cards that cannot be charged ------------------------------------------------------------------------------------


def test_a_one_time_card_is_charged_once_and_within_five_minutes(client, clock):
    first = client.emulator.add_card(kind="one_time")
    second = client.emulator.add_card(kind="one_time")
    client.charge(first, 1)

    assert code(client.charge(first, 2)) == (400, "TRANSACTION_ALREADY_PROCESSED")
    clock.advance(minutes=5, seconds=1)
    assert code(client.charge(second, 3)) == (400, "TRANSACTION_TOKEN_EXPIRED")


def test_a_subscription_card_a_deleted_card_and_a_strange_card_cannot_be_charged(client, card):
    subscription = client.emulator.add_card(kind="subscription")
    client.send("DELETE", f"{client.store}/tokens/{card}")

    assert code(client.charge(subscription)) == (400, "NON_SUBSCRIPTION_PAYMENT")
    assert code(client.charge(card)) == (400, "RECURRING_TOKEN_DISABLED")
    assert client.charge("11f0b001-aaaa-4d00-8f00-00000000d999").status == 404


def test_a_card_of_another_store_cannot_be_charged(client, card):
    other = Credentials.for_store(2)
    client.emulator.add_store(other)
    client.authorization = other.header

    assert code(client.charge(card)) == (400, "TOKEN_FOR_WRONG_STORE")


@pytest.mark.parametrize(("days", "status"), [(364, 201), (365, 400)])
def test_the_one_year_rule_is_off_until_it_is_switched_on(client, card, clock, days, status):
    client.paid(card)
    clock.advance(days=days)
    without = client.charge(card, 1)
    client.emulator.behaviour.one_year_days = 365

    assert without.status == 201
    assert client.charge(card, 2).status == status


# --- the 30-second rule ----------------------------------------------------------------------------------------------


@pytest.mark.rule("R-205", "B-103")
@pytest.mark.parametrize(("seconds", "status"), [(29.999, 400), (30, 201)])
def test_the_same_amount_on_the_same_card_is_refused_within_thirty_seconds(client, card, clock, seconds, status):
    client.charge(card)
    clock.advance(seconds=seconds)

    assert client.charge(card).status == status


@pytest.mark.rule("R-205")
def test_the_thirty_second_rule_knows_the_card_under_another_token(client, card):
    client.charge(card)

    assert code(client.charge(client.emulator.add_card())) == (400, "CHARGE_TOO_QUICK")
    assert client.charge(card, 3981).status == 201


def test_the_thirty_second_rule_can_be_a_charge_that_fails_or_off(client, card, clock):
    client.emulator.behaviour.duplicate_as_charge_311 = True
    client.charge(card)
    failing = client.charge(card).json()["id"]
    client.emulator.behaviour.duplicate_window = None
    passing = client.charge(card).json()["id"]
    clock.advance(seconds=1)

    assert states(client, failing) == ("failed", 311)
    assert states(client, passing) == ("successful", None)


# --- lists -----------------------------------------------------------------------------------------------------------


def test_a_list_is_paged_newest_first_and_counts_on_its_first_page_only(client, card):
    made = [client.charge(card, amount).json()["id"] for amount in range(1, 26)]
    first = client.get("/charges")
    second = client.get("/charges", cursor=first["items"][-1]["id"], limit="100")

    assert [item["id"] for item in first["items"] + second["items"]] == made[::-1]
    assert (first["has_more"], first["total_hits"]) == (True, 25)
    assert (second["has_more"], "total_hits" in second) == (False, False)


def test_a_list_can_be_read_oldest_first(client, card):
    made = [client.charge(card, amount).json()["id"] for amount in range(1, 4)]

    assert [item["id"] for item in client.get("/charges", cursor_direction="asc")["items"]] == made


@pytest.mark.parametrize("limit", ["0", "101", "many"])
def test_a_limit_out_of_range_is_refused(client, limit):
    assert code(client.send("GET", f"{client.store}/charges?limit={limit}")) == (400, "VALIDATION_ERROR")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"from": "2026-11-22T03:00:01Z"}, [2]),
        ({"from": "2026-11-22T03:00:00Z"}, [2, 1]),
        ({"to": "2026-11-22T03:00:01Z"}, [1]),
        ({"metadata": "order_id: A-1"}, [1]),
        ({"metadata": "order_id:A-2"}, [2]),
        ({"metadata": "order_id:A"}, []),
        ({"currency": "USD"}, []),
        ({"mode": "live"}, []),
        ({"transaction_token_id": "11f0b001-aaaa-4d00-8f00-00000000d999"}, []),
    ],
)
def test_a_list_is_filtered(client, card, clock, query, expected):
    client.charge(card, 1, metadata={"order_id": "A-1"})
    clock.advance(seconds=1)
    client.charge(card, 2, metadata={"order_id": "A-2"})

    assert [item["requested_amount"] for item in client.get("/charges", **query)["items"]] == expected


def test_an_unreadable_date_filter_is_refused(client, card):
    client.charge(card)

    assert code(client.send("GET", f"{client.store}/charges?from=yesterday")) == (400, "VALIDATION_ERROR")


def test_a_list_that_lags_does_not_know_the_newest_charge_but_its_own_address_does(client, card, clock):
    client.emulator.behaviour.list_delay = 20
    charge_id = client.charge(card).json()["id"]
    early = client.get("/charges")["items"]
    by_id = client.get(f"/charges/{charge_id}")["id"]
    clock.advance(seconds=20)

    assert early == []
    assert by_id == charge_id
    assert [item["id"] for item in client.get("/charges")["items"]] == [charge_id]


def test_replies_hold_fields_that_nobody_documented_until_they_are_switched_off(client, card):
    charge_id = client.charge(card).json()["id"]
    before = client.get(f"/charges/{charge_id}")
    client.emulator.behaviour.extra_fields = False

    assert "undocumented" in before
    assert "undocumented" not in client.get(f"/charges/{charge_id}")


def test_only_metadata_of_a_charge_can_be_changed_and_keys_are_merged(client, card):
    charge_id = client.charge(card, 10, metadata={"a": "1", "b": "2"}).json()["id"]

    client.send("PATCH", f"{client.store}/charges/{charge_id}", {"metadata": {"b": "3"}, "amount": 1})

    charge = client.get(f"/charges/{charge_id}")
    assert (charge["metadata"], charge["requested_amount"]) == ({"a": "1", "b": "3"}, 10)


# --- authorise, capture, 3-D Secure ----------------------------------------------------------------------------------


def test_an_authorised_charge_takes_money_at_its_capture(client, card, clock):
    charge_id = client.charge(card, 3000, capture=False).json()["id"]
    clock.advance(seconds=1)
    held = states(client, charge_id)
    captured = client.send("POST", f"{client.store}/charges/{charge_id}/capture", {"amount": 2500, "currency": "JPY"})
    clock.advance(seconds=1)

    assert held == ("authorized", None)
    assert (captured.status, captured.json()) == (200, {})
    assert client.get(f"/charges/{charge_id}")["charged_amount"] == 2500
    assert client.emulator.book.captured() == 2500


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"amount": 3001, "currency": "JPY"}, "CAPTURE_AMOUNT_TOO_LARGE"),
        ({"amount": 0}, "VALIDATION_ERROR"),
        ({"currency": "USD"}, "VALIDATION_ERROR"),
    ],
)
def test_a_wrong_capture_is_refused(client, card, clock, body, expected):
    charge_id = client.charge(card, 3000, capture=False).json()["id"]
    clock.advance(seconds=1)

    assert code(client.send("POST", f"{client.store}/charges/{charge_id}/capture", body)) == (400, expected)


def test_a_finished_charge_cannot_be_captured(client, card):
    charge_id = client.paid(card)

    assert code(client.send("POST", f"{client.store}/charges/{charge_id}/capture")) == (400, "ALREADY_CAPTURED")


def test_a_card_hold_that_is_not_captured_in_time_fails(client, card, clock):
    charge_id = client.charge(card, capture=False).json()["id"]
    clock.advance(days=8)

    assert states(client, charge_id) == ("failed", 313)


@pytest.mark.parametrize(("passed", "expected"), [(True, ("successful", None)), (False, ("failed", 358))])
def test_a_demanded_identity_check_waits_for_the_customer(client, card, clock, passed, expected):
    three_ds = {"mode": "force", "redirect_endpoint": "https://shop.example/back"}
    charge_id = client.charge(card, three_ds=three_ds).json()["id"]
    clock.advance(seconds=1)
    waiting = states(client, charge_id)
    issuer = client.get(f"/charges/{charge_id}/three_ds/issuer_token")

    client.emulator.customer_returns(charge_id, passed=passed)

    assert waiting == ("awaiting", None)
    assert issuer["payload"]["resource_id"] == charge_id
    assert states(client, charge_id) == expected
    with pytest.raises(ValueError, match="does not wait"):
        client.emulator.customer_returns(charge_id)


def test_a_customer_who_does_not_come_back_lets_the_charge_fail(client, card, clock):
    charge_id = client.charge(card, three_ds={"mode": "require"}).json()["id"]
    clock.advance(minutes=6)

    assert states(client, charge_id) == ("failed", 327)


def test_there_is_no_issuer_token_for_a_charge_that_does_not_wait(client, card):
    charge_id = client.paid(card)

    response = client.send("GET", f"{client.store}/charges/{charge_id}/three_ds/issuer_token")
    assert code(response) == (400, "INVALID_THREE_DS_STATUS")


# --- options of a charge ---------------------------------------------------------------------------------------------


def test_a_held_charge_is_captured_at_the_time_that_was_asked_for(client, card, clock):
    at = "2026-11-25T00:00:00Z"
    charge = client.charge(card, 3000, capture=False, capture_at=at).json()
    clock.advance(days=2)
    before = states(client, charge["id"])
    clock.advance(days=1)

    assert charge["capture_at"] == at
    assert (before, states(client, charge["id"])) == (("authorized", None), ("successful", None))
    assert client.emulator.book.captures[0].at == dt.datetime(2026, 11, 25, 0, 0, 0, 100_000, tzinfo=dt.UTC)


def test_a_charge_that_was_cancelled_is_not_captured_later(client, card, clock):
    charge_id = client.charge(card, capture=False, capture_at="2026-11-25T00:00:00Z").json()["id"]
    clock.advance(seconds=1)
    client.send("POST", f"{client.store}/charges/{charge_id}/cancels")
    clock.advance(days=10)

    assert states(client, charge_id) == ("canceled", None)
    assert not client.emulator.book.movements


@pytest.mark.parametrize(
    "more", [{"capture": False, "capture_at": "2026-11-21T00:00:00Z"}, {"capture_at": "2027-01-01"}]
)
def test_a_capture_is_scheduled_ahead_and_for_a_held_charge_only(client, card, more):
    assert code(client.charge(card, **more)) == (400, "INVALID_SCHEDULED_CAPTURE_DATE")


def test_a_charge_is_captured_once_even_while_the_capture_is_under_way(client, card, clock):
    charge_id = client.charge(card, 3000, capture=False).json()["id"]
    clock.advance(seconds=1)
    path = f"{client.store}/charges/{charge_id}/capture"

    assert client.send("POST", path, {"amount": 1000}).status == 200
    assert code(client.send("POST", path, {"amount": 2000})) == (400, "ALREADY_CAPTURED")
    clock.advance(seconds=1)
    assert states(client, charge_id) == ("successful", None)
    assert client.emulator.book.captured() == 1000


def test_an_acquirer_may_capture_the_whole_amount_only(client, card, clock):
    client.emulator.behaviour.partial_capture = False
    charge_id = client.charge(card, 3000, capture=False).json()["id"]
    clock.advance(seconds=1)
    path = f"{client.store}/charges/{charge_id}/capture"

    assert code(client.send("POST", path, {"amount": 2999})) == (400, "PARTIAL_CAPTURE_NOT_SUPPORTED")
    assert client.send("POST", path).status == 200


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"currency": "EUR", "only_direct_currency": True}, "NO_DIRECT_CURRENCY_GATEWAY"),
        ({"amount": 99}, "CHARGE_AMOUNT_TOO_LOW"),
        ({"amount": 10_001}, "CHARGE_AMOUNT_TOO_HIGH"),
        ({"merchant_transaction_id": "order-1"}, "VALIDATION_ERROR"),
        ({"descriptor": "GOLD CLUB"}, "VALIDATION_ERROR"),
        ({"three_ds": {"eci": "05"}}, "VALIDATION_ERROR"),
    ],
)
def test_an_option_that_the_account_does_not_have_is_refused(client, card, more, expected):
    client.emulator.behaviour.charge_bounds = {"JPY": (100, 10_000)}
    client.emulator.behaviour.descriptors = False
    body = {"transaction_token_id": card, "amount": 1000, "currency": "JPY", **more}

    assert code(client.send("POST", "/charges", body)) == (400, expected)


def test_options_that_hold_are_shown_on_the_charge(client, card):
    proof = dict.fromkeys(
        (
            "authentication_value",
            "eci",
            "ds_transaction_id",
            "server_transaction_id",
            "message_version",
            "transaction_status",
        ),
        "x",
    )
    charge = client.charge(
        card,
        descriptor="GOLD CLUB",
        merchant_transaction_id="ORDER1",
        only_direct_currency=True,
        three_ds=proof,
        redirect={"endpoint": "https://shop.example/back"},
    ).json()

    assert (charge["descriptor"], charge["merchant_transaction_id"]) == ("GOLD CLUB", "ORDER1")
    assert (charge["only_direct_currency"], charge["three_ds"]["mode"]) == (True, "provided")
    assert charge["redirect"] == {"endpoint": "https://shop.example/back"}


def test_other_currencies_are_taken_in_yen_where_the_account_is_in_yen(client, card, clock):
    client.emulator.behaviour.yen_per_unit = {"EUR": 160}
    euros = client.charge(card, 1250, currency="EUR").json()["id"]
    dollars = client.charge(card, 1250, currency="USD").json()["id"]
    clock.advance(seconds=1)

    charge = client.get(f"/charges/{euros}")
    assert (charge["requested_amount"], charge["requested_currency"]) == (1250, "EUR")
    assert (charge["charged_amount"], charge["charged_currency"]) == (2000, "JPY")
    assert client.get(f"/charges/{dollars}")["charged_amount_formatted"] == 12.5


def test_only_a_server_leaves_the_identity_check_out(client, clock):
    once = client.emulator.add_card(kind="one_time")
    client.authorization = f"Bearer {client.emulator.credentials.app_token}"
    origin = {"Origin": "https://shop.example"}
    body = {"transaction_token_id": once, "amount": 10, "currency": "JPY"}

    skipped = client.send("POST", "/charges", {**body, "three_ds": {"mode": "skip"}}, headers=origin)
    assert code(skipped) == (403, "INVALID_PERMISSIONS")
    assert client.send("POST", "/charges", body, headers=origin).status == 201


def test_whether_a_browser_charges_one_time_cards_is_an_assumption_that_can_be_turned(client):
    client.emulator.behaviour.browser_charges = False
    once = client.emulator.add_card(kind="one_time")
    client.authorization = f"Bearer {client.emulator.credentials.app_token}"
    body = {"transaction_token_id": once, "amount": 10, "currency": "JPY"}

    refused = client.send("POST", "/charges", body, headers={"Origin": "https://shop.example"})
    assert code(refused) == (403, "INVALID_PERMISSIONS")


@pytest.mark.parametrize(
    ("required", "mode", "status"),
    [
        (True, None, "awaiting"),
        (True, "normal", "awaiting"),
        (True, "if_available", "awaiting"),
        (True, "skip", "successful"),
        (False, "normal", "successful"),
        (False, "require", "awaiting"),
    ],
)
def test_the_store_and_the_request_decide_whether_the_customer_is_asked(client, card, clock, required, mode, status):
    client.emulator.behaviour.three_ds_required = required
    charge_id = client.charge(card, **({"three_ds": {"mode": mode}} if mode else {})).json()["id"]
    clock.advance(seconds=1)

    assert states(client, charge_id)[0] == status


@pytest.mark.parametrize(
    ("outcome", "status", "answer"),
    [("", 303, "successful"), ("&outcome=failed", 303, "failed"), (None, 404, "awaiting")],
)
def test_the_issuers_page_settles_what_waits_and_sends_the_customer_back(client, card, clock, outcome, status, answer):
    three_ds = {"mode": "force", "redirect_endpoint": "https://shop.example/back"}
    charge_id = client.charge(card, three_ds=three_ds).json()["id"]
    clock.advance(seconds=1)
    issuer = client.get(f"/charges/{charge_id}/three_ds/issuer_token")
    client.authorization = None  # a browser's form knows no credentials
    form = f"resource_id={charge_id if outcome is not None else 'guess'}{outcome or ''}"

    page = client.send("POST", issuer["issuer_token"].removeprefix("https://api.univapay.com"), form.encode())

    assert page.status == status
    assert page.headers.get("location") == ("https://shop.example/back" if status == 303 else None)
    assert client.emulator.charge(charge_id).status == answer


def test_the_issuers_page_says_so_where_there_is_no_way_back(client, card, clock):
    charge_id = client.charge(card, three_ds={"mode": "force"}).json()["id"]
    clock.advance(seconds=1)
    path = f"{client.store}/three_ds/issuer_token/test/response"

    assert client.send("POST", path, f"resource_id={charge_id}".encode()).status == 200
    assert client.emulator.return_url(charge_id) is None


def test_a_card_has_no_instruction_of_a_wallet_and_no_deposits(client, card):
    charge_id = client.paid(card)

    assert code(client.send("GET", f"{client.store}/charges/{charge_id}/issuer_token")) == (400, "ISSUER_TOKEN_EMPTY")
    deposits = client.send("GET", f"{client.store}/charges/{charge_id}/bank_transfer_ledgers")
    assert code(deposits) == (403, "INVALID_PERMISSIONS")


# --- limits ----------------------------------------------------------------------------------------------------------


def test_a_card_that_fails_too_often_is_locked_for_a_while(client, clock):
    client.emulator.behaviour.card_lock = (2, 3600)
    card = client.emulator.add_card("4111111111111111")
    for amount in (1, 2):
        client.charge(card, amount)
        clock.advance(seconds=1)

    assert code(client.charge(card, 3)) == (403, "CARD_LOCKED")
    clock.advance(hours=1)
    assert client.charge(card, 3).status == 201


def test_a_new_card_may_have_to_wait_for_its_first_charge(client, card, clock):
    client.emulator.behaviour.charge_wait_period = 72 * 3600
    early = code(client.charge(card))
    clock.advance(hours=72)

    assert early == (400, "RECURRING_TOKEN_DISABLED")
    assert client.charge(card).status == 201


@pytest.mark.parametrize(("enforced", "status"), [(None, 201), ("RECURRING_TOKEN_DISABLED", 400)])
def test_what_a_used_up_limit_does_is_an_assumption_that_can_be_turned(client, clock, enforced, status):
    client.emulator.behaviour.recurring_privilege = "bounded"
    client.emulator.behaviour.usage_limit_code = enforced
    card = client.token(usage_limit="monthly").json()["id"]
    client.paid(card, 1)
    clock.advance(days=29)

    assert client.charge(card, 2).status == status
    clock.advance(days=1)
    assert client.charge(card, 3).status == 201


def test_test_and_live_do_not_mix(client, card):
    live = Credentials.for_store(1, mode="live")
    client.emulator.add_store(live)
    client.authorization = live.header

    assert code(client.charge(card)) == (400, "PROCESSING_MODE_MISMATCH")
    start = {"transaction_token_id": card, "amount": 1, "currency": "JPY", "period": "monthly"}
    assert code(client.send("POST", "/subscriptions", start)) == (400, "PROCESSING_MODE_MISMATCH")


# --- further filters -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"amount_from": "2"}, [3, 2]),
        ({"amount_to": "3"}, [2, 1]),
        ({"email": "hanako@example.com"}, [3, 2, 1]),
        ({"email": "other@example.com"}, []),
        ({"phone": "9012345678"}, []),
        ({"last_four": "0000", "name": "HANAKO YAMADA", "exp_month": "12", "exp_year": "2030"}, [3, 2, 1]),
        ({"last_four": "1111", "name": "HANAKO YAMADA", "exp_month": "12", "exp_year": "2030"}, []),
    ],
)
def test_charges_are_found_by_amount_and_card(client, card, query, expected):
    for amount in (1, 2, 3):
        client.charge(card, amount)

    assert [item["requested_amount"] for item in client.get("/charges", **query)["items"]] == expected


@pytest.mark.parametrize("query", ["amount_from=much", "last_four=0000", "to=tomorrow"])
def test_an_unreadable_filter_is_refused(client, card, query):
    assert code(client.send("GET", f"{client.store}/charges?{query}")) == (400, "VALIDATION_ERROR")


def test_charges_of_a_card_are_those_of_the_own_store(client, card):
    client.charge(card)
    other = Credentials.for_store(2)
    client.emulator.add_store(other)
    client.authorization, client.store = other.header, f"/stores/{other.store_id}"

    assert client.get("/charges", transaction_token_id=card)["items"] == []


def test_a_page_after_a_cursor_that_is_not_there_is_empty(client, card):
    client.charge(card)

    page = client.get("/charges", cursor="11f0b001-aaaa-4d00-8f00-00000000d999")
    assert (page["items"], page["has_more"]) == ([], False)


def test_a_clock_that_went_back_hides_no_charge_from_the_list(client, card, clock):
    later = client.charge(card, 1).json()["id"]
    clock.set(dt.datetime(2026, 11, 1, tzinfo=dt.UTC))
    earlier = client.charge(card, 2).json()["id"]

    def found(since):
        return [item["id"] for item in client.get("/charges", **{"from": since})["items"]]

    assert found("2026-11-01T00:00:00Z") == [earlier, later]
    assert found("2026-11-02T00:00:00Z") == [later]
