"""Where a cassette came from. A cassette that does not say is not used."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Mapping
from typing import Any

import attrs

__all__ = ["Origin", "OriginKind"]


class OriginKind(enum.Enum):
    """How far a cassette can be trusted to show what the provider does."""

    EMULATOR = "emulator"  #: an emulator of ours: what we know, and no more
    SAMPLE = "published sample"  #: copied from the provider's own documentation
    SANDBOX = "sandbox"  #: a real exchange with the provider's test environment


@attrs.frozen
class Origin:
    """Where the exchanges of a cassette were taken from.

    :param provider: whose exchanges they are, such as ``"univapay"``.
    :param detail: the emulator's version, the place of the sample, or the day of the recording as ``2026-11-22``.

    >>> Origin.sandbox("stripe", dt.date(2026, 11, 22)).to_dict()
    {'kind': 'sandbox', 'provider': 'stripe', 'detail': '2026-11-22'}
    """

    kind: OriginKind
    provider: str
    detail: str

    @classmethod
    def emulator(cls, provider: str, version: str) -> Origin:
        """An emulator of that version."""
        return cls(OriginKind.EMULATOR, provider, version)

    @classmethod
    def sample(cls, provider: str, place: str) -> Origin:
        """An example that the provider published, and where."""
        return cls(OriginKind.SAMPLE, provider, place)

    @classmethod
    def sandbox(cls, provider: str, day: dt.date) -> Origin:
        """The provider's own test environment, on that day."""
        return cls(OriginKind.SANDBOX, provider, day.isoformat())

    @classmethod
    def from_dict(cls, value: object) -> Origin:
        """What :meth:`to_dict` gave.

        :raises ValueError: something is missing or of another kind; the message says what belongs there.
        """
        if not isinstance(value, Mapping):
            raise ValueError("no 'origin' with kind, provider and detail")  # noqa: TRY004 - the file is wrong, not the call
        texts = {name: value.get(name) for name in ("kind", "provider", "detail")}
        missing = [name for name, text in texts.items() if not isinstance(text, str) or not text.strip()]
        if missing:
            raise ValueError(f"the origin does not say its {', '.join(missing)}")
        kind = next((kind for kind in OriginKind if kind.value == texts["kind"]), None)
        if kind is None:
            known = ", ".join(kind.value for kind in OriginKind)
            raise ValueError(f"the origin's kind is none of {known}")
        if kind is OriginKind.SANDBOX:
            dt.date.fromisoformat(str(texts["detail"]))
        return cls(kind, str(texts["provider"]), str(texts["detail"]))

    def to_dict(self) -> dict[str, Any]:
        """As it stands in the cassette."""
        return {"kind": self.kind.value, "provider": self.provider, "detail": self.detail}
