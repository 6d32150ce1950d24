"""``paygate check``: what it is pointed at, what it prints and writes, how it ends; and ``--live`` against a sandbox."""

from __future__ import annotations

import hashlib
import json
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from click.testing import CliRunner, Result

from paygate.cli.app import paygate as command
from paygate.cli.failures import Exit
from paygate.clock import SystemClock
from paygate.testing.clock import ManualClock
from paygate.testing.conformance import Level
from paygate.testing.conformance.proofs import PROOFS
from paygate.testing.emulators import serve
from paygate.testing.emulators.univapay import UnivaPayEmulator
from paygate.testing.recording import scan_cassettes

SINGLE = """
import json

from paygate import Capabilities, Provider
from paygate.flow import Request, send
from paygate.provider import ChargeRequest, ChargeResult, Idempotency, IdempotencyKind


class Acme(Provider):
    def capabilities(self):
        return Capabilities("Acme", idempotency=Idempotency(IdempotencyKind.NATIVE, window=86_400))

    async def charge(self, request: ChargeRequest) -> ChargeResult:
        order = {"card": request.credential, "amount": request.amount.minor, "order": request.charge_id}
        headers = {"idempotency-key": request.key}
        answer = await send(Request("POST", "https://api.acme.test/charges", headers, json.dumps(order).encode()))
        match answer.json():
            case {"id": str(reference), "state": "paid"}:
                return ChargeResult.succeeded(reference)
        return ChargeResult.unknown("not paid")
"""
HOPEFUL = SINGLE.replace('unknown("not paid")', 'succeeded("it will be")')


@attrs.frozen
class Shell:
    """Types commands in a folder."""

    folder: Path

    def check(self, *arguments: str) -> Result:
        return CliRunner().invoke(command, ["check", *arguments], catch_exceptions=False)

    def write(self, name: str, text: str) -> str:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return name

    def reported(self, *arguments: str) -> list[dict[str, Any]]:
        answer = self.check(*arguments, "--report", "report.json")
        assert answer.exit_code in {Exit.DONE, Exit.NOT_CONFORMING}, answer.output
        document: list[dict[str, Any]] = json.loads((self.folder / "report.json").read_text(encoding="utf-8"))
        return document


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    monkeypatch.chdir(tmp_path)
    before, loaded = list(sys.path), set(sys.modules)
    yield Shell(tmp_path)
    sys.path[:] = before
    for name in set(sys.modules) - loaded:
        if name.startswith(("myshop", "paygate_checked_")):
            del sys.modules[name]


# --- a file ----------------------------------------------------------------------------------------------------------


def test_a_provider_in_one_file_passes_core(shell: Shell) -> None:
    answer = shell.check(shell.write("acme.py", SINGLE))

    assert answer.exit_code == Exit.DONE
    assert "Acme: CORE passed, PAYMENTS not shown, RECURRING not shown" in answer.output
    assert "honoured, for 24 h" in answer.output


def test_a_broken_one_fails_with_what_happened_why_and_what_to_do(shell: Shell) -> None:
    answer = shell.check(shell.write("acme.py", HOPEFUL), "--level", "core")

    assert answer.exit_code == Exit.NOT_CONFORMING == 8
    assert "CORE-09 FAILED: an answer that means nothing is an unknown outcome" in answer.output
    assert "What happened: HTTP 200" in answer.output
    assert "Why it matters: " in answer.output
    assert "How to fix it: " in answer.output
    assert "Acme: CORE failed" in answer.output


def test_an_emulator_beside_the_provider_is_used(shell: Shell) -> None:
    shell.write(
        "acme.py",
        "from paygate_univapay import UnivaPay\n"
        "from paygate.testing.emulators.univapay import UnivaPayEmulator\n"
        "class Acme(UnivaPay): pass\n"
        "class Stand(UnivaPayEmulator): pass\n",
    )
    (report,) = shell.reported("acme.py", "--level", "core")

    assert report["emulator"] == "paygate_checked_acme:Stand"


