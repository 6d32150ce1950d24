"""Lists that are read page by page while somebody iterates over them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, Generic, TypeVar

__all__ = ["AsyncCursor", "Cursor"]

T = TypeVar("T")

#: A page, and the key after which the next one begins; None: there is no more. What a key is, is the list's own affair.
Page = tuple[list[T], Any]


class Cursor(Generic[T]):
    """A lazy list: iterating reads page after page, in constant memory. It can be iterated again, from the start."""

    def __init__(self, fetch: Callable[[Any], Page[T]]) -> None:
        self._fetch = fetch

    def __iter__(self) -> Iterator[T]:
        after: Any = None
        while True:
            page, after = self._fetch(after)
            yield from page
            if after is None:
                return

    def first(self) -> T | None:
        """The first value, or None."""
        return next(iter(self), None)

    def all(self) -> list[T]:
        """All values, in memory at once."""
        return list(self)


class AsyncCursor(Generic[T]):
    """The same for ``async for``."""

    def __init__(self, fetch: Callable[[Any], Awaitable[Page[T]]]) -> None:
        self._fetch = fetch

    async def __aiter__(self) -> AsyncIterator[T]:
        after: Any = None
        while True:
            page, after = await self._fetch(after)
            for value in page:
                yield value
            if after is None:
                return

    async def first(self) -> T | None:
        """The first value, or None."""
        async for value in self:
            return value
        return None

    async def all(self) -> list[T]:
        """All values, in memory at once."""
        return [value async for value in self]
