"""How the drivers speak HTTP: limits and waits, as one value that loads no HTTP client."""

from __future__ import annotations

from typing import Any

import attrs

from ..errors import ConfigurationError

__all__ = ["HttpSettings"]


def _positive(_instance: object, attribute: attrs.Attribute[Any], value: float | None) -> None:
    if value is not None and not value > 0:
        msg = f"HTTP setting {attribute.name} is {value!r}; give a number greater than zero"
        raise ConfigurationError(msg)


def _not_negative(_instance: object, attribute: attrs.Attribute[Any], value: float) -> None:
    if not value >= 0:
        msg = f"HTTP setting {attribute.name} is {value!r}; give zero or more"
        raise ConfigurationError(msg)


@attrs.frozen(kw_only=True)
class HttpSettings:
    """Settings of one driver. Times are seconds.

    :param connect_timeout: to get a connection, from the pool or anew, including TLS.
    :param read_timeout: to wait for the answer, where the request does not say otherwise.
    :param max_response_bytes: largest decoded body; a larger one counts as a lost answer.
    :param retries: how often a request is repeated at most where repeating it is safe; 0 switches repeating off.
    :param backoff_base: upper bound of the first random wait; it doubles with each repeat.
    :param backoff_limit: the longest such wait.
    :param retry_after_limit: the longest wait that a provider's ``Retry-After`` can ask for.
    :param requests_per_second: pace per origin (scheme, host and port); None sets none.
    :param burst: requests that an idle origin takes at once before the pace holds.
    :param connections: largest number of connections in the pool.
    :param user_agent: sent where the request names none.
    :raises ConfigurationError: if a number is out of range.
    """

    connect_timeout: float = attrs.field(default=5.0, validator=_positive)
    read_timeout: float = attrs.field(default=30.0, validator=_positive)
    max_response_bytes: int = attrs.field(default=10 * 1024 * 1024, validator=_positive)
    retries: int = attrs.field(default=2, validator=_not_negative)
    backoff_base: float = attrs.field(default=0.5, validator=_not_negative)
    backoff_limit: float = attrs.field(default=8.0, validator=_not_negative)
    retry_after_limit: float = attrs.field(default=60.0, validator=_not_negative)
    requests_per_second: float | None = attrs.field(default=None, validator=_positive)
    burst: int = attrs.field(default=1, validator=_positive)
    connections: int = attrs.field(default=100, validator=_positive)
    user_agent: str = "paygate"
