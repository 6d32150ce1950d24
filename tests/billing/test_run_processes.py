"""Billing runs in processes of their own: two at the same time, and one that is killed for real."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from paygate import Card, Customer, Gateway, Money, Plan
from paygate.testing import FakeSettings, FakeStripe, ManualClock

GOLD = Plan.recurring("Gold", Money(3000, "JPY"))
CARDS = [f"pm_{number:02}" for number in range(20)]

#: A run of 15 February. Says when it is ready, waits for a line, and prints its report. Whatever it charges it adds to the
#: end of a file, which several processes may do at once. One that *dies* pulls the plug around its third charge.
PROGRAM = """
import json, os, signal, sys
import attrs
from paygate import Gateway
from paygate.testing import FakeSettings, FakeStripe, ManualClock

url, book, state_file, dies = sys.argv[1:]

class Stripe(FakeStripe):
    charged = 0

    async def charge(self, request):
        self.charged += 1
        if dies == "before asking" and self.charged == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        result = await super().charge(request)
        with open(book, "a") as lines:
            lines.write(request.credential + "\\n")
        if dies == "after the answer" and self.charged == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

clock = ManualClock.jst(2026, 2, 15, 3)
stripe = Stripe(FakeSettings(state_file=state_file), clock=clock)
with Gateway(database=url, providers={"stripe": stripe}, clock=clock) as gateway:
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(attrs.asdict(gateway.billing.run())))
"""


@attrs.frozen
class Shop:
    """Contracts that renew on 15 February, seen from a process that only looks."""

    gateway: Gateway
    clock: ManualClock
    stripe: FakeStripe
    url: str
    folder: Path

    def start(self, *, state_file: str = "", dies: str = "") -> subprocess.Popen[str]:
        """Another process, ready to run."""
        command = [sys.executable, "-c", PROGRAM, self.url, str(self.folder / "book"), state_file, dies]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    def charged(self) -> list[str]:
        """The cards that the other processes charged."""
        return sorted((self.folder / "book").read_text().split())

    def renewed_once(self) -> bool:
        """Whether the ledger has January and February of each contract once."""
        months = [
            [row.target_on.month for row in self.gateway.ledger.list(contract_id=contract.id)]
            for contract in self.gateway.contracts.list()
        ]
        return months == [[1, 2]] * len(CARDS)


@pytest.fixture
def shop(database_url: str, tmp_path: Path) -> Iterator[Shop]:
    clock = ManualClock.jst(2026, 1, 15, 12)
    stripe = FakeStripe(FakeSettings(state_file=str(tmp_path / "stripe.json")), clock=clock)
    with Gateway(database=database_url, providers={"stripe": stripe}, clock=clock) as gateway:
        for card in CARDS:
            gateway.contracts.create(Customer(f"cus_{card}"), GOLD, Card("stripe", card), contract_id=f"con_{card}")
        clock.advance(days=31)
        yield Shop(gateway, clock, stripe, database_url, tmp_path)


def report(process: subprocess.Popen[str]) -> dict[str, Any]:
    told, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    found: dict[str, Any] = json.loads(told)
    return found


@pytest.mark.rule("R-040", "R-268")
def test_two_processes_that_run_at_the_same_time_charge_each_period_once(shop: Shop) -> None:
    """Their providers know nothing of each other, so no idempotency key hides a second charge."""
    processes = [shop.start(), shop.start()]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    reports = [report(process) for process in processes]

    assert shop.charged() == CARDS
    assert sum(one["renewed"] for one in reports) == len(CARDS)
    assert [(one["failed"], one["unsent"], one["unknown"]) for one in reports] == [(0, 0, 0), (0, 0, 0)]
    assert shop.renewed_once()


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
@pytest.mark.rule("R-040", "R-193")
@pytest.mark.parametrize(("dies", "charged"), [("before asking", 2), ("after the answer", 3)])
def test_after_a_process_was_killed_around_a_charge_the_next_one_goes_on_and_charges_nothing_twice(
    shop: Shop, dies: str, charged: int
) -> None:
    victim = shop.start(state_file=str(shop.folder / "stripe.json"), dies=dies)
    victim.communicate("\n", timeout=60)
    assert victim.returncode == -signal.SIGKILL
    assert len(shop.charged()) == charged

    assert shop.gateway.billing.run().renewed == len(CARDS) - 3  # the third may still be on its way
    shop.clock.advance(minutes=5)
    shop.gateway.billing.reconcile()
    shop.gateway.billing.run()

    assert shop.stripe.book.captured() == len(CARDS) * 2 * 3000
    assert shop.renewed_once()
