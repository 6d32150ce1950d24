"""Callers' own texts: kept with contracts, charges and refunds, found again, handed to the provider (R-421 to R-423)."""

from __future__ import annotations

import datetime as dt

import attrs
import pytest

from paygate import BankTransfer, Card, Customer, Money, NewContract
from paygate.domain.charge import Charge, Refund
from paygate.domain.contract import Contract
from paygate.domain.metadata import Metadata, checked_metadata
from paygate.errors import CardNumberInText, IdempotencyConflict, InvalidValue, NotFound
from paygate.testing import Decline

ORDER = {"order": "77", "部門": "営業"}


def yen(amount: int) -> Money:
    return Money(amount, "JPY")


def ids(found):
    return [one.id for one in found]


@pytest.fixture
def labelled(world):
    """A contract, an additional charge and a refund of it, each with texts of its own, beside some without."""
    gateway = world.gateway
    contract = gateway.contracts.create(
        Customer("cus_1"), world.plan, Card("stripe", "pm_1"), contract_id="shop-1", metadata=ORDER
    )
    charge = world.settled(contract, 500, metadata={"order": "78"})
    refund = gateway.refunds.create(charge.id, yen(200), metadata={"ticket": "T-9"})
    plain = world.contract("stripe", customer="cus_2", token="pm_2")
    return world, gateway.contracts.get(contract.id), gateway.charges.get(charge.id), refund, plain


@pytest.mark.rule("R-421")
def test_texts_are_kept_and_found_by_all_of_them_on_both_databases(labelled):
    world, contract, charge, refund, plain = labelled
    gateway = world.gateway

    assert contract.metadata == ORDER
    assert charge.metadata == {"order": "78"}
    assert gateway.refunds.get(refund.id).metadata == {"ticket": "T-9"}
    assert gateway.contracts.get(plain.id).metadata == {}
    assert ids(gateway.contracts.list(metadata={"order": "77"})) == [contract.id]
    assert ids(gateway.contracts.list(metadata=ORDER)) == [contract.id]
    assert ids(gateway.contracts.list(metadata={**ORDER, "other": "x"})) == []
    assert ids(gateway.contracts.list(metadata={"order": "78"})) == []
    assert ids(gateway.charges.list(metadata={"order": "78"})) == [charge.id]
    assert ids(gateway.refunds.list(metadata={"ticket": "T-9"})) == [refund.id]
    assert ids(gateway.refunds.list(metadata={"ticket": "T-9"}, contract_id=plain.id)) == []


@pytest.mark.rule("R-421")
def test_pages_of_what_is_found_go_on(world):
    for number in range(5):
        world.gateway.contracts.create(
            Customer(f"c{number}"), world.plan, BankTransfer(), contract_id=f"k{number}",
            metadata={"lot": "odd" if number % 2 else "even"},
        )  # fmt: skip

    found = world.gateway.contracts.list(metadata={"lot": "even"}, page_size=1)

    assert ids(found) == ["k0", "k2", "k4"]


@pytest.mark.rule("R-422")
def test_what_is_charged_for_a_contract_carries_its_texts_and_those_of_the_attempt(labelled):
    world, contract, _, _, _ = labelled
    [first] = [one for one in world.gateway.charges.list(contract_id=contract.id) if one.kind.value == "INITIAL"]

    assert first.metadata == ORDER
    world.clock.advance(days=40)
    world.gateway.billing.run()
    periods = [one for one in world.gateway.charges.list(contract_id=contract.id) if one.kind.value == "PERIOD"]
    assert [one.metadata for one in periods] == [ORDER]


@pytest.mark.rule("R-422")
def test_the_provider_gets_the_texts_beside_paygates_own_ids(world):
    contract = world.contract("stripe")
    charge = world.settled(contract, 500, metadata=ORDER)
    refund = world.gateway.refunds.create(charge.id, yen(200), metadata={"ticket": "T-9"})

    sent = [dict(call.request.metadata) for call in world.stripe.calls if call.hook in {"charge", "refund"}]

    assert sent == [
        {**ORDER, "paygate_charge": charge.id, "paygate_contract": contract.id},
        {"ticket": "T-9", "paygate_refund": refund.id, "paygate_contract": contract.id},
    ]


