"""What every emulator offers, as the emulated UnivaPay does it: cards, wishes, approval, webhooks, reset."""

from __future__ import annotations

import json
import tracemalloc

import pytest

from paygate.testing.emulators import CardKind, Wish, WishKind
from paygate.testing.emulators.univapay import Behaviour, ChargePlan, UnivaPayEmulator


def result(client, card, amount=3980):
    """Status and error code of a charge after its time."""
    charge = client.get(f"/charges/{client.charge(card, amount).json()['id']}", polling="true")
    return charge["status"], (charge["error"] or {}).get("code")


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (CardKind.GOOD, ("successful", None)),
        (CardKind.DECLINED_SOFT, ("failed", 306)),
        (CardKind.DECLINED_HARD, ("failed", 304)),
        (CardKind.ACTION_REQUIRED, ("awaiting", None)),
        (CardKind.PENDING, ("pending", None)),
        (CardKind.REFUND_FAILS, ("successful", None)),
    ],
)
def test_a_stored_card_does_what_its_kind_says(client, kind, expected):
    assert result(client, client.emulator.store_card(kind)) == expected


def test_cards_stored_one_after_the_other_are_different_cards(client):
    cards = [client.emulator.store_card() for _ in range(3)]

    assert [result(client, card) for card in cards] == [("successful", None)] * 3


def test_refunds_of_the_card_whose_refunds_fail_do_fail(client):
    card = client.emulator.store_card(CardKind.REFUND_FAILS)
    charge_id = client.paid(card)
    refund_id = client.refund(charge_id, 100).json()["id"]

    assert client.get(f"/charges/{charge_id}/refunds/{refund_id}", polling="true")["status"] == "failed"


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        (Wish(WishKind.SUCCEED), ("successful", None)),
        (Wish(WishKind.DECLINE), ("failed", 306)),
        (Wish(WishKind.DECLINE, code="314"), ("failed", 314)),
        (Wish(WishKind.DECLINE, code="card_declined"), ("failed", 306)),
        (Wish(WishKind.ACTION), ("awaiting", None)),
        (Wish(WishKind.PENDING), ("pending", None)),
        (Wish(WishKind.PENDING, seconds=2), ("successful", None)),
        (Wish(WishKind.ERROR), ("error", 500)),
    ],
)
def test_a_wish_decides_the_next_charge_that_fits_whatever_its_card_says(client, wish, expected):
    card = client.emulator.store_card(CardKind.DECLINED_HARD)
    client.emulator.wish(wish, amount=777)

    assert result(client, card, 776) == ("failed", 304)
    assert result(client, card, 777) == expected
    assert result(client, card, 778) == ("failed", 304)


def test_a_wish_can_be_for_a_renewal(client, card, clock):
    start = {"transaction_token_id": card, "amount": 1980, "currency": "JPY", "period": "monthly"}
    one = client.send("POST", "/subscriptions", start).json()["id"]
    clock.advance(seconds=1)
    client.emulator.tick()
    client.emulator.wish(Wish(WishKind.DECLINE), credential=card)
    clock.advance(days=31)

    assert client.get(f"/subscriptions/{one}")["status"] == "unpaid"


def test_what_waits_for_a_customer_is_listed_until_it_is_decided(client):
    card = client.emulator.store_card(CardKind.ACTION_REQUIRED)
    charges = [client.charge(card, amount).json()["id"] for amount in (1, 2)]
    client.emulator.clock.advance(seconds=1)
    waiting = client.emulator.awaiting()
    client.emulator.approve(charges[0])
    client.emulator.approve(charges[1], passed=False)

    assert waiting == tuple(charges)
    assert client.emulator.awaiting() == ()
    assert [client.emulator.charge(one).status for one in charges] == ["successful", "failed"]
    for unknown in (charges[0], "nothing"):
        with pytest.raises(KeyError):
            client.emulator.approve(unknown)


def test_a_customer_who_never_comes_waits_no_longer(client):
    client.charge(client.emulator.store_card(CardKind.ACTION_REQUIRED))
    client.emulator.clock.advance(minutes=10)

    assert client.emulator.awaiting() == ()


def test_the_way_back_is_known_for_what_has_one(client, card):
    charge_id = client.charge(card, three_ds={"mode": "force", "redirect_endpoint": "https://shop.example/back"}).json()

    assert client.emulator.return_url(charge_id["id"]) == "https://shop.example/back"
    assert client.emulator.return_url(card) is None
    assert client.emulator.return_url("nothing") is None


def test_a_new_webhook_target_takes_the_place_of_the_old_one_and_hears_of_subscriptions(client, card):
    client.emulator.set_webhook_target("https://shop.example/old")
    client.emulator.set_webhook_target("https://shop.example/new")
    start = {"transaction_token_id": card, "amount": 1980, "currency": "JPY", "period": "monthly"}
    client.send("POST", "/subscriptions", start)

    [delivery] = client.emulator.outbox.waiting
    assert (delivery.url, delivery.headers["Authorization"]) == (
        "https://shop.example/new",
        client.emulator.webhook_settings()["webhook_auth_token"],
    )
    assert json.loads(delivery.body)["event"] == "subscription_created"


def test_a_reset_goes_back_to_the_beginning_and_keeps_the_credentials(clock, client):
    emulator = UnivaPayEmulator(clock, behaviour=Behaviour(pending=0.5))
    client.emulator = emulator
    card = emulator.add_card()
    emulator.behaviour.pending, emulator.behaviour.list_delay = None, 5
    emulator.plan(ChargePlan("error"))
    emulator.refuse_next(500, "DB_ERROR")
    emulator.set_webhook_target("https://shop.example/hooks")
    client.token()

    emulator.reset()

    assert (emulator.behaviour.pending, emulator.behaviour.list_delay) == (0.5, 0.0)
    assert emulator.charges == ()
    assert client.get("/tokens")["items"] == client.get("/webhooks")["items"] == []
    assert client.send("GET", f"{client.store}/tokens/{card}").status == 404
    assert result(client, emulator.store_card()) == ("successful", None)


def test_the_next_subscription_can_be_refused_as_a_charge_can(client, card):
    client.emulator.refuse_next(503, "SERVICE_UNAVAILABLE_TRY_AGAIN")
    start = {"transaction_token_id": card, "amount": 1980, "currency": "JPY", "period": "monthly"}

    assert client.send("POST", "/subscriptions", start).status == 503
    assert client.send("POST", "/subscriptions", start).status == 201


def test_a_charge_takes_less_than_five_kilobytes_and_its_key_goes_after_a_day(client, card, clock):
    def charge(number):
        metadata = {"paygate_charge": f"{number:032x}"}
        charge_id = client.charge(card, number, key=f"key-{number:032d}", metadata=metadata).json()["id"]
        clock.advance(seconds=1)
        client.get(f"/charges/{charge_id}")

    def taken():
        client.emulator.journal.clear()  # it keeps so many requests and no more
        return tracemalloc.get_traced_memory()[0]

    charge(1)
    tracemalloc.start()
    try:
        before = taken()
        for number in range(2, 402):
            charge(number)
        grown = (taken() - before) / 400
    finally:
        tracemalloc.stop()
    clock.advance(days=2)
    for number in range(1000, 1400):
        charge(number)

    assert 500 < grown < 5000
    assert len(client.emulator._keys._entries) == 400
