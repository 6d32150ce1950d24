"""Another card for a contract that is paid by card: the way out of PAST_DUE (R-400 to R-404).

What happened to the old card is history: attempts, limits and final declines are counted by card, so an unpaid period is
tried anew with the new one, from the first attempt on. The period itself, its price and its day stay as they are.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping

import attrs

from ..clock import business_date
from ..errors import CapabilityNotSupported, ChargeInProgress, InvalidValue
from ..provider import Capabilities, Mode, Renewals
from .contract import Actor, Card, Contract, Status
from .creation import check_provider
from .followup import Next, NoticeKind, ProviderAction, Wanted, tell_both
from .lifecycle import step
from .operations import Operation, permit
from .rules import Rules
from .settlement import Settlement
from .subscribing import charged_by_provider
from .transitions import Event, find

__all__ = ["change_card", "collected_by_provider", "is_same_card"]


def is_same_card(contract: Contract, card: Card) -> bool:
    """Whether *contract* is paid from *card* already."""
    return contract.account == card.account and contract.credential == card.token


def collected_by_provider(contract: Contract, capabilities: Capabilities | None) -> bool:
    """Whether the unpaid period of *contract* is the provider's to collect, and not paygate's (R-147)."""
    missing = contract.past_due
    return (
        missing is not None
        and capabilities is not None
        and charged_by_provider(contract, capabilities, missing.period_start)
    )


def change_card(
    contract: Contract,
    card: Card,
    now: dt.datetime,
    rules: Rules,
    new_id: Callable[[], str],
    *,
    actor: Actor,
    capabilities: Capabilities,
    known: Capabilities | None,
    mode: Mode | None = None,
    open_charge: str | None = None,
    collect: bool = False,
    changed_elsewhere: bool = False,
    marks: Mapping[str, str] | None = None,
    looks: str | None = None,
    reason: str = "",
) -> Settlement:
    """Pay *contract* from *card* from now on; both sides are told, because it might not have been the customer.

    * The failures of an unpaid period are counted from zero again, and its attempts are not used up any more.
    * A subscription that the provider runs is given the new card first (``wanted``); its own retries go on with it.
    * The same card is nothing to do.

    :param capabilities: of the account of *card*; :param known: of the contract's present one, None if that is not
        configured any more; :param mode: of the account of *card*.
    :param open_charge: id of an attempt on the contract that has no result yet.
    :param collect: have a provider that collects the unpaid period itself do so at once.
    :param changed_elsewhere: the card was changed on the provider's own screen, and this only records it.
    :param marks: what the audit record shows of the cards: digests, never a token; :param looks: how the new one is named
        in mails, for example ``visa 4242``.
    :raises PermissionDenied: neither an administrator nor the contract's own customer (R-267).
    :raises OperationNotAllowed: not paid by card, not paid yet, or ended (R-400).
    :raises ChargeInProgress: an attempt is open: looking it up needs the old card (R-401).
    :raises CapabilityNotSupported: the provider charges the renewals and takes no other card from paygate, or not one of
        another account (R-402); or the new account cannot take the contract's payments (R-220).
    :raises InvalidAmount: its prices are none that the new account takes (R-004, R-215).
    :raises InvalidValue: *changed_elsewhere* where paygate charges the renewals, or with another account.
    """
    now = permit(Operation.CHANGE_PAYMENT, contract, actor, now, rules)
    owned = _charged_elsewhere(contract, known)
    if changed_elsewhere and (not owned or card.account != contract.account):
        raise InvalidValue(
            f"contract {contract.id}: paygate charges its card, so it has to know the new one; leave changed_elsewhere out",
            rule="R-402",
        )
    if is_same_card(contract, card) and not changed_elsewhere:
        return Settlement(contract)
    if open_charge is not None:
        raise ChargeInProgress(
            f"contract {contract.id}: charge {open_charge} has no result yet, and finding out needs the present card; wait "
            "for it or reconcile, then change the card",
            rule="R-401",
        )
    if card.account != contract.account:
        _check_other_account(contract, card, capabilities, owned=owned)
    elif owned and not changed_elsewhere and not capabilities.changes_recurring_payment:
        raise CapabilityNotSupported(
            f"contract {contract.id}: {capabilities.name} charges the renewals and takes no other card for them from here. "
            f"Have the card changed on {capabilities.name}'s own screen, then record it with changed_elsewhere=True "
            "(--changed-elsewhere)",
            rule="R-402",
        )
    return _changed(
        contract, card, now, rules, new_id, actor, capabilities, mode, reason, dict(marks or {}), looks,
        tells=owned and not changed_elsewhere, collect=collect,
    )  # fmt: skip


def _charged_elsewhere(contract: Contract, known: Capabilities | None) -> bool:
    """Whether a provider's own subscription charges this contract, now or later."""
    if contract.subscription is not None:
        return contract.subscription.state.stands
    recurs = contract.plan.is_recurring and known is not None
    return recurs and known.renewals is Renewals.PROVIDER and not known.starts_subscriptions  # type: ignore[union-attr]


