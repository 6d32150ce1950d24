"""A provider in one file, without packaging: passed as a class, or named in the configuration."""

from __future__ import annotations

import importlib
import json
import runpy
import sys
from pathlib import Path

import attrs
import pytest
from click.testing import CliRunner

from paygate import Capabilities, Card, Customer, Gateway, Money, Plan, Provider, secret
from paygate.cli.app import paygate
from paygate.config import load
from paygate.errors import ChargeDeclined, ConfigurationError
from paygate.flow import Request, Response
from paygate.testing import FakeStripe, FakeTelecom

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "acme.py"
HANAKO = Customer("cus_1", email="hanako@example.com")
GOLD = Plan.recurring("Gold", Money(3000, "JPY"))

MODULE = """
from paygate.cli.app import paygate
from paygate import Capabilities, Provider, hookimpl

class Acme(Provider):
    def capabilities(self):
        return Capabilities("Acme")
    async def charge(self, request):
        raise NotImplementedError

class _Helper(Provider):
    pass
"""
OBSERVER = """
from paygate.cli.app import paygate
from paygate import hookimpl

@hookimpl
def on_charge_success(notice):
    pass
"""
NEEDY = """
import attrs
from paygate.cli.app import paygate
from paygate import Capabilities, Provider, secret

@attrs.frozen
class Settings:
    api_key: str = secret()
    shop: str = "one"

class NeedyProvider(Provider):
    Settings = Settings
    def __init__(self, settings):
        self.settings = settings
    def capabilities(self):
        return Capabilities("Needy")
    async def charge(self, request):
        raise NotImplementedError
"""


def acme_server(request: Request) -> Response:
    order = json.loads(request.body)
    if order["card"] == "tok_no":
        return Response(402, body=b'{"refused": "51"}')
    return Response(200, body=json.dumps({"paid": f"ch_{order['order'][-6:]}"}).encode())


@pytest.fixture
def example():
    return runpy.run_path(str(EXAMPLE), run_name="acme")["Acme"]


@pytest.fixture
def configured(tmp_path, monkeypatch):
    """Writes modules and a configuration, and reads the latter."""
    monkeypatch.syspath_prepend(tmp_path)

    def read(text, environ=None, **modules):
        for name, source in modules.items():
            (tmp_path / f"{name}.py").write_text(source, encoding="utf-8")
            monkeypatch.delitem(sys.modules, name, raising=False)
        importlib.invalidate_caches()
        path = tmp_path / "paygate.toml"
        path.write_text(text, encoding="utf-8")
        return load(path, environ=environ or {})

    return read


def test_the_example_is_short_and_charges(example):
    mounts = {"https://api.acme.example": acme_server}
    with Gateway(database="sqlite://", providers=[example], mounts=mounts) as gateway:
        contract = gateway.contracts.create(HANAKO, GOLD, Card("acme", "tok_1"))
        with pytest.raises(ChargeDeclined) as declined:
            gateway.contracts.create(HANAKO, GOLD, Card("acme", "tok_no"))

    assert len(EXAMPLE.read_text(encoding="utf-8").splitlines()) <= 25
    assert contract.account == "acme"
    assert declined.value.code == "51"


def test_classes_and_instances_get_the_names_of_their_classes():
    class ShopProvider(FakeTelecom):
        pass

    with Gateway(database="sqlite://", providers=(FakeStripe, ShopProvider())) as gateway:
        assert [account.name for account in gateway.providers.list()] == ["fakestripe", "shop"]


@attrs.frozen
class Settings:
    api_key: str = secret()


class Needy(Provider):
    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def capabilities(self) -> Capabilities:
        return Capabilities("Needy")


@pytest.mark.parametrize(
    ("providers", "named"),
    [
        ([FakeStripe, FakeStripe()], "'fakestripe-1'"),
        ([Needy], "Needy needs settings"),
        (["univapay"], "neither"),
        ([object()], "neither"),
        ("univapay", "a mapping"),
        (None, "a mapping"),
        (FakeStripe, "a mapping"),
    ],
)
def test_what_cannot_be_listed_is_named_with_a_remedy(providers, named):
    with pytest.raises(ConfigurationError, match=named):
        Gateway(database="sqlite://", providers=providers)


