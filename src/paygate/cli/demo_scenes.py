"""The first scenes: the import, what each provider does, charges in every allowed combination, and refusals."""

from __future__ import annotations

import datetime as dt
import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from ..clock import JST
from ..domain.charge import Charge, ChargeState
from ..domain.contract import Actor
from ..domain.rules import SYSTEM_MAX_EXPIRY
from ..money import Money
from ..provider import Capabilities, ExpiryPolicy, OptionPolicy
from . import matrix
from .demo_report import Report
from .demo_world import CONSENT, STEP_MAILS, UNIVAPAY, Refusal, World

__all__ = [
    "CHARGED",
    "capabilities",
    "charges",
    "combinations",
    "import_contracts",
    "minute",
    "moment",
    "refusals",
    "show_refusals",
]

#: The contract of each provider that is charged in every combination of options.
CHARGED = {UNIVAPAY: "UP-01", "telecom": "TC-01", "stripe": "ST-01", "amazonpay": "AP-01"}

_POLICY_CHOICES: dict[OptionPolicy, tuple[bool | None, ...]] = {
    OptionPolicy.OPTIONAL: (False, True),
    OptionPolicy.FORCED_ON: (None,),
    OptionPolicy.UNAVAILABLE: (None,),
}


def moment(instant: dt.datetime | None) -> str:
    """An instant in Japanese time, to the second."""
    return "–" if instant is None else f"{instant.astimezone(JST):%Y-%m-%d %H:%M:%S}"


def minute(instant: dt.datetime | None) -> str:
    """An instant in Japanese time, to the minute."""
    return moment(instant)[:16]


def import_contracts(world: World, report: Report) -> dict[str, dt.date | None]:
    """Take the contracts over; returns the expiry date of each."""
    report.scene("Import contracts that already run elsewhere")
    before = world.sent()
    result = world.gateway.contracts.import_many(world.contracts)
    for index, error in result.refused:
        report.say(f"{world.contracts[index].contract_id}: {error}")
    stored = world.gateway.contracts.list().all()
    rows = []
    for paid_through in (*CHARGED, "bank_transfer", "manual"):
        group = [one for one in stored if paid_through == (one.account or one.method.value.lower())]
        recurring = sum(one.plan.is_recurring for one in group)
        statuses = sorted(Counter(one.status.value for one in group).items())
        by_status = ", ".join(f"{status}:{count}" for status, count in statuses)
        rows.append((paid_through, len(group), len(group) - recurring, recurring, by_status))
    report.table(["paid through", ">contracts", ">one-off", ">recurring", "~by status"], rows)
    report.say(f"{len(result.imported)} contracts imported. Nothing was charged, nothing was mailed.")
    report.expect("all contracts of the file are imported", len(result.imported) == len(world.contracts))
    report.expect("the import asks no provider and queues no mail", world.sent() == before and not _mails(world))
    _windows(world, report)
    return {one.id: one.expires_on for one in stored}


def _windows(world: World, report: Report) -> None:
    now = world.clock.now()
    rows = []
    for contract in world.gateway.contracts.list(account=UNIVAPAY):
        details = world.gateway.contracts.details(contract.id)
        closes = details.addon_window_closes_at
        state = "never paid: R-204" if closes is None else "open" if now < closes else "closed: R-197"
        rows.append((contract.id, details.customer.name, moment(details.last_paid_at), moment(closes), state))
    report.table(
        ["contract", "customer", "last payment", "additional charges end", f"at {moment(now)}"],
        rows,
        title="UnivaPay: one year after the last payment, to the second, no more charges (R-197, R-199)",
    )


def _mails(world: World, charge_id: str | None = None) -> int:
    return sum(charge_id in {None, mail.charge_id} for mail in world.gateway.step_mails.list())


def capabilities(world: World, report: Report) -> None:
    """Show what each provider does, from what it declares."""
    report.scene("What each provider does, as its plugin declares it (R-165 to R-223)")
    declared = {account.name: account.capabilities for account in world.gateway.providers.list()}
    report.table(
        ["~", *(f"~{it.name}" for it in declared.values())],
        [
            (row.title.replace("`", ""), *(row.cell(it).replace("`", "") for it in declared.values()))
            for row in matrix.rows(SYSTEM_MAX_EXPIRY)
        ],
    )
    report.expect("the gateway has the four accounts of the file", set(declared) == set(CHARGED))


def combinations(declared: Capabilities) -> Iterator[tuple[bool | None, bool | None]]:
    """Every allowed pair of ``renew_expiry`` and ``send_step_mail``; None where there is no choice (R-185)."""
    return itertools.product(_POLICY_CHOICES[declared.renew_expiry], _POLICY_CHOICES[declared.send_step_mail])


def charges(world: World, report: Report) -> None:
    """Charge one contract of each provider in each allowed combination of options."""
    report.scene("Charge an additional amount, in every combination of options that each provider allows")
    report.say(
        "Before Amazon Pay is charged, the expiry of AP-01 is set to 2027-03-31 by hand: each receipt sets the "
        "system's largest date again (R-218, R-219). '(always)' and '(none)' mark options that cannot be chosen."
    )
    world.gateway.contracts.set_expiry(CHARGED["amazonpay"], dt.date(2027, 3, 31), reason="demo: a date set by hand")
    rows = []
    for account, contract_id in CHARGED.items():
        declared = world.gateway.providers.get(account).capabilities
        for number, (renew, mail) in enumerate(combinations(declared), start=1):
            done = world.charge(
                contract_id, 1000 + 100 * number, key=f"demo-{account}-{number}", renew=renew, mail=mail
            )
            queued = _mails(world, done.id)
            rows.append(
                (
                    contract_id, account, f"{done.amount.minor:,}",
                    _choice(renew, declared.renew_expiry), _choice(mail, declared.send_step_mail),
                    done.state.value, done.previous_expires_on, done.expires_on, queued,
                )
            )  # fmt: skip
            _expect_effects(report, declared, done, queued)
            world.clock.advance(minutes=1)
    report.table(
        ["contract", "account", ">yen", "renew", "mail", "result", "expiry", "afterwards", ">mails"],
        rows,
    )
    report.expect("there are eleven allowed combinations", len(rows) == 11)


