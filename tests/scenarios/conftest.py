"""The shops in which the two manuals are retold, one fixture for each provider.

Every scenario runs against the fakes, on a SQLite file and on PostgreSQL. UnivaPay's run also against the real plugin in
front of the emulator: mounted in process, with the database in memory; and over HTTP on loopback in both directions, the
plugin's requests and the provider's notices.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from paygate import Gateway, MailSet, StepMailPlan
from paygate.cli.demo_endpoint import Endpoint
from paygate.testing import FakeAmazonPay, FakeStripe, FakeTelecom, FakeUnivaPay, ManualClock
from paygate.testing.emulators import serve
from paygate.testing.emulators.univapay import UnivaPayEmulator
from paygate_univapay import UnivaPay, UnivaPaySettings

from .shop import EmulatedUnivaPay, FakeTill, LetterBox, ServedUnivaPay, Shop, Till

UNIVAPAY_URL = "https://api.univapay.com"
WEBHOOK_WORD = "word-only-for-webhooks"

#: (till, database)
Place = tuple[str, str]


def on_both(*tills: str) -> list[Place]:
    """Each of *tills*, on each of the two kinds of database."""
    return [(till, database) for till in tills for database in ("sqlite", "postgresql")]


def named(place: Place) -> str:
    return "-".join(place)


UNIVAPAY: list[Place] = [
    *on_both("univapay-fake"), ("univapay-emulator", "memory"), ("univapay-http", "sqlite"),
]  # fmt: skip
FAKES = {"telecom": FakeTelecom, "stripe": FakeStripe, "amazonpay": FakeAmazonPay}

#: The renewal mail has a delay of five minutes, as the first manual recommends (R-211).
MAILS = (
    StepMailPlan("welcome", MailSet.ON_PAYMENT_COMPLETE),
    StepMailPlan("thank-you", MailSet.ON_RENEWAL, delay=300),
    StepMailPlan("goodbye", MailSet.ON_RECURRING_CANCEL),
)


@contextmanager
def till(name: str, clock: ManualClock) -> Iterator[Till]:
    if name == "univapay-fake":
        yield FakeTill("univapay", FakeUnivaPay(clock=clock))
    elif name in FAKES:
        yield FakeTill(name, FAKES[name](clock=clock))
    else:
        emulator = UnivaPayEmulator(clock)
        if name == "univapay-emulator":
            emulator.add_webhook("https://shop.example/webhooks/univapay", WEBHOOK_WORD)
            yield EmulatedUnivaPay(emulator, plugin(emulator, UNIVAPAY_URL), {UNIVAPAY_URL: emulator.handle})
        else:
            with serve(emulator, webhooks=False) as url:
                yield ServedUnivaPay(emulator, plugin(emulator, url), None)


def plugin(emulator: UnivaPayEmulator, base_url: str) -> UnivaPay:
    return UnivaPay(
        UnivaPaySettings(
            app_token=emulator.credentials.app_token,
            secret=emulator.credentials.secret,
            webhook_auth_token=WEBHOOK_WORD,
            base_url=base_url,
            poll_budget=0,  # the scenarios wait where the manual waits
        )
    )


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
        if isinstance(counter, ServedUnivaPay):
            counter.tell_at(stack.enter_context(Endpoint(gateway)), WEBHOOK_WORD)
        yield Shop(gateway, clock, letters, counter)


@pytest.fixture
def clock() -> ManualClock:
    """Noon of the second manual's example day: a contract that starts now renews on every 8th (R-031)."""
    return ManualClock.jst(2024, 10, 8, 12)


@pytest.fixture(params=UNIVAPAY, ids=named)
def univapay(request: pytest.FixtureRequest, clock: ManualClock) -> Iterator[Shop]:
    with opened(request.param, clock, request) as shop:
        yield shop


@pytest.fixture(params=on_both("telecom"), ids=named)
def telecom(request: pytest.FixtureRequest, clock: ManualClock) -> Iterator[Shop]:
    with opened(request.param, clock, request) as shop:
        yield shop


@pytest.fixture(params=on_both("stripe"), ids=named)
def stripe(request: pytest.FixtureRequest, clock: ManualClock) -> Iterator[Shop]:
    with opened(request.param, clock, request) as shop:
        yield shop


@pytest.fixture(params=on_both("amazonpay"), ids=named)
def amazonpay(request: pytest.FixtureRequest, clock: ManualClock) -> Iterator[Shop]:
    with opened(request.param, clock, request) as shop:
        yield shop


@pytest.fixture(params=[*on_both("stripe"), *UNIVAPAY], ids=named)
def stripe_or_univapay(request: pytest.FixtureRequest, clock: ManualClock) -> Iterator[Shop]:
    """The two whose renewals paygate charges itself."""
    with opened(request.param, clock, request) as shop:
        yield shop


@pytest.fixture(params=on_both("stripe", "amazonpay"), ids=named)
def stripe_or_amazonpay(request: pytest.FixtureRequest, clock: ManualClock) -> Iterator[Shop]:
    """The two that usually answer at once."""
    with opened(request.param, clock, request) as shop:
        yield shop


@pytest.fixture(params=on_both("telecom", "stripe"), ids=named)
def telecom_or_stripe(request: pytest.FixtureRequest, clock: ManualClock) -> Iterator[Shop]:
    """The two that know no window for additional charges."""
    with opened(request.param, clock, request) as shop:
        yield shop


@pytest.fixture(params=[*UNIVAPAY, *on_both("telecom", "stripe", "amazonpay")], ids=named)
def any_provider(request: pytest.FixtureRequest, clock: ManualClock) -> Iterator[Shop]:
    """Each of the four providers in turn."""
    with opened(request.param, clock, request) as shop:
        yield shop


@pytest.fixture(params=on_both(""), ids=lambda place: place[1])
def offline(request: pytest.FixtureRequest, clock: ManualClock) -> Iterator[Shop]:
    """A shop without any provider: bank transfers and contracts made by hand."""
    with opened(request.param, clock, request) as shop:
        yield shop
