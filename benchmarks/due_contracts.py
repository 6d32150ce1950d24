"""Finding 10,000 due contracts among a million on SQLite, against finding 10,000 among 10,000.

Target: at most 1.3 times. Both databases are filled by copying rows inside SQLite; the pages are read as a billing run
reads them. The big one is about a gigabyte and is removed afterwards; a smaller total can be given: ``due_contracts.py
200000``.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
import statistics
import sys
import tempfile
import time
from pathlib import Path

from paygate import Card, Customer, Gateway, Money, NewContract, Plan, Provider
from paygate.domain.contract import Contract
from paygate.provider import Capabilities, ChargeRequest, ChargeResult
from paygate.store import Store
from paygate.testing.clock import ManualClock

LIMIT = 1.3
DUE = 10_000
TODAY = dt.date(2026, 1, 15)


class Never(Provider):
    """Nothing is charged here."""

    def capabilities(self) -> Capabilities:
        return Capabilities("Never")

    async def charge(self, request: ChargeRequest) -> ChargeResult:
        return ChargeResult.not_sent(request.charge_id)


def fill(path: Path, total: int, clock: ManualClock) -> None:
    """*total* running contracts of which DUE are due today and the others later."""
    plan = Plan.recurring("Gold", Money(3000, "JPY"))
    row = NewContract(
        "con_0", Customer("cus_0"), plan, Card("never", "tok_0"), dt.date(2025, 12, 15),
        last_paid_at=dt.datetime(2025, 12, 15, 3, tzinfo=dt.UTC),
    )  # fmt: skip
    with Gateway(database=f"sqlite:///{path}", providers={"never": Never()}, clock=clock) as gateway:
        gateway.contracts.import_many([row])
    database = sqlite3.connect(path)
    names = [line[1] for line in database.execute("PRAGMA table_info(paygate_contracts)")]
    values = {
        "id": "'con_' || n",
        "due_on": f"CASE WHEN n <= {DUE} THEN '{TODAY}' ELSE '2026-02-' || (10 + n % 18) END",
    }
    picked = ", ".join(values.get(name, name) for name in names)
    with database:
        database.execute("PRAGMA synchronous = OFF")
        database.execute(
            f"WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {total}) "
            f"INSERT INTO paygate_contracts ({', '.join(names)}) "
            f"SELECT {picked} FROM numbers CROSS JOIN paygate_contracts WHERE id = 'con_0'"
        )
        database.execute("DELETE FROM paygate_contracts WHERE id = 'con_0'")
    database.close()


def read(store: Store) -> int:
    """All that is due, page by page, as a billing run does."""
    found, after = 0, None
    page: list[Contract]
    while True:
        with store.read() as session:
            page = session.contracts.due(TODAY, after, 100)
        if not page:
            return found
        found, after = found + len(page), page[-1]


def main(total: int = 1_000_000, rounds: int = 9) -> float:
    clock = ManualClock.jst(2026, 1, 14, 3)  # the day before: the period of the 15th is still to come
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        stores = {}
        for name, count in (("small", DUE), ("big", total)):
            path = Path(folder) / f"{name}.db"
            fill(path, count, clock)
            stores[name] = Store.open(f"sqlite:///{path}", clock=clock)
        times: dict[str, list[float]] = {"small": [], "big": []}
        for number in range(rounds + 1):
            for name, store in stores.items():
                begin = time.perf_counter()
                assert read(store) == DUE
                if number:  # the first round warms both up
                    times[name].append(time.perf_counter() - begin)
        for store in stores.values():
            store.close()
    ratio = statistics.median(b / a for a, b in zip(times["small"], times["big"], strict=True))
    print(f"finding {DUE:,} due contracts on SQLite")
    print(f"  among {DUE:>9,}   {statistics.median(times['small']) * 1e3:8.1f} ms")
    print(f"  among {total:>9,}   {statistics.median(times['big']) * 1e3:8.1f} ms")
    print(f"  ratio             {ratio:8.2f}    (target: at most {LIMIT})")
    return ratio


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
