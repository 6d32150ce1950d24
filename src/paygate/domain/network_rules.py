"""What the card networks allow after a decline, as dated statements of named sources. Values and their reading only.

The networks' own rule books are not public in full; processors restate them, at different times and not always alike. So
each statement carries its sources and the days on which it holds, and :class:`NetworkRules` is read in one of three ways:

``strict``
    where sources disagree the stricter one holds, and every limit that anybody states is kept. The default.
``lenient``
    where sources disagree the most permissive one holds.
*name of a source*
    what that source says, where it says anything; elsewhere ``strict``.

``paygate.networks.load()`` reads the statements that come with paygate. Days are business dates (R-001); windows are exact
to the second.
"""

from __future__ import annotations

import datetime as dt
import enum
import functools
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

import attrs

from ..clock import JST, business_date
from ..errors import InvalidValue

__all__ = [
    "LENIENT",
    "STRICT",
    "Action",
    "AdviceRule",
    "CodeRule",
    "Counts",
    "NetworkRules",
    "ReattemptLimit",
    "Validity",
    "Window",
]

STRICT = "strict"
LENIENT = "lenient"


class Action(enum.Enum):
    """What a decline allows for the same card."""

    RETRY = "retry"  #: it may be tried again
    CORRECT = "correct"  #: not before somebody has corrected something: nothing for an automatic retry
    NEVER = "never"  #: never again with these card data


_SEVERITY = {Action.RETRY: 0, Action.CORRECT: 1, Action.NEVER: 2}


class Counts(enum.Enum):
    """What a limit counts."""

    ATTEMPTS = "attempts"  #: every attempt, the first one included
    REATTEMPTS = "reattempts"  #: attempts whose predecessor did not succeed


class Window(enum.Enum):
    """Where the period of a limit begins."""

    ROLLING = "rolling"  #: it ends at the attempt that is being judged
    FIXED = "fixed"  #: it begins on a day that only the network knows
    CALENDAR_DAY = "calendar day"  #: at midnight


@attrs.frozen
class Validity:
    """The days on which a statement holds, both inclusive; None for an end that is not known.

    :raises InvalidValue: if the last day is before the first.
    """

    since: dt.date | None = None
    until: dt.date | None = attrs.field(default=None)

    @until.validator
    def _in_order(self, _: object, until: dt.date | None) -> None:
        if self.since is not None and until is not None and until < self.since:
            raise InvalidValue(f"a rule cannot hold from {self.since} until {until}: the days are in the wrong order")

    def holds(self, on: dt.date) -> bool:
        """Whether *on* is one of the days."""
        return (self.since is None or self.since <= on) and (self.until is None or on <= self.until)


@attrs.frozen
class CodeRule:
    """What one response code means for the next attempt, according to *sources*.

    :param network: lower-case name, or None for codes that no single network owns.
    """

    network: str | None
    code: str
    action: Action
    means: str
    sources: tuple[str, ...]
    validity: Validity = Validity()

    @property
    def severity(self) -> tuple[int, dt.timedelta]:
        """Orders statements on one code from the most permissive to the strictest."""
        return _SEVERITY[self.action], dt.timedelta(0)


@attrs.frozen
class AdviceRule:
    """What one advice code asks for, according to *sources*.

    :param advice: the advice in words, for people.
    :param wait: how long after the decline the next attempt has to wait; exact to the second.
    """

    network: str | None
    code: str
    action: Action
    means: str
    advice: str
    sources: tuple[str, ...]
    wait: dt.timedelta = dt.timedelta(0)
    validity: Validity = Validity()

    @property
    def severity(self) -> tuple[int, dt.timedelta]:
        """Orders statements on one code from the most permissive to the strictest."""
        return _SEVERITY[self.action], self.wait


@attrs.frozen
class ReattemptLimit:
    """At most *maximum* attempts or reattempts on one card within *length*, according to *sources*.

    :param id: names the limit, whoever states it, for example ``visa-30-days``.
    :param length: of the window; an attempt counts from its own second until *length* later, which is outside.
        For a calendar day it is ignored.
    :param per_amount: whether only attempts of the same amount count together.
    :raises InvalidValue: if *maximum* or *length* is not positive.
    """

    id: str
    network: str
    maximum: int = attrs.field()
    counts: Counts
    length: dt.timedelta = attrs.field()
    sources: tuple[str, ...]
    window: Window = Window.ROLLING
    per_amount: bool = False
    validity: Validity = Validity()

    @maximum.validator
    def _some(self, _: object, maximum: int) -> None:
        if maximum < 1:
            raise InvalidValue(f"{self.id}: a limit allows at least one attempt, got {maximum}")

    @length.validator
    def _lasting(self, _: object, length: dt.timedelta) -> None:
        if length <= dt.timedelta(0):
            raise InvalidValue(f"{self.id}: a window lasts some time, got {length}")

    def free_at(self, counted: Iterable[dt.datetime], at: dt.datetime, zone: dt.tzinfo = JST) -> dt.datetime:
        """The first instant, from *at* on, at which one attempt more is within this limit, as far as this limit holds.

        The instant is never after the limit's last day: what holds from then on, another statement says.

        :param counted: when the attempts that count were made, aware, in any order.
        :param zone: where calendar days and the days of validity begin.
        """
        if self.window is Window.CALENDAR_DAY:
            today = business_date(at, zone)
            inside = [moment for moment in counted if business_date(moment, zone) == today]
            release = _midnight(today + dt.timedelta(days=1), zone)
        else:
            inside = sorted(moment for moment in counted if moment + self.length > at)
            release = inside[-self.maximum] + self.length if len(inside) >= self.maximum else at
        if len(inside) < self.maximum:
            return at
        if self.validity.until is not None:
            release = min(release, _midnight(self.validity.until + dt.timedelta(days=1), zone))
        return release


