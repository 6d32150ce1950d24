"""Make a plugin project with ``paygate new``, and try it in an environment of its own, as its author would."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parent.parent


def main() -> None:
    """Run every command that the new project's README and its CI name; stop at the first that fails."""
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        venv.create(place / "venv", with_pip=True)
        commands = place / "venv" / "bin"
        project = place / "paygate-acme-pay"
        constraints = str(ROOT / "constraints.txt")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("PAYGATE_", "PYTHON"))}

        def run(*command: str, folder: Path = place) -> None:
            print("$", *command, flush=True)
            subprocess.run([commands / command[0], *command[1:]], cwd=folder, env=environment, check=True)

        run("python", "-m", "pip", "install", "-q", "-c", constraints, "--upgrade", "pip")
        run("python", "-m", "pip", "install", "-q", "-c", constraints, f"{ROOT}[testing]")
        run("paygate", "new", "acme-pay")
        run("python", "-m", "pip", "install", "-q", "-c", constraints, "-e", ".", "--group", "dev", folder=project)
        run("ruff", "check", ".", folder=project)
        run("ruff", "format", "--check", ".", folder=project)
        run("mypy", folder=project)
        run("pytest", "-q", folder=project)
        run("paygate", "check", "acme-pay", folder=project)
        run("paygate", "plugins", folder=project)


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
