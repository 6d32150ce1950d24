"""The attempts to charge a period: their numbers, and ids that do not depend on what the database remembers (R-284)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from ..domain.charge import Charge, ChargeKind
from ..domain.contract import Actor, Contract
from ..ids import derived_id
from ..money import Money
from .services import Services, fingerprint, secret_hash

__all__ = ["next_number", "period_charge"]


def next_number(attempts: Sequence[Charge]) -> int:
    """The number of the attempt that follows *attempts*, all of one period."""
    known = [int(number) for made in attempts if (number := made.idempotency_key.rpartition("/")[2]).isdecimal()]
    return max([len(attempts), *known]) + 1


def period_charge(services: Services, contract: Contract, period: dt.date, price: Money, number: int) -> Charge:
    """The *number*-th attempt to charge the *period* that begins then; its id is made of account, contract and both.

    So the provider knows it again by key and by metadata, although the database may have forgotten it.
    """
    account = contract.account or ""
    return Charge(
        id=derived_id("period", account, contract.id, period.isoformat(), str(number)),
        contract_id=contract.id,
        customer_id=contract.customer_id,
        account=account,
        kind=ChargeKind.PERIOD,
        amount=price,
        idempotency_key=f"period/{contract.id}/{period.isoformat()}/{number}",
        fingerprint=fingerprint("period", contract.id, period, price),
        actor=Actor.scheduler(),
        created_at=services.now(),
        period_start=period,
        previous_expires_on=contract.expires_on,
        credential_hash=secret_hash(account, contract.credential),
        metadata=contract.metadata,
    )
