"""Faults for fakes: answers that get lost, and deliveries as a network would mangle them.

:class:`Faults` is given to a fake (``fake.faults = Faults(seed=7, lost_after=0.02)``) and strikes at random, the same
way for the same seed. The functions take what ``fake.notifications()`` returned and give back what arrives.
"""

from __future__ import annotations

import random
from collections.abc import Iterable

import attrs

from ..errors import InvalidValue
from ..provider import Webhook
from .fakes.outcomes import NeverThere, Vanish

__all__ = ["Faults", "duplicated", "forged", "reordered", "truncated"]


class Faults:
    """Random trouble on the wire, decided by one seeded generator.

    :param seed: equal seeds and equal calls give equal faults.
    :param never_there: share of calls that never reach the provider.
    :param lost_before: share of charges and refunds that are lost on the way there, without a trace for the caller.
    :param lost_after: share of charges and refunds whose answer is lost on the way back.
    :raises InvalidValue: shares are between 0 and 1, also together.
    """

    def __init__(
        self, seed: int, *, never_there: float = 0.0, lost_before: float = 0.0, lost_after: float = 0.0
    ) -> None:
        shares = (never_there, lost_before, lost_after)
        if min(shares) < 0 or sum(shares) > 1:
            msg = f"shares of faults are between 0 and 1, also together; got {shares}"
            raise InvalidValue(msg)
        self._random = random.Random(seed)
        self._never_there, self._lost_before, self._lost_after = shares

    def strike(self, *, moves_money: bool) -> NeverThere | Vanish | None:
        """The fault that the next call meets, or None.

        :param moves_money: False for a look-up: losing its question or its answer changes nothing, so that it is
            struck by ``never_there`` only.
        """
        lot = self._random.random()
        if lot < self._never_there:
            return NeverThere()
        if not moves_money:
            return None
        if lot < self._never_there + self._lost_before:
            return Vanish(after=False)
        if lot < self._never_there + self._lost_before + self._lost_after:
            return Vanish(after=True)
        return None


def duplicated(webhooks: Iterable[Webhook]) -> list[Webhook]:
    """Each delivery twice in a row (R-194, R-269)."""
    return [webhook for webhook in webhooks for _ in range(2)]


def reordered(webhooks: Iterable[Webhook], seed: int | None = None) -> list[Webhook]:
    """The deliveries newest first, or shuffled by *seed*."""
    deliveries = list(webhooks)
    if seed is None:
        return deliveries[::-1]
    random.Random(seed).shuffle(deliveries)
    return deliveries


def forged(webhook: Webhook) -> Webhook:
    """The same body from somebody who does not know the secret."""
    return attrs.evolve(webhook, headers={**webhook.headers, "authorization": "Bearer guessed"})


def truncated(webhook: Webhook) -> Webhook:
    """The second half of the body is missing; the proof in the headers is still there."""
    return attrs.evolve(webhook, body=webhook.body[: len(webhook.body) // 2])
