"""Whether a command is the repeat of one that was given before: up-arrow and Enter after a crash must not pay twice.

A command that moves money and names no key of its own gets one that is made of what was typed, and of how many times that
was meant. The same words within :data:`WITHIN` are a repeat, unless they say ``--again`` or the attempt before has failed.
The window is a stretch of time and not a calendar day, so that no midnight falls between the two.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import click

from ..domain.charge import ChargeState, RefundState
from .wording import people

__all__ = ["WITHIN", "Attempted", "again_option", "key_of", "once_more", "stem_of", "typed_texts"]


class Attempted(Protocol):
    """What a command made before: a charge, a refund or a contract."""

    @property
    def idempotency_key(self) -> str: ...

    @property
    def state(self) -> object: ...

    @property
    def created_at(self) -> dt.datetime: ...


A = TypeVar("A", bound=Attempted)
F = TypeVar("F", bound=Callable[..., Any])

#: Longer than a night, so that the next morning's repeat is one; shorter than a day, so that a daily command is none.
WITHIN = dt.timedelta(hours=20)

_LETTERS = str.maketrans("0123456789", "ghjkmnpqrs")

_FAILED = frozenset({ChargeState.FAILED, RefundState.FAILED})


def again_option(command: F) -> F:
    """``--again``: what was typed is meant once more."""
    hours = int(WITHIN.total_seconds() // 3600)
    text = f"The same once more, although the same command did it within the last {hours} hours."
    return click.option("--again", is_flag=True, help=text)(command)


def once_more(*, yes: bool) -> bool:
    """Ask whether a repeat is meant once more: by a word, because a *y* is typed out of habit.

    :param yes: nobody is asked, and it is not meant.
    :raises click.Abort: there is nobody to answer.
    """
    if yes:
        return False
    question = "Type 'again' to do the same once more, or press Enter to see what became of the first"
    typed: str = click.prompt(people(question), default="", show_default=False, err=True)
    return typed.strip().lower() == "again"


def typed_texts(metadata: Mapping[str, str] | None) -> tuple[str, ...]:
    """What *metadata* adds to what was typed; nothing where none was, so that keys stay what they were without it."""
    return (str(sorted(metadata.items())),) if metadata else ()


def stem_of(command: str, typed: Sequence[object]) -> str:
    """What the keys of a command begin with; the number of times that it was meant follows.

    Written in letters alone: digits of chance may look like a card number, and such a key would be refused.
    """
    digest = hashlib.sha256(json.dumps([command, *typed], default=str).encode()).hexdigest()[:24]
    return f"cli-{digest.translate(_LETTERS)}-"


def key_of(
    command: str, typed: Sequence[object], earlier: Iterable[A], now: dt.datetime, *, given: str | None, again: bool
) -> tuple[str, A | None]:
    """The idempotency key of a command.

    :param typed: what was typed, as texts, numbers and flags; not who typed it: two people with one task pay once.
    :param earlier: the attempts on the same contract.
    :param given: the key of ``--idempotency-key``, which is taken as it is.
    :returns: the key, and the attempt that was made under it already, which is not to be made again.
    :raises click.UsageError: both a key and ``--again``.
    """
    if given is not None:
        if again:
            raise click.UsageError("--again makes a key of its own; leave it out, or give another --idempotency-key")
        return given, next((one for one in earlier if one.idempotency_key == given), None)
    stem = stem_of(command, typed)
    made = {int(one.idempotency_key[len(stem) :]): one for one in earlier if one.idempotency_key.startswith(stem)}
    latest = max(made, default=0)
    last = made.get(latest)
    if last is None or again or last.state in _FAILED or now - last.created_at >= WITHIN:
        return f"{stem}{latest + 1}", None
    return last.idempotency_key, last
