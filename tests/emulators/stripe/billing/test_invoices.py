"""Invoices of the emulated Stripe and their payments (provider fact sheet §10, §13)."""

from __future__ import annotations

from typing import Any

import pytest

from paygate.testing.emulators import CardKind
from paygate.testing.emulators.stripe import StripeEmulator

Client = Any
Shop = Any


def drafted(shop: Shop) -> Any:
    """The draft of a renewal."""
    made = shop.subscribe()
    shop.wait(days=30)
    return shop.invoice(made)


def test_an_invoice_leads_to_its_payment_and_back(shop: Shop, client: Client) -> None:
    made = shop.subscribe()
    (payment,) = client.get("/invoice_payments", invoice=made["latest_invoice"])["data"]
    assert (payment["status"], payment["amount_paid"], payment["invoice"]) == ("paid", 3000, made["latest_invoice"])

    intent = payment["payment"]["payment_intent"]
    by_intent = {"payment[type]": "payment_intent", "payment[payment_intent]": intent, "status": "paid"}
    assert client.get("/invoice_payments", **by_intent)["data"] == [payment]
    expanded = client.get(
        f"/invoice_payments/{payment['id']}", **{"expand[0]": "payment.payment_intent", "expand[1]": "invoice"}
    )
    assert expanded["payment"]["payment_intent"]["amount_received"] == 3000
    assert expanded["invoice"]["status"] == "paid"
    (listed,) = client.get("/payment_intents", customer=made["customer"])["data"]
    assert listed["id"] == intent


def test_an_invoice_shows_none_of_the_fields_that_are_gone(shop: Shop, client: Client) -> None:
    made = shop.subscribe()
    shown = client.get(
        f"/invoices/{made['latest_invoice']}", **{"expand[]": "parent.subscription_details.subscription"}
    )

    assert not {"payment_intent", "charge", "paid", "subscription"} & set(shown)
    assert shown["parent"]["subscription_details"]["subscription"]["id"] == made["id"]
    assert not {"current_period_start", "current_period_end"} & set(made)


def test_invoices_are_listed_by_subscription_customer_and_status(shop: Shop, client: Client) -> None:
    made, other = shop.subscribe(), shop.subscribe(CardKind.DECLINED_SOFT)

    def ids(**filters: str) -> list[str]:
        return [one["id"] for one in client.get("/invoices", **filters)["data"]]

    assert ids() == [other["latest_invoice"], made["latest_invoice"]]
    assert (
        ids(subscription=made["id"]) == ids(customer=made["customer"]) == ids(status="paid") == [made["latest_invoice"]]
    )
    assert ids(subscription=made["id"], customer=other["customer"]) == []
    assert ids(status="open", collection_method="send_invoice") == []


def test_invoices_are_searched(shop: Shop, client: Client) -> None:
    made = shop.subscribe()
    client.post(f"/invoices/{made['latest_invoice']}", {"metadata": {"order": "7"}})
    shop.wait(minutes=1)
    number = shop.invoice(made)["number"]

    for query in (
        'metadata["order"]:"7"',
        f'number:"{number}"',
        f'subscription:"{made["id"]}" AND total:3000 AND status:"paid"',
        f'customer:"{made["customer"]}" AND currency:"jpy" AND created>0',
    ):
        assert [one["id"] for one in client.get("/invoices/search", query=query)["data"]] == [made["latest_invoice"]]


def test_invoices_of_a_customer_are_numbered(shop: Shop) -> None:
    made = shop.subscribe()
    first = shop.invoice(made)["number"]
    shop.wait(days=31)

    assert (first[-5:], shop.invoice(made)["number"]) == ("-0001", f"{first[:-1]}2")


def test_an_invoice_can_be_annotated(shop: Shop, client: Client) -> None:
    invoice = drafted(shop)
    path = f"/invoices/{invoice['id']}"
    changed = client.post(path, {"description": "December", "metadata": {"a": "1"}})
    assert (changed["description"], changed["metadata"]) == ("December", {"a": "1"})
    event = shop.events()[-1]
    assert (event["type"], event["data"]["previous_attributes"]) == (
        "invoice.updated",
        {"description": None, "metadata": {}},
    )
    client.post(path, {"description": "December"})
    assert shop.events()[-1]["id"] == event["id"]
    assert client.refused(path, {"default_payment_method": "pm_card_visa"})["param"] == "default_payment_method"


def test_an_invoice_has_a_card_of_its_own_if_it_is_given_one(
    shop: Shop, client: Client, emulator: StripeEmulator
) -> None:
    made = shop.trial(CardKind.DECLINED_SOFT)
    shop.wait(days=1)
    good = client.post("/payment_methods/pm_card_visa/attach", {"customer": made["customer"]})["id"]
    client.post(f"/invoices/{shop.invoice(made)['id']}", {"default_payment_method": good})
    shop.wait(hours=1)

    assert (shop.invoice(made)["status"], emulator.book.captured()) == ("paid", 3000)


def test_a_draft_is_finalized_ahead_of_time(shop: Shop, client: Client, emulator: StripeEmulator) -> None:
    invoice = drafted(shop)
    path = f"/invoices/{invoice['id']}"
    done = client.post(f"{path}/finalize")
    assert (done["status"], emulator.book.captured()) == ("paid", 6000)
    assert client.refused(f"{path}/finalize")["code"] == "invoice_not_editable"
    shop.wait(hours=2)
    assert emulator.book.captured() == 6000


