"""Runs a suite without pytest: one result per case, and a verdict per level. The cases are the very same methods."""

from __future__ import annotations

import enum
import inspect
import time
from collections.abc import Iterable

import attrs

from .base import Cases
from .case import Case, CaseFailed, Level, NotApplicable, cases_of
from .suite import ProviderConformance, expected_failure, overriding_reason

__all__ = ["CaseResult", "Result", "Verdict", "run", "suite_for", "verdict"]


class Result(enum.Enum):
    """How one case ended."""

    PASSED = "passed"
    REFUSED = "refuses"  #: not declared, and refused with nothing sent: as good as passed
    FAILED = "failed"
    KNOWN = "known failure"  #: it failed, and the suite says why: ``xfail(reason=…)``
    NOT_APPLICABLE = "not applicable"


class Verdict(enum.Enum):
    """How a level ended."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_SHOWN = "not shown"  #: nothing failed, but what the level is about could not be tried


@attrs.frozen
class CaseResult:
    """The result of one case.

    :param said: what went wrong, or why the case does not apply; empty where it passed.
    :param overridden: why the suite has its own version of the case.
    """

    case: Case
    result: Result
    said: str = ""
    overridden: str = ""
    seconds: float = 0.0


def run(suite: type[Cases], *, level: Level | None = None, ids: Iterable[str] = ()) -> tuple[CaseResult, ...]:
    """Run the cases of *suite*, each in a world of its own, in the order of the kit.

    :param level: leave out the levels above it.
    :param ids: only these cases.
    """
    levels = list(Level)
    highest = levels.index(level) if level is not None else len(levels)
    wanted = frozenset(ids)
    return tuple(
        _run(suite, name, declared)
        for name, declared in cases_of(suite).items()
        if levels.index(declared.level) <= highest and (not wanted or declared.id in wanted)
    )


def verdict(results: Iterable[CaseResult], level: Level) -> Verdict:
    """What *results* say of *level*, which includes the levels below it.

    A level above CORE is shown only where at least one of its cases has really moved money.
    """
    levels = list(Level)
    within = [one for one in results if levels.index(one.case.level) <= levels.index(level)]
    if any(one.result in {Result.FAILED, Result.KNOWN} for one in within):
        return Verdict.FAILED
    own = [one for one in within if one.case.level is level]
    shown = any(one.result is Result.PASSED for one in own) or _all_refused(own)
    return Verdict.PASSED if shown else Verdict.NOT_SHOWN


def _all_refused(results: list[CaseResult]) -> bool:
    """Whether a level is about nothing that the provider declares, and it says so each time."""
    return bool(results) and all(one.result is Result.REFUSED for one in results)


def _run(suite: type[Cases], name: str, declared: Case) -> CaseResult:
    began = time.perf_counter()
    method = getattr(suite, name, None)
    overridden = overriding_reason(method) if getattr(method, "paygate_case", None) != declared else ""
    result, said = _outcome(suite(), name)
    if result is Result.FAILED and expected_failure(method):
        result = Result.KNOWN
    return CaseResult(declared, result, said, overridden, time.perf_counter() - began)


def _outcome(cases: Cases, name: str) -> tuple[Result, str]:
    method = getattr(cases, name, None)
    if not inspect.ismethod(method):
        return Result.FAILED, "the suite has removed this case"
    try:
        method()
    except NotApplicable as exc:
        return Result.NOT_APPLICABLE, exc.reason
    except CaseFailed as exc:
        return Result.FAILED, str(exc)
    except Exception as exc:  # noqa: BLE001 - whatever it is, it fails the case and not the run
        return Result.FAILED, f"{type(exc).__name__}: {exc}"
    finally:
        cases.teardown_method()
    if cases.turned is not None:
        return Result.REFUSED, f"{cases.turned.value} are not declared"
    return Result.PASSED, ""


def suite_for(provider: object, **attributes: object) -> type[ProviderConformance]:
    """A suite for *provider* as a test module would have it.

    :param attributes: ``emulator``, ``settings``, ``status_fields``.
    """
    made = provider if inspect.isclass(provider) or inspect.isfunction(provider) else lambda: provider
    held = made if inspect.isclass(made) else staticmethod(made)
    name = getattr(provider, "__name__", type(provider).__name__)
    return type(f"Check{name}", (ProviderConformance,), {"provider": held, **attributes})
