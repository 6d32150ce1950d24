"""``paygate demo``: a year of contracts in a moment, against fakes and an emulator, on a clock that is moved by hand.

Scenes print as they happen. Each makes claims; one that does not hold makes the command fail.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import ConfigurationError
from .failures import Exit
from .output import write_json
from .session import Session, json_option

if TYPE_CHECKING:
    from ..billing.importing import NewContract
    from .demo_report import Report
    from .demo_world import World

__all__ = ["contracts_file", "demo"]

_HERE = Path(__file__).resolve()

#: The file's place in an installed package, and in the repository.
_FILES = (_HERE.parent / "demo_data" / "contracts.csv", _HERE.parents[3] / "examples" / "contracts.csv")


def contracts_file() -> Path:
    """The contracts that the demo imports: ``examples/contracts.csv``.

    :raises ConfigurationError: the file is in neither of its places.
    """
    found = next((path for path in _FILES if path.is_file()), None)
    if found is None:
        raise ConfigurationError(f"{_FILES[0]}: the demo's contracts are missing; install paygate again")
    return found


@click.command("demo")
@click.option("--database", metavar="URL", help="An empty database to use; by default one that is gone afterwards.")
@click.option(
    "--keep",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep the database in DIR, with a paygate.toml to go on from.",
)
@json_option
@click.pass_context
def demo(ctx: click.Context, database: str | None, keep: Path | None) -> None:
    """Watch a year of contracts pass, against fakes and emulators.

    Needs no account and no network: UnivaPay is the real plugin against an emulator on this machine, the other
    providers are fakes, and the clock is moved by hand. Ends with 1 if anything is not as it should be.
    """
    from .demo_report import Report

    if database is not None and keep is not None:
        raise click.UsageError("--keep makes a database of its own; leave out --database or --keep")
    session = ctx.ensure_object(Session)
    report = Report(silent=session.json)
    with _database(database, keep) as url:
        outcome = _perform(report, url, keep)
    if session.json:
        write_json(outcome)
    _conclude(report, keep)
    if report.failed:
        ctx.exit(Exit.UNEXPECTED)


@contextlib.contextmanager
def _database(url: str | None, keep: Path | None) -> Iterator[str]:
    if url is not None:
        yield url
    elif keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        if any(keep.iterdir()):
            raise ConfigurationError(f"{keep} is not empty; name a new folder")
        yield f"sqlite:///{(keep / 'paygate.db').resolve()}"
    else:
        with tempfile.TemporaryDirectory(prefix="paygate-demo-", ignore_cleanup_errors=True) as folder:
            yield f"sqlite:///{Path(folder) / 'paygate.db'}"


def _contracts() -> tuple[NewContract, ...]:
    from .csv_import import read_rows

    path = contracts_file()
    reading = read_rows(path)
    if reading.problems:
        raise ConfigurationError(f"{path.name}: {reading.problems[0]}")
    return tuple(reading.rows)


def _perform(report: Report, database: str, keep: Path | None) -> dict[str, Any]:
    from .demo_keep import write_configuration
    from .demo_world import open_world

    report.say(
        "A shop with contracts over four payment providers. UnivaPay is the real plugin talking HTTP to an emulator on "
        "this machine; Telecom Credit, Stripe and Amazon Pay are fakes that refuse what the real ones refuse. The "
        "clock stands still until it is moved. R-nnn are the numbered rules of the documentation."
    )
    with open_world(database, _contracts(), keep.resolve() if keep else None) as world:
        if world.gateway.contracts.list().first() is not None:
            raise ConfigurationError("the database of the demo has to be empty; name a new one")
        outcome = _scenes(world, report)
    if keep is not None:
        write_configuration(keep.resolve())
    return outcome


def _scenes(world: World, report: Report) -> dict[str, Any]:
    from . import demo_network, demo_scenes, demo_summary, demo_year

    expiries = demo_scenes.import_contracts(world, report)
    demo_scenes.capabilities(world, report)
    demo_scenes.charges(world, report)
    refusals = demo_scenes.refusals(world, report)
    refusals += demo_network.by_webhook(world, report)
    refusals += demo_network.lost_answer(world, report)
    window, at_the_limit = demo_year.a_year(world, report)
    refusals += at_the_limit
    refusals += demo_year.refunds(world, report)
    refusals += demo_year.step_mails(world, report)
    demo_summary.final_tables(world, report, expiries)
    return demo_summary.summary(world, report, refusals=refusals, window_closed_at=window, expiries=expiries)


def _conclude(report: Report, keep: Path | None) -> None:
    if keep is not None:
        report.say(f"Go on with: paygate --config {keep / 'paygate.toml'} contracts list\n")
    held = len(report.expectations) - len(report.failed)
    if report.failed:
        report.say(f"{held} of {len(report.expectations)} expectations held. Not as expected:")
        for claim in report.failed:
            report.say(f"  {claim}")
    else:
        report.say(f"All {held} expectations held: what the providers took and returned is what the ledger says.")
