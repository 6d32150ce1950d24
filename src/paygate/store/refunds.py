"""Refund attempts as rows (R-238, R-241)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from ..domain.charge import Refund, RefundState
from ..errors import IdempotencyConflict, InvalidValue
from ..ids import derived_id
from ..money import Money
from .claims import Claims, claiming_insert, given, settled_columns
from .mapping import actor, failure, failure_columns, found
from .metadata import REFUND, label, labelled, metadata_of, metadata_text, sought
from .statements import Pages, Row, Runner, Statement, value, values
from .tables import OPEN_REFUND, refunds

__all__ = ["Refunds", "refund_of"]

_SELECTED = settled_columns(refunds)
#: What the outcome of an attempt changes; what was asked for stays as it was written down.
_OUTCOME = (
    "state", "reference", "settled_at", "failure_code", "failure_message", "failure_decline", "failure_sent",
)  # fmt: skip

_KEY = next(rule for rule in refunds.constraints if rule.name == "paygate_refunds_key")
_ID = next(rule for rule in refunds.constraints if rule.name == "paygate_refunds_id_key")

_INSERT = claiming_insert(refunds)
_CLAIMS = Claims(refunds, OPEN_REFUND)
_UPDATE = Statement(
    refunds.update().where(refunds.c.id == value(refunds.c.id)).values(values(refunds.c[name] for name in _OUTCOME))
)
#: A refund that was made in the provider's console is what the provider says of it now.
_FOLLOWED = (*_OUTCOME, "amount", "entry_id")
_FOLLOW = Statement(
    refunds.update().where(refunds.c.id == value(refunds.c.id)).values(values(refunds.c[name] for name in _FOLLOWED))
)
_GET = Statement(sa.select(*_SELECTED).where(refunds.c.id == value(refunds.c.id)))
_BY_KEY = Statement(
    sa.select(*_SELECTED).where(
        refunds.c.account == value(refunds.c.account), refunds.c.idempotency_key == value(refunds.c.idempotency_key)
    )
)
_BY_REFERENCE = Statement(
    sa.select(*_SELECTED)
    .where(refunds.c.account == value(refunds.c.account), refunds.c.reference == value(refunds.c.reference))
    .order_by(refunds.c.seq)
    .limit(1)
)
_ALL_BY_REFERENCE = Statement(
    sa.select(*_SELECTED)
    .where(refunds.c.account == value(refunds.c.account), refunds.c.reference == value(refunds.c.reference))
    .order_by(refunds.c.seq)
)
_FOR_ENTRY = Statement(
    sa.select(*_SELECTED).where(refunds.c.entry_id == value(refunds.c.entry_id)).order_by(refunds.c.seq)
)
_PAGES = Pages(_SELECTED, refunds.c.seq, refunds.c.id, further=labelled(REFUND, refunds.c.id))
_UNSETTLED = Pages(_SELECTED, refunds.c.seq, refunds.c.id, OPEN_REFUND)


def _columns_of(refund: Refund) -> dict[str, Any]:
    return {
        "id": refund.id,
        "contract_id": refund.contract_id,
        "account": refund.account or "",
        "entry_id": refund.entry_id,
        "refund_entry_id": refund.refund_entry_id,
        "amount": refund.amount.minor,
        "currency": refund.amount.currency,
        "idempotency_key": refund.idempotency_key,
        "fingerprint": refund.fingerprint,
        "state": refund.state.value,
        "by_hand": refund.by_hand,
        "remove_license": refund.remove_license,
        "reason": refund.reason,
        "actor": str(refund.actor),
        "created_at": refund.created_at,
        "reference": refund.reference,
        "settled_at": refund.settled_at,
        **failure_columns(refund.failure),
        "metadata": metadata_text(refund.metadata),
    }


def refund_of(row: Row) -> Refund:
    """The refund whose columns, all but the counter, are *row*."""
    (
        id_, contract_id, account, entry_id, refund_entry_id, amount, currency, key, fingerprint, state, by_hand,
        remove_license, reason, by, created_at, reference, settled_at, code, message, decline, sent, metadata,
    ) = row  # fmt: skip
    return Refund(
        id=id_,
        contract_id=contract_id,
        account=account or None,
        entry_id=entry_id,
        refund_entry_id=refund_entry_id,
        amount=Money(amount, currency),
        idempotency_key=key,
        fingerprint=fingerprint,
        state=RefundState(state),
        by_hand=by_hand,
        remove_license=remove_license,
        reason=reason,
        actor=actor(by),
        created_at=created_at,
        reference=reference,
        settled_at=settled_at,
        failure=failure(code, message, decline, sent),
        metadata=metadata_of(metadata),
    )


class Refunds:
    """The refund attempts of the store. Refunds without a provider have the account ``""`` or None: both are the same."""

    __slots__ = ("_runner",)

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def insert(self, refund: Refund, *, claim: float | None = None) -> None:
        """Write an attempt down; *claim* as for charges.

        :raises IdempotencyConflict: the account has a refund with this idempotency key already (R-190).
        :raises InvalidValue: there is already a refund of that id.
        """
        try:
            self._runner.change(_INSERT, {**_columns_of(refund), **given(self._runner, claim)})
        except self._runner.integrity_error as error:
            same = refund.id == derived_id("refund", refund.account or "", refund.idempotency_key)
            if self._runner.breaks(error, _KEY) or (same and self._runner.breaks(error, _ID)):
                raise IdempotencyConflict(
                    f"idempotency key {refund.idempotency_key!r} was used for another refund meanwhile; "
                    "ask again with the same key for its result",
                    rule="R-190",
                ) from error
            if self._runner.breaks(error, _ID):
                raise InvalidValue(f"there is already a refund {refund.id!r}") from error
            raise
        if refund.metadata:
            label(self._runner, REFUND, refund.id, refund.metadata)

    def get(self, id: str) -> Refund:  # noqa: A002
        """:raises NotFound: there is no such refund."""
        return refund_of(found(self._runner.first(_GET, {"id": id}), "refund", id))

    def by_key(self, account: str | None, idempotency_key: str) -> Refund | None:
        """The refund that the caller's key made, if any (R-190)."""
        return self._maybe(_BY_KEY, {"account": account or "", "idempotency_key": idempotency_key})

    def by_reference(self, account: str | None, reference: str) -> Refund | None:
        """The refund that the provider knows as *reference*, if any."""
        return self._maybe(_BY_REFERENCE, {"account": account or "", "reference": reference})

    def claimed_until(self, id: str) -> dt.datetime | None:  # noqa: A002
        """Until when a process may be sending this open refund; see :meth:`Charges.claimed_until`."""
        return _CLAIMS.alive(self._runner, id)

    def claim(self, id: str, seconds: float) -> bool:  # noqa: A002
        """Claim an open refund that no provider knows yet; False: it has ended meanwhile, or the provider has it."""
        return _CLAIMS.renew(self._runner, id, seconds)

    def abandoned(self, id: str) -> bool:  # noqa: A002
        """Whether the process that may have sent this open attempt never reported, and may not send it any more."""
        return _CLAIMS.left(self._runner, id)

    def written_at(self, id: str) -> dt.datetime | None:  # noqa: A002
        """When the attempt was written down, by the database's clock, UTC; None: before schema 0002, or there is none."""
        return _CLAIMS.written(self._runner, id)

    def release(self, id: str) -> None:  # noqa: A002
        """Give the claim on a refund back: the process that sent it has reported."""
        _CLAIMS.release(self._runner, id)

    def all_by_reference(self, account: str, reference: str) -> list[Refund]:
        """All refunds under the provider's *reference*: one that was made in its console may concern several rows."""
        given = {"account": account, "reference": reference}
        return [refund_of(row) for row in self._runner.all(_ALL_BY_REFERENCE, given)]

    def update(self, refund: Refund) -> None:
        """Store the outcome of an attempt; whatever was asked for never changes.

        :raises NotFound: there is no such refund.
        """
        given = _columns_of(refund)
        changed = {name: given[name] for name in ("id", *_OUTCOME)}
        found((refund.id,) if self._runner.change(_UPDATE, changed) else None, "refund", refund.id)

    def follow(self, refund: Refund) -> None:
        """Let a refund that was made at the provider say what is reported of it now, its sum and sale included (R-321).

        :raises NotFound: there is no such refund.
        """
        given = _columns_of(refund)
        changed = {name: given[name] for name in ("id", *_FOLLOWED)}
        found((refund.id,) if self._runner.change(_FOLLOW, changed) else None, "refund", refund.id)

    def unsettled(self, after: str | None, limit: int) -> list[Refund]:
        """PENDING and UNKNOWN refunds, oldest first, from the first one after the id *after* on.

        Those that a person returns by hand are among them; see ``by_hand``.
        """
        return [refund_of(row) for row in _UNSETTLED.rows(self._runner, {}, after, limit)]

    def unsettled_ids(self, after: str | None, limit: int) -> list[str]:
        """The ids of what :meth:`unsettled` gives, without reading the refunds."""
        return _UNSETTLED.keys(self._runner, {}, after, limit)

    def for_entry(self, entry_id: str) -> list[Refund]:
        """All refunds of one ledger row, oldest first."""
        return [refund_of(row) for row in self._runner.all(_FOR_ENTRY, {"entry_id": entry_id})]

    def page(
        self,
        contract_id: str | None = None,
        account: str | None = None,
        state: RefundState | None = None,
        after: str | None = None,
        limit: int = 100,
        *,
        metadata: Mapping[str, str] | None = None,
    ) -> list[Refund]:
        """Up to *limit* refunds, newest last, from the first one after the id *after* on; see :meth:`Charges.page`."""
        filters = {
            "contract_id": contract_id,
            "account": account,
            "state": state and state.value,
            **sought(metadata),
        }
        return [refund_of(row) for row in _PAGES.rows(self._runner, filters, after, limit)]

    def _maybe(self, statement: Statement, given: dict[str, Any]) -> Refund | None:
        row = self._runner.first(statement, given)
        return None if row is None else refund_of(row)
