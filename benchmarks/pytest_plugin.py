"""What having paygate installed costs a run of pytest that has nothing to do with it, beside a plugin that is empty.

In a fresh interpreter for each round, once pytest is warm, the two plugins are imported and take part in a whole run of
one empty test each, in both orders by turns. What is compared is processor time within a round.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

TARGET = 5.0  # milliseconds

_EMPTY = """
import pytest

def pytest_configure(config):
    config.addinivalue_line("markers", "empty: an empty plugin")
"""

_ROUND = """
import contextlib, importlib, io, sys, time
import pytest

def run(*options):
    begin = time.process_time()
    with contextlib.redirect_stdout(io.StringIO()):
        assert pytest.main(["-q", "-p", "no:cacheprovider", *options, "test_nothing.py"]) == 0
    return time.process_time() - begin

run()
imports, runs = {}, {}
for name in sys.argv[1:]:
    begin = time.process_time()
    importlib.import_module(name)
    imports[name] = time.process_time() - begin
    runs[name] = run("-p", name)
print(*((spent["paygate.testing.pytest_plugin"] - spent["empty_plugin"]) * 1e3 for spent in (imports, runs)))
"""


def _round(folder: Path, *names: str) -> tuple[float, float]:
    """Milliseconds that paygate's plugin takes beyond the empty one: to import, and to take part in a run."""
    # only the plugins that are asked for, and compiled code kept as in any ordinary installation
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    chosen = {
        "PYTHONPATH": str(folder),
        "PYTHONPYCACHEPREFIX": str(folder / "cache"),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    answer = subprocess.run(
        [sys.executable, "-c", _ROUND, *names],
        check=True,
        capture_output=True,
        text=True,
        env={**inherited, **chosen},
        cwd=folder,
    )
    importing, running = answer.stdout.split()
    return float(importing), float(running)


def main(rounds: int = 31) -> float:
    names = ("empty_plugin", "paygate.testing.pytest_plugin")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "empty_plugin.py").write_text(_EMPTY)
        (folder / "test_nothing.py").write_text("def test_nothing():\n    pass\n")
        _round(folder, *names)  # compiles what is not compiled yet
        beyond = [_round(folder, *names[:: 1 if turn % 2 else -1]) for turn in range(rounds)]
    importing, running = (statistics.median(times) for times in zip(*beyond, strict=True))
    print("pytest plugin, beyond an empty one, in a run without tests of paygate")
    print(f"  importing it              {importing:6.1f} ms   (target: below {TARGET:.0f})")
    print(f"  taking part in a run      {running:6.1f} ms")
    return importing


if __name__ == "__main__":
    main()
