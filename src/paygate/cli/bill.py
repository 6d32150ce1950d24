"""``paygate bill``: everything that is due, or with ``--dry-run`` the plan of it (§6.4, §6.15)."""

from __future__ import annotations

import contextlib
import datetime as dt
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import attrs
import click

from ..clock import JST, spoken
from ..money import Money
from .failures import Exit
from .output import console, facts, note, print_problems, table
from .params import DAY_OR_INSTANT
from .session import Session, json_option, limit_option, yes_option
from .wording import language, named, people

if TYPE_CHECKING:
    from ..billing.running import BillingReport, Planned
    from ..gateway import Gateway

__all__ = ["bill"]


@attrs.define
class Totals:
    """What the steps of a plan add up to.

    :param steps: kind of work → number of steps.
    :param charged: (account, currency) → number of charges and their sum in minor units.
    """

    steps: Counter[str] = attrs.field(factory=Counter)
    charged: dict[tuple[str, str], tuple[int, int]] = attrs.field(factory=dict)
    contracts: int = 0
    _last: str = ""

    def add(self, item: Planned) -> None:
        """Count *item*; the steps of one contract follow each other."""
        self.steps["not retried" if item.work.value == "nothing" else item.work.value] += 1
        self.contracts += item.contract_id != self._last
        self._last = item.contract_id
        if item.charge is not None:
            key = (item.account or "", item.charge.currency)
            number, minor = self.charged.get(key, (0, 0))
            self.charged[key] = (number + 1, minor + item.charge.minor)

    @property
    def charges(self) -> int:
        """How many charges there are, through all accounts."""
        return sum(number for number, _ in self.charged.values())

    @property
    def sums(self) -> list[Money]:
        """What is charged through all accounts, by currency."""
        total: Counter[str] = Counter()
        for (_, currency), (_, minor) in self.charged.items():
            total[currency] += minor
        return [Money(minor, currency) for currency, minor in sorted(total.items())]

    @property
    def said(self) -> str:
        """Counts and sum in one line."""
        from ..billing.running import Work

        names = {"not retried" if work is Work.NOTHING else work.value: named(work) for work in Work}
        shown = {name: names[name] if language() != "en" else name for name in self.steps}
        steps = ", ".join(f"{shown[work]}: {number}" for work, number in sorted(self.steps.items()))
        sums = " and ".join(map(str, self.sums))
        return f"{steps}; {self.charges} charge(s)" + (f" of {sums} in all" if sums else "")

    def as_rows(self) -> list[dict[str, object]]:
        """One row for each account and currency."""
        return [
            {"account": account, "charges": number, "sum": Money(minor, currency)}
            for (account, currency), (number, minor) in sorted(self.charged.items())
        ]


@click.command()
@click.option("--dry-run", is_flag=True, help="Show what is due, why, and its sum; nothing is written or sent.")
@click.option(
    "--until",
    type=DAY_OR_INSTANT,
    help='Only what is due by then: a whole day such as 2026-01-31, or "2026-01-31 10:00"; later than now with --dry-run.',
)
@limit_option
@yes_option
@json_option
@click.pass_context
def bill(
    ctx: click.Context, until: dt.date | dt.datetime | None, limit: int | None, *, dry_run: bool, yes: bool
) -> None:
    """Start contracts, charge renewals and retries, carry out due ends, release due step mails.

    What is due is counted and asked first, unless --yes is given. It is safe to run it again at any time: each period is
    charged once. After days of standing still it does what was missed, each contract in date order; with --until day by
    day, if you like to look in between. A declined card is no failure of the run: its retry is planned and its customer
    told. What is blocked, by a trouble of its own or of its account, is listed with the reason, and the others go on.
    Ends with 6 if a charge has no result yet, else with 10 if anything was blocked, else with 5 if a charge could not be
    sent; the next run makes that one. --dry-run ends with 10 where the run would leave something blocked.
    """
    session = ctx.ensure_object(Session)
    if session.csv and not dry_run:
        raise click.UsageError("--csv is for the list of --dry-run; the result of a run is printed with --json")
    if dry_run:
        with session.gateway() as gateway:
            blocked = _show_plan(session, gateway.billing.plan(until=until), limit, until)
        if blocked:
            note("something would be blocked, see above; put the reason right before the run")
            ctx.exit(Exit.BLOCKED)
        return
    session.require_yes(yes=yes)
    with session.gateway() as gateway:
        if until is not None and _begins(until) > gateway.clock.now():
            raise click.UsageError(f"{spoken(until)} has not come yet; --dry-run shows what a run would do then")
        totals = None
        if not yes or _progress_is_seen(session):
            totals = _totals(gateway, until)
            if not yes:
                session.confirm(_question(totals), yes=yes)
        with _progress(session, totals) as progress:
            report = gateway.billing.run(until=until, progress=progress)
    session.show(report, lambda: _print_report(report))
    for warning in report.warnings:
        note(f"Warning: {warning}")
    if report.unknown:
        note("some charges have no result yet, do not charge again: run paygate reconcile")
        ctx.exit(Exit.OPEN)
    if report.blocked:
        note("something was blocked, see above; put the reason right, the next run does what was left")
        ctx.exit(Exit.BLOCKED)
    if report.unsent:
        note("some charges did not reach the provider; nothing was charged, the next run makes them")
        ctx.exit(Exit.DECLINED)


