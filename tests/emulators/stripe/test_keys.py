"""Idempotency keys: what is kept, for how long, and what a repetition gets (provider fact sheet §7)."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from paygate.clock import SystemClock
from paygate.flow import Request, Response
from paygate.testing.clock import ManualClock
from paygate.testing.emulators import Fault, FaultKind, When, Wish, WishKind
from paygate.testing.emulators.stripe import StripeEmulator

Client = Any

PAYMENT = {
    "amount": 3000,
    "currency": "jpy",
    "payment_method": "pm_card_visa",
    "confirm": True,
    "off_session": True,
}
DECLINED = {**PAYMENT, "payment_method": "pm_card_chargeDeclined"}


def pay(client: Client, key: str, **changes: Any) -> Response:
    response: Response = client.send("POST", "/payment_intents", {**PAYMENT, **changes}, key=key)
    return response


def test_a_repetition_gets_the_first_answer_and_moves_no_money(client: Client, emulator: StripeEmulator) -> None:
    first, again = pay(client, "k-1"), pay(client, "k-1")

    assert (again.status, again.body) == (first.status, first.body)
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["original-request"] == first.headers["request-id"] != again.headers["request-id"]
    assert emulator.book.captured() == 3000


def test_the_order_and_spelling_of_parameters_do_not_count(client: Client) -> None:
    first = client.send("POST", "/customers", "name=Hanako&preferred_locales[]=ja", key="k-1")
    again = client.send("POST", "/customers", "preferred_locales[0]=ja&name=Hanako", key="k-1")

    assert again.json()["id"] == first.json()["id"]


def test_other_parameters_or_another_endpoint_under_the_key_are_an_idempotency_error(client: Client) -> None:
    pay(client, "k-1")

    for response in (pay(client, "k-1", amount=4000), client.send("POST", "/customers", {}, key="k-1")):
        error = response.json()["error"]
        assert (response.status, error["type"], error.get("code")) == (400, "idempotency_error", None)


def test_a_decline_is_kept_and_a_new_try_needs_a_new_key(client: Client, emulator: StripeEmulator) -> None:
    declined = client.send("POST", "/payment_intents", DECLINED, key="k-1")
    emulator.wish(Wish(WishKind.SUCCEED), times=2)

    again = client.send("POST", "/payment_intents", DECLINED, key="k-1")
    retried = client.send("POST", "/payment_intents", DECLINED, key="k-2")

    assert (again.status, again.body) == (402, declined.body)
    assert retried.json()["status"] == "succeeded"


def test_an_error_of_the_providers_own_is_kept_too(client: Client, emulator: StripeEmulator) -> None:
    emulator.wish(Wish(WishKind.ERROR))

    first, again = pay(client, "k-1"), pay(client, "k-1")

    assert (first.status, again.status) == (500, 500)
    assert again.headers["idempotent-replayed"] == "true"
    assert emulator.book.movements == ()


def test_what_was_refused_before_it_was_executed_is_not_kept(client: Client, emulator: StripeEmulator) -> None:
    authorization = client.authorization
    client.authorization = "Bearer sk_test_wrong"
    assert pay(client, "k-1").status == 401
    client.authorization = authorization
    emulator.faults.add(Fault(FaultKind.RATE_LIMITED))
    assert pay(client, "k-1").status == 429
    assert pay(client, "k-1", amount=10).status == 400
    assert pay(client, "k-1", colour="red").status == 400
    assert pay(client, "k-1", customer="cus_none").status == 400
    assert client.send("POST", "/payment_intents/pi_none/confirm", {}, key="k-1").status == 404

    assert pay(client, "k-1").json()["status"] == "succeeded"


@pytest.mark.parametrize("stored", [True, False])
def test_whether_a_400_from_an_objects_state_is_kept_can_be_switched(
    client: Client, emulator: StripeEmulator, stored: bool
) -> None:
    emulator.behaviour.key_stores_state_errors = stored
    intent = client.post("/payment_intents", {"amount": 500, "currency": "jpy"})["id"]
    path = f"/payment_intents/{intent}/confirm"
    body = {"off_session": True}
    assert client.send("POST", path, body, key="k-1").status == 400
    client.post(f"/payment_intents/{intent}", {"payment_method": "pm_card_visa"})

    assert client.send("POST", path, body, key="k-1").status == (400 if stored else 200)


@pytest.mark.parametrize("kind", [FaultKind.RESET, FaultKind.TIMEOUT, FaultKind.ERROR])
def test_a_lost_answer_is_fetched_with_the_same_key(client: Client, emulator: StripeEmulator, kind: FaultKind) -> None:
    emulator.faults.add(Fault(kind, When.AFTER))
    if kind is FaultKind.ERROR:
        assert pay(client, "k-1").status == 500
    else:
        with pytest.raises(Exception, match="emulated"):
            pay(client, "k-1")

    again = pay(client, "k-1")

    assert (again.status, again.headers["idempotent-replayed"]) == (200, "true")
    assert emulator.book.captured() == 3000


@pytest.mark.parametrize(("hours", "payments"), [(23.9, 1), (24, 2), (100, 2)])
def test_a_key_is_kept_for_24_hours_and_is_then_a_new_request(
    client: Client, emulator: StripeEmulator, clock: ManualClock, hours: float, payments: int
) -> None:
    pay(client, "k-1")
    clock.advance(hours=hours)

    assert pay(client, "k-1").status == 200
    assert len(emulator.book.captures) == payments


def test_a_key_has_at_most_255_characters_and_an_empty_one_is_none(client: Client, emulator: StripeEmulator) -> None:
    assert pay(client, "k" * 256).status == 400
    assert pay(client, "k" * 255).status == 200
    assert pay(client, "").json()["id"] != pay(client, "").json()["id"]
    assert "idempotency-key" not in pay(client, "").headers


def test_reading_and_deleting_ignore_keys(client: Client) -> None:
    customer = client.post("/customers")["id"]

    assert client.send("GET", "/customers", key="k-1").json()["data"]
    client.send("DELETE", f"/customers/{customer}", key="k-1")
    response = client.send("GET", "/customers", key="k-1")
    assert response.json()["data"] == []
    assert "idempotency-key" not in response.headers


def test_a_second_request_while_the_first_one_runs_is_409_and_not_kept() -> None:
    emulator = StripeEmulator(SystemClock())
    emulator.behaviour.write_seconds = 0.2
    headers = {
        "Authorization": f"Bearer {emulator.credentials_for_plugin()['api_key']}",
        "Idempotency-Key": "k-1",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    body = b"amount=500&currency=jpy&payment_method=pm_card_visa&confirm=true&off_session=true"
    request = Request("POST", "https://api.stripe.com/v1/payment_intents", headers, body)
    answers: list[Response] = []
    barrier = threading.Barrier(2)

    def send() -> None:
        barrier.wait()
        answers.append(emulator.handle(request))

    threads = [threading.Thread(target=send) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    emulator.behaviour.write_seconds = 0
    answers.append(emulator.handle(request))

    conflict, first, again = answers
    assert (conflict.status, conflict.json()["error"]["code"]) == (409, "idempotency_key_in_use")
    assert conflict.json()["error"]["type"] == "invalid_request_error"
    assert (first.status, again.headers["idempotent-replayed"]) == (200, "true")
    assert emulator.book.captured() == 500


def test_on_a_clock_that_is_moved_by_hand_a_slow_write_passes_at_once(
    client: Client, emulator: StripeEmulator, clock: ManualClock
) -> None:
    emulator.behaviour.write_seconds = 30
    before = clock.now()

    assert pay(client, "k-1").status == 200
    assert (clock.now() - before).total_seconds() == 30


def test_an_event_names_the_request_and_the_key_that_caused_it(client: Client, clock: ManualClock) -> None:
    request = pay(client, "k-1", capture_method="manual").headers["request-id"]
    (event,) = client.get("/events", type="charge.succeeded")["data"]
    assert event["request"] == {"id": request, "idempotency_key": "k-1"}

    clock.advance(days=8)

    (event,) = client.get("/events", type="charge.expired")["data"]
    assert event["request"] == {"id": None, "idempotency_key": None}
