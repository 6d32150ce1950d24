"""A CSV file as numbered records: its encoding, its delimiter, its header, and what is wrong with each (no click here).

UTF-8 with or without a byte order mark; what Excel saves in Japan, Shift_JIS (cp932), where it reads as Japanese.
"""

from __future__ import annotations

import csv
import difflib
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import attrs

from ..drivers.redact import mask_text
from ..errors import InvalidValue
from . import csv_names

__all__ = ["ENCODINGS", "FileProblem", "Record", "RowProblem", "encoding_of", "records", "shown"]

#: What ``encoding`` may be.
ENCODINGS = ("utf-8", "cp932")

_SAVE_AGAIN = "save it as “CSV UTF-8 (comma delimited)”"
_OTHER_FILES = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16", b"PK\x03\x04": "an Excel workbook (.xlsx)"}
_OTHER_DELIMITERS = {"\t": "tabs", ";": "semicolons", "，": "full-width commas"}


@attrs.frozen
class RowProblem:
    """One thing that is wrong with one row.

    :param line: of the file, from 1; where a row begins. 0: the file as a whole.
    :param column: the column's name; empty: the row as a whole.
    :param value_shown: the value, shortened and without card numbers; empty where it must not be shown.
    """

    line: int
    column: str
    value_shown: str
    problem: str
    remedy: str


class FileProblem(InvalidValue):
    """Nothing can be read from the file; ``problem`` says where and why."""

    def __init__(self, problem: RowProblem) -> None:
        super().__init__(f"{problem.problem}; {problem.remedy}")
        self.problem = problem


@attrs.frozen
class Record:
    """One row: the line on which it begins, and its fields by column, stripped of blanks around them."""

    line: int
    fields: dict[str, str] = attrs.field(repr=False)


def shown(value: str) -> str:
    """*value* as a message may show it: at most 40 characters, none that steers a terminal, no card number."""
    clean = "".join("·" if unicodedata.category(letter) in {"Cc", "Cf"} else letter for letter in mask_text(value))
    return clean if len(clean) <= 40 else clean[:39] + "…"


def encoding_of(path: Path, wanted: str | None = None) -> str:
    """The name under which *path* can be decoded from its first line to its last.

    Text that is not UTF-8 but reads as Japanese when decoded as Shift_JIS is that, see :func:`_japanese`. Anything else
    could be a Western encoding as well, and a guess would garble names.

    :param wanted: one of :data:`ENCODINGS`; None finds it out.
    :raises FileProblem: empty, another kind of file, or an encoding that cannot be told.
    """
    with path.open("rb") as file:
        start = file.read(4)
    if not start:
        raise FileProblem(RowProblem(0, "", "", "the file is empty", "export it again, with its header line"))
    for mark, name in _OTHER_FILES.items():
        if start.startswith(mark):
            raise FileProblem(RowProblem(1, "", "", f"the file is {name}, not CSV in UTF-8", _SAVE_AGAIN))
    if wanted == "cp932":
        if (line := _first_undecodable(path, "cp932")) is None:
            return "cp932"
        raise FileProblem(RowProblem(line, "", "", "the text is not Shift_JIS", "leave --encoding out"))
    line = _first_undecodable(path, "utf-8")
    if line is None:
        return "utf-8-sig"
    possible = wanted is None and _first_undecodable(path, "cp932") is None
    if possible and _japanese(path):
        return "cp932"
    remedy = f"{_SAVE_AGAIN}, or if it is Shift_JIS add --encoding cp932" if possible else _SAVE_AGAIN
    raise FileProblem(RowProblem(line, "", "", "the text is not UTF-8", remedy))


def _first_undecodable(path: Path, encoding: str) -> int | None:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):  # no byte of a longer character is a line feed in either encoding
            try:
                line.decode(encoding)
            except UnicodeDecodeError:
                return number
    return None


#: Full-width letters of Japanese text: punctuation, kana, kanji, full-width forms. Private-use characters, which Western
#: letters turn into now and then, are not among them.
_WIDE = "\u3000-\u30ff\u4e00-\u9fff\uff01-\uff5e"
_RUNS = re.compile(rf"[{_WIDE}]+|[\uff61-\uff9f]{{3,}}")
_NOT_JAPANESE = re.compile("[\ue000-\uf8ff]")


def _japanese(path: Path) -> bool:
    """Whether the text of *path*, decoded as Shift_JIS, reads as Japanese.

    Japanese comes in runs of full-width characters, or of half-width kana. An accented letter or a typographic quote of a
    Western encoding swallows the plain letter behind it and becomes one character that stands alone. Kana alone settle
    it as well: their bytes are control characters or rare signs in every Western encoding.
    """
    together = alone = 0
    with path.open(encoding="cp932", newline="") as file:
        for line in file:
            if _NOT_JAPANESE.search(line):
                return False
            for run in _RUNS.findall(line):
                if len(run) > 1 or "\u3041" <= run <= "\u30fe":
                    together += len(run)
                else:
                    alone += 1
    return together > alone


