"""Messages say times to the second (R-420)."""

from __future__ import annotations

import ast
import datetime as dt
from pathlib import Path

import pytest

import paygate
from paygate.clock import JST, UTC, spoken

ODD = dt.datetime(2026, 1, 31, 14, 59, 59, 123_456, tzinfo=UTC)


@pytest.mark.rule("R-420")
def test_a_time_is_said_to_the_second_in_the_business_zone():
    assert spoken(ODD) == "2026-01-31T23:59:59+09:00"
    assert spoken(ODD.astimezone(JST)) == "2026-01-31T23:59:59+09:00"
    assert spoken(ODD.replace(tzinfo=None)) == "2026-01-31T14:59:59"
    assert spoken(ODD.date()) == "2026-01-31"


@pytest.mark.rule("R-420")
def test_no_message_writes_an_instant_out_by_itself():
    """An f-string that a person reads takes ``spoken`` or a format; what is stored or sent is written whole."""
    wrong = []
    root = Path(paygate.__file__).parent
    for path in [root / "errors.py", *(root / "domain").glob("*.py"), *(root / "billing").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                wrong += [
                    f"{path.name}:{node.lineno}: {ast.unparse(part.value)}"
                    for part in node.values
                    if isinstance(part, ast.FormattedValue)
                    and part.format_spec is None
                    and part.conversion == -1
                    and _instant(part.value)
                ]
    assert wrong == []


def _instant(value: ast.expr) -> bool:
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr == "isoformat":
        return not value.keywords and _instant(value.func.value)
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr == "astimezone":
        return True
    name = value.attr if isinstance(value, ast.Attribute) else value.id if isinstance(value, ast.Name) else ""
    return name.endswith("_at") or name in {"now", "instant"}
