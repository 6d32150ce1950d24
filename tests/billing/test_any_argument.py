"""Whatever a caller hands in, and whatever the database does, only errors of paygate leave the public face.

Every public method of the gateway is called with values of the right kind from the ends of the calendar, of numbers and of
texts, in every combination that the generator comes upon; and with a database that fails.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import inspect
import itertools
import sqlite3
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paygate import (
    JST,
    Actor,
    BankTransfer,
    Card,
    Customer,
    Cycle,
    Gateway,
    Manual,
    Money,
    Plan,
    Product,
    ProductType,
    Purpose,
)
from paygate.billing.importing import NewContract
from paygate.domain.charge import ChargeState
from paygate.domain.contract import PaymentMethod, Status
from paygate.domain.mails import StepMailState
from paygate.errors import InvalidValue, PaygateError, StoreUnavailable
from paygate.store import Session, Store

from .conftest import PLAN, World

RESOURCES = (
    "contracts", "checkouts", "customers", "credentials", "charges", "refunds", "ledger", "step_mails", "billing", "webhooks", "providers", "audit",
    "reports",
)  # fmt: skip

_DATES = st.sampled_from(
    [dt.date.min, dt.date(1, 1, 2), dt.date(1899, 12, 31), dt.date(1900, 1, 1), dt.date(1970, 1, 1), dt.date(2000, 2, 29),
     dt.date(2026, 1, 15), dt.date(2026, 1, 16), dt.date(2027, 2, 28), dt.date(2999, 12, 31), dt.date(3000, 1, 1),
     dt.date(9999, 11, 30), dt.date.max]
)  # fmt: skip
_TIMES = st.builds(
    dt.datetime.combine,
    _DATES,
    st.sampled_from([dt.time.min, dt.time(12), dt.time.max]),
    st.sampled_from(
        [None, dt.UTC, JST, dt.timezone(dt.timedelta(hours=23, minutes=59)), dt.timezone(dt.timedelta(hours=-23))]
    ),
)
_NUMBERS = st.sampled_from([-(2**80), -1, 0, 1, 12, 366, 10_000, 2**31 - 1, 2**31, 2**63 - 1, 2**63, 10**5000])
_SECONDS = st.sampled_from([0, 0.5, 10**400, -1, float("nan"), float("inf"), float("-inf")])
_SPANS = st.sampled_from(
    [dt.timedelta.min, dt.timedelta(0), dt.timedelta(days=1), dt.timedelta(days=40_000), dt.timedelta.max]
)
_MONEY = st.builds(
    Money,
    st.sampled_from([0, 1, 500, 10**12, 10**15, 10**15 + 1, 2**63 - 1, 2**63, 10**5000]),
    st.sampled_from(["JPY", "USD"]),
)
_TEXTS = st.sampled_from(
    ["", "x", "\0", "\ud800", "x" * 300, "あ" * 900, "x" * 200_000, "🏅" * 400, "2026-13", "9999-12", "0000-00"]
)
_PLANS = st.builds(
    lambda price, cycle, special, periods: Plan.recurring("Any", price, cycle, special_price=special, special_periods=periods),
    _MONEY, st.sampled_from(Cycle), st.none() | _MONEY, st.sampled_from([0, 1, 1200]),
) | st.builds(lambda price: Plan.one_off("Any", price), _MONEY) | st.sampled_from([
    PLAN,
    Plan.recurring("Mag", Money(800, "JPY"), products=(Product("mag", ProductType.MONTHLY_MAGAZINE, end_month="9999-12"),)),
    Plan.recurring("Vol", Money(800, "JPY"), Cycle.DAILY, products=(Product("vol", ProductType.MONTHLY_UNLOCK, unlock_interval=Cycle.DAILY),)),
])  # fmt: skip
_PAYMENTS = st.sampled_from([Card("stripe", "tok_any"), BankTransfer(), Manual()]) | st.builds(
    Card, st.just("stripe"), _TEXTS
)
_CUSTOMERS = st.builds(Customer, _TEXTS, _TEXTS, _TEXTS)


def _quietly(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Values that refuse to be made are left out: that is the same refusal, only earlier."""

    @st.composite
    def made(draw: st.DrawFn) -> Any:
        try:
            return draw(strategy)
        except PaygateError:
            return None

    return made()


