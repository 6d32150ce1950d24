"""What callers hand in: no card number and nothing that cannot be stored gets past a public method."""

from __future__ import annotations

import datetime as dt
import inspect
import random
from collections.abc import Mapping

import attrs
import pytest

from paygate import Actor, Card, Consent, Customer, Gateway, Money, Plan, Product, ProductType
from paygate.billing.importing import NewContract
from paygate.domain.mails import MailSet, StepMailPlan
from paygate.errors import CardNumberInText, ConfigurationError, InvalidValue, NotFound
from paygate.gateway import aio_checkouts, aio_contracts, aio_reports, aio_resources
from paygate.gateway.aio_contracts import AsyncNamespace
from paygate.masking import mask_text
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


#: These may stand in a provider's id, and nowhere else.
GLUED = ("order-4111111111111111", "x4111111111111111y")


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    "spelt",
    [
        CARD,
        CARD.replace(" ", ""),
        CARD.translate(WIDE),
        "paid with 4111-1111-1111-1111 on the phone",
        *GLUED,
        "4222222222222",  # 13 digits
        "6304" + "0" * 13 + "18",  # 19 digits
        "4111.1111.1111.1111",
        "4111+1111+1111+1111",
        "4111 - 1111 - 1111 - 1111",
        "3782 822463 10005",
        "3056-930902-5904",
        "5 4111 1111 1111 1111 12",
        "card=4111%201111%201111%201111&agree=1",
        "%34111111111111111",
        '{"card":"4111\\u00201111\\u00201111\\u00201111"}',
        "4111&nbsp;1111&nbsp;1111&nbsp;1111",
        "&#52;111111111111111",
        "2026-11-24 4111-1111-1111-1111 090-9837-8512",
        "4000 0000 0000 0002",  # its last groups are no telephone number
    ],
)
def test_a_card_number_in_a_text_is_refused_before_anything_is_written(shop, contract, call, spelt) -> None:
    if call == "reference" and spelt in GLUED:
        return
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


ORDINARY = (
    "phone 090-9837-8512 2026-11-24",
    "in hospital 2026-06-03 - 2026-06-08",
    "stay 2024-01-08 - 2024-05-10",
    "tel 090-0372-0710 03-0818-0701",
    "山田 〒548-2638 1-14-8 504",
    "S01-8783282-9156232-C197028",
    "S01-4554922-2388102",
    "paid 4000 5000 3000 2003 yen",
    "backup-20241227-004237.db",
    "shop-20250914031130.db",
    "20250914031130",
    "2026-11-24-3f2a9c0b-4242-4242-8242-424242424242",
    "4e2424242424242e42b42424",
)


@pytest.mark.parametrize("text", ORDINARY)
def test_days_telephone_numbers_ids_and_sums_are_no_cards(shop, contract, text) -> None:
    charge = shop.charges.create("k-1", PRICE, consent=text)
    shop.contracts.schedule_cancellation(
        shop.contracts.create(Customer("c-2", text), Plan.recurring("Gold", PRICE), Card("stripe", "pm_2")).id,
        reason=text,
    )

    assert charge.consent.how == text
    if "yen" not in text:  # what is shown may be masked too often
        assert mask_text(f"seen {text} twice") == f"seen {text} twice"


def _notes(chance: random.Random) -> str:
    def digits(count: int) -> str:
        return "".join(chance.choice("0123456789") for _ in range(count))

    year, month, day = chance.randint(2023, 2029), chance.randint(1, 12), chance.randint(1, 28)
    amount = chance.randint(1, 250) * chance.choice((1, 10, 100, 500, 1000))
    parts = (
        f"{year}-{month:02}-{day:02}", f"{year}/{month}/{day}", f"{year}年{month}月{day}日", f"{year}{month:02}{day:02}",
        f"0{chance.choice('789')}0-{digits(4)}-{digits(4)}", f"03-{digits(4)}-{digits(4)}", f"+81 90-{digits(4)}-{digits(4)}",
        f"090{digits(8)}", f"0120-{digits(3)}-{digits(3)}", f"0{digits(2)}-{digits(3)}-{digits(4)}",
        f"{amount:,}円", f"¥{amount:,}", f"{amount} yen", f"JPY {amount}", f"{chance.randint(0, 23):02}:{digits(2)}",
        f"order {digits(6)}", f"注文番号{digits(8)}", f"S01-{digits(7)}-{digits(7)}-C{digits(6)}", f"〒{digits(3)}-{digits(4)}",
        "電話で同意", "by phone", "callback", "折返し", "from", "to", "and", "入金",
    )  # fmt: skip
    return chance.choice((" ", "、", " - ", " / ")).join(chance.choices(parts, k=chance.randint(2, 7)))


def test_of_ordinary_notes_hardly_one_in_a_thousand_is_refused(shop) -> None:
    chance = random.Random(7)
    refused = []
    for text in (_notes(chance) for _ in range(10_000)):
        try:
            shop._services.texts.check("consent", text)
        except CardNumberInText:
            refused.append(text)
    assert len(refused) < 10, refused


@pytest.mark.parametrize("name", ["token", "credential", "reference", "subscription"])
def test_what_the_caller_calls_a_token_is_none(shop, name) -> None:
    with pytest.raises(CardNumberInText, match=f"metadata.{name}"):
        shop.checkouts.begin("stripe", Customer("c"), return_url="https://shop.test/", metadata={name: CARD})
    with pytest.raises(CardNumberInText):
        shop.checkouts.begin("stripe", Customer("c"), return_url="https://shop.test/", metadata={"a": {name: CARD}})


@pytest.mark.parametrize("reference", ["S01-8783282-9156232-C197028", "ch_4111111111111111", *GLUED])
def test_a_providers_id_may_hold_such_digits(shop, reference) -> None:
    with pytest.raises(NotFound):
        shop.charges.resolve("none", succeeded=True, note="seen", reference=reference)
    row = NewContract(
        "a", Customer("c"), PLAN, Card("stripe", reference), dt.date(2024, 1, 1), reference=reference,
        last_paid_at=dt.datetime(2024, 1, 1, tzinfo=dt.UTC),
    )  # fmt: skip

    assert shop.contracts.import_many([row]).imported == ("a",)


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


@pytest.mark.parametrize("token", ["{}x", "card {}", "{} 12/27 987", "number: {}"])
def test_nor_is_one_with_something_beside_it(token) -> None:
    for number in (CARD, "4111-1111-1111-1111", "4111111111111111"):
        with pytest.raises(InvalidValue, match="looks like a card number"):
            Card("stripe", token.format(number))


def test_a_reference_may_hold_such_digits_among_others() -> None:
    assert Card("stripe", "tok_4111111111111111").token
