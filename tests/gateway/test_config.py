"""``paygate.toml`` and the environment: what is wrong is named with its key, file and remedy."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from pathlib import Path

import attrs
import pytest

from paygate import Gateway
from paygate.config import load
from paygate.domain.retry_schedule import RetrySchedule
from paygate.errors import ConfigurationError
from paygate.plugins import discovery
from paygate.provider import Mode
from paygate.testing import FakeStripe

GOOD = """
database = "sqlite://"
timezone = "Asia/Tokyo"
system_max_expiry = 2035-12-31
refund_cut_off = false
customer_charges = true
network_rules = "lenient"

[waiting]
unknown_after = 600

[http]
read_timeout = 12.5

[accounts.univapay]
app_token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhcHBfdG9rZW4iLCJzdG9yZV9pZCI6InMtMSIsIm1vZGUiOiJ0ZXN0In0.c2ln"

[accounts.univapay.capabilities]
charge_window_years = 0

[accounts.shop2]
provider = "fake-stripe"
mode = "test"

[accounts.shop2.retries]
gaps = [1, 2]
ends_contract = true

[[step_mails]]
name = "thanks"
set = "ON_RENEWAL"
delay = 300
subject = "ありがとうございます"
"""
MAIL = """
[plugins.mail]
plugin = "smtp"
host = "mail.example.com"
sender = "shop@example.com"
admin_to = "admin@example.com"
"""
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhcHBfdG9rZW4iLCJzdG9yZV9pZCI6InMtMSIsIm1vZGUiOiJ0ZXN0In0.c2ln"
SECRETS = {"PAYGATE_UNIVAPAY_SECRET": "s3cr3t-value", "PAYGATE_UNIVAPAY_WEBHOOK_AUTH_TOKEN": "hook-value"}


class Split(FakeStripe):
    """A provider with settings whose names continue those of others."""

    @attrs.frozen
    class Settings:
        auth_token: str = ""
        host: str = ""

    def __init__(self, settings):
        super().__init__()


def with_split(load_plugin):
    def find(name, **options):
        return Split if name == "split" else load_plugin(name, **options)

    return find


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "paygate.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.mark.rule("R-055", "R-203")
def test_a_good_file_opens_a_gateway(write, monkeypatch):
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    path = write(GOOD)

    config = load(path)
    with Gateway.open(path) as gateway:
        accounts = {account.name: account for account in gateway.providers.list()}

    assert config.system_max == dt.date(2035, 12, 31)
    assert (config.waiting.unknown_after, config.http.read_timeout) == (600, 12.5)
    assert (config.refund_cut_off, config.network_rules, config.customer_charges) == (None, "lenient", True)
    assert config.schedules == {"shop2": RetrySchedule((1, 2), ends_contract=True)}
    assert config.modes == {"shop2": Mode.TEST}
    assert {account.mode for account in accounts.values()} == {Mode.TEST}
    assert config.step_mails[0].subject == "ありがとうございます"
    assert sorted(accounts) == ["shop2", "univapay"]
    assert accounts["univapay"].capabilities.charge_window_years is None
    for text in (repr(config), repr(accounts), str(config)):
        assert "s3cr3t-value" not in text
        assert "hook-value" not in text


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('database = "sqlite://"', 'databse = "sqlite://"', "databse: unknown key; did you mean 'database'"),
        (
            "unknown_after = 600",
            "unknown_aftr = 600",
            "waiting.unknown_aftr: unknown key; did you mean 'unknown_after'",
        ),
        ("unknown_after = 600", 'unknown_after = "600"', "waiting.unknown_after: must be like 900"),
        ("unknown_after = 600", "unknown_after = -1", "waiting.unknown_after"),
        ("read_timeout = 12.5", "read_timeout = 0", "read_timeout"),
        ('timezone = "Asia/Tokyo"', 'timezone = "Asia/Kyoto"', "timezone: no zone 'Asia/Kyoto'"),
        ("system_max_expiry = 2035-12-31", 'system_max_expiry = "2035"', "system_max_expiry: must be a date"),
        ('provider = "fake-stripe"', 'provider = "strpe"', "accounts.shop2.provider: no plugin 'strpe'"),
        ("app_token =", "app_tken =", "accounts.univapay.app_tken: unknown key; did you mean 'app_token'"),
        ("charge_window_years = 0", "charge_window = 0", "unknown capability setting 'charge_window'"),
        ('set = "ON_RENEWAL"', 'set = "ON_RENEW"', r"step_mails\[1\].set: no mail set 'ON_RENEW'; one of ON_PAYMENT"),
        ("delay = 300", "delay = 1.5", r"step_mails\[1\].*delay is a whole number"),
        ("[accounts.shop2]", "[accounts.shop2", "not readable as TOML"),
        ('network_rules = "lenient"', 'network_rules = "lax"', "network_rules: .*lax"),
        ("customer_charges = true", 'customer_charges = "yes"', "customer_charges: write true or false without quotes"),
        ("refund_cut_off = false", 'refund_cut_off = "never"', "refund_cut_off: must be a date"),
        ("gaps = [1, 2]", "gaps = [0]", "accounts.shop2.retries.gaps: .*at least one"),
        ('mode = "test"', 'mode = "sandbox"', 'accounts.shop2.mode: no mode \'sandbox\'; write "test" or "live"'),
        ("gaps = [1, 2]", "gap = [1]", "accounts.shop2.retries.gap: unknown key; did you mean 'gaps'"),
        ("[waiting]", "waiting = 3\n[x]", "unknown key|waiting: must be a table"),
        (
            'subject = "',
            'subject = "${amout} ',
            r"step_mails\[1\]: subject: unknown placeholder \${amout}; did you mean",
        ),
        ("[waiting]", 'plugins = "smtp"\n[waiting]', "plugins: must be a list of names, or a table"),
        ("[waiting]", "plugins = [3]\n[waiting]", "plugins: must be a non-empty text"),
        ("[waiting]", 'plugins = ["smpt"]\n[waiting]', "plugins.smpt.plugin: no plugin 'smpt' .*did you mean 'smtp'"),
        ("[waiting]", 'plugins = ["smtp"]\n[waiting]', "plugins.smtp.host: setting is missing; set PAYGATE_SMTP_HOST"),
        ("[waiting]", "[plugins]\nsmtp = 3\n[waiting]", "plugins.smtp: must be a table"),
        ("[waiting]", '[plugins.smtp]\nhots = "h"\n[waiting]', "plugins.smtp.hots: unknown key; did you mean 'host'"),
        ("[waiting]", "[plugins.smtp]\nport = 0\n[waiting]", "plugins.smtp.host: setting is missing"),
        ("[waiting]", f"{MAIL}port = 0\n[waiting]", "plugins.mail: smtp: port is a whole number from 1"),
    ],
)
def test_what_is_wrong_is_named_with_key_and_remedy(write, monkeypatch, old, new, says):
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    assert old in GOOD
    path = write(GOOD.replace(old, new, 1))

    with pytest.raises(ConfigurationError, match=says) as caught:
        Gateway.open(path)

    assert "s3cr3t-value" not in str(caught.value)


def test_a_missing_secret_names_the_variable_to_set(write):
    with pytest.raises(ConfigurationError, match=r"accounts.univapay.secret.*PAYGATE_UNIVAPAY_SECRET"):
        load(write(GOOD), environ={})


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match=r"nowhere.toml: no such file"):
        Gateway.open(tmp_path / "nowhere.toml")


def test_the_environment_overrides_the_database(write):
    assert (
        load(write(GOOD), environ={**SECRETS, "PAYGATE_DATABASE": "sqlite:///other.db"}).database
        == "sqlite:///other.db"
    )


def test_a_database_that_is_no_url_is_refused_without_showing_a_password(write):
    with pytest.raises(ConfigurationError) as caught:
        Gateway(database="postgresql://shop:hunter2@/nothing?host=/nowhere", providers={})
    assert "hunter2" not in str(caught.value)
    with pytest.raises(ConfigurationError):
        Gateway(database="no url", providers={})


def test_a_plugin_in_a_table_gets_its_settings_from_there_and_its_secrets_from_the_environment(write):
    environ = {**SECRETS, "PAYGATE_MAIL_USERNAME": "billing", "PAYGATE_MAIL_PASSWORD": "s3cr3t-value"}

    config = load(write(GOOD + MAIL + '[plugins."collections:Counter"]\n'), environ=environ)

    mail, counter = config.plugins
    assert (mail.settings.host, mail.settings.password) == ("mail.example.com", "s3cr3t-value")
    assert counter == Counter()
    assert "s3cr3t-value" not in repr(config)


def test_plugins_without_settings_are_a_list_of_names(write):
    text = GOOD.replace("[waiting]", 'plugins = ["collections:Counter"]\n[waiting]')

    assert load(write(text), environ=SECRETS).plugins == (Counter(),)


@pytest.mark.rule("R-372")
@pytest.mark.parametrize(
    ("text", "variable"),
    [
        ('[accounts.shop-a]\nprovider = "stripe"\n[accounts.shop_a]\nprovider = "stripe"\n', "PAYGATE_SHOP_A_"),
        (
            '[accounts.shop-a]\nprovider = "fake-stripe"\n[accounts.shop_a]\nprovider = "fake-stripe"\n',
            "PAYGATE_SHOP_A_",
        ),
        ('[accounts.Shop]\nprovider = "stripe"\n[accounts.shop]\nprovider = "univapay"\n', "PAYGATE_SHOP_"),
        ('[accounts."東京"]\nprovider = "stripe"\n[accounts."大阪"]\nprovider = "stripe"\n', "PAYGATE____"),
        (
            '[accounts.a]\nprovider = "univapay"\n[accounts.a_webhook]\nprovider = "split"\n',
            "PAYGATE_A_WEBHOOK_AUTH_TOKEN",
        ),
        (f'{MAIL}\n[accounts.mail]\nprovider = "split"\n', "PAYGATE_MAIL_HOST"),
    ],
)
def test_two_settings_of_one_environment_variable_are_refused(write, monkeypatch, text, variable):
    monkeypatch.setattr(discovery, "load", with_split(discovery.load))
    environ = {
        "PAYGATE_SHOP_A_API_KEY": "sk_test_1234567890123456",
        "PAYGATE_MAIL_HOST": "h",
        "PAYGATE_A_APP_TOKEN": TOKEN,
        "PAYGATE_A_SECRET": "s",
        "PAYGATE_A_WEBHOOK_AUTH_TOKEN": "t",
    }
    with pytest.raises(ConfigurationError, match="rename one of them") as caught:
        load(write(text), environ)
    assert variable in str(caught.value)


@pytest.mark.rule("R-372")
def test_accounts_that_only_look_alike_are_told_apart(write):
    text = '[accounts.shop]\nprovider = "stripe"\n[accounts.shop2]\nprovider = "stripe"\n'
    keys = {
        f"PAYGATE_{name}_{setting}": value
        for name in ("SHOP", "SHOP2")
        for setting, value in (("API_KEY", "sk_test_1234567890123456"), ("WEBHOOK_SECRET", "whsec_1234567890123456"))
    }
    assert set(load(write(text), keys).providers) == {"shop", "shop2"}


@pytest.mark.rule("R-296")
@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("system_max_expiry = 9999-12-31", "system_max_expiry: is a day from 1900-01-01 to 2999-12-31"),
        ("refund_cut_off = 0001-01-01", "refund_cut_off: is a day from"),
        ("[waiting]\nunknown_after = 100000000000000000000", "waiting.unknown_after: must be like 900, and at most"),
        ("[http]\nread_timeout = inf", "http.read_timeout: must be like"),
        (
            '[[step_mails]]\nname = "a"\nset = "ON_RENEWAL"\ndelay = 100000000000000',
            "delay is a whole number of seconds",
        ),
    ],
)
def test_a_setting_that_no_calendar_or_clock_can_hold_is_named(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "paygate.toml").write_text(line, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=message):
        load(tmp_path / "paygate.toml")
