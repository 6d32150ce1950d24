"""What was asked of one stored card, in whichever contracts: the attempts themselves, and whether they say anything.

The attempts of deleted contracts are among them: what these say about the card is kept without the rest (R-337). There is no
age beyond which attempts are left out: a card that was stolen stays so (R-338).

A card that has always worked is by far the most usual one, and may have been charged a thousand times. So whether its
history has to be read at all is a look into a partial index, which such a card is not in.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

import attrs
import sqlalchemy as sa

from ..domain.attempts import Attempt
from ..domain.charge import Charge, ChargeKind, ChargeState
from ..domain.contract import Contract
from ..money import Money
from .charges import SELECTED, charge_of
from .mapping import failure
from .statements import Runner, Statement, value
from .tables import (
    KEPT_TELLING,
    OPEN_CHARGE,
    OPEN_DISCREPANCY,
    PAID,
    TELLING,
    card_attempts,
    charges,
    discrepancies,
    ledger,
    one_of,
)

__all__ = ["CardFacts", "CardLook", "Cards", "keep_attempts"]

_ACCOUNT = sa.bindparam("account", type_=charges.c.account.type)


def _of_card(table: sa.Table) -> tuple[sa.ColumnElement[bool], ...]:
    return table.c.account == _ACCOUNT, table.c.credential_hash == value(charges.c.credential_hash)


#: A bound for cards that are charged several times a day for a year.
_MOST: sa.ColumnClause[Any] = sa.literal_column("1000")
_CHARGES = Statement(
    sa.select(*SELECTED)
    .where(*_of_card(charges), charges.c.created_at >= sa.bindparam("since", type_=charges.c.created_at.type))
    .order_by(charges.c.created_at.desc())
    .limit(_MOST)
)
#: What is read of an attempt, and what of it outlives its contract.
_FACTS_OF_ATTEMPT = (
    "id", "created_at", "state", "amount", "currency", "failure_code", "failure_decline", "failure_sent", "network",
    "advice_code", "response_code",
)  # fmt: skip
#: Attempts that certainly never reached the provider are nothing that it, or the card, has seen.
_SENT = sa.or_(charges.c.state != sa.literal_column("'FAILED'"), charges.c.failure_sent.is_not(sa.false()))


def _attempts(table: sa.Table, *only: sa.ColumnElement[bool]) -> Statement:
    return Statement(
        sa.select(*(table.c[name] for name in _FACTS_OF_ATTEMPT))
        .where(*_of_card(table), *only)
        .order_by(table.c.created_at.desc())
        .limit(_MOST)
    )


_ATTEMPTS, _KEPT = _attempts(charges, _SENT), _attempts(card_attempts)
_COPIED = ("account", "credential_hash", *_FACTS_OF_ATTEMPT)
_KEEP = Statement(
    card_attempts.insert()
    .from_select(
        _COPIED,
        sa.select(*(charges.c[name] for name in _COPIED))
        .where(charges.c.contract_id == value(charges.c.contract_id), _SENT)
        .order_by(charges.c.seq),
    )
    .inline()
)
#: Held until the transaction ends; the second number tells these locks from those of other programs in the database.
_LOCK = Statement(
    sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(sa.bindparam("card", type_=sa.Text)), 7_294_833))
)


def _tells() -> sa.ColumnElement[bool]:
    one: sa.ColumnClause[Any] = sa.literal_column("1")
    living = sa.select(one).select_from(charges).where(*_of_card(charges), TELLING)
    kept = sa.select(one).select_from(card_attempts).where(*_of_card(card_attempts), KEPT_TELLING)
    return sa.or_(sa.exists(living), sa.exists(kept))


def _similar(table: sa.Table, *only: sa.ColumnElement[bool]) -> sa.ScalarSelect[Any]:
    """The newest attempt; found in the index and stopped there, instead of a maximum over all."""
    return (
        sa.select(table.c.created_at)
        .where(
            *_of_card(table),
            table.c.currency == value(charges.c.currency),
            table.c.amount == value(charges.c.amount),
            *only,
        )
        .order_by(table.c.created_at.desc())
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


def _contradicted() -> sa.ColumnElement[bool]:
    one: sa.ColumnClause[Any] = sa.literal_column("1")
    return sa.exists(
        sa.select(one)
        .select_from(discrepancies)
        .where(discrepancies.c.contract_id == value(charges.c.contract_id), OPEN_DISCREPANCY)
    )


_SIMILAR = (_similar(charges, _SENT), _similar(card_attempts))
_LOOK = Statement(sa.select(_tells(), *_SIMILAR))
#: Looks at the indexes of four tables in one statement.
_FACTS = Statement(sa.select(_last_paid(), _pending(), _tells(), _contradicted(), *_SIMILAR))


def _latest(instants: Iterable[dt.datetime | None]) -> dt.datetime | None:
    return max((at for at in instants if at is not None), default=None)


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
    :param contradicted: whether any discrepancy of the contract is open; next to no contract has one.
    """

    last_paid_at: dt.datetime | None
    open_charge: str | None
    similar_at: dt.datetime | None
    tells: bool
    contradicted: bool


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
        """The latest attempts on one stored credential since an instant, over all contracts that exist, oldest first."""
        given = {"account": account, "credential_hash": credential_hash, "since": since}
        return [charge_of(row) for row in self._runner.all(_CHARGES, given)[::-1]]

    def attempts(self, account: str, credential_hash: str) -> list[Attempt]:
        """The latest attempts that may have reached the provider, those of deleted contracts included, oldest first."""
        given = {"account": account, "credential_hash": credential_hash}
        made = []
        for row in (*self._runner.all(_KEPT, given)[::-1], *self._runner.all(_ATTEMPTS, given)[::-1]):
            id_, at, state, amount, currency, code, decline, sent, network, advice_code, response_code = row
            failed = failure(code, None, decline, sent)
            made.append(
                Attempt.made(
                    id_, at, ChargeState(state), Money(amount, currency), failed,
                    network=network, advice_code=advice_code, response_code=response_code,
                )
            )  # fmt: skip
        return sorted(made, key=lambda attempt: attempt.at)

    def look(self, account: str, credential_hash: str, amount: Money) -> CardLook:
        """Whether the attempts say anything, and when *amount* was last tried, in one statement."""
        given = {"account": account, "credential_hash": credential_hash, "currency": amount.currency,
                 "amount": amount.minor}  # fmt: skip
        tells, *similar = self._runner.all(_LOOK, given)[0]
        return CardLook(bool(tells), _latest(similar))

    def facts(self, contract: Contract, amount: Money, credential_hash: str) -> CardFacts:
        """:meth:`look` at the card of *contract*, and what else an additional charge depends on, in one statement."""
        given = {
            "customer_id": contract.customer_id,
            "account": contract.account,
            "contract_id": contract.id,
            "credential_hash": credential_hash,
            "currency": amount.currency,
            "amount": amount.minor,
        }
        last_paid_at, open_charge, tells, contradicted, *similar = self._runner.all(_FACTS, given)[0]
        return CardFacts(last_paid_at, open_charge, _latest(similar), bool(tells), bool(contradicted))


def keep_attempts(runner: Runner, contract_id: str) -> None:
    """Keep of a contract that is about to be deleted what its attempts say about its cards, and nothing of the person."""
    runner.change(_KEEP, {"contract_id": contract_id})
