"""``paygate demo``: ends well, shows what the rules say, alike each time, and asks nobody outside this machine."""

import datetime as dt
import json
import os
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from rich.cells import cell_len

from paygate.cli import demo as demo_command
from paygate.cli import demo_report
from paygate.cli.app import paygate

ROOT = Path(__file__).resolve().parents[2]
PAYGATE = Path(sys.executable).with_name("paygate")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(paygate, list(arguments))


@pytest.fixture(scope="module")
def shown() -> str:
    result = run("demo")
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture(scope="module")
def outcome() -> dict[str, Any]:
    result = run("demo", "--json")
    assert result.exit_code == 0, result.output
    value: dict[str, Any] = json.loads(result.stdout)
    return value


def charges_of(outcome: dict[str, Any], contract: str) -> list[dict[str, Any]]:
    return [charge for charge in outcome["charges"] if charge["contract"] == contract]


def test_every_expectation_of_the_demo_holds(outcome: dict[str, Any]) -> None:
    assert [it["claim"] for it in outcome["expectations"] if not it["held"]] == []
    assert len(outcome["expectations"]) > 50
    assert outcome["ok"] is True


@pytest.mark.rule("R-172", "R-181", "R-182", "R-183", "R-196", "R-206", "R-214", "R-217")
def test_each_provider_is_charged_in_each_combination_of_options_that_it_allows(outcome: dict[str, Any]) -> None:
    made = {
        contract: [(it["renew_expiry"], it["send_step_mail"]) for it in charges_of(outcome, contract)]
        for contract in ("UP-01", "TC-01", "ST-01", "AP-01")
    }

    four = [(False, False), (False, True), (True, False), (True, True)]
    assert made["UP-01"] == four
    assert made["TC-01"][:1] == [(True, True)]
    assert made["ST-01"][:4] == four
    assert made["AP-01"][:2] == [(False, False), (False, True)]


@pytest.mark.parametrize(
    ("contract", "expiries"),
    [
        pytest.param(
            "UP-01",
            ["2026-11-30", "2026-11-30", "2026-11-30", "2026-12-31", "2027-01-31"],
            id="month end, anchored on the 31st",
            marks=pytest.mark.rule("R-032", "R-049", "R-052", "B-110"),
        ),
        pytest.param(
            "ST-01",
            ["2026-11-29", "2026-11-29", "2026-11-29", "2026-12-29", "2027-01-29", "2027-01-29"],
            id="leap day",
            marks=pytest.mark.rule("R-006", "R-052", "B-110"),
        ),
        pytest.param(
            "TC-01",
            ["2026-11-28", "2026-12-28", "2027-11-28"],
            id="always extended, past the receipt",
            marks=pytest.mark.rule("R-050", "R-208"),
        ),
        pytest.param(
            "AP-01",
            ["2027-03-31", "2030-12-31", "2030-12-31", "2030-12-31"],
            id="always the system's largest date",
            marks=pytest.mark.rule("R-218", "R-219"),
        ),
    ],
)
def test_the_expiry_moves_as_the_rules_say(outcome: dict[str, Any], contract: str, expiries: list[str]) -> None:
    charges = charges_of(outcome, contract)

    assert [charges[0]["expires_on_before"], *(it["expires_on"] for it in charges)] == expiries


def test_all_charges_that_were_made_succeeded_in_the_end(outcome: dict[str, Any]) -> None:
    assert {charge["state"] for charge in outcome["charges"]} == {"SUCCEEDED"}


