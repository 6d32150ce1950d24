"""Pages of the emulated Checkout (provider fact sheet §4)."""

from __future__ import annotations

from typing import Any

import pytest

from paygate.flow import Request
from paygate.testing.emulators import CardKind, Wish, WishKind
from paygate.testing.emulators.stripe import StripeEmulator

Client = Any
Shop = Any

BACK = {
    "success_url": "https://shop.example/done?session={CHECKOUT_SESSION_ID}",
    "cancel_url": "https://shop.example/cart",
}
SETUP = {"mode": "setup", "allowed_payment_method_types": ["card"], **BACK}


@pytest.fixture
def customer(client: Client) -> str:
    made: str = client.post("/customers", {"email": "taro@example.com"})["id"]
    return made


def begin(client: Client, **more: Any) -> Any:
    return client.post("/checkout/sessions", {**SETUP, **more})


def seen(client: Client, session: Any, *expand: str) -> Any:
    return client.get(f"/checkout/sessions/{session['id']}", **{f"expand[{i}]": one for i, one in enumerate(expand)})


# --- storing a card ------------------------------------------------------------------------------------------------------


def test_a_finished_page_leaves_a_card_that_can_be_charged(
    client: Client, emulator: StripeEmulator, customer: str
) -> None:
    session = begin(client, customer=customer, metadata={"paygate_checkout": "c1"}, client_reference_id="c1")
    assert (session["status"], session["payment_status"], session["mode"]) == ("open", "unpaid", "setup")
    assert session["id"].startswith("cs_test_")
    assert session["expires_at"] == session["created"] + 24 * 3600
    assert session["id"] in emulator.awaiting()

    emulator.approve(session["id"])

    done = seen(client, session, "setup_intent.payment_method", "customer")
    intent = done["setup_intent"]
    assert (done["status"], done["payment_status"], done["url"]) == ("complete", "no_payment_required", None)
    assert (intent["status"], intent["payment_method"]["card"]["last4"]) == ("succeeded", "4242")
    assert intent["payment_method"]["customer"] == done["customer"]["id"] == customer
    assert client.charge(f"{customer}/{intent['payment_method']['id']}")["status"] == "succeeded"
    assert emulator.return_url(session["id"]) == f"https://shop.example/done?session={session['id']}"
    assert [name for name in client.types() if name.startswith(("setup", "checkout"))] == [
        "setup_intent.created", "setup_intent.succeeded", "checkout.session.completed",
    ]  # fmt: skip
    with pytest.raises(KeyError):
        emulator.approve(session["id"])


def test_a_person_finishes_the_page_in_a_browser(client: Client, emulator: StripeEmulator, customer: str) -> None:
    session = begin(client, customer=customer)
    page = emulator.handle(Request("GET", session["url"]))
    assert (page.status, b"<form" in page.body) == (200, True)

    back = emulator.handle(Request("POST", session["url"], {}, b"passed=true"))

    assert (back.status, back.headers["location"]) == (303, f"https://shop.example/done?session={session['id']}")
    assert seen(client, session)["status"] == "complete"


def test_a_customer_who_fails_may_try_again_on_the_same_page(
    client: Client, emulator: StripeEmulator, customer: str
) -> None:
    session = begin(client, customer=customer)
    emulator.approve(session["id"], passed=False)
    failed = seen(client, session, "setup_intent")
    assert failed["status"] == "open"
    assert failed["setup_intent"]["last_setup_error"]["code"] == "card_declined"
    assert (client.types()[-1], emulator.return_url(session["id"])) == ("setup_intent.setup_failed", None)

    emulator.approve(session["id"])

    assert seen(client, session)["status"] == "complete"


@pytest.mark.parametrize(
    ("card", "charged"),
    [(CardKind.DECLINED_SOFT, "card_declined"), (CardKind.ACTION_REQUIRED, "authentication_required")],
)
def test_the_customer_may_fill_in_another_card(
    client: Client, emulator: StripeEmulator, customer: str, card: CardKind, charged: str
) -> None:
    session = begin(client, customer=customer)
    emulator.fill_in(session["id"], card)
    emulator.approve(session["id"])
    method = seen(client, session, "setup_intent")["setup_intent"]["payment_method"]

    assert client.charge(f"{customer}/{method}")["error"]["code"] == charged
    with pytest.raises(KeyError):
        emulator.fill_in(session["id"], card)


