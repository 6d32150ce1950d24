"""Deliveries: once, twice, out of order, late, about strangers, forged."""

from __future__ import annotations

import json

import attrs
import pytest

from paygate import Money
from paygate.errors import ProviderNotCapable, WebhookRejected
from paygate.provider import Capabilities, EventKind, Outcome, Webhook
from paygate.testing import AnswerTwice, Decline, FakeProvider, FakeSettings, FakeStripe, FakeTelecom, FakeUnivaPay
from paygate.testing.faults import duplicated, forged, reordered, truncated


def test_a_delivery_names_the_attempt_and_what_became_of_it(desk):
    request = desk.request(minor=700)
    desk.charge(request)

    (event,) = desk.events()

    assert (event.kind, event.type, event.attempt_id) == (EventKind.CHARGE, "charge.succeeded", request.charge_id)
    assert (event.charge.outcome, event.charge.amount) == (Outcome.SUCCEEDED, Money(700, "JPY"))
    assert event.reference == event.charge.reference == desk.fake.book.captures[0].reference


def test_a_delivery_is_handed_out_once_and_all_of_them_again_on_demand(desk):
    desk.charge(minor=100)
    first = desk.fake.notifications()
    desk.charge(minor=200)

    assert len(desk.fake.notifications()) == 1
    assert desk.fake.notifications() == []
    assert desk.fake.notifications(again=True)[:1] == first


@pytest.mark.rule("R-194", "R-269")
def test_an_answer_given_twice_is_one_event_delivered_twice(desk):
    desk.fake.next(AnswerTwice())
    desk.charge()

    first, second = desk.fake.notifications()

    assert first == second
    assert desk.fake.book.captured() == 1000


def test_deliveries_come_in_the_order_in_which_payments_ended(at):
    desk = at(FakeUnivaPay())
    desk.fake.latency = 60
    desk.charge(minor=100)
    desk.fake.latency = 10
    desk.charge(minor=200)
    desk.clock.advance(minutes=5)

    assert [event.charge.amount.minor for event in desk.events()] == [200, 100]


def test_the_network_may_double_reverse_and_shuffle_deliveries(at):
    desk = at(FakeStripe())
    for minor in range(100, 110):
        desk.charge(minor=minor)
    sent = desk.fake.notifications()

    assert duplicated(sent[:2]) == [sent[0], sent[0], sent[1], sent[1]]
    assert reordered(sent) == sent[::-1]
    assert reordered(sent, seed=3) == reordered(sent, seed=3) != sent
    assert sorted(reordered(sent, seed=3), key=sent.index) == sent


@pytest.mark.rule("R-269")
def test_a_forged_delivery_is_refused_as_unauthorised(desk):
    desk.charge()
    (sent,) = desk.fake.notifications()

    for stranger in (forged(sent), Webhook({}, sent.body), Webhook({"authorization": "ｗｉｄｅ\udc80"}, sent.body)):
        with pytest.raises(WebhookRejected) as refused:
            desk.read(stranger)
        assert refused.value.status == 401


def test_each_fake_believes_only_its_own_secret(at):
    desk = at(FakeStripe())
    other = at(FakeStripe(FakeSettings(webhook_secret="another")))
    other.charge()

    with pytest.raises(WebhookRejected):
        desk.read(other.fake.notifications()[0])


@pytest.mark.parametrize(
    "change",
    [
        {"amount": {"minor": 1.5, "currency": "JPY"}},
        {"amount": {"minor": 100, "currency": "GOLD"}},
        {"amount": None},
        {"at": "yesterday"},
        {"at": "2026-01-15T12:00:00"},
        {"decline": "maybe"},
        {"id": ""},
        {"id": 7},
        {"type": None},
    ],
    ids=str,
)
def test_a_malformed_delivery_is_refused(at, change):
    desk = at(FakeStripe())
    desk.charge()
    (sent,) = desk.fake.notifications()
    body = json.dumps(json.loads(sent.body) | change).encode()

    with pytest.raises(WebhookRejected) as refused:
        desk.read(attrs.evolve(sent, body=body))

    assert refused.value.status == 400


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"7", b"\xff", b"{}"])
def test_a_body_that_is_no_notification_is_refused(at, body):
    desk = at(FakeStripe())
    desk.charge()
    (sent,) = desk.fake.notifications()

    for broken in (truncated(sent), attrs.evolve(sent, body=body)):
        with pytest.raises(WebhookRejected) as refused:
            desk.read(broken)
        assert refused.value.status == 400


@pytest.mark.parametrize("name", ["payout.created", "charge.updated", "charge", ""])
def test_an_authentic_event_of_another_kind_is_told_but_means_nothing(at, name):
    desk = at(FakeStripe())
    desk.charge()
    (sent,) = desk.fake.notifications()
    body = json.dumps(json.loads(sent.body) | {"type": name}).encode()

    event = desk.read(attrs.evolve(sent, body=body))

    assert (event.kind, event.type, event.charge) == (EventKind.OTHER, name, None)


@pytest.mark.rule("R-269", "R-270")
@pytest.mark.parametrize(("outcome", "captured"), [(None, 3000), (Decline(), 0)])
def test_a_charge_that_paygate_did_not_ask_for_names_no_attempt(at, outcome, captured):
    desk = at(FakeTelecom())

    reference = desk.fake.charge_unasked("tok_1", Money(3000, "JPY"), outcome)
    (event,) = desk.events()

    assert (event.reference, event.attempt_id) == (reference, None)
    assert desk.fake.book.captured() == captured
    assert desk.fake.calls[:-1] == []  # reading the notice was the only call


def test_a_provider_without_notifications_reads_none(at):
    desk = at(FakeProvider(Capabilities("Silent")))

    with pytest.raises(ProviderNotCapable):
        desk.read(Webhook({}, b""))

    assert desk.fake.calls == []


def test_a_delivery_shows_no_secret_when_it_is_printed(at):
    desk = at(FakeStripe(FakeSettings(webhook_secret="hush-hush")))
    desk.charge()
    sent = desk.fake.notifications()
    desk.read(sent[0])

    assert "hush-hush" not in repr(sent) + repr(desk.fake.calls) + repr(FakeSettings(webhook_secret="hush-hush"))
