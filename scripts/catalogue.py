"""Keep the catalogue of translations in step with the code; Babel reads and writes it.

``--write`` puts every text of the code into ``paygate.po``, and takes out what is gone. ``--check`` fails where
the catalogue and the code differ, a text has no translation, or a placeholder is lost.
"""

from __future__ import annotations

import argparse
import ast
import re
import string
import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

from paygate import error_texts, labels, operator_texts
from paygate.billing.planning import Work
from paygate.catalogue import english
from paygate.cli import wording as cli_wording
from paygate.messages.wording import sentences

ROOT = Path(__file__).resolve().parent.parent
CORE = ROOT / "src" / "paygate"
CLI = CORE / "cli"
PO = ROOT / "src" / "paygate" / "locales" / "ja" / "LC_MESSAGES" / "paygate.po"

Key = tuple[str, str]
#: Where English adds a letter for more than one, and Japanese nothing.
PLURAL = re.compile(r"(day|year)\{1\}")


def texts() -> dict[Key, str]:
    """Context and English text of everything that is translated, with where it stands."""
    found: dict[Key, str] = {}
    for context, text in labels.entries():
        found.setdefault((context, text), "labels")
    for member in Work:
        found.setdefault(("planning.Work", english(member)), "labels")
    for text in (*error_texts.SENTENCES.values(), *error_texts.RULES.values()):
        found.setdefault(("error", text), "error_texts")
    for text in error_texts.FACTS.values():
        found.setdefault(("fact", text), "error_texts")
    for text in (operator_texts.OTHER, *operator_texts.TITLES.values(), *operator_texts.TEXTS.values()):
        found.setdefault(("operator", text), "operator_texts")
    for text in sentences():
        found.setdefault(("mail", text), "messages/wording")
    for text, where in cli_texts():
        found.setdefault(("cli", text), where)
    return found


def cli_texts() -> Iterator[tuple[str, str]]:
    """The texts that commands show people: those of the commands, and the sentences that the core makes for them."""
    for text in cli_wording.texts():
        yield text, "cli/wording"
    for path in sorted(CLI.glob("*.py")):
        if path.stem not in cli_wording.ENGLISH_ONLY and not path.stem.startswith("demo"):
            yield from ((text, f"cli/{path.stem}") for text in shown_texts(path))
    for name in cli_wording.SENTENCES_OF:
        yield from ((text, name) for text in shown_texts(CORE / f"{name}.py") if " " in text)


def shown_texts(path: Path) -> Iterator[str]:
    """String literals of a module that may be shown; f-strings with ``{0}`` and so on for what they hold."""
    finder = Finder()
    finder.visit(ast.parse(path.read_text(encoding="utf-8")))
    return (text for text in dict.fromkeys(finder.found) if not cli_wording.is_no_text(text))


class Finder(ast.NodeVisitor):
    """Collects literals; passes over docstrings, errors, decorators, comparisons, keys, types and calls that show nothing."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def visit_Raise(self, node: ast.Raise) -> None:
        """The messages of errors are English."""

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):
            self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        for statement in node.body:
            self.visit(statement)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for statement in node.body:
            self.visit(statement)

    def visit_Compare(self, node: ast.Compare) -> None:
        """What is compared is a value."""

    def visit_Subscript(self, node: ast.Subscript) -> None:
        self.visit(node.value)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_Dict(self, node: ast.Dict) -> None:
        for value in node.values:
            self.visit(value)

    def visit_Assign(self, node: ast.Assign) -> None:
        names = {target.id for target in node.targets if isinstance(target, ast.Name)}
        if "__all__" not in names:
            self.visit(node.value)

    def visit_Call(self, node: ast.Call) -> None:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in cli_wording.NOT_SHOWN or name.endswith(("Error", "Parameter")):
            return
        self.visit(node.func)
        for argument in node.args:
            self.visit(argument)
        for keyword in node.keywords:
            if keyword.arg in {"human", "default_text", None}:
                self.visit(keyword.value)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        text, number = "", 0
        for part in node.values:
            if isinstance(part, ast.Constant):
                text += str(part.value)
            else:
                text += f"{{{number}}}"
                number += 1
                if isinstance(part, ast.FormattedValue):
                    self.visit(part.value)
        self.found.append(text)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            self.found.append(node.value.lstrip(">#"))


def placeholders(text: str) -> set[str]:
    """The names in braces of *text*."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def read() -> Catalog:
    """The catalogue as it is in the repository."""
    with PO.open("rb") as file:
        return read_po(file, locale="ja")


def merged(old: Catalog) -> Catalog:
    """The texts of the code with the translations of *old*."""
    new = Catalog(
        locale="ja", project="paygate", charset="utf-8", fuzzy=False, header_comment="# Japanese texts of paygate."
    )
    new.creation_date = new.revision_date = old.creation_date
    for (context, text), where in sorted(texts().items()):
        known = old.get(text, context)
        new.add(text, str(known.string) if known and known.string else "", context=context, locations=[(where, 1)])
    return new


def problems() -> list[str]:
    """What is wrong with the catalogue, in sentences."""
    old, wanted = read(), texts()
    have: dict[Key, str] = {(it.context or "", str(it.id)): str(it.string or "") for it in old if it.id}
    wrong = [f"not in the catalogue: {key}" for key in wanted if key not in have]
    wrong += [f"not in the code: {key}" for key in have if key not in wanted]
    for (context, text), japanese in have.items():
        if not japanese:
            wrong.append(f"no translation: {(context, text)}")
        elif placeholders(japanese) - placeholders(text) or (
            context in {"operator", "cli"}
            and len(placeholders(text) - placeholders(japanese)) > bool(PLURAL.search(text))
        ):
            wrong.append(f"other placeholders: {(context, text)}")
    return wrong


def main(arguments: list[str] | None = None) -> int:
    """Write or check the catalogue; 1 if something is wrong."""
    parser = argparse.ArgumentParser(description="The catalogue of translations.")
    parser.add_argument("--write", action="store_true", help="take the texts of the code over")
    options = parser.parse_args(arguments)
    if options.write:
        new = merged(read())
        with PO.open("wb") as file:
            write_po(file, new, width=120, include_lineno=False)
    wrong = problems()
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