@pytest.mark.rule("R-024", "R-167", "R-185", "R-188", "R-197", "R-204", "R-205", "R-215", "B-106", "B-107")
def test_refusals_name_error_and_rule_and_nothing_is_sent(outcome: dict[str, Any]) -> None:
    refusals = outcome["refusals"]

    assert all(it["nothing_sent"] for it in refusals)
    assert Counter((it["error"], it["rule"]) for it in refusals) == {
        ("DuplicateCharge", "R-205"): 1,
        ("OptionNotSupported", "R-185"): 2,
        ("ConsentRequired", "R-188"): 1,
        ("InvalidAmount", "R-004"): 1,
        ("InvalidAmount", "R-171"): 1,
        ("InvalidAmount", "R-215"): 1,
        ("NotCardCustomer", "R-167"): 2,
        ("ChargeWindowExpired", "R-197"): 2,
        ("OperationNotAllowed", "R-204"): 1,
        ("OperationNotAllowed", "R-187"): 1,
        ("PermissionDenied", "R-169"): 1,
        ("IdempotencyConflict", "R-190"): 1,
        ("NotFound", ""): 1,
        ("ChargeInProgress", "R-189"): 2,
        ("RefundExceedsSale", "R-239"): 1,
        ("MailAlreadySent", "R-229"): 1,
    }


@pytest.mark.rule("R-189", "R-194", "R-269")
def test_a_forged_webhook_is_refused_and_a_repeated_one_applied_once(shown: str) -> None:
    scene = shown[shown.index("5. UnivaPay over HTTP") : shown.index("6. A lost answer")]
    answers = [line.split()[-2:] for line in scene.splitlines() if line.startswith(" 2026-11-20")]

    assert answers == [
        ["–", "PENDING"],  # the answer to the charge itself
        ["401", "PENDING"],  # forged
        ["200", "PENDING"],  # authentic, but UnivaPay itself still says pending
        ["200", "SUCCEEDED"],
        ["200", "SUCCEEDED"],  # the same again
    ]
    assert "The ledger has 1 row for it" in scene


@pytest.mark.rule("R-198", "R-199")
def test_the_limit_bites_one_year_after_the_last_additional_charge(outcome: dict[str, Any]) -> None:
    closed = dt.datetime.fromisoformat(outcome["window_closed_at"])

    # UP-01 was charged four times, a minute apart; the last success counts
    assert closed == dt.datetime.fromisoformat("2027-11-20T10:03:00+09:00")


@pytest.mark.rule("R-239", "R-241", "R-249")
def test_parts_go_back_and_telecom_credit_leaves_a_manual_refund(outcome: dict[str, Any]) -> None:
    made = [(it["contract"], it["amount"]["minor"], it["state"], it["by_hand"]) for it in outcome["refunds"]]

    assert made == [
        ("ST-01", 1000, "DONE", False),
        ("ST-01", 500, "DONE", False),
        ("UP-02", 300, "DONE", False),
        ("AP-01", 600, "DONE", False),
        ("TC-01", 700, "PENDING", True),
    ]


@pytest.mark.rule("R-207", "R-209", "R-211", "R-226", "R-228")
def test_a_forced_mail_is_held_back_and_the_old_expiry_set_again(outcome: dict[str, Any]) -> None:
    assert outcome["step_mails"] == {"SENT": 17, "QUEUED": 3, "PAUSED": 1, "DELETED": 1}
    assert outcome["expiries"]["TC-02"] == {"at_import": "2026-11-30", "now": "2026-11-30"}
    assert charges_of(outcome, "TC-02")[0]["expires_on"] == "2027-11-30"


def test_what_the_providers_took_is_what_the_charges_add_up_to(outcome: dict[str, Any]) -> None:
    charged: Counter[str] = Counter()
    for charge in outcome["charges"]:
        charged[charge["account"]] += charge["amount"]["minor"]

    assert {it["account"]: it["captured"] for it in outcome["balances"]} == charged
    assert all(it["agrees"] for it in outcome["balances"])


def test_two_runs_show_the_same(shown: str) -> None:
    assert run("demo").stdout == shown


def test_everything_fits_into_a_hundred_columns_and_nothing_is_cut_off(
    shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_report, "WIDTH", 400)
    wide = run("demo").stdout

    def letters(text: str) -> Counter[str]:
        return Counter(letter for letter in text if not letter.isspace() and letter != "─")

    assert max(cell_len(line) for line in shown.splitlines()) <= 100
    assert letters(shown) == letters(wide)


