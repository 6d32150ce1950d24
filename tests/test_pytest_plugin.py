"""The fixtures that a user's tests get from the plugin."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import json
import socket
import subprocess
import sys
import time
import urllib.request
from datetime import date
from typing import Any
from urllib.parse import urlsplit

import anyio
import attrs
import pytest
from freezegun import freeze_time

from paygate import JST, UTC, AsyncGateway, Card, Customer, Cycle, Gateway, Money, Plan, secret
from paygate.clock import SystemClock
from paygate.drivers import SyncDriver
from paygate.flow import Request, send
from paygate.testing import FakeAmazonPay, FakeStripe, FakeTelecom, FakeUnivaPay, ManualClock

pytest_plugins = ["pytester"]

NOON = dt.datetime(2026, 1, 15, 12, tzinfo=JST)


def test_loading_the_plugin_loads_neither_the_kit_nor_anything_heavy() -> None:
    program = (
        "import sys, pytest; before = set(sys.modules); import paygate.testing.pytest_plugin;"
        "print(sorted(name for name in set(sys.modules) - before if name.startswith('paygate.testing.') or "
        "name.partition('.')[0] in {'freezegun', 'sqlalchemy', 'httpx', 'asyncio', 'trio', 'anyio', 'alembic'}))"
    )

    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert answer.stdout.strip() == "['paygate.testing.pytest_plugin']"


def test_the_kits_front_door_knows_all_its_names_and_no_others() -> None:
    import paygate.testing

    assert all(getattr(paygate.testing, name) is not None for name in paygate.testing.__all__)
    with pytest.raises(AttributeError, match="no attribute 'FakeAcme'"):
        _ = paygate.testing.FakeAcme


# --- time ---


@freeze_time("2027-03-31 14:59:59")
@pytest.mark.rule("R-377")
def test_a_gateway_of_the_fixture_lives_in_the_time_that_a_decorator_froze(gateway: Gateway, manual_clock) -> None:
    contract = join(gateway)

    assert contract.start_on == dt.date(2027, 3, 31)
    assert contract.applied_at == SystemClock().now() == gateway.clock.now()
    manual_clock.advance(seconds=1)
    assert SystemClock().now() == gateway.clock.now() == dt.datetime(2027, 3, 31, 15, tzinfo=UTC)
    assert join(gateway).start_on == dt.date(2027, 4, 1)


def join(gateway: Gateway) -> Any:
    plan, card = Plan.recurring("Gold", Money(3000, "JPY"), Cycle.MONTHLY), Card("stripe", token="pm_1")
    return gateway.contracts.create(Customer("c"), plan, card)


@pytest.mark.rule("R-377")
@pytest.mark.parametrize("tick", [False, True])
def test_time_that_is_frozen_within_a_test_is_the_gateways_too(gateway: Gateway, manual_clock, tick) -> None:
    assert join(gateway).start_on == NOON.date()
    before = manual_clock.monotonic()
    with freeze_time("2026-12-31 15:00:00", tick=tick) as frozen:
        assert join(gateway).start_on == dt.date(2027, 1, 1)
        frozen.move_to("2028-02-29 00:00:00")
        assert join(gateway).start_on == dt.date(2028, 2, 29)
        frozen.tick(dt.timedelta(days=1))
        manual_clock.set(dt.datetime(2028, 3, 5, 12, tzinfo=JST))
        assert abs(SystemClock().now() - dt.datetime(2028, 3, 5, 3, tzinfo=UTC)) < dt.timedelta(minutes=1)
        with freeze_time("2030-01-01 03:00:00"):
            assert join(gateway).start_on == dt.date(2030, 1, 1)
        assert join(gateway).start_on == dt.date(2028, 3, 5)
    left = manual_clock.now()

    assert left == manual_clock.now()  # it stands still where it was left
    assert join(gateway).start_on == dt.date(2028, 3, 5)
    assert manual_clock.monotonic() > before


@pytest.mark.rule("R-377")
@pytest.mark.paygate_emulator("univapay")
@freeze_time("2027-03-31 03:00:00", real_asyncio=True)
def test_a_gateway_over_an_emulator_and_fakes_live_in_frozen_time_too(
    emulator_gateway: Gateway, emulator, fake_stripe: FakeStripe
) -> None:
    assert emulator.clock.now() == fake_stripe.clock.now() == emulator_gateway.clock.now()
    plan, token = Plan.recurring("Gold", Money(3000, "JPY"), Cycle.MONTHLY), emulator.store_card()
    contract = emulator_gateway.contracts.create(Customer("c"), plan, Card("univapay", token=token))
    assert contract.start_on == dt.date(2027, 3, 31)
    assert emulator.book.captures[0].at <= SystemClock().now()


@pytest.mark.rule("R-377")
def test_two_times_for_one_test_are_told_loudly(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest
        from freezegun import freeze_time

        @pytest.fixture(autouse=True)
        def frozen():
            with freeze_time("2027-03-31 03:00:00"):
                yield

        @pytest.mark.paygate_instant("2026-01-01T00:00:00+09:00")
        def test_two_times(gateway):
            pass

        @pytest.mark.paygate_instant("2027-03-31T12:00:00+09:00")
        def test_one_time_twice(gateway):
            pass

        def test_one_time(gateway, manual_clock):
            assert manual_clock.now().isoformat() == "2027-03-31T03:00:00+00:00"
        """
    )

    result = pytester.runpytest_subprocess("-p", "no:xdist", "-p", "no:cacheprovider")

    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*asks for two times: freezegun holds 2027-03-31*2025-12-31*leave out one*"])


