"""Secrets of all plugins are checked when an account is opened: no character too many gets as far as a request."""

from __future__ import annotations

import textwrap
from typing import Any

import attrs
import pytest

from paygate import Gateway, secret
from paygate.config import load
from paygate.drivers.redact import mask_text
from paygate.errors import ConfigurationError
from paygate.plugins.manager import Plugins
from paygate.plugins.smtp_settings import SmtpSettings
from paygate.provider import Capabilities, ChargeResult, Provider
from paygate.testing import FakeSettings, FakeStripe
from paygate.testing.emulators.univapay import Credentials
from paygate_stripe import StripeSettings
from paygate_univapay import UnivaPaySettings

TOKEN = Credentials.for_store(1)

BAD = {
    "canary1234\n": "ends with a line break",
    "canary1234\r\n": "ends with a line break",
    " canary1234": "begins or ends with a blank",
    "canary1234\t": "begins or ends with a blank",
    "canary1234\u00a0": "begins or ends with a blank",
    "\ufeffcanary1234": "invisible character",
    "canary1234\u200b": "invisible character",
    "canary\n1234": "line break or another control character",
    "canary\x001234": "control character",
    "canary\x7f1234": "control character",
    "canaryé1234": "ASCII",
    "ｃanary1234": "ASCII",
    "\ud800canary": "ASCII",
    '"canary1234"': "quotation marks",
    "'canary1234'": "quotation marks",
    "": "is empty",
    "  \n": "is empty",
}


@attrs.frozen
class Own:
    """Settings of a plugin that nobody here has seen."""

    key: str = secret()


@attrs.frozen
class Careless:
    """Declares its secret by hand, without any check."""

    key: str = attrs.field(repr=False, metadata={"paygate_secret": True})


MAKERS = {
    "univapay secret": lambda value: UnivaPaySettings(
        app_token=TOKEN.app_token, secret=value, webhook_auth_token="word"
    ),
    "univapay app_token": lambda value: UnivaPaySettings(
        app_token=value.replace("canary1234", TOKEN.app_token).replace("canary", TOKEN.app_token),
        secret="s3cr3t",
        webhook_auth_token="word",
    ),
    "univapay webhook_auth_token": lambda value: UnivaPaySettings(
        app_token=TOKEN.app_token, secret="s3cr3t", webhook_auth_token=value
    ),
    "stripe api_key": lambda value: StripeSettings(
        api_key=value.replace("canary", "sk_test_canary"), webhook_secret="whsec_canary"
    ),
    "stripe webhook_secret": lambda value: StripeSettings(
        api_key="sk_test_canary", webhook_secret=value.replace("canary", "whsec_canary")
    ),
    "smtp password": lambda value: SmtpSettings(
        host="mail.example", username="u", password=value, sender="a@b.example", admin_to="c@d.example"
    ),
    "fakes webhook_secret": lambda value: FakeSettings(webhook_secret=value),
    "a plugin of one's own key": Own,
}


@pytest.mark.rule("R-308")
@pytest.mark.parametrize("which", MAKERS)
@pytest.mark.parametrize(("value", "says"), BAD.items(), ids=repr)
def test_a_secret_with_a_character_too_many_is_refused_with_its_name_and_the_remedy(which, value, says):
    with pytest.raises(ConfigurationError, match=says) as caught:
        MAKERS[which](value)

    assert which.split()[-1] in str(caught.value)
    assert "canary" not in str(caught.value)


@pytest.mark.rule("R-308")
@pytest.mark.parametrize("which", ["univapay secret", "univapay app_token", "stripe api_key"])
def test_what_goes_into_a_header_as_one_word_holds_no_blank(which):
    with pytest.raises(ConfigurationError, match="blank"):
        MAKERS[which]("canary 1234")


@pytest.mark.parametrize("value", ["canary", "a b c", 'p"q', "~!@#$%^&*()_+{}|:<>?", "x" * 5000, "'", "0"])
def test_an_ordinary_secret_is_taken_as_it_is(value):
    assert Own(value).key == value
    assert MAKERS["smtp password"](value).password == value


@pytest.mark.rule("R-308")
@pytest.mark.parametrize(
    "value", ["https://api.example\n", " https://api.example", "https://api.exa\tmple", "https://a b"]
)
def test_an_address_with_a_blank_or_a_line_break_is_refused(value):
    with pytest.raises(ConfigurationError, match="base_url"):
        UnivaPaySettings(app_token=TOKEN.app_token, secret="s", webhook_auth_token="w", base_url=value)
    with pytest.raises(ConfigurationError, match="base_url"):
        StripeSettings(api_key="sk_test_canary", webhook_secret="whsec_canary", base_url=value)
    with pytest.raises(ConfigurationError, match="return_url"):
        StripeSettings(api_key="sk_test_canary", webhook_secret="whsec_canary", return_url=value)


