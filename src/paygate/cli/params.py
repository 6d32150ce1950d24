"""The types of arguments: amounts of yen, days and instants."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Any, TypeVar

import click

from ..drivers.redact import mask_text
from ..errors import PaygateError
from ..money import Money
from . import reading

__all__ = ["DAY", "DAY_OR_INSTANT", "INSTANT", "MONTH", "YEN", "AmountCommand", "metadata_option"]

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


def _type(name: str, read: Callable[[str], T]) -> Callable[[str], T]:
    """*read* as the type of an argument: what it refuses is an error of usage."""

    def convert(text: str) -> T:
        try:
            return read(text)
        except PaygateError as exc:
            raise click.BadParameter(f"{mask_text(text)!r}: {exc}") from exc

    convert.__name__ = name  # click shows it in the help
    return convert


#: ``5000`` or ``5,000``.
YEN: Callable[[str], Money] = _type("yen", reading.yen)
#: ``2026-01-31``, a day in Japan.
DAY: Callable[[str], dt.date] = _type("date", reading.day)
#: ``2026-12``.
MONTH: Callable[[str], str] = _type("month", reading.month)
#: ``"2026-01-31 10:00"`` in Japanese time, or ISO 8601 with a zone.
INSTANT: Callable[[str], dt.datetime] = _type("time", reading.instant)
#: Either of them: a day as a whole, or an instant.
DAY_OR_INSTANT: Callable[[str], dt.date | dt.datetime] = _type("date or time", reading.day_or_instant)


def metadata_option(help: str) -> Callable[[F], F]:  # noqa: A002
    """``--metadata KEY=TEXT``, which may be given repeatedly; the command gets a mapping, or None."""
    return click.option("--metadata", multiple=True, metavar="KEY=TEXT", callback=_metadata, help=help)


def _metadata(_ctx: click.Context, _param: click.Parameter, given: tuple[str, ...]) -> dict[str, str] | None:
    texts: dict[str, str] = {}
    for pair in given:
        key, sign, text = pair.partition("=")
        if not sign or key in texts:
            problem = "is given twice" if sign else "has no = between key and text"
            raise click.BadParameter(f"{mask_text(pair)!r} {problem}; write for example order=77")
        texts[key] = text
    return texts or None


class AmountCommand(click.Command):
    """A command with an amount among its arguments: a negative one is told apart from a misspelt option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as exc:
            if re.match(r"-\d", exc.option_name):
                text = "an amount is not negative; money back is a refund"
                raise click.BadParameter(text, ctx, param_hint="'AMOUNT'") from exc
            raise
