"""Webhooks: authentic, forged, malformed, repeated, foreign."""

from __future__ import annotations

import json

import attrs
import pytest

from paygate.errors import ProviderUnavailable, WebhookRejected
from paygate.flow import Request
from paygate.provider import EventKind, Outcome, Webhook
from paygate.testing.emulators import Fault, FaultKind
from paygate.testing.emulators.univapay import Credentials

URL = "https://shop.example/hooks/univapay"
AUTH_TOKEN = "word-only-for-webhooks"


@pytest.fixture
def listening(shop):
    shop.emulator.add_webhook(URL, AUTH_TOKEN)
    return shop


def body_of(event, **data):
    return json.dumps({"event": event, "data": data}).encode()


def hear(shop, body, authorization=AUTH_TOKEN):
    return shop.driver.run(shop.provider.parse_webhook(Webhook({"authorization": authorization}, body)))


@pytest.mark.rule("R-194")
def test_a_pending_charge_is_settled_by_its_event(listening):
    listening.emulator.behaviour.pending = None
    attempt = listening.attempt()
    left = listening.charge(attempt)
    listening.emulator.settle(left.reference)

    [delivery] = listening.deliveries()
    [event] = listening.hear(delivery)

    assert left.outcome is Outcome.PENDING
    assert (event.kind, event.type) == (EventKind.CHARGE, "charge_finished")
    assert (event.reference, event.attempt_id) == (left.reference, attempt.charge_id)
    assert event.charge.outcome is Outcome.SUCCEEDED
    assert event.charge.amount == attempt.amount


@pytest.mark.rule("R-247")
def test_a_pending_refund_is_settled_by_its_event(listening):
    charge = listening.charge(3000)
    listening.emulator.behaviour.pending = None
    attempt = listening.refund_attempt(charge, 1000)
    left = listening.refund(attempt)
    listening.emulator.settle_refund(left.reference, "failed", code=329)

    event = listening.hear(listening.deliveries()[-1])[0]

    assert (event.kind, event.reference, event.attempt_id) == (EventKind.REFUND, left.reference, attempt.refund_id)
    assert (event.refund.outcome, event.refund.code) == (Outcome.DECLINED, "329")


@pytest.mark.rule("R-269")
def test_a_delivery_that_comes_twice_has_one_event_id(listening):
    listening.emulator.outbox.duplicate = True
    listening.charge()

    ids = [listening.hear(delivery)[0].event_id for delivery in listening.deliveries()]

    assert len(ids) == 2
    assert len(set(ids)) == 1


@pytest.mark.rule("R-194")
def test_a_late_event_tells_the_state_of_now_and_not_that_of_its_body(listening):
    listening.emulator.behaviour.three_ds_required = True
    attempt = listening.attempt()
    waiting = listening.charge(attempt)
    [old] = listening.deliveries()
    listening.emulator.customer_returns(waiting.reference)

    [event] = listening.hear(old)

    assert json.loads(old.body)["data"]["status"] == "awaiting"
    assert event.charge.outcome is Outcome.SUCCEEDED
    assert event.event_id.endswith(":successful")


def test_a_body_that_claims_a_success_is_not_believed(listening):
    listening.emulator.behaviour.pending = None
    left = listening.charge()

    [event] = hear(listening, body_of("charge_finished", id=left.reference, status="successful", charged_amount=3980))

    assert event.charge.outcome is Outcome.PENDING


@pytest.mark.parametrize("prefix", ["", "Bearer "])
def test_the_word_is_accepted_with_and_without_bearer(listening, prefix):
    listening.emulator.behaviour.webhook_prefix = prefix
    listening.charge()

    [delivery] = listening.deliveries()

    assert listening.hear(delivery)[0].kind is EventKind.CHARGE


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer ", "guess", f"{AUTH_TOKEN} ", f"bearer {AUTH_TOKEN}", f"Bearer {AUTH_TOKEN}x", "\ud800é"],
)
@pytest.mark.rule("R-269")
def test_a_forged_delivery_is_refused_and_nothing_is_asked(listening, authorization):
    with pytest.raises(WebhookRejected) as refusal:
        hear(listening, body_of("charge_finished", id="11f0b002-bbbb-4e00-9f00-00000000e001"), authorization)

    assert refusal.value.status == 401
    assert not listening.emulator.requests


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b'"charge_finished"',
        b"{}",
        b'{"event": 7, "data": {"id": "a"}}',
        b'{"event": "charge_finished"}',
        b'{"event": "charge_finished", "data": []}',
        b'{"event": "charge_finished", "data": {}}',
        b'{"event": "charge_finished", "data": {"id": 5}}',
        b'{"event": "charge_finished", "data": {"id": "../tokens"}}',
        b'{"event": "refund_finished", "data": {"id": "a"}}',
        b'{"event": "refund_finished", "data": {"id": "a", "charge_id": "../x"}}',
        b"[" * 100_000,
    ],
)
def test_a_malformed_delivery_is_refused_and_nothing_is_asked(listening, body):
    with pytest.raises(WebhookRejected) as refusal:
        hear(listening, body)

    assert refusal.value.status == 400
    assert not listening.emulator.requests