@pytest.mark.rule("R-421", "R-190")
def test_texts_belong_to_what_the_key_stands_for(world):
    contract = world.contract("stripe")
    gateway = world.gateway
    charge = world.settled(contract, 500, idempotency_key="k1", metadata={"order": "1"})

    assert world.charge(contract, 500, idempotency_key="k1", metadata={"order": "1"}).id == charge.id
    for other in ({"order": "2"}, None, {"order": "1", "more": "x"}):
        with pytest.raises(IdempotencyConflict):
            world.charge(contract, 500, idempotency_key="k1", metadata=other)
    gateway.refunds.create(charge.id, yen(1), idempotency_key="r1", metadata={"a": "1"})
    with pytest.raises(IdempotencyConflict):
        gateway.refunds.create(charge.id, yen(1), idempotency_key="r1")
    for payment in (BankTransfer(), Card("stripe", "pm_9")):
        key = f"c-{type(payment).__name__}"
        made = gateway.contracts.create(
            Customer("c9"), world.one_off, payment, idempotency_key=key, metadata={"a": "1"}
        )
        again = gateway.contracts.create(
            Customer("c9"), world.one_off, payment, idempotency_key=key, metadata={"a": "1"}
        )
        assert again.id == made.id
        with pytest.raises(IdempotencyConflict):
            gateway.contracts.create(Customer("c9"), world.one_off, payment, idempotency_key=key)


@pytest.mark.rule("R-421", "R-285")
def test_without_texts_fingerprints_are_what_they_were(world):
    """Attempts that an earlier release wrote down are still repeated, not refused: these digests were computed by it."""
    from paygate.billing.services import fingerprint

    contract = world.contract("stripe")
    charge = world.settled(contract, 500, idempotency_key="k1")
    refund = world.gateway.refunds.create(charge.id, yen(1), idempotency_key="r1")

    how = charge.consent.how
    assert charge.fingerprint == fingerprint("addon", contract.id, yen(500), None, None, "ONE_OFF", how)
    assert refund.fingerprint == fingerprint("refund", charge.id, yen(1), False)
    [first] = [one for one in world.gateway.charges.list(contract_id=contract.id) if one.kind.value == "INITIAL"]
    assert first.fingerprint == fingerprint("contract", "cus_1", world.plan, None, "Card", "stripe")


@pytest.mark.rule("R-421")
@pytest.mark.parametrize(
    ("metadata", "says"),
    [
        ("order", "mapping"),
        ({"": "x"}, "1 to 40"),
        ({" order": "x"}, "blanks"),
        ({"k" * 41: "x"}, "1 to 40"),
        ({"order": "x" * 501}, "501 characters"),
        ({"order": ""}, "1 to 500"),
        ({"order": 77}, "int"),
        ({7: "x"}, "got 7"),
        ({"paygate_charge": "x"}, "paygate's own"),
        ({"Paygate_x": "x"}, "paygate's own"),
        ({"a[b]": "x"}, "square brackets"),
        ({f"k{n}": "x" for n in range(51)}, "at most 50"),
        ({"order": "a\x00b"}, "metadata.order"),
        ({"o\x1brder": "b"}, "metadata"),
    ],
    ids=range(14),
)
def test_what_cannot_be_kept_is_refused_by_name_and_nothing_is_sent(world, metadata, says):
    contract = world.contract("stripe")
    gateway = world.gateway
    charge = world.settled(contract, 500)
    world.stripe.calls.clear()

    for call in (
        lambda: gateway.contracts.create(Customer("c9"), world.plan, Card("stripe", "pm_9"), metadata=metadata),
        lambda: world.charge(contract, 600, metadata=metadata),
        lambda: gateway.refunds.create(charge.id, yen(1), metadata=metadata),
        lambda: list(gateway.contracts.list(metadata=metadata)),
        lambda: list(gateway.charges.list(metadata=metadata)),
        lambda: list(gateway.refunds.list(metadata=metadata)),
    ):
        with pytest.raises(InvalidValue, match=says):
            call()
    assert world.stripe.calls == []


