"""Contracts and what they are made of (domain §2.1). Values only; the rules live in the neighbouring modules."""

from __future__ import annotations

import datetime as dt
import enum

import attrs

from ..errors import InvalidValue
from ..masking.cards import is_card_reference
from ..money import Money
from ..provider import Mode
from .metadata import EMPTY, Metadata
from .subscription import Subscription

#: A century of months.
_MOST_SPECIAL_PERIODS = 1200

__all__ = [
    "Actor",
    "ActorKind",
    "BankTransfer",
    "Cancellation",
    "CancellationOrigin",
    "Card",
    "Contract",
    "ContractType",
    "Customer",
    "Cycle",
    "Manual",
    "PastDue",
    "Payment",
    "PaymentMethod",
    "Plan",
    "PlanKind",
    "Product",
    "ProductType",
    "Status",
]


class Status(enum.Enum):
    """Exactly one of nine (R-020). キャンセル undoes a contract (CANCELED), 解約 ends a running one (TERMINATED)."""

    PENDING_PAYMENT = "PENDING_PAYMENT"
    NOT_STARTED = "NOT_STARTED"
    ESTABLISHED = "ESTABLISHED"
    ACTIVE = "ACTIVE"
    SPECIAL_PERIOD = "SPECIAL_PERIOD"
    PAST_DUE = "PAST_DUE"
    CANCEL_SCHEDULED = "CANCEL_SCHEDULED"
    TERMINATED = "TERMINATED"
    CANCELED = "CANCELED"


class PlanKind(enum.Enum):
    """Whether a plan is paid once or renews (R-007)."""

    ONE_OFF = "ONE_OFF"
    RECURRING = "RECURRING"


class Cycle(enum.Enum):
    """Length of one period (R-008)."""

    DAILY = "DAILY"
    WEEKLY = "WEEKLY"
    BIWEEKLY = "BIWEEKLY"
    MONTHLY = "MONTHLY"
    QUARTERLY = "QUARTERLY"
    SEMIANNUAL = "SEMIANNUAL"
    ANNUAL = "ANNUAL"


class ContractType(enum.Enum):
    """What was sold; only a PACKAGE can be recurring."""

    PACKAGE = "PACKAGE"
    BACK_NUMBER = "BACK_NUMBER"
    SINGLE = "SINGLE"
    OPTION = "OPTION"
    LICENSE_GRANT = "LICENSE_GRANT"


class ProductType(enum.Enum):
    """How content opens (domain §2.5)."""

    BUYOUT = "BUYOUT"
    BUYOUT_UNLOCK = "BUYOUT_UNLOCK"
    MONTHLY_ALL_ACCESS = "MONTHLY_ALL_ACCESS"
    MONTHLY_UNLOCK = "MONTHLY_UNLOCK"
    MONTHLY_MAGAZINE = "MONTHLY_MAGAZINE"
    MONTHLY_SCHOOL = "MONTHLY_SCHOOL"

    @property
    def monthly(self) -> bool:
        return self.name.startswith("MONTHLY_")


class PaymentMethod(enum.Enum):
    """How a contract is paid: exactly one (R-009). Amazon Pay's wallet counts as CARD."""

    CARD = "CARD"
    BANK_TRANSFER = "BANK_TRANSFER"
    MANUAL = "MANUAL"


class CancellationOrigin(enum.Enum):
    """Who or what scheduled the end; a PRODUCT_END cannot be revoked (R-068)."""

    ADMIN = "ADMIN"
    CUSTOMER = "CUSTOMER"
    PRODUCT_END = "PRODUCT_END"


class ActorKind(enum.Enum):
    """The four kinds of actors of audit records (R-266)."""

    ADMIN = "admin"
    CUSTOMER = "customer"
    PROVIDER = "provider"
    SCHEDULER = "scheduler"


