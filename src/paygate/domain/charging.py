"""The additional charge: whether it is allowed, and what its success does (R-165 to R-232).

:func:`decide_addon` is asked before anything is written or sent; :func:`settle_addon` when the success is processed.
What a provider forces, forbids or limits is read from its :class:`~paygate.capabilities.Capabilities`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence

import attrs

from ..clock import JST, business_date, require_aware, spoken
from ..errors import (
    ChargeInProgress,
    ChargeWindowExpired,
    ConsentRequired,
    DuplicateCharge,
    InvalidAmount,
    InvalidValue,
    NotCardCustomer,
    OperationNotAllowed,
    OptionNotSupported,
    PermissionDenied,
    ProviderNotCapable,
    SystemMaxPassed,
)
from ..evolving import evolve
from ..money import Money
from ..provider import Capabilities, ExpiryPolicy, OptionPolicy
from . import arrears
from .audit import change
from .calendar import years_later
from .charge import Charge, Consent, Purpose
from .charge_warnings import before_charging, beside_arrears
from .contract import Actor, ActorKind, Contract, PaymentMethod, Status
from .expiry import after_receipt
from .ledger import EntryKind, EntryState, LedgerEntry
from .licences import License
from .mails import MailSet, StepMailPlan, due_mails, queue
from .rules import Rules
from .settlement import Settlement

__all__ = [
    "AddonCommand",
    "AddonDecision",
    "ChargeFacts",
    "Rules",
    "check_actor",
    "check_amount",
    "decide_addon",
    "settle_addon",
    "window_closes_at",
]

_CLOSING_SOON = dt.timedelta(days=30)


@attrs.frozen
class AddonCommand:
    """What an administrator asks for, or a customer where the shop lets them.

    :param renew_expiry: None accepts what the provider always does, or leaves the option off (R-184, R-185).
    :param send_step_mail: the same for the step mails prepared for renewal.
    :param consent: the customer's recorded agreement to this charge (R-188).
    :param purpose: None is ONE_OFF, but on a PAST_DUE contract it has to be said (R-382). For ARREARS both options are on
        where they are left open and the provider offers them: the period gets what its renewal would have given (R-380).
    :param other_amount: ARREARS of another amount than the one owed are meant (R-381).
    """

    amount: Money | None
    renew_expiry: bool | None = None
    send_step_mail: bool | None = None
    consent: Consent | None = None
    purpose: Purpose | None = None
    actor: Actor = attrs.field(factory=Actor.admin)
    other_amount: bool = False


@attrs.frozen
class ChargeFacts:
    """What history says, read together with the contract. Instants are UTC.

    :param last_paid_at: success time of the customer's latest non-zero payment through the contract's account, over all
        contracts; one that was refunded later counts (R-200, R-201).
    :param open_charge: id of a PENDING or UNKNOWN additional charge on the contract (R-189, R-193).
    :param similar_at: when the latest attempt with the same amount on the same credential was made, leaving out those
        that certainly never reached the provider (R-205).
    :param open_period: id of a PENDING or UNKNOWN charge of a period of the contract; matters for ARREARS only (R-161).
    :param asked: what was charged for the unpaid period in vain, if there is one.
    """

    last_paid_at: dt.datetime | None = None
    open_charge: str | None = None
    similar_at: dt.datetime | None = None
    open_period: str | None = None
    asked: Money | None = None


@attrs.frozen
class AddonDecision:
    """An additional charge that may be sent now, and what its success would do (R-173).

    :param renew_expiry: the effective option: False where the provider gives no choice but to leave or fix the date.
    :param send_step_mail: the effective option, after what the provider forces (R-207).
    :param expires_on_after: a preview: the expiry if the receipt were now; the receipt's own date decides (R-180).
    :param mails: what will be sent, with due instants as if the receipt were now.
    :param warnings: for people, for example that a forced mail cannot be held back (R-211, R-230).
    :param amount: what is charged.
    :param purpose: the effective one.
    :param owed: what an unpaid period of the contract costs, which ARREARS would collect; None if nothing is unpaid.
    """

    amount: Money
    renew_expiry: bool
    send_step_mail: bool
    expires_on: dt.date | None
    expires_on_after: dt.date | None
    mails: tuple[tuple[StepMailPlan, dt.datetime], ...] = ()
    warnings: tuple[str, ...] = ()
    purpose: Purpose = Purpose.ONE_OFF
    owed: Money | None = None


def decide_addon(
    contract: Contract,
    command: AddonCommand,
    capabilities: Capabilities | None,
    facts: ChargeFacts,
    rules: Rules,
    now: dt.datetime,
    *,
    preview: bool = False,
) -> AddonDecision:
    """Whether *command* may be sent at *now*, with which effective options and effects.

    The checks run in the order in which the errors are listed; nothing has been written or sent when one is raised.

    :param capabilities: of the contract's account; None for a contract without one.
    :param preview: only look: a purpose that still has to be said is a warning then (R-382).
    :raises PermissionDenied: the actor is neither an administrator nor a customer who may, see :func:`check_actor`.
    :raises InvalidAmount: not Money, zero, another currency than the plan's or the provider's, or outside the
        provider's limits (R-004, R-171, R-215); or ARREARS of another amount than the one owed (R-381).
    :raises OperationNotAllowed: the status does not allow it (R-187), or ARREARS where nothing is unpaid (R-191), or the
        expiry of an ended contract is to be renewed (R-384).
    :raises PurposeNeeded: a period is unpaid, and whether this pays it is not said (R-382).
    :raises NotCardCustomer: the contract is not paid by card (R-167).
    :raises ProviderNotCapable: the provider is not set up or cannot charge additionally (R-165, R-166).
    :raises ConsentRequired: no recorded consent (R-188).
    :raises InvalidValue: an option is neither a bool nor None.
    :raises OptionNotSupported: an explicit option contradicts what the provider always does (R-185).
    :raises ChargeInProgress: an earlier additional charge is pending or unknown (R-189, R-193).
    :raises OperationNotAllowed: no stored credential, or no successful payment through the account (R-187, R-204).
    :raises ChargeWindowExpired: the window since the last payment has closed (R-197, R-199).
    :raises SystemMaxPassed: the expiry would be set to a date that has passed (R-221).
    :raises DuplicateCharge: same amount and credential within the provider's duplicate window (R-205).
    :raises RetryPending: ARREARS while the provider still retries the period, or a charge of it has no result yet (R-161).
    :raises NaiveDatetime: *now* has no zone (R-002).
    """
    check_actor(contract, command.actor, rules)
    amount = check_amount(command.amount, contract.plan.price.currency, capabilities)
    due = arrears.owed(contract, facts.asked)
    unsaid = command.purpose is None and due is not None and contract.status is Status.PAST_DUE
    purpose = Purpose.ONE_OFF if preview and unsaid else arrears.purpose_of(contract, command.purpose, due)
    _check_contract(contract, purpose)
    if capabilities is None:
        raise ProviderNotCapable(
            f"contract {contract.id}: its account {contract.account!r} is not set up; configure it", rule="R-166"
        )
    if not capabilities.additional_charge:
        raise ProviderNotCapable(f"{capabilities.name} cannot charge a stored credential additionally", rule="R-165")
    if command.consent is None or not command.consent.how.strip():
        raise ConsentRequired(
            f"contract {contract.id}: record the customer's agreement to this charge: how it was given, and when",
            rule="R-188",
        )
    pays_period = purpose is Purpose.ARREARS and due is not None
    renew = _effective(capabilities.renew_expiry, command.renew_expiry, "renew_expiry", capabilities, on=pays_period)
    mail = _effective(
        capabilities.send_step_mail, command.send_step_mail, "send_step_mail", capabilities, on=pays_period
    )
    if contract.status is Status.TERMINATED and command.renew_expiry:
        raise OperationNotAllowed(
            f"contract {contract.id} has ended: renewing its expiry would open nothing; leave renew_expiry out",
            rule="R-384",
        )
    closes_at = _check_history(contract, capabilities, facts, rules, now, pays_period=pays_period)
    today = business_date(now, rules.zone)
    if capabilities.expiry is ExpiryPolicy.SYSTEM_MAX and today > rules.system_max:
        raise SystemMaxPassed(
            f"{capabilities.name} sets the expiry to {rules.system_max}, which has passed; raise the system maximum",
            rule="R-221",
        )
    window = capabilities.duplicate_window
    if window is not None and facts.similar_at is not None and now - facts.similar_at < dt.timedelta(seconds=window):
        raise DuplicateCharge(
            f"contract {contract.id}: {amount} was sent for the same stored card less than {window} seconds ago; "
            "look at that charge, and wait if this one is meant as well",
            rule="R-205",
        )
    if purpose is Purpose.ARREARS:
        arrears.check_amount_owed(contract, amount, due, other_amount=command.other_amount)
        arrears.check_retries(contract, capabilities.name, facts.open_period)
    after = _expiry_after(contract, capabilities, today, rules, renew=renew, pays_period=pays_period)
    if renew and today > rules.system_max and contract.plan.cycle is not None and (after is None or after < today):
        raise SystemMaxPassed(
            f"contract {contract.id}: the expiry cannot be renewed beyond the system's largest date, {rules.system_max}, so "
            "the content would stay closed; raise system_max_expiry, or charge with renew_expiry=False",
            rule="R-391",
        )
    mails = tuple(due_mails(rules.step_mails, MailSet.ON_RENEWAL, now)) if mail and rules.step_mails else ()
    warnings = before_charging(capabilities, mails, closes_at, now, rules.zone)
    warnings += beside_arrears(contract, amount, due, after, today, unsaid=unsaid, pays_period=pays_period)
    return AddonDecision(amount, renew, mail, contract.expires_on, after, mails, warnings, purpose, due)


def _expiry_after(
    contract: Contract, capabilities: Capabilities, receipt_on: dt.date, rules: Rules, *, renew: bool, pays_period: bool
) -> dt.date | None:
    if pays_period and renew and capabilities.expiry is not ExpiryPolicy.SYSTEM_MAX:
        return arrears.expiry_after(contract, receipt_on, rules)
    return after_receipt(contract, capabilities.expiry, receipt_on, renew=renew, system_max=rules.system_max)


def check_actor(contract: Contract, actor: Actor, rules: Rules) -> None:
    """Refuse who may not charge *contract* additionally.

    :raises PermissionDenied: neither an administrator (R-169) nor, where the shop lets them, its customer (R-267, R-376).
    """
    if actor.kind is ActorKind.ADMIN:
        return
    if actor.kind is not ActorKind.CUSTOMER or not rules.customer_charges:
        remedy = "; customers buy where customer_charges = true" if actor.kind is ActorKind.CUSTOMER else ""
        raise PermissionDenied(f"only an administrator starts an additional charge, not {actor}{remedy}", rule="R-169")
    if actor.id != contract.customer_id:
        raise PermissionDenied(f"contract {contract.id} is another customer's, not {actor}'s", rule="R-267")


def check_amount(amount: Money | None, currency: str, capabilities: Capabilities | None) -> Money:
    """*amount*, unless it cannot be charged (R-004, R-171, R-215).

    :param currency: that of the contract's plan.
    :raises InvalidAmount: not Money, nothing, another currency, or outside the provider's limits.
    """
    if not isinstance(amount, Money):
        raise InvalidAmount(f"give the amount as Money, for example Money(1000, 'JPY'), not {amount!r}", rule="R-004")
    if amount.minor < 1:
        raise InvalidAmount("a charge is at least 1; there is nothing to charge", rule="R-171")
    if amount.currency != currency:
        raise InvalidAmount(f"the contract is in {currency}, so it cannot be charged {amount}", rule="R-004")
    if capabilities is None:
        return amount
    limits = capabilities.amounts.get(currency)
    if limits is None:
        known = ", ".join(sorted(capabilities.amounts))
        raise InvalidAmount(f"{capabilities.name} does not take {currency}; it takes {known}", rule="R-004")
    if amount.minor < limits.minimum or (limits.maximum is not None and amount.minor > limits.maximum):
        most = "any amount" if limits.maximum is None else Money(limits.maximum, currency)
        least = Money(limits.minimum, currency)
        raise InvalidAmount(f"{capabilities.name} takes {least} to {most} in one charge, not {amount}", rule="R-215")
    return amount


def _check_contract(contract: Contract, purpose: Purpose) -> None:
    status = contract.status
    if status is Status.PENDING_PAYMENT or status is Status.CANCELED:
        raise OperationNotAllowed(
            f"contract {contract.id} is {status.value}: charge_addon is never offered there", rule="R-187"
        )
    if contract.method is not PaymentMethod.CARD:
        raise NotCardCustomer(
            f"contract {contract.id} is paid by {contract.method.value}; only a card can be charged additionally",
            rule="R-167",
        )
    if purpose is Purpose.ARREARS and status is not Status.PAST_DUE and status is not Status.TERMINATED:
        raise OperationNotAllowed(
            f"contract {contract.id} is {status.value}: no period is unpaid; charge with purpose ONE_OFF", rule="R-191"
        )


def _effective(policy: OptionPolicy, value: bool | None, name: str, capabilities: Capabilities, *, on: bool) -> bool:
    """What an option comes to. *on*: what it is where it is left open and may be chosen."""
    if value is None:
        return policy is OptionPolicy.FORCED_ON or (on and policy is OptionPolicy.OPTIONAL)
    if value is not True and value is not False:
        raise InvalidValue(f"{name} is True, False or None, got {value!r}", rule="R-185")
    if policy is OptionPolicy.OPTIONAL or (policy is OptionPolicy.FORCED_ON and value):
        return value
    raise OptionNotSupported(
        f"{name}={value} cannot be chosen through {capabilities.name} ({policy.value}); leave it out to accept that",
        rule="R-185",
    )


def _check_history(
    contract: Contract,
    capabilities: Capabilities,
    facts: ChargeFacts,
    rules: Rules,
    now: dt.datetime,
    *,
    pays_period: bool,
) -> dt.datetime | None:
    """The instant at which the window closes, if it closes soon.

    The unpaid period of a contract may be the first payment through the account of a card that is new (R-404).
    """
    if facts.open_charge is not None:
        raise ChargeInProgress(
            f"contract {contract.id}: charge {facts.open_charge} has no result yet; wait for it or reconcile",
            rule="R-189",
        )
    if pays_period and contract.credential is not None and facts.last_paid_at is None:
        return None
    if contract.credential is None or facts.last_paid_at is None:
        raise OperationNotAllowed(
            f"contract {contract.id}: the customer has never paid through {contract.account!r}, so there is no stored "
            "credential to charge; let them pay once",
            rule="R-204",
        )
    years = capabilities.charge_window_years
    # a year has at least 365 days: most charges are so far from the limit that the calendar need not be asked
    if years is None or now + _CLOSING_SOON < facts.last_paid_at + dt.timedelta(days=365 * years):
        return None
    closes_at = years_later(facts.last_paid_at, years, rules.zone)
    if now >= closes_at:
        raise ChargeWindowExpired(
            f"contract {contract.id}: the last payment through {contract.account!r} is {years} year(s) old since "
            f"{spoken(closes_at, rules.zone)}; the customer has to pay once by entering the card again",
            rule="R-197",
        )
    return closes_at if closes_at - now <= _CLOSING_SOON else None


def window_closes_at(
    last_paid_at: dt.datetime | None, capabilities: Capabilities, zone: dt.tzinfo = JST
) -> dt.datetime | None:
    """The instant (UTC) from which additional charges are refused (R-197, R-199, R-203).

    :returns: None where the provider knows no window, or there is no payment to count from.
    """
    if last_paid_at is None or capabilities.charge_window_years is None:
        return None
    return years_later(last_paid_at, capabilities.charge_window_years, zone)


def settle_addon(
    contract: Contract,
    charge: Charge,
    capabilities: Capabilities,
    rules: Rules,
    receipt_at: dt.datetime,
    new_id: Callable[[], str],
    *,
    licences: Sequence[License] = (),
    asked: Money | None = None,
) -> Settlement:
    """What the success of *charge* does to *contract*, whatever has become of the contract meanwhile.

    Expiry and mails count from the receipt (R-180); the row's ``received_at`` is the provider's success time (R-201).
    The status changes only where purpose ARREARS resumes a PAST_DUE contract (R-179, R-191, T-66, T-91).

    :param charge: with its effective options; PENDING and UNKNOWN ones are settled alike.
    :param receipt_at: when the success is processed, aware.
    :param licences: all licences of the contract; needed for purpose ARREARS, which opens the unpaid period's content.
    :param asked: what was charged for the unpaid period in vain; for purpose ARREARS.
    """
    receipt_at = require_aware(receipt_at, "receipt_at")
    receipt_on = business_date(receipt_at, rules.zone)
    pays_period = charge.purpose is Purpose.ARREARS and contract.past_due is not None
    expires_on = _expiry_after(
        contract, capabilities, receipt_on, rules, renew=charge.renew_expiry, pays_period=pays_period
    )
    moved = contract if expires_on == contract.expires_on else evolve(contract, expires_on=expires_on)
    entry = LedgerEntry(
        new_id(),
        contract.id,
        contract.customer_id,
        EntryKind.ADDON,
        charge.amount,
        EntryState.SUCCEEDED,
        purchased_on=receipt_on,
        target_on=receipt_on,
        received_at=charge.charged_at or receipt_at,
        actor=charge.actor,
        account=charge.account,
        reference=charge.reference,
        charge_id=charge.id,
        consent=charge.consent.how if charge.consent else "",
    )
    mails = (
        queue(rules.step_mails, MailSet.ON_RENEWAL, contract, receipt_at, new_id, charge_id=charge.id)
        if charge.send_step_mail
        else ()
    )
    done = change(
        contract,
        moved,
        id=new_id(),
        at=receipt_at,
        actor=charge.actor,
        action="charge_addon",
        reason=entry.consent,
        facts={
            "charge": charge.id,
            "amount": str(charge.amount),
            "purpose": charge.purpose.value,
            "renew_expiry": charge.renew_expiry,
            "send_step_mail": charge.send_step_mail,
            "mails": [mail.id for mail in mails],
        },
    )
    charged = Settlement(moved, (entry,), mails, audit=(done,))
    if not pays_period:
        return charged
    due = arrears.owed(contract, asked)
    return arrears.pay(contract, charged, charge, receipt_at, receipt_on, new_id, licences, due)
