"""The shops in which the two manuals are retold, one fixture for each provider.

Every scenario runs against the fakes, on a SQLite file and on PostgreSQL. UnivaPay's and Stripe's run also against the real
plugin in front of the emulator: mounted in process, with the database in memory; and over HTTP on loopback in both
directions, the plugin's requests and the provider's notices.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from paygate import Gateway, MailSet, StepMailPlan
from paygate.cli.demo_endpoint import Endpoint
from paygate.testing import FakeAmazonPay, FakeStripe, FakeTelecom, FakeUnivaPay, ManualClock
from paygate.testing.emulators import Emulator, serve
from paygate.testing.emulators.stripe import StripeEmulator
from paygate.testing.emulators.univapay import UnivaPayEmulator
from paygate_stripe import Stripe, StripeSettings
from paygate_univapay import UnivaPay, UnivaPaySettings

from .shop import SECONDS_TO_A_RESULT, EmulatedTill, FakeTill, LetterBox, ServedTill, Shop, Till

#: (till, database)
Place = tuple[str, str]


def on_both(*tills: str) -> list[Place]:
    """Each of *tills*, on each of the two kinds of database."""
    return [(till, database) for till in tills for database in ("sqlite", "postgresql")]


def named(place: Place) -> str:
    return "-".join(place)


def with_emulator(account: str) -> list[Place]:
    """The fake of *account* on both, and its plugin in front of the emulator: in process and over HTTP."""
    return [*on_both(f"{account}-fake"), (f"{account}-emulator", "memory"), (f"{account}-http", "sqlite")]


UNIVAPAY = with_emulator("univapay")
STRIPE = with_emulator("stripe")
TELECOM = on_both("telecom-fake")
AMAZON_PAY = on_both("amazonpay-fake")
FAKES = {"univapay": FakeUnivaPay, "telecom": FakeTelecom, "stripe": FakeStripe, "amazonpay": FakeAmazonPay}

#: The renewal mail has a delay of five minutes, as the first manual recommends (R-211).
MAILS = (
    StepMailPlan("welcome", MailSet.ON_PAYMENT_COMPLETE),
    StepMailPlan("thank-you", MailSet.ON_RENEWAL, delay=300),
    StepMailPlan("goodbye", MailSet.ON_RECURRING_CANCEL),
)


@contextmanager
def till(name: str, clock: ManualClock) -> Iterator[Till]:
    account, _, kind = name.partition("-")
    if kind == "fake":
        yield FakeTill(account, FAKES[account](clock=clock))
        return
    emulator = emulated(account, clock)
    if kind == "emulator":
        emulator.set_webhook_target("https://shop.example/webhooks")
        yield EmulatedTill(emulator, PLUGINS[account](emulator, emulator.origin), {emulator.origin: emulator.handle})
    else:
        with serve(emulator, webhooks=False) as url:
            yield ServedTill(emulator, PLUGINS[account](emulator, url))


def emulated(account: str, clock: ManualClock) -> Emulator:
    if account == "stripe":
        return StripeEmulator(clock)
    emulator = UnivaPayEmulator(clock)
    emulator.behaviour.pending = SECONDS_TO_A_RESULT
    return emulator


def stripe_plugin(emulator: Emulator, base_url: str) -> Stripe:
    known = {**emulator.credentials_for_plugin(), **emulator.webhook_settings()}
    return Stripe(StripeSettings(**known, base_url=base_url))


def univapay_plugin(emulator: Emulator, base_url: str) -> UnivaPay:
    known = {**emulator.credentials_for_plugin(), **emulator.webhook_settings()}
    # the scenarios wait where the manual waits
    return UnivaPay(UnivaPaySettings(**known, base_url=base_url, poll_budget=0))


PLUGINS: dict[str, Callable[[Emulator, str], object]] = {"stripe": stripe_plugin, "univapay": univapay_plugin}


def database(kind: str, request: pytest.FixtureRequest) -> str:
    """The URL of a fresh database."""
    if kind == "memory":
        return "sqlite://"
    if kind == "postgresql":
        return str(request.getfixturevalue("pg_url"))
    file = Path(request.getfixturevalue("tmp_path")) / "paygate.db"
    shutil.copy(request.getfixturevalue("_sqlite_template"), file)
    return f"sqlite:///{file}"


@contextmanager
def opened(place: Place, clock: ManualClock, request: pytest.FixtureRequest) -> Iterator[Shop]:
    name, kind = place
    letters = LetterBox()
    with ExitStack() as stack:
        counter = stack.enter_context(till(name, clock)) if name else None
        gateway = stack.enter_context(
            Gateway(
                database=database(kind, request),
                providers={counter.account: counter.provider} if counter else {},
                plugins=[letters],
                clock=clock,
                step_mails=MAILS,
                mounts=counter.mounts if counter else None,
            )
        )
        if isinstance(counter, ServedTill):
            counter.tell_at(stack.enter_context(Endpoint(gateway)))
        yield Shop(gateway, clock, letters, counter)


@pytest.fixture
def clock() -> ManualClock:
    """Noon of the second manual's example day: a contract that starts now renews on every 8th (R-031)."""
    return ManualClock.jst(2024, 10, 8, 12)


@pytest.fixture(params=UNIVAPAY, ids=named)
def univapay(request: pytest.FixtureRequest, clock: ManualClock) -> Iterator[Shop]:
    with opened(request.param, clock, request) as shop:
        yield shop


@pytest.fixture(params=TELECOM, ids=named)
def telecom(request: pytest.FixtureRequest, clock: ManualClock) -> Iterator[Shop]:
    with opened(request.param, clock, request) as shop:
        yield shop


@pytest.fixture(params=STRIPE, ids=named)
def stripe(request: pytest.FixtureRequest, clock: ManualClock) -> Iterator[Shop]:
    with opened(request.param, clock, request) as shop:
        yield shop


@pytest.fixture(params=AMAZON_PAY, ids=named)
def amazonpay(request: pytest.FixtureRequest, clock: ManualClock) -> Iterator[Shop]:
    with opened(request.param, clock, request) as shop:
        yield shop


@pytest.fixture(params=[*STRIPE, *UNIVAPAY], ids=named)
def stripe_or_univapay(request: pytest.FixtureRequest, clock: ManualClock) -> Iterator[Shop]:
    """The two whose renewals paygate charges itself."""
    with opened(request.param, clock, request) as shop:
        yield shop


@pytest.fixture(params=[*STRIPE, *AMAZON_PAY], ids=named)
def stripe_or_amazonpay(request: pytest.FixtureRequest, clock: ManualClock) -> Iterator[Shop]:
    """The two that usually answer at once."""
    with opened(request.param, clock, request) as shop:
        yield shop


@pytest.fixture(params=[*TELECOM, *STRIPE], ids=named)
def telecom_or_stripe(request: pytest.FixtureRequest, clock: ManualClock) -> Iterator[Shop]:
    """The two that know no window for additional charges."""
    with opened(request.param, clock, request) as shop:
        yield shop


@pytest.fixture(params=[*UNIVAPAY, *TELECOM, *STRIPE, *AMAZON_PAY], ids=named)
def any_provider(request: pytest.FixtureRequest, clock: ManualClock) -> Iterator[Shop]:
    """Each of the four providers in turn."""
    with opened(request.param, clock, request) as shop:
        yield shop


@pytest.fixture(params=on_both(""), ids=lambda place: place[1])
def offline(request: pytest.FixtureRequest, clock: ManualClock) -> Iterator[Shop]:
    """A shop without any provider: bank transfers and contracts made by hand."""
    with opened(request.param, clock, request) as shop:
        yield shop
