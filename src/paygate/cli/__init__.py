"""The command line. ``paygate --help`` lists the commands; each one's module loads when it is used."""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """Run the command line and leave with its exit code (see :mod:`paygate.cli.failures`)."""
    import io
    import sys

    from .app import paygate

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that cannot show a name is no reason to fail
    paygate.main(prog_name="paygate")
