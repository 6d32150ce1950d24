"""Identifiers of Stripe's form: a prefix, and letters and digits that mean nothing."""

from __future__ import annotations

import hashlib
import string

__all__ = ["Ids", "scramble"]

_LETTERS = (string.ascii_letters + string.digits).encode()

#: Each byte as a letter or digit, about as often one as the other.
_TABLE = bytes(_LETTERS[byte % len(_LETTERS)] for byte in range(256))

#: How many characters follow the prefix, where it is not 24.
_LENGTHS = {"cus": 14, "prod": 14, "req": 14, "si": 14, "cs_test": 58, "whsec": 32}


class Ids:
    """Makes ids and secrets, the same ones for the same *seed* and the same calls.

    The seed should hold the instant of the start: an emulator that starts again later must not repeat ids that a shop
    has stored meanwhile.
    """

    def __init__(self, seed: str) -> None:
        self._key = hashlib.blake2b(seed.encode(), digest_size=32).digest()
        self._made = 0

    def new(self, prefix: str) -> str:
        """A new id, such as ``pi_…``."""
        self._made += 1
        return f"{prefix}_{scramble(str(self._made), _LENGTHS.get(prefix, 24), key=self._key)}"

    def secret(self, identifier: str) -> str:
        """The client secret of *identifier*; always the same, so that nobody has to store it."""
        return f"{identifier}_secret_{scramble(identifier, 25, key=self._key)}"


def scramble(text: str, length: int, *, key: bytes = b"") -> str:
    """*length* letters and digits, at most 64, that are always the same for the same *text* and *key*."""
    return hashlib.blake2b(text.encode(), key=key, digest_size=length).digest().translate(_TABLE).decode()
