"""Reads: one thing by id, or one page of many."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from ..domain.audit import AuditRecord
from ..domain.charge import Charge, ChargeState, Refund
from ..domain.contract import Contract, PaymentMethod, Status
from ..domain.discrepancy import Discrepancy
from ..domain.ledger import LedgerEntry, net_sales
from ..domain.mails import StepMail, StepMailState
from ..domain.metadata import checked_metadata
from ..errors import InvalidValue, NotFound
from ..flow import call
from ..money import Money
from ..store import Session
from .services import Services

__all__ = [
    "audit",
    "charge",
    "charge_by_reference",
    "charges",
    "check_page_size",
    "contracts",
    "discrepancies",
    "entries",
    "entry",
    "mails",
    "net",
    "refund",
    "refunds",
]

T = TypeVar("T")
R = TypeVar("R", AuditRecord, Charge, Contract, Discrepancy, LedgerEntry, Refund, StepMail)


async def _read(services: Services, look: Callable[[Session], T]) -> T:
    def work() -> T:
        with services.store.read() as session:
            return look(session)

    return await call(work)


def check_page_size(size: object) -> None:
    """:raises InvalidValue: not a whole number from 1 to 10,000."""
    if type(size) is not int or not 1 <= size <= 10_000:
        raise InvalidValue(f"page_size is a whole number from 1 to 10,000, got {size!r}")


async def _page(services: Services, size: int, look: Callable[[Session], list[R]]) -> tuple[list[R], str | None]:
    check_page_size(size)
    page = await _read(services, look)
    return page, page[-1].id if len(page) == size else None


async def charge(services: Services, charge_id: str) -> Charge:
    """One attempt; raises NotFound."""
    return await _read(services, lambda session: session.charges.get(charge_id))


async def charge_by_reference(services: Services, account: str, reference: str) -> Charge:
    """The attempt that *account*'s provider knows as *reference*; raises NotFound."""
    services.plugins.account(account)

    def look(session: Session) -> Charge:
        found = session.charges.by_reference(account, reference)
        if found is None:
            raise NotFound(f"no charge on {account!r} has the provider's reference {reference!r}")
        return found

    return await _read(services, look)


async def refund(services: Services, refund_id: str) -> Refund:
    """One refund; raises NotFound."""
    return await _read(services, lambda session: session.refunds.get(refund_id))


async def entry(services: Services, entry_id: str) -> LedgerEntry:
    """One ledger row; raises NotFound."""
    return await _read(services, lambda session: session.ledger.get(entry_id))


async def net(services: Services, contract_id: str) -> Money:
    """Net sales of a contract (R-240)."""

    def look(session: Session) -> Money:
        contract = session.contracts.get(contract_id)
        return Money(max(0, net_sales(session.ledger.for_contract(contract_id))), contract.plan.price.currency)

    return await _read(services, look)


async def contracts(
    services: Services,
    after: str | None,
    size: int,
    *,
    status: Status | None,
    account: str | None,
    customer_id: str | None,
    method: PaymentMethod | None,
    metadata: Mapping[str, str] | None,
) -> tuple[list[Contract], str | None]:
    """A page of contracts that fit, and the id after which the next one begins, or None.

    :raises InvalidValue: *metadata* is none that could be there (R-421).
    """
    texts = checked_metadata(metadata)
    return await _page(
        services,
        size,
        lambda session: session.contracts.page(
            status=status,
            account=account,
            customer_id=customer_id,
            method=method,
            metadata=texts,
            after=after,
            limit=size,
        ),
    )


async def charges(
    services: Services,
    after: str | None,
    size: int,
    *,
    contract_id: str | None,
    account: str | None,
    state: ChargeState | None,
    reference: str | None,
    metadata: Mapping[str, str] | None,
) -> tuple[list[Charge], str | None]:
    """A page of attempts, as for :func:`contracts`."""
    texts = checked_metadata(metadata)
    return await _page(
        services,
        size,
        lambda session: session.charges.page(
            contract_id=contract_id,
            account=account,
            state=state,
            after=after,
            limit=size,
            reference=reference,
            metadata=texts,
        ),
    )


async def refunds(
    services: Services,
    after: str | None,
    size: int,
    *,
    contract_id: str | None,
    metadata: Mapping[str, str] | None,
) -> tuple[list[Refund], str | None]:
    """A page of refunds, as for :func:`contracts`."""
    texts = checked_metadata(metadata)
    return await _page(
        services,
        size,
        lambda session: session.refunds.page(contract_id=contract_id, after=after, limit=size, metadata=texts),
    )


async def entries(
    services: Services, after: str | None, size: int, *, contract_id: str | None, customer_id: str | None
) -> tuple[list[LedgerEntry], str | None]:
    """A page of ledger rows, as for :func:`contracts`."""
    return await _page(
        services,
        size,
        lambda session: session.ledger.page(contract_id=contract_id, customer_id=customer_id, after=after, limit=size),
    )


async def mails(
    services: Services, after: str | None, size: int, *, contract_id: str | None, state: StepMailState | None
) -> tuple[list[StepMail], str | None]:
    """A page of step mails, as for :func:`contracts`."""
    return await _page(
        services,
        size,
        lambda session: session.step_mails.page(contract_id=contract_id, state=state, after=after, limit=size),
    )


async def audit(
    services: Services, after: str | None, size: int, *, contract_id: str | None
) -> tuple[list[AuditRecord], str | None]:
    """A page of audit records, as for :func:`contracts`."""
    return await _page(
        services, size, lambda session: session.audit.page(contract_id=contract_id, after=after, limit=size)
    )


async def discrepancies(
    services: Services,
    after: str | None,
    size: int,
    *,
    contract_id: str | None = None,
    account: str | None = None,
    charge_id: str | None = None,
    only_open: bool = True,
) -> tuple[list[Discrepancy], str | None]:
    """A page of contradictions between the record and providers' reports, oldest first (R-310)."""
    return await _page(
        services,
        size,
        lambda session: session.discrepancies.page(contract_id, account, charge_id, after, size, only_open=only_open),
    )
