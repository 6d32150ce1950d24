"""A provider that says secrets wherever it can say anything: they reach no table, log, report, error, repr or screen."""

from __future__ import annotations

import json
import logging
import traceback

import attrs
import pytest
import sqlalchemy as sa

import paygate
from paygate import Card, Customer, Gateway, Money, Plan, Provider, hookimpl
from paygate.errors import (
    ChargeDeclined,
    ConfigurationError,
    InvalidValue,
    OutcomeUnknown,
    PaygateError,
    ProviderUnavailable,
    WebhookRejected,
)
from paygate.provider import (
    Capabilities,
    ChargeRequest,
    ChargeResult,
    EventKind,
    Found,
    Lookup,
    LookupRequest,
    ProviderEvent,
    RefundPolicy,
    RefundRequest,
    RefundResult,
    Webhook,
)
from paygate.store.tables import metadata

pytestmark = pytest.mark.rule("R-360")

KEY = "k3y/of+the=shop&canary"
SAYS = (
    f"key {KEY} or k3y%2Fof%2Bthe%3Dshop%26canary; card 4111-1111-1111-1111; card[cvc]=98765; "
    r"{\"cvv\":\"98765\"} <password>canary</password> Authorization: Token canary"
    "\x00 \ud800 \x1b[2J"
)
LEAKS = ("canary", "4111", "98765", "\x00", "\ud800", "\x1b")
PRICE = Money(1000, "JPY")


def leaks(text: str) -> list[str]:
    return [leak for leak in LEAKS if leak in text or json.dumps(leak)[1:-1] in text]


@attrs.frozen
class Settings:
    key: str = paygate.secret()


ENDINGS = {
    "declined": lambda _: ChargeResult.declined(SAYS, SAYS, raw={"message": SAYS, SAYS: [SAYS]}),
    "not sent": lambda _: ChargeResult.not_sent(SAYS, code=SAYS),
    "unknown": lambda _: ChargeResult.unknown(SAYS, reference="ch_1", raw={"message": SAYS}),
    "a reference": lambda _: ChargeResult.succeeded(SAYS),
    "ProviderUnavailable": lambda _: ProviderUnavailable(SAYS, code=SAYS, request_id=SAYS),
    "OutcomeUnknown": lambda _: OutcomeUnknown(SAYS, code=SAYS),
    "ChargeDeclined": lambda _: ChargeDeclined(SAYS, code=SAYS),
    "ConfigurationError": lambda _: ConfigurationError(SAYS),
    "InvalidValue": lambda _: InvalidValue(SAYS),
    "KeyError": lambda _: KeyError(SAYS),
    "RuntimeError": lambda _: RuntimeError(SAYS, {"secret": KEY}),
    "UnicodeError": lambda _: UnicodeDecodeError("utf-8", KEY.encode(), 0, 1, SAYS),
}


