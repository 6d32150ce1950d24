"""Which function answers which method and path."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

__all__ = ["Router"]

H = TypeVar("H", bound=Callable[..., object])


class Router(Generic[H]):
    """A table of handlers by method and path pattern.

    >>> router = Router()
    >>> router.add("GET", "/stores/{store}/charges/{charge}", print)
    >>> router.find("GET", "/stores/s1/charges/c1")[1]
    {'store': 's1', 'charge': 'c1'}
    """

    def __init__(self) -> None:
        self._routes: list[tuple[str, str, re.Pattern[str], H]] = []

    def add(self, method: str, pattern: str, handler: H) -> None:
        """Let *handler* answer *method* on *pattern*, where ``{name}`` stands for one path segment."""
        expression = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern)
        self._routes.append((method, pattern, re.compile(expression), handler))

    def methods(self, path: str) -> list[str]:
        """The methods that *path* answers to, sorted; none, where the path is unknown."""
        return sorted({known for known, _, expression, _ in self._routes if expression.fullmatch(path)})

    def patterns(self) -> list[str]:
        """Method and pattern of each route, in the order in which they were added."""
        return [f"{method} {pattern}" for method, pattern, _, _ in self._routes]

    def find(self, method: str, path: str) -> tuple[H, Mapping[str, str]] | None:
        """The handler for *method* and *path* with the segments that its pattern names, or None."""
        for known, _, expression, handler in self._routes:
            if known == method and (found := expression.fullmatch(path)):
                return handler, found.groupdict()
        return None