def test_the_suites_of_a_test_file_are_run_as_they_are(shell: Shell) -> None:
    shell.write(
        "test_acme.py",
        "from paygate.testing import FakeStripe\n"
        "from paygate.testing.conformance import ProviderConformance\n"
        "class TestAcme(ProviderConformance):\n"
        "    provider = FakeStripe\n"
        "    settings = {'renewals': 'provider'}\n",
    )
    (report,) = shell.reported("test_acme.py", "--level", "core")

    assert (report["name"], report["capabilities"]["renewals"]) == ("TestAcme", "PROVIDER")


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("nothing.py", "x = 1\n", "neither a provider nor a suite"),
        ("broken.py", "import nothing_like_it\n", "cannot be imported: ModuleNotFoundError"),
        ("missing.py", None, "no file"),
    ],
)
def test_a_file_that_holds_nothing_to_check_is_an_error(
    shell: Shell, name: str, text: str | None, complaint: str
) -> None:
    if text is not None:
        shell.write(name, text)
    answer = shell.check(name)

    assert answer.exit_code == Exit.CONFIGURATION
    assert complaint in answer.output


# --- names and classes -----------------------------------------------------------------------------------------------


def test_an_installed_plugin_is_checked_with_the_emulator_of_its_name(shell: Shell) -> None:
    (report,) = shell.reported("univapay")

    assert report["levels"] == {"CORE": "passed", "PAYMENTS": "passed", "RECURRING": "passed"}
    assert report["emulator"] == "paygate.testing.emulators.univapay.emulator:UnivaPayEmulator"


def test_a_class_of_an_installed_plugin_finds_that_emulator_too(shell: Shell) -> None:
    (report,) = shell.reported("paygate_univapay:UnivaPay", "--level", "core")

    assert report["provider"]["object"] == "paygate_univapay.provider:UnivaPay"
    assert report["emulator"] is not None


def test_a_module_in_the_folder_is_found_with_its_one_provider(shell: Shell) -> None:
    shell.write("src/myshop_acme.py", SINGLE)
    (report,) = shell.reported("myshop_acme:Acme", "--level", "core")
    assert report["provider"]["object"] == "myshop_acme:Acme"

    shell.write("myshop.py", "")
    shell.write("src/myshop2/__init__.py", SINGLE + "\nclass Other(Acme): pass\n")
    assert "holds 2 providers; name one: myshop2:Class" in shell.check("myshop2:").output


def test_a_module_of_hooks_is_a_provider_as_well(shell: Shell) -> None:
    hooks = (
        SINGLE.replace("class Acme(Provider):", "")
        .replace("    def cap", "def cap")
        .replace("        return Cap", "    return Cap")
    )
    hooks = hooks.split("    async def")[0].replace("def capabilities(self)", "@hookimpl\ndef capabilities()")
    hooks += '\n\n@hookimpl\nasync def charge(request):\n    return ChargeResult.unknown("never")\n'
    shell.write("myshop_hooks.py", "from paygate import hookimpl\n" + hooks)
    (report,) = shell.reported("myshop_hooks:", "--level", "core")

    assert report["provider"]["object"].startswith("myshop_hooks")
    assert {one["id"]: one["result"] for one in report["cases"]}["CORE-03"] == "passed"


def test_an_emulator_and_settings_can_be_named(shell: Shell) -> None:
    (report,) = shell.reported("fake-stripe", "--set", "renewals=provider", "--level", "core")
    assert report["capabilities"]["renewals"] == "PROVIDER"

    (report,) = shell.reported("paygate_univapay:UnivaPay", "--emulator", "univapay", "--level", "core")
    assert report["emulator"] is not None

    (report,) = shell.reported(
        "univapay", "--emulator", "paygate.testing.emulators.univapay:UnivaPayEmulator", "--level", "core"
    )
    assert report["levels"] == {"CORE": "passed"}


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (("unipay",), Exit.CONFIGURATION, "did you mean 'univapay'"),
        (("smtp",), Exit.CONFIGURATION, "is no provider"),
        (("univapay", "--emulator", "json:JSONDecoder"), Exit.CONFIGURATION, "not a subclass"),
        (("univapay", "--set", "renewals"), Exit.USAGE, "name=value"),
        (("univapay", "--level", "best"), Exit.USAGE, "best"),
        (("--explain", "CORE-77"), Exit.USAGE, "--list shows them all"),
        ((), Exit.CONFIGURATION, "nothing to check here"),
    ],
    ids=str,
)
def test_what_cannot_be_checked_is_an_error_with_a_remedy(
    shell: Shell, arguments: tuple[str, ...], code: Exit, complaint: str
) -> None:
    answer = shell.check(*arguments)

    assert answer.exit_code == code
    assert complaint in answer.output


# --- what is here ----------------------------------------------------------------------------------------------------