def test_the_manual_clock_starts_at_noon_in_tokyo_and_stands_still(manual_clock: ManualClock) -> None:
    assert manual_clock.now() == manual_clock.now() == NOON


@pytest.mark.paygate_instant("2027-02-28T23:59:59+09:00")
def test_a_mark_chooses_the_instant(manual_clock: ManualClock, frozen_time: object) -> None:
    instant = dt.datetime(2027, 2, 28, 14, 59, 59, tzinfo=UTC)

    assert (manual_clock.now(), SystemClock().now()) == (instant, instant)


@pytest.mark.parametrize("manual_clock", [NOON.replace(year=2030), "2030-01-15T12:00+09:00"], indirect=True)
def test_a_parameter_chooses_the_instant(manual_clock: ManualClock) -> None:
    assert manual_clock.now() == NOON.replace(year=2030)


@pytest.mark.rule("R-002")
def test_an_instant_without_a_zone_is_an_error(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.paygate_instant("2026-01-15T12:00")
        def test_it(manual_clock):
            pass
        """
    )

    result = pytester.runpytest_inprocess()

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*NaiveDatetime*"])


def test_frozen_time_holds_the_system_clock_and_is_moved_by_the_test(frozen_time) -> None:
    assert SystemClock().now() == NOON
    frozen_time.tick(90)
    assert SystemClock().now() == NOON + dt.timedelta(seconds=90)


async def _waits() -> tuple[dt.datetime, dt.datetime]:
    before = SystemClock().now()
    with anyio.fail_after(5):
        await anyio.sleep(0.01)
        await anyio.to_thread.run_sync(time.sleep, 0)
    return before, SystemClock().now()


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_an_event_loop_runs_while_time_is_frozen(frozen_time, backend: str) -> None:
    assert anyio.run(_waits, backend=backend) == (NOON, NOON)


def test_plain_asyncio_times_out_while_time_is_frozen(frozen_time) -> None:
    async def waits() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 0.01)

    asyncio.run(waits())


def test_a_fake_without_a_clock_lives_in_frozen_time(frozen_time) -> None:
    fake = FakeStripe()
    fake.charge_unasked("tok_1", Money(1000, "JPY"))

    assert [row.at for row in fake.book.captures] == [NOON]


# --- fakes and gateways ---


def test_the_fakes_share_the_clock(
    manual_clock: ManualClock,
    fake_univapay: FakeUnivaPay,
    fake_telecom: FakeTelecom,
    fake_stripe: FakeStripe,
    fake_amazonpay: FakeAmazonPay,
) -> None:
    assert {fake.clock for fake in (fake_univapay, fake_telecom, fake_stripe, fake_amazonpay)} == {manual_clock}


def test_the_gateway_charges_through_the_fakes(gateway: Gateway, fake_stripe: FakeStripe) -> None:
    contract = gateway.contracts.create(
        customer=Customer("cus_1", email="hanako@example.com"),
        plan=Plan.recurring("Gold", price=Money(3000, "JPY"), cycle=Cycle.MONTHLY),
        payment=Card("stripe", token="tok_1"),
        start_on=date(2026, 1, 15),
    )
    charge = gateway.charges.create(
        contract.id, Money(5000, "JPY"), consent="phone, 2026-01-14", idempotency_key="order-1"
    )

    assert charge.state.value == "SUCCEEDED"
    assert [row.amount.minor for row in fake_stripe.book.captures] == [3000, 5000]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_async_gateway_charges_through_the_fakes(
    async_gateway: AsyncGateway, fake_amazonpay: FakeAmazonPay, backend: str
) -> None:
    async def buy() -> None:
        await async_gateway.contracts.create(
            customer=Customer("cus_1", email="hanako@example.com"),
            plan=Plan.one_off("Course", price=Money(9800, "JPY")),
            payment=Card("amazonpay", token="C03-1"),
            start_on=date(2026, 1, 15),
        )

    anyio.run(buy, backend=backend)

    assert fake_amazonpay.book.captured() == 9800


# --- the network ---


def test_without_a_network_this_machine_can_still_be_reached(no_network: None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(server.getsockname(), timeout=5) as client:
            assert client.getpeername() == server.getsockname()
        with socket.create_connection(("localhost", server.getsockname()[1]), timeout=5):
            pass


@pytest.mark.parametrize(
    "reach",
    [
        pytest.param(lambda sock: sock.connect(("192.0.2.1", 443)), id="connect"),
        pytest.param(lambda sock: sock.connect_ex(("192.0.2.1", 443)), id="connect_ex"),
        pytest.param(lambda sock: sock.sendto(b"x", ("192.0.2.1", 53)), id="sendto"),
        pytest.param(lambda _sock: socket.getaddrinfo("api.acme.example", 443), id="name"),
        pytest.param(lambda _sock: socket.getaddrinfo(b"api.acme.example", 443), id="name as bytes"),
    ],
)
def test_without_a_network_nothing_else_can(no_network: None, reach) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        with pytest.raises(pytest.fail.Exception, match="reached for"):
            reach(sock)


def test_the_failure_cannot_be_taken_for_a_network_that_is_down(no_network: None) -> None:
    assert not issubclass(pytest.fail.Exception, Exception)


def test_sockets_of_this_machine_have_no_host(no_network: None, tmp_path) -> None:
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock,
        pytest.raises(FileNotFoundError),
    ):
        sock.connect(str(tmp_path / "nobody.sock"))


def test_the_network_can_be_blocked_for_all_tests_but_marked_ones(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\npaygate_block_network = true\naddopts = --strict-markers\n")
    pytester.makepyfile(
        """
        import socket
        import pytest

        def reach():
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.connect(("127.0.0.2", 9))
                sock.connect(("192.0.2.1", 9))  # UDP: nothing is sent

        def test_blocked():
            reach()

        @pytest.mark.paygate_network
        def test_allowed():
            try:
                reach()
            except OSError:
                pass  # a machine without any route
        """
    )

    result = pytester.runpytest_inprocess()

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*the test reached for '192.0.2.1'*paygate_network*"])


def test_the_network_is_open_unless_somebody_asks(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_it():
            sys.audit("socket.connect", None, ("192.0.2.1", 9))
        """
    )

    pytester.runpytest_inprocess().assert_outcomes(passed=1)


