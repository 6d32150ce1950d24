"""One transaction, seen as the repositories that work inside it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

from .audit import Audit
from .cards import Cards
from .charges import Charges
from .checkouts import Checkouts
from .claims import instant
from .contracts import Contracts
from .customers import Customers
from .discrepancies import Discrepancies
from .drafts import Drafts
from .events import Events
from .ledger import Ledger
from .licences import Licences
from .modes import Modes
from .outbox import Outbox
from .products import Products
from .refunds import Refunds
from .remainders import Remainders
from .removal import remove_contract
from .reports import Reports
from .restores import Restores
from .returns import Returns
from .runs import Runs
from .statements import Runner
from .step_mails import StepMails
from .stored_cards import StoredCards

__all__ = ["Session"]


T = TypeVar("T")


class _made_once(Generic[T]):  # noqa: N801 - used like a function
    """Like ``functools.cached_property`` without its lock: a session belongs to one thread."""

    __slots__ = ("_make", "_name")

    def __init__(self, make: Callable[[Any], T]) -> None:
        self._make, self._name = make, make.__name__

    @overload
    def __get__(self, session: None, owner: type) -> _made_once[T]: ...
    @overload
    def __get__(self, session: object, owner: type) -> T: ...
    def __get__(self, session: object | None, owner: type) -> _made_once[T] | T:
        if session is None:
            return self
        made = session.__dict__[self._name] = self._make(session)
        return made


class Session:
    """What can be read and written within one transaction; made by ``Store.read`` and ``Store.write``."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        #: what is done once the transaction is committed, and not done if it is rolled back; for logs
        self.after_commit: list[Callable[[], object]] = []

    # Made when first asked for: most transactions need three or four of them.

    @_made_once
    def contracts(self) -> Contracts:
        return Contracts(self._runner)

    @_made_once
    def customers(self) -> Customers:
        return Customers(self._runner)

    @_made_once
    def charges(self) -> Charges:
        return Charges(self._runner)

    @_made_once
    def cards(self) -> Cards:
        return Cards(self._runner)

    @_made_once
    def discrepancies(self) -> Discrepancies:
        return Discrepancies(self._runner)

    @_made_once
    def drafts(self) -> Drafts:
        return Drafts(self._runner)

    @_made_once
    def refunds(self) -> Refunds:
        return Refunds(self._runner)

    @_made_once
    def ledger(self) -> Ledger:
        return Ledger(self._runner)

    @_made_once
    def step_mails(self) -> StepMails:
        return StepMails(self._runner)

    @_made_once
    def licences(self) -> Licences:
        return Licences(self._runner)

    @_made_once
    def audit(self) -> Audit:
        return Audit(self._runner)

    @_made_once
    def outbox(self) -> Outbox:
        return Outbox(self._runner)

    @_made_once
    def products(self) -> Products:
        return Products(self._runner)

    @_made_once
    def runs(self) -> Runs:
        return Runs(self._runner)

    @_made_once
    def modes(self) -> Modes:
        return Modes(self._runner)

    @_made_once
    def stored_cards(self) -> StoredCards:
        return StoredCards(self._runner)

    @_made_once
    def checkouts(self) -> Checkouts:
        return Checkouts(self._runner)

    @_made_once
    def returns(self) -> Returns:
        return Returns(self._runner)

    @_made_once
    def remainders(self) -> Remainders:
        return Remainders(self._runner)

    @_made_once
    def restores(self) -> Restores:
        return Restores(self._runner)

    @_made_once
    def reports(self) -> Reports:
        return Reports(self._runner)

    @_made_once
    def events(self) -> Events:
        return Events(self._runner)

    def instant(self) -> dt.datetime:
        """The present by the one clock that judges claims and leases: the database's (R-282)."""
        return instant(self._runner)

    def remove_contract(self, contract_id: str, customer_id: str) -> None:
        """Delete a contract and all that belongs to it; its customer too, if nothing else is known of them (R-252)."""
        remove_contract(self._runner, contract_id, customer_id)
