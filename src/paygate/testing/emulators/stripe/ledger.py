"""The account: who it is, its balance, and its balance transactions, which are rendered from charges and refunds."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence

import attrs

from .charges import Charge, Charges
from .errors import ApiError
from .params import PAGE, Table, choice, span, text
from .refunds import Refund, Refunds
from .resource import Object, Resource, route
from .state import Call, State
from .tables import Record
from .tables import Table as Rows

__all__ = ["Account", "BalanceTransactions"]

_LIST: Table = {
    **PAGE,
    "created": span(),
    "currency": text(most=3),
    "source": text(),
    "type": choice("charge", "refund"),
}


@attrs.define
class Transaction(Record):
    """A line of the balance: a charge that took money, or a refund. Made on demand and never stored."""

    source: Charge | Refund = attrs.field(repr=False)


class _Ledger(Rows[Transaction]):
    """The lines by id and in order, found in the tables of charges and refunds; ids share all but their prefix."""

    def __init__(self, charges: Charges, refunds: Refunds) -> None:
        super().__init__("balance_transaction")
        self._charges = charges
        self._refunds = refunds

    def get(self, identifier: str) -> Transaction | None:
        core = identifier.removeprefix("txn_")
        charge = self._charges.table.get(f"ch_{core}")
        if charge is not None:
            return _line(charge) if charge.captured else None
        refund = self._refunds.table.get(f"re_{core}")
        return None if refund is None else _line(refund)

    def rows(self) -> Sequence[Transaction]:
        captured = (_line(charge) for charge in self._charges.table.rows() if charge.captured)
        refunded = (_line(refund) for refund in self._refunds.table.rows())
        return list(heapq.merge(captured, refunded, key=lambda line: line.serial))


def _line(source: Charge | Refund) -> Transaction:
    core = source.id.partition("_")[2]
    return Transaction(id=f"txn_{core}", created=source.created, serial=source.serial, source=source)


class BalanceTransactions(Resource[Transaction]):
    """``/v1/balance_transactions`` and ``/v1/balance``."""

    kind = "balance_transaction"
    prefix = "txn"
    expandable = frozenset({"source"})

    def __init__(self, state: State, charges: Charges, refunds: Refunds) -> None:
        super().__init__(state)
        self.table = _Ledger(charges, refunds)

    @route("GET", "/balance_transactions", _LIST)
    def list(self, call: Call) -> Object:
        params = call.params

        def wanted(line: Transaction) -> bool:
            shown = self.show(line)
            return all(params.get(name) in {None, shown[name]} for name in ("currency", "source", "type"))

        return self.listing("/balance_transactions", params, wanted=wanted)

    @route("GET", "/balance_transactions/{id}")
    def retrieve(self, call: Call) -> Object:
        return self.show(self.table.find(call.id))

    @route("GET", "/balance")
    def balance(self, _call: Call) -> Object:
        totals: dict[str, int] = {"jpy": 0}
        for line in self.table.rows():
            shown = self.show(line)
            totals[shown["currency"]] = totals.get(shown["currency"], 0) + shown["net"]
        available = [
            {"amount": amount, "currency": currency, "source_types": {"card": amount}}
            for currency, amount in sorted(totals.items())
        ]
        pending = [{"amount": 0, "currency": one, "source_types": {"card": 0}} for one in sorted(totals)]
        return {"object": "balance", "available": available, "livemode": False, "pending": pending}

    def show(self, record: Transaction) -> Object:
        source = record.source
        if isinstance(source, Charge):
            amount, currency, kind = source.amount_captured, source.currency, "charge"
            fee = amount * self.state.behaviour.fee_per_mille // 1000
        else:
            amount, currency, kind, fee = -source.amount, source.charge.currency, "refund", 0
            if source.status == "failed":
                amount = 0
        fees = [{"amount": fee, "application": None, "currency": currency, "description": "Fees", "type": "stripe_fee"}]
        return {
            **self.head(record),
            "amount": amount,
            "available_on": record.created,
            "balance_type": "payments",
            "created": record.created,
            "currency": currency,
            "description": source.description if isinstance(source, Charge) else None,
            "exchange_rate": None,
            "fee": fee,
            "fee_details": fees if fee else [],
            "net": amount - fee,
            "reporting_category": kind,
            "source": source.id,
            "status": "available",
            "type": kind,
        }


class Account(Resource[Record]):
    """``/v1/account``: the one account that the key belongs to."""

    kind = "account"
    prefix = "acct"

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self._record = self.table.add(Record(id="acct_1EmulatedByPaygate", created=state.timestamp(), serial=0))

    @route("GET", "/account")
    def current(self, _call: Call) -> Object:
        return self.show(self._record)

    @route("GET", "/accounts/{id}")
    def retrieve(self, call: Call) -> Object:
        if call.id != self._record.id:
            message = "The provided key does not have access to this account, or it does not exist."
            raise ApiError(403, message, code="account_invalid")
        return self.show(self._record)

    def show(self, record: Record) -> Object:
        profile: Mapping[str, object] = {"name": "Example KK", "support_email": None, "url": None}
        return {
            **self.head(record),
            "business_profile": dict(profile),
            "capabilities": {"card_payments": "active", "jcb_payments": "active", "transfers": "active"},
            "charges_enabled": True,
            "country": "JP",
            "created": record.created,
            "default_currency": "jpy",
            "details_submitted": True,
            "email": "shop@example.com",
            "metadata": {},
            "payouts_enabled": True,
            "settings": {"dashboard": {"display_name": "Example KK", "timezone": "Asia/Tokyo"}},
            "type": "standard",
        }