@pytest.mark.rule("R-421", "R-362")
@pytest.mark.parametrize("key", ["order", "token", "credential"])
def test_no_card_number_hides_in_a_text(world, key):
    contract = world.contract("stripe")
    number = "4242" + "4242" * 3

    with pytest.raises(CardNumberInText):
        world.charge(contract, 500, metadata={key: number})


@pytest.mark.rule("R-421", "R-252")
def test_deleting_a_contract_forgets_its_texts_and_the_others_stay(labelled):
    world, contract, _, _, plain = labelled
    world.charge(plain, 600, metadata={"order": "78"})
    world.gateway.contracts.delete(contract.id, confirm=contract.id, reason="mistake")

    assert ids(world.gateway.contracts.list(metadata={"order": "77"})) == []
    assert [one.contract_id for one in world.gateway.charges.list(metadata={"order": "78"})] == [plain.id]
    again = world.gateway.contracts.create(Customer("cus_1"), world.plan, BankTransfer(), contract_id=contract.id)
    assert ids(world.gateway.contracts.list(metadata={"order": "77"})) == []
    assert again.metadata == {}


@pytest.mark.rule("R-421", "R-013")
def test_a_contract_that_a_late_payment_makes_has_its_texts(world):
    world.stripe.next(Decline())
    with pytest.raises(Exception, match="failed"):
        world.gateway.contracts.create(Customer("c9"), world.plan, Card("stripe", "pm_9"), metadata={"order": "1"})
    assert ids(world.gateway.contracts.list(metadata={"order": "1"})) == []
    assert len(world.gateway.charges.list(metadata={"order": "1"}).all()) == 1


@pytest.mark.rule("R-421")
def test_imported_contracts_have_texts_and_each_is_checked_alone(world):
    rows = [
        NewContract(f"k{n}", Customer("c"), world.plan, BankTransfer(), dt.date(2026, 1, 1), metadata=texts)
        for n, texts in enumerate([{"old": "A-1"}, {"paygate_x": "1"}, {}])
    ]

    report = world.gateway.contracts.import_many(rows, skip_invalid=True)

    assert report.imported == ("k0", "k2")
    assert ids(world.gateway.contracts.list(metadata={"old": "A-1"})) == ["k0"]


@pytest.mark.rule("R-423")
def test_a_charge_is_found_by_the_providers_reference(labelled):
    world, _, charge, _, _ = labelled
    gateway = world.gateway

    assert gateway.charges.find("stripe", charge.reference) == charge
    assert ids(gateway.charges.list(reference=charge.reference)) == [charge.id]
    assert ids(gateway.charges.list(reference=charge.reference, account="univapay")) == []
    with pytest.raises(NotFound, match="pi_unknown"):
        gateway.charges.find("stripe", "pi_unknown")
    with pytest.raises(NotFound):
        gateway.charges.find("univapay", charge.reference)
    with pytest.raises(NotFound):
        gateway.charges.find("nobody", charge.reference)


@pytest.mark.rule("R-421")
def test_texts_never_change_and_what_holds_them_can_be_hashed():
    given = {"b": "2", "a": "1"}
    kept = checked_metadata(given)
    given["c"] = "3"

    assert list(kept) == ["b", "a"]
    assert kept == Metadata({"a": "1", "b": "2"})
    assert str(kept) == str(Metadata({"a": "1", "b": "2"}))
    assert hash(kept) == hash(Metadata({"a": "1", "b": "2"}))
    for kind in (Contract, Charge, Refund):
        assert attrs.fields_dict(kind)["metadata"].default == {}
