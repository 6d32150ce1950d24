"""The documentation is true: its examples run, what they print is what stands there, and nothing public is missing.

The Python blocks of a page share one namespace and run in order in an empty folder. One that begins with the name of a
test file (``# test_shop.py``) is run by pytest instead, and with that of another file (``# acme.py``) is kept in that file,
for the others to import. A ``text`` block right after one is what it prints. A block that cannot run is preceded by
``<!-- skip: why -->``.
"""

import contextlib
import importlib
import inspect
import io
import os
import re
import subprocess
import sys
import tomllib
from itertools import zip_longest
from pathlib import Path

import attrs
import pytest

import paygate
from paygate import hookspecs
from paygate.cli.failures import Exit
from paygate.cli.matrix import rows
from paygate.domain.rules import SYSTEM_MAX_EXPIRY

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = [
    *sorted(path for path in DOCS.rglob("*.md") if "_build" not in path.parts),
    *sorted(ROOT.glob("README*.md")),
    *sorted(ROOT.glob("plugins/*/README.md")),
]
FENCE = re.compile(
    r"^(?P<skip><!-- skip: (?P<reason>[^>]+) -->\n\n?)?```(?P<language>\w+)\n(?P<code>.*?)^```$(?P<end>\n*)",
    re.MULTILINE | re.DOTALL,
)


@attrs.frozen
class Block:
    """A fenced block: its language, code, first line, the reason to skip it, and what follows it."""

    language: str
    code: str
    line: int
    reason: str | None
    prints: str | None = None


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    matches = list(FENCE.finditer(text))
    found = []
    for match, following in zip_longest(matches, matches[1:]):
        output = following is not None and following["language"] == "text" and following.start() == match.end()
        found.append(
            Block(
                match["language"],
                match["code"],
                text.count("\n", 0, match.start("code")) + 1,
                match["reason"],
                following["code"] if output and following else None,
            )
        )
    return found


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


EXAMPLES = [page for page in PAGES if any(block.language == "python" for block in blocks(page))]


@pytest.mark.parametrize("page", EXAMPLES, ids=name)
def test_the_examples_of_a_page_run_and_print_what_it_says(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    namespace: dict[str, object] = {"__name__": "docs"}
    for block in blocks(page):
        if block.language != "python" or block.reason:
            continue
        if file := re.match(r"# ([\w/]+\.py)\n", block.code):
            (tmp_path / file[1]).parent.mkdir(exist_ok=True)
            (tmp_path / file[1]).write_text(block.code, encoding="utf-8")
            monkeypatch.delitem(sys.modules, Path(file[1]).stem, raising=False)
            if not file[1].startswith("test_"):
                continue
            command = [sys.executable, "-m", "pytest", "-q", file[1]]
            # as on a machine where cassettes are recorded, and twice: the first run of an example may leave something
            environment = {name: value for name, value in os.environ.items() if name != "CI"}
            runs = 2 if "cassette" in block.code else 1
            for _ in range(runs):
                answer = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
                assert answer.returncode == 0, answer.stdout
            continue
        # blank lines in front, so that a traceback shows the line of the page
        program = compile("\n" * (block.line - 1) + block.code, str(page), "exec")
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(program, namespace)
        if block.prints is not None:
            assert printed.getvalue() == block.prints, f"{name(page)}:{block.line}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_toml_block_is_toml(page: Path) -> None:
    for block in blocks(page):
        if block.language == "toml":
            tomllib.loads(block.code)


def test_most_pages_with_code_are_really_run() -> None:
    skipped = [
        block.reason for page in EXAMPLES for block in blocks(page) if block.language == "python" and block.reason
    ]
    run = [block for page in EXAMPLES for block in blocks(page) if block.language == "python" and not block.reason]

    assert len(run) > 10
    assert len(skipped) < len(run) / 10


def test_every_hook_has_a_heading_with_its_signature_in_the_generated_reference() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "hook_reference.py")]
    reference = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    headings = set(re.findall(r"^### (.+)$", reference, re.MULTILINE))
    hooks = {
        f"{hook}({', '.join(inspect.signature(getattr(hookspecs, hook)).parameters)})" for hook in hookspecs.__all__
    }

    assert headings == hooks
    assert "_build/generated/hooks.md" in (DOCS / "reference" / "hooks.md").read_text(encoding="utf-8")


REFERENCE = "\n".join(path.read_text(encoding="utf-8") for path in sorted((DOCS / "reference").glob("*.md")))
DOCUMENTED = set(re.findall(r"auto(?:module|class|function):: ([\w.]+)", REFERENCE))


@pytest.mark.parametrize("public", [name for name in paygate.__all__ if name not in {"JST", "UTC", "hookimpl"}])
def test_what_the_front_door_offers_is_in_the_reference(public: str) -> None:
    home = getattr(paygate, public).__module__

    assert home in DOCUMENTED or any(entry.endswith(f".{public}") for entry in DOCUMENTED)


@pytest.mark.parametrize("module", ["errors", "provider", "flow", "money", "notices", "settings", "clock"])
def test_public_modules_are_in_the_reference(module: str) -> None:
    assert f"paygate.{module}" in DOCUMENTED


def test_the_tree_of_errors_draws_every_error() -> None:
    errors = importlib.import_module("paygate.errors")
    drawn = set(re.findall(r"\b[A-Z]\w+\b", errors.__doc__ or ""))

    assert set(errors.__all__) - {"Retry"} <= drawn


def test_the_exit_codes_of_the_command_line_are_all_explained() -> None:
    table = (DOCS / "reference" / "cli.md").read_text(encoding="utf-8")

    assert [int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)] == list(Exit)


def test_the_provider_matrix_is_what_the_providers_declare() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "provider_matrix.py"), "--check"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")


def test_the_provider_matrix_shows_every_capability() -> None:
    shown = {field for row in rows(SYSTEM_MAX_EXPIRY) for field in row.fields}

    assert shown == {field.name for field in attrs.fields(paygate.Capabilities)} - {"name"}


def test_every_decision_says_context_decision_and_consequence() -> None:
    records = sorted((DOCS / "decisions").glob("[0-9]*.md"))
    numbers = [int(record.name[:4]) for record in records]

    assert numbers == sorted(set(numbers)), "two decisions have one number"
    for record in records:
        assert re.findall(r"^## (\w+)", record.read_text(encoding="utf-8"), re.MULTILINE) == [
            "Context",
            "Decision",
            "Consequence",
        ], record.name
