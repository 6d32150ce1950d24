"""What holds for every file of the repository: no secrets, no machine's paths, documented public names, links that work."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

#: Published test cards of the providers, and numbers made for tests of our own; none of them can be charged.
TEST_CARDS = {
    "4242424242424242",  # Stripe: succeeds
    "4000000000000002",  # Stripe: declined
    "4000000000003220",  # Stripe: requires authentication
    "4000000000009995",  # Stripe: insufficient funds
    "4000000000000341",  # Stripe: attaches, then fails
    "5555555555554444",  # Mastercard's example
    "4000020000000000",  # UnivaPay: succeeds
    "630400000000000000",  # mostly zeros, for the tests of redaction
    "4111111111111111",  # Visa's example
    "3530111333300000",  # JCB's example
    "4012888888881881",  # UnivaPay: cancels fail
}

LISTS_OF_TEST_CARDS = {
    "src/paygate/testing/emulators/stripe/cards.py",
    "src/paygate/testing/emulators/univapay/cards.py",
}

#: Whoever writes one of these strings means a folder of one machine, or a key. Split, so that this file may be searched.
FORBIDDEN = {
    "a path of somebody's machine": re.compile(r"(?<![\w./-])/(?:home|Users|root|work|mnt|opt)/[\w.-]+"),
    "a live Stripe key": re.compile("[sr]k_" + r"live_\w{8}"),
    "a private key": re.compile("-----BEGIN [A-Z ]*PRIVATE" + " KEY-----"),
    "an access key of a cloud": re.compile(r"(?<![A-Z0-9])AKIA[0-9A-Z]{16}(?![A-Z0-9])"),
}


def tracked() -> list[Path]:
    """The files under version control; all files where there is none, as in an unpacked archive."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        names = [ROOT / name for name in listed.split("\0") if name]
    except (OSError, subprocess.CalledProcessError):
        hidden = {".venv", ".git", "_build", "__pycache__"}
        names = [path for path in ROOT.rglob("*") if not hidden & set(path.parts)]
    return sorted(path for path in names if path.is_file())


def texts() -> Iterator[tuple[str, str]]:
    for path in tracked():
        try:
            yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


TEXTS = dict(texts())
PUBLIC_MODULES = {
    name: ast.parse(text)
    for name, text in TEXTS.items()
    if re.match(r"(src/paygate|plugins/[\w-]+/src/paygate_\w+)/", name)
    and name.endswith(".py")
    and not Path(name).name.startswith("_")
    and "/migrations/" not in name  # run by the migration tool, not imported
}
MARKDOWN = {name: text for name, text in TEXTS.items() if name.endswith(".md")}


def passes_luhn(digits: str) -> bool:
    values = [int(digit) for digit in reversed(digits)]
    doubled = [sum(divmod(2 * value, 10)) for value in values[1::2]]
    return (sum(values[0::2]) + sum(doubled)) % 10 == 0


def card_numbers(text: str) -> set[str]:
    """Runs of 14 to 19 digits, also grouped by blanks or hyphens, that begin like a card and pass its check sum."""
    runs = re.findall(r"(?<![\w.+-])[3-6]\d{3}(?:[ -]?\d{4}){2}[ -]?\d{2,7}(?![\w.])", text)
    return {digits for run in runs if passes_luhn(digits := re.sub(r"\D", "", run))}


def assigned(tree: ast.Module) -> dict[str, ast.expr]:
    """The names that the module assigns at its top level, with their values."""
    values = {}
    for node in tree.body:
        if isinstance(node, ast.Assign):
            values |= {target.id: node.value for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            values[node.target.id] = node.value
    return values


def public(tree: ast.Module) -> Iterator[ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]:
    """The classes and functions that the module defines and lists in its ``__all__``."""
    listed = ast.literal_eval(assigned(tree)["__all__"])
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.name in listed:
            yield node


def local_links(text: str) -> set[str]:
    """Targets of Markdown links to files: not web addresses, anchors or mail, and not inside code."""
    prose = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)
    targets = re.findall(r"\]\(<?([^)\s>]+)>?(?: \"[^\"]*\")?\)", prose)
    return {target.split("#")[0] for target in targets if not re.match(r"[a-z]+:|#", target)}


def test_the_search_for_card_numbers_finds_grouped_ones_and_ignores_ids_and_dates() -> None:
    visa = "4111" + "1111" * 3

    assert card_numbers(f"card={visa};") == {visa}
    assert card_numbers("4111-1111-1111-1111") == {visa}
    assert card_numbers(f"{visa[:-1]}2") == set()
    assert card_numbers(f"id a{visa} 20241108153000 {visa}ff") == set()


@pytest.mark.parametrize("name", TEXTS)
def test_no_file_holds_a_card_number_other_than_the_published_test_cards(name: str) -> None:
    # the emulators list the test cards that their providers publish; every other file takes them from there
    assert name in LISTS_OF_TEST_CARDS or card_numbers(TEXTS[name]) <= TEST_CARDS


@pytest.mark.parametrize("name", TEXTS)
def test_no_file_holds_a_key_or_the_path_of_a_machine(name: str) -> None:
    found = {what: match.group() for what, pattern in FORBIDDEN.items() if (match := pattern.search(TEXTS[name]))}

    assert found == {}


@pytest.mark.parametrize("name", PUBLIC_MODULES)
def test_a_public_module_says_what_it_is_for_and_what_is_public(name: str) -> None:
    assert ast.get_docstring(PUBLIC_MODULES[name]), "no docstring"
    assert "__all__" in assigned(PUBLIC_MODULES[name]), "no __all__"


