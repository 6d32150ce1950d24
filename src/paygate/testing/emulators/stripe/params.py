"""Parameter tables: what a route takes, of which type, and how it refuses everything else (provider fact sheet §14).

A table maps a parameter's name to a :class:`Param`; :func:`read` turns a decoded form into typed values::

    CREATE: Table = {"amount": integer(required=True, least=1), "currency": text(required=True), "metadata": METADATA}

A parameter that did not come is absent from the result. One that came empty is None where it may be unset, and
refused elsewhere. ``expand`` belongs to every table and need not be named.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

import attrs

from .errors import ApiError
from .forms import Form, Value

__all__ = [
    "METADATA",
    "PAGE",
    "Param",
    "Table",
    "array",
    "boolean",
    "choice",
    "either",
    "integer",
    "mapping",
    "merged",
    "moment",
    "read",
    "span",
    "text",
]


_POSITION = re.compile(r"[0-9]{1,4}")


@attrs.frozen
class Param:
    """How one parameter is read. *parse* takes the parameter's full name and what came; *unset*: empty means None."""

    parse: Callable[[str, Value], Any]
    required: bool = False
    unset: bool = False


Table: TypeAlias = Mapping[str, Param]


def text(*, most: int = 5000, required: bool = False, unset: bool = False) -> Param:
    """Text of at most *most* characters; ids are text too."""

    def parse(name: str, value: Value) -> str:
        given = _scalar(name, value, "string")
        if len(given) > most:
            raise ApiError.invalid(name, f"Invalid string: {name} must be at most {most} characters")
        return given

    return Param(parse, required, unset)


def integer(*, least: int | None = None, most: int | None = None, required: bool = False, unset: bool = False) -> Param:
    """A whole number, which comes as text."""

    def parse(name: str, value: Value) -> int:
        given = _scalar(name, value, "integer")
        try:
            number = int(given) if given.lstrip("-").isdecimal() and given.isascii() else None
        except ValueError:  # more digits than Python converts, or more than one sign
            number = None
        if number is None:
            raise ApiError.invalid(name, f"Invalid integer: {given[:40]}", "parameter_invalid_integer")
        if least is not None and number < least:
            wanted = f"This value must be greater than or equal to {least}."
            raise ApiError.invalid(name, wanted, "parameter_invalid_integer")
        if most is not None and number > most:
            wanted = f"This value must be less than or equal to {most}."
            raise ApiError.invalid(name, wanted, "parameter_invalid_integer")
        return number

    return Param(parse, required, unset)


def boolean(*, required: bool = False) -> Param:
    """``true`` or ``false``."""

    def parse(name: str, value: Value) -> bool:
        given = _scalar(name, value, "boolean")
        if given not in {"true", "false"}:
            raise ApiError.invalid(name, f"Invalid boolean: {given[:40]}")
        return given == "true"

    return Param(parse, required)


def choice(*values: str, required: bool = False, unset: bool = False) -> Param:
    """One of *values*."""

    def parse(name: str, value: Value) -> str:
        given = _scalar(name, value, "string")
        if given not in values:
            raise ApiError.invalid(name, f"Invalid {name}: must be one of {', '.join(values)}")
        return given

    return Param(parse, required, unset)


def array(item: Param, *, required: bool = False, unset: bool = False) -> Param:
    """A list of *item*, spelled ``a[]`` or ``a[0]``."""

    def parse(name: str, value: Value) -> list[Any]:
        if isinstance(value, str) or not all(_POSITION.fullmatch(key) for key in value):
            raise ApiError.invalid(name, f"Invalid array: {name}")
        ordered = sorted(value.items(), key=lambda pair: int(pair[0]))
        return [item.parse(f"{name}[{position}]", element) for position, (_, element) in enumerate(ordered)]

    return Param(parse, required, unset)


def mapping(table: Table, *, required: bool = False, unset: bool = False) -> Param:
    """A nested object with a table of its own."""

    def parse(name: str, value: Value) -> dict[str, Any]:
        if isinstance(value, str):
            raise ApiError.invalid(name, f"Invalid object: {name}")
        return _read(table, value, name)

    return Param(parse, required, unset)


