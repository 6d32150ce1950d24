"""Webhooks of the emulated UnivaPay: registration, delivery, retries."""

from __future__ import annotations

import json

import pytest

URL = "https://shop.example/hooks"


def code(response):
    return response.status, response.json()["code"]


@pytest.fixture
def hook(emulator):
    return emulator.add_webhook(URL, "word")


def collect(emulator, status=None):
    taken = []

    def receive(delivery):
        taken.append(delivery)
        return status

    emulator.deliver(receive)
    return taken


def test_a_settled_charge_is_told_to_the_merchant_with_the_registered_word(client, card, hook):
    client.emulator.behaviour.pending = None
    charge_id = client.charge(card).json()["id"]
    before = collect(client.emulator)
    client.emulator.settle(charge_id)

    [delivery] = collect(client.emulator)

    body = json.loads(delivery.body)
    assert before == []
    assert (delivery.url, delivery.headers["Authorization"]) == (URL, "word")
    assert (body["event"], body["data"]["id"], body["data"]["status"]) == ("charge_finished", charge_id, "successful")
    assert "word" not in repr(delivery)
    assert collect(client.emulator) == []


def test_time_alone_settles_a_charge_and_sends_its_event(client, card, hook, clock):
    client.charge(card)
    clock.advance(seconds=0.1)

    assert [delivery.event for delivery in collect(client.emulator)] == ["charge_finished"]


def test_only_wanted_events_are_sent(client, card, emulator, clock):
    emulator.add_webhook(URL, "word", triggers=("refund_finished",))
    client.paid(card)

    assert collect(emulator) == []


def test_a_webhook_without_a_word_is_sent_without_authorization(client, card):
    client.send("POST", f"{client.store}/webhooks", {"url": URL, "triggers": ["charge_finished"]})
    client.paid(card)

    [delivery] = collect(client.emulator)
    assert "Authorization" not in delivery.headers


def test_registrations_can_be_read_changed_and_deleted(client, hook):
    path = f"{client.store}/webhooks/{hook}"
    client.send(
        "PATCH", path, {"url": URL + "2", "triggers": ["charge_finished"], "auth_token": "new", "active": False}
    )

    read = client.get(f"/webhooks/{hook}")
    assert (read["url"], read["triggers"], read["auth_token"], read["active"]) == (
        URL + "2",
        ["charge_finished"],
        "new",
        False,
    )
    assert [one["id"] for one in client.get("/webhooks")["items"]] == [hook]
    assert client.send("DELETE", path).status == 204
    assert client.send("GET", path).status == 404


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"url": URL, "triggers": ["charge_finished"]}, (409, "WEBHOOK_URL_EXISTS")),
        ({"url": "ftp://x", "triggers": ["charge_finished"]}, (400, "VALIDATION_ERROR")),
        ({"url": "https://x", "triggers": []}, (400, "VALIDATION_ERROR")),
        ({"url": "https://x", "triggers": ["transfer_created"]}, (400, "VALIDATION_ERROR")),
    ],
)
def test_a_wrong_registration_is_refused(client, hook, body, expected):
    assert code(client.send("POST", f"{client.store}/webhooks", body)) == expected


def test_a_failing_receiver_is_tried_ten_times_and_then_switched_off(client, card, hook, clock):
    client.paid(card)
    minutes, times = [], 0
    for minute in range(200):
        if tried := collect(client.emulator, 500):
            minutes.append(minute)
            times += len(tried)
        clock.advance(minutes=1)

    assert minutes == [0, 1, 3, 7, 15, 30, 45, 60, 75, 90]
    assert times == 10
    assert client.get(f"/webhooks/{hook}")["active"] is False
    client.paid(card, 1)
    assert collect(client.emulator) == []


@pytest.mark.parametrize(("status", "active"), [(301, False), (429, True), (503, True), (0, True)])
def test_a_redirect_switches_off_at_once_and_a_busy_receiver_never(client, card, hook, clock, status, active):
    client.paid(card)
    for _ in range(12):
        collect(client.emulator, status)
        clock.advance(minutes=15)

    assert client.get(f"/webhooks/{hook}")["active"] is active


def test_a_retry_that_succeeds_is_the_end(client, card, hook, clock):
    client.paid(card)
    collect(client.emulator, 500)
    clock.advance(minutes=1)

    [second] = collect(client.emulator, 204)
    clock.advance(hours=5)

    assert second.attempt == 2
    assert collect(client.emulator) == []


def test_the_history_tells_how_it_went_and_sends_again(client, card, hook):
    client.paid(card)
    collect(client.emulator, 404)
    [event] = client.get(f"/webhooks/{hook}/events")["items"]

    response = client.send("POST", f"{client.store}/webhooks/{hook}/events/{event['id']}/redeliver")
    [again] = collect(client.emulator)

    assert (event["successful"], event["error_message"]) == (False, "404")
    assert (response.status, response.json()) == (202, {})
    assert json.loads(again.body)["id"] == event["id"]
    assert client.send("POST", f"{client.store}/webhooks/{hook}/events/none/redeliver").status == 404


def test_deliveries_can_be_doubled_dropped_and_reordered(client, card, hook):
    outbox = client.emulator.outbox
    outbox.duplicate = True
    client.paid(card, 1)
    doubled = collect(client.emulator)
    outbox.duplicate, outbox.drop = False, 1
    client.paid(card, 2)
    dropped = collect(client.emulator)
    outbox.reorder = True
    client.paid(card, 3)
    client.paid(card, 4)
    reordered = [json.loads(one.body)["data"]["charged_amount"] for one in collect(client.emulator)]

    assert len(doubled) == 2
    assert doubled[0] == doubled[1]
    assert dropped == []
    assert reordered == [4, 3]


def test_a_receiver_that_raises_keeps_its_delivery(client, card, hook):
    client.paid(card)

    with pytest.raises(ZeroDivisionError):
        client.emulator.deliver(lambda _delivery: 1 // 0)

    assert len(client.emulator.outbox.waiting) == 1
    assert len(collect(client.emulator)) == 1
