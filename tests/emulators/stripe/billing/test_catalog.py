"""Products and prices of the emulated Stripe."""

from __future__ import annotations

from typing import Any

import pytest

from paygate.testing.clock import ManualClock

Client = Any
Shop = Any


def test_a_product_is_made_changed_and_found(client: Client, clock: ManualClock) -> None:
    made = client.post("/products", {"id": "gold", "name": "Gold", "metadata": {"tier": "1"}})
    assert (made["id"], made["object"], made["active"]) == ("gold", "product", True)

    changed = client.post(
        "/products/gold", {"name": "Gold Plus", "description": "all of it", "images": ["https://a.example"]}
    )
    assert (changed["name"], changed["description"], changed["metadata"]) == ("Gold Plus", "all of it", {"tier": "1"})
    assert client.get("/products/gold") == changed
    client.post("/products/gold", {"description": ""})
    clock.advance(minutes=1)
    (found,) = client.get("/products/search", query='name:"Gold Plus" AND metadata["tier"]:"1"')["data"]
    assert (found["id"], found["description"]) == ("gold", None)
    assert client.types() == ["product.created", "product.updated", "product.updated"]


def test_the_id_of_a_product_serves_once_even_after_it_is_deleted(client: Client) -> None:
    client.post("/products", {"id": "gold", "name": "Gold"})
    assert client.refused("/products", {"id": "gold", "name": "Gold"})["code"] == "resource_already_exists"
    assert client.delete("/products/gold") == {"id": "gold", "object": "product", "deleted": True}
    assert client.refused("/products", {"id": "gold", "name": "Gold"})["param"] == "id"
    assert client.refused("/products/gold", method="GET", status=404)["code"] == "resource_missing"


def test_a_product_with_prices_cannot_be_deleted(client: Client, shop: Shop) -> None:
    error = client.refused(f"/products/{shop.product}", method="DELETE")

    assert "prices" in error["message"]


def test_products_are_listed_by_state_and_id(client: Client) -> None:
    for name in ("a", "b", "c"):
        client.post("/products", {"id": name, "name": name, "active": name != "b"})

    assert [one["id"] for one in client.get("/products", active="true")["data"]] == ["c", "a"]
    assert [one["id"] for one in client.get("/products", **{"ids[]": "b"})["data"]] == ["b"]


def test_a_product_brings_its_first_price_along(client: Client) -> None:
    data = {"currency": "jpy", "unit_amount": 980, "recurring": {"interval": "year"}}
    made = client.post("/products", {"name": "Gold", "default_price_data": data, "expand": ["default_price"]})

    price = made["default_price"]
    assert (price["unit_amount"], price["recurring"]["interval"], price["product"]) == (980, "year", made["id"])
    other = client.post("/prices", {"currency": "jpy", "unit_amount": 500, "product": made["id"]})
    assert client.post(f"/products/{made['id']}", {"default_price": other["id"]})["default_price"] == other["id"]


def test_the_default_price_of_a_product_is_one_of_its_own(client: Client, shop: Shop) -> None:
    other = client.post("/products", {"name": "Silver"})["id"]

    assert client.refused(f"/products/{other}", {"default_price": shop.price})["param"] == "default_price"


def test_a_price_says_how_often_it_is_paid(client: Client, shop: Shop) -> None:
    price = client.get(f"/prices/{shop.price}")
    assert (price["type"], price["unit_amount"], price["unit_amount_decimal"]) == ("recurring", 3000, "3000")
    assert (price["recurring"]["interval"], price["recurring"]["interval_count"]) == ("month", 1)
    once = shop.sell(500, None)
    assert (once["type"], once["recurring"]) == ("one_time", None)


def test_a_price_is_for_a_product_that_exists_or_is_described(client: Client) -> None:
    base = {"currency": "jpy", "unit_amount": 500}
    made = client.post("/prices", {**base, "product_data": {"name": "Silver"}, "expand": ["product"]})

    assert made["product"]["name"] == "Silver"
    assert client.refused("/prices", base)["param"] == "product"
    assert client.refused("/prices", {**base, "product": "prod_none"})["code"] == "resource_missing"
    assert (
        client.refused("/prices", {**base, "currency": "xyz", "product": made["product"]["id"]})["param"] == "currency"
    )


def test_prices_are_filtered_and_searched(client: Client, shop: Shop, clock: ManualClock) -> None:
    yearly = shop.sell(30_000, "year", lookup_key="gold-year", nickname="Yearly")
    once = shop.sell(500, None)
    client.post(f"/prices/{once['id']}", {"active": False, "metadata": {"old": "yes"}})

    def ids(**filters: str) -> list[str]:
        return [one["id"] for one in client.get("/prices", **filters)["data"]]

    assert ids(active="true") == [yearly["id"], shop.price]
    assert ids(type="one_time") == [once["id"]]
    assert ids(**{"recurring[interval]": "year"}) == [yearly["id"]]
    assert ids(**{"lookup_keys[]": "gold-year"}) == [yearly["id"]]
    assert ids(product=shop.product, currency="usd") == []
    clock.advance(minutes=1)
    for query in ('active:"false"', 'metadata["old"]:"yes"', 'type:"one_time"'):
        assert [one["id"] for one in client.get("/prices/search", query=query)["data"]] == [once["id"]]
    for query in ('lookup_key:"gold-year"', f'product:"{shop.product}" AND currency:"jpy" AND -lookup_key:null'):
        assert [one["id"] for one in client.get("/prices/search", query=query)["data"]] == [yearly["id"]]


def test_a_lookup_key_belongs_to_one_price_and_can_be_handed_over(client: Client, shop: Shop) -> None:
    first = shop.sell(1000, lookup_key="gold")["id"]
    second = shop.sell(1200)["id"]
    assert client.refused(f"/prices/{second}", {"lookup_key": "gold"})["param"] == "lookup_key"

    moved = client.post(f"/prices/{second}", {"lookup_key": "gold", "transfer_lookup_key": True})

    assert moved["lookup_key"] == "gold"
    assert client.get(f"/prices/{first}")["lookup_key"] is None


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"unit_amount": "-1"}, "unit_amount"),
        ({"recurring": {"interval": "decade"}}, "recurring[interval]"),
        ({"recurring": {"interval": "month", "interval_count": 0}}, "recurring[interval_count]"),
        ({"billing_scheme": "tiered"}, "billing_scheme"),
    ],
)
def test_a_price_that_makes_no_sense_is_refused(client: Client, shop: Shop, params: Any, param: str) -> None:
    body = {"currency": "jpy", "unit_amount": 500, "product": shop.product, **params}

    assert client.refused("/prices", body)["param"] == param
