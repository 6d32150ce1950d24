"""Workers forked from a process whose gateway is open and has charged over HTTP: every answer is recorded with its own
attempt, on both databases, for both providers, and under a web server that loads the shop before it forks.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import attrs
import pytest

from paygate import Card, ChargeState, Customer, Gateway, Money, Plan
from paygate.clock import SystemClock
from paygate.domain.ledger import EntryKind
from paygate.testing.emulators import Emulator, Wish, WishKind, serve
from paygate.testing.emulators.stripe import StripeEmulator
from paygate.testing.emulators.univapay import UnivaPayEmulator
from paygate_stripe import Stripe
from paygate_univapay import UnivaPay

from ..forking import Child

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here"),
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]

WORKERS, CHARGES = 4, 10
PROVIDERS = {"stripe": (StripeEmulator, Stripe, "base_url"), "univapay": (UnivaPayEmulator, UnivaPay, "base_url")}
HERE = Path(__file__).parent


@attrs.frozen
class Scene:
    """A shop with contracts on one emulated provider; half of the cards decline from now on."""

    provider: str
    database: str
    settings: dict[str, str]
    emulator: Emulator
    gateway: Gateway
    contracts: list[str]
    own_contract: str

    def amount(self, number: int) -> Money:
        """The same for all contracts, so that no amount gives an answer away as another's."""
        return Money(1000 + number, "JPY")

    def check(self, answers: list[list[list[Any]]]) -> None:
        """Hold what each worker was told (id, state, reference) to the books of shop and provider."""
        for number, told in enumerate(answers):
            wanted = "SUCCEEDED" if number % 2 else "FAILED"
            assert [state for _, state, *_ in told] == [wanted] * CHARGES
            rows = self.gateway.ledger.list(contract_id=self.contracts[number]).all()
            paid = {row.reference for row in rows if row.kind is EntryKind.ADDON}
            assert paid == ({reference for _, _, reference, *_ in told} if number % 2 else set())
        taken = [reference for number, told in enumerate(answers) if number % 2 for _, _, reference, *_ in told]
        assert len({*taken}) == len(taken) == WORKERS // 2 * CHARGES
        per_contract = sum(self.amount(number).minor for number in range(CHARGES))
        before = (WORKERS + 1) * 500 + 777
        assert self.emulator.book.captured() == before + WORKERS // 2 * per_contract


@pytest.fixture(params=PROVIDERS)
def scene(request: pytest.FixtureRequest, database_url: str) -> Iterator[Scene]:
    make, provider, address = PROVIDERS[request.param]
    emulator = make(SystemClock())
    with serve(emulator, webhooks=False) as url:
        settings = {**emulator.credentials_for_plugin(), **emulator.webhook_settings(), address: url}
        with Gateway(database=database_url, providers={"psp": provider(provider.Settings(**settings))}) as gateway:
            contracts = []
            for number in range(WORKERS + 1):
                card = emulator.store_card()
                made = gateway.contracts.create(
                    Customer(f"c{number}"), Plan.one_off("Course", Money(500, "JPY")), Card("psp", card)
                )
                contracts.append(made.id)
                if number < WORKERS and number % 2 == 0:
                    emulator.wish(Wish(WishKind.DECLINE), credential=card, times=CHARGES)
            yield Scene(request.param, database_url, settings, emulator, gateway, contracts[:-1], contracts[-1])


def _work(scene: Scene, contract: str) -> list[list[Any]]:
    made = []
    for number in range(CHARGES):
        charge = scene.gateway.charges.create(
            contract, scene.amount(number), consent="phone", idempotency_key=f"{contract}/{number}"
        )
        made.append([charge.id, charge.state.value, charge.reference])
    return made


@pytest.mark.rule("R-300", "R-301", "R-194")
def test_forked_workers_record_the_answers_to_their_own_charges(scene: Scene) -> None:
    first = scene.gateway.charges.create(scene.own_contract, Money(777, "JPY"), consent="phone")
    assert first.state is ChargeState.SUCCEEDED

    workers = [Child(functools.partial(_work, scene, contract)) for contract in scene.contracts]
    answers = [worker.result() for worker in workers]

    assert all(isinstance(told, list) for told in answers), answers
    scene.check(answers)
    again = scene.gateway.charges.create(scene.own_contract, Money(778, "JPY"), consent="phone")
    assert again.state is ChargeState.SUCCEEDED, "the parent goes on with what it has"


def _answering(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        assert server.poll() is None, log.read_text(encoding="utf-8")[-3000:]
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    pytest.fail(f"the web server does not come up:\n{log.read_text(encoding='utf-8')[-3000:]}")


@contextlib.contextmanager
def _served(scene: Scene, folder: Path) -> Iterator[str]:
    """The shop behind a web server that loads it once and then forks four workers; yields its address."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    shop = {
        "provider": scene.provider,
        "database": scene.database,
        "settings": scene.settings,
        "own_contract": scene.own_contract,
    }
    environ = {**os.environ, "SHOP": json.dumps(shop)}
    command = [sys.executable, "-m", "gunicorn", "--preload", "-w", str(WORKERS), "-b", f"127.0.0.1:{port}"]
    command += ["--no-control-socket"] if _takes("--no-control-socket") else []
    log = folder / "server.log"
    with log.open("wb") as out:
        server = subprocess.Popen(
            [*command, "preloaded_shop:app"], cwd=HERE, env=environ, stdout=out, stderr=subprocess.STDOUT
        )
        try:
            _answering(port, server, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.send_signal(signal.SIGTERM)
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


@functools.cache
def _takes(option: str) -> bool:
    said = subprocess.run([sys.executable, "-m", "gunicorn", "--help"], capture_output=True, text=True, check=True)
    return option in said.stdout


@pytest.mark.rule("R-300", "R-301", "R-194")
def test_a_web_server_that_loads_the_shop_before_it_forks_charges_right(scene: Scene, tmp_path: Path) -> None:
    pytest.importorskip("gunicorn")

    with _served(scene, tmp_path) as url:

        def customer(contract: str) -> list[list[Any]]:
            told = []
            for number in range(CHARGES):
                asked = urllib.request.Request(f"{url}/{contract}/{number}", method="POST", data=b"")
                with urllib.request.urlopen(asked, timeout=60) as answer:
                    told.append(json.loads(answer.read()))
            return told

        with ThreadPoolExecutor(WORKERS) as customers:
            answers = list(customers.map(customer, scene.contracts))

    scene.check(answers)
    pids = {pid for told in answers for *_, pid in told}
    assert len(pids) > 1, "several workers took part"
    assert os.getpid() not in pids
