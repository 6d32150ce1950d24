"""What plugins say crosses one border: nothing secret gets in, nothing that cannot be stored, and no id is altered."""

from __future__ import annotations

import logging

import attrs
import pytest

import paygate
from paygate.errors import OutcomeUnknown, PluginError, ProviderUnavailable, WebhookRejected
from paygate.plugins.border import CODE_LIMIT, REFERENCE_LIMIT, TEXT_LIMIT, Border, redacted_traceback
from paygate.plugins.known_secrets import known_secrets
from paygate.provider import (
    ChargeResult,
    Checkout,
    CheckoutResult,
    CheckoutState,
    EventKind,
    Outcome,
    ProviderEvent,
    RefundResult,
    StartedSubscription,
)
from paygate.texts import CUT

pytestmark = pytest.mark.rule("R-360")

KEY = "sekrit+/Kana?ry&7"
CARD = "4111 1111 1111 1111"
BAD = f"card {CARD} refused for {KEY} \x00\udcff\x1b[31m"


@attrs.frozen
class Settings:
    shop: str
    key: str = paygate.secret()


class Client:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings


class Plugin:
    def __init__(self) -> None:
        self._client = Client(Settings("shop-1", KEY))


@pytest.fixture
def border() -> Border:
    return Border("acme", known_secrets(Plugin()))


def harmless(text: str) -> bool:
    return not any(part in text for part in ("sekrit", "4111", "\x00", "\udcff", "\x1b"))


def test_the_secrets_of_a_plugin_are_found_where_it_keeps_its_settings() -> None:
    assert known_secrets(Plugin()) == {KEY}


def test_a_secret_is_known_where_a_plugin_keeps_only_its_value() -> None:
    class Bare:
        __slots__ = ("headers", "key")

        def __init__(self, settings: Settings) -> None:
            self.key = settings.key.encode()
            self.headers = {"X-Shop": settings.shop}

    assert known_secrets(Bare(Settings("shop-1", KEY))) == {KEY}


@pytest.mark.parametrize(
    "spelt",
    [
        KEY,
        "sekrit%2B%2FKana%3Fry%267",
        "sekrit%2B/Kana%3Fry%267",
        "c2Vrcml0Ky9LYW5hP3J5Jjc6",
        "sekrit+/Kana?ry&amp;7",
    ],
)
def test_a_known_secret_is_replaced_in_every_spelling(border, spelt) -> None:
    shown = border.text(f"got {spelt} here")

    assert shown == "got <secret> here"


@pytest.mark.parametrize("kind", [ChargeResult, RefundResult])
def test_texts_of_a_result_are_masked_and_can_be_stored(border, kind) -> None:
    result = border.result(
        kind.declined(BAD, BAD, reference="ch_1", raw={BAD: {"a": [BAD, 4111111111111111, float("nan")]}})
    )

    assert result.outcome is Outcome.DECLINED
    assert result.reference == "ch_1"
    for text in (result.code, result.message, str(result.raw)):
        assert harmless(text)


@pytest.mark.parametrize("reference", ["ch_\x00", "ch_\udc80", "", "c" * (REFERENCE_LIMIT + 1), f"ch_{KEY}", 7])
@pytest.mark.parametrize("kind", [ChargeResult, RefundResult])
def test_a_result_whose_reference_cannot_be_kept_is_unknown_and_never_altered(border, kind, reference) -> None:
    result = border.result(kind.succeeded(reference))

    assert result.outcome is Outcome.UNKNOWN
    assert result.reference is None


@pytest.mark.parametrize("field", ["event_id", "reference", "attempt_id", "contract_id"])
def test_an_event_whose_id_cannot_be_kept_is_rejected(border, field) -> None:
    event = attrs.evolve(ProviderEvent("evt_1", EventKind.OTHER), **{field: "x\x00"})

    with pytest.raises(WebhookRejected):
        border.event(event)


def test_long_texts_are_cut_with_a_mark(border) -> None:
    result = border.result(ChargeResult.declined("c" * 1000, "m " * 5000))

    assert len(result.message) == TEXT_LIMIT
    assert len(result.code or "") == CODE_LIMIT
    assert result.message.endswith(CUT)
    assert (result.code or "").endswith(CUT)


def test_an_error_keeps_its_kind_and_loses_what_stood_behind_it(border) -> None:
    try:
        try:
            {}[BAD]
        except KeyError as exc:
            raise ProviderUnavailable(BAD, provider="acme", code=BAD, request_id="req_1") from exc
    except ProviderUnavailable as exc:
        clean = border.error(exc)

    assert type(clean) is ProviderUnavailable
    assert harmless(str(clean) + repr(clean) + str(clean.code))
    assert clean.request_id == "req_1"
    assert clean.__cause__ is clean.__context__ is None


def test_an_error_that_writes_its_text_itself_becomes_the_nearest_of_paygates_own(border) -> None:
    class Odd(OutcomeUnknown):
        def __str__(self) -> str:
            return BAD

    clean = border.error(Odd("x", charge_id="c1"))

    assert type(clean) is OutcomeUnknown
    assert harmless(str(clean))
    assert clean.charge_id == "c1"


def test_a_logged_failure_says_where_and_what_kind_and_nothing_secret(border, caplog) -> None:
    try:
        try:
            {}[BAD]
        except KeyError as exc:
            raise RuntimeError(BAD) from exc
    except RuntimeError as exc:
        border.log(logging.getLogger("paygate.plugins"), "the plugin failed", exc)

    (record,) = caplog.records
    line = logging.Formatter().format(record)
    assert harmless(line)
    assert "KeyError" in line
    assert "RuntimeError" in line
    assert "test_border.py" in line
    assert record.account == "acme"


def test_a_traceback_shows_neither_source_lines_nor_variables() -> None:
    try:
        int(BAD)  # a comment with 5555-5555
    except ValueError as exc:
        shown = redacted_traceback(exc)

    assert "5555" not in shown
    assert "int(BAD)" not in shown


PLUGIN_VALUES = (ChargeResult, RefundResult, ProviderEvent, Checkout, CheckoutResult, StartedSubscription)


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        (kind, field.name)
        for kind in PLUGIN_VALUES
        for field in attrs.fields(kind)
        if "str" in str(field.type) and field.name != "raw"
    ],
)
def test_no_text_field_of_any_value_crosses_as_it_is(border, kind, field) -> None:
    given = {
        ChargeResult: ChargeResult.succeeded("ch_1"),
        RefundResult: RefundResult.succeeded("re_1"),
        ProviderEvent: ProviderEvent("evt_1", EventKind.OTHER),
        Checkout: Checkout("cs_1", url="https://acme.test/"),
        CheckoutResult: CheckoutResult(CheckoutState.COMPLETED, credential="pm_1"),
        StartedSubscription: StartedSubscription("sub_1"),
    }[kind]
    crossing = {
        ChargeResult: border.result,
        RefundResult: border.result,
        ProviderEvent: border.event,
        Checkout: border.checkout,
        CheckoutResult: border.checkout_result,
        StartedSubscription: border.started,
    }[kind]
    try:
        crossed = repr(attrs.asdict(crossing(attrs.evolve(given, **{field: BAD}))))
    except (WebhookRejected, PluginError, OutcomeUnknown) as exc:
        crossed = str(exc)

    assert harmless(crossed)