@pytest.mark.parametrize("name", PUBLIC_MODULES)
def test_public_classes_and_functions_are_documented(name: str) -> None:
    bare = [
        f"{name}:{node.lineno}: {node.name}" for node in public(PUBLIC_MODULES[name]) if not ast.get_docstring(node)
    ]

    assert not bare, "\n".join(bare)


def test_every_hook_says_since_when_it_exists_and_what_it_answers() -> None:
    hooks = list(public(PUBLIC_MODULES["src/paygate/hookspecs.py"]))
    incomplete = [
        hook.name
        for hook in hooks
        if ".. versionadded::" not in (text := ast.get_docstring(hook) or "")
        or not (":returns:" in text or ":param" in text)
    ]

    assert hooks
    assert incomplete == []


@pytest.mark.parametrize("name", MARKDOWN)
def test_links_to_files_lead_somewhere(name: str) -> None:
    folder = (ROOT / name).parent
    broken = [target for target in local_links(MARKDOWN[name]) if not (folder / target).exists()]

    assert broken == []


def test_the_licence_is_there_and_named_in_every_distribution() -> None:
    assert "MIT License" in TEXTS["LICENSE"]
    for name in [name for name in TEXTS if name.endswith("pyproject.toml")]:
        assert tomllib.loads(TEXTS[name])["project"]["license"] == "MIT", name


def test_the_constraints_pin_every_distribution_that_the_project_asks_for() -> None:
    pinned = {line.split("==")[0] for line in TEXTS["constraints.txt"].splitlines() if "==" in line}
    project = tomllib.loads(TEXTS["pyproject.toml"])
    groups = [*project["dependency-groups"].values(), *project["project"]["optional-dependencies"].values()]
    wanted = [*project["project"]["dependencies"], *(item for group in groups for item in group)]
    names = {re.split(r"[\[<>=!~; ]", item)[0].lower() for item in wanted if isinstance(item, str)}

    assert names <= pinned


def test_the_constraints_name_no_index_and_no_host() -> None:
    lines = [line for line in TEXTS["constraints.txt"].splitlines() if not line.startswith("#")]

    assert all(re.fullmatch(r"[a-z0-9-]+==[\w.!+]+", line) for line in lines)


RULES_SCRIPT = ROOT / "scripts" / "rules_without_tests.py"
RULES = """\
also_in_scope = ["R-003"]
[section."6.1"]
title = "Dates"
scope = true
[section."6.1".rule]
R-001 = { kind = "I", title = "Days are Japanese days" }
B-001 = { kind = "B", title = "a second before midnight" }
[section."6.2"]
title = "Plans"
scope = false
[section."6.2".rule]
R-002 = { kind = "S", title = "A plan has a price" }
R-003 = { kind = "S", title = "A plan has a name" }
"""


def rules_without_tests(folder: Path, source: str, *options: str) -> tuple[int, str]:
    (folder / "docs").mkdir()
    (folder / "docs" / "rules.toml").write_text(RULES, encoding="utf-8")
    (folder / "plugins" / "acme" / "tests").mkdir(parents=True)
    (folder / "plugins" / "acme" / "tests" / "test_dates.py").write_text(source, encoding="utf-8")
    command = [sys.executable, str(RULES_SCRIPT), "--root", str(folder), *options]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.stderr == ""
    return answer.returncode, answer.stdout


CITES_ALL_IN_SCOPE = """\
import pytest

@pytest.mark.rule("R-001", "R-003")
def test_days(): ...

class TestMidnight:
    @pytest.mark.parametrize("case", [pytest.param(1, marks=pytest.mark.rule("B-001"))])
    async def test_midnight(self, case): ...
"""


def test_rules_in_scope_are_satisfied_by_marks_on_functions_methods_and_rows(tmp_path: Path) -> None:
    status, printed = rules_without_tests(tmp_path, CITES_ALL_IN_SCOPE)

    assert (status, printed) == (0, "3 of 3 rules have a test, 0 citations are wrong\n")


def test_a_rule_without_a_test_is_named_and_fails(tmp_path: Path) -> None:
    status, printed = rules_without_tests(tmp_path, CITES_ALL_IN_SCOPE, "--all")

    assert status == 1
    assert "R-002  A plan has a price: no test cites it (section 6.2)" in printed


def test_each_rule_is_listed_with_its_tests(tmp_path: Path) -> None:
    _, printed = rules_without_tests(tmp_path, CITES_ALL_IN_SCOPE, "--list")

    test = "plugins/acme/tests/test_dates.py::TestMidnight::test_midnight"
    assert f"B-001  a second before midnight\n       {test}\n" in printed


def test_a_citation_of_an_unknown_rule_fails(tmp_path: Path) -> None:
    status, printed = rules_without_tests(tmp_path, CITES_ALL_IN_SCOPE + 'pytestmark = pytest.mark.rule("R-999")\n')

    assert status == 1
    assert "test_dates.py:9: pytestmark cites unknown rule R-999" in printed


def test_a_citation_that_only_running_the_tests_would_reveal_fails(tmp_path: Path) -> None:
    status, printed = rules_without_tests(tmp_path, CITES_ALL_IN_SCOPE + "pytestmark = pytest.mark.rule(*IDS)\n")

    assert status == 1
    assert "pytestmark cites a rule that only running the tests would reveal" in printed


def test_rules_may_come_from_a_table_of_the_module(tmp_path: Path) -> None:
    table = 'RULES = {"a": ("R-001", "R-003"), "b": ("B-001",)}\npytestmark = pytest.mark.rule(*RULES["a"])\n'
    status, printed = rules_without_tests(tmp_path, table)

    assert (status, printed) == (0, "3 of 3 rules have a test, 0 citations are wrong\n")
