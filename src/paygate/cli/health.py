"""``paygate health``: one look at everything that somebody has to be woken for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .failures import Exit
from .output import facts, table
from .session import Session, json_option

if TYPE_CHECKING:
    from ..billing.health import Health

__all__ = ["health"]


@click.command()
@click.option("--no-ping", is_flag=True, help="Do not ask the providers; only the database is read.")
@json_option
@click.pass_context
def health(ctx: click.Context, *, no_ping: bool) -> None:
    """Check that database, accounts, open attempts, outbox and runs are in order, for a monitor.

    Ends with 0 if all is well, with 10 if somebody has to look after something, with 3 or 9 if the database cannot be
    used. Nothing is written; each account is asked once whether it can be reached.
    """
    session = ctx.ensure_object(Session)
    with session.gateway() as gateway, session.waiting("asking the providers"):
        found = gateway.reports.health(ping=not no_ping)
    session.show(found, lambda: _print(found))
    if found.troubles:
        ctx.exit(Exit.BLOCKED)


def _print(found: Health) -> None:
    facts(
        "Health",
        [
            ("Database", "reached, its schema is current"),
            ("Oldest open attempt", found.oldest_open_at),
            ("Due since", found.due_since),
            ("Notices that wait", found.backlog.waiting),
            ("Oldest of them", found.backlog.oldest_at),
            *((f"Last {run.kind.replace('_', ' ')}", run.finished_at) for run in found.runs),
        ],
    )
    table("Accounts", ("Account", "Reached", "Answer"), ((it.account, it.reached, it.said) for it in found.accounts))
    table("To look after", ("What",), ((trouble,) for trouble in found.troubles))
