"""A charge that waits for the customer: it is not unknown, it has a deadline, and somebody gives the customer the link.

3-D Secure and the like: the provider answers PENDING with a link. An unattended charge of an existing contract has nobody who
shows it, so it is mailed (R-335). A page that wants a form posted cannot be opened from a mail: then the shop's own page is
mailed, which posts what :func:`action` gives, and without such a page the operator is told at once (R-342). Until the deadline the charge is looked up like any other and stays PENDING; after it,
:mod:`.withdrawing` ends it.
"""

from __future__ import annotations

import datetime as dt

import attrs

from ..clock import business_date
from ..domain.charge import ACTION_EXPIRED, Charge, ChargeState, CustomerAction
from ..domain.contract import Contract
from ..domain.followup import Next, NoticeKind, tell_both
from ..errors import OperationNotAllowed
from ..flow import call
from ..provider import ChargeResult, DeclineClass, Outcome
from ..store import Session
from .outbox import operator, put
from .packing import pack
from .services import Services

__all__ = ["action", "asked", "expired", "expired_by", "is_awaited", "is_ending", "is_over", "page_problem"]

#: Stands for the id of the charge in ``action_page``.
PLACE = "{charge_id}"

#: How long a provider may take to withdraw a charge before its outcome counts as unknown.
_WITHDRAWING = dt.timedelta(days=1)


def asked(
    services: Services,
    session: Session,
    charge: Charge,
    contract: Contract | None,
    result: ChargeResult,
    now: dt.datetime,
) -> Charge:
    """*charge* with its link and deadline; the first time the customer of *contract* and the administrator are told.

    That the customer has to act is known, so it is PENDING even if nothing was known of it before.

    :param contract: None for a first payment: whoever makes the contract shows the link.
    """
    given = result if result.action_url else None
    told = result.action_until if result.action_until is not None and result.action_until.tzinfo is not None else None
    until = told or charge.action_until or now + dt.timedelta(seconds=services.waiting.action)
    waiting = attrs.evolve(
        charge,
        state=ChargeState.PENDING,
        failure=None,
        action_url=given.action_url if given else charge.action_url,
        action_method=given.action_method if given else charge.action_method,
        action_fields=tuple(given.action_fields.items()) if given else charge.action_fields,
        action_until=until,
        operator_told=False,
    )
    if charge.action_until is None and contract is not None:
        link = _link(services, waiting)
        if link is None:
            _tell_operator(services, session, waiting, until, now)
            return waiting
        notices = tell_both(
            NoticeKind.ACTION_REQUIRED,
            contract,
            Next.ACT,
            amount=charge.amount,
            happened_on=business_date(now, services.rules.zone),
            due_on=business_date(until, services.rules.zone),
            action_url=link,
            charge_id=charge.id,
        )
        for notice in notices:
            put(services, session, "on_contract_notice", pack(notice), contract_id=contract.id, now=now)
    return waiting


def _link(services: Services, charge: Charge) -> str | None:
    """What leads the customer there from a mail: the page itself, or the shop's own for a form; None: nothing does (R-342)."""
    if charge.action_method == "GET":
        return charge.action_url
    if charge.action_method == "POST" and services.action_page:
        return services.action_page.replace(PLACE, charge.id)
    return None


def _tell_operator(services: Services, session: Session, charge: Charge, until: dt.datetime, now: dt.datetime) -> None:
    """Nobody can be mailed a link that works, so a person has to reach the customer, and at once."""
    posts = charge.action_method == "POST"
    remedy = (
        "set action_page to a page of the shop that posts what charges.action gives"
        if posts
        else "ask the customer for another card or another way to pay"
    )
    day = business_date(until, services.rules.zone)
    message = (
        f"charge {charge.id} of {charge.amount} on {charge.account}, contract {charge.contract_id}, waits for the customer "
        f"until {day}, and no mail was sent, because {charge.account}'s page cannot be opened by a link "
        f"({charge.action_method}): {remedy}"
    )
    facts = {"variant": "form" if posts else "other", "amount": charge.amount, "account": charge.account, "day": day}
    ids = {"contract_id": charge.contract_id, "charge_id": charge.id}
    operator(services, session, "action_without_link", message, now=now, facts=facts, **ids)


async def action(services: Services, charge_id: str) -> CustomerAction:
    """What the customer has to do for a charge that waits for that.

    :raises NotFound: there is no such charge.
    :raises OperationNotAllowed: it does not wait for the customer, or no longer.
    """

    def read() -> Charge:
        with services.store.read() as session:
            return session.charges.get(charge_id)

    charge = await call(read)
    if charge.action_url is None or not is_awaited(services, charge):
        over = "no longer" if charge.action_url or not charge.open else "not"
        raise OperationNotAllowed(
            f"charge {charge_id} does {over} wait for the customer; it is {charge.state.value}", rule="R-335"
        )
    return CustomerAction(
        charge.action_url,
        charge.action_method,
        dict(charge.action_fields),
        charge.action_until,
        _link(services, charge),
    )


def page_problem(page: object) -> str | None:
    """What is wrong with *page* as ``action_page``; None if nothing is."""
    if page == "":
        return None
    local = ("http://localhost", "http://127.0.0.1")
    if not isinstance(page, str) or not page.startswith(("https://", *local)) or page.count(PLACE) != 1:
        return f'is the https address of a page of yours with {PLACE} in it, for example "https://shop.example/confirm/{PLACE}"'
    return None


def is_awaited(services: Services, charge: Charge) -> bool:
    """Whether the customer may still act."""
    return _waits(charge) and charge.action_until is not None and services.now() < charge.action_until


def is_over(services: Services, charge: Charge) -> bool:
    """Whether the customer has let the time pass."""
    return _waits(charge) and charge.action_until is not None and services.now() >= charge.action_until


def is_ending(services: Services, charge: Charge) -> bool:
    """Whether the customer may still act, or has not for so short a time that withdrawing it may not have come to its end."""
    return _waits(charge) and charge.action_until is not None and services.now() < charge.action_until + _WITHDRAWING


def expired(charge: Charge) -> ChargeResult:
    """The end of a charge that the customer has not confirmed in time."""
    said = "the customer has not confirmed the payment in time"
    return ChargeResult.declined(ACTION_EXPIRED, said, decline=DeclineClass.ACTION, reference=charge.reference)


def expired_by(charge: Charge, result: ChargeResult, now: dt.datetime) -> ChargeResult:
    """*result*, or what it means: a charge that was withdrawn after its deadline is declined for that."""
    asked_for = charge.open and charge.action_url is not None
    late = asked_for and charge.action_until is not None and now >= charge.action_until
    if late and result.outcome is Outcome.DECLINED and result.decline is DeclineClass.UNKNOWN:
        return attrs.evolve(expired(charge), raw=result.raw)
    return result


def _waits(charge: Charge) -> bool:
    return charge.state is ChargeState.PENDING and charge.action_url is not None
