"""A group whose commands live in modules of their own, imported when a command is used.

Listing them imports nothing: their one-line help stands in the table of the group.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping
from typing import Any

import attrs
import click

__all__ = ["Lazy", "LazyGroup"]


@attrs.frozen
class Lazy:
    """Where a command is, ``"package.module:attribute"``, and its one-line help."""

    home: str
    help: str


class LazyGroup(click.Group):
    """A :class:`click.Group` of :class:`Lazy` commands."""

    def __init__(self, *args: Any, lazy: Mapping[str, Lazy] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lazy = dict(lazy or {})

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*self.lazy, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.lazy:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = self.lazy[cmd_name].home.partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        known = self.list_commands(ctx)
        name = args[0]
        if name not in known and not name.startswith("-"):
            close = difflib.get_close_matches(name, known, n=1)
            ctx.fail(f"no command {name!r}; did you mean {close[0]!r}?" if close else f"no command {name!r}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's own
        with formatter.section("Commands"):
            formatter.write_dl([(name, lazy.help) for name, lazy in self.lazy.items()])
