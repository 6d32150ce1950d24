"""UnivaPay's own client for Node works on the emulated UnivaPay, unmodified.

Runs where Node is installed and ``PAYGATE_UNIVAPAY_NODE`` names a ``node_modules`` folder with ``univapay-node``;
elsewhere these tests are skipped and say so.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from paygate.testing.clock import EmulatorClock
from paygate.testing.emulators import serve
from paygate.testing.emulators.univapay import UnivaPayEmulator

SCRIPT = Path(__file__).parent / "official" / "univapay" / "client.mjs"

EXPECTED = {
    "heartbeat": {"alive": True},
    "token": {
        "card": "0000",
        "country": 81,
        "metadata": {"univapay-reference-id": "member-4711"},
        "email": "new@example.com",
        "listed": True,
        "active": [True, False],
    },
    "tokenRenewed": {"replaces": True, "year": 2032},
    "tokenThreeDs": {"callMethod": "http_post", "statuses": ["awaiting", "successful"], "enabled": False},
    "charge": {
        "statuses": ["pending", "successful"],
        "amounts": [True, True],
        "metadata": {"order_id": "A-1", "Total": 12},
    },
    "declined": {"status": "failed", "codes": [306, 309]},
    "idempotency": {"same": True, "conflict": "IDEMPOTENCY_KEY_CONFLICT"},
    "threeDs": {
        "statuses": ["awaiting", "successful"],
        "back": "https://shop.example/back",
        "late": "INVALID_THREE_DS_STATUS",
    },
    "capture": {"statuses": ["authorized", "successful"], "charged": 30_000},
    "cancel": {"statuses": ["pending", "successful", "canceled"], "listed": 1},
    "refund": {
        "statuses": ["pending", "successful"],
        "message": "two items",
        "total": 1,
        "tooMuch": "REFUND_NOT_WITHIN_BOUNDS",
    },
    "paging": {"sizes": [5, 5, 2], "complete": True, "everywhere": 3},
    "errors": {
        "known": True,
        "invalid": [400, "VALIDATION_ERROR", "data.card_number INVALID_CARD_NUMBER"],
        "quick": "CHARGE_TOO_QUICK",
        "missing": 404,
        "secret": "INVALID_CREDENTIALS",
    },
    "subscription": {
        "statuses": ["unverified", "current", "suspended", "unpaid"],
        "ended": "canceled",
        "first": ["successful", 980],
        "taken": [1980, 1980, 980],
        "paid": [False, True, True, True],
        "found": True,
        "changes": [True, 2500, "P5D"],
        "ofPayment": 1,
    },
    "simulation": {"due": ["2099-01-31", "2099-03-31", "2099-05-31"]},
    "webhooks": {
        "active": [True, False],
        "word": True,
        "listed": 1,
        "twice": "WEBHOOK_URL_EXISTS",
        "gone": 404,
    },
    "merchant": {"privilege": "infinite", "stores": [True], "name": True, "brands": True},
}


def _modules() -> Path:
    """The folder with the client; skips where something is missing."""
    if shutil.which("node") is None:
        pytest.skip("UnivaPay's client for Node was left out: node is not installed")
    folder = os.environ.get("PAYGATE_UNIVAPAY_NODE")
    if folder is None:
        pytest.skip("UnivaPay's client for Node was left out: PAYGATE_UNIVAPAY_NODE names no node_modules folder")
    if not (Path(folder) / "univapay-node").is_dir():
        pytest.fail(f"PAYGATE_UNIVAPAY_NODE={folder} has no univapay-node; run npm install univapay-node there")
    return Path(folder)


@pytest.fixture(scope="module")
def seen() -> dict[str, object]:
    """What the client saw, by step."""
    modules = _modules()
    emulator = UnivaPayEmulator(EmulatorClock(dt.datetime(2026, 11, 22, 3, tzinfo=dt.UTC)))
    with serve(emulator, webhooks=False) as url:
        run = subprocess.run(
            ["node", str(SCRIPT)],
            env={
                "PATH": os.environ["PATH"],
                "PAYGATE_UNIVAPAY_NODE": str(modules),
                "ENDPOINT": url,
                "JWT": emulator.credentials.app_token,
                "SECRET": emulator.credentials.secret,
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert run.returncode == 0, f"{run.stderr[-2000:]}\nafter:\n{run.stdout}"
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    return {line.pop("step"): line for line in lines}


@pytest.mark.parametrize("step", EXPECTED)
def test_the_official_client_sees_what_the_real_service_would_show(seen: dict[str, object], step: str) -> None:
    assert seen[step] == EXPECTED[step]


def test_every_step_of_the_script_is_looked_at(seen: dict[str, object]) -> None:
    assert seen.keys() == EXPECTED.keys()
