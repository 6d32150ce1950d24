"""What providers have told of stored cards, by digest: no token is in here (R-405, R-408)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from ..domain.contract import Contract, Status
from ..domain.stored_card import StoredCard
from .contracts import COLUMNS, contract_of
from .statements import Row, Runner, Statement, value, values
from .tables import card_notices, cards, contracts, one_of

__all__ = ["StoredCards"]

_FACTS = (cards.c.brand, cards.c.last4, cards.c.expires_on, cards.c.revoked_at, cards.c.seen_at)
_GET = Statement(
    sa.select(*_FACTS).where(cards.c.account == value(cards.c.account), cards.c.card_hash == value(cards.c.card_hash))
)


def _upsert(insert: sqlite.Insert | postgresql.Insert) -> sa.Insert:
    fresh = insert.values(values(cards.c)).inline()
    kept = {
        column: sa.func.coalesce(fresh.excluded[column.key], column)
        for column in (cards.c.brand, cards.c.last4, cards.c.expires_on)
    }
    now = {"revoked_at": fresh.excluded.revoked_at, "seen_at": fresh.excluded.seen_at}
    return fresh.on_conflict_do_update(index_elements=[cards.c.account, cards.c.card_hash], set_={**kept, **now})


_LEARN = Statement(_upsert(sqlite.insert(cards)), postgresql=_upsert(postgresql.insert(cards)))


def _notice(insert: sqlite.Insert | postgresql.Insert) -> sa.Insert:
    keys = [card_notices.c.contract_id, card_notices.c.card_hash, card_notices.c.expires_on]
    return insert.values(values(card_notices.c)).inline().on_conflict_do_nothing(index_elements=keys)


_NOTICE = Statement(_notice(sqlite.insert(card_notices)), postgresql=_notice(postgresql.insert(card_notices)))
#: Columns whose own indexes would find too much: what is looked for is few, and found by the card.
_STATUS = sa.func.coalesce(contracts.c.status, sa.literal_column("''"))
_ACCOUNT = sa.func.coalesce(contracts.c.account, sa.literal_column("''"))
_RENEWS = sa.and_(
    one_of(_STATUS, Status.NOT_STARTED, Status.ACTIVE, Status.SPECIAL_PERIOD, Status.PAST_DUE),
    contracts.c.cancellation_effective_on.is_(None),
)
_JOINED = cards.join(contracts, sa.and_(contracts.c.card_hash == cards.c.card_hash, cards.c.account == _ACCOUNT))


def _ending(*, untold: bool, since: bool, account: bool, after: bool) -> Statement:
    """Contracts by the last day of their card."""
    conditions: list[sa.ColumnElement[bool]] = [
        cards.c.expires_on <= sa.bindparam("until", type_=sa.Date), cards.c.revoked_at.is_(None), _RENEWS,
    ]  # fmt: skip
    if untold:
        told = sa.exists().where(
            card_notices.c.contract_id == contracts.c.id,
            card_notices.c.card_hash == cards.c.card_hash,
            card_notices.c.expires_on == cards.c.expires_on,
        )
        conditions.append(~told)
    if since:
        conditions.append(cards.c.expires_on >= sa.bindparam("since", type_=sa.Date))
    if account:
        conditions.append(cards.c.account == value(cards.c.account))
    if after:
        last = sa.tuple_(sa.bindparam("last_on", type_=sa.Date), sa.bindparam("last_id", type_=contracts.c.id.type))
        conditions.append(sa.tuple_(cards.c.expires_on, contracts.c.id) > last)
    return Statement(
        sa.select(*[contracts.c[name] for name in COLUMNS], *_FACTS)
        .select_from(_JOINED)
        .where(*conditions)
        .order_by(cards.c.expires_on, contracts.c.id)
        .limit(sa.bindparam("limit", type_=sa.Integer))
    )


_STATEMENTS: dict[tuple[bool, ...], Statement] = {}
_IN_USE = Statement(
    sa.select(contracts.c.id)
    .where(
        contracts.c.card_hash == value(contracts.c.card_hash),
        value(contracts.c.account) == _ACCOUNT,
        ~one_of(_STATUS, Status.TERMINATED, Status.CANCELED),
    )
    .order_by(contracts.c.id)
    .limit(sa.literal_column("10"))
)


class StoredCards:
    """The stored cards that are known."""

    __slots__ = ("_runner",)

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def get(self, account: str, card_hash: str) -> StoredCard | None:
        """What is known of the card with that digest."""
        row = self._runner.first(_GET, {"account": account, "card_hash": card_hash})
        return None if row is None else StoredCard(*row)

    def learn(self, account: str, card_hash: str, facts: StoredCard) -> None:
        """Keep what a provider has told; what it does not tell stays as it was known."""
        given = {**_columns(facts), "account": account, "card_hash": card_hash, "seen_at": self._runner.now()}
        self._runner.change(_LEARN, given)

    def in_use(self, account: str, card_hash: str) -> list[str]:
        """Ids of contracts that have not ended and are paid from that card, ten at most."""
        return [str(id_) for (id_,) in self._runner.all(_IN_USE, {"account": account, "card_hash": card_hash})]

    def ending(
        self,
        until: dt.date,
        after: tuple[dt.date, str] | None = None,
        limit: int = 100,
        *,
        since: dt.date | None = None,
        account: str | None = None,
        untold: bool = False,
    ) -> list[tuple[Contract, StoredCard]]:
        """Renewing contracts whose card ends from *since* to *until*, by that day and by id.

        :param after: day and id of the last one of the page before.
        :param untold: only those of which nobody has been told.
        """
        kind = (untold, since is not None, account is not None, after is not None)
        statement = _STATEMENTS.get(kind)
        if statement is None:
            statement = _ending(untold=kind[0], since=kind[1], account=kind[2], after=kind[3])
            _STATEMENTS[kind] = statement
        given: dict[str, Any] = {"until": until, "limit": limit, "since": since, "account": account}
        if after is not None:
            given |= {"last_on": after[0], "last_id": after[1]}
        return [_pair(row) for row in self._runner.all(statement, given)]

    def told(self, contract_id: str, card_hash: str, expires_on: dt.date) -> bool:
        """Note that people are told of it; False: they have been before."""
        given = {"contract_id": contract_id, "card_hash": card_hash, "expires_on": expires_on, "at": self._runner.now()}
        return self._runner.change(_NOTICE, given) > 0


def _columns(facts: StoredCard) -> dict[str, Any]:
    return {
        "brand": facts.brand, "last4": facts.last4, "expires_on": facts.expires_on, "revoked_at": facts.revoked_at,
    }  # fmt: skip


def _pair(row: Row) -> tuple[Contract, StoredCard]:
    columns: Sequence[Any] = row[: len(COLUMNS)]
    return contract_of(columns), StoredCard(*row[len(COLUMNS) :])