class Held(Provider):
    """Keeps settings that were made by hand."""

    def __init__(self, settings):
        self._settings = settings

    def capabilities(self):
        return Capabilities("Held")

    async def charge(self, request):
        return ChargeResult.succeeded("a")


@pytest.mark.rule("R-308")
def test_opening_an_account_checks_the_secrets_that_its_plugin_did_not():
    with pytest.raises(ConfigurationError, match="account 'shop-a': setting 'key' ends with a line break") as caught:
        Gateway(database="sqlite://", providers={"shop-a": Held(Careless("canary\n"))})
    assert "canary" not in str(caught.value)

    with pytest.raises(ConfigurationError, match="plugin 'Held': setting 'key' ends with a line break"):
        Plugins({"fake": FakeStripe()}, [Held(Careless("canary\n"))])


def configured(tmp_path, **settings):
    path = tmp_path / "paygate.toml"
    lines = "\n".join(f"{name} = {value!r}".replace("'", '"') for name, value in settings.items())
    text = """
        database = "sqlite://"

        [accounts.card]
        provider = "univapay"
    """
    path.write_text(textwrap.dedent(text) + lines + "\n", encoding="utf-8")
    return path


@pytest.mark.rule("R-308")
def test_a_secret_of_the_environment_is_refused_by_the_name_of_its_variable(tmp_path):
    path = configured(tmp_path, app_token=TOKEN.app_token, webhook_auth_token="word")

    with pytest.raises(ConfigurationError) as caught:
        load(path, environ={"PAYGATE_CARD_SECRET": "canary\n"})

    for said in ("accounts.card.secret", "PAYGATE_CARD_SECRET in the environment", "line break", "printf"):
        assert said in str(caught.value)
    assert "canary" not in str(caught.value)


@pytest.mark.rule("R-308")
def test_a_secret_of_the_file_is_refused_by_the_name_of_its_key(tmp_path):
    path = configured(tmp_path, app_token=TOKEN.app_token, secret="canary\n", webhook_auth_token="word")

    with pytest.raises(ConfigurationError, match=r"accounts\.card\.secret.*line break.*or set PAYGATE_CARD_SECRET"):
        load(path, environ={})


@pytest.mark.rule("R-298")
@pytest.mark.parametrize(
    "rest", ["?x=1", "?", "#", "#v1", "/v1", "/stores/x", "/a b", "/\\x", ":port", ":99999999", "/../x", "//x"]
)
@pytest.mark.parametrize(
    ("settings", "host"),
    [
        (lambda url: StripeSettings(api_key="sk_test_canary", webhook_secret="whsec_canary", base_url=url), "api.stripe.com"),
        (
            lambda url: UnivaPaySettings(app_token=TOKEN.app_token, secret="s", webhook_auth_token="w", base_url=url),
            "api.univapay.com",
        ),
    ],
)  # fmt: skip
def test_an_address_with_more_than_the_interface_s_own_is_refused(settings: Any, host: str, rest: str) -> None:
    with pytest.raises(ConfigurationError, match="base_url"):
        settings(f"https://{host}{rest}")
    assert settings(f"https://{host}/").base_url
    assert settings("https://proxy.example/payments").base_url
    for broken in (
        "https://[::1",
        "https://",
        "https://user:word@proxy.example",
        "http://[::1]:x",
        "https://proxy.example?",
    ):
        with pytest.raises(ConfigurationError, match="base_url"):
            settings(broken)


@pytest.mark.rule("R-308")
@pytest.mark.parametrize("setting", ["SECRET", "APP_TOKEN", "WEBHOOK_AUTH_TOKEN"])
@pytest.mark.parametrize("says", BAD.values())
def test_the_remedy_of_a_configured_secret_is_not_masked_as_if_it_were_one(tmp_path, monkeypatch, setting, says):
    value = next(value for value, said in BAD.items() if said == says)
    good = {"SECRET": "s3cr3t", "APP_TOKEN": TOKEN.app_token, "WEBHOOK_AUTH_TOKEN": "word"}
    for name, kept in {**good, setting: value}.items():
        if "\0" in kept or (not kept.isprintable() and "\ud800" in kept):
            pytest.skip("not to be had from the environment")
        monkeypatch.setenv(f"PAYGATE_UNIVAPAY_{name}", kept)
    (tmp_path / "paygate.toml").write_text("[accounts.univapay]\n")
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path / "paygate.toml")

    assert says in mask_text(str(caught.value))
