"""Stored JSON, packed: ten thousand charges leave some forty thousand bodies behind, and most of each is the same."""

from __future__ import annotations

import zlib

__all__ = ["Packer"]


class Packer:
    """Compresses bodies of one kind against the first one of that kind, which leaves little but their ids.

    >>> packer = Packer()
    >>> packed = packer.pack("charge", b'{"object":"charge"}')
    >>> packer.unpack("charge", packed)
    b'{"object":"charge"}'
    """

    def __init__(self) -> None:
        self._specimens: dict[str, bytes] = {}

    def pack(self, kind: str, body: bytes) -> bytes:
        specimen = self._specimens.setdefault(kind, body)
        packer = zlib.compressobj(6, zlib.DEFLATED, -15, 8, zlib.Z_DEFAULT_STRATEGY, specimen)
        return packer.compress(body) + packer.flush()

    def unpack(self, kind: str, packed: bytes) -> bytes:
        """What was packed under the same *kind*."""
        return zlib.decompressobj(-15, self._specimens[kind]).decompress(packed)
