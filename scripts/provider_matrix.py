"""Write the provider matrix, read from the capabilities that the providers declare, into the pages that show it.

Without options the table is printed. ``--write`` puts it between the markers of ``README.md``,
``docs/capabilities.md`` and, in Japanese, ``README.ja.md``; ``--check`` fails where a page shows something else.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from paygate.cli.matrix import rows
from paygate.cli.wording import cell_text, people, speak
from paygate.domain.rules import SYSTEM_MAX_EXPIRY
from paygate.provider import Capabilities
from paygate.testing.fakes import FakeAmazonPay, FakeStripe, FakeTelecom, FakeUnivaPay

ROOT = Path(__file__).resolve().parent.parent
#: The pages, each with its language.
PAGES = {ROOT / "README.md": "en", ROOT / "docs" / "capabilities.md": "en", ROOT / "README.ja.md": "ja"}
BEGIN, END = "<!-- provider-matrix:begin -->", "<!-- provider-matrix:end -->"


def declarations() -> list[Capabilities]:
    """What the four providers declare; the fakes hold the same values as the plugins, and a test keeps them equal."""
    return [fake().capabilities() for fake in (FakeUnivaPay, FakeTelecom, FakeStripe, FakeAmazonPay)]


def table(language: str = "en") -> str:
    """The matrix as a Markdown table."""
    columns = declarations()
    speak(language)
    lines = [
        "| | " + " | ".join(declared.name for declared in columns) + " |",
        "|---" * (len(columns) + 1) + "|",
        *(
            f"| {people(row.title)} | " + " | ".join(cell_text(row.cell(declared)) for declared in columns) + " |"
            for row in rows(SYSTEM_MAX_EXPIRY)
        ),
    ]
    speak("en")
    return "\n".join(lines) + "\n"


def filled(text: str, language: str = "en") -> str | None:
    """The page *text* with the current table between its markers; None where it has none."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    return f"{before}{begin}\n\n{table(language)}\n{end}{after}" if end else None


def main(arguments: list[str] | None = None) -> int:
    """Print, write or check the table; 1 if a page is out of date or has no place for it."""
    parser = argparse.ArgumentParser(description="The provider matrix, from the declared capabilities.")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--write", action="store_true", help="put the table into the pages")
    what.add_argument("--check", action="store_true", help="fail if a page shows something else")
    options = parser.parse_args(arguments)
    if not (options.write or options.check):
        print(table(), end="")
        return 0
    status = 0
    for page, language in PAGES.items():
        text = page.read_text(encoding="utf-8")
        wanted = filled(text, language)
        name = page.relative_to(ROOT)
        if wanted is None:
            print(f"{name}: no place for the matrix; write the lines {BEGIN} and {END}")
            status = 1
        elif wanted != text and options.check:
            print(f"{name}: the matrix is out of date; run scripts/provider_matrix.py --write")
            status = 1
        elif wanted != text:
            page.write_text(wanted, encoding="utf-8")
            print(f"{name}: written")
    return status


if __name__ == "__main__":
    sys.exit(main())
