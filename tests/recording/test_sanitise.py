"""What stays of an exchange, and what takes the place of the rest."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paygate.errors import PluginError
from paygate.flow import Request, Response
from paygate.testing.recording import AllowList, allow_list
from paygate.testing.recording.lists import SHIPPED
from paygate.testing.recording.pseudonyms import Pseudonyms, is_id
from paygate.testing.recording.sanitise import Sanitiser

CARD = "4242" * 4
WIDE_CARD = CARD.translate({ord(digit): ord(digit) + 0xFEE0 for digit in "0123456789"})

ALLOW = AllowList(
    provider="acme",
    headers="content-type retry-after",
    keep="amount currency status paid metadata card exp_year items note",
    ids="id customer charge idempotency-key paygate_charge",
    links="url",
    words="charges refunds",
)
SANITISER = Sanitiser(ALLOW)

JSON = {"content-type": "application/json"}
FORM = {"content-type": "application/x-www-form-urlencoded"}


def sanitised(content: object) -> object:
    return json.loads(SANITISER.response(Response(200, JSON, json.dumps(content).encode())).body)


def form(text: str) -> str:
    return SANITISER.request(Request("POST", "https://api.acme.test/charges", FORM, text.encode())).body.decode()


def url(text: str) -> str:
    return SANITISER.request(Request("GET", text)).url


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("amount", 3980, 3980),
        ("status", "succeeded", "succeeded"),
        ("paid", True, True),
        ("amount", None, None),
        ("items", ["a", 1], ["a", 1]),
        ("id", "ch_3OqX9", "ch_3OqX9"),
        ("url", "https://user:pw@pay.acme.test/redirect/secret?s=1", "https://pay.acme.test/hidden"),
        ("url", "not a link", "<text:10>"),
        ("name", "花子", "<text:2>"),
        ("name", "", ""),
        ("number", "4242 4242", "<text:9>"),
        ("phone", "0312345678", "1111111111"),
        ("phone", "０３１２", "1111"),
        ("balance", 512, 0),
        ("rate", 1.5, 0.0),
        ("member", True, False),
        ("tags", ["vip", 7, {"of": "hanako"}], ["<text:3>", 0, {}]),
        ("address", {"hanako@example.com": 1}, {}),
        ("card", {"exp_year": 2030, "last4": "4242"}, {"exp_year": 2030, "last4": "1111"}),
    ],
)
def test_a_field_is_kept_turned_or_replaced_by_something_of_its_shape(name, value, shown) -> None:
    assert sanitised({name: value}) == {name: shown}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"card {CARD} refused", "card <card> refused"),
        (f"card {WIDE_CARD}", "card <card>"),
        ("Bearer abc.def", "Bearer <secret>"),
        ("write to hanako@example.com", "write to <email>"),
        ("hanako＠example.com", "<email>"),
        ("３０００円", "３０００円"),
    ],
)
def test_kept_text_is_searched_for_cards_credentials_and_addresses(text, shown) -> None:
    assert sanitised({"note": text}) == {"note": shown}


def test_a_number_that_is_a_card_is_not_kept() -> None:
    assert sanitised({"amount": int(CARD)}) == {"amount": 0}


@pytest.mark.parametrize(
    "value", [CARD, "hanako@example.com", "sk_" + "test_canary1", "two words", "eyJhbGciOi.eyJzdWIi.c2ln"]
)
def test_what_stands_where_an_id_belongs_but_is_none_is_replaced(value) -> None:
    assert not is_id(value)
    assert sanitised({"id": value})["id"] in {f"<text:{len(value)}>", "1" * len(value)}


@pytest.mark.parametrize("name", [CARD, "hanako@example.com", "花子", "a b"])
def test_a_key_that_may_be_data_is_replaced(name) -> None:
    assert name not in json.dumps(sanitised({name: 1, "status": {name: 1}}), ensure_ascii=False)


def test_headers_are_kept_by_name_and_those_that_authenticate_show_not_even_their_length() -> None:
    headers = {
        "Authorization": "Bearer canary",
        "X-Api-Key": "canary",
        "Set-Cookie": "canary",
        "Stripe-Signature": "canary",
        "X-Request": "canary",
        "Retry-After": "2",
        "Idempotency-Key": "order-1",
    }

    assert SANITISER.request(Request("GET", "https://api.acme.test/", headers)).headers == {
        "authorization": "<secret>",
        "x-api-key": "<secret>",
        "set-cookie": "<secret>",
        "stripe-signature": "<secret>",
        "x-request": "<text:6>",
        "retry-after": "2",
        "idempotency-key": "order-1",
    }


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("https://api.acme.test", "https://api.acme.test"),
        ("https://key:canary@api.acme.test:8443/v1/charges/", "https://api.acme.test:8443/v1/charges/"),
        ("https://api.acme.test/charges/ch_1/refunds?amount=5&name=hanako", "https://api.acme.test/charges/ch_1/refunds?amount=5&name=<text:6>"),
        ("https://api.acme.test/charges/hanako%40example.com", "https://api.acme.test/charges/<text:18>"),
        ("https://api.acme.test/charges?metadata[paygate_charge]=c1#canary", "https://api.acme.test/charges?metadata[paygate_charge]=c1"),
    ],
)  # fmt: skip
def test_of_a_url_the_words_stay_and_the_fields_that_are_kept(before, after) -> None:
    assert url(before) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("amount=5000&currency=JPY", "amount=5000&currency=JPY"),
        ("card[exp_year]=2030&card[number]=" + CARD, "card[exp_year]=2030&card[number]=" + "1" * 16),
        ("items[0][amount]=5&items[1][name]=hanako", "items[0][amount]=5&items[1][name]=<text:6>"),
        ("billing[amount]=5", "billing[amount]=1"),
        ("customer=cus_1&status=", "customer=cus_1&status="),
        ("hanako%40example.com=1", "<text:18>=1"),
    ],
)
def test_forms_are_read_like_json(before, after) -> None:
    assert form(before) == after


def test_a_body_that_is_neither_json_nor_form_is_replaced_as_a_whole() -> None:
    html = Response(502, {"content-type": "text/html"}, b"<html>canary</html>")
    half = Response(200, JSON, b'{"id":"ch_1","sta')

    assert SANITISER.response(html).body == b"<text:19>"
    assert SANITISER.response(half).body == b"<text:17>"
    assert SANITISER.response(Response(204)).body == b""


NAMES = st.sampled_from(
    ["id", "amount", "status", "url", "card", "metadata", "name", "email", "paygate_charge", "items"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 10**9) | st.text(max_size=20) | st.sampled_from([CARD, "a@b.example"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


@given(VALUES)
def test_sanitising_twice_changes_nothing_more(content) -> None:
    once = sanitised(content)

    assert sanitised(once) == once


SYNTAXES = {
    "JSON": lambda name, value: (JSON, json.dumps({name: value}).encode(), ""),
    "nested JSON": lambda name, value: (JSON, json.dumps({"card": {"items": [{name: value}]}}).encode(), ""),
    "form": lambda name, value: (FORM, f"{name}={value}".encode(), ""),
    "nested form": lambda name, value: (FORM, f"card[{name}]={value}".encode(), ""),
    "query": lambda name, value: ({}, b"", f"?{name}={value}"),
    "header": lambda name, value: ({name.replace("_", "-"): value}, b"", ""),
    "path": lambda name, value: ({}, b"", f"/{name}/{value}@"),
}


@pytest.mark.parametrize("provider", SHIPPED)
@pytest.mark.parametrize("syntax", SYNTAXES)
def test_no_canary_passes_whatever_field_it_sits_in(provider, syntax) -> None:
    stems = (
        "name first_name last_name kana email phone tel address line1 postal_code city cardholder number card_number "
    )
    stems += (
        "cvc cvv security_code pin secret client_secret token access_token api_key password authorization session_id "
    )
    stems += (
        "birthday ip ip_address user_agent description message note memo statement last4 last_four fingerprint iban"
    )
    fields = [f"{prefix}{stem}" for stem in stems.split() for prefix in ("", "customer_", "billing_", "card_")]
    sanitiser = Sanitiser(allow_list(provider))

    for name in fields:
        headers, body, rest = SYNTAXES[syntax](name, "canary")
        asked = sanitiser.request(Request("POST", f"https://api.acme.test{rest}", headers, body))
        assert "canary" not in f"{asked.url} {dict(asked.headers)} {asked.body!r}", name


# --- ids ---


@pytest.mark.parametrize(
    ("real", "shown"),
    [
        ("ch_3OqX9a7B", "ch_xxxxxxx1"),
        ("cs_test_a1B2", "cs_test_xxx1"),
        ("11F0A1B2-1111-4a00-8000-00000000a001", "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaa1"),
        ("0123456789abcdef" * 2, "a" * 31 + "1"),
        ("S03-1234567-1234567", "S03-xxxxxxxxxxxxxx1"),
        ("20260115", "99999991"),
        ("order.77", "id-xxx1"),
    ],
)
def test_a_made_up_id_keeps_prefix_form_and_length(real, shown) -> None:
    assert Pseudonyms().replace(real) == shown


@pytest.mark.parametrize("number", range(1, 60))
def test_no_made_up_id_looks_like_a_card_number(number) -> None:
    names = Pseudonyms()
    names.know(f"id-{one}" for one in range(number - 1))
    digits = names.replace("1234567890123456")

    assert (len(digits), digits.isdigit(), is_id(digits)) == (16, True, True)


def test_the_same_id_gets_the_same_name_and_another_one_another() -> None:
    names = Pseudonyms()

    assert [names.replace(one) for one in ("ch_a", "ch_b", "ch_a")] == ["ch_1", "ch_2", "ch_1"]


def test_a_replay_gives_the_test_its_own_ids_back_and_keeps_those_of_the_cassette() -> None:
    recorded = Pseudonyms()
    for real in ("cus_mine", "ch_theirs", "re_mine"):
        recorded.replace(real)
    replayed = Pseudonyms()

    assert replayed.replace("cus_another") == "cus_xxxxxx1"
    assert replayed.restore("cus_xxxxxx1") == "cus_another"
    assert replayed.restore("ch_xxxxx2") == replayed.replace("ch_xxxxx2") == "ch_xxxxx2"
    assert replayed.replace("re_other") == "re_xxxx3"


def test_ids_joined_by_a_slash_are_named_one_by_one() -> None:
    names = Pseudonyms()
    asked = SANITISER.request(
        Request("GET", "https://api.acme.test/", {"idempotency-key": "cus_1/pm_1"}), names.replace
    )

    assert asked.headers["idempotency-key"] == "cus_1/pm_2"


def test_a_number_that_is_an_id_remains_a_number() -> None:
    names = Pseudonyms()
    answer = SANITISER.response(Response(200, JSON, b'{"id":123456}'), names.replace)

    assert answer.body == b'{"id":999991}'


# --- the lists ---


def test_the_shipped_lists_keep_no_field_that_names_a_person_or_a_secret() -> None:
    never = {"name", "email", "phone", "address", "number", "cvc", "cvv", "client_secret", "secret", "last4", "message"}

    assert {name for one in SHIPPED.values() for name in one.keep | one.ids | one.links} & never == set()


def test_a_provider_without_a_list_is_told_how_to_declare_one() -> None:
    with pytest.raises(PluginError, match=r"entry point 'acme' of the group 'paygate\.recordings'"):
        allow_list("acme")


@pytest.mark.parametrize(("value", "found"), [("ALLOW", True), ("JSON", False)])
def test_a_package_brings_its_list_by_an_entry_point(tmp_path, monkeypatch, value, found) -> None:
    (tmp_path / "acme_recordings.py").write_text(
        "from paygate.testing.recording import AllowList\nALLOW = AllowList(provider='acme', keep='amount')\nJSON = {}\n"
    )
    info = tmp_path / "paygate_acme-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: paygate-acme\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[paygate.recordings]\nacme = acme_recordings:{value}\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    if found:
        assert allow_list("acme").keep == {"amount"}
    else:
        with pytest.raises(PluginError, match="is not an AllowList"):
            allow_list("acme")
