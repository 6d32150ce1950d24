"""One async driver outlives event loops and serves several: each has connections of its own, which end with it."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading

import anyio
import pytest

from paygate.clock import SystemClock
from paygate.drivers import AsyncDriver, HttpSettings
from paygate.flow import Request, send

QUICK = HttpSettings(connect_timeout=2, read_timeout=2, retries=0, backoff_base=0)


async def post(url: str) -> bytes:
    return (await send(Request("POST", url, body=b"amount=5000"))).body


@pytest.fixture(params=["httpx", "aiohttp"])
def client(request, monkeypatch):
    """Which HTTP client does it on asyncio."""
    if request.param == "httpx":
        monkeypatch.setitem(sys.modules, "httpx_aiohttp", None)
    return request.param


@pytest.fixture
def driver():
    return AsyncDriver(SystemClock(), settings=QUICK)


@pytest.mark.rule("R-302")
def test_one_driver_serves_one_asyncio_run_after_the_other(server, driver, client) -> None:
    async def job() -> list[bytes]:
        return [await driver.run(post(f"{server.url}/ok")) for _ in range(2)]

    answers = [asyncio.run(job()) for _ in range(3)]
    gc.collect()  # what was left open would be warned of here

    assert len({body for pair in answers for body in pair}) == 1
    assert len(server.seen) == 6
    assert not driver._loops._lines, "each loop took its connections with it"


@pytest.mark.rule("R-302")
def test_connections_are_kept_within_a_loop_and_closed_at_its_end(server, driver, client) -> None:
    async def job() -> None:
        await driver.run(post(f"{server.url}/ok"))
        await driver.run(post(f"{server.url}/ok"))

    asyncio.run(job())
    assert len(server._connections) == 1
    asyncio.run(job())
    assert len(server._connections) == 2


@pytest.mark.rule("R-302")
def test_asyncio_and_trio_take_turns_with_one_driver(server, driver, client) -> None:
    async def job() -> bytes:
        return await driver.run(post(f"{server.url}/ok"))

    for backend in ("asyncio", "trio", "asyncio", "trio"):
        assert anyio.run(job, backend=backend)
        gc.collect()


@pytest.mark.rule("R-302")
def test_loops_in_several_threads_share_one_driver_at_the_same_time(server, driver, client) -> None:
    together = threading.Barrier(3)
    trouble: list[BaseException] = []

    async def job() -> None:
        together.wait(5)
        for _ in range(5):
            await driver.run(post(f"{server.url}/ok"))
        await driver.aclose()  # takes nothing from the others
        await driver.run(post(f"{server.url}/ok"))

    def thread() -> None:
        try:
            asyncio.run(job())
        except BaseException as exc:  # noqa: BLE001 - shown below
            trouble.append(exc)

    threads = [threading.Thread(target=thread) for _ in range(3)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(20)

    assert trouble == []
    assert len(server.seen) == 18


@pytest.mark.rule("R-302")
def test_a_loop_that_was_closed_without_notice_leaves_nothing_behind(server, driver, client) -> None:
    """As old frameworks do it: no ``asyncio.run``, nobody asks asynchronous generators to finish."""

    async def job() -> bytes:
        return await driver.run(post(f"{server.url}/ok"))

    for _ in range(3):
        loop = asyncio.new_event_loop()
        assert loop.run_until_complete(job())
        loop.close()
    assert asyncio.run(job())
    gc.collect()

    assert not driver._loops._lines


@pytest.mark.rule("R-302")
def test_closing_closes_what_the_running_loop_has_and_the_driver_goes_on(server, driver, client) -> None:
    async def job() -> None:
        await driver.run(post(f"{server.url}/ok"))
        await driver.aclose()
        await driver.aclose()
        assert not driver._loops._lines
        await driver.run(post(f"{server.url}/ok"))

    asyncio.run(job())
    assert len(server._connections) == 2


@pytest.mark.rule("R-302")
def test_a_driver_that_is_dropped_while_its_loop_runs_closes_its_connections(server, client) -> None:
    async def job() -> None:
        driver = AsyncDriver(SystemClock(), settings=QUICK)
        await driver.run(post(f"{server.url}/ok"))
        del driver
        gc.collect()
        await asyncio.sleep(0.05)

    asyncio.run(job())
    gc.collect()
