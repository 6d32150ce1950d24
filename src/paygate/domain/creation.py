"""From an application to a paid contract (R-007 to R-018, R-071, R-104 to R-110, T-01 to T-15)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import attrs

from ..clock import business_date, require_aware, spoken
from ..errors import (
    CapabilityNotSupported,
    InvalidAmount,
    InvalidValue,
    NotFound,
    OperationNotAllowed,
    PermissionDenied,
    ProductEnded,
    SystemMaxPassed,
)
from ..money import Money
from ..provider import Capabilities, ExpiryPolicy, Mode
from . import licences as entitlements
from .charge import Charge
from .charging import check_amount
from .contract import (
    Actor,
    ActorKind,
    BankTransfer,
    Card,
    Contract,
    Customer,
    Manual,
    Payment,
    PaymentMethod,
    Plan,
    Status,
)
from .expiry import first_expiry
from .followup import Next, Notice, NoticeKind, tell_both
from .ledger import EntryKind, EntryState, LedgerEntry
from .lifecycle import product_end_notices, step
from .mails import MailSet, queue
from .rules import Rules
from .running import period_price, running
from .settlement import Settlement
from .subscribing import planned_subscription, started_elsewhere
from .subscription import SubscriptionState
from .transitions import Event, find

__all__ = [
    "Creation",
    "activate",
    "application_notices",
    "check_provider",
    "confirm_payment",
    "decide_creation",
    "first_payment",
]

_CONFIRM = "confirm_payment"


@attrs.frozen
class Creation:
    """A contract that may be made.

    :param contract: a draft in PENDING_PAYMENT. One paid by card is never stored like that: it is charged first, and
        made by :func:`activate` or not at all (R-013).
    :param due: the first payment, in the plan's currency; nothing if it was paid outside paygate.
    :param charge_now: whether *due* is to be charged to the card now.
    :param activate_now: whether :func:`activate` follows at once, because nothing has to be paid any more (R-012, R-017).
    :param subscribe_first: whether the provider has to start its subscription first: nothing is paid before that.
    """

    contract: Contract
    due: Money
    charge_now: bool
    activate_now: bool
    subscribe_first: bool = False


def first_payment(plan: Plan, start_on: dt.date, day: dt.date, *, card: bool = True) -> Money:
    """What signing up on business date *day* costs (R-007, R-014, R-015, R-386).

    The initial fee, and with a start on or before *day* also the first period's price. Without a card everything that is
    due by the start is asked for at once, however far ahead it lies: nothing can be charged on the day itself.
    """
    if not plan.is_recurring:
        return plan.price
    due = plan.initial_fee or Money(0, plan.price.currency)
    return due + period_price(plan, start_on, start_on) if start_on <= day or not card else due


def decide_creation(
    customer: Customer,
    plan: Plan,
    payment: Payment,
    start_on: dt.date,
    capabilities: Capabilities | None,
    rules: Rules,
    now: dt.datetime,
    actor: Actor,
    *,
    contract_id: str,
    paid: bool = False,
    imported: bool = False,
    mode: Mode | None = None,
    subscription: str | None = None,
    elsewhere: bool = False,
) -> Creation:
    """Whether this contract may be made at *now*, and what is due.

    :param capabilities: of the card's account; None for bank transfer and manual contracts.
    :param paid: the first payment has been received outside paygate (R-012).
    :param imported: taken over from another system: any start date in the past, and cards already paid there.
    :param mode: of the card's account, which the contract keeps (X-24); None: not known.
    :param subscription: the provider's id of a subscription that charges the renewals and was started there; :param
        elsewhere: without an id, that there is one (R-390).
    :raises PermissionDenied: a customer acts for somebody else (R-267); or anybody but an administrator makes a manual,
        paid or imported contract (R-009, R-012).
    :raises InvalidValue: *start_on* is not a date, or none that is offered (R-016).
    :raises ProductEnded: it would start after the product's final month (R-071).
    :raises NotFound: the card's account is not set up.
    :raises CapabilityNotSupported: a recurring plan through a provider with lump-sum payment only (R-220), or with
        subscriptions that know no such cycle (R-008).
    :raises InvalidAmount: a currency or a price that the provider, or a bank transfer, cannot take (R-004, R-215).
    :raises OperationNotAllowed: a card that is said to be paid, but not imported (R-013).
    """
    now = require_aware(now, "now")
    _check_actor(customer, payment, actor, privileged=paid or imported)
    today = business_date(now, rules.zone)
    _check_start(plan, start_on, today, imported=imported)
    if plan.is_recurring and first_expiry(plan, start_on, today, rules.system_max) < max(start_on, today):
        raise SystemMaxPassed(
            f"plan {plan.name!r} would be paid for on {max(start_on, today)} and open nothing: the system's largest date is "
            f"{rules.system_max}; raise system_max_expiry",
            rule="R-391",
        )
    card = payment if isinstance(payment, Card) else None
    due = first_payment(plan, start_on, today, card=card is not None)
    if card is not None:
        if capabilities is None:
            raise NotFound(f"no account {card.account!r} is set up; configure it or name another")
        check_provider(plan, due, capabilities)
        if paid and not imported:
            raise OperationNotAllowed(
                "a card is charged at once; leave out paid=True, or import the contract if it was paid elsewhere",
                rule="R-013",
            )
    elif plan.price.currency != "JPY":
        raise InvalidAmount(f"without a card a contract is in JPY, not {plan.price.currency}", rule="R-004")
    provided = None
    if capabilities is not None and not imported:
        provided = started_elsewhere(plan, start_on, today, capabilities, subscription, confirmed=elsewhere)
        provided = provided or planned_subscription(plan, start_on, today, capabilities)
    elif (subscription or elsewhere) and not imported:
        raise InvalidValue("only a card has a subscription; leave out subscription and started_elsewhere", rule="R-390")
    if paid:
        due = Money(0, due.currency)
    contract = Contract(
        id=contract_id,
        customer_id=customer.id,
        plan=plan,
        method=_METHODS[type(payment)],
        status=Status.PENDING_PAYMENT,
        start_on=start_on,
        applied_at=now,
        created_by=actor,
        account=card.account if card else None,
        credential=card.token if card else None,
        mode=mode if card else None,
        subscription=provided,
    )
    owed = due.minor > 0
    starts = provided is not None and provided.state is SubscriptionState.STARTING
    return Creation(
        contract,
        due,
        charge_now=card is not None and owed,
        activate_now=paid or (card is not None and not owed and not starts),
        subscribe_first=starts and not owed,
    )


_METHODS: dict[type[Payment], PaymentMethod] = {
    Card: PaymentMethod.CARD,
    BankTransfer: PaymentMethod.BANK_TRANSFER,
    Manual: PaymentMethod.MANUAL,
}


def _check_actor(customer: Customer, payment: Payment, actor: Actor, *, privileged: bool) -> None:
    if actor.kind is ActorKind.ADMIN:
        return
    if actor.kind is not ActorKind.CUSTOMER or actor.id != customer.id:
        raise PermissionDenied(f"{actor} cannot make a contract for customer {customer.id}", rule="R-267")
    if privileged or isinstance(payment, Manual):
        raise PermissionDenied("only an administrator makes manual, paid or imported contracts", rule="R-012")


def _check_start(plan: Plan, start_on: dt.date, today: dt.date, *, imported: bool) -> None:
    if not isinstance(start_on, dt.date) or isinstance(start_on, dt.datetime):
        raise InvalidValue(f"start_on is a datetime.date in the business zone, got {start_on!r}", rule="R-016")
    if start_on < today and start_on != today.replace(day=1) and not imported:
        raise InvalidValue(
            f"a contract starts today ({today}), later, or on the first of this month, not on {start_on}", rule="R-016"
        )
    end_month = plan.product_end_month
    if end_month is not None and f"{start_on:%Y-%m}" > end_month:
        raise ProductEnded(f"plan {plan.name!r} ends with {end_month}; it cannot start on {start_on}", rule="R-071")


def check_provider(plan: Plan, due: Money, capabilities: Capabilities) -> None:
    """Refuse a provider that cannot take the payments of *plan*, beginning with *due* (R-004, R-215, R-220)."""
    if plan.is_recurring and not capabilities.recurring:
        raise CapabilityNotSupported(
            f"{capabilities.name} takes lump-sum payments only; choose another provider for recurring plan {plan.name!r}",
            rule="R-220",
        )
    later = (plan.price, plan.special_price) if plan.is_recurring else ()
    for amount in (due, *later):
        if amount is not None and amount.minor:  # nothing is charged for 0
            check_amount(amount, plan.price.currency, capabilities)


def application_notices(creation: Creation, today: dt.date, rules: Rules) -> tuple[Notice, ...]:
    """Both sides learn of an application whose bank transfer is awaited (T-01, domain §3.4).

    What an administrator keeps by hand is no application: nobody is told (T-02).
    """
    contract = creation.contract
    if contract.method is not PaymentMethod.BANK_TRANSFER or creation.activate_now:
        return ()
    return tell_both(
        NoticeKind.APPLICATION_RECEIVED,
        contract,
        Next.PAY,
        amount=creation.due,
        happened_on=today,
        due_on=today + dt.timedelta(days=rules.payment_due_days),
    )


def activate(
    contract: Contract,
    receipt_at: dt.datetime,
    rules: Rules,
    new_id: Callable[[], str],
    *,
    actor: Actor | None = None,
    charge: Charge | None = None,
    capabilities: Capabilities | None = None,
    received_at: dt.datetime | None = None,
    received: Money | None = None,
    action: str = "activate",
) -> Settlement:
    """Take a contract whose first payment has come to where it belongs (R-012, R-046, R-071, R-105 to R-109).

    A start still ahead gives NOT_STARTED. Otherwise it runs from *receipt_at* on: ESTABLISHED, SPECIAL_PERIOD, ACTIVE,
    or CANCEL_SCHEDULED in the product's final period. Renewal days that have already passed are not made up for: the
    first row targets the start date, and the expiry lies after the receipt, so that a payment found late does not leave
    the customer expired.

    :param receipt_at: when the success is processed, aware; decides status, expiry and mails.
    :param actor: who brought this about; by default whoever made the charge or, without one, the contract.
    :param charge: the first charge, for a card that had one; what it paid for was decided when the customer applied, so
        a charge of the initial fee alone, or none, gives NOT_STARTED, whenever its result arrives (R-015).
    :param received_at: when the money came in, for the ledger; by default the provider's success time, or *receipt_at*.
    :param received: how much came in without a card, by default all that was asked for; see :func:`_booked`.
    """
    receipt_at = require_aware(receipt_at, "receipt_at")
    actor = actor or (charge.actor if charge else contract.created_by)
    today = business_date(receipt_at, rules.zone)
    plan, start_on = contract.plan, contract.start_on
    opened = start_on <= (business_date(contract.applied_at, rules.zone) if contract.is_card else today)
    expires_on = first_expiry(plan, start_on, today, rules.system_max)
    if capabilities is not None and capabilities.expiry is ExpiryPolicy.SYSTEM_MAX:
        expires_on = rules.system_max
    paid = attrs.evolve(contract, status=Status.NOT_STARTED, expires_on=expires_on)
    if opened:
        paid = running(paid, max(today, start_on), receipt_at)
    charged_at = charge.charged_at if charge else None
    entries = tuple(
        LedgerEntry(
            new_id(),
            contract.id,
            contract.customer_id,
            kind,
            amount,
            state,
            purchased_on=business_date(contract.applied_at, rules.zone),
            target_on=start_on,
            received_at=received_at or charged_at or receipt_at,
            actor=actor,
            account=charge.account if charge else None,
            reference=charge.reference if charge else None,
            charge_id=charge.id if charge else None,
            consent=charge.consent.how if charge and charge.consent else "",
            remarks=remarks,
        )
        for kind, amount, state, remarks in _booked(
            _first_rows(plan, start_on, opened=opened or not contract.is_card), received, opened=opened
        )
    )
    sale = next((row for row in entries if not plan.is_recurring or row.kind is EntryKind.PERIOD), None)
    confirmed = action == _CONFIRM
    event = (
        Event.CONFIRM_PAYMENT if confirmed else Event.FIRST_CHARGE_SUCCEEDED if contract.is_card else Event.CREATE_PAID
    )
    taken = find(contract.status if confirmed else None, event, paid.status)
    before = contract if confirmed else None
    record = step(taken, before, paid, at=receipt_at, actor=actor, new_id=new_id, action=action)
    return Settlement(
        paid,
        entries,
        queue(
            rules.step_mails,
            MailSet.ON_PAYMENT_COMPLETE,
            contract,
            receipt_at,
            new_id,
            charge_id=charge.id if charge else None,
        ),
        # a recurring contract that is paid ahead opens with its start
        entitlements.issue(contract, start_on, sale.id, (), new_id)
        if sale and (opened or not plan.is_recurring)
        else (),
        (record,),
        notices=product_end_notices(None, paid, today),
    )


def _booked(
    rows: list[tuple[EntryKind, Money]], received: Money | None, *, opened: bool
) -> list[tuple[EntryKind, Money, EntryState, str]]:
    """What *received* pays of the first rows, in their order: the initial fee first, then the first period (R-386).

    A row that is paid in part holds what came, and its remarks say what is open. A period of which nothing came has no row
    before its start, which then opens it as if paid; one that opens now is ASSUMED (R-037).

    :raises InvalidAmount: more than was asked for, nothing, or another currency.
    """
    due = Money(sum(amount.minor for _, amount in rows), rows[0][1].currency) if rows else None
    if received is None or due is None or received == due:
        return [(kind, amount, EntryState.SUCCEEDED, "") for kind, amount in rows]
    if received.currency != due.currency or not 0 < received.minor < due.minor:
        raise InvalidAmount(
            f"asked for was {due}, so {received} cannot be booked; give what came in, at most {due}, and return the rest",
            rule="R-386",
        )
    booked, left = [], received.minor
    for kind, amount in rows:
        part = Money(min(left, amount.minor), due.currency)
        left -= part.minor
        if part == amount:
            booked.append((kind, amount, EntryState.SUCCEEDED, ""))
        elif part.minor:
            open_part = Money(amount.minor - part.minor, due.currency)
            booked.append((kind, part, EntryState.SUCCEEDED, f"{part} of {amount} received: {open_part} open"))
        elif kind is EntryKind.PERIOD and opened:
            booked.append((kind, amount, EntryState.ASSUMED, "nothing received yet"))
    return booked


def _first_rows(plan: Plan, start_on: dt.date, *, opened: bool) -> list[tuple[EntryKind, Money]]:
    """A one-off purchase is one INITIAL_FEE row; a price of 0 is a row as well, a fee that is not set is none (R-017)."""
    if not plan.is_recurring:
        return [(EntryKind.INITIAL_FEE, plan.price)]
    rows = [] if plan.initial_fee is None else [(EntryKind.INITIAL_FEE, plan.initial_fee)]
    if opened:
        rows.append((EntryKind.PERIOD, period_price(plan, start_on, start_on)))
    return rows


def confirm_payment(
    contract: Contract,
    rules: Rules,
    now: dt.datetime,
    new_id: Callable[[], str],
    *,
    actor: Actor,
    received_at: dt.datetime | None = None,
    received: Money | None = None,
) -> Settlement:
    """支払いを確認: the awaited payment has been found (R-104 to R-110, T-11 to T-15).

    :param received_at: when the money came in; by default *now*.
    :param received: how much of it, by default all that was asked for (R-386).
    :raises InvalidAmount: more than was asked for, nothing, or another currency.
    :raises PermissionDenied: the actor is neither an administrator nor a provider that saw the transfer (R-267).
    :raises OperationNotAllowed: the contract does not wait for its payment (R-104).
    :raises InvalidValue: *received_at* lies in the future (R-110).
    :raises NaiveDatetime: an instant has no zone (R-002).
    """
    if actor.kind not in {ActorKind.ADMIN, ActorKind.PROVIDER}:
        raise PermissionDenied(f"only an administrator confirms a payment, not {actor}", rule="R-267")
    if contract.status is not Status.PENDING_PAYMENT:
        raise OperationNotAllowed(
            f"contract {contract.id} is {contract.status.value}: confirm_payment is offered in PENDING_PAYMENT only",
            rule="R-104",
        )
    if received_at is not None and require_aware(received_at, "received_at") > now:
        raise InvalidValue(f"the payment cannot have come in the future, at {spoken(received_at)}", rule="R-110")
    if received is not None and not isinstance(received, Money):
        raise InvalidAmount(f"give the amount as Money, for example Money(1000, 'JPY'), not {received!r}", rule="R-004")
    return activate(
        contract, now, rules, new_id, actor=actor, received_at=received_at, received=received, action=_CONFIRM
    )
