"""Make ``gateway/sync.py`` from ``gateway/aio.py``; with ``--check``, fail if it is not what it should be."""

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


def convert(source: str) -> str:
    """The sync twin of the async *source*."""
    for pattern, replacement in SUBSTITUTIONS:
        source = re.sub(
            pattern, replacement, source, flags=re.MULTILINE | re.DOTALL if pattern.startswith('^"') else re.MULTILINE
        )
    ruff = [sys.executable, "-m", "ruff"]
    source = subprocess.run(
        [*ruff, "check", "--select", "I", "--fix", "--quiet", "--stdin-filename", str(GATEWAY / "sync.py"), "-"],
        input=source, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    return subprocess.run(
        [*ruff, "format", "--stdin-filename", str(GATEWAY / "sync.py"), "-"],
        input=source, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip


def main() -> int:
    wanted = convert((GATEWAY / "aio.py").read_text(encoding="utf-8"))
    target = GATEWAY / "sync.py"
    if "--check" in sys.argv[1:]:
        if target.read_text(encoding="utf-8") == wanted:
            return 0
        print("gateway/sync.py is not what scripts/make_sync_gateway.py makes of aio.py; run it", file=sys.stderr)
        return 1
    target.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
