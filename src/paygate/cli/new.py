"""``paygate new``: a plugin project to begin with."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import click

from .output import facts, note
from .session import Session, json_option, pass_session

__all__ = ["new"]


@click.command()
@click.argument("name")
@click.option("--title", help="The provider's name as people write it; by default made from NAME.")
@click.option(
    "--directory",
    type=click.Path(path_type=Path),
    help="Where to write it; by default paygate-NAME in the current folder.",
)
@json_option
@pass_session
def new(session: Session, name: str, title: str | None, directory: Path | None) -> None:
    """Write a plugin project for the provider NAME, for example acme or acme-pay.

    It has a provider, a mapping, an emulator and a conformance suite that passes from the first second; what it talks to
    is made up and waits to be replaced from the provider's documents.
    """
    from ..scaffold import Plugin, write_project
    from ..scaffold.origin import requirement

    plugin = Plugin(name) if title is None else Plugin(name, title)
    folder = directory or Path(plugin.distribution)
    written = write_project(plugin, folder)
    known = {entry.name: entry.dist.name for entry in importlib.metadata.entry_points(group="paygate") if entry.dist}
    ours = requirement(importlib.metadata.distribution("paygate").read_text("direct_url.json"))
    steps = (
        f"cd {folder}",
        "python -m venv .venv && . .venv/bin/activate",
        "pip install --upgrade pip",
        *([f"pip install '{ours}'"] if ours else []),
        "pip install -e . --group dev",
        "pytest",
        f"paygate check {plugin.name}",
    )
    if name in known and known[name] != plugin.distribution:
        note(f"{known[name]} is installed and brings a provider {name!r} too; only one of them can be loaded")

    def show() -> None:
        facts(
            plugin.distribution,
            [("Folder", folder), ("Files", len(written)), ("Provider", f"{plugin.package}:{plugin.class_name}")],
        )
        note("Next:")
        for step in steps:
            note(f"  {step}")

    session.show(
        {
            "name": plugin.name,
            "distribution": plugin.distribution,
            "folder": str(folder),
            "files": [path.as_posix() for path in written],
            "next": list(steps),
        },
        show,
    )
