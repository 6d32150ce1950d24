"""One durable additional charge on SQLite against a hand-written script, on the same file system, in one run.

The script does what a careful shop would write by hand: INSERT the intent and commit, POST with httpx, UPDATE with the
outcome and commit, with one open connection and one httpx client. paygate also decides by the rules, moves the expiry,
writes ledger and audit. All talk to the same zero-latency provider on loopback, each with a connection that is kept open.

The script stands here twice. As ``sqlite3`` comes, with its rollback journal, it is what one writes by hand: the target is
at least 0.7 of its speed. Tuned like paygate's own store (write-ahead log, synchronous=FULL) it is left with the bare
minimum of two log writes; 0.7 of that is what we want to reach and have not. Medians of interleaved rounds.
"""

from __future__ import annotations

import datetime as dt
import itertools
import json
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

from paygate import Card, ChargeState, Customer, Gateway, Money, Plan, Provider
from paygate.flow import Request, send
from paygate.provider import Capabilities, ChargeRequest, ChargeResult

FLOOR = 0.7

#: A provider that answers at once, in a process of its own so that neither side pays for its work.
SERVER = """
import asyncio, sys

BODY = b'{"id": "ch_1", "status": "succeeded"}'
ANSWER = b"HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\nContent-Length: %d\\r\\n\\r\\n%s" % (len(BODY), BODY)

async def serve(reader, writer):
    try:
        while True:
            head = await reader.readuntil(b"\\r\\n\\r\\n")
            length = next((int(line.split(b":")[1]) for line in head.split(b"\\r\\n") if line.lower().startswith(b"content-length")), 0)
            await reader.readexactly(length)
            writer.write(ANSWER)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()

async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(main())
"""


class Instant(Provider):
    """One POST, one answer."""

    def __init__(self, url: str) -> None:
        self._url = url

    def capabilities(self) -> Capabilities:
        return Capabilities("Instant")

    async def charge(self, request: ChargeRequest) -> ChargeResult:
        body = {
            "amount": request.amount.minor,
            "currency": request.amount.currency,
            "card": request.credential,
            "key": request.key,
        }
        answer = await send(Request("POST", self._url, {"content-type": "application/json"}, json.dumps(body).encode()))
        return ChargeResult.succeeded(answer.json()["id"], amount=request.amount)


class Script:
    """The hand-written charge."""

    def __init__(self, path: Path, url: str, *, tuned: bool) -> None:
        self.database = sqlite3.connect(path, isolation_level=None)
        if tuned:
            self.database.execute("PRAGMA journal_mode=WAL")
            self.database.execute("PRAGMA synchronous=FULL")
        self.database.execute(
            "CREATE TABLE charges (id TEXT PRIMARY KEY, contract TEXT, amount INTEGER, state TEXT, reference TEXT, created_at TEXT)"
        )
        self.client = httpx.Client(trust_env=False)
        self.url = url
        self.numbers = itertools.count()

    def charge(self) -> None:
        key = f"order-{next(self.numbers)}"
        now = dt.datetime.now(dt.UTC).isoformat()  # noqa: TID251 - the script stands outside paygate
        self.database.execute("BEGIN IMMEDIATE")
        self.database.execute("INSERT INTO charges VALUES (?, ?, ?, 'PENDING', NULL, ?)", (key, "con_1", 5000, now))
        self.database.execute("COMMIT")
        answer = self.client.post(self.url, json={"amount": 5000, "currency": "JPY", "card": "tok_1", "key": key})
        self.database.execute("BEGIN IMMEDIATE")
        self.database.execute(
            "UPDATE charges SET state = 'SUCCEEDED', reference = ? WHERE id = ?", (answer.json()["id"], key)
        )
        self.database.execute("COMMIT")


def main(rounds: int = 60, calls: int = 10) -> float:
    server = subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        url = f"http://127.0.0.1:{server.stdout.readline().strip()}/charges"
        with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
            return _measure(Path(folder), url, rounds, calls)
    finally:
        server.kill()
        server.wait()


def _measure(folder: Path, url: str, rounds: int, calls: int) -> float:
    plain = Script(folder / "plain.db", url, tuned=False)
    tuned = Script(folder / "tuned.db", url, tuned=True)
    with Gateway(database=f"sqlite:///{folder}/paygate.db", providers={"instant": Instant(url)}) as gateway:
        contract = gateway.contracts.create(
            Customer("cus_1"), Plan.recurring("Gold", Money(3000, "JPY")), Card("instant", "tok_1")
        )

        def charge() -> None:
            made = gateway.charges.create(contract.id, Money(5000, "JPY"), consent="phone")
            assert made.state is ChargeState.SUCCEEDED

        times: dict[str, list[float]] = {"plain": [], "tuned": [], "paygate": []}
        for round_number in range(rounds + 3):
            for name, function in (("plain", plain.charge), ("tuned", tuned.charge), ("paygate", charge)):
                begin = time.perf_counter()
                for _ in range(calls):
                    function()
                if round_number >= 3:  # the first rounds warm both up
                    times[name].append((time.perf_counter() - begin) / calls)
    medians = {name: statistics.median(values) for name, values in times.items()}
    ratios = {
        name: statistics.median(a / b for a, b in zip(times[name], times["paygate"], strict=True))
        for name in ("plain", "tuned")
    }
    print("one durable charge on SQLite, zero-latency provider on loopback")
    for name, title in (("plain", "script, as sqlite3 comes"), ("tuned", "script, tuned"), ("paygate", "paygate")):
        print(f"  {title:25} {medians[name] * 1e3:8.3f} ms   ({1 / medians[name]:7.0f} charges/s)")
    print(f"  ratio to the plain script {ratios['plain']:8.2f}      (target: at least {FLOOR})")
    print(f"  ratio to the tuned script {ratios['tuned']:8.2f}      (wanted: {FLOOR})")
    return ratios["plain"]


if __name__ == "__main__":
    main()
