"""The end of the demo: what was charged, booked, moved and mailed, and whether the books agree."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from ..domain.ledger import EntryKind, EntryState, LedgerEntry
from .demo_report import Report
from .demo_scenes import minute, moment
from .demo_world import BEGINS, Refusal, World

__all__ = ["Balance", "balances", "final_tables", "summary"]


@attrs.frozen
class Balance:
    """What a provider's book says, and what the ledger says; minor units (yen)."""

    account: str
    captured: int
    recorded: int
    refunded: int
    recorded_refunds: int

    @property
    def agrees(self) -> bool:
        """Whether nothing was taken or returned that is not recorded, nor the other way round."""
        return self.captured == self.recorded and self.refunded == self.recorded_refunds


def balances(world: World) -> list[Balance]:
    """The providers' books beside the ledger rows of the charges that the demo made."""
    rows = _made_here(world)
    return [
        Balance(
            account,
            book.captured(),
            _sum(row for row in rows if row.account == account and row.kind.sale and row.state.received),
            book.refunded(),
            _sum(
                row for row in rows
                if row.account == account and row.kind is EntryKind.REFUND and row.state is EntryState.DONE
            ),
        )
        for account, book in world.books.items()
    ]  # fmt: skip


def _made_here(world: World) -> list[LedgerEntry]:
    """Ledger rows of the demo itself; what was imported names no charge of paygate."""
    return [row for row in world.gateway.ledger.list() if row.charge_id is not None]


def _sum(rows: Iterable[LedgerEntry]) -> int:
    return sum(row.amount.minor for row in rows)


def final_tables(world: World, report: Report, expiries: Mapping[str, dt.date | None]) -> None:
    """Print the tables of the end, and compare the books.

    :param expiries: by contract, as they were after the import.
    """
    report.scene(f"Where things stand at {moment(world.clock.now())} JST")
    gateway = world.gateway
    report.table(
        ["asked at (JST)", "contract", "customer", ">yen", "renew", "mail", "result", "settled at (JST)"],
        [
            (
                minute(one.created_at), one.contract_id, world.name(one.contract_id), f"{one.amount.minor:,}", one.renew_expiry,
                one.send_step_mail, one.state.value, minute(one.settled_at),
            )
            for one in gateway.charges.list()
        ],
        title="Charges",
    )  # fmt: skip
    report.table(
        ["booked on", "contract", "customer", "account", "kind", ">yen", "state"],
        [
            (
                row.purchased_on, row.contract_id, world.name(row.contract_id), row.account, row.kind.value,
                f"{'' if row.kind.sale else '−'}{row.amount.minor:,}", row.state.value,
            )
            for row in _made_here(world)
        ],
        title="Sales ledger (imported rows left out)",
    )  # fmt: skip
    touched = sorted({one.contract_id for one in gateway.charges.list()})
    report.table(
        ["contract", "customer", "plan", "status", "expiry at import", "expiry now"],
        [
            (one.id, world.name(one.id), one.plan.name, one.status.value, expiries[one.id], one.expires_on)
            for one in map(gateway.contracts.get, touched)
        ],
        title="Expiry before and after",
    )
    mails = sorted(gateway.step_mails.list(), key=lambda mail: (mail.due_at, mail.contract_id, mail.name))
    report.table(
        ["due (JST)", "contract", "customer", "mail", "subject", "state"],
        [
            (minute(it.due_at), it.contract_id, world.name(it.contract_id), it.name, it.subject, it.state.value)
            for it in mails
        ],
        title="Step mails",
    )
    books = balances(world)
    report.table(
        ["account", ">provider took", ">ledger says", ">provider returned", ">ledger says", "agree"],
        [
            (
                it.account,
                f"{it.captured:,}",
                f"{it.recorded:,}",
                f"{it.refunded:,}",
                f"{it.recorded_refunds:,}",
                it.agrees,
            )
            for it in books
        ],
        title="The providers' own books against the ledger, in yen",
    )
    for balance in books:
        report.expect(f"{balance.account}: the provider's book and the ledger agree", balance.agrees)


def summary(
    world: World,
    report: Report,
    *,
    refusals: Sequence[Refusal],
    window_closed_at: dt.datetime | None,
    expiries: Mapping[str, dt.date | None],
) -> dict[str, Any]:
    """The same for programs: values that :func:`paygate.cli.output.write_json` takes."""
    gateway = world.gateway
    charges = gateway.charges.list().all()
    touched = sorted({one.contract_id for one in charges})
    return {
        "began_at": BEGINS,
        "ended_at": world.clock.now(),
        "imported": Counter(one.account or one.method.value.lower() for one in gateway.contracts.list()),
        "charges": [
            {
                "contract": one.contract_id,
                "account": one.account,
                "amount": one.amount,
                "renew_expiry": one.renew_expiry,
                "send_step_mail": one.send_step_mail,
                "state": one.state,
                "expires_on_before": one.previous_expires_on,
                "expires_on": one.expires_on,
            }
            for one in charges
        ],
        "refusals": refusals,
        "window_closed_at": window_closed_at,
        "refunds": [
            {"contract": it.contract_id, "amount": it.amount, "state": it.state, "by_hand": it.by_hand}
            for it in gateway.refunds.list()
        ],
        "expiries": {
            one.id: {"at_import": expiries[one.id], "now": one.expires_on}
            for one in map(gateway.contracts.get, touched)
        },
        "step_mails": Counter(mail.state.value for mail in gateway.step_mails.list()),
        "balances": [{**attrs.asdict(it), "agrees": it.agrees} for it in balances(world)],
        "expectations": report.expectations,
        "ok": not report.failed,
    }
