"""The zone of the machine has no say (X-18, R-001): days begin at midnight in Japan wherever the server stands."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from paygate import JST, Customer, Gateway, Manual
from paygate.errors import ChargeWindowExpired, EffectiveDayReached, MailAlreadySent, RenewalDayError
from paygate.testing import ManualClock

from .conftest import PLAN, World

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from rules_without_tests import collect  # noqa: E402 - a script, not a package

pytestmark = pytest.mark.rule("X-18", "R-001", "R-003")


@pytest.fixture(params=["UTC", "Asia/Tokyo", "America/New_York", "Pacific/Kiritimati"])
def host_zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The machine stands in that zone while the test runs."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


def _at(*parts: int) -> dt.datetime:
    return dt.datetime(*parts, tzinfo=JST)  # type: ignore[misc]


def test_the_machine_really_stands_elsewhere(host_zone: str) -> None:
    noon = time.mktime((2026, 1, 15, 12, 0, 0, 0, 0, 0))
    hours = {"UTC": 0, "Asia/Tokyo": 9, "America/New_York": -5, "Pacific/Kiritimati": 14}[host_zone]
    assert dt.datetime.fromtimestamp(noon, dt.UTC).hour == (12 - hours) % 24


@pytest.mark.rule("R-031", "R-127", "R-136", "R-229")
def test_days_turn_at_midnight_in_japan_through_store_and_billing_run(
    world: World, clock: ManualClock, host_zone: str
) -> None:
    contract = world.contract("stripe")  # 15 January
    world.settled(contract, send_step_mail=True)  # mails are due five minutes later
    mail = next(iter(world.gateway.step_mails.list(contract_id=contract.id)))
    clock.set(mail.due_at)
    with pytest.raises(MailAlreadySent):
        world.gateway.step_mails.pause(mail.id)

    clock.set(_at(2026, 2, 14, 23, 59, 59))
    assert world.gateway.billing.run().renewed == 0
    clock.set(_at(2026, 2, 15, 0, 0, 0))
    with pytest.raises(RenewalDayError):
        world.gateway.contracts.schedule_cancellation(contract.id)
    assert world.gateway.billing.run().renewed == 1
    assert [row.target_on for row in world.gateway.reports.charged(since=dt.date(2026, 2, 15))] == [
        dt.date(2026, 2, 15)
    ]

    clock.set(_at(2026, 2, 16, 0, 0, 0))
    world.gateway.contracts.schedule_cancellation(contract.id)
    clock.set(_at(2026, 3, 14, 23, 59, 59))
    world.gateway.contracts.revoke_cancellation(contract.id)
    world.gateway.contracts.schedule_cancellation(contract.id)
    clock.set(_at(2026, 3, 15, 0, 0, 0))
    with pytest.raises(EffectiveDayReached):
        world.gateway.contracts.revoke_cancellation(contract.id)
    assert world.gateway.billing.run().cancelled == 1
    assert world.gateway.contracts.get(contract.id).ended_on == dt.date(2026, 3, 15)


@pytest.mark.rule("R-016", "R-029", "R-199")
def test_starts_and_windows_count_in_japan(world: World, clock: ManualClock, host_zone: str) -> None:
    clock.set(_at(2026, 5, 1, 0, 30))  # 30 April in Europe and America
    made = world.gateway.contracts.create(Customer("cus_1"), PLAN, Manual(), paid=True)
    assert made.start_on == dt.date(2026, 5, 1)
    contract = world.contract("univapay")
    clock.set(_at(2027, 5, 1, 0, 29, 59))
    world.charge(contract)
    later = world.contract("univapay", customer="cus_2")
    closes_at = world.gateway.contracts.details(later.id).addon_window_closes_at
    assert closes_at is not None
    clock.set(closes_at)
    with pytest.raises(ChargeWindowExpired):
        world.charge(later)


@pytest.mark.rule("R-029")
def test_a_contract_starts_on_its_day_in_japan(clock: ManualClock, host_zone: str) -> None:
    with Gateway(database="sqlite://", providers={}, clock=clock) as gateway:
        gateway.contracts.create(
            Customer("cus_1"), PLAN, Manual(), contract_id="later", paid=True, start_on=dt.date(2026, 2, 1)
        )
        clock.set(_at(2026, 1, 31, 23, 59, 59))
        assert gateway.billing.run().started == 0
        clock.set(_at(2026, 2, 1, 0, 0, 0))
        assert gateway.billing.run().started == 1


def test_every_boundary_case_of_the_domain_holds_on_a_machine_in_new_york() -> None:
    cited = [one for one in collect(ROOT) if one.rule and one.rule.startswith("B-")]
    cited = [one for one in cited if one.path.startswith("tests/domain/")]
    files, names = sorted({one.path for one in cited}), sorted({one.test.rsplit("::")[-1] for one in cited})
    assert len(files) > 10

    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", " or ".join(names), *files]
    run = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "TZ": "America/New_York"}, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout[-3000:]
    assert int(run.stdout.splitlines()[-1].split()[0]) > 150, run.stdout[-500:]
