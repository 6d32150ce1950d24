"""Settings, capabilities, ping, secrets, the wire over loopback."""

from __future__ import annotations

import base64
import json
import logging
import traceback

import anyio
import attrs
import pytest

from paygate.clock import SystemClock
from paygate.drivers import AsyncDriver, SyncDriver
from paygate.errors import ConfigurationError, InvalidValue, PaygateError, ProviderUnavailable, WebhookRejected
from paygate.provider import Lookup, LookupRequest, OptionPolicy, Outcome, Webhook
from paygate.settings import is_secret
from paygate.testing.emulators import Fault, FaultKind, When, serve
from paygate.testing.emulators.univapay import Behaviour, Credentials, UnivaPayEmulator
from paygate.testing.fakes import FakeUnivaPay
from paygate_univapay import CAPABILITIES, UnivaPay, UnivaPaySettings

GOOD = Credentials.for_store()


def jwt(**claims: object) -> str:
    return f"e30.{base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b'=').decode()}.c2ln"


def settings(**changes: object) -> UnivaPaySettings:
    given = {"app_token": GOOD.app_token, "secret": GOOD.secret, "webhook_auth_token": "w"}
    return UnivaPaySettings(**{**given, **changes})


# --- capabilities ----------------------------------------------------------------------------------------------------


@pytest.mark.rule("R-196", "R-197", "R-205")
def test_the_capabilities_say_what_the_manual_says_about_univapay():
    assert CAPABILITIES.renew_expiry is CAPABILITIES.send_step_mail is OptionPolicy.OPTIONAL
    assert CAPABILITIES.charge_window_years == 1
    assert CAPABILITIES.duplicate_window == 30
    assert CAPABILITIES.lookup is Lookup.EVENTUAL


def test_the_fake_declares_what_the_plugin_declares():
    assert FakeUnivaPay().capabilities() == UnivaPay(settings()).capabilities() == CAPABILITIES


# --- settings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"app_token": ""}, "app_token"),
        ({"app_token": "not.a.token"}, "app_token"),
        ({"app_token": "é.é.é"}, "app_token"),
        ({"app_token": None}, "app_token"),
        ({"app_token": jwt(sub="app_token", mode="test")}, "store_id"),
        ({"app_token": jwt(store_id="s", mode="dream")}, "mode"),
        ({"secret": " "}, "secret"),
        ({"webhook_auth_token": ""}, "webhook_auth_token"),
        ({"base_url": "http://api.univapay.com"}, "base_url"),
        ({"base_url": "api.univapay.com"}, "base_url"),
        ({"poll_budget": -1}, "poll_budget"),
        ({"poll_budget": 1.5}, "poll_budget"),
        ({"poll_budget": "soon"}, "poll_budget"),
    ],
)
def test_a_wrong_setting_is_refused_by_name_and_not_quoted(changes, named):
    with pytest.raises(ConfigurationError, match=named) as refusal:
        settings(**changes)

    for value in changes.values():
        if isinstance(value, str) and len(value) > 20:
            assert value not in str(refusal.value)


def test_the_settings_that_are_secret_are_marked_so():
    secret = {one.name for one in attrs.fields(UnivaPaySettings) if is_secret(one)}

    assert secret == {"app_token", "secret", "webhook_auth_token"}


def test_a_number_from_the_environment_may_be_text():
    assert settings(poll_budget="7").poll_budget == 7


def test_the_app_token_says_store_and_mode():
    assert settings().store_id == GOOD.store_id
    assert settings().mode == "test"


# --- ping ------------------------------------------------------------------------------------------------------------


def test_ping_names_the_store_and_the_mode(shop):
    assert shop.driver.run(shop.provider.ping()) == f"UnivaPay answers for store {GOOD.store_id} in test mode"


@pytest.mark.parametrize(
    "wrong", [{"secret": "guess"}, {"app_token": jwt(store_id=GOOD.store_id, mode="test")}], ids=["secret", "app_token"]
)
def test_refused_credentials_are_an_error_of_the_set_up_that_names_settings_and_environment(shop, wrong):
    provider = UnivaPay(attrs.evolve(shop.settings, **wrong))

    with pytest.raises(ConfigurationError, match=r"app_token and secret.*PAYGATE_<ACCOUNT>_SECRET"):
        shop.driver.run(provider.ping())


