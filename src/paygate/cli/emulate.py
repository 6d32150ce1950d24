"""``paygate emulate``: a provider's HTTP interface on this machine, for trying things without an account."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import signal
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from ..clock import require_aware
from ..errors import ConfigurationError, NaiveDatetime
from .output import write_json
from .session import Session, json_option, pass_session

if TYPE_CHECKING:
    from ..testing.emulators import Emulator

__all__ = ["emulate"]


def _instant(_ctx: click.Context, _param: click.Parameter, value: str | None) -> dt.datetime | None:
    from ..testing.clock import YEARS

    if value is None:
        return None
    try:
        start = require_aware(dt.datetime.fromisoformat(value))
    except NaiveDatetime as exc:
        raise click.BadParameter(f"{value} has no offset; write {value}+09:00 for Japanese time") from exc
    except (ValueError, OverflowError) as exc:
        raise click.BadParameter(f"{value!r} is not an instant; write it as 2026-01-01T00:00:00+09:00") from exc
    if start.year not in YEARS:
        raise click.BadParameter(f"the year {start.year} is out of reach; stay between {YEARS[0]} and {YEARS[-1]}")
    return start


def _url(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    if value is not None and not (urlsplit(value).scheme in {"http", "https"} and urlsplit(value).hostname):
        raise click.BadParameter(f"{value!r} is not an address; write it as http://127.0.0.1:8000/webhooks/shop")
    return value


@click.command()
@click.argument("provider")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address of this machine to serve on.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="0, the default, takes a free one.")
@click.option("--allow-remote", is_flag=True, help="Let --host be an address that other machines reach.")
@click.option("--webhook-url", callback=_url, metavar="URL", help="Where webhooks are delivered.")
@click.option("--time", "start", callback=_instant, metavar="INSTANT", help="When its clock starts; by default now.")
@click.option("--frozen", is_flag=True, help="Its clock stands still until it is moved.")
@json_option
@pass_session
def emulate(
    session: Session,
    provider: str,
    *,
    host: str,
    port: int,
    allow_remote: bool,
    webhook_url: str | None,
    start: dt.datetime | None,
    frozen: bool,
) -> None:
    """Serve the emulator of PROVIDER until interrupted.

    When it is ready, one line says where it is, which made-up credentials it takes, and the credential of a stored card.
    Under the control URL its clock, its book of money, faults, outcomes and webhooks are read and steered.
    """
    from ..testing.clock import EmulatorClock
    from ..testing.emulators import load
    from ..testing.emulators.control import is_loopback

    emulator = load(provider)(EmulatorClock(start, running=not frozen))
    if not is_loopback(host) and not allow_remote:
        raise click.UsageError(f"others reach {host} too; serve on 127.0.0.1, or add --allow-remote to let them in")

    def prepare() -> dict[str, str]:
        card = emulator.store_card()
        if webhook_url is not None:
            emulator.set_webhook_target(webhook_url)
        return {"card": card}

    emulator.control.prepare = prepare
    stop = threading.Event()
    with _until_signalled(stop), _served(emulator, host, port) as base_url:
        ready = {
            "provider": emulator.name,
            "base_url": base_url,
            "control_url": base_url + "/_paygate/",
            "credentials": emulator.credentials_for_plugin(),
            "webhook_secret": emulator.webhook_secret,
            **prepare(),
        }
        if session.json:
            write_json(ready, indent=None)
        else:
            click.echo(_line(ready))  # as it is: these credentials are there to be shown, and none is real
        stop.wait()


@contextlib.contextmanager
def _until_signalled(stop: threading.Event) -> Iterator[None]:
    """Let SIGINT and SIGTERM set *stop* while the block lasts."""
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _served(emulator: Emulator, host: str, port: int) -> Iterator[str]:
    from ..testing.emulators import serve

    with contextlib.ExitStack() as stack:
        try:
            base_url = stack.enter_context(serve(emulator, host=host, port=port))
        except OSError as exc:
            remedy = "choose another --port, or 0 for a free one" if port else "choose another --host"
            raise ConfigurationError(f"cannot serve on {host} port {port}: {exc.strerror or exc}; {remedy}") from exc
        yield base_url


def _line(ready: dict[str, Any]) -> str:
    """Everything in one line, ``name=value``; a value with blanks or line ends is written as JSON."""
    pairs = {**ready, **ready["credentials"]}
    del pairs["credentials"]
    return " ".join(
        f"{name}={value if value.isprintable() and ' ' not in value else json.dumps(value)}"
        for name, value in pairs.items()
    )
