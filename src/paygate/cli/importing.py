"""``paygate import``: take over contracts from a CSV file, all of them or none."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from .csv_file import ENCODINGS, RowProblem
from .csv_import import all_problems, read_rows
from .failures import Exit
from .output import console, facts, note, table
from .session import Session, json_option

__all__ = ["import_contracts"]


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, readable=True, path_type=Path))
@click.option("--skip-invalid", is_flag=True, help="Import the good rows although others are wrong.")
@click.option("--dry-run", is_flag=True, help="Only check the file; import nothing.")
@click.option("--encoding", type=click.Choice(ENCODINGS), help="Of the file; by default found out.")
@json_option
@click.pass_context
def import_contracts(
    ctx: click.Context, file: Path, encoding: str | None, *, skip_invalid: bool, dry_run: bool
) -> None:
    """Take over the contracts of FILE, a CSV file with a header line. Nothing is charged, nothing is mailed.

    Every wrong row is told, with line, column and remedy; then nothing is imported, unless you say --skip-invalid
    and the header is right.
    The columns are described in the documentation.
    """
    session = ctx.ensure_object(Session)
    with session.gateway() as gateway:
        accounts = [account.name for account in gateway.providers.list()]
        with _progress(session, file) as progress:
            reading = read_rows(file, accounts=accounts, encoding=encoding, progress=progress)
        # rows that read well may still be refused: those problems are told together with the others
        check_only = dry_run or reading.header_wrong or (bool(reading.problems) and not skip_invalid)
        with session.waiting(f"{'checking' if check_only else 'importing'} {len(reading.rows)} contracts"):
            report = gateway.contracts.import_many(
                reading.rows, skip_invalid=skip_invalid, check_only=check_only, actor=session.actor
            )
    problems = all_problems(reading, report)
    outcome = {
        "imported": report.imported,
        "accepted": len(reading.rows) - len(report.refused),
        "problems": problems,
        "dry_run": dry_run,
    }
    session.show(outcome, lambda: _print(file, len(report.imported), len(reading.rows) - len(report.refused), problems))
    if not problems:
        return
    if check_only or not skip_invalid:
        remedy = (
            "correct the header" if reading.header_wrong else "correct the rows, or import the others: --skip-invalid"
        )
        note(f"nothing was imported; {remedy}")
        ctx.exit(Exit.REFUSED)
    note("the rows above were left out")


def _print(file: Path, imported: int, accepted: int, problems: Sequence[RowProblem]) -> None:
    if problems:
        table(
            f"Problems in {file}",
            ("#Line", "Column", "Value", "Problem", "Remedy"),
            ((it.line or None, it.column, it.value_shown, it.problem, it.remedy) for it in problems),
        )
    wrong = len({problem.line for problem in problems})
    facts("Import", [("Good rows", accepted), ("Wrong lines", wrong), ("Imported", imported)])


@contextlib.contextmanager
def _progress(session: Session, file: Path) -> Iterator[Callable[[int], None] | None]:
    """A bar on the terminal, counting lines; the file is read twice, which is quicker than a bar that lies."""
    if session.json or not sys.stderr.isatty():
        yield None
        return
    with file.open("rb") as source:
        lines = sum(1 for _ in source)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console(sys.stderr), transient=True) as bar:
        task = bar.add_task("reading", total=lines)
        yield lambda line: bar.update(task, completed=line)
