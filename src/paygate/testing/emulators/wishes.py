"""What the next payment at an emulator shall do, whatever its card says, and the cards that every emulator can store.

A :class:`Wish` waits for a payment that fits: by stored credential, by card number, by amount, or any payment at all.
Card numbers are compared and never kept: a wish holds a salted digest and the last four digits.
"""

from __future__ import annotations

import enum
import hashlib
import hmac
import secrets
import threading

import attrs

__all__ = ["CardKind", "Wish", "WishKind", "Wished", "Wishes"]


class CardKind(enum.Enum):
    """The stored cards that every emulator offers, by what becomes of a payment with them."""

    GOOD = "good"
    DECLINED_SOFT = "declined_soft"  #: a decline that may go away: worth another try later
    DECLINED_HARD = "declined_hard"  #: a decline for good: ask for another card
    ACTION_REQUIRED = "action_required"  #: waits for the customer
    PENDING = "pending"  #: an asynchronous result that stays open until it is settled
    REFUND_FAILS = "refund_fails"  #: charges succeed, refunds fail


class WishKind(enum.Enum):
    """What a payment shall do."""

    SUCCEED = "succeed"
    DECLINE = "decline"
    ACTION = "action"  #: wait for the customer
    PENDING = "pending"  #: stay open, for good or for some seconds
    ERROR = "error"  #: the provider's own error state, where it has one


@attrs.frozen
class Wish:
    """What the next matching payment shall do.

    :param code: for DECLINE the provider's own decline code; None is a common soft decline of that provider.
    :param seconds: for PENDING the seconds until it settles as succeeded; None until settled by hand.
    """

    kind: WishKind
    code: str | None = None
    seconds: int | None = None


@attrs.frozen
class Wished:
    """A wish that still waits, as lists show it.

    :param id: for taking it back; :param left: for how many payments it still holds.
    :param last4: last four digits of the card it is for.
    """

    id: str
    wish: Wish
    left: int
    credential: str | None = attrs.field(default=None, repr=False)
    amount: int | None = None
    last4: str | None = None


@attrs.define
class _Entry:
    shown: Wished
    card: bytes | None = attrs.field(repr=False)


class Wishes:
    """The wishes still to come, first in first out among those that fit a payment. Thread-safe."""

    def __init__(self) -> None:
        self._salt = secrets.token_bytes(16)
        self._entries: list[_Entry] = []
        self._made = 0
        self._lock = threading.Lock()

    def add(
        self,
        wish: Wish,
        *,
        credential: str | None = None,
        amount: int | None = None,
        card: str | None = None,
        times: int = 1,
    ) -> str:
        """Let *wish* hold for the next *times* payments that fit everything given; nothing given fits any payment.

        :param credential: a stored credential as the plugin hands it over.
        :param amount: minor units of whatever currency.
        :param card: a card number; spaces and dashes do not count.
        :returns: the id by which it can be taken back.
        :raises ValueError: *times* is not positive.
        """
        if times < 1:
            raise ValueError(f"a wish holds for one payment or more, not {times}")
        digits = _digits(card)
        with self._lock:
            self._made += 1
            last4 = digits[-4:] if digits else None
            shown = Wished(f"wish_{self._made}", wish, times, credential, amount, last4)
            self._entries.append(_Entry(shown, self._digest(digits) if digits else None))
            return shown.id

    def take(self, *, credential: str | None = None, amount: int | None = None, card: str | None = None) -> Wish | None:
        """The wish for a payment of *amount* with *credential* and *card*, counted down, or None."""
        with self._lock:
            if not self._entries:
                return None
            digits = _digits(card)
            digest = self._digest(digits) if digits else None
            for entry in self._entries:
                shown = entry.shown
                if (
                    shown.credential in {None, credential}
                    and shown.amount in {None, amount}
                    and (entry.card is None or (digest is not None and hmac.compare_digest(entry.card, digest)))
                ):
                    entry.shown = attrs.evolve(shown, left=shown.left - 1)
                    if entry.shown.left == 0:
                        self._entries.remove(entry)
                    return shown.wish
        return None

    def remove(self, wish_id: str) -> None:
        """Take one wish back.

        :raises KeyError: no wish of that id waits.
        """
        with self._lock:
            found = next((entry for entry in self._entries if entry.shown.id == wish_id), None)
            if found is None:
                raise KeyError(wish_id)
            self._entries.remove(found)

    def clear(self) -> None:
        """Take all wishes back."""
        with self._lock:
            self._entries.clear()

    @property
    def waiting(self) -> tuple[Wished, ...]:
        """The wishes still to come, oldest first."""
        with self._lock:
            return tuple(entry.shown for entry in self._entries)

    def _digest(self, digits: str) -> bytes:
        return hashlib.blake2b(digits.encode(), key=self._salt, digest_size=16).digest()


def _digits(card: str | None) -> str:
    return (card or "").replace(" ", "").replace("-", "")
