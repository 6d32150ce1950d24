"""Contracts from a CSV file: every row checked, every problem of every row told, nothing done (no click here).

The header names the columns, in any order:

=====================  =============================================================================================
contract_id            the seller's own id of the contract; unique
customer_id            the seller's own id of the customer
customer_name          optional
customer_email         optional
plan                   the plan's name
kind                   ``one_off``, a cycle (``daily``, ``weekly``, ``biweekly``, ``monthly``, ``quarterly``,
                       ``semiannual``, ``annual``), or ``recurring`` with the cycle behind it: ``recurring monthly``
price                  whole yen, ``3000`` or ``3,000``
initial_fee            optional, whole yen; recurring plans only
special_price          optional, whole yen, with *special_periods*: how many periods it holds
payment                ``card``, ``bank_transfer`` or ``manual``
account, token         for cards: the configured account, and the provider's reference of the stored card
subscription           for cards whose provider charges the renewals itself: the provider's id of the subscription
start_on, expires_on   ``2026-01-31`` or ``2026/1/31``, days in Japan; *expires_on* is optional
status                 optional; by default what the dates say
last_paid_at           optional; ISO 8601 with a zone, or ``2026-01-31 10:00[:00]`` in Japanese time
last_paid_amount       optional, whole yen; by default the price
last_paid_reference    optional, the provider's id of that payment
products               optional, ``code:TYPE|code:TYPE``, for example ``gold:MONTHLY_MAGAZINE|book:BUYOUT``
product_end_month      optional, ``2026-12``: the month in which the last period of the products begins
content_from           optional, a day in Japan: periods that began before it open no content
metadata.…             optional, any number of them: ``metadata.order`` is your own text under the key ``order``
=====================  =============================================================================================

Columns and values may have their Japanese names, see :mod:`.csv_names`; amounts and days are read as Japanese offices write
them, see :mod:`.reading`. Other values are taken as they stand: one that a spreadsheet would calculate, such as ``=1+1``, is
a text here, but for ``="00012"``, which is ``00012``. Tokens never show in a problem, nor does anything that looks like a card number.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TypeVar

import attrs

from ..billing.importing import ImportReport, NewContract
from ..domain.contract import (
    BankTransfer,
    Card,
    Customer,
    Cycle,
    Manual,
    Payment,
    Plan,
    Product,
    Status,
)
from ..domain.metadata import Metadata, checked_metadata
from ..errors import CardNumberInText, InvalidValue, PaygateError
from ..texts import invisible
from . import csv_names, reading
from .csv_file import FileProblem, Record, RowProblem, records, shown
from .csv_output import original
from .csv_values import cycle_of, member, one_of, products_of, whole_periods

__all__ = ["COLUMNS", "REQUIRED", "Reading", "RowProblem", "all_problems", "read_rows"]

COLUMNS = (
    "contract_id",
    "customer_id",
    "customer_name",
    "customer_email",
    "plan",
    "kind",
    "price",
    "initial_fee",
    "special_price",
    "special_periods",
    "payment",
    "account",
    "token",
    "subscription",
    "start_on",
    "status",
    "expires_on",
    "last_paid_at",
    "last_paid_amount",
    "last_paid_reference",
    "products",
    "product_end_month",
    "content_from",
)
REQUIRED = ("contract_id", "customer_id", "plan", "kind", "price", "payment", "start_on")

#: Values that may not be repeated to anybody.
_SECRET = {"token"}

#: Where a rule that refuses a contract as a whole is most likely to have found its reason.
_COLUMN_OF_RULE = {
    "R-004": "price",
    "R-007": "products",
    "R-008": "kind",
    "R-013": "status",
    "R-016": "start_on",
    "R-021": "status",
    "R-060": "special_periods",
    "R-064": "special_price",
    "R-071": "product_end_month",
    "R-215": "price",
    "R-220": "account",
}

#: Where a field of the contract comes from, by the name that a refused text is given.
_COLUMN_OF_FIELD = {
    "row.contract_id": "contract_id",
    "row.customer.id": "customer_id",
    "row.customer.name": "customer_name",
    "row.customer.email": "customer_email",
    "row.plan.name": "plan",
    "row.plan.products.code": "products",
    "row.payment.account": "account",
    "row.payment.token": "token",
    "row.subscription": "subscription",
    "row.reference": "last_paid_reference",
}


_PAYMENTS = csv_names.spelt(csv_names.PAYMENT_NAMES)
_STATUSES = csv_names.spelt(csv_names.STATUS_NAMES)

#: Values by which contracts, customers and payments are found again: what nobody can see in them must not be there.
_IDS = frozenset(
    {"contract_id", "customer_id", "customer_email", "account", "token", "subscription", "last_paid_reference"}
)

T = TypeVar("T")


@attrs.frozen
class Reading:
    """What a file holds: the rows without problems with the lines on which they begin, and the problems of the others."""

    rows: tuple[NewContract, ...] = ()
    lines: tuple[int, ...] = ()
    problems: tuple[RowProblem, ...] = ()

    @property
    def header_wrong(self) -> bool:
        """Whether the header has a problem: then no row says for certain what it was meant to say."""
        return any(problem.line <= 1 for problem in self.problems)


def read_rows(
    path: Path,
    *,
    accounts: Collection[str] | None = None,
    encoding: str | None = None,
    progress: Callable[[int], None] | None = None,
) -> Reading:
    """Read and check *path*. Problems are values here, never exceptions.

    :param accounts: the configured accounts; None does not check them.
    :param encoding: ``"utf-8"`` or ``"cp932"``; by default found out.
    :param progress: called with the number of the line reached, after each row.
    :raises OSError: the file cannot be opened.
    """
    problems: list[RowProblem] = []
    good: list[tuple[NewContract, int]] = []
    first_lines: dict[str, int] = {}
    try:
        for record in records(path, COLUMNS, REQUIRED, problems.append, encoding=encoding, progress=progress):
            row = _Row(record, accounts)
            contract = row.contract(first_lines)
            problems += row.problems
            if contract is not None and not row.problems:
                good.append((contract, record.line))
    except FileProblem as exc:
        problems.append(exc.problem)
        return Reading(problems=tuple(problems))
    if not good and not problems:
        problems.append(RowProblem(1, "", "", "there is no row below the header", "add one line for each contract"))
    return Reading(tuple(row for row, _ in good), tuple(line for _, line in good), tuple(problems))


def all_problems(reading: Reading, report: ImportReport) -> tuple[RowProblem, ...]:
    """The problems of the file and what the import itself refused, in the order of the file."""
    refused = (_refusal(reading.rows[index], reading.lines[index], error) for index, error in report.refused)
    return tuple(sorted((*reading.problems, *refused), key=_place))


def _place(problem: RowProblem) -> tuple[int, int]:
    return problem.line, COLUMNS.index(problem.column) if problem.column in COLUMNS else -1


def _refusal(row: NewContract, line: int, error: PaygateError) -> RowProblem:
    text = str(error)
    column = _COLUMN_OF_RULE.get(error.rule or "") or next((name for name in COLUMNS if name in text), "contract_id")
    if isinstance(error, CardNumberInText):
        place = error.argument or ""
        column = _COLUMN_OF_FIELD.get(place, column)
        text = text.replace(f"{place} holds", f"{column} holds", 1)
    problem, _, remedy = text.partition("; ")
    rule = f" ({error.rule})" if error.rule else ""
    return RowProblem(
        line,
        column,
        shown(row.contract_id) if column == "contract_id" else "",
        problem + rule,
        remedy or "correct the row, or leave it out",
    )


def _unwrapped(value: str) -> str:
    """What Excel shows of ``="00012"``, by which files keep the zeros of a number; any other value as it is."""
    return match[1] if (match := re.fullmatch(r'="([^"]*)"', value)) else value


class _Row:
    """One record on its way to a contract, collecting what is wrong with it."""

    def __init__(self, record: Record, accounts: Collection[str] | None) -> None:
        self.problems: list[RowProblem] = []
        self._line = record.line
        self._fields = {column: original(_unwrapped(value)) for column, value in record.fields.items()}
        self._accounts = accounts
        for column, value in self._fields.items():
            if any(unicodedata.category(letter) == "Cc" for letter in value):
                self._wrong(column, "the value holds a line break or another control character", "remove it")
            elif column in _IDS and (hidden := invisible(value)):
                self._wrong(column, f"the value holds a character that nobody can see ({hidden})", "type it anew")

    def contract(self, first_lines: dict[str, int]) -> NewContract | None:
        """The contract, or None with at least one problem noted."""
        contract_id = self._id(first_lines)
        customer = self._required(
            "customer_id", lambda text: Customer(text, self._text("customer_name"), self._email())
        )
        plan = self._plan()
        payment = self._required("payment", self._payment)
        start_on = self._required("start_on", reading.day)
        last_paid_at = self._optional("last_paid_at", reading.instant)
        last_paid = self._optional("last_paid_amount", reading.yen)
        status = self._optional("status", lambda text: member(Status, text, _STATUSES))
        expires_on = self._optional("expires_on", reading.day)
        reference = self._text("last_paid_reference") or None
        content_from = self._optional("content_from", reading.day)
        metadata = self._metadata()
        if not self._text("last_paid_at"):
            for column in ("last_paid_amount", "last_paid_reference"):
                if self._text(column):
                    self._wrong(
                        column, "a payment is given without its time", "fill in last_paid_at, or leave this empty"
                    )
        if self.problems or not (contract_id and customer and plan and payment and start_on):
            return None
        return NewContract(
            contract_id,
            customer,
            plan,
            payment,
            start_on,
            status=status,
            expires_on=expires_on,
            last_paid_at=last_paid_at,
            last_paid=last_paid,
            reference=reference,
            subscription=self._text("subscription") or None,
            content_from=content_from,
            metadata=metadata,
        )

    # --- parts -------------------------------------------------------------------------------------------------------

    def _id(self, first_lines: dict[str, int]) -> str | None:
        contract_id = self._required("contract_id", str)
        if contract_id is None:
            return None
        first = first_lines.setdefault(contract_id, self._line)
        if first != self._line:
            self._wrong("contract_id", f"the id appears on line {first} already", "give each contract its own")
        return contract_id

    def _email(self) -> str:
        email = self._text("customer_email")
        if email and not re.fullmatch(r"[^@\s]+@[^@\s]+", email):
            self._wrong("customer_email", "not an e-mail address", "write it as name@example.com, or leave it empty")
        return email

    def _metadata(self) -> Metadata:
        """The columns ``metadata.…``; an empty cell is no text."""
        texts: dict[str, str] = {}
        for column, text in self._fields.items():
            key = column.removeprefix("metadata.")
            if text and key != column:
                try:
                    texts.update(checked_metadata({key: text}))
                except PaygateError as exc:
                    self._refused(column, exc)
        return Metadata(texts)

    def _plan(self) -> Plan | None:
        name = self._required("plan", str)
        price = self._required("price", reading.yen)
        cycle = self._required("kind", cycle_of)
        fee = self._optional("initial_fee", reading.yen)
        special = self._optional("special_price", reading.yen)
        periods = self._optional("special_periods", whole_periods)
        products = self._products()
        if (special is None) is not (periods is None):
            missing = "special_price" if special is None else "special_periods"
            if not self._text(missing):
                self._wrong(missing, "special price and number of periods go together", "fill in both, or neither")
        if cycle is None or name is None or price is None:
            return None
        try:
            if isinstance(cycle, Cycle):
                return Plan.recurring(
                    name, price, cycle, initial_fee=fee, special_price=special, special_periods=periods or 0,
                    products=products,
                )  # fmt: skip
            for column in ("initial_fee", "special_price", "special_periods"):
                if self._text(column):
                    self._wrong(column, "a one-off plan has none", "leave it empty, or name a cycle in kind")
            return Plan.one_off(name, price, products=products)
        except PaygateError as exc:
            self._refused(_COLUMN_OF_RULE.get(exc.rule or "", "plan"), exc)
            return None

    def _products(self) -> tuple[Product, ...]:
        products = self._optional("products", products_of) or ()
        end_month = self._optional("product_end_month", reading.month)
        if end_month is not None and not products:
            self._wrong("product_end_month", "a final month is given without products", "name them, or leave it empty")
        return tuple(attrs.evolve(product, end_month=end_month) for product in products)

    def _payment(self, text: str) -> Payment | None:
        method = _PAYMENTS.get(csv_names.plain(text))
        if method is None:
            raise InvalidValue(one_of(*csv_names.PAYMENT_NAMES))
        if method == "card":
            account = self._required("account", self._known_account)
            return self._required("token", lambda token: Card(account or "", token)) if account else None
        for column in ("account", "token"):
            if self._text(column):
                self._wrong(column, f"only a card has one, not {method}", "leave it empty, or pay by card")
        return BankTransfer() if method == "bank_transfer" else Manual()

    def _known_account(self, name: str) -> str:
        if self._accounts is None or name in self._accounts:
            return name
        close = difflib.get_close_matches(name, self._accounts, n=1)
        listed = ", ".join(sorted(self._accounts)) or "none"
        hint = f"did you mean {close[0]!r}?" if close else f"configured: {listed}"
        raise InvalidValue(f"no such account is configured; {hint}")

    # --- fields ------------------------------------------------------------------------------------------------------

    def _text(self, column: str) -> str:
        return self._fields.get(column, "")

    def _required(self, column: str, read: Callable[[str], T]) -> T | None:
        if not self._text(column):
            self._wrong(column, "the value is missing", "fill it in")
            return None
        return self._optional(column, read)

    def _optional(self, column: str, read: Callable[[str], T]) -> T | None:
        text = self._text(column)
        if not text:
            return None
        try:
            return read(text)
        except PaygateError as exc:
            self._refused(column, exc)
            return None

    def _refused(self, column: str, error: PaygateError) -> None:
        problem, _, remedy = str(error).partition("; ")
        self._wrong(column, problem, remedy or "correct it")

    def _wrong(self, column: str, problem: str, remedy: str) -> None:
        value = "" if column in _SECRET else shown(self._text(column))
        self.problems.append(RowProblem(self._line, column, value, problem, remedy))
