"""The customer portal of the emulated Stripe."""

from __future__ import annotations

from typing import Any

from paygate.flow import Request
from paygate.testing.emulators import CardKind
from paygate.testing.emulators.stripe import StripeEmulator

Client = Any
Shop = Any

SESSIONS = "/billing_portal/sessions"
BACK = "https://shop.example/account"


def test_a_visit_leads_to_a_page_and_back(client: Client, emulator: StripeEmulator) -> None:
    customer = client.post("/customers")["id"]
    visit = client.post(SESSIONS, {"customer": customer, "return_url": BACK, "locale": "ja"})
    assert (visit["object"], visit["customer"], visit["flow"]) == ("billing_portal.session", customer, None)
    assert emulator.handle(Request("GET", visit["url"])).status == 200

    back = emulator.handle(Request("POST", visit["url"], {}, b"passed=true"))

    assert (back.status, back.headers["location"]) == (303, BACK)
    assert emulator.awaiting() == ()


def test_a_customer_changes_the_card_and_the_next_retry_takes_it(
    shop: Shop, client: Client, emulator: StripeEmulator
) -> None:
    made = shop.trial(CardKind.DECLINED_SOFT)
    client.post(f"/subscriptions/{made['id']}", {"default_payment_method": ""})
    shop.wait(days=1, hours=1)
    visit = client.post(SESSIONS, {"customer": made["customer"], "flow_data": {"type": "payment_method_update"}})
    emulator.approve(visit["id"])
    assert client.types()[-2:] == ["payment_method.attached", "customer.updated"]
    shop.wait(days=3)

    assert (shop.seen(made)["status"], emulator.book.captured()) == ("active", 3000)


def test_a_customer_ends_a_subscription_or_thinks_better_of_it(
    shop: Shop, client: Client, emulator: StripeEmulator
) -> None:
    made = shop.subscribe()
    flow = {"type": "subscription_cancel", "subscription_cancel": {"subscription": made["id"]}}
    visits = [client.post(SESSIONS, {"customer": made["customer"], "flow_data": flow})["id"] for _ in range(3)]
    emulator.approve(visits[0], passed=False)
    assert shop.seen(made)["cancel_at_period_end"] is False
    emulator.approve(visits[1])
    assert shop.seen(made)["cancel_at_period_end"] is True
    client.delete(f"/subscriptions/{made['id']}")
    emulator.approve(visits[2])

    assert shop.seen(made)["status"] == "canceled"


def test_a_visit_that_makes_no_sense_is_refused(shop: Shop, client: Client) -> None:
    made, other = shop.subscribe(), client.post("/customers")["id"]
    flow: dict[str, Any] = {"type": "subscription_cancel"}
    param = "flow_data[subscription_cancel][subscription]"

    assert client.refused(SESSIONS)["param"] == "customer"
    assert client.refused(SESSIONS, {"customer": other, "flow_data": flow})["param"] == param
    flow["subscription_cancel"] = {"subscription": made["id"]}
    assert client.refused(SESSIONS, {"customer": other, "flow_data": flow})["param"] == param
