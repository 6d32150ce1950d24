"""What ``paygate demo --keep`` leaves behind beside the database: a configuration with fakes, to go on with."""

from __future__ import annotations

import json
from pathlib import Path

from .demo_scenes import CHARGED
from .demo_world import STEP_MAILS

__all__ = ["write_configuration"]

_HEAD = """\
# Left by "paygate demo --keep". Every provider is a fake: no account, no network, no money.
# The demo's clock went on to November 2027, so some of its charges carry dates that may still lie ahead of yours.
# UnivaPay was the real plugin against an emulator, which is gone: its fake begins empty, so refunds of the demo's
# UnivaPay charges are refused by it. The other fakes remember what the demo did.
"""


def write_configuration(folder: Path) -> Path:
    """Write ``paygate.toml`` for the demo's database in *folder*, an absolute path; returns where."""
    database = f"sqlite:///{folder / 'paygate.db'}"
    lines = [_HEAD, f"database = {_text(database)}", ""]
    for account in CHARGED:
        lines += [
            f"[accounts.{account}]",
            f'provider = "fake-{account}"',
            f"state_file = {_text(str(folder / f'{account}.json'))}",
            "",
        ]
    for plan in STEP_MAILS:
        lines += [
            "[[step_mails]]",
            f"name = {_text(plan.name)}",
            f'set = "{plan.set.value}"',
            f"delay = {plan.delay}",
            f"subject = {_text(plan.subject)}",
            "",
        ]
    path = folder / "paygate.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def _text(value: str) -> str:
    """*value* as a TOML basic string, whose escapes are those of JSON."""
    return json.dumps(value, ensure_ascii=False)