def records(
    path: Path,
    columns: Sequence[str],
    required: Sequence[str],
    report: Callable[[RowProblem], None],
    *,
    encoding: str | None = None,
    progress: Callable[[int], None] | None = None,
) -> Iterator[Record]:
    """The rows of *path* that have as many fields as the header; empty ones are left out. Read as a stream.

    :param report: called with every problem of the header and of the rows that are left out.
    :param encoding: one of :data:`ENCODINGS`; None finds it out.
    :param progress: called with the number of the line reached, after each row.
    :raises FileProblem: nothing can be read at all.
    """
    with path.open(encoding=encoding_of(path, encoding), newline="") as file:
        reader = csv.reader(file, strict=True)
        first = _next(reader, 1, report)
        while first is not None and _before_the_table(first):
            first = _next(reader, reader.line_num + 1, report)
        header = _header(first or [], columns, required, report)
        begins = reader.line_num + 1
        while (fields := _next(reader, begins, report)) is not None:
            if record := _record(begins, fields, header, report):
                yield record
            begins = reader.line_num + 1
            if progress is not None:
                progress(reader.line_num)


def _next(reader: Iterator[list[str]], line: int, report: Callable[[RowProblem], None]) -> list[str] | None:
    """The next row; None at the end, and after a row so broken that nobody can tell where the next one begins."""
    try:
        return next(reader, None)
    except csv.Error as exc:
        remedy = "quote every value that holds a comma or a quote, and double the quotes inside it"
        report(RowProblem(line, "", "", f"the row and all after it cannot be read: {exc}", remedy))
        return None


def _before_the_table(fields: list[str]) -> bool:
    """Whether a line comes before the header: an empty one, or ``sep=,``, by which Excel is told the delimiter."""
    return not any(field.strip() for field in fields) or (fields[0].strip().lower() == "sep=" and not any(fields[1:]))


def _record(line: int, fields: list[str], header: list[str], report: Callable[[RowProblem], None]) -> Record | None:
    fields = [field.strip() for field in fields]
    if not any(fields) or fields == ["\x1a"]:
        return None  # spreadsheets leave lines of commas behind, and old programs the mark of the end of a file
    while len(fields) > len(header) and not fields[-1]:
        fields.pop()  # as do empty columns beside the table
    if len(fields) != len(header):
        few = len(fields) < len(header)
        report(
            RowProblem(
                line,
                "",
                "",
                f"{'too few' if few else 'too many'} fields: {len(fields)} instead of {len(header)}",
                "write one field for each column, also for empty ones; quote values that hold commas",
            )
        )
        return None
    return Record(line, dict(zip(header, fields, strict=True)))


def _header(
    fields: list[str], columns: Sequence[str], required: Sequence[str], report: Callable[[RowProblem], None]
) -> list[str]:
    """The columns' own names in the order of *fields*; cells without a name at the end of the line are no columns."""
    cells = [field.strip() for field in fields]
    while cells and not cells[-1]:
        cells.pop()
    known = csv_names.spelt({column: csv_names.COLUMN_NAMES.get(column, ()) for column in columns})
    names = [csv_names.own_text(cell) or csv_names.column_of(cell, known) or cell.lower() for cell in cells]
    if len(names) == 1:
        for mark, word in _OTHER_DELIMITERS.items():
            if mark in names[0]:
                raise FileProblem(
                    RowProblem(
                        1, "", "", f"the fields are separated by {word}", "separate them by commas and export again"
                    )
                )
    for name in sorted({name for name in names if name and names.count(name) > 1}):
        spelt = " and ".join(f"“{shown(cell)}”" for cell, own in zip(cells, names, strict=True) if own == name)
        twice = "the column appears twice" + (f", as {spelt}" if len(set(cells)) == len(cells) else "")
        raise FileProblem(RowProblem(1, name, "", twice, "leave one of them out"))
    missing = [name for name in required if name not in names]
    if len(missing) == len(required):
        remedy = f"the first line names the columns: {', '.join(columns)}"
        raise FileProblem(RowProblem(1, "", shown(",".join(fields)), "the file has no header line", remedy))
    for name in names:
        if not name:
            report(RowProblem(1, "", "", "a column has no name", "name it, or take the column out"))
        elif name not in columns and not csv_names.own_text(name):
            close = difflib.get_close_matches(name, columns, n=1)
            remedy = f"did you mean {close[0]!r}?" if close else f"leave it out; known: {', '.join(columns)}"
            report(RowProblem(1, shown(name), "", "unknown column", remedy))
    if missing:
        first, *more = [RowProblem(1, name, "", "the column is missing", "add it") for name in missing]
        for problem in more:
            report(problem)
        raise FileProblem(first)
    return names
