"""Refunds, disputes, and the balance that they change (provider fact sheet §5, §11)."""

from __future__ import annotations

from typing import Any

import pytest

from paygate.testing.book import MovementKind
from paygate.testing.clock import ManualClock
from paygate.testing.emulators import CardKind
from paygate.testing.emulators.stripe import StripeEmulator

Client = Any


def refund(client: Client, intent: str, amount: int | None = None, **more: Any) -> Any:
    return client.post("/refunds", {"payment_intent": intent, **({} if amount is None else {"amount": amount}), **more})


@pytest.fixture
def paid(client: Client, card: str) -> Any:
    return client.charge(card)


# --- refunds --------------------------------------------------------------------------------------------------------


def test_partial_refunds_repeat_until_nothing_is_left(client: Client, emulator: StripeEmulator, paid: Any) -> None:
    first = refund(client, paid["id"], 1000, metadata={"paygate_refund": "r1"}, reason="duplicate")
    assert (first["status"], first["amount"], first["reason"]) == ("succeeded", 1000, "duplicate")
    assert (first["charge"], first["payment_intent"]) == (paid["latest_charge"], paid["id"])
    charge = client.get(f"/charges/{paid['latest_charge']}")
    assert (charge["amount_refunded"], charge["refunded"]) == (1000, False)

    too_much = client.refused("/refunds", {"payment_intent": paid["id"], "amount": 2001})
    assert (too_much["param"], too_much.get("code")) == ("amount", None)

    assert refund(client, paid["id"])["amount"] == 2000
    charge = client.get(f"/charges/{paid['latest_charge']}", expand=["refunds"])
    assert (charge["amount_refunded"], charge["refunded"]) == (3000, True)
    assert [one["amount"] for one in charge["refunds"]["data"]] == [2000, 1000]
    assert client.refused("/refunds", {"payment_intent": paid["id"]})["code"] == "charge_already_refunded"
    assert client.get(f"/payment_intents/{paid['id']}")["status"] == "succeeded"

    rows = [row for row in emulator.book.movements if row.kind is MovementKind.REFUND]
    assert [(row.amount.minor, row.attempt, row.charge) for row in rows] == [
        (1000, "r1", paid["id"]), (2000, "", paid["id"]),
    ]  # fmt: skip
    assert emulator.book.refunded(paid["id"]) == emulator.book.captured(paid["id"])


def test_each_refund_makes_two_events(client: Client, paid: Any) -> None:
    refund(client, paid["id"], 1)

    assert client.types()[-2:] == ["refund.created", "charge.refunded"]


def test_refunds_are_listed_by_payment_by_charge_and_under_the_charge(client: Client, card: str, paid: Any) -> None:
    one = refund(client, paid["id"], 10)["id"]
    refund(client, client.charge(card)["id"], 10)

    assert [each["id"] for each in client.get("/refunds", payment_intent=paid["id"])["data"]] == [one]
    assert [each["id"] for each in client.get("/refunds", charge=paid["latest_charge"])["data"]] == [one]
    assert client.get("/refunds", charge=paid["latest_charge"], payment_intent="pi_other")["data"] == []
    assert [each["id"] for each in client.get(f"/charges/{paid['latest_charge']}/refunds")["data"]] == [one]
    assert len(client.get("/refunds")["data"]) == 2


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({}, "payment_intent"),
        ({"charge": "ch_none"}, "charge"),
        ({"payment_intent": "pi_none"}, "payment_intent"),
        ({"payment_intent": "pi_none", "amount": 0}, "amount"),
        ({"payment_intent": "pi_none", "reason": "because"}, "reason"),
    ],
)
def test_a_refund_names_what_it_refunds(client: Client, params: dict[str, Any], param: str) -> None:
    assert client.refused("/refunds", params)["param"] == param


def test_a_charge_and_a_payment_have_to_fit(client: Client, card: str, paid: Any) -> None:
    other = client.charge(card)["id"]

    both = {"charge": paid["latest_charge"], "payment_intent": other}
    assert client.refused("/refunds", both)["param"] == "payment_intent"
    assert client.post("/refunds", {**both, "payment_intent": paid["id"]})["status"] == "succeeded"


def test_a_refund_is_in_the_currency_of_its_charge(client: Client, paid: Any) -> None:
    assert client.refused("/refunds", {"payment_intent": paid["id"], "currency": "usd"})["param"] == "currency"
    assert refund(client, paid["id"], 1, currency="JPY")["currency"] == "jpy"