def _midnight(day: dt.date, zone: dt.tzinfo) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), zone).astimezone(dt.UTC)


_Rule = TypeVar("_Rule", CodeRule, AdviceRule)


@attrs.frozen
class NetworkRules:
    """The statements of all sources, and how to read them.

    A card whose network is not known, or is one that no statement speaks of, is treated as if it were of every network:
    all limits hold for it, and a code means what it means anywhere.

    :param sources: names of the sources with their citations.
    :param reading: ``strict``, ``lenient`` or the name of a source.
    :raises InvalidValue: for another reading.
    """

    codes: tuple[CodeRule, ...] = ()
    advice: tuple[AdviceRule, ...] = ()
    limits: tuple[ReattemptLimit, ...] = ()
    sources: Mapping[str, str] = attrs.field(factory=dict)
    reading: str = attrs.field(default=STRICT)

    @reading.validator
    def _known(self, _: object, reading: str) -> None:
        if reading not in {STRICT, LENIENT, *self.sources}:
            names = ", ".join(self.sources)
            raise InvalidValue(f"unknown reading {reading!r}; use {STRICT}, {LENIENT} or a source: {names}")

    def code_rule(self, network: str | None, code: str, on: dt.date) -> CodeRule | None:
        """The statement on response code *code* that this reading follows on day *on*; None if there is none."""
        return self._chosen(self._codes.get(code, ()), network, on)

    def advice_rule(self, network: str | None, code: str, on: dt.date) -> AdviceRule | None:
        """The statement on advice code *code* that this reading follows on day *on*; None if there is none."""
        return self._chosen(self._advice.get(code, ()), network, on)

    def limits_on(self, network: str | None, on: dt.date) -> tuple[ReattemptLimit, ...]:
        """The limits that an attempt on a card of *network* has to keep on day *on*.

        Where a window begins is not always known. A window that may begin anywhere is kept by keeping the rolling one of
        its length: so are all fixed windows, and, unless the reading is lenient, calendar days of unknown zone.
        """
        by_id: defaultdict[str, list[ReattemptLimit]] = defaultdict(list)
        for limit in self.limits:
            if limit.validity.holds(on) and self._speaks_of(limit.network, network):
                by_id[limit.id].append(limit)
        return tuple(self._anywhere(limit) for stated in by_id.values() for limit in self._kept(stated))

    def citations(self, rule: CodeRule | AdviceRule | ReattemptLimit) -> tuple[str, ...]:
        """Where the statement can be read."""
        return tuple(self.sources.get(name, name) for name in rule.sources)

    @functools.cached_property
    def _codes(self) -> Mapping[str, Sequence[CodeRule]]:
        return _by_code(self.codes)

    @functools.cached_property
    def _advice(self) -> Mapping[str, Sequence[AdviceRule]]:
        return _by_code(self.advice)

    @functools.cached_property
    def _networks(self) -> frozenset[str | None]:
        named = [
            *(rule.network for rule in self.codes),
            *(rule.network for rule in self.advice),
            *(limit.network for limit in self.limits),
        ]
        return frozenset(named) - {None}

    def _speaks_of(self, stated: str | None, network: str | None) -> bool:
        return stated is None or stated == network or network not in self._networks

    def _chosen(self, stated: Sequence[_Rule], network: str | None, on: dt.date) -> _Rule | None:
        valid = [rule for rule in stated if rule.validity.holds(on) and self._speaks_of(rule.network, network)]
        heard = [rule for rule in valid if self.reading in rule.sources] or valid
        if not heard:
            return None
        pick = min if self.reading == LENIENT else max
        return pick(heard, key=lambda rule: rule.severity)

    def _kept(self, stated: Sequence[ReattemptLimit]) -> Sequence[ReattemptLimit]:
        """Which statements of one limit hold together."""
        if self.reading == LENIENT:
            return [max(stated, key=lambda limit: (limit.maximum, limit.per_amount))]
        return [limit for limit in stated if self.reading in limit.sources] or stated

    def _anywhere(self, limit: ReattemptLimit) -> ReattemptLimit:
        if limit.window is Window.FIXED or (limit.window is Window.CALENDAR_DAY and self.reading != LENIENT):
            return attrs.evolve(limit, window=Window.ROLLING)
        return limit


def _by_code(rules: Iterable[_Rule]) -> Mapping[str, Sequence[_Rule]]:
    found: defaultdict[str, list[_Rule]] = defaultdict(list)
    for rule in rules:
        found[rule.code].append(rule)
    return found
