"""The reference of the command line, from the commands' own help: what ``paygate COMMAND --help`` prints, as Markdown.

``docs/conf.py`` includes it when the documentation is built.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click

from paygate.cli.app import paygate

WIDTH = 100


def commands(group: click.Group, parent: click.Context) -> Iterator[click.Context]:
    """A context for each command below *group*, in the order of the help; groups before their members."""
    for name in group.list_commands(parent):
        command = group.get_command(parent, name)
        if command is None or command.hidden:
            continue
        context = click.Context(command, info_name=name, parent=parent, max_content_width=WIDTH, terminal_width=WIDTH)
        yield context
        if isinstance(command, click.Group):
            yield from commands(command, context)


def page() -> str:
    """All commands with their help."""
    root = click.Context(paygate, info_name="paygate", max_content_width=WIDTH, terminal_width=WIDTH)
    contexts = [root, *commands(paygate, root)]
    return "\n".join(f"## {context.command_path}\n\n```text\n{context.get_help()}\n```\n" for context in contexts)


if __name__ == "__main__":
    sys.stdout.write(page())
