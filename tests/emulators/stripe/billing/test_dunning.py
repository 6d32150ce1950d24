"""Renewals of the emulated Stripe that fail: retries, hard declines, 3-D Secure, and the end (provider fact sheet §10)."""

from __future__ import annotations

from typing import Any

import pytest

from paygate.testing.emulators import CardKind, Wish, WishKind
from paygate.testing.emulators.stripe import StripeEmulator

Client = Any
Shop = Any

#: Days between the attempts of the schedule that the emulator has by default.
SCHEDULE = (3, 5, 7)


def failed(shop: Shop, card: CardKind = CardKind.DECLINED_SOFT) -> Any:
    """A subscription whose first charge, at the end of a trial, has just failed."""
    made = shop.trial(card)
    shop.wait(days=1, hours=1)
    return made


def replace_card(shop: Shop, subscription: Any) -> None:
    """Let another, good card pay from now on."""
    attached = shop.client.post("/payment_methods/pm_card_visa/attach", {"customer": subscription["customer"]})
    shop.client.post(f"/subscriptions/{subscription['id']}", {"default_payment_method": attached["id"]})


def test_a_renewal_that_fails_is_tried_again_on_schedule_and_then_the_subscription_is_canceled(
    shop: Shop, client: Client, emulator: StripeEmulator
) -> None:
    made = failed(shop)
    for number, wait in enumerate(SCHEDULE, start=1):
        invoice = shop.invoice(made)
        assert (shop.seen(made)["status"], invoice["status"]) == ("past_due", "open")
        assert (invoice["attempt_count"], invoice["next_payment_attempt"]) == (number, shop.stamp(days=wait))
        shop.wait(days=wait)

    ended, invoice = shop.seen(made), shop.invoice(made)
    assert (ended["status"], ended["cancellation_details"]["reason"]) == ("canceled", "payment_failed")
    assert (invoice["attempt_count"], invoice["next_payment_attempt"], invoice["auto_advance"]) == (4, None, False)
    assert client.types().count("invoice.payment_failed") == 4
    assert client.types()[-2:] == ["invoice.payment_failed", "customer.subscription.deleted"]
    assert len(client.get("/charges", customer=made["customer"])["data"]) == 4
    shop.wait(days=40)
    assert emulator.book.captured() == 0


def test_a_failure_tells_of_the_attempt_and_the_next_one(shop: Shop) -> None:
    failed(shop)
    told = [event for event in shop.events() if event["type"] == "invoice.payment_failed"]
    past_due = shop.events()[-1]

    assert [
        (one["data"]["object"]["attempt_count"], one["data"]["object"]["next_payment_attempt"]) for one in told
    ] == [(1, shop.stamp(days=3))]
    assert past_due["type"] == "customer.subscription.updated"
    assert past_due["data"]["previous_attributes"] == {"status": "active"}


def test_a_retry_with_a_better_card_recovers_the_subscription(shop: Shop, emulator: StripeEmulator) -> None:
    made = failed(shop)
    replace_card(shop, made)
    shop.wait(days=3)

    invoice = shop.invoice(made)
    assert (shop.seen(made)["status"], invoice["status"], invoice["attempt_count"]) == ("active", "paid", 2)
    assert emulator.book.captured() == 3000
    shop.wait(days=20)
    assert emulator.book.captured() == 3000


@pytest.mark.parametrize("status", ["unpaid", "past_due"])
def test_what_follows_the_last_retry_is_a_setting(
    shop: Shop, client: Client, emulator: StripeEmulator, status: str
) -> None:
    emulator.behaviour.after_retries = status  # type: ignore[assignment]
    made = failed(shop)
    shop.wait(days=sum(SCHEDULE))
    assert shop.seen(made)["status"] == status
    missed = shop.invoice(made)["id"]
    shop.wait(days=30)

    newest = shop.invoice(made)
    assert newest["id"] != missed
    assert (newest["status"], newest["auto_advance"]) == (("draft", False) if status == "unpaid" else ("open", True))
    replace_card(shop, made)
    client.post(f"/invoices/{missed}/pay")
    assert shop.seen(made)["status"] == status  # the newest invoice decides
    client.post(f"/invoices/{newest['id']}/pay")
    assert (shop.seen(made)["status"], emulator.book.captured()) == ("active", 6000)


