"""Lists as CSV for spreadsheets and programs: values that machines read, and no cell that a spreadsheet would carry out.

The columns are those of the table, named in lower case with underscores. An amount is an exact decimal number without
separators, with its currency in the next column (``amount``, ``amount_currency``). A day is ``2026-01-31``, an instant
``2026-01-31T10:00:00+09:00``; yes and no are ``true`` and ``false``; what has no value is empty. UTF-8, lines end with CR LF.

A text that begins with ``=``, ``+``, ``-``, ``@``, a tab or a carriage return, or with one of the first four in full width, gets
an apostrophe in front, as does one that begins with apostrophes and then one of these: taking one apostrophe away again gives
exactly the text. :func:`original` does that, and ``paygate import`` reads its files so.
"""

from __future__ import annotations

import csv
import datetime as dt
import enum
import io
import re
import sys
import unicodedata
from collections.abc import Iterable, Sequence

from ..clock import JST
from ..money import Money

__all__ = ["harmless", "original", "write_csv"]

_FORMULA = re.compile("'*[=+\\-@\t\r\uff1d\uff0b\uff0d\uff20]")
_ESCAPED = re.compile("'+[=+\\-@\t\r\uff1d\uff0b\uff0d\uff20]")

#: Unicode categories of what steers a terminal, and what of them a name or a note may hold.
_STEERING, _MEANT = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"}), frozenset("\t\r\n\u200c\u200d")


def harmless(text: str) -> str:
    """*text* so that no spreadsheet takes it for a formula.

    >>> harmless("=1+1"), harmless("'=1+1"), harmless("C-1")
    ("'=1+1", "''=1+1", 'C-1')
    """
    return f"'{text}" if _FORMULA.match(text) else text


def original(text: str) -> str:
    """What :func:`harmless` made *text* of; any other text as it is.

    >>> original("'=1+1"), original("''=1+1"), original("'quoted'")
    ('=1+1', "'=1+1", "'quoted'")
    """
    return text[1:] if _ESCAPED.match(text) else text


def write_csv(columns: Sequence[str], rows: Iterable[Sequence[object]], *, bom: bool) -> None:
    """Print *rows* on standard output, as UTF-8 whatever the terminal's encoding is.

    :param columns: the headings of the table; ``>`` begins those of amounts, ``#`` those of other numbers.
    :param bom: begin with the byte order mark by which spreadsheets recognise UTF-8.
    """
    money = [heading.startswith(">") for heading in columns]
    header = [name for heading in columns for name in _names(heading)]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(header)
    for row in rows:
        cells = zip(row, money, strict=True)
        writer.writerow([text for value, amount in cells for text in (_amount(value) if amount else (_cell(value),))])
    written = ("\ufeff" if bom else "") + text.getvalue()
    sys.stdout.flush()
    binary = getattr(sys.stdout, "buffer", None)
    if binary is None:
        sys.stdout.write(written)
    else:
        binary.write(written.encode())
    sys.stdout.flush()


def _names(heading: str) -> tuple[str, ...]:
    """The names of the columns under *heading*: ``>Amount`` has two, ``Provider's id`` is ``provider_id``."""
    plain = heading.lstrip(">#").lower().replace("'s", "").replace("e-mail", "email")
    name = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")
    return (name, f"{name}_currency") if heading.startswith(">") else (name,)


def _amount(value: object) -> tuple[str, str]:
    if not isinstance(value, Money):
        return _cell(value), ""
    number, _, currency = str(value).rpartition(" ")
    return number.replace(",", ""), currency


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case Money():
            return " ".join(_amount(value))
        case dt.datetime():
            return value.astimezone(JST).isoformat()
        case dt.date():
            return value.isoformat()
        case enum.Enum():
            return harmless(str(value.value))
        case _:
            return harmless("".join(_visible(letter) for letter in str(value)))


def _visible(letter: str) -> str:
    return "\ufffd" if unicodedata.category(letter) in _STEERING and letter not in _MEANT else letter
