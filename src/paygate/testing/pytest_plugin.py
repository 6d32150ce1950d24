"""Fixtures for tests of code that uses paygate; loaded by pytest on its own, and cheap until one of them is asked for.

==========================  ===========================================================================================
``manual_clock``            a :class:`~paygate.testing.clock.ManualClock`
``frozen_time``             freezegun around the test, with the switches that asyncio and trio need
``fake_univapay`` …         ``fake_telecom``, ``fake_stripe``, ``fake_amazonpay``: the fakes on ``manual_clock``
``gateway``                 a :class:`~paygate.Gateway` on a database in memory, ``manual_clock`` and the four fakes
``async_gateway``           the same as :class:`~paygate.AsyncGateway`
``emulator``                the emulator that ``@pytest.mark.paygate_emulator("univapay")`` names, on ``manual_clock``
``emulator_url``            where that emulator is served on this machine, for clients in any language
``emulator_gateway``        a gateway with the real plugin on that emulator; its account bears the emulator's name
``async_emulator_gateway``  the same as :class:`~paygate.AsyncGateway`
``paygate_cassette``        a :class:`~paygate.testing.recording.Recording` of the test's exchanges with the provider that
                            ``@pytest.mark.paygate_cassette("univapay")`` names
``no_network``              connecting to anything but this machine fails the test
==========================  ===========================================================================================

Time starts at 2026-01-15 12:00 in Asia/Tokyo, or where freezegun holds it; ``@pytest.mark.paygate_instant("2027-02-28T23:59:59+09:00")`` or an
indirect parameter of ``manual_clock`` or ``frozen_time`` chooses another instant. ``emulator`` takes an indirect parameter
too. ``@freeze_time`` on a test and ``freeze_time`` within one hold for ``manual_clock`` and everything on it.

paygate itself reaches no host beyond this machine, and no gateway takes a provider with a live key, in its settings or
anywhere in the environment: the test fails. ``@pytest.mark.paygate_live`` or ``--paygate-live`` opens the way to a
provider's test environment, ``@pytest.mark.paygate_live(keys=True)`` allows live keys as well. Other people's sockets are
left alone, except with ``paygate_block_network = true`` in the configuration of pytest: then every test is run as with
``no_network``, but for those marked ``@pytest.mark.paygate_network``.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from .. import _door

if TYPE_CHECKING:
    import datetime as dt

    from freezegun.api import FrozenDateTimeFactory

    from paygate import AsyncGateway, Gateway

    from ..flow import Request, Response
    from .clock import ManualClock
    from .emulators import Emulator
    from .fakes import FakeAmazonPay, FakeProvider, FakeStripe, FakeTelecom, FakeUnivaPay
    from .recording import Recording

__all__ = [
    "async_emulator_gateway",
    "async_gateway",
    "emulator",
    "emulator_gateway",
    "emulator_url",
    "fake_amazonpay",
    "fake_stripe",
    "fake_telecom",
    "fake_univapay",
    "frozen_time",
    "gateway",
    "manual_clock",
    "no_network",
    "paygate_cassette",
]

DEFAULT_INSTANT = "2026-01-15T12:00:00+09:00"

_MARKERS = (
    "paygate_instant(instant): when manual_clock and frozen_time start, an aware ISO 8601 text",
    "paygate_emulator(name, **options): which provider's emulator the fixtures use, and its constructor's options",
    "paygate_cassette(provider, name=None, origin=None, aliases=None): whose exchanges paygate_cassette holds",
    "paygate_live(keys=False): paygate may reach hosts beyond this machine; with keys=True live keys are allowed too",
    "paygate_network: the test may use the network despite paygate_block_network",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("paygate")
    group.addoption(
        "--paygate-live",
        action="store_true",
        help="let paygate reach hosts beyond this machine; live keys stay refused",
    )
    group.addoption(
        "--paygate-record",
        choices=("none", "once", "all"),
        help="replay cassettes only, record those that are missing, or record all anew (default: once; none under CI)",
    )
    parser.addini(
        "paygate_block_network", "fail tests that connect to anything but this machine", type="bool", default=False
    )


def pytest_configure(config: pytest.Config) -> None:
    for marker in _MARKERS:
        config.addinivalue_line("markers", marker)
    guard = config.stash[_GUARD] = _Guard(live=config.getoption("--paygate-live"))
    _door.post(guard)
    config.add_cleanup(lambda: _door.withdraw(guard))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    guard = item.config.stash[_GUARD]
    guard.marker = item.get_closest_marker("paygate_live")
    try:
        if not item.config.getini("paygate_block_network") or item.get_closest_marker("paygate_network"):
            return (yield)
        from .network import this_machine_only  # noqa: PLC0415 - the plugin stays cheap

        with this_machine_only():
            return (yield)
    finally:
        guard.marker = None


class _Guard(_door.Watcher):
    """Refuses live calls and live keys. Loads what it needs when paygate is used for the first time."""

    def __init__(self, *, live: bool) -> None:
        self.live = live
        self.marker: pytest.Mark | None = None

    @property
    def _keys(self) -> bool:
        return self.marker is not None and bool(self.marker.kwargs.get("keys"))

    def opening(self, account: str, provider: object) -> None:
        from .live import refuse_live_keys  # noqa: PLC0415 - the plugin stays cheap

        if not self._keys:
            refuse_live_keys(account, provider)

    def leaving(self, request: Request) -> Response | None:
        from .live import refuse_live_call, refuse_live_headers  # noqa: PLC0415 - the plugin stays cheap

        if not self.live and self.marker is None:
            refuse_live_call(request)
        if not self._keys:
            refuse_live_headers(request)
        return None


_GUARD = pytest.StashKey[_Guard]()


# --- time ------------------------------------------------------------------------------------------------------------


def _instant(request: pytest.FixtureRequest) -> dt.datetime:
    import datetime as dt  # noqa: PLC0415 - freezegun may have replaced its classes by now

    from paygate.clock import SystemClock, require_aware  # noqa: PLC0415 - the plugin stays cheap

    marker, system = request.node.get_closest_marker("paygate_instant"), SystemClock()
    frozen = system.now() if system.frozen else None
    chosen = getattr(request, "param", marker.args[0] if marker else frozen or DEFAULT_INSTANT)
    instant = require_aware(chosen if isinstance(chosen, dt.datetime) else dt.datetime.fromisoformat(chosen))
    if frozen is not None and instant != frozen:
        message = (
            f"this test asks for two times: freezegun holds {frozen.isoformat()}, and {instant.isoformat()} is marked"
        )
        pytest.fail(f"{message}; leave out one of them", pytrace=False)
    return instant


@pytest.fixture
def manual_clock(request: pytest.FixtureRequest) -> ManualClock:
    """A clock that stands still until the test moves it; while freezegun holds the time, both are one and the same."""
    from .clock import FreezableClock  # noqa: PLC0415 - the plugin stays cheap

    return FreezableClock(_instant(request))


@pytest.fixture
def frozen_time(request: pytest.FixtureRequest) -> Iterator[FrozenDateTimeFactory]:
    """Time frozen by freezegun for the whole process; ``tick(seconds)`` and ``move_to(instant)`` move it.

    The event loop's own clock keeps running: with it frozen, every sleep and time-out of a loop would wait for ever.
    """
    freezegun = pytest.importorskip("freezegun", reason="frozen_time needs paygate[testing]")
    unfrozen = ["trio", "anyio", "_pytest.timing"]  # the last for pytest's own durations
    with freezegun.freeze_time(_instant(request), real_asyncio=True, ignore=unfrozen) as frozen:
        yield frozen


# --- fakes -----------------------------------------------------------------------------------------------------------


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
    from paygate import AsyncGateway  # noqa: PLC0415 - the plugin stays cheap

    yield from _closing(AsyncGateway(database="sqlite://", providers=_fakes, clock=manual_clock))


def _closing(opened: AsyncGateway) -> Iterator[AsyncGateway]:
    import anyio  # noqa: PLC0415 - the plugin stays cheap

    yield opened
    anyio.run(opened.aclose)


# --- emulators -------------------------------------------------------------------------------------------------------


@pytest.fixture
def emulator(request: pytest.FixtureRequest, manual_clock: ManualClock) -> Emulator:
    """The emulator that the marker ``paygate_emulator`` or an indirect parameter names, on the manual clock.

    Mount it: ``Gateway(…, mounts={emulator.origin: emulator.handle})``; or use one of the fixtures below.
    """
    from .emulators import load  # noqa: PLC0415 - the plugin stays cheap

    marker = request.node.get_closest_marker("paygate_emulator")
    names: tuple[Any, ...] = (request.param,) if hasattr(request, "param") else marker.args if marker else ()
    if len(names) != 1:
        pytest.fail('say which emulator: @pytest.mark.paygate_emulator("univapay")', pytrace=False)
    return load(names[0])(manual_clock, **(marker.kwargs if marker else {}))


@pytest.fixture
def emulator_url(emulator: Emulator) -> Iterator[str]:
    """The base URL under which the emulator answers on this machine, and delivers webhooks from."""
    from .emulators import serve  # noqa: PLC0415 - the plugin stays cheap

    with serve(emulator) as url:
        yield url


@pytest.fixture
def _emulated(emulator: Emulator) -> dict[str, Any]:
    """How a gateway is made on the emulator."""
    from ..plugins.discovery import load  # noqa: PLC0415 - the plugin stays cheap

    provider: Any = load(emulator.name)
    settings = provider.Settings(**emulator.credentials_for_plugin(), **emulator.webhook_settings())
    return {
        "database": "sqlite://",
        "providers": {emulator.name: provider(settings)},
        "clock": emulator.clock,
        "mounts": {emulator.origin: emulator.handle},
    }


@pytest.fixture
def emulator_gateway(_emulated: dict[str, Any]) -> Iterator[Gateway]:
    """A gateway whose one account, named like the emulator, is the installed plugin on that emulator."""
    from paygate import Gateway  # noqa: PLC0415 - the plugin stays cheap

    with Gateway(**_emulated) as opened:
        yield opened


@pytest.fixture
def async_emulator_gateway(_emulated: dict[str, Any]) -> Iterator[AsyncGateway]:
    """The same for asyncio and trio."""
    from paygate import AsyncGateway  # noqa: PLC0415 - the plugin stays cheap

    yield from _closing(AsyncGateway(**_emulated))


# --- recordings ------------------------------------------------------------------------------------------------------


@pytest.fixture
def paygate_cassette(request: pytest.FixtureRequest) -> Iterator[Recording]:
    """The exchanges of the test with its provider: replayed from ``cassettes/<module>/<test>.yaml`` beside the module.

    Recorded where the file is missing, or anew with ``--paygate-record=all``; never under continuous integration. What a
    failed test recorded is not written.
    """
    pytest.importorskip("vcr", reason="paygate_cassette needs paygate[testing]")
    from .recording.fixture import opened  # noqa: PLC0415 - the plugin stays cheap

    yield from opened(request)


# --- the network -----------------------------------------------------------------------------------------------------


@pytest.fixture
def no_network() -> Iterator[None]:
    """Fail the test when it connects, sends or asks for an address beyond this machine.

    The failure is not an ``Exception``: code under test cannot take it for a network that is down.
    """
    from .network import this_machine_only  # noqa: PLC0415 - the plugin stays cheap

    with this_machine_only():
        yield
