"""Make the sync gateway from the async one; with ``--check``, fail if it is not what it should be."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

GATEWAY = Path(__file__).resolve().parent.parent / "src" / "paygate" / "gateway"

SUBSTITUTIONS = [
    (
        r'^"""The async face.*?"""',
        '"""The sync face: generated from ``aio.py`` by ``scripts/make_sync_gateway.py``; change it there."""',
    ),
    (r"\.drivers\.aio import AsyncDriver", ".drivers.sync import SyncDriver"),
    (r"\bAsyncDriver\b", "SyncDriver"),
    (r"\bAsync(Gateway|Contracts|Charges|Refunds|Ledger|StepMails|Billing|Webhooks|Providers|Audit|Cursor)\b", r"\1"),
    (r"__aenter__", "__enter__"),
    (r"__aexit__", "__exit__"),
    (r"\baclose\b", "close"),
    (r"async def ", "def "),
    (r"await ", ""),
    (r"  # noqa: ASYNC109.*$", ""),
]


def convert(source: str, target: Path) -> str:
    """The sync twin of the async *source*."""
    for pattern, replacement in SUBSTITUTIONS:
        source = re.sub(
            pattern, replacement, source, flags=re.MULTILINE | re.DOTALL if pattern.startswith(r"\A") else re.MULTILINE
        )
    for command in (["check", "--select", "I", "--fix", "--quiet"], ["format"]):
        run = [sys.executable, "-m", "ruff", *command, "--stdin-filename", str(target), "-"]
        source = subprocess.run(run, input=source, capture_output=True, text=True, check=True).stdout
    return source


def main() -> int:
    stale = []
    for name, twin in TWINS.items():
        target = GATEWAY / twin
        wanted = convert((GATEWAY / name).read_text(encoding="utf-8"), target)
        if "--check" not in sys.argv[1:]:
            target.write_text(wanted, encoding="utf-8")
        elif target.read_text(encoding="utf-8") != wanted:
            stale.append(twin)
    if stale:
        print(
            f"not what scripts/make_sync_gateway.py makes of their async twins: {', '.join(stale)}; run it",
            file=sys.stderr,
        )
    return bool(stale)


if __name__ == "__main__":
    sys.exit(main())
