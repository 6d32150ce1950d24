"""Idempotency keys of the emulated UnivaPay."""

from __future__ import annotations

import pytest


def told(response):
    return response.headers.get("idempotency-status")


@pytest.mark.rule("R-190")
def test_a_repeat_gets_the_first_body_whatever_has_happened_since(client, card, clock):
    first = client.charge(card, key="k-1")
    clock.advance(hours=23)
    second = client.charge(card, key="k-1")

    assert (told(first), told(second)) == ("successfully_stored", "retrieved_idempotent_response")
    assert second.body == first.body
    assert second.json()["status"] == "pending"
    assert len(client.emulator.charges) == 1


def test_a_key_is_forgotten_after_a_day(client, card, clock):
    client.charge(card, key="k-1")
    clock.advance(hours=24)

    assert told(client.charge(card, key="k-1")) == "successfully_stored"
    assert len(client.emulator.charges) == 2


def test_the_same_key_with_another_body_is_a_conflict(client, card):
    client.charge(card, 1, key="k-1")
    response = client.charge(card, 2, key="k-1")

    assert (response.status, response.json()["code"]) == (409, "IDEMPOTENCY_KEY_CONFLICT")
    assert told(response) == "conflicting_key"
    assert len(client.emulator.charges) == 1


def test_without_a_key_and_on_reading_nothing_is_stored(client, card):
    assert told(client.charge(card)) is None
    assert told(client.send("GET", f"{client.store}/charges", key="k-1")) == "disabled"


@pytest.mark.parametrize(
    ("stored", "status", "said"), [(False, 201, "successfully_stored"), (True, 400, "retrieved_idempotent_response")]
)
def test_whether_refusals_are_stored_is_an_assumption_that_can_be_turned(client, card, clock, stored, status, said):
    client.emulator.behaviour.key_stores_errors = stored
    client.charge(card, key="k-1")
    refused = client.charge(card, key="k-2")
    clock.advance(seconds=30)
    again = client.charge(card, key="k-2")

    assert refused.status == 400
    assert (again.status, told(again)) == (status, said)


def test_with_the_store_down_everything_is_processed_and_only_the_header_says_so(client, card):
    client.emulator.behaviour.key_store_down = True
    client.emulator.behaviour.duplicate_window = None
    replies = [client.charge(card, key="k-1") for _ in range(2)]

    assert [told(reply) for reply in replies] == ["error", "error"]
    assert len(client.emulator.charges) == 2


def test_with_the_result_lost_a_repeat_is_an_error_and_not_processed(client, card):
    client.emulator.behaviour.key_result_lost = True
    client.charge(card, key="k-1")
    response = client.charge(card, key="k-1")

    assert (response.status, response.json()["code"]) == (500, "UNABLE_TO_GET_IDEMPOTENT_RESULT")
    assert len(client.emulator.charges) == 1
