"""Real processes that are stopped while they hold an attempt, and a second one that reconciles meanwhile (R-280)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import attrs
import pytest

from paygate import Card, ChargeState, Customer, Gateway, Money, Plan, RefundState
from paygate.billing.services import Waiting
from paygate.clock import SystemClock
from paygate.testing.emulators import serve
from paygate.testing.emulators.stripe import StripeEmulator
from paygate_stripe import Stripe, StripeSettings

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no SIGSTOP")

GOLD = Plan.recurring("Gold", Money(3000, "JPY"))

#: Does one thing, and stops itself as a suspended machine would: after the attempt is written down, either in the plugin
#: or when the connection stands and nothing has been written to it yet.
PROGRAM = """
import os, signal, sys
import httpcore
from paygate import Gateway, Money
from paygate.billing.services import Waiting
from paygate_stripe import Stripe, StripeSettings

database, url, key, secret, what, where, target = sys.argv[1:]

def stop():
    os.kill(os.getpid(), signal.SIGSTOP)

class Stopped(Stripe):
    async def charge(self, request):
        if where == "in the plugin":
            stop()
        return await super().charge(request)

    async def refund(self, request):
        if where == "in the plugin":
            stop()
        return await super().refund(request)

if where == "while connecting":
    connect = httpcore.SyncBackend.connect_tcp
    def connect_slowly(self, *args, **options):
        stream = connect(self, *args, **options)
        stop()
        return stream
    httpcore.SyncBackend.connect_tcp = connect_slowly

provider = Stopped(StripeSettings(api_key=key, webhook_secret=secret, base_url=url))
with Gateway(database=database, providers={"stripe": provider}, waiting=Waiting(in_flight=1)) as gateway:
    if what == "charge":
        done = gateway.charges.create(target, Money(500, "JPY"), consent="form", idempotency_key="order-1")
    else:
        done = gateway.refunds.create(target, Money(500, "JPY"), idempotency_key="rma-1")
    print(done.state.value, flush=True)
"""


@attrs.frozen
class Shop:
    """A contract at an emulated Stripe on loopback, and this process, which has not been stopped."""

    gateway: Gateway
    emulator: StripeEmulator
    arguments: tuple[str, ...]

    def stopped(self, what: str, where: str, target: str) -> subprocess.Popen[str]:
        """A process that has stopped itself in the middle of *what*."""
        command = [sys.executable, "-c", PROGRAM, *self.arguments, what, where, target]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        return process

    def go_on(self, process: subprocess.Popen[str]) -> str:
        """Let it go on; returns what it says of the outcome."""
        process.send_signal(signal.SIGCONT)
        told, _ = process.communicate(timeout=30)
        return told.strip()


@pytest.fixture
def shop(database_url: str) -> Iterator[Shop]:
    emulator = StripeEmulator(SystemClock())
    with serve(emulator, webhooks=False) as url:
        known = {**emulator.credentials_for_plugin(), **emulator.webhook_settings()}
        options: dict[str, Any] = {"database": database_url, "waiting": Waiting(in_flight=1)}
        provider = Stripe(StripeSettings(**known, base_url=url))
        with Gateway(**options, providers={"stripe": provider}) as gateway:
            card = Card("stripe", emulator.store_card())
            gateway.contracts.create(Customer("cus_1"), GOLD, card, contract_id="con_1")
            yield Shop(gateway, emulator, (database_url, url, known["api_key"], known["webhook_secret"]))


@pytest.mark.rule("R-280")
@pytest.mark.parametrize("where", ["in the plugin", "while connecting"])
def test_a_process_that_was_suspended_with_a_charge_in_hand_does_not_send_it_afterwards(shop: Shop, where: str) -> None:
    process = shop.stopped("charge", where, "con_1")
    early = shop.gateway.billing.reconcile()
    time.sleep(1.1)
    (charge_id,) = shop.gateway.billing.reconcile().settled
    again = shop.gateway.charges.create("con_1", Money(500, "JPY"), consent="form", idempotency_key="order-1-again")
    told = shop.go_on(process)

    assert early.still_open == (charge_id,)
    assert (told, again.state) == ("FAILED", ChargeState.SUCCEEDED)
    assert shop.gateway.charges.get(charge_id).failure.sent is False  # type: ignore[union-attr]
    assert shop.emulator.book.captured() == 3000 + 500


@pytest.mark.rule("R-280")
def test_a_process_that_was_suspended_with_a_refund_in_hand_does_not_send_it_afterwards(shop: Shop) -> None:
    (sale,) = shop.gateway.ledger.list(contract_id="con_1")
    process = shop.stopped("refund", "in the plugin", sale.id)
    early = shop.gateway.billing.reconcile()
    time.sleep(1.1)
    (refund_id,) = shop.gateway.billing.reconcile().settled
    again = shop.gateway.refunds.create(sale.id, Money(500, "JPY"), idempotency_key="rma-1-again")
    told = shop.go_on(process)

    assert early.still_open == (refund_id,)
    assert (told, again.state) == ("FAILED", RefundState.DONE)
    assert shop.emulator.book.refunded() == 500
