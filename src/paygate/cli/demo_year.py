"""The later scenes: a year passes, money goes back, and a mail that cannot be switched off is held back."""

from __future__ import annotations

import datetime as dt

from ..clock import JST
from ..domain.charge import ChargeState, Refund, RefundState
from ..domain.mails import StepMailState
from ..errors import PaygateError
from ..money import Money
from .demo_report import Report
from .demo_scenes import moment, show_refusals
from .demo_world import CONSENT, STEP_MAILS, Refusal, World

__all__ = ["a_year", "refunds", "step_mails"]


def a_year(world: World, report: Report) -> tuple[dt.datetime | None, list[Refusal]]:
    """Move the clock until UnivaPay's window closes for one customer; returns that instant and what was refused."""
    report.scene("A year passes, and the limit bites")
    clock, gateway = world.clock, world.gateway
    released = []
    for plan in STEP_MAILS:
        clock.advance(seconds=plan.delay)
        released.append(len(gateway.step_mails.release().released))
    report.say(
        f"The dispatcher hands over the step mails that fall due: {released[0]} after five minutes, {released[1]} after "
        "three days (R-225)."
    )
    report.expect(
        "each step mail goes out when it is due",
        all(released) and not gateway.step_mails.list(state=StepMailState.QUEUED).all(),
    )

    rows: list[tuple[object, ...]] = []

    def charge(contract_id: str, yen: int, *, mail: bool | None) -> None:
        row = _row(world, contract_id)
        done = world.charge(contract_id, yen, key=f"demo-{contract_id}-later", mail=mail)
        rows.append((*row, f"charge: {done.state.value}"))
        report.expect(f"{contract_id} can still be charged (R-198, R-203)", done.state is ChargeState.SUCCEEDED)
        clock.advance(seconds=1)

    clock.set(dt.datetime(2027, 6, 1, 10, 0, tzinfo=JST))
    charge("UP-02", 800, mail=False)
    closes = gateway.contracts.details("UP-01").addon_window_closes_at
    if closes is None:
        report.expect("UP-01 has a window", held=False)
        return None, []
    before = world.sent()
    for contract_id, seconds, expected in (("UP-01", -1, "allowed"), ("UP-01", 0, "R-197"), ("UP-02", 0, "allowed")):
        clock.set(closes + dt.timedelta(seconds=seconds))
        said = _preview(world, contract_id)
        rows.append((*_row(world, contract_id), f"preview: {said}"))
        report.expect(f"{contract_id}, {seconds:+} s from the limit of UP-01: {expected} (R-199)", said == expected)
    refusal = world.refusal(
        "UP-01: 1,000 yen at that instant",
        lambda: gateway.charges.create("UP-01", Money(1000, "JPY"), consent=CONSENT),
    )
    unsent = refusal.nothing_sent and world.sent() == before
    report.expect("at the limit nothing is sent", unsent and refusal.error == "ChargeWindowExpired")
    for contract_id, yen, mail in (("TC-01", 1700, None), ("ST-01", 2500, True), ("AP-01", 1800, False)):
        charge(contract_id, yen, mail=mail)
    report.table(["when (JST)", "contract", "last payment", "window closes", "outcome"], rows)
    show_refusals(report, [refusal])
    report.say(
        "UP-02 stays open: its customer was charged in June, and each success restarts the year (R-198). The other "
        "providers declare no window, so nothing stops them (R-203). The demo runs no renewals: statuses stay as they "
        "are, and an expiry that has passed changes none (R-059)."
    )
    clock.advance(minutes=1)
    return closes, [refusal]


def _preview(world: World, contract_id: str) -> str:
    try:
        world.gateway.charges.preview(contract_id, Money(1000, "JPY"), consent=CONSENT)
    except PaygateError as exc:
        return exc.rule or type(exc).__name__
    return "allowed"


def _row(world: World, contract_id: str) -> tuple[str, str, str, str]:
    details = world.gateway.contracts.details(contract_id)
    paid = max((row.received_at for row in details.entries if row.kind.sale), default=None)
    closes = details.addon_window_closes_at
    return moment(world.clock.now()), contract_id, moment(paid), moment(closes) if closes else "never"


