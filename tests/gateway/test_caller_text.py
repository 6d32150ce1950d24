"""What callers hand in: no card number and nothing that cannot be stored gets past a public method."""

from __future__ import annotations

import datetime as dt
import inspect
from collections.abc import Mapping

import attrs
import pytest

from paygate import Actor, Card, Consent, Customer, Gateway, Money, Plan, Product, ProductType
from paygate.billing.importing import NewContract
from paygate.domain.mails import MailSet, StepMailPlan
from paygate.errors import CardNumberInText, ConfigurationError, InvalidValue, NotFound
from paygate.gateway import aio_checkouts, aio_contracts, aio_reports, aio_resources
from paygate.gateway.aio_contracts import AsyncNamespace
from paygate.testing import FakeStripe

CARD = "4111 1111 1111 1111"
PRICE = Money(1000, "JPY")
PLAN = Plan.one_off("Course", PRICE)
WIDE = str.maketrans("0123456789", "０１２３４５６７８９")

pytestmark = pytest.mark.rule("R-362")


@pytest.fixture
def shop():
    with Gateway(database="sqlite://", providers={"stripe": FakeStripe()}) as gateway:
        yield gateway


@pytest.fixture
def contract(shop):
    return shop.contracts.create(Customer("c-1"), PLAN, Card("stripe", "pm_1"), contract_id="k-1")


CALLS = {
    "consent": lambda shop, text: shop.charges.create("k-1", PRICE, consent=text),
    "consent.how": lambda shop, text: shop.charges.create("k-1", PRICE, consent=Consent(text)),
    "consent.recorded_by": lambda shop, text: shop.charges.create(
        "k-1", PRICE, consent=Consent("yes", recorded_by=text)
    ),
    "consent of a preview": lambda shop, text: shop.charges.preview("k-1", PRICE, consent=text),
    "idempotency_key": lambda shop, text: shop.charges.create("k-1", PRICE, consent="yes", idempotency_key=text),
    "actor": lambda shop, text: shop.charges.create("k-1", PRICE, consent="yes", actor=Actor.admin(text)),
    "note": lambda shop, text: shop.charges.resolve("none", succeeded=True, note=text),
    "reference": lambda shop, text: shop.charges.resolve("none", succeeded=True, note="seen", reference=text),
    "reason of a refund": lambda shop, text: shop.refunds.create("none", reason=text),
    "key of a refund": lambda shop, text: shop.refunds.create("none", idempotency_key=text),
    "note of a refund": lambda shop, text: shop.refunds.mark_done("none", note=text),
    "reason of an operation": lambda shop, text: shop.contracts.cancel("k-1", reason=text),
    "reason of an expiry": lambda shop, text: shop.contracts.set_expiry("k-1", dt.date(2030, 1, 1), reason=text),
    "reason of deleting": lambda shop, text: shop.contracts.delete("k-1", confirm="k-1", reason=text),
    "customer.id": lambda shop, text: shop.contracts.create(Customer(text), PLAN, Card("stripe", "pm_2")),
    "customer.name": lambda shop, text: shop.contracts.create(Customer("c", text), PLAN, Card("stripe", "pm_2")),
    "customer.email": lambda shop, text: shop.contracts.create(Customer("c", email=text), PLAN, Card("stripe", "pm_2")),
    "plan.name": lambda shop, text: shop.contracts.create(
        Customer("c"), Plan.one_off(text, PRICE), Card("stripe", "pm_2")
    ),
    "product.code": lambda shop, text: shop.contracts.create(
        Customer("c"),
        Plan.one_off("p", PRICE, products=(Product(text, ProductType.BUYOUT),)),
        Card("stripe", "pm_2"),
    ),
    "contract_id": lambda shop, text: shop.contracts.create(
        Customer("c"), PLAN, Card("stripe", "pm_2"), contract_id=text
    ),
    "key of a contract": lambda shop, text: shop.contracts.create(
        Customer("c"), PLAN, Card("stripe", "pm_2"), idempotency_key=text
    ),
    "metadata": lambda shop, text: shop.checkouts.begin(
        "stripe", Customer("c"), return_url="https://shop.test/", metadata={"order": text}
    ),
    "key of metadata": lambda shop, text: shop.checkouts.begin(
        "stripe", Customer("c"), return_url="https://shop.test/", metadata={text: "1"}
    ),
    "return_url": lambda shop, text: shop.checkouts.begin(
        "stripe", Customer("c"), return_url=f"https://shop.test/?order={text}"
    ),
}


