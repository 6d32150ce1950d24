"""Removing a contract with everything of it (R-252).

What outlives it is written by whoever removes it (R-263), except what its cards have answered, which concerns other
contracts on the same cards (R-337).
"""

from __future__ import annotations

import sqlalchemy as sa

from .cards import keep_attempts
from .metadata import CHARGE, CONTRACT, REFUND, forget
from .statements import Runner, Statement, value
from .tables import (
    audit,
    card_notices,
    charges,
    contracts,
    customers,
    drafts,
    ledger,
    licences,
    outbox,
    refunds,
    returns,
    step_mails,
)

__all__ = ["remove_contract"]

_OF_CONTRACT = [
    Statement(table.delete().where(table.c.contract_id == value(table.c.contract_id)))
    for table in (card_notices, step_mails, licences, refunds, returns, ledger, audit)
]
# what an operator has not been told yet, a refund that failed above all, is nobody else's to remember
_NOTICES = Statement(
    outbox.delete().where(
        outbox.c.contract_id == value(outbox.c.contract_id),
        sa.or_(outbox.c.kind != sa.literal_column("'on_operator_action_required'"), outbox.c.delivered_at.is_not(None)),
    )
)
_DRAFTS = Statement(
    drafts.delete().where(
        drafts.c.charge_id.in_(sa.select(charges.c.id).where(charges.c.contract_id == value(charges.c.contract_id)))
    )
)
# while the rows are there whose ids they go by
_LABELS = [
    Statement(forget(kind, sa.select(table.c.id).where(column == value(charges.c.contract_id))))
    for kind, table, column in (
        (CONTRACT, contracts, contracts.c.id),
        (CHARGE, charges, charges.c.contract_id),
        (REFUND, refunds, refunds.c.contract_id),
    )
]
_CHARGES = Statement(charges.delete().where(charges.c.contract_id == value(charges.c.contract_id)))
_CONTRACT = Statement(contracts.delete().where(contracts.c.id == value(contracts.c.id)))
_CUSTOMER = Statement(
    customers.delete().where(
        customers.c.id == value(customers.c.id),
        ~sa.exists().where(contracts.c.customer_id == customers.c.id),
        ~sa.exists().where(drafts.c.customer_id == customers.c.id),
    )
)


def remove_contract(runner: Runner, contract_id: str, customer_id: str) -> None:
    """Delete the contract, all that belongs to it, and its customer if nothing else is known of that customer."""
    keep_attempts(runner, contract_id)
    for statement in (*_LABELS, *_OF_CONTRACT, _NOTICES, _DRAFTS, _CHARGES):
        runner.change(statement, {"contract_id": contract_id})
    runner.change(_CONTRACT, {"id": contract_id})
    runner.change(_CUSTOMER, {"id": customer_id})
