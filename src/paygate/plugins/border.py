"""The border between paygate and the text of plugins and providers: what crosses it can be stored, shown and logged.

Every text field of what a plugin returns or raises passes here once. Free text, codes and raw answers are masked: card
numbers and credentials go, and so do the account's own secrets, whose values are known. Characters that a database or a
terminal cannot take are replaced, and what is too long is cut with a mark.

Ids and references are never altered, because they are looked up by later: a result whose reference cannot be kept as it
is is malformed, and proves nothing.
"""

from __future__ import annotations

import datetime as dt
import logging
import math
import re
import traceback
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import attrs

from .. import errors
from ..bounds import check_bounds
from ..errors import (
    InvalidAmount,
    InvalidValue,
    OutcomeUnknown,
    PaygateError,
    PluginError,
    PluginFailed,
    ProviderError,
    WebhookRejected,
)
from ..masking import is_sensitive, mask_text
from ..masking.cards import SHORTEST
from ..money import Money
from ..provider import (
    ChargeResult,
    Checkout,
    CheckoutResult,
    CredentialDescription,
    Dispute,
    Found,
    FoundPayment,
    ProviderEvent,
    RefundResult,
    StartedSubscription,
)
from ..texts import CUT, is_storable, storable
from .known_secrets import Scrubber
from .passing import As, fields_of

__all__ = ["CODE_LIMIT", "REFERENCE_LIMIT", "TEXT_LIMIT", "URL_LIMIT", "Border", "redacted_traceback"]

#: Characters of a message that are kept.
TEXT_LIMIT = 1000
#: Characters of a code, an event's type, a card network.
CODE_LIMIT = 100
#: Characters of an id or reference. Longer ones are malformed; PostgreSQL cannot index more than some 2,700 bytes.
REFERENCE_LIMIT = 500
#: Characters of a link that a customer follows, and of a token for the seller's page.
URL_LIMIT = 8_000
#: Values of a raw answer that are kept, and how deep they may be nested.
RAW_VALUES, RAW_DEPTH = 2_000, 20

R = TypeVar("R", ChargeResult, RefundResult)
E = TypeVar("E", bound=BaseException)
V = TypeVar(
    "V",
    ChargeResult,
    RefundResult,
    Dispute,
    ProviderEvent,
    Checkout,
    CheckoutResult,
    CredentialDescription,
    StartedSubscription,
)


_PLAIN_KEY = re.compile(r"[A-Za-z_]{1,40}")
#: What redacted answers hold in the place of most values.
_TAKEN_OUT = frozenset({"", "<str>", "<int>", "<float>", "<bool>", "<list>", "<dict>"})
#: A number with fewer digits than the shortest of cards.
_TOO_SHORT = 10 ** (SHORTEST - 1)
#: What has to fit into the databases and the calendar, in whichever field it stands.
_SIZED = (dt.date, int, Money)
#: Short texts that were found to be harmless are remembered, so many for each account: most of what a provider says is
#: said again with the next answer.
_REMEMBERED, _SHORT = 500, 40


class _NotKept(Exception):
    """Names a field whose value cannot be kept as it is."""


