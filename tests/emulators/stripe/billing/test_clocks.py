"""Test clocks of the emulated Stripe (provider fact sheet §10)."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from paygate.testing.emulators.stripe import StripeEmulator

Client = Any
Shop = Any

CLOCKS = "/test_helpers/test_clocks"
START = int(dt.datetime(2027, 1, 31, 3, tzinfo=dt.UTC).timestamp())
DAY = 24 * 3600


@pytest.fixture
def frozen(client: Client) -> Any:
    return client.post(CLOCKS, {"frozen_time": START, "name": "Renewals"})


def member(client: Client, clock: Any, method: str = "pm_card_visa") -> str:
    """A customer who lives by *clock*, and has a card that is charged by default."""
    customer: str = client.post("/customers", {"test_clock": clock["id"]})["id"]
    attached = client.post(f"/payment_methods/{method}/attach", {"customer": customer})["id"]
    client.post(f"/customers/{customer}", {"invoice_settings": {"default_payment_method": attached}})
    return customer


def subscribe(shop: Shop, customer: str, **more: Any) -> Any:
    return shop.client.post("/subscriptions", {"customer": customer, "items": [{"price": shop.price}], **more})


def advance(client: Client, clock: Any, target: int) -> Any:
    """Advance *clock* and poll it, as one does."""
    client.post(f"{CLOCKS}/{clock['id']}/advance", {"frozen_time": target})
    return client.get(f"{CLOCKS}/{clock['id']}")


def test_what_belongs_to_billing_lives_by_the_clock_of_its_customer(
    shop: Shop, client: Client, emulator: StripeEmulator, frozen: Any
) -> None:
    customer = member(client, frozen)
    made = subscribe(shop, customer)
    assert client.get(f"/customers/{customer}")["created"] == made["created"] == START
    assert shop.invoice(made)["created"] == shop.invoice(made)["status_transitions"]["paid_at"] == START
    assert (made["test_clock"], shop.invoice(made)["test_clock"]) == (frozen["id"], frozen["id"])

    asked = client.post(f"{CLOCKS}/{frozen['id']}/advance", {"frozen_time": START + 29 * DAY})
    assert (asked["status"], asked["frozen_time"]) == ("advancing", START)
    assert asked["status_details"] == {"advancing": {"target_frozen_time": START + 29 * DAY}}
    there = client.get(f"{CLOCKS}/{frozen['id']}")

    assert (there["status"], there["frozen_time"]) == ("ready", START + 29 * DAY)
    renewed = shop.invoice(made)
    assert renewed["created"] == int(dt.datetime(2027, 2, 28, 3, tzinfo=dt.UTC).timestamp())
    assert (renewed["status"], renewed["status_transitions"]["paid_at"]) == ("paid", renewed["created"] + 3600)
    assert emulator.book.captured() == 6000
    event = shop.events()[-1]
    assert (event["type"], event["created"]) == ("test_helpers.test_clock.ready", shop.stamp())


def test_the_clock_of_the_world_does_not_move_what_lives_by_another(
    shop: Shop, client: Client, emulator: StripeEmulator, frozen: Any
) -> None:
    made = subscribe(shop, member(client, frozen))
    shop.wait(days=29)

    assert len(client.get("/invoices", subscription=made["id"])["data"]) == 1
    assert emulator.book.captured() == 3000


def test_dunning_runs_by_the_clock(shop: Shop, client: Client, frozen: Any) -> None:
    customer = member(client, frozen, "pm_card_chargeCustomerFail")
    made = subscribe(shop, customer, trial_end=START + DAY)
    advance(client, frozen, START + 2 * DAY)
    assert shop.seen(made)["status"] == "past_due"
    assert shop.invoice(made)["next_payment_attempt"] == START + 4 * DAY + 3600
    advance(client, frozen, START + 20 * DAY)

    assert shop.seen(made)["status"] == "canceled"
    assert shop.seen(made)["ended_at"] == START + 16 * DAY + 3600


def test_an_incomplete_subscription_expires_by_the_clock(shop: Shop, client: Client, frozen: Any) -> None:
    made = subscribe(shop, member(client, frozen, "pm_card_chargeCustomerFail"))
    advance(client, frozen, START + DAY)

    assert shop.seen(made)["status"] == "incomplete_expired"


def test_a_clock_moves_forward_and_not_too_far(shop: Shop, client: Client, frozen: Any) -> None:
    path = f"{CLOCKS}/{frozen['id']}/advance"
    assert client.refused(path, {"frozen_time": START})["param"] == "frozen_time"
    assert client.refused(path, {"frozen_time": START + 731 * DAY})["param"] == "frozen_time"
    customer = member(client, frozen)
    yearly = subscribe(shop, customer, items=[{"price": shop.sell(30_000, "year")["id"]}])
    assert advance(client, frozen, START + 400 * DAY)["status"] == "ready"
    monthly = subscribe(shop, customer)
    assert client.refused(path, {"frozen_time": START + 463 * DAY})["param"] == "frozen_time"
    client.delete(f"/subscriptions/{monthly['id']}")

    assert advance(client, frozen, START + 463 * DAY)["status"] == "ready"
    assert shop.seen(yearly)["status"] == "active"


def test_nothing_on_a_clock_is_changed_while_it_advances(
    shop: Shop, client: Client, emulator: StripeEmulator, frozen: Any
) -> None:
    emulator.behaviour.advance_seconds = 10
    customer = member(client, frozen)
    made = subscribe(shop, customer)
    path = f"/subscriptions/{made['id']}"
    assert advance(client, frozen, START + DAY)["status"] == "advancing"

    order = {"customer": customer, "items": [{"price": shop.price}]}
    for refused in (
        client.refused("/subscriptions", order, status=429),
        client.refused(path, {"description": "x"}, status=429),
        client.refused(path, method="DELETE", status=429),
        client.refused(f"{path}/pause", status=429),
        client.refused(f"/invoices/{made['latest_invoice']}/pay", status=429),
        client.refused(f"{CLOCKS}/{frozen['id']}/advance", {"frozen_time": START + 2 * DAY}, status=429),
        client.refused("/customers", {"test_clock": frozen["id"]}, status=429),
    ):
        assert refused["code"] == "rate_limit"
    shop.wait(seconds=10)
    assert client.post(path, {"description": "x"})["description"] == "x"


def test_a_clock_has_three_customers_with_three_subscriptions_each(shop: Shop, client: Client, frozen: Any) -> None:
    customer, *_ = (member(client, frozen) for _ in range(3))
    assert client.refused("/customers", {"test_clock": frozen["id"]})["param"] == "test_clock"
    made = [subscribe(shop, customer) for _ in range(3)]
    order = {"customer": customer, "items": [{"price": shop.price}]}
    assert client.refused("/subscriptions", order)["param"] == "customer"
    client.delete(f"/subscriptions/{made[0]['id']}")

    assert subscribe(shop, customer)["status"] == "active"


def test_a_customer_joins_a_clock_that_is_made_for_them(shop: Shop, client: Client, card: str) -> None:
    customer, _ = card.split("/")
    clock = client.post(CLOCKS, {"frozen_time": START, "customer": customer})
    assert client.get(f"/customers/{customer}")["test_clock"] == clock["id"]
    again = {"frozen_time": START, "customer": customer}
    assert client.refused(CLOCKS, again)["param"] == "customer"
    elsewhere = shop.subscribe()["customer"]
    assert client.refused(CLOCKS, {**again, "customer": elsewhere})["param"] == "customer"
    assert client.refused("/customers", {"test_clock": "clock_none"})["code"] == "resource_missing"


def test_lists_leave_out_what_lives_by_a_clock_unless_it_is_named(shop: Shop, client: Client, frozen: Any) -> None:
    customer = member(client, frozen)
    made, plain = subscribe(shop, customer), shop.subscribe()

    def ids(path: str, **filters: str) -> list[str]:
        return [one["id"] for one in client.get(path, **filters)["data"]]

    assert ids("/customers") == [plain["customer"]]
    assert ids("/customers", test_clock=frozen["id"]) == [customer]
    assert ids("/subscriptions") == [plain["id"]]
    assert ids("/subscriptions", test_clock=frozen["id"]) == ids("/subscriptions", customer=customer) == [made["id"]]
    assert client.get(f"/subscriptions/{made['id']}", **{"expand[]": "test_clock"})["test_clock"]["name"] == "Renewals"
    assert ids(CLOCKS) == [frozen["id"]]


def test_deleting_a_clock_deletes_what_lives_by_it(
    shop: Shop, client: Client, emulator: StripeEmulator, frozen: Any
) -> None:
    customer = member(client, frozen, "pm_card_authenticationRequired")
    made = subscribe(shop, customer)
    invoice, intent = made["latest_invoice"], shop.intent(made)["id"]
    deleted = client.delete(f"{CLOCKS}/{frozen['id']}")

    assert deleted == {"id": frozen["id"], "object": "test_helpers.test_clock", "deleted": True}
    for path in (f"/subscriptions/{made['id']}", f"/invoices/{invoice}", f"{CLOCKS}/{frozen['id']}"):
        assert client.refused(path, method="GET", status=404)["code"] == "resource_missing"
    assert client.get(f"/customers/{customer}")["deleted"] is True
    assert client.get("/invoice_payments")["data"] == []
    emulator.approve(intent)  # the payment itself lives on, and belongs to nothing any more
    assert emulator.awaiting() == ()


def test_a_clock_is_deleted_after_thirty_days(shop: Shop, client: Client, frozen: Any) -> None:
    client.delete(f"{CLOCKS}/{client.post(CLOCKS, {'frozen_time': START})['id']}")
    shop.wait(days=30)

    assert frozen["deletes_after"] == shop.stamp()
    assert client.get(CLOCKS)["data"] == []


def test_a_clock_that_is_deleted_on_its_way_arrives_nowhere(
    shop: Shop, client: Client, emulator: StripeEmulator, frozen: Any
) -> None:
    emulator.behaviour.advance_seconds = 10
    client.post(f"{CLOCKS}/{frozen['id']}/advance", {"frozen_time": START + DAY})
    client.delete(f"{CLOCKS}/{frozen['id']}")
    shop.wait(seconds=10)

    assert client.types()[-1] == "test_helpers.test_clock.deleted"
