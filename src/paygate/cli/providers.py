"""``paygate providers`` and ``paygate plugins``: what the configured accounts do, and what is installed."""

from __future__ import annotations

import click

from .matrix import rows
from .output import facts, table
from .session import Session, csv_option, json_option, pass_session

__all__ = ["plugins", "providers"]


@click.group(invoke_without_command=True)
@csv_option
@json_option
@click.pass_context
def providers(ctx: click.Context) -> None:
    """Show what each configured account can do, and what it always does."""
    if ctx.invoked_subcommand is not None:
        return
    from ..config import load
    from ..plugins.manager import Plugins

    session = ctx.ensure_object(Session)
    config = load(session.config)
    accounts = tuple(
        Plugins(config.providers, config.plugins, config.overrides, config.modes)
    )  # no database is needed for this
    shown = rows(config.system_max)
    session.show_rows(
        accounts,
        "Accounts",
        ("Account", "Provider", "Mode", *(row.title.replace("`", "") for row in shown)),
        lambda it: (it.name, it.type_name, it.mode, *(row.cell(it.capabilities).replace("`", "") for row in shown)),
        document=[
            {"account": it.name, "provider": it.type_name, "mode": it.mode, "capabilities": it.capabilities}
            for it in accounts
        ],
        human=lambda: table(
            "Accounts",
            ("", *(it.name for it in accounts)),
            [
                ("Provider", *(it.capabilities.name for it in accounts)),
                ("Mode", *(it.mode for it in accounts)),
                *(
                    (row.title.replace("`", ""), *(row.cell(it.capabilities).replace("`", "") for it in accounts))
                    for row in shown
                ),
            ],
        ),
    )


@providers.command()
@click.argument("account")
@json_option
@pass_session
def ping(session: Session, account: str) -> None:
    """Check the credentials of ACCOUNT and that the provider can be reached."""
    with session.gateway() as gateway, session.waiting(f"asking {account}"):
        answer = gateway.providers.ping(account)
    session.show({"account": account, "answer": answer}, lambda: facts("Reached", [(account, answer)]))


@click.command()
@csv_option
@json_option
@pass_session
def plugins(session: Session) -> None:
    """Show the installed plugins; nothing of them is loaded."""
    from ..plugins.discovery import available

    session.show_rows(
        available(),
        "Installed plugins",
        ("Name", "From", "Version", "Object"),
        lambda it: (it.name, it.distribution, it.version, it.value),
    )
