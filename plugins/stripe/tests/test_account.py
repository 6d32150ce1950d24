"""Settings, capabilities, ping, and what using the stripe package does to the rest of the process (§1, §2)."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import warnings

import attrs
import pytest
import stripe

from paygate.errors import ConfigurationError, ProviderUnavailable
from paygate.flow import Response
from paygate.plugins.discovery import load
from paygate.plugins.manager import Plugins
from paygate.provider import AmountRange, Mode
from paygate.testing.clock import ManualClock
from paygate_stripe import CAPABILITIES, Stripe, StripeSettings
from paygate_stripe.transport import STRIPE_VERSION, connect

KEYS = {"api_key": "sk_test_canary0key", "webhook_secret": "whsec_canary0secret"}


# --- settings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "mode"),
    [("sk_test_abcd", "test"), ("rk_test_abcd", "test"), ("sk_live_abcd", "live"), ("rk_live_abcd", "live")],
)
@pytest.mark.rule("X-24")
def test_the_key_says_whether_real_money_is_moved(key, mode):
    provider = Stripe(StripeSettings(api_key=key, webhook_secret="whsec_abcd"))

    assert provider.mode is Mode(mode)


@pytest.mark.parametrize(
    "key", ["", "pk_test_canary", "sk_canary", "sk_test_", " sk_test_canary", "sk_test_can ary", None, 5]
)
def test_what_is_no_secret_key_is_refused_without_being_quoted(key):
    with pytest.raises(ConfigurationError, match="api_key") as refused:
        StripeSettings(**{**KEYS, "api_key": key})

    assert "canary" not in str(refused.value)


@pytest.mark.parametrize(
    "secret", ["", "canary", "whsec_", "whsec_a1b2,canary", "whsec_a1b2,whsec_b2c3,whsec_c3d4", None, ","]
)
def test_what_is_no_signing_secret_is_refused_without_being_quoted(secret):
    with pytest.raises(ConfigurationError, match="webhook_secret") as refused:
        StripeSettings(**{**KEYS, "webhook_secret": secret})

    assert "canary" not in str(refused.value)


@pytest.mark.parametrize(
    "base",
    ["http://api.stripe.com", "ftp://api.stripe.com", "api.stripe.com", "https://", "http://127.0.0.1.evil.example"],
)
def test_the_key_travels_encrypted_or_stays_on_the_machine(base):
    with pytest.raises(ConfigurationError, match="base_url"):
        StripeSettings(**KEYS, base_url=base)


@pytest.mark.parametrize("base", ["http://127.0.0.1:8080", "http://localhost:1", "http://[::1]:1"])
def test_an_emulator_on_this_machine_takes_test_keys_only(base):
    assert StripeSettings(**KEYS, base_url=base).base_url == base
    with pytest.raises(ConfigurationError, match="live key"):
        StripeSettings(api_key="sk_live_abcd", webhook_secret="whsec_abcd", base_url=base)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("stripe_account", "1234"),
        ("stripe_account", ""),
        ("renewals", "stripe"),
        ("checkout", "elements"),
        ("return_url", "http://shop.example"),
        ("return_url", "shop.example/done"),
    ],
)
def test_a_setting_with_a_value_that_does_not_exist_is_refused_by_name(setting, value):
    with pytest.raises(ConfigurationError, match=setting):
        StripeSettings(**KEYS, **{setting: value})


def test_the_settings_show_no_secret():
    assert "canary" not in repr(StripeSettings(**KEYS))


# --- capabilities ----------------------------------------------------------------------------------------------------


@pytest.mark.rule("R-215")
def test_a_charge_is_between_50_and_99999999_yen():
    assert CAPABILITIES.amounts == {"JPY": AmountRange(50, 99_999_999)}


@pytest.mark.parametrize("renewals", ["merchant", "provider"])
def test_a_gateway_takes_it_for_a_provider_that_holds_what_it_declares(renewals):
    (account,) = Plugins({"stripe": Stripe(StripeSettings(**KEYS, renewals=renewals))})

    assert account.capabilities.name == "Stripe"


def test_it_is_found_by_its_name():
    assert load("stripe") is Stripe


# --- ping ------------------------------------------------------------------------------------------------------------


def test_ping_reads_the_balance_and_says_which_mode_it_is(shop):
    said = shop.answers({"object": "balance", "available": [], "livemode": False}).run(shop.provider.ping())

    assert shop.sent() == ["GET /v1/balance"]
    assert said == "Stripe answers in test mode"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (
            Response(401, {}, b'{"error": {"type": "invalid_request_error", "message": "Invalid API Key: sk_test_c"}}'),
            ConfigurationError,
        ),
        (
            Response(404, {}, b'{"error": {"type": "invalid_request_error", "code": "resource_missing"}}'),
            ProviderUnavailable,
        ),
        (Response(404, {}, b"<html>"), ProviderUnavailable),
        (Response(500), ProviderUnavailable),
    ],
)
def test_a_ping_that_fails_says_what_is_wrong(shop, answer, error):
    with pytest.raises(error) as failed:
        shop.answers(answer).run(shop.provider.ping())

    assert "sk_test" not in str(failed.value)


# --- the package -----------------------------------------------------------------------------------------------------


def in_a_fresh_interpreter(code, **environment):
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
        timeout=60,
    ).stdout.strip()


def test_listing_plugins_does_not_load_the_package():
    loaded = in_a_fresh_interpreter(
        "import sys, paygate_stripe; print('stripe' in sys.modules, 'requests' in sys.modules)"
    )

    assert loaded == "False False"


def test_a_charge_writes_nothing_to_the_home_folder_and_uses_no_network(tmp_path):
    code = """
