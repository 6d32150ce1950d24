"""How a repeat is recognised: by the caller's key and by what the caller gave, never by what was derived from it.

Defaults, the day of the call, capabilities and configuration may differ the second time; the contents may not (R-285).
"""

from __future__ import annotations

import datetime as dt

import attrs

from ..domain.charge import Charge, ChargeKind
from ..domain.contract import BankTransfer, Card, Contract, Manual, Payment, PaymentMethod, Plan
from ..domain.metadata import EMPTY, Metadata
from ..errors import IdempotencyConflict
from ..ids import derived_id
from ..store import Draft
from .services import Services, fingerprint

__all__ = ["Asked", "attempt_id", "find_earlier"]

_METHODS: dict[type, PaymentMethod] = {
    Card: PaymentMethod.CARD,
    BankTransfer: PaymentMethod.BANK_TRANSFER,
    Manual: PaymentMethod.MANUAL,
}


def attempt_id(services: Services, account: str | None, key: str | None, kind: str = "charge") -> str:
    """The id of an attempt on *account*, from which its provider key is made.

    Derived from the caller's own *key* where there is one: should the database forget the attempt, because it was restored
    from a backup, a repeat still meets what the provider remembers (R-284).
    """
    return services.new_id() if key is None else derived_id(kind, account or "", key)


@attrs.frozen
class Asked:
    """A contract as its caller asked for it; *start_on* is None where none was given. JST dates."""

    customer_id: str
    plan: Plan
    start_on: dt.date | None
    payment: Payment
    key: str = attrs.field(repr=False)
    subscription: str | None = None
    metadata: Metadata = EMPTY

    @property
    def account(self) -> str | None:
        """Of the card, if one pays."""
        return self.payment.account if isinstance(self.payment, Card) else None

    @property
    def digest(self) -> str:
        """The fingerprint of the first payment."""
        return self._digest(self.start_on)

    def _digest(self, start_on: dt.date | None) -> str:
        given = (self.customer_id, self.plan, start_on, type(self.payment).__name__, self.account)
        further = [each for each in (self.subscription, self.metadata) if each]  # without any, as before there were any
        return fingerprint("contract", *given, *further)

    def paid_by(self, first: Charge) -> Charge:
        """*first*, if that is the payment that was asked for.

        :raises IdempotencyConflict: the key was used for something else (R-190).
        """
        # until schema 0002 the fingerprint held the start that was derived where none was given
        known = {self.digest, self._digest(first.period_start)} if self.start_on is None else {self.digest}
        if first.fingerprint not in known:
            raise IdempotencyConflict(
                f"idempotency key {self.key!r} was used for charge {first.id} with other contents; use a new key",
                rule="R-190",
            )
        return first

    def same(self, made: Contract) -> Contract:
        """*made*, if that is the contract that was asked for.

        :raises IdempotencyConflict: the key made another one (R-190).
        """
        given = (
            self.customer_id,
            self.plan,
            _METHODS[type(self.payment)],
            self.start_on or made.start_on,
            self.account,
            self.metadata,
        )
        if given != (made.customer_id, made.plan, made.method, made.start_on, made.account, made.metadata):
            raise IdempotencyConflict(
                f"this idempotency key made contract {made.id} with other contents; use a new key", rule="R-190"
            )
        return made


def find_earlier(services: Services, asked: Asked, contract_id: str) -> Charge | Contract | Draft | None:
    """What an earlier call under the same key has left: the first payment, or the contract, or the draft of it.

    :raises IdempotencyConflict: that was for something else (R-190).
    """
    with services.store.read() as session:
        if asked.account is not None and (first := session.charges.by_key(asked.account, asked.key)) is not None:
            return asked.paid_by(first)
        if session.contracts.exists(contract_id):
            if any(one.kind is ChargeKind.INITIAL for one in session.charges.page(contract_id=contract_id, limit=1)):
                return None  # paid under another key: it is not what this one asked for
            return asked.same(session.contracts.get(contract_id))
        if (draft := session.drafts.get(contract_id)) is not None:
            asked.same(draft.contract)
        return draft
