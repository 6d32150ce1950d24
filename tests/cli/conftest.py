"""A folder with a ``paygate.toml`` over fakes, contracts in the database, and a way to type commands."""

import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from click.testing import CliRunner, Result
from freezegun import freeze_time

from paygate.cli.app import paygate as command
from paygate.clock import SystemClock
from paygate.store import Store

NOW = "2026-11-20T01:00:00Z"

CONFIG = """\
database = "sqlite:///paygate.db"

[accounts.stripe]
provider = "fake-stripe"
state_file = "stripe.json"

[accounts.telecom]
provider = "fake-telecom"
state_file = "telecom.json"

[accounts.univapay]
provider = "fake-univapay"
state_file = "univapay.json"

[accounts.amazonpay]
provider = "fake-amazonpay"
state_file = "amazonpay.json"

[[step_mails]]
name = "thanks"
set = "ON_RENEWAL"
delay = 300
subject = "ありがとうございます"
"""

HEADER = (
    "contract_id,customer_id,customer_name,customer_email,plan,kind,price,payment,account,token,start_on,"
    "last_paid_at,last_paid_reference"
)


def line(contract_id: str, account: str, token: str, kind: str = "monthly") -> str:
    return (
        f"{contract_id},cus-{contract_id},山田 花子,hanako@example.com,ゴールド会員,{kind},3000,card,{account},{token},"
        "2026-01-31,2026-10-31 09:00,ref-" + contract_id
    )


CONTRACTS = "\n".join(
    [
        HEADER,
        line("ST-1", "stripe", "pm_one"),
        line("ST-NO", "stripe", "tok_declines"),
        line("ST-LATER", "stripe", "tok_pending"),
        line("ST-LOST", "stripe", "tok_vanishes"),
        line("ST-ACT", "stripe", "tok_action"),
        line("TC-1", "telecom", "member-1"),
        line("TC-LOST", "telecom", "tok_vanishes"),
        line("UP-1", "univapay", "11f0720a-b00d"),
        line("AP-1", "amazonpay", "B01-1", kind="one_off"),
        "BT-1,cus-BT-1,銀行 太郎,,ゴールド会員,monthly,3000,bank_transfer,,,2026-01-31,,",
    ]
)


@attrs.frozen
class Shell:
    """Types commands in *folder*."""

    folder: Path

    def __call__(self, *arguments: str, answer: str | None = None) -> Result:
        return CliRunner().invoke(command, list(arguments), input=answer, prog_name="paygate")

    def json(self, *arguments: str) -> Any:
        """The one document of a command that must succeed."""
        result = self(*arguments, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def write(self, name: str, text: str, encoding: str = "utf-8") -> str:
        (self.folder / name).write_text(text, encoding=encoding)
        return name


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configured folder with the contracts in its database, to be copied."""
    folder = tmp_path_factory.mktemp("prepared")
    (folder / "paygate.toml").write_text(CONFIG, encoding="utf-8")
    (folder / "contracts.csv").write_text(CONTRACTS, encoding="utf-8")
    with freeze_time(NOW), contextlib.chdir(folder):
        for name, rows in (("empty.db", 0), ("paygate.db", 10)):
            Store.open(f"sqlite:///{name}", clock=SystemClock()).close()
            if rows:
                result = CliRunner().invoke(command, ["import", "contracts.csv", "--json"])
                assert len(json.loads(result.stdout)["imported"]) == rows, result.output
    return folder


def _move_in(folder: Path, prepared: Path, database: str, monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.chdir(folder)
    for variable in ("PAYGATE_CONFIG", "PAYGATE_DATABASE", "PAYGATE_ACTOR", "COLUMNS"):
        monkeypatch.delenv(variable, raising=False)
    shutil.copy(prepared / "paygate.toml", folder)
    shutil.copy(prepared / database, folder / "paygate.db")
    return Shell(folder)


@pytest.fixture(scope="module")
def frozen(prepared: Path) -> Iterator[Path]:  # once for a module: freezing looks through every loaded module
    """The prepared folder, at 10:00 on 20 November 2026 in Japan."""
    with freeze_time(NOW):
        yield prepared


@pytest.fixture
def empty(tmp_path: Path, frozen: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A configured folder without contracts, in frozen time."""
    return _move_in(tmp_path, frozen, "empty.db", monkeypatch)


@pytest.fixture
def shell(tmp_path: Path, frozen: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """The same with the contracts of :data:`CONTRACTS`."""
    return _move_in(tmp_path, frozen, "paygate.db", monkeypatch)
