"""What a provider's flow put on the wire, as the driver tells.

By that, and not by what a plugin makes of an error, it is decided whether an attempt that failed may have had an effect.
"""

from __future__ import annotations

from typing import Any

import attrs

from ..errors import ConfigurationError, OutcomeUnknown, PaygateError, ProviderUnavailable
from ..flow import Call, Effect, ForeignAwait, Replay, Request, Response, Sending, Sleep

__all__ = ["TOO_LATE", "Wire"]

#: Why an attempt was not sent that a process had claimed for too long (R-280).
TOO_LATE = "the time in which this process may send it was over before it was sent"

_ACTS = (Request, Sleep, Call)


class Wire:
    """Watches one flow; see :func:`paygate.flow.watched`.

    Reading (``Replay.SAFE``) has no effect. A request that changes something has one from its first byte on, unless the
    driver's last word about it is that nothing was sent. Blocking work (``paygate.flow.call``) may do anything, unless it says so too.

    Requests take the claim on the attempt along, for the driver to look at; blocking work, in which a plugin may send by
    itself, is not begun once the claim has run out (R-280).

    ``effects`` counts what may have had an effect, ``requests`` all requests; ``refused`` is the driver's word on the last
    request of the changing kind that certainly was not sent.
    """

    __slots__ = ("_interrupted", "_left", "_sending", "_shut_out", "_told", "effects", "refused", "requests")

    def __init__(self, sending: Sending | None = None) -> None:
        self._sending = sending
        self.effects = 0
        self.requests = 0
        self.refused: BaseException | None = None
        self._left = False
        self._interrupted = False
        self._shut_out = False
        self._told: BaseException | None = None

    @property
    def nothing_sent(self) -> bool:
        """Certainly nothing has happened: the flow works by the driver, and the driver has sent nothing that counts.

        A flow that has not asked for anything proves nothing by that: it may reach its provider by itself.
        """
        return self.requests > 0 and self.effects == 0

    def doubts(self, error: BaseException) -> bool:
        """Whether *error*, by which a plugin says that nothing happened, leaves that open all the same.

        It cannot speak for what was sent before it, unless the plugin itself says with it what the answer to that means: by
        a ProviderUnavailable of its own, or by a ConfigurationError where the one thing sent was answered 401 or 403.
        """
        if isinstance(error, ProviderUnavailable) and error is not self._told:
            return False
        if isinstance(error, ConfigurationError) and self._shut_out and self.effects == 1:
            return False
        return self.effects > 0

    def asked(self, effect: Effect) -> Effect:
        """Let the driver say when *effect* leaves.

        :raises ForeignAwait: no driver can do that.
        :raises ProviderUnavailable: it is blocking work, and the claim on the attempt has run out.
        """
        if not isinstance(effect, _ACTS):
            msg = f"provider code awaited {effect!r}; a flow may await only paygate.flow.send, sleep and call"
            raise ForeignAwait(msg)
        sending = self._sending
        if isinstance(effect, Call) and sending is not None and sending.left() <= 0:
            self._told = ProviderUnavailable(TOO_LATE, rule="R-280")
            raise self._told
        self._left = isinstance(effect, Call)
        if not isinstance(effect, Request):
            return effect
        self.requests += 1
        if sending is not None and sending.placed:
            self._sending = attrs.evolve(sending, placed=False)  # one turn lets one request pass
        if effect.replay is Replay.SAFE:
            return effect if sending is None else effect.carrying(None, sending)
        return effect.carrying(self._leaves, sending)

    def answered(self, effect: Effect, answer: Any, error: BaseException | None) -> None:
        """Judge what came of *effect*."""
        self._told = error
        self._interrupted = self._interrupted or (error is not None and not isinstance(error, Exception))
        if isinstance(effect, Call):
            # who blocks speaks for itself: it says ProviderUnavailable where certainly nothing was sent
            self.effects += not isinstance(error, ProviderUnavailable)
        elif isinstance(effect, Request) and effect.replay is not Replay.SAFE:
            unsent = error is not None and not self._left and not isinstance(error, OutcomeUnknown)
            if unsent or isinstance(error, ProviderUnavailable):
                self.refused = error
            else:
                self.effects += 1
                self._shut_out = isinstance(answer, Response) and answer.status in {401, 403} and not answer.repeated

    def interrupts(self, error: BaseException) -> bool:
        """Whether *error*, which leaves the flow, interrupts its caller: a key, or what came to it through the driver.

        A plugin that raises SystemExit, a cancellation or the like by itself stops nobody (R-299).
        """
        return isinstance(error, KeyboardInterrupt) or (self._interrupted and not isinstance(error, Exception))

    def cause(self) -> str:
        """The driver's own text about what was not sent; empty where nothing of the kind was asked for."""
        if self.refused is None:
            return ""
        return str(self.refused) if isinstance(self.refused, PaygateError) else type(self.refused).__name__

    def _leaves(self) -> None:
        self._left = True