def test_a_page_without_a_customer_stores_a_card_that_nobody_has(client: Client, emulator: StripeEmulator) -> None:
    session = begin(client)
    emulator.approve(session["id"])
    done = seen(client, session, "setup_intent.payment_method")

    assert (done["customer"], done["setup_intent"]["payment_method"]["customer"]) == (None, None)


def test_a_page_is_open_for_a_day_at_most(client: Client, emulator: StripeEmulator, shop: Shop) -> None:
    usual = begin(client)
    short = begin(client, expires_at=shop.stamp(minutes=30))
    shop.wait(minutes=30)
    assert (seen(client, short)["status"], seen(client, usual)["status"]) == ("expired", "open")
    shop.wait(hours=24)

    assert seen(client, usual)["status"] == "expired"
    assert client.types().count("checkout.session.expired") == 2
    assert emulator.awaiting() == ()
    assert client.get(f"/setup_intents/{usual['setup_intent']}")["status"] == "canceled"


def test_the_shop_closes_a_page(client: Client, emulator: StripeEmulator) -> None:
    session = begin(client)
    path = f"/checkout/sessions/{session['id']}/expire"
    assert client.post(path)["status"] == "expired"

    assert "expired" in client.refused(path)["message"]
    with pytest.raises(KeyError):
        emulator.approve(session["id"])


def test_an_embedded_page_has_a_secret_and_no_address(client: Client, emulator: StripeEmulator) -> None:
    session = client.post(
        "/checkout/sessions",
        {"mode": "setup", "currency": "jpy", "ui_mode": "embedded_page", "return_url": "https://shop.example/back"},
    )
    assert session["url"] is None
    assert session["client_secret"].startswith(session["id"])
    emulator.approve(session["id"])
    assert emulator.return_url(session["id"]) == "https://shop.example/back"


# --- paying --------------------------------------------------------------------------------------------------------------


def pay(shop: Shop, **more: Any) -> Any:
    lines = [{"price": shop.sell(500, None)["id"], "quantity": 2}]
    return shop.client.post("/checkout/sessions", {"mode": "payment", "line_items": lines, **BACK, **more})


def test_a_payment_is_taken_on_the_page(shop: Shop, client: Client, emulator: StripeEmulator, customer: str) -> None:
    data = {"setup_future_usage": "off_session", "metadata": {"order": "7"}, "description": "Two books"}
    session = pay(shop, customer=customer, payment_intent_data=data)
    assert (session["amount_total"], session["currency"], session["payment_intent"]) == (1000, "jpy", None)
    emulator.approve(session["id"])

    done = seen(client, session, "payment_intent.payment_method", "line_items")
    intent = done["payment_intent"]
    assert (done["status"], done["payment_status"]) == ("complete", "paid")
    assert (intent["status"], intent["metadata"], intent["description"]) == ("succeeded", {"order": "7"}, "Two books")
    assert intent["payment_method"]["customer"] == customer
    assert done["customer_details"]["email"] == "taro@example.com"
    (line,) = done["line_items"]["data"]
    assert (line["amount_total"], line["quantity"]) == (1000, 2)
    assert client.get(f"/checkout/sessions/{session['id']}/line_items") == done["line_items"]
    assert [row.reference for row in emulator.book.captures] == [intent["id"]]


def test_a_declined_payment_leaves_the_page_open_and_the_next_try_uses_the_same_intent(
    shop: Shop, client: Client, emulator: StripeEmulator
) -> None:
    session = pay(shop, customer_creation="always", customer_email="hanako@example.com")
    emulator.approve(session["id"], passed=False)
    first = seen(client, session)["payment_intent"]
    emulator.wish(Wish(WishKind.ERROR), amount=1000)
    emulator.approve(session["id"])
    assert seen(client, session)["status"] == "open"
    emulator.approve(session["id"])

    done = seen(client, session, "customer")
    assert (done["payment_intent"], done["status"]) == (first, "complete")
    assert done["customer"]["email"] == "hanako@example.com"
    assert emulator.book.captured() == 1000


