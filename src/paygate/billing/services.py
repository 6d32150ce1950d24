"""What every use case works with: the store, the plugins, the clock and the house rules."""

from __future__ import annotations

import datetime as dt
import hashlib

import attrs

from ..clock import Clock, business_date
from ..domain.charging import Rules
from ..errors import InvalidValue
from ..ids import new_id
from ..plugins.manager import Plugins
from ..store import Store

__all__ = ["Services", "Waiting", "checked_key", "fingerprint", "secret_hash"]


@attrs.frozen
class Waiting:
    """How long to wait for results, all in seconds.

    :param unknown_after: a result that has not come by then makes the attempt UNKNOWN (R-193).
    :param in_flight: an attempt younger than this, of which the provider has told nothing yet, may still be on its way
        in another process; reconciliation leaves it alone.
    :param operator_after: an outcome that look-ups have not settled by then is reported to the operator.
    :param first_payment: how long creating a contract waits for its first payment.
    """

    unknown_after: int = 900
    in_flight: int = 120
    operator_after: int = 86_400
    first_payment: int = 60


@attrs.frozen
class Services:
    """Handed to every use case. ``rules`` are the house rules: business zone, largest expiry, step mails."""

    store: Store
    plugins: Plugins
    clock: Clock
    rules: Rules
    waiting: Waiting = attrs.field(factory=Waiting)

    def now(self) -> dt.datetime:
        return self.clock.now()

    def today(self) -> dt.date:
        return business_date(self.clock.now(), self.rules.zone)

    def new_id(self) -> str:
        return new_id(self.clock.now())


def fingerprint(*contents: object) -> str:
    """A digest of what was asked for, to tell a repeat from another request under the same key (R-190)."""
    return hashlib.sha256("\0".join(map(str, contents)).encode()).hexdigest()


def secret_hash(account: str, credential: str | None) -> str:
    """A digest that recognises the same stored credential again without holding it."""
    return hashlib.sha256(f"{account}\0{credential or ''}".encode()).hexdigest()[:32]


def checked_key(key: str | None, fallback: str) -> str:
    """The caller's idempotency key, or *fallback* where none was given.

    :raises InvalidValue: not a text, empty, or longer than 255 characters.
    """
    if key is None:
        return fallback
    if not isinstance(key, str) or not key.strip() or len(key) > 255:
        msg = "an idempotency key is a text of 1 to 255 characters, for example the number of your order"
        raise InvalidValue(msg)
    return key
