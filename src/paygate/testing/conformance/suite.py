"""The suite: every case of the kit, in one class to inherit from."""

from __future__ import annotations

from typing import Any

from .case import case, cases_of
from .cases.cards import StoredCards
from .cases.charges import Charges
from .cases.checkouts import Checkouts
from .cases.core import Declarations
from .cases.core_secrets import Secrets
from .cases.core_wire import OnTheWire
from .cases.declines import Declines
from .cases.faults import BrokenCharges
from .cases.faults_others import BrokenReading
from .cases.faults_refunds import BrokenRefunds
from .cases.lookups import Lookups
from .cases.probe import Probe
from .cases.refunds import Refunds
from .cases.renewals import MerchantRenewals
from .cases.subscriptions import Subscriptions
from .cases.webhooks import Webhooks

__all__ = ["ProviderConformance", "expected_failure", "overriding_reason"]

_GUARD = "test_every_case_of_the_kit_is_there"


class ProviderConformance(
    Declarations,
    OnTheWire,
    Secrets,
    Charges,
    Declines,
    Refunds,
    Lookups,
    Webhooks,
    BrokenCharges,
    BrokenRefunds,
    BrokenReading,
    Probe,
    MerchantRenewals,
    Subscriptions,
    Checkouts,
    StoredCards,
):
    """A plugin's whole suite::

        class TestAcme(ProviderConformance):
            provider = Acme  # the class, or a callable without arguments
            emulator = AcmeEmulator  # optional; without it only the cases of level CORE apply

    pytest collects each case as one test. ``settings`` holds what the emulator does not know.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if _GUARD in vars(cls):
            raise TypeError(f"{cls.__name__} replaces the guard of the suite; override single cases, with a reason")

    @case(
        "CORE-00",
        claim="every case of the kit is there, and none is replaced without a reason",
        why="A suite from which the inconvenient cases were removed says nothing.",
        fix="Say why: @overrides_case(reason='…') on your own version, or @pytest.mark.xfail(reason='…') on a known gap.",
    )
    def test_every_case_of_the_kit_is_there(self) -> None:
        complaints = []
        for name, declared in cases_of(type(self)).items():
            here = getattr(type(self), name, None)
            if not callable(here):
                complaints.append(f"{declared.id} ({name}) was removed")
            elif getattr(here, "paygate_case", None) != declared and not overriding_reason(here):
                complaints.append(f"{declared.id} ({name}) is overridden without a reason")
        self.expect(not complaints, "; ".join(complaints))


def overriding_reason(method: Any) -> str:
    """Why *method* stands for a case of the kit; empty where nobody says."""
    return str(getattr(method, "paygate_override", "")) or expected_failure(method)


def expected_failure(method: Any) -> str:
    """Why *method* is expected to fail, by pytest's ``xfail(reason=…)``; empty where it is not."""
    marks = [mark for mark in getattr(method, "pytestmark", []) if mark.name == "xfail"]
    return next((str(mark.kwargs["reason"]) for mark in marks if mark.kwargs.get("reason")), "")
