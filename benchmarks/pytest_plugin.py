"""What having paygate installed costs a run of pytest that has nothing to do with it, beside a plugin that is empty.

In fresh interpreters that have loaded pytest, the two plugins are imported and registered one after the other, in both
orders by turns, and compared within each; then whole runs of pytest are compared in pairs. All is processor time.
"""

from __future__ import annotations

import os
import resource
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

_LOAD = """
import importlib, sys, time
import pytest
from _pytest.config import get_config

config = get_config()
spent = {}
for name in sys.argv[1:]:
    begin = time.process_time()
    config.pluginmanager.register(importlib.import_module(name))
    spent[name] = time.process_time() - begin
print((spent["paygate.testing.pytest_plugin"] - spent["empty_plugin"]) * 1e3)
"""


def _environment(folder: Path) -> dict[str, str]:
    """Only the plugin that is asked for, and compiled code kept as in any ordinary installation."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    chosen = {
        "PYTHONPATH": str(folder),
        "PYTHONPYCACHEPREFIX": str(folder / "cache"),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    return {**inherited, **chosen}


def _load(folder: Path, *names: str) -> float:
    command = [sys.executable, "-c", _LOAD, *names]
    answer = subprocess.run(command, check=True, capture_output=True, text=True, env=_environment(folder), cwd=folder)
    return float(answer.stdout)


def _run(folder: Path, plugin: str) -> float:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", plugin, "test_nothing.py"]
    begin = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True, env=_environment(folder), cwd=folder)
    end = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (end.ru_utime + end.ru_stime - begin.ru_utime - begin.ru_stime) * 1e3


def main(rounds: int = 21) -> float:
    empty, ours = "empty_plugin", "paygate.testing.pytest_plugin"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "empty_plugin.py").write_text(_EMPTY)
        (folder / "test_nothing.py").write_text("def test_nothing():\n    pass\n")
        for plugin in (empty, ours):  # compiles what is not compiled yet
            _run(folder, plugin)
        beyond = [_load(folder, *((empty, ours) if turn % 2 else (ours, empty))) for turn in range(rounds)]
        pairs = [(_run(folder, empty), _run(folder, ours)) for _ in range(rounds)]
    loading = statistics.median(beyond)
    print("pytest plugin, in a run without tests of paygate")
    print(f"  importing and registering it   {loading:6.1f} ms beyond an empty one   (target: below {TARGET:.0f})")
    print(f"  a whole run with an empty one  {statistics.median(a for a, _ in pairs):6.1f} ms")
    print(f"  a whole run with ours          {statistics.median(b - a for a, b in pairs):+6.1f} ms")
    return loading


if __name__ == "__main__":
    main()
