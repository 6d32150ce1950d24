"""The shops in which the two manuals are retold, one fixture for each provider.

Every scenario runs against the fakes. UnivaPay's run also against the real plugin in front of the emulator: mounted in
process, and over HTTP on loopback.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from paygate import Gateway, MailSet, StepMailPlan
from paygate.testing import FakeAmazonPay, FakeStripe, FakeTelecom, FakeUnivaPay, ManualClock
from paygate.testing.emulators import serve
from paygate.testing.emulators.univapay import UnivaPayEmulator
from paygate_univapay import UnivaPay, UnivaPaySettings

from .shop import EmulatedUnivaPay, FakeTill, LetterBox, Shop, Till

UNIVAPAY_URL = "https://api.univapay.com"
WEBHOOK_WORD = "word-only-for-webhooks"

UNIVAPAY = ("univapay-fake", "univapay-emulator", "univapay-http")
OTHERS = ("telecom", "stripe", "amazonpay")
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
        emulator.add_webhook("https://shop.example/webhooks/univapay", WEBHOOK_WORD)
        if name == "univapay-emulator":
            yield EmulatedUnivaPay(emulator, plugin(emulator, UNIVAPAY_URL), {UNIVAPAY_URL: emulator.handle})
        else:
            with serve(emulator, webhooks=False) as url:
                yield EmulatedUnivaPay(emulator, plugin(emulator, url), None)


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


@contextmanager
def opened(name: str, clock: ManualClock) -> Iterator[Shop]:
    letters = LetterBox()
    with (
        till(name, clock) as counter,
        Gateway(
            database="sqlite://",
            providers={counter.account: counter.provider},
            plugins=[letters],
            clock=clock,
            step_mails=MAILS,
            mounts=counter.mounts,
        ) as gateway,
    ):
        yield Shop(gateway, clock, letters, counter)


@pytest.fixture
def clock() -> ManualClock:
    """Noon of the second manual's example day: a contract that starts now renews on every 8th (R-031)."""
    return ManualClock.jst(2024, 10, 8, 12)


@pytest.fixture(params=UNIVAPAY)
def univapay(request: pytest.FixtureRequest, clock: ManualClock) -> Iterator[Shop]:
    with opened(request.param, clock) as shop:
        yield shop


@pytest.fixture
def telecom(clock: ManualClock) -> Iterator[Shop]:
    with opened("telecom", clock) as shop:
        yield shop


@pytest.fixture
def stripe(clock: ManualClock) -> Iterator[Shop]:
    with opened("stripe", clock) as shop:
        yield shop


@pytest.fixture
def amazonpay(clock: ManualClock) -> Iterator[Shop]:
    with opened("amazonpay", clock) as shop:
        yield shop


@pytest.fixture(params=["stripe", *UNIVAPAY])
def stripe_or_univapay(request: pytest.FixtureRequest, clock: ManualClock) -> Iterator[Shop]:
    """The two whose renewals paygate charges itself."""
    with opened(request.param, clock) as shop:
        yield shop


@pytest.fixture(params=[*UNIVAPAY, *OTHERS])
def any_provider(request: pytest.FixtureRequest, clock: ManualClock) -> Iterator[Shop]:
    """Each of the four providers in turn."""
    with opened(request.param, clock) as shop:
        yield shop


@pytest.fixture
def offline(clock: ManualClock) -> Iterator[Shop]:
    """A shop without any provider: bank transfers and contracts made by hand."""
    letters = LetterBox()
    with Gateway(database="sqlite://", providers={}, plugins=[letters], clock=clock, step_mails=MAILS) as gateway:
        yield Shop(gateway, clock, letters)
