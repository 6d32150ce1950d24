"""Which emulators there are: those of paygate itself and those that packages bring along."""

from __future__ import annotations

import difflib
import importlib
import inspect
from collections.abc import Mapping
from importlib.metadata import entry_points
from types import MappingProxyType

from ...errors import PluginError
from .base import Emulator

__all__ = ["EMULATORS", "GROUP", "available", "load"]

#: Entry point group of emulators that other packages bring; the value is ``"package.module:Class"``.
GROUP = "paygate.emulators"

#: The emulators that come with paygate, by name; nothing of them is imported before :func:`load`.
EMULATORS: Mapping[str, str] = MappingProxyType(
    {
        "stripe": "paygate.testing.emulators.stripe:StripeEmulator",
        "univapay": "paygate.testing.emulators.univapay:UnivaPayEmulator",
    }
)


def available() -> Mapping[str, str]:
    """All installed emulators: name and ``"package.module:Class"``. paygate's own names cannot be taken over."""
    return dict(sorted({**{entry.name: entry.value for entry in entry_points(group=GROUP)}, **EMULATORS}.items()))


def load(name: str) -> type[Emulator]:
    """The emulator class behind *name*.

    :raises PluginError: no emulator of that name, or it cannot be imported, or it is not an :class:`Emulator`.
    """
    known = available()
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise PluginError(f"no emulator {name!r}; {hint}there are: {', '.join(known)}")
    module, _, attribute = known[name].partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except Exception as exc:
        msg = f"emulator {name!r} cannot be loaded from {known[name]!r}: {type(exc).__name__}: {exc}"
        raise PluginError(msg) from exc
    if not (inspect.isclass(found) and issubclass(found, Emulator)):
        raise PluginError(f"emulator {name!r}: {known[name]!r} is not a subclass of paygate.testing.emulators.Emulator")
    return found