def test_the_providers_of_a_named_module_become_accounts_and_its_hooks_observe(configured):
    config = configured('plugins = ["shop_acme", "shop_hooks"]', shop_acme=MODULE, shop_hooks=OBSERVER)

    assert {name: type(provider).__name__ for name, provider in config.providers.items()} == {"acme": "Acme"}
    assert [plugin.__name__ for plugin in config.plugins] == ["shop_hooks"]


def test_a_module_may_hold_both(configured):
    config = configured('plugins = ["shop_both"]', shop_both=MODULE + OBSERVER)

    assert list(config.providers) == ["acme"]
    assert [plugin.__name__ for plugin in config.plugins] == ["shop_both"]


def test_accounts_may_name_the_provider_of_a_module_as_their_type(configured):
    config = configured(
        'plugins = ["shop_acme"]\n[accounts.first]\nprovider = "acme"\n[accounts.second]\nprovider = "acme"',
        shop_acme=MODULE,
    )

    assert {name: type(provider).__name__ for name, provider in config.providers.items()} == {
        "first": "Acme",
        "second": "Acme",
    }


def test_a_dotted_class_is_taken_alone(configured):
    config = configured('plugins = ["shop_acme:Acme"]', shop_acme=MODULE)

    assert list(config.providers) == ["acme"]


def test_settings_come_from_the_account_and_the_environment(configured):
    text = 'plugins = ["shop_needy"]\n[accounts.needy]\nshop = "two"'
    config = configured(text, {"PAYGATE_NEEDY_API_KEY": "k"}, shop_needy=NEEDY)
    alone = configured('plugins = ["shop_needy"]', {"PAYGATE_NEEDY_API_KEY": "k"}, shop_needy=NEEDY)

    assert (config.providers["needy"].settings.shop, alone.providers["needy"].settings.shop) == ("two", "one")
    with pytest.raises(ConfigurationError, match=r"accounts\.needy\.api_key: secret is missing"):
        configured('plugins = ["shop_needy"]', shop_needy=NEEDY)


@pytest.mark.parametrize(
    ("text", "key", "remedy"),
    [
        ('plugins = ["nowhere.acme"]', r"plugins\.nowhere\.acme", "PYTHONPATH"),
        ('plugins = ["shop_acme.more"]', r"plugins\.shop_acme\.more", "cannot be imported"),
        ('plugins = ["shop_nowhere"]', r"plugins\.shop_nowhere", "install it, for example"),
        ('plugins = ["shop_broken"]', r"plugins\.shop_broken", "SyntaxError"),
        ('plugins = ["shop_empty"]', r"plugins\.shop_empty", "neither a Provider nor"),
        ('[accounts.x]\nprovider = "shop_acme"', r"accounts\.x\.provider", "no plugin 'shop_acme' is installed"),
        ('[plugins.acme]\nplugin = "shop_acme:Acme"\nkey = 1', r"plugins\.acme\.key", "unknown key"),
        ('plugins = ["shop_acme"]\n[accounts.acme]\nprovider = "fake-stripe"', r"accounts\.acme", "of its own"),
    ],
)
def test_what_is_wrong_with_a_module_names_the_key_and_the_remedy(configured, text, key, remedy):
    modules = {"shop_acme": MODULE, "shop_broken": "class Acme(", "shop_empty": "x = 1"}

    with pytest.raises(ConfigurationError, match=rf"{key}.*{remedy}"):
        configured(text, **modules)


def test_the_example_passes_the_core_of_the_conformance_kit() -> None:
    checked = CliRunner().invoke(paygate, ["check", str(EXAMPLE)])

    assert checked.exit_code == 0, checked.output
    assert "Acme: CORE passed" in checked.output
