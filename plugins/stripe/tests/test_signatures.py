"""Signatures of webhooks, by our own clock, over the raw bytes (§9, R-269)."""

from __future__ import annotations

import json

import pytest
import stripe

from paygate.errors import WebhookRejected
from paygate.provider import EventKind, Webhook
from paygate_stripe.signatures import sign, verify

OLD, NEW, OTHER = "whsec_old0secret", "whsec_new0secret", "whsec_foreign0secret"
BODY = json.dumps({"id": "evt_1", "object": "event", "type": "customer.created", "data": {"object": {}}}).encode()


def header(clock, *secrets, body=BODY, seconds=0, extra=""):
    time = str(int(clock.now().timestamp()) + seconds)
    return f"t={time}," + ",".join(f"v1={sign(body, secret, time)}" for secret in secrets) + extra


def hear(shop, value, body=BODY):
    headers = {} if value is None else {"stripe-signature": value}
    return shop.run(shop.provider.parse_webhook(Webhook(headers, body)))


@pytest.fixture
def shop(shops):
    return shops(webhook_secret=NEW)


def test_a_signed_delivery_is_authentic(shop, clock):
    (event,) = hear(shop, header(clock, NEW))

    assert (event.event_id, event.kind, event.type) == ("evt_1", EventKind.OTHER, "customer.created")
    assert shop.requests == []


def test_the_packages_own_signature_is_ours(clock):
    made = stripe.WebhookSignature.generate_signature_header(BODY.decode(), NEW, timestamp=int(clock.now().timestamp()))

    verify(made, BODY, [NEW], clock.now())

    assert made == header(clock, NEW)


def test_while_a_secret_is_replaced_stripe_signs_with_both_and_we_may_know_either(shops, clock):
    both = header(clock, OLD, NEW)

    for secret in (OLD, NEW):
        assert hear(shops(webhook_secret=secret), both)


def test_while_a_secret_is_replaced_we_know_both_and_stripe_may_sign_with_either(shops, clock):
    shop = shops(webhook_secret=f"{NEW}, {OLD}")

    for secret in (OLD, NEW):
        assert hear(shop, header(clock, secret))


@pytest.mark.parametrize("seconds", [-300, -299, 0, 299, 300])
def test_a_signature_of_up_to_300_seconds_before_or_after_now_is_fresh(shop, clock, seconds):
    assert hear(shop, header(clock, NEW, seconds=seconds))


@pytest.mark.parametrize("seconds", [-86_400, -301, 301, 86_400])
def test_an_older_one_may_be_a_replay_and_a_later_one_would_be_good_for_one(shop, clock, seconds):
    with pytest.raises(WebhookRejected, match="clock") as rejected:
        hear(shop, header(clock, NEW, seconds=seconds))

    assert rejected.value.status == 401


def test_time_goes_by_the_injected_clock(shop, clock):
    value = header(clock, NEW)
    clock.advance(seconds=301)

    with pytest.raises(WebhookRejected):
        hear(shop, value)


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body + b" ",
        lambda body: json.dumps(json.loads(body), indent=1).encode(),
        lambda body: body.replace(b"evt_1", b"evt_2"),
        lambda _body: b"",
    ],
)
def test_the_signature_is_over_the_raw_bytes(shop, clock, change):
    with pytest.raises(WebhookRejected, match="webhook_secret") as rejected:
        hear(shop, header(clock, NEW), change(BODY))

    assert rejected.value.status == 401


def broken(now, good):
    """Headers that prove nothing, by what is wrong with them."""
    return {
        "missing": None,
        "empty": "",
        "no time": f"v1={good}",
        "no signature": f"t={now}",
        "another scheme": f"t={now},v0={good}",
        "two times": f"t={now},t={now},v1={good}",
        "time that is no number": f"t=now,v1={good}",
        "signed time": f"t=+{now},v1={good}",
        "time in other digits": f"t={now.translate(str.maketrans('0123456789', '０１２３４５６７８９'))},v1={good}",
        "endless time": f"t={'9' * 5000},v1={good}",
        "part of the signature": f"t={now},v1={good[:-1]}",
        "signature in capitals": f"t={now},v1={good.upper()}",
        "no ASCII": f"t={now},v1=\udcff",
        "empty signature": f"t={now},v1=",
        "other separator": f"t={now};v1={good}",
        "name in capitals": f"T={now},V1={good}",
    }


@pytest.mark.parametrize("wrong", broken("1", "a"))
def test_every_other_header_is_rejected(shop, clock, wrong):
    now = str(int(clock.now().timestamp()))

    with pytest.raises(WebhookRejected) as rejected:
        hear(shop, broken(now, sign(BODY, NEW, now))[wrong])

    assert rejected.value.status == 401
    assert NEW not in str(rejected.value)


def test_a_foreign_secret_is_rejected(shop, clock):
    with pytest.raises(WebhookRejected, match="webhook_secret"):
        hear(shop, header(clock, OTHER))


def test_a_wrong_signature_beside_the_right_one_does_no_harm(shop, clock):
    assert hear(shop, header(clock, OTHER, NEW, OTHER, extra=",v0=00,x"))


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"42", b"{", b"\xff\xfe", b"[" * 5000, b"{}", b'{"id": 5, "type": "x"}',
     b'{"id": "evt_1"}', b'{"id": "evt_1", "type": 5}', b'{"id": "evt 1", "type": "x"}',
     b'{"id": "evt_1", "type": "a\\u0000b"}', b'{"id": "../evt", "type": "x"}'],
)  # fmt: skip
def test_an_authentic_body_that_is_no_event_is_malformed(shop, clock, body):
    with pytest.raises(WebhookRejected) as rejected:
        hear(shop, header(clock, NEW, body=body), body)

    assert rejected.value.status == 400
