"""The least that an emulator has to say, and what it gets for that."""

from __future__ import annotations

import json
import time

import pytest

from paygate.clock import SystemClock
from paygate.flow import Request, Response
from paygate.testing.clock import EmulatorClock, ManualClock
from paygate.testing.emulators import CardKind, Delivery, Emulator, Fault, FaultKind

URL = "https://shop.example/hooks"


class Acme(Emulator):
    """A provider that does nothing but tell the merchant about every request."""

    name = "acme"
    origin = "https://api.acme.test"

    def __init__(self, clock):
        super().__init__(clock)
        self.target = None
        self.answers = []

    def respond(self, request):
        if self.target is not None:
            proof = {"Content-Type": "application/json", "X-Proof": self.webhook_secret}
            self.outbox.put(Delivery(self.target, proof, request.body, self.clock.now()))
        return Response(200, {}, b'{"id": "1"}')

    def tick(self):
        """Nothing happens by itself."""

    def answered(self, delivery, status):
        self.answers.append(status)

    def credentials_for_plugin(self):
        return {"api_key": "made-up"}

    def webhook_settings(self):
        return {"webhook_secret": "word"}

    def set_webhook_target(self, url):
        self.target = url

    def store_card(self, card=CardKind.GOOD):
        return f"card_{card.value}"

    def approve(self, identifier, *, passed=True):
        raise KeyError(identifier)


@pytest.fixture
def acme():
    return Acme(ManualClock.jst(2026, 11, 22))


def test_nothing_waits_for_a_customer_and_nobody_is_led_back(acme):
    assert (list(acme.awaiting()), acme.return_url("x")) == ([], None)


def test_an_error_without_a_form_of_its_own_is_json_with_a_message(acme):
    acme.faults.add(Fault(FaultKind.ERROR, status=502))

    answer = acme.handle(Request("POST", acme.origin + "/charges"))

    assert (answer.status, list(answer.json())) == (502, ["error"])


def test_a_forged_delivery_says_what_the_real_one_says_and_proves_nothing(acme):
    acme.set_webhook_target(URL)
    acme.handle(Request("POST", acme.origin + "/charges", body=b"{}"))
    got = []
    acme.deliver(got.append)
    acme.send_forged()
    acme.deliver(got.append)

    real, forged = got
    assert forged.headers == {"Content-Type": "application/json", "X-Proof": "forged"}
    assert (forged.body, forged.url) == (real.body, real.url)
    assert acme.answers == [200]  # of the forgery the provider hears nothing


def test_waiting_ends_with_a_change_or_when_time_stands_still_for_good(acme):
    assert acme.wait(5) is True

    class Frozen(SystemClock):
        def skip(self, seconds):
            return True

        def now(self):
            return acme.clock.now()

    assert Acme(Frozen()).wait(5) is False


def test_waiting_by_a_clock_that_stands_still_takes_real_time():
    acme = Acme(EmulatorClock(running=False))
    began = time.monotonic()
    with acme.changed:
        assert acme.wait(0) is True

    assert 0 < time.monotonic() - began < 1


def test_the_control_interface_comes_for_free(acme):
    page = acme.handle(Request("GET", acme.origin + "/_paygate/"))

    assert page.json()["provider"] == "acme"
    stored = acme.handle(
        Request("POST", acme.origin + "/_paygate/cards", body=json.dumps({"kind": "pending"}).encode())
    )
    assert stored.json() == {"credential": "card_pending", "kind": "pending"}
    approved = acme.handle(Request("POST", acme.origin + "/_paygate/approve", body=b'{"id": "x"}'))
    assert approved.status == 404