def test_what_took_no_money_cannot_be_refunded(client: Client, card: str) -> None:
    declined = client.pay("pm_card_chargeDeclined")["error"]["payment_intent"]["id"]
    held = client.charge(card, capture_method="manual")["id"]
    new = client.post("/payment_intents", {"amount": 500, "currency": "jpy"})["id"]

    for intent, words in ((declined, "did not succeed"), (held, "not been captured"), (new, "successful charge")):
        assert words in client.refused("/refunds", {"payment_intent": intent})["message"]


def test_only_what_was_captured_is_refunded(client: Client, card: str) -> None:
    held = client.charge(card, capture_method="manual")["id"]
    charge = client.post(f"/payment_intents/{held}/capture", {"amount_to_capture": 1000})["latest_charge"]

    assert refund(client, held)["amount"] == 1000
    assert client.get(f"/charges/{charge}")["refunded"]


def test_a_refund_may_be_pending_and_arrive_later(client: Client, emulator: StripeEmulator, clock: ManualClock) -> None:
    intent = client.pay("pm_card_pendingRefund")["id"]
    pending = refund(client, intent, 1000)
    assert (pending["status"], pending["pending_reason"]) == ("pending", "processing")
    assert emulator.book.refunds == ()
    assert client.refused("/refunds", {"payment_intent": intent, "amount": 2001})["param"] == "amount"

    clock.advance(seconds=60)

    assert client.get(f"/refunds/{pending['id']}")["status"] == "succeeded"
    assert client.types()[-2:] == ["refund.updated", "charge.refund.updated"]
    assert emulator.book.refunded(intent) == 1000


def test_a_refund_may_fail_after_it_had_succeeded_and_can_be_made_again(
    client: Client, emulator: StripeEmulator, clock: ManualClock
) -> None:
    intent = client.charge(emulator.store_card(CardKind.REFUND_FAILS))
    made = refund(client, intent["id"])
    assert made["status"] == "succeeded"

    clock.advance(seconds=60)

    failed = client.get(f"/refunds/{made['id']}")
    assert (failed["status"], failed["failure_reason"]) == ("failed", "unknown")
    assert failed["failure_balance_transaction"].startswith("txn_")
    assert client.types()[-3:] == ["refund.failed", "refund.updated", "charge.refund.updated"]
    charge = client.get(f"/charges/{intent['latest_charge']}")
    assert (charge["amount_refunded"], charge["refunded"]) == (0, False)
    assert emulator.book.refunds == ()
    assert refund(client, intent["id"])["status"] == "succeeded"


def test_refunds_are_settled_by_hand_too(client: Client, emulator: StripeEmulator, paid: Any) -> None:
    emulator.behaviour.refund_pending = None
    pending = refund(client, client.pay("pm_card_pendingRefund")["id"])["id"]
    done = refund(client, paid["id"])["id"]

    emulator.settle_refund(pending)
    emulator.settle_refund(pending)
    emulator.settle_refund(done, failure="lost_or_stolen_card")
    emulator.settle_refund(done, failure="declined")

    assert client.get(f"/refunds/{pending}")["status"] == "succeeded"
    assert client.get(f"/refunds/{done}")["failure_reason"] == "lost_or_stolen_card"
    with pytest.raises(KeyError):
        emulator.settle_refund("re_none")


def test_a_refund_takes_metadata_and_cannot_be_canceled(client: Client, paid: Any) -> None:
    made = refund(client, paid["id"])["id"]

    assert client.post(f"/refunds/{made}", {"metadata": {"a": 1}})["metadata"] == {"a": "1"}
    assert "cannot be canceled" in client.refused(f"/refunds/{made}/cancel")["message"]


# --- disputes -------------------------------------------------------------------------------------------------------


@pytest.fixture
def disputed(client: Client, clock: ManualClock) -> Any:
    intent = client.pay("pm_card_createDispute")["id"]
    clock.advance(seconds=1)
    return client.get("/disputes", payment_intent=intent)["data"][0]


def test_a_disputed_charge_says_so_and_cannot_be_refunded_until_it_is_won(client: Client, disputed: Any) -> None:
    assert (disputed["status"], disputed["reason"], disputed["amount"]) == ("needs_response", "fraudulent", 3000)
    assert client.get(f"/charges/{disputed['charge']}")["disputed"]
    assert client.types()[-2:] == ["charge.dispute.created", "charge.dispute.funds_withdrawn"]
    assert client.refused("/refunds", {"charge": disputed["charge"]})["code"] == "charge_disputed"
    path = f"/disputes/{disputed['id']}"

    staged = client.post(path, {"evidence": {"product_description": "a cap"}, "submit": False, "metadata": {"a": 1}})
    assert (staged["status"], staged["evidence_details"]["submission_count"]) == ("needs_response", 0)
    reviewed = client.post(path, {"evidence": {"customer_name": "Taro"}})
    assert (reviewed["status"], reviewed["evidence"]["product_description"]) == ("under_review", "a cap")
    won = client.post(path, {"evidence": {"uncategorized_text": "winning_evidence"}})

    assert won["status"] == "won"
    assert client.types()[-2:] == ["charge.dispute.funds_reinstated", "charge.dispute.closed"]
    assert client.post("/refunds", {"charge": disputed["charge"]})["status"] == "succeeded"
    client.refused(path, {"evidence": {"customer_name": "late"}})


