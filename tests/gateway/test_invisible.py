"""What nobody can see gets into no id, and is named where it was looked for in vain (R-424)."""

from __future__ import annotations

import datetime as dt
import unicodedata

import pytest

from paygate import Actor, BankTransfer, Card, Customer, Gateway, Money, NewContract, Plan, Product, ProductType
from paygate.errors import ConfigurationError, InvalidValue, NotFound
from paygate.testing import FakeStripe
from paygate.texts import invisible

PRICE = Money(1000, "JPY")
PLAN = Plan.one_off("Course", PRICE)

HIDDEN = [
    "\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\u00ad", "\u2028", "\u2029", "\u180e", "\u3164", "\uffa0",
    "\u115f", "\u034f", "\ufe0f", "\U000e0100", "\U000e0041", "\ue000", "\u0378", "\u200e", "\u061c",
]  # fmt: skip

IDS = {
    "contract_id": lambda shop, text: shop.contracts.create(Customer("c"), PLAN, BankTransfer(), contract_id=text),
    "customer.id": lambda shop, text: shop.contracts.create(Customer(text), PLAN, BankTransfer()),
    "customer.email": lambda shop, text: shop.contracts.create(Customer("c", email=f"{text}@b.jp"), PLAN, BankTransfer()),
    "payment.account": lambda shop, text: shop.contracts.create(Customer("c"), PLAN, Card(text, "pm_1")),
    "payment.token": lambda shop, text: shop.contracts.create(Customer("c"), PLAN, Card("stripe", text)),
    "plan.products.code": lambda shop, text: shop.contracts.create(
        Customer("c"), Plan.one_off("p", PRICE, products=(Product(text, ProductType.BUYOUT),)), BankTransfer()
    ),
    "subscription": lambda shop, text: shop.contracts.create(
        Customer("c"), PLAN, Card("stripe", "pm_1"), subscription=text
    ),
    "idempotency_key": lambda shop, text: shop.charges.create("k-1", PRICE, consent="yes", idempotency_key=text),
    "actor.id": lambda shop, text: shop.charges.create("k-1", PRICE, consent="yes", actor=Actor.admin(text)),
    "reference": lambda shop, text: shop.charges.resolve("none", succeeded=True, note="seen", reference=text),
    "metadata": lambda shop, text: shop.charges.create("k-1", PRICE, consent="yes", metadata={text: "1"}),
}  # fmt: skip


@pytest.fixture
def shop():
    with Gateway(database="sqlite://", providers={"stripe": FakeStripe()}) as gateway:
        yield gateway


@pytest.fixture
def contract(shop):
    return shop.contracts.create(Customer("c-1"), PLAN, Card("stripe", "pm_1"), contract_id="k-1")


@pytest.mark.rule("R-424")
@pytest.mark.parametrize("hidden", HIDDEN, ids=ascii)
def test_every_character_that_takes_no_place_is_told_by_its_number(hidden):
    assert invisible(f"k-1{hidden}") == invisible(f"{hidden}k-1") == f"U+{ord(hidden):04X}"


@pytest.mark.rule("R-424")
@pytest.mark.parametrize(
    "text", ["k-1", "契約１", "ゴールド 会員", "café", "ｶﾅ", "한국", "१२", "ผู้", "①", "㈱", "髙﨑", "が"]
)
def test_what_can_be_seen_is_no_trouble(text):
    assert invisible(text) is None
    assert invisible(unicodedata.normalize("NFD", text)) is None


@pytest.mark.rule("R-424")
@pytest.mark.parametrize("place", IDS)
@pytest.mark.parametrize("hidden", ["\u200b", "\ufeff", "\u3164"], ids=ascii)
def test_no_id_holds_what_nobody_can_see(shop, contract, place, hidden):
    with pytest.raises(InvalidValue, match=rf"{place}.*U\+{ord(hidden):04X}"):
        IDS[place](shop, f"k{hidden}7")
    assert len(shop.contracts.list().all()) == 1
    assert len(shop.charges.list().all()) == 1


@pytest.mark.rule("R-424")
@pytest.mark.parametrize("name", ["葛\U000e0100城 花子", "न्\u200dयू", "نام\u200cه", "👨\u200d👩\u200d👧", "❤\ufe0f"])
def test_names_and_notes_keep_what_their_scripts_need(shop, name):
    made = shop.contracts.create(Customer("c-9", name), Plan.one_off(name, PRICE), Card("stripe", "pm_9"))
    charge = shop.charges.create(made.id, Money(500, "JPY"), consent=name, metadata={"note": name, "token": name})

    assert shop.contracts.details(made.id).customer.name == name
    assert (charge.consent.how, charge.metadata["note"]) == (name, name)


@pytest.mark.rule("R-424", "R-363")
@pytest.mark.parametrize("turned", ["\u202e", "\u2066", "\u202a"], ids=ascii)
def test_no_name_turns_the_direction_of_a_line(shop, turned):
    with pytest.raises(InvalidValue, match=r"customer\.name"):
        shop.contracts.create(Customer("c-9", f"花{turned}子"), PLAN, BankTransfer())


@pytest.mark.rule("R-424")
def test_what_is_looked_for_in_vain_is_told_to_hold_a_hidden_character(shop, contract):
    charge = shop.charges.list().all()[0]
    for call in (
        lambda: shop.contracts.get("k-1\u200b"),
        lambda: shop.charges.create("k-1\u200b", PRICE, consent="yes"),
        lambda: shop.charges.find("stripe", f"{charge.reference}\u200b"),
        lambda: shop.refunds.create(f"{charge.id}\u200b"),
        lambda: shop.ledger.get("\u200bx"),
    ):
        with pytest.raises(NotFound, match=r"U\+200B"):
            call()
    with pytest.raises(NotFound) as told:
        shop.contracts.get("k-2")
    assert "U+" not in str(told.value)


@pytest.mark.rule("R-424")
def test_an_imported_row_is_refused_alone(shop):
    rows = [
        NewContract(f"k-{n}{hidden}", Customer("c"), PLAN, BankTransfer(), dt.date(2026, 1, 1))
        for n, hidden in enumerate(("", "\u2060"))
    ]

    report = shop.contracts.import_many(rows, skip_invalid=True)

    assert report.imported == ("k-0",)
    assert "U+2060" in str(report.refused[0][1])


@pytest.mark.rule("R-424")
def test_no_account_has_such_a_name():
    with pytest.raises(ConfigurationError, match=r"U\+FEFF"):
        Gateway(database="sqlite://", providers={"\ufeffstripe": FakeStripe()})
