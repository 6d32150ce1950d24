"""Refunds and cancels of the emulated UnivaPay."""

from __future__ import annotations

import pytest


def code(response):
    return response.status, response.json()["code"]


@pytest.mark.rule("R-247")
def test_a_refund_is_pending_first_and_leaves_the_charges_status_alone(client, card):
    charge_id = client.paid(card, 3000)
    created = client.refund(charge_id, 1000, reason="customer_request", metadata={"paygate_refund": "b" * 32})

    refund = client.get(f"/charges/{charge_id}/refunds/{created.json()['id']}", polling="true")

    assert (created.status, created.json()["status"]) == (201, "pending")
    assert (refund["status"], refund["amount"]) == ("successful", 1000)
    assert client.get(f"/charges/{charge_id}")["status"] == "successful"
    [row] = client.emulator.book.refunds
    assert (row.charge, row.attempt, row.amount.minor) == (charge_id, "b" * 32, 1000)


def test_pending_refunds_count_against_what_is_left(client, card):
    client.emulator.behaviour.pending = None
    charge_id = client.paid(card, 3000)
    client.refund(charge_id, 2000)

    assert code(client.refund(charge_id, 1001)) == (400, "REFUND_NOT_WITHIN_BOUNDS")
    assert client.refund(charge_id, 1000).status == 201


def test_a_failed_refund_gives_its_amount_free_again(client, card):
    client.emulator.behaviour.pending = None
    charge_id = client.paid(card, 3000)
    refund_id = client.refund(charge_id, 3000).json()["id"]

    client.emulator.settle_refund(refund_id, "failed", code=329)
    client.emulator.settle_refund(refund_id, "successful")

    assert client.emulator.refund(refund_id).status == "failed"
    assert client.refund(charge_id, 3000).status == 201


@pytest.mark.parametrize(
    ("amount", "more", "expected"),
    [
        (0, {}, "VALIDATION_ERROR"),
        (1.0, {}, "VALIDATION_ERROR"),
        (1, {"reason": "because"}, "VALIDATION_ERROR"),
        (1, {"currency": "USD"}, "CURRENCY_MUST_MATCH_CHARGE"),
        (3001, {}, "REFUND_EXCEEDS_CHARGE_AMOUNT"),
    ],
)
def test_a_wrong_refund_is_refused(client, card, amount, more, expected):
    charge_id = client.paid(card, 3000)

    assert code(client.refund(charge_id, amount, **more)) == (400, expected)


@pytest.mark.rule("R-248")
def test_the_balance_limit_shrinks_with_every_refund(client, card, clock):
    client.emulator.behaviour.refund_balance = 1500
    charge_id = client.paid(card, 3000)
    client.refund(charge_id, 1000)
    clock.advance(seconds=1)

    assert code(client.refund(charge_id, 501)) == (400, "REFUND_EXCEEDS_SALES")
    assert client.refund(charge_id, 500).status == 201


def test_only_a_successful_charge_can_be_refunded(client, card):
    client.emulator.behaviour.pending = None
    charge_id = client.charge(card).json()["id"]

    assert code(client.refund(charge_id, 1)) == (400, "CANNOT_REFUND_UNSUCCESSFUL_CHARGE")


def test_the_card_whose_refunds_fail_fails_them(client, clock):
    charge_id = client.paid(client.emulator.add_card("4242424242424242"))
    refund_id = client.refund(charge_id, 100).json()["id"]
    clock.advance(seconds=1)

    refund = client.get(f"/charges/{charge_id}/refunds/{refund_id}")
    assert (refund["status"], refund["error"]["code"]) == ("failed", 329)
    assert not client.emulator.book.refunds


def test_refunds_are_listed_under_their_charge_and_can_be_annotated(client, card):
    first, second = client.paid(card, 1000), client.paid(card, 2000)
    refund_id = client.refund(first, 100, metadata={"a": "1"}).json()["id"]
    client.refund(second, 200)

    client.send(
        "PATCH", f"{client.store}/charges/{first}/refunds/{refund_id}", {"message": "m", "metadata": {"b": "2"}}
    )

    listed = client.get(f"/charges/{first}/refunds")
    assert [(one["amount"], one["message"], one["metadata"]) for one in listed["items"]] == [
        (100, "m", {"a": "1", "b": "2"})
    ]
    assert listed["total_hits"] == 1
    assert client.send("GET", f"{client.store}/charges/{second}/refunds/{refund_id}").status == 404


def test_a_cancel_releases_a_held_charge(client, card, clock):
    charge_id = client.charge(card, capture=False).json()["id"]
    clock.advance(seconds=1)

    created = client.send("POST", f"{client.store}/charges/{charge_id}/cancels", {"metadata": {"a": "1"}})
    cancel_id = created.json()["id"]
    cancel = client.get(f"/charges/{charge_id}/cancels/{cancel_id}", polling="true")

    assert (created.status, created.json()["status"], cancel["status"]) == (201, "pending", "successful")
    assert client.get(f"/charges/{charge_id}")["status"] == "canceled"
    assert "total_hits" not in client.get(f"/charges/{charge_id}/cancels")
    assert not client.emulator.book.movements


def test_the_card_whose_cancels_fail_fails_them_and_keeps_the_hold(client, clock):
    card = client.emulator.add_card("4012888888881881")
    charge_id = client.charge(card, capture=False).json()["id"]
    clock.advance(seconds=1)
    cancel_id = client.send("POST", f"{client.store}/charges/{charge_id}/cancels").json()["id"]
    client.send("PATCH", f"{client.store}/charges/{charge_id}/cancels/{cancel_id}", {"metadata": {"a": "1"}})
    clock.advance(seconds=1)

    cancel = client.get(f"/charges/{charge_id}/cancels/{cancel_id}")
    assert (cancel["status"], cancel["error"]["code"], cancel["metadata"]) == ("failed", 312, {"a": "1"})
    assert client.get(f"/charges/{charge_id}")["status"] == "authorized"


def test_a_successful_charge_cannot_be_cancelled(client, card):
    charge_id = client.paid(card)

    assert code(client.send("POST", f"{client.store}/charges/{charge_id}/cancels")) == (400, "CANCEL_NOT_ALLOWED")
    assert client.send("GET", f"{client.store}/charges/{charge_id}/cancels/none").status == 404


def test_a_refund_that_waits_can_be_settled_by_hand_as_its_card_says(client, card):
    client.emulator.behaviour.pending = None
    charge_id = client.paid(card, 3000)
    refund_id = client.refund(charge_id, 3000, metadata={"ref": "r-1"}).json()["id"]
    found = client.get(f"/charges/{charge_id}/refunds", metadata="ref: r-1")["items"]
    missed = client.get(f"/charges/{charge_id}/refunds", metadata="ref: r-2")["items"]
    client.emulator.settle_refund(refund_id)

    assert ([one["id"] for one in found], missed) == ([refund_id], [])
    assert client.emulator.book.refunded(charge_id) == 3000
