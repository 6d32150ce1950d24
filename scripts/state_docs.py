"""Write the tables of statuses, transitions and operations, read from the rules themselves, into the page that shows them.

Without options the tables are printed. ``--write`` puts them between the markers of ``docs/reference/states.md``,
``--check`` fails where the page shows something else.
"""

from __future__ import annotations

import argparse
import datetime as dt
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from paygate.clock import JST
from paygate.domain.contract import (
    Actor,
    Cancellation,
    CancellationOrigin,
    Contract,
    PaymentMethod,
    Plan,
    Status,
)
from paygate.domain.operations import ACTORS, Facts, Operation, operations
from paygate.domain.rules import Rules
from paygate.domain.transitions import TRANSITIONS, Transition
from paygate.money import Money
from paygate.provider import Capabilities

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "reference" / "states.md"

_NOW = dt.datetime(2024, 11, 20, 12, tzinfo=JST)
_ONE_OFF, _RECURRING = (
    Plan.one_off("Book", Money(8000, "JPY")),
    Plan.recurring("Gold", Money(3000, "JPY")),
)
_EITHER = frozenset({Status.PENDING_PAYMENT, Status.NOT_STARTED, Status.CANCELED})


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    columns = list(head)
    lines = [columns, ["---"] * len(columns), *(list(row) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


# --- transitions -----------------------------------------------------------------------------------------------------


def all_rows() -> list[Transition]:
    """Every row in the order of the numbers."""
    return sorted((row for rows in TRANSITIONS.values() for row in rows), key=lambda row: row.id)


def _names(statuses: Iterable[Status]) -> str:
    chosen = set(statuses)
    return "any" if len(chosen) == len(Status) else ", ".join(f"`{one.value}`" for one in Status if one in chosen)


def transitions() -> str:
    """The whole table of transitions."""
    return table(
        ("", "From", "Event", "By", "Where", "To", "Rules"),
        (
            (
                row.id,
                _names(row.sources) or "–",
                row.event.value,
                ", ".join(sorted(actor.value for actor in row.actors)),
                row.guard,
                "stays" if row.stays else _names(row.targets) or "–",
                " ".join(row.rules),
            )
            for row in all_rows()
        ),
    )


def diagram() -> str:
    """Each status with the events that lead out of it, as a text tree; what leaves the status as it is is left out."""
    lines: list[str] = []
    for source in (None, *Status):
        moves = _moves(source)
        lines.append("(new)" if source is None else source.value)
        width = max((len(event) for event, _ in moves), default=0)
        for position, (event, targets) in enumerate(moves, start=1):
            branch = "└─" if position == len(moves) else "├─"
            lines.append(f"{branch} {event} {'─' * (width - len(event))}─▶ {targets}")
        if not moves:
            lines.append("└─ (final)")
        lines.append("")
    return "```text\n" + "\n".join(lines).rstrip() + "\n```\n"


def _moves(source: Status | None) -> list[tuple[str, str]]:
    targets: dict[str, set[Status]] = {}
    for row in all_rows():
        leads = source in row.sources if source is not None else not row.sources
        if leads and row.targets - {source}:
            targets.setdefault(row.event.value, set()).update(row.targets - {source})
    return [(event, " | ".join(one.value for one in Status if one in found)) for event, found in targets.items()]


# --- operations ------------------------------------------------------------------------------------------------------


def matrix() -> str:
    """Which operation is offered in which status."""
    return table(
        ("Operation", *(f"`{status.value}`" for status in Status), "By"),
        (
            (
                f"`{operation.value}`",
                *(_cell(operation, status) for status in Status),
                ", ".join(sorted(kind.value for kind in ACTORS[operation])),
            )
            for operation in Operation
        ),
    )


def _cell(operation: Operation, status: Status) -> str:
    """For which contracts *operation* is offered, found by asking for one of each kind."""
    plans = (_ONE_OFF, _RECURRING) if status in _EITHER else ((_ONE_OFF,) if status is Status.ESTABLISHED else (_RECURRING,))  # fmt: skip
    offered = {
        (plan.is_recurring, by_card)
        for plan in plans
        for by_card in (True, False)
        if _offered(operation, status, plan, by_card=by_card)
    }
    kinds = {(plan.is_recurring, by_card) for plan in plans for by_card in (True, False)}
    if offered == kinds or not offered:
        return "●" if offered else "–"
    words = [
        *_word(offered, kinds, 0, "recurring", "one-off"),
        *_word(offered, kinds, 1, "card", "offline"),
    ]
    return ", ".join(words)


def _word(offered: set[tuple[bool, bool]], kinds: set[tuple[bool, bool]], part: int, yes: str, no: str) -> list[str]:
    values = {kind[part] for kind in offered}
    return [yes if value else no for value in values] if len(values) < len({kind[part] for kind in kinds}) else []


def _offered(operation: Operation, status: Status, plan: Plan, *, by_card: bool) -> bool:
    scheduled = Cancellation(CancellationOrigin.CUSTOMER, _NOW, Actor.admin(), dt.date(2024, 12, 8))
    contract = Contract(
        id="example",
        customer_id="example",
        plan=plan,
        method=PaymentMethod.CARD if by_card else PaymentMethod.BANK_TRANSFER,
        status=status,
        start_on=dt.date(2024, 12, 1) if status is Status.NOT_STARTED else dt.date(2024, 10, 8),
        applied_at=_NOW,
        created_by=Actor.admin(),
        account="main" if by_card else None,
        credential="reference" if by_card else None,
        cancellation=scheduled if status is Status.CANCEL_SCHEDULED else None,
    )
    facts = Facts(_NOW, refundable=True, manual_refund_due=True, queued_mails=1, paused_mails=1)
    known = Capabilities("any") if by_card else None
    offers = operations(contract, _NOW, Rules(), capabilities=known, facts=facts)
    return next(offer.offered for offer in offers if offer.operation is operation)


# --- the page --------------------------------------------------------------------------------------------------------

PARTS: dict[str, Callable[[], str]] = {"diagram": diagram, "operations": matrix, "transitions": transitions}


def filled(text: str) -> str:
    """The page *text* with the current tables between their markers.

    :raises ValueError: it has no place for one of them.
    """
    for name, part in PARTS.items():
        begin, end = f"<!-- states-{name}:begin -->", f"<!-- states-{name}:end -->"
        pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        if not pattern.search(text):
            raise ValueError(f"no place for {name}; write the lines {begin} and {end}")
        content = f"{begin}\n\n{part()}\n{end}"
        text = pattern.sub(lambda _, content=content: content, text)  # type: ignore[misc]
    return text


def main(arguments: list[str] | None = None) -> int:
    """Print, write or check the tables; 1 if the page is out of date or has no place for them."""
    parser = argparse.ArgumentParser(description="The tables of statuses, transitions and operations.")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--write", action="store_true", help="put the tables into the page")
    what.add_argument("--check", action="store_true", help="fail if the page shows something else")
    options = parser.parse_args(arguments)
    if not (options.write or options.check):
        print("\n".join(part() for part in PARTS.values()), end="")
        return 0
    text, name = PAGE.read_text(encoding="utf-8"), PAGE.relative_to(ROOT)
    try:
        wanted = filled(text)
    except ValueError as error:
        print(f"{name}: {error}")
        return 1
    if wanted == text:
        return 0
    if options.check:
        print(f"{name}: out of date; run scripts/state_docs.py --write")
        return 1
    PAGE.write_text(wanted, encoding="utf-8")
    print(f"{name}: written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
