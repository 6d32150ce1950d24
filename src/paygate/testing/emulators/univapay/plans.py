"""What a request says about a subscription's schedule: the cycle, the settings, the limits, and a preview of it all."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import attrs

from .schedule import PERIODS, Period, Plan, duration, zone
from .wire import ApiError, among, read_amount, read_currency

__all__ = [
    "Limits",
    "Settings",
    "read_date",
    "read_interval",
    "read_limits",
    "read_period",
    "read_settings",
    "simulate",
]

_ZONE = "Asia/Tokyo"
#: When a pause takes effect.
TERMINATION_MODES = frozenset({"immediate", "on_next_payment"})

#: Into how many instalments card companies split a payment (provider fact sheet §11.1).
_INSTALMENTS = frozenset({3, 5, 6, 10, 12, 15, 18, 20, 24})

#: Payments of the longest preview.
_LONGEST = 500


@attrs.frozen
class Limits:
    """What ends a subscription: a number of cycles, a sum, or nothing."""

    subscription_plan: dict[str, Any] | None = None
    installment_plan: dict[str, Any] | None = None
    cycles: int | None = None
    target: int | None = None


@attrs.frozen
class Settings:
    """``schedule_settings``; :param today: the date in their zone when they came."""

    today: dt.date
    start_on: dt.date | None
    zone_id: str
    preserve_end_of_month: bool
    retry_interval: str | None
    termination_mode: str

    def plan(self, period: Period, amount: int, initial: int | None, limits: Limits) -> Plan:
        """The payments: the first at once, unless the start lies ahead and there is nothing to take before it."""
        anchor = self.start_on or self.today
        return Plan(
            period=period,
            first_on=self.today if initial else anchor,
            anchor=anchor,
            first_amount=amount if initial is None else initial,
            amount=amount,
            cycles=limits.cycles,
            target=limits.target,
            month_end=self.preserve_end_of_month,
        )


def read_period(body: Mapping[str, Any]) -> Period:
    """The cycle: one of ``period`` and ``cyclical_period``, and not both."""
    period, cyclical = body.get("period"), body.get("cyclical_period")
    if (period is None) == (cyclical is None):
        raise ApiError.invalid("period", "REQUIRED_VALUE" if period is None else "FORBIDDEN_PARAMETER")
    if period is not None:
        if not among(period, PERIODS):
            raise ApiError.invalid("period", "INVALID_FORMAT")
        return PERIODS[period]
    try:
        return Period.parse(str(cyclical))
    except ValueError as exc:
        raise ApiError.invalid("cyclical_period", "INVALID_TIME_PERIOD") from exc


def read_settings(body: Mapping[str, Any], now: dt.datetime) -> Settings:
    """``schedule_settings``, which may be left out altogether."""
    given = body.get("schedule_settings")
    settings: Mapping[str, Any] = given if isinstance(given, Mapping) else {}
    zone_id = str(settings.get("zone_id") or _ZONE)
    try:
        today = now.astimezone(zone(zone_id)).date()
    except ValueError as exc:
        raise ApiError.invalid("schedule_settings.zone_id", "INVALID_FORMAT") from exc
    start_on = None
    if settings.get("start_on") is not None:
        start_on = read_date("schedule_settings.start_on", settings["start_on"])
        if start_on < today:
            raise ApiError.invalid("schedule_settings.start_on", "MUST_BE_FUTURE_TIME")
    mode = settings.get("termination_mode") or "immediate"
    if not among(mode, TERMINATION_MODES):
        raise ApiError.invalid("schedule_settings.termination_mode", "INVALID_FORMAT")
    return Settings(
        today=today,
        start_on=start_on,
        zone_id=zone_id,
        preserve_end_of_month=settings.get("preserve_end_of_month") is True,
        retry_interval=read_interval("schedule_settings.retry_interval", settings.get("retry_interval")),
        termination_mode=mode,
    )


def read_limits(body: Mapping[str, Any]) -> Limits:
    """``subscription_plan`` or ``installment_plan``, and not both."""
    plan, instalments = body.get("subscription_plan"), body.get("installment_plan")
    if plan is not None and instalments is not None:
        raise ApiError.invalid("installment_plan", "FORBIDDEN_PARAMETER")
    if isinstance(instalments, Mapping):
        return _instalments(instalments)
    if not isinstance(plan, Mapping):
        return Limits()
    match plan.get("plan_type"):
        case "fixed_cycles":
            return Limits(subscription_plan=dict(plan), cycles=read_amount(plan, "fixed_cycles"))
        case "fixed_cycle_amount":
            return Limits(subscription_plan=dict(plan), target=read_amount(plan, "fixed_cycle_amount"))
        case _:
            raise ApiError.invalid("subscription_plan.plan_type", "INVALID_FORMAT")


def _instalments(plan: Mapping[str, Any]) -> Limits:
    """The card company splits one charge of the whole amount; here that is a plan of one payment."""
    kind = plan.get("plan_type")
    if not among(kind, {"revolving", "fixed_cycles"}):
        raise ApiError(400, "INSTALLMENT_INVALID_PLAN")
    if kind == "fixed_cycles" and not among(plan.get("fixed_cycles"), _INSTALMENTS):
        raise ApiError(400, "INSTALLMENT_INVALID_CYCLES_COUNT")
    return Limits(installment_plan=dict(plan), cycles=1)


def read_date(field: str, text: object) -> dt.date:
    """A date as ``YYYY-MM-DD``."""
    try:
        return dt.date.fromisoformat(str(text))
    except ValueError as exc:
        raise ApiError.invalid(field, "INVALID_FORMAT_DATE") from exc


def read_interval(field: str, text: object) -> str | None:
    """An ISO 8601 duration as it was given; None for none."""
    if text is None:
        return None
    try:
        duration(str(text))
    except ValueError as exc:
        raise ApiError.invalid(field, "INVALID_TIME_PERIOD") from exc
    return str(text)


def simulate(body: Mapping[str, Any], now: dt.datetime, longest: int) -> list[dict[str, Any]]:
    """The payments that a subscription would have, the first *longest* of them where it has no end."""
    amount, currency = read_amount(body), read_currency(body)
    initial = None if body.get("initial_amount") is None else read_amount(body, "initial_amount", least=0)
    settings, limits = read_settings(body, now), read_limits(body)
    plan = settings.plan(read_period(body), amount, initial, limits)
    found: list[dict[str, Any]] = []
    before, last = 0, False
    longest = longest if plan.cycles is None and plan.target is None else _LONGEST
    while not last and len(found) < longest:
        number = len(found)
        takes, last = plan.takes(number, before), plan.ends(number, before)
        before += takes
        found.append(
            {
                "due_date": plan.due(number).isoformat(),
                "zone_id": settings.zone_id,
                "amount": takes,
                "currency": currency,
                "is_paid": False,
                "is_last_payment": last,
                "successful_payment_date": None,
                "terminate_with_status": None,
                "retry_interval": settings.retry_interval,
            }
        )
    return found
