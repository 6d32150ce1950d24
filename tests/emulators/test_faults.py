"""Faults, as a mounted emulator shows them."""

from __future__ import annotations

import datetime as dt

import pytest

from paygate.drivers.retry import Lost, NotSent
from paygate.errors import OutcomeUnknown
from paygate.flow import Request
from paygate.testing.clock import ManualClock
from paygate.testing.emulators import EMULATORS, Fault, FaultKind, When, load


@pytest.mark.parametrize(("when", "charges"), [(When.BEFORE, 0), (When.AFTER, 1)])
@pytest.mark.parametrize("kind", [FaultKind.TIMEOUT, FaultKind.RESET, FaultKind.CUT])
def test_a_lost_answer_is_lost_before_or_after_the_effect(client, card, kind, when, charges):
    client.emulator.faults.add(Fault(kind, when))

    with pytest.raises(Lost):
        client.charge(card)
    assert len(client.emulator.charges) == charges


@pytest.mark.parametrize(("when", "charges"), [(When.BEFORE, 0), (When.AFTER, 1)])
@pytest.mark.parametrize(
    ("kind", "status"), [(FaultKind.ERROR, 500), (FaultKind.HTML, 500), (FaultKind.RATE_LIMITED, 429)]
)
def test_a_wrong_answer_stands_for_the_right_one(client, card, kind, status, when, charges):
    client.emulator.faults.add(Fault(kind, when))

    assert client.charge(card).status == status
    assert len(client.emulator.charges) == charges


def test_a_refused_connection_reaches_nobody(client, card):
    client.emulator.faults.add(Fault(FaultKind.REFUSED))

    with pytest.raises(NotSent):
        client.charge(card)
    assert not client.emulator.charges


def test_a_refused_connection_cannot_have_had_an_effect():
    with pytest.raises(ValueError, match="BEFORE"):
        Fault(FaultKind.REFUSED, When.AFTER)


@pytest.mark.parametrize(("when", "charges"), [(When.BEFORE, 0), (When.AFTER, 1)])
def test_half_a_body_is_not_readable(client, card, when, charges):
    client.emulator.faults.add(Fault(FaultKind.TRUNCATED, when))

    with pytest.raises(OutcomeUnknown):
        client.charge(card).json()
    assert len(client.emulator.charges) == charges


def test_too_many_requests_say_when_to_come_back(client):
    client.emulator.faults.add(Fault(FaultKind.RATE_LIMITED, seconds=7))

    response = client.send("GET", "/me")

    assert (response.headers["retry-after"], response.body) == ("7", b"")


def test_a_late_answer_takes_its_time_and_one_too_late_is_lost(client, clock):
    client.emulator.faults.add(Fault(FaultKind.SLOW, seconds=20), times=2)
    began = clock.now()

    client.send("GET", "/me")

    assert clock.now() - began == dt.timedelta(seconds=20)
    with pytest.raises(Lost, match="within 5 s"):
        client.emulator.handle(Request("GET", "https://api.univapay.com/heartbeat", timeout=5))


def test_a_trickling_answer_takes_its_time_and_one_too_slow_is_lost(client, card, clock):
    client.emulator.faults.add(Fault(FaultKind.TRICKLE, seconds=20), times=2)
    began = clock.now()

    assert client.charge(card).status == 201
    assert clock.now() - began == dt.timedelta(seconds=20)
    with pytest.raises(Lost, match="within 5 s"):
        client.emulator.handle(Request("GET", "https://api.univapay.com/heartbeat", timeout=5))


@pytest.mark.parametrize("name", sorted(EMULATORS))
@pytest.mark.parametrize("status", [500, 503])
def test_an_error_is_written_as_the_provider_writes_its_own(name, status):
    emulator = load(name)(ManualClock.jst(2026, 11, 22))
    emulator.faults.add(Fault(FaultKind.ERROR, status=status))

    struck = emulator.handle(Request("GET", emulator.origin + "/"))

    own = emulator.error_response(status)
    assert struck.status == own.status == status
    assert set(struck.json()) == set(own.json())


def test_a_fault_is_taken_back_by_its_id(client):
    faults = client.emulator.faults
    gone = faults.add(Fault(FaultKind.RESET))
    kept = faults.add(Fault(FaultKind.HTML), match="GET /elsewhere")
    faults.remove(gone)

    assert client.send("GET", "/me").status == 200
    assert [(coming.id, coming.match) for coming in faults.coming] == [(kept, "GET /elsewhere")]
    with pytest.raises(KeyError):
        faults.remove(gone)


def test_faults_strike_what_they_match_as_often_as_they_should(client, card):
    faults = client.emulator.faults
    faults.add(Fault(FaultKind.ERROR), times=2, match="POST /charges")
    faults.add(Fault(FaultKind.HTML, status=502), match=lambda request: "limit=1" in request.url)

    unharmed = client.send("GET", f"{client.store}/charges")
    struck = [client.charge(card, amount).status for amount in (1, 2, 3)]

    assert (unharmed.status, struck) == (200, [500, 500, 201])
    assert len(faults) == 1
    assert client.send("GET", f"{client.store}/charges?limit=1").status == 502
    assert len(faults) == 0


def test_faults_can_be_forgotten(client):
    client.emulator.faults.add(Fault(FaultKind.RESET), times=9)
    client.emulator.faults.clear()

    assert client.send("GET", "/me").status == 200


def test_every_request_is_recorded_also_those_that_a_fault_struck(client):
    client.emulator.faults.add(Fault(FaultKind.RESET))
    with pytest.raises(Lost):
        client.send("GET", "/me")
    client.send("GET", "/heartbeat")

    assert [request.url for request in client.emulator.requests] == [
        "https://api.univapay.com/me",
        "https://api.univapay.com/heartbeat",
    ]
    assert client.emulator.credentials.secret not in repr(client.emulator.requests)