def stored(shop) -> str:
    parts = [*shop.contracts.list(), *shop.charges.list(), *shop.ledger.list(), *shop.audit.list()]
    return "\n".join(repr(attrs.asdict(part)) for part in parts)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    "spelt",
    [
        CARD,
        CARD.replace(" ", ""),
        CARD.translate(WIDE),
        "paid with 4111-1111-1111-1111 on the phone",
        "order-4111111111111111",
        "x4111111111111111y",
        "4222222222222",  # 13 digits
        "6304" + "0" * 13 + "18",  # 19 digits
    ],
)
def test_a_card_number_in_a_text_is_refused_before_anything_is_written(shop, contract, call, spelt) -> None:
    before = stored(shop)

    with pytest.raises(CardNumberInText) as caught:
        CALLS[call](shop, spelt)

    assert "4111" not in str(caught.value)
    assert "allow_card_like" in str(caught.value)
    assert caught.value.argument
    assert stored(shop) == before


@pytest.mark.rule("R-363")
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("bad", ["a\x00b", "a\ud800b", "a\x1b[31mb"])
def test_a_text_that_cannot_be_stored_is_refused_by_name(shop, contract, call, bad) -> None:
    before = stored(shop)

    with pytest.raises(InvalidValue, match="cannot be stored"):
        CALLS[call](shop, bad)

    assert stored(shop) == before


@pytest.mark.rule("R-363")
@pytest.mark.parametrize(
    "look",
    [
        lambda shop, text: shop.contracts.get(text),
        lambda shop, text: list(shop.contracts.list(customer_id=text)),
        lambda shop, text: list(shop.charges.list(contract_id=text)),
        lambda shop, text: shop.charges.get(text),
        lambda shop, text: shop.refunds.get(text),
        lambda shop, text: shop.ledger.get(text),
        lambda shop, text: list(shop.audit.list(contract_id=text)),
        lambda shop, text: shop.step_mails.pause(text),
        lambda shop, text: shop.providers.get(text),
        lambda shop, text: shop.checkouts.complete("stripe", text),
    ],
)
@pytest.mark.parametrize("bad", ["a\x00b", "a\ud800b"])
def test_an_id_that_cannot_be_stored_is_refused_and_no_driver_error(database_url, look, bad) -> None:
    with (
        Gateway(database=database_url, providers={"stripe": FakeStripe()}) as shop,
        pytest.raises(InvalidValue, match="cannot be stored"),
    ):
        look(shop, bad)


def test_what_is_already_stored_can_be_read_whatever_it_looks_like(database_url) -> None:
    with Gateway(database=database_url, providers={"stripe": FakeStripe()}, allow_card_like=["contract_id"]) as lenient:
        lenient.contracts.create(Customer("c-1"), PLAN, Card("stripe", "pm_1"), contract_id="4111111111111111")

    with Gateway(database=database_url, providers={"stripe": FakeStripe()}) as strict:
        assert strict.contracts.get("4111111111111111").customer_id == "c-1"
        strict.charges.create("4111111111111111", PRICE, consent="yes").raise_for_failure()


@pytest.mark.parametrize("name", ["idempotency_key", "consent", "how"])
def test_an_order_number_that_looks_like_a_card_is_let_through_where_the_shop_says_so(name) -> None:
    with Gateway(database="sqlite://", providers={"stripe": FakeStripe()}, allow_card_like=[name]) as shop:
        shop.contracts.create(Customer("c-1"), PLAN, Card("stripe", "pm_1"), contract_id="k-1")
        options = {"consent": "yes", "idempotency_key": "k"}
        if name == "how":
            options["consent"] = Consent("4111111111111111")
        else:
            options[name] = "4111111111111111"

        assert shop.charges.create("k-1", PRICE, **options)
        with pytest.raises(CardNumberInText):
            shop.contracts.cancel("k-1", reason="4111111111111111")


