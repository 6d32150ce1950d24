"""UnivaPay over HTTP: a result that comes by webhook, deliveries that are refused, and an answer that is lost."""

from __future__ import annotations

from ..domain.charge import Charge, ChargeState
from ..money import Money
from ..testing.emulators import Fault, FaultKind, When
from ..testing.emulators.univapay import ChargePlan
from .demo_report import Report
from .demo_scenes import moment, show_refusals
from .demo_world import CONSENT, HTTP, UNIVAPAY, Refusal, World

__all__ = ["by_webhook", "lost_answer"]


def by_webhook(world: World, report: Report) -> list[Refusal]:
    """A charge stays pending until an authenticated webhook settles it, once; returns what was refused."""
    report.scene("UnivaPay over HTTP: pending first, settled by an authenticated webhook")
    gateway, contract_id = world.gateway, "UP-02"
    world.emulator.plan(ChargePlan(pending=None))
    charge = gateway.charges.create(
        contract_id, Money(2000, "JPY"), renew_expiry=False, send_step_mail=True, consent=CONSENT,
        idempotency_key="demo-webhook",
    )  # fmt: skip
    rows: list[tuple[object, ...]] = [(moment(world.clock.now()), "charge asked for", "", charge.state.value)]
    report.expect("the charge is pending", charge.state is ChargeState.PENDING)
    second = world.refusal(
        "UP-02: another charge meanwhile",
        lambda: gateway.charges.create(contract_id, Money(300, "JPY"), consent=CONSENT),
    )
    report.expect(
        "a second charge meanwhile is refused (R-189)", (second.error, second.rule) == ("ChargeInProgress", "R-189")
    )

    claim = {"id": charge.reference, "status": "successful"}
    forged = world.post(world.univapay_event("charge_finished", claim, word="guessed"))
    rows.append((moment(world.clock.now()), "forged webhook: wrong word", forged.status, _state(world, charge)))
    report.expect(
        "a forged webhook is answered 401 and changes nothing",
        (forged.status, _state(world, charge)) == (401, "PENDING"),
    )
    lying = world.post(world.univapay_event("charge_finished", claim))
    rows.append(
        (moment(world.clock.now()), "right word, but says 'successful' too early", lying.status, _state(world, charge))
    )
    report.expect(
        "what a webhook claims is read again at UnivaPay", (lying.status, _state(world, charge)) == (200, "PENDING")
    )

    world.clock.advance(seconds=40)
    world.emulator.settle(charge.reference or "")
    delivered = world.deliver()
    answer = world.endpoint.answers[-1]
    rows.append((moment(world.clock.now()), "UnivaPay has the money and tells", answer.status, _state(world, charge)))
    report.expect("the webhook settles the charge", (answer.status, _state(world, charge)) == (200, "SUCCEEDED"))
    repeated = world.post(delivered[-1])
    outcome = ", ".join(repeated.outcomes)
    rows.append(
        (moment(world.clock.now()), f"the same webhook again: {outcome}", repeated.status, _state(world, charge))
    )
    report.table(["when (JST)", "what happens", ">HTTP", "charge is"], rows)
    show_refusals(report, [second])
    booked = sum(row.charge_id == charge.id for row in gateway.ledger.list(contract_id=contract_id))
    report.say(f"The ledger has {booked} row for it: a webhook that comes twice is applied once (R-194, R-269).")
    report.expect(
        "a replayed webhook is applied once", repeated.status == 200 and outcome == "repeated" and booked == 1
    )
    world.clock.advance(minutes=1)
    return [second]


def _state(world: World, charge: Charge) -> str:
    return world.gateway.charges.get(charge.id).state.value


def lost_answer(world: World, report: Report) -> list[Refusal]:
    """UnivaPay takes the money and the answer is lost: look it up, never charge again (R-193).

    Returns what was refused.
    """
    report.scene("A lost answer: the money is taken, and nobody tells")
    gateway, emulator, contract_id = world.gateway, world.emulator, "UP-08"
    emulator.behaviour.list_delay = 30.0  # UnivaPay's lists come from a search index that lags
    emulator.faults.add(Fault(FaultKind.RESET, When.AFTER), times=1 + HTTP.retries, match="POST /charges")
    posts = len(world.univapay_posts())
    charge = gateway.charges.create(
        contract_id, Money(3300, "JPY"), renew_expiry=True, send_step_mail=False, consent=CONSENT,
        idempotency_key="demo-lost",
    )  # fmt: skip
    posts = len(world.univapay_posts()) - posts
    rows: list[tuple[object, ...]] = [
        (
            moment(world.clock.now()),
            f"{posts} sendings under one key, each answer lost",
            charge.state.value,
            _captures(world, charge),
        )
    ]
    report.expect("without an answer the charge is UNKNOWN", charge.state is ChargeState.UNKNOWN)
    world.clock.advance(minutes=2)
    rows.append(
        (
            moment(world.clock.now()),
            "two minutes later: the money is gone, no word yet",
            _state(world, charge),
            _captures(world, charge),
        )
    )
    again = world.refusal(
        "UP-08: charge again",
        lambda: gateway.charges.create(contract_id, Money(3300, "JPY"), consent=CONSENT, idempotency_key="demo-again"),
    )
    report.expect(
        "while it is UNKNOWN nobody can charge again", (again.error, again.nothing_sent) == ("ChargeInProgress", True)
    )
    settled = gateway.billing.reconcile().settled
    found = gateway.charges.get(charge.id)
    rows.append(
        (
            moment(world.clock.now()),
            "reconcile looks it up by paygate's own id",
            found.state.value,
            _captures(world, charge),
        )
    )
    emulator.behaviour.list_delay = 0.0
    world.deliver()
    report.table(["when (JST)", "~what happens", "charge is", ">captures"], rows)
    show_refusals(report, [again])
    report.expect("reconciliation finds it SUCCEEDED", found.state is ChargeState.SUCCEEDED and charge.id in settled)
    report.expect("the provider took the money exactly once", _captures(world, charge) == 1)
    world.clock.advance(minutes=1)
    return [again]


def _captures(world: World, charge: Charge) -> int:
    return sum(row.attempt == charge.id for row in world.books[UNIVAPAY].captures)
