"""Deliveries under control: where they go, what became of them, and what a network may do to them."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from paygate.flow import Request
from paygate.testing.clock import ManualClock
from paygate.testing.emulators import EMULATORS, Delivery, load
from paygate.testing.emulators.webhooks import Outbox

URL = "https://shop.example/hooks"
NOW = dt.datetime(2026, 11, 22, tzinfo=dt.UTC)


@pytest.fixture
def control(emulator):
    """Sends to the control interface; returns the status and the decoded body."""

    def send(method, path="", body=None):
        content = b"" if body is None else json.dumps(body).encode()
        response = emulator.handle(Request(method, f"{emulator.origin}/_paygate/webhooks{path}", body=content))
        return response.status, response.json()

    return send


@pytest.fixture
def shop(emulator, control):
    """A shop that takes webhooks as they fall due, answers ``shop.status`` and keeps what it got."""

    class Shop:
        status = 200

        def __init__(self):
            self.got = []

        def __call__(self, delivery):
            self.got.append(delivery)
            return self.status

        @property
        def amounts(self):
            return [json.loads(delivery.body)["data"]["charged_amount"] for delivery in self.got]

    emulator.receiver = Shop()
    assert control("PUT", "/target", {"url": URL})[0] == 200
    return emulator.receiver


def pay(client, card, *amounts):
    for amount in amounts:
        client.paid(card, amount)
    client.emulator.catch_up()


# --- the target ------------------------------------------------------------------------------------------------------


def test_the_target_is_set_and_replaced_and_answered_with_what_proves_a_webhook(client, card, control):
    control("PUT", "/target", {"url": "https://old.example/hooks"})
    status, answer = control("PUT", "/target", {"url": URL})
    client.paid(card)

    assert (status, answer) == (200, {"url": URL, "settings": client.emulator.webhook_settings()})
    assert [delivery["url"] for delivery in control("GET")[1]["deliveries"]] == [URL]


@pytest.mark.parametrize("url", [None, 7, "", "shop.example", "ftp://shop.example", "http://"])
def test_a_target_that_is_no_address_is_refused(control, url):
    status, answer = control("PUT", "/target", {"url": url})

    assert status == 400
    assert answer["error"]["remedy"]


# --- deliveries ------------------------------------------------------------------------------------------------------


def test_a_delivery_is_told_with_its_body_and_without_what_proves_it(client, card, control, shop, clock):
    pay(client, card, 3000)

    status, answer = control("GET")

    [delivery] = answer["deliveries"]
    assert status == 200
    assert (delivery["event"], delivery["url"], delivery["attempt"], delivery["forged"]) == (
        "charge_finished",
        URL,
        1,
        False,
    )
    assert (delivery["state"], delivery["status"], delivery["answered_at"]) == (
        "delivered",
        200,
        clock.now().isoformat(),
    )
    assert delivery["body"].encode() == shop.got[0].body
    assert delivery["event_id"] == json.loads(delivery["body"])["id"]
    assert delivery["headers"]["authorization"] == "<str>"
    assert client.emulator.webhook_secret not in json.dumps(answer)
    assert control("GET", f"/{delivery['id']}") == (200, delivery)


def test_a_failed_delivery_and_the_next_try_are_both_told(client, card, control, shop):
    shop.status = 500
    pay(client, card, 3000)

    failed, waiting = control("GET")[1]["deliveries"]
    assert (failed["state"], failed["status"], failed["attempt"]) == ("failed", 500, 1)
    assert (waiting["state"], waiting["status"], waiting["attempt"]) == ("waiting", None, 2)
    assert failed["id"] != waiting["id"]
    assert waiting["at"] > failed["at"]


def test_deliveries_are_chosen_by_state_event_and_number(client, card, control, shop):
    shop.status = 500
    pay(client, card, 1)
    shop.status = 200
    pay(client, card, 2, 3)

    def chosen(query):
        return [(each["state"], each["attempt"]) for each in control("GET", query)[1]["deliveries"]]

    assert chosen("?state=failed") == [("failed", 1)]
    assert chosen("?state=waiting&event=charge_finished") == [("waiting", 2)]
    assert chosen("?event=refund_finished") == []
    assert chosen("?limit=2") == [("delivered", 1), ("waiting", 2)]
    assert chosen("?limit=0") == []
    assert control("GET", "?state=lost")[0] == 400
    assert control("GET", "?limit=ten")[0] == 400
    assert control("GET", "?count=1")[0] == 400


def test_a_delivery_is_sent_once_more_on_demand(client, card, control, shop):
    pay(client, card, 3000)
    [first] = control("GET")[1]["deliveries"]
    shop.status = 204

    status, again = control("POST", f"/{first['id']}/redeliver")

    assert (status, again["state"], again["status"], again["event_id"]) == (200, "delivered", 204, first["event_id"])
    assert again["id"] != first["id"]
    assert [delivery.body for delivery in shop.got] == [shop.got[0].body] * 2
    assert control("POST", "/delivery_99/redeliver")[0] == 404


def test_nobody_takes_webhooks_in_process_until_they_are_asked_for(client, card, control):
    control("PUT", "/target", {"url": URL})
    client.paid(card)

    assert [delivery["state"] for delivery in control("GET")[1]["deliveries"]] == ["waiting"]
    assert client.emulator.deliver(lambda _delivery: None) == 1
    assert [delivery["state"] for delivery in control("GET")[1]["deliveries"]] == ["delivered"]


def test_only_so_many_attempts_are_remembered():
    outbox = Outbox()
    for number in range(1500):
        outbox.note(Delivery(URL, {}, b"{}", NOW, event_id=str(number)), 200, NOW)

    assert [attempt.delivery.event_id for attempt in outbox.attempts] == [str(number) for number in range(500, 1500)]
    outbox.note(Delivery(URL, {}, b"x" * 1024 * 1024, NOW, event_id="large"), 200, NOW)
    assert [attempt.delivery.event_id for attempt in outbox.attempts] == ["large"]


# --- an unreliable network -------------------------------------------------------------------------------------------


def test_held_deliveries_wait_and_leave_together(client, card, control, shop):
    status, held = control("POST", "/hold")
    pay(client, card, 1, 2, 3)
    before = list(shop.got)
    released = control("POST", "/release")[1]

    assert (status, held["held"], released["held"]) == (200, True, False)
    assert before == []
    assert shop.amounts == [1, 2, 3]


def test_what_waits_is_shuffled(client, card, control, shop):
    control("POST", "/hold")
    pay(client, card, *range(1, 8))
    assert control("POST", "/shuffle")[1]["shuffled"] == 7
    control("POST", "/release")

    assert sorted(shop.amounts) == [1, 2, 3, 4, 5, 6, 7]
    assert shop.amounts != [1, 2, 3, 4, 5, 6, 7]


def test_two_deliveries_are_shuffled_into_the_other_order(client, card, control, shop):
    control("POST", "/hold")
    pay(client, card, 1, 2)
    control("POST", "/shuffle")
    control("POST", "/release")

    assert shop.amounts == [2, 1]


def test_what_is_not_due_yet_is_not_shuffled(clock):
    outbox = Outbox()
    for hours in (0, 1):
        outbox.put(Delivery(URL, {}, b"{}", clock.now() + dt.timedelta(hours=hours)))

    assert outbox.shuffle(clock.now()) == 1
    assert outbox.shuffle(clock.now() - dt.timedelta(hours=1)) == 1  # what fell due once stays due


def test_from_now_on_the_newest_leaves_first(client, card, control, shop):
    assert control("POST", "/shuffle", {"always": True})[1]["always_shuffle"] is True
    control("POST", "/hold")
    pay(client, card, 1, 2, 3)
    control("POST", "/release")

    assert shop.amounts == [3, 2, 1]
    assert control("POST", "/shuffle", {"always": False})[1]["always_shuffle"] is False


def test_what_waits_is_doubled_or_everything_to_come(client, card, control, shop):
    control("POST", "/hold")
    pay(client, card, 1, 2)
    assert control("POST", "/duplicate")[1]["duplicated"] == 2
    control("POST", "/release")
    assert sorted(shop.amounts) == [1, 1, 2, 2]

    assert control("POST", "/duplicate", {"always": True})[1]["always_duplicate"] is True
    pay(client, card, 3)
    control("POST", "/duplicate", {"always": False})
    pay(client, card, 4)
    assert shop.amounts[4:] == [3, 3, 4]


def test_first_tries_are_lost_as_often_as_asked_for(client, card, control, shop):
    assert control("POST", "/drop", {"times": 2})[1]["to_drop"] == 2
    pay(client, card, 1, 2, 3)
    assert control("POST", "/drop")[1]["to_drop"] == 1
    pay(client, card, 4, 5)

    assert shop.amounts == [3, 5]


@pytest.mark.parametrize("path", ["/hold", "/release", "/shuffle", "/duplicate", "/drop", "/forge"])
def test_a_switch_takes_no_other_fields(control, path):
    assert control("POST", path, {"now": True})[0] == 400


# --- forged ----------------------------------------------------------------------------------------------------------


def test_a_forged_delivery_is_a_copy_with_a_wrong_proof_and_the_provider_knows_nothing_of_it(
    client, card, control, shop
):
    pay(client, card, 3000)
    shop.status = 401

    status, forged = control("POST", "/forge")

    real, copy = shop.got
    assert (status, forged["forged"], forged["state"], forged["status"]) == (200, True, "failed", 401)
    assert (copy.body, copy.url) == (real.body, real.url)
    assert real.headers["Authorization"] == client.emulator.webhook_secret
    assert copy.headers["Authorization"] != client.emulator.webhook_secret
    assert client.emulator.outbox.waiting == ()  # a refused forgery is not tried again


def test_the_delivery_to_forge_is_chosen_by_its_id(client, card, control, shop):
    pay(client, card, 1, 2)
    first = control("GET")[1]["deliveries"][0]
    control("POST", "/forge", {"id": first["id"]})
    control("POST", "/forge")

    assert shop.amounts == [1, 2, 1, 2]
    assert control("POST", "/forge", {"id": "delivery_99"})[0] == 404


def test_without_a_delivery_there_is_nothing_to_forge(control, shop):
    status, answer = control("POST", "/forge")

    assert status == 404
    assert "target" in answer["error"]["remedy"]


@pytest.mark.parametrize("name", sorted(EMULATORS))
def test_every_emulators_forgery_proves_itself_by_something_else(name):
    emulator = load(name)(ManualClock.jst(2026, 11, 22, 12))
    headers = {"Content-Type": "application/json", "Authorization": emulator.webhook_secret}

    forged = emulator.forge(Delivery(URL, headers, b"{}", NOW))

    assert forged.body == b"{}"
    assert forged != Delivery(URL, headers, b"{}", NOW)


# --- reset -----------------------------------------------------------------------------------------------------------


def test_a_reset_in_the_middle_of_a_delivery_leaves_nothing_behind(client, card):
    emulator = client.emulator
    emulator.set_webhook_target(URL)
    client.paid(card)

    def shop(_delivery):
        emulator.reset()
        return 500

    assert emulator.deliver(shop) == 1
    assert emulator.outbox.attempts == ()

    emulator.set_webhook_target(URL)
    client.paid(emulator.add_card())

    def broken_shop(_delivery):
        emulator.reset()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        emulator.deliver(broken_shop)
    assert emulator.outbox.attempts == ()


def test_a_delivery_that_was_put_back_is_handed_out_next(client, card):
    emulator = client.emulator
    emulator.set_webhook_target(URL)
    emulator.outbox.reorder = True
    for amount in (1, 2):
        client.paid(card, amount)
    newest = emulator.outbox.take(emulator.clock.now())
    emulator.outbox.put_back(newest)

    assert emulator.outbox.take(emulator.clock.now()) == newest
