"""The fakes declare what the real plugins declare, and a gateway takes them for providers."""

from __future__ import annotations

from importlib import import_module

import attrs
import pytest

from paygate.plugins.discovery import load
from paygate.plugins.manager import Plugins
from paygate.provider import (
    AmountRange,
    Capabilities,
    ExpiryPolicy,
    IdempotencyKind,
    Lookup,
    OptionPolicy,
    RefundPolicy,
    Renewals,
)
from paygate.testing import FakeAmazonPay, FakeStripe, FakeTelecom, FakeUnivaPay
from paygate.testing.fakes import (
    AMAZONPAY_CAPABILITIES,
    STRIPE_CAPABILITIES,
    TELECOM_CAPABILITIES,
    UNIVAPAY_CAPABILITIES,
)

ALL = [UNIVAPAY_CAPABILITIES, TELECOM_CAPABILITIES, STRIPE_CAPABILITIES, AMAZONPAY_CAPABILITIES]


@pytest.mark.parametrize(
    ("fake", "package"), [(UNIVAPAY_CAPABILITIES, "paygate_univapay"), (STRIPE_CAPABILITIES, "paygate_stripe")]
)
def test_a_fake_declares_exactly_what_the_plugin_declares(fake: Capabilities, package: str) -> None:
    plugin = import_module(f"{package}.capabilities").CAPABILITIES

    assert attrs.asdict(fake) == attrs.asdict(plugin)


@pytest.mark.parametrize(
    ("capabilities", "renew_expiry", "send_step_mail", "expiry"),
    [
        pytest.param(
            UNIVAPAY_CAPABILITIES,
            OptionPolicy.OPTIONAL,
            OptionPolicy.OPTIONAL,
            ExpiryPolicy.BY_CYCLE,
            marks=pytest.mark.rule("R-196"),
            id="UnivaPay",
        ),
        pytest.param(
            TELECOM_CAPABILITIES,
            OptionPolicy.FORCED_ON,
            OptionPolicy.FORCED_ON,
            ExpiryPolicy.BY_CYCLE,
            marks=pytest.mark.rule("R-206", "R-207", "R-208", "R-212"),
            id="Telecom Credit",
        ),
        pytest.param(
            STRIPE_CAPABILITIES,
            OptionPolicy.OPTIONAL,
            OptionPolicy.OPTIONAL,
            ExpiryPolicy.BY_CYCLE,
            marks=pytest.mark.rule("R-214"),
            id="Stripe",
        ),
        pytest.param(
            AMAZONPAY_CAPABILITIES,
            OptionPolicy.UNAVAILABLE,
            OptionPolicy.OPTIONAL,
            ExpiryPolicy.SYSTEM_MAX,
            marks=pytest.mark.rule("R-217", "R-218"),
            id="Amazon Pay",
        ),
    ],
)
def test_the_options_of_an_additional_charge_are_those_of_the_provider(
    capabilities: Capabilities, renew_expiry: OptionPolicy, send_step_mail: OptionPolicy, expiry: ExpiryPolicy
) -> None:
    assert (capabilities.renew_expiry, capabilities.send_step_mail, capabilities.expiry) == (
        renew_expiry,
        send_step_mail,
        expiry,
    )


@pytest.mark.rule("R-197", "R-203", "R-213", "R-216", "R-223")
def test_only_univapay_has_a_window_of_one_year() -> None:
    assert [each.charge_window_years for each in ALL] == [1, None, None, None]


@pytest.mark.rule("R-205")
def test_only_univapay_has_a_duplicate_window() -> None:
    assert [each.duplicate_window for each in ALL] == [30, None, None, None]


@pytest.mark.rule("R-215")
def test_every_fake_takes_yen_only_and_stripe_alone_has_limits() -> None:
    plain = {"JPY": AmountRange(1, None)}

    assert [each.amounts for each in ALL] == [plain, plain, {"JPY": AmountRange(50, 99_999_999)}, plain]


@pytest.mark.rule("R-220")
def test_recurring_contracts_are_possible_everywhere_but_at_amazon_pay() -> None:
    assert [each.recurring for each in ALL] == [True, True, True, False]
    assert TELECOM_CAPABILITIES.renewals is Renewals.PROVIDER


@pytest.mark.rule("R-249")
def test_money_is_returned_by_hand_at_telecom_and_in_parts_elsewhere() -> None:
    by_hand, partial = RefundPolicy.BY_HAND, RefundPolicy.PARTIAL

    assert [each.refunds for each in ALL] == [partial, by_hand, partial, partial]


def test_a_lost_charge_is_found_out_in_four_different_ways() -> None:
    assert [(each.idempotency.kind, each.lookup) for each in ALL] == [
        (IdempotencyKind.BEST_EFFORT, Lookup.EVENTUAL),
        (IdempotencyKind.NONE, Lookup.NONE),
        (IdempotencyKind.NATIVE, Lookup.AUTHORITATIVE),
        (IdempotencyKind.NATIVE, Lookup.AUTHORITATIVE),
    ]


def test_an_attempts_id_is_a_valid_key_everywhere() -> None:
    attempt = "0198c0ffee0070008000000000000001"

    assert {each.idempotency.key_for(attempt) for each in ALL} == {attempt}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("fake-univapay", FakeUnivaPay),
        ("fake-telecom", FakeTelecom),
        ("fake-stripe", FakeStripe),
        ("fake-amazonpay", FakeAmazonPay),
    ],
)
def test_a_fake_can_be_configured_by_name_and_holds_what_it_declares(name: str, kind: type) -> None:
    assert load(name) is kind

    (account,) = Plugins({"shop": kind()})

    assert account.capabilities == kind().capabilities()