def _check_other_account(contract: Contract, card: Card, capabilities: Capabilities, *, owned: bool) -> None:
    if owned:
        raise CapabilityNotSupported(
            f"contract {contract.id}: {contract.account} charges the renewals by a subscription of its own, which cannot "
            f"move to {card.account}; give a card of {contract.account}, or end this contract and make another",
            rule="R-402",
        )
    if (
        contract.plan.is_recurring
        and capabilities.renewals is Renewals.PROVIDER
        and not capabilities.starts_subscriptions
    ):
        raise CapabilityNotSupported(
            f"contract {contract.id}: {capabilities.name} charges renewals only by subscriptions that begin there; choose "
            "an account whose renewals paygate charges",
            rule="R-402",
        )
    check_provider(contract.plan, contract.plan.price, capabilities)


def _changed(
    contract: Contract,
    card: Card,
    now: dt.datetime,
    rules: Rules,
    new_id: Callable[[], str],
    actor: Actor,
    capabilities: Capabilities,
    mode: Mode | None,
    reason: str,
    marks: dict[str, str],
    looks: str | None,
    *,
    tells: bool,
    collect: bool,
) -> Settlement:
    missing = contract.past_due
    if missing is not None:
        provided = collected_by_provider(contract, capabilities)
        # what the provider retries by itself it goes on retrying, with the new card
        pending = missing.retry_pending and provided
        failures = missing.failures if provided else 0
        missing = attrs.evolve(missing, failures=failures, retry_pending=pending, exhausted=False, given_up=False)
    after = attrs.evolve(
        contract, account=card.account, credential=card.token, mode=mode or contract.mode, past_due=missing
    )
    record = step(
        find(contract.status, Event.CHANGE_PAYMENT, after.status),
        contract,
        after,
        at=now,
        actor=actor,
        new_id=new_id,
        action="change_payment",
        reason=reason,
        facts={"account": card.account, "account_before": contract.account, **marks},
    )
    # where nothing is unpaid here, an invoice that is open there has been paid in another way
    collect = collect and missing is not None and contract.status is Status.PAST_DUE
    wanted = (Wanted(card.account, ProviderAction.NEW_CARD, credential=card.token, collect=collect),) if tells else ()
    notices = tell_both(
        NoticeKind.CARD_CHANGED, after, _then(after), happened_on=business_date(now, rules.zone), card=looks
    )
    return Settlement(after, audit=(record,), wanted=wanted, notices=notices)


def _then(contract: Contract) -> Next:
    if contract.status is Status.PAST_DUE:
        return Next.RETRY
    if contract.status is Status.CANCEL_SCHEDULED:
        return Next.ENDS
    return Next.RENEWS if contract.plan.is_recurring else Next.NOTHING
