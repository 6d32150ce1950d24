"""One transaction, seen as the repositories that work inside it."""

from __future__ import annotations

from .audit import Audit
from .charges import Charges
from .contracts import Contracts
from .customers import Customers
from .events import Events
from .ledger import Ledger
from .licences import Licences
from .outbox import Outbox
from .products import Products
from .refunds import Refunds
from .statements import Runner
from .step_mails import StepMails

__all__ = ["Session"]


class Session:
    """What can be read and written within one transaction; made by ``Store.read`` and ``Store.write``."""

    __slots__ = (
        "audit",
        "charges",
        "contracts",
        "customers",
        "events",
        "ledger",
        "licences",
        "outbox",
        "products",
        "refunds",
        "step_mails",
    )

    def __init__(self, runner: Runner) -> None:
        self.contracts = Contracts(runner)
        self.customers = Customers(runner)
        self.charges = Charges(runner)
        self.refunds = Refunds(runner)
        self.ledger = Ledger(runner)
        self.step_mails = StepMails(runner)
        self.licences = Licences(runner)
        self.audit = Audit(runner)
        self.outbox = Outbox(runner)
        self.products = Products(runner)
        self.events = Events(runner)