class Leaky(Provider):
    """Answers, or raises, what *ending* makes, for everything."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.ending = "good"

    def capabilities(self) -> Capabilities:
        return Capabilities(
            "Leaky",
            lookup=Lookup.AUTHORITATIVE,
            refund_lookup=Lookup.AUTHORITATIVE,
            refunds=RefundPolicy.PARTIAL,
            webhooks=True,
        )

    def _end(self, good: object) -> object:
        result = good if self.ending == "good" else ENDINGS[self.ending](None)
        if isinstance(result, BaseException):
            secret = KEY  # noqa: F841 - a local variable that no traceback may show
            raise result from ValueError(SAYS)
        return result

    async def charge(self, request: ChargeRequest) -> ChargeResult:
        return self._end(ChargeResult.succeeded(f"ch_{request.charge_id}", raw={"note": SAYS}))

    async def refund(self, request: RefundRequest) -> RefundResult:
        result = self._end(RefundResult.succeeded(f"re_{request.refund_id}"))
        if isinstance(result, ChargeResult):
            return RefundResult(
                result.outcome, result.reference, code=result.code, message=result.message, raw=result.raw
            )
        return result

    async def find_charge(self, request: LookupRequest) -> Found:
        return Found(self._end(None))

    async def find_refund(self, request: LookupRequest) -> Found:
        return Found(self._end(None))

    async def parse_webhook(self, webhook: Webhook) -> list[ProviderEvent]:
        result = self._end(None)
        raw = {"message": SAYS, "deep": [{"cvv": "98765", "text": SAYS}]}
        return [ProviderEvent("evt_1", EventKind.CHARGE, SAYS, "ch_unmatched", charge=result, raw=raw)]

    async def ping(self) -> str:
        return str(self._end(SAYS))


class Observer:
    """Fails with what it must not say, whatever it is told."""

    @hookimpl
    def on_charge_success(self, notice: object) -> None:
        raise RuntimeError(SAYS)

    @hookimpl
    def on_charge_failure(self, notice: object) -> None:
        raise RuntimeError(SAYS)

    @hookimpl
    def on_refund(self, notice: object) -> None:
        raise RuntimeError(SAYS)

    @hookimpl
    def on_operator_action_required(self, notice: object) -> None:
        raise RuntimeError(repr(notice) + SAYS)


def tables(url: str) -> str:
    """Everything that is stored, but the credential, which is a reference and no secret."""
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        rows = [str(tuple(row)) for table in metadata.sorted_tables for row in connection.execute(sa.select(table))]
    engine.dispose()
    return "\n".join(rows)


def said(function) -> str:
    """What *function* returns or raises, in every way in which somebody may look at it."""
    try:
        seen = function()
    except PaygateError as exc:
        shown = [str(exc), repr(exc), *map(str, vars(exc).values()), "".join(traceback.format_exception(exc))]
        # the test's own source lines hold no canary, but those of this file's fake are shown by name
        return "\n".join(shown)
    return f"{seen}\n{seen!r}\n{attrs.asdict(seen) if attrs.has(type(seen)) else seen}"


@pytest.mark.parametrize("ending", ["good", *ENDINGS])
def test_nothing_secret_that_a_provider_says_is_kept_shown_or_logged(database_url, caplog, ending) -> None:
    caplog.set_level(logging.DEBUG)
    leaky = Leaky(Settings(KEY))
    shown = []
    with Gateway(database=database_url, providers={"leaky": leaky}, plugins=[Observer()]) as shop:
        shop.contracts.create(Customer("c-1"), Plan.recurring("Gold", PRICE), Card("leaky", "tok_1"), contract_id="k-1")
        paid = shop.charges.create("k-1", PRICE, consent="yes", idempotency_key="paid")
        leaky.ending = ending
        calls = (
            lambda: shop.charges.create("k-1", PRICE, consent="yes", idempotency_key="a"),
            lambda: shop.contracts.create(Customer("c-2"), Plan.one_off("Course", PRICE), Card("leaky", "tok_2")),
            lambda: shop.refunds.create(paid.id, Money(100, "JPY")),
            lambda: shop.webhooks.receive("leaky", {}, b"{}"),
            lambda: shop.providers.ping("leaky"),
            shop.billing.reconcile,
            shop.billing.run,
            shop.billing.deliver,
            lambda: shop.billing.stuck(attempts=1),
        )
        shown += [said(call) for call in calls]
        for listed in (
            shop.charges.list(),
            shop.ledger.list(),
            shop.audit.list(),
            shop.refunds.list(),
            shop.contracts.list(),
        ):
            shown += [said(lambda row=row: row) for row in listed]

    formatter = logging.Formatter()
    logged = "\n".join(formatter.format(record) + repr(vars(record).get("charge_id")) for record in caplog.records)
    assert leaks(tables(database_url)) == []
    assert leaks(logged) == []
    assert leaks("\n".join(shown)) == []


@pytest.mark.rule("R-363")
@pytest.mark.parametrize("text", ["\x00", "\ud800", "\x1b[2J", "x" * 1_000_000, "x" * 10_000 + "\x00"])
@pytest.mark.parametrize("field", ["code", "message"])
def test_no_text_of_a_provider_stops_the_charge_or_the_reconciliation_after_it(database_url, text, field) -> None:
    class Odd(Leaky):
        async def charge(self, request: ChargeRequest) -> ChargeResult:
            good = ChargeResult.declined("no", reference=f"ch_{request.charge_id}")
            return (
                attrs.evolve(good, **{field: f"no{text}"}) if self.ending == "odd" else ChargeResult.succeeded("ch_0")
            )

    odd = Odd(Settings(KEY))
    with Gateway(database=database_url, providers={"odd": odd}) as shop:
        shop.contracts.create(Customer("c-1"), Plan.one_off("Course", PRICE), Card("odd", "tok_1"), contract_id="k-1")
        odd.ending = "odd"
        charge = shop.charges.create("k-1", PRICE, consent="yes")
        odd.ending = "good"

        assert charge.state.value == "FAILED"
        assert charge.failure is not None
        assert getattr(charge.failure, field).startswith("no")
        assert len(getattr(charge.failure, field)) <= 1000
        shop.billing.reconcile()


@pytest.mark.rule("R-363")
@pytest.mark.parametrize("name", ["event_id", "reference", "attempt_id", "type"])
@pytest.mark.parametrize("text", ["\x00", "\ud800"])
def test_a_delivery_with_what_cannot_be_stored_is_rejected_or_stored_without_it(database_url, name, text) -> None:
    class Odd(Leaky):
        async def parse_webhook(self, webhook: Webhook) -> list[ProviderEvent]:
            event = ProviderEvent("evt_1", EventKind.OTHER, "t", raw={f"k{text}": [f"v{text}", 10**400, float("inf")]})
            return [attrs.evolve(event, **{name: f"x{text}"})]

    with Gateway(database=database_url, providers={"odd": Odd(Settings(KEY))}) as shop:
        if name == "type":
            assert shop.webhooks.receive("odd", {}, b"{}").events[0].outcome == "ignored"
        else:
            with pytest.raises(WebhookRejected):
                shop.webhooks.receive("odd", {}, b"{}")
        with pytest.raises(WebhookRejected):
            shop.webhooks.receive("odd", {"x-signature": f"v1{text}"}, b"{}")


def test_a_veto_says_no_secret() -> None:
    class Strict:
        @hookimpl
        def before_charge(self, proposal: object) -> str:
            return SAYS

    with Gateway(database="sqlite://", providers={"leaky": Leaky(Settings(KEY))}, plugins=[Strict()]) as shop:
        contract = shop.contracts.create(Customer("c-1"), Plan.one_off("Course", PRICE), Card("leaky", "tok_1"))
        shown = said(lambda: shop.charges.create(contract.id, PRICE, consent="yes"))

    assert "vetoed" in shown
    assert leaks(shown) == []
