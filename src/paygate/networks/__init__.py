"""The card networks' retry rules that come with paygate, read from ``rules.json`` beside this module.

Rules are data, because networks change them and sources disagree. A correction is an edit of the file, or of a copy that is
named to :func:`load`; no code knows a code or a limit. ``import paygate`` does not load this.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from ..domain.network_rules import (
    STRICT,
    Action,
    AdviceRule,
    CodeRule,
    Counts,
    NetworkRules,
    ReattemptLimit,
    Validity,
    Window,
)
from ..errors import ConfigurationError, InvalidValue

__all__ = ["load"]

#: The name under ``networks`` of what holds for cards of any network.
_ANY = "any"


def load(reading: str = STRICT, *, path: Path | None = None) -> NetworkRules:
    """The networks' rules in one reading.

    :param reading: ``strict`` (where sources disagree the stricter holds), ``lenient``, or the name of a source, which
        is followed where it says anything.
    :param path: a file of the same form instead of the one that comes with paygate.
    :raises InvalidValue: for an unknown reading; the message lists the sources.
    :raises ConfigurationError: the file cannot be read, or an entry is not of the form; the message names it.
    """
    file = path or resources.files(__name__) / "rules.json"
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        networks = [(str(name), dict(stated)) for name, stated in document["networks"].items()]
        sources = {str(name): str(citation) for name, citation in document["sources"].items()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise ConfigurationError(f"{file}: no readable rules of card networks: {error!r}") from error
    return NetworkRules(
        codes=tuple(rule for name, stated in networks for rule in _codes(name, stated, sources)),
        advice=tuple(rule for name, stated in networks for rule in _advice(name, stated, sources)),
        limits=tuple(limit for name, stated in networks for limit in _limits(name, stated, sources)),
        sources=sources,
        reading=reading,
    )


def _codes(network: str, stated: Mapping[str, Any], sources: Mapping[str, str]) -> Iterator[CodeRule]:
    for entry in stated.get("codes", ()):
        try:
            for statement in entry["says"]:
                category = stated["categories"][statement["category"]]
                yield CodeRule(
                    network=_network(network),
                    code=entry["code"],
                    action=Action(category["action"]),
                    means=category["means"],
                    sources=_sources(statement, sources),
                    validity=_validity(statement),
                )
        except (LookupError, TypeError, ValueError) as error:
            raise _malformed(network, "codes", entry, error) from error


def _advice(network: str, stated: Mapping[str, Any], sources: Mapping[str, str]) -> Iterator[AdviceRule]:
    for entry in stated.get("advice", ()):
        try:
            yield AdviceRule(
                network=_network(network),
                code=entry["code"],
                action=Action(entry["action"]),
                means=entry["means"],
                advice=entry["advice"],
                sources=_sources(entry, sources),
                wait=dt.timedelta(seconds=entry.get("wait_seconds", 0)),
                validity=_validity(entry),
            )
        except (LookupError, TypeError, ValueError) as error:
            raise _malformed(network, "advice", entry, error) from error


def _limits(network: str, stated: Mapping[str, Any], sources: Mapping[str, str]) -> Iterator[ReattemptLimit]:
    for entry in stated.get("limits", ()):
        try:
            yield ReattemptLimit(
                id=entry["id"],
                network=network,
                maximum=entry["maximum"],
                counts=Counts(entry["counts"]),
                length=dt.timedelta(days=entry["days"]),
                sources=_sources(entry, sources),
                window=Window(entry["window"]),
                per_amount=entry["per_amount"],
                validity=_validity(entry),
            )
        except (LookupError, TypeError, ValueError) as error:
            raise _malformed(network, "limits", entry, error) from error


def _network(name: str) -> str | None:
    return None if name == _ANY else name


def _sources(entry: Mapping[str, Any], known: Mapping[str, str]) -> tuple[str, ...]:
    names = tuple(entry["sources"])
    if not names or not set(names) <= set(known):
        raise InvalidValue("its sources are missing or not listed under sources")
    return names


def _validity(entry: Mapping[str, Any]) -> Validity:
    since, until = entry.get("from"), entry.get("until")
    return Validity(
        dt.date.fromisoformat(since) if since else None,
        dt.date.fromisoformat(until) if until else None,
    )


def _malformed(network: str, part: str, entry: object, error: Exception) -> ConfigurationError:
    return ConfigurationError(f"card network rules, {network}.{part}: cannot read {entry!r}: {error}")
