"""Lists that are read page by page while somebody iterates over them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Generic, TypeVar

__all__ = ["AsyncCursor", "Cursor"]

T = TypeVar("T")

#: Fetches the page after the given key (None: the first) and says which key comes next (None: there is no more).
Page = tuple[list[T], str | None]


class Cursor(Generic[T]):
    """A lazy list: iterating reads page after page, in constant memory. It can be iterated again, from the start."""

    def __init__(self, fetch: Callable[[str | None], Page[T]]) -> None:
        self._fetch = fetch

    def __iter__(self) -> Iterator[T]:
        after: str | None = None
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

    def __init__(self, fetch: Callable[[str | None], Awaitable[Page[T]]]) -> None:
        self._fetch = fetch

    async def __aiter__(self) -> AsyncIterator[T]:
        after: str | None = None
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