def test_a_letter_between_the_digits_lets_a_number_through(shop, contract) -> None:
    assert shop.charges.create("k-1", PRICE, consent="yes", idempotency_key="41111111n11111111")


def test_ordinary_texts_pass(shop, contract) -> None:
    for key in ("2024-11-08-000123", "3f2a9c0b-1d4e-4f5a-8b6c-7d8e9f0a1b2c", "注文 42", "4111111111111112"):
        assert shop.charges.create("k-1", Money(100 + len(key), "JPY"), consent="メールで\n同意", idempotency_key=key)


def test_a_row_of_an_import_is_refused_alone(shop) -> None:
    def row(contract_id: str, name: str) -> NewContract:
        return NewContract(contract_id, Customer("c", name), PLAN, Card("stripe", "pm_1"), dt.date(2024, 1, 1))

    report = shop.contracts.import_many([row("a", "花子"), row("b", CARD), row("c", "x\x00")], skip_invalid=True)

    assert report.imported == ("a",)
    assert [type(error) for _, error in report.refused] == [CardNumberInText, InvalidValue]


def test_a_step_mail_holds_no_card_number() -> None:
    mail = StepMailPlan("thanks", MailSet.ON_RENEWAL, 0, "s", f"card {CARD}")

    with pytest.raises(CardNumberInText, match="step_mails"):
        Gateway(database="sqlite://", providers={"stripe": FakeStripe()}, step_mails=[mail])


def test_a_refusal_that_quotes_what_was_typed_shows_no_card_number(shop) -> None:
    with pytest.raises(NotFound) as caught:
        shop.contracts.get(CARD)

    assert "4111" not in str(caught.value) + repr(caught.value)


@pytest.mark.rule("R-363")
def test_the_environment_gives_no_setting_that_is_not_text(tmp_path) -> None:
    from paygate.config import load

    (tmp_path / "paygate.toml").write_text('[accounts.s]\nprovider = "stripe"\n', encoding="utf-8")

    with pytest.raises(ConfigurationError, match="PAYGATE_S_API_KEY in the environment is not text"):
        load(tmp_path / "paygate.toml", {"PAYGATE_S_API_KEY": "sk_\udcff", "PAYGATE_S_WEBHOOK_SECRET": "whsec_1"})


def test_every_public_method_of_every_namespace_checks_its_arguments() -> None:
    unchecked = [
        f"{kind.__name__}.{name}"
        for module in (aio_contracts, aio_resources, aio_checkouts, aio_reports)
        for kind in vars(module).values()
        if inspect.isclass(kind) and issubclass(kind, AsyncNamespace) and kind is not AsyncNamespace
        for name, method in vars(kind).items()
        if inspect.isfunction(method) and not name.startswith("_") and not hasattr(method, "__wrapped__")
    ]

    assert unchecked == []


def test_mappings_of_mappings_are_searched(shop) -> None:
    deep: Mapping[str, object] = {"a": [{"b": (CARD,)}]}

    with pytest.raises(CardNumberInText, match=r"metadata\.a\.b"):
        shop._services.texts.check("metadata", deep)


@pytest.mark.parametrize("gap", ["", " ", "-", ".", "\N{NO-BREAK SPACE}", "\N{ZERO WIDTH SPACE}", " - "])
def test_a_card_number_is_no_reference_of_a_stored_card_however_it_is_parted(gap) -> None:
    for number in ("4111111111111111", "4111111111111111".translate(WIDE)):
        spelt = gap.join([number[:4], number[4:8], number[8:12], number[12:]])
        with pytest.raises(InvalidValue, match="looks like a card number"):
            Card("stripe", spelt)


def test_a_reference_may_hold_such_digits_among_others() -> None:
    assert Card("stripe", "tok_4111111111111111").token
