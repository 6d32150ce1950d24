"""Deciding and dispatching a charge, without store and network, against the raw pluggy call that it contains.

Both sides call the same provider's hook through the same plugin manager and drive its coroutine to the end. paygate
adds: the decision on the additional charge, the request, the account's guard against misbehaving plugins, and the
driver. Target: under 10 times the raw call (the two medians of interleaved rounds, in one process).
"""

from __future__ import annotations

import datetime as dt
import statistics
import time

from paygate import Card, Customer, Money, Plan
from paygate.billing.settling import charge_request
from paygate.clock import JST
from paygate.domain.charge import Charge, ChargeKind, Consent
from paygate.domain.charging import AddonCommand, ChargeFacts, decide_addon
from paygate.domain.contract import Actor, Contract
from paygate.domain.creation import activate, decide_creation
from paygate.domain.rules import Rules
from paygate.drivers.sync import SyncDriver
from paygate.ids import new_id
from paygate.plugins.manager import Plugins
from paygate.provider import Capabilities, ChargeRequest, ChargeResult, Outcome, Provider
from paygate.testing.clock import ManualClock

NOW = dt.datetime(2026, 1, 15, 3, 0, tzinfo=dt.UTC)
LIMIT = 10.0


class Instant(Provider):
    """Answers at once, as a provider's plugin would: mapping a raw answer to a result."""

    def capabilities(self) -> Capabilities:
        return Capabilities("Instant")

    async def charge(self, request: ChargeRequest) -> ChargeResult:
        return ChargeResult.succeeded(f"ch_{request.charge_id}", amount=request.amount, charged_at=NOW)


def contract(rules: Rules, capabilities: Capabilities) -> Contract:
    draft = decide_creation(
        Customer("cus_1"), Plan.recurring("Gold", Money(3000, "JPY")), Card("instant", "tok_1"), dt.date(2026, 1, 15),
        capabilities, rules, NOW, Actor.admin(), contract_id="con_1",
    ).contract  # fmt: skip
    return activate(draft, NOW, rules, lambda: new_id(NOW), actor=Actor.admin(), capabilities=capabilities).contract


def main(rounds: int = 200, calls: int = 200) -> float:
    clock, rules = ManualClock(NOW), Rules(zone=JST)
    plugins = Plugins({"instant": Instant()})
    account = plugins.account("instant")
    driver = SyncDriver(clock)
    agreement = contract(rules, account.capabilities)
    command = AddonCommand(Money(5000, "JPY"), consent=Consent("phone"))
    facts = ChargeFacts(last_paid_at=NOW)
    charge = Charge(
        new_id(NOW),
        "con_1",
        "cus_1",
        "instant",
        ChargeKind.ADDON,
        Money(5000, "JPY"),
        "order-1",
        "f" * 64,
        created_at=NOW,
    )
    request = charge_request(charge, "tok_1", charge.id)
    raw_hook = account._hooks["charge"]

    async def whole() -> ChargeResult:
        decide_addon(agreement, command, account.capabilities, facts, rules, NOW)
        key = account.capabilities.idempotency.key_for(charge.id)
        return await account.charge(charge_request(charge, "tok_1", key))

    def paygate() -> ChargeResult:
        return driver.run(whole())

    def raw() -> ChargeResult:
        flow = raw_hook(request=request)
        try:
            flow.send(None)
        except StopIteration as stop:
            return stop.value
        raise AssertionError

    assert paygate().outcome is raw().outcome is Outcome.SUCCEEDED
    times: dict[str, list[float]] = {"raw": [], "paygate": []}
    for _ in range(rounds):
        for name, function in (("raw", raw), ("paygate", paygate)):
            begin = time.perf_counter()
            for _ in range(calls):
                function()
            times[name].append((time.perf_counter() - begin) / calls)
    medians = {name: statistics.median(values) for name, values in times.items()}
    ratio = statistics.median(b / a for a, b in zip(times["raw"], times["paygate"], strict=True))
    print("dispatch of a charge through hooks, policy and flow, no store, no network")
    print(f"  raw pluggy call      {medians['raw'] * 1e6:8.2f} µs")
    print(f"  paygate              {medians['paygate'] * 1e6:8.2f} µs")
    print(f"  ratio                {ratio:8.2f}    (target: under {LIMIT:.0f})")
    return ratio


if __name__ == "__main__":
    main()
