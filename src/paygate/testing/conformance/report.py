"""The report of a check as data: who was checked, by what, bound to the hashes of the plugin's files; and a badge."""

from __future__ import annotations

import datetime as dt
import enum
import hashlib
import inspect
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import attrs

from ...plugins import discovery
from .case import Level
from .runner import CaseResult, Result, Verdict, verdict
from .suite import ProviderConformance

__all__ = ["SCHEMA", "Report", "badge"]

#: Version of the JSON document; it changes when a field changes its meaning or goes.
SCHEMA = 1

_COLOURS = {Verdict.PASSED: "#2e7d32", Verdict.FAILED: "#c62828", Verdict.NOT_SHOWN: "#757575"}


@attrs.frozen
class Report:
    """One provider, checked.

    :param name: under which it was found.
    :param at: when, UTC.
    """

    name: str
    suite: type[ProviderConformance]
    results: tuple[CaseResult, ...]
    at: dt.datetime

    @property
    def verdicts(self) -> Mapping[Level, Verdict]:
        """The verdict of each level that was run."""
        levels = {one.case.level for one in self.results}
        return {level: verdict(self.results, level) for level in Level if level in levels}

    @property
    def failed(self) -> tuple[CaseResult, ...]:
        """The cases that failed, known failures apart."""
        return tuple(one for one in self.results if one.result is Result.FAILED)

    def document(self) -> dict[str, Any]:
        """The report as JSON has it; see :data:`SCHEMA`."""
        provider = inspect.getattr_static(self.suite, "provider")
        made = provider.__func__() if isinstance(provider, staticmethod) else provider
        kind = made if inspect.isclass(made) or inspect.ismodule(made) else type(made)
        emulator = self.suite.emulator
        return {
            "schema": SCHEMA,
            "paygate": version("paygate"),
            "at": self.at.isoformat(),
            "name": self.name,
            "provider": {"object": _path(kind), **_origin(kind)},
            "emulator": None if emulator is None else _path(emulator),
            "capabilities": _plain(self.suite().capabilities),
            "levels": {level.value: found.value for level, found in self.verdicts.items()},
            "cases": [
                {
                    "id": one.case.id,
                    "level": one.case.level.value,
                    "group": one.case.group.value,
                    "claim": one.case.claim,
                    "result": one.result.value,
                    "said": one.said,
                    "overridden": one.overridden or None,
                    "milliseconds": round(one.seconds * 1000),
                }
                for one in self.results
            ],
        }


def badge(report: Report) -> str:
    """An SVG picture of the verdicts, for a README. Holds no script and loads nothing."""
    label = "paygate"
    parts = [(label, "#424242"), *((level.value, _COLOURS[found]) for level, found in report.verdicts.items())]
    texts, rectangles, left = [], [], 0
    for text, colour in parts:
        width = 12 + 7 * len(text)
        rectangles.append(f'<rect x="{left}" width="{width}" height="20" fill="{colour}"/>')
        texts.append(f'<text x="{left + width / 2:g}" y="14">{text}</text>')
        left += width
    said = ", ".join(f"{level.value} {found.value}" for level, found in report.verdicts.items())
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left}" height="20" role="img" '
        f'aria-label="{label}: {said}"><title>{label}: {said}</title>'
        f'<clipPath id="r"><rect width="{left}" height="20" rx="3"/></clipPath>'
        f'<g clip-path="url(#r)">{"".join(rectangles)}</g>'
        '<g fill="#fff" text-anchor="middle" font-family="Verdana,Geneva,DejaVu Sans,sans-serif" font-size="11">'
        f"{''.join(texts)}</g></svg>\n"
    )


def _path(kind: Any) -> str:
    return kind.__name__ if inspect.ismodule(kind) else f"{kind.__module__}:{kind.__qualname__}"


def _origin(kind: Any) -> dict[str, Any]:
    """The distribution that *kind* comes from, by its entry points, and the SHA-256 of each of the plugin's files."""
    module = kind.__name__ if inspect.ismodule(kind) else kind.__module__
    package = module.partition(".")[0]
    known = [info for info in discovery.available() if info.value.partition(":")[0].partition(".")[0] == package]
    return {
        "distribution": known[0].distribution if known else None,
        "version": known[0].version if known else None,
        "files": _files(module, whole=bool(known) and package != "paygate"),
    }


def _files(module: str, *, whole: bool) -> dict[str, str]:
    """Path, from the folder that the plugin lies in, to hash.

    :param whole: the plugin is a distribution of its own: all of its package counts, not only the module's folder.
    """
    loaded = sys.modules[module.partition(".")[0] if whole else module]
    source = Path(inspect.getfile(loaded))
    folder = source.parent
    if source.name == "__init__.py" or "." in module:
        found = {path.relative_to(folder.parent).as_posix(): path for path in sorted(folder.rglob("*.py"))}
    else:
        found = {source.name: source}
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in found.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, enum.Flag):
        return [str(member.name) for member in type(value) if member in value]
    if isinstance(value, enum.Enum):
        return value.name
    if attrs.has(type(value)):
        return {field.name: _plain(getattr(value, field.name)) for field in attrs.fields(type(value))}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return value
