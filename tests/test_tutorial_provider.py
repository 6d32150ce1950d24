"""The tutorial for plugin authors is true: its files, its commands and the mistakes that it makes on purpose.

A ``console`` block is typed line by line, and the lines below a command have to come in this order, where ``…`` stands for
any number of others and a line may go on. A ``diff`` block names its file and holds for the one ``console`` block after it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from paygate.scaffold import Plugin, write_project

from .test_docs import DOCS, ROOT, blocks

PAGE = DOCS / "tutorial-provider.md"
GATE_FAILED = 8  # of `paygate check`


class Reader:
    """Follows the page in a folder of its own, with the commands of the environment that runs the tests."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._installed = folder / "site-packages"
        self._commands = Path(sys.executable).parent

    def keep(self, name: str, text: str) -> None:
        """Write a file of the page; one that is there already has to end so."""
        path = self.folder / name
        if path.exists():
            assert path.read_text(encoding="utf-8").endswith(text.lstrip("\n")), f"{name} is not what the page shows"
        else:
            path.write_text(text, encoding="utf-8")

    def edit(self, diff: str) -> tuple[Path, str]:
        """Apply *diff*; returns its file and what was in it."""
        header, *lines = diff.splitlines(keepends=True)
        path = self.folder / header.removeprefix("--- ").strip()
        text = path.read_text(encoding="utf-8")
        before, after = ("".join(line[1:] for line in lines if line[0] in marks) for marks in (" -", " +"))
        assert text.count(before) == 1, f"{path.name}: {before!r} is not there once"
        path.write_text(text.replace(before, after), encoding="utf-8")
        return path, text

    def type(self, command: str, shown: list[str]) -> None:
        """Type *command* and compare what it says with what the page shows."""
        name, *arguments = command.split()
        if name == "cd":
            self.folder /= arguments[0]
        elif command == "pip install -e . --group dev":
            self._install()
        else:
            ran = self._run(name, *arguments)
            wanted = GATE_FAILED if any("FAILED" in line for line in shown) else 0
            assert ran.returncode == wanted, f"$ {command}\n{ran.stdout}"
            assert_shows(ran.stdout.splitlines(), shown)

    def _run(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join(map(str, (self._installed, self.folder / "src")))
        return subprocess.run(
            [self._commands / name, *arguments],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def _install(self) -> None:
        """Leave what an editable installation leaves, without an index: the metadata with the entry points."""
        project = tomllib.loads((self.folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        metadata = self._installed / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text(
            f"Name: {project['name']}\nVersion: {project['version']}\n", encoding="utf-8"
        )
        groups = project["entry-points"].items()
        lines = [
            f"[{group}]\n" + "\n".join(f"{name} = {value}" for name, value in all_.items()) for group, all_ in groups
        ]
        (metadata / "entry_points.txt").write_text("\n".join(lines), encoding="utf-8")


def assert_shows(printed: list[str], shown: list[str]) -> None:
    """Fail unless the lines *shown* are in *printed* in this order, next to each other where no ``…`` is between them."""
    at, anywhere = 0, False
    for line in shown:
        if line == "…":
            anywhere = True
            continue
        found = [number for number in range(at, len(printed)) if printed[number].startswith(line)]
        assert found, f"not printed: {line!r} in\n" + "\n".join(printed[at:])
        assert anywhere or found[0] == at, f"{line!r} is printed only after {printed[at]!r}"
        at, anywhere = found[0] + 1, False


def commands(console: str) -> list[tuple[str, list[str]]]:
    """The commands of a ``console`` block, each with the lines that it prints."""
    typed: list[tuple[str, list[str]]] = []
    for line in console.splitlines():
        if line.startswith("$ "):
            typed.append((line.removeprefix("$ "), []))
        else:
            typed[-1][1].append(line)
    return typed


def test_who_types_what_the_tutorial_says_sees_what_it_shows(tmp_path: Path) -> None:
    reader, edited = Reader(tmp_path), None
    for block in blocks(PAGE):
        if block.reason:
            continue
        if block.language == "python" and (file := re.match(r"# ([\w/]+\.py)\n", block.code)):
            reader.keep(file[1], block.code[file.end() :])
        elif block.language == "diff":
            edited = reader.edit(block.code)
        elif block.language == "console":
            for command, shown in commands(block.code):
                reader.type(command, shown)
            if edited is not None:
                path, text = edited
                path.write_text(text, encoding="utf-8")
                edited = None

    assert edited is None
    assert reader.folder.name == "paygate-acme"


def test_the_provider_of_the_tutorial_is_the_example() -> None:
    code = next(block.code for block in blocks(PAGE) if block.code.startswith("# acme.py\n"))

    assert code.removeprefix("# acme.py\n") == (ROOT / "examples" / "acme.py").read_text(encoding="utf-8")


def test_the_tutorial_names_the_files_that_are_written(tmp_path: Path) -> None:
    written = {path.name for path in write_project(Plugin("acme"), tmp_path)}
    listing = next(block.code for block in blocks(PAGE) if block.code.startswith("pyproject.toml "))

    assert set(re.findall(r"[\w.]+\.(?:py|toml|yml)", listing)) <= written


@pytest.mark.parametrize(
    ("printed", "shown", "fault"),
    [
        (["a", "b", "c"], ["a", "c"], "only after"),
        (["a", "b", "c"], ["…", "c", "…", "b"], "not printed"),
        (["a"], ["…", "b"], "not printed"),
    ],
)
def test_a_page_that_shows_something_else_is_found_out(printed: list[str], shown: list[str], fault: str) -> None:
    with pytest.raises(AssertionError, match=fault):
        assert_shows(printed, shown)
