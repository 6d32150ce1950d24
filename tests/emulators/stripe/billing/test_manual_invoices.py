"""Invoices that somebody writes by hand, and charges of a token: what old integrations and the command line use."""

from __future__ import annotations

from typing import Any

import pytest

from paygate.testing.clock import ManualClock
from paygate.testing.emulators import CardKind, Wish, WishKind
from paygate.testing.emulators.stripe import StripeEmulator

from ..conftest import Client


@pytest.fixture
def customer(client: Client) -> str:
    found: str = client.post(
        "/customers",
        {"payment_method": "pm_card_visa", "invoice_settings": {"default_payment_method": "pm_card_visa"}},
    )["id"]
    return found


def item(client: Client, customer: str, amount: int = 2000, **more: Any) -> Any:
    return client.post("/invoiceitems", {"customer": customer, "currency": "jpy", "amount": amount, **more})


def invoice(client: Client, customer: str, **more: Any) -> Any:
    return client.post("/invoices", {"customer": customer, "pending_invoice_items_behavior": "include", **more})


@pytest.mark.rule("R-375")
def test_a_new_customers_default_method_may_be_named_by_its_test_token(client: Client, customer: str) -> None:
    found = client.get(f"/customers/{customer}", expand=["invoice_settings.default_payment_method"])
    method = found["invoice_settings"]["default_payment_method"]
    assert (method["customer"], method["card"]["last4"]) == (customer, "4242")
    assert len(client.get("/payment_methods", customer=customer)["data"]) == 1
    other = {"invoice_settings": {"default_payment_method": "pm_card_mastercard"}}
    assert client.refused(f"/customers/{customer}", other)["code"] == "resource_missing"
    assert client.refused("/customers", other)["code"] == "resource_missing"


def test_an_invoice_by_hand_takes_what_waits_and_is_paid_on_demand(client: Client, customer: str) -> None:
    waiting = item(client, customer, description="Book")
    price = client.post("/prices", {"product_data": {"name": "Pen"}, "unit_amount": 150, "currency": "jpy"})["id"]
    client.post("/invoiceitems", {"customer": customer, "pricing": {"price": price}, "quantity": 2})
    made = invoice(client, customer)
    later = item(client, customer, 700)
    client.post(f"/invoices/{made['id']}/finalize")
    opened = client.get(f"/invoices/{made['id']}")
    paid = client.post(f"/invoices/{made['id']}/pay")

    assert (made["status"], made["total"], made["billing_reason"], made["parent"]) == ("draft", 2300, "manual", None)
    assert [line["amount"] for line in made["lines"]["data"]] == [2000, 300]
    assert made["lines"]["data"][0]["parent"]["invoice_item_details"]["invoice_item"] == waiting["id"]
    assert (opened["status"], opened["amount_remaining"], opened["attempted"]) == ("open", 2300, False)
    assert (paid["status"], paid["amount_paid"]) == ("paid", 2300)
    assert client.get(f"/invoiceitems/{later['id']}")["invoice"] is None
    assert client.get("/invoiceitems", customer=customer, pending=True)["data"][0]["id"] == later["id"]
    assert client.emulator.book.captured() == 2300
    assert {"invoiceitem.created", "invoice.created", "invoice.finalized", "invoice.paid"} <= set(client.types())


def test_a_draft_can_be_written_and_thrown_away_and_a_final_one_cannot(client: Client, customer: str) -> None:
    made = client.post("/invoices", {"customer": customer, "currency": "jpy"})
    line = item(client, customer, 900, invoice=made["id"])
    changed = client.post(f"/invoiceitems/{line['id']}", {"amount": 1000})
    assert (made["total"], changed["amount"]) == (0, 1000)
    assert client.get(f"/invoices/{made['id']}/lines")["data"][0]["amount"] == 1000
    assert client.delete(f"/invoices/{made['id']}")["deleted"]
    assert client.send("GET", f"/invoices/{made['id']}").status == 404

    final = client.post("/invoices", {"customer": customer, "currency": "jpy"})
    line = item(client, customer, 900, invoice=final["id"])
    client.post(f"/invoices/{final['id']}/finalize")
    for method, path in (("DELETE", f"/invoices/{final['id']}"), ("DELETE", f"/invoiceitems/{line['id']}")):
        assert client.refused(path, method=method)["code"] == "invoice_not_editable"
    refused = client.refused(
        "/invoiceitems", {"customer": customer, "currency": "jpy", "amount": 1, "invoice": final["id"]}
    )
    assert refused["code"] == "invoice_not_editable"


def test_one_that_advances_by_itself_is_charged_within_the_hour_and_retried(
    client: Client, emulator: StripeEmulator, clock: ManualClock, customer: str
) -> None:
    item(client, customer)
    made = invoice(client, customer, auto_advance=True)
    emulator.wish(Wish(WishKind.DECLINE))
    clock.advance(hours=1, minutes=1)
    failed = client.get(f"/invoices/{made['id']}")
    clock.advance(days=3, minutes=1)
    paid = client.get(f"/invoices/{made['id']}")

    assert (failed["status"], failed["attempt_count"]) == ("open", 1)
    assert failed["next_payment_attempt"] is not None
    assert (paid["status"], paid["attempt_count"]) == ("paid", 2)
    assert "invoice.payment_failed" in client.types()