@attrs.frozen
class Actor:
    """Who acts (R-266, R-267): an administrator, the customer, a provider's notice or the scheduler."""

    kind: ActorKind
    id: str = ""

    @classmethod
    def admin(cls, id: str = "admin") -> Actor:  # noqa: A002 - the field's own name
        return cls(ActorKind.ADMIN, id)

    @classmethod
    def customer(cls, id: str) -> Actor:  # noqa: A002
        return cls(ActorKind.CUSTOMER, id)

    @classmethod
    def provider(cls, account: str) -> Actor:
        return cls(ActorKind.PROVIDER, account)

    @classmethod
    def scheduler(cls) -> Actor:
        return cls(ActorKind.SCHEDULER, "scheduler")

    def __str__(self) -> str:
        return f"{self.kind.value}:{self.id}" if self.id else self.kind.value


@attrs.frozen
class Customer:
    """The person who bought. ``id`` is the seller's own; personal data never shows in ``repr``."""

    id: str
    name: str = attrs.field(default="", repr=False)
    email: str = attrs.field(default="", repr=False)

    def __attrs_post_init__(self) -> None:
        if not self.id or not isinstance(self.id, str):
            msg = "a customer needs an id: the seller's own, a non-empty string"
            raise InvalidValue(msg)


@attrs.frozen
class Product:
    """Something sold. *end_month* ``"YYYY-MM"`` is its final month (R-067)."""

    code: str
    type: ProductType
    end_month: str | None = None
    #: days between two contents of a BUYOUT_UNLOCK product; 30 stands for "one month" (R-082).
    unlock_interval: Cycle | None = None


@attrs.frozen
class Plan:
    """What was sold, at which prices (R-007, R-008, R-018). Build it with :meth:`recurring` or :meth:`one_off`."""

    name: str
    kind: PlanKind
    price: Money
    cycle: Cycle | None = None
    initial_fee: Money | None = None
    special_price: Money | None = None
    special_periods: int = 0
    products: tuple[Product, ...] = ()
    contract_type: ContractType = ContractType.PACKAGE

    def __attrs_post_init__(self) -> None:
        recurring = self.kind is PlanKind.RECURRING
        if not isinstance(self.price, Money):
            msg = f"plan {self.name!r}: price must be Money, got {self.price!r}"
            raise InvalidValue(msg)
        if recurring and self.cycle is None:
            msg = f"plan {self.name!r}: a recurring plan needs a cycle, for example Cycle.MONTHLY"
            raise InvalidValue(msg, rule="R-008")
        if not recurring and self.cycle is not None:
            msg = f"plan {self.name!r}: a one-off plan has no cycle"
            raise InvalidValue(msg, rule="R-008")
        if not recurring and (self.special_price is not None or self.special_periods):
            msg = f"plan {self.name!r}: a special price cannot be set on a one-off plan"
            raise InvalidValue(msg, rule="R-064")
        if type(self.special_periods) is not int or not 0 <= self.special_periods <= _MOST_SPECIAL_PERIODS:
            msg = (
                f"plan {self.name!r}: special_periods is a whole number of periods, from 0 to {_MOST_SPECIAL_PERIODS:,}"
            )
            raise InvalidValue(msg, rule="R-060")
        if recurring and self.contract_type is not ContractType.PACKAGE:
            msg = f"plan {self.name!r}: only a PACKAGE can be recurring"
            raise InvalidValue(msg)
        monthly = any(product.type.monthly for product in self.products)
        if self.products and monthly is not recurring:
            kind = "recurring" if monthly else "one-off"
            msg = f"plan {self.name!r}: with these products the plan is {kind}"
            raise InvalidValue(msg, rule="R-007")
        for money in (self.initial_fee, self.special_price):
            if money is not None and money.currency != self.price.currency:
                msg = f"plan {self.name!r}: all prices are in one currency, got {self.price.currency} and {money.currency}"
                raise InvalidValue(msg, rule="R-004")

    @classmethod
    def recurring(
        cls,
        name: str,
        price: Money,
        cycle: Cycle = Cycle.MONTHLY,
        *,
        initial_fee: Money | None = None,
        special_price: Money | None = None,
        special_periods: int = 0,
        products: tuple[Product, ...] = (),
    ) -> Plan:
        """A plan that renews each *cycle* until it is cancelled."""
        return cls(name, PlanKind.RECURRING, price, cycle, initial_fee, special_price, special_periods, tuple(products))

    @classmethod
    def one_off(
        cls,
        name: str,
        price: Money,
        *,
        products: tuple[Product, ...] = (),
        contract_type: ContractType = ContractType.PACKAGE,
    ) -> Plan:
        """A single purchase, paid once."""
        return cls(name, PlanKind.ONE_OFF, price, products=tuple(products), contract_type=contract_type)

    @property
    def is_recurring(self) -> bool:
        return self.kind is PlanKind.RECURRING

    @property
    def product_end_month(self) -> str | None:
        """The earliest final month of the products, ``"YYYY-MM"`` (R-067)."""
        return min((product.end_month for product in self.products if product.end_month), default=None)