@pytest.mark.parametrize("event", ["token_created", "token_three_d_s_updated", "cancel_finished", "invented_tomorrow"])
def test_an_event_that_paygate_does_not_act_on_is_other(listening, event):
    [heard] = hear(listening, body_of(event, id="11f0b002-bbbb-4e00-9f00-00000000e001"))

    assert (heard.kind, heard.type) == (EventKind.OTHER, event)
    assert not listening.emulator.requests


@pytest.mark.parametrize("place", [{"store_id": "11f0a1b2-1111-4a00-8000-00000000ffff"}, {"mode": "live"}])
def test_an_event_of_another_store_or_mode_is_other_and_nothing_is_asked(listening, place):
    body = body_of("charge_finished", id="11f0b002-bbbb-4e00-9f00-00000000e001", **place)

    assert hear(listening, body)[0].kind is EventKind.OTHER
    assert not listening.emulator.requests


def test_a_charge_that_does_not_exist_is_other(listening):
    [heard] = hear(listening, body_of("charge_finished", id="11f0b002-bbbb-4e00-9f00-00000000e001"))

    assert heard.kind is EventKind.OTHER


def test_a_charge_made_without_paygate_such_as_a_security_code_check_is_other(listening):
    body = {
        "payment_type": "card",
        "type": "recurring",
        "email": "hanako@example.com",
        "data": {
            "card_number": "4000020000000000",
            "exp_month": 12,
            "exp_year": 2031,
            "cvv_authorize": {"enabled": True},
        },
    }
    headers = {"Authorization": listening.emulator.credentials.header}
    listening.emulator.handle(Request("POST", "https://api.univapay.com/tokens", headers, json.dumps(body).encode()))
    [check] = listening.emulator.charges

    [heard] = hear(listening, body_of("charge_updated", id=check.id, status="authorized"))

    assert heard.kind is EventKind.OTHER
    assert heard.charge is None


@pytest.mark.rule("R-314")
def test_a_refund_made_in_the_dashboard_names_the_charge_and_no_attempt(listening):
    charge = listening.charge(3000)
    path = f"/stores/{listening.settings.store_id}/charges/{charge.reference}/refunds"
    headers = {"Authorization": listening.emulator.credentials.header}
    body = json.dumps({"amount": 1000, "currency": "JPY"}).encode()
    made = listening.emulator.handle(Request("POST", f"https://api.univapay.com{path}", headers, body)).json()

    [heard] = hear(listening, body_of("refund_finished", id=made["id"], charge_id=charge.reference))

    assert (heard.kind, heard.attempt_id, heard.refund.amount.minor) == (EventKind.REFUND, None, 1000)
    assert (heard.charge_reference, heard.charge_id) == (charge.reference, f"{1:032x}")


def test_while_the_charge_cannot_be_read_the_delivery_is_not_taken(listening):
    listening.charge()
    [delivery] = listening.deliveries()
    listening.emulator.faults.add(Fault(FaultKind.TIMEOUT), times=3)

    with pytest.raises(ProviderUnavailable):
        listening.hear(delivery)


def test_a_store_of_the_same_merchant_gets_no_events_of_this_one(listening):
    other = Credentials.for_store(2)
    listening.emulator.add_store(other)
    provider = type(listening.provider)(
        attrs.evolve(listening.settings, app_token=other.app_token, secret=other.secret)
    )
    listening.charge()
    [delivery] = listening.deliveries()
    headers = {name.lower(): value for name, value in delivery.headers.items()}

    [event] = listening.driver.run(provider.parse_webhook(Webhook(headers, delivery.body)))

    assert event.kind is EventKind.OTHER
