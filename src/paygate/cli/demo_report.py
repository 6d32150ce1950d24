"""What the demo shows: headings, sentences, tables, and expectations that must hold."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

import attrs
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from .output import cell

__all__ = ["Expectation", "Report"]

#: Columns of a terminal that everything fits into.
WIDTH = 100


@attrs.frozen
class Expectation:
    """A claim of the demo, and whether it held."""

    claim: str
    held: bool


class Report:
    """Prints scene by scene, and remembers what was expected.

    :param silent: print nothing, for the machine-readable summary.
    """

    def __init__(self, *, silent: bool = False) -> None:
        self.expectations: list[Expectation] = []
        self._silent = silent
        self._scenes = 0
        self._gap = True  # whether what was printed last ends with an empty line

    @property
    def failed(self) -> tuple[str, ...]:
        """The claims that did not hold."""
        return tuple(one.claim for one in self.expectations if not one.held)

    def scene(self, title: str) -> None:
        """Begin the next scene."""
        self._scenes += 1
        self._print(Text(f"{self._scenes}. {title}", style="bold"), before=True)

    def say(self, text: str) -> None:
        """Print a paragraph."""
        self._print(Text(text))

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str = "") -> None:
        """Print a table. Headings that start with ``>`` are set flush right, under those with ``~`` cells are wrapped.

        The other columns keep their cells in one line: together they have to leave room in the width.
        """
        grid = Table(
            title=Text(title, style="italic") if title else None,
            title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False,
        )  # fmt: skip
        for heading in columns:
            grid.add_column(
                heading.lstrip(">~"),
                justify="right" if heading.startswith(">") else "left",
                no_wrap=not heading.startswith("~"),
                overflow="fold",
            )
        for row in rows:
            grid.add_row(*(Text(cell(value)) for value in row))
        self._print(grid, before=True, after=True)

    def expect(self, claim: str, held: bool) -> None:
        """Note a claim; one that does not hold is shown at once and makes the demo fail."""
        self.expectations.append(Expectation(claim, held))
        if not held:
            self._print(Text(f"NOT AS EXPECTED: {claim}", style="bold red"))

    def _print(self, what: Table | Text, *, before: bool = False, after: bool = False) -> None:
        """Print *what*, with one empty line *before* and *after* it where asked."""
        if self._silent:
            return
        stream = sys.stdout
        console = Console(file=stream, width=WIDTH, highlight=False, emoji=False, force_terminal=stream.isatty())
        with console.capture() as captured:
            console.print(what)
        # rich pads every line to the width of the table; output that is kept should not end its lines in blanks
        lines = [line.rstrip() for line in captured.get().split("\n")]
        text = "\n".join(lines).strip("\n") + "\n"
        stream.write("\n" * (before and not self._gap) + text + "\n" * after)
        self._gap = after
