"""``paygate emulate``: a provider's HTTP interface on this machine, for trying things without an account."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import signal
import threading
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from ..clock import require_aware
from ..errors import ConfigurationError, NaiveDatetime
from .output import write_json
from .session import Session, json_option

if TYPE_CHECKING:
    from ..clock import Clock
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
    from ..testing.emulators.addressing import checked_target

    if value is not None and checked_target(value) is None:
        raise click.BadParameter(f"{value!r} is not an address; write it as http://127.0.0.1:8000/webhooks/shop")
    return value


@click.command()
@click.argument("provider")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address of this machine to serve on.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="0, the default, takes a free one.")
@click.option("--allow-remote", is_flag=True, help="Let --host be an address that other machines reach.")
@click.option("--api-key", envvar="PAYGATE_EMULATE_API_KEY", help="Stripe: the secret key that it takes, sk_test_….")
@click.option(
    "--publishable-key", envvar="PAYGATE_EMULATE_PUBLISHABLE_KEY", help="Stripe: the key of browsers, pk_test_…."
)
@click.option(
    "--app-token",
    envvar="PAYGATE_EMULATE_APP_TOKEN",
    help="UnivaPay: the app token that it takes, the JWT of a store in test mode.",
)
@click.option("--secret", envvar="PAYGATE_EMULATE_SECRET", help="UnivaPay: the secret of the app token.")
@click.option(
    "--webhook-secret",
    envvar="PAYGATE_EMULATE_WEBHOOK_SECRET",
    help="What proves its webhooks: whsec_… for Stripe, the auth token for UnivaPay.",
)
@click.option("--webhook-url", callback=_url, metavar="URL", help="Where webhooks are delivered.")
@click.option("--time", "start", callback=_instant, metavar="INSTANT", help="When its clock starts; by default now.")
@click.option("--frozen", is_flag=True, help="Its clock stands still until it is moved.")
@json_option
@click.pass_context
def emulate(
    ctx: click.Context,
    /,
    provider: str,
    *,
    host: str,
    port: int,
    allow_remote: bool,
    webhook_url: str | None,
    start: dt.datetime | None,
    frozen: bool,
    **credentials: str | None,
) -> None:
    """Serve the emulator of PROVIDER until interrupted.

    When it is ready, one line says where it is, which credentials it takes, and the credential of a stored card. The
    credentials are made up, and the same every time; --api-key and its like fix them, or the environment does:
    PAYGATE_EMULATE_API_KEY, PAYGATE_EMULATE_WEBHOOK_SECRET and so on.

    Under the control URL its clock, its book of money, faults, outcomes and webhooks are read and steered.
    """
    from ..testing.clock import EmulatorClock
    from ..testing.emulators import load
    from ..testing.emulators.control import is_loopback

    session = ctx.ensure_object(Session)
    clock = EmulatorClock(start, running=not frozen)
    given = {name: value for name, value in credentials.items() if value}
    emulator = _made(ctx, load(provider), clock, given)
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
            **{name: value for name, value in emulator.public_credentials().items() if name in given},
            "webhook_secret": emulator.webhook_secret,
            **prepare(),
        }
        if session.json:
            write_json(ready, indent=None)
        else:
            click.echo(_line(ready))  # as it is: these credentials are there to be shown, and none is real
        stop.wait()


def _made(ctx: click.Context, kind: type[Emulator], clock: Clock, given: Mapping[str, str]) -> Emulator:
    """The emulator with the credentials *given*; of the environment's, those that are another provider's do not count."""
    for name in given.keys() - set(kind.fixed_credentials):
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            taken = ", ".join(f"--{known.replace('_', '-')}" for known in kind.fixed_credentials) or "none"
            raise click.UsageError(f"--{name.replace('_', '-')} is not for {kind.name}; it takes {taken}")
    try:
        return kind.with_credentials(
            clock, {name: value for name, value in given.items() if name in kind.fixed_credentials}
        )
    except ValueError as exc:
        raise click.UsageError(str(exc)) from exc


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
