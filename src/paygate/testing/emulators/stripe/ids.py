"""Identifiers of Stripe's form: a prefix, and letters and digits that mean nothing."""

from __future__ import annotations

import hashlib
import random
import string

__all__ = ["Ids"]

_LETTERS = string.ascii_letters + string.digits

#: How many characters follow the prefix, where it is not 24.
_LENGTHS = {"cus": 14, "prod": 14, "req": 14, "sub_item": 14, "si": 14, "cs_test": 58, "whsec": 32}


class Ids:
    """Makes ids and secrets, the same ones for the same *seed* and the same calls.

    The seed should hold the instant of the start: an emulator that starts again later must not repeat ids that a shop
    has stored meanwhile.
    """

    def __init__(self, seed: str) -> None:
        self._seed = seed.encode()
        self._random = random.Random(seed)

    def new(self, prefix: str) -> str:
        """A new id, such as ``pi_…``."""
        return f"{prefix}_{''.join(self._random.choices(_LETTERS, k=_LENGTHS.get(prefix, 24)))}"

    def secret(self, identifier: str) -> str:
        """The client secret of *identifier*; always the same, so that nobody has to store it."""
        digest = hashlib.blake2b(identifier.encode(), key=self._seed[:64], digest_size=25).digest()
        return f"{identifier}_secret_{''.join(_LETTERS[byte % len(_LETTERS)] for byte in digest)}"