# --- emulators ---


@pytest.mark.parametrize("emulator", ["univapay", "stripe"], indirect=True)
def test_the_emulator_gateway_charges_through_the_real_plugin(emulator, emulator_gateway: Gateway) -> None:
    contract = emulator_gateway.contracts.create(
        customer=Customer("cus_1", email="hanako@example.com"),
        plan=Plan.recurring("Gold", price=Money(3000, "JPY"), cycle=Cycle.MONTHLY),
        payment=Card(emulator.name, token=emulator.store_card()),
        start_on=date(2026, 1, 15),
    )

    assert contract.status.value == "ACTIVE"
    assert [row.amount.minor for row in emulator.book.captures] == [3000]


@pytest.mark.paygate_emulator("univapay")
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_async_emulator_gateway_does_too(emulator, async_emulator_gateway: AsyncGateway, backend: str) -> None:
    async def buy() -> None:
        await async_emulator_gateway.contracts.create(
            customer=Customer("cus_1", email="hanako@example.com"),
            plan=Plan.one_off("Course", price=Money(9800, "JPY")),
            payment=Card("univapay", token=emulator.store_card()),
            start_on=date(2026, 1, 15),
        )

    anyio.run(buy, backend=backend)

    assert emulator.book.captured() == 9800


@pytest.mark.parametrize("emulator", ["univapay"], indirect=True)
def test_the_emulator_is_served_on_this_machine_for_clients_in_any_language(emulator, emulator_url: str) -> None:
    with urllib.request.urlopen(f"{emulator_url}/heartbeat", timeout=5) as answer:
        assert answer.status == 200

    assert urlsplit(emulator_url).hostname == "127.0.0.1"
    assert [request.method for request in emulator.requests] == ["GET"]


