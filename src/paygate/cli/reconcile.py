"""``paygate reconcile``: settle what is pending or unknown, by look-up or by telling an operator."""

from __future__ import annotations

import click

from .failures import Exit
from .output import facts
from .session import Session, json_option

__all__ = ["reconcile"]


@click.command()
@json_option
@click.pass_context
def reconcile(ctx: click.Context) -> None:
    """Settle charges and refunds that are still open, then deliver what observers have not been told.

    Ends with 6 while something stays open.
    """
    session = ctx.ensure_object(Session)
    with session.gateway() as gateway, session.waiting("asking the providers"):
        report = gateway.billing.reconcile()
        delivery = gateway.billing.deliver()
    pairs = [
        ("Settled", ", ".join(report.settled)),
        ("Still open", ", ".join(report.still_open)),
        ("Need an operator", ", ".join(report.needs_operator)),
        ("Notices delivered", delivery.delivered),
        ("Notices failed", delivery.failed),
    ]
    session.show({"charges_and_refunds": report, "notices": delivery}, lambda: facts("Reconciliation", pairs))
    if report.still_open or report.needs_operator:
        ctx.exit(Exit.OPEN)
