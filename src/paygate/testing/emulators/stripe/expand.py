"""``expand``: objects in place of ids, up to four levels deep (provider fact sheet §14)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .errors import ApiError
from .state import State

__all__ = ["expand", "prefix_of"]

_DEEPEST = 4


def expand(state: State, shown: dict[str, Any], paths: Sequence[str]) -> dict[str, Any]:
    """Replace the references that *paths* name by what they refer to; changes *shown* and returns it.

    :raises ApiError: a path is too deep or names something that cannot be expanded.
    """
    for path in paths:
        steps = path.split(".")
        if len(steps) > _DEEPEST:
            raise ApiError.invalid("expand", f"You cannot expand more than {_DEEPEST} levels of a property: {path}")
        _expand(state, shown, steps)
    return shown


def _expand(state: State, node: dict[str, Any], steps: Sequence[str]) -> None:
    """Follow *steps* from the object *node*; plain mappings on the way belong to it and lengthen the field's name."""
    owner = state.resources.get(prefix_of(node.get("id")))
    holder, field = node, ""
    for position, step in enumerate(steps):
        field = f"{field}.{step}" if field else step
        rest = steps[position + 1 :]
        value = holder.get(step)
        if owner is not None and field in owner.expandable and (value is None or isinstance(value, str)):
            value = holder[step] = _referred(state, value)
            if not isinstance(value, dict):
                return
        elif step not in holder and owner is not None and (enclosure := owner.enclosures.get(field)) is not None:
            value = holder[step] = enclosure(node["id"])
        if isinstance(value, list):
            for item in value if rest else ():
                if not isinstance(item, dict):
                    raise ApiError.invalid("expand", f"This property cannot be expanded ({field}).")
                _expand(state, item, rest)
            return
        if not isinstance(value, dict) or ("object" not in value and not rest):
            raise ApiError.invalid("expand", f"This property cannot be expanded ({field}).")
        if "object" in value:
            if rest:
                _expand(state, value, rest)
            return
        holder = value


def _referred(state: State, reference: str | None) -> Any:
    """What *reference* refers to; the reference itself, where that is gone."""
    target = state.resources.get(prefix_of(reference))
    found = target.lookup(str(reference)) if target is not None else None
    return reference if found is None else found


def prefix_of(identifier: object) -> str:
    """What comes before the last underscore of an id: ``cs_test`` of ``cs_test_a1``."""
    return identifier.rpartition("_")[0] if isinstance(identifier, str) else ""
