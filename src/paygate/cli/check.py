"""``paygate check``: does a provider keep what it declares?"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..clock import SystemClock
from ..errors import ConfigurationError
from .failures import Exit
from .output import note, plain, say, table
from .session import Session, csv_option, json_option, pass_session

if TYPE_CHECKING:
    from ..testing.conformance import Case, Level
    from ..testing.conformance.report import Report

__all__ = ["check"]

_LEVELS = ("CORE", "PAYMENTS", "RECURRING")


def _settings(_ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> Mapping[str, str]:
    made = {}
    for value in values:
        name, equals, text = value.partition("=")
        if not (name.isidentifier() and equals):
            raise click.BadParameter("write a setting as name=value, for example renewals=provider")
        made[name] = text
    return made


@click.command()
@click.argument("target", required=False)
@click.option(
    "--level", type=click.Choice(_LEVELS, case_sensitive=False), help="Check up to this level; by default all."
)
@click.option(
    "--emulator", metavar="NAME|MODULE:CLASS", help="The provider's emulator; by default the one of its name."
)
@click.option(
    "--set", "settings", multiple=True, callback=_settings, metavar="NAME=VALUE", help="A setting; repeatable."
)
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), help="Write the results to a JSON file.")
@click.option("--badge", type=click.Path(dir_okay=False, path_type=Path), help="Write a picture of the verdict (SVG).")
@click.option("--explain", metavar="ID", help="Say what a case holds, why, and how to fix it; for example REFUND-03.")
@click.option("--list", "list_cases", is_flag=True, help="List all cases.")
@click.option("--live", is_flag=True, help="Run a safe few cases against the sandbox of the account TARGET.")
@click.option("--card", metavar="CREDENTIAL", envvar="PAYGATE_CHECK_CARD", help="--live: a stored test card to charge.")
@click.option(
    "--record",
    type=click.Path(dir_okay=False, path_type=Path),
    help="--live: record the exchanges, sanitised, in a file.",
)
@csv_option
@json_option
@pass_session
def check(
    session: Session,
    target: str | None,
    *,
    level: str | None,
    emulator: str | None,
    settings: Mapping[str, str],
    report: Path | None,
    badge: Path | None,
    explain: str | None,
    list_cases: bool,
    live: bool,
    card: str | None,
    record: Path | None,
) -> None:
    """Check that a provider keeps what it declares.

    TARGET is the name of an installed plugin, package.module:Class, or a .py file with a provider or a suite; left out,
    the accounts of the configuration file, or the plugins that the project in this folder declares. What a provider
    declares has to hold, and what it does not declare has to be refused with nothing sent; the money is counted in the
    book of its emulator.
    """
    with _kit():
        from ..testing.conformance import Level
        from ..testing.conformance.targets import find
    if session.csv and (explain is not None or not list_cases):
        raise click.UsageError("--csv is for --list; what was checked is printed with --json or --report")
    if explain is not None:
        session.show(plain(_case(explain)), lambda: say(_case(explain).explain()))
        return
    if list_cases:
        _list(session)
        return
    highest = Level(level.upper()) if level is not None else None
    if live:
        reports = [_live(session, target, card=card, record=record)]
    else:
        found = find(target, folder=Path.cwd(), config=session.config, emulator=emulator, settings=settings)
        reports = [_checked(one.name, one.suite, highest) for one in found]
    if report is not None:
        document = [one.document() for one in reports]
        report.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    if badge is not None:
        from ..testing.conformance.report import badge as picture

        badge.write_text(picture(reports[0]), encoding="utf-8")
        if len(reports) > 1:
            note(f"the badge is for {reports[0].name}, the first of {len(reports)}")
    session.show([one.document() for one in reports], lambda: _show(reports))
    if any(one.failed for one in reports):
        click.get_current_context().exit(Exit.NOT_CONFORMING)


@contextlib.contextmanager
def _kit() -> Iterator[None]:
    try:
        yield
    except ImportError as exc:
        raise ConfigurationError(f"the conformance kit needs {exc.name}: pip install 'paygate[testing]'") from exc


def _checked(name: str, suite: Any, level: Level | None) -> Report:
    from ..testing.conformance.report import Report
    from ..testing.conformance.runner import run

    return Report(name, suite, run(suite, level=level), SystemClock().now())


def _live(session: Session, target: str | None, *, card: str | None, record: Path | None) -> Report:
    from ..config import load
    from ..testing.conformance.live import live_suite
    from ..testing.conformance.targets import make_importable

    make_importable(Path.cwd())
    config = load(session.config)
    if target is None or target not in config.providers:
        known = ", ".join(sorted(config.providers)) or "none"
        raise ConfigurationError(f"--live needs the name of an account in {session.config} (there: {known})")
    suite = live_suite(target, config.providers[target], modes=config.modes, card=card, http=config.http)
    if record is None:
        return _checked(target, suite, None)
    with _kit():
        from ..testing.recording import Mode, Origin, cassette

    name = type(config.providers[target]).__module__.partition(".")[0].removeprefix("paygate_")
    with cassette(record, name, mode=Mode.ALL) as recording:
        report = _checked(target, suite, None)
        if recording.origin is None:  # nothing has left this machine: an emulator was the sandbox
            recording.origin = Origin.emulator(name, version("paygate"))
    return report


def _case(case_id: str) -> Case:
    from ..testing.conformance import ProviderConformance, cases_of
    from ..testing.conformance.live import LiveSuite

    known = {one.id: one for suite in (ProviderConformance, LiveSuite) for one in cases_of(suite).values()}
    found = known.get(case_id.upper())
    if found is None:
        raise click.UsageError(f"no case {case_id!r}; paygate check --list shows them all")
    return found


def _list(session: Session) -> None:
    from ..testing.conformance import ProviderConformance, cases_of
    from ..testing.conformance.live import LiveSuite

    known = [one for suite in (ProviderConformance, LiveSuite) for one in cases_of(suite).values()]
    session.show_rows(
        known,
        "Conformance cases",
        ("Id", "Level", "Claim", "Needs"),
        lambda it: (it.id, it.level.value, it.claim, ", ".join(need.value for need in it.needs)),
    )


def _show(reports: list[Report]) -> None:
    for one in reports:
        _show_report(one)


def _show_report(report: Report) -> None:
    from ..testing.conformance import Group
    from ..testing.conformance.runner import Result

    groups = [group for group in Group if any(result.case.group is group for result in report.results)]
    rows = []
    for group in groups:
        within = [result for result in report.results if result.case.group is group]
        counts = [sum(result.result is kind for result in within) for kind in Result]
        rows.append((group.title, group.level.value, _verdict(*counts), *counts))
    table(report.name, ("Subject", "Level", "Verdict", "Passed", "Refuses", "Failed", "Known", "Not applicable"), rows)
    _show_declared(report)
    _show_failures(report)
    reasons = {result.said for result in report.results if result.result is Result.NOT_APPLICABLE}
    for reason in sorted(reasons):
        count = sum(result.said == reason for result in report.results)
        note(f"{count} not applicable: {reason}")
    said = ", ".join(f"{level.value} {found.value}" for level, found in report.verdicts.items())
    say(f"{report.name}: {said}")


def _verdict(passed: int, refused: int, failed: int, known: int, not_applicable: int) -> str:
    if failed:
        return "FAILED"
    if known:
        return "known failures"
    return "ok" if passed or (refused and not not_applicable) else "not shown"


def _show_declared(report: Report) -> None:
    """What is declared, line by line as the provider matrix has it, and what the cases say of it."""
    from ..domain.rules import SYSTEM_MAX_EXPIRY
    from ..testing.conformance.proofs import proof
    from .matrix import rows

    declared = report.suite().capabilities
    lines = [(row, proof(report.results, row.fields)) for row in rows(SYSTEM_MAX_EXPIRY)]
    table(
        "Declared",
        ("Capability", "Declared as", "Cases"),
        [(row.title.replace("`", ""), row.cell(declared).replace("`", ""), said) for row, said in lines if said],
    )


def _show_failures(report: Report) -> None:
    for result in report.failed:
        say()
        say(f"{result.case.id} FAILED: {result.case.claim}")
        say(f"  What happened: {result.said}")
        say(f"  Why it matters: {result.case.why}")
        say(f"  How to fix it: {result.case.fix}")
    if report.failed:
        say()
