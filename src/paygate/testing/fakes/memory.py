"""What a fake provider remembers: payments with their course of events, used keys, and what it has to notify.

Nothing here decides; :mod:`.base` does. Credentials are kept as fingerprints only, so that the memory may be written
to a file.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs

from ...dispute import DisputeState
from ...errors import ConfigurationError
from ...money import Money
from ...provider import DeclineClass, Outcome
from ..book import Book, Movement, MovementKind
from .agreements import FakeCheckout, FakeDispute, FakeSubscription
from .outcomes import Decline

__all__ = ["Memory", "Payment", "Step", "fingerprint"]


def fingerprint(credential: str) -> str:
    """A credential's name in memory, book and state file: the first 16 hexadecimal digits of its SHA-256."""
    return hashlib.sha256(credential.encode()).hexdigest()[:16]


@attrs.frozen
class Step:
    """From *at* (UTC) on the payment is in *state*. Steps may lie in the future: that is how results mature."""

    at: dt.datetime
    state: Outcome
    code: str | None = None
    message: str = ""
    decline: DeclineClass | None = None
    action_url: str | None = None
    network: str | None = None
    advice_code: str | None = None
    response_code: str | None = None
    action_method: str = "GET"
    action_fields: tuple[tuple[str, str], ...] = ()


@attrs.frozen
class Payment:
    """One charge or refund at the provider. *steps* is never empty; the first one is the answer to the caller."""

    kind: MovementKind
    reference: str
    amount: Money
    steps: tuple[Step, ...]
    attempt: str = ""  #: paygate's id; empty for a charge that paygate did not ask for
    key: str = ""
    digest: str = ""  #: of the request, to tell the same key with other contents
    credential: str = ""  #: fingerprint
    charge: str = ""  #: of a refund: the reference of the refunded charge
    notices: int = 1  #: how many times each notification is delivered
    contract: str = ""  #: of a charge by the provider's own subscription: the contract that it belongs to
    period: str = ""  #: and the date on which the charged period begins, ISO 8601
    owner: str = ""  #: of what paygate asked for: the contract that its metadata named

    @property
    def created_at(self) -> dt.datetime:
        return self.steps[0].at

    def at(self, now: dt.datetime) -> Step:
        """The state at *now*."""
        past = [step for step in self.steps if step.at <= now]
        return past[-1] if past else self.steps[0]