def test_ping_says_when_univapay_cannot_be_reached(shop):
    shop.emulator.faults.add(Fault(FaultKind.REFUSED), times=3)

    with pytest.raises(ProviderUnavailable):
        shop.driver.run(shop.provider.ping())


def test_ping_says_when_somebody_else_answers(shop):
    shop.emulator.faults.add(Fault(FaultKind.HTML, status=404))

    with pytest.raises(ProviderUnavailable, match="base_url"):
        shop.driver.run(shop.provider.ping())


def test_a_look_up_of_the_wrong_kind_is_refused_before_anything_is_sent(shop):
    attempt = shop.attempt()
    charge = shop.charge(attempt)
    sent = len(shop.emulator.requests)

    with pytest.raises(InvalidValue):
        shop.driver.run(shop.provider.find_refund(LookupRequest(attempt)))
    with pytest.raises(InvalidValue):
        shop.driver.run(shop.provider.find_charge(LookupRequest(shop.refund_attempt(charge, 1))))
    assert len(shop.emulator.requests) == sent


# --- secrets ---------------------------------------------------------------------------------------------------------


def test_no_secret_and_no_card_shows_in_reprs_errors_logs_or_what_is_kept(shop, caplog):
    caplog.set_level(logging.DEBUG)
    canaries = [
        GOOD.secret,
        GOOD.app_token,
        shop.settings.webhook_auth_token,
        shop.card,
        "hanako@example.com",
        "HANAKO",
    ]
    shown = [repr(shop.settings), repr(shop.provider), repr(shop.provider._client)]
    shop.emulator.add_webhook("https://shop.example/hooks", shop.settings.webhook_auth_token)

    attempt = shop.attempt()
    result = shop.charge(attempt)
    refund = shop.refund(shop.refund_attempt(result, 100))
    shop.emulator.deliver(lambda one: shown.extend(repr((event, event.raw)) for event in shop.hear(one)))
    shown += [repr(attempt), repr((result, result.raw)), repr((refund, refund.raw))]
    for failure in (Fault(FaultKind.TIMEOUT), Fault(FaultKind.HTML, When.AFTER), Fault(FaultKind.REFUSED)):
        shop.emulator.faults.add(failure, times=6)
        for flow in (shop.provider.charge(shop.attempt(777)), shop.provider.ping()):
            try:
                shown.append(repr(shop.driver.run(flow)))
            except PaygateError:
                shown.append(traceback.format_exc())
        shop.emulator.faults.clear()
    try:
        shop.driver.run(shop.provider.parse_webhook(Webhook({"authorization": "forged"}, b"{}")))
    except WebhookRejected:
        shown.append(traceback.format_exc())

    text = "\n".join([*shown, caplog.text])
    assert result.outcome is Outcome.SUCCEEDED
    assert "POST https://api.univapay.com/charges" in text
    assert [canary for canary in canaries if canary in text] == []


# --- over a real connection ------------------------------------------------------------------------------------------


def test_over_a_real_connection_a_lost_answer_still_takes_the_money_once(shop):
    emulator = UnivaPayEmulator(SystemClock(), behaviour=Behaviour(pending=0.01))
    emulator.faults.add(Fault(FaultKind.RESET, When.AFTER), match="POST /charges")
    attempt = shop.attempt(card=emulator.add_card())

    with serve(emulator) as url, SyncDriver(SystemClock()) as driver:
        result = driver.run(UnivaPay(attrs.evolve(shop.settings, base_url=url)).charge(attempt))

    assert result.outcome is Outcome.SUCCEEDED
    assert emulator.book.captured() == 3980


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_same_plugin_runs_on_an_event_loop(shop, backend):
    async def main():
        async with AsyncDriver(shop.clock, mounts={"https://api.univapay.com": shop.emulator.handle}) as driver:
            return await driver.run(shop.provider.charge(shop.attempt()))

    assert anyio.run(main, backend=backend).outcome is Outcome.SUCCEEDED
