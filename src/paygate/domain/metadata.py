"""A caller's own texts beside a contract, charge or refund: an order's number, a campaign, a department (R-421)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..errors import InvalidValue
from ..texts import invisible

__all__ = ["EMPTY", "MAX_KEY", "MAX_KEYS", "MAX_VALUE", "RESERVED", "Metadata", "checked_metadata"]

#: How many keys there may be, and how many characters a key and a text may have.
MAX_KEYS, MAX_KEY, MAX_VALUE = 50, 40, 500
#: Begins the keys that paygate itself gives to providers.
RESERVED = "paygate_"


class Metadata(Mapping[str, str]):
    """A mapping of texts to texts that never changes, so that what holds it can be hashed. Equal to any such mapping."""

    __slots__ = ("_texts",)

    def __init__(self, texts: Mapping[str, str] | None = None) -> None:
        self._texts = dict(texts or {})

    def __getitem__(self, key: str) -> str:
        return self._texts[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def __len__(self) -> int:
        return len(self._texts)

    def __hash__(self) -> int:
        return hash(frozenset(self._texts.items()))

    def __repr__(self) -> str:
        return repr(self._texts)

    def __str__(self) -> str:
        """The same text whatever the order of the keys, for fingerprints."""
        return repr(sorted(self._texts.items()))


EMPTY = Metadata()


def checked_metadata(given: Mapping[str, str] | None) -> Metadata:
    """*given* as it is kept, in its order; None is nothing.

    :raises InvalidValue: it is no mapping of texts to texts, or beyond the limits; the message names the key (R-421).
    """
    if given is None:
        return EMPTY
    if not isinstance(given, Mapping):
        raise _wrong(f"metadata is a mapping of texts to texts, got {type(given).__name__}")
    if len(given) > MAX_KEYS:
        raise _wrong(f"metadata has {len(given)} keys; give at most {MAX_KEYS}")
    for key, text in given.items():
        if not isinstance(key, str) or not key.strip() or key != key.strip() or len(key) > MAX_KEY:
            raise _wrong(
                f"a key of metadata is a text of 1 to {MAX_KEY} characters without blanks around it, got {key!r}"
            )
        if (hidden := invisible(key)) is not None:
            raise _wrong(f"metadata key {key!r} holds a character that nobody can see ({hidden}); type it anew")
        if "[" in key or "]" in key:
            raise _wrong(f"metadata key {key!r}: providers take no square brackets in a key; leave them out")
        if key.casefold().startswith(RESERVED):
            raise _wrong(f"metadata key {key!r}: keys that begin with {RESERVED!r} are paygate's own; choose another")
        if not isinstance(text, str) or not text or len(text) > MAX_VALUE:
            raise _wrong(
                f"metadata[{key!r}] is a text of 1 to {MAX_VALUE} characters; "
                f"got {f'{len(text):,} characters' if isinstance(text, str) else type(text).__name__}"
            )
    return Metadata(given)


def _wrong(message: str) -> InvalidValue:
    return InvalidValue(message, rule="R-421")
