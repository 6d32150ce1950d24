"""``paygate.toml`` and the environment: every unknown key, missing secret and unknown provider is an error that names it.

.. code-block:: toml

    database = "sqlite:///paygate.db"     # or postgresql://user@host/name; PAYGATE_DATABASE overrides it;
                                          # relative paths in this file count from the file itself
    timezone = "Asia/Tokyo"               # the business zone (R-001)
    system_max_expiry = 2030-12-31        # R-055
    refund_cut_off = 2018-08-04           # R-257; false for no such day
    payment_due_days = 7                 # days until a payment that mails ask for is due (R-430)
    action_page = "https://shop.example/confirm/{charge_id}"  # where customers confirm, if a form is needed (R-342)
    customer_charges = false              # true: customers buy on their own contracts (R-376)
    allow_card_like = ["idempotency_key"] # arguments whose numbers may look like a card's (R-362)
    network_rules = "strict"              # how to read the card networks' rules on retries, see paygate.networks
    outbox = "inline"                     # who tells observers: each call its own, or a "worker"; see docs/howto/operate
    plugins = ["myshop.hooks"]            # observers, and providers of your own: entry points, or modules that can be
                                          # imported; a provider's class in lower case is its account, or type, below

    [waiting]                             # seconds, see paygate.billing.services.Waiting
    unknown_after = 900

    [database_pool]                       # connections, see paygate.store.PoolSettings
    size = 10

    [http]                                # see paygate.drivers.settings.HttpSettings
    read_timeout = 30

    [accounts.univapay]                   # the account's name is yours
    provider = "univapay"                 # the plugin; left out it is the account's name
    mode = "live"                         # or "test", where the provider cannot tell by its credentials; they never mix
    webhook_auth_token = "…"              # a secret is better kept in PAYGATE_UNIVAPAY_WEBHOOK_AUTH_TOKEN
    [accounts.univapay.capabilities]
    charge_window_years = 1               # R-203
    [accounts.univapay.retries]           # of a failed renewal; left out, as is usual for the provider
    gaps = [3, 5, 7]                      # days since the attempt before (R-154)
    ends_contract = true                  # when the last one has failed (R-150); else it stays past due (R-156)

    [plugins.smtp]                        # instead of the list, where a plugin has settings
    plugin = "smtp"                       # the plugin; left out it is the table's name
    host = "mail.example.com"             # the password is better kept in PAYGATE_SMTP_PASSWORD

    [[step_mails]]
    name = "thanks"
    set = "ON_RENEWAL"
    delay = 300                           # seconds after the receipt (R-225)
    subject = "…"                         # with ${placeholders}, see paygate.messages
    body = "…"
"""

from __future__ import annotations

import datetime as dt
import inspect
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any
from zoneinfo import ZoneInfo

import attrs

from ._config_source import Source as _Source
from .billing.courier import INLINE, MODES
from .billing.services import Waiting
from .bounds import MAX_SECONDS, day_problem
from .domain.deleting import REFUND_CUT_OFF
from .domain.mails import MailSet, StepMailPlan
from .domain.retry_schedule import RetrySchedule
from .domain.rules import SYSTEM_MAX_EXPIRY
from .drivers.settings import HttpSettings
from .errors import ConfigurationError, PaygateError
from .messages import check_text
from .plugins import discovery
from .plugins.single_file import has_hooks, providers_in
from .provider import Mode, Provider
from .settings import is_path, is_secret, secret_problem
from .store import PoolSettings
from .texts import is_storable

__all__ = ["Config", "load"]

_TOP = {
    "accounts",
    "allow_card_like",
    "database",
    "database_pool",
    "http",
    "network_rules",
    "outbox",
    "plugins",
    "customer_charges",
    "action_page",
    "payment_due_days",
    "refund_cut_off",
    "step_mails",
    "system_max_expiry",
    "timezone",
    "waiting",
}


@attrs.frozen
class Config:
    """A checked configuration. Providers and plugins are created, but nothing has been opened or sent."""

    database: str = attrs.field(repr=False)  # a URL may hold a password
    zone: dt.tzinfo
    system_max: dt.date
    waiting: Waiting
    http: HttpSettings
    step_mails: tuple[StepMailPlan, ...]
    providers: Mapping[str, object]
    overrides: Mapping[str, Mapping[str, Any]]
    modes: Mapping[str, Mode]
    schedules: Mapping[str, RetrySchedule]
    network_rules: str
    refund_cut_off: dt.date | None
    customer_charges: bool
    payment_due_days: int
    action_page: str
    outbox: str
    database_pool: PoolSettings
    allow_card_like: frozenset[str]
    plugins: tuple[object, ...]