def test_no_secret_and_no_token_is_shown(shown: str) -> None:
    tokens = [
        line.split(",")[12] for line in demo_command.contracts_file().read_text(encoding="utf-8").splitlines()[1:]
    ]

    assert [token for token in tokens if token and token in shown] == []
    assert "word-between" not in shown
    assert "Bearer" not in shown


def test_the_demo_talks_to_nobody_outside_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    connect, outside = socket.socket.connect, []

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in {socket.AF_INET, socket.AF_INET6} and address[0] not in {"127.0.0.1", "::1"}:
            outside.append(address)
            raise OSError("no network")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)

    assert run("demo", "--json").exit_code == 0
    assert outside == []


def test_the_installed_command_ends_well_within_a_minute(tmp_path: Path) -> None:
    began = time.monotonic()
    environment = {**os.environ, "PYTHONUTF8": "1", "PAYGATE_CONFIG": str(tmp_path / "none.toml")}

    done = subprocess.run(
        [PAYGATE, "demo"], cwd=tmp_path, env=environment, capture_output=True, encoding="utf-8", check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1].startswith("All ")
    assert time.monotonic() - began < 60
    assert list(tmp_path.iterdir()) == []


def test_the_demo_runs_on_any_empty_database(empty_database_url: str) -> None:
    assert run("demo", "--json", "--database", empty_database_url).exit_code == 0


def test_a_database_with_contracts_is_left_alone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'used.db'}"
    assert run("demo", "--json", "--database", url).exit_code == 0

    again = run("demo", "--database", url)

    assert again.exit_code == 3
    assert "has to be empty" in again.stderr


def test_a_kept_demo_can_be_gone_on_with(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    assert run("demo", "--json", "--keep", str(folder)).exit_code == 0
    config = str(folder / "paygate.toml")

    contracts = json.loads(run("--config", config, "--json", "contracts", "list").stdout)
    charges = json.loads(run("--config", config, "--json", "charges", "list", "--contract", "ST-02").stdout)
    refund = run("--config", config, "--json", "refund", charges[0]["id"], "150", "--yes")

    assert len(contracts) == 46
    assert refund.exit_code == 0, refund.output


def test_a_folder_in_use_and_two_databases_at_once_are_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep me", encoding="utf-8")

    assert run("demo", "--keep", str(tmp_path)).exit_code == 3
    assert run("demo", "--keep", str(tmp_path / "new"), "--database", "sqlite://").exit_code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_the_demo_fails_where_something_is_not_as_it_should_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contracts = demo_command.contracts_file().read_text(encoding="utf-8")
    other = tmp_path / "contracts.csv"
    # UP-05 paid a second later than a year ago is still within the window when it is asked
    other.write_text(contracts.replace("2025-11-20T10:00:00+09:00", "2025-11-20T23:00:00+09:00"), encoding="utf-8")
    monkeypatch.setattr(demo_command, "_FILES", (other,))

    result = run("demo")

    assert result.exit_code == 1
    assert "NOT AS EXPECTED: UP-05: last paid a year ago: ChargeWindowExpired R-197, nothing sent" in result.stdout


def test_a_missing_or_wrong_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = tmp_path / "contracts.csv"
    monkeypatch.setattr(demo_command, "_FILES", (wrong,))
    missing = run("demo")
    wrong.write_text("contract_id,customer_id\nA,B\n", encoding="utf-8")

    assert (missing.exit_code, run("demo").exit_code) == (3, 3)
    assert "contracts.csv" in missing.stderr


def test_the_quick_start_runs(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / "quickstart.py"],
        cwd=tmp_path, env={**os.environ, "PYTHONUTF8": "1"}, capture_output=True, encoding="utf-8", check=True,
    )  # fmt: skip

    assert done.stdout.splitlines()[1:] == [
        "charge of 5,000 JPY: SUCCEEDED",
        "refund of 2,000 JPY: DONE; net sales 6,000 JPY",
    ]
