"""The outermost layer: keys, headers, forms, parameter tables, lists, expansions (provider fact sheet §3, §14)."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from paygate.flow import Request
from paygate.testing.clock import ManualClock
from paygate.testing.emulators import Fault, FaultKind
from paygate.testing.emulators.stripe import Behaviour, StripeEmulator
from paygate.testing.emulators.stripe.errors import ApiError
from paygate.testing.emulators.stripe.forms import read_form

Client = Any


def test_a_request_without_a_key_is_401_and_says_how_to_authenticate(client: Client) -> None:
    client.authorization = None

    response = client.send("GET", "/customers")

    assert response.status == 401
    assert response.headers["www-authenticate"] == 'Bearer realm="Stripe"'
    assert response.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize("header", ["Bearer", "Basic !!!", "Digest abc", f"Basic {base64.b64encode(b':x').decode()}"])
def test_a_header_that_holds_no_key_counts_as_none(client: Client, header: str) -> None:
    client.authorization = header

    assert "did not provide an API key" in client.refused("/customers", status=401)["message"]


def test_the_key_may_come_as_the_user_of_basic_authentication(client: Client, emulator: StripeEmulator) -> None:
    key = emulator.credentials_for_plugin()["api_key"]
    client.authorization = f"Basic {base64.b64encode(f'{key}:'.encode()).decode()}"

    assert client.get("/customers")["data"] == []


@pytest.mark.parametrize("key", ["sk_test_somebody_else_altogether", "sk_test_x"])
def test_another_key_is_refused_and_not_repeated(client: Client, key: str) -> None:
    client.authorization = f"Bearer {key}"

    message = client.refused("/customers", status=401)["message"]

    assert message.startswith("Invalid API Key provided")
    assert key not in message


@pytest.mark.parametrize("prefix", ["sk_live_", "rk_live_"])
def test_live_keys_are_refused_everywhere_and_never_repeated(client: Client, prefix: str) -> None:
    client.authorization = f"Bearer {prefix}51Abcdefghijklmnop"

    message = client.refused("/customers", status=401)["message"]

    assert "refuses live keys" in message
    assert "Abcdef" not in message
    with pytest.raises(ValueError, match="test keys only"):
        StripeEmulator(ManualClock.jst(2026, 1, 1), api_key=f"{prefix}51Abcdefghijklmnop")


def test_a_key_and_a_webhook_secret_of_ones_own_are_taken(clock: ManualClock) -> None:
    emulator = StripeEmulator(clock, api_key="rk_test_mine", webhook_secret="whsec_mine")

    assert emulator.credentials_for_plugin() == {"api_key": "rk_test_mine"}
    assert emulator.webhook_settings() == {"webhook_secret": "whsec_mine"}
    assert emulator.webhook_secret == "whsec_mine"


def test_connected_accounts_are_403(client: Client) -> None:
    response = client.send("GET", "/customers", headers={"Stripe-Account": "acct_1"})

    assert (response.status, response.json()["error"]["code"]) == (403, "account_invalid")


def test_every_answer_names_its_request_and_echoes_version_and_key(client: Client) -> None:
    sent = {"Stripe-Version": "2026-09-30.endive"}
    answers = [
        client.send("POST", "/customers", {}, key="k-1", headers=sent),
        client.send("POST", "/customers", {"no": 1}, key="k-1", headers=sent),
        client.send("GET", "/nothing", headers=sent),
    ]

    assert [answer.status for answer in answers] == [200, 400, 404]
    ids = {answer.headers["request-id"] for answer in answers}
    assert len(ids) == 3
    assert all(one.startswith("req_") for one in ids)
    assert {answer.headers["stripe-version"] for answer in answers} == {"2026-09-30.endive"}
    assert [answer.headers.get("idempotency-key") for answer in answers] == ["k-1", "k-1", None]
    assert client.send("GET", "/customers").headers["stripe-version"] == "2026-10-28.endive"


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/orders"), ("POST", "/customers/cus_1/dance"), ("PUT", "/customers")]
)
def test_unknown_routes_are_refused_like_the_provider_does(client: Client, method: str, path: str) -> None:
    error = client.refused(path, status=404, method=method)

    assert error["message"] == f"Unrecognized request URL ({method}: /v1{path})."
    assert error["type"] == "invalid_request_error"


def test_faults_answer_in_the_providers_own_format(client: Client, emulator: StripeEmulator) -> None:
    emulator.faults.add(Fault(FaultKind.ERROR, status=503))
    emulator.faults.add(Fault(FaultKind.RATE_LIMITED))

    emulator.faults.add(Fault(FaultKind.ERROR, status=409))
    emulator.faults.add(Fault(FaultKind.ERROR, status=403))

    broken, limited, conflict, forbidden = (client.send("GET", "/customers") for _ in range(4))

    assert conflict.json()["error"]["code"] == "idempotency_key_in_use"
    assert forbidden.json()["error"]["type"] == "invalid_request_error"
    assert limited.headers["stripe-rate-limited-reason"] == "global-rate"
    assert (broken.status, broken.json()["error"]["type"]) == (503, "api_error")
    assert (limited.status, limited.json()["error"]["code"]) == (429, "rate_limit")
    assert limited.headers["request-id"].startswith("req_")


# --- forms ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("", {}),
        ("a=1&b=", {"a": "1", "b": ""}),
        ("a=1&a=2", {"a": "2"}),
        ("a[b]=1&a[c][d]=2", {"a": {"b": "1", "c": {"d": "2"}}}),
        ("l[0]=x&l[1]=y", {"l": {"0": "x", "1": "y"}}),
        ("l[]=x&l[]=y", {"l": {"0": "x", "1": "y"}}),
        ("i[0][price]=p&i[0][quantity]=2", {"i": {"0": {"price": "p", "quantity": "2"}}}),
        (
            "i[][price]=p&i[][quantity]=2&i[][price]=q",
            {"i": {"0": {"price": "p", "quantity": "2"}, "1": {"price": "q"}}},
        ),
        ("m%5Bk%5D=%E3%81%82", {"m": {"k": "あ"}}),
    ],
)
def test_both_spellings_of_arrays_and_nested_names_are_read(text: str, form: object) -> None:
    assert read_form(text) == form


@pytest.mark.parametrize("text", ["[a]=1", "a[=1", "a=1&a[b]=2", "a[b]=1&a=2", "a]b=1", "=1", "&".join(["a=1"] * 2001)])
def test_forms_that_cannot_be_read_are_400(text: str) -> None:
    with pytest.raises(ApiError) as caught:
        read_form(text)

    assert caught.value.status == 400


def test_bodies_that_are_no_forms_are_400(client: Client) -> None:
    for body, kind in ((b"{}", "application/json"), (b"\xff=1", "application/x-www-form-urlencoded")):
        response = client.send("POST", "/customers", body, headers={"Content-Type": kind})
        assert (response.status, response.json()["error"]["type"]) == (400, "invalid_request_error")


def test_a_post_takes_parameters_from_its_query_too(client: Client) -> None:
    assert client.post("/customers?name=Hanako")["name"] == "Hanako"
    assert client.post("/customers?name=Hanako", {"email": "h@example.com"})["name"] == "Hanako"


# --- parameter tables -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "code", "param"),
    [
        ({"colour": "red"}, "parameter_unknown", "colour"),
        ({"address": {"planet": "Mars"}}, "parameter_unknown", "address[planet]"),
        ({"balance": "lots"}, "parameter_invalid_integer", "balance"),
        ({"balance": "--5"}, "parameter_invalid_integer", "balance"),
        ({"balance": "９"}, "parameter_invalid_integer", "balance"),
        ({"balance": {"a": 1}}, None, "balance"),
        ({"balance": ""}, "parameter_invalid_empty", "balance"),
        ({"name": "x" * 257}, None, "name"),
        ({"name": ["x"]}, None, "name"),
        ({"preferred_locales": "ja"}, None, "preferred_locales"),
        ({"preferred_locales": {"first": "ja"}}, None, "preferred_locales"),
        ({"address": "Tokyo"}, None, "address"),
        ({"shipping": {"name": "Hanako"}}, "parameter_missing", "shipping[address]"),
        ({"metadata": "all"}, None, "metadata"),
        ({"metadata": {"k" * 41: "v"}}, None, f"metadata[{'k' * 41}]"),
        ({"metadata": {"k": "v" * 501}}, None, "metadata[k]"),
        ({"metadata": {"k": {"deep": "er"}}}, None, "metadata[k]"),
        ({"metadata": {f"k{number}": "v" for number in range(51)}}, None, "metadata"),
        ({"test_clock": "clock_none"}, "resource_missing", "test_clock"),
    ],
)
def test_what_a_table_does_not_take_is_400_and_names_the_parameter(
    client: Client, params: dict[str, Any], code: str | None, param: str
) -> None:
    error = client.refused("/customers", params)

    assert (error.get("code"), error["param"]) == (code, param)
    assert ("doc_url" in error) == (code is not None)


def test_several_unknown_parameters_are_named_together(client: Client) -> None:
    assert client.refused("/customers", {"a": 1, "b": 1})["message"] == "Received unknown parameters: a, b"


@pytest.mark.parametrize(
    ("path", "params", "param"),
    [
        ("/payment_intents", {"amount": 500, "currency": "jpy", "confirm": "yes"}, "confirm"),
        ("/payment_intents", {"amount": 500, "currency": "jpy", "capture_method": "later"}, "capture_method"),
        ("/payment_intents", {"amount": 500, "currency": "jpy", "off_session": "maybe"}, "off_session"),
    ],
)
def test_booleans_and_choices_are_checked(client: Client, path: str, params: dict[str, Any], param: str) -> None:
    assert client.refused(path, params)["param"] == param


def test_metadata_is_merged_and_an_empty_value_deletes(client: Client) -> None:
    customer = client.post("/customers", {"metadata": {"a": 1, "b": 2, "c": 3}})["id"]

    assert client.post(f"/customers/{customer}", {"metadata": {"a": "", "b": 9}})["metadata"] == {"b": "9", "c": "3"}
    assert client.post(f"/customers/{customer}", {"name": "Hanako"})["metadata"] == {"b": "9", "c": "3"}
    assert client.post(f"/customers/{customer}", "metadata=")["metadata"] == {}


def test_an_empty_value_unsets_what_may_be_unset(client: Client) -> None:
    customer = client.post("/customers", {"name": "Hanako", "email": "h@example.com"})["id"]

    changed = client.post(f"/customers/{customer}", "name=&email=")

    assert (changed["name"], changed["email"]) == (None, None)


# --- lists ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def customers(client: Client, clock: ManualClock) -> list[str]:
    """Twelve customers, a minute apart, oldest first."""
    made = []
    for _ in range(12):
        made.append(client.post("/customers")["id"])
        clock.advance(minutes=1)
    return made


def ids(page: Any) -> list[str]:
    return [one["id"] for one in page["data"]]


def test_a_list_is_newest_first_and_ten_long(client: Client, customers: list[str]) -> None:
    page = client.get("/customers")

    assert (page["object"], page["url"], page["has_more"]) == ("list", "/v1/customers", True)
    assert ids(page) == customers[:1:-1]


def test_cursors_page_in_both_directions(client: Client, customers: list[str]) -> None:
    newest = customers[::-1]

    after = client.get("/customers", limit=3, starting_after=newest[2])
    assert (ids(after), after["has_more"]) == (newest[3:6], True)
    last = client.get("/customers", limit=3, starting_after=newest[8])
    assert (ids(last), last["has_more"]) == (newest[9:], False)
    before = client.get("/customers", limit=3, ending_before=newest[6])
    assert (ids(before), before["has_more"]) == (newest[3:6], True)
    first = client.get("/customers", limit=3, ending_before=newest[2])
    assert (ids(first), first["has_more"]) == (newest[:2], False)


def test_a_cursor_that_names_nothing_is_400(client: Client, customers: list[str]) -> None:
    error = client.refused("/customers", {"starting_after": "cus_none"}, method="GET")
    assert (error["code"], error["param"]) == ("resource_missing", "starting_after")

    both = {"starting_after": customers[0], "ending_before": customers[1]}
    assert client.refused("/customers", both, method="GET")["param"] == "ending_before"


@pytest.mark.parametrize("limit", ["0", "101", "ten"])
def test_a_limit_is_between_1_and_100(client: Client, limit: str) -> None:
    assert client.refused("/customers", {"limit": limit}, method="GET")["code"] == "parameter_invalid_integer"


def test_lists_filter_by_the_moment_of_creation(client: Client, customers: list[str]) -> None:
    moments = [client.get(f"/customers/{one}")["created"] for one in customers]

    assert ids(client.get("/customers", **{"created[gte]": moments[10]})) == customers[:9:-1]
    assert ids(client.get("/customers", **{"created[gt]": moments[10]})) == customers[:10:-1]
    assert ids(client.get("/customers", **{"created[lt]": moments[2], "created[lte]": moments[5]})) == customers[1::-1]
    assert ids(client.get("/customers", created=moments[4])) == [customers[4]]


# --- expansions -----------------------------------------------------------------------------------------------------


def test_references_expand_four_levels_deep_also_in_lists(client: Client, card: str) -> None:
    intent = client.charge(card)["id"]
    client.post("/refunds", {"payment_intent": intent})
    paths = ["data.charge.payment_intent.customer", "data.charge.payment_intent.payment_method"]

    (refund,) = client.get("/refunds", expand=paths)["data"]

    assert refund["charge"]["payment_intent"]["customer"]["email"] == "hanako@example.com"
    assert refund["charge"]["payment_intent"]["payment_method"]["card"]["last4"] == "4242"
    assert client.get("/refunds")["data"][0]["charge"].startswith("ch_")


def test_an_empty_reference_stays_empty_and_a_deleted_customer_says_so(client: Client) -> None:
    intent = client.pay()["id"]
    assert client.get(f"/payment_intents/{intent}", expand=["customer"])["customer"] is None

    customer = client.post("/customers")["id"]
    open_one = client.post("/payment_intents", {"amount": 500, "currency": "jpy", "customer": customer})["id"]
    client.delete(f"/customers/{customer}")
    shown = client.get(f"/payment_intents/{open_one}", expand=["customer"])["customer"]
    assert shown == {"id": customer, "object": "customer", "deleted": True}


@pytest.mark.parametrize(
    "path", ["amount", "customer.email.x", "nothing", "metadata", "a.b.c.d.e", "data.x", "payment_method_types.x"]
)
def test_what_cannot_be_expanded_is_400(client: Client, card: str, path: str) -> None:
    intent = client.charge(card)["id"]

    assert client.refused(f"/payment_intents/{intent}", {"expand": [path]}, method="GET")["param"] == "expand"


def test_a_list_may_name_its_own_data_in_an_expansion(client: Client, customers: list[str]) -> None:
    assert ids(client.get("/customers", expand=["data"], limit=2)) == customers[:9:-1]


# --- the whole ------------------------------------------------------------------------------------------------------


def test_a_reset_forgets_everything_but_the_key(client: Client, emulator: StripeEmulator, card: str) -> None:
    client.charge(card)
    emulator.set_webhook_target("https://shop.example/hook")

    emulator.reset()

    assert emulator.book.movements == ()
    assert client.get("/customers")["data"] == []
    assert client.get("/events")["data"] == []
    assert client.get("/webhook_endpoints")["data"] == []


def test_ids_have_the_providers_form_and_the_same_run_gives_the_same_ids(clock: ManualClock) -> None:
    first, second = (StripeEmulator(clock).store_card() for _ in range(2))
    clock.advance(seconds=1)

    assert first == second
    assert StripeEmulator(clock).store_card() != first
    customer, method = first.split("/")
    assert (customer[:4], len(customer), method[:3], len(method)) == ("cus_", 18, "pm_", 27)


def test_a_path_that_is_escaped_is_read(client: Client) -> None:
    assert client.refused("/customers/cus%5F%2F1", status=404, method="GET")["message"] == "No such customer: 'cus_/1'"


def test_the_behaviour_can_be_given(clock: ManualClock) -> None:
    emulator = StripeEmulator(clock, behaviour=Behaviour(raw_cards=False))

    assert not emulator.behaviour.raw_cards


def test_a_post_without_a_body_is_read_as_an_empty_form(emulator: StripeEmulator) -> None:
    headers = {"Authorization": f"Bearer {emulator.credentials_for_plugin()['api_key']}"}

    assert emulator.handle(Request("POST", "https://api.stripe.com/v1/customers", headers)).status == 200


NASTY = [
    "",
    "-1",
    "99999999999999999999999",
    "９",
    "true",
    "\x00",
    "x" * 6000,
    "pm_card_",
    "tok_",
    "_",
    "pi_%",
    "ch_none",
]


def test_no_parameter_of_any_route_makes_the_emulator_stumble(emulator: StripeEmulator, client: Client) -> None:
    """Every parameter of every route with values that nobody expects: an answer of the provider's form, always."""
    customer, method = emulator.store_card().split("/")
    intent = client.pay()
    known = {
        "customers": customer,
        "payment_methods": method,
        "payment_intents": intent["id"],
        "charges": intent["latest_charge"],
        "refunds": client.post("/refunds", {"payment_intent": intent["id"], "amount": 1})["id"],
        "setup_intents": client.post("/setup_intents")["id"],
        "webhook_endpoints": client.post("/webhook_endpoints", {"url": "https://a.b", "enabled_events": ["*"]})["id"],
    }
    statuses = set()
    routes = [route for resource in emulator._state.resources.values() for route in resource.routes()]
    for route in routes:
        collection = route.pattern.split("/")[2]
        path = route.pattern.removeprefix("/v1").replace("{id}", known.get(collection, "x")).replace("{method}", method)
        for name in [*route.params, "expand"]:
            for value in (*NASTY, {"a": "b"}, {"0": {"a": "b"}}, {"0": ""}, {"gte": "x"}):
                response = client.send(route.method, path, {name: value})
                assert (response.status == 200) == ("error" not in response.json())
                statuses.add(response.status)
    assert statuses <= {200, 400, 402, 403, 404}


@pytest.mark.rule("R-378")
def test_a_browsers_key_makes_cards_and_confirms_what_it_has_the_secret_of(
    client: Client, emulator: StripeEmulator
) -> None:
    body = {
        "amount": 500,
        "currency": "jpy",
        "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
    }
    intent = client.post("/payment_intents", body)
    client.authorization = f"Bearer {emulator.public_credentials()['publishable_key']}"
    path, secret = f"/payment_intents/{intent['id']}", {"client_secret": intent["client_secret"]}
    method = client.post("/payment_methods", {"type": "card", "card": {"token": "tok_visa"}})["id"]

    assert client.get(path, **secret)["status"] == "requires_payment_method"
    for refused in (("GET", path), ("POST", f"{path}/confirm"), ("GET", "/customers"), ("POST", "/refunds")):
        assert client.send(*refused, {"payment_method": method} if refused[0] == "POST" else None).status == 403
    wrong = {"payment_method": method, "client_secret": "pi_1_secret_2"}
    assert client.refused(f"{path}/confirm", wrong)["param"] == "client_secret"
    assert client.post(f"{path}/confirm", {"payment_method": method, **secret})["status"] == "succeeded"