def test_the_schedule_is_a_setting(shop: Shop, emulator: StripeEmulator) -> None:
    emulator.behaviour.invoice_retries = (3600.0,)
    made = failed(shop)
    assert shop.invoice(made)["next_payment_attempt"] == shop.stamp(hours=1)
    shop.wait(hours=1)

    assert shop.seen(made)["status"] == "canceled"


def test_after_a_hard_decline_retries_are_planned_and_not_sent(
    shop: Shop, client: Client, emulator: StripeEmulator
) -> None:
    made = failed(shop, CardKind.DECLINED_HARD)
    shop.wait(days=3)
    invoice = shop.invoice(made)
    assert (invoice["attempt_count"], invoice["next_payment_attempt"]) == (2, shop.stamp(days=5))
    assert len(client.get("/charges", customer=made["customer"])["data"]) == 1
    replace_card(shop, made)
    shop.wait(days=5)

    assert (shop.seen(made)["status"], shop.invoice(made)["attempt_count"]) == ("active", 3)
    assert emulator.book.captured() == 3000


def test_a_hard_decline_that_nobody_answers_ends_like_any_other(shop: Shop, client: Client) -> None:
    made = failed(shop, CardKind.DECLINED_HARD)
    shop.wait(days=sum(SCHEDULE))

    assert shop.seen(made)["status"] == "canceled"
    assert len(client.get("/charges", customer=made["customer"])["data"]) == 1


def test_a_renewal_that_needs_3d_secure_waits_on_the_invoices_page(
    shop: Shop, client: Client, emulator: StripeEmulator
) -> None:
    made = failed(shop, CardKind.ACTION_REQUIRED)
    invoice = shop.invoice(made)
    assert client.types()[-3:] == [
        "invoice.payment_action_required", "invoice.payment_failed", "customer.subscription.updated",
    ]  # fmt: skip
    assert emulator.awaiting() == (invoice["id"],)
    assert invoice["hosted_invoice_url"].endswith(invoice["id"])
    assert shop.intent(made)["last_payment_error"]["code"] == "authentication_required"

    emulator.approve(invoice["id"])

    assert (shop.seen(made)["status"], shop.invoice(made)["status"]) == ("active", "paid")
    assert (emulator.book.captured(), emulator.awaiting()) == (3000, ())
    shop.wait(days=20)
    assert emulator.book.captured() == 3000


def test_a_customer_who_fails_3d_secure_leaves_the_schedule_as_it_is(shop: Shop, emulator: StripeEmulator) -> None:
    made = failed(shop, CardKind.ACTION_REQUIRED)
    before = shop.invoice(made)

    emulator.approve(before["id"], passed=False)

    after = shop.invoice(made)
    assert (after["attempt_count"], after["next_payment_attempt"]) == (1, before["next_payment_attempt"])
    assert shop.client.types()[-1] == "invoice.payment_failed"
    assert emulator.awaiting() == ()
    assert emulator.book.captured() == 0


def test_the_front_end_can_confirm_the_intent_of_a_renewal(
    shop: Shop, client: Client, emulator: StripeEmulator
) -> None:
    made = failed(shop, CardKind.ACTION_REQUIRED)
    intent, method = shop.intent(made), made["default_payment_method"]
    asked = client.post(
        f"/payment_intents/{intent['id']}/confirm", {"payment_method": method, "return_url": "https://shop.example"}
    )
    assert asked["status"] == "requires_action"

    emulator.approve(intent["id"])

    assert shop.seen(made)["status"] == "active"
    assert emulator.awaiting() == ()


def test_a_renewal_that_is_processed_and_then_refused_is_a_missed_attempt(shop: Shop, emulator: StripeEmulator) -> None:
    made = shop.trial(CardKind.PENDING)
    shop.wait(days=1, hours=1)
    assert (shop.seen(made)["status"], shop.intent(made)["status"]) == ("active", "processing")
    assert shop.client.refused(f"/invoices/{shop.invoice(made)['id']}/pay")["code"] == "invoice_not_editable"

    emulator.settle(shop.intent(made)["id"], code="insufficient_funds")

    invoice = shop.invoice(made)
    assert (shop.seen(made)["status"], invoice["attempt_count"]) == ("past_due", 1)
    assert invoice["next_payment_attempt"] == shop.stamp(days=3)
    shop.wait(days=3)
    emulator.settle(shop.intent(made)["id"])
    assert (shop.seen(made)["status"], emulator.book.captured()) == ("active", 3000)