def load(path: str | os.PathLike[str], environ: Mapping[str, str] | None = None) -> Config:
    """Read and check the configuration file *path*.

    :param environ: the environment; by default the process's own. ``PAYGATE_DATABASE`` overrides the database,
        and counts a relative path from the working directory; ``PAYGATE_<ACCOUNT>_<SETTING>`` any text setting of an account, secrets above all; the same for a plugin by the
        name of its table.
    :raises ConfigurationError: the message names the file, the key and the remedy, and never quotes a secret.
    """
    environ = os.environ if environ is None else environ
    source = _Source(Path(path))
    try:
        data = tomllib.loads(source.path.read_text(encoding="utf-8"))
    except FileNotFoundError as exc:
        raise ConfigurationError(f"{source.path}: no such file; create it or name another one") from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise ConfigurationError(f"{source.path}: not readable as TOML: {exc}") from exc
    source.known("", data, _TOP)
    accounts = source.table("accounts", data.get("accounts", {}))
    observers, own = _plugins(source, data.get("plugins", []), environ)
    providers: dict[str, object] = {}
    overrides: dict[str, Mapping[str, Any]] = {}
    modes: dict[str, Mode] = {}
    schedules: dict[str, RetrySchedule] = {}
    source.apart(accounts)
    for name, table in accounts.items():
        rest = dict(source.table(f"accounts.{name}", table))
        if "retries" in rest:
            schedules[name] = _schedule(source, f"accounts.{name}.retries", rest.pop("retries"))
        if "mode" in rest:
            modes[name] = _mode(source, f"accounts.{name}.mode", rest.pop("mode"))
        overrides[name] = source.table(f"accounts.{name}.capabilities", rest.pop("capabilities", {}))
        providers[name] = _made(source, f"accounts.{name}", "provider", name, rest, environ, own)
    used = {type(provider) for provider in providers.values()}
    for name, kind in own.items():
        if name in providers and kind not in used:
            raise source.wrong(
                f"accounts.{name}",
                f"the provider {kind.__module__}.{kind.__name__} wants this name, too; "
                f"give it an account of its own, with provider = {name!r}",
            )
        if kind not in used:
            providers[name] = _with_settings(source, f"accounts.{name}", name, kind, {}, environ)
    in_file = source.beside_url(source.text("database", data.get("database", "sqlite:///paygate.db")))
    database = environ.get("PAYGATE_DATABASE") or in_file
    return Config(
        database=database,
        zone=_zone(source, data.get("timezone", "Asia/Tokyo")),
        system_max=_date(source, "system_max_expiry", data.get("system_max_expiry", SYSTEM_MAX_EXPIRY)),
        waiting=_values(source, "waiting", data.get("waiting", {}), Waiting),
        http=_values(source, "http", data.get("http", {}), HttpSettings),
        step_mails=_step_mails(source, data.get("step_mails", [])),
        providers=providers,
        overrides=overrides,
        modes=modes,
        schedules=schedules,
        network_rules=_reading(source, data.get("network_rules", "strict")),
        allow_card_like=_names(source, "allow_card_like", data.get("allow_card_like", [])),
        payment_due_days=data.get("payment_due_days", 7),
        action_page=data.get("action_page", ""),
        customer_charges=_flag(source, "customer_charges", data.get("customer_charges", False)),
        refund_cut_off=_cut_off(source, data.get("refund_cut_off", REFUND_CUT_OFF)),
        database_pool=_values(source, "database_pool", data.get("database_pool", {}), PoolSettings),
        outbox=_outbox(source, data.get("outbox", INLINE)),
        plugins=observers,
    )


def _names(source: _Source, where: str, value: object) -> frozenset[str]:
    if not isinstance(value, list):
        raise source.wrong(
            where, 'must be a list of names of arguments, for example ["idempotency_key", "customer.id"]'
        )
    return frozenset(source.text(where, name) for name in value)


