"""Which domain rules have no test.

Tests cite the rules they hold with ``@pytest.mark.rule("R-197", "B-081")``, also on one row of a table test:
``pytest.param(..., marks=pytest.mark.rule("B-081"))``, or from a table of ids in the same module:
``pytest.mark.rule(*RULES[operation])``. This script reads the citations from the source, without
importing it, and compares them with ``docs/rules.toml``.

Exit status: 0 every rule in scope is cited and every citation is of a known rule; 1 otherwise.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import attrs

ROOT = Path(__file__).resolve().parent.parent
RULE_ID = re.compile(r"[RTBX]-\w+")


@attrs.frozen
class Rule:
    """One numbered rule, transition, case or expectation. *kind* is explained at the top of ``docs/rules.toml``."""

    id: str
    section: str
    title: str
    kind: str
    in_scope: bool


@attrs.frozen(order=True)
class Citation:
    """One place where a test cites a rule. *rule* is None where no id can be read without running the tests."""

    path: str
    line: int
    test: str
    rule: str | None = attrs.field(order=lambda rule: rule or "")

    def __str__(self) -> str:
        return f"{self.path}::{self.test}"


def load_rules(path: Path) -> dict[str, Rule]:
    """The rules of the TOML file at *path* by id, in the file's order."""
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    also = set(data["also_in_scope"])
    return {
        id_: Rule(id_, section_id, fields["title"], fields["kind"], section["scope"] or id_ in also)
        for section_id, section in data["section"].items()
        for id_, fields in section["rule"].items()
    }


def section_titles(path: Path) -> dict[str, str]:
    """The sections of the TOML file at *path*: id and title, in the file's order."""
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    return {section_id: section["title"] for section_id, section in data["section"].items()}


def _is_rule_mark(function: ast.expr) -> bool:
    """Whether *function* is ``pytest.mark.rule`` or ``mark.rule``."""
    if not (isinstance(function, ast.Attribute) and function.attr == "rule"):
        return False
    mark = function.value
    return (isinstance(mark, ast.Attribute) and mark.attr == "mark") or (
        isinstance(mark, ast.Name) and mark.id == "mark"
    )


def _owner(statement: ast.stmt) -> str:
    """The name a reader would look for: of the test, the class, or the table of cases."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return statement.name
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
        return statement.targets[0].id
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        return statement.target.id
    return f"line {statement.lineno}"


def _tables(tree: ast.Module) -> dict[str, ast.expr]:
    """The values that the module gives to names at its top level."""
    return {
        target.id: statement.value
        for statement in tree.body
        if isinstance(statement, ast.Assign)
        for target in statement.targets
        if isinstance(target, ast.Name)
    }


def _ids(argument: ast.expr, tables: Mapping[str, ast.expr]) -> Iterator[str]:
    """The rule ids of one argument of a mark: written out, or in a table of the module that it reads from."""
    if isinstance(argument, ast.Constant):
        yield str(argument.value)
        return
    tabled = [tables[node.id] for node in ast.walk(argument) if isinstance(node, ast.Name) and node.id in tables]
    for node in (node for source in [argument, *tabled] for node in ast.walk(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and RULE_ID.fullmatch(node.value):
            yield node.value


def citations(source: str, path: str) -> Iterator[Citation]:
    """Every rule that *source*, the text of the test module *path*, cites."""
    tree = ast.parse(source, path)
    tables = _tables(tree)

    def walk(statements: Iterable[ast.stmt], prefix: str) -> Iterator[Citation]:
        for statement in statements:
            name = prefix + _owner(statement)
            inner = statement.body if isinstance(statement, ast.ClassDef) else []
            yield from walk(inner, f"{name}::")
            nested = {id(node) for child in inner for node in ast.walk(child)}
            for node in ast.walk(statement):
                if isinstance(node, ast.Call) and id(node) not in nested and _is_rule_mark(node.func):
                    for argument in node.args:
                        ids: list[str | None] = [*_ids(argument, tables)]
                        for rule in ids or [None]:
                            yield Citation(path, node.lineno, name, rule)

    yield from walk(tree.body, "")


def test_modules(root: Path) -> list[Path]:
    """The test modules of the repository at *root*: the core's and each plugin's."""
    folders = [root / "tests", *sorted(root.glob("plugins/*/tests"))]
    return [path for folder in folders for path in sorted(folder.rglob("*.py"))]


def collect(root: Path) -> list[Citation]:
    """Every citation of the repository at *root*, in order of path and line."""
    return sorted(
        citation
        for path in test_modules(root)
        for citation in citations(path.read_text(encoding="utf-8"), path.relative_to(root).as_posix())
    )


def by_rule(found: Iterable[Citation]) -> dict[str, list[Citation]]:
    """The citations of each rule, each test once."""
    tests: dict[str, dict[str, Citation]] = {}
    for citation in found:
        if citation.rule is not None:
            tests.setdefault(citation.rule, {}).setdefault(str(citation), citation)
    return {rule: list(places.values()) for rule, places in tests.items()}


def _list(rules: Mapping[str, Rule], tests: Mapping[str, list[Citation]]) -> None:
    for rule in rules.values():
        print(f"{rule.id}  {rule.title}")
        for citation in tests.get(rule.id, []):
            print(f"       {citation}")


def main(arguments: list[str] | None = None) -> int:
    """Print what is missing; the exit status is described at the top of the module."""
    parser = argparse.ArgumentParser(description="Which domain rules have no test.")
    parser.add_argument("--all", action="store_true", help="ask for a test of every rule, not only of those in scope")
    parser.add_argument("--list", action="store_true", help="print each rule with its tests")
    parser.add_argument("--root", type=Path, default=ROOT, help="the repository to look at")
    options = parser.parse_args(arguments)

    rules = load_rules(options.root / "docs" / "rules.toml")
    found = collect(options.root)
    tests = by_rule(found)
    wanted = {id_: rule for id_, rule in rules.items() if options.all or rule.in_scope}
    missing = [rule for rule in wanted.values() if rule.id not in tests]
    wrong = [citation for citation in found if citation.rule not in rules]

    if options.list:
        _list(wanted, tests)
    for rule in missing:
        print(f"{rule.id}  {rule.title}: no test cites it (section {rule.section})")
    for citation in wrong:
        problem = (
            f"unknown rule {citation.rule}" if citation.rule else "a rule that only running the tests would reveal"
        )
        print(f"{citation.path}:{citation.line}: {citation.test} cites {problem}")
    print(f"{len(wanted) - len(missing)} of {len(wanted)} rules have a test, {len(wrong)} citations are wrong")
    return 1 if missing or wrong else 0


if __name__ == "__main__":
    sys.exit(main())
