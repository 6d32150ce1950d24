"""How the commands end when the database fails: 9 before a provider was asked, 6 once it was."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator

import pytest
from freezegun import freeze_time

from paygate.cli.failures import Exit
from paygate.store import Session, Store

from .conftest import Shell


class Failing(Store):
    """Its disk is full from the given writing transaction on."""

    left = 0

    @contextlib.contextmanager
    def write(self) -> Iterator[Session]:
        with super().write() as session:
            yield session
            Failing.left -= 1
            if Failing.left < 0:
                raise sqlite3.OperationalError("database or disk is full")


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("paygate.gateway.assembly.Store", Failing)
    monkeypatch.setattr("paygate.billing.recording._PAUSES", (0.0,))


CHARGE = ("charge", "ST-1", "5000", "--consent", "phone", "--yes", "--json")


@pytest.mark.rule("R-291")
@pytest.mark.usefixtures("failing")
def test_a_charge_that_was_not_sent_ends_with_9_and_may_be_repeated(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Failing, "left", 0)
    result = shell(*CHARGE)
    assert result.exit_code == Exit.DATABASE, result.output
    error = json.loads(result.stdout)["error"]
    assert (error["type"], error["exit_code"]) == ("StoreUnavailable", 9)
    assert "run it again" in error["next"]

    monkeypatch.setattr(Failing, "left", 1000)
    assert shell(*CHARGE).exit_code == Exit.DONE


@pytest.mark.rule("R-292")
@pytest.mark.usefixtures("failing")
def test_a_charge_that_was_taken_but_not_saved_ends_with_6_and_is_settled_later(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    for left in range(1, 10):  # the first writing transactions belong to what comes before the provider
        monkeypatch.setattr(Failing, "left", left)
        result = shell(*CHARGE)
        if result.exit_code == Exit.OPEN:
            break
        assert result.exit_code == Exit.DATABASE
    error = json.loads(result.stdout)["error"]
    assert (error["type"], error["next"]) == ("OutcomeUnknown", "run: paygate reconcile; do not repeat it")
    assert "run it again" not in result.output
    assert "--debug" not in result.output

    monkeypatch.setattr(Failing, "left", 1000)
    assert any(charge["id"] in error["message"] for charge in shell.json("charges", "list"))


@pytest.mark.rule("R-292")
@pytest.mark.usefixtures("failing")
def test_a_run_on_a_database_that_fails_ends_with_9_or_6_and_never_as_a_mistake(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = set()
    for left in range(40):
        monkeypatch.setattr(Failing, "left", left)
        with freeze_time("2026-12-01T01:00:00Z"):  # the renewals of 30 November are due
            result = shell("bill", "--yes", "--json")
        codes.add(result.exit_code)
        assert result.exit_code in {Exit.DONE, Exit.DECLINED, Exit.OPEN, Exit.DATABASE}, result.output
        assert "Unexpected" not in result.output
    assert {Exit.DATABASE, Exit.OPEN} <= codes
