"""One run of the command line: where the configuration is, who acts, how to print, how to ask and how to fail."""

from __future__ import annotations

import contextlib
import io
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import click

from ..errors import PaygateError, PluginFailed

if TYPE_CHECKING:
    from ..domain.contract import Actor
    from ..gateway import Gateway

__all__ = ["Session", "csv_option", "json_option", "limit_option", "pass_session", "yes_option"]

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

#: Rows of a list that people are shown unless they ask for more.
_ROWS = 200


@attrs.define
class Session:
    """What the options of ``paygate`` said."""

    config: Path = Path("paygate.toml")
    actor_id: str = "admin"
    json: bool = False
    debug: bool = False
    csv: bool = False
    bom: bool = False

    @property
    def actor(self) -> Actor:
        """Who acts, as the audit records it (R-266)."""
        from ..domain.contract import Actor

        return Actor.admin(self.actor_id)

    @contextlib.contextmanager
    def gateway(self) -> Iterator[Gateway]:
        """The gateway of the configuration file, closed afterwards.

        :raises ConfigurationError: the file is missing or wrong, or the database needs an upgrade.
        """
        from ..gateway import Gateway

        with Gateway.open(self.config) as gateway:
            yield gateway

    # --- asking ------------------------------------------------------------------------------------------------------

    def require_yes(self, *, yes: bool) -> None:
        """Refuse to ask where a program is listening.

        :raises click.UsageError: ``--json`` without ``--yes``.
        """
        if self.json and not yes:
            raise click.UsageError("with --json nobody can be asked; add --yes to go ahead without a question")

    def confirm(self, question: str, *, yes: bool) -> None:
        """Ask on standard error, unless *yes*; anything but a yes ends the command, and nothing has been sent.

        :raises click.Abort: the answer is no, or there is nobody to answer.
        """
        from .output import printable
        from .wording import people

        if not yes and not click.confirm(printable(people(question)), default=False, err=True):
            raise click.Abort

    # --- printing ----------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """Show on a terminal that something takes its time."""
        from .output import status

        if self.json or not sys.stderr.isatty():
            yield
            return
        with status(what):
            yield

    def page(self, values: Iterable[T], limit: int | None) -> list[T]:
        """At most *limit* values; 0: all. None: all for a program, 200 for people. What is left out is mentioned."""
        from .output import note

        most = limit if limit is not None else 0 if self.json or self.csv else _ROWS
        taken: list[T] = []
        for value in values:
            if most and len(taken) == most:
                note(f"only the first {most} are shown; --limit 0 shows all")
                break
            taken.append(value)
        return taken

    def show(self, value: object, human: Callable[[], None]) -> None:
        """Print *value* as JSON, or let *human* print it."""
        from .output import write_json

        if self.json:
            write_json(value)
        else:
            human()

    def show_rows(
        self,
        values: Sequence[T],
        title: str,
        columns: Sequence[str],
        row: Callable[[T], Sequence[object]],
        *,
        document: object = None,
        human: Callable[[], None] | None = None,
    ) -> None:
        """Print *values* as a JSON list, as CSV, or as a table of what *row* makes of each.

        :param document: as JSON, where it holds more than the rows.
        :param human: prints it for people, where that is more or other than the table.
        """
        from .csv_output import write_csv
        from .output import table

        if self.csv:
            write_csv(columns, (row(value) for value in values), bom=self.bom)
            return
        shown = values if document is None else document
        self.show(shown, human or (lambda: table(title, columns, (row(value) for value in values))))

    # --- failing -----------------------------------------------------------------------------------------------------

    def fail(self, error: BaseException) -> int:
        """Say what went wrong, why and what to do; returns the exit code. A program gets it as a JSON document too."""
        from ..drivers.redact import mask_text
        from .failures import Exit, exit_of, next_step
        from .output import note, say, write_json
        from .wording import language

        rule = step = None
        match error:
            case click.ClickException():
                shown = io.StringIO()  # usage and message quote what was typed, or what a file holds
                error.show(file=shown)
                say(shown.getvalue().rstrip("\n"), stream=sys.stderr)
                code, text = Exit(error.exit_code) if error.exit_code == Exit.USAGE else Exit.REFUSED, error.message
            case click.Abort():
                code, text = Exit.ABORTED, "aborted; nothing was sent, nothing has changed"
                note(text)
            case KeyboardInterrupt():
                code, text = Exit.ABORTED, "interrupted; what had been sent stays recorded: run paygate reconcile"
                note(text)
            case PluginFailed():
                code, text = Exit.UNEXPECTED, error.brief
                note(f"Unexpected error: {text}")
                note("Next:  run it again with --debug and report what it shows to the makers of the plugin")
            case PaygateError():
                code, text, rule, step = exit_of(error), mask_text(str(error)), error.rule, next_step(error)
                if language() == "en":
                    note(f"Error: {text}")
                else:
                    note(f"Error: {error.text(language())}")
                    note(f"Details: {text}")  # names and remedies for who looks closer, as logs have them
                if rule:
                    note(f"Rule:  {rule}")
                if step:
                    note(f"Next:  {step}")
            case _:
                first = (str(error).splitlines() or [""])[0]  # further lines of a database's error quote parameters
                code, text = Exit.UNEXPECTED, mask_text(f"{type(error).__name__}: {first}")
                note(f"Unexpected error: {text}")
                note("Next:  run it again with --debug and report what it shows")
        if self.debug and isinstance(error, PluginFailed):
            say(f"Traceback of the plugin, redacted:\n{error.details}", stream=sys.stderr)
        elif self.debug:
            say("".join(traceback.format_exception(error)).rstrip("\n"), stream=sys.stderr)
        if self.json:
            kind = type(error).__name__
            write_json({"error": {"type": kind, "message": text, "rule": rule, "next": step, "exit_code": int(code)}})
        return code


pass_session = click.make_pass_decorator(Session, ensure=True)


def _json(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value:
        session = ctx.ensure_object(Session)
        session.json = True
        _one_form(session)


def _csv(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        session = ctx.ensure_object(Session)
        session.csv, session.bom = True, session.bom or param.name == "bom"
        _one_form(session)


def _one_form(session: Session) -> None:
    if session.json and session.csv:
        raise click.UsageError("a list is printed as --json or as --csv, not as both")


def json_option(command: F) -> F:
    """``--json`` behind the command as well as before it."""
    option = click.option(
        "--json", is_flag=True, expose_value=False, callback=_json, help="Print one JSON document instead of tables."
    )
    return option(command)


def csv_option(command: F) -> F:
    """``--csv`` and ``--bom``, for commands that print a list with :meth:`Session.show_rows`."""
    for name, text in (
        ("--bom", "As CSV with the mark by which Excel recognises UTF-8."),
        ("--csv", "Print the list as CSV instead of a table."),
    ):
        command = click.option(name, is_flag=True, expose_value=False, callback=_csv, help=text)(command)
    return command


def limit_option(command: F) -> F:
    """``--limit``: how many rows a list shows; with the forms of a list."""
    text = f"Rows to show; 0 shows all. By default {_ROWS}, with --json and --csv all."
    return click.option("--limit", type=click.IntRange(min=0), default=None, help=text)(csv_option(command))


def yes_option(command: F) -> F:
    """``--yes``: go ahead without asking."""
    return click.option("--yes", is_flag=True, help="Go ahead without asking, for scripts.")(command)
