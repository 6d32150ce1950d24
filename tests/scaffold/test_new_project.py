"""``paygate new``: what it writes works from the first second, and what it cannot name it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from paygate.cli.app import paygate
from paygate.errors import InvalidValue
from paygate.scaffold import Plugin, write_project


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("new") / "paygate-acme-pay"
    write_project(Plugin("acme-pay"), folder)
    return folder


def _run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    code = f"import sys; sys.path.insert(0, {str(folder / 'src')!r}); import runpy; "
    code += f"sys.argv = {list(command)!r}; runpy.run_module({command[0]!r}, run_name='__main__')"
    return subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )


def test_the_suite_of_a_new_project_is_green_from_the_first_second(project: Path) -> None:
    ran = _run(project, "pytest", "-q", "-p", "no:cacheprovider")

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert " passed" in ran.stdout
    assert "failed" not in ran.stdout


@pytest.mark.parametrize("command", [("check",), ("format", "--check")], ids=" ".join)
def test_its_code_has_nothing_for_a_linter_to_complain_about(project: Path, command: tuple[str, ...]) -> None:
    ran = _run(project, "ruff", *command, "--no-cache", ".")

    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_no_template_is_left_unfilled(project: Path) -> None:
    texts = {
        path: path.read_text("utf-8") for path in project.rglob("*") if path.is_file() and ".github" not in path.parts
    }

    assert [path for path, text in texts.items() if "$name" in text or "${" in text or "PACKAGE" in str(path)] == []
    assert (project / "src/paygate_acme_pay/py.typed").exists()
    assert "python-version: ${{ matrix.python }}" in (project / ".github/workflows/ci.yml").read_text("utf-8")


@pytest.mark.parametrize(
    "name", ["", "Acme", "acme_pay", "acme--pay", "-acme", "acme-", "2acme", "acmé", "a" * 41, "acme/../x"]
)
def test_what_cannot_be_a_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidValue, match="lower-case letters"):
        Plugin(name)


@pytest.mark.parametrize("title", ["", "  ", 'Acme "Pay"', "two\nlines", "$name", "{x}"])
def test_what_would_break_the_code_is_no_title(title: str) -> None:
    with pytest.raises(InvalidValue, match="display name"):
        Plugin("acme", title)


@pytest.mark.parametrize("name", ["provider", "client", "money", "none"])
def test_a_class_that_would_hide_another_is_refused_and_nothing_is_written(name: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match=f"{name}-pay"):
        write_project(Plugin(name), tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("mine")
    with pytest.raises(InvalidValue, match="not empty"):
        write_project(Plugin("acme"), tmp_path)
    with pytest.raises(InvalidValue, match="not empty"):
        write_project(Plugin("acme"), tmp_path / "precious.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["precious.txt"]


def test_an_empty_folder_may_be_there(tmp_path: Path) -> None:
    assert Path("pyproject.toml") in write_project(Plugin("acme", "アクメ決済"), tmp_path)
    assert 'name="アクメ決済"' in (tmp_path / "src/paygate_acme/capabilities.py").read_text("utf-8")


def test_the_command_says_what_to_do_next(tmp_path: Path) -> None:
    ran = CliRunner().invoke(paygate, ["new", "acme", "--directory", str(tmp_path / "here")])

    assert ran.exit_code == 0
    assert "paygate_acme:Acme" in ran.stdout
    assert "paygate check acme" in ran.stderr
    assert (tmp_path / "here/tests/test_conformance.py").exists()


def test_as_json_it_lists_what_was_written(tmp_path: Path) -> None:
    ran = CliRunner().invoke(
        paygate, ["--json", "new", "acme", "--title", "ACME", "--directory", str(tmp_path / "here")]
    )

    said = json.loads(ran.stdout)
    assert said["distribution"] == "paygate-acme"
    assert sorted(said["files"]) == sorted(
        path.relative_to(tmp_path / "here").as_posix() for path in (tmp_path / "here").rglob("*") if path.is_file()
    )


def test_a_name_that_another_distribution_has_taken_is_pointed_out(tmp_path: Path) -> None:
    ran = CliRunner().invoke(paygate, ["new", "smtp", "--directory", str(tmp_path / "here")])

    assert ran.exit_code == 0
    assert "is installed and brings a provider 'smtp' too" in ran.stderr


def test_a_bad_name_is_refused_with_the_exit_code_of_bad_input(tmp_path: Path) -> None:
    ran = CliRunner().invoke(paygate, ["new", "Acme", "--directory", str(tmp_path / "here")])

    assert ran.exit_code == 4
    assert "lower-case letters" in ran.stderr
