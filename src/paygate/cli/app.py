"""The command ``paygate``: its options, its commands, and how it ends when something goes wrong."""

from __future__ import annotations

import logging
import os
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click

from ..catalogue import LANGUAGES, language_of
from .failures import EPILOGUE
from .lazy import Lazy, LazyGroup
from .session import Session
from .wording import speak

__all__ = ["COMMANDS", "paygate"]

_HERE = __package__

COMMANDS = {
    "contracts": Lazy(f"{_HERE}.contracts:contracts", "Make, list, show and change contracts."),
    "import": Lazy(f"{_HERE}.importing:import_contracts", "Take over contracts from a CSV file."),
    "bill": Lazy(f"{_HERE}.bill:bill", "Do everything that is due: starts, renewals, retries, ends, step mails."),
    "schedule": Lazy(f"{_HERE}.schedule:schedule", "Show what will happen to a contract, and why then."),
    "charge": Lazy(f"{_HERE}.charge:charge", "Charge an additional amount to a contract."),
    "charges": Lazy(f"{_HERE}.charges:charges", "List, show, wait for and resolve charges."),
    "refund": Lazy(f"{_HERE}.refund:refund", "Refund a charge or a ledger row, whole or in part."),
    "refunds": Lazy(f"{_HERE}.refunds:refunds", "List, show and resolve refunds; make those by hand."),
    "ledger": Lazy(f"{_HERE}.records:ledger", "Show the sales ledger of a contract."),
    "audit": Lazy(f"{_HERE}.records:audit", "Show who changed a contract, when and why."),
    "access": Lazy(f"{_HERE}.access:access", "Show which content a contract opens, and why."),
    "credentials": Lazy(f"{_HERE}.credentials:credentials", "List, refresh and revoke stored cards."),
    "customers": Lazy(f"{_HERE}.customers:customers", "List, show and change customers."),
    "reports": Lazy(f"{_HERE}.reports:reports", "List contracts and money by date."),
    "step-mails": Lazy(f"{_HERE}.step_mails:step_mails", "List, hold back and release step mails."),
    "reconcile": Lazy(f"{_HERE}.reconcile:reconcile", "Settle charges and refunds that are still open."),
    "health": Lazy(f"{_HERE}.health:health", "Check that everything is in order, for a monitor."),
    "outbox": Lazy(f"{_HERE}.outbox:outbox", "Deliver what observers have not been told; list and retry."),
    "providers": Lazy(f"{_HERE}.providers:providers", "Show what each account can do, and ping one."),
    "plugins": Lazy(f"{_HERE}.providers:plugins", "Show the installed plugins."),
    "db": Lazy(f"{_HERE}.db:db", "Look after the database."),
    "emulate": Lazy(f"{_HERE}.emulate:emulate", "Serve a provider's emulator on this machine."),
    "check": Lazy(f"{_HERE}.check:check", "Check that a provider keeps what it declares."),
    "new": Lazy(f"{_HERE}.new:new", "Write a plugin project for a provider."),
    "demo": Lazy(f"{_HERE}.demo:demo", "Watch a year of contracts pass, against fakes and emulators."),
}


class _Root(LazyGroup):
    """Turns whatever a command raises into a text and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        session: Session = ctx.ensure_object(Session)
        speak(language_of(os.environ))
        try:
            return super().invoke(ctx)
        except (click.exceptions.Exit, BrokenPipeError):
            raise
        except Exception as exc:  # noqa: BLE001 - the last stop; --debug raises it again
            return ctx.exit(session.fail(exc))
        except KeyboardInterrupt as exc:
            return ctx.exit(session.fail(exc))


@click.group(
    cls=_Root,
    lazy=COMMANDS,
    epilog=EPILOGUE,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(version("paygate"), prog_name="paygate", message="%(prog)s %(version)s")
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("paygate.toml"),
    envvar="PAYGATE_CONFIG",
    show_default=True,
    show_envvar=True,
    help="The configuration file.",
)
@click.option("--actor", default="admin", envvar="PAYGATE_ACTOR", show_envvar=True, help="Who acts, for the audit.")
@click.option(
    "--lang",
    type=click.Choice(LANGUAGES),
    envvar="PAYGATE_LANG",
    show_envvar=True,
    help="The language of tables, questions and errors; by default that of the locale.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of tables.")
@click.option(
    "--log",
    type=click.Choice(["debug", "info", "warning"]),
    envvar="PAYGATE_LOG",
    show_envvar=True,
    help="Log to standard error what happens, from this level on; for services and cron.",
)
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.pass_context
def paygate(
    ctx: click.Context, config: Path, actor: str, lang: str | None, log: str | None, *, as_json: bool, debug: bool
) -> None:
    """Contracts and billing over many payment providers."""
    session: Session = ctx.ensure_object(Session)
    if lang is not None:
        speak(lang)
    session.config, session.actor_id, session.json, session.debug = config, actor, as_json, debug
    if debug or log:  # else what a plugin did is told by the outcome
        from .output import LogLines

        logger, lines = logging.getLogger("paygate"), LogLines()
        logger.addHandler(lines)
        ctx.call_on_close(lambda: logger.removeHandler(lines))
        if log:
            ctx.call_on_close(partial(logger.setLevel, logger.level))
            logger.setLevel(log.upper())
