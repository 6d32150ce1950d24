"""A billing run over 100,000 contracts of which 10,000 are due: it works page by page, in constant memory.

Prints the peak of memory that Python held during the run, against a run over a tenth of the work. Target: the same,
within 30 %.
"""

from __future__ import annotations

import sys
import tempfile
import time
import tracemalloc
from pathlib import Path

from due_contracts import fill

from paygate import Gateway, Provider
from paygate.provider import Capabilities, ChargeRequest, ChargeResult
from paygate.testing.clock import ManualClock

LIMIT = 1.3


class Instant(Provider):
    """Takes the money at once."""

    def capabilities(self) -> Capabilities:
        return Capabilities("Instant")

    async def charge(self, request: ChargeRequest) -> ChargeResult:
        return ChargeResult.succeeded(f"ch_{request.charge_id}", amount=request.amount)


def run(path: Path, limit: int | None) -> tuple[int, int, float]:
    """How many were renewed, the peak in bytes and the seconds; *limit* stops after so many contracts."""

    class Enough(Exception):
        pass

    def progress(report: object) -> None:
        if limit is not None and report.renewed >= limit:  # type: ignore[attr-defined]
            raise Enough

    clock = ManualClock.jst(2026, 1, 15, 3)
    with Gateway(database=f"sqlite:///{path}", providers={"never": Instant()}, clock=clock) as gateway:
        tracemalloc.start()
        begin = time.perf_counter()
        try:
            renewed = gateway.billing.run(progress=progress).renewed
        except Enough:
            renewed = limit or 0
        seconds = time.perf_counter() - begin
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return renewed, peak, seconds


def main(total: int = 100_000) -> float:
    clock = ManualClock.jst(2026, 1, 14, 3)  # the day before: the period of the 15th is still to come
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        path = Path(folder) / "run.db"
        fill(path, total, clock)
        few, small, _ = run(path, 1000)
        rest, big, seconds = run(path, None)
    print(f"billing run over {total:,} contracts")
    print(f"  {few:>6,} renewed   peak {small / 1e6:6.1f} MB")
    print(f"  {rest:>6,} renewed   peak {big / 1e6:6.1f} MB   {rest / seconds:6.0f} a second (while memory is traced)")
    print(f"  ratio of peaks   {big / small:6.2f}    (target: at most {LIMIT})")
    return big / small


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
