"""What one durable charge costs the processor, without HTTP: does it grow with what was charged before, and how much is it?

The time of the processor is compared, not the clock's, so that other programs on the machine matter less. Two contracts are
charged in turn: the card of one has been charged 20 times before, that of the other 2,000 times. Target: the same, within 15 %.
Beside it stands the script of ``durable_charge``, tuned, with a provider that is a function: what a charge costs beyond that
is paygate's decision, ledger, audit, claims, checks of what callers and plugins say.
"""

from __future__ import annotations

import itertools
import statistics
import sys
import tempfile
import time
from pathlib import Path

from durable_charge import Script

from paygate import Card, ChargeState, Customer, Gateway, Money, Plan, Provider
from paygate.provider import Capabilities, ChargeRequest, ChargeResult

LIMIT = 1.15
FEW, MANY = 20, 2000


class Instant(Provider):
    """Takes the money at once."""

    def capabilities(self) -> Capabilities:
        return Capabilities("Instant")

    async def charge(self, request: ChargeRequest) -> ChargeResult:
        return ChargeResult.succeeded(f"ch_{request.charge_id}", amount=request.amount)


class Bare(Script):
    """The two transactions of the script alone."""

    def charge(self) -> None:
        key = f"order-{next(self.numbers)}"
        self.database.execute("BEGIN IMMEDIATE")
        self.database.execute("INSERT INTO charges VALUES (?, ?, ?, 'PENDING', NULL, ?)", (key, "con_1", 5000, key))
        self.database.execute("COMMIT")
        self.database.execute("BEGIN IMMEDIATE")
        self.database.execute("UPDATE charges SET state = 'SUCCEEDED', reference = ? WHERE id = ?", (key, key))
        self.database.execute("COMMIT")


def main(rounds: int = 40, calls: int = 20) -> float:
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        script = Bare(Path(folder) / "script.db", "", tuned=True)
        script.numbers = itertools.count()
        with Gateway(database=f"sqlite:///{folder}/paygate.db", providers={"instant": Instant()}) as gateway:
            plan = Plan.recurring("Gold", Money(3000, "JPY"))
            ids = [gateway.contracts.create(Customer(f"cus_{n}"), plan, Card("instant", f"tok_{n}")).id for n in (1, 2)]

            def charge(contract_id: str) -> None:
                made = gateway.charges.create(contract_id, Money(5000, "JPY"), consent="phone")
                assert made.state is ChargeState.SUCCEEDED

            for contract_id, before in zip(ids, (FEW, MANY), strict=True):
                for _ in range(before):
                    charge(contract_id)
            cases = {
                "few": lambda: charge(ids[0]),
                "many": lambda: charge(ids[1]),
                "script": script.charge,
            }
            times: dict[str, list[float]] = {name: [] for name in cases}
            for _ in range(rounds):
                for name, function in cases.items():
                    begin = time.process_time()
                    for _ in range(calls):
                        function()
                    times[name].append((time.process_time() - begin) / calls)
    medians = {name: statistics.median(values) for name, values in times.items()}
    ratio = statistics.median(a / b for a, b in zip(times["many"], times["few"], strict=True))
    print("processor time of one durable charge on SQLite, without HTTP")
    for name, title in (("few", f"{FEW} charges before"), ("many", f"{MANY:,} charges before"), ("script", "script")):
        print(f"  {title:22} {medians[name] * 1e3:7.3f} ms")
    print(f"  ratio to the script  {medians['few'] / medians['script']:9.2f}")
    print(f"  ratio many to few    {ratio:9.2f}    (target: at most {LIMIT})")
    return ratio


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