def test_the_page_leads_through_3d_secure(shop: Shop, client: Client, emulator: StripeEmulator) -> None:
    session = pay(shop)
    emulator.fill_in(session["id"], CardKind.ACTION_REQUIRED)
    emulator.approve(session["id"])

    assert (seen(client, session)["payment_status"], emulator.awaiting()) == ("paid", ())


def test_an_expired_page_takes_its_intent_along(shop: Shop, client: Client, emulator: StripeEmulator) -> None:
    session = pay(shop)
    emulator.approve(session["id"], passed=False)
    client.post(f"/checkout/sessions/{session['id']}/expire")

    assert client.get(f"/payment_intents/{seen(client, session)['payment_intent']}")["status"] == "canceled"


def test_an_asynchronous_payment_is_told_of_later(shop: Shop, client: Client, emulator: StripeEmulator) -> None:
    sessions = [pay(shop), pay(shop)]
    for session in sessions:
        emulator.fill_in(session["id"], CardKind.PENDING)
        emulator.approve(session["id"])
    intents = [seen(client, session)["payment_intent"] for session in sessions]
    assert seen(client, sessions[0])["payment_status"] == "unpaid"

    emulator.settle(intents[0])
    emulator.settle(intents[1], code="insufficient_funds")

    assert [seen(client, session)["payment_status"] for session in sessions] == ["paid", "unpaid"]
    told = [name for name in client.types() if name.startswith("checkout.session.async")]
    assert told == ["checkout.session.async_payment_succeeded", "checkout.session.async_payment_failed"]


def test_a_hold_is_placed_on_the_page_and_captured_later(shop: Shop, client: Client, emulator: StripeEmulator) -> None:
    session = pay(shop, payment_intent_data={"capture_method": "manual"})
    emulator.approve(session["id"])
    held = seen(client, session)
    assert (held["status"], held["payment_status"]) == ("complete", "unpaid")
    client.post(f"/payment_intents/{held['payment_intent']}/capture")

    assert emulator.book.captured() == 1000


# --- subscribing ---------------------------------------------------------------------------------------------------------


def subscribe(shop: Shop, **more: Any) -> Any:
    lines = [{"price": shop.price, "quantity": 1}]
    return shop.client.post("/checkout/sessions", {"mode": "subscription", "line_items": lines, **BACK, **more})


def test_a_subscription_begins_on_the_page(shop: Shop, client: Client, emulator: StripeEmulator) -> None:
    session = subscribe(
        shop, subscription_data={"metadata": {"paygate_contract": "c1"}}, customer_email="h@example.com"
    )
    emulator.approve(session["id"])

    done = seen(client, session, "subscription", "invoice")
    made = done["subscription"]
    assert (done["payment_status"], made["status"], done["invoice"]["status"]) == ("paid", "active", "paid")
    assert (made["metadata"], made["customer"]) == ({"paygate_contract": "c1"}, done["customer"])
    assert client.get("/checkout/sessions", subscription=made["id"])["data"][0]["id"] == session["id"]
    shop.wait(days=31)
    assert emulator.book.captured() == 6000


def test_a_card_that_is_refused_starts_no_subscription(shop: Shop, client: Client, emulator: StripeEmulator) -> None:
    session = subscribe(shop)
    emulator.approve(session["id"], passed=False)
    emulator.fill_in(session["id"], CardKind.DECLINED_SOFT)
    emulator.approve(session["id"])
    assert client.get("/subscriptions", status="all")["data"] == []
    emulator.fill_in(session["id"], CardKind.ACTION_REQUIRED)
    emulator.approve(session["id"])

    assert (seen(client, session)["status"], emulator.book.captured()) == ("complete", 3000)


