"""The command line. ``paygate --help`` lists the commands; each one's module loads when it is used."""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """Run the command line and leave with its exit code (see :mod:`paygate.cli.failures`)."""
    from .app import paygate

    paygate.main(prog_name="paygate")
