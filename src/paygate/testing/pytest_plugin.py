"""Fixtures for tests of code that uses paygate; loaded by pytest on its own, and cheap until one of them is asked for.

==========================  ===========================================================================================
``manual_clock``            a :class:`~paygate.testing.clock.ManualClock`
``frozen_time``             freezegun around the test, with the switches that asyncio and trio need
``fake_univapay`` …         ``fake_telecom``, ``fake_stripe``, ``fake_amazonpay``: the fakes on ``manual_clock``
``gateway``                 a :class:`~paygate.Gateway` on a database in memory, ``manual_clock`` and the four fakes
``async_gateway``           the same as :class:`~paygate.AsyncGateway`
``no_network``              connecting to anything but this machine fails the test
==========================  ===========================================================================================

Time starts at 2026-01-15 12:00 in Asia/Tokyo; ``@pytest.mark.paygate_instant("2027-02-28T23:59:59+09:00")`` or an
indirect parameter of ``manual_clock`` or ``frozen_time`` chooses another instant.

With ``paygate_block_network = true`` in the configuration of pytest every test is run as with ``no_network``, except
those marked ``@pytest.mark.paygate_network``.
"""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from freezegun.api import FrozenDateTimeFactory

    from paygate import AsyncGateway, Gateway

    from .clock import ManualClock
    from .fakes import FakeAmazonPay, FakeProvider, FakeStripe, FakeTelecom, FakeUnivaPay

__all__ = [
    "async_gateway",
    "fake_amazonpay",
    "fake_stripe",
    "fake_telecom",
    "fake_univapay",
    "frozen_time",
    "gateway",
    "manual_clock",
    "no_network",
]

DEFAULT_INSTANT = "2026-01-15T12:00:00+09:00"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini(
        "paygate_block_network", "fail tests that connect to anything but this machine", type="bool", default=False
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "paygate_instant(instant): when manual_clock and frozen_time start, an aware ISO 8601 text"
    )
    config.addinivalue_line("markers", "paygate_network: the test may use the network despite paygate_block_network")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    if not item.config.getini("paygate_block_network") or item.get_closest_marker("paygate_network"):
        return (yield)
    with _this_machine_only():
        return (yield)


# --- time ------------------------------------------------------------------------------------------------------------


def _instant(request: pytest.FixtureRequest) -> dt.datetime:
    from paygate.clock import require_aware  # noqa: PLC0415 - the plugin stays cheap

    marker = request.node.get_closest_marker("paygate_instant")
    chosen = getattr(request, "param", marker.args[0] if marker else DEFAULT_INSTANT)
    return require_aware(chosen if isinstance(chosen, dt.datetime) else dt.datetime.fromisoformat(chosen))


@pytest.fixture
def manual_clock(request: pytest.FixtureRequest) -> ManualClock:
    """A clock that stands still until the test moves it."""
    from .clock import ManualClock  # noqa: PLC0415 - the plugin stays cheap

    return ManualClock(_instant(request))


@pytest.fixture
def frozen_time(request: pytest.FixtureRequest) -> Iterator[FrozenDateTimeFactory]:
    """Time frozen by freezegun for the whole process; ``tick(seconds)`` and ``move_to(instant)`` move it.

    The event loop's own clock keeps running: with it frozen, every sleep and time-out of a loop would wait for ever.
    """
    freezegun = pytest.importorskip("freezegun", reason="frozen_time needs paygate[testing]")
    unfrozen = ["trio", "anyio", "_pytest.timing"]  # the last for pytest's own durations
    with freezegun.freeze_time(_instant(request), real_asyncio=True, ignore=unfrozen) as frozen:
        yield frozen


# --- providers and gateways ------------------------------------------------------------------------------------------


@pytest.fixture
def fake_univapay(manual_clock: ManualClock) -> FakeUnivaPay:
    """A fake UnivaPay on the manual clock."""
    from .fakes import FakeUnivaPay  # noqa: PLC0415 - the plugin stays cheap

    return FakeUnivaPay(clock=manual_clock)