def refunds(world: World, report: Report) -> list[Refusal]:
    """Return parts of charges through the providers, and one by hand; returns what was refused."""
    report.scene("Refund a part")
    gateway = world.gateway
    rows: list[tuple[object, ...]] = []
    charges = {one.idempotency_key: one for one in gateway.charges.list()}

    def back(key: str, yen: int) -> Refund:
        charge = charges[key]
        made = gateway.refunds.create(charge.id, Money(yen, "JPY"), idempotency_key=f"{key}-{yen}", reason="demo")
        first = made.state.value
        world.deliver()
        done = made if made.by_hand else gateway.refunds.wait(made.id)
        how = "by hand" if done.by_hand else first if first == done.state.value else f"{first} → {done.state.value}"
        left = _left(world, done.entry_id)
        rows.append((charge.contract_id, world.name(charge.contract_id), charge.amount, done.amount, how, left))
        world.clock.advance(minutes=1)
        return done

    done = [
        back("demo-ST-01-later", 1000),
        back("demo-ST-01-later", 500),
        back("demo-UP-02-later", 300),
        back("demo-AP-01-later", 600),
    ]
    report.expect(
        "parts go back through Stripe, UnivaPay and Amazon Pay (R-241)",
        all(one.state is RefundState.DONE for one in done),
    )
    too_much = world.refusal(
        "ST-01: 1,001 yen of the 1,000 that are left",
        lambda: gateway.refunds.create(charges["demo-ST-01-later"].id, Money(1001, "JPY")),
    )
    report.expect(
        "more than is left is refused (R-239)", (too_much.error, too_much.nothing_sent) == ("RefundExceedsSale", True)
    )
    before = world.sent()
    by_hand = back("demo-TC-01-later", 700)
    report.expect(
        "Telecom Credit is not asked; a person has to return it (R-249)", by_hand.by_hand and world.sent() == before
    )
    report.table(["contract", "customer", ">charged", ">back", "refund", ">left"], rows)
    show_refusals(report, [too_much])
    due = [row for row in gateway.refunds.dues() if row.id == by_hand.refund_entry_id]
    alert = next((one.message for one in world.mailbox.alerts if one.refund_id == by_hand.id), "")
    report.say(
        "Telecom Credit has no interface for refunds: the ledger says MANUAL_REFUND_DUE, and the operator was told."
    )
    report.expect("the manual refund is due, and the operator was told (R-249)", len(due) == 1 and "by hand" in alert)
    return [too_much]


def _left(world: World, entry_id: str) -> Money:
    row = world.gateway.ledger.get(entry_id)
    taken = sum(
        one.amount.minor for one in world.gateway.ledger.list(contract_id=row.contract_id) if one.refunds == entry_id
    )
    return Money(row.amount.minor - taken, row.amount.currency)


def step_mails(world: World, report: Report) -> list[Refusal]:
    """The way round what Telecom Credit forces: hold the mail back before it is due, set the old expiry by hand.

    Returns what was refused.
    """
    report.scene("Telecom Credit always mails and always extends: what to do about it (R-206 to R-211)")
    gateway, clock, contract_id = world.gateway, world.clock, "TC-02"
    preview = gateway.charges.preview(contract_id, Money(900, "JPY"), consent=CONSENT)
    for warning in preview.warnings[:1]:
        report.say(f"Preview warns: {warning}.")
    charge = world.charge(contract_id, 900, key="demo-workaround")
    rows: list[tuple[object, ...]] = [
        (
            moment(clock.now()),
            f"charge {charge.amount}: {charge.state.value}, expiry {charge.previous_expires_on} → {charge.expires_on}",
            "2 queued",
        )
    ]
    thanks, guide = sorted(
        (mail for mail in gateway.step_mails.list(contract_id=contract_id)), key=lambda mail: mail.due_at
    )
    clock.advance(minutes=2)
    paused = gateway.step_mails.pause(thanks.id)
    rows.append((moment(clock.now()), f"pause {thanks.name}, due at {moment(thanks.due_at)}", paused.state.value))
    clock.advance(minutes=1)
    deleted = gateway.step_mails.delete(thanks.id)
    rows.append((moment(clock.now()), f"delete {thanks.name} for good (R-228)", deleted.state.value))
    held = gateway.step_mails.pause(guide.id)
    rows.append((moment(clock.now()), f"pause {guide.name}", held.state.value))
    before = charge.previous_expires_on
    if before is not None:
        back = gateway.contracts.set_expiry(
            contract_id, before, reason="demo: the charge was for a book, not for a month"
        )
        rows.append((moment(clock.now()), f"set the expiry back to {before} (R-209)", back.expires_on or ""))
        report.expect("the old expiry is back", back.expires_on == before != charge.expires_on)
    stripe = world.charge("ST-02", 650, key="demo-too-late", renew=False, mail=True)
    late = min(
        (mail for mail in gateway.step_mails.list(contract_id="ST-02") if mail.charge_id == stripe.id),
        key=lambda mail: mail.due_at,
    )
    clock.set(late.due_at)
    too_late = world.refusal(
        f"ST-02: delete {late.name} at the instant it is due", lambda: gateway.step_mails.delete(late.id)
    )
    report.expect(
        "from the due instant on a mail counts as sent (R-229)",
        (too_late.error, too_late.rule) == ("MailAlreadySent", "R-229"),
    )
    earlier = len(world.mailbox.mails)
    gateway.step_mails.release()
    handed = world.mailbox.mails[earlier:]
    report.table(["when (JST)", "what happens", "now"], rows)
    show_refusals(report, [too_late])
    report.table(
        ["customer", "address", "mail", "subject"],
        [
            (notice.customer.name, notice.customer.email, notice.mail.name, notice.mail.subject)
            for notice in sorted(handed, key=lambda notice: (notice.mail.due_at, notice.mail.contract_id))
        ],
        title=f"Released to the observer at {moment(clock.now())}",
    )
    report.expect(
        "no mail of TC-02 went out, others did",
        bool(handed) and all(notice.mail.contract_id != contract_id for notice in handed),
    )
    return [too_late]
