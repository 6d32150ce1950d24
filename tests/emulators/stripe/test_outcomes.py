"""Outcomes that a test asks for, over all the attempts that one payment takes (provider fact sheet §4)."""

from __future__ import annotations

import pytest

from paygate.testing.emulators import Wish, WishKind

BACK = {"return_url": "https://shop.example/paid"}


@pytest.fixture
def card(client):
    client.emulator.wish(Wish(WishKind.ACTION))
    return client.emulator.store_card()


def refused(client, card):
    """The intent of a payment that was refused because the customer was away."""
    error = client.charge(card)["error"]
    assert error["code"] == "authentication_required"
    return f"/payment_intents/{error['payment_intent']['id']}"


@pytest.mark.rule("R-373")
def test_an_action_outcome_survives_the_attempt_while_the_customer_is_away(client, card):
    path = refused(client, card)
    there = client.post(f"{path}/confirm", {"payment_method": card.split("/")[1], **BACK})
    client.emulator.approve(there["id"])

    assert there["status"] == "requires_action"
    assert there["next_action"]
    assert client.get(path)["status"] == "succeeded"
    assert client.emulator.book.captured() == 3000


@pytest.mark.rule("R-373")
def test_trying_again_without_the_customer_is_refused_again_and_failing_leaves_them_wanted(client, card):
    path, method = refused(client, card), card.split("/")[1]
    again = client.refused(f"{path}/confirm", {"payment_method": method, "off_session": True}, status=402)
    first = client.post(f"{path}/confirm", {"payment_method": method, **BACK})
    client.emulator.approve(first["id"], passed=False)
    second = client.post(f"{path}/confirm", {"payment_method": method, **BACK})

    assert again["code"] == "authentication_required"
    assert (first["status"], second["status"]) == ("requires_action", "requires_action")
    assert client.emulator.book.captured() == 0


@pytest.mark.rule("R-373")
def test_the_outcome_is_for_one_payment_and_one_card(client, card):
    path = refused(client, card)
    spare = client.post("/payment_methods/pm_card_visa/attach", {"customer": card.split("/")[0]})["id"]
    with_another_card = client.post(f"{path}/confirm", {"payment_method": spare, "off_session": True})

    assert client.charge(card)["status"] == "succeeded"
    assert with_another_card["status"] == "succeeded"


@pytest.mark.rule("R-373")
def test_what_waits_for_the_next_payment_is_not_for_this_one(client, card):
    client.emulator.wish(Wish(WishKind.DECLINE))
    path = refused(client, card)
    there = client.post(f"{path}/confirm", {"payment_method": card.split("/")[1], **BACK})

    assert there["status"] == "requires_action"
    assert client.charge(card)["error"]["code"] == "card_declined"
