"""From what a test has scripted to the steps that a payment goes through."""

from __future__ import annotations

import datetime as dt
from typing import Any

import attrs

from ...provider import DeclineClass, Outcome
from .memory import Step
from .outcomes import Decline, Ending, FailLate, RequireAction, StayPending, Succeed
from .refusals import Codes

__all__ = ["charge_steps", "ending", "refund_steps"]


def ending(outcome: Ending, at: dt.datetime, codes: Codes) -> Step:
    """The last step of a payment that ends like *outcome* at the instant *at*."""
    if isinstance(outcome, Succeed):
        return Step(at, Outcome.SUCCEEDED)
    if codes.silent:
        return Step(at, Outcome.DECLINED, codes.declined, decline=DeclineClass.UNKNOWN)
    code = outcome.code or codes.declined
    decline = outcome.decline or codes.classes.get(code, DeclineClass.UNKNOWN)
    told: dict[str, Any] = {
        "network": outcome.network,
        "advice_code": outcome.advice_code,
        "response_code": outcome.response_code,
    }
    return Step(at, Outcome.DECLINED, code, outcome.message, decline, **told)


def charge_steps(
    outcome: Ending | StayPending | RequireAction, now: dt.datetime, codes: Codes, latency: float | None
) -> tuple[Step, ...]:
    """The steps of a charge made at *now*.

    :param latency: seconds until an ordinary result is there; None: the provider answers with the result itself.
    """
    if isinstance(outcome, RequireAction):
        form = tuple(outcome.fields.items())
        step = Step(now, Outcome.PENDING, action_url=outcome.url, action_method=outcome.method, action_fields=form)
        return (step,)
    if isinstance(outcome, StayPending):
        return _pending(outcome.then, now, codes, outcome.seconds)
    return (ending(outcome, now, codes),) if latency is None else _pending(outcome, now, codes, latency)


def refund_steps(
    outcome: Ending | StayPending | FailLate, now: dt.datetime, codes: Codes, latency: float | None
) -> tuple[Step, ...]:
    """The steps of a refund made at *now*; parameters as for :func:`charge_steps`."""
    if isinstance(outcome, FailLate):
        steps = charge_steps(StayPending(outcome.seconds, Decline(outcome.code)), now, codes, latency)
        # a provider that answers at once says "succeeded" first and takes it back later
        first = Outcome.SUCCEEDED if latency is None else Outcome.PENDING
        return attrs.evolve(steps[0], state=first), *steps[1:]
    return charge_steps(outcome, now, codes, latency)


def _pending(then: Ending, now: dt.datetime, codes: Codes, seconds: float | None) -> tuple[Step, ...]:
    first = Step(now, Outcome.PENDING)
    return (first,) if seconds is None else (first, ending(then, now + dt.timedelta(seconds=seconds), codes))
