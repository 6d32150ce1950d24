"""Cards that end before the contracts paid from them do: told in time, and listed (R-408)."""

from __future__ import annotations

import datetime as dt
from functools import partial

import attrs

from ..domain.contract import Contract
from ..domain.running import next_renewal_on
from ..domain.stored_card import StoredCard, expiring_notices, first_charge_after
from ..flow import call
from .run_report import Run
from .services import Services, secret_hash
from .settling import tell_people

__all__ = ["ExpiringCard", "page", "tell"]

_PAGE = 100


@attrs.frozen
class ExpiringCard:
    """A contract whose card ends before its next renewal.

    :param expires_on: the last day on which the card can be charged. :param renews_on: the first renewal day after that.
    """

    contract_id: str
    customer_id: str
    account: str
    expires_on: dt.date
    renews_on: dt.date
    brand: str | None = None
    last4: str | None = None


async def tell(running: Run) -> None:
    """Tell both sides of each card that ends within the configured time, once for each contract and last day."""
    services = running.services
    ahead = services.waiting.card_expiry_notice
    if not ahead:
        return
    until = services.today() + dt.timedelta(seconds=ahead)
    after: tuple[dt.date, str] | None = None
    while found := await call(partial(_untold, services, until, after)):
        for contract, card in found:
            after = (card.expires_on or until, contract.id)
            if not expiring_notices(contract, card):
                continue
            with running.troubles.isolated(contract_id=contract.id):
                running.count(expiring_cards=await call(partial(_tell, services, contract.id, card)))


def _untold(services: Services, until: dt.date, after: tuple[dt.date, str] | None) -> list[tuple[Contract, StoredCard]]:
    with services.store.read() as session:
        return session.stored_cards.ending(until, after, _PAGE, untold=True)


def _tell(services: Services, contract_id: str, card: StoredCard) -> int:
    with services.store.write() as session:
        contract = session.contracts.lock(contract_id)
        digest = secret_hash(contract.account or "", contract.credential)
        known = session.stored_cards.get(contract.account or "", digest)
        notices = expiring_notices(contract, known) if known is not None else ()
        if known is None or known.expires_on != card.expires_on or known.revoked_at is not None or not notices:
            return 0
        if known.expires_on is None or not session.stored_cards.told(contract.id, digest, known.expires_on):
            return 0
        tell_people(services, session, notices)
    return 1


async def page(
    services: Services,
    after: tuple[dt.date, str] | None,
    size: int,
    *,
    since: dt.date | None,
    until: dt.date | None,
    account: str | None,
) -> tuple[list[ExpiringCard], tuple[dt.date, str] | None]:
    """A page of contracts whose card ends before their next renewal, by the card's last day.

    :param until: the last day to look at; by default ten years ahead.
    """
    last = until or services.today() + dt.timedelta(days=3653)

    def look() -> list[tuple[Contract, StoredCard]]:
        with services.store.read() as session:
            return session.stored_cards.ending(last, after, size, since=since, account=account)

    found = await call(look)
    listed = [one for pair in found if (one := _listed(services, *pair)) is not None]
    key = (found[-1][1].expires_on or last, found[-1][0].id) if len(found) == size else None
    return listed, key


def _listed(services: Services, contract: Contract, card: StoredCard) -> ExpiringCard | None:
    if card.expires_on is None or contract.account is None:
        return None
    today = services.today()
    upcoming = contract.start_on if contract.start_on > today else next_renewal_on(contract, today)
    renews_on = first_charge_after(contract, max(card.expires_on, today))
    if renews_on is None or upcoming is None or card.expires_on >= upcoming:
        return None
    return ExpiringCard(
        contract.id, contract.customer_id, contract.account, card.expires_on, renews_on, card.brand, card.last4
    )