def _mode(source: _Source, where: str, value: object) -> Mode:
    try:
        return Mode(value)
    except ValueError as exc:
        raise source.wrong(where, f'no mode {value!r}; write "test" or "live"') from exc


def _schedule(source: _Source, where: str, value: object) -> RetrySchedule:
    table = source.table(where, value)
    source.known(f"{where}.", table, {"gaps", "ends_contract"})
    gaps, ends = table.get("gaps"), table.get("ends_contract", False)
    if not isinstance(gaps, list) or type(ends) is not bool:
        raise source.wrong(
            where, "give gaps as a list of days, for example gaps = [3, 5, 7], and ends_contract = true or false"
        )
    try:
        return RetrySchedule(tuple(gaps), ends_contract=ends)
    except PaygateError as exc:
        raise source.wrong(f"{where}.gaps", str(exc)) from exc


def _reading(source: _Source, value: object) -> str:
    from .networks import load as load_rules  # noqa: PLC0415 - read only to check the name

    reading = source.text("network_rules", value)
    try:
        load_rules(reading)
    except PaygateError as exc:
        raise source.wrong("network_rules", str(exc)) from exc
    return reading


def _flag(source: _Source, where: str, value: object) -> bool:
    if value is not True and value is not False:
        raise source.wrong(where, f"write true or false without quotes, not {value!r}")
    return value


def _outbox(source: _Source, value: object) -> str:
    if value not in MODES:
        raise source.wrong("outbox", f'write "inline" or "worker", not {value!r}')
    return source.text("outbox", value)


def _cut_off(source: _Source, value: object) -> dt.date | None:
    return None if value is False else _date(source, "refund_cut_off", value)


def _zone(source: _Source, name: object) -> dt.tzinfo:
    try:
        return ZoneInfo(source.text("timezone", name))
    except (OSError, ValueError, KeyError) as exc:
        raise source.wrong("timezone", f"no zone {name!r}; use an IANA name such as 'Asia/Tokyo'") from exc


def _date(source: _Source, where: str, value: object) -> dt.date:
    if not isinstance(value, dt.date) or isinstance(value, dt.datetime):
        raise source.wrong(where, f"must be a date without quotes, for example 2030-12-31; got {value!r}")
    if (problem := day_problem(value)) is not None:
        raise source.wrong(where, problem)
    return value


def _values(source: _Source, where: str, value: object, kind: type[Any]) -> Any:
    """An attrs value of numbers and texts from a table of the same names."""
    table = source.table(where, value)
    fields = {field.name: field for field in attrs.fields(kind)}
    source.known(f"{where}.", table, fields)
    defaults = kind()
    for key, given in table.items():
        expected = getattr(defaults, key)
        numeric = isinstance(expected, int | float) or expected is None
        fits = type(given) in {int, float} if numeric else isinstance(given, type(expected))
        if not fits or (type(expected) is int and type(given) is not int) or (numeric and given < 0):
            raise source.wrong(f"{where}.{key}", f"must be like {expected!r}, got {given!r}")
        if numeric and not given <= MAX_SECONDS:  # NaN, too
            raise source.wrong(f"{where}.{key}", f"must be like {expected!r}, and at most {MAX_SECONDS:,}")
    return kind(**table)


def _step_mails(source: _Source, value: object) -> tuple[StepMailPlan, ...]:
    if not isinstance(value, list):
        raise source.wrong("step_mails", "must be a list of tables, write [[step_mails]]")
    plans = []
    for number, item in enumerate(value, start=1):
        where = f"step_mails[{number}]"
        table = source.table(where, item)
        source.known(f"{where}.", table, {"name", "set", "delay", "subject", "body"})
        try:
            mail_set = MailSet(table.get("set"))
        except ValueError as exc:
            sets = ", ".join(member.value for member in MailSet)
            raise source.wrong(f"{where}.set", f"no mail set {table.get('set')!r}; one of {sets}") from exc
        try:
            name = source.text(f"{where}.name", table.get("name"))
            for part in ("subject", "body"):
                check_text(part, str(table.get(part, "")))
            plans.append(
                StepMailPlan(name, mail_set, table.get("delay", 0), table.get("subject", ""), table.get("body", ""))
            )
        except PaygateError as exc:
            raise source.wrong(where, str(exc)) from exc
    return tuple(plans)