_ROWS = st.builds(
    NewContract,
    contract_id=_TEXTS, customer=_quietly(_CUSTOMERS), plan=_quietly(_PLANS), payment=_quietly(_PAYMENTS), start_on=_DATES,
    status=st.none() | st.sampled_from(Status), expires_on=st.none() | _DATES, last_paid_at=st.none() | _TIMES,
    last_paid=st.none() | _MONEY, reference=st.none() | _TEXTS, content_from=st.none() | _DATES,
)  # fmt: skip

#: A parameter's name → values of its kind; for those whose name says more than their kind.
_BY_NAME: dict[str, st.SearchStrategy[Any]] = {
    "account": st.sampled_from(["stripe", "telecom"]) | _TEXTS,
    "actor": st.just(Actor.admin()) | st.builds(Actor.admin, _TEXTS),
    "amount": st.none() | _MONEY,
    "body": st.sampled_from([b"", b"{}", b"\xff" * 100]),
    "card": _quietly(st.builds(Card, st.sampled_from(["stripe", "univapay", "telecom"]) | _TEXTS, _TEXTS)),
    "customer": _quietly(_CUSTOMERS),
    "headers": st.just({}),
    "ids": st.none() | st.lists(_TEXTS, max_size=2),
    "method": st.none() | st.sampled_from(PaymentMethod),
    "metadata": st.none() | st.dictionaries(_TEXTS, _TEXTS, max_size=2),
    "older_than": _SPANS,
    "payment": _quietly(_PAYMENTS),
    "plan": _quietly(_PLANS),
    "progress": st.none(),
    "purpose": st.sampled_from(Purpose),
    "return_url": st.just("https://shop.example/done") | _TEXTS,
    "rows": st.lists(_ROWS, max_size=3),
    "timeout": _SECONDS,
    "until": st.none() | _DATES | _TIMES,
    "to": _DATES,
    "on": st.none() | _DATES | _TIMES,
}
_STATES = {"Charges": ChargeState, "Contracts": Status, "StepMails": StepMailState}


def _values(resource: str, name: str, annotation: str, known: dict[str, list[str]]) -> st.SearchStrategy[Any]:
    if name in known:
        return st.sampled_from(known[name]) | _TEXTS
    if name == "on":
        return st.none() | (_TIMES if "datetime" in annotation else _DATES)
    if name in _BY_NAME:
        return _BY_NAME[name]
    if name in {"state", "status"}:
        return st.none() | st.sampled_from(_STATES[resource])
    if "bool" in annotation:
        return st.booleans()
    for part, strategy in (
        ("datetime", _TIMES), ("dt.date", _DATES), ("timedelta", _SPANS), ("Money", _MONEY), ("int", _NUMBERS), ("str", _TEXTS),
    ):  # fmt: skip
        if part in annotation:
            return st.none() | strategy if "None" in annotation else strategy
    raise AssertionError(f"{resource}: what is {name}: {annotation}?")


def _methods(gateway: Any) -> Iterator[tuple[str, Callable[..., Any]]]:
    for resource in RESOURCES:
        for name, method in inspect.getmembers(getattr(gateway, resource), inspect.ismethod):
            if not name.startswith("_"):
                yield f"{resource}.{name}", method


def _arguments(
    draw: Callable[[st.SearchStrategy[Any]], Any], method: Callable[..., Any], known: dict[str, list[str]]
) -> tuple[list[Any], dict[str, Any]]:
    positional, named = [], {}
    resource = type(method.__self__).__name__  # type: ignore[attr-defined]
    for name, parameter in inspect.signature(method).parameters.items():
        if parameter.default is not parameter.empty and not draw(st.booleans()):
            continue
        value = draw(_values(resource, name, str(parameter.annotation), known))
        if parameter.kind is parameter.KEYWORD_ONLY:
            named[name] = value
        elif len(positional) == list(inspect.signature(method).parameters).index(name):
            positional.append(value)
        else:
            named[name] = value
    return positional, named


