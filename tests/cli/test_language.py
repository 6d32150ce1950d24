"""What people read of the command line is Japanese where they ask for it; what programs read has no language."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from paygate.cli import wording

ROOT = Path(__file__).resolve().parents[2]
#: Names of commands, options, accounts and files; ids and values that the shop or a provider gave.
NAMES = re.compile(
    r"Telecom Credit|paygate( [a-z-]+)*|--[a-z-]+|[\w.-]*(stripe|telecom|univapay|amazonpay|BT|cus|pm|tok|fake|ref)[\w.-]*|JST|[RXT]-\d+"
    r"|[0-9a-f]{32}|[\w.+-]+@[\w.]+|ST-\w+|TC-\w+|UP-\w+|AP-\w+|BT-\w+|https?://\S+|admin|scheduler|provider:\w+|y/N"
    r"|UnivaPay|Telecom Credit|Stripe|Amazon Pay|RuleE|insufficient_funds|CHARGE|ID\b|thanks|lock\w*|member-1"
    r"|card_declined\b.*|API|Webhook|\ball\b|pi_\w+|cli-\w+-\d+|renew_expiry|send_step_mail|idempotency-\w+|[0-9a-f]{6,}|[0-9a-f]{8}-\S+|ON_RENEWAL|11f0720a-b00d|B01-1",
    re.IGNORECASE,
)
ENGLISH = re.compile(r"[A-Za-z_]{3,}")

COMMANDS = [
    ("contracts", "list"),
    ("contracts", "show", "ST-1"),
    ("contracts", "show", "BT-1"),
    ("contracts", "suspend", "BT-1"),
    ("contracts", "send-dunning-mail", "BT-1"),
    ("contracts", "resume", "BT-1"),
    ("contracts", "mark-unpaid", "BT-1", "2026-10-31"),
    ("contracts", "schedule-cancellation", "ST-LATER"),
    ("contracts", "revoke-cancellation", "ST-LATER"),
    ("schedule", "ST-1"),
    ("schedule", "ST-NO"),
    ("schedule", "BT-1"),
    ("bill", "--dry-run", "--until", "2027-03-01"),
    ("charge", "ST-1", "5000", "--consent", "電話", "--yes"),
    ("charge", "ST-1", "5000", "--consent", "電話", "--yes"),
    ("charge", "TC-1", "700", "--consent", "電話", "--yes", "--no-wait"),
    ("charge", "ST-NO", "700", "--consent", "電話", "--yes"),
    ("charge", "ST-LOST", "700", "--consent", "電話", "--yes"),
    ("charge", "ST-ACT", "700", "--consent", "電話", "--yes", "--no-wait"),
    ("charges", "list"),
    ("charges", "discrepancies"),
    ("refunds", "list"),
    ("refunds", "dues"),
    ("ledger", "BT-1"),
    ("audit", "BT-1"),
    ("access", "ST-1"),
    ("bill", "--yes"),
    ("reconcile",),
    ("health", "--no-ping"),
    ("outbox", "list"),
    ("step-mails", "list"),
    ("providers",),
    *(("reports", name) for name in (
        "due", "starting", "ending", "past-due", "charged", "failed", "requires-action", "refunded", "disputed", "assumed",
        "overdue-renewals",
    )),
    ("contracts", "cancel", "ST-1"),
    ("contracts", "terminate", "ST-1", "--yes"),
]  # fmt: skip


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("PAYGATE_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    yield
    wording.speak("en")


@pytest.mark.rule("R-435")
def test_operators_read_japanese_and_nothing_else(shell) -> None:
    left: dict[str, set[str]] = {}
    for command in COMMANDS:
        result = shell("--lang", "ja", *command)
        assert result.exit_code in {0, 4, 5, 6, 10}, (command, result.output)
        shown = "\n".join(line for line in result.output.splitlines() if not line.startswith("詳細(英語)"))
        found = set(ENGLISH.findall(NAMES.sub(" ", shown)))
        if found:
            left[" ".join(command)] = found

    assert left == {}


@pytest.mark.rule("R-435")
def test_statuses_amounts_operations_and_reasons_have_their_words(shell) -> None:
    operations = shell("--lang", "ja", "contracts", "operations", "BT-1").stdout
    assert re.search(r"契約の停止\(suspend\)\s+はい", operations)
    assert re.search(r"追加請求\(charge_addon\)\s+いいえ\s+カード払いの契約でのみ行えます", operations)
    shown = shell("--lang", "ja", "contracts", "show", "BT-1").stdout
    assert "有効" in shown
    assert "3,000円" in shown
    assert "ACTIVE" not in shown


@pytest.mark.rule("R-435")
def test_a_question_and_a_refusal_are_japanese(shell) -> None:
    asked = shell("--lang", "ja", "charge", "ST-1", "5000", "--consent", "電話", answer="n\n")
    assert "Stripe で 山田 花子 (cus-ST-1) に 5,000円 を請求しますか? [y/N]" in asked.output
    assert "中止しました。何も送信しておらず、何も変わっていません" in asked.output

    refused = shell("--lang", "ja", "contracts", "suspend", "ST-1")
    assert refused.exit_code == 4
    assert (
        "エラー: 現在の契約の状態では、この操作は行えません。(契約: ST-1、状態: 有効、操作: 契約の停止"
        in refused.stderr
    )
    assert "規則: R-024" in refused.stderr


@pytest.mark.rule("R-435")
def test_json_and_exit_codes_are_the_same_in_every_language(shell) -> None:
    for command in (
        ("contracts", "list"),
        ("contracts", "operations", "ST-1"),
        ("bill", "--dry-run"),
        ("contracts", "suspend", "ST-1"),
    ):
        japanese, english = (shell("--lang", lang, *command, "--json") for lang in ("ja", "en"))
        assert json.loads(japanese.stdout) == json.loads(english.stdout)
        assert japanese.exit_code == english.exit_code
    assert shell("--lang", "ja", "contracts", "list", "--csv").stdout == shell("contracts", "list", "--csv").stdout


@pytest.mark.rule("R-435")
@pytest.mark.parametrize(
    ("environment", "options", "japanese"),
    [
        ({}, (), False),
        ({"LANG": "ja_JP.UTF-8"}, (), True),
        ({"LC_ALL": "C", "LANG": "ja_JP.UTF-8"}, (), False),
        ({"LC_ALL": "C", "PAYGATE_LANG": "ja"}, (), True),
        ({"PAYGATE_LANG": "ja"}, ("--lang", "en"), False),
        ({"LANG": "ja_JP.UTF-8"}, ("--lang", "en"), False),
    ],
)
def test_the_language_is_that_of_option_variable_or_locale(shell, monkeypatch, environment, options, japanese) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    shown = shell(*options, "contracts", "list").stdout
    assert ("お客様" in shown) is japanese
    assert ("Customer" in shown) is not japanese


@pytest.mark.rule("R-435")
def test_what_a_shop_wrote_keeps_its_words(shell) -> None:
    wording.speak("ja")
    for text in ("Open", "Gold", "Mail", "call the customer", "Open House; every day"):
        assert wording.cell_text(text) in {text, "Open House。毎日"}
    assert (
        wording.cell_text("3,000 JPY of row r1: nobody but the seller can return it")
        == "3,000円(行 r1): 店が手作業で返金するもの"
    )
    assert wording.people("Charge ch_1") == "請求 ch_1"


@pytest.fixture(scope="module")
def catalogue() -> ModuleType:
    pytest.importorskip("babel")
    spec = importlib.util.spec_from_file_location("catalogue_script", ROOT / "scripts" / "catalogue.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.rule("R-435")
def test_the_catalogue_has_every_text_of_the_code_in_japanese(catalogue) -> None:
    assert catalogue.problems() == []
    assert len(catalogue.texts()) > 700


@pytest.mark.rule("R-435")
def test_a_text_without_japanese_and_one_that_is_gone_are_found(catalogue, monkeypatch) -> None:
    texts = catalogue.texts()
    known = next(iter(texts))
    del texts[known]
    texts["cli", "a new text"] = "cli/new"
    monkeypatch.setattr(catalogue, "texts", lambda: texts)

    assert catalogue.problems() == ["not in the catalogue: ('cli', 'a new text')", f"not in the code: {known}"]
