"""Finding plugins by their entry points; only what is asked for is loaded."""

from __future__ import annotations

import difflib
import importlib
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec

import attrs

from ..errors import PluginError

__all__ = ["GROUP", "PluginInfo", "available", "load"]

GROUP = "paygate"


@attrs.frozen
class PluginInfo:
    """An installed plugin, known from metadata alone; nothing of it has been imported."""

    name: str
    value: str
    distribution: str
    version: str


def _entries() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def available() -> tuple[PluginInfo, ...]:
    """All installed plugins of the entry point group ``paygate``, by name."""
    rows = []
    for name, entry in sorted(_entries().items()):
        distribution = entry.dist
        rows.append(
            PluginInfo(
                name,
                entry.value,
                distribution.name if distribution else "",
                distribution.version if distribution else "",
            )
        )
    return tuple(rows)


def load(name: str, *, modules: bool = False) -> object:
    """The object behind entry point *name*, or behind a dotted path such as ``"myapp.acme"`` or ``"myapp.acme:Acme"``.

    :param modules: whether a name without a dot may be a module as well. A provider's name may not: the package of its
        vendor is often called the same.
    :raises PluginError: no such plugin, or it cannot be imported; the message names it and the remedy.
    """
    entry = _entries().get(name)
    if entry is not None:
        try:
            return entry.load()
        except Exception as exc:
            origin = f" of {entry.dist.name} {entry.dist.version}" if entry.dist else ""
            msg = f"plugin {name!r}{origin} cannot be loaded from {entry.value!r}: {type(exc).__name__}: {exc}"
            raise PluginError(msg) from exc
    if "." in name or ":" in name or (modules and name.isidentifier() and find_spec(name) is not None):
        module_name, _, attribute = name.partition(":")
        try:
            found: object = importlib.import_module(module_name)
            for part in filter(None, attribute.split(".")):
                found = getattr(found, part)
        except Exception as exc:
            msg = f"plugin {name!r} cannot be imported: {type(exc).__name__}: {exc}"
            if isinstance(exc, ModuleNotFoundError) and exc.name and f"{module_name}.".startswith(f"{exc.name}."):
                msg += "; install it, or put the folder that holds it on PYTHONPATH"
            raise PluginError(msg) from exc
        return found
    known = sorted(_entries())
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"install it, for example: pip install paygate-{name}"
    msg = f"no plugin {name!r} is installed; {hint} (installed: {', '.join(known) or 'none'})"
    raise PluginError(msg)
