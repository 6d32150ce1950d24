"""``paygate outbox``: deliver what observers have not been told yet, now or as it comes; list and retry what failed."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from ..errors import StoreUnavailable
from .failures import Exit
from .output import facts, note
from .session import Session, csv_option, json_option, pass_session

if TYPE_CHECKING:
    from ..billing.outbox import Backlog
    from ..gateway import Gateway

__all__ = ["outbox"]

#: Notices that one transaction's worth of looking delivers before the next look.
_ROUND = 1000


@click.group(invoke_without_command=True)
@click.option("--watch", is_flag=True, help="Go on until it is interrupted, as a service.")
@click.option(
    "--every", type=click.FloatRange(0.1, 3600), default=5.0, show_default=True, metavar="SECONDS",
    help="With --watch: how long to wait where nothing is due.",
)  # fmt: skip
@json_option
@click.pass_context
def outbox(ctx: click.Context, every: float, *, watch: bool) -> None:
    """Deliver what observers have not been told yet: mails, and whatever your plugins do with notices.

    A notice that fails is tried again after a growing pause. Ends with 10 if any failed now.
    """
    if ctx.invoked_subcommand is not None:
        return
    session = ctx.ensure_object(Session)
    with session.gateway() as gateway:
        if watch:
            _watch(gateway, every)
            return
        delivered = failed = 0
        while True:
            done = gateway.billing.deliver(limit=_ROUND)
            delivered, failed = delivered + done.delivered, failed + done.failed
            if done.delivered + done.failed < _ROUND:
                break
        left = gateway.billing.backlog()
    outcome = {"delivered": delivered, "failed": failed, "backlog": left}
    session.show(outcome, lambda: facts("Outbox", [("Delivered", delivered), ("Failed", failed), *_facts(left)]))
    if failed:
        ctx.exit(Exit.BLOCKED)


def _watch(gateway: Gateway, every: float) -> None:
    """Deliver until somebody says that it is enough; a database that is away for a while is waited for."""
    with _until_told() as enough:
        note("delivering notices as they come; interrupt to end")
        while not enough.is_set():
            try:
                done = gateway.billing.deliver(limit=_ROUND)
            except StoreUnavailable as exc:
                note(f"waiting for the database: {exc}")
                enough.wait(every)
                continue
            if done.failed:
                note(f"{done.failed} notice(s) failed and are tried again later: paygate outbox list")
            if not done.delivered + done.failed:
                enough.wait(every)


@contextlib.contextmanager
def _until_told() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set, so that the notice in progress is finished first."""
    enough = threading.Event()
    before = {one: signal.signal(one, lambda *_: enough.set()) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield enough
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _facts(left: Backlog) -> list[tuple[str, object]]:
    return [("Waiting", left.waiting), ("Oldest", left.oldest_at), ("Failed before", left.failing)]


@outbox.command("list")
@click.option(
    "--attempts", type=click.IntRange(min=0), default=0, show_default=True,
    help="Only notices that failed so often; 0: all that wait.",
)  # fmt: skip
@csv_option
@json_option
@pass_session
def list_(session: Session, attempts: int) -> None:
    """List the notices that wait, oldest first, with what went wrong."""
    with session.gateway() as gateway:
        rows = gateway.billing.stuck(attempts=attempts)
    shown = [
        {
            "id": row.id, "kind": row.kind, "contract_id": row.contract_id, "at": row.at, "attempts": row.attempts,
            "next_at": row.next_at, "last_error": row.last_error,
        }
        for row in rows
    ]  # fmt: skip
    columns = ("Notice", "Observers of", "Contract", "Of", "#Attempts", "Next", "Last error")
    session.show_rows(shown, "Notices that wait", columns, lambda row: list(row.values()))


@outbox.command()
@click.argument("notices", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All notices that have failed.")
@json_option
@click.pass_context
def retry(ctx: click.Context, notices: tuple[str, ...], *, everything: bool) -> None:
    """Deliver NOTICES that failed now, without waiting for the end of their pause."""
    if bool(notices) is everything:
        raise click.UsageError("name the notices, or say --all; 'paygate outbox list' shows them")
    session = ctx.ensure_object(Session)
    with session.gateway() as gateway:
        chosen = gateway.billing.redeliver(None if everything else notices)
        done = gateway.billing.deliver(limit=max(chosen, 1) + _ROUND)
    outcome = {"chosen": chosen, "delivered": done.delivered, "failed": done.failed}
    session.show(outcome, lambda: facts("Outbox", [(name.capitalize(), number) for name, number in outcome.items()]))
    if done.failed:
        ctx.exit(Exit.BLOCKED)