@pytest.mark.parametrize("how", ["evidence", "close"])
def test_a_lost_dispute_stays_lost(client: Client, disputed: Any, how: str) -> None:
    path = f"/disputes/{disputed['id']}"

    if how == "close":
        client.post(f"{path}/close")
    else:
        client.post(path, {"evidence": {"uncategorized_text": "losing_evidence"}})

    assert client.get(path, expand=["charge"])["status"] == "lost"
    assert client.types()[-1] == "charge.dispute.closed"
    client.refused(f"{path}/close")
    assert client.refused("/refunds", {"charge": disputed["charge"]})["code"] == "charge_disputed"


def test_an_inquiry_takes_no_money(client: Client, clock: ManualClock) -> None:
    charge = client.pay("pm_card_createDisputeInquiry")["latest_charge"]
    clock.advance(seconds=1)
    (inquiry,) = client.get("/disputes", charge=charge)["data"]
    assert (inquiry["status"], inquiry["is_charge_refundable"]) == ("warning_needs_response", True)

    submitted = client.post(f"/disputes/{inquiry['id']}", {"evidence": {"customer_name": "Taro"}})
    assert submitted["status"] == "warning_under_review"
    assert client.post(f"/disputes/{inquiry['id']}/close")["status"] == "warning_closed"
    assert client.post("/refunds", {"charge": charge})["status"] == "succeeded"
    assert len(client.get("/disputes")["data"]) == 1


# --- the balance ----------------------------------------------------------------------------------------------------


def test_the_balance_is_what_charges_brought_less_fees_and_refunds(
    client: Client, emulator: StripeEmulator, paid: Any
) -> None:
    client.pay(amount=1000, currency="usd")
    made = refund(client, paid["id"], 500)

    balance = client.get("/balance")

    assert {one["currency"]: one["amount"] for one in balance["available"]} == {"jpy": 3000 - 108 - 500, "usd": 964}
    emulator.settle_refund(made["id"], failure="unknown")
    assert client.get("/balance")["available"][0]["amount"] == 3000 - 108


def test_balance_transactions_are_charges_and_refunds_newest_first(client: Client, card: str, paid: Any) -> None:
    made = refund(client, paid["id"], 500)
    client.charge(card, capture_method="manual")
    client.pay("pm_card_chargeDeclined")

    page = client.get("/balance_transactions")["data"]

    assert [(one["type"], one["amount"], one["source"]) for one in page] == [
        ("refund", -500, made["id"]), ("charge", 3000, paid["latest_charge"]),
    ]  # fmt: skip
    assert (page[1]["fee"], page[1]["net"], page[1]["fee_details"][0]["amount"]) == (108, 2892, 108)
    assert page[1]["id"] == client.get(f"/charges/{paid['latest_charge']}")["balance_transaction"]
    assert [one["id"] for one in client.get("/balance_transactions", type="refund")["data"]] == [page[0]["id"]]
    assert [one["id"] for one in client.get("/balance_transactions", source=page[1]["source"])["data"]] == [
        page[1]["id"]
    ]
    after = client.get("/balance_transactions", starting_after=page[0]["id"], limit=1)
    assert ([one["id"] for one in after["data"]], after["has_more"]) == ([page[1]["id"]], False)
    shown = client.get(f"/balance_transactions/{page[0]['id']}", expand=["source.charge"])
    assert shown["source"]["charge"]["id"] == paid["latest_charge"]


def test_a_charge_that_took_no_money_has_no_transaction(client: Client, card: str) -> None:
    held = client.charge(card, capture_method="manual")["latest_charge"]

    client.refused(f"/balance_transactions/txn_{held.removeprefix('ch_')}", status=404, method="GET")
    client.refused("/balance_transactions/txn_none", status=404, method="GET")


def test_there_is_one_account(client: Client) -> None:
    account = client.get("/account")

    assert (account["country"], account["default_currency"], account["charges_enabled"]) == ("JP", "jpy", True)
    assert client.get(f"/accounts/{account['id']}") == account
    assert client.refused("/accounts/acct_other", status=403, method="GET")["code"] == "account_invalid"
