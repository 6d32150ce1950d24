"""Keep the catalogue of translations in step with the code; Babel reads and writes it.

``--write`` puts every text of the code into ``paygate.po``, takes out what is gone, and compiles it. ``--check`` fails where
the catalogue and the code differ, a text has no translation, a placeholder is lost, or the compiled file is old.
"""

from __future__ import annotations

import argparse
import ast
import io
import string
import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from paygate import error_texts, labels, operator_texts
from paygate.cli import wording as cli_wording
from paygate.messages.wording import sentences

ROOT = Path(__file__).resolve().parent.parent
CLI = ROOT / "src" / "paygate" / "cli"
PO = ROOT / "src" / "paygate" / "locales" / "ja" / "LC_MESSAGES" / "paygate.po"
MO = PO.with_suffix(".mo")

Key = tuple[str, str]


def texts() -> dict[Key, str]:
    """Context and English text of everything that is translated, with where it stands."""
    found: dict[Key, str] = {}
    for context, text in labels.entries():
        found.setdefault((context, text), "labels")
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
    """The texts that commands print: the literals given to the functions of :mod:`paygate.cli.wording` and its tables."""
    for text in cli_wording.texts():
        yield text, "cli/wording"
    for path in sorted(CLI.glob("*.py")):
        if path.stem in cli_wording.ENGLISH_ONLY or path.stem.startswith("demo"):
            continue
        for text in literals(ast.parse(path.read_text(encoding="utf-8"))):
            yield text, f"cli/{path.stem}"


def literals(tree: ast.AST) -> Iterator[str]:
    """The English texts among the arguments of calls that print or translate, and of the tables' columns."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            for index in cli_wording.PRINTED.get(name, ()):
                if index < len(node.args):
                    yield from strings(node.args[index])
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [target.id for target in targets if isinstance(target, ast.Name)]
            if node.value is not None and any(name.endswith(("COLUMNS", "_NEXT")) for name in names):
                yield from strings(node.value)


def strings(node: ast.AST) -> Iterator[str]:
    """String literals: the node itself, members of tuples and lists (of pairs: the name), both arms of a choice."""
    match node:
        case ast.Constant(value=str() as text) if text.strip():
            yield text.removeprefix(">")
        case ast.Tuple(elts=[ast.Constant(value=str() as text), _]) if text and not isinstance(
            node.elts[1], ast.Constant
        ):
            yield text.removeprefix(">")
            yield from strings(node.elts[1]) if isinstance(node.elts[1], ast.IfExp) else ()
        case ast.Tuple() | ast.List():
            for element in node.elts:
                yield from strings(element)
        case ast.IfExp():
            yield from strings(node.body)
            yield from strings(node.orelse)
        case ast.Starred():
            yield from strings(node.value)


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
        elif placeholders(text) != placeholders(japanese) and context in {"operator", "cli"}:
            wrong.append(f"other placeholders: {(context, text)}")
    if not MO.exists() or MO.read_bytes() != compiled(old):
        wrong.append(f"{MO.relative_to(ROOT)} is old")
    return wrong


def compiled(catalogue: Catalog) -> bytes:
    """The compiled form of *catalogue*."""
    file = io.BytesIO()
    write_mo(file, catalogue)
    return file.getvalue()


def main(arguments: list[str] | None = None) -> int:
    """Write or check the catalogue; 1 if something is wrong."""
    parser = argparse.ArgumentParser(description="The catalogue of translations.")
    parser.add_argument("--write", action="store_true", help="take the texts of the code over, and compile")
    options = parser.parse_args(arguments)
    if options.write:
        new = merged(read())
        with PO.open("wb") as file:
            write_po(file, new, width=120, include_lineno=False)
        MO.write_bytes(compiled(read()))
    wrong = problems()
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
