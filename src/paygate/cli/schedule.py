"""``paygate schedule``: what will happen to one contract, as a time line with the reason for each date."""

from __future__ import annotations

import click

from .output import note
from .session import Session, csv_option, json_option, pass_session

__all__ = ["schedule"]


@click.command()
@click.argument("contract")
@click.option("--months", type=click.IntRange(1, 120), default=12, show_default=True, help="How far to look.")
@csv_option
@json_option
@pass_session
def schedule(session: Session, contract: str, months: int) -> None:
    """Show what will happen to CONTRACT in the next months, and why on those dates.

    Renewals with their prices, the end of special periods, the product's end, a scheduled cancellation, retries of an
    unpaid period or the rule that forbids them, and the step mails in the queue. It supposes that payments succeed and
    that nobody acts.
    """
    with session.gateway() as gateway:
        known = gateway.contracts.get(contract)
        events = gateway.contracts.forecast(contract, months=months)
        accounts = [account.name for account in gateway.providers.list()]
    if known.account is not None and known.account not in accounts:
        note(f"account {known.account!r} is missing from the configuration: nothing is charged until it is back")
    session.show_rows(
        events,
        f"Schedule of {contract}, {known.plan.name}, {known.status.value}",
        ("Day", "What", ">Amount", "Why"),
        lambda it: (it.on, it.what, it.amount, it.why),
    )
    if not events:
        note(f"nothing happens to a contract that is {known.status.value} unless somebody acts")