def test_without_a_target_the_accounts_of_the_configuration_are_checked(shell: Shell) -> None:
    shell.write("paygate.toml", '[accounts.one]\nprovider = "fake-stripe"\n[accounts.fake-telecom]\n')
    reports = shell.reported("--level", "core")

    assert [report["name"] for report in reports] == ["one", "fake-telecom"]
    assert "the badge is for one, the first of 2" in shell.check("--level", "core", "--badge", "b.svg").output


def test_without_a_configuration_the_plugins_of_the_project_are_checked(shell: Shell) -> None:
    shell.write("pyproject.toml", '[project.entry-points.paygate]\nacme = "myshop_plugin:Acme"\n')
    shell.write("src/myshop_plugin.py", SINGLE)
    (report,) = shell.reported("--level", "core")

    assert (report["name"], report["levels"]) == ("acme", {"CORE": "passed"})


def test_a_configuration_that_cannot_be_read_is_an_error(shell: Shell) -> None:
    shell.write("paygate.toml", "accounts = [")
    answer = shell.check()

    assert (answer.exit_code, "not readable as TOML" in answer.output) == (Exit.CONFIGURATION, True)


# --- reports ---------------------------------------------------------------------------------------------------------


def test_the_report_is_bound_to_the_hashes_of_the_plugins_files(shell: Shell) -> None:
    shell.write("acme.py", SINGLE)
    (single,) = shell.reported("acme.py", "--level", "core")
    (whole,) = shell.reported("univapay", "--level", "core")

    assert single["provider"] == {
        "object": "paygate_checked_acme:Acme",
        "distribution": None,
        "version": None,
        "files": {"acme.py": hashlib.sha256(SINGLE.encode()).hexdigest()},
    }
    assert (whole["provider"]["distribution"], whole["provider"]["version"]) == ("paygate-univapay", "0.1.0")
    assert {"paygate_univapay/charges.py", "paygate_univapay/__init__.py"} <= set(whole["provider"]["files"])
    assert whole["schema"] == 1
    assert {"id", "level", "group", "claim", "result", "said", "overridden", "milliseconds"} == set(whole["cases"][0])


def test_a_fakes_report_hashes_its_own_folder_only(shell: Shell) -> None:
    (report,) = shell.reported("fake-stripe", "--level", "core")

    assert {name.split("/")[0] for name in report["provider"]["files"]} == {"fakes"}


def test_a_report_shows_no_secret(shell: Shell) -> None:
    shell.check("univapay", "--report", "report.json", "--badge", "badge.svg")
    keys = UnivaPayEmulator(ManualClock.jst(2026, 1, 1)).credentials_for_plugin()
    written = "".join(path.read_text(encoding="utf-8") for path in shell.folder.iterdir())

    assert [name for name, value in keys.items() if value in written] == []


def test_the_badge_is_a_picture_of_the_verdicts(shell: Shell) -> None:
    shell.write("acme.py", SINGLE)
    shell.check("acme.py", "--badge", "badge.svg")
    picture = ET.fromstring((shell.folder / "badge.svg").read_text(encoding="utf-8"))

    assert picture.get("aria-label") == "paygate: CORE passed, PAYMENTS not shown, RECURRING not shown"
    assert [text.text for text in picture.iter("{http://www.w3.org/2000/svg}text")] == [
        "paygate",
        *(one.value for one in Level),
    ]


def test_json_prints_the_report_alone(shell: Shell) -> None:
    shell.write("acme.py", SINGLE)
    answer = shell.check("acme.py", "--level", "core", "--json")

    (report,) = json.loads(answer.stdout)
    assert report["levels"] == {"CORE": "passed"}


def test_known_failures_are_shown_apart(shell: Shell) -> None:
    shell.write(
        "test_acme.py",
        "import pytest\n"
        "from paygate.testing.conformance import ProviderConformance\n"
        + HOPEFUL
        + "class TestAcme(ProviderConformance):\n"
        "    provider = Acme\n"
        + "".join(
            f"    @pytest.mark.xfail(reason='soon')\n    def {name}(self): super().{name}()\n"
            for name in (
                "test_nonsense_is_an_unknown_outcome",
                "test_a_nonsensical_refusal_is_no_success",
                "test_too_many_requests_is_no_decline",
                "test_a_refused_account_is_no_decline",
            )
        ),
    )
    answer = shell.check("test_acme.py", "--level", "core")

    assert "known failures" in answer.output
    assert answer.exit_code == Exit.DONE


