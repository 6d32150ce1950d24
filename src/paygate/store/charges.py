"""Charge attempts as rows, and the drafts of contracts that a first payment creates (domain §2.6, R-013)."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa

from ..domain.charge import ACTION_EXPIRED, Charge, ChargeKind, ChargeState, Consent, Purpose
from ..errors import ChargeInProgress, IdempotencyConflict, InvalidValue
from ..ids import derived_id
from ..money import Money
from .claims import Claims, claiming_insert, given, settled_columns
from .drafts import DRAFT_COLUMNS, Draft, draft_columns, draft_of
from .mapping import actor, failure, failure_columns, found
from .metadata import CHARGE, label, labelled, metadata_of, metadata_text, sought
from .statements import Pages, Row, Runner, Statement, insert_all, value, values
from .tables import DUPLICATE, FAILED, OPEN_CHARGE, charges, discrepancies, drafts, one_of, returns

__all__ = ["SELECTED", "About", "Charges", "Draft", "charge_of"]


SELECTED = settled_columns(charges)
#: What the outcome of an attempt changes; what was asked for stays as it was written down.
_OUTCOME = (
    "state", "reference", "action_url", "settled_at", "charged_at", "previous_expires_on", "expires_on",
    "failure_code", "failure_message", "failure_decline", "failure_sent", "network", "advice_code", "operator_told",
    "response_code", "action_until", "cleared_by", "action_method", "action_fields",
)  # fmt: skip

_KEY = next(rule for rule in charges.constraints if rule.name == "paygate_charges_key")
_ID = next(rule for rule in charges.constraints if rule.name == "paygate_charges_id_key")
_OPEN = next(index for index in charges.indexes if index.name == "paygate_charges_open")

_INSERT = claiming_insert(charges)
_CLAIMS = Claims(charges, OPEN_CHARGE)
_UPDATE = Statement(
    charges.update().where(charges.c.id == value(charges.c.id)).values(values(charges.c[name] for name in _OUTCOME))
)
_EXISTS = Statement(sa.select(charges.c.id).where(charges.c.id == value(charges.c.id)))
_SET_AMOUNT = Statement(
    charges.update().where(charges.c.id == value(charges.c.id)).values({charges.c.amount: value(charges.c.amount)})
)
_GET = Statement(sa.select(*SELECTED).where(charges.c.id == value(charges.c.id)))


def _exists(*where: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    return sa.exists(sa.select(sa.literal_column("1")).where(*where))


_ABOUT = (
    sa.or_(
        _exists(returns.c.charge_id == sa.bindparam("id", type_=charges.c.id.type)),
        _exists(
            returns.c.charge_id == sa.literal_column("''"),
            returns.c.account == value(returns.c.account),
            returns.c.charge_reference == value(returns.c.charge_reference),
        ),
    ),
    _exists(discrepancies.c.attempt_id == sa.bindparam("id", type_=charges.c.id.type)),
)
_GET_OUTCOME = Statement(
    sa.select(*(charges.c[name] for name in _OUTCOME), *_ABOUT).where(charges.c.id == value(charges.c.id))
)
_GET_ABOUT = Statement(sa.select(*_ABOUT))
_BY_KEY = Statement(
    sa.select(*SELECTED).where(
        charges.c.account == value(charges.c.account), charges.c.idempotency_key == value(charges.c.idempotency_key)
    )
)
_BY_REFERENCE = Statement(
    sa.select(*SELECTED)
    .where(charges.c.account == value(charges.c.account), charges.c.reference == value(charges.c.reference))
    .order_by(charges.c.seq)
    .limit(1)
)
_OF_PERIOD = Statement(
    sa.select(*SELECTED)
    .where(
        charges.c.contract_id == value(charges.c.contract_id),
        charges.c.period_start == value(charges.c.period_start),
        one_of(charges.c.kind, ChargeKind.PERIOD),
    )
    .order_by(charges.c.seq)
)
_OPEN_FOR = Statement(
    sa.select(*SELECTED).where(
        charges.c.contract_id == value(charges.c.contract_id), charges.c.kind == value(charges.c.kind), OPEN_CHARGE
    )
)
_UNCONFIRMED = Statement(
    sa.select(*SELECTED)
    .where(
        FAILED,
        charges.c.settled_at >= value(charges.c.settled_at),
        charges.c.failure_code == sa.literal_column(f"'{ACTION_EXPIRED}'"),
    )
    .order_by(charges.c.settled_at.desc())
    .limit(sa.literal_column("1000"))
)
_PAGES = Pages(SELECTED, charges.c.seq, charges.c.id, further=labelled(CHARGE, charges.c.id))
_AWAITED = Pages(SELECTED, charges.c.seq, charges.c.id, OPEN_CHARGE, charges.c.action_url.is_not(None))
_DOUBTED = Pages(SELECTED, charges.c.seq, charges.c.id, DUPLICATE)
_SUCCEEDED_SINCE = Pages(
    SELECTED,
    charges.c.seq,
    charges.c.id,
    one_of(charges.c.state, ChargeState.SUCCEEDED),
    further=lambda name: charges.c.settled_at >= value(charges.c.settled_at) if name == "settled_at" else None,
)
_UNSETTLED = Pages(SELECTED, charges.c.seq, charges.c.id, OPEN_CHARGE)

_DRAFT_INSERT = Statement(insert_all(drafts))
_DRAFT_GET = Statement(sa.select(*DRAFT_COLUMNS).where(drafts.c.charge_id == value(drafts.c.charge_id)))
_DRAFT_DELETE = Statement(drafts.delete().where(drafts.c.charge_id == value(drafts.c.charge_id)))


def _outcome_of(charge: Charge) -> dict[str, Any]:
    return {
        "state": charge.state.value,
        "reference": charge.reference,
        "action_url": charge.action_url,
        "settled_at": charge.settled_at,
        "charged_at": charge.charged_at,
        "previous_expires_on": charge.previous_expires_on,
        "expires_on": charge.expires_on,
        **failure_columns(charge.failure),
        "network": charge.network,
        "advice_code": charge.advice_code,
        "operator_told": charge.operator_told,
        "response_code": charge.response_code,
        "action_until": charge.action_until,
        "cleared_by": charge.cleared_by,
        "action_method": charge.action_method if charge.action_method != "GET" else None,
        "action_fields": json.dumps(charge.action_fields) if charge.action_fields else None,
    }


def _columns_of(charge: Charge) -> dict[str, Any]:
    consent = charge.consent
    return {
        "id": charge.id,
        "contract_id": charge.contract_id,
        "customer_id": charge.customer_id,
        "account": charge.account,
        "kind": charge.kind.value,
        "amount": charge.amount.minor,
        "currency": charge.amount.currency,
        "idempotency_key": charge.idempotency_key,
        "fingerprint": charge.fingerprint,
        "purpose": charge.purpose.value,
        "renew_expiry": charge.renew_expiry,
        "send_step_mail": charge.send_step_mail,
        "consent_how": consent and consent.how,
        "consent_obtained_at": consent and consent.obtained_at,
        "consent_recorded_by": consent and consent.recorded_by,
        "actor": str(charge.actor),
        "created_at": charge.created_at,
        "period_start": charge.period_start,
        "credential_hash": charge.credential_hash,
        "metadata": metadata_text(charge.metadata),
        **_outcome_of(charge),
    }


def charge_of(row: Row) -> Charge:
    """The charge whose columns, all but the counter, are *row*."""
    (
        id_, contract_id, customer_id, account, kind, amount, currency, key, fingerprint, state, purpose, renew_expiry,
        send_step_mail, how, obtained_at, recorded_by, by, created_at, period_start, reference, action_url, settled_at,
        charged_at, previous_expires_on, expires_on, code, message, decline, sent, network, advice_code,
        credential_hash, operator_told, response_code, action_until, metadata, cleared_by,
        action_method, action_fields,
    ) = row  # fmt: skip
    return Charge(
        id=id_,
        contract_id=contract_id,
        customer_id=customer_id,
        account=account,
        kind=ChargeKind(kind),
        amount=Money(amount, currency),
        idempotency_key=key,
        fingerprint=fingerprint,
        state=ChargeState(state),
        purpose=Purpose(purpose),
        renew_expiry=renew_expiry,
        send_step_mail=send_step_mail,
        consent=None if how is None else Consent(how, obtained_at, recorded_by),
        actor=actor(by),
        created_at=created_at,
        period_start=period_start,
        reference=reference,
        action_url=action_url,
        settled_at=settled_at,
        charged_at=charged_at,
        previous_expires_on=previous_expires_on,
        expires_on=expires_on,
        failure=failure(code, message, decline, sent),
        network=network,
        advice_code=advice_code,
        credential_hash=credential_hash,
        operator_told=operator_told,
        response_code=response_code,
        action_until=action_until,
        metadata=metadata_of(metadata),
        cleared_by=cleared_by,
        action_method=action_method or "GET",
        action_fields=tuple((name, text) for name, text in json.loads(action_fields)) if action_fields else (),
    )


class About(NamedTuple):
    """What else is kept about a charge: whether anything in *returns*, and anything in *discrepancies*.

    Next to no charge has either, so that two looks at indexes spare reading both.
    """

    returns: bool
    discrepancies: bool


class Charges:
    """The charge attempts of the store."""

    __slots__ = ("_runner",)

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def insert(self, charge: Charge, draft: Draft | None = None, *, claim: float | None = None) -> None:
        """Write an attempt down, with the contract that it will create if it is a first payment.

        :param claim: seconds for which the caller may be sending it; None: nobody is going to (R-280).

        :raises IdempotencyConflict: the account has an attempt with this idempotency key already (R-190).
        :raises ChargeInProgress: the contract has an open attempt of this kind (R-189, R-193).
        :raises InvalidValue: there is already a charge of that id.
        """
        try:
            self._runner.change(_INSERT, {**_columns_of(charge), **given(self._runner, claim)})
        except self._runner.integrity_error as error:
            same = charge.id == derived_id("charge", charge.account, charge.idempotency_key)
            if self._runner.breaks(error, _KEY) or (same and self._runner.breaks(error, _ID)):
                raise IdempotencyConflict(
                    f"idempotency key {charge.idempotency_key!r} was used on {charge.account!r} by another request "
                    "meanwhile; ask again with the same key for its result",
                    rule="R-190",
                ) from error
            if self._runner.breaks(error, _OPEN):
                raise ChargeInProgress(
                    f"contract {charge.contract_id!r} has an open {charge.kind.value} charge; wait for its result",
                    rule="R-189",
                ) from error
            if self._runner.breaks(error, _ID):
                raise InvalidValue(f"there is already a charge {charge.id!r}") from error
            raise
        if charge.metadata:
            label(self._runner, CHARGE, charge.id, charge.metadata)
        if draft is not None:
            self._runner.change(_DRAFT_INSERT, draft_columns(draft, charge.id))

    def get(self, id: str) -> Charge:  # noqa: A002
        """:raises NotFound: there is no such charge."""
        return charge_of(found(self._runner.first(_GET, {"id": id}), "charge", id))

    def exists(self, id: str) -> bool:  # noqa: A002
        """Whether there is a charge of that id."""
        return self._runner.first(_EXISTS, {"id": id}) is not None

    def get_again(self, known: Charge, reference: str | None = None) -> tuple[Charge, About]:
        """:meth:`get` for an attempt that was read or written a moment ago, with :meth:`about` it, in one statement.

        What was asked for never changes, so only the outcome is compared, which costs half of reading everything.

        :raises NotFound: it is gone.
        """
        given = {"id": known.id, "account": known.account, "charge_reference": reference or known.reference}
        *outcome, went_back, contradicted = found(self._runner.first(_GET_OUTCOME, given), "charge", known.id)
        if outcome == list(_outcome_of(known).values()):
            return known, About(bool(went_back), bool(contradicted))
        charge = self.get(known.id)
        return charge, self.about(charge, reference or charge.reference)

    def about(self, charge: Charge, reference: str | None) -> About:
        """What else is kept about *charge* and its payment *reference*."""
        given = {"id": charge.id, "account": charge.account, "charge_reference": reference}
        went_back, contradicted = self._runner.all(_GET_ABOUT, given)[0]
        return About(bool(went_back), bool(contradicted))

    def by_key(self, account: str, idempotency_key: str) -> Charge | None:
        """The attempt that the caller's key made on *account*, if any (R-190)."""
        return self._maybe(_BY_KEY, {"account": account, "idempotency_key": idempotency_key})

    def by_reference(self, account: str, reference: str) -> Charge | None:
        """The attempt that the provider knows as *reference*, if any."""
        return self._maybe(_BY_REFERENCE, {"account": account, "reference": reference})

    def open_for(self, contract_id: str, kind: ChargeKind) -> Charge | None:
        """The open attempt of that kind on the contract; there is never more than one (R-189)."""
        return self._maybe(_OPEN_FOR, {"contract_id": contract_id, "kind": kind.value})

    def of_period(self, contract_id: str, period_start: dt.date) -> list[Charge]:
        """All attempts to charge the period that begins on *period_start*, oldest first."""
        rows = self._runner.all(_OF_PERIOD, {"contract_id": contract_id, "period_start": period_start})
        return [charge_of(row) for row in rows]

    def claimed_until(self, id: str) -> dt.datetime | None:  # noqa: A002
        """Until when a process may be sending this open attempt, by the database's clock; None: none may any more.

        Not finding it at the provider before then proves nothing (R-280).
        """
        return _CLAIMS.alive(self._runner, id)

    def abandoned(self, id: str) -> bool:  # noqa: A002
        """Whether the process that may have sent this open attempt never reported, and may not send it any more."""
        return _CLAIMS.left(self._runner, id)

    def written_at(self, id: str) -> dt.datetime | None:  # noqa: A002
        """When the attempt was written down, by the database's clock, UTC; None: before schema 0002, or there is none."""
        return _CLAIMS.written(self._runner, id)

    def release(self, id: str) -> None:  # noqa: A002
        """Give the claim on an attempt back: the process that sent it has reported."""
        _CLAIMS.release(self._runner, id)

    def update(self, charge: Charge) -> None:
        """Store the outcome of an attempt. Amount, key, options and whatever else was asked for never change.

        :raises NotFound: there is no such charge.
        """
        changed = self._runner.change(_UPDATE, {"id": charge.id, **_outcome_of(charge)})
        found((charge.id,) if changed else None, "charge", charge.id)

    def set_amount(self, id: str, amount: Money) -> None:  # noqa: A002
        """Record that another sum was taken than was asked for, as a person says (R-328).

        :raises NotFound: there is no such charge.
        """
        found((id,) if self._runner.change(_SET_AMOUNT, {"id": id, "amount": amount.minor}) else None, "charge", id)

    def draft(self, charge_id: str) -> Draft | None:
        """What the first payment *charge_id* will create, as long as it has not been settled."""
        row = self._runner.first(_DRAFT_GET, {"charge_id": charge_id})
        return None if row is None else draft_of(row)

    def drop_draft(self, charge_id: str) -> None:
        """Forget the draft: the contract exists now, or never will."""
        self._runner.change(_DRAFT_DELETE, {"charge_id": charge_id})

    def unsettled(self, after: str | None, limit: int) -> list[Charge]:
        """PENDING and UNKNOWN attempts, oldest first, from the first one after the id *after* on."""
        return [charge_of(row) for row in _UNSETTLED.rows(self._runner, {}, after, limit)]

    def awaited(self, account: str | None, after: str | None, limit: int) -> list[Charge]:
        """Open attempts that wait for the customer, oldest first, from the first one after the id *after* on."""
        return [charge_of(row) for row in _AWAITED.rows(self._runner, {"account": account}, after, limit)]

    def unconfirmed(self, since: dt.datetime) -> list[Charge]:
        """The latest attempts that failed since then because the customer did not confirm them in time, newest first."""
        return [charge_of(row) for row in self._runner.all(_UNCONFIRMED, {"settled_at": since})]

    def succeeded_since(self, since: dt.datetime, after: str | None, limit: int) -> list[Charge]:
        """Attempts whose success was recorded from *since* on, oldest first, from the first one after the id *after* on."""
        return [charge_of(row) for row in _SUCCEEDED_SINCE.rows(self._runner, {"settled_at": since}, after, limit)]

    def doubted(self, after: str | None, limit: int) -> list[Charge]:
        """Attempts that were declined as duplicates and have not been followed up, from the first after the id *after* on."""
        return [charge_of(row) for row in _DOUBTED.rows(self._runner, {"operator_told": False}, after, limit)]

    def doubted_ids(self, after: str | None, limit: int) -> list[str]:
        """The ids of what :meth:`doubted` gives, without reading the attempts."""
        return _DOUBTED.keys(self._runner, {"operator_told": False}, after, limit)

    def unsettled_ids(self, after: str | None, limit: int) -> list[str]:
        """The ids of what :meth:`unsettled` gives, without reading the attempts."""
        return _UNSETTLED.keys(self._runner, {}, after, limit)

    def page(
        self,
        contract_id: str | None = None,
        account: str | None = None,
        state: ChargeState | None = None,
        after: str | None = None,
        limit: int = 100,
        *,
        reference: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> list[Charge]:
        """Up to *limit* attempts, newest last, from the first one after the id *after* on.

        :param reference: the provider's id of the payment. :param metadata: texts that all have to be there (R-421).
        """
        filters = {
            "contract_id": contract_id,
            "account": account,
            "state": state and state.value,
            "reference": reference,
            **sought(metadata),
        }
        return [charge_of(row) for row in _PAGES.rows(self._runner, filters, after, limit)]

    def _maybe(self, statement: Statement, given: dict[str, Any]) -> Charge | None:
        row = self._runner.first(statement, given)
        return None if row is None else charge_of(row)