def _choice(asked: bool | None, policy: OptionPolicy) -> str:
    if asked is None:
        return "(always)" if policy is OptionPolicy.FORCED_ON else "(none)"
    return "on" if asked else "off"


def _expect_effects(report: Report, declared: Capabilities, charge: Charge, queued: int) -> None:
    before, after = charge.previous_expires_on, charge.expires_on
    if declared.expiry is ExpiryPolicy.SYSTEM_MAX:
        right = after == SYSTEM_MAX_EXPIRY
    elif charge.renew_expiry:
        right = before is not None and after is not None and after > before
    else:
        right = after == before
    mails = len(STEP_MAILS) if charge.send_step_mail else 0
    claim = f"{declared.name} {charge.amount}: succeeded, expiry and mails as chosen (R-181, R-182)"
    report.expect(claim, charge.state is ChargeState.SUCCEEDED and right and queued == mails)


def refusals(world: World, report: Report) -> list[Refusal]:
    """Ask for what has to be refused, and show that nobody heard of it."""
    report.scene("What is refused, by which rule, and that nothing was sent")
    report.say(
        "UP-06 is charged 1,500 yen first, on the last day of its window; ten seconds later it is asked for the same "
        "again. 'sent: no' says that no provider was asked, no money moved, and no charge or ledger row was written."
    )
    fresh = world.charge("UP-06", 1500, key="demo-window-open")
    world.clock.advance(seconds=10)
    report.expect("a charge on the last day of the window succeeds", fresh.state is ChargeState.SUCCEEDED)
    found = []
    for asked, ask, error, rule in _forbidden(world):
        refusal = world.refusal(asked, ask)
        found.append(refusal)
        right = (refusal.error, refusal.rule, refusal.nothing_sent) == (error, rule, True)
        report.expect(f"{asked}: {error} {rule}".rstrip() + ", nothing sent", right)
    show_refusals(report, found)
    before = world.sent()
    again = world.charge("UP-06", 1500, key="demo-window-open")
    report.say(
        "The same key with the same contents is no refusal: it returns the first charge, and charges nothing (R-190)."
    )
    report.expect("a repeated key charges nothing", again.id == fresh.id and world.sent() == before)
    world.clock.advance(minutes=1)
    return found


def _forbidden(world: World) -> Iterator[tuple[str, Callable[[], object], str, str]]:
    """What is asked for, the asking itself, and the error and rule that it has to meet."""
    unagreed = world.gateway.charges.create
    create = partial(unagreed, consent=CONSENT)
    yen = Money(1000, "JPY")
    fraction: Any = 1000.5  # what a caller without a type checker may give
    option, amount, history = "OptionNotSupported", "InvalidAmount", "OperationNotAllowed"
    yield "UP-06: 1,500 yen again after 10 s", lambda: create("UP-06", Money(1500, "JPY")), "DuplicateCharge", "R-205"
    yield "TC-01: send_step_mail=False", lambda: create("TC-01", yen, send_step_mail=False), option, "R-185"
    yield "AP-01: renew_expiry=True", lambda: create("AP-01", yen, renew_expiry=True), option, "R-185"
    yield "ST-01: no consent", lambda: unagreed("ST-01", yen), "ConsentRequired", "R-188"
    yield "ST-01: Money(1000.5, 'JPY')", lambda: create("ST-01", Money(fraction, "JPY")), amount, "R-004"
    yield "ST-01: 0 yen", lambda: create("ST-01", Money(0, "JPY")), amount, "R-171"
    yield "ST-01: 49 yen", lambda: create("ST-01", Money(49, "JPY")), amount, "R-215"
    yield "BT-01: paid by bank transfer", lambda: create("BT-01", yen), "NotCardCustomer", "R-167"
    yield "MA-01: paid outside paygate", lambda: create("MA-01", yen), "NotCardCustomer", "R-167"
    yield "UP-05: last paid a year ago", lambda: create("UP-05", yen), "ChargeWindowExpired", "R-197"
    yield "UP-12: has never paid", lambda: create("UP-12", yen), history, "R-204"
    yield "ST-07: cancelled contract", lambda: create("ST-07", yen), history, "R-187"
    customer = Actor.customer("cus-301")
    yield "ST-01: asked for by the customer", lambda: create("ST-01", yen, actor=customer), "PermissionDenied", "R-169"
    used = "demo-univapay-1"
    conflict = "IdempotencyConflict"
    yield "UP-01: a key used for 1,100 yen", lambda: create("UP-01", yen, idempotency_key=used), conflict, "R-190"
    yield "UP-99: no such contract", lambda: create("UP-99", yen), "NotFound", ""


def show_refusals(report: Report, found: list[Refusal]) -> None:
    """One table of refusals."""
    report.table(
        ["~asked for", "error", "rule", "~what paygate says", "sent"],
        [(one.asked, one.error, one.rule, one.message, not one.nothing_sent) for one in found],
    )
