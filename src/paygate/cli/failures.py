"""What an error means to whoever called: its exit code, its text and the next step.

==  ==================================================================================================
0   done
1   unexpected: a mistake in paygate or a plugin; ``--debug`` shows where
2   usage: no such command or option, or a value of the wrong form
3   configuration: the file, a plugin or the database has to be put right first
4   refused: by a rule, or for bad input; nothing was sent, nothing has changed
5   declined: the provider said no, the refund failed, or it could not be reached; no money moved
6   open: the outcome is pending or not known; never repeat it blindly
7   aborted by the user
8   checked, and found wanting: a provider does not keep what it declares
9   database: locked, full, out of reach or damaged; no payment is in doubt through it
10  incomplete: the run went on to its end, but something in it was blocked; the report says what and why
==  ==================================================================================================
"""

from __future__ import annotations

import enum

from ..domain.charge import Charge, ChargeState, Refund, RefundState
from ..errors import (
    ChargeInProgress,
    ConfigurationError,
    ConsentRequired,
    DatabaseMissing,
    IdempotencyConflict,
    NotFound,
    OptionNotSupported,
    OutcomeUnknown,
    PaygateError,
    PendingMoney,
    ProviderError,
    ProviderUnavailable,
    Refused,
    SaveUnknown,
    SchemaOutdated,
    StoreDamaged,
    StoreError,
    StoreUnavailable,
)

__all__ = ["EPILOGUE", "Exit", "exit_for", "exit_of", "next_step"]


class Exit(enum.IntEnum):
    """The exit codes of all commands."""

    DONE = 0
    UNEXPECTED = 1
    USAGE = 2
    CONFIGURATION = 3
    REFUSED = 4
    DECLINED = 5
    OPEN = 6
    ABORTED = 7
    NOT_CONFORMING = 8
    DATABASE = 9
    BLOCKED = 10


#: The last lines of ``paygate --help``; ``\b`` keeps click from joining them.
EPILOGUE = """\b
Exit codes:
  0  done
  1  unexpected; --debug shows where
  2  usage
  3  configuration
  4  refused by a rule, or bad input; nothing was sent
  5  declined, refund failed, or provider not reached; no money moved
  6  outcome pending or unknown; never repeat it blindly
  7  aborted by the user
  8  checked, and found wanting: a provider does not keep what it declares
  9  database locked, full, out of reach or damaged; no payment is in doubt through it
  10  incomplete: something in the run was blocked; its report says what and why
"""

#: In the order in which they are tried: the narrower class first.
_NEXT: tuple[tuple[type[PaygateError], str], ...] = (
    (SchemaOutdated, "run: paygate db upgrade"),
    (DatabaseMissing, "if the place is right, run: paygate db create"),
    (ConsentRequired, "say how the customer agreed: --consent 'phone, 2026-11-20'"),
    (OptionNotSupported, "leave the option out; 'paygate providers' shows what each account does"),
    (ChargeInProgress, "see 'paygate charges list --contract ID', then 'paygate charges wait CHARGE'"),
    (PendingMoney, "run: paygate reconcile"),
    (IdempotencyConflict, "use another --idempotency-key for another charge, or repeat the command as it was"),
    (NotFound, "'paygate contracts list', 'paygate charges list' and 'paygate providers' show what there is"),
    (OutcomeUnknown, "run: paygate reconcile; do not repeat it"),
    (StoreUnavailable, "once the database can be used again, run it again: nothing of this step was saved or sent"),
    (SaveUnknown, "look first whether it was saved, then run it again if it was not"),
    (StoreDamaged, "stop what uses it, and restore a backup; 'paygate db backup' makes them"),
    (ProviderUnavailable, "certainly nothing happened: it is safe to try again"),
)


def exit_of(error: PaygateError) -> Exit:
    """The exit code for *error*."""
    match error:
        case ConfigurationError():
            return Exit.CONFIGURATION
        case Refused():
            return Exit.REFUSED
        case StoreError():
            return Exit.DATABASE
        case OutcomeUnknown():
            return Exit.OPEN
        case ProviderError():
            return Exit.DECLINED
        case _:
            return Exit.UNEXPECTED


def exit_for(result: Charge | Refund) -> Exit:
    """The exit code for what became of an attempt. A refund by hand is done once it is recorded as due."""
    if isinstance(result, Refund) and result.by_hand and result.state is RefundState.PENDING:
        return Exit.DONE
    if result.state.open:
        return Exit.OPEN
    return Exit.DECLINED if result.state in {ChargeState.FAILED, RefundState.FAILED} else Exit.DONE


def next_step(error: PaygateError) -> str | None:
    """What to do next in terms of the command line, where that says more than the error itself."""
    return next((step for kind, step in _NEXT if isinstance(error, kind)), None)
