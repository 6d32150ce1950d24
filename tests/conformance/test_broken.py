"""Proof by mutation: every broken provider is caught by the case that should catch it, and by no case that should not."""

from __future__ import annotations

import pytest

from paygate.testing.conformance import Level
from paygate.testing.conformance.runner import Result, Verdict, run, suite_for, verdict

from .acme import AcmeEmulator
from .broken import BROKEN


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_provider_is_caught_by_the_case_for_it(name: str) -> None:
    broken = BROKEN[name]
    emulator = getattr(broken, "emulator", AcmeEmulator)
    results = run(suite_for(broken, emulator=emulator, settings=getattr(broken, "settings_of", {})))
    failed = {one.case.id for one in results if one.result is Result.FAILED}

    assert failed >= broken.CAUGHT_BY
    assert failed - broken.CAUGHT_BY == broken.ALSO
    assert verdict(results, Level.RECURRING) is Verdict.FAILED


def test_there_are_enough_of_them_to_prove_something() -> None:
    assert len(BROKEN) >= 24
