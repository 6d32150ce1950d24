"""What a fake can be told to do next: small frozen values for ``fake.next(…)``, ``fake.script(…)`` and their sisters.

=====================  ==================================================================================
:class:`Succeed`       the money moves
:class:`Decline`       a final no, with the provider's own code
:class:`StayPending`   accepted; ends after so many seconds of the fake's clock, or never
:class:`RequireAction` accepted; waits for the customer until ``fake.finish(…)`` is called
:class:`Vanish`        the answer is lost, after the provider acted or before it heard
:class:`NeverThere`    the provider was never reached: certainly nothing happened
:class:`AnswerTwice`   every notification of it is delivered twice
RemoveCredential       the customer's stored credential is gone, for this charge and all later ones
ClosePermission        the customer's permission is closed, for this charge and all later ones (R-222)
:class:`RefuseRefund`  a refund is refused at once (R-248)
:class:`FailLate`      a refund is accepted and fails later (R-247)
=====================  ==================================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import attrs

from ...errors import InvalidValue
from ...provider import DeclineClass

__all__ = [
    "AnswerTwice",
    "ChargeCourse",
    "ChargeOutcome",
    "ClosePermission",
    "Decline",
    "Ending",
    "FailLate",
    "NeverThere",
    "RefundCourse",
    "RefundOutcome",
    "RefuseRefund",
    "RemoveCredential",
    "RequireAction",
    "StartOutcome",
    "StayPending",
    "Succeed",
    "Vanish",
]


def _seconds(_instance: object, _attribute: object, value: float | None) -> None:
    if value is not None and not value >= 0:
        msg = f"a pending time is 0 seconds or more, or None for ever; got {value!r}"
        raise InvalidValue(msg)


@attrs.frozen
class Succeed:
    """The money moves: at once, or after the fake's latency where the provider answers later."""


@attrs.frozen
class Decline:
    """A final no.

    :param code: the provider's own code; None takes the fake's general decline.
    :param decline: the class of *code*; None looks it up in the fake's table of codes.
    """

    code: str | None = None
    decline: DeclineClass | None = None
    message: str = ""
    network: str | None = None  #: of the card, and
    advice_code: str | None = None  #: the network's advice, and
    response_code: str | None = None  #: the network's response code, where the provider is to pass them on


Ending: TypeAlias = Succeed | Decline


@attrs.frozen
class StayPending:
    """PENDING for *seconds* of the fake's clock, then *then*. None: until ``fake.finish(…)``, perhaps never."""

    seconds: float | None = attrs.field(default=None, validator=_seconds)
    then: Ending = Succeed()


@attrs.frozen
class RequireAction:
    """PENDING until the customer has been at *url* and ``fake.finish(…)`` says how it went.

    :param method: ``"GET"`` for a link, ``"POST"`` for a page that wants a form of *fields*, or a word for what no browser does.
    """

    url: str = "https://customer.example/confirm"
    method: str = "GET"
    fields: Mapping[str, str] = attrs.field(factory=dict)


@attrs.frozen
class RemoveCredential:
    """The stored credential does not exist any more; this charge and all later ones on it are declined."""


@attrs.frozen
class ClosePermission:
    """The customer withdrew the permission; this charge and all later ones on it are declined (R-222)."""


@attrs.frozen
class RefuseRefund:
    """The refund is refused at once, for example for the balance limit (R-248). *code* None: the fake's own."""

    code: str | None = None
    message: str = ""


@attrs.frozen
class FailLate:
    """The refund is accepted, then fails after *seconds* (R-247); no money goes back."""

    code: str = "failed"
    seconds: float = attrs.field(default=0.0, validator=_seconds)


@attrs.frozen
class AnswerTwice:
    """As *then*, and each notification of it is delivered twice (R-194, R-269)."""

    then: Ending | StayPending = Succeed()


#: What a provider can do with a charge that it hears of.
ChargeCourse: TypeAlias = Ending | StayPending | RequireAction | RemoveCredential | ClosePermission | AnswerTwice
#: The same for a refund.
RefundCourse: TypeAlias = Succeed | StayPending | RefuseRefund | FailLate | AnswerTwice


@attrs.frozen
class Vanish:
    """The answer is lost: the caller gets :class:`~paygate.errors.OutcomeUnknown`.

    :param after: True: the provider had acted (as *then* says); False: the request was lost on its way.
    """

    after: bool = True
    then: ChargeCourse | RefundCourse = Succeed()


@attrs.frozen
class NeverThere:
    """No connection: :class:`~paygate.errors.ProviderUnavailable`, certainly nothing happened."""


ChargeOutcome: TypeAlias = ChargeCourse | Vanish | NeverThere
RefundOutcome: TypeAlias = RefundCourse | Vanish | NeverThere
#: What can become of starting a subscription.
StartOutcome: TypeAlias = Ending | Vanish | NeverThere