class Border:
    """What one account's plugin says, made harmless.

    :param secrets: the values that the account was configured with and that must never be shown.
    """

    __slots__ = ("_harmless", "_scrub", "name")

    def __init__(self, name: str, secrets: Iterable[str] = ()) -> None:
        self.name = name
        self._scrub = Scrubber(secrets)
        self._harmless: dict[str, None] = {}

    # --- single texts ------------------------------------------------------------------------------------------------

    def text(self, value: object, limit: int = TEXT_LIMIT) -> str:
        """Free text: scrubbed, masked, storable and at most *limit* characters long."""
        if value is None:
            return ""
        if type(value) is str and len(value) <= _SHORT <= limit:
            if value in self._harmless:
                return value
            clean = self._cleaned(value, limit)
            if clean == value:
                if len(self._harmless) >= _REMEMBERED:
                    self._harmless = {}
                self._harmless[value] = None
            return clean
        try:
            text = value if type(value) is str else str(value)
        except Exception:  # noqa: BLE001 - a plugin's own class; whatever its __str__ raises must not get further
            return f"<{type(value).__name__}>"
        return self._cleaned(text, limit)

    def _cleaned(self, text: str, limit: int) -> str:
        return storable(mask_text(self._scrub(storable(text, 20 * limit))), limit)

    def code(self, value: object) -> str | None:
        """A provider's code: one short line, or None."""
        return None if value is None else " ".join(self.text(value, CODE_LIMIT).split())

    def keeps(self, reference: object) -> bool:
        """Whether *reference* (or None) can be stored and looked up exactly as it is."""
        if reference is None:
            return True
        return (
            isinstance(reference, str)
            and 0 < len(reference) <= REFERENCE_LIMIT
            and is_storable(reference)
            and not self._scrub.finds(reference)
        )

    def raw(self, value: Mapping[str, Any] | None) -> dict[str, Any] | None:
        """A provider's raw answer as plain JSON values, each text of it masked."""
        return None if value is None else _Raw(self).mapping(value, RAW_DEPTH)

    # --- what plugins return -----------------------------------------------------------------------------------------

    def result(self, result: R) -> R:
        """The outcome of a charge or refund; one whose reference, time or sum cannot be kept as it is, is unknown."""
        try:
            return self._kept(result)
        except _NotKept as exc:
            return type(result).unknown(
                f"{self.name} answered {result.outcome.value} with a {exc} that cannot be kept",
                reference=result.reference if str(exc) != "reference" and self.keeps(result.reference) else None,
                raw=self._raw_of(result),
            )

    def found(self, found: Found) -> Found:
        """The answer to a look-up."""
        if found.payments is not None:
            found = attrs.evolve(found, payments=tuple(self._payment(one) for one in found.payments))
        match found.result:
            case None:
                return found
            case ChargeResult() as charge:
                return attrs.evolve(found, result=self.result(charge))
            case refund:
                return attrs.evolve(found, result=self.result(refund))

    def _payment(self, one: FoundPayment) -> FoundPayment:
        return FoundPayment(one.charge_id if self.keeps(one.charge_id) else "", self.result(one.result))

    def event(self, event: ProviderEvent) -> ProviderEvent:
        """One event of a delivery.

        :raises WebhookRejected: one of its ids cannot be kept as it is.
        """
        try:
            if isinstance(event.event_id, str):
                return self._kept(event)
        except _NotKept:
            pass
        raise WebhookRejected(
            f"{self.name}: the delivery holds an id, a day or a sum that cannot be kept (empty, too long or too large, or "
            "with control characters)"
        )

    def checkout(self, checkout: Checkout) -> Checkout:
        """A checkout that waits for the customer.

        :raises PluginError: its reference, link or token cannot be kept as it is.
        """
        return self._kept_or(PluginError, "begin_checkout", checkout)

    def checkout_result(self, result: CheckoutResult) -> CheckoutResult:
        """What became of a checkout.

        :raises PluginError: its credential cannot be kept as it is.
        """
        return self._kept_or(PluginError, "complete_checkout", result)

    def described(self, description: CredentialDescription) -> CredentialDescription:
        """What a provider tells about a stored card."""
        return self._kept_or(PluginError, "describe_card", description)

    def started(self, started: StartedSubscription) -> StartedSubscription:
        """A subscription that stands.

        :raises OutcomeUnknown: its reference cannot be kept as it is.
        """
        return self._kept_or(OutcomeUnknown, "start_recurring", started)

    def _kept_or(self, error: type[PaygateError], hook: str, value: V) -> V:
        try:
            return self._kept(value)
        except _NotKept as exc:
            problem = f"{self.name}: {hook} answered a {exc} that cannot be kept"
        raise error(problem)

    def _kept(self, value: V) -> V:
        """*value* with every text of it made harmless; ids and links stay what they are.

        :raises _NotKept: one of those cannot.
        """
        clean: dict[str, Any] = {}
        plan, read = fields_of(type(value))
        for (name, how), given in zip(plan, read(value), strict=True):
            if given is None and how is not As.MANY:
                continue
            if how is As.ID:
                if not self.keeps(given):
                    raise _NotKept(name)
                continue
            if how is As.LINK:
                if not _is_link(given):
                    raise _NotKept(name)
                continue
            kept: object = given
            if isinstance(given, _SIZED):
                if not _fits(given):
                    raise _NotKept(name)
            elif how is As.TEXTS:
                kept = self._metadata(given)
            elif how is As.RAW:
                kept = self._raw_of(value)
            elif how is As.RESULT or isinstance(given, ChargeResult):
                kept = self.result(given)
            elif isinstance(given, Dispute):
                kept = self._kept(given)
            elif how is As.MANY:
                if given != ():
                    kept = tuple(self._kept(one) if name == "disputes" else self.result(one) for one in given)
            elif how is As.MESSAGE:
                kept = self.text(given)
            elif how is As.CODE:  # whatever a plugin put there instead, too
                kept = self.code(given)
            if kept is not given:
                clean[name] = kept
        return attrs.evolve(value, **clean) if clean else value

    def _metadata(self, given: object) -> dict[str, str]:
        """Texts of the shop's own that the provider has kept: as they are, but for what cannot be stored."""
        pairs = given.items() if isinstance(given, Mapping) else ()
        return {
            key: text
            for key, text in pairs
            if isinstance(key, str) and isinstance(text, str) and is_storable(key) and is_storable(text)
        }

    def _raw_of(self, value: Any) -> dict[str, Any] | None:
        return self.raw(value.raw) if isinstance(value.raw, Mapping) else None

    # --- what plugins raise ------------------------------------------------------------------------------------------

    def error(self, error: E) -> E:
        """*error* of paygate's own tree with harmless texts, and without the errors behind it, which are not.

        The object stays the same, so that its type, attributes and traceback do. One whose text cannot be changed, because
        its class writes it itself, becomes the nearest error of paygate's own.
        """
        text = self.text(error)
        clean = error if _takes(error, text) else _plain(error, text)
        for name, value in list(vars(clean).items()):
            if isinstance(value, str):
                setattr(clean, name, self.code(value) if name == "code" else self.text(value))
        if isinstance(clean, ProviderError) and not isinstance(clean.code, str | None):
            clean.code = self.code(clean.code)
        clean.__cause__ = clean.__context__ = None
        return clean  # type: ignore[return-value]

    def failed(self, error: BaseException) -> PluginFailed:
        """What stands for *error*, which no plugin should raise: names its kind; its text is for the log and ``brief``."""
        kind = type(error).__name__
        first = self.text(error).partition("\n")[0]
        return PluginFailed(
            f"{self.name}: the plugin failed: {kind}; see the log for where",
            brief=f"{kind}: {first}",
            details=redacted_traceback(error, self),
        )

    def log(self, logger: logging.Logger, message: str, error: BaseException, **extra: object) -> None:
        """Log *message* at ERROR with where and how the plugin failed, redacted."""
        details = redacted_traceback(error, self)
        logger.error("%s: %s\n%s", self.name, message, details, extra={"account": self.name, **extra})