# --- the plan --------------------------------------------------------------------------------------------------------


def _begins(until: dt.date | dt.datetime) -> dt.datetime:
    return until if isinstance(until, dt.datetime) else dt.datetime.combine(until, dt.time(), JST)


def _totals(gateway: Gateway, until: dt.date | dt.datetime | None) -> Totals:
    totals = Totals()
    for item in gateway.billing.plan(until=until):
        totals.add(item)
    return totals


def _question(totals: Totals) -> str:
    if not totals.steps:
        return "Nothing is due but step mails. Run all the same?"
    return f"Due: {totals.said}. Go ahead?"


def _show_plan(
    session: Session, plan: Iterable[Planned], limit: int | None, until: dt.date | dt.datetime | None
) -> int:
    """The steps as far as they are shown, and the sums of all of them; how many of them a run could not do."""
    from ..billing.running import Work

    totals, blocked = Totals(), 0

    def counted() -> Iterator[Planned]:
        nonlocal blocked
        for item in plan:
            totals.add(item)
            blocked += item.blocked
            yield item

    rest = counted()
    items = session.page(rest, limit)
    for _ in rest:  # what is not shown counts all the same
        pass
    order = {work: number for number, work in enumerate(Work)}
    by_work = sorted(items, key=lambda it: (order[it.work], it.on, it.contract_id))

    title = f"Due {_said(until)}; nothing has been done"
    columns = ("What", "Due", "Contract", "Customer", "Account", ">Charge", "Why")

    def row(it: Planned) -> tuple[object, ...]:
        return it.work, it.on, it.contract_id, it.customer_id, it.account, it.charge, it.why

    def human() -> None:
        table(title, columns, map(row, by_work))
        table(
            "Charges by account",
            ("Account", "#Charges", ">Sum"),
            (tuple(row.values()) for row in totals.as_rows()),
        )
        facts("", [("In all", totals.said if totals.steps else "nothing is due")])

    document = {"steps": items, "counts": dict(totals.steps), "accounts": totals.as_rows(), "sums": totals.sums}
    session.show_rows(by_work, title, columns, row, document=document, human=human)
    return blocked


def _said(until: dt.date | dt.datetime | None) -> str:
    if isinstance(until, dt.datetime):
        return people(f"by {until.astimezone(JST):%Y-%m-%d %H:%M:%S}")
    return people(f"by the end of {until}" if until else "now")


# --- the run ---------------------------------------------------------------------------------------------------------


def _progress_is_seen(session: Session) -> bool:
    return not session.json and sys.stderr.isatty()


@contextlib.contextmanager
def _progress(session: Session, totals: Totals | None) -> Iterator[Callable[[BillingReport], None] | None]:
    """A bar on a terminal, one step for each contract that was planned."""
    if totals is None or not _progress_is_seen(session):
        yield None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("billing"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=console(sys.stderr), transient=True) as bar:
        task = bar.add_task("", total=totals.contracts)
        told = 0

        def progress(report: BillingReport) -> None:
            nonlocal told
            told = min(told + 1, totals.contracts)  # contracts whose retry is not due yet are told of, but not planned
            bar.update(task, completed=told, description=_brief(report))

        yield progress


def _brief(report: BillingReport) -> str:
    return f"{report.started + report.renewed + report.retried} done, {report.failed} declined, {report.unknown} open"


def _print_report(report: BillingReport) -> None:
    charged = [Money(minor, currency) for currency, minor in sorted(report.charged.items())]
    facts(
        "Billing",
        [
            ("Started", report.started),
            ("Renewed", report.renewed),
            ("Retried with success", report.retried),
            ("Declined", report.failed),
            ("Now past due", report.suspended),
            ("Ended for non-payment", report.terminated),
            ("Ended as scheduled", report.cancelled),
            ("Contents opened", report.unlocked),
            ("Not sent", report.unsent),
            ("Without a result yet", report.unknown),
            ("Waiting for the customer", report.requires_action),
            ("Blocked", report.blocked),
            ("Held back because of the card", report.held_back),
            ("Step mails released", report.mails),
            ("Cards that end soon", report.expiring_cards),
            ("Charged", " and ".join(map(str, charged)) or "nothing"),
        ],
    )
    print_problems(report.problems, report.blocked)
    if report.reasons:
        table(
            "Held back",
            ("Contract", "Account", "Network", "Until", "Why"),
            ((it.contract_id, it.account, it.network, it.until, it.reason) for it in report.reasons),
        )