def either(first: Param, second: Param) -> Param:
    """What *first* takes, else what *second* takes; the refusal is *second*'s."""

    def parse(name: str, value: Value) -> Any:
        try:
            return first.parse(name, value)
        except ApiError:
            return second.parse(name, value)

    return Param(parse, unset=first.unset or second.unset)


def moment(*, required: bool = False, unset: bool = False) -> Param:
    """Seconds since 1970, UTC."""
    return integer(least=0, most=99_999_999_999, required=required, unset=unset)


def span() -> Param:
    """A filter on a moment: ``created=1`` or ``created[gte]=1&created[lt]=2``; becomes a mapping of operators."""
    bounds = mapping({name: integer() for name in ("gt", "gte", "lt", "lte")})

    def parse(name: str, value: Value) -> dict[str, int]:
        if isinstance(value, str):
            exact: int = integer().parse(name, value)
            return {"gte": exact, "lte": exact}
        found: dict[str, int] = bounds.parse(name, value)
        return found

    return Param(parse)


def _metadata(name: str, value: Value) -> dict[str, str] | None:
    if value == "":
        return None
    if isinstance(value, str):
        raise ApiError.invalid(name, f"Invalid object: {name}")
    for key, content in value.items():
        if len(key) > 40:
            raise ApiError.invalid(f"{name}[{key}]", "Metadata keys can have up to 40 characters.")
        if not isinstance(content, str):
            raise ApiError.invalid(f"{name}[{key}]", "Metadata values are text.")
        if len(content) > 500:
            raise ApiError.invalid(f"{name}[{key}]", "Metadata values can have up to 500 characters.")
    return {sys.intern(key): str(content) for key, content in value.items()}  # the same keys in every record


#: ``metadata[k]=v`` sets, ``metadata[k]=`` deletes, ``metadata=`` deletes all; apply it with :func:`merged`.
METADATA = Param(_metadata)

#: What every list takes.
PAGE: Table = {
    "limit": integer(least=1, most=100),
    "starting_after": text(),
    "ending_before": text(),
}

_EXPAND = array(text())


def merged(old: Mapping[str, str], params: Mapping[str, Any]) -> Mapping[str, str]:
    """The metadata after *params*: always a mapping that nobody changes, so that records may share it.

    :raises ApiError: more than 50 keys (provider fact sheet §4).
    """
    if "metadata" not in params:
        return old
    change = params["metadata"]
    if change is None:
        return {}
    new = {key: value for key, value in {**old, **change}.items() if value != ""}
    if len(new) > 50:
        raise ApiError.invalid("metadata", "Metadata can have up to 50 keys.")
    return new


def read(table: Table, form: Form) -> dict[str, Any]:
    """The typed values of *form*.

    :raises ApiError: ``parameter_unknown``, ``parameter_missing``, or what a parameter's type refuses.
    """
    return _read({**table, "expand": _EXPAND}, form, "")


def _read(table: Table, form: Form, within: str) -> dict[str, Any]:
    unknown = [_full(within, name) for name in form if name not in table]
    if unknown:
        plural = "s" if len(unknown) > 1 else ""
        message = f"Received unknown parameter{plural}: {', '.join(unknown)}"
        raise ApiError.invalid(unknown[0], message, "parameter_unknown")
    for name in _required(table):
        if name not in form:
            full = _full(within, name)
            raise ApiError.invalid(full, f"Missing required param: {full}.", "parameter_missing")
    return {name: _one(table[name], _full(within, name), value) for name, value in form.items()}


def _one(param: Param, name: str, value: Value) -> Any:
    if value == "" and param.parse is not _metadata:
        if param.unset:
            return None
        message = f"An empty value unsets a parameter, and {name} cannot be unset: leave it out or give it a value."
        raise ApiError.invalid(name, message, "parameter_invalid_empty")
    return param.parse(name, value)


def _required(table: Table) -> Iterable[str]:
    return (name for name, param in table.items() if param.required)


def _full(within: str, name: str) -> str:
    return f"{within}[{name}]" if within else name


def _scalar(name: str, value: Value, kind: str) -> str:
    if isinstance(value, str):
        return value
    raise ApiError.invalid(name, f"Invalid {kind}: {name}")
