"""The installed command in a process of its own: exit codes, pure standard output, and a cheap ``--help``."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import CONFIG

PAYGATE = [sys.executable, "-c", "from paygate.cli import main; main()"]
ROWS = """\
contract_id,customer_id,customer_name,plan,kind,price,payment,account,token,start_on,last_paid_at
ST-1,cus-1,山田 花子,本,one_off,3000,card,stripe,pm_one,2024-01-31,2024-01-31 09:00
ST-NO,cus-2,山田 花子,本,one_off,3000,card,stripe,tok_declines,2024-01-31,2024-01-31 09:00
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("process")
    (folder / "paygate.toml").write_text(CONFIG, encoding="utf-8")
    (folder / "contracts.csv").write_text(ROWS, encoding="utf-8")
    done = run(folder, "import", "contracts.csv", "--json")
    assert json.loads(done.stdout)["imported"] == ["ST-1", "ST-NO"]
    return folder


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PAYGATE_") and name != "COLUMNS"}
    return subprocess.run(
        [*PAYGATE, *arguments],
        cwd=folder,
        env=clean | {"PYTHONIOENCODING": "utf-8"} | environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        stdin=subprocess.DEVNULL,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("contracts", "list"), 0),
        (("charge", "ST-1", "4000", "--consent", "phone", "--yes"), 0),
        (("charge", "ST-1", "4.5"), 2),
        (("--config", "no.toml", "contracts", "list"), 3),
        (("contracts", "show", "nobody"), 4),
        (("charge", "ST-NO", "4000", "--consent", "phone", "--yes"), 5),
        (("charge", "ST-1", "4000", "--consent", "phone"), 7),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else str(value),
)
def test_a_script_can_tell_the_ends_apart(folder, arguments, code):
    done = run(folder, *arguments)

    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("charge", "ST-1", "7000", "--consent", "phone", "--yes"),
        ("providers",),
        ("contracts", "show", "nobody"),
    ],
    ids=" ".join,
)
def test_standard_output_is_one_json_document_and_nothing_else(folder, arguments):
    done = run(folder, *arguments, "--json")

    json.loads(done.stdout)
    assert "\x1b" not in done.stdout


def test_names_are_readable_where_the_output_is_utf_8_and_escaped_where_it_is_not(folder):
    assert "山田 花子" in run(folder, "contracts", "show", "ST-1", "--json").stdout
    ascii_only = run(folder, "contracts", "show", "ST-1", "--json", PYTHONIOENCODING="ascii").stdout
    assert json.loads(ascii_only)["customer"]["name"] == "山田 花子"


def test_a_table_does_not_fail_where_the_output_cannot_show_japanese(folder):
    done = run(folder, "contracts", "show", "ST-1", PYTHONIOENCODING="ascii")

    assert done.returncode == 0, done.stderr
    assert "ST-1" in done.stdout


def test_the_help_loads_no_database_and_no_client():
    heavy = ["sqlalchemy", "alembic", "httpx", "asyncio", "rich", "paygate.gateway", "paygate.testing"]
    program = (
        "import sys, contextlib, io\n"
        "from paygate.cli import main\n"
        "sys.argv = ['paygate', '--help']\n"
        "with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()) as out:\n"
        "    main()\n"
        "assert 'Exit codes' in out.getvalue()\n"
        f"print([name for name in {heavy!r} if name in sys.modules])\n"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_the_version_is_that_of_the_distribution(folder):
    from importlib.metadata import version

    assert run(folder, "--version").stdout == f"paygate {version('paygate')}\n"


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_progress_is_shown_on_a_terminal_and_never_on_standard_output(folder):
    import pty

    ours, theirs = pty.openpty()
    command = [*PAYGATE, "import", "contracts.csv", "--dry-run"]
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=theirs, check=False)
    os.close(theirs)
    shown = os.read(ours, 100_000).decode()
    os.close(ours)

    assert "reading" in shown
    assert b"reading" not in done.stdout
    assert b"\x1b" not in done.stdout
