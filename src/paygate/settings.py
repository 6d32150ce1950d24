"""How a plugin declares its settings: an attrs class whose secret fields are made with :func:`secret`."""

from __future__ import annotations

from typing import Any

import attrs

from .errors import ConfigurationError

__all__ = ["is_secret", "secret"]


def _filled(_instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    if not isinstance(value, str) or not value.strip():
        # the value itself is not quoted: it may be half a secret
        msg = f"setting {attribute.name!r} is empty or not a text; give the value that the provider shows"
        raise ConfigurationError(msg)


def secret(*, default: Any = attrs.NOTHING) -> Any:
    """An attrs field for a secret: a non-empty text that never shows in ``repr``.

    In ``paygate.toml`` it may be left out and come from the environment as ``PAYGATE_<ACCOUNT>_<FIELD>``.

    >>> @attrs.frozen
    ... class Settings:
    ...     shop: str
    ...     api_key: str = secret()
    >>> Settings("s-1", "k-2")
    Settings(shop='s-1')
    """
    validator = _filled if default is attrs.NOTHING else attrs.validators.optional(_filled)
    return attrs.field(default=default, repr=False, validator=validator, metadata={"paygate_secret": True})


def is_secret(attribute: attrs.Attribute[Any]) -> bool:
    """Whether *attribute* was made with :func:`secret`."""
    return bool(attribute.metadata.get("paygate_secret"))
