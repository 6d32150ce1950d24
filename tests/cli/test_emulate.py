"""``paygate emulate`` in a process of its own, as a test in any language uses it."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner

from paygate.cli.app import paygate as command
from paygate.testing.emulators import EMULATORS
from paygate.testing.emulators.univapay.auth import Credentials

ROOT = Path(__file__).resolve().parents[2]
PAYGATE = [sys.executable, "-c", "from paygate.cli import main; main()"]


def ask(url: str, method: str = "GET", body: Any = None, **headers: str) -> tuple[int, Any]:
    target = urlsplit(url)
    connection = http.client.HTTPConnection(target.netloc, timeout=5)
    try:
        content = body if body is None or isinstance(body, str) else json.dumps(body)
        path = target.path + (f"?{target.query}" if target.query else "")
        connection.request(method, path, content, {"Content-Type": "application/json"} | headers)
        response = connection.getresponse()
        text = response.read()
    finally:
        connection.close()
    return response.status, json.loads(text) if text else None


@contextlib.contextmanager
def emulated(*arguments: str, end: int = signal.SIGINT) -> Iterator[str]:
    """Run ``paygate emulate`` and yield the line it prints; afterwards it has to have ended well and said no more."""
    process = subprocess.Popen(
        [*PAYGATE, "emulate", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline()
    finally:
        process.send_signal(end)
        rest, errors = process.communicate(timeout=20)
    assert (process.returncode, rest, errors) == (0, "", "")


@pytest.mark.parametrize(
    ("name", "end"),
    [(name, (signal.SIGINT, signal.SIGTERM)[at % 2]) for at, name in enumerate(sorted(EMULATORS))],
)
def test_an_emulator_says_where_it_is_in_one_line_and_serves_until_it_is_interrupted(name, end):
    with emulated(name, "--json", "--time", "2026-01-01T00:00:00+09:00", "--frozen", end=end) as line:
        ready = json.loads(line)
        status, clock = ask(ready["control_url"] + "clock")
        index = ask(ready["control_url"])[1]
        unknown = ask(ready["base_url"] + "/v1/nothing-of-the-kind")[0]

    assert set(ready) == {"provider", "base_url", "control_url", "credentials", "webhook_secret", "card"}
    assert ready["provider"] == name
    assert ready["base_url"].startswith("http://127.0.0.1:")
    assert (index["credentials"], index["webhook_settings"]) == (
        ready["credentials"],
        dict.fromkeys(index["webhook_settings"], ready["webhook_secret"]),
    )
    assert (status, clock) == (
        200,
        {"now": "2025-12-31T15:00:00+00:00", "jst": "2026-01-01T00:00:00+09:00", "running": False},
    )
    assert unknown in {401, 404}


def test_a_reset_puts_back_the_card_and_the_address_of_the_webhooks_that_it_began_with():
    with emulated("univapay", "--json", "--webhook-url", "http://127.0.0.1:9/hooks") as line:
        ready = json.loads(line)
        credentials = ready["credentials"]
        authorization = {"Authorization": f"Bearer {credentials['secret']}.{credentials['app_token']}"}
        status, again = ask(ready["control_url"] + "reset", "POST")
        charge = {"transaction_token_id": again["card"], "amount": 100, "currency": "JPY"}
        made = ask(ready["base_url"] + "/charges", "POST", charge, **authorization)[0]
        ask(ready["control_url"] + "clock/advance", "POST", {"seconds": 5})
        deliveries = ask(ready["control_url"] + "webhooks")[1]["deliveries"]

    assert (status, made) == (200, 201)
    assert {(one["url"], one["status"]) for one in deliveries} >= {("http://127.0.0.1:9/hooks", 0)}


def test_without_json_the_line_is_for_people_and_still_one():
    with emulated("univapay") as line:
        pairs = dict(pair.split("=", 1) for pair in line.split())

    assert pairs["provider"] == "univapay"
    assert {"base_url", "control_url", "app_token", "secret", "webhook_secret", "card"} <= set(pairs)


def run(*arguments: str) -> tuple[int, str, Any]:
    result = CliRunner().invoke(command, ["--json", "emulate", *arguments])
    return result.exit_code, result.stderr, json.loads(result.stdout)["error"]


def test_an_unknown_provider_is_refused_with_those_that_are_known():
    code, text, error = run("univapai")

    assert (code, error["type"]) == (3, "PluginError")
    assert "did you mean 'univapay'" in text
    assert all(name in text for name in EMULATORS)


def test_a_port_in_use_is_told_with_the_remedy():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, text, error = run("univapay", "--port", port)

    assert (code, error["type"]) == (3, "ConfigurationError")
    assert f"port {port}" in text
    assert "--port" in text


def test_an_address_of_another_machine_cannot_be_served_on():
    code, text, _ = run("univapay", "--host", "192.0.2.1", "--allow-remote")

    assert code == 3
    assert "another --host" in text


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.1", "shop.example"])
def test_serving_others_has_to_be_asked_for(host):
    code, text, _ = run("univapay", "--host", host)

    assert code == 2
    assert "--allow-remote" in text


def test_serving_others_is_possible():
    with emulated("univapay", "--json", "--host", "0.0.0.0", "--allow-remote") as line:
        ready = json.loads(line)
        status = ask(ready["control_url"] + "book", Host="emulator:8080")[0]

    assert ready["base_url"].startswith("http://127.0.0.1:")
    assert status == 200


@pytest.mark.parametrize(
    ("option", "value", "remedy"),
    [
        ("--time", "2026-01-01T00:00:00", "+09:00"),
        ("--time", "tomorrow", "2026-01-01T00:00:00+09:00"),
        ("--time", "9999-12-31T00:00:00Z", "between 1970 and 8999"),
        ("--time", "0001-01-01T00:00:00+09:00", "2026-01-01T00:00:00+09:00"),
        ("--webhook-url", "shop.example/hooks", "http://"),
        ("--port", "70000", "65535"),
    ],
)
def test_a_value_of_the_wrong_form_is_a_usage_error_with_an_example(option, value, remedy):
    code, text, _ = run("univapay", option, value)

    assert code == 2
    assert remedy in text


def curls() -> list[list[str]]:
    """The calls of curl on the page about emulators, as lists of arguments."""
    page = (ROOT / "docs" / "howto" / "emulators.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [shlex.split(line) for line in lines if line.startswith("curl ")]


def test_the_calls_of_curl_on_the_page_about_emulators_do_what_they_say():
    with emulated("univapay", "--json", "--frozen") as line:
        ready = json.loads(line)
        for arguments in curls():
            words = [
                word.replace("$EMULATOR", ready["base_url"])
                .replace("$CARD", ready["card"])
                .replace("$AUTH", "{secret}.{app_token}".format(**ready["credentials"]))
                for word in arguments[1:]
            ]
            options = dict(zip(words[1::2], words[2::2], strict=True))
            headers = dict([options["-H"].split(": ", 1)]) if "-H" in options else {}
            body = options.get("-d", options.get("--json"))
            method = options.get("-X", "GET" if body is None else "POST")
            status, answer = ask(words[0], method, body, **headers)
            assert status in {200, 201}, (arguments, answer)


STRIPE = {
    "api_key": "sk_test_of_the_compose_file_1",
    "publishable_key": "pk_test_of_the_compose_file_1",
    "webhook_secret": "whsec_of_the_compose_file_1",
}
UNIVAPAY = {
    "app_token": Credentials.for_store(7).app_token,
    "secret": "secret-of-the-compose-file",
    "webhook_secret": "word-of-the-compose-file",
}


def told(line: str) -> dict[str, Any]:
    shown = json.loads(line)
    return {**shown, **shown["credentials"]}


@pytest.mark.rule("R-378")
@pytest.mark.parametrize("by", ["options", "environment"])
@pytest.mark.parametrize(("name", "given"), [("stripe", STRIPE), ("univapay", UNIVAPAY)])
def test_credentials_can_be_fixed_and_are_shown_and_taken(monkeypatch, name, given, by):
    options = [f"--{option.replace('_', '-')}={value}" for option, value in given.items()]
    if by == "environment":
        options = []
        for option, value in given.items():
            monkeypatch.setenv(f"PAYGATE_EMULATE_{option.upper()}", value)
        monkeypatch.setenv("PAYGATE_EMULATE_API_KEY", given.get("api_key", "sk_test_of_the_other_one"))

    with emulated(name, "--json", "--webhook-url", "http://127.0.0.1:9/hooks", *options) as line:
        shown = told(line)
        bearer = given.get("api_key") or f"{given['secret']}.{given['app_token']}"
        path = "/v1/customers" if name == "stripe" else "/stores"
        status = ask(shown["base_url"] + path, Authorization=f"Bearer {bearer}")[0]
        again = ask(shown["control_url"] + "reset", "POST")[1]
        after = ask(shown["base_url"] + path, Authorization=f"Bearer {bearer}")[0]

    assert {option: shown[option] for option in given} == given
    assert (status, after) == (200, 200)
    assert again["card"]


@pytest.mark.rule("R-378")
@pytest.mark.parametrize(
    ("arguments", "says", "secret"),
    [
        (["stripe", "--api-key", "sk_" + "live_1234567890abcdef"], "test keys", "1234567890abcdef"),
        (["stripe", "--api-key", "sk_test_a b"], "test keys", "a b"),
        (["stripe", "--api-key", "pk_test_1"], "test keys", "pk_test_1"),
        (["stripe", "--publishable-key", "sk_test_1"], "publishable", "sk_test_1"),
        (["stripe", "--webhook-secret", "secret\r\nX: 1"], "signing secrets", "X: 1"),
        (["stripe", "--secret", "12345678"], "--secret is not for stripe; it takes --api-key", "12345678"),
        (["univapay", "--api-key", "sk_test_1"], "--api-key is not for univapay; it takes --app-token", "sk_test_1"),
        (["univapay", "--app-token", "no.jwt"], "not a JWT", "no.jwt"),
        (
            ["univapay", "--app-token", Credentials.for_store(mode="live").app_token],
            "test mode only",
            Credentials.for_store(mode="live").app_token,
        ),
        (["univapay", "--app-token", Credentials.for_merchant().app_token], "those of a store", "eyJ"),
        (["univapay", "--secret", "a.b.c.d.e.f"], "letters, digits", "a.b.c"),
        (["univapay", "--webhook-secret", "word\nword-word"], "letters, digits", "word-word"),
    ],
)
def test_credentials_that_an_emulator_cannot_take_are_a_usage_error_that_does_not_repeat_them(arguments, says, secret):
    code, text, error = run(*arguments)

    assert code == 2
    assert says in error["message"]
    assert secret not in text + json.dumps(error)
