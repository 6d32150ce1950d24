"""What a conformance case is: a method with an id, a claim, the reason why it matters and a way to put it right.

The decorator :func:`case` keeps that beside the method and adds it to whatever the method raises, so that a failure reads
the same under pytest and under ``paygate check``. A case that needs a capability which the provider does not declare
turns round: the operation is called and has to refuse with nothing sent.
"""

from __future__ import annotations

import enum
import functools
import inspect
import unittest
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from .needs import Need

if TYPE_CHECKING:
    from .base import Cases

__all__ = ["Case", "CaseFailed", "Group", "Level", "NotApplicable", "case", "cases_of", "overrides_case"]

C = TypeVar("C", bound=Callable[..., Any])


class Level(enum.Enum):
    """How much of paygate a provider is good for. Each level includes the ones before it."""

    CORE = "CORE"  #: a well-behaved plugin, whatever it can do; needs no emulator
    PAYMENTS = "PAYMENTS"  #: charges, refunds, look-ups and notifications tell the truth about money
    RECURRING = "RECURRING"  #: stored cards, subscriptions and checkouts as well


class Group(enum.Enum):
    """The subject of a case; the first part of its id."""

    CORE = "CORE"
    CHARGE = "CHARGE"
    DECLINE = "DECLINE"
    REFUND = "REFUND"
    LOOKUP = "LOOKUP"
    WEBHOOK = "WEBHOOK"
    FAULT = "FAULT"
    PROBE = "PROBE"
    RENEWAL = "RENEWAL"
    SUBSCRIPTION = "SUBSCRIPTION"
    CHECKOUT = "CHECKOUT"
    CARD = "CARD"
    LIVE = "LIVE"

    @property
    def level(self) -> Level:
        """The level that the cases of this group belong to."""
        if self is Group.CORE:
            return Level.CORE
        recurring = self in {Group.RENEWAL, Group.SUBSCRIPTION, Group.CHECKOUT, Group.CARD}
        return Level.RECURRING if recurring else Level.PAYMENTS

    @property
    def title(self) -> str:
        """The heading of the group in reports."""
        return _TITLES[self]


_TITLES = {
    Group.CORE: "A well-behaved plugin",
    Group.CHARGE: "Charges",
    Group.DECLINE: "Declines",
    Group.REFUND: "Refunds",
    Group.LOOKUP: "Look-ups",
    Group.WEBHOOK: "Webhooks",
    Group.FAULT: "Lost and broken answers",
    Group.PROBE: "The declared table, reproduced",
    Group.RENEWAL: "Stored cards charged again",
    Group.SUBSCRIPTION: "The provider's own subscriptions",
    Group.CHECKOUT: "Checkouts",
    Group.CARD: "Stored cards",
    Group.LIVE: "Against the sandbox",
}


class CaseFailed(AssertionError):
    """The provider did not keep the case's claim. The message says what happened."""


class NotApplicable(unittest.SkipTest):
    """The case has nothing to look at here. The reason is reported; pytest counts it as a skip with that reason."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"not applicable: {reason}")
        self.reason = reason


@attrs.frozen
class Case:
    """One case: what it holds, and for whom.

    :param name: of the method.
    :param needs: what has to be declared or be there; see :class:`~.needs.Need`.
    """

    id: str
    name: str
    claim: str
    why: str
    fix: str
    needs: tuple[Need, ...] = ()

    @property
    def group(self) -> Group:
        """What the case is about."""
        return Group(self.id.partition("-")[0])

    @property
    def level(self) -> Level:
        """The level that needs it."""
        return self.group.level

    def explain(self) -> str:
        """The whole of it as text, for a failing test and for ``paygate check --explain``."""
        return f"{self.id}: {self.claim}\nWhy it matters: {self.why}\nHow to fix it: {self.fix}"


def case(id: str, *, claim: str, why: str, fix: str, needs: Need | tuple[Need, ...] = ()) -> Callable[[C], C]:  # noqa: A002 - what it is called
    """Make a method of :class:`~.base.Cases` a case.

    :param id: group and number, for example ``"REFUND-03"``.
    :param claim: what holds, in one sentence; :param why: what goes wrong where it does not; :param fix: what to do.
    :param needs: a capability that is not declared turns the case round, another missing need makes it not applicable.
    """
    wanted = needs if isinstance(needs, tuple) else (needs,)

    def decorate(method: C) -> C:
        declared = Case(id, method.__name__, claim, why, fix, wanted)

        @functools.wraps(method)
        def run(self: Cases) -> None:
            try:
                self.turned = self.unmet(declared)
                if self.turned is None:
                    method(self)
            except NotApplicable:
                raise
            except Exception as exc:
                exc.add_note(declared.explain())
                raise

        run.paygate_case = declared  # type: ignore[attr-defined]
        return run  # type: ignore[return-value]

    return decorate


def overrides_case(*, reason: str) -> Callable[[C], C]:
    """Say why a subclass has its own version of a case; without that, the guard of the suite fails.

    :param reason: shown in the report of ``paygate check``.
    :raises ValueError: the reason is empty.
    """
    if not reason.strip():
        raise ValueError("say why the case is overridden: @overrides_case(reason='…')")

    def decorate(method: C) -> C:
        method.paygate_override = reason  # type: ignore[attr-defined]
        return method

    return decorate


def cases_of(suite: type) -> dict[str, Case]:
    """All cases that *suite* inherits, by the name of their method, in the order of their groups and numbers.

    An overridden or removed case is among them: what the kit says about it still holds.
    """
    found: dict[str, Case] = {}
    for kind in reversed(inspect.getmro(suite)):
        for name, member in vars(kind).items():
            declared = getattr(member, "paygate_case", None)
            if isinstance(declared, Case):
                found[name] = declared
    groups = list(Group)
    return dict(sorted(found.items(), key=lambda item: (groups.index(item[1].group), item[1].id)))
