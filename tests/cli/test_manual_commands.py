"""The commands that manual pages show are commands: each is parsed as it stands there, and not run."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from paygate.cli.app import paygate as root
from paygate.domain.operations import Operation

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.ja.md", *sorted((ROOT / "docs" / "ja").glob("*.md"))]


def lines(page: Path) -> list[str]:
    """Command lines of the console blocks and of the texts of a page, without comments and what stands for anything."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    shown = [line for block in blocks for line in block.splitlines()]
    return [line for line in shown if line.removeprefix("$ ").startswith("paygate ")]


COMMANDS = [
    pytest.param(line.removeprefix("$ "), id=f"{page.stem}: {line[:50]}") for page in PAGES for line in lines(page)
]


def test_there_are_many() -> None:
    assert len(COMMANDS) > 50


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_of_a_manual_page_is_one(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "contracts.csv").write_text("", encoding="utf-8")
    words = shlex.split(re.sub(r"\s+(#|>)\s.*", "", line))[1:]
    command, context = root, click.Context(root, info_name="paygate")
    while isinstance(command, click.Group) and words:
        name, found, words = command.resolve_command(context, words)
        assert found is not None
        if isinstance(found, click.Group):
            command, context = found, click.Context(found, info_name=name, parent=context)
        else:
            found.make_context(name, words, parent=context)
            return
    assert command is not root  # a group that does something by itself


@pytest.mark.rule("R-023")
def test_the_japanese_readme_names_the_ten_operations_as_the_command_line_does() -> None:
    readme = (ROOT / "README.ja.md").read_text(encoding="utf-8")
    ten = list(Operation)
    ten = [
        one
        for one in ten[: ten.index(Operation.DELETE) + 1]
        if f"`paygate contracts {one.value.replace('_', '-')}`" in readme
    ]

    assert len(ten) == 10
