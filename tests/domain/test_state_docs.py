"""The page of statuses shows what the rules say."""

import subprocess
import sys
from pathlib import Path

import pytest

from paygate.domain.transitions import TRANSITIONS

ROOT = Path(__file__).resolve().parent.parent.parent
SCRIPT = ROOT / "scripts" / "state_docs.py"
PAGE = ROOT / "docs" / "reference" / "states.md"


def test_the_page_of_statuses_is_up_to_date():
    done = subprocess.run([sys.executable, str(SCRIPT), "--check"], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("row", sorted({row.id for rows in TRANSITIONS.values() for row in rows}))
def test_every_row_of_the_table_is_on_the_page(row):
    assert f"\n| {row} | " in PAGE.read_text(encoding="utf-8")
