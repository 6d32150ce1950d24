"""The scan finds what must not be in a cassette, shows where, and never what."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest

from paygate.flow import Request, Response
from paygate.testing.recording import AllowList, Mode, Origin, cassette, scan_cassettes

ROOT = Path(__file__).resolve().parents[2]
CARD = "4242" * 4
WIDE_CARD = CARD.translate({ord(digit): ord(digit) + 0xFEE0 for digit in "0123456789"})
ACME = AllowList(provider="acme", headers="content-type", keep="amount note", ids="id", words="charges")
JSON = {"content-type": "application/json"}

HEAD = "origin: {kind: published sample, provider: acme, detail: reference}\nversion: 1\n"


def write(
    path: Path, *, uri: str = "https://api.acme.test/charges", sent: str = "", got: object = "", **headers
) -> None:
    """A cassette as somebody might have written it by hand, past all sanitising."""
    exchange = {
        "request": {"method": "POST", "uri": uri, "body": sent, "headers": {"content-type": ["application/json"]}},
        "response": {
            "status": {"code": 200, "message": ""},
            "headers": {name: [value] for name, value in headers.items()},
            "body": {"string": got if isinstance(got, str) else json.dumps(got)},
        },
    }
    path.write_text(f"{HEAD}interactions:\n- {json.dumps(exchange)}\n")


def found(path: Path) -> list[str]:
    return [str(finding).removeprefix(f"{path}: ") for finding in scan_cassettes(path, [ACME])]


FORBIDDEN = {
    "a card number": CARD,
    "a card number in groups": "4242-4242-4242-4242",
    "a full-width card number": WIDE_CARD,
    "an e-mail address": "hanako@example.com",
    "a full-width e-mail address": "hanako＠example.com",
    "a bearer token": "Bearer abcdefgh",
    "a secret key": "sk_" + "test_canary1234",
    "a live key": "rk_" + "live_canary1234",
    "a webhook secret": "whsec_canary1234",
    "a JWT": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmVk",
    "a password": "password=canary1234",
}


@pytest.mark.parametrize("secret", FORBIDDEN.values(), ids=FORBIDDEN)
@pytest.mark.parametrize(
    "place",
    [
        pytest.param(lambda text: {"got": {"note": text}}, id="response body"),
        pytest.param(lambda text: {"got": {"list": [{"deep": text}]}}, id="deep in the response body"),
        pytest.param(lambda text: {"got": {text: 1}}, id="a key of the response body"),
        pytest.param(lambda text: {"got": f"<html>{text}</html>"}, id="HTML"),
        pytest.param(lambda text: {"sent": json.dumps({"amount": text})}, id="request body"),
        pytest.param(lambda text: {"sent": f"amount=1&note={text}"}, id="form"),
        pytest.param(lambda text: {"uri": f"https://api.acme.test/charges?note={text}"}, id="query"),
        pytest.param(lambda text: {"content-type": f"x {text}"}, id="header"),
    ],
)
def test_what_must_never_be_there_is_found_wherever_it_is(tmp_path, secret, place) -> None:
    path = tmp_path / "acme.yaml"
    write(path, **place(secret))

    findings = found(path)

    assert any(word in text for text in findings for word in ("a card number", "a credential", "an e-mail address"))
    assert not any(secret in text for text in findings)


def test_a_finding_names_file_place_and_problem(tmp_path) -> None:
    path = tmp_path / "acme.yaml"
    write(path, got={"amount": 5, "note": CARD})

    assert str(scan_cassettes(path, [ACME])[0]) == f"{path}: exchange 1, response body, note: a card number"


@pytest.mark.parametrize(
    ("parts", "part"),
    [
        ({"got": {"name": "Hanako"}}, "response body"),
        ({"x-shop": "Hanako"}, "response headers"),
        ({"sent": '{"name":"Hanako"}'}, "request body"),
        ({"uri": "https://api.acme.test/charges?name=Hanako"}, "request URL"),
    ],
)
def test_what_the_allow_list_does_not_let_through_is_found_though_it_looks_harmless(tmp_path, parts, part) -> None:
    path = tmp_path / "acme.yaml"
    write(path, **parts)

    assert found(path) == [f"exchange 1, {part}: holds what the allow-list does not let through"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("interactions: []\nversion: 1\n", "origin: no 'origin' with kind, provider and detail"),
        ("origin: {provider: acme}\ninteractions: []\n", "origin: the origin does not say its kind, detail"),
        (
            "origin: {kind: sandbox, provider: nobody, detail: 2026-01-15}\ninteractions: []\n",
            "origin: the origin does",
        ),
        ("origin: {kind: emulator, provider: nobody, detail: x}\ninteractions: []\n", "origin: no allow-list says"),
        ("just text", "the file: not a cassette"),
        ("interactions: [{request: 1}]\n", "the file: not a cassette"),
        ("a: !!python/object:os.system {}\n", "the file: not a cassette"),
    ],
)
def test_a_file_that_does_not_say_what_it_is_is_found(tmp_path, text, said) -> None:
    path = tmp_path / "acme.yaml"
    path.write_text(text)

    assert [finding[: len(said)] for finding in found(path)] == [said]


def test_a_folder_is_scanned_to_its_depth_and_nothing_is_not_everything(tmp_path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    write(tmp_path / "a" / "one.yml", got={"name": "Hanako"})
    write(tmp_path / "a" / "b" / "two.yaml", got={"name": "Hanako"})
    (tmp_path / "a" / "notes.txt").write_text(CARD)

    assert [finding.path.name for finding in scan_cassettes(tmp_path, [ACME])] == ["two.yaml", "one.yml"]
    with pytest.raises(FileNotFoundError, match="no such cassette or folder"):
        scan_cassettes(tmp_path / "elsewhere")


def test_what_was_recorded_passes(tmp_path) -> None:
    path = tmp_path / "acme.yaml"
    asked = Request("POST", "https://api.acme.test/charges/ch_1?note=a", {**JSON, "authorization": "Bearer abcdefgh"})
    answered = Response(
        200, JSON, json.dumps({"id": "ch_1", "note": f"{CARD}, hanako@example.com", "name": "花子"}).encode()
    )
    with cassette(path, ACME, mode=Mode.ALL, origin=Origin.sample("acme", "reference")) as recording:
        recording.add(asked, answered)

    assert scan_cassettes(path, [ACME]) == []


def test_no_cassette_of_this_repository_holds_a_secret_or_hides_its_origin() -> None:
    folders = [*ROOT.glob("tests/**/cassettes"), *ROOT.glob("plugins/*/tests/cassettes")]

    assert ROOT / "plugins" / "univapay" / "tests" / "cassettes" in folders
    assert [str(finding) for folder in folders for finding in scan_cassettes(folder)] == []


NAMES = [
    "cvv",
    "card[cvc]",
    "password",
    "api_key",
    "pin",
    "client_secret",
    "access_token",
    "signature",
    "cardNumber",
    "merchantKey",
]


@pytest.mark.rule("R-364")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "value", ["987", "1", "12345678901234567890", "hunter2", "１２３", "3f2a9c0b-1d4e-4f5a-8b6c-7d8e9f0a1b2c"]
)
@pytest.mark.parametrize("content_type", ["application/json", "application/x-www-form-urlencoded", "text/plain"])
def test_a_placeholder_is_never_taken_for_a_secret(tmp_path, name, value, content_type) -> None:
    body = {
        "application/json": json.dumps({name: value, "nested": {name: [value, 987]}, "id": value}),
        "application/x-www-form-urlencoded": urlencode({name: value, "amount": "500", "id": value}),
        "text/plain": f"{name}={value}",
    }[content_type].encode()
    path = tmp_path / "charge.yaml"

    with cassette(path, ACME, mode=Mode.ALL, origin=Origin.sample("acme", "reference")) as recording:
        recording.add(
            Request(
                "POST",
                f"https://api.acme.test/charges/{quote(value)}?{urlencode({name: value})}",
                {"Content-Type": content_type, "X-Token": value, "X-Pin": value},
                body,
            ),
            Response(200, {"Content-Type": content_type, "Set-Cookie": value}, body),
        )

    assert scan_cassettes(path, [ACME]) == []
    assert value == "1" or f"={value}" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("secret", ["cvv=987", "card[cvc]=987", "cvv=1112", "<cvv>987</cvv>", r"{\"cvv\":\"987\"}"])
def test_what_only_resembles_a_placeholder_is_found(tmp_path, secret) -> None:
    path = tmp_path / "charge.yaml"
    write(path, got=json.dumps({"note": secret}))

    assert any("a credential" in finding for finding in found(path))
