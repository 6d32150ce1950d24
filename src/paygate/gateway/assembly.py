"""Putting a gateway together from values or from a configuration file."""

from __future__ import annotations

import datetime as dt
import inspect
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..billing.courier import INLINE, Courier
from ..billing.customer_action import page_problem
from ..billing.services import Services, Waiting
from ..bounds import day_problem
from ..clock import JST, Clock, SystemClock
from ..config import load
from ..domain.deleting import REFUND_CUT_OFF
from ..domain.mails import StepMailPlan
from ..domain.retry_schedule import RetrySchedule
from ..domain.rules import SYSTEM_MAX_EXPIRY, Rules
from ..drivers.settings import HttpSettings
from ..errors import ConfigurationError
from ..free_text import TextRules
from ..plugins.manager import Plugins
from ..plugins.single_file import named
from ..provider import Mode
from ..store import PoolSettings, Store

__all__ = ["assemble", "from_file"]


def assemble(
    *,
    database: str,
    providers: Mapping[str, object] | Sequence[object],
    plugins: Sequence[object],
    clock: Clock | None,
    step_mails: Sequence[StepMailPlan],
    zone: dt.tzinfo = JST,
    system_max_expiry: dt.date = SYSTEM_MAX_EXPIRY,
    waiting: Waiting | None = None,
    overrides: Mapping[str, Mapping[str, Any]] | None = None,
    modes: Mapping[str, Mode] | None = None,
    schedules: Mapping[str, RetrySchedule] | None = None,
    network_rules: str = "strict",
    refund_cut_off: dt.date | None = REFUND_CUT_OFF,
    customer_charges: bool = False,
    payment_due_days: int = 7,
    action_page: str = "",
    http: HttpSettings | None = None,
    outbox: str = INLINE,
    database_pool: PoolSettings | None = None,
    allow_card_like: Iterable[str] = (),
    create: bool | None = True,
) -> Services:
    """The services of a gateway; *create* as for :meth:`~paygate.store.Store.open`."""
    texts = TextRules(frozenset(allow_card_like))
    texts.check("step_mails", tuple(step_mails))
    for name, day in (("system_max_expiry", system_max_expiry), ("refund_cut_off", refund_cut_off)):
        if day is not None and (problem := day_problem(day)) is not None:
            raise ConfigurationError(f"{name} {problem}")
    if type(payment_due_days) is not int or not 0 <= payment_due_days <= 365:
        raise ConfigurationError(f"payment_due_days is a whole number of days from 0 to 365, got {payment_due_days!r}")
    if (wrong := page_problem(action_page)) is not None:
        raise ConfigurationError(f"action_page {wrong}")
    accounts = named(providers)
    clock = clock or SystemClock()
    observers = [plugin() if inspect.isclass(plugin) else plugin for plugin in plugins]
    for plugin in (*accounts.values(), *observers):
        # what asks for a clock lives on the gateway's, so that a frozen test freezes it as well
        if getattr(plugin, "clock", False) is None:
            plugin.clock = clock  # type: ignore[attr-defined]
    ready = Plugins(accounts, observers, overrides, modes)
    rules = Rules(
        zone=zone,
        system_max=system_max_expiry,
        step_mails=tuple(step_mails),
        customer_charges=customer_charges,
        payment_due_days=payment_due_days,
    )
    courier = Courier(outbox)
    store = Store.open(database, clock=clock, pool=database_pool, create=create)
    return Services(
        store,
        ready,
        clock,
        rules,
        waiting or Waiting(),
        schedules=dict(schedules or {}),
        network_reading=network_rules,
        refund_cut_off=refund_cut_off,
        http=http or HttpSettings(),
        courier=courier,
        texts=texts,
        action_page=action_page,
    )


def from_file(
    path: str | os.PathLike[str], clock: Clock | None, *, create: bool | None
) -> tuple[Services, HttpSettings]:
    """The services that *path* describes, with the settings of its HTTP driver."""
    config = load(path)
    services = assemble(
        database=config.database,
        providers=config.providers,
        plugins=config.plugins,
        clock=clock,
        step_mails=config.step_mails,
        zone=config.zone,
        system_max_expiry=config.system_max,
        waiting=config.waiting,
        overrides=config.overrides,
        modes=config.modes,
        schedules=config.schedules,
        network_rules=config.network_rules,
        refund_cut_off=config.refund_cut_off,
        create=create,
        customer_charges=config.customer_charges,
        payment_due_days=config.payment_due_days,
        action_page=config.action_page,
        http=config.http,
        outbox=config.outbox,
        database_pool=config.database_pool,
        allow_card_like=config.allow_card_like,
    )
    return services, config.http
