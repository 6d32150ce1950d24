"""The product's end of a running contract: its final month is set, moved or cleared later on (R-067 to R-071, R-389).

A plan is copied onto its contract (R-018); what changes here is that copy, for one contract at a time.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable

import attrs

from ..clock import business_date
from ..errors import InvalidValue, NotFound, OperationNotAllowed
from ..provider import Capabilities
from .contract import Actor, ActorKind, CancellationOrigin, Contract, Status
from .followup import Next, NoticeKind, ProviderAction, tell_both, want
from .ledger import LedgerEntry
from .lifecycle import check_running_period_paid, product_end_notices, step
from .operations import Operation, permit
from .renewal import schedule_product_end
from .rules import Rules
from .running import in_final_period, running_status
from .settlement import Settlement
from .subscription import SubscriptionState
from .transitions import Event, find

__all__ = ["set_product_end"]

_MONTH = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")
_RUNNING = frozenset({Status.ACTIVE, Status.SPECIAL_PERIOD})
#: Who may have given notice, and the origin that it had.
_PERSONS = {ActorKind.ADMIN: CancellationOrigin.ADMIN, ActorKind.CUSTOMER: CancellationOrigin.CUSTOMER}


def set_product_end(
    contract: Contract,
    end_month: str | None,
    now: dt.datetime,
    rules: Rules,
    new_id: Callable[[], str],
    *,
    actor: Actor,
    product: str | None = None,
    capabilities: Capabilities | None = None,
    entries: Iterable[LedgerEntry] = (),
    reason: str = "",
) -> Settlement:
    """Set the final month of the contract's products, or clear it.

    If the running period is the final one already, the contract becomes CANCEL_SCHEDULED at once, and both sides are told
    (R-067). One that was to end with its product and is not in its final period any more runs on, and its provider is told;
    notice that somebody gave stays.

    :param end_month: ``"YYYY-MM"``, in which the last period begins; None: the product does not end.
    :param product: the code of one product; by default all of the plan.
    :raises PermissionDenied: not an administrator.
    :raises OperationNotAllowed: the contract has ended, is not recurring, or names no products.
    :raises InvalidValue: not a month, or one before the running period or the start: that period is being served.
    :raises NotFound: the plan has no such product.
    """
    now = permit(Operation.SET_PRODUCT_END, contract, actor, now, rules)
    if not contract.plan.products:
        raise OperationNotAllowed(
            f"contract {contract.id}: its plan names no product that could end; schedule its cancellation instead",
            rule="R-389",
        )
    if product is not None and product not in {one.code for one in contract.plan.products}:
        known = ", ".join(one.code for one in contract.plan.products)
        raise NotFound(f"contract {contract.id} has no product {product!r}; its products: {known}")
    _check_month(contract, end_month)
    products = tuple(
        attrs.evolve(one, end_month=end_month) if product in {None, one.code} else one for one in contract.plan.products
    )
    moved = attrs.evolve(contract, plan=attrs.evolve(contract.plan, products=products))
    facts = {"product": product or "all", "end_month": end_month}
    done = _follow(contract, moved, now, rules, new_id, actor, capabilities, reason, facts)
    if done.contract.status in _RUNNING and contract.status is Status.CANCEL_SCHEDULED:
        check_running_period_paid(contract, entries)
    return done


def _check_month(contract: Contract, end_month: str | None) -> None:
    if end_month is None:
        return
    if not isinstance(end_month, str) or not _MONTH.fullmatch(end_month):
        raise InvalidValue(f"a final month is written YYYY-MM, for example 2026-12, not {end_month!r}", rule="R-389")
    earliest = contract.period_start or contract.start_on
    if end_month < f"{earliest:%Y-%m}":
        raise InvalidValue(
            f"contract {contract.id}: its period of {earliest} is being served, so its final month is {earliest:%Y-%m} at "
            f"the earliest, not {end_month}",
            rule="R-389",
        )


def _follow(
    before: Contract,
    moved: Contract,
    now: dt.datetime,
    rules: Rules,
    new_id: Callable[[], str],
    actor: Actor,
    capabilities: Capabilities | None,
    reason: str,
    facts: dict[str, str | None],
) -> Settlement:
    """What the new final month means for the contract now."""
    today = business_date(now, rules.zone)
    notice = moved.cancellation
    by_product = notice is not None and notice.origin is CancellationOrigin.PRODUCT_END
    final = moved.status in {*_RUNNING, Status.CANCEL_SCHEDULED} and in_final_period(moved)
    after = moved
    event = Event.SET_PRODUCT_END
    given = notice is not None and notice.by.kind in _PERSONS
    if notice is not None and by_product and given and not final and moved.status is Status.CANCEL_SCHEDULED:
        # somebody had given notice before the product was to end: that is what is left of it
        after = attrs.evolve(moved, cancellation=attrs.evolve(notice, origin=_PERSONS[notice.by.kind]))
    elif by_product and not final and moved.status is Status.CANCEL_SCHEDULED:
        provided = moved.subscription
        if provided is not None and provided.state is SubscriptionState.ENDING:
            provided = attrs.evolve(provided, state=SubscriptionState.RUNNING)
        after = attrs.evolve(moved, status=running_status(moved, today), cancellation=None, subscription=provided)
        event = Event.PRODUCT_END_MOVED
    record = step(
        find(before.status, event, after.status), before, after, at=now, actor=actor, new_id=new_id,
        action="set_product_end", reason=reason, facts=facts,
    )  # fmt: skip
    if after.status is not moved.status:
        return Settlement(
            after,
            audit=(record,),
            wanted=want(before, capabilities, ProviderAction.GO_ON),
            notices=tell_both(NoticeKind.CANCELLATION_REVOKED, after, Next.RENEWS, happened_on=today),
        )
    if not final or by_product:
        return Settlement(after, audit=(record,), notices=product_end_notices(before, after, today))
    scheduled = schedule_product_end(after, now, new_id, zone=rules.zone)
    return attrs.evolve(scheduled, audit=(record, *scheduled.audit))