def test_a_trial_needs_no_payment_on_the_page(
    shop: Shop, client: Client, emulator: StripeEmulator, customer: str
) -> None:
    session = subscribe(shop, customer=customer, subscription_data={"trial_period_days": 14})
    emulator.approve(session["id"])

    done = seen(client, session, "subscription")
    assert (done["payment_status"], done["subscription"]["status"]) == ("no_payment_required", "trialing")


# --- what is refused, and lists ------------------------------------------------------------------------------------------


def test_a_price_can_be_described_together_with_its_product(
    shop: Shop, client: Client, emulator: StripeEmulator
) -> None:
    data = {"currency": "jpy", "unit_amount": 700, "product_data": {"name": "Book"}}
    session = pay(shop, line_items=[{"price_data": data}])
    emulator.approve(session["id"])
    monthly = {**data, "recurring": {"interval": "month"}}
    subscribed = subscribe(shop, line_items=[{"price_data": monthly, "quantity": 3}])
    emulator.approve(subscribed["id"])

    assert emulator.book.captured() == 700 + 2100
    wrong = {"mode": "payment", **BACK, "line_items": [{"price_data": {**data, "product": shop.product}}]}
    assert client.refused("/checkout/sessions", wrong)["param"] == "line_items[0][price_data][product]"


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"mode": "donation"}, "mode"),
        ({"allowed_payment_method_types": ["konbini"]}, "allowed_payment_method_types"),
        ({"payment_method_types": ["card"]}, "payment_method_types"),
        ({"customer": "cus_none"}, "customer"),
        ({"expires_at": 1_000_000_000}, "expires_at"),
        ({"line_items": [{"price": "price_none"}]}, "line_items"),
        ({"payment_intent_data": {"description": "x"}}, "payment_intent_data"),
        ({"mode": "payment"}, "line_items"),
        ({"mode": "payment", "line_items": [{"price": "price_none"}]}, "line_items[0][price]"),
        ({"ui_mode": "embedded_page"}, "return_url"),
    ],
)
def test_a_page_that_makes_no_sense_is_refused(client: Client, change: Any, param: str) -> None:
    client.version = "2026-10-28.endive"
    assert client.refused("/checkout/sessions", {**SETUP, **change})["param"] == param


def test_a_page_needs_what_only_it_can_tell(
    shop: Shop, client: Client, emulator: StripeEmulator, customer: str
) -> None:
    def param(params: Any) -> str:
        found: str = client.refused("/checkout/sessions", params)["param"]
        return found

    assert param({"mode": "setup", **BACK}) == "currency"
    assert param({"mode": "setup", "currency": "jpy"}) == "success_url"
    assert param({**SETUP, "customer": customer, "customer_email": "h@example.com"}) == "customer_email"
    once, monthly = {"price": shop.sell(500, None)["id"]}, {"price": shop.price}
    assert param({"mode": "payment", "line_items": [monthly], **BACK}) == "line_items[0][price]"
    assert param({"mode": "subscription", "line_items": [once], **BACK}) == "line_items[0][price]"
    dollars = {"price": shop.sell(500, None, currency="usd")["id"]}
    assert param({"mode": "payment", "line_items": [once, dollars], **BACK}) == "line_items[1][price]"
    emulator.behaviour.refuses_payment_method_types = False
    assert begin(client, payment_method_types=["card"])["status"] == "open"


def test_pages_are_listed_and_annotated(shop: Shop, client: Client, emulator: StripeEmulator, customer: str) -> None:
    first, second = begin(client, customer=customer), pay(shop)
    emulator.approve(second["id"])
    intent = seen(client, second)["payment_intent"]

    def ids(**filters: str) -> list[str]:
        return [one["id"] for one in client.get("/checkout/sessions", **filters)["data"]]

    assert ids() == [second["id"], first["id"]]
    assert (ids(customer=customer), ids(payment_intent=intent)) == ([first["id"]], [second["id"]])
    assert (ids(status="open"), ids(status="expired")) == ([first["id"]], [])
    changed = client.post(f"/checkout/sessions/{first['id']}", {"metadata": {"a": "1"}})
    assert changed["metadata"] == {"a": "1"}
