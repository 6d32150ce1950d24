"""Where values of the configuration came from: what is wrong is told with file and key, and no two share a variable."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .errors import ConfigurationError

__all__ = ["Source"]

#: Variables that mean something else to paygate and its commands.
_OTHER_VARIABLES = {
    "PAYGATE_ACTOR": "the actor of the commands",
    "PAYGATE_CHECK_CARD": "the card of `paygate check`",
    "PAYGATE_CONFIG": "the place of the configuration file",
    "PAYGATE_DATABASE": "the database",
    **{
        f"PAYGATE_EMULATE_{name}": "a credential of `paygate emulate`"
        for name in ("API_KEY", "APP_TOKEN", "PUBLISHABLE_KEY", "SECRET", "WEBHOOK_SECRET")
    },
}


def _variable(name: str) -> str:
    return re.sub(r"[^A-Z0-9]", "_", f"PAYGATE_{name}".upper())


class Source:
    """Where a value came from, for messages."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._variables = dict(_OTHER_VARIABLES)

    def variable(self, where: str, name: str, setting: str) -> str:
        """The environment variable of one setting, which no other setting may have as well.

        :param name: of the account or the plugin's table.
        :raises ConfigurationError: two settings would be set by the one variable (R-372).
        """
        variable = _variable(f"{name}_{setting}")
        other = self._variables.setdefault(variable, f"{where}.{setting}")
        if other != f"{where}.{setting}":
            raise self.wrong(
                where,
                f"its {setting} and {other} would both be set by {variable} in the environment; rename one of them",
            )
        return variable

    def wrong(self, where: str, problem: str) -> ConfigurationError:
        return ConfigurationError(f"{self.path}: {where}: {problem}")

    def beside(self, path: str) -> str:
        """*path*, counted from the folder of the configuration file, wherever the process was started."""
        return str(self.path.resolve().parent / path)

    def beside_url(self, url: str) -> str:
        """*url*, with the path of a SQLite file counted likewise."""
        match = re.fullmatch(r"(sqlite(?:\+\w+)?:///)([^?]+)(\?.*)?", url, re.DOTALL)
        if match is None or match[2] == ":memory:" or match[2].startswith("file:"):
            return url
        return f"{match[1]}{self.beside(match[2])}{match[3] or ''}"

    def apart(self, accounts: Iterable[str]) -> None:
        """Refuse accounts whose names are one and the same in the environment, such as ``shop-a`` and ``shop_a``.

        :raises ConfigurationError: two of them are (R-372).
        """
        seen: dict[str, str] = {}
        for name in accounts:
            other = seen.setdefault(_variable(name), name)
            if other != name:
                raise self.wrong(
                    f"accounts.{name}",
                    f"the settings of this account and of accounts.{other} have the same names in the environment, "
                    f"{_variable(name)}_…; rename one of them",
                )

    def known(self, where: str, given: Iterable[str], known: Iterable[str]) -> None:
        known = sorted(known)
        for key in given:
            if key not in known:
                close = difflib.get_close_matches(key, known, n=1)
                hint = f"did you mean {close[0]!r}?" if close else f"known keys: {', '.join(known) or 'none'}"
                raise self.wrong(f"{where}{key}", f"unknown key; {hint}")

    def table(self, where: str, value: object) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self.wrong(where, f"must be a table, write [{where}] and its keys below it")
        return value

    def text(self, where: str, value: object) -> str:
        if not isinstance(value, str) or not value:
            raise self.wrong(where, "must be a non-empty text")
        return value