class Memory:
    """All payments and agreements of one fake, in order of creation, with the book of what really moved."""

    def __init__(self) -> None:
        self.book = Book()
        self.payments: dict[str, Payment] = {}
        #: what there is to notify of, in the order in which it came true: (reference of a payment, index of the step that
        #: ended it), (reference of a checkout, 0), or (reference of a dispute, index of its state)
        self.notices: list[tuple[str, int]] = []
        self.announced = 0  #: how many of them have been handed out
        #: why a credential can no longer be charged: fingerprint to the decline
        self.blocked: dict[str, Decline] = {}
        self.subscriptions: dict[str, FakeSubscription] = {}  #: by contract
        self.checkouts: dict[str, FakeCheckout] = {}
        self.expiries: dict[str, str] = {}  #: of stored cards that have one of their own: fingerprint to "2030-12"
        self.disputes: dict[str, FakeDispute] = {}
        self._keys: dict[tuple[MovementKind, str], str] = {}
        self._attempts: defaultdict[tuple[MovementKind, str], list[str]] = defaultdict(list)
        self._refunds: defaultdict[str, list[str]] = defaultdict(list)
        self._latest: dict[tuple[str, str, int], str] = {}
        self._waiting: dict[str, int] = {}

    def add(self, payment: Payment) -> None:
        """Remember a new payment; its steps come true by :meth:`settle`."""
        self.payments[payment.reference] = payment
        self._waiting[payment.reference] = 0
        if payment.key:
            self._keys[payment.kind, payment.key] = payment.reference
        if payment.attempt:
            self._attempts[payment.kind, payment.attempt].append(payment.reference)
        if payment.charge:
            self._refunds[payment.charge].append(payment.reference)
        if payment.kind is MovementKind.CAPTURE:
            self._latest[payment.credential, payment.amount.currency, payment.amount.minor] = payment.reference

    def extend(self, payment: Payment, step: Step) -> None:
        """Let an open payment end with *step*, dropping whatever was to come."""
        past = tuple(each for each in payment.steps if each.at <= step.at)
        self.payments[payment.reference] = attrs.evolve(payment, steps=(*past, step))
        self._waiting[payment.reference] = len(past)

    def with_key(self, kind: MovementKind, key: str) -> Payment | None:
        """The latest payment made with *key*."""
        reference = self._keys.get((kind, key))
        return self.payments[reference] if reference else None

    def of_attempt(self, kind: MovementKind, attempt: str) -> list[Payment]:
        """The payments that an attempt led to: one, unless a repeat was charged again."""
        return [self.payments[reference] for reference in self._attempts.get((kind, attempt), ())]

    def refunds_of(self, charge: str) -> list[Payment]:
        return [self.payments[reference] for reference in self._refunds.get(charge, ())]

    def latest_like(self, credential: str, amount: Money) -> Payment | None:
        """The latest charge of the same amount on the same credential (fingerprint)."""
        reference = self._latest.get((credential, amount.currency, amount.minor))
        return self.payments[reference] if reference else None

    def dispute(self, dispute: FakeDispute, now: dt.datetime) -> None:
        """Remember how *dispute* stands now; one that is lost takes the money."""
        self.disputes[dispute.now.reference] = dispute
        self.notices.append((dispute.now.reference, len(dispute.states) - 1))
        if dispute.now.state is DisputeState.LOST:
            lost = dispute.now
            movement = Movement(MovementKind.DISPUTE, lost.amount, lost.reference, now, charge=dispute.charge)
            self.book.write(movement)

    def settle(self, now: dt.datetime) -> None:
        """Let everything up to *now* come true, in order of time: book the money, queue the notices."""
        due: list[tuple[dt.datetime, str, int]] = []
        for reference, first in list(self._waiting.items()):
            steps = self.payments[reference].steps
            ripe = [index for index in range(first, len(steps)) if steps[index].at <= now]
            due += [(steps[index].at, reference, index) for index in ripe]
            self._waiting[reference] = first + len(ripe)
            if self._waiting[reference] == len(steps):
                del self._waiting[reference]
        due.sort(key=lambda item: item[0])  # stable: what came first stays first
        for _at, reference, index in due:
            self._happen(reference, index)

    def _happen(self, reference: str, index: int) -> None:
        payment = self.payments[reference]
        step = payment.steps[index]
        if step.state is Outcome.PENDING:
            return
        self.notices.append((reference, index))
        # an accepted refund that is going to fail never reaches the customer: only the last step moves money
        if step.state is Outcome.SUCCEEDED and index == len(payment.steps) - 1:
            self.book.write(
                Movement(
                    payment.kind,
                    payment.amount,
                    reference,
                    step.at,
                    payment.attempt,
                    payment.credential,
                    payment.charge,
                )
            )

    # --- as a file -------------------------------------------------------------------------------------------------

    def save(self, path: Path) -> None:
        """Write everything to *path* as JSON, replacing it in one step."""
        state = {
            "version": 1,
            "payments": [_dump(payment) for payment in self.payments.values()],
            "notices": self.notices,
            "announced": self.announced,
            "subscriptions": [each.dump() for each in self.subscriptions.values()],
            "expiries": self.expiries,
            "checkouts": [each.dump() for each in self.checkouts.values()],
            "disputes": [each.dump() for each in self.disputes.values()],
            "blocked": {
                credential: [why.code, why.decline.value if why.decline else None]
                for credential, why in self.blocked.items()
            },
        }
        draft = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        draft.write_text(json.dumps(state, indent=1), encoding="utf-8")
        draft.replace(path)

    @classmethod
    def load(cls, path: Path) -> Memory:
        """Read what :meth:`save` wrote; an absent file is an empty memory.

        :raises ConfigurationError: the file is something else.
        """
        memory = cls()
        try:
            state = json.loads(path.read_text(encoding="utf-8"))
            for item in state["payments"]:
                memory.add(_payment(item))
            subscriptions = map(FakeSubscription.load, state["subscriptions"])
            memory.subscriptions = {each.contract_id: each for each in subscriptions}
            memory.expiries = state.get("expiries", {})
            memory.checkouts = {each.reference: each for each in map(FakeCheckout.load, state["checkouts"])}
            disputes = map(FakeDispute.load, state.get("disputes", ()))
            memory.disputes = {each.now.reference: each for each in disputes}
            memory._replay([(reference, index) for reference, index in state["notices"]])
            memory.announced = state["announced"]
            memory.blocked = {
                credential: Decline(code, DeclineClass(decline) if decline else None)
                for credential, (code, decline) in state["blocked"].items()
            }
        except FileNotFoundError:
            return cls()
        except (ValueError, KeyError, TypeError) as exc:
            msg = f"{path} is not the state of a fake provider; name another state_file or delete it"
            raise ConfigurationError(msg) from exc
        return memory

    def _replay(self, notices: Iterable[tuple[str, int]]) -> None:
        """Let the recorded *notices* happen again, so that book and queue are as they were."""
        for reference, index in notices:
            if reference in self.checkouts:
                self.notices.append((reference, index))
                continue
            if dispute := self.disputes.get(reference):
                self.notices.append((reference, index))
                told = dispute.states[index]
                if told.state is DisputeState.LOST:
                    at = told.due_by or dt.datetime.fromtimestamp(0, dt.UTC)
                    self.book.write(
                        Movement(MovementKind.DISPUTE, told.amount, told.reference, at, charge=dispute.charge)
                    )
                continue
            self._happen(reference, index)
            self._waiting[reference] = index + 1
        for reference in [each for each, first in self._waiting.items() if first == len(self.payments[each].steps)]:
            del self._waiting[reference]


def _dump_step(step: Step) -> dict[str, Any]:
    return {
        "at": step.at.isoformat(),
        "state": step.state.value,
        "code": step.code,
        "message": step.message,
        "decline": step.decline.value if step.decline else None,
        "action_url": step.action_url,
        "action_method": step.action_method,
        "action_fields": [list(pair) for pair in step.action_fields],
    }


def _step(item: Mapping[str, Any]) -> Step:
    return Step(
        dt.datetime.fromisoformat(item["at"]),
        Outcome(item["state"]),
        item["code"],
        item["message"],
        DeclineClass(item["decline"]) if item["decline"] else None,
        item["action_url"],
        action_method=item.get("action_method", "GET"),
        action_fields=tuple((name, text) for name, text in item.get("action_fields", ())),
    )


_PLAIN = ("reference", "attempt", "key", "digest", "credential", "charge", "notices", "contract", "period", "owner")


def _dump(payment: Payment) -> dict[str, Any]:
    return {
        "kind": payment.kind.value,
        "amount": [payment.amount.minor, payment.amount.currency],
        "steps": [_dump_step(step) for step in payment.steps],
        **{name: getattr(payment, name) for name in _PLAIN},
    }


def _payment(item: Mapping[str, Any]) -> Payment:
    return Payment(
        kind=MovementKind(item["kind"]),
        amount=Money(*item["amount"]),
        steps=tuple(_step(step) for step in item["steps"]),
        **{name: item[name] for name in _PLAIN if name in item},
    )
