"""One source, three ways to run it."""

from __future__ import annotations

import asyncio
import threading
import time

import anyio
import pytest
import trio

from paygate.clock import SystemClock
from paygate.drivers import AsyncDriver, SyncDriver
from paygate.flow import ForeignAwait, Request, Response, call, send, sleep
from paygate.testing.clock import ManualClock


def acme(request: Request) -> Response:
    return Response(200, body=request.url.encode())


MOUNTS = {"https://api.acme.test": acme}


async def nothing() -> str:
    return "done"


async def fetch(url: str) -> bytes:
    return (await send(Request("GET", url))).body


def test_a_flow_without_effects_returns_its_result(run) -> None:
    assert run(nothing()) == "done"


def test_a_flow_gets_the_answer_to_what_it_sends(run) -> None:
    assert run(fetch("https://api.acme.test/charges/1"), mounts=MOUNTS) == b"https://api.acme.test/charges/1"


def test_flows_nest(run) -> None:
    async def both() -> bytes:
        return await fetch("https://api.acme.test/a") + b" " + await fetch("https://api.acme.test/b")

    assert run(both(), mounts=MOUNTS) == b"https://api.acme.test/a https://api.acme.test/b"


def test_what_a_flow_raises_comes_out_as_it_is(run) -> None:
    error = LookupError("no such contract")

    async def failing(before: bool) -> None:
        if not before:
            await call(lambda: None)
        raise error

    for before in (True, False):
        with pytest.raises(LookupError) as caught:
            run(failing(before))
        assert caught.value is error


def test_what_a_call_raises_can_be_caught_in_the_flow(run) -> None:
    def broken() -> None:
        raise ZeroDivisionError

    async def careful() -> str:
        try:
            await call(broken)
        except ZeroDivisionError:
            return await call(lambda: "recovered")
        return "not reached"

    assert run(careful()) == "recovered"


def test_blocking_work_is_kept_off_the_event_loop_and_on_the_caller_thread_of_the_sync_driver(run) -> None:
    async def where() -> bool:
        return await call(threading.get_ident) == threading.get_ident()

    assert run(where()) is (run.kind == "sync")


def test_a_sleep_moves_a_manual_clock_and_waits_for_nobody(run) -> None:
    clock = ManualClock.jst(2024, 11, 8)

    async def patient() -> None:
        await sleep(86_400)

    started = time.perf_counter()
    run(patient(), clock=clock)

    assert clock.now() == ManualClock.jst(2024, 11, 9).now()
    assert time.perf_counter() - started < 5


def test_a_sleep_on_the_system_clock_waits(run) -> None:
    async def nap() -> float:
        started = time.perf_counter()
        await sleep(0.05)
        return time.perf_counter() - started

    assert run(nap()) >= 0.045


def test_the_longest_mounted_prefix_answers_and_ends_at_a_border_of_the_url(run) -> None:
    mounts = {
        "https://api.acme.test": lambda _: Response(200, body=b"short"),
        "https://api.acme.test/v2": lambda _: Response(200, body=b"long"),
        "https://api.acme.test/v2beta/": lambda _: Response(200, body=b"beta"),
    }

    async def all_of_them() -> list[bytes]:
        return [
            await fetch(f"https://api.acme.test{rest}")
            for rest in ("", "?a=1", "/v1", "/v2", "/v2/x", "/v2beta/x", "/v22")
        ]

    assert run(all_of_them(), mounts=mounts) == [b"short", b"short", b"short", b"long", b"long", b"beta", b"short"]


def test_an_error_in_a_mounted_handler_reaches_the_flow(run) -> None:
    def broken(_: Request) -> Response:
        raise KeyError("emulator bug")

    with pytest.raises(KeyError, match="emulator bug"):
        run(fetch("https://api.acme.test/"), mounts={"https://api.acme.test": broken})


# --- foreign awaits


async def awaits_asyncio() -> None:
    await asyncio.sleep(1)


async def awaits_trio() -> None:
    await trio.sleep(1)


async def awaits_anyio() -> None:
    await anyio.sleep(1)


