"""``paygate reconcile``: settle what is pending or unknown, by asking the providers or by telling an operator."""

from __future__ import annotations

import datetime as dt
import re

import click

from .failures import Exit
from .output import facts, note, print_problems, table
from .params import DAY_OR_INSTANT
from .session import Session, json_option

__all__ = ["reconcile"]


def _since(_ctx: click.Context, _param: click.Parameter, value: str | None) -> dt.timedelta | dt.date | None:
    """``7d`` is how long back; else a day or an instant."""
    if value is None:
        return None
    days = re.fullmatch(r"([0-9]{1,4})d", value.strip())
    if days is not None:
        return dt.timedelta(days=int(days[1]))
    return DAY_OR_INSTANT(value)


@click.command()
@click.option(
    "--settled-since",
    metavar="DAYSd|DAY",
    callback=_since,
    help="Look up again, too, what succeeded since then, for example 7d: for refunds and disputes whose notices were lost.",
)
@json_option
@click.pass_context
def reconcile(ctx: click.Context, settled_since: dt.timedelta | dt.date | None) -> None:
    """Settle charges, refunds and subscriptions that are still open, then deliver what observers have not been told.

    Ends with 6 while something stays open or a provider reports something against the record, else with 10 if anything
    was blocked; the report gives the reasons.
    """
    session = ctx.ensure_object(Session)
    with session.gateway() as gateway, session.waiting("asking the providers"):
        report = gateway.billing.reconcile(settled_since=settled_since)
        stuck = gateway.billing.stuck()
    delivery = report.notices
    pairs = [
        ("Settled", ", ".join(report.settled)),
        ("Still open", ", ".join(report.still_open)),
        ("Waiting for the customer", ", ".join(report.requires_action)),
        ("Need an operator", ", ".join(report.needs_operator)),
        ("Reported otherwise", ", ".join(report.discrepancies)),
        ("Corrected", ", ".join(report.corrected)),
        ("Subscriptions settled", ", ".join(report.subscriptions)),
        ("Subscriptions open", ", ".join(report.subscriptions_open)),
        ("Blocked", report.blocked),
        ("Notices delivered", delivery.delivered),
        ("Notices failed", delivery.failed),
    ]
    waiting = [{"id": it.id, "kind": it.kind, "attempts": it.attempts, "last_error": it.last_error} for it in stuck]

    def human() -> None:
        facts("Reconciliation", pairs)
        print_problems(report.problems, report.blocked)
        if waiting:
            columns = ("Notice", "Observers of", "#Attempts", "Last error")
            table("Notices that no observer took", columns, (list(it.values()) for it in waiting))

    if delivery.stalled:
        note("observers fail or do not come back, so not all were told: see 'paygate outbox list'")
    if report.discrepancies:
        note("a provider reports something against the record: see paygate charges discrepancies")
    session.show({"attempts": report, "notices": delivery, "stuck_notices": waiting}, human)
    if report.still_open or report.needs_operator or report.subscriptions_open or report.discrepancies:
        ctx.exit(Exit.OPEN)
    if report.blocked:
        ctx.exit(Exit.BLOCKED)
