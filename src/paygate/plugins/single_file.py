"""Providers and observers without packaging: in a module of the user's own, named in the configuration or passed as they are."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from types import ModuleType

from ..errors import ConfigurationError
from ..provider import Provider

__all__ = ["account_name", "has_hooks", "named", "providers_in"]


def account_name(provider: type[Provider]) -> str:
    """The account that a provider gets where nobody names one: its class in lower case, without "Provider" at the end.

    >>> class AcmeProvider(Provider): ...
    >>> account_name(AcmeProvider)
    'acme'
    """
    name = provider.__name__.lower()
    return name.removesuffix("provider") or name


def providers_in(found: object) -> dict[str, type[Provider]]:
    """The providers that *found* is or, for a module, defines itself; by the names of their accounts."""
    if inspect.isclass(found) and issubclass(found, Provider):
        return {account_name(found): found}
    if not isinstance(found, ModuleType):
        return {}
    return {
        account_name(value): value
        for name, value in vars(found).items()
        if inspect.isclass(value)
        and issubclass(value, Provider)
        and value.__module__ == found.__name__
        and not name.startswith("_")
    }


def has_hooks(module: ModuleType) -> bool:
    """Whether *module* has functions marked with ``@paygate.hookimpl``."""
    return any(hasattr(value, "paygate_impl") for value in vars(module).values() if inspect.isfunction(value))


def named(providers: Mapping[str, object] | Iterable[object]) -> Mapping[str, object]:
    """Account name → provider; a list of :class:`Provider` classes or instances gives its accounts their usual names.

    :raises ConfigurationError: something else is in the list, two have one name, or a class needs settings.
    """
    if isinstance(providers, Mapping):
        return providers
    accounts: dict[str, object] = {}
    for given in _listed(providers):
        kind = given if inspect.isclass(given) else type(given)
        if not issubclass(kind, Provider):
            raise ConfigurationError(f"providers lists Provider classes or instances, and {given!r} is neither")
        name = account_name(kind)
        if name in accounts:
            raise ConfigurationError(
                f"two of the providers are named {name!r}: give a mapping with names of your own, for example "
                f"{{'{name}-1': …, '{name}-2': …}}"
            )
        accounts[name] = _made(kind) if given is kind else given
    return accounts


def _listed(providers: object) -> list[object]:
    if isinstance(providers, str | bytes) or not isinstance(providers, Iterable):
        raise ConfigurationError(
            "providers is a mapping from account name to provider, for example {'univapay': UnivaPay(…)}, or a list of "
            f"Provider classes or instances, and not {providers!r}"
        )
    return list(providers)


def _made(kind: type[Provider]) -> Provider:
    try:
        inspect.signature(kind).bind()
    except TypeError as exc:
        raise ConfigurationError(f"{kind.__name__} needs settings: give an instance of it ({exc})") from exc
    return kind()
