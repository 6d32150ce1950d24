"""What a billing run has done, while it runs and afterwards."""

from __future__ import annotations

import datetime as dt

import attrs

from ..domain.contract import Contract
from ..domain.dunning import RetryPlan
from ..money import Money
from ..store import Restore
from .card_limits import HeldBack, why_held
from .problems import Problem, Troubles
from .recording import Told
from .restoring import Known
from .services import Services

__all__ = ["BillingReport", "Run"]


@attrs.frozen
class BillingReport:
    """What a run did: numbers of contracts, and what was charged.

    ``failed`` counts declined charges, first attempts and retries alike; ``suspended`` those of them that made a contract
    past due, ``terminated`` those that ended one; ``unlocked`` days on which further contents opened (R-082);
    ``expiring_cards`` contracts whose card ends soon, of which both sides are told now (R-408);
    ``requires_action`` charges that wait for the customer, who has been mailed the link (R-335);
    ``unsent`` charges that certainly never reached the provider; ``unknown`` charges without a result yet; ``blocked``
    contracts and mails that were left undone for a trouble of their own or of their account; the first of them are in
    ``problems``, each with its reason. ``warnings`` are texts for people about what is ahead (R-391). ``held_back`` counts charges that were due and not made, because a network's limit,
    its advice or what the card answered in whichever contract forbids them; ``reasons`` says why and until when (R-331).
    """

    started: int = 0
    renewed: int = 0
    retried: int = 0
    failed: int = 0
    suspended: int = 0
    terminated: int = 0
    cancelled: int = 0
    unlocked: int = 0
    unsent: int = 0
    unknown: int = 0
    requires_action: int = 0
    blocked: int = 0
    held_back: int = 0
    mails: int = 0
    expiring_cards: int = 0
    charged: dict[str, int] = attrs.field(factory=dict)
    problems: tuple[Problem, ...] = ()
    warnings: tuple[str, ...] = ()
    reasons: tuple[HeldBack, ...] = ()

    def plus(self, **more: int) -> BillingReport:
        """The report with *more* counted."""
        return attrs.evolve(self, **{name: getattr(self, name) + number for name, number in more.items()})


class Run:
    """One run as far as it has come."""

    def __init__(self, services: Services, horizon: dt.datetime) -> None:
        self.services = services
        self.horizon = horizon
        self.started = services.now()
        self.troubles = Troubles()
        self.told = Told()
        self.restore: Restore | None = None  #: when the database was restored from a backup, if it was
        self._report = BillingReport()
        self._warnings = _warnings(services)

    def paces(self, known: Known | None) -> bool:
        """Whether a charge may have to wait for its turn; what is *known* already is not sent."""
        return self.services.paced and (known is None or known.result is None)

    def count(self, **more: int) -> None:
        """Count *more* in the report."""
        self._report = self._report.plus(**more)

    def charged(self, amount: Money) -> None:
        """Add what was taken."""
        total = self._report.charged.get(amount.currency, 0) + amount.minor
        self._report = attrs.evolve(self._report, charged={**self._report.charged, amount.currency: total})

    def hold(self, contract: Contract, plan: RetryPlan) -> None:
        """Report that the card of *contract* may not be tried now, once for each contract."""
        if all(known.contract_id != contract.id for known in self._report.reasons):
            held = (*self._report.reasons, why_held(contract, plan))
            self._report = attrs.evolve(self._report, reasons=held, held_back=len(held))

    @property
    def report(self) -> BillingReport:
        """What was done up to now."""
        return attrs.evolve(
            self._report, blocked=self.troubles.count, problems=self.troubles.problems, warnings=self._warnings
        )


def _warnings(services: Services) -> tuple[str, ...]:
    """What a run has to say about the time ahead: from a year before the system's largest date on (R-391)."""
    largest = services.rules.system_max
    if services.today() <= largest - dt.timedelta(days=365):
        return ()
    ahead = f"recurring contracts are not renewed beyond the system's largest date, {largest}; raise system_max_expiry"
    return (ahead,)
