"""What ``paygate check`` is pointed at, turned into suites: a plugin's name, a class, a file, or whatever is here."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs

from ...errors import ConfigurationError, PluginError
from ...plugins import discovery
from ...provider import Provider
from .. import emulators
from ..emulators import Emulator
from .runner import suite_for
from .suite import ProviderConformance

__all__ = ["Target", "find", "make_importable"]

_REMEDY = "give a plugin's name, 'package.module:Class', or a .py file"


@attrs.frozen
class Target:
    """One thing to check: the name under which it was found, and its suite."""

    name: str
    suite: type[ProviderConformance]


@attrs.frozen
class _Wishes:
    """What the caller adds to every suite."""

    emulator: type[Emulator] | None
    settings: Mapping[str, Any]


def find(
    target: str | None,
    *,
    folder: Path,
    config: Path,
    emulator: str | None = None,
    settings: Mapping[str, Any] | None = None,
) -> tuple[Target, ...]:
    """The suites behind *target*.

    :param target: an entry point's name, ``"module:Class"``, a path that ends in ``.py``, or None: the accounts of
        *config* if there is such a file, else the plugins that the ``pyproject.toml`` in *folder* declares.
    :param emulator: ``"module:Class"`` or the name of an emulator; by default the one of the plugin's name.
    :param settings: settings beside those that the emulator knows.
    :raises ConfigurationError: nothing to check; the message says what to give.
    :raises PluginError: it cannot be imported.
    """
    wishes = _Wishes(_emulator(emulator) if emulator else None, settings or {})
    make_importable(folder)
    if target is None:
        return _here(folder, config, wishes)
    if target.endswith(".py"):
        return _in_file(folder / target, wishes)
    return (_named(target, target, wishes),)


def _here(folder: Path, config: Path, wishes: _Wishes) -> tuple[Target, ...]:
    if config.exists():
        accounts = _toml(config).get("accounts", {})
        named = {name: table.get("provider", name) for name, table in accounts.items() if isinstance(table, dict)}
        if named:
            return tuple(_named(name, value, wishes) for name, value in named.items())
    project = _toml(folder / "pyproject.toml") if (folder / "pyproject.toml").exists() else {}
    declared = project.get("project", {}).get("entry-points", {}).get(discovery.GROUP, {})
    if not declared:
        raise ConfigurationError(
            f"nothing to check here: {config} names no account, and no pyproject.toml here declares a plugin; {_REMEDY}"
        )
    return tuple(_named(name, value, wishes) for name, value in declared.items())


def _named(name: str, value: str, wishes: _Wishes) -> Target:
    """The suite of what is installed, or importable, as *value*; its emulator is the one of the same name."""
    found = discovery.load(value)
    if inspect.isclass(found) and issubclass(found, ProviderConformance):
        return Target(name, found)
    if inspect.ismodule(found):
        made = _providers_of(found)
        if len(made) != 1:
            raise PluginError(f"{value!r} holds {len(made)} providers; name one: {found.__name__}:Class")
        found = made[0]
    return Target(name, _suite(name, found, wishes))


def _suite(name: str, provider: Any, wishes: _Wishes) -> type[ProviderConformance]:
    if not (inspect.isclass(provider) and issubclass(provider, Provider)) and not callable(
        getattr(provider, "capabilities", None)
    ):
        raise PluginError(f"{name!r} is no provider: it has no hook 'capabilities'; {_REMEDY}")
    emulator = wishes.emulator or _emulator_of(name, provider)
    return suite_for(provider, emulator=emulator, settings=wishes.settings)


def _in_file(path: Path, wishes: _Wishes) -> tuple[Target, ...]:
    """The suites that a file has; where it has none, one for each provider in it."""
    if not path.is_file():
        raise ConfigurationError(f"no file {path}; {_REMEDY}")
    name = f"paygate_checked_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise PluginError(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as exc:
        raise PluginError(f"{path} cannot be imported: {type(exc).__name__}: {exc}") from exc
    own = [kind for kind in vars(module).values() if inspect.isclass(kind) and kind.__module__ == name]
    suites = [kind for kind in own if issubclass(kind, ProviderConformance)]
    if suites:
        return tuple(Target(kind.__name__, kind) for kind in suites)
    beside = [kind for kind in own if issubclass(kind, Emulator)]
    chosen = wishes.emulator or (beside[0] if len(beside) == 1 else None)
    providers = _providers_of(module)
    if not providers:
        raise ConfigurationError(f"{path} has neither a provider nor a suite; {_REMEDY}")
    return tuple(
        Target(kind.__name__, suite_for(kind, emulator=chosen, settings=wishes.settings)) for kind in providers
    )


def _providers_of(module: ModuleType) -> list[Any]:
    """The providers that *module* defines; the module itself where it answers the hooks."""
    own = [
        kind
        for kind in vars(module).values()
        if inspect.isclass(kind) and issubclass(kind, Provider) and kind.__module__ == module.__name__
    ]
    return own or ([module] if inspect.isfunction(getattr(module, "capabilities", None)) else [])


def _emulator_of(name: str, provider: Any) -> type[Emulator] | None:
    """The emulator of the plugin's name: the one given, or that of the entry point behind which *provider* is."""
    module = getattr(provider, "__module__", "")
    names = [name, *(info.name for info in discovery.available() if info.value.partition(":")[0] == module)]
    package = module.partition(".")[0]
    names += [info.name for info in discovery.available() if info.value.startswith((f"{package}:", f"{package}."))]
    known = emulators.available()
    wanted = None if package == "paygate" else next((one for one in names if one in known), None)
    return emulators.load(wanted) if wanted is not None else None


def _emulator(text: str) -> type[Emulator]:
    if ":" not in text:
        return emulators.load(text)
    found = discovery.load(text)
    if not (inspect.isclass(found) and issubclass(found, Emulator)):
        raise PluginError(f"{text!r} is not a subclass of paygate.testing.emulators.Emulator")
    return found


def make_importable(folder: Path) -> None:
    """Let what lies in *folder*, or in its ``src``, be imported, as pytest would."""
    for place in (folder, folder / "src"):
        if place.is_dir() and str(place) not in sys.path:
            sys.path.insert(0, str(place))
    importlib.invalidate_caches()


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise ConfigurationError(f"{path}: not readable as TOML: {exc}") from exc
