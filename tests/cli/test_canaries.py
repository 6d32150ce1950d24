"""What a provider says that is secret reaches no screen and no JSON document, and what is typed amiss is a typed refusal."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.rule("R-360")

KEY = "k3y/of+the=shop&canary"
PROVIDER = """
import attrs

import paygate
from paygate.provider import Capabilities, ChargeResult

KEY = "k3y/of+the=shop&canary"
SAYS = (
    f"key {KEY}; card 4111-1111-1111-1111; card[cvc]=98765; <password>canary</password> "
    "Authorization: Token canary" + chr(0) + chr(0xD800) + chr(27)
)


@attrs.frozen
class Settings:
    key: str = paygate.secret()


class Leaky(paygate.Provider):
    Settings = Settings

    def __init__(self, settings):
        self.settings = settings

    def capabilities(self):
        return Capabilities("Leaky")

    async def charge(self, request):
        if request.amount.minor == 1:
            return ChargeResult.declined(SAYS, SAYS, raw={"cvv": SAYS})
        if request.amount.minor == 2:
            return ChargeResult.unknown(SAYS)
        raise RuntimeError(SAYS) from ValueError(SAYS)

    async def ping(self):
        raise RuntimeError(SAYS)
"""
LINE = "k-1,c-1,Hana,hana@example.com,Gold,one_off,3000,card,leaky,tok_1,2026-01-31,2026-10-31 09:00"
HEAD = (
    "contract_id,customer_id,customer_name,customer_email,plan,kind,price,payment,account,token,start_on,last_paid_at"
)
LEAKS = ("canary", "4111", "98765", "\x00", "\ud800", "\x1b")


@pytest.fixture
def leaky(empty, monkeypatch):
    """A shell with one contract that is paid through a provider which says secrets."""
    (empty.folder / "leaky.py").write_text(PROVIDER, encoding="utf-8")
    with (empty.folder / "paygate.toml").open("a", encoding="utf-8") as file:
        file.write('\n[accounts.leaky]\nprovider = "leaky:Leaky"\n')
    monkeypatch.syspath_prepend(empty.folder)
    monkeypatch.delitem(sys.modules, "leaky", raising=False)
    monkeypatch.setenv("PAYGATE_LEAKY_KEY", KEY)
    (empty.folder / "contracts.csv").write_text(f"{HEAD}\n{LINE}\n", encoding="utf-8")
    assert empty("import", "contracts.csv").exit_code == 0
    return empty


@pytest.mark.parametrize("amount", ["1", "2", "3"])
@pytest.mark.parametrize("options", [(), ("--json",), ("--debug",)])
def test_what_a_provider_says_is_masked_on_every_screen(leaky, amount, options) -> None:
    results = [
        leaky(*options, "charge", "k-1", amount, "--consent", "by phone", "--yes"),
        *(leaky(*options, *words) for words in (("charges", "list"), ("audit", "k-1"), ("contracts", "show", "k-1"))),
        leaky(*options, "providers", "ping", "leaky"),
        leaky(*options, "reconcile"),
        leaky(*options, "providers", "show", "leaky"),
    ]

    shown = "\n".join(result.output + result.stderr for result in results)
    assert results[0].exit_code in {5, 6}, results[0].stderr
    assert [leak for leak in LEAKS if leak in shown or json.dumps(leak)[1:-1] in shown] == []


@pytest.mark.rule("R-362")
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_card_number_that_is_typed_into_an_option_is_refused_and_not_shown(leaky, options) -> None:
    result = leaky(*options, "charge", "k-1", "1", "--consent", "card 4111 1111 1111 1111", "--yes")

    assert result.exit_code == 4
    assert "4111" not in result.output + result.stderr
    assert "allow_card_like" in result.stderr


@pytest.mark.rule("R-363")
def test_bytes_on_the_command_line_that_are_no_text_are_a_refusal_by_name(leaky) -> None:
    program = [sys.executable, "-X", "utf8", "-c", "from paygate.cli import main; main()"]
    done = subprocess.run(
        [*program, "charge", "k-1", "1", "--consent", b"by phone \xff", "--yes"],
        cwd=leaky.folder,
        capture_output=True,
        check=False,
    )

    assert done.returncode == 4
    assert b"consent holds a character that cannot be stored" in done.stderr
