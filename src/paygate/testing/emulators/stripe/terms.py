"""What a subscription is asked to be: its trial, where its periods begin, when it ends (provider fact sheet §10)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from .errors import ApiError
from .periods import Cycle, first_anchor
from .prices import Price
from .timeline import instant_of

__all__ = ["check_ending", "first_cycle", "missing_method", "saves_method", "trial_end"]

_LONGEST_TRIAL = dt.timedelta(days=5 * 366)


def trial_end(params: Mapping[str, Any], now: dt.datetime) -> dt.datetime | None:
    """When the trial that *params* ask for ends; None for no trial.

    :raises ApiError: two ways of saying it, or an end that is not ahead, or too far.
    """
    if "trial_end" in params and "trial_period_days" in params:
        raise ApiError.invalid("trial_end", "You may give only one of trial_end and trial_period_days.")
    if "trial_period_days" in params:
        return now + dt.timedelta(days=params["trial_period_days"])
    until = params.get("trial_end", "now")
    if until == "now":
        return None
    ends = instant_of(until)
    if ends <= now:
        raise ApiError.invalid("trial_end", "trial_end must be in the future, or now.")
    if ends > now + _LONGEST_TRIAL:
        raise ApiError.invalid("trial_end", "trial_end must be at most five years in the future.")
    return ends


def first_cycle(
    price: Price, params: Mapping[str, Any], now: dt.datetime, trial: dt.datetime | None
) -> tuple[Cycle, dt.datetime]:
    """Where periods of *price* begin, and where the first one ends; a *trial* is the first period.

    :raises ApiError: an anchor that is not ahead, or two of them.
    """
    if "billing_cycle_anchor" in params and "billing_cycle_anchor_config" in params:
        message = "You may give only one of billing_cycle_anchor and billing_cycle_anchor_config."
        raise ApiError.invalid("billing_cycle_anchor", message)
    anchor, day = trial or now, None
    if "billing_cycle_anchor" in params:
        anchor = instant_of(params["billing_cycle_anchor"])
        if anchor < now:
            raise ApiError.invalid("billing_cycle_anchor", "billing_cycle_anchor must be in the future.")
    elif "billing_cycle_anchor_config" in params:
        if price.interval not in {"month", "year"}:
            message = "billing_cycle_anchor_config goes with prices per month or year."
            raise ApiError.invalid("billing_cycle_anchor_config", message)
        config = params["billing_cycle_anchor_config"]
        anchor, day = first_anchor(config, now), config["day_of_month"]
    cycle = Cycle(str(price.interval), price.interval_count, anchor, day or anchor.day)
    if trial is not None:
        return cycle, trial
    if anchor > cycle.after(now):
        raise ApiError.invalid("billing_cycle_anchor", "billing_cycle_anchor must be within the first period.")
    return cycle, anchor if anchor > now else cycle.after(now)


def missing_method(params: Mapping[str, Any], known: str) -> str:
    """What the end of a trial does without a payment method: what *params* say, else what is *known*."""
    chosen: str = params.get("trial_settings", {}).get("end_behavior", {}).get("missing_payment_method", known)
    return chosen


def saves_method(params: Mapping[str, Any], *, known: bool) -> bool:
    """Whether what pays an invoice becomes the subscription's own method: as *params* say, else as is *known*."""
    saving = params.get("payment_settings", {}).get("save_default_payment_method")
    return known if saving is None else saving == "on_subscription"


def check_ending(params: Mapping[str, Any], now: dt.datetime) -> None:
    """Refuse two ways of ending, and an end that is not ahead.

    :raises ApiError: as said.
    """
    if params.get("cancel_at") is not None and params.get("cancel_at_period_end"):
        raise ApiError.invalid("cancel_at", "You may give only one of cancel_at and cancel_at_period_end.")
    if params.get("cancel_at") is not None and instant_of(params["cancel_at"]) <= now:
        raise ApiError.invalid("cancel_at", "cancel_at must be in the future.")