def _plugins(
    source: _Source, value: object, environ: Mapping[str, str]
) -> tuple[tuple[object, ...], dict[str, type[Provider]]]:
    """Observers, from a list of names or from a table with a table of settings for each.

    :returns: with them the providers that modules of the user's own define, by name; accounts are made of them like of
        those that are installed.
    """
    tables = {source.text("plugins", name): {} for name in value} if isinstance(value, list) else value
    if not isinstance(tables, dict):
        raise source.wrong(
            "plugins", "must be a list of names, or a table: write [plugins.smtp] and its settings below it"
        )
    observers: list[object] = []
    own: dict[str, type[Provider]] = {}
    for name, table in tables.items():
        where, settings = f"plugins.{name}", dict(source.table(f"plugins.{name}", table))
        type_name = source.text(f"{where}.plugin", settings.pop("plugin", name))
        found = _loaded(source, f"{where}.plugin", type_name, modules=True)
        offered = providers_in(found)
        own |= offered
        if has_hooks(found) if isinstance(found, ModuleType) else not offered:
            observers.append(_with_settings(source, where, name, found, settings, environ))
        elif offered:
            source.known(f"{where}.", settings, ())  # a provider's settings belong to its accounts
        else:
            raise source.wrong(where, "the module has neither a Provider nor a function marked with @paygate.hookimpl")
    return tuple(observers), own


def _made(
    source: _Source,
    where: str,
    key: str,
    name: str,
    table: dict[str, Any],
    environ: Mapping[str, str],
    own: Mapping[str, type[Provider]],
) -> object:
    """The provider that *table* names under *key*, made with the table's and the environment's settings.

    :param name: the user's name for it, and the plugin's where *key* is left out.
    :param own: providers of the user's own modules.
    """
    type_name = source.text(f"{where}.{key}", table.pop(key, name))
    plugin = own.get(type_name) or _loaded(source, f"{where}.{key}", type_name)
    return _with_settings(source, where, name, plugin, table, environ)


def _loaded(source: _Source, where: str, type_name: str, *, modules: bool = False) -> object:
    try:
        return discovery.load(type_name, modules=modules)
    except PaygateError as exc:
        raise source.wrong(where, str(exc)) from exc


def _with_settings(
    source: _Source, where: str, name: str, plugin: object, table: Mapping[str, Any], environ: Mapping[str, str]
) -> object:
    """*plugin*, called with the settings of *table* and the environment if it takes any."""
    settings_class = getattr(plugin, "Settings", None)
    fields: dict[str, Any] = {field.name: field for field in attrs.fields(settings_class)} if settings_class else {}
    source.known(f"{where}.", table, fields)
    values = dict(table)
    for setting, field in fields.items():
        variable = source.variable(where, name, setting)
        if variable in environ:
            if not is_storable(environ[variable]):
                raise source.wrong(f"{where}.{setting}", f"{variable} in the environment is not text; set it anew")
            values[setting] = environ[variable]
        elif is_path(field) and isinstance(values.get(setting), str) and values[setting]:
            values[setting] = source.beside(values[setting])
        elif setting not in values and field.default is attrs.NOTHING:
            kind = "secret" if is_secret(field) else "setting"
            raise source.wrong(
                f"{where}.{setting}",
                f"{kind} is missing; set {variable} in the environment, or {setting} = … in the file",
            )
        if is_secret(field) and values.get(setting) is not None:
            # here, because only here it is known where the value came from
            problem = secret_problem(values[setting], spaces=field.metadata.get("paygate_spaces", True))
            if problem is not None:
                origin = f"it comes from {variable} in the environment" if variable in environ else f"or set {variable}"
                # not "name: text", which would be masked as if the text were the secret
                raise ConfigurationError(f"{source.path}: {where}.{setting} {problem} ({origin})")
    if settings_class is None:
        return plugin() if inspect.isclass(plugin) else plugin
    if not callable(plugin):
        raise source.wrong(where, f"plugin {name!r} names Settings but cannot be called with them")
    try:
        return plugin(settings_class(**values))
    except (PaygateError, TypeError, ValueError) as exc:
        # the texts of paygate's own validators never quote a value; a foreign one might, so only its kind is told
        problem = str(exc) if isinstance(exc, PaygateError) else f"not accepted by {name!r} ({type(exc).__name__})"
        raise source.wrong(where, problem) from None
