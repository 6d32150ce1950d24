"""The conformance kit: a plugin's whole suite in three lines, and a verdict that says whether the plugin is right.

::

    class TestAcme(ProviderConformance):
        provider = Acme
        emulator = AcmeEmulator

What a provider declares has to hold; what it does not declare has to be refused with nothing sent. The money is counted
in the emulator's book, whatever anybody answered.
"""

from .case import Case, CaseFailed, Group, Level, NotApplicable, case, cases_of, overrides_case
from .needs import Need
from .suite import ProviderConformance

__all__ = [
    "Case",
    "CaseFailed",
    "Group",
    "Level",
    "Need",
    "NotApplicable",
    "ProviderConformance",
    "case",
    "cases_of",
    "overrides_case",
]
