"""10,000 charges in a minute over real HTTP against each emulator: does it slow down, and how much does it grow?

The emulator is ``paygate emulate`` in a process of its own; a few clients with connections kept open send charges as fast
as it answers, each under an idempotency key of its own and with metadata, as paygate does. Webhooks go to an address that
takes them, and after each 500 charges the clients wait for theirs. Targets: under 60 seconds, the last thousand at most 1.5
times as long as the first (after a warm-up), and at most 5 KB of resident memory a charge.

``python benchmarks/emulator_load.py [PROVIDER …]``
"""

from __future__ import annotations

import base64
import http.client
import itertools
import json
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode, urlsplit

CHARGES, BATCH, CLIENTS = 10_000, 500, 4
SECONDS, RATIO, KILOBYTES = 60.0, 1.5, 5.0

#: A merchant that takes every webhook, in a process of its own.
MERCHANT = """
import asyncio

ANSWER = b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\nConnection: close\\r\\n\\r\\n"

async def serve(reader, writer):
    try:
        head = await reader.readuntil(b"\\r\\n\\r\\n")
        length = next(int(line.split(b":")[1]) for line in head.split(b"\\r\\n") if line.lower().startswith(b"content-length"))
        await reader.readexactly(length)
        writer.write(ANSWER)
        await writer.drain()
    finally:
        writer.close()

async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(main())
"""

#: Method, path, headers and body of the charge of that number.
Charge = Callable[[int], tuple[str, str, dict[str, str], bytes]]


def univapay(ready: dict) -> Charge:
    credentials = ready["credentials"]
    authorization = f"Bearer {credentials['secret']}.{credentials['app_token']}"

    def charge(number: int) -> tuple[str, str, dict[str, str], bytes]:
        key = uuid.uuid4().hex
        body = {
            "transaction_token_id": ready["card"],
            "amount": 100 + number,  # the same amount within 30 seconds would be refused
            "currency": "JPY",
            "metadata": {"paygate_charge": key, "paygate_contract": uuid.uuid4().hex},
        }
        headers = {"Authorization": authorization, "Content-Type": "application/json", "Idempotency-Key": key}
        return "POST", "/charges", headers, json.dumps(body).encode()

    return charge


def stripe(ready: dict) -> Charge:
    authorization = "Basic " + base64.b64encode(f"{ready['credentials']['api_key']}:".encode()).decode()
    customer, method = ready["card"].split("/")

    def charge(number: int) -> tuple[str, str, dict[str, str], bytes]:
        key = uuid.uuid4().hex
        body = {
            "amount": 100 + number,
            "currency": "jpy",
            "customer": customer,
            "payment_method": method,
            "confirm": "true",
            "off_session": "true",
            "metadata[paygate_charge]": key,
            "metadata[paygate_contract]": uuid.uuid4().hex,
        }
        headers = {
            "Authorization": authorization,
            "Content-Type": "application/x-www-form-urlencoded",
            "Idempotency-Key": key,
        }
        return "POST", "/v1/payment_intents", headers, urlencode(body).encode()

    return charge


PROVIDERS: dict[str, Callable[[dict], Charge]] = {"univapay": univapay, "stripe": stripe}


def main(names: list[str] | None = None) -> bool:
    merchant = subprocess.Popen([sys.executable, "-c", MERCHANT], stdout=subprocess.PIPE, text=True)
    try:
        assert merchant.stdout is not None
        hooks = f"http://127.0.0.1:{merchant.stdout.readline().strip()}/webhooks"
        print(f"{CHARGES:,} charges over HTTP against each emulator, {CLIENTS} connections, webhooks delivered")
        return min([measure(name, hooks) for name in names or PROVIDERS])  # each is measured, whatever the one before
    finally:
        merchant.kill()
        merchant.wait()


def measure(name: str, hooks: str) -> bool:
    command = [sys.executable, "-c", "from paygate.cli import main; main()"]
    arguments = ["emulate", name, "--json", "--webhook-url", hooks]
    process = subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        charge = PROVIDERS[name](ready)
        batch(ready, charge, range(BATCH))  # warms up
        before = resident(process.pid)
        seconds = [batch(ready, charge, range(start, start + BATCH)) for start in range(BATCH, BATCH + CHARGES, BATCH)]
        grown = (resident(process.pid) - before) / CHARGES
    finally:
        process.terminate()
        process.wait()
    thousand = 1000 // BATCH
    ratio = sum(seconds[-thousand:]) / sum(seconds[:thousand])
    print(f"  {name}")
    print(
        f"    all charges          {sum(seconds):8.1f} s    (target: under {SECONDS:.0f}; {CHARGES / sum(seconds):.0f} a second)"
    )
    print(f"    last / first 1,000   {ratio:8.2f}      (target: at most {RATIO})")
    print(f"    growth a charge      {grown / 1024:8.2f} KB   (target: at most {KILOBYTES:.0f})")
    return sum(seconds) < SECONDS and ratio <= RATIO and grown / 1024 <= KILOBYTES


def batch(ready: dict, charge: Charge, numbers: range) -> float:
    """Make the charges and wait until their webhooks are delivered; returns the seconds that took."""
    begin, todo, made = time.perf_counter(), itertools.chain(numbers), []

    def client() -> None:
        connection = http.client.HTTPConnection(urlsplit(ready["base_url"]).netloc)
        while (number := next(todo, None)) is not None:
            method, path, headers, body = charge(number)
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            content = response.read()
            assert response.status in {200, 201}, (response.status, content)
            made.append(number)
        connection.close()

    threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == len(numbers)
    connection = http.client.HTTPConnection(urlsplit(ready["control_url"]).netloc)
    while True:
        connection.request("GET", "/_paygate/webhooks?state=waiting&limit=1")
        if not json.loads(connection.getresponse().read())["deliveries"]:
            connection.close()
            return time.perf_counter() - begin
        time.sleep(0.01)


def resident(pid: int) -> int:
    """Bytes of resident memory of the process."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return 1024 * next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))


if __name__ == "__main__":
    sys.exit(0 if main(sys.argv[1:]) else 1)
