"""What was asked of one stored card, in whichever contracts: the attempts themselves, and whether they say anything.

A card that has always worked is by far the most usual one, and may have been charged a thousand times. So whether its
history has to be read at all is a look into a partial index, which such a card is not in.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import attrs
import sqlalchemy as sa

from ..domain.attempts import Attempt
from ..domain.charge import Charge, ChargeKind, ChargeState
from ..domain.contract import Contract
from ..money import Money
from .charges import SELECTED, charge_of
from .mapping import failure
from .statements import Row, Runner, Statement, value
from .tables import OPEN_CHARGE, PAID, TELLING, charges, ledger, one_of

__all__ = ["CardFacts", "CardLook", "Cards"]

_ACCOUNT = sa.bindparam("account", type_=charges.c.account.type)
_OF_CARD = (
    charges.c.account == _ACCOUNT,
    charges.c.credential_hash == value(charges.c.credential_hash),
    charges.c.created_at >= sa.bindparam("since", type_=charges.c.created_at.type),
)
#: A bound for cards that are charged several times a day for a year.
_MOST: sa.ColumnClause[Any] = sa.literal_column("1000")
_CHARGES = Statement(
    sa.select(*SELECTED).where(*_OF_CARD).order_by(charges.c.created_at.desc()).limit(_MOST)
)  # fmt: skip
_ATTEMPTS = Statement(
    sa.select(
        charges.c.id, charges.c.created_at, charges.c.state, charges.c.amount, charges.c.currency, charges.c.failure_code,
        charges.c.failure_decline, charges.c.failure_sent, charges.c.network, charges.c.advice_code,
        charges.c.response_code,
    )
    .where(*_OF_CARD).order_by(charges.c.created_at.desc()).limit(_MOST)
)  # fmt: skip
#: Held until the transaction ends; the second number tells these locks from those of other programs in the database.
_LOCK = Statement(
    sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(sa.bindparam("card", type_=sa.Text)), 7_294_833))
)


def _tells() -> sa.ColumnElement[bool]:
    return sa.exists(sa.select(sa.literal_column("1")).select_from(charges).where(*_OF_CARD, TELLING))


def _similar() -> sa.ScalarSelect[Any]:
    """The newest attempt; found in the index and stopped there, instead of a maximum over all."""
    return (
        sa.select(charges.c.created_at)
        .where(
            *_OF_CARD[:2],
            charges.c.currency == value(charges.c.currency),
            charges.c.amount == value(charges.c.amount),
            # an attempt that certainly never reached the provider does not count there
            sa.or_(charges.c.state != sa.literal_column("'FAILED'"), charges.c.failure_sent.is_not(sa.false())),
        )
        .order_by(charges.c.created_at.desc())
        .limit(sa.literal_column("1"))
        .scalar_subquery()
    )


def _last_paid() -> sa.ScalarSelect[Any]:
    return (
        sa.select(ledger.c.received_at)
        .where(
            ledger.c.customer_id == sa.bindparam("customer_id", type_=ledger.c.customer_id.type),
            ledger.c.account == _ACCOUNT,
            PAID,
        )
        .order_by(ledger.c.received_at.desc())
        .limit(sa.literal_column("1"))
        .scalar_subquery()
    )


def _pending() -> sa.ScalarSelect[Any]:
    return (
        sa.select(charges.c.id)
        .where(
            charges.c.contract_id == value(charges.c.contract_id), one_of(charges.c.kind, ChargeKind.ADDON), OPEN_CHARGE
        )
        .scalar_subquery()
    )


_LOOK = Statement(sa.select(_tells(), _similar()))
#: Four looks at four indexes in one statement.
_FACTS = Statement(sa.select(_last_paid(), _pending(), _similar(), _tells()))


@attrs.frozen
class CardLook:
    """What a look at a card shows. Instants are UTC.

    :param tells: whether any attempt failed, or named the card's network; one that did neither forbids nothing.
    :param similar_at: when the same amount was last tried on it, attempts that were never sent excluded (R-205).
    """

    tells: bool
    similar_at: dt.datetime | None


@attrs.frozen
class CardFacts:
    """What the decision about an additional charge needs to know. Instants are UTC.

    :param last_paid_at: the customer's last successful payment through the contract's account, refunded ones included,
        zero yen excluded (R-197, R-201).
    :param open_charge: the id of the open additional charge on the contract (R-189).
    :param similar_at: as in :class:`CardLook`. :param tells: likewise.
    """

    last_paid_at: dt.datetime | None
    open_charge: str | None
    similar_at: dt.datetime | None
    tells: bool


class Cards:
    """The stored cards, by what was asked of them."""

    __slots__ = ("_runner",)

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def lock(self, account: str, credential_hash: str) -> None:
        """Let nobody else count the attempts on one stored credential until this transaction ends.

        On SQLite the whole transaction holds that lock already.
        """
        if self._runner.writes and self._runner.concurrent:
            self._runner.first(_LOCK, {"card": f"{account}/{credential_hash}"})

    def charges(self, account: str, credential_hash: str, since: dt.datetime) -> list[Charge]:
        """The latest attempts on one stored credential since an instant, over all contracts, oldest first."""
        return [charge_of(row) for row in self._rows(_CHARGES, account, credential_hash, since)]

    def attempts(self, account: str, credential_hash: str, since: dt.datetime) -> list[Attempt]:
        """The same without what only the contract wants to know of them."""
        made = []
        for row in self._rows(_ATTEMPTS, account, credential_hash, since):
            id_, at, state, amount, currency, code, decline, sent, network, advice_code, response_code = row
            failed = failure(code, None, decline, sent)
            made.append(
                Attempt.made(
                    id_, at, ChargeState(state), Money(amount, currency), failed,
                    network=network, advice_code=advice_code, response_code=response_code,
                )
            )  # fmt: skip
        return made

    def look(self, account: str, credential_hash: str, amount: Money, since: dt.datetime) -> CardLook:
        """Whether the attempts since an instant say anything, and when *amount* was last tried, in one statement."""
        given = {"account": account, "credential_hash": credential_hash, "since": since, "currency": amount.currency,
                 "amount": amount.minor}  # fmt: skip
        tells, similar_at = self._runner.all(_LOOK, given)[0]
        return CardLook(bool(tells), similar_at)

    def facts(self, contract: Contract, amount: Money, credential_hash: str, since: dt.datetime) -> CardFacts:
        """:meth:`look` at the card of *contract*, and what else an additional charge depends on, in one statement."""
        given = {
            "customer_id": contract.customer_id,
            "account": contract.account,
            "contract_id": contract.id,
            "credential_hash": credential_hash,
            "since": since,
            "currency": amount.currency,
            "amount": amount.minor,
        }
        last_paid_at, open_charge, similar_at, tells = self._runner.all(_FACTS, given)[0]
        return CardFacts(last_paid_at, open_charge, similar_at, bool(tells))

    def _rows(self, statement: Statement, account: str, credential_hash: str, since: dt.datetime) -> list[Row]:
        given = {"account": account, "credential_hash": credential_hash, "since": since}
        return self._runner.all(statement, given)[::-1]
