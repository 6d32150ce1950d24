"""How a fake answers the hooks. Everything follows from the capabilities it declares and its table of codes."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, TypeAlias, TypeVar

import attrs

from ...clock import Clock, SystemClock
from ...errors import InvalidValue, OutcomeUnknown, ProviderNotCapable, ProviderUnavailable, WebhookRejected
from ...money import Money
from ...provider import (
    Capabilities,
    ChargeRequest,
    ChargeResult,
    CheckoutRequest,
    CredentialRequest,
    DeclineClass,
    Found,
    FoundPayment,
    IdempotencyKind,
    Lookup,
    LookupRequest,
    Mode,
    Outcome,
    Provider,
    ProviderEvent,
    RefundPolicy,
    RefundRequest,
    RefundResult,
    Results,
    StartedSubscription,
    SubscriptionPayment,
    SubscriptionRequest,
    SubscriptionStart,
    Webhook,
)
from ...settings import path, secret
from ..book import MovementKind
from .course import charge_steps, refund_steps
from .memory import Memory, Payment, Step, fingerprint
from .notices import charge_result, is_so, read_notice, refund_result
from .outcomes import (
    AnswerTwice,
    ChargeCourse,
    ClosePermission,
    Decline,
    NeverThere,
    RefundCourse,
    RefuseRefund,
    RemoveCredential,
)
from .refusals import Codes, refused_charge, refused_refund
from .script import Fault, Script

__all__ = ["AnsweringProvider", "FakeSettings", "HookCall"]

R = TypeVar("R", ChargeResult, RefundResult, StartedSubscription)

_SYSTEM = SystemClock()
# how a best-effort provider says in its header what it did with a key (UnivaPay's words, provider fact sheet §13)
_STORED, _REPLAYED, _NOT_CHECKED = "successfully_stored", "retrieved_idempotent_response", "error"
# what the plugins make of it, too: no decline, for the other request was this very attempt once
_OTHER_REQUEST = "the idempotency key is in use for another request: that one may have been processed"


@attrs.frozen
class FakeSettings:
    """Settings of a fake in a configuration file.

    :param state_file: path of a JSON file that keeps payments and keys from one process to the next, for trying the
        command line without any account. One process at a time. None: the fake forgets when it goes.
    :param webhook_secret: what its notifications prove themselves with.
    """

    state_file: str | None = path(default=None)
    webhook_secret: str = secret(default="a-secret-between-fakes")


#: What a hook can be asked; :class:`str` is the reference of a checkout.
HookRequest: TypeAlias = (
    ChargeRequest
    | RefundRequest
    | LookupRequest
    | SubscriptionStart
    | SubscriptionRequest
    | SubscriptionPayment
    | CredentialRequest
    | CheckoutRequest
    | Webhook
    | str
)


@attrs.frozen
class HookCall:
    """One call of a hook: its name and what was asked. ``ping`` asks nothing."""

    hook: str
    request: HookRequest | None = None


class AnsweringProvider(Provider):
    """The half of a fake that paygate sees; :class:`~paygate.testing.fakes.base.FakeProvider` is the whole."""

    Settings: ClassVar[type | None] = FakeSettings
    #: nothing that a fake does moves real money
    mode: Mode | None = Mode.TEST
    #: the provider's own codes
    codes: ClassVar[Codes] = Codes()
    #: prefixes of the references of charges and refunds
    prefixes: ClassVar[Mapping[MovementKind, str]] = {MovementKind.CAPTURE: "charge_", MovementKind.REFUND: "refund_"}
    #: whether a charge that is accepted, or declined, is answered with the provider's id of it
    names_pending: ClassVar[bool] = True
    names_declined: ClassVar[bool] = True
    #: whether a look-up without the provider's id sends the attempt again under its key
    looks_up_by_key: ClassVar[bool] = False
    #: whether a look-up can list every payment of a contract
    lists_payments: bool = True

    def __init__(self, capabilities: Capabilities, settings: FakeSettings | None, clock: Clock | None) -> None:
        self.clock = clock
        self.calls: list[HookCall] = []
        self.latency = 0.0
        self.refund_latency = 0.0
        self.index_delay = 0.0
        self.keys_down = False
        self._capabilities = capabilities
        self._settings = settings or FakeSettings()
        self._script = Script()
        self._memory = Memory()
        self._lock = threading.RLock()

    # --- hooks -------------------------------------------------------------------------------------------------------

    def capabilities(self) -> Capabilities:
        return self._capabilities

    async def charge(self, request: ChargeRequest) -> ChargeResult:
        self.calls.append(HookCall("charge", request))
        with self._at_work() as (memory, now):
            return self._charge(memory, now, request)

    async def refund(self, request: RefundRequest) -> RefundResult:
        policy = self._capabilities.refunds
        if policy is RefundPolicy.BY_HAND:
            raise self._not_capable("refund; the money is returned by hand", rule="R-249")
        if policy is RefundPolicy.FULL and request.amount != request.charged:
            raise self._not_capable("refund a part of a charge", rule="R-241")
        self.calls.append(HookCall("refund", request))
        with self._at_work() as (memory, now):
            return self._refund(memory, now, request)

    async def find_charge(self, request: LookupRequest) -> Found:
        declared = self._capabilities.lookup
        if declared is Lookup.NONE:
            raise self._not_capable("look a charge up")
        attempt = request.attempt
        if not isinstance(attempt, ChargeRequest):
            raise InvalidValue("find_charge looks up a ChargeRequest")
        self._reach(HookCall("find_charge", request))
        with self._at_work() as (memory, now):
            if request.reference is None and self.looks_up_by_key:
                return Found(self._charge(memory, now, attempt))
            made = self._indexed(memory.of_attempt(MovementKind.CAPTURE, attempt.charge_id), now, declared)
            payment = _pick(memory, MovementKind.CAPTURE, request.reference, made, now)
            payments = self._of_contract(memory, now, attempt) if request.contract and self.lists_payments else None
            if payment is None:
                return Found(None, payments)
            others = [] if request.reference is not None else [one for one in made if one is not payment]
            alive = [one for one in others if one.at(now).state is not Outcome.DECLINED]
            further = tuple(self._looked_up(memory, one, now) for one in alive)
            return Found(attrs.evolve(self._looked_up(memory, payment, now), others=further), payments)

    def _of_contract(self, memory: Memory, now: dt.datetime, attempt: ChargeRequest) -> tuple[FoundPayment, ...]:
        contract = attempt.metadata.get("paygate_contract")
        made = [one for one in memory.payments.values() if one.kind is MovementKind.CAPTURE and one.owner == contract]
        seen = self._indexed(made, now, self._capabilities.lookup) if contract else []
        return tuple(FoundPayment(one.attempt, self._looked_up(memory, one, now)) for one in seen)

    async def cancel_charge(self, request: LookupRequest) -> Found:
        if not self._capabilities.cancels_charges:
            raise self._not_capable("withdraw a charge")
        self._reach(HookCall("cancel_charge", request))
        with self._at_work() as (memory, now):
            payment = memory.payments.get(request.reference or "")
            if payment is None or payment.kind is not MovementKind.CAPTURE:
                return Found(None)
            if payment.at(now).state is Outcome.PENDING and payment.at(now).action_url is not None:
                memory.extend(payment, Step(now, Outcome.DECLINED, "canceled", decline=DeclineClass.UNKNOWN))
                payment = memory.payments[payment.reference]
            return Found(self._charge_result(payment, payment.at(now)))

    async def find_refund(self, request: LookupRequest) -> Found:
        declared = self._capabilities.refund_lookup
        if declared is Lookup.NONE:
            raise self._not_capable("look a refund up")
        attempt = request.attempt
        if not isinstance(attempt, RefundRequest):
            raise InvalidValue("find_refund looks up a RefundRequest")
        self._reach(HookCall("find_refund", request))
        with self._at_work() as (memory, now):
            if request.reference is None and self.looks_up_by_key:
                return Found(self._refund(memory, now, attempt))
            made = self._indexed(memory.of_attempt(MovementKind.REFUND, attempt.refund_id), now, declared)
            payment = _pick(memory, MovementKind.REFUND, request.reference, made, now)
            return Found(refund_result(payment, payment.at(now), None) if payment else None)

    async def parse_webhook(self, webhook: Webhook) -> list[ProviderEvent]:
        if not self._capabilities.webhooks:
            raise self._not_capable("notify")
        self.calls.append(HookCall("parse_webhook", webhook))
        event = read_notice(webhook, self._settings.webhook_secret)
        with self._at_work() as (memory, _now):
            if not is_so(event, memory.payments, memory.disputes):
                raise WebhookRejected("the delivery tells of something that never happened", status=400)
        return [event]

    async def ping(self) -> str:
        self._reach(HookCall("ping"))
        with self._at_work() as (memory, _now):
            return f"{self._capabilities.name}: a fake with {len(memory.payments)} payments"

    # --- charges and refunds -----------------------------------------------------------------------------------------

    def _charge(self, memory: Memory, now: dt.datetime, request: ChargeRequest) -> ChargeResult:
        credential = fingerprint(request.credential)
        digest = _digest(request.amount.minor, request.amount.currency, credential, dict(request.metadata))
        ready: ChargeResult | None = None
        if known := self._known(memory, MovementKind.CAPTURE, request.key, now):
            if self._other_body(known, digest):
                ready = ChargeResult.unknown(_OTHER_REQUEST, code=self.codes.key_reused)
            else:
                ready = self._charge_result(known, known.steps[0], _REPLAYED)
        elif refused := refused_charge(request, self._capabilities, self.codes, memory, now):
            ready = self._refusal(refused)

        def make(course: ChargeCourse) -> ChargeResult:
            notices = 1
            if isinstance(course, RemoveCredential | ClosePermission):
                course = memory.blocked[credential] = self._block(course)
            elif credential in memory.blocked:
                course = memory.blocked[credential]
            elif isinstance(course, AnswerTwice):
                course, notices = course.then, 2
            at_once = Results.IMMEDIATE in self._capabilities.results
            steps = charge_steps(course, now, self.codes, None if at_once else self.latency)
            if steps[0].state is Outcome.DECLINED and not self.names_declined:
                notices = 0  # nothing was made at the provider that it could notify about
            payment = Payment(
                MovementKind.CAPTURE,
                self._reference(memory, MovementKind.CAPTURE, request.charge_id),
                request.amount,
                steps,
                attempt=request.charge_id,
                key=request.key,
                digest=digest,
                credential=credential,
                notices=notices,
                owner=request.metadata.get("paygate_contract", ""),
            )
            memory.add(payment)
            return self._charge_result(payment, steps[0], _NOT_CHECKED if self._keys_broken else _STORED)

        fault, course = self._script.next_charge(request.credential, acts=ready is None)
        return self._answer(fault, ready, lambda: make(course))

    def _refund(self, memory: Memory, now: dt.datetime, request: RefundRequest) -> RefundResult:
        digest = _digest(
            request.amount.minor, request.amount.currency, request.charge_reference, dict(request.metadata)
        )
        ready: RefundResult | None = None
        if known := self._known(memory, MovementKind.REFUND, request.key, now):
            if self._other_body(known, digest):
                ready = attrs.evolve(RefundResult.unknown(_OTHER_REQUEST), code=self.codes.key_reused)
            else:
                ready = refund_result(known, known.steps[0], self._raw(_REPLAYED))
        elif code := refused_refund(request, self._capabilities, self.codes, memory, now):
            ready = RefundResult.declined(code)

        def make(course: RefundCourse) -> RefundResult:
            if isinstance(course, RefuseRefund):
                return RefundResult.declined(course.code or self.codes.refund_refused, course.message)
            plain, notices = (course.then, 2) if isinstance(course, AnswerTwice) else (course, 1)
            latency = self.refund_latency if self._capabilities.refunds_asynchronous else None
            payment = Payment(
                MovementKind.REFUND,
                self._reference(memory, MovementKind.REFUND, request.refund_id),
                request.amount,
                refund_steps(plain, now, self.codes, latency),
                attempt=request.refund_id,
                key=request.key,
                digest=digest,
                charge=request.charge_reference,
                notices=notices,
                owner=request.metadata.get("paygate_contract", ""),
            )
            memory.add(payment)
            return refund_result(payment, payment.steps[0], self._raw(_NOT_CHECKED if self._keys_broken else _STORED))

        fault, course = self._script.next_refund(acts=ready is None)
        return self._answer(fault, ready, lambda: make(course))

    def _answer(self, fault: Fault | None, ready: R | None, make: Callable[[], R]) -> R:
        """Give the *ready* answer, or *make* one, unless *fault* loses it on the way there or back."""
        if isinstance(fault, NeverThere):
            raise self._unavailable()
        name = self._capabilities.name
        lost = OutcomeUnknown(f"the answer of {name} was lost; look the payment up", provider=name)
        if fault and not fault.after:
            raise lost
        answer = make() if ready is None else ready
        if fault:
            raise lost
        return answer

    def _unavailable(self) -> ProviderUnavailable:
        name = self._capabilities.name
        return ProviderUnavailable(f"{name} cannot be reached; nothing was sent, repeat it", provider=name)

    def _reach(self, call: HookCall) -> None:
        """Record a call that moves no money, and make it."""
        self.calls.append(call)
        if self._script.next_lookup():
            raise self._unavailable()

    def _indexed(self, made: list[Payment], now: dt.datetime, declared: Lookup) -> list[Payment]:
        """Those of the payments *made* that a look-up without the provider's id can see by now."""
        if declared is not Lookup.EVENTUAL:
            return made
        return [payment for payment in made if payment.created_at + dt.timedelta(seconds=self.index_delay) <= now]

    # --- keys and references -----------------------------------------------------------------------------------------

    def _known(self, memory: Memory, kind: MovementKind, key: str, now: dt.datetime) -> Payment | None:
        """The payment that answers *key* again, or None where the provider would process it as new."""
        rules = self._capabilities.idempotency
        known = memory.with_key(kind, key)
        if known is None or rules.kind is IdempotencyKind.NONE or self._keys_broken:
            return None
        if rules.window is not None and now >= known.created_at + dt.timedelta(seconds=rules.window):
            return None
        if known.steps[0].state is Outcome.DECLINED and not rules.errors_replayed:
            return None
        return known

    def _other_body(self, known: Payment, digest: str) -> bool:
        return self._capabilities.idempotency.body_must_match and known.digest != digest

    @property
    def _keys_broken(self) -> bool:
        return self.keys_down and self._capabilities.idempotency.kind is IdempotencyKind.BEST_EFFORT

    def _reference(self, memory: Memory, kind: MovementKind, attempt: str) -> str:
        """The provider's id: made of the attempt's, so that a run with the same ids gives the same references."""
        repeats = len(memory.of_attempt(kind, attempt))
        return f"{self.prefixes[kind]}{attempt}" + (f"_{repeats + 1}" if repeats else "")

    def _block(self, why: RemoveCredential | ClosePermission) -> Decline:
        if isinstance(why, RemoveCredential):
            return Decline(self.codes.credential_removed, DeclineClass.HARD)
        return Decline(self.codes.permission_closed, DeclineClass.PERMISSION)

    # --- answers -----------------------------------------------------------------------------------------------------

    def _charge_result(self, payment: Payment, step: Step, word: str | None = None) -> ChargeResult:
        named = self.names_declined if step.state is Outcome.DECLINED else self.names_pending
        return charge_result(payment, step, payment.reference if named else None, self._raw(word))

    def _looked_up(self, memory: Memory, payment: Payment, now: dt.datetime) -> ChargeResult:
        """A payment with all that has gone back of it, and what is disputed."""
        back = [one for one in memory.refunds_of(payment.reference) if one.at(now).state is Outcome.SUCCEEDED]
        total = Money(sum(one.amount.minor for one in back), payment.amount.currency)
        disputes = tuple(one.now for one in memory.disputes.values() if one.charge == payment.reference)
        result = self._charge_result(payment, payment.at(now))
        return attrs.evolve(result, refunded=total if back else None, disputes=disputes)

    def _refusal(self, why: Decline) -> ChargeResult:
        return ChargeResult.declined(why.code or "", why.message, decline=why.decline or DeclineClass.UNKNOWN)

    def _raw(self, word: str | None) -> dict[str, Any] | None:
        """The tell-tale header, where the provider has one."""
        header = self._capabilities.idempotency.header
        return {header: word} if header and word else None

    def _not_capable(self, what: str, rule: str | None = None) -> ProviderNotCapable:
        return ProviderNotCapable(f"{self._capabilities.name} cannot {what}; nothing was sent", rule=rule)

    def _come_true(self, memory: Memory, now: dt.datetime) -> None:
        """What the provider does by itself up to *now*; nothing, where it only answers."""

    @contextmanager
    def _at_work(self) -> Generator[tuple[Memory, dt.datetime], None, None]:
        """One visit to the provider: everything up to now has come true, and what changes is kept."""
        file = Path(self._settings.state_file) if self._settings.state_file else None
        with self._lock:
            if file:
                self._memory = Memory.load(file)
            now = (self.clock or _SYSTEM).now()
            self._come_true(self._memory, now)
            self._memory.settle(now)
            try:
                yield self._memory, now
            finally:
                self._come_true(self._memory, now)
                self._memory.settle(now)
                if file:
                    self._memory.save(file)


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def _pick(
    memory: Memory, kind: MovementKind, reference: str | None, made: Sequence[Payment], now: dt.datetime
) -> Payment | None:
    """What a look-up finds: the payment of that *reference*, or of those *made* one that took money, or the last."""
    if reference is not None:
        named = memory.payments.get(reference)
        return named if named and named.kind is kind else None
    paid = [payment for payment in made if payment.at(now).state is Outcome.SUCCEEDED]
    if paid:
        return paid[0]
    return made[-1] if made else None
