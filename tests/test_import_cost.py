"""The front door is cheap: counted in modules, not milliseconds."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import paygate.drivers

HEAVY = ("aiohttp", "alembic", "anyio", "asyncio", "click", "httpx", "rich", "sqlalchemy", "stripe", "trio")


def loaded(statement: str) -> set[str]:
    """The heavy modules in ``sys.modules`` of a fresh interpreter after *statement*."""
    program = f"{statement}\nimport json, sys\nprint(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    answer = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    return set(json.loads(answer.stdout))


@pytest.mark.parametrize(
    "statement",
    [
        "import paygate",
        "import paygate.flow, paygate.provider, paygate.hookspecs, paygate.errors, paygate.money",
        "from paygate.drivers import HttpSettings, Lost, NotSent, SyncDriver",
    ],
)
def test_what_every_user_and_plugin_imports_loads_no_client_engine_or_event_loop(statement) -> None:
    assert loaded(statement) == set()


def test_answering_from_a_mounted_handler_loads_no_http_client() -> None:
    program = """
from paygate.clock import SystemClock
from paygate.drivers import SyncDriver
from paygate.flow import Request, Response, send

async def read():
    return await send(Request("GET", "https://api.acme.test/"))

assert SyncDriver(SystemClock(), mounts={"https://api.acme.test": lambda _: Response(204)}).run(read()).status == 204
"""
    assert loaded(program) == set()


def test_the_async_driver_comes_without_an_http_client() -> None:
    assert not loaded("from paygate.drivers import AsyncDriver") & {"httpx", "aiohttp", "sqlalchemy", "trio"}


def test_a_name_that_the_drivers_do_not_have_is_refused() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Driver'"):
        _ = paygate.drivers.Driver
