"""Write ``constraints.txt``: the exact version of every distribution of the environment that runs this script.

Run it with the virtual environment in which the whole suite has just passed::

    .venv/bin/python scripts/pin_constraints.py

Only names and versions are written, so that the file holds whichever index an installation uses.
"""

from __future__ import annotations

import re
import sys
from importlib.metadata import distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEADER = "# Written by scripts/pin_constraints.py; change it there. The versions that the suite was last run with.\n"
NOT_OURS_TO_PIN = {"setuptools", "wheel"}  # left behind by whatever made the environment; nothing here needs them


def pins() -> str:
    """The text of the constraints file."""
    versions: dict[str, str] = {}
    for distribution in distributions():
        name = re.sub(r"[-_.]+", "-", distribution.metadata["Name"]).lower()
        editable = name == "paygate" or name.startswith("paygate-")
        if not editable and name not in NOT_OURS_TO_PIN:
            versions[name] = distribution.version
    return HEADER + "".join(f"{name}=={version}\n" for name, version in sorted(versions.items()))


def main() -> int:
    """Write the file beside ``pyproject.toml``."""
    path = ROOT / "constraints.txt"
    path.write_text(pins(), encoding="utf-8")
    print(f"wrote {path.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