def test_an_emulator_has_to_be_named(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(emulator): pass")

    result = pytester.runpytest_inprocess()

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(['*say which emulator: @pytest.mark.paygate_emulator("univapay")*'])


# --- live calls and live keys ---

SEND = """
    import pytest
    from paygate.clock import SystemClock
    from paygate.drivers import HttpSettings, SyncDriver
    from paygate.errors import ProviderUnavailable
    from paygate.flow import Request, send

    def ask(url, **headers):
        async def flow():
            return await send(Request("GET", url, headers))

        with SyncDriver(SystemClock(), settings=HttpSettings(retries=0, connect_timeout=2)) as driver:
            try:
                driver.run(flow())
            except ProviderUnavailable:
                pass  # nobody answers there
"""


def test_paygate_reaches_no_host_beyond_this_machine_by_default(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        SEND
        + """
    def test_refused():
        ask("https://api.acme.invalid/charges/ch_1canary")

    def test_this_machine():
        ask("http://127.0.0.1:9/")
        ask("http://localhost:9/")

    @pytest.mark.paygate_live
    def test_marked():
        ask("https://api.acme.invalid/")

    def test_refused_again():
        ask("https://api.acme.invalid/")
    """
    )

    result = pytester.runpytest_subprocess("--strict-markers")

    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(["*GET https://api.acme.invalid/charges/…: the test would reach*--paygate-live*"])
    assert "canary" not in result.stdout.str()


def test_an_option_opens_the_way_for_a_whole_run(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(SEND + '    def test_it():\n        ask("https://api.acme.invalid/")\n')

    pytester.runpytest_subprocess("--paygate-live").assert_outcomes(passed=1)


def test_the_sockets_of_others_are_left_alone(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import socket

        def test_it():
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                try:
                    sock.connect(("192.0.2.1", 9))  # UDP: nothing is sent
                except OSError:
                    pass  # a machine without any route
        """
    )

    pytester.runpytest_inprocess().assert_outcomes(passed=1)


def jwt(mode: str) -> str:
    claims = base64.urlsafe_b64encode(json.dumps({"store_id": "s-1", "mode": mode}).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJIUzI1NiJ9.{claims}.c2lnbmVk"


STRIPE_LIVE = "sk_" + "live_canary1234"
LIVE = {"stripe": STRIPE_LIVE, "restricted": "rk_" + "live_canary1234", "univapay": jwt("live")}


@attrs.frozen
class AcmeSettings:
    api_key: str = secret()


class Acme(FakeStripe):
    def __init__(self, key: str) -> None:
        super().__init__()
        self._settings = AcmeSettings(key)


@pytest.mark.parametrize("key", LIVE.values(), ids=LIVE)
def test_a_gateway_takes_no_live_key(key: str) -> None:
    with pytest.raises(pytest.fail.Exception, match="setting 'api_key' of account 'shop' holds a live key") as caught:
        Gateway(database="sqlite://", providers={"shop": Acme(key)})

    assert key not in str(caught.value)


@pytest.mark.parametrize("key", ["sk_" + "test_1", jwt("test"), jwt("live_test"), "eyJub.bm8gSlNPTg.x", "eyJub.W10.x"])
def test_a_gateway_takes_keys_of_the_test_mode(key: str) -> None:
    Gateway(database="sqlite://", providers={"shop": Acme(key)}).close()


@pytest.mark.parametrize("key", LIVE.values(), ids=LIVE)
def test_no_gateway_opens_while_the_environment_holds_a_live_key(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("SHOP_KEY", key)

    with pytest.raises(pytest.fail.Exception, match="environment variable SHOP_KEY holds a live key") as caught:
        Gateway(database="sqlite://", providers={"stripe": FakeStripe()})

    assert key not in str(caught.value)


@pytest.mark.paygate_live(keys=True)
def test_a_mark_allows_live_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_KEY", STRIPE_LIVE)

    Gateway(database="sqlite://", providers={"shop": Acme(STRIPE_LIVE)}).close()


@pytest.mark.paygate_live
def test_the_way_to_a_test_environment_is_not_open_to_live_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    async def flow() -> None:
        await send(Request("GET", "http://127.0.0.1:9/", {"Authorization": f"Bearer {STRIPE_LIVE}"}))

    with pytest.raises(
        pytest.fail.Exception, match=r"header 'authorization' of GET http://127\.0\.0\.1:9/ holds a live key"
    ):
        SyncDriver(SystemClock()).run(flow())


def test_a_run_that_never_touches_paygate_does_not_load_it(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_it(monkeypatch):
            light = {"paygate", "paygate._door", "paygate.testing", "paygate.testing.pytest_plugin"}
            assert {name for name in sys.modules if name.partition(".")[0] == "paygate"} == light
        """
    )

    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)
