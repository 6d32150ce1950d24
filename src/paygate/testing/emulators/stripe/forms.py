"""Form bodies and queries as Stripe reads them: ``a=1``, ``a[b]=1``, ``a[0][b]=1``, ``a[]=1`` (provider fact sheet §2).

The result is text and mappings only. An array is a mapping from position to element, whichever way it was spelled; the
parameter tables know where one belongs.
"""

from __future__ import annotations

import itertools
import re
from typing import TypeAlias
from urllib.parse import parse_qsl

from .errors import ApiError

__all__ = ["Form", "Value", "read_form"]

Value: TypeAlias = "str | Form"
Form: TypeAlias = dict[str, Value]

_KEY = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_STEP = re.compile(r"\[([^\[\]]*)\]")

#: More fields than any honest request has.
_MOST_FIELDS = 2_000


def read_form(text: str) -> Form:
    """Decode *text*; of a scalar that comes twice the last one counts.

    :raises ApiError: a key cannot be read, or is used as text and as a mapping at once.
    """
    form: Form = {}
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError as exc:
        raise ApiError(400, "Invalid request: too many parameters.") from exc
    for key, value in pairs:
        if (found := _KEY.fullmatch(key)) is None:
            raise ApiError.invalid(key, f"Invalid request: the parameter name {key} cannot be read.")
        _put(form, key, [found[1], *_STEP.findall(found[2])], value)
    return form


def _put(form: Form, key: str, steps: list[str], value: str) -> None:
    for here, after in itertools.pairwise(steps):
        name = _element(form, after) if here == "" else here
        inner = form.setdefault(name, {})
        if isinstance(inner, str):
            raise ApiError.invalid(key, f"Invalid request: {key} is used as text and as an object.")
        form = inner
    last = steps[-1] or str(len(form))
    if isinstance(form.get(last), dict):
        raise ApiError.invalid(key, f"Invalid request: {key} is used as text and as an object.")
    form[last] = value


def _element(array: Form, after: str) -> str:
    """Which element of *array* ``[][after]`` means: the last one, or a new one once that has *after* already."""
    last = array.get(str(len(array) - 1))
    return str(len(array) - 1) if isinstance(last, dict) and after and after not in last else str(len(array))