def test_a_retry_leaves_a_payment_alone_that_is_being_processed(
    shop: Shop, client: Client, emulator: StripeEmulator
) -> None:
    made = failed(shop)
    emulator.wish(Wish(WishKind.PENDING), amount=3000)
    replace_card(shop, made)
    client.post(f"/invoices/{shop.invoice(made)['id']}/pay")
    shop.wait(days=3)
    emulator.settle(shop.intent(made)["id"])

    assert (shop.invoice(made)["status"], shop.invoice(made)["attempt_count"]) == ("paid", 1)
    assert emulator.book.captured() == 3000


def test_a_card_that_is_gone_is_a_missed_attempt(shop: Shop, client: Client) -> None:
    made = shop.trial()
    client.post(f"/payment_methods/{made['default_payment_method']}/detach")
    shop.wait(days=1, hours=1)

    assert (shop.seen(made)["status"], shop.invoice(made)["attempt_count"]) == ("past_due", 1)
    assert shop.intent(made)["latest_charge"] is None


def test_paying_by_hand_between_retries_does_not_count_as_one(
    shop: Shop, client: Client, emulator: StripeEmulator
) -> None:
    made = failed(shop)
    invoice = shop.invoice(made)
    error = client.refused(f"/invoices/{invoice['id']}/pay", status=402)
    assert error["payment_intent"]["id"] == shop.intent(made)["id"]
    assert (shop.invoice(made)["attempt_count"], shop.invoice(made)["next_payment_attempt"]) == (
        1,
        invoice["next_payment_attempt"],
    )
    good = client.post("/payment_methods/pm_card_visa/attach", {"customer": made["customer"]})["id"]
    paid = client.post(f"/invoices/{invoice['id']}/pay", {"payment_method": good})

    assert (paid["status"], paid["attempt_count"], paid["next_payment_attempt"]) == ("paid", 1, None)
    assert client.refused(f"/invoices/{invoice['id']}/pay")["code"] == "invoice_already_paid"
    shop.wait(days=20)
    assert emulator.book.captured() == 3000


def test_an_intent_that_somebody_canceled_is_replaced_for_the_retry(
    shop: Shop, client: Client, emulator: StripeEmulator
) -> None:
    made = failed(shop)
    client.post(f"/payment_intents/{shop.intent(made)['id']}/cancel")
    replace_card(shop, made)
    shop.wait(days=3)

    payments = client.get("/invoice_payments", invoice=shop.invoice(made)["id"])["data"]
    assert [one["status"] for one in payments] == ["paid", "canceled"]
    assert emulator.book.captured() == 3000


def test_a_canceled_subscription_is_not_retried_and_its_invoice_can_still_be_paid(
    shop: Shop, client: Client, emulator: StripeEmulator
) -> None:
    made = failed(shop)
    replace_card(shop, made)
    client.delete(f"/subscriptions/{made['id']}")
    shop.wait(days=20)
    assert emulator.book.captured() == 0
    client.post(f"/invoices/{shop.invoice(made)['id']}/pay")

    assert (shop.seen(made)["status"], emulator.book.captured()) == ("canceled", 3000)


def test_a_customer_who_pays_by_3d_secure_on_demand_is_asked(
    shop: Shop, client: Client, emulator: StripeEmulator
) -> None:
    made = failed(shop, CardKind.ACTION_REQUIRED)
    path = f"/invoices/{shop.invoice(made)['id']}/pay"
    error = client.refused(path, {"off_session": False}, status=402)
    assert error["code"] == "invoice_payment_intent_requires_action"
    assert error["payment_intent"]["status"] == "requires_action"

    emulator.approve(error["payment_intent"]["id"])

    assert shop.seen(made)["status"] == "active"


def test_the_page_of_an_invoice_does_nothing_while_its_payment_is_processed(
    shop: Shop, client: Client, emulator: StripeEmulator
) -> None:
    made = failed(shop, CardKind.ACTION_REQUIRED)
    emulator.wish(Wish(WishKind.PENDING), amount=3000)
    invoice = shop.invoice(made)["id"]
    client.post(f"/invoices/{invoice}/pay")

    emulator.approve(invoice)

    assert (shop.intent(made)["status"], emulator.book.captured()) == ("processing", 0)
