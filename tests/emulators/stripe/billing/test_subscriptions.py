"""Subscriptions of the emulated Stripe: how they begin, renew, change, pause and end (provider fact sheet §10)."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest

from paygate.testing.clock import ManualClock
from paygate.testing.emulators import CardKind, Wish, WishKind
from paygate.testing.emulators.stripe import StripeEmulator

Client = Any
Shop = Any

HOUR = 3600


def days(subscription: Any) -> tuple[str, str]:
    """The running period, as days in UTC."""
    (item,) = subscription["items"]["data"]
    begin, end = (dt.datetime.fromtimestamp(item[f"current_period_{edge}"], dt.UTC) for edge in ("start", "end"))
    return begin.date().isoformat(), end.date().isoformat()


# --- the beginning -------------------------------------------------------------------------------------------------------


def test_the_first_period_is_charged_at_once(shop: Shop, emulator: StripeEmulator) -> None:
    seen = len(shop.events())
    made = shop.subscribe(metadata={"paygate_contract": "c1"}, expand=["latest_invoice.payments", "customer"])

    invoice = made["latest_invoice"]
    assert (made["status"], invoice["status"], invoice["billing_reason"]) == ("active", "paid", "subscription_create")
    assert (invoice["amount_paid"], invoice["amount_remaining"], invoice["attempt_count"]) == (3000, 0, 1)
    assert invoice["parent"]["subscription_details"] == {
        "metadata": {"paygate_contract": "c1"},
        "subscription": made["id"],
    }
    (payment,) = invoice["payments"]["data"]
    (row,) = emulator.book.captures
    assert (row.reference, row.amount.minor) == (payment["payment"]["payment_intent"], 3000)
    assert days(made) == ("2026-11-22", "2026-12-22")
    assert shop.since(seen) == [
        "customer.created",
        "payment_method.attached",
        "customer.subscription.created",
        "invoice.created",
        "payment_intent.created",
        "invoice.finalized",
        "charge.succeeded",
        "payment_intent.succeeded",
        "invoice_payment.paid",
        "invoice.paid",
        "invoice.payment_succeeded",
        "customer.subscription.updated",
    ]


def test_events_of_a_request_carry_its_key_and_those_of_a_renewal_carry_none(
    shop: Shop, client: Client, emulator: StripeEmulator
) -> None:
    client.post("/subscriptions", shop.order(emulator.store_card()), key="contract-1")
    first = next(event for event in shop.events() if event["type"] == "invoice.paid")
    shop.wait(days=31)
    second = [event for event in shop.events() if event["type"] == "invoice.paid"][-1]

    assert first["request"]["idempotency_key"] == "contract-1"
    assert second["request"] == {"id": None, "idempotency_key": None}


def test_the_same_key_starts_one_subscription(shop: Shop, client: Client, emulator: StripeEmulator, card: str) -> None:
    order = shop.order(card)

    first = client.post("/subscriptions", order, key="contract-1")
    again = client.post("/subscriptions", order, key="contract-1")

    assert first["id"] == again["id"]
    assert emulator.book.captured() == 3000


def test_a_price_can_be_described_in_place(shop: Shop, client: Client, card: str) -> None:
    data = {"currency": "jpy", "product": shop.product, "unit_amount": 980, "recurring": {"interval": "month"}}
    made = client.post("/subscriptions", shop.order(card, items=[{"price_data": data, "quantity": 2}]))

    assert shop.invoice(made)["total"] == 1960
    assert shop.invoice(made)["lines"]["data"][0]["description"] == "2 × Gold"


def test_a_trial_asks_for_nothing_and_charges_when_it_ends(shop: Shop, emulator: StripeEmulator) -> None:
    made = shop.trial(days=10)
    assert (made["status"], shop.invoice(made)["status"], shop.invoice(made)["total"]) == ("trialing", "paid", 0)
    assert made["trial_end"] == shop.stamp(days=10)
    shop.wait(days=10)
    assert shop.seen(made)["status"] == "active"
    assert (shop.invoice(made)["status"], emulator.book.captured()) == ("draft", 0)
    shop.wait(hours=1)

    assert (shop.invoice(made)["status"], emulator.book.captured()) == ("paid", 3000)
    assert shop.invoice(made)["billing_reason"] == "subscription_cycle"
    assert days(shop.seen(made)) == ("2026-12-02", "2027-01-02")


def test_a_trial_counts_in_days_as_well(shop: Shop) -> None:
    assert shop.subscribe(trial_period_days=7)["trial_end"] == shop.stamp(days=7)


def test_an_anchor_day_survives_a_first_charge_in_a_short_month(shop: Shop, clock: ManualClock) -> None:
    clock.set(dt.datetime(2027, 2, 10, 3, tzinfo=dt.UTC))
    config = {"day_of_month": 31, "hour": 3, "minute": 0, "second": 0}
    made = shop.trial(days=18, billing_cycle_anchor_config=config)
    shop.wait(days=18, hours=2)
    assert days(shop.seen(made)) == ("2027-02-28", "2027-03-31")
    assert shop.invoice(made)["total"] == 3000
    shop.wait(days=31)

    assert days(shop.seen(made)) == ("2027-03-31", "2027-04-30")
    assert shop.seen(made)["billing_cycle_anchor_config"]["day_of_month"] == 31


def test_a_first_period_up_to_an_anchor_costs_its_share(shop: Shop) -> None:
    made = shop.subscribe(billing_cycle_anchor=shop.stamp(days=15))
    free = shop.subscribe(billing_cycle_anchor=shop.stamp(days=15), proration_behavior="none")

    assert shop.invoice(made)["total"] == 3000 * 15 // 30  # the month before 7 December has 30 days
    assert shop.invoice(free)["total"] == 0


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"items": []}, "items"),
        ({"items": [{"quantity": 1}]}, "items[0][price]"),
        ({"items": [{"price": "price_none"}]}, "items[0][price]"),
        ({"default_payment_method": "pm_none"}, "default_payment_method"),
        ({"default_payment_method": "pm_card_visa"}, "default_payment_method"),
        ({"customer": "cus_none"}, "customer"),
        ({"trial_end": 1_000_000_000}, "trial_end"),
        ({"trial_end": 4_000_000_000}, "trial_end"),
        ({"trial_end": 1_796_000_000, "trial_period_days": 3}, "trial_end"),
        ({"billing_cycle_anchor": 1_000_000_000}, "billing_cycle_anchor"),
        ({"billing_cycle_anchor": 1_800_000_000}, "billing_cycle_anchor"),
        (
            {"billing_cycle_anchor": 1_796_000_000, "billing_cycle_anchor_config": {"day_of_month": 1}},
            "billing_cycle_anchor",
        ),
        ({"cancel_at": 1_000_000_000}, "cancel_at"),
        ({"cancel_at": 1_796_000_000, "cancel_at_period_end": True}, "cancel_at"),
        ({"collection_method": "send_invoice"}, "days_until_due"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_subscription_that_makes_no_sense_starts_nothing(
    shop: Shop, client: Client, card: str, more: Any, param: str
) -> None:
    error = client.refused("/subscriptions", json.loads(json.dumps(shop.order(card))) | more)

    assert error["param"] == param
    assert client.get("/subscriptions", status="all")["data"] == []


def test_prices_that_cannot_be_paid_together_are_refused(shop: Shop, client: Client, card: str) -> None:
    def refused(*prices: str) -> str:
        message: str = client.refused("/subscriptions", shop.order(card, items=[{"price": one} for one in prices]))[
            "message"
        ]
        return message

    dollars = client.post(
        "/prices",
        {"currency": "usd", "product": shop.product, "unit_amount": 900, "recurring": {"interval": "month"}},
    )["id"]
    assert "one_time" in refused(shop.sell(500, None)["id"])
    assert "currency" in refused(shop.price, dollars)
    assert "one interval" in refused(shop.price, shop.sell(30_000, "year")["id"])
    off = shop.sell(700)["id"]
    client.post(f"/prices/{off}", {"active": False})
    assert "inactive" in refused(off)
    daily = client.post(
        "/prices", {"currency": "jpy", "product": shop.product, "unit_amount": 900, "recurring": {"interval": "day"}}
    )
    order = shop.order(card, items=[{"price": daily["id"]}], billing_cycle_anchor_config={"day_of_month": 1})
    assert client.refused("/subscriptions", order)["param"] == "billing_cycle_anchor_config"


def test_a_customer_is_billed_in_one_currency(shop: Shop, client: Client, card: str) -> None:
    client.post("/subscriptions", shop.order(card))
    dollars = {"currency": "usd", "product": shop.product, "unit_amount": 900, "recurring": {"interval": "month"}}
    order = shop.order(card, items=[{"price_data": dollars}])

    assert client.refused("/subscriptions", order)["param"] == "customer"


# --- the first payment fails ---------------------------------------------------------------------------------------------


def test_a_first_payment_that_fails_leaves_23_hours(shop: Shop, emulator: StripeEmulator) -> None:
    made = shop.subscribe(CardKind.DECLINED_SOFT)
    assert made["status"] == "incomplete"
    invoice = shop.invoice(made)
    assert (invoice["status"], invoice["attempt_count"], invoice["next_payment_attempt"]) == ("open", 1, None)
    shop.wait(hours=22, minutes=59)
    assert shop.seen(made)["status"] == "incomplete"
    shop.wait(minutes=1)

    assert shop.seen(made)["status"] == "incomplete_expired"
    assert (shop.invoice(made)["status"], shop.intent(made)["cancellation_reason"]) == ("void", "void_invoice")
    shop.wait(days=60)
    assert (shop.seen(made)["status"], emulator.book.captured()) == ("incomplete_expired", 0)


def test_another_card_in_time_makes_an_incomplete_subscription_active(shop: Shop, client: Client) -> None:
    made = shop.subscribe(CardKind.DECLINED_SOFT)
    good = client.post("/payment_methods/pm_card_visa/attach", {"customer": made["customer"]})["id"]
    client.post(f"/invoices/{made['latest_invoice']}/pay", {"payment_method": good})
    assert shop.seen(made)["status"] == "active"
    shop.wait(days=2)

    assert shop.seen(made)["status"] == "active"


def test_with_error_if_incomplete_a_refusal_starts_nothing(
    shop: Shop, client: Client, emulator: StripeEmulator
) -> None:
    order = shop.order(emulator.store_card(CardKind.DECLINED_SOFT), payment_behavior="error_if_incomplete")
    error = client.refused("/subscriptions", order, status=402)
    asking = shop.order(emulator.store_card(CardKind.ACTION_REQUIRED), payment_behavior="error_if_incomplete")
    asked = client.refused("/subscriptions", asking, status=402)
    nothing = client.refused(
        "/subscriptions",
        {
            "customer": client.post("/customers")["id"],
            "items": [{"price": shop.price}],
            "payment_behavior": "error_if_incomplete",
        },
    )

    assert error["payment_intent"]["status"] == "requires_payment_method"
    assert asked["code"] == "subscription_payment_intent_requires_action"
    assert nothing["code"] == "resource_missing"
    assert client.get("/subscriptions", status="all")["data"] == []
    assert emulator.awaiting() == ()


def test_with_error_if_incomplete_a_good_card_pays_the_first_invoice_once(shop: Shop, emulator: StripeEmulator) -> None:
    made = shop.subscribe(payment_behavior="error_if_incomplete")

    assert (made["status"], shop.invoice(made)["attempt_count"]) == ("active", 1)
    assert shop.intent(made)["status"] == "succeeded"
    assert emulator.book.captured() == 3000


def test_with_default_incomplete_the_front_end_pays_and_its_card_can_be_kept(shop: Shop, client: Client) -> None:
    customer = client.post("/customers")["id"]
    made = client.post(
        "/subscriptions",
        {
            "customer": customer,
            "items": [{"price": shop.price}],
            "payment_behavior": "default_incomplete",
            "payment_settings": {"save_default_payment_method": "on_subscription"},
            "expand": ["latest_invoice.confirmation_secret"],
        },
    )
    secret = made["latest_invoice"]["confirmation_secret"]["client_secret"]
    intent = secret.partition("_secret_")[0]
    assert (made["status"], client.get(f"/payment_intents/{intent}")["status"]) == (
        "incomplete",
        "requires_payment_method",
    )

    client.post(
        f"/payment_intents/{intent}/confirm", {"payment_method": "pm_card_visa", "return_url": "https://shop.example"}
    )

    seen = shop.seen(made)
    assert (seen["status"], seen["payment_settings"]["save_default_payment_method"]) == ("active", "on_subscription")
    assert client.get(f"/payment_methods/{seen['default_payment_method']}")["customer"] == customer
    shop.wait(days=31)
    assert shop.invoice(made)["status"] == "paid"


def test_a_first_payment_on_session_waits_for_3d_secure(shop: Shop, client: Client, emulator: StripeEmulator) -> None:
    made = shop.subscribe(CardKind.ACTION_REQUIRED)
    intent = shop.intent(made)
    assert (made["status"], intent["status"]) == ("incomplete", "requires_action")
    assert set(emulator.awaiting()) == {intent["id"], made["latest_invoice"]}
    assert "invoice.payment_action_required" in client.types()

    emulator.approve(made["latest_invoice"])

    assert (shop.seen(made)["status"], emulator.book.captured()) == ("active", 3000)
    assert emulator.awaiting() == ()


def test_failing_3d_secure_leaves_the_subscription_incomplete_and_charges_nothing(
    shop: Shop, emulator: StripeEmulator
) -> None:
    made = shop.subscribe(CardKind.ACTION_REQUIRED)

    emulator.approve(shop.intent(made)["id"], passed=False)

    assert shop.seen(made)["status"] == "incomplete"
    assert (emulator.awaiting(), emulator.book.captured()) == ((), 0)


def test_a_first_payment_that_is_being_processed_makes_it_active_once_it_is_through(
    shop: Shop, emulator: StripeEmulator
) -> None:
    made, lost = shop.subscribe(CardKind.PENDING), shop.subscribe(CardKind.PENDING)
    assert (made["status"], shop.intent(made)["status"]) == ("incomplete", "processing")

    emulator.settle(shop.intent(made)["id"])
    emulator.settle(shop.intent(lost)["id"], code="insufficient_funds")

    assert (shop.seen(made)["status"], shop.seen(lost)["status"]) == ("active", "incomplete")


# --- renewals ------------------------------------------------------------------------------------------------------------


def test_a_renewal_is_a_draft_for_an_hour_and_then_charged(shop: Shop, emulator: StripeEmulator) -> None:
    made = shop.subscribe()
    shop.wait(days=30)
    draft = shop.invoice(made)
    assert (draft["status"], draft["billing_reason"], draft["attempted"]) == ("draft", "subscription_cycle", False)
    assert draft["automatically_finalizes_at"] == draft["created"] + HOUR == draft["next_payment_attempt"]
    told = shop.events()[-1]
    assert (told["type"], told["data"]["object"]["next_payment_attempt"]) == (
        "invoice.created",
        draft["next_payment_attempt"],
    )
    shop.wait(hours=1)

    paid = shop.invoice(made)
    assert (paid["id"], paid["status"], paid["attempt_count"]) == (draft["id"], "paid", 1)
    assert emulator.book.captured() == 6000
    assert days(shop.seen(made)) == ("2026-12-22", "2027-01-22")
    (line,) = paid["lines"]["data"]
    assert line["period"]["end"] - line["period"]["start"] == 31 * 24 * HOUR
    assert shop.client.types()[-4:] == [
        "payment_intent.succeeded", "invoice_payment.paid", "invoice.paid", "invoice.payment_succeeded",
    ]  # fmt: skip


def test_a_year_of_renewals_happens_however_late_somebody_looks(shop: Shop, emulator: StripeEmulator) -> None:
    made = shop.subscribe()
    shop.wait(days=365, hours=2)

    invoices = shop.client.get("/invoices", subscription=made["id"], limit=100)["data"]
    assert [one["status"] for one in invoices] == ["paid"] * 13
    days_of = [dt.datetime.fromtimestamp(one["created"], dt.UTC).strftime("%m-%d") for one in invoices]
    assert days_of[:3] == ["11-22", "10-22", "09-22"]
    assert emulator.book.captured() == 13 * 3000


def test_what_pays_a_renewal_is_the_customers_default_where_the_subscription_names_none(
    shop: Shop, client: Client, emulator: StripeEmulator, card: str
) -> None:
    customer, method = card.split("/")
    client.post(f"/customers/{customer}", {"invoice_settings": {"default_payment_method": method}})
    made = client.post("/subscriptions", {"customer": customer, "items": [{"price": shop.price}]})
    shop.wait(days=31)

    assert (made["default_payment_method"], emulator.book.captured()) == (None, 6000)


def test_subscriptions_bill_by_invoice_where_that_is_agreed(
    shop: Shop, client: Client, emulator: StripeEmulator
) -> None:
    customer = client.post("/customers", {"email": "taro@example.com"})["id"]
    made = client.post(
        "/subscriptions",
        {
            "customer": customer,
            "items": [{"price": shop.price}],
            "collection_method": "send_invoice",
            "days_until_due": 14,
        },
    )
    invoice = shop.invoice(made)
    assert (made["status"], invoice["status"], invoice["due_date"]) == ("active", "open", shop.stamp(days=14))
    assert invoice["customer_email"] == "taro@example.com"
    client.post(f"/invoices/{invoice['id']}/pay", {"paid_out_of_band": True})
    paid = shop.invoice(made)
    assert (paid["status"], paid["amount_paid"], paid["attempt_count"]) == ("paid", 0, 0)
    shop.wait(days=60)
    assert (shop.invoice(made)["status"], emulator.book.captured()) == ("open", 0)


# --- changes -------------------------------------------------------------------------------------------------------------


def test_an_update_tells_what_was_before(shop: Shop, client: Client) -> None:
    made = shop.subscribe(metadata={"a": "1"})
    client.post(f"/subscriptions/{made['id']}", {"description": "Gold plan", "metadata": {"a": "2"}})

    event = shop.events()[-1]
    assert event["type"] == "customer.subscription.updated"
    assert event["data"]["previous_attributes"] == {"description": None, "metadata": {"a": "1"}}
    client.post(f"/subscriptions/{made['id']}", {"description": "Gold plan"})
    assert shop.events()[-1]["id"] == event["id"]


def test_another_price_counts_from_the_next_period_on(shop: Shop, client: Client, emulator: StripeEmulator) -> None:
    made = shop.subscribe()
    item = made["items"]["data"][0]["id"]
    path = f"/subscriptions/{made['id']}"
    dearer = shop.sell(5000)["id"]
    assert client.refused(path, {"items": [{"id": item, "price": dearer}]})["param"] == "proration_behavior"
    client.post(path, {"items": [{"id": item, "price": dearer}], "proration_behavior": "none"})
    shop.wait(days=31)

    assert emulator.book.captured() == 8000
    assert client.get(f"/subscription_items/{item}")["price"]["unit_amount"] == 5000


def test_items_are_a_resource_of_their_own(shop: Shop, client: Client) -> None:
    made = shop.subscribe()
    first = made["items"]["data"][0]["id"]
    extra = client.post(
        "/subscription_items",
        {"subscription": made["id"], "price": shop.sell(400)["id"], "quantity": 2, "proration_behavior": "none"},
    )
    client.post(
        f"/subscription_items/{extra['id']}", {"quantity": 3, "proration_behavior": "none", "metadata": {"a": "1"}}
    )
    listed = client.get("/subscription_items", subscription=made["id"])
    assert [one["id"] for one in listed["data"]] == [extra["id"], first]
    assert listed["data"][0]["metadata"] == {"a": "1"}
    shop.wait(days=31)
    assert shop.invoice(made)["total"] == 3000 + 1200
    gone = client.send("DELETE", f"/subscription_items/{extra['id']}", {"proration_behavior": "none"}).json()
    assert gone == {"id": extra["id"], "object": "subscription_item", "deleted": True}
    assert client.refused(f"/subscription_items/{extra['id']}", method="GET", status=404)["code"] == "resource_missing"
    last = client.send("DELETE", f"/subscription_items/{first}", {"proration_behavior": "none"})
    assert (last.status, last.json()["error"]["param"]) == (400, "items")


def test_an_update_that_is_refused_changes_nothing(shop: Shop, client: Client) -> None:
    made = shop.subscribe()
    path = f"/subscriptions/{made['id']}"
    before = shop.seen(made)
    item = {"id": before["items"]["data"][0]["id"], "quantity": 9}

    for wrong in (
        {"cancel_at": 1_000_000_000},
        {"trial_end": 1_000_000_000},
        {"default_payment_method": "pm_card_visa"},
        {"items": [item, {"id": "si_none"}]},
        {"items": [item, {"price": shop.sell(1, "year")["id"]}]},
    ):
        client.refused(path, {"items": [item], "proration_behavior": "none", "description": "x", **wrong})

    assert shop.seen(made) == before


def test_a_trial_can_be_moved_and_ended(shop: Shop, client: Client, emulator: StripeEmulator) -> None:
    made = shop.trial(days=10)
    path = f"/subscriptions/{made['id']}"
    client.post(path, {"trial_end": shop.stamp(days=3), "cancel_at_period_end": True})
    moved = client.post(path, {"trial_end": shop.stamp(days=5)})
    assert (moved["trial_end"], moved["cancel_at"]) == (shop.stamp(days=5), shop.stamp(days=5))
    client.post(path, {"trial_end": "now", "cancel_at_period_end": False})
    shop.wait(hours=1)
    assert (shop.seen(made)["status"], emulator.book.captured()) == ("active", 3000)
    assert client.post(path, {"trial_end": "now"})["status"] == "active"

    again = client.post(path, {"trial_end": shop.stamp(days=40)})
    assert again["status"] == "trialing"
    shop.wait(days=39)
    assert emulator.book.captured() == 3000
    shop.wait(days=2)
    assert emulator.book.captured() == 6000


@pytest.mark.parametrize(
    ("rule", "status"), [("cancel", "canceled"), ("pause", "paused"), ("create_invoice", "past_due")]
)
def test_a_trial_without_a_card_ends_as_was_agreed(shop: Shop, client: Client, rule: str, status: str) -> None:
    made = client.post(
        "/subscriptions",
        {
            "customer": client.post("/customers")["id"],
            "items": [{"price": shop.price}],
            "trial_period_days": 3,
            "trial_settings": {"end_behavior": {"missing_payment_method": rule}},
        },
    )
    shop.wait(days=3, hours=2)

    assert shop.seen(made)["status"] == status


# --- pauses and the end --------------------------------------------------------------------------------------------------


def test_a_subscription_ends_with_its_period_if_it_is_asked_to(
    shop: Shop, client: Client, emulator: StripeEmulator
) -> None:
    made = shop.subscribe()
    asked = client.post(
        f"/subscriptions/{made['id']}",
        {"cancel_at_period_end": True, "cancellation_details": {"comment": "moving", "feedback": "unused"}},
    )
    assert (asked["status"], asked["cancel_at"]) == ("active", asked["items"]["data"][0]["current_period_end"])
    shop.wait(days=31)

    ended = shop.seen(made)
    assert (ended["status"], ended["ended_at"], ended["canceled_at"]) == (
        "canceled",
        asked["cancel_at"],
        asked["canceled_at"],
    )
    assert ended["cancellation_details"] == {
        "comment": "moving", "feedback": "unused", "reason": "cancellation_requested",
    }  # fmt: skip
    assert shop.events()[-1]["type"] == "customer.subscription.deleted"
    assert emulator.book.captured() == 3000


def test_a_planned_end_can_be_taken_back(shop: Shop, client: Client, emulator: StripeEmulator) -> None:
    made = shop.subscribe()
    path = f"/subscriptions/{made['id']}"
    client.post(path, {"cancel_at_period_end": True})
    back = client.post(path, {"cancel_at_period_end": False})
    assert (back["cancel_at"], back["canceled_at"], back["cancellation_details"]["reason"]) == (None, None, None)
    client.post(path, {"cancel_at": shop.stamp(days=10)})
    client.post(path, {"cancel_at": ""})
    shop.wait(days=31)

    assert (shop.seen(made)["status"], emulator.book.captured()) == ("active", 6000)


def test_a_subscription_ends_at_a_moment_of_its_own(shop: Shop, client: Client) -> None:
    made, born_with_it = shop.subscribe(), shop.subscribe(cancel_at=shop.stamp(days=10))
    client.post(f"/subscriptions/{made['id']}", {"cancel_at": shop.stamp(days=10)})
    shop.wait(days=9)
    assert shop.seen(made)["status"] == "active"
    shop.wait(days=1)

    assert (shop.seen(made)["status"], shop.seen(born_with_it)["status"]) == ("canceled", "canceled")


def test_a_canceled_subscription_is_final(shop: Shop, client: Client, emulator: StripeEmulator) -> None:
    made = shop.subscribe()
    path = f"/subscriptions/{made['id']}"
    assert client.refused(path, {"prorate": True}, method="DELETE")["param"] == "prorate"
    canceled = client.delete(path)
    assert (canceled["status"], canceled["cancellation_details"]["reason"]) == ("canceled", "cancellation_requested")

    assert client.refused(path, method="DELETE", status=404)["code"] == "resource_missing"
    assert client.refused(path, {"description": "again"})["param"] == "description"
    assert client.post(path, {"metadata": {"note": "left"}})["metadata"] == {"note": "left"}
    shop.wait(days=40)
    assert emulator.book.captured() == 3000


def test_a_deleted_customer_is_billed_no_more(shop: Shop, client: Client, emulator: StripeEmulator) -> None:
    made, other = shop.subscribe(), shop.subscribe()
    client.delete(f"/subscriptions/{made['id']}")
    client.delete(f"/customers/{made['customer']}")
    client.delete(f"/customers/{other['customer']}")
    shop.wait(days=40)

    assert shop.seen(other)["status"] == "canceled"
    assert emulator.book.captured() == 6000


def test_a_paused_subscription_has_no_periods_until_it_is_resumed(
    shop: Shop, client: Client, emulator: StripeEmulator
) -> None:
    made = shop.subscribe()
    path = f"/subscriptions/{made['id']}"
    assert client.refused(f"{path}/resume")["message"].endswith("active.")
    assert client.post(f"{path}/pause", {"type": "subscription"})["status"] == "paused"
    assert "paused" in client.refused(f"{path}/pause")["message"]
    assert client.types()[-1] == "customer.subscription.paused"
    shop.wait(days=70)
    assert emulator.book.captured() == 3000

    resumed = client.post(f"{path}/resume")

    assert (resumed["status"], days(resumed)) == ("active", ("2027-01-31", "2027-02-28"))
    assert emulator.book.captured() == 6000
    assert "customer.subscription.resumed" in client.types()


def test_resuming_may_go_on_with_the_old_periods(shop: Shop, client: Client, emulator: StripeEmulator) -> None:
    made = shop.subscribe()
    client.post(f"/subscriptions/{made['id']}/pause")
    shop.wait(days=40)

    resumed = client.post(f"/subscriptions/{made['id']}/resume", {"billing_cycle_anchor": "unchanged"})

    assert (days(resumed), emulator.book.captured()) == (("2026-12-22", "2027-01-22"), 3000)
    shop.wait(days=30)
    assert emulator.book.captured() == 6000


@pytest.mark.parametrize(
    ("behaviour", "status"), [("keep_as_draft", "draft"), ("mark_uncollectible", "uncollectible"), ("void", "void")]
)
def test_the_collection_pauses_and_goes_on_by_itself(
    shop: Shop, client: Client, emulator: StripeEmulator, behaviour: str, status: str
) -> None:
    made = shop.subscribe()
    pause = {"behavior": behaviour, "resumes_at": shop.stamp(days=40)}
    assert client.post(f"/subscriptions/{made['id']}", {"pause_collection": pause})["pause_collection"] == pause
    shop.wait(days=35)
    assert (shop.seen(made)["status"], shop.invoice(made)["status"]) == ("active", status)
    shop.wait(days=30)

    assert shop.seen(made)["pause_collection"] is None
    assert (shop.invoice(made)["status"], emulator.book.captured()) == ("paid", 6000)


def test_a_pause_of_the_collection_lasts_until_it_is_lifted(shop: Shop, client: Client) -> None:
    made = shop.subscribe()
    path = f"/subscriptions/{made['id']}"
    client.post(path, {"pause_collection": {"behavior": "void", "resumes_at": shop.stamp(days=3)}})
    client.post(path, {"pause_collection": {"behavior": "void"}})
    shop.wait(days=10)
    assert shop.seen(made)["pause_collection"] == {"behavior": "void", "resumes_at": None}

    assert client.post(path, {"pause_collection": ""})["pause_collection"] is None


# --- finding them --------------------------------------------------------------------------------------------------------


def test_subscriptions_are_listed_by_customer_status_and_price(shop: Shop, client: Client) -> None:
    first, second, third = shop.subscribe(), shop.subscribe(CardKind.DECLINED_SOFT), shop.subscribe()
    client.delete(f"/subscriptions/{third['id']}")

    def ids(**filters: str) -> list[str]:
        return [one["id"] for one in client.get("/subscriptions", **filters)["data"]]

    assert ids() == [second["id"], first["id"]]
    assert ids(status="all") == [third["id"], second["id"], first["id"]]
    assert ids(status="ended") == ids(status="canceled") == [third["id"]]
    assert ids(customer=first["customer"]) == [first["id"]]
    assert ids(price=shop.price, status="incomplete") == [second["id"]]
    assert ids(price=shop.sell(1)["id"]) == ids(collection_method="send_invoice") == []


def test_subscriptions_are_found_by_metadata(shop: Shop, client: Client) -> None:
    made = shop.subscribe(metadata={"paygate_contract": "c1"})
    shop.subscribe()
    shop.wait(minutes=1)

    (found,) = client.get("/subscriptions/search", query='metadata["paygate_contract"]:"c1" AND status:"active"')[
        "data"
    ]
    assert found["id"] == made["id"]


def test_a_wish_decides_about_a_renewal(shop: Shop, emulator: StripeEmulator) -> None:
    made = shop.subscribe()
    emulator.wish(Wish(WishKind.ERROR), amount=3000)
    shop.wait(days=31)
    assert (shop.seen(made)["status"], shop.invoice(made)["attempt_count"]) == ("past_due", 1)
    shop.wait(days=3)

    assert (shop.seen(made)["status"], emulator.book.captured()) == ("active", 6000)


def test_how_long_a_draft_and_a_first_payment_may_take_are_switches(shop: Shop, emulator: StripeEmulator) -> None:
    emulator.behaviour.draft_life, emulator.behaviour.incomplete_life = 60, 120
    made, never = shop.subscribe(), shop.subscribe(CardKind.DECLINED_SOFT)
    shop.wait(minutes=2)
    assert shop.seen(never)["status"] == "incomplete_expired"
    shop.wait(days=30)

    assert (shop.invoice(made)["status"], emulator.book.captured()) == ("paid", 6000)
