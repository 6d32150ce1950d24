"""Where the database is, and who makes it: a wrong place is an error, never a new and empty database."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from paygate import Card, Customer, Gateway, Money, Plan
from paygate.cli.failures import Exit
from paygate.errors import ConfigurationError, DatabaseMissing

from .conftest import Shell

PLAN = Plan.recurring("Gold", Money(3000, "JPY"))


@pytest.fixture
def fresh(empty: Shell) -> Shell:
    """A configured folder whose database has not been made."""
    (empty.folder / "paygate.db").unlink()
    return empty


@pytest.mark.rule("R-293")
@pytest.mark.parametrize(
    "command",
    [
        ("bill", "--yes"),
        ("bill", "--dry-run"),
        ("reconcile",),
        ("contracts", "list"),
        ("charges", "list"),
        ("reports", "due"),
        ("step-mails", "list"),
        ("db", "purge"),
        ("db", "backup", "copy.db"),
    ],
)
def test_a_command_on_a_database_that_does_not_exist_is_an_error_and_makes_none(
    fresh: Shell, command: tuple[str, ...]
) -> None:
    result = fresh(*command)
    assert result.exit_code == Exit.CONFIGURATION, result.output
    assert "paygate db create" in result.output
    assert not (fresh.folder / "paygate.db").exists()
    assert not (fresh.folder / "copy.db").exists()


@pytest.mark.rule("R-293")
def test_the_first_import_makes_the_database_unless_it_is_refused_or_only_checked(fresh: Shell, prepared: Path) -> None:
    shutil.copy(prepared / "contracts.csv", fresh.folder)
    file = fresh.folder / "paygate.db"
    bad = (fresh.folder / "contracts.csv").read_text(encoding="utf-8").replace("bank_transfer", "barter")
    fresh.write("bad.csv", bad)

    assert fresh.json("import", "contracts.csv", "--dry-run")["accepted"] == 10
    assert fresh("import", "bad.csv").exit_code == Exit.REFUSED
    assert not file.exists()
    assert len(fresh.json("import", "contracts.csv")["imported"]) == 10
    assert file.exists()
    assert fresh("bill", "--dry-run").exit_code == Exit.DONE


@pytest.mark.rule("R-293")
def test_the_database_is_made_on_purpose_once(fresh: Shell) -> None:
    assert fresh.json("db", "create")["created"] is True
    assert fresh.json("db", "create")["created"] is False
    assert fresh("bill", "--yes").exit_code == Exit.DONE


@pytest.mark.rule("R-293")
def test_upgrading_makes_an_empty_database(fresh: Shell) -> None:
    assert fresh.json("db", "upgrade")["before"] is None
    assert fresh("contracts", "list").exit_code == Exit.DONE


@pytest.mark.rule("R-293")
def test_an_empty_database_of_postgresql_counts_as_none(
    fresh: Shell, empty_pg_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAYGATE_DATABASE", empty_pg_url)
    result = fresh("bill", "--yes")
    assert result.exit_code == Exit.CONFIGURATION
    assert "no tables of paygate there" in result.output
    assert fresh.json("db", "create")["created"] is True
    assert fresh("bill", "--yes").exit_code == Exit.DONE


@pytest.mark.rule("R-293")
def test_a_file_without_our_tables_counts_as_none(fresh: Shell) -> None:
    (fresh.folder / "paygate.db").touch()
    assert fresh("bill", "--yes").exit_code == Exit.CONFIGURATION


@pytest.mark.rule("R-293")
def test_a_gateway_of_a_file_waits_for_the_first_contract(fresh: Shell) -> None:
    path = fresh.folder / "paygate.toml"
    with Gateway.open(path) as gateway, Gateway.open(path) as other:
        with pytest.raises(DatabaseMissing, match="no such file"):
            gateway.billing.run()
        with pytest.raises(ConfigurationError):
            gateway.contracts.list().all()
        made = gateway.contracts.create(Customer("cus_1"), PLAN, Card("stripe", "pm_1"))
        assert other.contracts.get(made.id) == made  # the other process notices
        assert gateway.billing.run().unknown == 0


@pytest.mark.rule("R-293")
def test_a_gateway_of_a_file_makes_the_database_or_not_as_it_is_told(fresh: Shell) -> None:
    path = fresh.folder / "paygate.toml"
    with pytest.raises(DatabaseMissing):
        Gateway.open(path, create=False)
    assert not (fresh.folder / "paygate.db").exists()
    with Gateway.open(path, create=True) as gateway:
        assert gateway.contracts.list().all() == []


@pytest.mark.rule("R-293")
def test_the_first_checkout_makes_the_database_too(fresh: Shell) -> None:
    with Gateway.open(fresh.folder / "paygate.toml") as gateway:
        gateway.checkouts.begin(
            "stripe", Customer("cus_1"), return_url="https://shop.example/done", idempotency_key="order-1"
        )
    assert (fresh.folder / "paygate.db").exists()


@pytest.mark.rule("R-293")
def test_a_gateway_of_values_makes_its_database(tmp_path: Path) -> None:
    with Gateway(database=f"sqlite:///{tmp_path / 'shop.db'}", providers={}) as gateway:
        assert gateway.contracts.list().all() == []


@pytest.mark.rule("R-293")
def test_a_directory_that_does_not_exist_is_named(fresh: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAYGATE_DATABASE", f"sqlite:///{fresh.folder}/data/paygate.db")
    for command in (("bill", "--yes"), ("db", "create"), ("db", "upgrade")):
        result = fresh(*command)
        assert result.exit_code == Exit.CONFIGURATION
        assert "data does not exist; make it" in " ".join(result.output.split())


@pytest.mark.rule("R-295")
def test_relative_paths_in_the_file_count_from_the_file(
    shell: Shell, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.chdir(elsewhere)
    result = shell("--config", str(shell.folder / "paygate.toml"), "contracts", "list", "--json")
    assert result.exit_code == Exit.DONE, result.output
    assert len(json.loads(result.stdout)) == 10
    charge = ("charge", "ST-1", "500", "--consent", "phone", "--yes")
    assert shell("--config", str(shell.folder / "paygate.toml"), *charge).exit_code == Exit.DONE
    assert list(elsewhere.iterdir()) == []
    assert (shell.folder / "stripe.json").exists()


@pytest.mark.rule("R-295")
def test_a_relative_path_in_the_environment_counts_from_where_one_is(
    shell: Shell, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("PAYGATE_DATABASE", "sqlite:///mine.db")
    assert shell("--config", str(shell.folder / "paygate.toml"), "db", "create").exit_code == Exit.DONE
    assert (elsewhere / "mine.db").exists()


@pytest.mark.rule("R-295")
@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "sqlite:////nowhere/at/all.db"])
def test_places_that_are_not_relative_stay_as_they_are(fresh: Shell, url: str) -> None:
    from paygate.config import load

    text = (fresh.folder / "paygate.toml").read_text(encoding="utf-8")
    fresh.write("paygate.toml", text.replace("sqlite:///paygate.db", url))
    assert load("paygate.toml").database == url


@pytest.mark.rule("R-294")
def test_a_backup_is_taken_by_a_command_and_is_a_database(shell: Shell) -> None:
    made = shell.json("db", "backup", "backup.db")
    assert (made["path"], made["size"] > 0) == ("backup.db", True)
    again = shell("db", "backup", "backup.db")
    assert again.exit_code == Exit.CONFIGURATION
    assert "--force" in again.output
    assert shell("db", "backup", "backup.db", "--force").exit_code == Exit.DONE
    (shell.folder / "paygate.db").unlink()
    shutil.copy(shell.folder / "backup.db", shell.folder / "paygate.db")
    assert len(shell.json("contracts", "list")) == 10


@pytest.mark.rule("R-296")
@pytest.mark.parametrize("day", ["9999-12-31", "0001-01-01"])
@pytest.mark.parametrize(
    "command",
    [
        ("bill", "--yes", "--until"),
        ("bill", "--dry-run", "--until"),
        ("reports", "charged", "--since"),
        ("reports", "due", "--until"),
        ("access", "ST-1", "--on"),
    ],
)
def test_a_day_from_the_end_of_the_calendar_is_refused_in_one_line(
    shell: Shell, command: tuple[str, ...], day: str
) -> None:
    value = f"{day} 00:00" if command[0] == "access" else day
    result = shell(*command, value)
    assert result.exit_code in {Exit.USAGE, Exit.REFUSED}, result.output
    assert "Unexpected" not in result.output


@pytest.mark.rule("R-296")
def test_an_import_leaves_out_the_rows_from_the_ends_of_the_calendar(fresh: Shell) -> None:
    header = "contract_id,customer_id,plan,kind,price,payment,start_on"
    rows = [
        f"C-{n},c,Gold,daily,500,bank_transfer,{day}"
        for n, day in enumerate(["9999-12-31", "0001-01-01", "2026-01-31"])
    ]
    fresh.write("ends.csv", "\n".join([header, *rows]))
    result = fresh("import", "ends.csv", "--skip-invalid", "--json")
    outcome = json.loads(result.stdout)
    assert outcome["imported"] == ["C-2"]
    assert sorted({problem["line"] for problem in outcome["problems"]}) == [2, 3]