def _reference_only(_instance: object, _attribute: object, value: str) -> None:
    if not isinstance(value, str) or not value.strip():
        msg = "a stored credential is the provider's reference (for example a token id) and must not be empty"
        raise InvalidValue(msg)
    if is_card_reference(value):
        msg = "this looks like a card number; paygate takes the provider's reference of a stored card and nothing else"
        raise InvalidValue(msg)


@attrs.frozen
class Card:
    """Paid from a credential that the provider keeps (R-168).

    :param account: the configured account, for example ``"univapay"``.
    :param token: the provider's reference of the stored credential; never a card number; not in ``repr``.
    """

    account: str
    token: str = attrs.field(repr=False, validator=_reference_only)


@attrs.frozen
class BankTransfer:
    """Paid by bank transfer, confirmed by an administrator."""


@attrs.frozen
class Manual:
    """Created by an administrator, paid outside paygate."""


Payment = Card | BankTransfer | Manual


@attrs.frozen
class Cancellation:
    """A scheduled end (解約予約)."""

    origin: CancellationOrigin
    requested_at: dt.datetime
    by: Actor
    effective_on: dt.date


@attrs.frozen
class PastDue:
    """What is missing while PAST_DUE. *period_start* is the renewal day (or start) whose payment is missing."""

    since: dt.datetime
    period_start: dt.date
    failures: int = 1
    retry_pending: bool = False  #: the provider still retries on its own (R-161)
    exhausted: bool = False  #: its attempts are used up (R-156)
    given_up: bool = False  #: both sides have been told that nobody tries it again (R-343)


@attrs.frozen
class Contract:
    """A customer's purchase with plan, price, method and status (domain §2.1).

    Dates are business dates (R-001); instants are aware UTC. ``expires_on`` is inclusive (R-047) and None only before
    activation. ``period_start`` is the first day of the running period. ``version`` counts changes (R-268).
    ``subscription`` is the provider's, where paygate started it or took it over. ``mode`` is that of the account when the
    contract was made (X-24); None: not known. ``unlocked_on`` is the last day up to which further contents of bought
    unlock products have been opened (R-082); None: none but those of the purchase.
    """

    id: str
    customer_id: str
    plan: Plan
    method: PaymentMethod
    status: Status
    start_on: dt.date
    applied_at: dt.datetime
    created_by: Actor
    account: str | None = None
    credential: str | None = attrs.field(default=None, repr=False)
    expires_on: dt.date | None = None
    period_start: dt.date | None = None
    ended_on: dt.date | None = None
    cancellation: Cancellation | None = None
    past_due: PastDue | None = None
    subscription: Subscription | None = None
    mode: Mode | None = None
    unlocked_on: dt.date | None = None
    #: first day of the latest period whose notice of the provider is overdue and has been reported (R-392)
    overdue_period: dt.date | None = None
    version: int = 1
    #: the caller's own texts (R-421)
    metadata: Metadata = attrs.field(default=EMPTY, kw_only=True)

    @property
    def name(self) -> str:
        return self.plan.name

    @property
    def anchor_day(self) -> int:
        """The day of month that renewal days keep (R-031, R-006)."""
        return self.start_on.day

    @property
    def is_card(self) -> bool:
        return self.method is PaymentMethod.CARD
