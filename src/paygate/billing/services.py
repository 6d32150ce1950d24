"""What every use case works with: the store, the plugins, the clock and the house rules."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from functools import cached_property

import attrs

from ..bounds import MAX_SECONDS
from ..clock import Clock, business_date
from ..domain.charging import Rules
from ..domain.contract import Contract, Cycle
from ..domain.deleting import REFUND_CUT_OFF
from ..domain.network_rules import NetworkRules
from ..domain.retry_schedule import RetrySchedule, default_schedule
from ..drivers.settings import HttpSettings
from ..errors import ConfigurationError, InvalidValue, WrongMode
from ..free_text import TextRules
from ..ids import new_id, secret_hash
from ..networks import load
from ..plugins.account import Account
from ..plugins.manager import Plugins
from ..provider import Capabilities, ExpiryPolicy, Mode
from ..store import Store
from .courier import Courier

__all__ = ["Services", "Waiting", "checked_key", "fingerprint", "secret_hash"]


def _seconds(_instance: object, attribute: attrs.Attribute[int], value: object) -> None:
    if type(value) is not int or not 0 <= value <= MAX_SECONDS:
        raise ConfigurationError(f"waiting: {attribute.name} is a whole number of seconds, from 0 to {MAX_SECONDS:,}")


@attrs.frozen
class Waiting:
    """How long to wait for results, all in seconds.

    :param unknown_after: a result that has not come by then makes the attempt UNKNOWN (R-193).
    :param in_flight: for so long a process may be sending an attempt that it has written down, by the database's clock;
        until then nobody else concludes anything from not finding it. It stops sending earlier, by the time that one
        transmission may take (``connect_timeout`` and ``read_timeout``), or by half (R-280).
    :param operator_after: a subscription that has been asked for in vain so long is reported to the operator.
    :param action: how long a customer may take to confirm a payment, where the provider sets no time of its own.
    :param renewal_notice: a period that the provider charges, and of which it has told nothing by then, is reported to the
        operator (R-392).
    :param step_mail_lateness: a step mail that nobody has handed over by then is paused instead of sent (R-394).
    :param card_expiry_notice: how long before a card's last day people are told that it ends, thirty days by default; 0: never
        (R-408).
    :param first_payment: how long creating a contract waits for its first payment.
    """

    unknown_after: int = attrs.field(default=900, validator=_seconds)
    in_flight: int = attrs.field(default=120, validator=_seconds)
    operator_after: int = attrs.field(default=86_400, validator=_seconds)
    first_payment: int = attrs.field(default=60, validator=_seconds)
    action: int = attrs.field(default=259_200, validator=_seconds)
    renewal_notice: int = 259_200
    step_mail_lateness: int = 604_800
    card_expiry_notice: int = attrs.field(default=2_592_000, validator=_seconds)

    @in_flight.validator
    def _leaves_time_to_send(self, _: object, value: float) -> None:
        if not value > 0:
            msg = f"waiting.in_flight is {value!r}; give the seconds in which an attempt may be sent, for example 120"
            raise ConfigurationError(msg)


@attrs.frozen(slots=False)  # a cached property needs a place
class Services:
    """Handed to every use case. ``rules`` are the house rules: business zone, largest expiry, step mails.

    :param schedules: account name → when a failed renewal is tried again, where it differs from the usual.
    :param refund_cut_off: the last business date whose payments deleting does not return (R-257); None: no such day.
    :param courier: how observers are told, see :mod:`paygate.billing.courier`.
    :param texts: what callers may write where.
    :param network_reading: how to read the card networks' rules, see :func:`paygate.networks.load`.
    :param action_page: the address of the shop's own page for a charge whose provider wants a form posted; ``{charge_id}`` is
        in it; empty: there is none.
    :param http: how the driver speaks HTTP: how long a transmission takes, and at what pace.
    """

    store: Store
    plugins: Plugins
    clock: Clock
    rules: Rules
    waiting: Waiting = attrs.field(factory=Waiting)
    schedules: Mapping[str, RetrySchedule] = attrs.field(factory=dict)
    network_reading: str = "strict"
    http: HttpSettings = attrs.field(factory=HttpSettings)
    refund_cut_off: dt.date | None = REFUND_CUT_OFF
    courier: Courier = attrs.field(factory=Courier)
    texts: TextRules = attrs.field(factory=TextRules)
    action_page: str = ""

    def account_of(self, contract: Contract) -> Account:
        """The account that *contract* is paid through, to be used for it.

        :raises NotFound: no such account is configured, or the contract has none.
        :raises WrongMode: the account is in another mode than the contract was made in (X-24).
        """
        account = self.plugins.account(contract.account)
        if not self.in_mode(contract):
            raise WrongMode(
                f"contract {contract.id} was made in {_said(contract.mode)} mode and account {account.name!r} is in "
                f"{_said(account.mode)} mode; open paygate with the credentials that the contract was made with"
            )
        return account

    def known_capabilities(self, account: str | None) -> Capabilities | None:
        """What *account* can do, to look at a contract by; None without one, and for one that is not configured."""
        return self.plugins.account(account).capabilities if account is not None and self.plugins.has(account) else None

    def recording_capabilities(self, contract: Contract) -> Capabilities:
        """What the account of *contract* does to it when a result is recorded, which needs no account to be sent through.

        Of one that is not configured any more only what its receipts did to the expiry matters, and the contract shows
        that: what was charged there must be closable when the provider is gone (R-289).
        """
        known = self.known_capabilities(contract.account)
        if known is not None:
            return known
        largest = contract.expires_on == self.rules.system_max
        expiry = ExpiryPolicy.SYSTEM_MAX if largest else ExpiryPolicy.BY_CYCLE
        return Capabilities(contract.account or "", expiry=expiry)

    def in_mode(self, contract: Contract) -> bool:
        """Whether the account of *contract* may be used for it: both test, both live, or one of them not known (X-24)."""
        mode = self.plugins.account(contract.account).mode if contract.account is not None else None
        return None in {mode, contract.mode} or mode is contract.mode

    def schedule(self, account: str, cycle: Cycle) -> RetrySchedule:
        """When an account retries a failed renewal: as configured, else as is usual for its provider (R-150, R-156).

        One that is not configured any more ends no contract.
        """
        configured = self.schedules.get(account)
        if configured is not None:
            return configured
        known = self.known_capabilities(account)
        return default_schedule(cycle, ends_contract=known is not None and known.ends_after_retries)

    @cached_property
    def network_rules(self) -> NetworkRules:
        """The card networks' reattempt rules, loaded when a retry is first planned."""
        return load(self.network_reading)

    @property
    def paced(self) -> bool:
        """Whether requests may have to wait for their turn."""
        return self.http.requests_per_second is not None

    def now(self) -> dt.datetime:
        return self.clock.now()

    def today(self) -> dt.date:
        return business_date(self.clock.now(), self.rules.zone)

    def new_id(self) -> str:
        return new_id(self.clock.now())


def _said(mode: Mode | None) -> str:
    return mode.value if mode else "no"


def fingerprint(*contents: object) -> str:
    """A digest of what was asked for, to tell a repeat from another request under the same key (R-190)."""
    return hashlib.sha256("\0".join(map(str, contents)).encode()).hexdigest()


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
