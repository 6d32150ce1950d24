"""One transaction, seen as the repositories that work inside it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import cached_property

from .audit import Audit
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

__all__ = ["Session"]


class Session:
    """What can be read and written within one transaction; made by ``Store.read`` and ``Store.write``."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        #: what is done once the transaction is committed, and not done if it is rolled back; for logs
        self.after_commit: list[Callable[[], object]] = []

    # Made when first asked for: most transactions need three or four of them.

    @cached_property
    def contracts(self) -> Contracts:
        return Contracts(self._runner)

    @cached_property
    def customers(self) -> Customers:
        return Customers(self._runner)

    @cached_property
    def charges(self) -> Charges:
        return Charges(self._runner)

    @cached_property
    def discrepancies(self) -> Discrepancies:
        return Discrepancies(self._runner)

    @cached_property
    def drafts(self) -> Drafts:
        return Drafts(self._runner)

    @cached_property
    def refunds(self) -> Refunds:
        return Refunds(self._runner)

    @cached_property
    def ledger(self) -> Ledger:
        return Ledger(self._runner)

    @cached_property
    def step_mails(self) -> StepMails:
        return StepMails(self._runner)

    @cached_property
    def licences(self) -> Licences:
        return Licences(self._runner)

    @cached_property
    def audit(self) -> Audit:
        return Audit(self._runner)

    @cached_property
    def outbox(self) -> Outbox:
        return Outbox(self._runner)

    @cached_property
    def products(self) -> Products:
        return Products(self._runner)

    @cached_property
    def runs(self) -> Runs:
        return Runs(self._runner)

    @cached_property
    def modes(self) -> Modes:
        return Modes(self._runner)

    @cached_property
    def checkouts(self) -> Checkouts:
        return Checkouts(self._runner)

    @cached_property
    def returns(self) -> Returns:
        return Returns(self._runner)

    @cached_property
    def remainders(self) -> Remainders:
        return Remainders(self._runner)

    @cached_property
    def restores(self) -> Restores:
        return Restores(self._runner)

    @cached_property
    def reports(self) -> Reports:
        return Reports(self._runner)

    @cached_property
    def events(self) -> Events:
        return Events(self._runner)

    def instant(self) -> dt.datetime:
        """The present by the one clock that judges claims and leases: the database's (R-282)."""
        return instant(self._runner)

    def remove_contract(self, contract_id: str, customer_id: str) -> None:
        """Delete a contract and all that belongs to it; its customer too, if nothing else is known of them (R-252)."""
        remove_contract(self._runner, contract_id, customer_id)
