"""When a request is repeated, and what a missing answer means. Pure: the history goes in, the next step comes out.

=====================  ==========================  ====================================================
what came back         repeated                    when repeating has ended
=====================  ==========================  ====================================================
:class:`NotSent`       always                      ``ProviderUnavailable``
:class:`Lost`          Replay.SAFE and SAME_KEY    SAFE ``ProviderUnavailable``, others ``OutcomeUnknown``
429                    always, after Retry-After   delivered: the provider says that it did nothing
502, 503, 504          Replay.SAFE and SAME_KEY    delivered
anything else          never                       delivered
:class:`Expired`       never                       ``ProviderUnavailable``
=====================  ==========================  ====================================================

Nothing is repeated either when the claim on the attempt would have run out by then (R-280): whoever looks for the attempt
from then on may rely on nothing more being sent.

The whole history counts, not only its end. Where an earlier attempt that could have moved money got no answer, a later
"not sent" or 429 speaks for itself alone: the outcome stays unknown (R-193).
"""

from __future__ import annotations

import datetime as dt
import random
import re
from collections.abc import Sequence
from email.utils import parsedate_to_datetime
from typing import TypeAlias

import attrs

from ..errors import OutcomeUnknown, ProviderError, ProviderUnavailable
from ..flow import Replay, Request, Response
from .redact import describe
from .settings import HttpSettings

__all__ = ["Deliver", "Expired", "Lost", "NotSent", "Outcome", "Raise", "RetryAfter", "Step", "next_step"]

_GATEWAY = frozenset({502, 503, 504})
_SECONDS = re.compile(r"[0-9]{1,9}")


class NotSent(Exception):
    """Certainly nothing reached the provider: no address, no connection, no TLS, no free place in the pool.

    The message is the reason, free of addresses and secrets.
    """


class Expired(NotSent):
    """The claim on the attempt ran out before the request could be sent (R-280)."""

    def __init__(self, why: str = "the time in which this process may send it is over") -> None:
        super().__init__(why)


class Lost(Exception):
    """The request may have reached the provider, and no whole answer came back. The message is the reason."""


Outcome: TypeAlias = Response | NotSent | Lost


@attrs.frozen
class Deliver:
    """Hand *response* to the flow."""

    response: Response


@attrs.frozen
class RetryAfter:
    """Send the same request again after *seconds*."""

    seconds: float


@attrs.frozen
class Raise:
    """Raise *error* in the flow."""

    error: ProviderError


Step: TypeAlias = Deliver | RetryAfter | Raise


def next_step(
    request: Request,
    history: Sequence[Outcome],
    settings: HttpSettings,
    *,
    now: dt.datetime,
    rng: random.Random,
    left: float | None = None,
) -> Step:
    """What to do after the attempts at *request* that ended as *history* tells, oldest first, at least one.

    :param now: aware, for a ``Retry-After`` that is a date.
    :param rng: for the jitter of the waits.
    :param left: seconds in which the request may still be sent; None: without end.
    """
    outcome = history[-1]
    if _may_repeat(request, outcome) and len(history) <= settings.retries:
        wait = _wait(outcome, len(history), settings, now, rng)
        if left is None or wait < left:
            return RetryAfter(wait)
    if request.replay is Replay.SAFE:
        return Deliver(outcome) if isinstance(outcome, Response) else Raise(_unavailable(request, history, outcome))
    if isinstance(outcome, Lost):
        return Raise(_unknown(request, history, f"the answer was lost ({outcome})"))
    if _in_doubt(history[:-1], outcome):
        return Raise(_unknown(request, history, f"an earlier answer was lost, now {_say(outcome)}"))
    if isinstance(outcome, Response):
        return Deliver(attrs.evolve(outcome, repeated=True) if _unanswered(history[:-1]) else outcome)
    return Raise(_unavailable(request, history, outcome))


def _may_repeat(request: Request, outcome: Outcome) -> bool:
    if isinstance(outcome, NotSent):
        return not isinstance(outcome, Expired)
    if isinstance(outcome, Response) and outcome.status == 429:
        return True
    no_answer = isinstance(outcome, Lost) or outcome.status in _GATEWAY
    return no_answer and request.replay is not Replay.NEVER


def _in_doubt(earlier: Sequence[Outcome], outcome: NotSent | Response) -> bool:
    """Whether *outcome*, the last, leaves open what became of the *earlier* attempts."""
    if isinstance(outcome, NotSent) or outcome.status == 429:
        return _unanswered(earlier)
    return outcome.status in _GATEWAY and any(isinstance(one, Lost) for one in earlier)


def _unanswered(earlier: Sequence[Outcome]) -> bool:
    """Whether one of the *earlier* attempts may have had an effect that the provider itself never confirmed."""
    return any(one.status in _GATEWAY if isinstance(one, Response) else isinstance(one, Lost) for one in earlier)


def _wait(outcome: Outcome, attempt: int, settings: HttpSettings, now: dt.datetime, rng: random.Random) -> float:
    if isinstance(outcome, Response):
        asked = _retry_after(outcome.headers.get("retry-after", ""), now)
        if asked is not None:
            return min(asked, settings.retry_after_limit)
    return rng.uniform(0.0, min(settings.backoff_limit, settings.backoff_base * 2 ** (attempt - 1)))


def _retry_after(value: str, now: dt.datetime) -> float | None:
    """Seconds to wait by a ``Retry-After`` header, which is a number of seconds or an HTTP date; None: unreadable."""
    value = value.strip()
    if _SECONDS.fullmatch(value):
        return float(value)
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return None
    if date.tzinfo is None:  # "-0000" means UTC of unknown local zone
        date = date.replace(tzinfo=dt.UTC)
    return max((date - now).total_seconds(), 0.0)


def _say(outcome: NotSent | Response) -> str:
    if isinstance(outcome, Response):
        return f"HTTP {outcome.status}"
    return f"not sent again: {outcome}" if isinstance(outcome, Expired) else f"no connection ({outcome})"


def _attempts(history: Sequence[Outcome]) -> str:
    return "1 attempt" if len(history) == 1 else f"{len(history)} attempts"


def _unavailable(request: Request, history: Sequence[Outcome], outcome: NotSent | Lost) -> ProviderUnavailable:
    if isinstance(outcome, Expired):
        what = f"was not sent: {outcome}"
    elif isinstance(outcome, NotSent):
        what = f"could not be reached in {_attempts(history)} ({outcome}); nothing was sent"
    else:
        what = f"gave no answer in {_attempts(history)} ({outcome}); reading moves no money"
    return ProviderUnavailable(f"{describe(request)} {what}: try again later")


def _unknown(request: Request, history: Sequence[Outcome], what: str) -> OutcomeUnknown:
    return OutcomeUnknown(
        f"{describe(request)}: {what}, after {_attempts(history)}; money may have moved: look it up, do not repeat it",
        rule="R-193",
    )