import json
from paygate import Money
from paygate.drivers import SyncDriver
from paygate.flow import Response
from paygate.provider import ChargeRequest
from paygate.testing.clock import ManualClock
from paygate_stripe import Stripe, StripeSettings

clock = ManualClock.jst(2026, 11, 22, 12)
body = {"id": "pi_1", "status": "succeeded", "amount": 500, "amount_received": 500, "currency": "jpy"}
seen = []
answer = lambda request: seen.append(request) or Response(200, {"request-id": "req_1"}, json.dumps(body).encode())
driver = SyncDriver(clock, mounts={"https://api.stripe.com": answer})
provider = Stripe(StripeSettings(api_key="sk_test_abcd", webhook_secret="whsec_abcd"), clock)
for _ in range(2):
    result = driver.run(provider.charge(ChargeRequest("a" * 32, "a" * 32, Money(500, "JPY"), "cus_1/pm_1")))
print(result.outcome.value, sorted(set(seen[0].headers) | set(seen[1].headers)))
"""
    said = in_a_fresh_interpreter(code, HOME=str(tmp_path), XDG_CONFIG_HOME=str(tmp_path / "config"))

    assert said == ("succeeded ['authorization', 'content-type', 'idempotency-key', 'stripe-version', 'user-agent']")
    assert list(tmp_path.iterdir()) == []


def test_telemetry_is_off():
    connect(StripeSettings(**KEYS))

    assert stripe.enable_telemetry is False


def test_nothing_else_of_the_packages_global_state_is_touched():
    names = (
        "api_key",
        "base_url",
        "api_version",
        "app_info",
        "default_http_client",
        "log",
        "max_network_retries",
        "proxy",
    )
    before = {name: getattr(stripe, name, None) for name in names}

    connect(StripeSettings(**KEYS, stripe_account="acct_1234", base_url="http://127.0.0.1:1"))

    assert {name: getattr(stripe, name, None) for name in names} == before


def test_the_pinned_version_is_the_one_whose_types_the_installed_package_has():
    assert stripe.api_version == STRIPE_VERSION


def test_a_notice_for_developers_does_not_become_a_warning_in_the_middle_of_a_payment(shop):
    answer = Response(200, {"Stripe-Notice": "please upgrade"}, json.dumps(shop.intent()).encode())

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = shop.answers(answer).charge()

    assert result.reference == "pi_1"


def test_the_package_logs_nothing_about_our_requests_and_other_users_of_it_log_as_before(shop, caplog):
    caplog.set_level(logging.DEBUG)

    shop.answers(shop.intent(client_secret="canary0client")).charge()
    shop.answers(shop.error("canary0error", message="canary0message"), status=400).charge()
    logging.getLogger("stripe").info("somebody else's request")

    assert "canary" not in caplog.text
    assert "cus_Hanako" not in caplog.text
    assert "somebody else's request" in caplog.text


def test_time_is_the_gateways_or_given():
    given = ManualClock.jst(2026, 11, 22, 12)

    assert Stripe(StripeSettings(**KEYS), given).clock is given
    assert Stripe(StripeSettings(**KEYS)).clock is None


def test_capabilities_are_one_value_for_all_accounts_with_the_default_settings():
    assert Stripe(StripeSettings(**KEYS)).capabilities() is CAPABILITIES
    assert attrs.evolve(CAPABILITIES) == CAPABILITIES
