"""What ``import paygate`` loads: modules are counted, beside the time relative to an interpreter that does nothing."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

HEAVY = ("httpx", "sqlalchemy", "stripe", "asyncio", "anyio", "alembic", "rich", "click")


def _run(code: str) -> float:
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - begin


def main(rounds: int = 15) -> list[str]:
    code = f"import sys, paygate; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    pairs = [(_run("pass"), _run("import paygate")) for _ in range(rounds)]
    ratio = statistics.median(b / a for a, b in pairs)
    print("import paygate")
    print(f"  heavy modules loaded {', '.join(loaded) or 'none'}    (target: none)")
    print(f"  bare interpreter     {statistics.median(a for a, _ in pairs) * 1e3:8.1f} ms")
    print(f"  with paygate         {statistics.median(b for _, b in pairs) * 1e3:8.1f} ms   (ratio {ratio:.2f})")
    return loaded


if __name__ == "__main__":
    main()