def test_a_draft_that_does_not_advance_stays_until_it_is_paid(
    shop: Shop, client: Client, emulator: StripeEmulator
) -> None:
    invoice = drafted(shop)
    path = f"/invoices/{invoice['id']}"
    client.post(path, {"auto_advance": False})
    shop.wait(hours=2)
    assert client.get(path)["status"] == "draft"
    assert client.post(f"{path}/finalize", {"auto_advance": False})["status"] == "open"
    assert emulator.book.captured() == 3000

    paid = client.post(f"{path}/pay")
    assert (paid["status"], paid["attempt_count"]) == ("paid", 1)


def test_a_draft_can_be_paid_at_once(shop: Shop, client: Client, emulator: StripeEmulator) -> None:
    invoice = drafted(shop)

    assert client.post(f"/invoices/{invoice['id']}/pay")["status"] == "paid"
    assert emulator.book.captured() == 6000


def test_a_first_payment_by_hand_that_fails_counts_and_is_tried_again(shop: Shop, client: Client) -> None:
    made = shop.trial(CardKind.DECLINED_SOFT)
    shop.wait(days=1)
    client.refused(f"/invoices/{shop.invoice(made)['id']}/pay", status=402)

    invoice = shop.invoice(made)
    assert (shop.seen(made)["status"], invoice["attempt_count"]) == ("past_due", 1)
    assert invoice["next_payment_attempt"] == shop.stamp(days=3)


def test_paying_needs_a_card_of_the_customer(shop: Shop, client: Client) -> None:
    made = client.post(
        "/subscriptions", {"customer": client.post("/customers")["id"], "items": [{"price": shop.price}]}
    )
    path = f"/invoices/{made['latest_invoice']}/pay"

    assert client.refused(path)["code"] == "resource_missing"
    assert client.refused(path, {"payment_method": "pm_card_visa"})["param"] == "payment_method"


@pytest.mark.parametrize(("verb", "status"), [("void", "void"), ("mark_uncollectible", "uncollectible")])
def test_an_open_invoice_is_given_up(
    shop: Shop, client: Client, emulator: StripeEmulator, verb: str, status: str
) -> None:
    made = shop.trial(CardKind.DECLINED_SOFT)
    shop.wait(days=1, hours=1)
    path = f"/invoices/{shop.invoice(made)['id']}"
    given_up = client.post(f"{path}/{verb}")
    assert (given_up["status"], given_up["next_payment_attempt"]) == (status, None)
    shop.wait(days=20)
    assert len(client.get("/charges", customer=made["customer"])["data"]) == 1
    good = client.post("/payment_methods/pm_card_visa/attach", {"customer": made["customer"]})["id"]

    if status == "void":
        assert client.refused(f"{path}/pay", {"payment_method": good})["code"] == "invoice_not_editable"
        assert shop.intent(made)["status"] == "canceled"
    else:
        client.post(f"{path}/pay", {"payment_method": good})
        assert (client.get(path)["status"], emulator.book.captured()) == ("paid", 3000)


def test_a_draft_cannot_be_voided(shop: Shop, client: Client) -> None:
    assert client.refused(f"/invoices/{drafted(shop)['id']}/void")["code"] == "invoice_not_editable"


def test_the_next_invoice_can_be_looked_at_before_it_exists(shop: Shop, client: Client) -> None:
    made = shop.subscribe(items=[{"price": shop.price, "quantity": 2}])
    ahead = client.post("/invoices/create_preview", {"subscription": made["id"], "customer": made["customer"]})

    assert (ahead["total"], ahead["billing_reason"], ahead["status"]) == (6000, "upcoming", "draft")
    assert ahead["created"] == made["items"]["data"][0]["current_period_end"]
    assert len(client.get("/invoices")["data"]) == 1
    client.post(f"/subscriptions/{made['id']}", {"cancel_at_period_end": True})
    error = client.refused("/invoices/create_preview", {"subscription": made["id"]})
    assert error["code"] == "invoice_upcoming_none"
    stranger = {"subscription": made["id"], "customer": client.post("/customers")["id"]}
    assert client.refused("/invoices/create_preview", stranger)["param"] == "customer"
    assert client.refused("/invoices/create_preview")["code"] == "parameter_missing"


@pytest.mark.parametrize("verb", ["pay", "mark_uncollectible"])
def test_a_draft_over_nothing_is_paid_whatever_one_does_with_it(
    shop: Shop, client: Client, emulator: StripeEmulator, verb: str
) -> None:
    made = shop.subscribe(items=[{"price": shop.sell(0)["id"]}])
    shop.wait(days=30)
    done = client.post(f"/invoices/{shop.invoice(made)['id']}/{verb}")

    assert (done["status"], done["total"], emulator.book.captured()) == ("paid", 0, 0)


def test_a_draft_can_be_given_up(shop: Shop, client: Client) -> None:
    invoice = drafted(shop)

    assert client.post(f"/invoices/{invoice['id']}/mark_uncollectible")["status"] == "uncollectible"


def test_a_payment_that_is_being_processed_cannot_be_called_back(
    shop: Shop, client: Client, emulator: StripeEmulator
) -> None:
    made = shop.subscribe(CardKind.PENDING)
    client.post(f"/invoices/{made['latest_invoice']}/void")
    emulator.settle(shop.intent(made)["id"])

    assert (shop.invoice(made)["status"], emulator.book.captured()) == ("void", 3000)
    shop.wait(hours=23)
    assert shop.seen(made)["status"] == "incomplete_expired"
