"""How the command line fails: exit codes, texts, and a JSON document for programs."""

import json

import pytest

from paygate.cli.failures import EPILOGUE, Exit, exit_of
from paygate.errors import (
    ChargeDeclined,
    ConfigurationError,
    InvalidAmount,
    NotFound,
    OutcomeUnknown,
    PaygateError,
    PermissionClosed,
    ProviderUnavailable,
    RefundFailed,
    SchemaOutdated,
)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (PaygateError, Exit.UNEXPECTED),
        (ConfigurationError, Exit.CONFIGURATION),
        (SchemaOutdated, Exit.CONFIGURATION),
        (NotFound, Exit.REFUSED),
        (InvalidAmount, Exit.REFUSED),
        (ChargeDeclined, Exit.DECLINED),
        (PermissionClosed, Exit.DECLINED),
        (RefundFailed, Exit.DECLINED),
        (ProviderUnavailable, Exit.DECLINED),
        (OutcomeUnknown, Exit.OPEN),
    ],
)
def test_each_kind_of_error_has_its_exit_code(error, code):
    assert exit_of(error("no")) is code


def test_the_help_explains_every_exit_code(empty):
    told = empty("--help").stdout

    for code in Exit:
        assert f"\n    {code.value}  " in told
    assert all(f"  {code.value}  " in EPILOGUE for code in Exit)


def test_a_missing_configuration_ends_with_3_and_names_the_file(empty):
    result = empty("--config", "other.toml", "contracts", "list")

    assert result.exit_code == 3
    assert "other.toml: no such file" in result.stderr


def test_the_configuration_can_come_from_the_environment(empty, monkeypatch):
    monkeypatch.setenv("PAYGATE_CONFIG", "from-the-environment.toml")

    assert "from-the-environment.toml" in empty("contracts", "list").stderr


def test_an_outdated_database_says_which_command_to_run(empty):
    import sqlite3

    with sqlite3.connect(empty.folder / "paygate.db") as database:
        database.execute("UPDATE paygate_schema_version SET version_num = 'from-the-future'")
    database.close()
    result = empty("contracts", "list")

    assert result.exit_code == 3
    assert "Traceback" not in result.output


def test_an_error_is_one_json_document_for_a_program_and_a_text_for_people(shell):
    result = shell("charge", "ST-1", "5000", "--yes", "--json")

    error = json.loads(result.stdout)["error"]
    assert (error["type"], error["rule"], error["exit_code"]) == ("ConsentRequired", "R-188", 4)
    assert error["message"]
    assert "--consent" in error["next"]
    assert "Rule:  R-188" in result.stderr


def test_a_misspelt_command_is_told_with_the_one_that_was_probably_meant(empty):
    result = empty("contract", "list")

    assert result.exit_code == 2
    assert "did you mean 'contracts'?" in result.stderr


def test_a_command_that_resembles_none_is_an_error_of_usage(empty):
    assert empty("xyzzy").exit_code == 2


def broken_config(shell) -> None:
    (shell.folder / "broken.py").write_text(
        "from paygate.testing.fakes import FakeStripe\n"
        "class Broken(FakeStripe):\n"
        "    async def ping(self):\n"
        "        raise RuntimeError('out of order\\nsecond line: password=hunter2')\n",
        encoding="utf-8",
    )
    with (shell.folder / "paygate.toml").open("a", encoding="utf-8") as file:
        file.write('\n[accounts.broken]\nprovider = "broken:Broken"\n')


def test_a_mistake_of_a_plugin_ends_with_1_in_one_line_and_the_traceback_is_for_debug(empty, monkeypatch):
    broken_config(empty)
    monkeypatch.syspath_prepend(empty.folder)
    result = empty("providers", "ping", "broken")

    assert result.exit_code == 1
    assert "Unexpected error: RuntimeError: out of order" in result.stderr
    assert "hunter2" not in result.output
    assert "Traceback" not in result.output
    assert "Traceback" in empty("--debug", "providers", "ping", "broken").stderr


def test_an_interruption_ends_with_7_and_says_that_open_attempts_stay_recorded(empty, monkeypatch):
    (empty.folder / "interrupted.py").write_text(
        "from paygate.testing.fakes import FakeStripe\n"
        "class Interrupted(FakeStripe):\n"
        "    async def ping(self):\n"
        "        raise KeyboardInterrupt\n",
        encoding="utf-8",
    )
    with (empty.folder / "paygate.toml").open("a", encoding="utf-8") as file:
        file.write('\n[accounts.slow]\nprovider = "interrupted:Interrupted"\n')
    monkeypatch.syspath_prepend(empty.folder)
    result = empty("providers", "ping", "slow")

    assert result.exit_code == 7
    assert "paygate reconcile" in result.stderr