@pytest.mark.parametrize("foreign", [awaits_asyncio, awaits_trio, awaits_anyio], ids=lambda f: f.__name__)
@pytest.mark.parametrize("after", [0, 1], ids=["at once", "after an effect"])
def test_awaiting_an_event_loop_s_own_sleep_is_refused_with_the_remedy(run, foreign, after) -> None:
    async def flow() -> None:
        for _ in range(after):
            await call(lambda: None)
        await foreign()

    with pytest.raises(ForeignAwait, match=r"sleep.*await sleep\(seconds\)"):
        run(flow())


class _Bare:
    def __await__(self):
        yield "a stranger"


def test_the_refusal_of_a_foreign_await_names_the_flow_and_closes_it(run) -> None:
    closed = []

    async def stray() -> None:
        try:
            await _Bare()
        finally:
            closed.append(True)

    with pytest.raises(ForeignAwait, match=r"stray awaited .*_Bare.* gave str to the driver"):
        run(stray())
    assert closed == [True]


def test_a_runtime_error_of_the_flow_s_own_is_left_alone(run) -> None:
    async def own(effects: int) -> None:
        for _ in range(effects):
            await call(lambda: None)
        raise RuntimeError("mine")

    for effects in (0, 1):
        with pytest.raises(RuntimeError, match="mine") as caught:
            run(own(effects))
        assert not isinstance(caught.value, ForeignAwait)


def test_a_blocking_function_may_fail_in_an_event_loop_of_its_own(run) -> None:
    """It is the function's error, not a foreign await of the flow's."""

    async def flow() -> None:
        await call(asyncio.tasks.current_task)  # no loop runs in a worker thread

    with pytest.raises(RuntimeError) as caught:
        run(flow())
    assert not isinstance(caught.value, ForeignAwait)


# --- threads, cancellation


def test_many_threads_share_one_sync_driver(server, quick) -> None:
    results: list[bytes] = []
    with SyncDriver(SystemClock(), settings=quick) as driver:
        threads = [
            threading.Thread(target=lambda: results.append(driver.run(fetch(f"{server.url}/big/3")))) for _ in range(16)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)

    assert results == [b"xxx"] * 16


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("where", ["in a sleep", "in a request"])
def test_a_cancellation_passes_through_the_flow(server, backend, where) -> None:
    passed: list[type[BaseException]] = []

    async def slow() -> None:
        try:
            if where == "in a sleep":
                await sleep(60)
            else:
                await send(Request("POST", f"{server.url}/silent"))
        except BaseException as exc:
            passed.append(type(exc))
            raise

    async def main() -> bool:
        async with AsyncDriver(SystemClock()) as driver:
            with anyio.move_on_after(0.2) as scope:
                await driver.run(slow())
            return scope.cancelled_caught

    assert anyio.run(main, backend=backend)
    assert passed == [asyncio.CancelledError if backend == "asyncio" else trio.Cancelled]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_cancelled_flow_still_learns_what_its_blocking_call_did(backend) -> None:
    learned = []

    async def commit() -> None:
        learned.append(await call(lambda: time.sleep(0.3) or "committed"))
        await sleep(60)

    async def main() -> None:
        async with AsyncDriver(SystemClock()) as driver:
            with anyio.move_on_after(0.1):
                await driver.run(commit())

    anyio.run(main, backend=backend)

    assert learned == ["committed"]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_many_flows_wait_at_the_same_time(backend) -> None:
    async def main() -> float:
        async with AsyncDriver(SystemClock()) as driver:
            started = time.perf_counter()
            async with anyio.create_task_group() as group:
                for _ in range(50):
                    group.start_soon(driver.run, nap())
            return time.perf_counter() - started

    async def nap() -> None:
        await sleep(0.2)

    assert anyio.run(main, backend=backend) < 2


def test_a_flow_that_never_sends_costs_a_few_microseconds_at_most() -> None:
    driver = SyncDriver(ManualClock.jst(2024, 11, 8))
    started = time.perf_counter()
    for _ in range(1000):
        driver.run(nothing())

    assert time.perf_counter() - started < 0.05
