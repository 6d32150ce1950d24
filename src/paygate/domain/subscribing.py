"""Which periods of a contract the provider's own subscription charges, and which paygate (R-015, R-036, R-061, R-147).

The first payment is always paygate's: it makes the contract (R-013). A subscription has one price, so it begins with the
first period at the regular price that the first payment has not covered; special periods before it are charged by paygate.
"""

from __future__ import annotations

import datetime as dt

from ..errors import CapabilityNotSupported, InvalidValue
from ..provider import Capabilities, Renewals
from .calendar import cycle_months, next_renewal
from .contract import Contract, Plan, Status
from .running import product_ends_on, special_ends_on
from .subscription import Subscription, SubscriptionState

__all__ = ["charged_by_provider", "planned_subscription", "started_elsewhere", "subscription_months", "taken_over"]


def planned_subscription(
    plan: Plan, start_on: dt.date, day: dt.date, capabilities: Capabilities
) -> Subscription | None:
    """The subscription that the provider is to start for a contract applied for on business date *day*.

    :returns: None where there is none: the plan does not recur, or paygate starts no subscriptions with this provider.
        One that would begin after the product's final period has ENDED before it began.
    :raises CapabilityNotSupported: a cycle of days or weeks; providers' subscriptions count in months.
    """
    if plan.cycle is None or not capabilities.starts_subscriptions:
        return None
    subscription_months(plan, capabilities)
    first = start_on if start_on > day else next_renewal(start_on, plan.cycle, day)
    first = max(first, special_ends_on(plan, start_on) or first)
    product_end = product_ends_on(plan, start_on)
    never = product_end is not None and first >= product_end
    return Subscription(SubscriptionState.ENDED if never else SubscriptionState.STARTING, first)


def started_elsewhere(
    plan: Plan, start_on: dt.date, day: dt.date, capabilities: Capabilities, reference: str | None, *, confirmed: bool
) -> Subscription | None:
    """The subscription of a new contract whose provider charges the renewals, and which paygate cannot start (R-390).

    :param day: the business date of the application.
    :param reference: the provider's id of the subscription; :param confirmed: without it, that there is one.
    :returns: None where the plan does not recur, paygate charges or starts the renewals itself, or no id is known.
    :raises CapabilityNotSupported: neither is given: nothing would ever renew the contract.
    :raises InvalidValue: one is given where there is no such subscription.
    """
    elsewhere = (
        plan.cycle is not None and capabilities.renewals is Renewals.PROVIDER and not capabilities.starts_subscriptions
    )
    if not elsewhere or plan.cycle is None:
        if reference or confirmed:
            raise InvalidValue(
                f"{capabilities.name}: no subscription of this contract is started elsewhere; leave out subscription and "
                "started_elsewhere",
                rule="R-390",
            )
        return None
    if not reference and not confirmed:
        raise CapabilityNotSupported(
            f"{capabilities.name} charges the renewals itself, and paygate cannot start them: start the subscription there "
            "and give subscription='its id', or started_elsewhere=True where it has none; else nothing would ever renew "
            f"plan {plan.name!r}",
            rule="R-390",
        )
    if not reference:
        return None
    first = start_on if start_on > day else next_renewal(start_on, plan.cycle, day)
    return Subscription(SubscriptionState.RUNNING, first, reference)


def subscription_months(plan: Plan, capabilities: Capabilities) -> int:
    """The length of the periods that the provider's subscription is to charge.

    :raises CapabilityNotSupported: a cycle of days or weeks, or none.
    """
    months = plan.cycle and cycle_months(plan.cycle)
    if not months:
        cycle = plan.cycle.value if plan.cycle else "paid once"
        raise CapabilityNotSupported(
            f"{capabilities.name} renews by months, and plan {plan.name!r} is {cycle}: use an account whose renewals "
            "paygate charges",
            rule="R-008",
        )
    return months


def taken_over(contract: Contract, capabilities: Capabilities | None, reference: str | None) -> Subscription | None:
    """The subscription of a contract that is taken over from another system; none is started for it.

    :param capabilities: of the contract's account; None without one.
    :param reference: the provider's id of the subscription that charges it.
    :raises InvalidValue: the provider charges by subscriptions, and *reference* is missing; or the other way round.
    """
    ended = contract.status in {Status.TERMINATED, Status.CANCELED}
    wanted = contract.plan.is_recurring and not ended and capabilities is not None and capabilities.starts_subscriptions
    if wanted and not reference:
        raise InvalidValue(
            f"account {contract.account!r} has its provider charge the renewals: give the id of its subscription, or import "
            "the contract through an account whose renewals paygate charges"
        )
    if reference and not wanted:
        raise InvalidValue(f"contract {contract.id}: no provider's subscription charges it; leave out its id")
    return Subscription(SubscriptionState.RUNNING, contract.start_on, reference) if wanted else None


def charged_by_provider(contract: Contract, capabilities: Capabilities, period_start: dt.date) -> bool:
    """Whether the period that begins on *period_start* is charged by the provider's own subscription, and not by paygate.

    What was agreed when the contract was made counts, not what the account is set to now: changing the setting charges
    nobody twice. A contract without a subscription of its own belongs to the provider only where all of them start there.
    """
    subscription = contract.subscription
    if subscription is None:
        return capabilities.renewals is Renewals.PROVIDER and not capabilities.starts_subscriptions
    return subscription.state is not SubscriptionState.REFUSED and period_start >= subscription.starts_on