def _shop(world: World) -> dict[str, list[str]]:
    """A contract, a charge, a refund and a mail, by the names of the parameters that name them."""
    contract = world.contract("stripe")
    charge = world.charge(contract, send_step_mail=True)
    refund = world.gateway.refunds.create(charge.id, Money(100, "JPY"))
    rows = [row.id for row in world.gateway.ledger.list(contract_id=contract.id)]
    mails = [mail.id for mail in world.gateway.step_mails.list()]
    return {
        "contract_id": [contract.id],
        "confirm": [contract.id],
        "charge_id": [charge.id],
        "refund_id": [refund.id],
        "entry_id": rows,
        "target": [charge.id, *rows],
        "mail_id": mails,
        "name": ["stripe"],
    }


def _call(method: Callable[..., Any], positional: list[Any], named: dict[str, Any]) -> None:
    with contextlib.suppress(PaygateError):
        result = method(*positional, **named)
        if hasattr(result, "all"):  # a list reads when it is read
            list(itertools.islice(result, 200))


@pytest.mark.rule("R-296", "R-291")
def test_no_argument_makes_anything_but_an_error_of_paygate(world: World) -> None:
    known = _shop(world)
    methods = dict(_methods(world.gateway))
    assert len(methods) > 60

    @settings(max_examples=400, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def call(data: st.DataObject) -> None:
        method = methods[data.draw(st.sampled_from(sorted(methods)))]
        positional, named = _arguments(data.draw, method, known)
        _call(method, positional, named)

    call()
    made = world.gateway.contracts.create(Customer("after"), PLAN, BankTransfer())
    assert world.gateway.contracts.get(made.id) == made  # and the database still answers


@pytest.mark.rule("R-296")
@pytest.mark.parametrize("size", [0, -1, 10_001, 2**80, 10**5000], ids=lambda size: size.bit_length())
def test_every_list_refuses_a_page_that_is_none(world: World, size: int) -> None:
    lists = [method for _, method in _methods(world.gateway) if "page_size" in inspect.signature(method).parameters]
    assert len(lists) > 12
    for method in lists:
        with pytest.raises(InvalidValue, match="page_size is a whole number from 1 to 10,000"):
            method(page_size=size).all()


@pytest.mark.rule("R-296")
@pytest.mark.parametrize(
    "change",
    [
        {"start_on": dt.date(9999, 12, 31)},
        {"start_on": dt.date.min},
        {"expires_on": dt.date.max},
        {"last_paid_at": dt.datetime.max.replace(tzinfo=JST)},
        {"last_paid_at": dt.datetime.min.replace(tzinfo=dt.UTC)},
        {"content_from": dt.date.max},
        {"last_paid": Money(2**63, "JPY")},
        {"plan": Plan.recurring("Any", Money(2**63, "JPY"))},
        {"contract_id": "x" * 3000},
        {"reference": "あ" * 3000},
    ],
    ids=str,
)
def test_a_row_from_the_end_of_the_calendar_is_refused_alone_and_at_once(world: World, change: dict[str, Any]) -> None:
    good = {
        "contract_id": "good",
        "customer": Customer("c"),
        "plan": PLAN,
        "payment": BankTransfer(),
        "start_on": dt.date(2025, 1, 1),
    }
    rows = [NewContract(**{**good, "contract_id": "bad", **change}), NewContract(**good)]
    began = time.monotonic()
    report = world.gateway.contracts.import_many(rows, skip_invalid=True)
    assert report.imported == ("good",)
    assert [index for index, _ in report.refused] == [0]
    assert report.refused[0][1].rule == "R-296"
    assert time.monotonic() - began < 10


@pytest.mark.rule("R-296")
@pytest.mark.parametrize("cycle", Cycle)
def test_the_earliest_and_the_latest_day_are_worked_with(world: World, cycle: Cycle) -> None:
    plan = Plan.recurring("Any", Money(10**15, "JPY"), cycle)
    rows = [
        NewContract(f"c{number}", Customer("c"), plan, BankTransfer(), day, expires_on=dt.date(2999, 12, 31))
        for number, day in enumerate([dt.date(1900, 1, 1), dt.date(2999, 12, 31)])
    ]
    report = world.gateway.contracts.import_many(rows, skip_invalid=True)
    for made in report.imported:
        world.gateway.contracts.details(made)
        world.gateway.contracts.operations(made)
        world.gateway.contracts.forecast(made)
        world.gateway.contracts.access(made)
    world.gateway.billing.run()
    assert report.imported


# --- a database that fails -------------------------------------------------------------------------------------------


class Failing(Store):
    """Fails every transaction, as a driver does."""

    on = False

    def _fail(self) -> None:
        if Failing.on:
            raise (
                sqlite3.OperationalError("unable to open database file")
                if (self._engine.dialect.name == "sqlite")
                else psycopg.OperationalError("server closed the connection unexpectedly")
            )

    @contextlib.contextmanager
    def read(self) -> Iterator[Session]:
        with super().read() as session:
            self._fail()
            yield session

    @contextlib.contextmanager
    def write(self) -> Iterator[Session]:
        with super().write() as session:
            self._fail()
            yield session


@pytest.mark.rule("R-291")
def test_every_public_method_fails_as_a_store_error_while_the_database_fails(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = _shop(world)
    good: dict[str, Any] = {
        **{name: values[0] for name, values in known.items() if values},
        "account": "stripe", "amount": Money(500, "JPY"), "attempts": 1, "consent": "phone", "customer": Customer("cus_9"),
        "customer_id": "cus_1",
        "credential_id": "0" * 32,
        "card": Card("stripe", "tok_8"),
        "idempotency_key": "k-1", "note": "console", "on": dt.date(2026, 1, 15), "paid": True, "payment": Card("stripe", "tok_9"),
        "plan": PLAN, "reason": "told so", "reference": "ref", "return_url": "https://shop.example/done", "rows": [],
        "start_on": dt.date(2026, 1, 15), "succeeded": True, "to": dt.date(2027, 1, 1), "product": "mag", "end_month": "2027-01",
        "headers": {}, "body": b"{}", "amount_minor": 1, "ids": ["x"], "code": "mag",
        "months": ("2026-01",), "period": dt.date(2026, 1, 15), "expires_on": dt.date(2027, 1, 1), "discrepancy_id": "d", "receipt_on": dt.date(2026, 1, 15),
    }  # fmt: skip
    monkeypatch.setattr("paygate.gateway.assembly.Store", Failing)
    asked: dict[str, type[Exception] | None] = {}
    with Gateway(**world.options) as gateway:
        for name, method in _methods(gateway):
            parameters = inspect.signature(method).parameters.values()
            needed = [each.name for each in parameters if each.default is each.empty or each.name == "idempotency_key"]
            named = {each: good[each] for each in needed}
            monkeypatch.setattr(Failing, "on", True)
            asked[name] = _outcome(method, named)
            monkeypatch.setattr(Failing, "on", False)
    assert all(issubclass(kind, PaygateError) for kind in asked.values() if kind is not None), asked
    others = {name for name, kind in asked.items() if kind is not StoreUnavailable}
    assert others == {  # what needs no database
        "checkouts.complete", "contracts.preview_create", "providers.get", "providers.list", "providers.ping", "webhooks.receive",
    }  # fmt: skip


def _outcome(method: Callable[..., Any], named: dict[str, Any]) -> type[Exception] | None:
    """The kind of error that *method* ends with."""
    try:
        result = method(**named)
        if hasattr(result, "all"):  # a list reads when it is read
            result.all()
    except Exception as error:  # noqa: BLE001 - what leaves is what is looked at
        return type(error)
    return None
