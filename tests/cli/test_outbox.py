"""``paygate outbox``: deliver, list and retry what observers have not been told; as a service with ``--watch``."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from freezegun import freeze_time

from .conftest import CONFIG

OBSERVER = """\
from pathlib import Path

from paygate import hookimpl

HERE = Path(__file__).parent


@hookimpl
def on_charge_success(notice):
    if (HERE / "refuse").exists():
        raise ConnectionError("no mail server")
    with (HERE / "told").open("a") as told:
        told.write(notice.charge.contract_id + "\\n")
"""
ROWS = """\
contract_id,customer_id,customer_name,plan,kind,price,payment,account,token,start_on,last_paid_at,last_paid_reference
ST-1,cus-1,山田,ゴールド会員,monthly,3000,card,stripe,pm_one,2026-01-31,2026-10-31 09:00,ref-1
"""


@pytest.fixture
def shop(empty, monkeypatch):
    """A contract, and an observer that fails while there is a file ``refuse``."""
    empty.write("shop_observer.py", OBSERVER)
    config = empty.folder / "paygate.toml"
    config.write_text('plugins = ["shop_observer"]\n' + config.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.syspath_prepend(empty.folder)
    monkeypatch.delitem(sys.modules, "shop_observer", raising=False)
    empty.write("contracts.csv", ROWS)
    assert empty("import", "contracts.csv").exit_code == 0
    (empty.folder / "refuse").touch()
    charged = empty("charge", "ST-1", "500", "--consent", "phone", "--yes")
    assert charged.exit_code == 0, charged.output
    (empty.folder / "refuse").unlink()
    yield empty
    sys.modules.pop("shop_observer", None)


def told(shop) -> list[str]:
    file = shop.folder / "told"
    return file.read_text(encoding="utf-8").split() if file.exists() else []


@pytest.mark.rule("R-352")
def test_what_failed_is_listed_with_its_reason_and_its_next_attempt(shop):
    [row] = shop.json("outbox", "list")
    assert (row["contract_id"], row["kind"], row["attempts"]) == ("ST-1", "on_charge_success", 1)
    assert "no mail server" in row["last_error"]
    assert "no mail server" in shop("outbox", "list", "--attempts", "1").stdout
    assert shop.json("outbox", "list", "--attempts", "2") == []


@pytest.mark.rule("R-352")
def test_delivering_tells_what_is_due_and_shows_what_is_left(shop):
    first = shop.json("outbox")
    assert (first["delivered"], first["failed"], first["backlog"]["waiting"]) == (0, 0, 1)  # its pause is not over
    with freeze_time("2026-11-20T02:00:00Z"):
        second = shop.json("outbox")

    assert (second["delivered"], second["backlog"]["waiting"]) == (1, 0)
    assert told(shop) == ["ST-1"]


@pytest.mark.rule("R-352")
def test_a_retry_waits_for_no_pause_and_what_fails_again_ends_with_10(shop):
    [row] = shop.json("outbox", "list")
    (shop.folder / "refuse").touch()
    assert shop("outbox", "retry", row["id"]).exit_code == 10
    (shop.folder / "refuse").unlink()

    assert shop.json("outbox", "retry", "--all") == {"chosen": 1, "delivered": 1, "failed": 0}
    assert told(shop) == ["ST-1"]
    assert shop("outbox", "retry").exit_code == 2
    assert shop("outbox", "retry", "nobody").exit_code == 4


@pytest.mark.rule("R-352")
def test_watching_delivers_until_it_is_told_to_end(tmp_path: Path):
    (tmp_path / "shop_observer.py").write_text(OBSERVER, encoding="utf-8")
    (tmp_path / "paygate.toml").write_text('plugins = ["shop_observer"]\n' + CONFIG, encoding="utf-8")
    (tmp_path / "contracts.csv").write_text(ROWS.replace("2026-01-31", "2025-01-31"), encoding="utf-8")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PAYGATE_")}
    environment = clean | {"PYTHONPATH": str(tmp_path)}
    paygate = [sys.executable, "-c", "from paygate.cli import main; main()"]

    def run(*arguments: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run([*paygate, *arguments], cwd=tmp_path, env=environment, capture_output=True, check=True)

    run("import", "contracts.csv")
    (tmp_path / "refuse").touch()
    run("charge", "ST-1", "500", "--consent", "phone", "--yes")
    (tmp_path / "refuse").unlink()
    [row] = json.loads(run("outbox", "list", "--json").stdout)
    assert row["attempts"] == 1

    watching = subprocess.Popen(
        [*paygate, "outbox", "--watch", "--every", "0.2"], cwd=tmp_path, env=environment, stderr=subprocess.PIPE
    )
    try:
        run("outbox", "retry", "--all")
        for _ in range(200):
            if (tmp_path / "told").exists():
                break
            time.sleep(0.05)
        time.sleep(0.5)
        assert watching.poll() is None
        watching.send_signal(signal.SIGTERM)
        assert watching.wait(20) == 0
    finally:
        if watching.poll() is None:
            watching.kill()
        watching.communicate()
    assert (tmp_path / "told").read_text(encoding="utf-8").split() == ["ST-1"]
