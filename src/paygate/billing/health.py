"""Whether a shop's paygate is in order: what a monitor asks for, and what it has to wake somebody for."""

from __future__ import annotations

import datetime as dt
from functools import partial

import attrs

from ..errors import CapabilityNotSupported, PaygateError
from ..flow import call
from ..plugins.account import Account
from ..store.runs import LastRun
from .outbox import Backlog, backlog
from .reasons import ends_everything, reason_of
from .services import Services

__all__ = ["AccountHealth", "Health", "check", "finished"]

#: A notice that waits for longer than the longest pause between attempts is nobody's any more.
_TOLD_WITHIN = dt.timedelta(hours=2)
#: A daily run that did not come to its end for so long has been left out.
_RUN_WITHIN = dt.timedelta(hours=26)


@attrs.frozen
class AccountHealth:
    """Whether an account can be used.

    :param reached: None where its plugin cannot be asked, or was not.
    :param said: its answer, or why it gave none; without secrets.
    """

    account: str
    reached: bool | None
    said: str = ""


@attrs.frozen
class Health:
    """The state of a shop's paygate. Instants are UTC.

    :param oldest_open_at: when the oldest charge or refund without a result was begun; None where there is none.
    :param due_since: the business date since which a contract is due that no run has dealt with; None where none is.
    :param runs: the last run of each kind, ``billing_run`` and ``reconciliation``, that came to its end.
    :param troubles: what somebody has to look after, for people; empty where all is well.
    """

    accounts: tuple[AccountHealth, ...]
    oldest_open_at: dt.datetime | None
    due_since: dt.date | None
    backlog: Backlog
    runs: tuple[LastRun, ...]
    troubles: tuple[str, ...]


async def check(services: Services, *, ping: bool) -> Health:
    """Look at everything; nothing is written, and nothing is sent but the pings.

    :param ping: whether to ask each account.
    :raises StoreError: the database cannot be used.
    """
    accounts = [await _ping(account, ping=ping) for account in services.plugins]
    waiting = await backlog(services)
    oldest, due, runs = await call(partial(_read, services))
    troubles = _troubles(services, accounts, waiting, oldest, due, runs)
    return Health(tuple(accounts), oldest, due, waiting, tuple(runs), tuple(troubles))


async def finished(services: Services, kind: str, started: dt.datetime, blocked: int) -> None:
    """Remember that a run has come to its end."""

    def write() -> None:
        with services.store.write() as session:
            session.runs.finished(LastRun(kind, started, services.now(), blocked))

    await call(write)


async def _ping(account: Account, *, ping: bool) -> AccountHealth:
    if not ping:
        return AccountHealth(account.name, None, "not asked")
    try:
        return AccountHealth(account.name, reached=True, said=await account.ping())
    except CapabilityNotSupported:
        return AccountHealth(account.name, None, "its plugin has no ping")
    except PaygateError as exc:
        return AccountHealth(account.name, reached=False, said=reason_of(exc))
    except Exception as exc:  # noqa: BLE001 - a mistake in one plugin is one account's trouble
        return AccountHealth(account.name, reached=False, said=reason_of(exc))


def _read(services: Services) -> tuple[dt.datetime | None, dt.date | None, list[LastRun]]:
    with services.store.read() as session:
        due = session.contracts.due_keys(services.today(), None, 1)
        runs = session.runs.all()
    begun = [at for at in (_oldest(services, "charges"), _oldest(services, "refunds")) if at is not None]
    return min(begun, default=None), due[0][0] if due else None, runs


def _oldest(services: Services, what: str) -> dt.datetime | None:
    """When the oldest attempt that is open was begun; one that cannot be read is as old as the next one."""
    after: str | None = None
    with services.store.read() as session:
        attempts = session.charges if what == "charges" else session.refunds
        for attempt_id in attempts.unsettled_ids(after, 100):
            try:
                attempt = attempts.get(attempt_id)
            except Exception as exc:
                if ends_everything(exc):
                    raise
                continue
            if not getattr(attempt, "by_hand", False):
                return attempt.created_at
    return None


def _troubles(
    services: Services,
    accounts: list[AccountHealth],
    waiting: Backlog,
    oldest: dt.datetime | None,
    due: dt.date | None,
    runs: list[LastRun],
) -> list[str]:
    now = services.now()
    found = [f"account {one.account}: {one.said}" for one in accounts if one.reached is False]
    if oldest is not None and now - oldest > dt.timedelta(seconds=services.waiting.operator_after):
        found.append(
            f"a charge or refund has had no result for {_ago(now - oldest)}: run paygate reconcile, then look at "
            "'paygate charges list' and resolve what stays open"
        )
    if waiting.oldest_at is not None and now - waiting.oldest_at > _TOLD_WITHIN:
        found.append(
            f"{waiting.waiting} notice(s) wait to be delivered, the oldest for {_ago(now - waiting.oldest_at)}: "
            "see 'paygate outbox list'"
        )
    if due is not None and due < services.today() - dt.timedelta(days=1):
        found.append(f"contracts are due since {due} and were not dealt with: run paygate bill and read its report")
    for run in runs:
        if now - run.finished_at > _RUN_WITHIN:
            what = run.kind.replace("_", " ")
            found.append(f"the last {what} came to its end {_ago(now - run.finished_at)} ago: see to its timer")
        if run.blocked:
            found.append(
                f"the last {run.kind.replace('_', ' ')} had to leave {run.blocked} item(s) undone: see its log"
            )
    return found


def _ago(age: dt.timedelta) -> str:
    return f"{age.days} day(s)" if age.days else f"{age.seconds // 3600} hour(s)"
