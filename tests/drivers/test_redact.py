"""Nothing secret gets through: canaries in, no canary out."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paygate.drivers.redact import describe, mask_text, origin, redact_headers, redact_json
from paygate.flow import Request


def luhn(body: str) -> str:
    """Append the check digit to *body*."""
    total = sum(
        sum(divmod(int(digit) * (2 if place % 2 == 0 else 1), 10)) for place, digit in enumerate(reversed(body))
    )
    return f"{body}{-total % 10}"


VISA = "4242424242424242"
NUMBERS = [
    VISA,
    *map(luhn, ["422222222222", "37828224631000", "353011133330000", "67596498264384531", "630400000000000001"]),
]
KEY = "PRIVATE" + " KEY"  # in two pieces: no file here looks as if it held one
WIDE = str.maketrans("0123456789", "０１２３４５６７８９")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://api.acme.test", "https://api.acme.test"),
        ("https://api.acme.test/v1/charges", "https://api.acme.test/v1/charges"),
        ("https://user:canary@api.acme.test:8443/charges?canary=1#canary", "https://api.acme.test:8443/charges"),
        (
            "https://api.acme.test:443/payment_methods/pm_1canary/attach",
            "https://api.acme.test/payment_methods/…/attach",
        ),
        ("https://api.acme.test/chargePermissions/S03-1-canary", "https://api.acme.test/chargePermissions/…"),
        ("https://api.acme.test/stores/11ee-canary0/tokens/", "https://api.acme.test/stores/…/tokens/"),
        ("https://api.acme.test/inet/order.cgi?number=4242", "https://api.acme.test/inet/order.cgi"),
        (f"https://api.acme.test/{VISA}", "https://api.acme.test/…"),
        ("https://[::1]:8080/charges", "https://[::1]:8080/charges"),
        ("http://[canary", "<invalid url>"),
    ],
)
def test_a_url_is_shown_by_origin_and_words_only(url, shown) -> None:
    assert describe(Request("POST", url)) == f"POST {shown}"
    assert "canary" not in shown


def test_an_origin_leaves_out_the_default_port() -> None:
    assert origin("https://a.test:443/x") == origin("https://a.test/y") != origin("http://a.test/")


def test_header_values_are_kept_by_allow_list() -> None:
    headers = {"Authorization": "Bearer canary", "X-Request-ID": "req_1", "Set-Cookie": "canary", "Date": f"d {VISA}"}

    assert redact_headers(headers) == {
        "authorization": "<str>",
        "date": "d <card>",
        "set-cookie": "<str>",
        "x-request-id": "req_1",
    }


def test_json_values_are_kept_by_allow_list_and_replaced_by_their_type() -> None:
    value = {
        "id": "ch_1",
        "paid": True,
        "fee": 1.5,
        "note": None,
        "items": [{"id": "i", "secret": "canary"}, "text", 3],
        "card": {"number": VISA},
        "lines": ["canary"],
        "amount": 5000,
        "flag": False,
        "gone": None,
        "error": {"message": f"card {VISA} refused", "param": "canary"},
    }
    kept = redact_json(value, frozenset({"id", "paid", "fee", "note", "items", "error", "message"}))

    assert kept == {
        "id": "ch_1",
        "paid": True,
        "fee": 1.5,
        "note": None,
        "items": [{"id": "i", "secret": "<str>"}, "text", 3],
        "card": "<dict>",
        "lines": "<list>",
        "amount": "<int>",
        "flag": "<bool>",
        "gone": None,
        "error": {"message": "card <card> refused", "param": "<str>"},
    }


def test_json_without_keys_is_not_kept() -> None:
    assert redact_json(["canary", {"id": 1}, [2]], frozenset({"id"})) == ["<str>", {"id": 1}, ["<int>"]]
    assert redact_json("canary", frozenset()) == "<str>"


def test_card_numbers_hide_neither_in_keys_nor_in_numbers() -> None:
    assert redact_json({VISA: 1, "id": int(VISA)}, frozenset({"id"})) == {"<card>": "<int>", "id": "<card>"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just("canary"),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["id", "a", "b"]), inner),
)


@given(JSON)
def test_no_text_survives_where_no_key_is_allowed(value) -> None:
    assert "canary" not in json.dumps(redact_json(value, frozenset()))


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize(
    "shape",
    [
        lambda n: n,
        lambda n: n.translate(WIDE),
        lambda n: f"{n[:4]} {n[4:8]} {n[8:12]} {n[12:]}",
        lambda n: f"{n[:4]}-{n[4:8]}-{n[8:12]}-{n[12:]}",
        lambda n: f"{n[:4]} - {n[4:10]} - {n[10:]}",
        lambda n: f"{n[:4]}　{n[4:10]}－{n[10:]}".translate(WIDE),
        lambda n: f"{n[:6]}.{n[6:]}",
        " ".join,
        lambda n: f"x{n}y",
        lambda n: f"12 {n[:4]} {n[4:8]} {n[8:]} 34",
        lambda n: f"5000円 2024-11-08 {n[:4]}-{n[4:8]}-{n[8:]} 12/27",
        lambda n: json.dumps({"number": n}),
    ],
)
def test_a_card_number_is_masked_in_every_shape(number, shape) -> None:
    masked = mask_text(f"カード {shape(number)} は使えません")

    left = "".join(filter(str.isdigit, unicodedata.normalize("NFKC", masked)))
    assert "<card>" in masked
    assert number not in left
    assert masked.startswith("カード ")
    assert masked.endswith(" は使えません")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "order 12345",
        "4242424242424241",
        "2024-11-08T03:00:00Z",
        "03-1234-5678",
        "ch_3OqX9aLk",
        "42" * 20,
        "￥5,000",
    ],
)
def test_other_numbers_are_left_alone(text) -> None:
    assert mask_text(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer canary.canary",
        "bearer   canary-_~+/==",
        "Basic canary0YXJ5OmNhbmFyeQ==",
        r"\nAuthorization: Token canary0 refused by https:\/\/api.example.com\/v1",
        "key sk_live_canary0",
        "rk_test_canary, pk_live_canary",
        "whsec_canary+/=",
        "eyJhbGciOiJub25lIn0.canary.canary",
        "https://user:canary@api.acme.test/",
        "password=canary&x=1",
        '{"client_secret": "canary", "a": 1}',
        "cvc: canary",
        "stripe_token=canary",
        '{"accessToken":"canary"}',
        "X-Api-Key: canary",
        f"-----BEGIN RSA {KEY}-----\ncanary\n-----END RSA {KEY}-----",
        f"-----BEGIN {KEY}-----\ncanary",
    ],
)
def test_credentials_are_masked(text) -> None:
    masked = mask_text(f"before {text}")

    assert "canary" not in masked
    assert masked.startswith("before ")


@pytest.mark.parametrize(
    "text",
    [
        r"Authorization: Token canary0 refused by https:\/\/api.example.com\/v1",
        "Authorization: Token canary0 is not valid for store%20one",
        "X-Api-Key: canary0 &lt;- unknown",
        r"Cookie: session=canary0; path=\/a",
    ],
)
def test_a_header_at_the_very_beginning_is_masked_whatever_escapes_follow(text) -> None:
    assert "canary" not in mask_text(text)


def test_a_sentence_about_a_token_is_kept() -> None:
    assert mask_text("Invalid token: card expired") == "Invalid token: card expired"


@given(
    st.text("0123456789", min_size=12, max_size=18).map(luhn),
    st.text("abc :,円", max_size=5),
    st.text("abc :,円", max_size=5),
    st.sampled_from(["", " ", "-", "  ", "－"]),
)
def test_any_number_that_passes_luhn_is_masked_wherever_it_stands(number, before, after, gap) -> None:
    shown = gap.join([number[:4], number[4:9], number[9:]])

    assert mask_text(f"{before}{shown}{after}") == f"{before}<card>{after}"
