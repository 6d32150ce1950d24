"""A new project is told to install the paygate that wrote it, and not whatever has its name on an index."""

from __future__ import annotations

import importlib.metadata
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from paygate.cli.app import paygate
from paygate.scaffold.origin import requirement


@pytest.mark.parametrize(
    ("origin", "wanted"),
    [
        (
            {"url": "file:///home/hanako/my%20paygate", "dir_info": {"editable": True}},
            "file:///home/hanako/my%20paygate",
        ),
        (
            {"url": "https://git.example/paygate", "vcs_info": {"vcs": "git", "commit_id": "71103d5"}},
            "git+https://git.example/paygate@71103d5",
        ),
        (
            {"url": "https://shop.example/paygate-0.1.0.whl", "archive_info": {}},
            "https://shop.example/paygate-0.1.0.whl",
        ),
    ],
    ids=["folder", "repository", "archive"],
)
def test_what_did_not_come_from_an_index_is_named_with_its_address(origin: dict[str, object], wanted: str) -> None:
    assert requirement(json.dumps(origin)) == f"paygate[testing] @ {wanted}"


def test_what_came_from_an_index_needs_no_address() -> None:
    assert requirement(None) is None


def test_paygate_new_names_the_paygate_that_is_running(tmp_path: Path) -> None:
    origin = requirement(importlib.metadata.distribution("paygate").read_text("direct_url.json"))

    ran = CliRunner().invoke(paygate, ["--json", "new", "acme", "--directory", str(tmp_path / "here")])

    install = json.loads(ran.stdout)["next"][2:-2]
    assert install[-1] == "pip install -e . --group dev"
    assert install[:-1] == ["pip install --upgrade pip", *([f"pip install '{origin}'"] if origin else [])]
