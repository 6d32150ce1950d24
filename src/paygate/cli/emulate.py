"""``paygate emulate``: a provider's HTTP interface on this machine, for trying things without an account."""

from __future__ import annotations

import signal
import threading

import click

from .output import write_json
from .session import Session, json_option, pass_session

__all__ = ["emulate"]


@click.group()
def emulate() -> None:
    """Serve a provider's emulator on this machine until interrupted."""


@emulate.command()
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="0, the default, takes a free one.")
@json_option
@pass_session
def univapay(session: Session, port: int) -> None:
    """Emulate UnivaPay on 127.0.0.1 until interrupted.

    One line says where it is and which made-up credentials and stored card it knows.
    """
    from ..clock import SystemClock
    from ..testing.emulators import serve
    from ..testing.emulators.univapay import UnivaPayEmulator

    emulator = UnivaPayEmulator(SystemClock())
    card = emulator.add_card()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, lambda *_: stop.set())
    with serve(emulator, port=port) as base_url:
        known = {
            "base_url": base_url,
            "app_token": emulator.credentials.app_token,
            "secret": emulator.credentials.secret,
            "card": card,
        }
        if session.json:
            write_json(known, indent=None)
        else:
            click.echo(" ".join(f"{name}={value}" for name, value in known.items()))
        stop.wait()
