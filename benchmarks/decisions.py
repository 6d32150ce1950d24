"""Pure decisions a second on one core: no I/O, no store. Target: at least 50,000."""

from __future__ import annotations

import datetime as dt
import statistics
import time
from collections.abc import Callable

from paygate import Card, Customer, Money, Plan
from paygate.clock import JST
from paygate.domain.charge import Consent
from paygate.domain.charging import AddonCommand, ChargeFacts, decide_addon
from paygate.domain.contract import Actor
from paygate.domain.creation import activate, decide_creation
from paygate.domain.due import due_steps
from paygate.domain.operations import operations
from paygate.domain.rules import Rules
from paygate.ids import new_id
from paygate.provider import Capabilities

NOW = dt.datetime(2026, 1, 15, 3, 0, tzinfo=dt.UTC)
TARGET = 50_000


def main(rounds: int = 15, calls: int = 2000) -> dict[str, float]:
    rules, capabilities = Rules(zone=JST), Capabilities("Acme", charge_window_years=1, duplicate_window=30)
    draft = decide_creation(
        Customer("c"), Plan.recurring("Gold", Money(3000, "JPY")), Card("acme", "tok"), dt.date(2026, 1, 15),
        capabilities, rules, NOW, Actor.admin(), contract_id="con_1",
    ).contract  # fmt: skip
    contract = activate(draft, NOW, rules, lambda: new_id(NOW), actor=Actor.admin(), capabilities=capabilities).contract
    command = AddonCommand(Money(5000, "JPY"), renew_expiry=True, consent=Consent("phone"))
    facts = ChargeFacts(last_paid_at=NOW)
    cases: dict[str, Callable[[], object]] = {
        "may this be charged, and what follows": lambda: decide_addon(
            contract, command, capabilities, facts, rules, NOW
        ),
        "what is due for this contract": lambda: due_steps(contract, NOW, rules),
        "which of the 18 operations are offered": lambda: operations(contract, NOW, rules, capabilities=capabilities),
    }
    print("pure decisions on one core")
    results = {}
    for name, decide in cases.items():
        times = []
        for _ in range(rounds):
            begin = time.perf_counter()
            for _ in range(calls):
                decide()
            times.append((time.perf_counter() - begin) / calls)
        results[name] = 1 / statistics.median(times)
        print(f"  {name:42} {results[name]:>10,.0f} a second")
    print(f"  target for each of them: at least {TARGET:,}")
    return results


if __name__ == "__main__":
    main()