@pytest.fixture
def fake_telecom(manual_clock: ManualClock) -> FakeTelecom:
    """A fake Telecom Credit on the manual clock."""
    from .fakes import FakeTelecom  # noqa: PLC0415 - the plugin stays cheap

    return FakeTelecom(clock=manual_clock)


@pytest.fixture
def fake_stripe(manual_clock: ManualClock) -> FakeStripe:
    """A fake Stripe on the manual clock."""
    from .fakes import FakeStripe  # noqa: PLC0415 - the plugin stays cheap

    return FakeStripe(clock=manual_clock)


@pytest.fixture
def fake_amazonpay(manual_clock: ManualClock) -> FakeAmazonPay:
    """A fake Amazon Pay on the manual clock."""
    from .fakes import FakeAmazonPay  # noqa: PLC0415 - the plugin stays cheap

    return FakeAmazonPay(clock=manual_clock)


@pytest.fixture
def _fakes(
    fake_univapay: FakeUnivaPay, fake_telecom: FakeTelecom, fake_stripe: FakeStripe, fake_amazonpay: FakeAmazonPay
) -> dict[str, FakeProvider]:
    return {
        "univapay": fake_univapay,
        "telecom": fake_telecom,
        "stripe": fake_stripe,
        "amazonpay": fake_amazonpay,
    }


@pytest.fixture
def gateway(manual_clock: ManualClock, _fakes: dict[str, FakeProvider]) -> Iterator[Gateway]:
    """A gateway with the accounts ``univapay``, ``telecom``, ``stripe`` and ``amazonpay``, each a fake."""
    from paygate import Gateway  # noqa: PLC0415 - the plugin stays cheap

    with Gateway(database="sqlite://", providers=_fakes, clock=manual_clock) as opened:
        yield opened


@pytest.fixture
def async_gateway(manual_clock: ManualClock, _fakes: dict[str, FakeProvider]) -> Iterator[AsyncGateway]:
    """The same for asyncio and trio. The fixture belongs to no event loop, so that any runner of async tests will do."""
    import anyio  # noqa: PLC0415 - the plugin stays cheap

    from paygate import AsyncGateway  # noqa: PLC0415 - the plugin stays cheap

    opened = AsyncGateway(database="sqlite://", providers=_fakes, clock=manual_clock)
    yield opened
    anyio.run(opened.aclose)


# --- the network -----------------------------------------------------------------------------------------------------


@pytest.fixture
def no_network() -> Iterator[None]:
    """Fail the test when it connects, sends or asks for an address beyond this machine.

    The failure is not an ``Exception``: code under test cannot take it for a network that is down.
    """
    with _this_machine_only():
        yield


class _Guard:
    """An audit hook, which cannot be removed once installed, and whether it bites at the moment."""

    def __init__(self) -> None:
        self.installed = False
        self.depth = 0

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        if not self.depth or not event.startswith("socket."):
            return
        if event in {"socket.connect", "socket.sendto"}:
            address = args[1]
            host = address[0] if isinstance(address, tuple) else None  # a text or bytes: a socket of this machine
        elif event == "socket.getaddrinfo":
            host = args[0]
        else:
            return
        if host is not None and not _is_this_machine(host):
            pytest.fail(
                f"the test reached for {host!r}; use a fake or an emulator, or mark it with paygate_network",
                pytrace=False,
            )


_guard = _Guard()


@contextmanager
def _this_machine_only() -> Iterator[None]:
    if not _guard.installed:
        sys.addaudithook(_guard)
        _guard.installed = True
    _guard.depth += 1
    try:
        yield
    finally:
        _guard.depth -= 1


def _is_this_machine(host: str | bytes) -> bool:
    import ipaddress  # noqa: PLC0415 - the plugin stays cheap

    name = host.decode() if isinstance(host, bytes) else host
    try:
        return ipaddress.ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        return name in {"", "localhost"}
