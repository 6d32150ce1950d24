"""Customers: found, listed, put right; their data is in one table alone (R-406)."""

import pytest

from paygate.domain.contract import Actor
from paygate.errors import CardNumberInText, InvalidValue, NotFound, PermissionDenied


@pytest.mark.rule("R-406")
def test_customers_are_found_listed_by_id_and_by_address(faces):
    for number in (2, 1, 3):
        faces.contract("stripe", customer=f"cus_{number}")

    assert faces.gateway.customers.get("cus_2").email == "cus_2@example.com"
    assert [one.id for one in faces.gateway.customers.list(page_size=2)] == ["cus_1", "cus_2", "cus_3"]
    assert [one.id for one in faces.gateway.customers.list(email="cus_3@example.com")] == ["cus_3"]
    with pytest.raises(NotFound):
        faces.gateway.customers.get("cus_9")


@pytest.mark.rule("R-406")
def test_an_address_is_put_right_and_the_audit_trail_does_not_copy_it(world):
    contract = world.contract("stripe")

    changed = world.gateway.customers.update("cus_1", email="new@example.com", reason="told by phone")
    same = world.gateway.customers.update("cus_1", name="山田花子")

    assert (changed.name, changed.email) == ("山田花子", "new@example.com")
    assert same == world.gateway.customers.get("cus_1") == world.gateway.contracts.details(contract.id).customer
    (record,) = [one for one in world.gateway.audit.list() if one.action == "update_customer"]
    assert (record.after, record.reason) == ({"customer": "cus_1", "changed": ["email"]}, "told by phone")
    assert "new@example.com" not in str(record)
    assert "example.com" not in repr(changed)


@pytest.mark.rule("R-406")
def test_an_empty_text_removes_and_nothing_leaves(world):
    world.contract("stripe")

    assert world.gateway.customers.update("cus_1", name="").name == ""
    assert world.gateway.customers.get("cus_1").email == "cus_1@example.com"


@pytest.mark.rule("R-406", "R-362", "R-267")
@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"email": "nobody"}, InvalidValue),
        ({"email": "a@example.com\nBcc: b@example.com"}, InvalidValue),
        ({"email": "a@example.com, b@example.com"}, InvalidValue),
        ({"name": "4242 4242 4242 4242"}, CardNumberInText),
        ({"name": "\0"}, InvalidValue),
        ({"name": "x", "actor": Actor.customer("cus_2")}, PermissionDenied),
    ],
)
def test_what_is_no_name_or_address_is_refused_and_nothing_changes(world, given, error):
    world.contract("stripe")
    before = world.gateway.customers.get("cus_1")

    with pytest.raises(error):
        world.gateway.customers.update("cus_1", **given)

    assert world.gateway.customers.get("cus_1") == before


@pytest.mark.rule("R-406")
def test_customers_put_their_own_data_right(world):
    world.contract("stripe")

    assert world.gateway.customers.update("cus_1", name="花子", actor=Actor.customer("cus_1")).name == "花子"
    with pytest.raises(NotFound):
        world.gateway.customers.update("cus_9", name="x")