def test_a_case_is_explained_and_all_are_listed(shell: Shell) -> None:
    explained, listed = shell.check("--explain", "refund-03"), shell.check("--list")

    assert explained.output.startswith("REFUND-03: never more goes back than was taken")
    assert "LIVE-01" in listed.output
    assert len(json.loads(shell.check("--list", "--json").stdout)) > 60
    assert json.loads(shell.check("--explain", "CORE-01", "--json").stdout)["id"] == "CORE-01"


def test_every_proof_names_cases_that_exist(shell: Shell) -> None:
    import fnmatch

    ids = [one["id"] for one in json.loads(shell.check("--list", "--json").stdout)]

    for patterns in PROOFS.values():
        for pattern in patterns:
            assert fnmatch.filter(ids, pattern), pattern


# --- live ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def sandbox(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Iterator[UnivaPayEmulator]:
    """An emulator on loopback in the sandbox's place, and a configuration that points there."""
    emulator = UnivaPayEmulator(SystemClock())
    for name, value in {**emulator.credentials_for_plugin(), **emulator.webhook_settings()}.items():
        monkeypatch.setenv(f"PAYGATE_UNIVAPAY_{name.upper()}", value)
    with serve(emulator) as url:
        shell.write("myshop_silent.py", SINGLE)
        accounts = f'[accounts.univapay]\nbase_url = "{url}"\n[accounts.silent]\nprovider = "myshop_silent:Acme"\n'
        shell.write("paygate.toml", accounts)
        yield emulator


def test_a_sandbox_is_checked_by_a_few_safe_cases(shell: Shell, sandbox: UnivaPayEmulator) -> None:
    (report,) = shell.reported("univapay", "--live", "--card", sandbox.store_card())

    assert {one["id"]: one["result"] for one in report["cases"]} == {f"LIVE-0{n}": "passed" for n in range(1, 7)}
    assert len(sandbox.book.captures) == 3
    assert len(sandbox.book.refunds) <= 1


def test_without_a_card_nothing_is_charged(shell: Shell, sandbox: UnivaPayEmulator) -> None:
    (report,) = shell.reported("univapay", "--live")

    results = {one["id"]: one["result"] for one in report["cases"]}
    assert (results["LIVE-01"], results["LIVE-02"], results["LIVE-04"]) == ("passed", "passed", "not applicable")
    assert sandbox.book.movements == ()


def test_a_sandbox_that_refuses_the_credentials_fails(
    shell: Shell, sandbox: UnivaPayEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAYGATE_UNIVAPAY_SECRET", "of-somebody-else")
    answer = shell.check("univapay", "--live")

    assert answer.exit_code == Exit.NOT_CONFORMING
    assert "LIVE-01 FAILED" in answer.output


def test_the_exchanges_are_recorded_sanitised(shell: Shell, sandbox: UnivaPayEmulator) -> None:
    answer = shell.check("univapay", "--live", "--card", sandbox.store_card(), "--record", "live.yaml")

    assert answer.exit_code == Exit.DONE, answer.output
    recorded = (shell.folder / "live.yaml").read_text(encoding="utf-8")
    assert "POST" in recorded
    assert [value for value in sandbox.credentials_for_plugin().values() if value in recorded] == []
    assert scan_cassettes(shell.folder) == []


@pytest.mark.paygate_live(keys=True)
def test_a_live_key_is_refused_before_anything_is_sent(
    shell: Shell, sandbox: UnivaPayEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    from paygate.testing.emulators.univapay.auth import Credentials

    live = Credentials.for_store(1, mode="live")
    monkeypatch.setenv("PAYGATE_UNIVAPAY_APP_TOKEN", live.app_token)
    answer = shell.check("univapay", "--live")

    assert answer.exit_code == Exit.CONFIGURATION
    assert "is in live mode: a check would move real money; nothing was sent" in answer.output
    assert sandbox.requests == ()


def test_an_account_of_which_nobody_knows_the_mode_is_refused(shell: Shell, sandbox: UnivaPayEmulator) -> None:
    answer = shell.check("silent", "--live")

    assert answer.exit_code == Exit.CONFIGURATION
    assert 'write mode = "test"' in answer.output


@pytest.mark.parametrize("arguments", [("--live",), ("paypal", "--live")], ids=str)
def test_live_needs_the_name_of_an_account(shell: Shell, sandbox: UnivaPayEmulator, arguments: tuple[str, ...]) -> None:
    answer = shell.check(*arguments)

    assert answer.exit_code == Exit.CONFIGURATION
    assert "(there: silent, univapay)" in answer.output