def redacted_traceback(error: BaseException, border: Border | None = None) -> str:
    """Where and how *error* arose, for a log: kinds of errors, masked messages, files, lines and functions.

    No source lines, for they may hold what a developer typed in, and no values of variables.
    """
    border = border or Border("paygate")
    lines: list[str] = []
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen and len(seen) < 10:
        seen.add(id(link))
        frames = traceback.extract_tb(link.__traceback__)[-15:]
        here = [f'  File "{frame.filename}", line {frame.lineno}, in {frame.name}' for frame in frames]
        lines = [*here, f"{type(link).__module__}.{type(link).__qualname__}: {border.text(link)}", *lines]
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    return "\n".join(lines)


def _takes(error: BaseException, text: str) -> bool:
    """Whether *error* now says *text* and nothing else."""
    error.args = (text,)
    if getattr(error, "__notes__", None):
        del error.__notes__
    return type(error).__str__ in {BaseException.__str__, LookupError.__str__} and str(error) == text


def _plain(error: BaseException, text: str) -> BaseException:
    kind = next(
        (kind for kind in type(error).__mro__ if issubclass(kind, PaygateError) and kind.__module__ == errors.__name__),
        PluginError,
    )
    plain = kind(text).with_traceback(error.__traceback__)
    for name in ("provider", "code", "request_id", "charge_id", "rule", "status"):
        if hasattr(error, name) and hasattr(plain, name):
            setattr(plain, name, getattr(error, name))
    return plain


def _is_link(value: object) -> bool:
    return value is None or (isinstance(value, str) and 0 < len(value) <= URL_LIMIT and is_storable(value))


def _fits(value: dt.date | int | Money) -> bool:
    """Whether the databases and the calendar can hold *value*, and an instant says which one it is."""
    if isinstance(value, dt.datetime) and value.utcoffset() is None:
        return False
    try:
        check_bounds("", value)
    except (InvalidAmount, InvalidValue):
        return False
    return True


class _Raw:
    """Copies a raw answer, up to a number of values."""

    def __init__(self, border: Border) -> None:
        self._border = border
        self._left = RAW_VALUES

    def mapping(self, value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        kept: dict[str, Any] = {}
        for key, item in value.items():
            if self._left <= 0:
                kept[CUT] = None
                break
            hidden = isinstance(key, str) and is_sensitive(key) and item is not None and not isinstance(item, bool)
            # most keys are plain words, and there are many of them
            name = key if isinstance(key, str) and _PLAIN_KEY.fullmatch(key) else self._border.text(key, CODE_LIMIT)
            kept[name] = "<secret>" if hidden else self._value(item, depth - 1)
        return kept

    def _value(self, value: Any, depth: int) -> Any:
        self._left -= 1
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return value if value in _TAKEN_OUT else self._border.text(value)
        if isinstance(value, int):
            if type(value) is int and -_TOO_SHORT < value < _TOO_SHORT:
                return value
            shown = str(value) if abs(value) < 10**30 else CUT
            return value if mask_text(shown) == shown != CUT else mask_text(shown)
        if isinstance(value, float):
            return value if math.isfinite(value) else str(value)
        if isinstance(value, dt.date | dt.time):
            return value.isoformat()
        if depth <= 0 or self._left <= 0:
            return CUT
        if isinstance(value, Mapping):
            return self.mapping(value, depth)
        if isinstance(value, list | tuple):
            return [self._value(item, depth - 1) for item in value[: max(0, self._left)]]
        return f"<{type(value).__name__}>"
