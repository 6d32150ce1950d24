"""``paygate reconcile``: settle what is pending or unknown, by asking the providers or by telling an operator."""

from __future__ import annotations

import click

from .failures import Exit
from .output import facts, note, print_problems, table
from .session import Session, json_option

__all__ = ["reconcile"]


@click.command()
@json_option
@click.pass_context
def reconcile(ctx: click.Context) -> None:
    """Settle charges, refunds and subscriptions that are still open, then deliver what observers have not been told.

    Ends with 6 while something stays open or a provider reports something against the record, else with 10 if anything
    was blocked; the report gives the reasons.
    """
    session = ctx.ensure_object(Session)
    with session.gateway() as gateway, session.waiting("asking the providers"):
        report = gateway.billing.reconcile()
        stuck = gateway.billing.stuck()
    delivery = report.notices
    pairs = [
        ("Settled", ", ".join(report.settled)),
        ("Still open", ", ".join(report.still_open)),
        ("Waiting for the customer", ", ".join(report.requires_action)),
        ("Need an operator", ", ".join(report.needs_operator)),
        ("Reported otherwise", ", ".join(report.discrepancies)),
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