def test_a_refused_payment_is_a_402_and_another_card_pays(client: Client, emulator: StripeEmulator) -> None:
    customer, bad = emulator.store_card(CardKind.DECLINED_SOFT).split("/")
    item(client, customer)
    made = invoice(client, customer)
    path = f"/invoices/{made['id']}/pay"
    assert client.refused(path)["param"] == "payment_method"
    assert client.refused(path, {"payment_method": bad}, status=402)["code"] == "card_declined"
    good = client.post("/payment_methods/pm_card_jcb/attach", {"customer": customer})["id"]
    assert client.post(path, {"payment_method": good})["status"] == "paid"


def test_one_that_is_sent_has_a_day_on_which_it_is_due(client: Client, customer: str) -> None:
    item(client, customer)
    missing = {"customer": customer, "collection_method": "send_invoice"}
    assert client.refused("/invoices", missing)["param"] == "days_until_due"
    made = invoice(client, customer, collection_method="send_invoice", days_until_due=30)
    sent = client.post(f"/invoices/{made['id']}/send")
    assert sent["due_date"] - sent["status_transitions"]["finalized_at"] == 30 * 24 * 3600
    assert client.types()[-1] == "invoice.sent"


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({}, "amount"),
        ({"amount": 1, "unit_amount": 1}, "unit_amount"),
        ({"amount": 1, "quantity": 2}, "quantity"),
        ({"amount": 1, "invoice": "in_none"}, "invoice"),
        ({"pricing": {"price": "price_none"}}, "pricing[price]"),
        ({"amount": 1, "customer": "cus_none"}, "customer"),
        ({"amount": 1, "tax": 3}, "tax"),
    ],
)
def test_an_item_that_makes_no_sense_is_refused(client: Client, customer: str, params: Any, param: str) -> None:
    body = {"customer": customer, "currency": "jpy", **params}
    assert client.refused("/invoiceitems", body)["param"] == param


def test_what_is_taken_off_never_pays_back(client: Client, customer: str) -> None:
    item(client, customer, -500)
    paid = client.post(f"/invoices/{invoice(client, customer)['id']}/finalize")
    assert (paid["status"], paid["total"]) == ("paid", 0)
    assert client.emulator.book.movements == ()


def test_a_token_is_charged_held_and_refunded_without_an_intent(client: Client) -> None:
    body = {"amount": 3000, "currency": "jpy", "source": "tok_visa"}
    charge = client.post("/charges", body)
    back = client.post("/refunds", {"charge": charge["id"], "amount": 1000})
    held = client.post("/charges", {**body, "capture": False})
    taken = client.post(f"/charges/{held['id']}/capture", {"amount": 2000})

    assert (charge["payment_intent"], charge["paid"], back["payment_intent"]) == (None, True, None)
    assert (held["captured"], taken["amount_captured"]) == (False, 2000)
    assert client.refused(f"/charges/{held['id']}/capture")["code"] == "charge_already_captured"
    assert client.emulator.book.captured() == 5000
    assert {row.reference for row in client.emulator.book.captures} == {charge["id"], held["id"]}


@pytest.mark.parametrize(
    ("source", "code"), [("tok_chargeDeclined", "generic_decline"), ("tok_authenticationRequired", None)]
)
def test_a_token_that_is_declined_leaves_a_failed_charge(client: Client, source: str, code: str | None) -> None:
    error = client.refused("/charges", {"amount": 3000, "currency": "jpy", "source": source}, status=402)
    assert client.get(f"/charges/{error['charge']}")["status"] == "failed"
    assert code in {None, error.get("decline_code")}
    assert client.refused("/charges", {"amount": 3000, "currency": "jpy"})["param"] == "source"


def test_an_outcome_holds_for_a_token_too(client: Client, emulator: StripeEmulator) -> None:
    emulator.wish(Wish(WishKind.DECLINE, "stolen_card"))
    body = {"amount": 3000, "currency": "jpy", "source": "tok_visa"}
    assert client.refused("/charges", body, status=402)["decline_code"] == "stolen_card"
    assert client.post("/charges", body)["paid"]


def test_a_page_is_filled_in_over_http_with_the_amount_that_was_shown(client: Client) -> None:
    line = {"price_data": {"unit_amount": 1500, "currency": "jpy", "product_data": {"name": "shirt"}}, "quantity": 2}
    ways = {"success_url": "https://shop.example/done"}
    session = client.post("/checkout/sessions", {"mode": "payment", "line_items": [line], **ways})
    page = client.get(f"/payment_pages/{session['id']}")
    path = f"/payment_pages/{page['id']}/confirm"
    wrong = client.refused(path, {"payment_method": "pm_card_visa", "expected_amount": 1})
    declined = client.refused(path, {"payment_method": "pm_card_chargeDeclined"}, status=402)
    done = client.post(path, {"payment_method": "pm_card_visa", "expected_amount": 3000})
    again = client.refused(path, {"payment_method": "pm_card_visa"})

    assert (wrong["param"], declined["code"]) == ("expected_amount", "card_declined")
    assert (done["status"], done["payment_status"]) == ("complete", "paid")
    assert "no longer open" in again["message"]
    assert client.emulator.book.captured() == 3000
    assert client.types()[-1] == "checkout.session.completed"
